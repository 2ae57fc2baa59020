"""The newest packaged wg, wg-quick and wireguard-go, unpacked beside the build: what ours is compared with."""
import fcntl
import os
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]


def newest_folder():
    build = pathlib.Path(os.environ.get("WARREN_BUILD", ROOT / "build/main"))
    return build.resolve().parent / "newest"


def fetch_newest():
    """Unpack them, once for all workers; why not, or None."""
    folder = newest_folder()
    if (folder / "bin/wg").exists():
        return None
    if not folder.parent.is_dir():
        return "there is no build folder"
    try:
        done = subprocess.run([str(ROOT / "tools/newest-packages"), str(folder)], text=True, timeout=240,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    except subprocess.TimeoutExpired:
        return "the mirror does not answer"
    return None if done.returncode == 0 else (done.stdout.strip().splitlines() or ["failed"])[-1]


def fetch_newest_alone():
    """For the first of several workers; the others wait for it."""
    folder = newest_folder().parent
    if folder.is_dir():
        with open(folder / "newest.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            fetch_newest()
