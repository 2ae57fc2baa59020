"""The binary itself carries what the compiler and the linker can do against exploits (F-S9)."""
import os
import re
import subprocess

import pytest

from harness import sanitizer

pytestmark = pytest.mark.skipif(bool(sanitizer()), reason="built with a sanitizer: no _FORTIFY_SOURCE")
WARREN = os.environ.get("WARREN", "build/main/warren")


def readelf(*options):
    return subprocess.run(["readelf", "--wide", *options, WARREN], check=True, capture_output=True, text=True).stdout


def test_fs9_hardening_flags():
    header, segments, dynamic = readelf("-h"), readelf("-l"), readelf("-d")
    assert re.search(r"Type:\s+DYN", header), "not position independent"
    assert "PIE" in dynamic, "not a PIE"
    stack = re.search(r"GNU_STACK.*", segments).group()
    assert "RWE" not in stack, "executable stack"
    assert "GNU_RELRO" in segments and re.search(r"FLAGS.*NOW", dynamic), "not full RELRO"
    assert not re.search(r"\bRWE\b", segments), "a segment is writable and executable"
    symbols = readelf("--dyn-syms")
    assert "__stack_chk_fail" in symbols, "no stack protector"
    assert re.search(r"__\w+_chk@", symbols), "no _FORTIFY_SOURCE"
    assert "TEXTREL" not in dynamic


def test_fs9_built_with_every_flag():
    """What leaves no mark in the binary stands in the build's own record of its commands."""
    with open(os.path.join(os.path.dirname(WARREN), "compile_commands.json")) as file:
        commands = file.read()
    for flag in ("-fstack-clash-protection", "-fcf-protection=full", "-D_FORTIFY_SOURCE=3", "-fstack-protector-strong",
                 "-ftrivial-auto-var-init=zero"):
        assert flag in commands, flag
