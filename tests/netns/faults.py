"""Calls of an engine that fail when told, and allocations of any program: the libraries of tests/fault, preloaded."""
import errno
import mmap
import os
import pathlib
import struct

from harness import ROOT, WORK

POINTS = ("udp-send", "udp-send-segmented", "udp-send-batch-short", "udp-receive", "tun-read", "tun-write",
          "tun-write-super", "wait", "clock")
ALWAYS = (1 << 32) - 1
SIZE = 20  # of struct point


def library(name):
    path = pathlib.Path(os.environ.get("WARREN_BUILD") or ROOT / "build/main", name).resolve()
    assert path.exists(), f"{name} was not built"
    return str(path)


class Faults:
    """One engine's. Give it .environment; then fail() and mend() at any time."""

    def __init__(self, name="faults"):
        path = WORK / name
        path.write_bytes(bytes(SIZE * len(POINTS)))
        self.environment = {"LD_PRELOAD": library("libfault.so"), "FAULT_FILE": str(path)}
        with open(path, "r+b") as file:
            self.map = mmap.mmap(file.fileno(), 0)

    def fail(self, point, error, skip=0, times=ALWAYS):
        """From now on, after skip good ones, so many calls of this kind fail."""
        at = POINTS.index(point) * SIZE
        self.mend(point)
        self.map[at + 4:at + SIZE] = struct.pack("<4I", skip, times, 0, 0)
        self.map[at:at + 4] = struct.pack("<I", getattr(errno, error))

    def mend(self, point):
        at = POINTS.index(point) * SIZE
        self.map[at:at + 4] = bytes(4)

    def calls(self, point):
        return struct.unpack_from("<I", self.map, POINTS.index(point) * SIZE + 12)[0]

    def failed(self, point):
        return struct.unpack_from("<I", self.map, POINTS.index(point) * SIZE + 16)[0]

    def sleep(self, seconds):
        """As if the machine had slept so long, until now."""
        self.fail("clock", "EINTR", skip=seconds)


class Memory:
    """Allocations of the programs that are started with .environment: fail() says which one does not succeed."""

    def __init__(self, name="memory"):
        path = WORK / name
        path.write_bytes(bytes(SIZE))
        self.environment = {"LD_PRELOAD": library("libmemory.so"), "MEMORY_FILE": str(path)}
        with open(path, "r+b") as file:
            self.map = mmap.mmap(file.fileno(), 0)

    def fail(self, skip, times=1):
        """From now on, after skip good ones."""
        self.map[0:4] = bytes(4)
        self.map[4:SIZE] = struct.pack("<4I", skip, times, 0, 0)
        self.map[0:4] = struct.pack("<I", 1)

    def count(self):
        """None fails, and all are counted."""
        self.fail(ALWAYS, 0)

    def mend(self):
        """How many there were, and how many failed."""
        self.map[0:4] = bytes(4)
        return struct.unpack_from("<2I", self.map, 12)
