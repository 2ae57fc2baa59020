"""The protocol on the wire, against an independent peer in Python that can be wrong on purpose."""
import base64
import contextlib
import os
import struct
import threading
import time

import pytest
from cryptography.exceptions import InvalidTag

from bench import PORT, Bench
from harness import STAND_IN, Keys, scenario, wait_until, wg_output
from pywg import (COOKIE, DATA, INITIATION, RESPONSE, ZEROS, Initiator, Key, Peer, Responder, consume_cookie,
                  cookie_reply, flood, mac2, random_index, udp, with_macs)


def flipped(message, bit):
    changed = bytearray(message)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


# --- handshake -----------------------------------------------------------------------------------


@pytest.mark.parametrize("with_psk", [False, True], ids=["plain", "psk"])
@scenario()
def python_peer_initiates(lab, with_psk):
    bench = Bench(lab, psk=wg_output("genpsk") if with_psk else None, endpoint=False)
    assert bench.endpoint() == "(none)"
    assert bench.peer.handshake(confirm=False)
    assert bench.endpoint() == f"10.1.0.2:{bench.peer.port}", "the endpoint follows the initiation"
    assert bench.engine.handshake_time(bench.peer.key.public_text) == 0, "not confirmed yet"
    assert bench.transfer() == (148, 92)
    assert bench.echo()
    assert bench.transfer() == (148 + 128, 92 + 128)  # an echo of 84 bytes, padded to 96
    assert bench.echo(family=6)
    assert abs(bench.engine.handshake_time(bench.peer.key.public_text) - time.time()) < 5


@pytest.mark.parametrize("with_psk", [False, True], ids=["plain", "psk"])
@scenario()
def python_peer_responds(lab, with_psk):
    bench = Bench(lab, psk=wg_output("genpsk") if with_psk else None)
    bench.poke()
    responder = bench.peer.answer()
    assert responder and responder.remote == base64.b64decode(bench.keys.public)
    inner, _ = bench.peer.data()
    assert inner and inner[:1] == b"\x45" and b"poke" in inner, "the packet that waited"
    assert bench.echo() and bench.echo(family=6)
    assert abs(bench.engine.handshake_time(bench.peer.key.public_text) - time.time()) < 5


@scenario()
def no_answer_to_a_wrong_initiation(lab):
    """Bad macs, lengths, types, keys, stamps: silence, and the good one passes afterwards."""
    bench = Bench(lab, endpoint=False)
    peer, now = bench.peer, time.time()

    def silent(message, what):
        peer.send(message)
        assert peer.receive(0.12) == (None, None), f"an answer to {what}"

    good = Initiator(peer.key, peer.remote, when=now)
    for bit in (0, 9, 31, 40, 8 * 8, 40 * 8 + 3, 87 * 8, 88 * 8, 115 * 8, 116 * 8, 131 * 8 + 7):
        silent(flipped(good.message, bit), f"bit {bit} flipped")
    for bit in (8 * 8 + 1, 45 * 8, 100 * 8):
        silent(with_macs(flipped(good.body, bit), peer.remote), f"bit {bit} flipped, mac1 right")
    for length in (0, 1, 4, 31, 32, 64, 92, 116, 147, 149, 300):
        silent((good.message * 3)[:length], f"{length} bytes")
    silent(with_macs(struct.pack("<I", 0x101) + good.body[4:], peer.remote), "reserved bytes")
    silent(Initiator(Key(), peer.remote).message, "a key that is no peer")
    silent(Initiator(peer.key, Key().public).message, "another engine's key")
    low = Initiator(peer.key, peer.remote)
    silent(with_macs(low.body[:8] + bytes(32) + low.body[40:], peer.remote), "an ephemeral of zeros")
    assert bench.endpoint() == "(none)", "moved by a refused message"
    assert bench.transfer() == (0, 0)
    peer.send(good.message)
    message, _ = peer.receive(2, (RESPONSE,))
    assert message, "the good one is refused"
    session = peer.add(good.consume(message))
    time.sleep(0.05)
    for when, what in ((now, "the same stamp"), (now - 1, "an older stamp"), (0, "a stamp of 1970")):
        silent(Initiator(peer.key, peer.remote, when=when).message, what)
    silent(good.message, "the same initiation")
    assert bench.echo(), "the session is hurt"
    assert peer.session is session
    assert peer.handshake(when=now + 1) and bench.echo()


@scenario(lacks="now and then answers both: the very fault")
def fh9_two_equal_initiations_one_response(lab):
    bench = Bench(lab)
    peer = bench.peer
    for i in range(25):
        initiation = Initiator(peer.key, peer.remote, when=time.time() + i)
        for _ in range(2 + i % 4):
            peer.send(initiation.message)
        first, _ = peer.receive(3, (RESPONSE,))
        answers = [m for m in [first, *peer.drain(0.1)] if m and m[0] == RESPONSE]
        assert len(answers) == 1, f"{len(answers)} responses in round {i}"
        peer.add(initiation.consume(answers[0]))
    assert bench.echo()


@scenario()
def fh8_garbage_response_does_not_block(lab):
    bench = Bench(lab)
    peer = bench.peer
    other = bench.b.udp("10.1.0.2")
    bench.poke()
    message, source = peer.receive(3, (INITIATION,))
    assert message
    own = base64.b64decode(bench.keys.public)
    index = message[4:8]
    good, session = Responder(peer.key, message).respond()
    bad = []
    for i in range(50):
        body = struct.pack("<II", RESPONSE, random_index()) + index + os.urandom(48)
        bad += [with_macs(body, own), body + bytes(32)]  # right mac1, wrong mac1
    for bit in (12 * 8 + 3, 43 * 8, 44 * 8, 59 * 8 + 7):
        bad.append(with_macs(flipped(good[:60], bit), own))
    bad.append(with_macs(good[:12] + bytes(32) + good[44:60], own))  # a low-order ephemeral
    bad.append(with_macs(good[:8] + struct.pack("<I", random_index()) + good[12:60], own))  # another index
    foreign, _ = Responder(peer.key, message).respond(psk=os.urandom(32))
    bad.append(foreign)
    for i, garbage in enumerate(bad):
        peer.send(garbage, source, other if i % 2 else None)
    time.sleep(0.2)
    assert bench.endpoint() == f"10.1.0.2:{peer.port}", "moved by a forged response"
    peer.add(session)
    peer.send(good, source)
    inner, _ = peer.data(2)
    assert inner and b"poke" in inner, "forged responses made the good one fail"
    peer.send(good, source)  # the same response again installs nothing
    assert bench.echo()


@scenario()
def fh10_psk_change_reaches_next_handshake_only(lab):
    bench = Bench(lab)
    peer, first, second = bench.peer, wg_output("genpsk"), wg_output("genpsk")
    public = peer.key.public_text
    bench.connect()
    for psk in (first, second, None):
        bench.engine.wg("set", "wga", "peer", public, "preshared-key", "/dev/stdin" if psk else "/dev/null", stdin=psk)
        assert bench.echo(), "the running session is hurt"
        old = peer.psk
        time.sleep(0.05)  # initiations closer than 20 ms are a flood
        initiation = Initiator(peer.key, peer.remote)
        peer.send(initiation.message)
        message, _ = peer.receive(2, (RESPONSE,))
        peer.psk = initiation.psk = old
        with pytest.raises(InvalidTag):
            initiation.consume(message)
        time.sleep(0.05)
        peer.psk = base64.b64decode(psk) if psk else ZEROS
        assert peer.handshake(), "the new key is not in use"
        assert bench.echo()
    assert bench.engine.show("preshared-keys").split("\t")[1].strip() == "(none)"


@scenario(seconds=90)
def fh11_private_key_flip_under_traffic(lab):
    """100 changes a second with traffic both ways; then the own key as a peer; then all is well."""
    bench = Bench(lab, peers=2)
    keys = [bench.keys, Keys()]
    hexed = [base64.b64decode(k.private).hex() for k in keys]
    bench.connect(0), bench.connect(1)
    pinger = lab.start(bench.a, "ping", "-n", "-q", "-i", "0.005", "10.9.0.2", stdout=-3)
    end, changes = time.monotonic() + 6, 0
    while time.monotonic() < end:
        assert bench.engine.uapi(f"set=1\nprivate_key={hexed[changes % 2]}\n\n").endswith("errno=0\n\n")
        changes += 1
        bench.peers[0].send(Initiator(bench.peers[0].key, base64.b64decode(keys[changes % 2].public)).message, hurry=True)
        if bench.peers[1].session:
            bench.peers[1].send(bench.peers[1].session.seal(b"\x45" + bytes(30)))
        time.sleep(0.005)
    pinger.kill()
    print(f"{changes} changes")
    assert changes > 300
    assert bench.engine.uapi(f"set=1\nprivate_key={hexed[1]}\n\n").endswith("errno=0\n\n")
    bench.engine.set(f"peer {keys[0].public} allowed-ips 10.200.0.0/16")
    assert bench.engine.uapi(f"set=1\nprivate_key={hexed[0]}\n\n").endswith("errno=0\n\n")
    assert keys[0].public not in bench.engine.show("peers")
    for peer in bench.peers:
        peer.drain()
        assert peer.handshake(5, when=time.time() + 5), "no handshake after the changes"
    assert bench.echo(0) and bench.echo(1, 6)


@scenario()
def new_private_key_ends_the_old_sessions(lab):
    """After a key change nothing is sent under the old session; a new handshake with the new key works."""
    bench = Bench(lab)
    peer = bench.peer
    old = bench.connect()
    fresh = Keys()
    bench.engine.wg("set", "wga", "private-key", "/dev/stdin", stdin=fresh.private)
    peer.drain()
    bench.poke()
    message, source = peer.receive(3)
    assert message[0] == INITIATION, "data under the old key"
    responder = Responder(peer.key, message)
    assert responder.remote == base64.b64decode(fresh.public)
    peer.remote = responder.remote
    response, session = responder.respond()
    peer.add(session)
    peer.send(response, source)
    assert peer.data(2)[0] and bench.echo()
    assert old is not peer.session


@scenario()
def fh6_low_order_peers_never_send(lab):
    """The seven points of small order may be configured, are listed, and nothing ever leaves (kernel netns.sh)."""
    bench = Bench(lab, peers=0)
    points = ["AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
              "4Ot6fDtBuK4WVuP68Z/EatoJjeucMrH9hmIFFl9JuAA=", "X5yVvKNQjCSx0LFVnIPvWwREXMRYHI6G2CJO3dCfEVc=",
              "7P///////////////////////////////////////38=", "7f///////////////////////////////////////38=",
              "7v///////////////////////////////////////38="]
    sink = bench.b.udp("10.1.0.2", 7777)
    for i, point in enumerate(points):
        bench.engine.set(f"peer {point} endpoint 10.1.0.2:7777 persistent-keepalive 1 allowed-ips 10.9.1.{i + 1}/32")
    listed = bench.engine.show("peers").split()
    assert sorted(listed) == sorted(points)
    for i in range(7):
        bench.a.ping(f"10.9.1.{i + 1}", 1, wait=0.1)
    sink.settimeout(6)
    with pytest.raises(TimeoutError):
        sink.recv(2000)
    assert all(bench.engine.transfer(point) == (0, 0) for point in points)


@scenario()
def simultaneous_initiations_with_one_peer(lab):
    """Both initiate before either answers (F-H2): the late response does not hurt the session that stands."""
    bench = Bench(lab, peers=10)
    for i, peer in enumerate(bench.peers):
        bench.poke(i)
        theirs, source = peer.receive(6, (INITIATION,))
        assert theirs
        mine = Initiator(peer.key, peer.remote, when=time.time() + 1)
        peer.send(mine.message)
        answer, _ = peer.receive(2, (RESPONSE,))
        assert answer, "no response while an initiation of its own is on the way"
        peer.add(mine.consume(answer))
        assert bench.echo(i), f"round {i}"
        response, late = Responder(peer.key, theirs).respond()
        peer.sessions[late.local] = late  # it may be taken or refused
        peer.send(response, source)
        assert bench.echo(i), f"round {i}, after the late response"


@scenario(seconds=60)
def timers_on_the_wire(lab):
    """Passive keepalive after 10 s, a new handshake 15 s after data without answer, a retry after 5 s."""
    bench = Bench(lab, peers=3)
    keepalive, handshake, retry = bench.peers
    for i in range(2):
        bench.connect(i)
    swallow = bench.a.udp("10.9.0.1", 9)
    seen, begin = {}, time.monotonic()
    for peer in bench.peers:
        peer.drain(0.02)
    keepalive.send(keepalive.session.seal(udp("10.9.0.2", "10.9.0.1", 5, 9, b"no answer")))
    bench.poke(1)
    bench.poke(2)
    assert handshake.data(1)[0]
    end = time.monotonic() + 17
    while time.monotonic() < end:
        for name, peer in (("keepalive", keepalive), ("handshake", handshake), ("retry", retry)):
            message, _ = peer.receive(0.01)
            if message and (name != "keepalive" or len(message) == 32):
                seen.setdefault(name, []).append((time.monotonic() - begin, message[0]))
    print(seen)
    (when, kind), = seen["keepalive"][:1]
    assert kind == DATA and 9.9 < when < 10.6
    kind_times = [when for when, kind in seen["handshake"] if kind == INITIATION]
    assert len(kind_times) == 1 and 14.9 < kind_times[0] < 16
    times = [when for when, kind in seen["retry"] if kind == INITIATION]
    gaps = [b - a for a, b in zip(times, times[1:])]
    assert len(times) >= 3 and all(4.9 < gap < 5.7 for gap in gaps), gaps
    swallow.close()


# --- replay, forgery, roaming ----------------------------------------------------------------------


@scenario()
def fh13_replay_from_another_source_changes_nothing(lab):
    bench = Bench(lab)
    peer = bench.peer
    session = bench.connect()
    packet = session.seal(udp("10.9.0.2", "10.9.0.1", 5, 9, b"once"))
    keepalive = session.seal()
    peer.send(packet), peer.send(keepalive)
    time.sleep(0.1)
    peer.drain(0.02)
    before, endpoint = bench.transfer(), bench.endpoint()
    handshake = bench.engine.handshake_time(peer.key.public_text)
    other = Peer(bench.b, "10.1.0.2", bench.keys.public, bench.target)
    for message in (packet, keepalive, flipped(packet, 18 * 8), flipped(packet, 8 * 8),
                    packet[:-1], packet + b"\0", session.seal(b"forged")[:-16] + bytes(16)):
        for _ in range(3):
            other.send(message)
    time.sleep(0.3)
    assert bench.endpoint() == endpoint, "a replay moved the endpoint"
    assert bench.transfer() == before, "a replay was counted as received"
    assert bench.engine.handshake_time(peer.key.public_text) == handshake
    assert other.receive(0.2) == (None, None)
    assert bench.echo()


@scenario(seconds=30)
def replay_window(lab):
    """8128 numbers back are accepted once, older ones never; each number counts once."""
    bench = Bench(lab)
    peer, session = bench.peer, bench.connect()
    inner = bench.a.udp("10.9.0.1", 6000)
    inner.settimeout(0.3)

    def arrives(counter):
        peer.send(session.seal(udp("10.9.0.2", "10.9.0.1", 5, 6000, b"%d" % counter), counter=counter))
        with contextlib.suppress(TimeoutError):
            return inner.recv(100) == b"%d" % counter
        return False

    top = 100000
    assert arrives(top) and not arrives(top)
    assert arrives(top - 8000) and not arrives(top - 8000)
    assert arrives(top - 1) and not arrives(top - 1) and not arrives(top - 9000) and not arrives(3)
    assert arrives(top + 1) and not arrives(top)
    assert not arrives((1 << 64) - 8000), "beyond the message limit"
    assert arrives(top + 2), "a refused number moved the window"


@scenario()
def fa6_roaming_v4_v6_v4_by_a_data_packet(lab):
    """The endpoint follows one fresh authenticated data packet over families, with no handshake."""
    bench = Bench(lab)
    peer = bench.peer
    bench.connect()
    assert bench.endpoint() == f"10.1.0.2:{peer.port}"
    handshake = bench.engine.handshake_time(peer.key.public_text)
    six = bench.b.udp("fd01::2", 6001)
    four = bench.b.udp("10.1.0.2", 6002)
    for sock, target, want in ((six, ("fd01::1", PORT), "[fd01::2]:6001"), (four, ("10.1.0.1", PORT), "10.1.0.2:6002"),
                               (six, ("fd01::1", PORT), "[fd01::2]:6001"),
                               (peer.sock, ("10.1.0.1", PORT), f"10.1.0.2:{peer.port}")):
        peer.send(peer.session.seal(), target, sock)  # an empty one is enough
        wait_until(lambda: bench.endpoint() == want, 2, want)
        bench.poke()
        assert peer.data(2, sock=sock)[0], "what it sends does not follow"
        assert peer.echo("10.9.0.2", "10.9.0.1", sock=sock, to=target)
    assert bench.engine.handshake_time(peer.key.public_text) == handshake
    old = peer.session.seal(counter=2)
    peer.send(old, ("fd01::1", PORT), six)
    time.sleep(0.1)
    assert bench.endpoint() == f"10.1.0.2:{peer.port}", "an old packet moved the endpoint"


@scenario()
def address_and_port_change_of_a_real_peer(lab):
    """The netns.sh roaming: the other engine's listen port and address change, one ping, the endpoint follows."""
    a, b = lab.pair()
    ea, eb = lab.tunnel(a, b, (None, "wireguard-go"))
    assert a.ping("10.9.0.2", 2) == 2
    eb.set("listen-port 9999")
    b.address("out", "10.1.0.77/24")
    b.ip("addr del 10.1.0.2/24 dev out")
    b.address("out", "10.1.0.77/24") if "10.1.0.77" not in b.ip("addr show dev out") else None
    assert b.ping("10.9.0.1", 3) >= 2
    assert ea.endpoint(ea.peer) == "10.1.0.77:9999"
    assert a.ping("10.9.0.2", 3) == 3


# --- cookies and floods ----------------------------------------------------------------------------


@scenario()
def fd7_cookie_reply_from_spoofed_source_moves_nothing(lab):
    bench = Bench(lab)
    peer = bench.peer
    bench.poke()
    message, source = peer.receive(3, (INITIATION,))
    assert message
    other = bench.b.udp("10.1.0.2", 6666)
    endpoint, before = bench.endpoint(), bench.transfer()
    reply = cookie_reply(peer.key.public, message, os.urandom(16))
    for _ in range(3):
        peer.send(reply, source, other)
    peer.send(flipped(reply, 30 * 8), source, other)
    peer.send(cookie_reply(peer.key.public, os.urandom(148), os.urandom(16)), source, other)
    time.sleep(0.2)
    assert bench.endpoint() == endpoint and bench.transfer() == before
    response, session = Responder(peer.key, message).respond()
    peer.add(session)
    peer.send(response, source)
    assert peer.data(2)[0], "a cookie reply stopped the handshake"
    peer.send(reply, source, other)
    time.sleep(0.1)
    assert bench.endpoint() == endpoint and bench.echo()


@scenario(seconds=60)
def fd6_cookie_path_both_roles(lab):
    # The engine answers a cookie reply with mac2 in its next initiation.
    bench = Bench(lab)
    peer, cookie = bench.peer, os.urandom(16)
    bench.poke()
    first, source = peer.receive(3, (INITIATION,))
    assert first and first[132:] == bytes(16), "mac2 without a cookie"
    forged = cookie_reply(Key().public, first, os.urandom(16))
    peer.send(forged, source)
    peer.send(cookie_reply(peer.key.public, first, cookie), source)
    assert peer.receive(1) == (None, None), "a cookie reply is answered at once"
    second, source = peer.receive(6, (INITIATION,))
    assert second and second[132:] == mac2(cookie, second[:132]), "no mac2, or a wrong one"
    assert Responder(peer.key, second).stamp > Responder(peer.key, first).stamp
    response, session = Responder(peer.key, second).respond()
    peer.add(session)
    peer.send(response, source)
    assert peer.data(2)[0] and bench.echo()

    # Under load it gives cookies, takes initiations with the right mac2, and its sessions go on.
    # At an address where no peer has been: those that are known need no cookie.
    bench.b.address("out", *[f"10.1.0.{i}/24" for i in range(100, 111)])
    honest = Peer(bench.b, "10.1.0.110", bench.keys.public, bench.target)
    bench.engine.set(f"peer {honest.key.public_text} allowed-ips 10.9.0.99/32")
    pid = flood(bench.b, [f"10.1.0.{i}" for i in range(100, 110)], bench.target, bench.keys.public, 15)
    if not STAND_IN:  # an answer before it would make the address known
        wait_until(lambda: "=under-load " in bench.engine.uapi("diagnose=1\n\n"), 5, "no load")
    replies, end = 0, time.monotonic() + 10
    while time.monotonic() < end and not honest.cookie:
        initiation = Initiator(honest.key, honest.remote)
        honest.send(initiation.message)
        message, _ = honest.receive(0.3, (COOKIE, RESPONSE))
        if message and message[0] == COOKIE and message[4:8] == initiation.message[4:8]:  # not of an earlier one
            assert len(message) == 64
            honest.cookie = consume_cookie(honest.remote, message, initiation.message)
            replies += 1
    assert honest.cookie, "no cookie under load"
    # A wrong mac2 is worth no response: a cookie again, or silence. Bound to the port too (F-D5).
    stranger = Peer(bench.b, "10.1.0.110", bench.keys.public, bench.target, key=honest.key)
    for _ in range(5):
        stranger.send(Initiator(honest.key, honest.remote, cookie=honest.cookie).message)
        message, _ = stranger.receive(0.2, (RESPONSE, COOKIE))
        assert message is None or message[0] == COOKIE, "a cookie of another port was taken"
        time.sleep(0.03)
    session = honest.handshake(10, when=time.time() + 1)
    assert session, "an honest initiator with a good mac2 is not answered under load"
    assert honest.echo("10.9.0.99", "10.9.0.1", 4) or honest.echo("10.9.0.99", "10.9.0.1", 4)
    got = sum(bench.echo(seconds=1) for _ in range(20))
    os.waitpid(pid, 0)
    print(f"cookie after {replies} replies; {got} of 20 echoes during the flood")
    assert got >= 15, "sessions starve under a flood"
    assert wait_until(lambda: peer.is_taken_at_once(when=time.time() + 60), 15, "no load any more")


@scenario(seconds=60)
def fd10_any_datagram_any_size(lab):
    """0 to 65507 bytes, every first byte: nothing comes back, nothing breaks."""
    bench = Bench(lab)
    peer = bench.peer
    session = bench.connect()
    noise = os.urandom(65536)
    sock = bench.b.udp("10.1.0.2")
    count = 0
    sizes = [*range(0, 260), 511, 512, 1023, 1500, 2048, 4096, 9000, 16384, 65000, 65506, 65507]
    for size in sizes:
        for kind in range(0, 6):
            body = (struct.pack("<I", kind) + noise)[:size]
            sock.sendto(body, bench.target)
            if size >= 16 and kind == DATA:
                sock.sendto((body[:4] + struct.pack("<I", session.remote) + body[8:])[:size], bench.target)
            count += 1
        time.sleep(0.0005)
    for first in range(256):
        sock.sendto(bytes([first]) + noise[:200], bench.target)
    six = bench.b.udp("fd01::2")
    for size in sizes:
        six.sendto(struct.pack("<I", DATA)[:size] + noise[:max(0, size - 4)], ("fd01::1", PORT))
    time.sleep(0.2)
    sock.settimeout(0.2)
    with pytest.raises(TimeoutError):
        sock.recv(2000)
    assert bench.engine.alive() and bench.echo()
    # Large authentic ones: beyond any MTU, inner length lies.
    for size in (1500, 9000, 40000, 65000):
        peer.send(session.seal(udp("10.9.0.2", "10.9.0.1", 5, 9, bytes(size))))
    assert bench.echo() and bench.peer.handshake()


@scenario(seconds=40)
def fh3_link_up_down_storm_with_traffic(lab):
    bench = Bench(lab, peers=2)
    pinger = lab.start(bench.a, "ping", "-n", "-q", "-i", "0.002", "10.9.0.2", stdout=-3, stderr=-3)
    stop = threading.Event()

    def talk():
        i = 0
        while not stop.is_set():
            for peer in bench.peers:
                i += 1
                peer.send(Initiator(peer.key, peer.remote, when=time.time() + i * 0.02).message,
                          hurry=True)
                while True:
                    message, source = peer.receive(0.001)
                    if message is None:
                        break
                    with contextlib.suppress(InvalidTag, AssertionError):
                        if message[0] == INITIATION:
                            response, session = Responder(peer.key, message).respond()
                            peer.send(response, source)
                            peer.add(session)
                if peer.session:
                    peer.send(peer.session.seal(b"\x45" + bytes(40)))

    thread = threading.Thread(target=talk, daemon=True)
    thread.start()
    end, rounds = time.monotonic() + 6, 0
    while time.monotonic() < end:
        bench.a.ip("link set wga down")
        bench.a.ip("link set wga up")
        rounds += 1
    stop.set()
    thread.join()
    pinger.kill()
    print(f"{rounds} rounds")
    for peer in bench.peers:
        peer.drain(0.02)
        assert peer.handshake(5, when=time.time() + 600), "no handshake after the storm"
    assert bench.echo(0) and bench.echo(1)


@scenario(seconds=30, lacks="answers while its link is down")
def nothing_is_heard_or_said_while_down(lab):
    bench = Bench(lab)
    bench.connect()
    bench.a.ip("link set wga down")
    time.sleep(1.2)
    bench.peer.drain(0.05)
    bench.peer.send(Initiator(bench.peer.key, bench.peer.remote, when=time.time() + 1).message)
    assert bench.peer.receive(0.5, (RESPONSE,)) == (None, None), "an answer of a link that is down"
    bench.a.ip("link set wga up")
    time.sleep(0.2)
    bench.peer.drain(0.05)
    assert bench.peer.handshake(8, when=time.time() + 2) and bench.echo()


# --- diagnosis -------------------------------------------------------------------------------------


@scenario(lacks="no diagnose=1")
def diagnose_tells_why_packets_were_refused(lab):
    """diagnose=1: reason, count, time and source, of the device and of the peer."""
    bench = Bench(lab)
    peer, session = bench.peer, bench.connect()

    def rejects():
        found, key = {}, None
        answer = bench.engine.uapi("diagnose=1\n\n")
        assert answer.endswith("errno=0\n\n"), answer
        for line in answer.splitlines():
            name, _, value = line.partition("=")
            if name == "public_key":
                key = bytes.fromhex(value)
            elif name == "reject":
                reason, count, sec, nsec, *source = value.split(" ")
                found[key, reason] = (int(count), int(sec) + int(nsec) / 1e9, source[0] if source else None)
            elif name == "knock":
                found["knock"] = value.split(" ")
        return found

    assert not any(reason == "bad-mac1" for _, reason in (k for k in rejects() if k != "knock"))
    stranger = Peer(bench.b, "10.1.0.2", bench.keys.public, bench.target, port=7070)
    for _ in range(3):
        stranger.send(flipped(Initiator(stranger.key, stranger.remote).message, 120 * 8))
    stranger.send(Initiator(stranger.key, stranger.remote).message)
    packet = session.seal(udp("10.9.0.2", "10.9.0.1", 5, 9, b"x"))
    for _ in range(3):
        peer.send(packet)
    peer.send(session.seal(udp("10.9.0.66", "10.9.0.1", 5, 9, b"x")))
    time.sleep(0.03)  # within 20 ms of the last initiation it would be a flood
    stale = Initiator(peer.key, peer.remote, when=1000)
    peer.send(stale.message)
    time.sleep(0.3)
    found, here = rejects(), f"10.1.0.2:{peer.port}"
    print(found)
    key = peer.key.public
    assert found[None, "bad-mac1"][0] == 3 and found[None, "bad-mac1"][2] == "10.1.0.2:7070"
    assert found[None, "replay"][0] == 2 and found[key, "replay"][0] == 2 and found[key, "replay"][2] == here
    assert found[key, "inner-source"][0] == 1
    assert found[key, "old-timestamp"][0] == 1 and found[key, "old-timestamp"][2] == here
    assert found["knock"][0] == stranger.key.public.hex() and found["knock"][1] == "1"
    for name, value in found.items():
        if name != "knock":
            assert abs(value[1] - time.time()) < 10
    assert bench.engine.uapi("diagnose=1\n\nget=1\n\n").count("errno=0") >= 1
    assert bench.keys.private not in str(found)
