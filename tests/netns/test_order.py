"""Nothing out of order, nothing twice, nothing changed: every length, under load, with each way of working."""
import contextlib
import os
import platform
import re

import pytest

from flow import Udp, bursts, mixed_load
from harness import scenario, wait_until

# Ways of working: what each is called, what `warren run` is told at either end, and whether make test has time for it.
OFFLOADS = ("tun-tso", "tun-uso", "join-tcp", "join-udp", "udp-gso", "udp-gro")
PLAIN = ("--cipher", "libcrypto", "--offload", "none", "--workers", "1")
EVERY = ("--offload", "all", "--workers", "4")
WAYS = [
    ("default", (), (), True),
    ("plain", PLAIN, PLAIN, True),
    ("plain-to-four-workers", PLAIN, EVERY, True),
    ("eight-workers", ("--workers", "8"), ("--workers", "8"), True),
    *((f"{cipher}-{n}-workers-{offload}", *[("--cipher", cipher, "--workers", str(n), "--offload", offload)] * 2, False)
      for cipher in ("libcrypto", "auto") for n in (1, 2, 3, 4) for offload in ("none", "all")),
    *((f"without-{name}", *[("--offload", f"-{name}")] * 2, False) for name in OFFLOADS),
    *((f"only-{name}", *[("--offload", name)] * 2, False) for name in OFFLOADS),
]


def ways():
    return pytest.mark.parametrize("args", [pytest.param((a, b), id=name, marks=[] if quick else [pytest.mark.full])
                                            for name, a, b, quick in WAYS])


@ways()
@scenario(seconds=90)
def order_and_bytes_under_load(lab, args):
    """Six UDP flows and three TCP streams at once: zero reordered, duplicated or wrong."""
    a, b = lab.pair()
    lab.tunnel(a, b, args=args)
    assert a.ping("10.9.0.2", 2) == 2
    for load in mixed_load(lab, a, b):
        load.end_in_order()
    for count, size in ((2, 1392), (16, 1200), (40, 1300), (50, 64)):
        bursts(a, b, "10.9.0.2", 20, count, size)
        bursts(b, a, "fd09::1", 20, count, size - 20)


@ways()
@scenario(seconds=90)
def order_at_full_rate(lab, args):
    """As fast as the sender can: much may be lost at the door, what arrives is in order."""
    a, b = lab.pair()
    lab.tunnel(a, b, args=args)
    assert a.ping("10.9.0.2", 2) == 2
    udp = Udp(lab, b, "10.9.0.2")
    udp.send(a, 100000, 64)
    udp.send(a, 50000, 1372, segments=40)
    udp.end_in_order()


@ways()
@scenario(seconds=60)
def every_length_arrives_unchanged(lab, args):
    """Each UDP payload of 0 to 1392 bytes and some that are fragmented, twice, both families, compared byte by byte.

    Fragments have no ports: where queues are chosen by flow they may go another way than whole packets. So these are
    sent by themselves."""
    a, b = lab.pair()
    lab.tunnel(a, b, args=args)
    assert a.ping("10.9.0.2", 2) == 2
    for source, target, most in (("10.9.0.1", "10.9.0.2", 1392), ("fd09::1", "fd09::2", 1372)):
        sender, receiver = a.udp(source), b.udp(target, 6000)
        receiver.settimeout(5)
        lengths = [*range(most + 1), *range(most, -1, -1)]
        runs = [lengths[at:at + 16] for at in range(0, len(lengths), 16)]  # so many at once, that they may be joined
        for run in [*runs, [1393, 1400, 2784, 9000, 60000]]:
            sent = [os.urandom(length) for length in run]
            for payload in sent:
                sender.sendto(payload, (target, 6000))
            with contextlib.suppress(TimeoutError):
                got = []
                while len(got) < len(sent):
                    got.append(receiver.recv(65536))
            assert list(map(len, got)) == list(map(len, sent))
            assert got == sent, "other bytes"


@pytest.mark.parametrize("outer", ["v4", "v6"])
@scenario(seconds=60)
def order_where_a_card_joins_what_comes(lab, outer):
    """Datagrams one by one on the cable, as a card without segmentation sends them, and joined by the receiver's driver:
    super-datagrams of pages and lists, with sums that nobody has checked."""
    a, b = lab.pair()
    for ns in (a, b):
        ns.offloads("out", tx=0, sg=0, tso=0, gso=0, gro=1)
    engines = lab.tunnel(a, b, outer=outer)
    assert a.ping("10.9.0.2", 2) == 2
    for load in mixed_load(lab, a, b, 8000, 10, 8000):
        load.end_in_order()
    for count, size in ((2, 1392), (16, 1200), (40, 1300), (50, 64)):
        bursts(a, b, "10.9.0.2", 20, count, size)
        bursts(b, a, "fd09::1", 20, count, size - 20)
    for engine in engines:
        if engine.counted("offload-udp-gro"):
            assert engine.counted("udp-receive-packets") > engine.counted("udp-receives"), "nothing was joined"


@scenario(seconds=60, lacks="has no switches")
def each_offload_is_in_use_unless_switched_off(lab):
    """By default all that this kernel has; the option wins over the environment."""
    everything = set(OFFLOADS)

    def in_use(args=(), environment=""):
        engine = lab.engine(f"wg{len(lab.engines)}", lab.namespace(), args=args, env={"WARREN_OFFLOAD": environment})
        engine.up("10.9.0.1/24")  # that is when writes of super-packets are tried
        wait_until(lambda: "link up" in engine.read_log(), 5)
        return {name for name in OFFLOADS if engine.counted(f"offload-{name}")}

    has = in_use(("--offload", "all"))
    if tuple(map(int, re.findall(r"\d+", platform.release())[:2])) >= (6, 9):  # which has them all, and in order
        assert has == everything
    for name in OFFLOADS:
        assert in_use(("--offload", f"-{name}")) == has - {name}, name
        assert in_use(("--offload", name)) == has & {name}, name
    assert in_use(("--offload", "none"), "all") == set()
    if not os.environ.get("WARREN_TEST_OFFLOAD"):
        assert in_use() == has, "the default"
        assert in_use((), "none") == set()
        assert in_use((), "-udp-gso,-join-tcp") == has - {"udp-gso", "join-tcp"}
