"""Namespaces that end with the bench, and the hosts in them.

The bench runs as process 1 of its own pid, network and mount namespaces: whatever it starts dies with it, also when it is
interrupted or killed, and nothing of the host is changed.
"""
import contextlib
import json
import os
import subprocess
import sys
import time

INSIDE = "WARREN_BENCH_INSIDE"


class Failure(Exception):
    """Something that keeps one figure from being measured; its text says why."""


# What can go wrong with one figure, and must not end the others.
TROUBLE = (Failure, OSError, LookupError, ValueError, subprocess.SubprocessError)


def sh(*words, **more):
    more = {"check": True, "text": True, "timeout": 60, "stdin": subprocess.DEVNULL if "input" not in more else None, **more}
    try:
        return subprocess.run(words, **more)
    except subprocess.TimeoutExpired:
        raise Failure(f"{words[0]}: no end after {more['timeout']:.0f} s") from None
    except subprocess.CalledProcessError as error:
        said = (error.stderr or "").strip().splitlines()
        raise Failure(f"{' '.join(words[:2])}: {said[-1] if said else f'status {error.returncode}'}") from None
    except OSError as error:
        raise Failure(f"{words[0]}: {error.strerror}") from None


def wait_until(condition, seconds, what):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise Failure(f"waited {seconds} s: {what}")
        time.sleep(0.01)


def enter():
    """Again, in namespaces of our own."""
    if not os.environ.get(INSIDE):
        os.environ[INSIDE] = "1"
        os.execvp("unshare", ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", sys.executable, *sys.argv])
    sh("mount", "-t", "proc", "proc", "/proc")
    # Over the whole of both: nothing is left on the host.
    for path in ("/run", "/var/lib"):
        sh("mount", "-t", "tmpfs", "-o", "mode=0755", "bench", path)
    os.makedirs("/run/bench", mode=0o700)
    if not os.path.exists("/var/run"):
        os.symlink("/run", "/var/run")


@contextlib.contextmanager
def ending(process):
    """The process is gone when the block is left."""
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for pipe in (process.stdout, process.stderr):
            if pipe:
                pipe.close()


class Host:
    """A network namespace, held by a process that sleeps in it."""

    def __init__(self):
        self.holder = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
        ours = os.readlink("/proc/self/ns/net")
        wait_until(lambda: os.readlink(f"/proc/{self.holder.pid}/ns/net") != ours, 5, "a network namespace")
        self.run("ip", "link", "set", "lo", "up")

    def words(self, *words):
        return ["nsenter", f"--net=/proc/{self.holder.pid}/ns/net", *words]

    def run(self, *words, **more):
        return sh(*self.words(*words), **more)

    def start(self, *words, **more):
        more = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "text": True, **more}
        return subprocess.Popen(self.words(*words), **more)

    def ip(self, words):
        self.run("ip", *words.split(), capture_output=True)

    def cable(self, other, name, ours, theirs, mtu=1500):
        """A veth pair to another host, with an address at each end."""
        self.ip(f"link add {name} mtu {mtu} type veth peer name {name} mtu {mtu} netns {other.holder.pid}")
        for host, address in ((self, ours), (other, theirs)):
            host.ip(f"address add {address} dev {name}")
            host.ip(f"link set {name} up")

    def sent(self, name):
        """Packets that left by this link."""
        return json.loads(self.run("ip", "-j", "-s", "link", "show", name, capture_output=True).stdout)[0]["stats64"]["tx"]["packets"]

    def write(self, path, text):
        self.run("sh", "-c", f"echo {text} >{path}")

    def end(self):
        self.holder.kill()
        self.holder.wait()
