"""Calls of an engine that fail when told: the library of tests/fault, preloaded."""
import errno
import mmap
import os
import pathlib
import struct

from harness import ROOT, WORK

POINTS = ("udp-send", "udp-send-segmented", "udp-send-batch-short", "udp-receive", "tun-read", "tun-write",
          "tun-write-super", "wait")
ALWAYS = (1 << 32) - 1
SIZE = 20  # of struct point


class Faults:
    """One engine's. Give it .environment; then fail() and mend() at any time."""

    def __init__(self, name="faults"):
        path = WORK / name
        path.write_bytes(bytes(SIZE * len(POINTS)))
        library = pathlib.Path(os.environ.get("WARREN_BUILD") or ROOT / "build/main", "libfault.so").resolve()
        assert library.exists(), "the library of faults was not built"
        self.environment = {"LD_PRELOAD": str(library), "FAULT_FILE": str(path)}
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
