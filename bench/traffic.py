"""Traffic through a tunnel, from a or from the client behind it to b: TCP and UDP by iperf3, round trips by ping."""
import contextlib
import json
import re
import subprocess
import time

from tunnel import FAR
from world import Failure, ending

WARM_UP = 1
PINGS = 500
PORT = "5201"
LOST = 10_000.0  # ms: what a ping counts that had no answer


@contextlib.contextmanager
def server(tunnel, prefix=()):
    with ending(tunnel.b.start(*prefix, "iperf3", "-s", "-1", "-J", "-p", PORT, stdout=subprocess.PIPE)) as process:
        end = time.monotonic() + 5
        while not tunnel.b.run("ss", "-Hltn", f"sport = :{PORT}", capture_output=True).stdout.strip():
            if time.monotonic() > end:
                raise Failure("iperf3 -s does not listen")
            time.sleep(0.02)
        yield process


def finish(process, seconds):
    """Its JSON. What it says of an error is the reason."""
    try:
        text = process.communicate(timeout=seconds)[0]
        said = json.loads(text)
    except (subprocess.TimeoutExpired, ValueError):
        raise Failure("iperf3 came to no end") from None
    if "error" in said:
        raise Failure(f"iperf3: {said['error']}")
    return said


@contextlib.contextmanager
def stream(tunnel, seconds, streams=1, client=None, prefix=(), options=()):
    """A TCP run in the background; the client process, past its warm-up."""
    with server(tunnel, prefix) as far:
        words = [*prefix, "iperf3", "-c", FAR, "-p", PORT, "-t", str(seconds), "-O", str(WARM_UP), "-P", str(streams), "-J"]
        with ending((client or tunnel.a).start(*words, *options, stdout=subprocess.PIPE)) as near:
            time.sleep(WARM_UP + 0.1)
            yield near
        far.wait(timeout=10)


def tcp(tunnel, seconds, streams=1, client=None, prefix=()):
    """Received Gb/s, retransmits, CPU seconds per GB of both engines, and the counters' differences of both."""
    tunnel.check()
    with stream(tunnel, seconds, streams, client, prefix) as process:
        counted, begin, used = tunnel.counters(), time.monotonic(), tunnel.cpu_seconds()
        time.sleep(max(0.5, seconds - 0.3))
        used = [after - before for after, before in zip(tunnel.cpu_seconds(), used)]
        wall = time.monotonic() - begin
        counted = [{name: row[name] - old.get(name, 0) for name in row} for row, old in zip(tunnel.counters(), counted)]
        end = finish(process, seconds + 20)["end"]
    rate = end["sum_received"]["bits_per_second"]
    if not rate:
        raise Failure("nothing was received")
    gigabytes = rate / 8e9 * wall
    return {"gbps": rate / 1e9, "retransmits": end["sum_sent"].get("retransmits", 0), "cpu-sender": used[0] / gigabytes,
            "cpu-receiver": used[1] / gigabytes, "cpu": sum(used) / gigabytes, "counters": counted}


def udp(tunnel, seconds, size, per_second=0, warm_up=WARM_UP):
    """Packets per second that the receiver got; per_second is what is offered, 0 as fast as it goes."""
    tunnel.check()
    with server(tunnel) as far:
        words = ["iperf3", "-c", FAR, "-p", PORT, "-u", "-b", str(per_second * size * 8), "-w", "4M", "-l", str(size), "-t",
                 str(seconds), "-O", str(warm_up), "-J"]
        with ending(tunnel.a.start(*words, stdout=subprocess.PIPE)) as near:
            # Its last words may be lost in its own flood; what counts is what the other end got.
            with contextlib.suppress(Failure):
                finish(near, warm_up + seconds + 10)
        far.terminate()
        got = json.loads(far.communicate(timeout=10)[0] or "{}").get("intervals", [])
    rows = [row["sum"] for row in got if not row["sum"]["omitted"] and row["sum"]["seconds"] > 0.2]
    if not rows or not sum(row["bytes"] for row in rows):
        raise Failure("nothing was received")
    return sum(row["bytes"] for row in rows) / size / sum(row["seconds"] for row in rows)


def best_rate(tunnel, size, first=8000, factor=1.4):
    """The offered rate at which most arrives: steps upwards until twice in a row far less than the best arrives."""
    best, offered, worse = (0, first), first, 0
    while worse < 2 and offered < 1_000_000:
        try:
            got = udp(tunnel, 1, size, offered, 0)
        except Failure:
            got = 0
        worse = worse + 1 if got < 0.85 * max(best[0], 1) or got < 0.5 * offered else 0
        best = max(best, (got, offered))
        offered = int(offered * factor)
    return best[1]


def rank(values, share):
    """The value that this share of all does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


PING = re.compile(r"\[([\d.]+)\] .* icmp_seq=(\d+) .* time=([\d.]+) ms$")


def timed_ping(tunnel, count=PINGS, interval=0.01):
    """(when it was sent, round trip in ms) for each ping; a lost one counts LOST, and was sent in time after one that was not."""
    out = tunnel.a.run("ping", "-D", "-i", str(interval), "-c", str(count), "-W", "1", FAR, capture_output=True, check=False,
                       timeout=count * interval * 4 + 20).stdout
    found = {int(row[2]): (float(row[1]) - float(row[3]) / 1e3, float(row[3])) for row in map(PING.match, out.splitlines()) if row}
    if not found:
        raise Failure(f"none of {count} pings got an answer")
    trips, sent = [], min(found.values())[0] - interval * min(found)
    for number in range(1, count + 1):
        sent, trip = found.get(number, (sent + interval, LOST))
        trips.append((sent, trip))
    return trips


def ping(tunnel, count=PINGS):
    return [trip for _, trip in timed_ping(tunnel, count)]
