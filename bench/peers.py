"""Rows with many peers: set-up, memory of each, a get, and replacing all of them under traffic."""
import base64
import os
import statistics
import threading
import time

import traffic
from engine import Engine, new_key
from figures import PEERS
from rounds import alternate, say
from tunnel import MTU, Tunnel
from world import Failure, Host

CHUNK = 1000
MOST = {"newest": 10_000, "debian": 10_000}  # they stop at 65,536, and 50,000 take 19 s
PATIENCE = 240


def some(count, first=0):
    """Text of a set that adds so many peers, with two allowed IPs each."""
    pieces = []
    for begin in range(first, first + count, CHUNK):
        size = min(CHUNK, first + count - begin)
        keys = os.urandom(32 * size).hex()
        pieces.append("".join(
            f"public_key={keys[64 * i:64 * i + 64]}\n"
            f"allowed_ip=11.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}/32\nallowed_ip=fd11::{n >> 16:x}:{n & 65535:x}/128\n"
            for i, n in enumerate(range(begin, begin + size))))
    return pieces


def hexadecimal(text):
    return base64.b64decode(text).hex()


def loaded(kind, count):
    """An engine of its own, given so many peers: seconds of the set, bytes a peer, and seconds of a get of 100,000."""
    host = Host()
    try:
        engine = Engine(kind, host, "many0")
        try:
            private, _ = new_key()
            with open(private) as file:
                engine.ask(f"set=1\nprivate_key={hexadecimal(file.read())}\n")
            host.ip(f"link set many0 mtu {MTU} up")
            time.sleep(0.2)
            text, before = ["set=1\n", *some(count)], engine.memory()[1]
            values = {f"set-{count}": engine.ask(text, PATIENCE)[1]}
            time.sleep(0.3)
            if count > 1:
                values[f"bytes-{count}"] = (engine.memory()[1] - before) * 1024 / count
            if count == 100_000:
                values["get-100000"] = engine.ask("get=1\n", PATIENCE, keep=False)[1]
            return values
        finally:
            engine.end()
    finally:
        host.end()


def names_of(count):
    return [f"set-{count}"] + [f"bytes-{count}"] * (count > 1) + ["get-100000"] * (count == 100_000)


def counts(bench):
    return [n for n in PEERS if n <= (100_000 if bench.options.quick else 1_000_000)]


def many(bench):
    for count in counts(bench):
        measures = {name: lambda kind=kind: loaded(kind, count) for name, kind in bench.present.items()
                    if count <= MOST.get(name, count)}
        alternate(measures, 1 if count >= 1_000_000 else bench.few,
                  lambda engine, values, others: bench.keep("peers", engine, values, others),
                  lambda engine, why: bench.miss("peers", engine, why, names_of(count)), f"peers {count:,}", not bench.options.quick)
        for kind in bench.kinds:
            if kind.missing or count > MOST.get(kind.name, count):
                bench.miss("peers", kind.name, kind.missing or "stops at 65,536 peers, and is slow before", names_of(count))


class Replacing:
    """The whole configuration of engine a again and again, the live peer among 100,000, until stopped.

    Between two sets is a pause, so that the live peer's new handshake does not meet the next one.
    """

    PAUSE = 0.3

    def __init__(self, tunnel, others):
        self.engine = tunnel.engines[0]
        live = (f"public_key={hexadecimal(tunnel.keys[1][1])}\nendpoint=192.0.2.2:51820\nreplace_allowed_ips=true\n"
                "allowed_ip=10.0.0.2/32\n")
        self.text = ["set=1\nreplace_peers=true\n", live, *others]
        self.sets, self.failure, self.stopping = [], None, threading.Event()

    def once(self):
        return self.engine.ask(self.text, PATIENCE)[1]

    def __enter__(self):
        self.thread = threading.Thread(target=self.work)
        self.thread.start()
        return self

    def work(self):
        while not self.stopping.is_set():
            try:
                begin = time.time()
                self.once()
                self.sets.append((begin, time.time()))
            except Failure as why:
                self.failure = why
                return
            time.sleep(self.PAUSE)

    def covers(self, when):
        return any(begin <= when <= end for begin, end in self.sets)

    def __exit__(self, *_):
        self.stopping.set()
        self.thread.join()


def replace(bench):
    """Ours alone: the others do not take 100,000 peers. A stream of 200 Mb/s and pings, without sets and while one runs."""
    size = 100_000
    count = 2 * min(traffic.PINGS, bench.options.seconds * 150)  # about half of them meet a set
    seconds = int(count * 0.012) + 2
    names = ("p99-without", "p99-during", "growth", "lost", "set")

    def pings(tunnel):
        with traffic.stream(tunnel, seconds, options=("-b", "200M")):
            return traffic.timed_ping(tunnel, count)

    def measure(tunnel, replacing):
        without = traffic.rank([trip for _, trip in pings(tunnel)], 0.99)
        with replacing:
            trips = pings(tunnel)
        if replacing.failure:
            raise replacing.failure
        during = [trip for sent, trip in trips if replacing.covers(sent)]
        answered = [trip for trip in during if trip != traffic.LOST]
        if not answered:
            raise Failure("no ping came back while a set ran")
        p99 = traffic.rank(answered, 0.99)
        return {"p99-without": without, "p99-during": p99, "growth": p99 / without,
                "lost": 100 * (1 - len(answered) / len(during)),
                "set": statistics.median(end - begin for begin, end in replacing.sets)}

    tunnel = None
    try:
        tunnel = Tunnel(bench.present["warren"], "many-")
        others = some(size)
        say(f"replace: first set of {size:,} took {Replacing(tunnel, others).once():.2f} s")
        alternate({"warren": lambda: measure(tunnel, Replacing(tunnel, others))}, bench.few,
                  lambda engine, values, disturbance: bench.keep("replace", engine, values, disturbance),
                  lambda engine, why: bench.miss("replace", engine, why, names), "replace", not bench.options.quick)
    except Failure as why:
        bench.miss("replace", "warren", str(why), names)
    finally:
        if tunnel:
            tunnel.end()


ROWS = {"peers": many, "replace": replace}
