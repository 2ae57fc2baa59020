"""A process and all that descend from it, as /proc tells: CPU time, memory, wake-ups."""
import os
import pathlib

TICKS = os.sysconf("SC_CLK_TCK")


def fields(pid):
    """What follows the name in /proc/PID/stat: [1] is the parent, [11] to [14] are times."""
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()


def everybody():
    found = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                found[int(name)] = fields(name)
            except (FileNotFoundError, ProcessLookupError):
                pass
    return found


def tree(root, found=None):
    """The pids of a process and of its descendants."""
    found = everybody() if found is None else found
    members = [root]
    for pid in members:
        members += [child for child, row in found.items() if int(row[1]) == pid]
    return members


def cpu_of(row):
    """Also the time of children that have ended and were waited for: nothing is lost between two looks."""
    return sum(map(int, row[11:15])) / TICKS


def cpu_seconds(root):
    found = everybody()
    return sum(cpu_of(found[pid]) for pid in tree(root, found) if pid in found)


def cpu_seconds_of_all():
    return sum(map(cpu_of, everybody().values()))


def memory(root):
    """KB, as (resident, proportional share): the first counts a page of two processes twice."""
    resident = share = 0
    for pid in tree(root):
        rollup = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
        resident += int(rollup.split("\nRss:")[1].split()[0])
        share += int(rollup.split("\nPss:")[1].split()[0])
    return resident, share


def switches(root):
    """How often threads were given a core, since they began."""
    total = 0
    for pid in tree(root):
        for status in pathlib.Path(f"/proc/{pid}/task").glob("*/status"):
            text = status.read_text()
            total += sum(int(line.split()[1]) for line in text.splitlines() if "ctxt_switches:" in line)
    return total
