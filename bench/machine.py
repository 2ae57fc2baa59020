"""The machine: what it is, and how much of it others used while a figure was taken."""
import datetime
import os
import pathlib
import platform
import re
import subprocess
import time

import process

DISTURBED = 0.10  # more of the cores than this used by others, or stolen by the hypervisor
NAMES = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")


def first_line(*words):
    try:
        out = subprocess.run(words, capture_output=True, text=True, timeout=10).stdout
    except OSError:
        return ""
    return out.splitlines()[0].strip() if out.strip() else ""


def describe():
    model = re.search(r"model name\s*:\s*(.*)", pathlib.Path("/proc/cpuinfo").read_text())
    flags = re.search(r"flags\s*:\s*(.*)", pathlib.Path("/proc/cpuinfo").read_text())
    wide = [flag for flag in ("avx2", "avx512f", "avx512ifma") if flags and flag in flags.group(1).split()]
    memory = int(re.search(r"MemTotal:\s*(\d+)", pathlib.Path("/proc/meminfo").read_text()).group(1))
    return {
        "processor": f"{model.group(1) if model else platform.machine()} ({', '.join(wide) or 'no avx2'})",
        "cores": len(os.sched_getaffinity(0)),
        "memory": f"{memory / 2**20:.1f} GiB",
        "kernel": platform.release(),
        "compiler": first_line("cc", "--version"),
        "libcrypto": first_line("openssl", "version"),
        "iperf3": first_line("iperf3", "--version"),
        "date": f"{datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d %H:%M} UTC",
    }


def ticks():
    words = pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
    return dict(zip(NAMES, (int(word) / process.TICKS for word in words)))


class Watch:
    """From its making to stop(): the share of all cores that others had.

    Others are what was busy and is not in our pid namespace. The kernel's own threads are among them, so a little is normal.
    """

    def __init__(self):
        self.begin, self.ticks, self.ours = time.monotonic(), ticks(), process.cpu_seconds_of_all()

    def stop(self):
        wall = (time.monotonic() - self.begin) * os.cpu_count()
        after = ticks()
        delta = {name: after[name] - self.ticks[name] for name in NAMES}
        busy = sum(delta[name] for name in ("user", "nice", "system", "irq", "softirq"))
        others = busy - (process.cpu_seconds_of_all() - self.ours)
        return max(0.0, others + delta["steal"]) / wall
