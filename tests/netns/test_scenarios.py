"""The scenarios of the kernel driver's and wireguard-go's namespace scripts, told anew.

Both engines run in a namespace of their own, whose loopback is the path between them; their devices are moved to two
others. What stands in other files already is not repeated: loss of the source address, answers from the address that
was asked, points of small order, large configurations, clamped keys.
"""
import base64
import os
import time

import pytest

from flow import Tcp, Udp
from harness import WORK, Keys, scenario, wait_until, wg_output

LARGE = 34816 - 1500 + 1420  # what fits a loopback of 34816


class World:
    """wg1 and wg2, run in ns 0; 192.168.241.1 and fd00::1 in ns 1, .2 and ::2 in ns 2; ports 1 and 2."""

    def __init__(self, lab, outer="v4", mtu=None, keepalive=0, before=lambda ns: None):
        self.lab, self.n0, self.n1, self.n2 = lab, lab.namespace(), lab.namespace(), lab.namespace()
        before(self.n1), before(self.n2)
        self.psk = wg_output("genpsk")
        self.keys = [Keys(), Keys()]
        self.one, self.two = self.engines = [self.device(f"wg{i + 1}", ns) for i, ns in enumerate((self.n1, self.n2))]
        host = "127.0.0.1" if outer == "v4" else "[::1]"
        for i, engine in enumerate(self.engines):
            engine.peer = self.keys[1 - i].public
            engine.configure(self.keys[i].private, i + 1, peers=[{
                "public": engine.peer, "psk": self.psk, "endpoint": f"{host}:{2 - i}", "keepalive": keepalive,
                "allowed": f"192.168.241.{2 - i}/32, fd00::{2 - i}/128"}])
            engine.up(f"192.168.241.{i + 1}/24", f"fd00::{i + 1}/112", mtu=mtu)

    def device(self, name, target, source=None):
        """An engine started in one namespace, its device moved to another."""
        source = source or self.n0
        engine = self.lab.engine(name, source)
        source.run("ip", "link", "set", name, "netns", target.path)
        engine.ns = target
        return engine

    def ping(self, count=1):
        """One side pings the other in both families; whether all came back."""
        return self.n2.ping("192.168.241.1", count) == self.n1.ping("fd00::2", count) == count


def traffic_set(world, streams=(1, 4), megabytes=4):
    """Pings both ways in both families, a stream and several, datagrams at full rate; all bytes right."""
    one, two = world.n1, world.n2
    for ns, addresses in ((one, ("192.168.241.2", "fd00::2")), (two, ("192.168.241.1", "fd00::1"))):
        for address in addresses:
            assert ns.ping(address, 10, interval=0) == 10
    port = iter(range(7000, 7100))
    for count in streams:
        running = [Tcp(world.lab, sender, receiver, address, max(1, megabytes // count), next(port))
                   for _ in range(count)
                   for sender, receiver, address in ((one, two, "192.168.241.2"), (two, one, "fd00::1"))]
        for stream in running:
            stream.end()
    for receiver, sender, address in ((one, two, "192.168.241.1"), (two, one, "fd00::2")):
        udp = Udp(world.lab, receiver, address)
        udp.send(sender, 10000, 64, 1200)
        udp.end_in_order()


@pytest.mark.parametrize("mtu", [None, LARGE], ids=["1420", "large"])
@pytest.mark.parametrize("outer", ["v4", "v6"])
@scenario(seconds=90)
def traffic_of_moved_devices(lab, outer, mtu):
    world = World(lab, outer, mtu)
    if mtu:
        world.n0.ip("link set lo mtu 34816")
    traffic_set(world, (1, 10) if not mtu else (1,))


@scenario(seconds=40)
def counters_are_exact(lab):
    """Ten pings are ten packets of 128 bytes each way besides the handshake, in wg, and ten of 84 in the device."""
    def be_still(ns):
        ns.sysctl("net.ipv6.conf.default.router_solicitations", 0)
        ns.sysctl("net.ipv6.conf.default.addr_gen_mode", 1)

    world = World(lab, before=be_still)
    devices = (world.n1, "wg1"), (world.n2, "wg2")
    before = [ns.statistics(name) for ns, name in devices]  # what an engine tries out at its start is counted too
    assert world.n2.ping("192.168.241.1", 10, interval=0.002) == 10
    assert world.two.transfer(world.two.peer) in ((1372, 1428), (1372, 1460))
    assert world.one.transfer(world.one.peer) in ((1428, 1372), (1460, 1372))
    for (ns, name), old in zip(devices, before):
        found = {key: value - old[key] for key, value in ns.statistics(name).items()}
        assert found == {"rx_bytes": 840, "rx_packets": 10, "tx_bytes": 840, "tx_packets": 10}, found
    assert world.two.handshake_time(world.two.peer) and world.one.handshake_time(world.one.peer)


@scenario(seconds=40)
def padding_stops_at_the_mtu(lab):
    """A packet of 1297 bytes is padded to the MTU and no further: outside it is 1360 at 1300, 1359 at 1299, never more.

    The driver also sees the MTU of a route inside; a user-space engine is not told of it."""
    world = World(lab, keepalive=1)  # so that an engine looks at a link elsewhere at least once a second
    assert world.ping()
    for mtu, outside in ((1300, 1360), (1299, 1359)):
        for engine in world.engines:
            engine.ns.ip(f"link set {engine.name} mtu {mtu}")
        world.n0.filter("input", f"udp dport {{ 1, 2 }} meta length > {outside} drop")
        wait_until(lambda: world.n2.ping("192.168.241.1", 3, size=1269, wait=0.3) == 3, 5, f"no more than {outside}")
        world.n0.filter("input", f"udp dport {{ 1, 2 }} meta length {outside} drop")
        assert world.n2.ping("192.168.241.1", 1, size=1269, wait=0.3) == 0, f"it is not {outside}"
        world.n0.filter("input")


@scenario(seconds=60)
def roaming_by_address_and_port(lab):
    world = World(lab)
    assert world.ping(2)
    world.n0.ip("addr del 127.0.0.1/8 dev lo")
    world.n0.ip("addr add 127.212.121.99/8 dev lo")
    world.one.set("listen-port 9999")
    assert world.n1.ping("fd00::2") == 1
    assert world.two.endpoint(world.two.peer) == "127.212.121.99:9999"
    world.one.set(f"peer {world.one.peer} endpoint [::1]:2")
    world.one.set("listen-port 9998")
    assert world.n1.ping("192.168.241.2") == 1
    assert world.two.endpoint(world.two.peer) == "[::1]:9998"
    assert world.ping(3)


@scenario(seconds=60)
def crypto_key_routing_and_roaming_of_what_is_refused(lab):
    """The sender's address now belongs to another peer: its packets are thrown away, its endpoint is followed."""
    world = World(lab)
    assert world.ping(2)
    sender, receiver = world.n2.udp("192.168.241.2", 4000), world.n1.udp("192.168.241.1", 1111)
    receiver.settimeout(1)
    sender.sendto(b"first", ("192.168.241.1", 1111))
    assert receiver.recv(100) == b"first"
    more = Keys().public
    world.one.set(f"peer {more} allowed-ips 192.168.241.2/32")
    world.two.set("listen-port 9997")
    sender.sendto(b"second", ("192.168.241.1", 1111))
    with pytest.raises(TimeoutError):
        receiver.recv(100)
    assert world.one.endpoint(world.one.peer) == "127.0.0.1:9997"
    world.one.set(f"peer {more} remove")
    world.one.set(f"peer {world.one.peer} allowed-ips 192.168.241.2/32,fd00::2/128")
    assert world.ping()


@scenario(seconds=60)
def keys_changed_on_both_sides_work_at_once(lab):
    """Another private key here, another peer there: a handshake within a second, five times."""
    world = World(lab)
    assert world.ping()
    for _ in range(5):
        keys, old = Keys(), world.two.peer
        (WORK / "key").write_text(keys.private)
        (WORK / "psk").write_text(world.psk)
        world.one.set(f"private-key {WORK}/key")
        world.two.set(f"peer {old} remove peer {keys.public} preshared-key {WORK}/psk endpoint 127.0.0.1:1 "
                      "allowed-ips 192.168.241.1/32,fd00::1/128")
        world.two.peer = keys.public
        assert world.n1.ping("192.168.241.2", 1, wait=1) == 1
        assert world.ping()


@scenario(seconds=120, lacks="encrypts the loop for ever")
def a_tunnel_in_a_tunnel_and_a_loop(lab):
    """A second pair over the first; then the endpoint of the first is led into the second: it comes to a rest."""
    world = World(lab)
    inner_keys = [Keys(), Keys()]
    inner = [world.device(f"in{i + 1}", ns, ns) for i, ns in enumerate((world.n1, world.n2))]
    for i, engine in enumerate(inner):
        engine.peer = inner_keys[1 - i].public
        engine.configure(inner_keys[i].private, 5, peers=[{
            "public": engine.peer, "endpoint": f"192.168.241.{2 - i}:5", "allowed": f"192.168.99.{2 - i}/32, fd99::{2 - i}/128"}])
        engine.up(f"192.168.99.{i + 1}/24", f"fd99::{i + 1}/112", mtu=1340)
    for ns, address in ((world.n1, "192.168.99.2"), (world.n2, "192.168.99.1"), (world.n1, "fd99::2"), (world.n2, "fd99::1")):
        assert ns.ping(address, 10, wait=4) == 10
    Tcp(lab, world.n1, world.n2, "192.168.99.2", 5, 7000).end()
    Tcp(lab, world.n2, world.n1, "fd99::1", 5, 7001).end()
    udp = Udp(lab, world.n2, "192.168.99.2")
    udp.send(world.n1, 5000, 64, 1300, rate=5000)
    udp.end_in_order()
    # The loop: what the first sends is meant for an address behind the second.
    second = world.device("loop", world.n1, world.n1)
    second.configure(Keys().private, 6, peers=[{"public": inner_keys[1].public, "endpoint": "192.168.99.2:6",
                                                "allowed": "192.168.98.0/24"}])
    second.up("192.168.98.1/24")
    inner[0].set(f"peer {inner[0].peer} endpoint 192.168.98.2:5")
    before = sum(engine.transfer(engine.peer)[1] for engine in inner[:1])
    for _ in range(3):
        world.n1.ping("192.168.99.2", 3, wait=0.2)
    time.sleep(1)
    cpu = sum(engine.cpu_seconds() for engine in (*inner, second, *world.engines))
    time.sleep(1)
    used = sum(engine.cpu_seconds() for engine in (*inner, second, *world.engines)) - cpu
    assert used < 0.3, f"{used} s of CPU: it goes round"
    assert inner[0].transfer(inner[0].peer)[1] - before < 70000
    inner[0].set(f"peer {inner[0].peer} endpoint 192.168.241.2:5")
    wait_until(lambda: world.n1.ping("192.168.99.2", 1, wait=0.3), 8, "back to work")


@scenario(seconds=60)
def through_a_nat_with_short_memory(lab):
    """The gateway forgets after 2 s. A keepalive each second keeps the way back open; the NAT's address is seen."""
    home, gateway, away = lab.namespace(), lab.namespace(), lab.namespace()
    lab.veth(home, gateway, name_b="inside", addresses_a=("192.168.1.100/24",), addresses_b=("192.168.1.1/24",))
    lab.veth(gateway, away, name_a="outside", addresses_a=("10.0.0.1/24",), addresses_b=("10.0.0.100/24",))
    home.ip("route add default via 192.168.1.1")
    gateway.sysctl("net.ipv4.ip_forward", 1)
    gateway.run("nft", "-f", "-", stdin="table ip t {\nchain c {\ntype nat hook postrouting priority 100\n"
                "ip saddr 192.168.1.0/24 ip daddr != 192.168.1.0/24 snat to 10.0.0.1\n}\n}\n")
    for name in ("udp_timeout", "udp_timeout_stream"):
        gateway.sysctl(f"net.netfilter.nf_conntrack_{name}", 2)
    engines = lab.tunnel(home, away, hosts=["10.0.0.100:51820", None], endpoints=(True, False))
    one, two = engines
    assert home.ping("10.9.0.2", 2) == 2
    assert two.endpoint(two.peer).startswith("10.0.0.1:")
    time.sleep(3)
    assert away.ping("10.9.0.1", 1, wait=0.5) == 0, "the gateway remembers: the test is wrong"
    one.set(f"peer {one.peer} persistent-keepalive 1")
    time.sleep(3)
    assert away.ping("10.9.0.1", 2) == 2
    assert two.endpoint(two.peer).startswith("10.0.0.1:")
    # Its table is emptied, and another port is taken: the endpoint follows the next keepalive.
    gateway.run("nft", "flush", "ruleset")
    gateway.run("nft", "-f", "-", stdin="table ip t {\nchain c {\ntype nat hook postrouting priority 100\n"
                "ip saddr 192.168.1.0/24 udp sport 51820 snat to 10.0.0.1:33000-34000\n}\n}\n")
    one.set(f"peer {one.peer} persistent-keepalive off")
    time.sleep(2.6)
    one.set(f"peer {one.peer} persistent-keepalive 1")
    wait_until(lambda: 33000 <= int(two.endpoint(two.peer).split(":")[1]) <= 34000, 4, "the new port is seen")
    assert away.ping("10.9.0.1", 2) == 2


@scenario(seconds=60)
def bound_to_the_device_and_marked_anew(lab):
    """ping -I DEVICE, with and without a route, and with a mark set on the way out, which routes it once more."""
    world = World(lab)

    def ping():
        return world.n1.run("ping", "-n", "-c", "1", "-W", "1", "-I", "wg1", "192.168.241.2", check=False).returncode == 0

    assert ping()
    world.n1.run("nft", "-f", "-", stdin="table inet t {\nchain c {\ntype route hook output priority -150\nmeta mark set 1\n}\n}\n")
    assert ping()
    world.n1.run("nft", "flush", "ruleset")
    assert ping() and world.ping()


@scenario(seconds=60)
def onion_routing(lab):
    """A peer whose endpoint lies behind another peer of the same device; then one that lies behind itself."""
    world = World(lab)
    assert world.ping()
    third = world.device("wg3", world.n2, world.n2)
    keys = Keys()
    third.configure(keys.private, 7, peers=[{"public": world.keys[0].public, "allowed": "192.168.241.1/32, 192.168.244.1/32",
                                            "endpoint": "192.168.241.1:1"}])
    third.up("192.168.244.3/24")
    # wg1's sockets are in ns 0: reach ns 2's inner address from there by way of the tunnel itself.
    lab.veth(world.n0, world.n1, "to1", "to0", ("10.7.0.1/24",), ("10.7.0.2/24",))
    world.n1.sysctl("net.ipv4.ip_forward", 1)
    world.n0.ip("route add 192.168.241.2/32 via 10.7.0.2 dev to1")
    world.n2.ip("route add 10.7.0.0/24 dev wg2 src 192.168.241.2")
    world.two.set(f"peer {world.two.peer} allowed-ips 192.168.241.1/32,fd00::1/128,10.7.0.0/24")
    world.one.set(f"peer {keys.public} endpoint 192.168.241.2:7 allowed-ips 192.168.244.3/32")
    world.n1.ip("addr add 192.168.244.1/24 dev wg1")
    assert world.n1.ping("192.168.244.3", 3, wait=4) == 3, "not through the other peer"
    assert world.one.endpoint(keys.public) == "192.168.241.2:7"
    world.one.set(f"peer {world.one.peer} endpoint 192.168.241.2:2")  # behind itself
    for _ in range(3):
        assert world.n1.ping("192.168.241.2", 2, wait=0.2) == 0
    assert world.one.alive()
    world.one.set(f"peer {world.one.peer} endpoint 127.0.0.1:2")
    wait_until(lambda: world.n1.ping("192.168.241.2", 1, wait=0.3), 8)


@scenario(seconds=60)
def policy_routing_as_wg_quick_does_it(lab):
    """A default route into the tunnel, the engine's own datagrams past it by their mark; a flood of pings each family."""
    a, b = lab.pair()
    ea, eb = lab.tunnel(a, b)
    ea.set(f"fwmark 51820 peer {ea.peer} allowed-ips 0.0.0.0/0,::/0")
    for family in ("", "-6 "):
        a.ip(f"{family}route add default dev wga table 51820")
        a.ip(f"{family}rule add not fwmark 51820 table 51820")
        a.ip(f"{family}rule add table main suppress_prefixlength 0")
    b.address("lo", "8.8.8.8/32", "fd88::8/128")
    for address in ("8.8.8.8", "fd88::8", "10.9.0.2", "fd09::2"):
        wait_until(lambda: a.ping(address, 1, wait=0.3), 5, "an IPv6 address is used a moment after it was set")
        assert a.ping(address, 100, interval=0) == 100
    Tcp(lab, a, b, "8.8.8.8", 5, 7000).end()


@scenario(seconds=60, lacks="sends no ICMP")
def icmp_through_a_forwarding_nat(lab):
    """Someone behind a router that masquerades into the tunnel hears of it when the peer is gone.

    The driver answers with an address of the router; ours, which has none, with the one that was not reached."""
    home, router, away = lab.namespace(), lab.namespace(), lab.namespace()
    lab.veth(home, router, name_b="inside", addresses_a=("10.0.0.1/24",), addresses_b=("10.0.0.2/24",))
    lab.veth(router, away, addresses_a=("10.1.0.1/24", "fd01::1/64"), addresses_b=("10.1.0.2/24", "fd01::2/64"))
    home.ip("route add default via 10.0.0.2")
    router.sysctl("net.ipv4.ip_forward", 1)
    router.sysctl("net.ipv4.icmp_ratelimit", 0)
    one, two = lab.tunnel(router, away)
    router.run("nft", "-f", "-", stdin="table ip t {\nchain c {\ntype nat hook postrouting priority 100\n"
               "ip saddr 10.0.0.0/24 oifname wga masquerade\n}\n}\n")
    assert home.ping("10.9.0.2", 3) == 3
    one.set(f"peer {one.peer} remove")
    text = home.run("ping", "-n", "-c", "2", "-i", "0.2", "-W", "1", "10.9.0.2", check=False).stdout
    assert "From 10.9.0.2 icmp_seq=1 Destination Host Unreachable" in text, text


@scenario(seconds=60)
def answers_to_addresses_on_other_links(lab):
    """Asked at an address of another link, it answers from that; and what it does when a better way opens."""
    a, b = lab.namespace(), lab.namespace()
    lab.veth(a, b, "eth1", "eth1", ("10.0.0.1/24", "fd0a::1/96"), ("10.0.0.2/24", "fd0a::2/96"))
    lab.veth(a, b, "eth2", "eth2", ("10.50.0.1/24",), ("10.50.0.2/24",))
    for ns in (a, b):
        ns.sysctl("net.ipv4.conf.all.rp_filter", 0)
        for link in ("eth1", "eth2"):
            ns.sysctl(f"net.ipv4.conf.{link}.rp_filter", 0)
    a.address("lo", "10.60.0.1/32", "fd60::1/128")
    a.address("eth1", "10.0.0.11/24", "fd0a::11/96")
    b.ip("route add 10.60.0.1/32 via 10.0.0.1")
    b.ip("-6 route add fd60::1/128 via fd0a::1")
    one, two = lab.tunnel(a, b, hosts=["10.0.0.2:51820", "10.0.0.1:51820"], endpoints=(False, True))
    for host in ("10.0.0.1", "10.0.0.11", "[fd0a::1]", "[fd0a::11]", "10.60.0.1", "[fd60::1]", "10.50.0.1", "10.0.0.1"):
        two.set(f"peer {two.peer} endpoint {host}:51820")
        assert b.ping("10.9.0.1", 3) == 3, host
        assert a.ping("10.9.0.2", 2) == 2, host
        assert two.endpoint(two.peer) == f"{host}:51820", "answers come from elsewhere"


@scenario(seconds=90, full=True)
def a_way_that_ends_is_replaced(lab):
    """The link that packets took goes down while another leads there too. The source that stands for the old way is
    still an address of the host: it is given up when nothing is answered any more, at the second initiation."""
    a, b = lab.namespace(), lab.namespace()
    lab.veth(a, b, "eth1", "eth1", ("10.0.0.1/24",), ("10.0.0.2/24",))
    lab.veth(a, b, "eth2", "eth2", ("10.50.0.1/24",), ("10.50.0.2/24",))
    for ns in (a, b):
        for link in ("all", "eth1", "eth2"):
            ns.sysctl(f"net.ipv4.conf.{link}.rp_filter", 0)
    b.address("lo", "10.70.0.2/32")
    a.ip("route add 10.70.0.2/32 via 10.0.0.2 metric 1")
    a.ip("route add 10.70.0.2/32 via 10.50.0.2 metric 2")
    one, two = lab.tunnel(a, b, hosts=["10.70.0.2:51820", None], endpoints=(True, False))
    assert a.ping("10.9.0.2", 3) == 3
    assert two.endpoint(two.peer) == "10.0.0.1:51820"
    a.ip("link set eth1 down")
    wait_until(lambda: a.ping("10.9.0.2", 1, wait=0.3), 40, "the other way is taken")
    assert two.endpoint(two.peer) == "10.50.0.1:51820"
    assert a.ping("10.9.0.2", 5) == b.ping("10.9.0.1", 5) == 5


@scenario(seconds=60)
def configurations_of_odd_shapes(lab):
    """30 peers with a few prefixes; one without any before one with 197; 394 of which 6 go one by one."""
    world = World(lab)
    engine = world.one

    def shown():
        return {line.split("\t")[0]: line.split("\t")[1].split() for line in engine.show("allowed-ips").splitlines()}

    want = {}
    for n in range(30):
        key = Keys().public
        want[key] = [f"10.{n}.{i}.0/24" for i in range(n % 5 + 1)] + [f"fd{n:02}:{i + 1}::/64" for i in range(n % 3)]
        engine.set(f"peer {key} allowed-ips {','.join(want[key])}")
    found = shown()
    assert {key: sorted(found[key]) for key in want} == {key: sorted(prefixes) for key, prefixes in want.items()}
    for key in want:
        engine.set(f"peer {key} remove")
    empty, full = Keys().public, Keys().public
    prefixes = [f"1.2.{i}.0/24" for i in range(197)]
    engine.set(f"peer {empty} peer {full} allowed-ips {','.join(prefixes)}")
    found = shown()
    assert found[empty] == ["(none)"] and sorted(found[full]) == sorted(prefixes)
    prefixes = [f"3.{i // 256}.{i % 256}.0/24" for i in range(394)]
    engine.set(f"peer {full} allowed-ips {','.join(prefixes)}")
    key = base64.b64decode(full).hex()
    gone = prefixes[::66]
    assert engine.uapi(f"set=1\npublic_key={key}\n" + "".join(f"allowed_ip=-{p}\n" for p in gone) + "\n").endswith("errno=0\n\n")
    assert sorted(shown()[full]) == sorted(set(prefixes) - set(gone)) and len(gone) == 6
    assert world.ping()


@scenario(seconds=60)
def keys_set_and_taken_away(lab):
    """Private and preshared key removed through /dev/null; overlapping prefixes replaced by /0; a missing device."""
    world = World(lab)
    assert world.ping()
    engine = world.one
    engine.set(f"peer {engine.peer} preshared-key /dev/null")
    assert engine.show("preshared-keys").split() == [engine.peer, "(none)"]
    (WORK / "psk").write_text(world.psk)
    engine.set(f"peer {engine.peer} preshared-key {WORK}/psk")
    assert engine.show("preshared-keys").split() == [engine.peer, world.psk]
    engine.set("private-key /dev/null")
    assert engine.show("private-key").strip() == engine.show("public-key").strip() == "(none)"
    assert world.n1.ping("192.168.241.2", 2, wait=0.2) == 0
    (WORK / "key").write_text(world.keys[0].private)
    engine.set(f"private-key {WORK}/key")
    wait_until(lambda: world.ping(), 8, "with the key back")
    for first, then in (("192.168.0.0/16,192.168.1.0/24,10.0.0.0/8,fd00::/16,fd00:1::/32", "0.0.0.0/0,::/0"),
                        ("0.0.0.0/0,::/0", "192.168.241.2/32,fd00::2/128")):
        engine.set(f"peer {engine.peer} allowed-ips {first}")
        engine.set(f"peer {engine.peer} allowed-ips {then}")
        assert sorted(engine.show("allowed-ips").split()[1:]) == sorted(then.split(","))
        assert world.ping()
    assert world.n1.run("wg", "show", "doesnotexist", check=False).returncode != 0


@scenario(seconds=60)
def namespaces_are_not_kept_alive(lab):
    """Devices made in one namespace and used in others: when engines and namespaces go, nothing holds these."""
    world = World(lab)
    assert world.ping(3)
    watch = lab.namespace()
    for i, ns in enumerate((world.n1, world.n2, world.n0)):
        lab.veth(watch, ns, f"w{i}", "watched")
    world.one.stop()
    world.two.stop()
    for ns in (world.n1, world.n2, world.n0):
        os.close(ns.fd)
    # A namespace that dies takes its end of the cable along, and so ours.
    wait_until(lambda: "w0" not in (text := watch.ip("-o link show")) and "w1" not in text and "w2" not in text, 10,
               "the namespaces die")
