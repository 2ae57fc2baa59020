"""Rows of wg(8) itself: 100,000 peers from a file, one of them changed, and a dump of all. Ours beside the others, each on
the same engine, which is Warren's."""
import base64
import os
import pathlib
import shutil
import subprocess
import time

from engine import Engine, new_key
from rounds import alternate
from world import Failure, Host

SIZE = 100_000
NAMES = ("setconf", "syncconf", "dump", "cpu", "memory")
FOLDER = pathlib.Path("/run/bench")


def programs(bench):
    """The wg beside each engine."""
    found = {}
    for name, kind in bench.present.items():
        beside = pathlib.Path(kind.words[0]).parent / "wg"
        path = str(beside) if beside.exists() else shutil.which("wg")
        if path:
            found[name] = path
    return found


def files(private):
    """Two files of so many peers: the second gives one of them another address."""
    keys = [base64.b64encode(os.urandom(32)).decode() for _ in range(SIZE)]
    head = f"[Interface]\nPrivateKey = {private}\nListenPort = 51820\n"
    peers = [f"\n[Peer]\nPublicKey = {key}\nAllowedIPs = 11.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}/32, fd11::{n >> 16:x}:{n & 65535:x}/128\n"
             for n, key in enumerate(keys)]
    one, other = FOLDER / "one.conf", FOLDER / "other.conf"
    one.write_text(head + "".join(peers))
    peers[SIZE // 2] = peers[SIZE // 2].replace("/32", "/32, 12.0.0.0/8")
    other.write_text(head + "".join(peers))
    return one, other


def timed(host, program, *words):
    """Seconds, those of its own on a processor, and the most memory it had, in KB."""
    begin = time.monotonic()
    with open("/dev/null", "w") as nothing:
        process = host.start(program, *words, stdout=nothing, stderr=subprocess.PIPE)
        said = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - begin
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stderr.close()
    if status:
        raise Failure(f"{program} {words[0]}: {(said.decode() if isinstance(said, bytes) else said).strip()[:80]}")
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss


def measure(host, program, one, other):
    took = {"setconf": timed(host, program, "setconf", "many0", str(one)),
            "syncconf": timed(host, program, "syncconf", "many0", str(other)),
            "dump": timed(host, program, "show", "many0", "dump")}
    return {**{name: seconds for name, (seconds, _, _) in took.items()}, "cpu": took["syncconf"][1],
            "memory": max(kb for _, _, kb in took.values()) / 1024}


def tools(bench):
    host = Host()
    try:
        engine = Engine(bench.present["warren"], host, "many0")
        try:
            private, _ = new_key()
            one, other = files(pathlib.Path(private).read_text().strip())
            known = programs(bench)
            alternate({name: lambda path=path: measure(host, path, one, other) for name, path in known.items()}, bench.few,
                      lambda name, values, others: bench.keep("wg", name, values, others),
                      lambda name, why: bench.miss("wg", name, why, NAMES), "wg", not bench.options.quick)
            for kind in bench.kinds:
                if kind.name not in known:
                    bench.miss("wg", kind.name, kind.missing or "has no wg", NAMES)
        finally:
            engine.end()
    finally:
        host.end()


ROWS = {"wg": tools}
