"""The programs that are compared, and one run of one of them."""
import contextlib
import dataclasses
import os
import pathlib
import shutil
import subprocess

import harness
from device import Host
from newest import newest_folder

WORK = pathlib.Path("/run/work/run")


@dataclasses.dataclass(frozen=True)
class Program:
    """Something that is started as `wg`: argv[0] is that word for all of them."""
    name: str
    executable: str
    before: tuple = ()  # what comes before its arguments, argv[0] included

    def argv(self, arguments):
        return [*(self.before or ("wg",)), *arguments]


def warren():
    return Program("warren", harness.warren_path())


def debian():
    """Debian 12's, which is older than the behaviour that is wanted."""
    return Program("debian", "/usr/bin/wg") if os.access("/usr/bin/wg", os.X_OK) else None


def newest():
    root = newest_folder() / "root"
    loader = next(iter(sorted(root.glob("**/ld-linux*.so.*"))), None)
    program = root / "usr/bin/wg"
    if not loader or not program.exists():
        return None
    return Program("newest", str(loader),
                   (str(loader), "--library-path", str(loader.parent), "--argv0", "wg", str(program)))


@dataclasses.dataclass
class Result:
    code: int
    stdout: bytes
    stderr: bytes
    requests: dict  # of each device, what it was asked, without mere knocks
    stale: list     # sockets of nobody that are still there

    def __str__(self):
        return (f"  exit {self.code}\n  stdout {self.stdout!r}\n  stderr {self.stderr!r}\n  requests {self.requests!r}"
                f"\n  stale sockets left {self.stale}")


def run(program, case):
    """One case in a fresh folder, on fresh devices."""
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir()
    for name, content in case.files.items():
        (WORK / name).write_bytes(content)
    environment = {"PATH": "/usr/sbin:/usr/bin", "LC_ALL": "C", "WG_ENDPOINT_RESOLUTION_RETRIES": "0", **case.env}
    devices = case.devices()
    with Host(devices) as host, contextlib.ExitStack() as stack:
        stdout = stack.enter_context(open(case.stdout, "wb")) if case.stdout else subprocess.PIPE
        done = subprocess.run(program.argv(case.argv), executable=program.executable, cwd=WORK, env=environment,
                              input=case.stdin, stdout=stdout, stderr=subprocess.PIPE, timeout=30,
                              umask=case.umask)
        stale = host.stale_sockets()
    for name in stale:
        (pathlib.Path("/run/wireguard") / f"{name}.sock").unlink()
    requests = {name: [r for r in device.requests if r] for name, device in devices.items()}
    output = done.stdout if not case.stdout else b""
    return Result(done.returncode, output or b"", done.stderr, requests, stale)
