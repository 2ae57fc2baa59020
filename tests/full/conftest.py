import os
import sys

import pytest

sys.path[:0] = [os.path.dirname(__file__), os.path.join(os.path.dirname(__file__), "..", "netns")]
pytest.register_assert_rewrite("bench", "harness", "kernel_vm", "pywg")


def pytest_configure(config):
    config.addinivalue_line("markers", "full: only in make test-full")
