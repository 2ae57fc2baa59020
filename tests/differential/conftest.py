import fcntl
import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "netns")]


@pytest.fixture(scope="session", autouse=True)
def newest_packages():
    """Unpacked before the first case, by one of the workers."""
    import programs
    folder = programs.newest_folder().parent
    if not folder.is_dir():
        return
    with open(folder / "newest.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        programs.fetch_newest()
