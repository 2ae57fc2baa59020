import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "netns")]


@pytest.fixture(scope="session", autouse=True)
def newest_packages():
    """Unpacked before the first case, by one of the workers."""
    import newest
    newest.fetch_newest_alone()
