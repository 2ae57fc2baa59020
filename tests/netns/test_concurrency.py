"""Changes, dumps, storms and ends in the middle of traffic. Rows F-X, F-L11 and F-D12 of the fault list."""
import base64
import contextlib
import os
import random
import re
import select
import signal
import socket
import subprocess
import threading
import time

import pytest

from bench import Bench
from flow import Tcp, Udp, bursts, mixed_load
from harness import SOCKETS, WORK, Keys, scenario, wait_until
from pywg import DATA


def hexed(text):
    return base64.b64decode(text).hex()


class Repeat:
    """Call something again and again beside the scenario; an error in it is the scenario's."""

    def __init__(self, function, pause=0.0):
        self.function, self.pause, self.count, self.trouble, self.ended = function, pause, 0, None, threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        try:
            while not self.ended.is_set():
                self.function(self.count)
                self.count += 1
                time.sleep(self.pause)
        except Exception as error:  # told by end()
            self.trouble = error

    def end(self):
        self.ended.set()
        self.thread.join(20)
        if self.trouble:
            raise self.trouble
        return self.count


def connected(lab, **options):
    a, b = lab.pair()
    engines = lab.tunnel(a, b, **options)
    assert a.ping("10.9.0.2", 3) == 3
    return engines


def whole(a, b):
    """The tunnel carries both ways. Each end sends: one that has lost its session makes another at once, while one whose
    session the other has lost waits 15 s for an answer."""
    wait_until(lambda: all([a.ns.ping("10.9.0.2", 1, wait=0.3), b.ns.ping("10.9.0.1", 1, wait=0.3)]), 8, "it works again")
    return a.ns.ping("10.9.0.2", 5) == b.ns.ping("10.9.0.1", 5) == 5


# --- peers, prefixes, keys, ports ----------------------------------------------------------------------


@scenario(seconds=60)
def fx1_peer_removed_under_traffic_both_ways(lab):
    """Twenty times away and back, with traffic both ways on the wire: never out of order, alive, and whole at the end."""
    a, b = connected(lab)
    loads = [Udp(lab, b.ns, "10.9.0.2"), Udp(lab, a.ns, "10.9.0.1", idle=1500)]
    for load, sender in zip(loads, (a, b)):
        load.send(sender.ns, 12000, 64, 1372, rate=3000, segments=8)
    for _ in range(20):
        a.set(f"peer {a.peer} remove")
        assert a.show("peers") == ""
        time.sleep(0.05)
        a.set(f"peer {a.peer} endpoint 10.1.0.2:51820 allowed-ips 10.9.0.2/32,fd09::2/128")
        time.sleep(0.1)
    for load in loads:
        flow = load.end()[1]
        assert flow["duplicated"] == flow["reordered"] == 0
    assert whole(a, b)


@scenario(seconds=60)
def fx2_same_key_added_and_removed_a_thousand_times(lab):
    """As fast as a client can, on one connection, while another peer loses nothing; then it works."""
    bench = Bench(lab, peers=2)
    bench.connect(0), bench.connect(1)
    key = bench.peers[1].key.public.hex()
    add = (f"set=1\npublic_key={key}\nendpoint=10.1.0.2:{bench.peers[1].port}\n"
           "allowed_ip=10.9.0.3/32\nallowed_ip=fd09::3/128\n\n")
    remove = f"set=1\npublic_key={key}\nremove=true\n\n"
    bench.peers[1].send(bench.peers[1].session.seal())

    def churn(_):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(10)
            sock.connect(str(bench.engine.socket))
            answers, chunk = b"", (remove + add) * 50
            sock.sendall(chunk.encode())
            while answers.count(b"errno=0\n\n") < 100:
                part = sock.recv(65536)
                assert part, answers[-200:]
                answers += part

    changing = Repeat(churn)
    lost = 0
    while changing.count < 20 and changing.thread.is_alive():
        lost += not bench.echo(0, seconds=2)
        bench.poke(1)
        bench.peers[1].send(bench.peers[1].session.seal(b"\x45" + bytes(30)))
    print(f"{changing.end() * 50} rounds")
    assert lost == 0, "changes to one peer cost another packets"
    bench.peers[1].drain(0.02)
    assert bench.peers[1].handshake(5, when=time.time() + 60) and bench.echo(1) and bench.echo(0)


@scenario(seconds=60)
def fx3_prefix_moves_between_peers_under_load(lab):
    """It belongs to one or the other at every moment: each packet reaches one of the two, none a third or nobody."""
    bench = Bench(lab, peers=3, allowed=["10.9.0.2/32, 10.20.0.0/24", "10.9.0.3/32", "10.9.0.4/32, 10.0.0.0/8"])
    bench.a.ip("route add 10.20.0.0/24 dev wga")
    for i in range(3):
        bench.connect(i)
    keys = [peer.key.public.hex() for peer in bench.peers]
    sender, count = bench.a.udp("10.9.0.1"), 3000

    def move(n):
        key = keys[1 - n % 2]
        assert bench.engine.uapi(f"set=1\npublic_key={key}\nallowed_ip=10.20.0.0/24\n\n").endswith("errno=0\n\n")

    moving = Repeat(move)
    got = [[], [], []]
    for i in range(0, count, 20):  # the next ones when these have arrived, so that nobody is overrun
        for n in range(i, i + 20):
            sender.sendto(n.to_bytes(4, "little"), (f"10.20.0.{n % 250 + 1}", 9))
        end = time.monotonic() + 5
        while sum(map(len, got)) < i + 20 and time.monotonic() < end:
            for peer in select.select(bench.peers, [], [], 0.1)[0]:
                inner, _ = peer.data(0.01)
                if inner and inner[16:18] == bytes([10, 20]):
                    got[bench.peers.index(peer)].append(int.from_bytes(inner[28:32], "little"))
    moves = moving.end()
    print(f"{moves} moves, {[len(numbers) for numbers in got]} packets")
    assert got[2] == [], "packets to a third peer"
    assert sorted(got[0] + got[1]) == list(range(count)), "lost ownership, or twice"
    assert all(got[:2])
    for numbers in got:  # an address is a flow: with several workers there is no order between them
        assert sorted(numbers, key=lambda n: n % 250) == sorted(numbers, key=lambda n: (n % 250, n)), "out of order"
    assert moves > 20


@scenario(seconds=60)
def fx4_private_key_changed_under_load(lab):
    """Ten times another key on one side and its new name on the other: alive, in order, and each key works."""
    a, b = connected(lab)
    keys = [a.keys, Keys()]
    load = Udp(lab, b.ns, "10.9.0.2")
    load.send(a.ns, 15000, 300, rate=3000, segments=4)
    for i in range(10):
        old, new = keys[i % 2], keys[1 - i % 2]
        (WORK / "private").write_text(new.private)
        a.set(f"private-key {WORK}/private")
        b.set(f"peer {old.public} remove peer {new.public} endpoint 10.1.0.1:51820 allowed-ips 10.9.0.1/32,fd09::1/128")
        wait_until(lambda: a.ns.ping("10.9.0.2", 1, wait=0.3), 8, f"traffic with key {i}")
        assert a.show("public-key").strip() == new.public
        time.sleep(0.05)
    flow = load.end()[1]
    assert flow["duplicated"] == flow["reordered"] == 0
    assert b.ns.ping("fd09::1", 5) == 5


@scenario(seconds=60)
def fx5_port_and_mark_changed_under_load(lab):
    """Fifty changes of port and mark under traffic both ways: every one is followed, no descriptor is left."""
    a, b = connected(lab)

    def descriptors():
        return sorted(re.sub(r"\d+", "N", os.readlink(fd.path)) for pid in a.pids() for fd in os.scandir(f"/proc/{pid}/fd"))

    time.sleep(0.3)  # the last client of the control socket has gone
    before = descriptors()
    loads = [Udp(lab, b.ns, "10.9.0.2"), Udp(lab, a.ns, "10.9.0.1", idle=1500)]
    for load, sender in zip(loads, (a, b)):
        load.send(sender.ns, 9000, 500, rate=3000, segments=4)
    for i in range(25):
        a.set(f"listen-port {51000 + i % 7}")
        a.set(f"fwmark {i % 3}")
        assert a.port() == 51000 + i % 7
        time.sleep(0.02)
    # The other end chooses a worker by address and port: with several, what waits for one when the port changes may be
    # overtaken by what comes to another.
    several = int(os.environ.get("WARREN_TEST_WORKERS") or os.cpu_count() // 2) > 1
    for load in loads:
        flow = load.end()[1]
        assert flow["duplicated"] == 0 and flow["reordered"] <= several * 25 * 16, flow
    wait_until(lambda: a.ns.ping("10.9.0.2", 1, wait=0.3), 3)
    assert b.endpoint(b.peer) == f"10.1.0.1:{a.port()}"
    wait_until(lambda: descriptors() == before, 3, f"the same descriptors as before: {before}, {descriptors()}")
    assert whole(a, b)


# --- dumps and large changes ------------------------------------------------------------------------------


@scenario(seconds=60)
def fx6_dump_during_mutation_is_whole(lab):
    """A hundred peers come and go in one set each: a dump has all of them or none, while traffic goes on."""
    a, b = connected(lab)
    keys = [os.urandom(31).hex() + "11" for _ in range(100)]
    text = ["set=1\n" + "".join(f"public_key={key}\n" + (f"allowed_ip=10.77.0.{n}/32\n" if adds else "remove=true\n")
                                for n, key in enumerate(keys)) + "\n" for adds in (True, False)]
    load = Udp(lab, b.ns, "10.9.0.2")
    load.send(a.ns, 12000, 200, rate=4000, segments=4)
    changing = Repeat(lambda n: a.uapi(text[n % 2]).endswith("errno=0\n\n") or pytest.fail("set"), 0.001)
    end, counts = time.monotonic() + 3, []
    while time.monotonic() < end:
        answer = a.uapi("get=1\n\n")
        assert answer.endswith("errno=0\n\n")
        peers = [line for line in answer.splitlines() if line.startswith("public_key=")]
        assert len(set(peers)) == len(peers) and f"public_key={hexed(a.peer)}" in peers
        counts.append(len(peers) - 1)
        assert answer.count("allowed_ip=10.77.0.") == counts[-1], "a peer without its prefix"
        bursts(b.ns, a.ns, "10.9.0.1", 2)
    print(f"{changing.end()} sets, {len(counts)} dumps")
    assert set(counts) <= {0, 100}, f"half a set: {set(counts)}"
    load.end_in_order()
    assert whole(a, b)


def replace_configuration(lab, peers):
    """Everything is set anew by wg syncconf, then by wg setconf, under traffic of flows that stay the same."""
    a, b = connected(lab)
    private = hexed(a.keys.private)
    keys = [os.urandom(31).hex() + "11" for _ in range(peers)]
    stays = f"public_key={hexed(a.peer)}\nallowed_ip=10.9.0.2/32\nallowed_ip=fd09::2/128\nendpoint=10.1.0.2:51820\n"

    def settings(third):
        return "set=1\nreplace_peers=true\n" + stays + "".join(
            f"public_key={key}\nreplace_allowed_ips=true\nallowed_ip=10.{64 + n // 65536}.{n // 256 % 256}.{n % 256}/32\n"
            f"allowed_ip=fd77::{third:x}:{n // 65536:x}:{n % 65536:x}/128\n" for n, key in enumerate(keys)) + "\n"

    times, sock = [], b.ns.udp("10.9.0.2", 6200)
    echo = Repeat(lambda _: sock.sendto(*sock.recvfrom(100)))
    probe = a.ns.udp("10.9.0.1")
    probe.settimeout(0.3)

    def answered(n):
        probe.sendto(n.to_bytes(8, "little"), ("10.9.0.2", 6200))
        with contextlib.suppress(TimeoutError):
            while int.from_bytes(probe.recv(100), "little") != n:
                pass
            return True
        return False

    def measure(n):
        """A peer that is replaced by itself makes a new session: what is under way then may be lost, and is sent again."""
        begin = time.monotonic()
        wait_until(lambda: answered(n), 10, "an answer")
        times.append(time.monotonic() - begin)

    measure(1 << 40)
    load = Udp(lab, b.ns, "10.9.0.2")
    load.send(a.ns, 12000, 200, rate=3000, segments=2)
    probing = Repeat(measure, 0.001)
    for third in range(3):
        begin = time.monotonic()
        assert a.uapi(settings(third)).endswith("errno=0\n\n")
        print(f"{peers} peers set in {time.monotonic() - begin:.2f} s")
        assert len(a.show("peers").split()) == peers + 1
    probing.end()
    times.sort()
    print(f"latency meanwhile: median {times[len(times) // 2] * 1e6:.0f} us, p99 {times[len(times) * 99 // 100] * 1e6:.0f} us")
    load.end_in_order()
    assert private in a.uapi("get=1\n\n")
    echo.ended.set()
    sock.sendto(b"", sock.getsockname())
    assert whole(a, b)


@scenario(seconds=60)
def fx7_everything_replaced_under_traffic(lab):
    replace_configuration(lab, 2000)


@scenario(seconds=180, full=True)
def fx7_a_hundred_thousand_peers_replaced_under_traffic(lab):
    replace_configuration(lab, 100000)


# --- storms, races, ends ----------------------------------------------------------------------------------


@scenario(seconds=60)
def fx8_up_down_storm_on_both_sides(lab):
    """Both links go down and up at their own times under traffic both ways, and a stream lives through it."""
    a, b = connected(lab)
    stream = Tcp(lab, a.ns, b.ns, "10.9.0.2", 5, 7001)
    load = Udp(lab, b.ns, "10.9.0.2")
    load.send(a.ns, 9000, 64, 1372, rate=3000, segments=4)
    chance = random.Random(8)

    def flap(engine):
        def once(_):
            engine.ns.ip(f"link set {engine.name} down")
            time.sleep(chance.random() * 0.02)
            engine.ns.ip(f"link set {engine.name} up")
            time.sleep(chance.random() * 0.1)
        return once

    storms = [Repeat(flap(engine)) for engine in (a, b)]
    time.sleep(3)
    print([storm.end() for storm in storms])
    stream.end()
    flow = load.end()[1]
    assert flow["duplicated"] == flow["reordered"] == 0
    assert whole(a, b)


@scenario(seconds=60)
def fx9_late_and_doubled_handshakes_install_no_key_twice(lab):
    """Handshakes from both sides at once, each message twice and up to 40 ms late, under traffic, again and again.

    Were one response consumed twice, the same keys would begin anew at counter 0: two datagrams with the same receiver
    index and counter and other bytes."""
    a, b, relay = lab.relayed(seed=9)
    relay("set both/123 duplicate=100,2 delay=0,40")
    capture = WORK / "capture"
    relay(f"record {capture}")
    assert a.ns.ping("10.9.0.2", 3, wait=8) == 3
    traffic = [lab.start(engine.ns, "ping", "-q", "-n", "-i", "0.002", address, stdout=subprocess.DEVNULL)
               for engine, address in ((a, "10.9.0.2"), (b, "10.9.0.1"))]
    for round_ in range(12):
        for engine in (a, b):
            engine.ns.ip(f"link set {engine.name} down")
        for engine in (a, b):
            engine.ns.ip(f"link set {engine.name} up")
        wait_until(lambda: a.ns.ping("10.9.0.2", 1, wait=0.2), 8, f"round {round_}")
    for program in traffic:
        program.kill()
    relay("record")
    relay("reset")
    seen, data, at, kinds = {}, capture.read_bytes(), 0, {1: 0, 2: 0}
    while at < len(data):
        direction, length = data[at], int.from_bytes(data[at + 1:at + 5], "little")
        message = data[at + 5:at + 5 + length]
        at += 5 + length
        kinds[message[0]] = kinds.get(message[0], 0) + 1
        if message[0] == DATA:
            assert seen.setdefault((direction, message[4:16]), message) == message, "a counter was used twice with one key"
    print(kinds)
    assert kinds[1] >= 12 and kinds[2] >= 12 and kinds[DATA] > 100
    assert whole(a, b)


def state_fresh(lab, a, b):
    pass


def state_handshake_pending(lab, a, b):
    b.ns.filter("input", "udp dport 51820 drop")
    a.ns.ip("link set wga down")
    a.ns.ip("link set wga up")
    a.ns.ping("10.9.0.2", 3, wait=0.05)


def state_under_load(lab, a, b):
    assert a.ns.ping("10.9.0.2", 1) == 1
    Udp(lab, b.ns, "10.9.0.2").send(a.ns, 1000000, 64, 1372)
    Udp(lab, a.ns, "10.9.0.1").send(b.ns, 1000000, 1200, segments=16)
    time.sleep(0.3)


def state_link_down(lab, a, b):
    assert a.ns.ping("10.9.0.2", 1) == 1
    a.ns.ip("link set wga down")


def state_nobody_there(lab, a, b):
    a.set(f"peer {a.peer} remove")
    a.ns.ping("10.9.0.2", 3, interval=0.001, wait=0.01)


def state_client_connected(lab, a, b):
    lab.client = socket.socket(socket.AF_UNIX)
    lab.client.connect(str(a.socket))
    lab.client.sendall(b"set=1\nprivate_k")


def state_many_peers(lab, a, b):
    keys = [os.urandom(31).hex() + "11" for _ in range(3000)]
    text = "set=1\n" + "".join(f"public_key={key}\nallowed_ip=10.44.{n // 250}.{n % 250}/32\n"
                               for n, key in enumerate(keys)) + "\n"
    Repeat(lambda _: a.uapi(text))  # until the socket is gone
    time.sleep(0.05)


def state_moved(lab, a, b):
    other = lab.namespace()
    a.ns.run("ip", "link", "set", "wga", "netns", other.path)


STATES = [state_fresh, state_handshake_pending, state_under_load, state_link_down, state_nobody_there,
          state_client_connected, state_many_peers, state_moved]


@pytest.mark.parametrize("state", STATES, ids=[state.__name__[6:] for state in STATES])
@scenario(seconds=40)
def fx10_shutdown_in_any_state(lab, state):
    """SIGTERM is heard at once, whatever goes on; device and socket are gone, and nothing is left."""
    a, b = lab.pair()
    a, b = lab.tunnel(a, b)
    state(lab, a, b)
    begin = time.monotonic()
    assert a.stop(5) == 0, "another exit code"
    print(f"{time.monotonic() - begin:.2f} s")
    assert not (SOCKETS / "wga.sock").exists()
    assert "wga" not in a.ns.ip("-o link show"), "the device is left"
    assert a.pids() == []


# --- too little CPU, too little memory ----------------------------------------------------------------------


@scenario(seconds=60)
def fl11_little_cpu_makes_no_reorder_and_no_expiry(lab):
    """The engine gets a tenth of the time, in slices: late, but in order, with the session that stood."""
    a, b = connected(lab)
    session = b.handshake_time(b.peer)
    load = Udp(lab, b.ns, "10.9.0.2")
    load.send(a.ns, 8000, 64, 1372, rate=2000, segments=2)
    end = time.monotonic() + 4
    pids = b.pids()
    while time.monotonic() < end:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        time.sleep(0.09)
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
        time.sleep(0.01)
    flow = load.end()[1]
    assert flow["duplicated"] == flow["reordered"] == 0
    assert b.handshake_time(b.peer) == session, "the session was given up"
    assert whole(a, b)


@scenario(seconds=90, lacks="keeps pools of buffers that grow", unsanitized="maps terabytes")
def fd12_memory_is_small_and_stays_flat(lab):
    """With 256 MB for its data, and after traffic of each kind the same again costs nothing more."""
    a, b = connected(lab, wrapper=("prlimit", f"--data={256 << 20}"))
    sizes = []
    for round_ in range(4):
        for load in mixed_load(lab, a.ns, b.ns, 4000, 8, 4000):
            load.end()
        a.uapi("set=1\n" + "".join(f"public_key={os.urandom(31).hex()}11\nallowed_ip=10.66.0.{n}/32\n" for n in range(200)) + "\n")
        a.uapi(f"set=1\nreplace_peers=true\npublic_key={hexed(a.peer)}\nallowed_ip=10.9.0.2/32\nallowed_ip=fd09::2/128\n"
               "endpoint=10.1.0.2:51820\n\n")
        assert whole(a, b)
        sizes.append((a.resident(), b.resident()))
    print([(one >> 10, two >> 10) for one, two in sizes])
    for one, two in zip(sizes[1], sizes[-1]):
        assert two - one < 1 << 20, f"{(two - one) >> 10} KiB more after the same again"
        assert two < 64 << 20
