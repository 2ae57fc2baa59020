"""A network that is bad in every way: tests/relay between two engines. Rows F-N of the fault list."""
import time

import pytest

from flow import Tcp, Udp, bursts
from harness import WORK, Relay, scenario, wait_until
from pywg import INITIATION, RESPONSE


def connected(lab, **options):
    """Engines with a session, and the relay between them."""
    a, b, relay = lab.relayed(**options)
    assert a.ns.ping("10.9.0.2", 3) == 3
    return a, b, relay


def echo_both_ways(a, b, count=5):
    return a.ns.ping("10.9.0.2", count) == b.ns.ping("fd09::1", count) == count


# --- the instruments themselves --------------------------------------------------------------------


@scenario(seconds=60)
def relay_passes_everything_in_order(lab):
    """The relay without rules is a cable: what the other tests find is not its doing."""
    a, b, relay = lab.relayed()
    assert a.ns.ping("10.9.0.2", 3) == 3 and b.ns.ping("fd09::1", 3) == 3
    assert a.endpoint(a.peer) == "10.1.0.2:51820" and b.endpoint(b.peer) == "10.2.0.2:51820"
    for size in (1, 1392, 1393, 8000, 40000):
        assert a.ns.ping("10.9.0.2", 2, size=size) == 2 and b.ns.ping("fd09::1", 2, size=size) == 2
    assert a.transfer(a.peer) == tuple(reversed(b.transfer(b.peer)))
    udp = Udp(lab, b.ns, "10.9.0.2")
    udp.send(a.ns, 10000, 1200, rate=5000, segments=8)
    udp.end_in_order()
    bursts(b.ns, a.ns, "fd09::1")
    counts = relay.counts()
    assert all(side["in"] == side["out"] > 10 for side in counts.values()), counts


@scenario(seconds=30)
def judge_sees_what_the_relay_does(lab):
    """No engine: the judge of the order tests finds each thing that the relay can do to a datagram."""
    a, r, b = (lab.namespace() for _ in range(3))
    for i, ns in enumerate((a, b), 1):
        lab.veth(ns, r, name_b=f"to{i}", addresses_a=(f"10.{i}.0.1/24",), addresses_b=(f"10.{i}.0.2/24",))
    a.ip("route add 10.2.0.0/24 via 10.1.0.2")
    for rule, find in (("loss=10", lambda f, n: 0.85 < f["received"] / n < 0.95),
                       ("burst=1,10", lambda f, n: 0.8 < f["received"] / n < 0.98),
                       ("reorder=10,30", lambda f, n: f["reordered"] > 100 and f["received"] == n),
                       ("delay=0,20", lambda f, n: f["reordered"] > 100 and f["received"] == n),
                       ("duplicate=10", lambda f, n: 150 < f["duplicated"] < 250),
                       ("corrupt=10,1", lambda f, n: 150 < n - f["received"] < 250),
                       ("truncate=10", lambda f, n: 150 < n - f["received"] < 250),
                       ("mtu=500", lambda f, n: 0 < f["received"] < n)):
        relay = Relay(lab, r, ("10.1.0.2:6100", "10.1.0.1:1"), ("10.2.0.2:6100", "10.2.0.1:6100"), seed=5)
        relay(f"set ab {rule}")
        udp = Udp(lab, b, "10.2.0.1", idle=1300)
        udp.address = "10.1.0.2"
        udp.send(a, 2000, 400, 600, rate=10000)
        udp.wait()
        found = udp.receiver.result(20)
        print(rule, found)
        assert (found["wrong"] > 0) == (rule.startswith(("corrupt", "truncate"))), rule
        assert find(found["flows"][str(udp.base + 1)], 2000), rule
        relay.process.stdin.close()
        relay.process.wait(5)


# --- loss, order, copies, time -----------------------------------------------------------------------


@pytest.mark.parametrize("percent", [1, 10, 30])
@scenario(seconds=60)
def fn1_data_loss_is_the_loss_of_the_link(lab, percent):
    """1 to 30 % each way: sessions come about, data loss is the link's to within chance, a stream completes."""
    a, b, relay = lab.relayed(seed=percent)
    relay(f"set both loss={percent}")
    wait_until(lambda: a.ns.ping("10.9.0.2", 1, wait=1), 40, "the first packet through")
    count = 1000
    got = a.ns.ping("10.9.0.2", count, interval=0.002, wait=1)
    pass_ = (1 - percent / 100) ** 2
    print(f"{got} of {count} came back, {count * pass_:.0f} expected")
    assert abs(got - count * pass_) < 6 * (count * pass_ * (1 - pass_)) ** 0.5 + 1
    if percent < 30:
        Tcp(lab, a.ns, b.ns, "10.9.0.2", 1, 7001).end()


@scenario(seconds=60)
def fn1_bursts_of_loss(lab):
    """All is lost for ten datagrams and more, again and again, handshakes as well."""
    a, b, relay = lab.relayed(seed=3)
    relay("set both burst=2,10")
    wait_until(lambda: a.ns.ping("10.9.0.2", 1, wait=1), 40, "the first packet through")
    # A burst is so many datagrams long: without others, TCP's own few would meet it again and again, later each time.
    pinger = lab.start(a.ns, "ping", "-n", "-q", "-i", "0.01", "10.9.0.2", stdout=-3)
    Tcp(lab, a.ns, b.ns, "10.9.0.2", 1, 7001).end()
    pinger.kill()
    assert relay.counts()["ab"]["burst"] > 10
    relay("reset")
    assert echo_both_ways(a, b)


@scenario(seconds=60)
def fn1_initiations_are_repeated_and_traffic_resumes(lab):
    """No answer: another initiation after 5 s and some jitter, not one more; the link is back: the next one works."""
    a, b, relay = lab.relayed()
    relay("set both/12 loss=100")
    sniffer = lab.sniffer(a.ns, "out")
    a.ns.ping("10.9.0.2", 100, interval=0.1, wait=1)
    begin = time.monotonic()
    relay("reset")
    wait_until(lambda: a.ns.ping("10.9.0.2", 1, wait=0.2), 6, "traffic after the link is back")
    print(f"{time.monotonic() - begin:.1f} s until traffic went on")
    sniffer.stop()
    times = [d.when for d in sniffer.datagrams() if d.type == INITIATION and d.outgoing]
    gaps = [y - x for x, y in zip(times, times[1:])]
    assert len(times) >= 3 and all(4.9 < gap < 5.7 for gap in gaps), gaps


@scenario(seconds=180, full=True)
def fn1_gives_up_after_90_seconds_and_resumes(lab):
    a, b, relay = lab.relayed()
    relay("set both/12 loss=100")
    sniffer = lab.sniffer(a.ns, "out")
    a.ns.ping("10.9.0.2", 1, wait=0.1)
    time.sleep(118)
    sniffer.stop()
    times = [d.when for d in sniffer.datagrams() if d.type == INITIATION and d.outgoing]
    assert 16 <= len(times) <= 20 and 90 < times[-1] - times[0] < 110, times
    relay("reset")
    assert a.ns.ping("10.9.0.2", 1, wait=3) == 1, "new traffic does not start again"


@pytest.mark.parametrize("depth", [1, 100, 4000, 20000])
@scenario(seconds=60)
def fn2_reordered_datagrams_arrive_once(lab, depth):
    """Held back for up to so many later ones: within the window all arrive, beyond it some, none twice."""
    a, b, relay = connected(lab, seed=depth)
    relay(f"set ab/4 reorder={100 if depth > 9000 else 50},{depth}")
    count = 24000 if depth > 9000 else 6000
    udp = Udp(lab, b.ns, "10.9.0.2", idle=1500)
    udp.send(a.ns, count, 64, rate=12000 if depth > 9000 else 2000)
    flow = udp.end()[1]
    counts = relay.counts()["ab"]
    assert flow["duplicated"] == 0
    if depth > 9000:
        assert 0 < flow["received"] < count, "the window is wider than any"
    else:  # one with a smaller window loses a third
        assert flow["received"] > 0.85 * counts["out"], "lost, though within the window"
    assert depth == 1 or flow["reordered"] > 1000
    relay("reset")
    assert echo_both_ways(a, b)


@scenario(seconds=60)
def fn3_duplicates_are_delivered_once(lab):
    """Each datagram three times, handshakes too: one delivery of each, the session stands, nothing is answered twice."""
    a, b, relay = lab.relayed(seed=1)
    relay("set both duplicate=100,2")
    sniffer = lab.sniffer(b.ns, "out")
    assert a.ns.ping("10.9.0.2", 100, interval=0.005) == 100
    udp = Udp(lab, b.ns, "10.9.0.2")
    udp.send(a.ns, 8000, 300, rate=4000, segments=4)
    flow = udp.end()[1]
    assert flow["duplicated"] == 0
    bursts(b.ns, a.ns, "10.9.0.1")
    sniffer.stop()
    kinds = [d.type for d in sniffer.datagrams() if d.outgoing]
    assert kinds.count(RESPONSE) == 1, "a copy of an initiation is answered"
    assert [d.type for d in sniffer.datagrams() if not d.outgoing].count(INITIATION) == 3
    assert echo_both_ways(a, b)


@pytest.mark.parametrize("there, back", [("20,400", "20,400,tail"), ("3200,3300", "0,50")], ids=["jitter", "asymmetric"])
@scenario(seconds=60)
def fn4_delay_and_jitter_make_no_rekey_storm(lab, there, back):
    """Up to 3.3 s of round trip and jitter of 400 ms: sessions survive, handshakes stay as few as they are."""
    a, b, relay = lab.relayed(seed=4)
    relay(f"set ab delay={there}")
    relay(f"set ba delay={back}")
    sniffer = lab.sniffer(a.ns, "out")
    assert a.ns.ping("10.9.0.2", 100, interval=0.08, wait=8) == 100
    assert b.ns.ping("fd09::1", 50, interval=0.02, wait=8) == 50
    sniffer.stop()
    sent = [d.type for d in sniffer.datagrams() if d.outgoing]
    heard = [d.type for d in sniffer.datagrams() if not d.outgoing]
    assert sent.count(INITIATION) + heard.count(INITIATION) <= 2, "a storm of handshakes"


# --- too big -----------------------------------------------------------------------------------------


def routed(lab, mtu, outer):
    """Two engines and two routers with a link of this MTU between them; both ends believe in 1500."""
    hosts = a, b = lab.namespace(), lab.namespace()
    routers = lab.namespace(), lab.namespace()
    lab.veth(*routers, "middle", "middle", ("10.3.0.1/24", "fd03::1/64", "fe80::1/64"),
             ("10.3.0.2/24", "fd03::2/64", "fe80::2/64"), mtu=mtu)
    for i, (host, router) in enumerate(zip(hosts, routers), 1):
        router.sysctl("net.ipv4.ip_forward", 1)
        router.sysctl("net.ipv6.conf.all.forwarding", 1)
        router.sysctl("net.ipv4.icmp_ratelimit", 0)
        lab.veth(host, router, addresses_a=(f"10.{i}.0.1/24", f"fd0{i}::1/64"),
                 addresses_b=(f"10.{i}.0.2/24", f"fd0{i}::2/64", "fe80::1/64"))
        host.ip(f"route add default via 10.{i}.0.2")
        host.ip(f"-6 route add default via fd0{i}::2")
        router.ip(f"route add default via 10.3.0.{3 - i}")
        router.ip(f"-6 route add default via fd03::{3 - i}")
    host = "10.{}.0.1:51820" if outer == "v4" else "[fd0{}::1]:51820"
    return *lab.tunnel(a, b, hosts=[host.format(2), host.format(1)]), routers


def bulk(lab, a, b, port=7001, megabytes=4):
    """A stream each way and datagrams of full length; both ends alive after it."""
    streams = [Tcp(lab, a.ns, b.ns, "10.9.0.2", megabytes, port), Tcp(lab, b.ns, a.ns, "fd09::1", megabytes, port)]
    bursts(a.ns, b.ns, "10.9.0.2", size=1392)
    bursts(b.ns, a.ns, "fd09::1", size=1372)
    for stream in streams:
        stream.end(40)
    assert echo_both_ways(a, b)


@pytest.mark.parametrize("outer", ["v4", "v6"])
@scenario(seconds=90)
def fn5_own_link_of_1280(lab, outer):
    """The link itself has 1280 from the start, or gets it under way: the host cuts up what is longer, traffic goes on."""
    a, b = lab.pair()
    engines = lab.tunnel(a, b, outer=outer)
    bulk(lab, *engines)
    for ns in (a, b):
        ns.ip("link set out mtu 1280")
    bulk(lab, *engines, port=7002)
    if engines[0].counted("offload-udp-gso"):
        assert all(engine.counted("udp-batches-refused") for engine in engines), "diagnose does not tell what was refused"
    for ns in (a, b):
        ns.ip("link set out mtu 1500")
    bulk(lab, *engines, port=7003)


@pytest.mark.parametrize("icmp", [True, False], ids=["icmp", "no-icmp"])
@pytest.mark.parametrize("outer", ["v4", "v6"])
@scenario(seconds=90)
def fn5_path_of_1280(lab, outer, icmp):
    """A router on the way has 1280. Over IPv4 it cuts up our datagrams, which have no DF. Over IPv6 it tells us; where
    that is filtered the full size never arrives, but what is smaller goes on, and all does with a smaller inner MTU."""
    a, b, routers = routed(lab, 1280, outer)
    for router in routers:
        if not icmp:
            router.filter("output", "ip protocol icmp drop", "icmpv6 type packet-too-big drop")
    wait_until(lambda: echo_both_ways(a, b), 10, "a session")
    if outer == "v6" and not icmp:
        assert a.ns.ping("10.9.0.2", 3, size=1392, wait=0.5) == 0, "no black hole: the test is wrong"
        assert a.ns.ping("10.9.0.2", 20, size=1100) == 20, "small packets do not go on beside lost ones"
        for engine in (a, b):
            engine.ns.ip(f"link set {engine.name} mtu 1200")
        Tcp(lab, a.ns, b.ns, "10.9.0.2", 4, 7001).end()
        assert a.ns.ping("10.9.0.2", 20, size=1172) == 20
    else:
        for engine, address in ((a, "10.9.0.2"), (b, "10.9.0.1")):  # the first ones teach the path
            wait_until(lambda: engine.ns.ping(address, 1, size=1392, wait=0.3), 8, "packets of full size")
        bulk(lab, a, b)


@pytest.mark.parametrize("outer", ["v4", "v6"])
@scenario(seconds=60)
def fn5_forged_too_big_does_no_harm(lab, outer):
    """The relay loses all above 1280 and says so: hosts that cut up still get through, in full, nothing is stuck."""
    a, b, relay = connected(lab, outer=outer)
    relay("set both mtu=1280 icmp=1")
    a.ns.ping("10.9.0.2", 10, size=1392, wait=0.3)
    assert a.ns.ping("10.9.0.2", 20, size=1000) == 20
    assert relay.counts()["ab"]["too_big"] > 0
    relay("reset")  # the host still believes in 1280, and cuts up
    bulk(lab, a, b)


# --- links, addresses, ports -------------------------------------------------------------------------


@scenario(seconds=60)
def fn6_link_flaps(lab):
    """The cable is pulled ten times a second for 3 s under traffic: alive, and back at once when it stays."""
    a, b = lab.pair()
    ea, eb = lab.tunnel(a, b)
    assert a.ping("10.9.0.2", 3) == 3
    udp = Udp(lab, b, "10.9.0.2")
    udp.send(a, 12000, 64, 1372, rate=3000, segments=4)
    for _ in range(30):
        a.ip("link set out down")
        time.sleep(0.05)
        a.ip("link set out up")
        a.address("out", *[x for x in ("fd01::1/64",) if x not in a.ip("-6 addr show dev out")])
        time.sleep(0.05)
    wait_until(lambda: a.ping("10.9.0.2", 1, wait=0.3), 6, "traffic after the flapping")
    flow = udp.end()[1]
    assert flow["duplicated"] == 0 and flow["reordered"] == 0
    assert a.ping("10.9.0.2", 10) == 10 and b.ping("10.9.0.1", 10) == 10


@scenario(seconds=60)
def fn7_rebinding_on_the_way(lab):
    """A NAT takes another port for us, at times of its own: the other end follows the next packet, a stream lives on."""
    a, b, relay = connected(lab)
    stream = Tcp(lab, a.ns, b.ns, "10.9.0.2", 40, 7001)
    relay("at 300 rebind b")
    relay("at 600 rebind b")
    for side, engine, sender in (("b", b, a), ("a", a, b), ("b", b, a)):
        port = relay(f"rebind {side}")
        host = "10.2.0.2" if side == "b" else "10.1.0.2"
        sender.ns.ping("10.9.0.2" if sender is a else "10.9.0.1", 1, wait=0.5)
        wait_until(lambda: engine.endpoint(engine.peer).startswith(host), 2)
        if time.monotonic() and side == "a":
            assert engine.endpoint(engine.peer) == f"{host}:{port}"
        assert echo_both_ways(a, b)
    stream.end()
    port = relay("rebind b")
    assert a.ns.ping("10.9.0.2", 1) == 1
    assert b.endpoint(b.peer) == f"10.2.0.2:{port}"
    assert echo_both_ways(a, b)


@pytest.mark.parametrize("outer, old, new", [("v4", "10.1.0.1/24", "10.1.0.51/24"), ("v6", "fd01::1/64", "fd01::51/64")],
                         ids=["v4", "v6"])
@scenario(seconds=40, lacks="keeps a source address that is gone")
def fn8_not_one_packet_is_lost_with_the_address(lab, outer, old, new):
    """The address it answers from is gone: the very packet that finds out leaves from another."""
    a, b = lab.pair()
    ea, eb = lab.tunnel(a, b, outer=outer, endpoints=(False, True))
    assert b.ping("10.9.0.1", 3) == 3
    a.address("out", new)
    a.ip(f"addr del {old} dev out")
    if new.split("/")[0] not in a.ip("addr show dev out"):
        a.address("out", new)
    receiver, sender = b.udp("10.9.0.2", 6000), a.udp("10.9.0.1")
    for i in range(10):
        sender.sendto(bytes([i]) * 100, ("10.9.0.2", 6000))
    receiver.settimeout(2)
    assert [receiver.recv(200)[0] for _ in range(10)] == list(range(10))
    assert new.split("/")[0] in eb.endpoint(eb.peer)
    assert b.ping("10.9.0.1", 5) == 5


@scenario(seconds=60)
def fn9_from_v4_to_v6_and_back(lab):
    """The path is v4, v6, v4; then v6 goes away in the middle of it and comes back."""
    a, b = lab.pair()
    ea, eb = lab.tunnel(a, b)
    assert a.ping("10.9.0.2", 3) == 3
    for endpoint, shown in (("[fd01::2]:51820", "[fd01::1]:51820"), ("10.1.0.2:51820", "10.1.0.1:51820"),
                            ("[fd01::2]:51820", "[fd01::1]:51820")):
        ea.set(f"peer {ea.peer} endpoint {endpoint}")
        assert a.ping("10.9.0.2", 3) == 3 and eb.endpoint(eb.peer) == shown
        assert b.ping("fd09::1", 3) == 3
    for ns in (a, b):
        ns.sysctl("net.ipv6.conf.out.disable_ipv6", 1)
    assert a.ping("10.9.0.2", 5, wait=0.3) == 0
    cpu = ea.cpu_seconds()
    time.sleep(0.5)
    assert ea.cpu_seconds() - cpu < 0.3, "it spins"
    ea.set(f"peer {ea.peer} endpoint 10.1.0.2:51820")
    assert a.ping("10.9.0.2", 5) == 5 and b.ping("10.9.0.1", 5) == 5
    assert eb.endpoint(eb.peer) == "10.1.0.1:51820"
    for i, ns in enumerate((a, b), 1):
        ns.sysctl("net.ipv6.conf.out.disable_ipv6", 0)
        ns.address("out", f"fd01::{i}/64")
    ea.set(f"peer {ea.peer} endpoint [fd01::2]:51820")
    wait_until(lambda: a.ping("10.9.0.2", 1, wait=0.3), 5, "v6 is back")
    assert a.ping("10.9.0.2", 5) == 5


@scenario(seconds=60)
def fn11_names_that_change_or_fail(lab):
    """A name is the business of who configures: while it is looked up or cannot be, data flows and nothing changes."""
    a, b = lab.pair()
    b.address("out", "10.1.0.77/24")
    ea, eb = lab.tunnel(a, b)
    hosts = WORK / "hosts"
    environment = {"WG_ENDPOINT_RESOLUTION_RETRIES": "2"}

    def point(address):
        hosts.write_text(f"127.0.0.1 localhost\n{address} tunnel.example\n" if address else "127.0.0.1 localhost\n")

    def set_name(check):
        return a.run("unshare", "-m", "sh", "-c", f"mount --bind {hosts} /etc/hosts && exec wg set wga peer {ea.peer} "
                     "endpoint tunnel.example:51820", check=check, env=environment, timeout=30)

    point("10.1.0.77")
    set_name(True)
    assert a.ping("10.9.0.2", 3) == 3
    point(None)
    udp = Udp(lab, b, "10.9.0.2")
    udp.send(a, 6000, 500, rate=2000)
    before = ea.endpoint(ea.peer)
    assert set_name(False).returncode != 0
    assert ea.endpoint(ea.peer) == before
    udp.end_in_order()
    point("10.1.0.2")
    set_name(True)
    assert ea.endpoint(ea.peer) == "10.1.0.2:51820"
    assert a.ping("10.9.0.2", 3) == 3


# --- someone on the way ------------------------------------------------------------------------------


@scenario(seconds=90)
def fn12_flipped_and_cut_datagrams_change_nothing(lab):
    """Every third datagram has wrong bits or is cut, of each type: it is as if it were lost."""
    a, b, relay = connected(lab, seed=12)
    session = a.handshake_time(a.peer)
    for rule in ("corrupt=33,1", "corrupt=33,100", "truncate=33"):
        relay("reset")
        relay(f"set both/4 {rule}")
        got = a.ns.ping("10.9.0.2", 1000, interval=0.002, wait=1)
        assert abs(got - 1000 * 0.67 ** 2) < 6 * (1000 * 0.67 ** 2 * (1 - 0.67 ** 2)) ** 0.5, (rule, got)
        relay("reset")
        assert echo_both_ways(a, b)
    assert a.handshake_time(a.peer) == session, "broken data brought about a handshake"
    relay("set both/123 corrupt=100,1")
    for engine in (a, b):
        engine.ns.ip(f"link set {engine.name} down")
    time.sleep(0.2)
    for engine in (a, b):
        engine.ns.ip(f"link set {engine.name} up")
    assert a.ns.ping("10.9.0.2", 20, interval=0.1, wait=0.5) == 0, "a session from handshakes with wrong bits"
    relay("reset")
    wait_until(lambda: a.ns.ping("10.9.0.2", 1, wait=0.3), 8, "a session afterwards")
    assert a.ns.ping("10.9.0.2", 5) == b.ns.ping("10.9.0.1", 5) == 5


@scenario(seconds=60)
def fn12_a_capture_replayed_later_changes_nothing(lab):
    """All that was said is said again, from another port: no answer, no move, no count, no new session."""
    a, b, relay = lab.relayed()
    relay(f"record {WORK}/capture")
    assert a.ns.ping("10.9.0.2", 50, interval=0.005) == 50
    assert b.ns.ping("fd09::1", 50, interval=0.005) == 50
    relay("record")

    def state():
        return [(e.endpoint(e.peer), e.handshake_time(e.peer), e.transfer(e.peer)) for e in (a, b)]

    for side, direction, sender, target in (("b", "ab", a, "10.9.0.2"), ("a", "ba", b, "10.9.0.1")):
        assert echo_both_ways(a, b)
        relay("set both loss=100")
        relay(f"rebind {side}")
        before, counts = state(), relay.counts()
        relay(f"replay {WORK}/capture {direction}")
        time.sleep(0.5)
        assert state() == before
        assert relay.counts() == counts, "something was answered"
        relay("reset")
        assert sender.ns.ping(target, 3) == 3, "the session is hurt"
