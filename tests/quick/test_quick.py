"""Stock wg-quick, the newest packaged, and Warren's, given the same files on equal hosts.

After every command addresses, routes of all tables, rules, the rule set of nft, every switch below /proc/sys/net, what wg
says, the resolver, all files, the status and what was said must be equal; where they are not, differences.py says why.
After the last `down` the host must be as it was before.
"""
import difflib
import os

import cases
import differences
import harness
import programs
import pytest
from programs import STOCK, WARREN


def rows():
    for case in cases.ROWS:
        yield pytest.param(case, id=case.name.replace(" ", "-").replace("/", "_"), marks=[pytest.mark.full] if case.full else [])


@pytest.mark.parametrize("case", rows())
def test_same_as_stock(case):
    skip_unless_ready()
    plays = {}
    for program in (STOCK, WARREN):
        plays[program], why = programs.played(case, program)
        assert why is None, f"{program}: {why}"
    faults = differences.judge(case, plays[STOCK], plays[WARREN])
    assert not faults, "\n".join([describe(case), *faults])


def skip_unless_ready():
    if os.geteuid() != 0:
        pytest.skip("needs root")
    if harness.warren_path() is None:
        pytest.skip("there is no engine yet")
    why = programs.stock_missing() or programs.warren_missing()
    if why:
        pytest.skip(why)


def describe(case):
    text = [f"{case.name}: {case.steps}"]
    for name, content in case.files.items():
        text += [f"--- {name}", content if isinstance(content, str) else repr(content)]
    return "\n".join(text)


def test_there_are_enough_files():
    assert sum(len(case.files) for case in cases.ROWS if not case.full) >= 60
    assert len({case.name for case in cases.ROWS}) == len(cases.ROWS)
