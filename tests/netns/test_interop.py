"""Stock wg drives the engine; traffic with Debian's wireguard-go and with itself, in every combination."""
import base64
import ipaddress
import re
import signal
import time

import pytest

from harness import Keys, UNDER_TEST, WORK, copy_over_tcp, scenario, wg_output

OTHER = "wireguard-go"


def clamped(private):
    raw = bytearray(base64.b64decode(private))
    raw[0] &= 248
    raw[31] = raw[31] & 127 | 64
    return base64.b64encode(bytes(raw)).decode()


# --- stock wg ------------------------------------------------------------------------------------


@scenario()
def wg_set_and_show(lab):
    engine = lab.engine("wg0", lab.namespace())
    assert engine.dump() == ["(none)\t(none)\t0\toff"] or engine.dump()[0].startswith("(none)\t(none)\t")
    assert engine.wg("show", "interfaces") == "wg0\n"
    keys, peer, psk = Keys(), Keys(), wg_output("genpsk")
    engine.ns.ip("link set wg0 up")
    engine.wg("set", "wg0", "listen-port", "12345", "fwmark", "0x1f", "private-key", "/dev/stdin", stdin=keys.private)
    engine.wg("set", "wg0", "peer", peer.public, "preshared-key", "/dev/stdin", "endpoint", "10.0.0.7:999",
              "persistent-keepalive", "25", "allowed-ips", "10.9.0.2/32,fd09::7/64,192.168.4.9/24", stdin=psk)
    device, row = engine.dump()
    assert device == f"{keys.private}\t{keys.public}\t12345\t0x1f"
    fields = row.split("\t")
    assert fields[0:3] == [peer.public, psk, "10.0.0.7:999"]
    assert fields[3].split(",") == ["10.9.0.2/32", "fd09::/64", "192.168.4.0/24"]
    assert fields[7] == "25"
    engine.set("fwmark off")
    engine.set(f"peer {peer.public} persistent-keepalive off preshared-key /dev/null")
    device, row = engine.dump()
    assert device.endswith("\toff")
    assert row.split("\t")[1] == "(none)" and row.split("\t")[7] == "off"
    engine.set("private-key /dev/null")
    assert engine.dump()[0].startswith("(none)\t(none)\t")
    engine.set(f"peer {peer.public} remove")
    assert len(engine.dump()) == 1


@scenario()
def wg_showconf_gives_back_what_setconf_took(lab):
    engine = lab.engine("wg0", lab.namespace())
    keys, peers = Keys(), [Keys() for _ in range(5)]
    text = f"[Interface]\nListenPort = 4444\nFwMark = 0x2a\nPrivateKey = {keys.private}\n\n" + "\n".join(
        f"[Peer]\nPublicKey = {p.public}\nPresharedKey = {wg_output('genpsk')}\n"
        f"AllowedIPs = 10.{i}.0.0/16, fd0{i}::/64\nEndpoint = [fd01::{i + 1}]:{1000 + i}\nPersistentKeepalive = {i + 1}\n"
        for i, p in enumerate(peers))
    engine.wg("setconf", "wg0", "/dev/stdin", stdin=text)

    def blocks(conf):
        return sorted(conf.strip().split("\n\n"))

    assert blocks(engine.wg("showconf", "wg0")) == blocks(text)
    if UNDER_TEST == "warren":
        assert engine.wg("showconf", "wg0").strip() == text.strip(), "peers in another order"
    engine.wg("setconf", "wg0", "/dev/stdin", stdin=engine.wg("showconf", "wg0"))
    assert blocks(engine.wg("showconf", "wg0")) == blocks(text)
    engine.wg("setconf", "wg0", "/dev/null")
    assert "Peer" not in engine.wg("showconf", "wg0") and "PrivateKey" not in engine.wg("showconf", "wg0")


@scenario()
def wg_syncconf_changes_only_the_difference(lab):
    a, b = lab.pair()
    ea, eb = lab.tunnel(a, b, (None, OTHER))
    assert a.ping("10.9.0.2", 3) == 3
    before = ea.handshake_time(ea.peer)
    other = Keys()
    text = ea.wg("showconf", "wga")
    ea.wg("syncconf", "wga", "/dev/stdin", stdin=text + f"\n[Peer]\nPublicKey = {other.public}\n")
    assert len(ea.dump()) == 3
    ea.wg("syncconf", "wga", "/dev/stdin", stdin=text)
    assert len(ea.dump()) == 2
    assert ea.handshake_time(ea.peer) == before, "an unchanged peer lost its session"
    assert a.ping("10.9.0.2", 3) == 3
    ea.wg("addconf", "wga", "/dev/stdin", stdin=f"[Peer]\nPublicKey = {other.public}\nAllowedIPs = 10.77.0.0/24\n")
    assert len(ea.dump()) == 3 and ea.handshake_time(ea.peer) == before


@scenario()
def private_key_is_shown_clamped(lab):
    engine = lab.engine("wg0", lab.namespace())
    for raw in ("A" * 42 + "E=", "/" * 42 + "8="):
        engine.wg("set", "wg0", "private-key", "/dev/stdin", stdin=raw)
        assert engine.show("private-key").strip() == clamped(raw)
    assert engine.show("private-key").startswith("+")


@scenario()
def own_key_as_peer_is_ignored_and_removed(lab):
    engine = lab.engine("wg0", lab.namespace())
    keys, second = Keys(), Keys()
    engine.set(f"peer {keys.public} allowed-ips 10.0.0.0/8")
    assert len(engine.dump()) == 2
    engine.wg("set", "wg0", "private-key", "/dev/stdin", stdin=keys.private)
    assert len(engine.dump()) == 1, "the own key stays as a peer"
    engine.set(f"peer {keys.public} allowed-ips 10.0.0.0/8")
    assert len(engine.dump()) == 1, "the own key was accepted as a peer"
    engine.wg("set", "wg0", "private-key", "/dev/stdin", stdin=second.private)
    engine.set(f"peer {keys.public} allowed-ips 10.0.0.0/8")
    assert len(engine.dump()) == 2, "not the own key any more"


@scenario()
def allowed_ips_move_between_peers(lab):
    engine = lab.engine("wg0", lab.namespace())
    a, b = Keys().public, Keys().public

    def allowed():
        return {k: sorted(v.split()) for k, v in
                (line.split("\t") for line in engine.show("allowed-ips").splitlines())}

    engine.set(f"peer {a} allowed-ips 10.0.0.0/8,10.1.0.0/16,fd00::/8 peer {b} allowed-ips 10.1.2.0/24")
    engine.set(f"peer {b} allowed-ips 10.1.0.0/16,fd00::/8")
    assert allowed() == {a: ["10.0.0.0/8"], b: ["10.1.0.0/16", "fd00::/8"]}
    engine.wg("set", "wg0", "peer", a, "allowed-ips", "")
    assert allowed() == {a: ["(none)"], b: ["10.1.0.0/16", "fd00::/8"]}
    engine.set(f"peer {a} allowed-ips 0.0.0.0/0,::/0")
    engine.set(f"peer {b} allowed-ips 0.0.0.0/0")
    assert allowed() == {a: ["::/0"], b: ["0.0.0.0/0"]}
    engine.set(f"peer {b} remove")
    assert allowed() == {a: ["::/0"]}


@scenario(seconds=60)
def forty_peers_with_52_prefixes_each(lab):
    engine = lab.engine("wg0", lab.namespace())
    want, text = {}, f"[Interface]\nPrivateKey = {Keys().private}\n"
    for i in range(40):
        public = Keys().public
        want[public] = ({f"{i + 1}.{j}.0.0/16" for j in range(26)} | {f"fd{i:02x}:{j:x}::/32" for j in range(1, 27)})
        text += f"[Peer]\nPublicKey = {public}\nAllowedIPs = {', '.join(sorted(want[public]))}\n"
    engine.wg("setconf", "wg0", "/dev/stdin", stdin=text)
    got = {k: set(v.split()) for k, v in (line.split("\t") for line in engine.show("allowed-ips").splitlines())}
    assert got == want


@scenario(seconds=120)
def one_peer_with_130560_prefixes(lab):
    engine = lab.engine("wg0", lab.namespace())
    public = Keys().public
    prefixes = [f"{a}.{b}.0.0/{bits}" if bits == 16 else f"fd{a:02x}:{b:x}::/32"
                for a in range(1, 256) for b in range(256) for bits in (16, 32)]
    assert len(prefixes) == 255 * 256 * 2
    text = f"[Peer]\nPublicKey = {public}\n" + "".join(
        f"AllowedIPs = {', '.join(prefixes[i:i + 1000])}\n" for i in range(0, len(prefixes), 1000))
    begin = time.monotonic()
    engine.wg("setconf", "wg0", "/dev/stdin", stdin=text)
    got = engine.show("allowed-ips").split("\t")[1].split()
    print(f"set and read back in {time.monotonic() - begin:.2f} s")
    assert len(got) == len(prefixes)
    assert {ipaddress.ip_network(n) for n in got} == {ipaddress.ip_network(n) for n in prefixes}


@scenario()
def wrong_settings_are_refused_in_wg_words(lab):
    engine = lab.engine("wg0", lab.namespace())
    result = engine.wg("show", "nosuch", check=False)
    assert result.returncode == 1 and "Unable to access interface" in result.stderr
    for request in ("set=1\nlisten_port=70000\n\n", "set=1\nnonsense=1\n\n", "set=1\nfwmark=0x10\n\n",
                    "set=1\nprivate_key=zz\n\n", f"set=1\npublic_key={'0' * 63}\n\n",
                    f"set=1\npublic_key={'1' * 64}\nendpoint=example.com:1\n\n",
                    f"set=1\npublic_key={'1' * 64}\nprotocol_version=2\n\n"):
        answer = engine.uapi(request)
        assert re.search(r"^errno=-\d+\n\n$", answer, re.M) and "errno=0" not in answer, (request, answer)
    assert engine.uapi("get=1\n\n").endswith("errno=0\n\n")


# --- traffic -------------------------------------------------------------------------------------

COMBINATIONS = [(UNDER_TEST, OTHER), (OTHER, UNDER_TEST), (UNDER_TEST, UNDER_TEST)]


@pytest.mark.parametrize("outer", ["v4", "v6"])
@pytest.mark.parametrize("with_psk", [False, True], ids=["plain", "psk"])
@pytest.mark.parametrize("kinds", COMBINATIONS, ids=lambda kinds: "-to-".join(kinds))
@scenario(seconds=60)
def traffic(lab, kinds, with_psk, outer):
    """The first of the two initiates. Small and large packets, both families inside, both ways, counted."""
    a, b = lab.pair()
    psk = wg_output("genpsk") if with_psk else None
    ea, eb = lab.tunnel(a, b, kinds, psk, outer, endpoints=(True, False))
    assert eb.endpoint(eb.peer) == "(none)"
    assert a.ping("10.9.0.2", 10) == 10
    assert b.ping("10.9.0.1", 10) == 10
    assert a.ping("fd09::2", 10) == 10 and b.ping("fd09::1", 10) == 10
    for size in (1, 7, 1392, 1393, 3000, 20000, 60000):
        assert a.ping("10.9.0.2", 2, size=size) == 2, f"ping of {size} bytes"
        assert b.ping("fd09::1", 2, size=size) == 2, f"ping of {size} bytes"
    assert ea.handshake_time(ea.peer) and abs(ea.handshake_time(ea.peer) - time.time()) < 30
    assert eb.endpoint(eb.peer) == ("10.1.0.1:51820" if outer == "v4" else "[fd01::1]:51820")
    assert ea.transfer(ea.peer) == tuple(reversed(eb.transfer(eb.peer))), "what one sent is what the other received"


@pytest.mark.parametrize("kinds", COMBINATIONS, ids=lambda kinds: "-to-".join(kinds))
@scenario(seconds=120)
def tcp_both_ways(lab, kinds):
    a, b = lab.pair()
    lab.tunnel(a, b, kinds)
    for sender, receiver, address, port in ((a, b, "10.9.0.2", 7001), (b, a, "10.9.0.1", 7002),
                                            (a, b, "fd09::2", 7003), (b, a, "fd09::1", 7004)):
        seconds = copy_over_tcp(lab, sender, receiver, address, 60, port)
        print(f"{address}: {60 * 8.4 / seconds:.0f} Mb/s")


@scenario(seconds=90)
def tcp_in_parallel_and_udp(lab):
    """Eight streams at once, then UDP at full rate: the tunnel is whole afterwards."""
    a, b = lab.pair()
    lab.tunnel(a, b, (None, OTHER))
    assert a.ping("10.9.0.2", 2) >= 1
    server = lab.start(b, "iperf3", "-s", "-B", "10.9.0.2", stdout=-3)
    time.sleep(0.5)
    for options in (["-P", "8", "-t", "3"], ["-P", "8", "-t", "3", "-R"], ["-u", "-b", "0", "-t", "3"]):
        result = a.run("iperf3", "-c", "10.9.0.2", "-J", *options, check=False, timeout=30)
        assert result.returncode == 0, result.stdout[-300:]
    server.terminate()
    assert a.ping("10.9.0.2", 10) == 10 and b.ping("fd09::1", 10) == 10


@scenario(seconds=60)
def data_of_the_first_packet_is_not_lost(lab):
    """What starts the handshake waits for it: nothing is lost, and it comes in order."""
    a, b = lab.pair()
    lab.tunnel(a, b, endpoints=(True, False))
    receiver, sender = b.udp("10.9.0.2", 6000), a.udp("10.9.0.1")
    for i in range(60):
        sender.sendto(bytes([i]), ("10.9.0.2", 6000))
    receiver.settimeout(3)
    assert [receiver.recv(100)[0] for _ in range(60)] == list(range(60))


@scenario(seconds=40)
def simultaneous_initiation(lab):
    """Both initiate at once (F-H2): the tunnel stands at once, many times over."""
    a, b = lab.pair()
    ea, eb = lab.tunnel(a, b)
    for _ in range(10):
        for engine in (ea, eb):
            engine.ns.ip(f"link set {engine.name} down")
        for engine in (ea, eb):
            engine.ns.ip(f"link set {engine.name} up")
        one = lab.start(a, "ping", "-n", "-c", "3", "-i", "0.1", "-W", "2", "10.9.0.2", stdout=-3)
        two = lab.start(b, "ping", "-n", "-c", "3", "-i", "0.1", "-W", "2", "10.9.0.1", stdout=-3)
        assert one.wait(20) == 0 and two.wait(20) == 0
        assert a.ping("10.9.0.2", 2) == 2
        time.sleep(0.1)


@scenario(seconds=200)
def test_rekey_under_traffic(lab):
    """130 s of traffic: a new session after 120 s, not one packet lost, in either direction."""
    a, b = lab.pair()
    ea, eb = lab.tunnel(a, b, (None, OTHER), wg_output("genpsk"))
    c, d = lab.pair()
    keys = [Keys(), Keys()]
    # The other role at the same time: wireguard-go initiates, and so renews.
    second = [lab.engine("wgc", c, kind=OTHER), lab.engine("wgd", d)]
    for i, engine in enumerate(second):
        engine.peer = keys[1 - i].public
        engine.configure(keys[i].private, 51820, peers=[{"public": engine.peer, "allowed": f"10.8.0.{2 - i}/32",
                                                         "endpoint": "10.1.0.2:51820" if i == 0 else None}])
        engine.up(f"10.8.0.{i + 1}/24")
    assert a.ping("10.9.0.2", 1) == 1 and c.ping("10.8.0.2", 1) == 1
    watched = [ea, eb, *second]
    first = {engine.name: engine.handshake_time(engine.peer) for engine in watched}
    runs = []
    for ns, address in ((a, "10.9.0.2"), (b, "10.9.0.1"), (c, "10.8.0.2"), (d, "10.8.0.1")):
        path = WORK / f"ping-{len(runs)}"
        with open(path, "w") as out:
            runs.append((lab.start(ns, "ping", "-n", "-i", "0.05", address, stdout=out), path))
    time.sleep(127)
    for run, path in runs:
        run.send_signal(signal.SIGINT)
        run.wait(10)
        seen = {int(n) for n in re.findall(r"icmp_seq=(\d+) ttl", path.read_text())}
        assert len(seen) > 1500, f"only {len(seen)} answers"
        assert not set(range(1, max(seen) + 1)) - seen, f"lost: {sorted(set(range(1, max(seen) + 1)) - seen)}"
    for engine in watched:
        gap = engine.handshake_time(engine.peer) - first[engine.name]
        assert 115 <= gap <= 130, f"{engine.name}: new session after {gap} s"
