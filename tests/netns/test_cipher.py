"""Each cipher behind the packet path: what goes over the wire is the same, and a wrong wish is told."""
import pathlib

import pytest

from bench import Bench
from harness import copy_over_tcp, scenario, warren_path

HAS_AVX2 = {"avx2", "bmi2"} <= set(pathlib.Path("/proc/cpuinfo").read_text().split())
CIPHERS = ["libcrypto", pytest.param("avx2", marks=pytest.mark.skipif(not HAS_AVX2, reason="no AVX2 here"))]


@pytest.mark.parametrize("cipher", CIPHERS)
@scenario(lacks="has one cipher")
def every_size_through_each_cipher(lab, cipher):
    """Against the peer in Python, whose cipher is OpenSSL's."""
    bench = Bench(lab, args=("--cipher", cipher))
    bench.connect()
    for size in [*range(0, 140), 556, 557, 1391, 1392]:
        assert bench.echo(size=size), f"no echo of {size} bytes"


@pytest.mark.parametrize("cipher", CIPHERS)
@scenario(lacks="has one cipher")
def forged_packet_is_dropped_by_each_cipher(lab, cipher):
    bench = Bench(lab, args=("--cipher", cipher))
    session = bench.connect()
    before = bench.transfer()
    message = bytearray(session.seal(bytes(64)))
    message[40] ^= 1
    bench.peer.send(bytes(message))
    assert bench.echo(), "the session is hurt"
    assert bench.transfer() != before


@pytest.mark.parametrize("cipher", CIPHERS)
@scenario(lacks="has one cipher")
def bulk_through_each_cipher(lab, cipher):
    a, b = lab.pair()
    lab.tunnel(a, b, args=(("--cipher", cipher), ("--cipher", "libcrypto")))
    copy_over_tcp(lab, a, b, "10.9.0.2", 16)


@scenario(lacks="has one cipher")
def a_cipher_that_is_none_is_refused(lab):
    ns = lab.namespace()
    for name in ("null", "none", "AVX2", ""):
        result = ns.run(warren_path(), "run", "-f", "--cipher", name, "wgx", check=False, timeout=5)
        assert result.returncode == 2 and f"--cipher {name}'" in result.stderr, result
    assert "wgx" not in ns.run("ip", "link")
