"""How figures grow: with the packet's size, streams, workers, peers, prefixes and the rate of a flood."""
import traffic
from figures import PEERS
from flood import fields
from peers import MOST, some
from results import ENGINES, median
from rounds import points, say
from tunnel import Tunnel
from world import TROUBLE, Failure

UDP_SIZES = (64, 128, 256, 512, 1024, 1392, 4096, 8892)
MTUS = (576, 1280, 1420, 4000, 8920)
STREAMS = (1, 2, 4, 8)
WORKERS = (1, 2)
FLOODS = (1_000, 10_000, 50_000, 100_000, 200_000)


def one(name, x, y, title, engines, digits=2):
    return {"name": name, "x": x, "y": y, "title": title, "engines": engines, "digits": digits}


def sizes(bench):
    """Packet sizes: tunnels of their own over a cable that takes them whole."""
    tunnels, seconds, rounds, again = {}, min(2, bench.options.seconds), min(2, bench.few), not bench.options.quick

    def udp(tunnel, size):
        return {"pps": traffic.udp(tunnel, seconds, size)}

    try:
        for kind in bench.present.values():
            tunnels[kind.name] = Tunnel(kind, f"jumbo-{kind.name[0]}", jumbo=True)

        def tcp(tunnel, mtu):
            tunnel.set_mtu(mtu)
            return traffic.tcp(tunnel, seconds)

        by_mtu = points(MTUS, measures(tunnels, tcp), rounds, "gbps", again)
        for tunnel in tunnels.values():
            tunnel.set_mtu(8920)
        by_size = points(UDP_SIZES, measures(tunnels, udp), rounds, "pps", again)
    finally:
        for tunnel in tunnels.values():
            tunnel.end()
    return [one("tcp-by-mtu", "MTU of the tunnel", "Gb/s", "TCP, one stream, by MTU", by_mtu),
            one("udp-by-size", "bytes of payload", "packets/s", "UDP, flooded, delivered packets by size", by_size, 0)]


def measures(tunnels, measure):
    return {name: lambda x, tunnel=tunnel: measure(tunnel, x) for name, tunnel in tunnels.items()}


def streams(bench):
    found = points(STREAMS, measures(bench.tunnels, lambda tunnel, n: traffic.tcp(tunnel, bench.options.seconds, streams=n)),
                   bench.few, "gbps", not bench.options.quick)
    return [one("tcp-by-streams", "streams", "Gb/s", "TCP by streams", found)]


def workers(bench):
    """Ours alone, an engine for each number."""
    tunnels = {}
    try:
        for n in WORKERS:
            tunnels[n] = Tunnel(bench.present["warren"], f"work{n}-", options=("--workers", str(n)))

        def measure(n, count):
            return traffic.tcp(tunnels[n], bench.options.seconds, streams=count)

        found = [(count, points(WORKERS, {"warren": lambda n: measure(n, count)}, bench.few, "gbps", not bench.options.quick))
                 for count in (1, 8)]
    except Failure as why:
        say(f"workers: not measured: {why}")
        return []
    finally:
        for tunnel in tunnels.values():
            tunnel.end()
    words = {1: "one stream", 8: "eight streams"}
    return [one(f"tcp-{count}-by-workers", "workers", "Gb/s", f"TCP, {words[count]}, by workers", rows) for count, rows in found]


def peers(bench):
    """A stream while the engine has so many peers besides; and set-up and memory, out of the rows of the table."""
    tunnels = {}
    try:
        for kind in bench.present.values():
            tunnels[kind.name] = Tunnel(kind, f"peers-{kind.name[0]}")
        loaded = dict.fromkeys(tunnels, 0)

        def measure(tunnel, count):
            if count > MOST.get(tunnel.kind.name, count):
                raise Failure("not so many peers")
            more = count - loaded[tunnel.kind.name]
            if more > 0:
                tunnel.engines[0].ask(["set=1\n", *some(more, loaded[tunnel.kind.name])])
                loaded[tunnel.kind.name] = count
            return traffic.tcp(tunnel, bench.options.seconds)

        counts = [n for n in PEERS if n <= (10_000 if bench.options.quick else 100_000)]
        found = points(counts, measures(tunnels, measure), 1, "gbps", not bench.options.quick)
    finally:
        for tunnel in tunnels.values():
            tunnel.end()
    return [one("tcp-by-peers", "peers besides", "Gb/s", "TCP, one stream, beside idle peers", found)]


def flood(bench):
    """What a flood leaves of a stream, and how long those who shake hands meanwhile take."""
    taken = {}

    def measure(field, rate):
        values = field.flooded(bench.options.seconds, rate)
        taken.setdefault(field.tunnel.kind.name, {})[rate] = values
        return {"gbps": values["gbps-during"]}

    def of(figure):
        return {name: [{"x": rate, "median": values[figure]} for rate, values in sorted(rows.items())] for name, rows in taken.items()}

    found = points(FLOODS, measures(fields(bench), measure), 1, "gbps", not bench.options.quick)
    x = "initiations per second"
    return [one("goodput-by-flood", x, "Gb/s", "TCP on one core, by the rate of a flood from the other", found),
            one("handshake-by-flood", x, "s", "a handshake's p99 in a flood, of who is known", of("handshake-p99")),
            one("stranger-by-flood", x, "s", "a handshake's p99 in a flood, from an address never heard of", of("stranger-p99"))]


def of_table(name, prefix, x, y, title, digits):
    """A series whose points are rows of the table: figures that end in what they grow with."""
    def take(figures):
        found = {}
        for engine in ENGINES:
            rows = [(int(key[len(prefix):]), median(figures, key, engine)) for key in figures
                    if key.startswith(prefix) and key[len(prefix):].isdigit()]
            found[engine] = [{"x": at, "median": value} for at, value in sorted(rows) if value is not None]
        return one(name, x, y, title, found, digits)
    return take


OF_TABLE = (
    of_table("set-by-peers", "peers.set-", "peers", "s", "seconds of a set, by peers", 3),
    of_table("memory-by-peers", "peers.bytes-", "peers", "bytes", "memory of a peer, by peers", 0),
    of_table("lookup-by-prefixes", "lookup.single-", "prefixes", "ns", "a look-up, by prefixes", 1),
)


ROWS = {"by-size": sizes, "by-streams": streams, "by-workers": workers, "by-peers": peers, "by-flood": flood}


def measure(bench, names):
    found = []
    for name in names:
        try:
            found += ROWS[name](bench)
        except TROUBLE as why:
            say(f"{name}: not measured: {why!r}")
    figures = bench.results.summary(0)
    found += [take(figures) for take in OF_TABLE]
    return {series["name"]: series for series in found if any(len(rows) > 1 for rows in series["engines"].values())}
