"""An engine under measurement: which kinds there are, and one that runs."""
import os
import pathlib
import re
import shutil
import socket
import subprocess
import time

import process
from world import Failure, sh, wait_until

SOCKETS = pathlib.Path("/run/wireguard")


class Kind:
    """A program to measure, or the reason why there is none."""

    def __init__(self, name, words, title, missing=""):
        self.name, self.words, self.title, self.missing = name, words, title, missing
        self.ours = name == "warren"


def said(*words):
    """The first line of a program's answer, if it has one."""
    try:
        out = subprocess.run(words, capture_output=True, text=True, timeout=10).stdout
    except OSError:
        return ""
    return out.strip().split("\n")[0]


def warren(build):
    path = str(pathlib.Path(build, "warren").resolve())
    root = pathlib.Path(__file__).resolve().parent.parent
    commit = said("git", "-c", "safe.directory=*", "-C", str(root), "describe", "--always", "--dirty")
    return Kind("warren", [path, "run"], f"{said(path, '--version')}{f' ({commit})' if commit else ''}",
                "" if os.access(path, os.X_OK) else "not built")


def newest(folder, why):
    path, versions = pathlib.Path(folder, "bin/wireguard-go").resolve(), pathlib.Path(folder, "versions")
    version = re.search(r"^wireguard-go\s+(\S+)", versions.read_text() if versions.exists() else "", re.M)
    return Kind("newest", [str(path)], f"wireguard-go {version.group(1) if version else ''} of Debian unstable",
                "" if os.access(path, os.X_OK) else why or "not unpacked")


def debian():
    path, version = shutil.which("wireguard-go"), said("dpkg-query", "-W", "-f", "${Version}", "wireguard-go")
    return Kind("debian", [path], f"wireguard-go {version} as installed", "" if path else "wireguard-go is not installed")


def pieces(text):
    """Text as it is, or made piece by piece."""
    return [text] if isinstance(text, str) else text


class Engine:
    """One process, or as many as it makes of itself; in the foreground, so that its pid is known."""

    def __init__(self, kind, host, interface, options=()):
        self.kind, self.host, self.interface = kind, host, interface
        words = [*kind.words, *options, "-f", interface]
        self.process = host.start(*words)
        self.path = SOCKETS / f"{interface}.sock"
        try:
            wait_until(lambda: self.path.exists() or self.process.poll() is not None, 10, f"socket of {kind.name}")
            if self.process.poll() is not None:
                raise Failure(f"{kind.name} {' '.join(options)} ended with status {self.process.returncode}")
        except Failure:
            self.end()
            raise

    def ask(self, request, seconds=120, keep=True):
        """Sends a request on the control socket; the answer's text and the seconds it took."""
        with socket.socket(socket.AF_UNIX) as control:
            control.settimeout(seconds)
            begin, answer, size = time.monotonic(), [], 0
            try:
                control.connect(str(self.path))
                for piece in pieces(request):
                    control.sendall(piece.encode())
                control.sendall(b"\n")
                while True:
                    piece = control.recv(1 << 20)
                    size += len(piece)
                    answer = [*answer, piece] if keep else [b"".join(answer)[-200:], piece]
                    if not piece or b"".join(answer[-2:]).endswith(b"\n\n"):
                        break
            except OSError as error:
                raise Failure(f"control socket of {self.kind.name}: {error}") from None
            took = time.monotonic() - begin
        text = b"".join(answer).decode()
        if "errno=0\n" not in text[-200:]:
            raise Failure(f"control socket of {self.kind.name}: {text[-60:].strip() or 'closed'}")
        return text, took, size

    def counters(self):
        """The packet counters of diagnose=1; none of other programs."""
        if not self.kind.ours:
            return {}
        rows = (line[len("count="):].split() for line in self.ask("diagnose=1\n")[0].splitlines() if line.startswith("count="))
        return {name: int(value) for name, value in rows}

    def cpu_seconds(self):
        return process.cpu_seconds(self.process.pid)

    def memory(self):
        return process.memory(self.process.pid)

    def switches(self):
        return process.switches(self.process.pid)

    def end(self):
        self.process.terminate()
        try:
            self.process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def new_key():
    """A private key as (path, public key text)."""
    private = sh("wg", "genkey", capture_output=True).stdout
    public = sh("wg", "pubkey", input=private, capture_output=True).stdout.strip()
    path = pathlib.Path("/run/bench", public.replace("/", "_"))
    path.touch(mode=0o600)
    path.write_text(private)
    return str(path), public
