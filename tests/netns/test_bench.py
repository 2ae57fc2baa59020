"""The bench runs: a few seconds, ours alone, and nothing is claimed about how fast."""
import json
import os
import pathlib
import subprocess

import pytest

from harness import ROOT, warren_path

ROWS = {"tcp-1": "TCP, one stream", "latency": "round trip, idle, median"}


@pytest.mark.skipif(os.getuid() != 0, reason="needs root")
def test_bench_gives_its_table_and_its_json(tmp_path):
    results = tmp_path / "bench.json"
    done = subprocess.run([ROOT / "bench/run", pathlib.Path(warren_path()).parent, "--quick", "--engines", "warren", "--only",
                           ",".join(ROWS), "--json", results], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    for words in ROWS.values():
        assert words in done.stdout
    assert "not measured" in done.stdout
    figures = json.loads(results.read_text())["figures"]
    for key in ("tcp-1.gbps", "tcp-1.cpu", "latency.idle-median", "latency.load-p99"):
        assert figures[key]["warren"]["median"] > 0, key
        assert figures[key]["newest"]["missing"] == "not asked for"
