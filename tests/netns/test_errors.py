"""Every call that reads or writes fails in every way: the first, the third, all for a while. Traffic goes on."""
import time

import pytest

from bench import Bench
from faults import ALWAYS, Faults
from flow import Tcp, bursts
from harness import scenario

# The calls, and what they may say. A read that is promised and brings EAGAIN for ever is no kernel's.
CALLS = [
    ("udp-send", ["ENOBUFS", "EAGAIN", "EIO", "EINVAL", "EMSGSIZE", "EPERM", "ENETUNREACH", "ENOMEM"]),
    ("udp-receive", ["EINTR", "ECONNREFUSED", "ENOMEM", "EIO"]),
    ("tun-read", ["EINTR", "EAGAIN", "ENOMEM", "EIO", "EINVAL"]),
    ("tun-write", ["EIO", "EINVAL", "ENOBUFS", "EAGAIN", "ENOMEM"]),
    ("wait", ["EINTR", "ENOMEM", "EBADF"]),
]


def talk(bench, count=4):
    """Both ways, whether it gets through or not."""
    for _ in range(count):
        bench.poke()
        bench.echo(seconds=0.02)


@pytest.mark.parametrize("call, errors", CALLS, ids=[call for call, _ in CALLS])
@scenario(seconds=60, lacks="is linked statically")
def fn10_errors_of_every_call(lab, call, errors):
    faults = Faults()
    bench = Bench(lab, env=faults.environment)
    bench.connect()
    for error in errors:
        for skip, times in ((0, 1), (2, 1), (0, ALWAYS)):
            faults.fail(call, error, skip, times)
            cpu, begin = bench.engine.cpu_seconds(), time.monotonic()
            talk(bench, 12 if times == ALWAYS else 4)
            used, lasted = bench.engine.cpu_seconds() - cpu, time.monotonic() - begin
            faults.mend(call)
            assert faults.failed(call) > 0, f"{call} never failed: the test is wrong"
            bench.peer.drain(0.01)
            assert bench.engine.alive(), f"{call}: {error} ends it"
            assert bench.echo(seconds=3) and bench.echo(family=6), f"{call}: dead after {error}, {times} times"
            if times == ALWAYS:
                print(f"{call} {error}: {faults.failed(call)} failed, {used:.2f} s of CPU in {lasted:.2f} s")
                assert used < lasted / 2 or error == "EAGAIN", "it spins"
                assert faults.failed(call) < 10000 * (1 + lasted) or error == "EAGAIN", "it tries again without a pause"
    if call in ("udp-receive", "tun-read", "wait"):
        assert bench.engine.counted("calls-failed") > 0, "diagnose does not tell of it"
        lines = [line for line in bench.engine.read_log().splitlines() if "again and again" in line]
        assert 0 < len(lines) <= 8, f"logged {len(lines)} times"


BATCHES = [("udp-send-segmented", ["EIO", "EMSGSIZE", "EINVAL"]), ("tun-write-super", ["EINVAL", "ENOMEM", "ENOBUFS"])]
TOLD = {"udp-send-segmented": "udp-batches-refused", "tun-write-super": "tun-writes-refused"}


@pytest.mark.parametrize("call, errors", BATCHES, ids=[call for call, _ in BATCHES])
@scenario(seconds=60, lacks="is linked statically")
def fn10_a_batch_that_is_refused_goes_out_one_by_one(lab, call, errors):
    """Whatever an offload of the host says, once or for ever: not one packet is lost by it, and order stays."""
    faults = Faults()
    a, b = lab.pair()
    for number, (error, skip, times) in enumerate((error, skip, times) for error in errors
                                                  for skip, times in ((0, 1), (2, 1), (0, ALWAYS))):
        # New engines each time: one that has met a refusal may have learnt from it.
        engines = lab.tunnel(a, b, env=faults.environment)
        assert a.ping("10.9.0.2", 2) == 2
        faults.fail(call, error, skip, times)
        stream = Tcp(lab, b, a, "10.9.0.1", 4, 7100 + number)
        bursts(a, b, "10.9.0.2")
        bursts(b, a, "fd09::1")
        stream.end()
        faults.mend(call)
        if not faults.calls(call):
            pytest.skip("it never makes such a call")
        assert faults.failed(call) > 0
        if call in TOLD and times == ALWAYS:
            assert sum(engine.counted(TOLD[call]) for engine in engines) > 0, "diagnose does not tell of it"
        for engine in engines:
            engine.stop()
