"""Rows of handshakes: how many a second, and what a flood of them does to a stream. Needs bench_handshakes.

The engines, and the stream between them, on the first core; who sends handshakes on the second, behind the first engine.
"""
import contextlib
import json
import os
import pathlib
import subprocess
import time

import process
import traffic
from rounds import brief, say
from tunnel import Tunnel
from world import Failure, ending

PEERS = 1000
HERD = 100
HONEST = "10.64.0.0/16"   # where peers speak from: a source is limited under load
STRANGERS = "10.{}.0.0/16"  # where others do, each time from another one
STRANGERS_FROM, STRANGERS_TO = 65, 127
SPOOFED = "198.18.0.0/15"
TO = "10.1.0.1:51820"
SHAKING = 8               # seconds: a try, its retry after 5 s and some jitter, and time to spare
CORES = sorted(os.sched_getaffinity(0))


def pin(tunnel, core):
    """All that is and will be of the engines."""
    for engine in tunnel.engines:
        for pid in process.tree(engine.process.pid):
            for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
                with contextlib.suppress(ProcessLookupError):
                    os.sched_setaffinity(int(task.name), {core})


class Field:
    """A tunnel whose first engine has many peers more, and the program that plays them from the client's host."""

    def __init__(self, bench, kind, peers=PEERS):
        self.program = str(pathlib.Path(bench.build, "bench_handshakes").resolve())
        if not os.path.exists(self.program):
            raise Failure("bench_handshakes is not built")
        if len(CORES) < 2:
            raise Failure("needs two cores")
        self.moves = 0
        self.tunnel = Tunnel(kind, f"field{peers}-{kind.name[0]}")
        try:
            self.prepare(peers)
        except Exception:
            self.end()
            raise

    def prepare(self, count):
        tunnel = self.tunnel
        self.settle(HONEST)
        tunnel.a.ip(f"route add {SPOOFED} via 10.1.0.2")
        words = (self.program, "--print-peers", "--peers")
        peers = tunnel.client.run(*words, str(count), capture_output=True).stdout
        others = tunnel.client.run(*words, str(HERD), "--seed", "2", capture_output=True).stdout
        path = pathlib.Path("/run/bench/peers")
        path.write_text(peers + others.replace("AllowedIPs = 100.64.", "AllowedIPs = 100.128."))
        self.empty = tunnel.engines[0].memory()[1]
        tunnel.a.run("wg", "addconf", tunnel.engines[0].interface, str(path), capture_output=True)
        pin(tunnel, CORES[0])
        # Their sessions are there before a flood, so that none of them is taken for its growth, and they are known.
        for _ in range(5):
            with ending(self.start_herd()) as herd:
                if self.herd_p99(herd) < SHAKING:
                    return
        raise Failure("the honest peers do not come up without a flood either")

    def settle(self, net):
        """Peers can speak from there, and are answered."""
        self.tunnel.client.ip(f"route add local {net} dev lo")
        self.tunnel.a.ip(f"route add {net} via 10.1.0.2")

    def start(self, core, *options):
        return self.tunnel.client.start("taskset", "-c", str(core), self.program, "--json", "--to", TO, "--server-key",
                                        self.tunnel.keys[0][1], *options, stdout=subprocess.PIPE)

    def say(self, running, seconds):
        try:
            return json.loads(running.communicate(timeout=2 * seconds + 20)[0])
        except (subprocess.TimeoutExpired, ValueError):
            raise Failure("bench_handshakes gave no answer") from None

    def rate(self, seconds):
        with ending(self.start(CORES[1], "--peers", str(PEERS), "--seconds", str(seconds), "--sources", HONEST)) as running:
            return {"rate": self.say(running, seconds)["per_second"]}

    def stream(self, seconds):
        return traffic.tcp(self.tunnel, seconds, prefix=("taskset", "-c", str(CORES[0])))["gbps"]

    def start_herd(self, *more, sources=HONEST):
        """A hundred honest peers, who shake hands within 2 s."""
        return self.start(CORES[0], "--peers", str(HERD), "--herd", "2000", "--seconds", str(SHAKING), "--sources", sources, *more)

    def start_strangers(self):
        """A hundred others, from where nobody has spoken yet."""
        self.moves += 1
        net = STRANGERS.format(STRANGERS_FROM + self.moves % (STRANGERS_TO - STRANGERS_FROM))
        self.settle(net)
        return self.start_herd("--seed", "2", sources=net)

    def herd_p99(self, running):
        """In seconds. One that did not come through counts all the time it had."""
        said = self.say(running, SHAKING)
        return said["latency_ms"]["p99"] / 1e3 if said["up"] >= 0.99 * said["peers"] else float(SHAKING)

    def flooded(self, seconds, per_second=0):
        """The stream, and honest handshakes besides, in a flood that is there from before to after them."""
        words = ["--flood", "valid-mac1", "--seconds", "60", "--sources", SPOOFED, "--pps", str(per_second)]
        with ending(self.start(CORES[1], *words)), ending(self.start_herd()) as herd, ending(self.start_strangers()) as others:
            time.sleep(0.3)
            sent, begin = self.tunnel.client.sent("inner"), time.monotonic()
            gbps = self.stream(seconds)
            rate = (self.tunnel.client.sent("inner") - sent) / (time.monotonic() - begin)
            return {"gbps-during": gbps, "rate": rate, "handshake-p99": self.herd_p99(herd), "stranger-p99": self.herd_p99(others)}

    def measure(self, seconds):
        without = self.stream(seconds)
        before = self.tunnel.engines[0].memory()[1]
        values = self.flooded(seconds)
        return {"gbps-without": without, **values, "goodput": values["gbps-during"] / without,
                "growth": max(0, self.tunnel.engines[0].memory()[1] - before)}

    def end(self):
        self.tunnel.end()


NAMES = ("gbps-without", "gbps-during", "goodput", "rate", "handshake-p99", "stranger-p99", "growth")


class Expiring:
    """100,000 peers with a session each, that is left to expire while other rows are taken."""

    COUNT, SHAKE, LIFE = 100_000, 240, 560  # seconds; sessions go 540 s after their handshake
    NAMES = ("live", "after")

    def __init__(self, bench):
        self.field = Field(bench, bench.present["warren"], self.COUNT)
        words = ["--peers", str(self.COUNT), "--herd", "60000", "--seconds", str(self.SHAKE), "--sources", HONEST]
        with ending(self.field.start(CORES[1], *words)) as running:
            said = self.field.say(running, self.SHAKE)
        if said["up"] < self.COUNT:
            self.field.end()
            raise Failure(f"of {self.COUNT:,} peers {said['up']:,} came up in {self.SHAKE} s")
        self.live, self.end = self.bytes(), time.monotonic() + self.LIFE

    def bytes(self):
        return (self.field.tunnel.engines[0].memory()[1] - self.field.empty) * 1024 / self.COUNT

    def finish(self, bench):
        say(f"expired: {max(0, self.end - time.monotonic()):.0f} s to wait")
        time.sleep(max(0, self.end - time.monotonic()))
        values = {"live": self.live, "after": self.bytes()}
        say(f"expired warren: {brief(values)}")
        bench.keep("expired", "warren", values)
        self.field.end()


def expired(bench):
    try:
        if bench.options.quick:
            raise Failure("takes ten minutes, not with --quick")
        bench.later.append(Expiring(bench).finish)
    except Failure as why:
        say(f"expired: {why}")
        bench.miss("expired", "warren", str(why), Expiring.NAMES)


def fields(bench):
    """A field of each kind that is there; they stand until the bench ends."""
    if bench.fields is None:
        bench.fields = {}
        for name, kind in bench.present.items():
            try:
                bench.fields[name] = Field(bench, kind)
            except Failure as why:
                bench.no_field[name] = str(why)
                say(f"no flood against {name}: {why}")
    return bench.fields


def row(bench, name, names, measure):
    bench.alternate(name, names, measure, fields(bench))
    for engine, why in bench.no_field.items():
        bench.miss(name, engine, why, names)


ROWS = {
    "handshakes": lambda bench: row(bench, "handshakes", ("rate",), lambda field: field.rate(bench.options.seconds)),
    "flood": lambda bench: row(bench, "flood", NAMES, lambda field: field.measure(bench.options.seconds)),
}
