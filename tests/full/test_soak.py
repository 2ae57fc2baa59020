"""Twenty minutes of everything at once between two engines: nothing wrong, and memory and descriptors stay flat.

WARREN_SOAK_SECONDS makes it shorter."""
import base64
import itertools
import os
import time

from flow import Tcp, Udp
from harness import scenario, wait_until

SECONDS = int(os.environ.get("WARREN_SOAK_SECONDS", "1200"))
# What the network does in turn, and whether a stream has a chance in it.
WEATHER = [("loss=0", True), ("loss=1", True), ("reorder=20,60", True), ("duplicate=20", True), ("delay=1,15", True),
           ("corrupt=1,3", True), ("burst=1,20", False), ("loss=10 delay=0,50,tail", False), ("truncate=2", True)]


def hexed(text):
    return base64.b64decode(text).hex()


class Settings:
    """Changes of configuration, one a call, that come round to where they began."""

    def __init__(self, a, b):
        self.a, self.b = a, b
        self.steps = itertools.cycle([self.peers, self.keepalive, self.port, self.mark, self.no_peers, self.still])

    def next(self):
        next(self.steps)()

    def peers(self):
        text = "".join(f"public_key={os.urandom(31).hex()}11\nallowed_ip=10.{64 + n // 250}.{n % 250}.0/24\n" for n in range(500))
        assert self.a.uapi(f"set=1\n{text}\n").endswith("errno=0\n\n")

    def no_peers(self):
        assert self.a.uapi(f"set=1\nreplace_peers=true\npublic_key={hexed(self.a.peer)}\nendpoint=10.1.0.2:51820\n"
                           "allowed_ip=10.9.0.2/32\nallowed_ip=fd09::2/128\n\n").endswith("errno=0\n\n")

    def keepalive(self):
        self.b.set(f"peer {self.b.peer} persistent-keepalive 1")

    def still(self):
        self.b.set(f"peer {self.b.peer} persistent-keepalive off")

    def port(self):
        self.b.set("listen-port 51999")
        self.b.set("listen-port 51820")

    def mark(self):
        self.a.set("fwmark 7")
        self.a.set("fwmark off")


def one_round(lab, a, b, relay, weather, has_streams, settings):
    relay("reset")
    wait_until(lambda: a.ns.ping("10.9.0.2", 1, wait=0.5) and b.ns.ping("10.9.0.1", 1, wait=0.5), 30, "the tunnel is whole")
    relay(f"set both {weather}")
    loads = [Udp(lab, ns, address) for ns, address in ((b.ns, "10.9.0.2"), (a.ns, "fd09::1"))]
    for load, sender in zip(loads, (a, b)):
        load.send(sender.ns, 3000, 16, 1372, rate=1000, segments=2)
        load.send(sender.ns, 6000, 64, rate=2000)
        load.send(sender.ns, 3000, 1200, rate=1000, segments=20)
    streams = [Tcp(lab, x, y, address, 4, 7000 + n) for n, (x, y, address) in enumerate(
        ((a.ns, b.ns, "10.9.0.2"), (b.ns, a.ns, "fd09::1")))] if has_streams else []
    for _ in range(4):
        time.sleep(0.3)
        settings.next()
    relay("rebind b")
    a.ns.ping("10.9.0.2", 1, wait=0.1)
    for stream in streams:
        stream.end(120)
    for load in loads:
        for number, flow in load.end().items():
            assert flow["duplicated"] == 0, (weather, number, flow)
            assert flow["reordered"] == 0 or weather.startswith(("reorder", "delay", "loss=10")), (weather, number, flow)
    lab.programs.clear()  # all have ended, and been waited for


def measures(engine):
    pids = engine.pids()
    return (engine.resident(), sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in pids),
            sum(len(os.listdir(f"/proc/{pid}/task")) for pid in pids))


@scenario(seconds=SECONDS + 300)
def mixed_load_for_a_long_time_with_flat_memory(lab):
    a, b, relay = lab.relayed(seed=20)
    keeper = lab.programs.copy()
    settings, begin, rounds, seen = Settings(a, b), time.monotonic(), 0, []
    while time.monotonic() < begin + SECONDS or rounds < 3:
        one_round(lab, a, b, relay, *WEATHER[rounds % len(WEATHER)], settings)
        lab.programs.extend(keeper)
        rounds += 1
        seen.append((time.monotonic() - begin, measures(a), measures(b)))
    settings.no_peers()
    relay("reset")
    wait_until(lambda: a.ns.ping("10.9.0.2", 1, wait=0.5), 30)
    for when, *both in seen[::max(1, len(seen) // 20)]:
        print(f"{when:6.0f} s " + "   ".join(f"{m[0] >> 10} KiB, {m[1]} descriptors, {m[2]} threads" for m in both))
    warm = [row for row in seen if row[0] > SECONDS / 4] or seen
    for which in (1, 2):
        first, last = (min(row[which][0] for row in part) for part in (warm[:6], warm[-6:]))
        assert last - first < 1 << 20, f"{(last - first) >> 10} KiB more at the end"
        assert len({row[which][2] for row in warm}) == 1, "threads come and go"
        assert max(row[which][1] for row in warm[-6:]) <= max(row[which][1] for row in warm[:6]), "descriptors are left"
