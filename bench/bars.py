"""The bars: how fast it must be. A bar that is missed is said to be missed; a figure that is not there never meets one."""
import dataclasses

from figures import FIGURES
from results import median, ratio, reason


@dataclasses.dataclass(frozen=True)
class Bar:
    work: str
    figure: str
    at_least: float = None
    at_most: float = None
    aim: float = None
    over: str = None       # a ratio over this engine, else our own value
    more: str = None       # and this figure must not be less than that engine's
    beside: str = None     # a figure that must be told together with it
    unit: str = ""


BARS = (
    Bar("TCP, one stream, over the newest wireguard-go", "tcp-1.gbps", at_least=2.5, aim=3, over="newest"),
    Bar("TCP, one stream, over Debian 12's wireguard-go", "tcp-1.gbps", at_least=12, over="debian"),
    Bar("segments per TUN read", "tcp-1.tun-read-segments", at_least=8),
    Bar("segments per UDP send", "tcp-1.udp-send-segments", at_least=8),
    Bar("segments per UDP receive", "tcp-1.udp-receive-segments", at_least=8),
    Bar("segments per TUN write", "tcp-1.tun-write-segments", at_least=8),
    Bar("CPU seconds per GB, both ends, over the newest", "tcp-1.cpu", at_most=0.33, aim=0.28, over="newest"),
    Bar("UDP 64 bytes, packets per second, over the newest's best", "udp-64.best", at_least=8, over="newest"),
    Bar("latency under a stream, p99, over the newest, at more throughput", "latency.load-p99", at_most=0.6, aim=0.4,
        over="newest", more="latency.load-gbps"),
    Bar("cipher, seal, batch of 16, 1420 bytes, as times BoringSSL's", "cipher.seal-1420-boringssl", at_most=0.8),
    Bar("cipher, open, batch of 16, 1420 bytes, as times BoringSSL's", "cipher.open-1420-boringssl", at_most=0.8),
    Bar("cipher, seal, batch of 16, 64 bytes, as times BoringSSL's", "cipher.seal-64-boringssl", at_most=0.5),
    Bar("cipher, open, batch of 16, 64 bytes, as times BoringSSL's", "cipher.open-64-boringssl", at_most=0.5),
    Bar("set of 100,000 peers", "peers.set-100000", at_most=1, unit=" s"),
    Bar("memory per peer, 100,000 peers", "peers.bytes-100000", at_most=1024, unit=" bytes"),
    Bar("memory per peer after all of 100,000 had a session that expired", "expired.after", at_most=1024, unit=" bytes"),
    Bar("set of 1,000,000 peers", "peers.set-1000000", at_most=10, unit=" s"),
    Bar("wg syncconf of 100,000 peers, one changed", "wg.syncconf", at_most=2, unit=" s"),
    Bar("wg show dump of them", "wg.dump", at_most=1, unit=" s"),
    Bar("memory of wg meanwhile", "wg.memory", at_most=200, unit=" MB"),
    Bar("wg-quick up and down of ten peers, over the newest", "updown-plain.both", at_most=0.1, over="newest"),
    Bar("the same with a default route", "updown-default.both", at_most=0.2, over="newest"),
    Bar("look-up among 1,000,000 prefixes, as times among 1,000, one by one", "lookup.growth-single", at_most=3),
    Bar("the same, sixteen at once", "lookup.growth-many", at_most=3),
    Bar("goodput kept under a flood of valid-mac1 initiations", "flood.goodput", at_least=0.8),
    Bar("an honest handshake under that flood, p99 (two round trips + 5 s)", "flood.handshake-p99", at_most=5.1, unit=" s"),
    Bar("the same, from an address never heard of", "flood.stranger-p99", at_most=5.1, unit=" s"),
    Bar("memory grown by that flood", "flood.growth", at_most=256, unit=" KB"),
    Bar("replacing 100,000 peers under traffic: p99 latency, as times without", "replace.growth", at_most=2,
        beside="replace.lost"),
)


def wanted(bar):
    sign, limit = (">=", bar.at_least) if bar.at_least is not None else ("<=", bar.at_most)
    aim = f" (aim {bar.aim:g})" if bar.aim is not None else ""
    return f"{sign} {limit:g}{bar.unit}{' x' if bar.over else ''}{aim}"


def figure_of(bar, figures):
    return ratio(figures, bar.figure, bar.over) if bar.over else median(figures, bar.figure)


def holds(bar, value):
    return value >= bar.at_least if bar.at_least is not None else value <= bar.at_most


def why_missing(bar, figures):
    why = reason(figures, bar.figure) or (reason(figures, bar.figure, bar.over) if bar.over else "")
    return f"not measured{f' ({why})' if why else ''}"


def verdict(bar, figures):
    """(met, missed or not measured, the value or None)."""
    value = figure_of(bar, figures)
    if value is None:
        return why_missing(bar, figures), None
    if not holds(bar, value):
        return "missed", value
    if bar.more:
        more = ratio(figures, bar.more, bar.over)
        if more is None:
            return "not measured (throughput beside it)", value
        if more < 1:
            return "missed (at less throughput)", value
    return "met", value


def amount(value):
    return "-" if value is None else f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def judged(figures):
    """A row for each bar: work, wanted, value as text, verdict."""
    rows = []
    for bar in BARS:
        said, value = verdict(bar, figures)
        other = median(figures, bar.beside) if bar.beside else None
        if other is not None and value is not None:
            said += f" ({FIGURES[bar.beside].title.strip()}: {other:.2g} {FIGURES[bar.beside].unit})"
        unit = "" if value is None else f"{bar.unit}{' x' if bar.over else ''}"
        rows.append((bar.work, wanted(bar), amount(value) + unit, said))
    return rows
