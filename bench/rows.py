"""Rows of the table that are taken on tunnels, one of each kind, all in one run."""
import os
import pathlib
import statistics
import time

import traffic
from engine import Kind
from figures import SEGMENTS
from rounds import alternate, brief, say, undisturbed
from tunnel import Tunnel
from world import Failure

IDLE_SECONDS = 10


class Bench:
    """What all rows share: options, the kinds at hand, results, and the tunnels once they stand."""

    def __init__(self, options, kinds, results):
        self.options, self.kinds, self.results = options, kinds, results
        self.present = {kind.name: kind for kind in kinds if not kind.missing}
        self.build = options.build
        self.standing = self.fields = None
        self.no_field = {}
        self.later = []  # what is to be done when all rows have been taken

    @property
    def tunnels(self):
        if self.standing is None:
            self.standing = {}
            for i, kind in enumerate(self.present.values()):
                try:
                    self.standing[kind.name] = Tunnel(kind, f"bench{i}-")
                except Failure as why:
                    say(f"no tunnel of {kind.name}: {why}")
                    kind.missing = str(why)
        return self.standing

    def keep(self, row, engine, values, others=0.0):
        for name, value in values.items():
            if isinstance(value, (int, float)):
                self.results.add(f"{row}.{name}", engine, value, others)

    def miss(self, row, engine, why, names):
        for name in names:
            self.results.miss(f"{row}.{name}", engine, why)

    def alternate(self, row, names, measure, things=None, rounds=None):
        """measure(thing) of each engine by turns, of its tunnel if nothing else is said; names are the figures it gives."""
        things = self.tunnels if things is None else things
        alternate({engine: lambda thing=thing: measure(thing) for engine, thing in things.items()}, rounds or self.few,
                  lambda engine, values, others: self.keep(row, engine, values, others),
                  lambda engine, why: self.miss(row, engine, why, names), row, not self.options.quick)
        for kind in self.kinds:
            if kind.missing and things in (self.standing, self.fields):
                self.miss(row, kind.name, kind.missing, names)

    @property
    def few(self):
        """Rounds of a row that is not among the first."""
        return min(3, self.options.rounds)

    def end(self):
        for thing in [*(self.standing or {}).values(), *(self.fields or {}).values()]:
            thing.end()


THROUGHPUT = ("gbps", "retransmits", "cpu-sender", "cpu-receiver", "cpu")


def segments(counters):
    """Mean packets per call in the direction of the data: out of the sender's TUN, into the receiver's."""
    found = {}
    for name in SEGMENTS:
        side = counters[0] if name in ("tun-read", "udp-send") else counters[1]
        calls = side.get(f"{name}s", 0)
        if calls:
            found[f"{name}-segments"] = side.get(f"{name}-packets", 0) / calls
    return found


def tcp_1(bench):
    def measure(tunnel):
        values = traffic.tcp(tunnel, bench.options.seconds)
        return {**values, **segments(values["counters"])}

    bench.alternate("tcp-1", THROUGHPUT, measure, rounds=bench.options.rounds)


def tcp_8(bench):
    bench.alternate("tcp-8", THROUGHPUT, lambda tunnel: traffic.tcp(tunnel, bench.options.seconds, streams=8))


def forward(bench):
    bench.alternate("forward", THROUGHPUT, lambda tunnel: traffic.tcp(tunnel, bench.options.seconds, client=tunnel.client))


def variant(bench, row, words, options=()):
    """One TCP stream through another kind of Warren, of which there is a tunnel for this row alone."""
    tunnel = None
    try:
        if not os.access(words[0], os.X_OK):
            raise Failure(f"{os.path.basename(words[0])} is not built")
        tunnel = Tunnel(Kind("warren", words, ""), f"{row}-", options)
        bench.alternate(row, ("gbps", "cpu"), lambda thing: traffic.tcp(thing, bench.options.seconds), {"warren": tunnel})
    except Failure as why:
        bench.miss(row, "warren", str(why), ("gbps", "cpu"))
    finally:
        if tunnel:
            tunnel.end()


def libcrypto(bench):
    variant(bench, "libcrypto", bench.present["warren"].words, ("--cipher", "libcrypto"))


def null(bench):
    """What is left without the cipher: warren with another door to crypto, which nothing in warren can select."""
    variant(bench, "null", [str(pathlib.Path(bench.build, "bench_warren_null").resolve()), "run"])


def udp(bench, size):
    """Flooded, and at the offered rate at which most arrives: wireguard-go collapses when it is flooded."""
    seconds = min(2, bench.options.seconds)
    offered = {}
    for name, tunnel in bench.tunnels.items():
        try:
            offered[name] = traffic.best_rate(tunnel, size, factor=4 if bench.options.quick else 1.4)
            say(f"udp-{size} {name}: best offered rate {offered[name]}")
        except Failure as why:
            say(f"udp-{size} {name}: {why}")

    def measure(tunnel):
        flooded = traffic.udp(tunnel, seconds, size)
        paced = traffic.udp(tunnel, seconds, size, offered[tunnel.kind.name]) if offered.get(tunnel.kind.name) else 0
        return {"flooded": flooded, "best": max(flooded, paced)}

    bench.alternate(f"udp-{size}", ("flooded", "best"), measure)


def latency(bench):
    count = min(traffic.PINGS, bench.options.seconds * 150)
    names = ("idle-median", "idle-p99", "load-median", "load-p99", "load-gbps")

    def measure(tunnel):
        idle = traffic.ping(tunnel, count)
        seconds = int(count * 0.012) + 1
        with traffic.stream(tunnel, seconds) as process:
            load = traffic.ping(tunnel, count)
            rate = traffic.finish(process, seconds + 20)["end"]["sum_received"]["bits_per_second"]
        return {"idle-median": statistics.median(idle), "idle-p99": traffic.rank(idle, 0.99),
                "load-median": statistics.median(load), "load-p99": traffic.rank(load, 0.99), "load-gbps": rate / 1e9}

    bench.alternate("latency", names, measure, rounds=bench.options.rounds)


def idle(bench):
    """Memory and wake-ups, all engines at once: they do nothing. Then a stream through each, and memory again."""
    tunnels = bench.tunnels
    seconds = 3 if bench.options.quick else IDLE_SECONDS

    def memory(tunnel, when):
        both = [engine.memory() for engine in tunnel.engines]
        return {f"{when}-resident": statistics.mean(row[0] for row in both), when: statistics.mean(row[1] for row in both)}

    def load(tunnel):
        traffic.tcp(tunnel, bench.options.seconds, streams=8)
        return memory(tunnel, "loaded")

    def look():
        before = {name: sum(engine.switches() for engine in tunnel.engines) for name, tunnel in tunnels.items()}
        time.sleep(seconds)
        return {name: (sum(engine.switches() for engine in tunnel.engines) - before[name]) / seconds / len(tunnel.engines)
                for name, tunnel in tunnels.items()}

    time.sleep(1)
    woken, others = undisturbed(look, not bench.options.quick)
    for name, tunnel in tunnels.items():
        values = {**memory(tunnel, "idle"), "wake-ups": woken[name]}
        bench.keep("memory", name, values, others)
        say(f"memory {name}: {brief(values)}")
    bench.alternate("memory", ("idle", "idle-resident", "loaded", "loaded-resident", "wake-ups"), load, rounds=1)


ROWS = {
    "memory": idle,
    "tcp-1": tcp_1,
    "tcp-8": tcp_8,
    "forward": forward,
    "libcrypto": libcrypto,
    "null": null,
    "udp-64": lambda bench: udp(bench, 64),
    "udp-1200": lambda bench: udp(bench, 1200),
    "latency": latency,
}
