"""What happens to packets: who may send what, errors, padding, silence, loss, addresses, marks."""
import contextlib
import errno
import os
import re
import socket
import struct
import time

import pytest

from bench import PORT, Bench
from harness import Keys, UNDER_TEST, copy_over_tcp, scenario, wait_until
from pywg import DATA, INITIATION, RESPONSE, Initiator, Peer, echo_request, ipv4, ipv6, udp

OTHER = "wireguard-go"


# --- crypto-key routing ----------------------------------------------------------------------------


class Inbox:
    """What arrives inside, on UDP port 6000 of the engine's namespace."""

    def __init__(self, bench, *addresses):
        self.socks = [bench.a.udp(address, 6000) for address in addresses]

    def take(self, seconds=0.3):
        found = []
        for sock in self.socks:
            sock.settimeout(seconds)
            with contextlib.suppress(TimeoutError):
                while True:
                    data, source = sock.recvfrom(2000)
                    found.append((source[0], data))
                    sock.settimeout(0.05)
        return found


@scenario()
def fa1_inner_source_of_another_peer_is_dropped(lab):
    bench = Bench(lab, peers=2)
    inbox = Inbox(bench, "10.9.0.1", "fd09::1")
    for i in range(2):
        bench.connect(i)
    one, two = bench.peers
    before = bench.transfer(0)

    def send(peer, source, target, mark):
        peer.send(peer.session.seal(udp(source, target, 5, 6000, mark)))

    send(one, "10.9.0.3", "10.9.0.1", b"spoofed")  # the other peer's
    send(one, "fd09::3", "fd09::1", b"spoofed")
    send(one, "10.9.77.77", "10.9.0.1", b"spoofed")  # nobody's
    send(one, "fd77::1", "fd09::1", b"spoofed")
    send(one, "10.9.0.1", "10.9.0.1", b"spoofed")  # the engine's own
    send(one, "127.0.0.1", "10.9.0.1", b"spoofed")
    send(two, "10.9.0.2", "10.9.0.1", b"spoofed")
    # An IPv4 address that looks like the start of an allowed IPv6 one, and a wrong destination, which is no error.
    send(one, "10.9.0.2", "10.9.0.1", b"good")
    send(one, "fd09::2", "fd09::1", b"good")
    send(two, "10.9.0.3", "10.9.0.1", b"good")
    send(two, "fd09::3", "fd09::1", b"good")
    assert sorted(inbox.take()) == sorted([(a, b"good") for a in ("10.9.0.2", "10.9.0.3", "fd09::2", "fd09::3")])
    assert bench.echo(0) and bench.echo(1, 6)
    if UNDER_TEST == "warren":
        good = sum(32 + -(-len(p) // 16) * 16 for p in (
            udp("10.9.0.2", "10.9.0.1", 5, 6000, b"good"), udp("fd09::2", "fd09::1", 5, 6000, b"good"))) + 128
        assert bench.transfer(0)[0] - before[0] == good, "refused packets are counted as received"


@scenario()
def fa2_nested_prefix_is_device_wide(lab):
    """The longest prefix of the whole device decides, not what a peer has for itself."""
    bench = Bench(lab, peers=2, allowed=["10.20.0.0/16, fd20::/16, 10.9.0.2/32", "10.20.5.0/24, fd20:5::/32, 10.9.0.3/32"])
    bench.a.ip("route add 10.20.0.0/16 dev wga")
    bench.a.ip("-6 route add fd20::/16 dev wga")
    inbox = Inbox(bench, "10.9.0.1", "fd09::1")
    for i in range(2):
        bench.connect(i)
    one, two = bench.peers
    for peer, mark in ((one, b"one"), (two, b"two")):
        for source in ("10.20.5.1", "10.20.6.1"):
            peer.send(peer.session.seal(udp(source, "10.9.0.1", 5, 6000, mark)))
        for source in ("fd20:5::1", "fd20:6::1"):
            peer.send(peer.session.seal(udp(source, "fd09::1", 5, 6000, mark)))
    assert sorted(inbox.take()) == [("10.20.5.1", b"two"), ("10.20.6.1", b"one"),
                                    ("fd20:5::1", b"two"), ("fd20:6::1", b"one")]
    # And the other way: each destination to the peer of its longest prefix.
    for peer in bench.peers:
        peer.drain(0.02)
    sender = bench.a.udp("10.9.0.1")
    for target in ("10.20.5.1", "10.20.6.1", "10.20.5.255", "10.20.4.255"):
        sender.sendto(target.encode(), (target, 9))
    got = []
    for peer in bench.peers:
        got.append([])
        while True:
            inner, _ = peer.data(0.3)
            if inner is None:
                break
            got[-1].append(socket.inet_ntoa(inner[16:20]))
    assert got == [["10.20.6.1", "10.20.4.255"], ["10.20.5.1", "10.20.5.255"]]
    # A prefix that moves takes its sources with it at once, and the endpoint still follows the packet.
    bench.engine.set(f"peer {two.key.public_text} allowed-ips 10.20.5.0/24,10.9.0.3/32,10.20.6.1/32")
    other = bench.b.udp("10.1.0.2", 7301)
    one.send(one.session.seal(udp("10.20.6.1", "10.9.0.1", 5, 6000, b"late")), sock=other)
    assert inbox.take() == []
    assert bench.endpoint(0) == "10.1.0.2:7301", "an authenticated packet moves the endpoint also when its source may not"


@scenario()
def odd_inner_packets_do_no_harm(lab):
    """F-A5: authentic packets of any length and shape. Only what is a whole IP packet of this peer is delivered."""
    bench = Bench(lab)
    inbox = Inbox(bench, "10.9.0.1", "fd09::1")
    peer, session = bench.peer, bench.connect()
    four = udp("10.9.0.2", "10.9.0.1", 5, 6000, b"whole")
    six = udp("fd09::2", "fd09::1", 5, 6000, b"whole")
    sniffer = lab.sniffer(bench.a, "wga")
    for packet in (four, six):
        for length in range(len(packet)):
            peer.send(session.seal(packet[:length], pad=False))
    for version in (0, 1, 2, 3, 5, 7, 15):
        peer.send(session.seal(bytes([version << 4 | four[0] & 15]) + four[1:]))
    for length in (0, 1, 19, len(four) + 16, 65535):
        peer.send(session.seal(ipv4("10.9.0.2", "10.9.0.1", 17, four[20:], total=length)))
    peer.send(session.seal(six[:4] + struct.pack("!H", 1000) + six[6:]))
    peer.send(session.seal(bytes(64)))
    peer.send(session.seal(b"\xff" * 64))
    assert bench.echo(), "the session is hurt"
    assert inbox.take() == []
    peer.send(session.seal(four + b"\xaa" * 200, pad=False))  # trimmed to its own length
    peer.send(session.seal(six + b"\xaa" * 200, pad=False))
    assert sorted(inbox.take()) == [("10.9.0.2", b"whole"), ("fd09::2", b"whole")]
    for _, frame, outgoing in sniffer.stop():
        if not outgoing:
            length = struct.unpack("!H", frame[2:4])[0] if frame[0] >> 4 == 4 else struct.unpack(
                "!H", frame[4:6])[0] + 40
            assert frame[0] >> 4 in (4, 6) and length == len(frame), frame.hex()


@scenario(lacks="sends no ICMP")
def fa7_icmp_unreachable_to_sender(lab):
    """No peer, or a peer without an endpoint: the sender hears of it. Odd packets from inside do no harm."""
    bench = Bench(lab, endpoint=False)
    nobody = "10.9.5.5", "fd09::55"
    for target in (nobody[0], "10.9.0.2"):
        result = bench.a.run("ping", "-n", "-c", "2", "-i", "0.2", "-W", "1", target, check=False)
        assert "Destination Host Unreachable" in result.stdout and "2 errors" in result.stdout.replace("+", ""), result
    for target in (nobody[1], "fd09::2"):
        result = bench.a.run("ping", "-n", "-c", "2", "-i", "0.2", "-W", "1", target, check=False)
        assert "Address unreachable" in result.stdout, result.stdout
    for target in (*nobody, "10.9.0.2", "fd09::2"):
        sock = bench.a.tcp(target)
        sock.settimeout(3)
        begin = time.monotonic()
        with pytest.raises(OSError) as caught:
            sock.connect((target, 80))
        assert caught.value.errno == errno.EHOSTUNREACH and time.monotonic() - begin < 1.5
        sock.close()

    def inject(packets):
        with bench.a:
            raw = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM)
        for packet in packets:
            for protocol in (0x0800, 0x86DD, 0x1234):
                with contextlib.suppress(OSError):
                    raw.sendto(packet, ("wga", protocol))
        raw.close()

    seen = lab.sniffer(bench.a, "wga")
    big = udp(nobody[0], nobody[0], 5, 6, bytes(1300))
    error4 = ipv4("10.9.0.1", nobody[0], 1, b"\x03\x01" + bytes(6) + big[:28])
    error6 = ipv6("fd09::1", nobody[1], 58, b"\x01\x03" + bytes(6) + bytes(48))
    fragment = bytearray(udp("10.9.0.1", nobody[0], 5, 6, b"x" * 40))
    fragment[6:8] = struct.pack("!H", 100)
    unanswerable = [error4, error6, bytes(fragment), udp("10.9.0.1", "224.0.0.5", 5, 6, b""),
                    udp("10.9.0.1", "255.255.255.255", 5, 6, b""), udp("0.0.0.0", nobody[0], 5, 6, b""),
                    udp("224.0.0.9", nobody[0], 5, 6, b""), udp("fd09::1", "ff02::1", 5, 6, b""),
                    udp("::", nobody[1], 5, 6, b""), udp("ff02::1", nobody[1], 5, 6, b"")]
    odd = [os.urandom(n) for n in range(1, 64)] + [bytes(n) for n in (1, 20, 40)]
    odd += [four[:n] for four in (udp("10.9.0.1", nobody[0], 5, 6, b"abc"), udp("fd09::1", nobody[1], 5, 6, b"abc"))
            for n in range(1, len(four))]
    inject(unanswerable)
    inject(b"\x45" + packet[1:] for packet in odd)
    inject(odd)
    for _, frame, outgoing in seen.stop():
        if not outgoing and frame[:1] == b"\x45" and frame[9] == 1 and frame[20] == 3:
            quoted = frame[28:]
            assert quoted[:1][0] >> 4 == 4 and len(frame) <= 1280
            assert quoted[9] != 1 or quoted[20] == 8, "an error about an error"
            assert not struct.unpack("!H", quoted[6:8])[0] & 0x1FFF, "an error about a later fragment"
            assert quoted[12] != 224 and quoted[16] not in (224, 255) and quoted[12:16] != bytes(4), "to a group"
    assert bench.engine.alive()
    assert bench.peer.handshake() and bench.echo() and bench.echo(family=6)


@scenario()
def odd_outgoing_packets_do_no_harm(lab):
    """F-A7: anything a local sender can push into the TUN while a session stands."""
    bench = Bench(lab)
    bench.connect()
    with bench.a:
        raw = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM)
    for n in range(1, 100):
        for first in (0, 0x45, 0x4F, 0x60, 0xFF):
            with contextlib.suppress(OSError):
                raw.sendto(bytes([first]) + os.urandom(n - 1), ("wga", 0x0800))
    for total in (0, 19, 21, 65535):
        raw.sendto(ipv4("10.9.0.1", "10.9.0.2", 17, bytes(30), total=total), ("wga", 0x0800))
    raw.close()
    time.sleep(0.1)
    for message in bench.peer.drain(0.05):
        if message[0] == DATA:
            assert (len(message) - 32) % 16 == 0
    assert bench.engine.alive() and bench.echo()


@scenario(lacks="encrypts the loop for ever")
def fa8_routing_loop_is_bounded(lab):
    """The endpoint is routed into the tunnel itself: some packets, then silence; no spinning."""
    bench = Bench(lab, allowed=["10.9.0.0/16, 10.1.0.0/24, 192.0.2.0/24, fd09::/64"])
    bench.connect()
    bench.a.ip("route add 192.0.2.0/24 dev wga")
    bench.engine.set(f"peer {bench.peer.key.public_text} endpoint 192.0.2.9:51820")
    before = bench.transfer()[1]
    for size in (56, 1000, 1392, 4000):
        bench.a.ping("10.9.0.2", 3, wait=0.3, size=size)
    time.sleep(1)
    cpu, sent = bench.engine.cpu_seconds(), bench.transfer()[1]
    time.sleep(2)
    assert bench.engine.cpu_seconds() - cpu < 0.3, "it spins"
    assert bench.transfer()[1] == sent or bench.transfer()[1] - sent < 1000, "still sending"
    assert sent - before < 70000, f"{sent - before} bytes"
    bench.engine.set(f"peer {bench.peer.key.public_text} endpoint 10.1.0.2:{bench.peer.port}")
    assert bench.echo(), "no way back"


# --- on the wire -----------------------------------------------------------------------------------


@scenario()
def fa9_padding_on_the_wire(lab):
    """To 16, with zeros, never beyond the MTU; the inner packet unchanged. Also after the MTU has changed."""
    bench = Bench(lab)
    bench.connect()
    peer = bench.peer
    sender = bench.a.udp("10.9.0.1")
    for mtu in (1420, 1300, 1383):
        bench.a.ip(f"link set wga mtu {mtu}")
        time.sleep(1.5 if UNDER_TEST == "wireguard-go" else 0.2)
        peer.drain(0.02)
        for size in [*range(0, 40), 700, *range(mtu - 28 - 20, mtu - 28 + 1)]:
            payload = os.urandom(size)
            sender.sendto(payload, ("10.9.0.2", 9))
            message, _ = peer.receive(1, (DATA,))
            assert message, f"{size} bytes lost"
            _, inner = peer.session.open(message)
            assert len(inner) == min(mtu, -(-(size + 28) // 16) * 16), f"MTU {mtu}, inner packet of {size + 28}"
            assert inner[28:28 + size] == payload and not any(inner[28 + size:])
    assert bench.echo()


@scenario(lacks="wakes and sends at other times")
def keepalive_is_32_bytes_and_dscp_is_right(lab):
    """Handshake TOS 0x88, cookie and keepalive 0, DF clear."""
    bench = Bench(lab)
    sniffer = lab.sniffer(bench.b, "out")
    bench.poke()
    assert bench.peer.answer() and bench.peer.data()[0]
    time.sleep(0.05)
    bench.peer.handshake(when=time.time() + 1)
    bench.engine.set(f"peer {bench.peer.key.public_text} persistent-keepalive 1")
    time.sleep(1.5)
    six = Peer(bench.b, "fd01::2", bench.keys.public, ("fd01::1", PORT), key=bench.peer.key)
    assert six.handshake(when=time.time() + 2)
    time.sleep(0.1)
    sniffer.stop()
    ours = [d for d in sniffer.datagrams() if not d.outgoing]
    found = {(d.type, d.tos, d.df and ":" not in d.source) for d in ours}
    print(found)
    assert {kind for kind, _, _ in found} == {INITIATION, RESPONSE, DATA}
    assert all(tos == (0 if kind == DATA else 0x88) and not df for kind, tos, df in found)
    assert any(d.type == DATA and len(d.payload) == 32 for d in ours), "no keepalive"


@pytest.mark.parametrize("family", [4, 6])
@scenario(lacks="knows no ECN")
def ecn_is_carried(lab, family):
    """RFC 6040: the outer ECN is the inner one (CE becomes ECT(0)), DSCP 0; an outer CE reaches the inner packet."""
    bench = Bench(lab)
    bench.connect()
    peer = bench.peer
    source, target = bench.inner(0, family)
    sniffer = lab.sniffer(bench.b, "out")
    sender = bench.a.udp(target)
    want = []
    for tos in (0x00, 0x01, 0x02, 0x03, 0xB8, 0xBA, 0x29):
        if family == 4:
            sender.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, tos)
        else:
            sender.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, tos)
        sender.sendto(b"tos", (source, 9))
        inner, _ = peer.data(1)
        seen = inner[1] if family == 4 else struct.unpack("!H", inner[:2])[0] >> 4 & 0xFF
        want.append((seen, 2 if seen & 3 == 3 else seen & 3))
    sniffer.stop()
    outer = [d.tos for d in sniffer.datagrams() if d.type == DATA and not d.outgoing]
    assert outer == [ecn for _, ecn in want], want
    receiver = bench.a.udp(target, 6000)
    receiver.settimeout(1)
    if family == 4:
        receiver.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
    else:
        receiver.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS, 1)
    six = bench.b.udp("fd01::2", 6060)
    for outer_six in (False, True):
        for outer_tos, inner_tos, result in ((3, 2, 3), (3, 1, 3), (2, 1, 1), (0, 2, 2), (3, 0, 0), (0, 0xB8, 0xB8),
                                             (3, 0xBA, 0xBB), (0xFC, 0, 0)):
            packet = peer.session.seal(udp(source, target, 5, 6000, b"ecn", tos=inner_tos))
            if outer_six:
                six.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, outer_tos)
                six.sendto(packet, ("fd01::1", PORT))
            else:
                peer.sock.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, outer_tos)
                peer.send(packet)
            data, control, _, _ = receiver.recvmsg(100, 100)
            assert data == b"ecn" and control[0][2][0] == result, (outer_tos, inner_tos, control)


@scenario()
def answers_leave_from_the_address_that_was_asked(lab):
    """With two addresses of each family: responses, data and initiations come from the one the peer talked to."""
    bench = Bench(lab)
    bench.a.address("out", "10.1.0.11/24", "fd01::11/64")
    for index, (local, address) in enumerate((("10.1.0.2", "10.1.0.11"), ("10.1.0.2", "10.1.0.1"), ("fd01::2", "fd01::11"),
                                              ("fd01::2", "fd01::1"))):
        peer = Peer(bench.b, local, bench.keys.public, (address, PORT), key=bench.peer.key)
        initiation = Initiator(peer.key, peer.remote, when=time.time() + index)
        peer.send(initiation.message)
        message, source = peer.receive(2, (RESPONSE,))
        assert message and source[0] == address, f"response from {source}"
        peer.add(initiation.consume(message))
        peer.send(peer.session.seal())
        time.sleep(0.05)
        bench.poke()
        inner, source = peer.data(2)
        assert inner and source[0] == address, f"data from {source}"
        time.sleep(0.05)
        peer.close()


@scenario(seconds=40, lacks="keeps a source address that is gone")
def source_that_is_gone_is_replaced(lab):
    """The address it used is removed: the very next packets leave from another (F-N8)."""
    for outer, old, new in (("v4", "10.1.0.1/24", "10.1.0.51/24"), ("v6", "fd01::1/64", "fd01::51/64")):
        bench = Bench(lab) if outer == "v4" else bench
        if outer == "v6":
            peer = Peer(bench.b, "fd01::2", bench.keys.public, ("fd01::1", PORT), key=bench.peer.key)
        else:
            peer = bench.peer
        assert peer.handshake(when=time.time() + (outer == "v6") * 2) and peer.echo("10.9.0.2", "10.9.0.1")
        bench.a.address("out", new)
        bench.a.ip(f"addr del {old} dev out")
        if outer == "v4" and "10.1.0.51" not in bench.a.ip("addr show dev out"):
            bench.a.address("out", new)
        for i in range(3):
            bench.poke()
        inner, source = peer.data(3)
        assert inner and source[0] == new.split("/")[0], f"{outer}: from {source}"


@scenario(lacks="a zone that went through its UAPI")
def link_local_endpoints_have_the_name_of_their_link(lab):
    """Names of links are asked for where no socket may be opened: from the control socket and of a roaming peer."""
    bench = Bench(lab)
    bench.a.address("out", "fe80::11/64"), bench.b.address("out", "fe80::22/64")
    bench.a.wait_addresses("fe80::11/64"), bench.b.wait_addresses("fe80::22/64")
    before = bench.engine.worker_pid()
    bench.engine.set(f"peer {bench.peer.key.public_text} endpoint [fe80::22%out]:{bench.peer.port}")
    assert bench.endpoint() == f"[fe80::22%out]:{bench.peer.port}"
    index = int(bench.b.run("ip", "-o", "link", "show", "out").split(":")[0])
    local = Peer(bench.b, "::", bench.keys.public, ("fe80::11", PORT, 0, index), key=bench.peer.key)
    assert local.handshake() and local.echo("10.9.0.2", "10.9.0.1")
    assert bench.endpoint() == f"[fe80::22%out]:{local.port}"
    refused = bench.engine.uapi(f"set=1\npublic_key={bench.peer.key.public.hex()}\nendpoint=[fe80::22%nosuch]:9\n\n")
    assert not refused.endswith("errno=0\n\n")
    assert bench.engine.worker_pid() == before, "it died of it"


@scenario()
def fwmark_is_on_every_outer_packet(lab):
    bench = Bench(lab)
    bench.connect()

    def count(mark):
        bench.a.filter("output", f'udp sport {PORT} meta mark {mark} counter comment "right"',
                       f'udp sport {PORT} meta mark != {mark} counter comment "wrong"')
        bench.poke()
        assert bench.peer.data(2)[0]
        bench.peer.send(Initiator(bench.peer.key, bench.peer.remote, when=time.time() + mark / 100).message)
        assert bench.peer.receive(2, (RESPONSE,))[0]
        six = Peer(bench.b, "fd01::2", bench.keys.public, ("fd01::1", PORT), key=bench.peer.key)
        six.send(Initiator(six.key, six.remote, when=time.time() + mark / 100 + 0.5).message)
        assert six.receive(2, (RESPONSE,))[0]
        six.close()
        text = bench.a.run("nft", "list", "ruleset")
        right, wrong = (int(re.search(rf'packets (\d+) bytes \d+ comment "{word}"', text).group(1))
                        for word in ("right", "wrong"))
        assert right >= 3 and wrong == 0, text
        bench.peer.session = None
        bench.peer.drain(0.05)
        assert bench.peer.handshake(when=time.time() + mark / 100 + 1)

    bench.engine.set("fwmark 0x2a")
    count(0x2A)
    bench.engine.set("fwmark 700")
    count(700)
    bench.engine.set("fwmark off")
    bench.a.filter("output")
    assert bench.echo()


@scenario()
def fn10_refused_sends_do_no_lasting_harm(lab):
    """The host refuses our datagrams in every way; afterwards all goes on, with no spinning."""
    bench = Bench(lab)
    bench.connect()
    for kind in ("blackhole", "unreachable", "prohibit"):
        bench.a.ip(f"route add {kind} 10.1.0.2/32")
        for _ in range(20):
            bench.poke()
        bench.a.ip("route del 10.1.0.2/32")
        assert bench.echo(), f"after {kind}"
    bench.a.filter("output", "udp sport 51820 reject")
    for _ in range(20):
        bench.poke()
    cpu = bench.engine.cpu_seconds()
    time.sleep(0.5)
    assert bench.engine.cpu_seconds() - cpu < 0.2
    bench.a.filter("output")
    assert bench.echo(), "after reject"
    bench.peer.close()  # now ICMP port unreachable comes back for each
    for _ in range(5):
        bench.poke()
        time.sleep(0.02)
    bench.a.ip("link set out down")
    bench.poke()
    bench.a.ip("link set out up")
    peer = Peer(bench.b, "10.1.0.2", bench.keys.public, bench.target, key=bench.peer.key, port=bench.peer.port)
    assert peer.handshake(5, when=time.time() + 1) and peer.echo("10.9.0.2", "10.9.0.1")


@scenario(seconds=60)
def error_of_one_peer_costs_another_nothing(lab):
    """A peer whose port is closed (ICMP errors come back) beside a good one: the good one loses no packet."""
    bench = Bench(lab, peers=2)
    bench.connect(0), bench.connect(1)
    bench.peers[1].close()
    noise = lab.start(bench.a, "ping", "-q", "-n", "-i", "0.003", "10.9.0.3", stdout=-3)
    lost = sum(not bench.echo(0, seconds=0.5) for _ in range(200))
    noise.kill()
    assert lost == 0


# --- quality of the network --------------------------------------------------------------------------


@scenario(seconds=150)
def loss_15_percent(lab):
    """15 % each way: handshakes succeed in the end, data loss is the link's loss, TCP completes (F-N1)."""
    a, b = lab.pair()
    for ns in (a, b):
        ns.filter("input", "udp dport 51820 numgen random mod 100 < 15 drop")
    ea, eb = lab.tunnel(a, b, (None, OTHER))
    wait_until(lambda: a.ping("10.9.0.2", 1, wait=1) == 1, 60, "the first packet through")
    count = 1500
    got = a.ping("10.9.0.2", count, interval=0.004, wait=1)
    want = count * 0.85 * 0.85
    print(f"{got} of {count} came back, {want:.0f} expected")
    assert abs(got - want) < 6 * (count * 0.7225 * 0.2775) ** 0.5
    seconds = copy_over_tcp(lab, a, b, "10.9.0.2", 1, 7001, timeout=100)
    print(f"1 MB in {seconds:.1f} s")


@scenario(seconds=60)
def reordered_and_duplicated_packets(lab):
    """A relay that mixes and doubles datagrams: each arrives exactly once (F-N2, F-N3)."""
    bench = Bench(lab)
    peer, session = bench.peer, bench.connect()
    receiver = bench.a.udp("10.9.0.1", 6000)
    import random
    chosen = random.Random(7)
    packets = [session.seal(udp("10.9.0.2", "10.9.0.1", 5, 6000, struct.pack("<I", i))) for i in range(4000)]
    order = sorted(range(len(packets)), key=lambda i: i + chosen.random() * 3000)
    for n, i in enumerate(order):
        peer.send(packets[i])
        if chosen.random() < 0.3:
            peer.send(packets[i])
        if n % 20 == 0:
            time.sleep(0.002)
    receiver.settimeout(0.3)
    got = []
    with contextlib.suppress(TimeoutError):
        while True:
            got.append(struct.unpack("<I", receiver.recv(100))[0])
    assert len(got) == len(set(got)), "delivered twice"
    assert len(got) == len(packets), f"{len(packets) - len(got)} lost"


@scenario(seconds=60)
def order_is_kept(lab):
    """Packets of one flow leave and arrive in order, whatever works on them in parallel."""
    a, b = lab.pair()
    lab.tunnel(a, b, (None, OTHER))
    assert a.ping("10.9.0.2", 2) == 2
    for sender_ns, receiver_ns, source, target in ((a, b, "10.9.0.1", "10.9.0.2"), (b, a, "10.9.0.2", "10.9.0.1")):
        receiver, sender = receiver_ns.udp(target, 6000), sender_ns.udp(source)
        receiver.settimeout(5)
        for i in range(0, 3000, 50):  # the next ones when these have arrived, so that nobody is overrun
            for n in range(i, i + 50):
                sender.sendto(struct.pack("<I", n) + bytes(n % 1300), (target, 6000))
            got = [struct.unpack("<I", receiver.recv(2000)[:4])[0] for _ in range(50)]
            assert got == list(range(i, i + 50)), "out of order"


@scenario(seconds=30)
def fl10_queue_to_a_dead_endpoint_is_bounded(lab):
    """A flood toward a peer that never answers costs bounded memory and then nothing."""
    bench = Bench(lab)
    before = bench.engine.resident()
    sender = bench.a.udp("10.9.0.1")
    end = time.monotonic() + 3
    while time.monotonic() < end:
        for _ in range(100):
            with contextlib.suppress(OSError):
                sender.sendto(bytes(1300), ("10.9.0.2", 9))
    grown = bench.engine.resident() - before
    print(f"grown by {grown >> 10} KiB")
    assert grown < 32 << 20
    assert len([m for m in bench.peer.drain() if m[0] == INITIATION]) <= 2


# --- silence -----------------------------------------------------------------------------------------


@scenario(seconds=120)
def fa10_idle_is_silence(lab):
    """A minute without packets where no keepalive is set; with one, a packet per interval and no echo of it."""
    a, b = lab.pair()
    lab.tunnel(a, b, (None, OTHER))
    c, d = lab.pair()
    keys = [Keys(), Keys()]
    second = [lab.engine("wgc", c), lab.engine("wgd", d, kind=OTHER)]
    for i, engine in reversed(list(enumerate(second))):  # the one that waits first
        engine.configure(keys[i].private, 51820, peers=[{
            "public": keys[1 - i].public, "allowed": f"10.8.0.{2 - i}/32", "keepalive": 5 if i == 0 else 0,
            "endpoint": "10.1.0.2:51820" if i == 0 else None}])
        engine.up(f"10.8.0.{i + 1}/24")
    assert a.ping("10.9.0.2", 3) == 3 and b.ping("10.9.0.1", 3) == 3 and c.ping("10.8.0.2", 3) == 3
    time.sleep(11.5)  # passive keepalives of what was just received
    quiet, regular = lab.sniffer(b, "out"), lab.sniffer(d, "out")
    time.sleep(60)
    quiet.stop(), regular.stop()
    assert [(d.type, len(d.payload)) for d in quiet.datagrams()] == []
    ours = [d for d in regular.datagrams() if not d.outgoing]
    theirs = [d for d in regular.datagrams() if d.outgoing]
    print([(round(d.when - ours[0].when, 2), d.type, len(d.payload)) for d in ours])
    assert 11 <= len(ours) <= 13 and all(d.type == DATA and len(d.payload) == 32 for d in ours)
    assert not theirs, "a keepalive was answered"


@scenario(seconds=150, lacks="wakes once a second", unsanitized="wakes by itself")
def idle_engine_does_not_wake(lab):
    """A minute without one context switch in any thread, after traffic; with little memory."""
    a, b = lab.pair()
    ea, eb = lab.tunnel(a, b)
    lone = lab.engine("wgl", lab.namespace())
    assert a.ping("10.9.0.2", 20) == 20
    time.sleep(27)  # passive keepalives, new-handshake timers
    before = [engine.context_switches() for engine in (ea, eb, lone)]
    time.sleep(60)
    after = [engine.context_switches() for engine in (ea, eb, lone)]
    woken = [f"{key}: {row[key] - old.get(key, 0)}" for old, row in zip(before, after) for key in row
             if row[key] != old.get(key, 0)]
    assert not woken, woken
    for engine in (ea, eb, lone):
        print(f"{engine.name}: {engine.resident() >> 10} KiB, {len(engine.context_switches())} threads")
        assert engine.resident() < 10 << 20
