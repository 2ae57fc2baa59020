import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))
pytest.register_assert_rewrite("bench", "harness", "pywg")


def pytest_configure(config):
    config.addinivalue_line("markers", "full: only in make test-full")


def pytest_collection_modifyitems(config, items):
    # The longest first, so that they overlap with all others.
    items.sort(key=lambda item: -getattr(item.function, "seconds", 0))
    if os.environ.get("WARREN_TIER") == "full" or config.option.markexpr:
        return
    for item in items:
        if item.get_closest_marker("full"):
            item.add_marker(pytest.mark.skip(reason="only in make test-full"))
