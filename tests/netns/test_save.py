"""`save` on live engines: what it writes, and that a file is the old or the new, whatever goes wrong."""
import os
import pathlib
import random
import re
import signal
import subprocess

import pytest
from harness import MS_NODEV, MS_NOSUID, WORK, Keys, mount, private_directory, scenario, warren_path

FOLDER = pathlib.Path("/etc/wireguard")
FILE = FOLDER / "wga.conf"
TIER = os.environ.get("WARREN_TIER")


def save(*argv, name="warren", check=True, wrapper=(), **options):
    """Run our program under a name; its result."""
    if wrapper:
        alias = WORK / name
        if not alias.exists():
            alias.symlink_to(warren_path())
        argv = [*wrapper, alias, *argv]
    else:
        argv, options["executable"] = [name, *argv], warren_path()
    done = subprocess.run([str(a) for a in argv], **options, text=True, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
    assert not check or done.returncode == 0, f"{argv}: {done}"
    return done


def world(lab, text, name="wga"):
    """An engine of that name, configured from a file of wg-quick as stock tools would."""
    private_directory(FOLDER)
    os.chmod(FOLDER, 0o700)
    lab.mounts = pathlib.Path("/proc/self/mounts").read_text()
    FILE.write_text(text)
    FILE.chmod(0o600)
    engine = lab.engine(name, lab.root)
    engine.wg("setconf", name, "/dev/stdin", stdin=save("strip", FILE).stdout)
    for line in re.findall(r"^Address = (.*)$", text, re.M):
        for address in re.split(r"[ ,]+", line.split("#")[0].strip()):
            lab.root.ip(f"addr add {address} dev {name}")
    mtu = re.search(r"^MTU = (\d+)", text, re.M)
    lab.root.ip(f"link set {name} up" + (f" mtu {mtu.group(1)}" if mtu else ""))
    return engine


def leftovers():
    return sorted(p.name for p in FOLDER.iterdir() if p.name != FILE.name)


def example(ann, bob, own=None):
    return f"""# The office. Ask Ann & Bob.
[Interface]
PrivateKey = {(own or Keys()).private} # ours
Address = 10.7.0.1/24, fd07::1/64
DNS = 10.7.0.1, office.example, example.org
PostUp = test -e /x && echo "a & b" >&2 # & %i
SaveConfig = false
#: Reresolve = no

# Ann
[Peer]
PublicKey = {ann.public}
AllowedIPs = 10.7.0.2/32, fd07::2/128   # her laptop
Endpoint = localhost:5

#: Name = Bob
[Peer]
# since May
PublicKey = {bob.public}
AllowedIPs = 10.7.0.3/32
Endpoint = 192.0.2.9:51820

# end of file
"""


@scenario(seconds=60)
@pytest.mark.parametrize("name", ["warren", "wg-quick"])
def fc11_what_did_not_change_stays_byte_for_byte(lab, name):
    """A random port, the mark that a default route was given, a link-local address: none of it is written down."""
    text = example(Keys(), Keys())
    engine = world(lab, text)
    engine.set("fwmark 51820")
    lab.root.ip("rule add not fwmark 51820 table 51820")
    lab.root.ip("addr add fe80::7/64 dev wga")
    assert engine.port()
    FILE.chmod(0o644)
    save("save", "wga", name=name)
    assert FILE.read_text() == text
    assert FILE.stat().st_mode & 0o777 == 0o600 and leftovers() == []


@scenario(seconds=60)
@pytest.mark.parametrize("name", ["warren", "wg-quick"])
def a21_what_was_added_live_is_there_after_a_restart(lab, name):
    ann, bob, eve = Keys(), Keys(), Keys()
    text = example(ann, bob)
    engine = world(lab, text)
    engine.set(f"listen-port 51820 peer {eve.public} allowed-ips 10.7.0.9/32 endpoint [fd00::9]:4 persistent-keepalive 25")
    engine.set(f"peer {bob.public} endpoint 198.51.100.2:7 allowed-ips 10.7.0.3/32,10.8.0.0/16")
    lab.root.ip("addr add 10.9.0.1/16 dev wga")
    lab.root.ip("addr del fd07::1/64 dev wga")
    save("save", "wga", name=name)
    wanted = text.replace("10.7.0.1/24, fd07::1/64", "10.7.0.1/24\nAddress = 10.9.0.1/16")
    wanted = wanted.replace("192.0.2.9:51820", "198.51.100.2:7").replace("10.7.0.3/32", "10.7.0.3/32, 10.8.0.0/16")
    wanted = wanted.replace("Reresolve = no", "Reresolve = no\nListenPort = 51820")
    wanted += f"\n[Peer]\nPublicKey = {eve.public}\nAllowedIPs = 10.7.0.9/32\nEndpoint = [fd00::9]:4\nPersistentKeepalive = 25\n"
    assert FILE.read_text() == wanted
    before = sorted(engine.dump())
    engine.wg("setconf", "wga", "/dev/stdin", stdin=save("strip", "wga").stdout)
    assert sorted(engine.dump()) == before, "what was saved makes what ran"
    engine.set(f"peer {ann.public} remove")
    save("save", "wga", name=name)
    assert "Ann\n" not in FILE.read_text() and "# since May" in FILE.read_text()


@scenario(seconds=60)
def what_cannot_be_saved_changes_nothing(lab):
    text = example(Keys(), Keys())
    engine = world(lab, text)

    def refused(words, *argv, name="warren", code=1):
        done = save(*argv, name=name, check=False)
        assert done.returncode == code and words in done.stderr, done
        assert FILE.read_text() == content and leftovers() == []

    content = text
    refused("wg-quick: `/etc/wireguard/wgb.conf' does not exist", "save", "wgb", name="wg-quick")
    refused("Usage", "save", code=2)
    refused("Usage", "save", "a", "b", code=2)
    os.symlink(FILE, FOLDER / "wgb.conf")
    for name in ("warren", "wg-quick"):
        done = save("save", "wgb", name=name, check=False)
        assert done.returncode == 1 and done.stderr == f"{name}: `wgb' is not a WireGuard interface\n"
    (FOLDER / "wgb.conf").unlink()
    FILE.write_text(content := text.replace("AllowedIPs", "AllowedIP"))
    refused("mistakes", "save", "wga")
    FILE.write_text(content := text)
    engine.wg("set", "wga", "private-key", "/dev/null")
    refused("private key", "save", "wga")
    done = save("save", FILE, check=False, preexec_fn=lambda: os.setuid(65534))
    assert done.returncode == 1 and done.stderr == "warren: save must be run as root\n"


@scenario(seconds=90)
@pytest.mark.parametrize("name", ["warren", "wg-quick"])
def a20_edits_survive_save_config(lab, name):
    """Somebody edits the file while the tunnel is up, somebody else adds a peer live: both are there afterwards."""
    private_directory(FOLDER)
    os.chmod(FOLDER, 0o700)
    lab.mounts = pathlib.Path("/proc/self/mounts").read_text()
    ann, bob, eve, own = Keys(), Keys(), Keys(), Keys()
    text = example(ann, bob, own).replace("DNS =", "# DNS =").replace("SaveConfig = false", "SaveConfig = true")
    text = text.replace("PostUp =", "# PostUp =").replace("Endpoint = localhost:5\n", "")
    FILE.write_text(text)
    FILE.chmod(0o600)
    environment = {**os.environ, "WG_QUICK_USERSPACE_IMPLEMENTATION": str(WORK / "warrend"), "PATH": os.environ["PATH"]}
    (WORK / "warrend").symlink_to(warren_path())
    up = ["up", "--engine", "user", "wga"] if name == "warren" else ["up", "wga"]
    save(*up, name=name, env=environment)
    subprocess.run(["wg", "set", "wga", "peer", eve.public, "allowed-ips", "10.7.0.9/32"], check=True)
    subprocess.run(["wg", "set", "wga", "peer", ann.public, "remove"], check=True)
    edited = text.replace("10.7.0.3/32", "10.7.0.3/32, 10.30.0.0/16").replace("since May", "since June")
    FILE.write_text(edited)
    done = save("down", "wga", name=name)
    assert "was edited" in done.stderr
    after = FILE.read_text()
    assert "10.30.0.0/16" in after and "since June" in after and eve.public in after and ann.public not in after
    assert edited.split("# Ann")[0] in after and not any(pathlib.Path("/run/warren").glob("wga*"))
    save(*up, name=name, env=environment)  # nothing edited: as ever
    subprocess.run(["wg", "set", "wga", "peer", eve.public, "remove"], check=True)
    done = save("save", "wga", name=name)
    assert "was edited" not in done.stderr and eve.public not in FILE.read_text()
    last = FILE.read_text()
    save("down", "wga", name=name)
    assert FILE.read_text() == last


@scenario(seconds=60)
def fp7_no_space_left(lab):
    """The tmpfs has no room for a second copy."""
    bob = Keys()
    text = example(Keys(), bob) + "# filler\n" * 900
    engine = world(lab, text)
    mount("tmpfs", str(FOLDER), "tmpfs", MS_NOSUID | MS_NODEV, data="size=16k")
    FILE.write_text(text)
    FILE.chmod(0o600)
    lab.mounts = pathlib.Path("/proc/self/mounts").read_text()
    engine.set(f"peer {bob.public} remove")
    done = save("save", "wga", check=False)
    assert done.returncode == 1 and "No space left on device" in done.stderr, done
    assert FILE.read_text() == text and leftovers() == []


@scenario(seconds=120)
def fp7_every_call_that_writes_fails(lab):
    bob = Keys()
    text = example(Keys(), bob)
    engine = world(lab, text)
    engine.set(f"peer {bob.public} remove")
    for call, error in [("fsync", "EIO"), ("write", "ENOSPC"), ("write", "EDQUOT"), ("write", "EIO"), ("fchmod", "EIO"),
                        ("renameat", "EIO"), ("rename", "EIO"), ("fchown", "EPERM"), ("flock", "ENOLCK")]:
        done = save("save", "wga", check=False, wrapper=["strace", "-f", "-qq", "-o", WORK / "trace", "-e", f"trace={call}",
                                                         "-e", f"inject={call}:error={error}"])
        assert leftovers() == []
        if call in ("rename", "fchown", "flock"):  # not called, or no reason to give up
            assert done.returncode == 0 and bob.public not in FILE.read_text()
            FILE.write_text(text)
            continue
        assert "INJECTED" in (WORK / "trace").read_text()
        assert done.returncode == 1 and FILE.read_text() == text, (call, error, done)
        assert "warren: /etc/wireguard/wga.conf: " in done.stderr or call == "write"


@scenario(seconds=60)
def fp8_order_of_calls(lab):
    """A new file beside the old one, its bytes on disk before it takes the name, and the name on disk behind it."""
    bob = Keys()
    engine = world(lab, example(Keys(), bob))
    engine.set(f"peer {bob.public} remove")
    save("save", "wga", wrapper=["strace", "-f", "-qq", "-y", "-o", WORK / "trace"])
    calls = (WORK / "trace").read_text()
    made = re.search(r'openat\(\d+<(/etc/wireguard)>, "(\.warren-[0-9a-f]{16}\.tmp)", (\S+), 0600\)', calls)
    assert {"O_WRONLY", "O_CREAT", "O_EXCL", "O_NOFOLLOW", "O_CLOEXEC"} == set(made.group(3).split("|"))
    name = re.escape(f"{made.group(1)}/{made.group(2)}")
    order = [rf"write\(\d+<{name}>", rf"fchmod\(\d+<{name}>, 0600\)", rf"fsync\(\d+<{name}>\)",
             rf'renameat\(\d+<{made.group(1)}>, "{re.escape(made.group(2))}", \d+<{made.group(1)}>, "wga.conf"\)',
             rf"fsync\(\d+<{made.group(1)}>\)"]
    places = [re.search(pattern, calls) for pattern in order]
    assert all(places) and sorted(p.start() for p in places) == [p.start() for p in places], places


@scenario(seconds=500)
def fp2_killed_at_every_system_call(lab):
    """All of them in test-full, a tenth otherwise. The file is the old or the new one, and the next save ends it."""
    ann, bob = Keys(), Keys()
    text = example(ann, bob)
    engine = world(lab, text)
    engine.set(f"peer {bob.public} remove")
    save("save", "wga", wrapper=["strace", "-qq", "-o", WORK / "calls"])
    new = FILE.read_text()
    names = re.findall(r"^(\w+)\(", (WORK / "calls").read_text(), re.M)
    places = [(name, names[:i + 1].count(name)) for i, name in enumerate(names)]  # strace counts each name for itself
    del places[0]  # execve: not ours yet
    assert len(places) > 100
    if TIER != "full":
        places = random.Random(7).sample(places, len(places) // 10)
    for name, count in places:
        FILE.write_text(text)
        done = save("save", "wga", check=False, wrapper=["strace", "-qq", "-o", "/dev/null", "-e", f"trace={name}", "-e",
                                                         f"inject={name}:signal=SIGKILL:when={count}"])
        assert done.returncode == -signal.SIGKILL or name == "exit_group", (name, count, done)
        assert FILE.read_text() in (text, new) and FILE.stat().st_mode & 0o777 == 0o600, (name, count)
        save("save", "wga")
        assert FILE.read_text() == new, (name, count)
    FILE.write_text(text)
    save("save", "wga")
    assert leftovers() == [], "what killed ones left is gone"
