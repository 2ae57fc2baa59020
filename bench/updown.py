"""Rows of wg-quick(8): up and down of a file of ten peers, without and with a default route; each wg-quick with the engine
of its own package, and ours under that name."""
import ctypes
import os
import pathlib
import shutil
import statistics
import subprocess
import time

from rounds import alternate
from wg import FOLDER
from world import Failure, Host, sh, wait_until

PEERS = 10
CYCLES = 9
NAMES = ("up", "down", "both")
FILES = {"plain": "", "default": ", 0.0.0.0/0, ::/0"}
SOCKETS = pathlib.Path("/run/wireguard")


def text(more):
    """Of ten peers; the last one's networks may be all there are."""
    lines = ["[Interface]", f"PrivateKey = {sh('wg', 'genkey', capture_output=True).stdout.strip()}", "Address = 10.200.0.1/24, fd20::1/64"]
    for n in range(PEERS):
        key = sh("wg", "genpsk", capture_output=True).stdout.strip()
        lines += ["[Peer]", f"PublicKey = {key}", f"AllowedIPs = 10.201.{n}.0/24, fd20:{n + 1:x}::/64{more if n == PEERS - 1 else ''}",
                  f"Endpoint = 10.1.0.2:{51820 + n}", "PersistentKeepalive = 25"]
    return "\n".join(lines) + "\n"


class Quick:
    """A folder with one wg-quick and what it calls."""

    def __init__(self, kind, build):
        self.folder = FOLDER / f"quick-{kind.name}"
        self.folder.mkdir(exist_ok=True)
        if kind.name == "warren":
            warren = pathlib.Path(build, "warren").resolve()
            found = {"wg-quick": warren, "wg": warren}
        else:
            beside = pathlib.Path(kind.words[0]).parent / "wg-quick"
            quick = beside if beside.exists() else shutil.which("wg-quick")
            # The newest one's wg is started by a script; the installed one does as well and saves it that time.
            found = {"wg-quick": quick, "wg": shutil.which("wg")}
        for name, path in found.items():
            if not path:
                raise Failure(f"there is no {name}")
            # wg-quick looks for wg where it is itself: a copy, not a link.
            (shutil.copy if name == "wg-quick" and kind.name != "warren" else os.symlink)(path, self.folder / name)
        self.environment = {"PATH": f"{self.folder}:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}
        if kind.name != "warren":  # ours takes its own
            self.environment["WG_QUICK_USERSPACE_IMPLEMENTATION"] = kind.words[0]

    def run(self, host, verb, path):
        """Seconds that it took."""
        namespace = os.open(f"/proc/{host.holder.pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            begin = time.monotonic()
            done = subprocess.run([self.folder / "wg-quick", verb, str(path)], env=self.environment, stdin=subprocess.DEVNULL, text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60,
                                  preexec_fn=lambda: ctypes.CDLL(None).setns(namespace, 0))
            seconds = time.monotonic() - begin
        finally:
            os.close(namespace)
        if done.returncode:
            raise Failure(f"wg-quick {verb}: {(done.stderr.strip().splitlines() or ['failed'])[-1][:80]}")
        return seconds

    def cycles(self, host, path, count):
        found = {name: [] for name in NAMES}
        for _ in range(count):
            up, down = self.run(host, "up", path), self.run(host, "down", path)
            for name, seconds in zip(NAMES, (up, down, up + down)):
                found[name].append(seconds * 1000)
            wait_until(lambda: not list(SOCKETS.glob(f"{path.stem}.sock")), 10, "the engine ends")
        return {name: statistics.median(values) for name, values in found.items()}


def updown(bench):
    host, router = Host(), Host()
    try:
        host.cable(router, "cable", "10.1.0.1/24", "10.1.0.2/24")
        host.ip("route add default via 10.1.0.2")
        FOLDER.mkdir(exist_ok=True)
        known = {}
        for kind in bench.present.values():
            try:
                known[kind.name] = Quick(kind, bench.build)
            except Failure as why:
                for row in FILES:
                    bench.miss(f"updown-{row}", kind.name, str(why), NAMES)
        count = 3 if bench.options.quick else CYCLES
        for row, more in FILES.items():
            path = FOLDER / f"ten{row[0]}.conf"
            path.write_text(text(more))
            path.chmod(0o600)
            alternate({name: lambda quick=quick: quick.cycles(host, path, count) for name, quick in known.items()}, bench.few,
                      lambda name, values, others, row=row: bench.keep(f"updown-{row}", name, values, others),
                      lambda name, why, row=row: bench.miss(f"updown-{row}", name, why, NAMES), f"updown-{row}", not bench.options.quick)
            for kind in bench.kinds:
                if kind.missing:
                    bench.miss(f"updown-{row}", kind.name, kind.missing, NAMES)
    finally:
        host.end()
        router.end()


ROWS = {"updown": updown}
