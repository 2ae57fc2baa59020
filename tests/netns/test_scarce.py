"""Little memory, few descriptors, a night's sleep, a new program in the place of the old."""
import base64
import os
import signal
import struct
import subprocess
import time

from bench import Bench
from faults import Faults, Memory
from harness import WORK, Keys, processes, scenario, warren_path, wait_until
from pywg import DATA, INITIATION

OLD = "has pools of its own"


def many_peers(count, seed=0):
    lines = "".join(f"public_key={(seed << 16 | n):062x}11\nallowed_ip=10.{100 + seed % 100}.{n >> 8}.{n & 255}/32\n" for n in range(1, count + 1))
    return f"set=1\n{lines}\n"


@scenario(seconds=60, lacks=OLD, unsanitized="has another malloc")
def fp5_allocations_of_an_engine_fail_one_by_one(lab):
    """F-P5: a set whose n-th allocation fails is refused as a whole or done as a whole, and the session stands."""
    memory = Memory()
    bench = Bench(lab, env=memory.environment)
    bench.connect()
    memory.count()
    assert "errno=0" in bench.engine.uapi(many_peers(40))
    allocations, _ = memory.mend()
    failures = 0
    for n in range(min(allocations, 60)):
        seed = n + 1
        before = bench.engine.wg("showconf", "wga")
        memory.fail(skip=n)
        answer = bench.engine.uapi(many_peers(40, seed))
        _, failed = memory.mend()
        after = bench.engine.wg("showconf", "wga")
        if "errno=0" in answer:
            assert after.count("[Peer]") == before.count("[Peer]") + 40, (n, answer)
            bench.engine.uapi("set=1\n" + "".join(f"public_key={(seed << 16 | k):062x}11\nremove=true\n" for k in range(1, 41)) + "\n")
        else:
            assert failed, (n, answer)
            failures += 1
            assert after == before, f"a set that failed at allocation {n} changed something: {answer}"
        assert bench.echo(), f"after allocation {n} the session is gone"
    print(f"{failures} of {allocations} were refused")
    assert failures


@scenario(seconds=120, lacks=OLD, unsanitized="has another malloc")
def fp5_allocations_of_commands_fail_one_by_one(lab):
    """F-P5: a command that gets no memory says so and ends; nothing is half done, and no signal ends it."""
    bench = Bench(lab)
    bench.connect()
    conf = WORK / "more.conf"
    conf.write_text("[Interface]\n" + f"PrivateKey = {bench.keys.private}\nListenPort = 51820\n" + "".join(
        f"[Peer]\nPublicKey = {Keys().public}\nAllowedIPs = 10.77.{n}.0/24\n" for n in range(5)))
    memory = Memory()
    for words in (["showconf", "wga"], ["show", "wga", "dump"], ["addconf", "wga", conf], ["check", conf]):
        argv = [warren_path(), *map(str, words)]
        environment = {**os.environ, **memory.environment}

        def run():
            return subprocess.run(argv, env=environment, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                  timeout=30, preexec_fn=bench.a.setup)

        memory.count()
        good = run()
        allocations, _ = memory.mend()
        private = bench.keys.private[:40]
        for n in range(0, allocations, max(1, allocations // 40)):
            before = bench.engine.wg("showconf", "wga")
            memory.fail(skip=n, times=1)
            done = run()
            memory.mend()
            assert done.returncode >= 0, f"{words}: killed by {-done.returncode} at allocation {n}\n{done.stderr}"
            assert done.returncode == good.returncode or done.stderr, f"{words}: {n}: fails without a word"
            assert private not in done.stderr
            after = bench.engine.wg("showconf", "wga")
            assert after == before or done.returncode == 0, f"{words}: {n}: failed, and changed something"
    assert bench.echo()


@scenario(seconds=60, lacks=OLD, unsanitized="maps terabytes")
def fp6_no_memory_for_more(lab):
    """F-P6: what does not fit is refused; what stands goes on. (Killed by the kernel for its memory is F-P1.)"""
    bench = Bench(lab, wrapper=("prlimit", f"--data={48 << 20}"))
    bench.connect()
    before = bench.engine.wg("showconf", "wga")
    answer = bench.engine.uapi(many_peers(60000))
    assert "errno=-12" in answer, f"60,000 peers in 48 MB: {answer}"
    assert bench.engine.wg("showconf", "wga") == before
    assert bench.echo() and bench.engine.alive()


@scenario(seconds=60, lacks="has no clock that counts a suspend", unsanitized="knows the time by another way")
def fp11_first_packet_after_a_suspend_is_a_handshake(lab):
    """F-P11: the machine slept for five minutes. Old keys are not used any more, and one round trip makes new ones."""
    faults = Faults()
    bench = Bench(lab, env=faults.environment)
    bench.connect()
    pids = bench.engine.pids()
    bench.peer.drain(0.1)
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    faults.sleep(300)
    for pid in pids:
        os.kill(pid, signal.SIGCONT)
    bench.poke()
    message, source = bench.peer.receive(10, (INITIATION, DATA))
    assert message and struct.unpack("<I", message[:4])[0] == INITIATION, "old keys were used after the sleep"
    bench.peer.drain(0.05)
    assert bench.peer.handshake(when=time.time() + 400) and bench.echo(), "no new session"


@scenario(seconds=60, lacks="is one process")
def fp20_a_new_engine_takes_over(lab):
    """F-P20: the engine is replaced under traffic. The device, its addresses and routes stay; the gap is told."""
    a, b = lab.pair()
    one, two = lab.tunnel(a, b)
    assert a.ping("10.9.0.2", wait=10) == 1
    before = a.run("ip", "-j", "addr", "show", "wga"), a.run("ip", "route")
    gaps = []
    for _ in range(3):
        old = [pid for pid in one.pids() if pid != one.main]
        begin = time.monotonic()
        os.kill(old[0], signal.SIGKILL)
        wait_until(lambda: old[0] not in processes(), 10, every=0.002)
        wait_until(lambda: a.ping("10.9.0.2", wait=0.05) == 1, 60, "traffic goes again", every=0.002)
        gaps.append(time.monotonic() - begin)
    print("gaps in ms:", [round(gap * 1000) for gap in gaps])
    assert (a.run("ip", "-j", "addr", "show", "wga"), a.run("ip", "route")) == before
    assert b.ping("10.9.0.1", wait=10) == 1
