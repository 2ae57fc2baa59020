"""`sync` on live tunnels: what it changes and what it leaves alone, and how it takes itself back."""
import contextlib
import json
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import threading
import time

import pytest
from harness import WORK, Keys, private_directory, scenario, wait_until, warren_path

FOLDER = pathlib.Path("/etc/wireguard")
FILE = FOLDER / "wga.conf"
RUN = pathlib.Path("/run/warren")
TIER = os.environ.get("WARREN_TIER")


def warren(*argv, name="warren", check=True, **options):
    options.setdefault("stdin", subprocess.DEVNULL)
    done = subprocess.run([name, *map(str, argv)], executable=warren_path(), text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=90, **options)
    assert not check or done.returncode == 0, f"{argv}: {done}"
    return done


def start(*argv, stdin=subprocess.PIPE, **options):
    return subprocess.Popen(["warren", *map(str, argv)], executable=warren_path(), text=True, stdin=stdin,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)


def host(lab):
    """All that a tunnel can have on the host, but what traffic changes."""
    root = lab.root
    routes = [r for family in ("-4", "-6") for r in json.loads(root.run("ip", "-j", family, "route", "show", "table", "all"))
              if r.get("protocol") != "kernel"]
    return {
        "links": [(l["ifname"], l.get("mtu")) for l in json.loads(root.run("ip", "-j", "link"))],
        "addresses": sorted((l["ifname"], a["local"], a["prefixlen"]) for l in json.loads(root.run("ip", "-j", "addr"))
                            for a in l.get("addr_info", [])),
        "routes": sorted(json.dumps(r, sort_keys=True) for r in routes),
        "rules": [root.run("ip", family, "rule") for family in ("-4", "-6")],
        "nft": root.run("nft", "list", "ruleset"),
        "device": sorted(device(lab)) if "wga" in lab.root.run("wg", "show", "interfaces").split() else None,
    }


def device(lab):
    """Its settings, as a file."""
    text = lab.root.run("wg", "showconf", "wga")
    return ["\n".join(sorted(re.split(r"\n|, ", part))) for part in text.split("\n\n")]


def write(interface, *peers):
    FILE.write_text("[Interface]\n" + interface + "".join("\n[Peer]\n" + peer for peer in peers))
    FILE.chmod(0o600)


class World:
    """wga, brought up here by warren, and wgb in the next namespace, which answers."""

    def __init__(self, lab, more="", allowed="10.7.0.2/32", up=True):
        private_directory(FOLDER)
        os.chmod(FOLDER, 0o700)
        lab.mounts = pathlib.Path("/proc/self/mounts").read_text()
        self.lab, self.mine, self.other = lab, Keys(), Keys()
        self.far = lab.namespace()
        lab.veth(lab.root, self.far, addresses_a=("10.1.0.1/24",), addresses_b=("10.1.0.2/24",))
        lab.root.ip("route add default via 10.1.0.2")
        self.wgb = lab.engine("wgb", self.far)
        self.wgb.configure(self.other.private, port=51821, peers=[
            {"public": self.mine.public, "allowed": "10.7.0.1/32, 10.7.0.99/32"}])
        self.wgb.up("10.7.0.2/24")
        self.interface = f"PrivateKey = {self.mine.private}\nAddress = 10.7.0.1/24\nMTU = 1400\n{more}"
        self.peer = f"PublicKey = {self.other.public}\nEndpoint = 10.1.0.2:51821\nAllowedIPs = {allowed}\n"
        write(self.interface, self.peer)
        self.clean = host(lab)
        if up:
            warren("up", "--engine", "user", "wga")
            assert lab.root.ping("10.7.0.2", 1, wait=10) == 1

    def handshake(self):
        return self.lab.root.run("wg", "show", "wga", "latest-handshakes").split()[1]

    def down(self):
        warren("down", "wga")
        assert host(self.lab) == self.clean
        assert not RUN.exists() or sorted(p.name for p in RUN.iterdir() if p.name != "lock") == []


@contextlib.contextmanager
def traffic(lab, address):
    """Pings all the while; every one of them must be answered."""
    ended, counts = threading.Event(), []

    def go():
        while not ended.is_set():
            counts.append(lab.root.ping(address, 20, interval=0.005, wait=5))

    thread = threading.Thread(target=go)
    thread.start()
    yield counts
    ended.set()
    thread.join()
    assert counts and set(counts) == {20}, counts


@scenario(seconds=120)
def a22_c5_file_against_running(lab):
    """Peers, their routes, an address and the MTU; a session that needs no change never notices."""
    world = World(lab)
    since, eve = world.handshake(), Keys()
    endpoint = lab.root.run("wg", "show", "wga", "endpoints")
    write(world.interface.replace("1400", "1380") + "Address = fd07::1/64\n",
          world.peer.replace("10.7.0.2/32", "10.7.0.2/32, 10.8.0.0/16, fd08::/32"),
          f"PublicKey = {eve.public}\nAllowedIPs = 192.168.77.0/24\nPersistentKeepalive = 25\n")
    with traffic(lab, "10.7.0.2"):
        done = warren("sync", "wga")
    for words in (f"wg set wga peer {eve.public} persistent-keepalive 25 allowed-ips +192.168.77.0/24",
                  f"wg set wga peer {world.other.public} allowed-ips +10.8.0.0/16,+fd08::/32",
                  "route add 10.8.0.0/16 dev wga", "route add 192.168.77.0/24 dev wga"):
        assert words in done.stderr, done.stderr
    routes = lab.root.run("ip", "route", "show", "dev", "wga") + lab.root.run("ip", "-6", "route", "show", "dev", "wga")
    assert all(prefix in routes for prefix in ("10.8.0.0/16", "192.168.77.0/24", "fd08::/32"))
    assert "mtu 1380" in lab.root.run("ip", "link", "show", "wga") and "fd07::1/64" in lab.root.run("ip", "addr", "show", "wga")
    assert world.handshake() == since and endpoint.strip() in lab.root.run("wg", "show", "wga", "endpoints")
    before = host(lab)
    done = warren("sync", "wga")
    assert "wga is what /etc/wireguard/wga.conf says" in done.stderr and "[#]" not in done.stderr
    assert host(lab) == before
    write(world.interface, world.peer)
    with traffic(lab, "10.7.0.2"):
        warren("sync", FILE)
    assert world.handshake() == since and eve.public not in lab.root.run("wg", "show", "wga")
    assert "10.8.0.0" not in lab.root.run("ip", "route", "show", "table", "all")
    world.down()


@scenario(seconds=60)
def a21_dry_run_tells_and_does_nothing(lab):
    world, eve = World(lab), Keys()
    lab.root.run("wg", "set", "wga", "peer", eve.public, "allowed-ips", "10.9.0.0/16")
    before = host(lab)
    write(world.interface.replace("10.7.0.1/24", "10.7.0.99/24"), world.peer)
    done = warren("sync", "--dry-run", "wga")
    assert f"[#] wg set wga peer {eve.public} remove" in done.stdout, done
    assert "address add 10.7.0.99/24 dev wga" in done.stdout and "address delete 10.7.0.1/24" in done.stdout, done
    assert host(lab) == before and world.mine.private not in done.stdout + done.stderr
    warren("sync", "wga")
    assert eve.public not in lab.root.run("wg", "show", "wga") and "10.7.0.99" in lab.root.run("ip", "addr")
    world.down()


@scenario(seconds=60)
def default_route_comes_and_goes(lab):
    """The rules and the refusing route, with the mark; and all of it goes again."""
    world = World(lab)
    before, since = host(lab), world.handshake()
    write(world.interface, world.peer.replace("10.7.0.2/32", "0.0.0.0/0"))
    with traffic(lab, "10.7.0.2"):
        warren("sync", "wga")
    assert "not from all fwmark 0xca6c lookup 51820" in lab.root.run("ip", "rule")
    assert "unreachable default metric 4294967295" in lab.root.run("ip", "route", "show", "table", "51820").replace("  ", " ")
    assert lab.root.run("wg", "show", "wga", "fwmark").strip() == "0xca6c"
    write(world.interface, world.peer)
    with traffic(lab, "10.7.0.2"):
        warren("sync", "wga")
    assert host(lab) == before and world.handshake() == since
    world.down()


@scenario(seconds=60)
def firewall_and_port_come_and_go(lab):
    """Keys of our own, with a port that is in use by the tunnel itself."""
    world = World(lab, more="ListenPort = 40400\n")
    before, since = host(lab), world.handshake()
    write(world.interface + "#: KillSwitch = lan\n#: Masquerade = yes\n#: Forward = yes\n", world.peer)
    with traffic(lab, "10.7.0.2"):
        warren("sync", "wga")
    assert "table inet warren-wga" in lab.root.run("nft", "list", "ruleset")
    assert lab.root.run("sysctl", "-n", "net.ipv4.ip_forward").strip() == "1"
    assert "wga is what" in warren("sync", "wga").stderr
    rules = lab.root.run("nft", "list", "ruleset")
    lab.root.run("nft", "flush", "ruleset")
    with traffic(lab, "10.7.0.2"):
        warren("sync", "wga")
    assert lab.root.run("nft", "list", "ruleset") == rules, "what somebody flushed comes back"
    write(world.interface, world.peer)
    with traffic(lab, "10.7.0.2"):
        warren("sync", "wga")
    assert host(lab) == before and world.handshake() == since
    assert lab.root.run("sysctl", "-n", "net.ipv4.ip_forward").strip() == "0"
    world.down()


@scenario(seconds=60)
def what_fails_in_the_middle_is_taken_back(lab):
    """A route that somebody else has, behind peers, addresses and other routes."""
    world, eve = World(lab), Keys()
    lab.root.ip("route add 10.8.0.0/16 via 10.1.0.2")
    before, since = host(lab), world.handshake()
    write(world.interface.replace("1400", "1300") + "Address = 10.10.0.1/16\nListenPort = 40404\n",
          world.peer.replace("10.7.0.2/32", "10.7.0.2/32, 10.11.0.0/16"),
          f"PublicKey = {eve.public}\nAllowedIPs = 10.8.0.0/16\n")
    with traffic(lab, "10.7.0.2"):
        done = warren("sync", "wga", check=False)
    assert done.returncode == 1 and "10.8.0.0/16 is routed already" in done.stderr, done
    assert "wga is as it was before" in done.stderr
    assert host(lab) == before and world.handshake() == since
    lab.root.ip("route del 10.8.0.0/16 via 10.1.0.2")
    world.clean["routes"] = [r for r in world.clean["routes"] if "10.8" not in r]
    world.down()


@scenario(seconds=60)
def bad_files_change_nothing(lab):
    world = World(lab)
    before = host(lab)
    for interface, words in ((world.interface + "Adress = 1\n", "Adress"), (world.interface + "MTU = x\n", "MTU")):
        write(interface, world.peer)
        done = warren("sync", "wga", check=False)
        assert done.returncode == 1 and words in done.stderr and host(lab) == before
        assert "nothing was done\n" in done.stderr and "--force" not in done.stderr
    write(world.interface, world.peer)
    for argv in (("sync",), ("sync", "--confirm", "x", "wga"), ("sync", "--confirm", "0", "wga"), ("sync", "a", "b")):
        assert warren(*argv, check=False).returncode == 2
    world.down()
    done = warren("sync", "wga", check=False)
    assert done.returncode == 1 and host(lab) == world.clean
    assert "warren: sync: wga is not up; `warren up wga' brings it up\n" in done.stderr, done.stderr
    warren("up", "--engine", "user", "wga")
    lab.root.ip("link del wga")
    done = warren("sync", "wga", check=False)
    assert done.returncode == 1 and "wga is not up; `warren up wga' brings it up\n" in done.stderr, done.stderr
    world.down()


@scenario(seconds=90)
def stock_tunnel_is_taken_over(lab):
    """What wg-quick brought up has no journal; after a sync it has, and warren takes it down without a trace."""
    for program in ("wg-quick", "wireguard-go"):
        if not shutil.which(program):
            pytest.skip(f"{program} is not installed")
    world = World(lab, allowed="0.0.0.0/0, ::/0", up=False)
    lab.root.run("wg-quick", "up", "wga", env={"WG_QUICK_USERSPACE_IMPLEMENTATION": "wireguard-go"})
    assert lab.root.ping("10.7.0.2", 1, wait=10) == 1
    since = world.handshake()
    with traffic(lab, "10.7.0.2"):
        done = warren("sync", "wga")
    assert "taking it over" in done.stderr and "rule add" not in done.stderr, done.stderr
    assert "unreachable default" in lab.root.run("ip", "route", "show", "table", "51820")
    write(world.interface, world.peer.replace("0.0.0.0/0, ::/0", "10.7.0.2/32"))
    with traffic(lab, "10.7.0.2"):
        warren("sync", "wga")
    assert world.handshake() == since and "51820" not in lab.root.run("ip", "rule")
    world.down()


# --- undone unless confirmed -----------------------------------------------------------------------


def lock_out(world):
    """A change that cuts the tunnel off: another endpoint, another route."""
    write(world.interface + "Address = 10.20.0.1/24\n",
          world.peer.replace("10.1.0.2:51821", "192.0.2.1:9").replace("10.7.0.2/32", "10.7.0.2/32, 10.21.0.0/16"))


def wait_for_prompt(process):
    seen = ""
    while "confirmed" not in seen:
        line = process.stdout.readline()
        assert line, seen
        seen += line
    return seen


def is_changed(lab):
    return "10.20.0.1" in lab.root.run("ip", "addr", "show", "wga")


@scenario(seconds=90)
def confirm_in_time_or_all_is_undone(lab):
    world = World(lab)
    before, since = host(lab), world.handshake()
    lock_out(world)
    done = warren("sync", "--confirm", 2, "wga", check=False)
    assert done.returncode == 1 and "as it was before" in done.stderr, done
    assert host(lab) == before and world.handshake() == since
    assert lab.root.ping("10.7.0.2", 3, wait=10) == 3
    process = start("sync", "--confirm", 60, "wga")  # no at the terminal
    wait_for_prompt(process)
    assert is_changed(lab)
    process.communicate("what?\nno\n", timeout=60)
    assert process.returncode == 1 and host(lab) == before
    process = start("sync", "--confirm", 60, "wga")  # interrupted
    wait_for_prompt(process)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 1 and host(lab) == before
    process = start("sync", "--confirm", 600, "wga")  # yes
    wait_for_prompt(process)
    process.communicate("yes\n", timeout=60)
    assert process.returncode == 0 and is_changed(lab)
    assert warren("sync", "--confirm", "yes", "wga", check=False).returncode == 1, "nothing waits any more"
    write(world.interface, world.peer)
    warren("sync", "wga")
    assert host(lab) == before
    world.down()


@scenario(seconds=90)
def confirm_from_a_new_connection(lab):
    """The terminal hangs up by the very change; somebody comes in anew, or nobody does."""
    world = World(lab)
    before = host(lab)
    lock_out(world)
    for end in (signal.SIGHUP, signal.SIGKILL):
        process = start("sync", "--confirm", 600, "wga", start_new_session=True)
        wait_for_prompt(process)
        os.killpg(process.pid, end)
        process.wait(30)
        assert is_changed(lab)
        locks = list(pathlib.Path("/run/warren").glob("wga*.lock"))  # signed by one who lives: nobody may take it away
        assert len(locks) == 1
        os.kill(int(locks[0].read_text()), 0)
        done = warren("sync", "--confirm", "no" if end == signal.SIGHUP else "yes", "wga")
        assert ("as it was" in done.stderr) == (end == signal.SIGHUP) and is_changed(lab) == (end == signal.SIGKILL)
    write(world.interface, world.peer)
    warren("sync", "wga")
    assert host(lab) == before
    lock_out(world)
    process = start("sync", "--confirm", 3, "wga", start_new_session=True)
    wait_for_prompt(process)
    os.killpg(process.pid, signal.SIGHUP)
    process.wait(30)
    wait_until(lambda: not is_changed(lab), 60, "it is undone by itself")
    wait_until(lambda: host(lab) == before, 60)
    write(world.interface, world.peer)
    world.down()


@scenario(seconds=60)
def who_waits_for_a_confirmation_is_told(lab):
    """Of what, and how to end it; the guard takes no harm from being looked at."""
    world = World(lab)
    lock_out(world)
    process = start("sync", "--confirm", 600, "wga")
    wait_for_prompt(process)
    other = start("down", "wga")
    said = other.stdout.readline()
    assert "a sync of wga" in said and "waits to be confirmed" in said and "`warren sync --confirm yes|no wga' ends it" in said, said
    assert is_changed(lab) and process.poll() is None
    warren("sync", "--confirm", "no", "wga")
    process.communicate(timeout=60)
    other.communicate(timeout=60)
    assert other.returncode == 0 and host(lab) == world.clean


@scenario(seconds=90)
@pytest.mark.parametrize("verb", ["up", "sync", "down"])
def killed_guard_is_unwound_by_the_next_command(lab, verb):
    world = World(lab)
    before, since = host(lab), world.handshake()
    lock_out(world)
    process = start("sync", "--confirm", 600, "wga")
    wait_for_prompt(process)
    children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    assert len(children) == 1
    os.kill(int(children[0]), signal.SIGKILL)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 1 and "is gone" in out and is_changed(lab)
    write(world.interface, world.peer)
    if verb != "down":
        done = warren(verb, "wga")
        assert "half done" in done.stderr and host(lab) == before and world.handshake() == since, done.stderr
    world.down()


@scenario(seconds=500)
def fp2_fp3_killed_at_every_system_call(lab):
    """All of them in test-full, a tenth otherwise. The next sync ends it, and down leaves nothing."""
    world, eve = World(lab), Keys()
    before = host(lab)
    old = FILE.read_text()
    write(world.interface.replace("1400", "1300") + "Address = 10.20.0.1/24\nFwMark = 7\n",
          world.peer.replace("10.7.0.2/32", "10.7.0.2/32, 10.21.0.0/16"),
          f"PublicKey = {eve.public}\nAllowedIPs = 10.22.0.0/16\n")
    new = FILE.read_text()
    alias = WORK / "warren"
    alias.symlink_to(warren_path())
    subprocess.run(["strace", "-qq", "-o", WORK / "calls", alias, "sync", "wga"], check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    after = host(lab)
    assert after != before
    names = re.findall(r"^(\w+)\(", (WORK / "calls").read_text(), re.M)
    places = [(name, names[:i + 1].count(name)) for i, name in enumerate(names)][1:]
    first = next(i for i, (name, _) in enumerate(places) if name == "flock")
    if TIER != "full":
        places = random.Random(3).sample(places[first:], len(places) // 10)
    for name, count in places:
        FILE.write_text(old)
        warren("sync", "wga")
        assert host(lab) == before, (name, count)
        FILE.write_text(new)
        done = subprocess.run(["strace", "-qq", "-o", "/dev/null", "-e", f"trace={name}", "-e",
                               f"inject={name}:signal=SIGKILL:when={count}", alias, "sync", "wga"], text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=60)
        state = device(lab)
        assert sorted(state) in (before["device"], after["device"],
                                 sorted(s.replace("FwMark = 0x7\n", "") for s in after["device"])), (name, count, state)
        warren("sync", "wga")
        assert host(lab) == after, (name, count, done.stderr)
    world.down()
