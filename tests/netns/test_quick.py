"""Under the name wg-quick: usage, files, warnings, sudo and strip, beside the stock one."""
import os
import pathlib
import random
import shutil
import subprocess

import pytest
from harness import WORK, private_directory, scenario, warren_path

FOLDER = pathlib.Path("/etc/wireguard")
STOCK = "/usr/bin/wg-quick"


def run(*argv, path=None, **options):
    """wg-quick from a folder of its own; (code, stdout, stderr)."""
    done = subprocess.run(["wg-quick", *map(str, argv)], executable=path or WORK / "ours/wg-quick", stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, **options)
    return done.returncode, done.stdout, done.stderr.decode()


def both(*argv, **options):
    """The same of the stock one and of ours."""
    stock, ours = run(*argv, path=STOCK, **options), run(*argv, **options)
    assert ours == stock, argv
    return ours


def world(lab):
    if not shutil.which(STOCK):
        pytest.skip("wg-quick is not installed")
    private_directory(FOLDER)
    os.chmod(FOLDER, 0o755)
    lab.mounts = pathlib.Path("/proc/self/mounts").read_text()
    for name in ("ours", "home"):
        (WORK / name).mkdir()
    (WORK / "ours/wg-quick").symlink_to(warren_path())
    os.chdir(WORK / "home")


def write(path, content="[Interface]\nMTU = 1\n", mode=0o600):
    path = pathlib.Path(path)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    path.chmod(mode)


@scenario(seconds=60)
def d1_usage(lab):
    world(lab)
    for argv in ((), ("strip",), ("strip", "a", "b"), ("nothing", "wg0"), ("help", "x"), ("UP", "wg0"), ("-h", "--help")):
        stock, ours = run(*argv, path=STOCK), run(*argv)
        assert ours[:2] == stock[:2] == (1, b""), argv
        assert ours[2].splitlines()[0] == stock[2].splitlines()[0], argv
    for word in ("help", "-h", "--help"):
        stock, ours = run(word, path=STOCK), run(word)
        assert ours[:2] == stock[:2] == (0, b"") and ours[2].splitlines()[0] == stock[2].splitlines()[0]


@scenario(seconds=60)
def d1_which_file(lab):
    """A name is a file of /etc/wireguard; so is wg0.conf, whatever stands in the current folder."""
    world(lab)
    write("wg0.conf")
    write(FOLDER / "wg1.conf")
    write("sixteen_letters_.conf")
    write("wg 3.conf")
    write("wg4.config")
    os.symlink(FOLDER / "wg1.conf", "linked.conf")
    os.symlink(FOLDER / "wg9.conf", "dangling.conf")
    words = ["wg0", "wg0.conf", "./wg0.conf", "wg1", "wg1.conf", "./wg1.conf", "sixteen_letters_", "./sixteen_letters_.conf",
             "wg 3.conf", "./wg4.config", "./linked.conf", "./dangling.conf", "/", ".", "..", "", "../home/wg0.conf",
             "./wg0.conf/", "./wg0.conf/x.conf", "-h"]
    outcomes = {word: both("strip", word) for word in words}
    assert outcomes["wg0.conf"][2] == "wg-quick: `/etc/wireguard/wg0.conf.conf' does not exist\n"
    assert outcomes["./wg0.conf"][0] == outcomes["./linked.conf"][0] == 0
    done = subprocess.run([warren_path(), "strip", "wg0.conf"], capture_output=True, text=True)
    assert done.returncode == 1 and "write ./wg0.conf" in done.stderr


@scenario(seconds=60)
def d1_world_accessible(lab):
    """The same bit on file and folder, and never a refusal."""
    world(lab)
    told = set()
    for folder in (0o700, 0o711, 0o755, 0o775):
        for mode in (0o600, 0o640, 0o644, 0o601, 0o666):
            os.chmod(FOLDER, folder)
            write(FOLDER / "wg0.conf", mode=mode)
            os.symlink("wg0.conf", FOLDER / "link.conf")
            for word in ("wg0", "link"):
                told.add(both("strip", word))
            (FOLDER / "link.conf").unlink()
    assert told == {(0, b"[Interface]\n\n", ""),
                    (0, b"[Interface]\n\n", "Warning: `/etc/wireguard/wg0.conf' is world accessible\n")}


@scenario(seconds=60)
def d4_strip_by_examples(lab):
    world(lab)
    for text in ("", "\n", "x", "[Interface]", "[interface]\r\nMTU = 1\r\n", "[Interface]\nsaveconfig = maybe # no\n",
                 "[Interface]\nSaveConfig\n", "[Interface]\nSaveConfig = TRUE\n[Peer]\nSaveConfig=x\n",
                 "[Interface] # x\n\t DNS = 1 \n Key = a b  \n", "\xef\xbb\xbf[Interface]\nMTU = 1\n", "-n", "\\n"):
        write(FOLDER / "wg0.conf", text)
        both("strip", "wg0")


@scenario(seconds=120)
def d4_strip_of_random_files(lab):
    world(lab)
    chance = random.Random(4)
    words = ["[Interface]", "[Peer]", "[ Interface ]", "[", "]", "Address", "mtu", "DNS", "Table", "PreUp", "PostUp",
             "PreDown", "PostDown", "SaveConfig", "PrivateKey", "true", "false", "=", "=", "#", " ", "\t", "\r", "\v", "\n",
             "\n", "\n", "*", "\\", "$x", "é", "\xff", "%i", "\"", "'"]
    for _ in range(60):
        text = "".join(chance.choice(words) for _ in range(chance.randrange(60)))
        write(FOLDER / "wg0.conf", text.encode("latin-1", "replace"))
        both("strip", "wg0")


@scenario(seconds=60)
def d1_sudo_when_not_root(lab):
    """The same program under the same name, by its path, and the words."""
    world(lab)
    os.chmod(WORK, 0o755)
    tools = WORK / "tools"
    tools.mkdir()
    (tools / "sudo").write_text("#!/bin/sh\nfor word; do echo \"<$word>\"; done\n")
    (tools / "sudo").chmod(0o755)
    shutil.copy(warren_path(), tools / "warren")
    (tools / "wg-quick").symlink_to("warren")

    def as_nobody(*argv, path):
        return subprocess.run([path, *argv], env={"PATH": f"{tools}:/usr/bin:/bin"}, preexec_fn=lambda: os.setuid(65534),
                              capture_output=True, text=True, cwd=tools)

    prompt = "wg-quick must be run as root. Please enter the password for %u to continue: "
    for path in ("wg-quick", str(tools / "wg-quick"), "./wg-quick"):
        done = as_nobody("strip", "a b; $x", path=path)
        assert done.returncode == 0, done
        assert done.stdout.splitlines() == ["<-p>", f"<{prompt}>", "<-->", f"<{tools}/wg-quick>", "<strip>", "<a b; $x>"]
    assert as_nobody("strip", path="wg-quick").returncode == 1, "usage comes first"
    (tools / "sudo").unlink()
    done = as_nobody("strip", "wg0", path=str(tools / "wg-quick"))
    assert done.returncode in (0, 1, 127) and ("must be run as root" in done.stderr or shutil.which("sudo"))
