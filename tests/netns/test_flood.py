"""Floods, of every kind that somebody without a key can make, at modest rates: what is counted, answered and kept.

Nothing here is about speed: bench/run measures that.
"""
import base64
import json
import pathlib
import time

import pytest

from bench import PORT, Bench
from faults import Faults
from harness import Keys, scenario, wait_until, warren_path
from pywg import INITIATION, Responder

SPOOFED = "10.64.0.0/10"


class Flooded(Bench):
    """The bench, and the program that floods it or is many peers, in the peers' namespace."""

    def __init__(self, lab, **options):
        super().__init__(lab, **options)
        self.program = str(pathlib.Path(warren_path()).parent / "bench_handshakes")
        self.a.ip("route add 10.64.0.0/10 via 10.1.0.2")  # answers to the spoofed go back the way they came
        self.b.ip("route add local 10.2.0.0/16 dev lo")  # many peers, each with an address
        self.a.ip("route add 10.2.0.0/16 via 10.1.0.2")
        self.b.filter("prerouting", "ip daddr 10.64.0.0/10 counter drop")

    def argv(self, *more):
        return [self.program, "--to", f"10.1.0.1:{PORT}", "--server-key", self.keys.public, "--json", *map(str, more)]

    def flood(self, kind, pps=8000, seconds=3, sources=SPOOFED):
        where = ["--sources", sources] if sources else []
        return self.lab.start(self.b, *self.argv("--flood", kind, "--pps", pps, "--seconds", seconds, *where))

    def honest(self, *more):
        return json.loads(self.b.run(*self.argv("--sources", "10.2.0.0/16", *more), timeout=100, check=True))

    def add_peers(self, count):
        path = pathlib.Path("/run/work/many")
        path.write_text(self.b.run(self.program, "--print-peers", "--peers", count))
        self.engine.wg("addconf", "wga", str(path))

    def rejects(self):
        lines = [line[7:].split() for line in self.engine.uapi("diagnose=1\n\n").split("public_key=")[0].splitlines()
                 if line.startswith("reject=")]
        return {reason: int(count) for reason, count, *_ in lines}

    def grown(self):
        """Bytes that are its own: the share of pages of a library changes with every other program that ends."""
        files = [pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in self.engine.pids()]
        return sum(1024 * int(text.split("Anonymous:")[1].split()[0]) for text in files)

    def answers(self):
        text = self.b.run("nft", "list", "ruleset")
        return int(text.split("counter packets ")[1].split()[0])


def ended(process):
    wait_until(lambda: process.poll() is not None, 40)


@scenario(seconds=60, lacks="no diagnose=1")
@pytest.mark.parametrize("kind, reason, answered", [
    ("random", "no-wireguard-message", False),
    ("bad-mac1", "bad-mac1", False),
    ("data", "unknown-index", False),
    ("cookie", "bad-cookie-reply", False),
    ("valid-mac1", "under-load", True),
    ("bad-mac2", "under-load", True),
])
def fl1_flood_costs_counts_and_no_memory(lab, kind, reason, answered):
    """F-L1, F-L2, F-L3, F-L5, F-L7: no more answers than questions, no memory, no log, and those inside go on."""
    bench = Flooded(lab)
    bench.connect()
    ended(bench.flood(kind, seconds=2, pps=20000 if answered else 8000))
    log, memory = len(bench.engine.read_log()), bench.grown()
    before, counted = bench.answers(), bench.rejects()
    flood = bench.flood(kind, seconds=4, pps=20000 if answered else 8000)
    got = sum(bench.echo(seconds=2) for _ in range(10))
    ended(flood)
    after = wait_until(lambda: bench.rejects() if bench.rejects().get(reason, 0) > counted.get(reason, 0) else None, 3)
    print(counted, after, before, bench.answers())
    assert got >= 8, f"those inside notice: {got} of 10"
    assert (bench.answers() > before) == answered
    sent = bench.answers()
    assert sent <= sum(bench.rejects().values()), "more answers than questions"
    assert bench.grown() < memory + (1 << 20)
    assert len(bench.engine.read_log()) < log + 1000, "a log that grows with a flood"
    # It ends, and so do its consequences.
    assert wait_until(lambda: bench.peer.is_taken_at_once(), 15, "no load any more")


@scenario(seconds=90, lacks="no diagnose=1", unsanitized="too slow for this flood")
def fl3_honest_peer_gets_through(lab):
    """F-D2, F-D3, F-L3: with a cookie, at the second try at the latest but one."""
    bench = Flooded(lab)
    bench.add_peers(20)
    flood = bench.flood("valid-mac1", pps=20000, seconds=24)
    wait_until(lambda: bench.rejects().get("under-load"), 8)
    found = bench.honest("--peers", 20, "--herd", 200, "--seconds", 20)
    ended(flood)
    print(found)
    assert found["up"] == 20 and found["cookies"] > 0
    assert found["rejected"] == 0


@scenario(seconds=90, lacks="no diagnose=1")
def fl3_those_who_are_known_do_not_notice(lab):
    """F-L3: who shook hands from where it is, comes in at the first try and is asked for nothing."""
    bench = Flooded(lab)
    bench.add_peers(20)
    assert bench.honest("--peers", 20, "--herd", 200, "--seconds", 20)["up"] == 20
    floods = [bench.flood(kind, pps=20000, seconds=20) for kind in ("valid-mac1", "bad-mac2")]
    wait_until(lambda: bench.rejects().get("under-load"), 8)
    time.sleep(0.5)
    found = bench.honest("--peers", 20, "--herd", 200, "--seconds", 15)
    for flood in floods:
        flood.kill()
        ended(flood)
    print(found)
    assert found["up"] == 20
    assert found["cookies"] == found["retries"] == 0


@scenario(seconds=120, lacks="no diagnose=1")
def fn10_answers_that_are_taken_one_by_one_all_go_out(lab):
    """The host takes only the first of the cookies that it is given at once, again and again."""
    faults = Faults()
    bench = Flooded(lab, env=faults.environment)
    faults.fail("udp-send-batch-short", "EIO")
    flood = bench.flood("valid-mac1", pps=20000, seconds=12)
    wait_until(lambda: faults.failed("udp-send-batch-short") > 100, 10, "batches of cookies")
    assert wait_until(lambda: bench.peer.handshake(2), 15), "shut out"
    flood.kill()
    ended(flood)
    assert wait_until(lambda: bench.peer.is_taken_at_once(), 15, "no load any more")
    sends, packets = (bench.engine.counted(name) for name in ("udp-sends", "udp-send-packets"))
    assert packets - sends == faults.failed("udp-send-batch-short"), "what was not taken at first is lost"


@scenario(seconds=90, lacks="no diagnose=1")
def fl4_flood_from_the_honest_address(lab):
    """F-L4: a cookie belongs to an address and port, and so does the lane behind it."""
    bench = Flooded(lab)
    flood = bench.flood("valid-mac1", pps=20000, seconds=20, sources="10.1.0.2/32")
    wait_until(lambda: bench.rejects().get("under-load"), 8)
    assert wait_until(lambda: bench.peer.handshake(2), 15), "shut out by a flood in its name"
    assert bench.peer.cookie, "not under load"
    flood.kill()
    ended(flood)


@scenario(seconds=90, lacks="no diagnose=1", unsanitized="too slow for this flood")
def fd4_false_cookies_do_not_shut_out_true_ones(lab):
    bench = Flooded(lab)
    bench.add_peers(10)
    floods = [bench.flood(kind, pps=10000, seconds=24) for kind in ("valid-mac1", "bad-mac2")]
    wait_until(lambda: bench.rejects().get("under-load"), 8)
    found = bench.honest("--peers", 10, "--herd", 200, "--seconds", 20)
    for flood in floods:
        ended(flood)
    print(found)
    assert found["up"] == 10 and found["cookies"] > 0


@scenario(seconds=60, lacks="no diagnose=1")
def fl6_pending_handshake_survives_forged_responses(lab):
    """Type 2 with the live index and garbage, many of them, while the true response is on its way."""
    bench = Flooded(lab)
    bench.poke()
    message, source = bench.peer.receive(3, (INITIATION,))
    assert message
    for i in range(300):
        forged = b"\2\0\0\0" + i.to_bytes(4, "little") + message[4:8] + bytes([i % 256]) * 48
        bench.peer.send(forged + bytes(32), source)
    time.sleep(0.3)
    counted = bench.rejects()
    assert counted.get("bad-mac1", 0) + counted.get("bad-response", 0) >= 100
    response, session = Responder(bench.peer.key, message).respond()
    bench.peer.add(session)
    bench.peer.send(response, source)
    assert bench.peer.data(3)[0] and bench.echo()


@scenario(seconds=90, lacks="no diagnose=1")
def fl8_herd_of_peers_comes_up(lab):
    """F-L8: all at once after a restart. Ten thousand of them: tests/sim/test_sim_herd.c."""
    bench = Flooded(lab)
    bench.add_peers(1500)
    found = bench.honest("--peers", 1500, "--herd", 200, "--seconds", 60)
    print(found)
    assert found["up"] == 1500
    assert found["initiations"] <= 4 * 1500
    assert bench.connect()


@scenario(seconds=60, lacks="no diagnose=1")
def fd1_configuration_goes_on_in_a_flood(lab):
    """Neither timers nor the socket wait for a Diffie-Hellman or a cookie."""
    bench = Flooded(lab)
    bench.connect()
    flood = bench.flood("valid-mac1", pps=20000, seconds=6)
    wait_until(lambda: bench.rejects().get("under-load"), 8)
    for i in range(20):
        bench.engine.set(f"peer {bench.peer.key.public_text} persistent-keepalive {i + 1}")
        assert bench.engine.uapi("get=1\n\n").count(f"persistent_keepalive_interval={i + 1}\n") == 1
    # A new key is the gate's too: what the flood aims at is nobody now.
    known = bench.rejects().get("bad-mac1", 0)
    fresh = Keys()
    path = pathlib.Path("/run/work/fresh")
    path.write_text(fresh.private)
    path.chmod(0o600)
    bench.engine.set(f"private-key {path}")
    wait_until(lambda: bench.rejects().get("bad-mac1", 0) > known, 8)
    ended(flood)
    bench.peer.remote = base64.b64decode(fresh.public)
    assert bench.peer.handshake(5, when=time.time() + 2)
