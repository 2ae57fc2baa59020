"""Warren's wg and others, asked the same: what they print, say, give and send to the device must be equal to the byte.

The cases are made in cases.py; where Warren differs, differences.py says why. The device is a fake one in Python, and
every program runs under the name wg.
"""
import contextlib
import os
import pathlib
import re
import time

import cases
import differences
import harness
import newest
import programs
import pytest
from harness import scenario

CHUNKS = 24
HOSTS = """127.0.0.1 localhost
::1 ip6-localhost
192.0.2.7 vpn.example two.example
192.0.2.8 two.example
2001:db8::7 six.example
"""


@contextlib.contextmanager
def private_resolver():
    """Names that are the same on every host, and no server to ask for others."""
    mounted = []
    for path, text in (("/etc/hosts", HOSTS), ("/etc/resolv.conf", "nameserver 127.0.0.1\noptions attempts:1 timeout:1\n")):
        if not os.path.exists(path):
            continue
        mine = harness.WORK / pathlib.Path(path).name
        mine.write_text(text)
        mounted.append(os.path.realpath(path))
        harness.mount(str(mine), mounted[-1], None, harness.MS_BIND)
    try:
        yield
    finally:
        for path in mounted:
            harness.syscall("umount2", os.fsencode(path), 0)


def steady(result, case):
    """Keys that were made differ each time; everything else must not."""
    if case.argv[:1] in (["genkey"], ["genpsk"]) and result.code == 0 and not case.stdout:
        assert re.fullmatch(rb"[A-Za-z0-9+/]{43}=\n", result.stdout), result.stdout
        result.stdout = b"(a key)\n"
    return result


def ask_all(case, all_programs):
    """Within one second of the clock, so that ages are equal."""
    for _ in range(20):
        before = int(time.time())
        results = {p.name: steady(programs.run(p, case), case) for p in all_programs}
        if int(time.time()) == before:
            break
    return results


SECRET_LINE = re.compile(rb"(?im)^\s*(?:privatekey|presharedkey)\s*=\s*([A-Za-z0-9+/]{40,})")


def secrets_of(case):
    """Whatever in the case is a private or preshared key, cut so that a part of it would be found too."""
    found = SECRET_LINE.findall(case.files.get("file", b"")) + [case.stdin]
    found += [content for name, content in case.files.items() if name != "file"]
    found += [cases.SECRET] * (cases.SECRET[:40] in case.files.get("file", b""))
    return {text.strip()[:40] for text in found if len(set(text.strip()[:40])) > 10}


def judge(case, results):
    """What differs and is not explained, and what tells a secret (F-S10)."""
    ours, faults = results["warren"], []
    if case.stdin or case.kind in ("set", "conf"):
        faults += [f"{case}\n says a secret\n{ours}" for secret in secrets_of(case) if secret in ours.stderr]
    for name, theirs in results.items():
        if theirs != ours and not differences.explained(name, case, results):
            faults.append(f"{case}\n {name}\n{theirs}\n warren\n{ours}")
    return faults


@scenario(seconds=110)
@pytest.mark.parametrize("chunk", range(CHUNKS))
def wg_is_the_same_as_others(lab, chunk):
    others = [p for p in (programs.newest(), programs.debian()) if p]
    if not others:
        pytest.skip("there is no other wg here")
    faults = []
    with private_resolver():
        for case in cases.all_cases()[chunk::CHUNKS]:
            faults += judge(case, ask_all(case, [programs.warren(), *others]))
    assert not faults, f"{len(faults)} differences without a reason\n" + "\n\n".join(faults[:8])


def test_there_are_enough_cases():
    made = cases.all_cases()
    assert len(made) >= 500
    assert {case.argv[0] for case in made if case.argv} >= set(cases.VERBS)


def test_newest_wg_was_there():
    why = newest.fetch_newest()
    if why:
        pytest.skip(f"the newest wg: {why}")
