"""The figures: what each is called, its unit, and whether more of it is better. The order is that of the table."""
import collections

Figure = collections.namedtuple("Figure", "key title unit digits more_is_better")

PEERS = (1, 1_000, 10_000, 100_000, 1_000_000)
SEGMENTS = {"tun-read": "TUN read", "udp-send": "UDP send", "udp-receive": "UDP receive", "tun-write": "TUN write"}
SIZES = (64, 256, 1420)
PREFIXES = (1_000, 10_000, 100_000, 1_000_000)
LOOKUPS = {"single": "one by one", "many": "16 at once", "chained": "each after the last"}
WORKS = {"tcp-1420": "TCP 1420", "udp-1420": "UDP 1420", "udp-64": "UDP 64 of payload"}  # of bench_offload


def throughput(row, title):
    return [
        Figure(f"{row}.gbps", title, "Gb/s", 2, True),
        Figure(f"{row}.retransmits", "  retransmits", "", 0, False),
        Figure(f"{row}.cpu-sender", "  CPU, sending engine", "s/GB", 2, False),
        Figure(f"{row}.cpu-receiver", "  CPU, receiving engine", "s/GB", 2, False),
        Figure(f"{row}.cpu", "  CPU, both engines", "s/GB", 2, False),
    ]


def udp(size):
    return [
        Figure(f"udp-{size}.flooded", f"UDP {size} bytes, flooded", "packets/s", 0, True),
        Figure(f"udp-{size}.best", f"UDP {size} bytes, at its best offered rate", "packets/s", 0, True),
    ]


def all_figures():
    rows = throughput("tcp-1", "TCP, one stream")
    rows += [Figure(f"tcp-1.{name}-segments", f"  segments per {words}", "", 1, True) for name, words in SEGMENTS.items()]
    rows += throughput("tcp-8", "TCP, eight streams") + udp(64) + udp(1200) + throughput("forward", "TCP, forwarded by a router")
    rows += [
        Figure("libcrypto.gbps", "TCP, one stream, libcrypto's cipher", "Gb/s", 2, True),
        Figure("libcrypto.cpu", "  CPU, both engines", "s/GB", 2, False),
        Figure("null.gbps", "TCP, one stream, no cipher at all", "Gb/s", 2, True),
        Figure("null.cpu", "  CPU, both engines", "s/GB", 2, False),
        Figure("latency.idle-median", "round trip, idle, median", "ms", 3, False),
        Figure("latency.idle-p99", "round trip, idle, p99", "ms", 3, False),
        Figure("latency.load-median", "round trip under a stream, median", "ms", 2, False),
        Figure("latency.load-p99", "round trip under a stream, p99", "ms", 2, False),
        Figure("latency.load-gbps", "  that stream", "Gb/s", 2, True),
        Figure("memory.idle", "memory of an engine, idle", "KB", 0, False),
        Figure("memory.idle-resident", "  resident", "KB", 0, False),
        Figure("memory.loaded", "memory of an engine, after load", "KB", 0, False),
        Figure("memory.loaded-resident", "  resident", "KB", 0, False),
        Figure("memory.wake-ups", "wake-ups of an idle engine", "/s", 2, False),
    ]
    rows += [Figure("peers.set-1", "set of a peer", "s", 4, False)]
    rows += [Figure(f"peers.set-{n}", f"set of {n:,} peers", "s", 3, False) for n in PEERS[1:]]
    rows += [Figure(f"peers.bytes-{n}", f"memory per peer, {n:,} peers", "bytes", 0, False) for n in PEERS[1:]]
    rows += [
        Figure("peers.get-100000", "get of 100,000 peers", "s", 3, False),
        Figure("wg.setconf", "wg setconf of 100,000 peers", "s", 2, False),
        Figure("wg.syncconf", "wg syncconf of them, one changed", "s", 2, False),
        Figure("wg.cpu", "  CPU of wg alone", "s", 2, False),
        Figure("wg.dump", "wg show dump of them", "s", 2, False),
        Figure("wg.memory", "  the most memory that wg had", "MB", 0, False),
        Figure("updown-plain.both", "wg-quick up and down, ten peers", "ms", 0, False),
        Figure("updown-plain.up", "  up", "ms", 0, False),
        Figure("updown-plain.down", "  down", "ms", 0, False),
        Figure("updown-default.both", "wg-quick up and down, ten peers and a default route", "ms", 0, False),
        Figure("updown-default.up", "  up", "ms", 0, False),
        Figure("updown-default.down", "  down", "ms", 0, False),
        Figure("expired.live", "memory per peer, 100,000 sessions live", "bytes", 0, False),
        Figure("expired.after", "  and after all of them expired", "bytes", 0, False),
        Figure("replace.p99-without", "round trip p99, 100,000 peers", "ms", 2, False),
        Figure("replace.p99-during", "round trip p99 while they are replaced", "ms", 2, False),
        Figure("replace.growth", "  times what it is otherwise", "x", 2, False),
        Figure("replace.lost", "  pings lost meanwhile", "%", 2, False),
        Figure("replace.set", "  such a set, under traffic", "s", 3, False),
        Figure("handshakes.rate", "handshakes, engine on one core", "/s", 0, True),
        Figure("flood.gbps-without", "TCP on one core, no flood", "Gb/s", 2, True),
        Figure("flood.gbps-during", "TCP on one core, flood from the other", "Gb/s", 2, True),
        Figure("flood.rate", "  initiations per second", "/s", 0, True),
        Figure("flood.goodput", "  goodput kept", "x", 2, True),
        Figure("flood.handshake-p99", "  an honest handshake, p99", "s", 3, False),
        Figure("flood.stranger-p99", "  one from an address never heard of, p99", "s", 3, False),
        Figure("flood.growth", "  memory grown by it", "KB", 0, False),
    ]
    rows += [Figure(f"cipher.{what}-{size}", f"cipher, {what} {size} bytes, batch of 16", "ns/packet", 0, False)
             for size in SIZES for what in ("seal", "open")]
    rows += [Figure(f"cipher.{what}-{size}-boringssl", f"  {what} {size} bytes, as times BoringSSL's", "x", 2, False)
             for size in SIZES for what in ("seal", "open")]
    rows += [Figure(f"cipher.{what}-{size}-libcrypto", f"  {what} {size} bytes, as times libcrypto's", "x", 2, False)
             for size in SIZES for what in ("seal", "open")]
    rows += [Figure(f"offload.{key}-{what}", f"{what} of super-packets, {name}", "ns/packet", 0, False)
             for key, name in WORKS.items() for what in ("split", "join")]
    rows += [
        Figure("inside.set-100000", "set of 100,000 peers, in one process", "s", 3, False),
        Figure("inside.bytes-100000", "  memory per peer", "bytes", 0, False),
        Figure("inside.expired-100000", "  after a session of each that expired", "bytes", 0, False),
        Figure("inside.hold-100000", "  longest hold of the lock, all replaced", "us", 0, False),
    ]
    for kind, words in LOOKUPS.items():
        rows += [Figure(f"lookup.{kind}-{n}", f"look-up among {n:,} prefixes, {words}", "ns", 1, False) for n in PREFIXES]
        rows += [Figure(f"lookup.growth-{kind}", "  a million, as times a thousand", "x", 2, False)]
    return {row.key: row for row in rows}


FIGURES = all_figures()
