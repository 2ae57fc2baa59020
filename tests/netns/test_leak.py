"""What leaves a host in the clear while tunnels come, go and break: nothing. Judged by a capture at the cable."""
import contextlib
import os
import signal
import time

import pytest

from harness import processes, scenario, wait_until
from senders import BOUND, KEPT, PLAIN
from updown import STOCK, Capture, Owner, senders, unlike

PUBLIC = ("198.51.100.7", "2001:db8:7::7")  # somewhere in the internet, which the router knows
INNER = ("10.9.0.2", "fd09::2")
OWN = ("10.9.0.1", "fd09::1")
BOTH = "0.0.0.0/0, ::/0"


def told(frames, word, spans=None):
    """The marks that were seen in the clear, within these spans of time if any are given."""
    found = []
    for when, frame in frames:
        at = frame.find(word)
        if at >= 0 and (spans is None or any(begin <= when <= end for begin, end in spans)):
            found.append(frame[at:].decode(errors="replace"))
    return found


def nothing(leaked, what):
    assert not leaked, f"{len(leaked)} in the clear {what}: {sorted(set(leaked))}"


def neighbours_known(owner):
    """The cable knows where to send: what would leak leaves at once, and is not lost in a queue for ARP."""
    for address in ("10.1.0.2", "fd01::2"):
        assert owner.ns.ping(address, wait=5) == 1


def internet(owner):
    for address in PUBLIC:
        owner.router.address("lo", f"{address}/{128 if ':' in address else 32}")
    owner.router.wait_addresses(*PUBLIC)
    neighbours_known(owner)
    for address in PUBLIC:
        assert owner.ns.ping(address, wait=5) == 1, "without a tunnel it can be reached"


TARGETS = [f"{to},{source}" for to, source in zip(INNER, OWN)] + [f"{to},{source}" for to, source in zip(PUBLIC, OWN)]


def cycle(lab, rounds, allowed, plain):
    owner = Owner(lab)
    internet(owner)
    far = owner.far()
    owner.file(allowed=allowed, interface=f"Address = {OWN[0]}/24, {OWN[1]}/64")
    before, capture = owner.look(), Capture(lab, owner.ns)
    load = senders(lab, owner.ns, *TARGETS, *plain)
    spans, goes_up, goes_down = [], [], []
    for _ in range(rounds):
        begin = time.time_ns()
        owner.up()
        stands = time.time_ns()
        owner.works(INNER[0])
        ends = time.time_ns()
        owner.down()
        goes_up.append((begin, stands))
        spans.append((stands, ends))
        goes_down.append((ends, time.time_ns()))
    load.kill()
    load.wait()
    owner.wait_ends()
    frames = capture.end()
    assert len(frames) > rounds, "the capture saw nothing"
    assert far.transfer(owner.keys.public)[0] > 1000 * rounds, "no load went through the tunnel"
    nothing(told(frames, BOUND, goes_up), "from a tunnel's address, while it goes up")
    nothing([words for words in told(frames, BOUND, goes_down) if ":" not in words], "from a tunnel's address, while it goes down")
    # IPv6 lets a socket that was bound to an address send on when that is gone: while the tunnel is down there is no help.
    nothing([words for words in told(frames, BOUND) + told(frames, KEPT) if ":" not in words], "from a tunnel's address that is gone")
    nothing(told(frames, KEPT, spans) + told(frames, PLAIN, spans), "while the tunnel was up")
    if not STOCK:
        assert not unlike(before, owner.look())


@scenario(seconds=200, lacks="is no warren")
def fc12_up_and_down_leak_nothing_of_a_default_route(lab):
    """F-C12, CVE-2021-47546: rules, refusing routes and tables stand before the address, and go after the link."""
    cycle(lab, 8, BOTH, PUBLIC + INNER)


@scenario(seconds=200, lacks="is no warren")
def fc12_up_and_down_leak_nothing_of_some_networks(lab):
    cycle(lab, 8, "10.9.0.0/24, fd09::/64, 198.51.100.0/24, 2001:db8:7::/48", PUBLIC + INNER)


@pytest.mark.parametrize("allowed", [BOTH, "10.9.0.0/24, fd09::/64, 198.51.100.0/24, 2001:db8:7::/48"], ids=["default", "networks"])
@scenario(seconds=900, full=True, lacks="is no warren")
def fc12_two_hundred_times(lab, allowed):
    cycle(lab, 200, allowed, PUBLIC + INNER)


def kill(pids):
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("who", ["engine", "all"])
@scenario(seconds=120, lacks="is no warren")
def fp1_killed_in_a_full_tunnel_without_kill_switch(lab, who):
    """F-P1: SIGKILL of the engine, and of all of it at once. Then the device is gone, and so is every way out of it."""
    owner = Owner(lab)
    internet(owner)
    owner.far()
    owner.file(allowed=BOTH)
    before = owner.look()
    owner.up()
    owner.works(INNER[0])
    capture = Capture(lab, owner.ns)
    load = senders(lab, owner.ns, *PUBLIC, *INNER, *TARGETS)
    pids = owner.engines()
    assert pids, "no engine"
    kill(pids if who == "all" else pids[-1:])
    if who == "all":
        wait_until(lambda: not set(pids) & set(processes()), 10, "they are dead")
        time.sleep(1)
    else:
        owner.works(INNER[0])
    load.kill()
    load.wait()
    frames = capture.end()
    nothing(told(frames, PLAIN) + told(frames, BOUND) + told(frames, KEPT), f"when {who} died")
    owner.down(check=not STOCK)
    owner.wait_ends()
    assert not unlike(before, owner.look()), "down leaves the host as it was"
    owner.works(*PUBLIC)
    owner.up()
    owner.works(INNER[0])
    owner.down()


@scenario(seconds=120, lacks="is no warren")
def fp1_link_that_is_deleted_or_down(lab):
    """Somebody takes the device away, or down: the traffic of a full tunnel stays."""
    owner = Owner(lab)
    internet(owner)
    owner.far()
    owner.file(allowed=BOTH)
    for words in ("link set home down", "link delete home"):
        owner.up()
        owner.works(INNER[0])
        capture = Capture(lab, owner.ns)
        load = senders(lab, owner.ns, *PUBLIC, *INNER)
        owner.ns.ip(words)
        time.sleep(0.5)
        load.kill()
        load.wait()
        frames = capture.end()
        nothing(told(frames, PLAIN), words)
        owner.down(check=not STOCK)
        owner.wait_ends()
