"""The engine and the Linux kernel driver as each other's peer."""
import re
import signal
import time

import pytest

from harness import WORK, Keys, scenario, wait_until, wg_output
from kernel_vm import Guest, Unavailable, prepare


@pytest.fixture(scope="session", autouse=True)
def kernel():
    try:
        return prepare()
    except Unavailable as why:
        pytest.skip(str(why))


class Tunnel:
    """Device wga, wgb … of the engine and of the guest. The one that has an endpoint initiates."""

    def __init__(self, lab, guest, ns, letter="a", initiator="engine", psk=None, outer="v4"):
        self.guest, self.ns, self.name = guest, ns, f"wg{letter}"
        n = ord(letter) - ord("a")
        port = 51820 + n
        self.net, ours, theirs = f"10.{9 + n}.0", Keys(), Keys()
        self.engine = lab.engine(self.name, ns)
        hosts = ("10.1.0.1", "10.1.0.2") if outer == "v4" else ("[fd01::1]", "[fd01::2]")
        self.peer = theirs.public
        self.engine.configure(ours.private, port, peers=[{
            "public": theirs.public, "psk": psk, "allowed": f"{self.net}.2/32, fd0{n + 2}::2/128",
            "endpoint": f"{hosts[1]}:{port}" if initiator == "engine" else None}])
        self.engine.up(f"{self.net}.1/24", f"fd0{n + 2}::1/64")
        guest.wireguard(self.name, theirs.private, port, ours.public, (f"{self.net}.2/24", f"fd0{n + 2}::2/64"),
                        f"{self.net}.1/32,fd0{n + 2}::1/128", f"{hosts[0]}:{port}" if initiator == "kernel" else None, psk)
        self.ours, self.theirs = (f"{self.net}.1", f"fd0{n + 2}::1"), (f"{self.net}.2", f"fd0{n + 2}::2")


def start(lab):
    ns = lab.namespace()
    return ns, Guest(lab, ns)


@scenario(seconds=240)
def kernel_peer_handshake_and_traffic(lab):
    """Both roles, with and without PSK, both families outside and inside; every byte counted alike at both ends."""
    ns, guest = start(lab)
    for letter, initiator, psk, outer in (("a", "engine", True, "v4"), ("b", "kernel", True, "v4"),
                                          ("c", "engine", False, "v6"), ("d", "kernel", False, "v6")):
        tunnel = Tunnel(lab, guest, ns, letter, initiator, wg_output("genpsk") if psk else None, outer)
        what = f"{initiator} initiates over {outer}"
        if initiator == "engine":
            assert ns.ping(tunnel.theirs[0], 5, wait=5) == 5, what
        else:
            assert guest.ping(tunnel.ours[0], 5) == 5, what
        for address in tunnel.theirs:
            assert ns.ping(address, 20, wait=5) == 20, what
            for size in (0, 1, 1392, 1393, 1400, 8000):
                assert ns.ping(address, 2, size=size, wait=5) == 2, f"{what}, {size} bytes"
        for address in tunnel.ours:
            assert guest.ping(address, 3, options="-s 3000") == 3, what
        time.sleep(0.3)
        assert tunnel.engine.transfer(tunnel.peer) == tuple(reversed(guest.transfer(tunnel.name))), what
        assert tunnel.engine.handshake_time(tunnel.peer) and guest.handshake_age(tunnel.name) < 60


@scenario(seconds=200, lacks="knows no ECN")
def kernel_peer_marks_ecn_alike(lab):
    """The engine puts on its outer packets the ECN marks that the kernel driver puts on its own."""
    ns, guest = start(lab)
    tunnel = Tunnel(lab, guest, ns)
    assert ns.ping(tunnel.theirs[0], 3, wait=5) == 3
    sniffer = lab.sniffer(ns, "cable")
    for tos in (0, 1, 2, 3, 0xB8):
        assert ns.ping(tunnel.theirs[0], 1, wait=5, tos=tos) == 1
    sniffer.stop()
    mine = [d.tos for d in sniffer.datagrams() if d.outgoing and d.type == 4]
    kernels = [d.tos for d in sniffer.datagrams() if not d.outgoing and d.type == 4]
    print(mine, kernels)
    assert mine == kernels, "an echo reply carries the TOS of its request: both ends must mark alike"


@scenario(seconds=260)
def kernel_peer_rekey_at_120_s(lab):
    """Traffic both ways past the renewal, once with each end as the initiator: no packet lost."""
    ns, guest = start(lab)
    tunnels = [Tunnel(lab, guest, ns, "a", "engine", wg_output("genpsk")), Tunnel(lab, guest, ns, "b", "kernel")]
    assert ns.ping(tunnels[0].theirs[0], 3, wait=5) == 3 and guest.ping(tunnels[1].ours[0], 3) == 3
    first = [tunnel.engine.handshake_time(tunnel.peer) for tunnel in tunnels]
    runs = []
    for tunnel in tunnels:
        path = WORK / f"ping-{tunnel.name}"
        with open(path, "w") as out:
            runs.append((lab.start(ns, "ping", "-n", "-i", "0.1", tunnel.theirs[0], stdout=out), path))
    time.sleep(130)
    for run, path in runs:
        time.sleep(1)
        run.send_signal(signal.SIGINT)
        run.wait(10)
        seen = {int(n) for n in re.findall(r"icmp_seq=(\d+) ttl", path.read_text())}
        lost = set(range(1, max(seen) + 1)) - seen
        assert len(seen) > 900 and not lost, f"lost: {sorted(lost)}"
    for tunnel, before in zip(tunnels, first):
        gap = tunnel.engine.handshake_time(tunnel.peer) - before
        assert 115 <= gap <= 131, f"{tunnel.name}: new session after {gap} s"
        assert tunnel.engine.transfer(tunnel.peer) == tuple(reversed(guest.transfer(tunnel.name)))


@scenario(seconds=330)
def kernel_peer_expiry_at_180_s(lab):
    """Handshakes are blocked and data is not: the session carries until 180 s and not a packet longer."""
    ns, guest = start(lab)
    tunnels = [Tunnel(lab, guest, ns, "a", "engine"), Tunnel(lab, guest, ns, "b", "kernel")]
    assert ns.ping(tunnels[0].theirs[0], 3, wait=5) == 3 and guest.ping(tunnels[1].ours[0], 3) == 3
    born = time.monotonic()
    block = [f"udp dport 51820-51821 @th,64,8 {kind} drop" for kind in (1, 2, 3)]
    ns.filter("input", *block)
    ns.run("nft", "-f", "-", stdin="\n".join(["table inet o {", "chain c {", "type filter hook output priority 0", *block,
                                              "}", "}"]) + "\n")
    while time.monotonic() - born < 172:
        for tunnel in tunnels:
            assert ns.ping(tunnel.theirs[0], 1, wait=3) == 1, f"{tunnel.name}: lost after {time.monotonic() - born:.1f} s"
        time.sleep(2)
    time.sleep(max(0, 182 - (time.monotonic() - born)))
    before = [tunnel.engine.transfer(tunnel.peer)[0] for tunnel in tunnels]
    for tunnel in tunnels:
        assert ns.ping(tunnel.theirs[0], 3, wait=1) == 0, f"{tunnel.name}: an expired key is in use"
        assert guest.ping(tunnel.ours[0], 2, options="-W 1") == 0
    assert [tunnel.engine.transfer(tunnel.peer)[0] for tunnel in tunnels] == before, "accepted after 180 s"
    ns.filter("input")
    for tunnel in tunnels:
        wait_until(lambda: ns.ping(tunnel.theirs[0], 1, wait=1) == 1 or guest.ping(tunnel.ours[0], 1, options="-W 1"), 30,
                   "a new session once handshakes pass")


@scenario(seconds=200)
def kernel_peer_over_a_bad_network(lab):
    """Netem in the guest: 15 ms of delay, jitter, 5 % loss, reordering and duplicates."""
    ns, guest = start(lab)
    tunnel = Tunnel(lab, guest, ns)
    guest.run("tc qdisc add dev eth0 root netem delay 15ms 5ms loss 5% reorder 10% duplicate 3%")
    wait_until(lambda: ns.ping(tunnel.theirs[0], 1, wait=1) == 1, 40, "a session")
    got = ns.ping(tunnel.theirs[0], 300, interval=0.03, wait=2)
    print(f"{got} of 300")
    assert 255 <= got <= 300
    guest.run("tc qdisc del dev eth0 root")
    assert ns.ping(tunnel.theirs[0], 20, wait=3) == 20
