"""Our wg on engines that are alive, ours and wireguard-go, and what it does with keys in files."""
import contextlib
import json
import os
import re
import shutil
import signal
import stat
import subprocess
import time

import pytest
from harness import WORK, Keys, mount, scenario, syscall, wait_until, warren_path

ENGINES = ["warren", "wireguard-go"]
STOCK = "/usr/bin/wg"


def ours(lab, *argv, stdin=None, check=True, name="wg", **options):
    """Run our program under a name; its result."""
    done = subprocess.run([name, *map(str, argv)], executable=warren_path(), input=stdin, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=30, **options)
    assert not check or done.returncode == 0, f"{argv}: {done}"
    return done


def warren(lab, *argv, **options):
    return ours(lab, *argv, name="warren", **options)


def stock(*argv):
    return subprocess.run([STOCK, *argv], text=True, stdout=subprocess.PIPE, check=True, timeout=30).stdout


def device(lab, kind):
    if kind == "wireguard-go" and not shutil.which("wireguard-go"):
        pytest.skip("wireguard-go is not installed")
    return lab.engine("wga", lab.namespace(), kind=kind)


def peers_of(text):
    """A dump with its peers in order of their keys: wireguard-go has none of its own."""
    first, *peers = text.splitlines()
    return first, sorted(peers)


def assert_seen_alike(lab):
    """Ours and the stock wg say the same of the device."""
    for field in ("dump", "allowed-ips", "endpoints", "preshared-keys", "persistent-keepalive"):
        assert sorted(ours(lab, "show", "wga", field).stdout.splitlines()) == sorted(stock("show", "wga", field).splitlines())


@scenario(seconds=60)
@pytest.mark.parametrize("kind", ENGINES)
def wg_configures_a_live_engine(lab, kind):
    device(lab, kind)
    own, left, right = Keys(), Keys(), Keys()
    key = WORK / "key"
    key.write_text(own.private + "\n")
    ours(lab, "set", "wga", "private-key", key, "listen-port", 51900, "fwmark", "0x10",
         "peer", left.public, "endpoint", "192.0.2.1:5", "allowed-ips", "10.0.0.0/8, fd00::/8", "persistent-keepalive", 25,
         "preshared-key", key, "peer", right.public, "allowed-ips", "192.168.0.0/16")
    assert_seen_alike(lab)
    first, peers = peers_of(ours(lab, "show", "wga", "dump").stdout)
    assert first.split("\t")[1:] == [own.public, "51900", "0x10"]
    assert len(peers) == 2 and any("10.0.0.0/8,fd00::/8" in p and "192.0.2.1:5" in p for p in peers)

    before = peers_of(ours(lab, "show", "wga", "dump").stdout)
    ours(lab, "setconf", "wga", "/dev/stdin", stdin=ours(lab, "showconf", "wga").stdout)
    assert peers_of(ours(lab, "show", "wga", "dump").stdout) == before

    file = WORK / "file"
    file.write_text(f"[Interface]\nPrivateKey = {own.private}\nListenPort = 51900\n[Peer]\nPublicKey = {left.public}\n"
                    "AllowedIPs = 10.1.0.0/16\n")
    ours(lab, "syncconf", "wga", file)
    assert_seen_alike(lab)
    _, peers = peers_of(ours(lab, "show", "wga", "dump").stdout)
    # Its endpoint stays; its preshared key and keepalive, which the file does not have, go.
    assert [p.split("\t")[:4] + p.split("\t")[7:] for p in peers] == [[left.public, "(none)", "192.0.2.1:5", "10.1.0.0/16", "off"]]

    file.write_text(f"[Peer]\nPublicKey = {right.public}\n")
    ours(lab, "addconf", "wga", file)
    assert ours(lab, "show", "wga", "peers").stdout.split() in ([left.public, right.public], [right.public, left.public])
    ours(lab, "set", "wga", "peer", left.public, "remove")
    assert ours(lab, "show", "wga", "peers").stdout.split() == [right.public]
    assert ours(lab, "show", "interfaces").stdout == stock("show", "interfaces") == "wga\n"


@scenario(seconds=30)
def prefixes_come_and_go_one_by_one(lab):
    device(lab, "warren")
    peer = Keys().public
    for given, expected in (("10.0.0.0/8,10.1.0.0/16", "10.0.0.0/8 10.1.0.0/16"), ("+fd00::/8", "10.0.0.0/8 10.1.0.0/16 fd00::/8"),
                            ("-10.0.0.0/8", "10.1.0.0/16 fd00::/8"), ("10.2.0.0/16", "10.2.0.0/16"), ("", "(none)")):
        ours(lab, "set", "wga", "peer", peer, "allowed-ips", given)
        assert ours(lab, "show", "wga", "allowed-ips").stdout == f"{peer}\t{expected}\n"


@scenario(seconds=30)
def nothing_changes_when_a_word_is_wrong(lab):
    engine = device(lab, "warren")
    ours(lab, "set", "wga", "listen-port", 51900, "peer", Keys().public, "allowed-ips", "10.0.0.0/8")
    before = engine.uapi("get=1\n\n")
    file = WORK / "file"
    file.write_text(f"[Peer]\nPublicKey = {Keys().public}\n[Peer]\nAllowedIPs = 10.0.0.0/33\n")
    for argv in (["set", "wga", "listen-port", 5, "peer", "x"], ["setconf", "wga", file], ["syncconf", "wga", file],
                 ["set", "wga", "listen-port", 5, "peer", Keys().public, "bogus"]):
        assert ours(lab, *argv, check=False).returncode == 1
    assert engine.uapi("get=1\n\n") == before


@scenario(seconds=30)
def warren_says_where_a_file_is_wrong(lab):
    device(lab, "warren")
    secret = Keys().private
    rows = (
        (f"[Interface]\nPrivateKey = {secret[:-1]}\n", "2:14: Key is not the correct length or format: `(hidden)'; 44 characters"),
        (f"[Interface]\nPrivatKey = {secret}\n", "2:1: Line unrecognized: `PrivatKey=(hidden)'; perhaps PrivateKey"),
        ("# one\n\n  [Peer]\n\tAllowedIPs = 10.0.0.0/8, fd00::/129\n", "4:27: AllowedIP is not in the correct format: `fd00::/129'"),
        ("[Interface]\nAddress = 10.0.0.1/8\n", "2:1: Line unrecognized: `Address=10.0.0.1/8'; Address is not wg's: `wg-quick strip'"),
        ("[Interface]\nEndpoint = a:1\n", "2:1: Line unrecognized: `Endpoint=a:1'; Endpoint belongs to [Peer]"),
    )
    for text, words in rows:
        done = warren(lab, "setconf", "wga", "/dev/stdin", stdin=text, check=False)
        assert done.returncode == 1 and f"/dev/stdin:{words}" in done.stderr, done.stderr
        assert secret[:-1] not in done.stderr
    done = warren(lab, "set", "wga", "listen-port", "5", "fwmark", "x", check=False)
    assert "word 6: Fwmark is neither" in done.stderr, done.stderr


@scenario(seconds=30)
def json_tells_all_but_secrets(lab):
    device(lab, "warren")
    own, peer = Keys(), Keys()
    ours(lab, "set", "wga", "private-key", "/dev/stdin", "listen-port", 51900, "peer", peer.public, "allowed-ips", "10.0.0.0/8",
         "endpoint", "192.0.2.1:5", stdin=own.private)
    for argv in (["show", "--json"], ["show", "wga", "--json"], ["show", "all", "--json"]):
        told = json.loads(warren(lab, *argv).stdout)
        assert told["version"] == 1
        told = told["interfaces"]["wga"]
        assert told["publicKey"] == own.public and told["listenPort"] == 51900 and told["hasPrivateKey"]
        assert told["peers"][peer.public] == {"endpoint": "192.0.2.1:5", "transferRx": 0, "transferTx": 0,
                                              "allowedIps": ["10.0.0.0/8"]}
        assert own.private not in json.dumps(told)
    assert warren(lab, "show", "wga", "peers", "--json", check=False).returncode == 1
    assert ours(lab, "show", "wga", "--json", check=False).stderr.startswith("Invalid parameter: `--json'\n")


@scenario(seconds=30)
def drops_are_told_in_words(lab):
    engine = device(lab, "warren")
    assert "nothing was dropped" in warren(lab, "show", "wga", "drops").stdout
    ours(lab, "set", "wga", "private-key", "/dev/stdin", stdin=Keys().private)
    engine.up("10.9.0.1/24")
    engine.ns.ping("10.9.0.77", wait=0.1)
    wait_until(lambda: "out-no-peer: 1 time" in warren(lab, "show", "wga", "drops").stdout)
    assert "the destination is in no peer's allowed IPs" in warren(lab, "show", "wga", "drops").stdout
    told = json.loads(warren(lab, "show", "wga", "drops", "--json").stdout)
    assert {"reason": "out-no-peer", "count": 1} in [{k: d[k] for k in ("reason", "count")} for d in told["drops"]]
    assert ours(lab, "show", "wga", "drops", check=False).returncode == 1


@scenario(seconds=30)
def others_do_not_tell_their_drops(lab):
    device(lab, "wireguard-go")
    done = warren(lab, "show", "wga", "drops", check=False)
    assert done.returncode == 1 and "does not tell why it drops packets" in done.stderr
    assert warren(lab, "show", "nope", "drops", check=False).returncode == 1


# --- keys in files -----------------------------------------------------------------------------------


@scenario(seconds=60)
def fs6_nobody_else_can_read_a_new_key(lab):
    """Somebody tries to open each file from the moment it is there."""
    folder = WORK / "keys"
    os.chmod(WORK, 0o755)
    folder.mkdir(mode=0o755)
    os.chmod("/run", 0o755)
    watcher = os.fork()
    if watcher == 0:
        os.setgid(65534)
        os.setuid(65534)
        number, end = 0, time.monotonic() + 20
        while number < 200 and time.monotonic() < end:
            try:
                os.open(folder / str(number), os.O_RDONLY)
                os._exit(1)
            except FileNotFoundError:
                pass
            except PermissionError:
                number += 1
        os._exit(0 if number == 200 else 2)
    for number in range(200):
        verb = "genkey" if number % 2 else "genpsk"
        done = warren(lab, verb, "-o", folder / str(number), preexec_fn=lambda: os.umask(0))
        assert done.stdout == done.stderr == ""
    assert os.waitpid(watcher, 0)[1] == 0
    for path in folder.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert re.fullmatch(r"[A-Za-z0-9+/]{43}=\n", path.read_text())


@scenario(seconds=30)
def a_key_goes_over_nothing(lab):
    old, link, aim = WORK / "old", WORK / "link", WORK / "aim"
    old.write_text("mine\n")
    link.symlink_to(aim)
    for path in (old, link, WORK, WORK / "no" / "such"):
        done = warren(lab, "genkey", "-o", path, check=False)
        assert done.returncode == 1 and str(path) in done.stderr
    assert old.read_text() == "mine\n" and not aim.exists()
    loose = WORK / "loose"
    loose.mkdir()
    os.chmod(loose, 0o777)
    assert "others may write to" in warren(lab, "genkey", "-o", loose / "key").stderr
    for argv in (["genkey", "-o"], ["genkey", "-o", "a", "b"], ["genpsk", "x"]):
        assert warren(lab, *argv, check=False).returncode == 1


@scenario(seconds=30)
def a_full_disk_leaves_no_half_key(lab):
    small = WORK / "small"
    small.mkdir()
    mount("tmpfs", str(small), "tmpfs")
    subprocess.run(["mount", "-o", "remount,size=4096", str(small)], check=True)
    with contextlib.suppress(OSError), open(small / "fill", "wb") as file:
        file.write(b"x" * 100000)
    done = warren(lab, "genkey", "-o", small / "key", check=False)
    assert done.returncode == 1 and "No space left on device" in done.stderr
    assert not (small / "key").exists()
    syscall("umount2", os.fsencode(str(small)), 0)


@scenario(seconds=30)
def output_that_nobody_takes_is_a_failure(lab):
    device(lab, "warren")
    for name, argv in (("wg", ["show", "wga", "dump"]), ("wg", ["genkey"]), ("warren", ["show", "--json"]), ("wg", ["help"])):
        with open("/dev/full", "w") as full:
            done = subprocess.run([name, *argv], executable=warren_path(), stdout=full, stderr=subprocess.PIPE, text=True)
        assert done.returncode == 1 and "No space left on device" in done.stderr
        done = subprocess.run([name, *argv], executable=warren_path(), stderr=subprocess.PIPE, text=True, preexec_fn=lambda: os.close(1))
        assert done.returncode == 1 and "Bad file descriptor" in done.stderr
        for action, code in ((signal.SIG_DFL, -signal.SIGPIPE), (signal.SIG_IGN, 1)):
            reader, writer = os.pipe()
            os.close(reader)
            done = subprocess.run([name, *argv], executable=warren_path(), stdout=writer, stderr=subprocess.PIPE, text=True,
                                  restore_signals=False, preexec_fn=lambda act=action: signal.signal(signal.SIGPIPE, act))
            os.close(writer)
            assert done.returncode == code, (name, argv, done)


@scenario(seconds=30)
def wg_is_found_by_its_name(lab):
    """A link is enough, and its own name stands in its words."""
    for name in ("wg", "sub/wg"):
        link = WORK / name
        link.parent.mkdir(exist_ok=True)
        link.symlink_to(warren_path())
        done = subprocess.run([str(link), "bogus"], stderr=subprocess.PIPE, text=True)
        assert done.returncode == 1 and done.stderr.startswith(f"Invalid subcommand: `bogus'\nUsage: {link} <cmd>")
