"""`up` and `down` that are killed anywhere: the next command finishes or takes back what they left."""
import os
import random
import re
import signal
import subprocess

import pytest

from harness import WORK, scenario
from updown import Owner, unlike

TIER = os.environ.get("WARREN_TIER")
TABLE = "nft add table inet hook-%i"
FILES = {
    "split": {"interface": "Address = 10.9.0.1/24, fd09::1/64\nMTU = 1380\nListenPort = 51999",
              "allowed": "10.9.0.0/24, fd09::/64, 10.20.0.0/16"},
    "default": {"interface": "Address = 10.9.0.1/24, fd09::1/64\nDNS = 10.9.0.2, office.example\n#: KillSwitch = lan",
                "allowed": "0.0.0.0/0, ::/0"},
    "hooks": {"interface": f"Address = 10.9.0.1/24\nTable = 123\nPreUp = {TABLE} || true\nPostUp = {TABLE}; true\n"
                           "PreDown = true\nPostDown = nft delete table inet hook-%i || true\n#: Forward = yes\n#: Masquerade = yes",
              "allowed": "10.9.0.0/24, 0.0.0.0/0"},
}


def calls(owner, verb):
    """Every system call of the main process, each as strace counts it: (name, how many before and with it)."""
    owner.run(verb, "home", wrapper=["strace", "-qq", "-o", WORK / "calls"])
    names = re.findall(r"^(\w+)\(", (WORK / "calls").read_text(), re.M)
    seen, places = {}, []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        places.append((name, seen[name]))
    return places[1:]  # execve: not ours yet


def killed(owner, verb, name, count):
    """True: it was killed; it may have one call less than before."""
    done = owner.run(verb, "home", check=False, wrapper=[
        "strace", "-qq", "-o", "/dev/null", "-e", f"trace={name}", "-e", f"inject={name}:signal=SIGKILL:when={count}"])
    return done.returncode in (-signal.SIGKILL, 128 + signal.SIGKILL)


def look(owner):
    """An address is tentative for a moment."""
    seen = owner.look()
    seen["addresses"] = [line.replace("tentative", "").rstrip() for line in seen["addresses"]]
    return seen


def end(owner, before, where):
    """Whatever there is: down, and the host is as it was."""
    owner.down()
    owner.wait_ends()
    now = look(owner)
    assert not unlike(before, now), f"{where}\n{unlike(before, now)}"


def converge(owner, before, reference, then, where):
    if then == "up":
        owner.up()
        now = look(owner)
        assert not unlike(reference, now), f"{where}, then up:\n{unlike(reference, now)}"
    end(owner, before, f"{where}, then {then}")


def some(places, seed, part=10):
    if TIER == "full":
        return places
    return random.Random(seed).sample(places, max(1, len(places) // part))


def begin(lab, file):
    owner = Owner(lab)
    owner.file(**FILES[file])
    before = look(owner)
    owner.up()
    reference = look(owner)
    end(owner, before, "undisturbed")
    return owner, before, reference


@pytest.mark.parametrize("file", FILES)
@scenario(seconds=3000 if TIER == "full" else 500)
def fp2_up_killed_at_every_system_call(lab, file):
    owner, before, reference = begin(lab, file)
    places = calls(owner, "up")
    end(owner, before, "traced")
    assert len(places) > 150
    hits = 0
    for n, (name, count) in enumerate(some(places, 1)):
        hits += killed(owner, "up", name, count)
        converge(owner, before, reference, ("up", "down")[n % 2], f"up killed at {name} {count}")
    assert hits


@pytest.mark.parametrize("file", FILES)
@scenario(seconds=3000 if TIER == "full" else 500)
def fp2_down_killed_at_every_system_call(lab, file):
    owner, before, reference = begin(lab, file)
    owner.up()
    places = calls(owner, "down")
    assert len(places) > 100
    for n, (name, count) in enumerate(some(places, 2)):
        owner.up()
        killed(owner, "down", name, count)
        converge(owner, before, reference, ("up", "down")[n % 2], f"down killed at {name} {count}")


def group_killed(verb, lines):
    """The command and all that it runs, as soon as it has said so many lines."""
    process = subprocess.Popen(["warren", verb, "home"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                               start_new_session=True, text=True)
    for _ in range(lines):
        process.stderr.readline()
    os.killpg(process.pid, signal.SIGKILL)
    process.stderr.close()
    process.wait(60)


@pytest.mark.parametrize("file", FILES)
@scenario(seconds=500)
def fp2_group_killed_at_every_step(lab, file):
    owner, before, reference = begin(lab, file)
    steps = [len(owner.up().stderr.splitlines()), len(owner.down().stderr.splitlines())]
    owner.wait_ends()
    for lines in range(steps[0]):
        group_killed("up", lines)
        converge(owner, before, reference, ("up", "down")[lines % 2], f"up killed after {lines} lines")
    for lines in range(steps[1]):
        owner.up()
        group_killed("down", lines)
        converge(owner, before, reference, ("down", "up")[lines % 2], f"down killed after {lines} lines")
