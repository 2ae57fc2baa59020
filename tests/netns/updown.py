"""A host whose owner brings tunnels up and down, the router at its cable, and what leaves it in the clear."""
import os
import pathlib
import signal
import struct
import subprocess
import sys
import time

import pytest

import host
import newest
from harness import STATE, WORK, Keys, processes, wait_until, warren_path

STOCK = os.environ.get("QUICK_UNDER_TEST") == "stock"  # what others do: a test of the test
STOCK_ENGINE = os.environ.get("STOCK_ENGINE", "warrend")
FAR_PORT = 51820
VERBS = ("up", "down", "save", "strip")


class Owner:
    """What a person at the host does. The host has 10.1.0.1 and fd01::1 and a router, 10.1.0.2 and fd01::2, with the way out."""

    def __init__(self, lab, resolvconf=True, default=True):
        if not STOCK and not can_up():
            pytest.skip("warren has no up yet")
        host.make(resolvconf)
        (host.BIN / ("wg-quick" if STOCK else "warren")).symlink_to(
            newest.newest_folder() / "bin/wg-quick" if STOCK else warren_path())
        self.lab, self.ns = lab, lab.root
        self.router = host.cable(lab, default)
        lab.mounts = pathlib.Path("/proc/self/mounts").read_text()
        self.keys, self.far_keys = Keys(), Keys()

    def far(self, *addresses, port=FAR_PORT, allowed="10.9.0.1/32, fd09::1/128"):
        """The other end, at the router; with addresses of its own inside."""
        engine = self.lab.engine("far", self.router)
        engine.configure(self.far_keys.private, port, peers=[{"public": self.keys.public, "allowed": allowed}])
        engine.up(*(addresses or ("10.9.0.2/24", "fd09::2/64")))
        return engine

    def file(self, name="home", interface="Address = 10.9.0.1/24, fd09::1/64", allowed="10.9.0.0/24, fd09::/64",
             endpoint=f"10.1.0.2:{FAR_PORT}", more="", peer=""):
        """A configuration file with one peer, the far end."""
        text = f"[Interface]\nPrivateKey = {self.keys.private}\n{interface}\n\n[Peer]\nPublicKey = {self.far_keys.public}\n"
        text += f"AllowedIPs = {allowed}\n" if allowed else ""
        text += f"Endpoint = {endpoint}\n" if endpoint else ""
        return self.write(name, text + peer + "\n" + more)

    def write(self, name, text, mode=0o600):
        path = host.FOLDER / f"{name}.conf"
        path.write_text(text)
        os.chmod(path, mode)
        return path

    def run(self, *argv, check=True, env=None, wrapper=()):
        """warren ARGV; in a test of the test, wg-quick as far as it has such a verb."""
        words = [*wrapper, "wg-quick" if STOCK else "warren", *argv]
        environment = {**os.environ, "WG_ENDPOINT_RESOLUTION_RETRIES": "0", **(env or {})}
        if STOCK:
            environment.setdefault("WG_QUICK_USERSPACE_IMPLEMENTATION", STOCK_ENGINE)
        done = subprocess.run(words, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=90, env=environment)
        print(f"$ {' '.join(map(str, words))}: {done.returncode}\n{done.stdout}{done.stderr}", end="")
        if check:
            assert done.returncode == 0, f"{' '.join(words)}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def up(self, name="home", *options, **more):
        return self.run("up", name, *options, **more)

    def down(self, name="home", *options, **more):
        return self.run("down", name, *options, **more)

    def works(self, *addresses):
        """All of them answer. More than once asked: of what waits for a handshake the oldest is dropped when too much does."""
        for address in addresses:
            wait_until(lambda: self.ns.ping(address, wait=0.5) == 1, 60, f"{address} answers")

    def engines(self, name="home"):
        """Those of a tunnel, the monitor first."""
        found = []
        for pid in processes():
            words = cmdline(pid)
            if words and words[-1] == name:
                found.append(pid)
        return sorted(found)

    def look(self):
        """What down must leave as it was before up."""
        seen = host.look()
        seen["state"] = [line for line in seen["state"] if not forgotten(line)]
        seen["sockets"] = [name for name in seen["sockets"] if name != "far.sock"]  # folders are not of a namespace
        del seen["devices"]
        return seen

    def wait_ends(self, name="home"):
        wait_until(lambda: not self.engines(name), 60, f"the engine of {name} ends")


def can_up():
    done = subprocess.run([warren_path(), "up"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return "there is no command" not in done.stdout


def cmdline(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
    except OSError:
        return []


def forgotten(line):
    """What may stay in the state's folders: stamps of keys, locks, the folders themselves."""
    path = line.split(" ")[0]
    return path.startswith(f"{STATE}/stamp") or path.endswith("lock") or line.split(" ")[1].startswith("d")


def unlike(before, after):
    """What differs between two looks, as text; "" if nothing does."""
    lines = []
    for part in before:
        gone = [line for line in before[part] if line not in after[part]]
        new = [line for line in after[part] if line not in before[part]]
        lines += [f"{part}: - {line}" for line in gone] + [f"{part}: + {line}" for line in new]
        if before[part] != after[part] and not gone and not new:
            lines.append(f"{part}: another order")
    return "\n".join(lines)


class Capture:
    """What leaves by a device, as tcpdump sees it: the time is the kernel's."""

    def __init__(self, lab, ns, device="out"):
        self.path = WORK / f"{device}-{time.monotonic_ns()}.pcap"
        self.process = lab.start(ns, "tcpdump", "-i", device, "-Q", "out", "-w", self.path, "-U", "-B", "16384", "-s", "400",
                                 "--immediate-mode", "--time-stamp-precision=nano", "-Z", "root", stdout=subprocess.DEVNULL,
                                 stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            if "listening on" in line:
                return
        raise AssertionError("tcpdump does not start")

    def end(self):
        """[(nanoseconds of the clock, frame)]. Nothing was lost on the way."""
        size = -1
        while size != self.path.stat().st_size:  # what has left stands in the file
            size = self.path.stat().st_size
            time.sleep(0.3)
        self.process.send_signal(signal.SIGINT)
        words = self.process.stderr.read()
        self.process.wait(60)
        assert "\n0 packets dropped by kernel" in "\n" + words, words
        data, at, frames = self.path.read_bytes(), 24, []
        while at + 16 <= len(data):
            seconds, nanoseconds, length, _ = struct.unpack_from("IIII", data, at)
            frames.append((seconds * 10**9 + nanoseconds, data[at + 16:at + 16 + length]))
            at += 16 + length
        return frames


def senders(lab, ns, *targets):
    """Datagrams to these for as long as they are not killed; see senders.py."""
    process = lab.start(ns, sys.executable, pathlib.Path(__file__).with_name("senders.py"), *targets, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    return process
