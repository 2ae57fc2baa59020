"""The two wg-quick that are compared, and a case played by one of them in a world of its own."""
import dataclasses
import os
import pathlib
import pickle
import subprocess

import harness
import host
import newest

STOCK, WARREN = "stock", "warren"
STAND_IN = os.environ.get("QUICK_UNDER_TEST") == "stock"  # a test of the test: stock against itself


@dataclasses.dataclass
class Step:
    """What came of one command."""
    argv: list
    code: int
    stdout: list  # lines
    stderr: list
    hooks: list   # what hooks wrote meanwhile
    dns: list     # what resolvconf was told meanwhile
    host: dict    # what the host looked like then

    def __str__(self):
        text = f"  {' '.join(self.argv)}: status {self.code}\n"
        for name in ("stdout", "stderr", "hooks", "dns"):
            text += "".join(f"    {name} {line}\n" for line in getattr(self, name))
        return text


@dataclasses.dataclass
class Play:
    before: dict
    steps: list
    left: list  # processes at the end


def stock_missing():
    why = newest.fetch_newest()
    return why and f"the newest wg-quick: {why}"


def warren_missing():
    """Ours may not be there yet: then it is no wg-quick."""
    if STAND_IN:
        return None
    for words in (["wg-quick", "down", "no-such-tunnel"], ["warren", "up", "--help"]):
        done = subprocess.run(words, executable=harness.warren_path(), stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if "there is no command" in done.stdout or "Usage: wg-quick" in done.stdout:
            return "warren is no wg-quick yet"
    return None


def install(program):
    """What a host with this program has in its PATH."""
    ours = harness.warren_path()
    if program == STOCK or STAND_IN:
        (host.BIN / "wg-quick").symlink_to(newest.newest_folder() / "bin/wg-quick")
        return
    for name in ("wg", "wg-quick", "warren"):
        (host.BIN / name).symlink_to(ours)


def lines_of(path):
    path = pathlib.Path(path)
    return path.read_text(errors="replace").splitlines() if path.exists() else []


def command(case, argv):
    """One step, and what the host looks like after it."""
    seen = len(lines_of(host.LOG)), len(lines_of(host.DNS_LOG))
    if callable(argv):
        argv()
        done = subprocess.CompletedProcess(["(the test)"], 0, "", "")
    else:
        program = "wg-quick" if argv[0] in ("up", "down", "save", "strip") else argv[0]
        words = [program, *argv] if program == "wg-quick" else list(argv)
        done = subprocess.run(words, text=True, errors="replace", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=60, env={**os.environ, **environment(case)})
    host.settle()
    return Step([str(word) for word in done.args], done.returncode, done.stdout.splitlines(), done.stderr.splitlines(),
                lines_of(host.LOG)[seen[0]:], lines_of(host.DNS_LOG)[seen[1]:], host.look())


def environment(case):
    return {"WG_QUICK_USERSPACE_IMPLEMENTATION": "warrend", "WG_ENDPOINT_RESOLUTION_RETRIES": "0", **case.env}


def play(lab, case, program):
    host.make(case.resolvconf)
    install(program)
    lab.mounts = pathlib.Path("/proc/self/mounts").read_text()
    lab.router = host.cable(lab, case.default)
    case.write(host.FOLDER, host.HOME)
    for line in case.host:
        if callable(line):
            line(lab)
        else:
            lab.root.run(*line.split())
    before = host.look()
    steps = [command(case, argv) for argv in case.steps]
    left = host.engines()
    for pid in harness.processes():
        os.kill(pid, 9)
    return Play(before, steps, left)


def played(case, program):
    """(Play, None), or (None, why not): in a fresh world."""
    box = os.memfd_create("play")

    def scenario(lab):
        outcome = play(lab, case, program)
        with open(os.dup(box), "wb") as file:
            pickle.dump(outcome, file)

    outcome, text = harness.isolate(scenario, {}, 90)
    with open(box, "rb") as file:
        file.seek(0)
        if outcome != "passed":
            return None, text
        return pickle.load(file), None
