"""`warren up` and `warren down` as a person meets them: what comes, what goes, and what is said when something is wrong."""
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import time

import pytest

import host
import newest  # noqa: F401  (what updown needs)
from harness import MS_BIND, STATE, WORK, Keys, mount, scenario, wait_until, warren_path
from updown import Owner, unlike

BOTH = "0.0.0.0/0, ::/0"
RUN = pathlib.Path("/run/warren")


def link(owner, name="home"):
    return name in {n for _, n in socket.if_nameindex()}


def steady(look):
    """An address is tentative for a moment."""
    return {**look, "addresses": [line.replace("tentative", "").rstrip() for line in look["addresses"]]}


def same(before, owner):
    found = unlike(steady(before), steady(owner.look()))
    assert not found, found


def nothing_changed(owner, before):
    owner.wait_ends()
    same(before, owner)


def refused(owner, before, *words, argv=("up", "home"), code=1):
    done = owner.run(*argv, check=False)
    assert done.returncode == code, done
    for word in words:
        assert re.search(word, done.stderr), (word, done.stderr)
    nothing_changed(owner, before)
    return done.stderr


# --- what comes and goes ---------------------------------------------------------------------------


@pytest.mark.parametrize("allowed", ["10.9.0.0/24, fd09::/64, 10.20.0.0/16", BOTH])
@scenario(seconds=60)
def comes_up_works_and_goes(lab, allowed):
    owner = Owner(lab)
    far = owner.far()
    owner.file(allowed=allowed)
    before = owner.look()
    owner.up()
    assert owner.ns.ping("10.9.0.2", wait=10) == 1 and owner.ns.ping("fd09::2", wait=10) == 1
    assert far.handshake_time(owner.keys.public)
    owner.down()
    nothing_changed(owner, before)


@scenario(seconds=60)
def dry_run_prints_the_steps_and_does_nothing(lab):
    owner = Owner(lab)
    owner.file(allowed=BOTH, interface="Address = 10.9.0.1/24\nDNS = 10.9.0.2\nPostUp = touch /run/work/%i")
    before = owner.look()
    dry = owner.up("--dry-run", "home")
    nothing_changed(owner, before)
    assert not (WORK / "home2").exists() and not RUN.exists()
    wet = owner.up("--engine", "user", "home")
    made = [line for line in wet.stderr.splitlines() if line.startswith("[#]")]
    planned = [line for line in dry.stdout.splitlines() if line.startswith("[#]")]
    assert planned[1:] == made[1:] and planned[0] == "[#] ip link add dev home type wireguard"
    dry = owner.up("--dry-run", "home")
    assert "up already" in dry.stderr and not dry.stdout
    owner.down()


@scenario(seconds=60)
def a14_up_twice_and_down_twice(lab):
    owner = Owner(lab)
    owner.file()
    before = owner.look()
    owner.up()
    reference, engines = owner.look(), owner.engines()
    again = owner.up()
    assert "home is up already" in again.stderr and "sync home" in again.stderr
    same(reference, owner)
    assert owner.engines() == engines
    owner.down()
    again = owner.down()
    assert "home is not up" in again.stderr
    nothing_changed(owner, before)
    refused(owner, before, "there is no tunnel hmoe", argv=("down", "hmoe"))


@pytest.mark.parametrize("loss", ["link", "engine", "both", "socket"])
@pytest.mark.parametrize("verb", ["up", "down"])
@scenario(seconds=60)
def a14_whatever_was_lost(lab, loss, verb):
    """A device that somebody removed, an engine that died: up makes it anew, and down ends what is left."""
    owner = Owner(lab)
    owner.file(allowed=BOTH)
    before = owner.look()
    owner.up()
    reference = owner.look()
    if loss == "link":
        owner.ns.ip("link del home")
    elif loss == "socket":
        (pathlib.Path("/run/wireguard") / "home.sock").unlink()
    else:
        for pid in owner.engines()[:1 if loss == "engine" else None]:
            os.kill(pid, signal.SIGKILL)
    if loss != "engine":
        owner.wait_ends()
    if verb == "up":
        done = owner.up()
        assert "the device of home is gone" in done.stderr
        now = owner.look()
        for each in (reference, now):  # the journal has two beginnings
            each["state"] = [line for line in each["state"] if ".journal" not in line]
        assert not unlike(steady(reference), steady(now))
    owner.down()
    nothing_changed(owner, before)


@pytest.mark.parametrize("verb", ["up", "down"])
@pytest.mark.parametrize("how", ["moved", "renamed"])
@scenario(seconds=60)
def a14_link_that_is_not_found_by_its_name(lab, how, verb):
    """Its engine ends all the same, and takes the link along."""
    owner = Owner(lab)
    owner.file(allowed=BOTH)
    before = owner.look()
    owner.up()
    old = owner.engines()
    if how == "moved":
        owner.ns.ip(f"link set home netns {owner.router.path}")
    else:
        owner.ns.ip("link set home down")
        owner.ns.ip("link set home name elsewhere")
    if verb == "up":
        owner.up()
        assert link(owner) and not set(old) & set(owner.engines())
    owner.down()
    nothing_changed(owner, before)
    assert not link(owner, "elsewhere")


@scenario(seconds=90)
def a14_engine_that_is_stopped(lab):
    """It is said, all else goes, and the engine ends once it runs."""
    owner = Owner(lab)
    owner.file(allowed=BOTH)
    before = owner.look()
    owner.up()
    engines = owner.engines()
    for pid in engines:
        os.kill(pid, signal.SIGSTOP)
    try:
        done = owner.down(check=False)
        assert done.returncode == 1 and "the engine of home does not end" in done.stderr, done
        left = owner.look()
        assert [left[part] for part in ("rules", "routes", "sockets")] == [before[part] for part in ("rules", "routes", "sockets")]
        assert owner.engines() == engines, "nothing is killed"
    finally:
        for pid in engines:
            os.kill(pid, signal.SIGCONT)
    owner.down()
    nothing_changed(owner, before)


@scenario(seconds=60)
def a14_what_is_missing_comes_back(lab):
    """Up of a tunnel that is up, but for what somebody took away."""
    owner = Owner(lab)
    owner.file(allowed=BOTH)
    before = owner.look()
    owner.up()
    reference = owner.look()
    owner.ns.ip("-6 rule flush")
    owner.ns.ip("-6 rule add from all lookup main pref 32766")
    owner.ns.ip("-4 route del default dev home table 51820")
    done = owner.up()
    assert "a part of home is gone" in done.stderr
    same(reference, owner)
    assert "is up already" in owner.up().stderr
    owner.down()
    nothing_changed(owner, before)


@pytest.mark.parametrize("verb", ["up", "sync"])
@scenario(seconds=60)
def a14_link_that_is_down_comes_up(lab, verb):
    """Its routes and IPv6 addresses went when somebody took it down."""
    owner = Owner(lab)
    owner.far()
    owner.file(allowed=BOTH)
    before = owner.look()
    owner.up()
    engines = owner.engines()
    seen = lambda: {**steady(owner.look()), "state": []}  # a journal that was written on says the same in other words
    reference = seen()
    owner.ns.ip("link set home down")
    done = owner.run(verb, "home")
    assert "ip link set mtu" in done.stderr, done
    wait_until(lambda: seen() == reference, 20, unlike(reference, seen()) or "all of it is back")
    owner.works("10.9.0.2", "fd09::2")
    assert owner.engines() == engines
    owner.down()
    nothing_changed(owner, before)


@scenario(seconds=60)
def a14_tunnel_of_somebody_else(lab):
    owner = Owner(lab)
    owner.file()
    subprocess.run([warren_path(), "run", "home"], check=True)
    before = owner.look()
    for argv in (("up", "home"), ("down", "home")):
        done = owner.run(*argv, check=False)
        assert done.returncode == 1 and "was not brought up by warren" in done.stderr
        same(before, owner)
    done = owner.up("--force", "home")
    assert "ip link delete dev home" in done.stderr
    owner.down()
    owner.wait_ends()
    owner.ns.ip("link add home type veth peer name other")
    owner.ns.ip("link set other up")
    for options in ([], ["--force"]):
        done = owner.up(*options, "home", check=False)
        assert done.returncode == 1 and "it is no tunnel" in done.stderr and link(owner)


@scenario(seconds=60)
def down_without_its_file(lab):
    owner = Owner(lab)
    file = owner.file(allowed=BOTH, interface="Address = 10.9.0.1/24\nPostDown = touch /run/work/never")
    before = owner.look()
    owner.up()
    file.rename(file.with_suffix(".moved"))
    done = owner.down()
    assert "the file of home is gone: no hooks are run" in done.stderr and not (WORK / "never").exists()
    file.with_suffix(".moved").rename(file)
    nothing_changed(owner, before)


@scenario(seconds=60)
def file_of_any_folder(lab):
    """By its path at up, by its path or its name at down: the hooks are those of the file that it came from."""
    owner = Owner(lab)
    path = host.HOME / "home.conf"
    path.write_text(owner.file(interface="Address = 10.9.0.1/24\nPostDown = touch /run/work/%i-gone").read_text())
    path.chmod(0o600)
    (host.FOLDER / "home.conf").unlink()
    before = owner.look()
    for word in ("home", "./home.conf", str(path)):
        owner.up("./home.conf")
        owner.down(word)
        (WORK / "home-gone").unlink()
        nothing_changed(owner, before)
    done = owner.up("home.conf", check=False)
    assert done.returncode == 1 and "write ./home.conf" in done.stderr


# --- two tunnels -----------------------------------------------------------------------------------


@pytest.mark.parametrize("first", ["home", "work"])
@scenario(seconds=90)
def two_default_routes_in_both_orders(lab, first):
    """What one takes away is its own; a switch that both need stays until the last is gone."""
    owner = Owner(lab)
    owner.file("home", allowed=BOTH)
    owner.file("work", allowed=BOTH, interface="Address = 10.8.0.1/24, fd08::1/64")
    before = owner.look()
    owner.up("home")
    alone = owner.look()
    owner.up("work")
    second = {"home": "work", "work": "home"}[first]
    owner.down(first)
    owner.wait_ends(first)
    now = owner.look()
    if second == "home":
        assert not unlike(steady(alone), steady(now)), unlike(alone, now)
    assert sum("suppress_prefixlength 0" in rule for rule in now["rules"]) == 2
    assert "net/ipv4/conf/all/src_valid_mark 1" in now["switches"]
    owner.down(second)
    owner.wait_ends(second)
    nothing_changed(owner, before)


@scenario(seconds=90)
def many_at_once(lab):
    """Commands for one tunnel take turns, and those for several do not take each other's tables."""
    owner = Owner(lab)
    names = ["home", "work", "third"]
    for n, name in enumerate(names):
        owner.file(name, allowed=BOTH, interface=f"Address = 10.{20 + n}.0.1/24\nPreUp = sleep 0.1")
    before = owner.look()
    started = [subprocess.Popen(["warren", "up", name], stderr=subprocess.PIPE, text=True) for name in names * 2]
    said = [process.communicate(timeout=60)[1] for process in started]
    assert [process.returncode for process in started] == [0] * 6, said
    assert sum("is up already" in words for words in said) == 3, said
    tables = re.findall(r"not from all fwmark (0x[0-9a-f]+) lookup", "\n".join(owner.look()["rules"]))
    assert len(tables) == 6 and len(set(tables)) == 3, tables
    started = [subprocess.Popen(["warren", "down", name], stderr=subprocess.PIPE, text=True) for name in names * 2]
    assert all(process.wait(60) == 0 for process in started)
    for name in names:
        owner.wait_ends(name)
    nothing_changed(owner, before)


# --- what goes wrong -------------------------------------------------------------------------------


@scenario(seconds=60)
def bad_file_lists_all_and_changes_nothing(lab):
    owner = Owner(lab)
    text = owner.file().read_text()
    owner.write("home", text.replace("Address = ", "Adress = ").replace(owner.far_keys.public, "short") + "AllowedIPs = 10.0.0.300/32\n")
    before = owner.look()
    words = refused(owner, before, "Adress", r"\[A9\]", "bad-allowed-ips", "3 errors", "nothing was done; --force")
    assert owner.keys.private not in words
    assert not RUN.exists(), "not even a journal"


@scenario(seconds=60)
def force_goes_on_with_what_can_be_read(lab):
    owner = Owner(lab)
    owner.write("home", owner.file().read_text().replace("[Peer]", "Foo = bar\n[Peer]") + "[Peer]\nAllowedIPs = 10.77.0.0/16\n")
    before = owner.look()
    refused(owner, before, "Foo", "no-public-key")
    owner.up("--force", "home")
    assert link(owner)
    owner.down()
    nothing_changed(owner, before)


@scenario(seconds=60)
def c2_prefix_of_another_peer_stops_it(lab):
    owner = Owner(lab)
    owner.file(allowed=BOTH, more=f"[Peer]\nPublicKey = {Keys().public}\nAllowedIPs = 0.0.0.0/0\n")
    refused(owner, owner.look(), r"\[C2\]", "--force")


@scenario(seconds=60)
def a3_switches_that_cannot_be_written(lab):
    """A read-only /proc/sys, as in containers, is told of where the value is not right already, and ends nothing."""
    owner = Owner(lab)
    owner.file(allowed=BOTH)
    before = owner.look()
    mount("/proc/sys", "/proc/sys", None, MS_BIND)
    subprocess.run(["mount", "-o", "remount,bind,ro", "/proc/sys"], check=True)
    try:
        done = owner.up()
        assert "src_valid_mark cannot be set to 1: Read-only file system" in done.stderr
        assert "--sysctl net.ipv4.conf.all.src_valid_mark=1" in done.stderr
        owner.down()
        owner.wait_ends()
    finally:
        subprocess.run(["umount", "/proc/sys"], check=True)
    nothing_changed(owner, before)
    owner.ns.sysctl("net.ipv4.conf.all.src_valid_mark", 1)
    before = owner.look()
    mount("/proc/sys", "/proc/sys", None, MS_BIND)
    subprocess.run(["mount", "-o", "remount,bind,ro", "/proc/sys"], check=True)
    try:
        assert "Read-only" not in owner.up().stderr
        owner.down()
    finally:
        subprocess.run(["umount", "/proc/sys"], check=True)
    nothing_changed(owner, before)


@scenario(seconds=60)
def a5_h5_host_without_ipv6(lab):
    """It comes up with IPv4, and says which lines need what is not there."""
    owner = Owner(lab)
    owner.file(allowed=BOTH)
    owner.ns.sysctl("net.ipv6.conf.default.disable_ipv6", 1)
    before = owner.look()
    done = owner.up()
    assert re.search(r"IPv6 is off.*fd09::1/64.*line 3", done.stderr), done.stderr
    assert owner.ns.run("ip", "-4", "addr", "show", "dev", "home")
    owner.down()
    nothing_changed(owner, before)


@scenario(seconds=60)
def a6_port_in_use(lab):
    owner = Owner(lab)
    owner.file(interface="Address = 10.9.0.1/24\nListenPort = 5555")
    owner.file("work", interface="Address = 10.8.0.1/24\nListenPort = 5555", allowed="10.8.0.0/24")
    before = owner.look()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as busy:
        busy.bind(("0.0.0.0", 5555))
        refused(owner, before, rf"UDP port 5555 is in use by \S+, process {os.getpid()}", "leave ListenPort out")
    owner.up("work")
    with_work = owner.look()
    refused(owner, with_work, "UDP port 5555 is in use by the tunnel work")
    owner.down("work")
    owner.wait_ends("work")


@scenario(seconds=60)
def a10_a11_a12_names_that_do_not_resolve(lab):
    """One peer comes up without its endpoint, the other is not touched by that, and the file has no mistake."""
    owner = Owner(lab)
    owner.far()
    other = Keys()
    owner.file(more=f"[Peer]\nPublicKey = {other.public}\nAllowedIPs = 10.30.0.0/16\nEndpoint = nowhere.example:7\n")
    before = owner.look()
    done = owner.up()
    assert re.search(r"nowhere.example, the endpoint in line 13, has no address now", done.stderr), done.stderr
    assert "warren keep home" in done.stderr
    shown = owner.ns.run(warren_path(), "show", "home", "endpoints")
    assert f"{other.public}\t(none)" in shown and "10.1.0.2:51820" in shown
    assert owner.ns.ping("10.9.0.2", wait=10) == 1
    owner.down()
    nothing_changed(owner, before)


@pytest.mark.parametrize("hook", ["PreUp", "PostUp"])
@scenario(seconds=60)
def a13_hook_that_fails(lab, hook):
    """Its words are shown, it is named, and all is taken back."""
    owner = Owner(lab)
    owner.file(allowed=BOTH, interface=f"Address = 10.9.0.1/24\n{hook} = echo because >&2; false; true")
    refused(owner, owner.look(), "because", f"{hook} `echo because >&2; false; true' failed with exit code 1", "all that was done is undone")


@scenario(seconds=60)
def a13_hooks_that_fail_on_the_way_down(lab):
    owner = Owner(lab)
    owner.file(allowed=BOTH, interface="Address = 10.9.0.1/24\nPreDown = exit 3\nPostDown = kill -9 $$")
    before = owner.look()
    owner.up()
    done = owner.down(check=False)
    assert done.returncode == 1
    assert "PreDown `exit 3' failed with exit code 3" in done.stderr and "was killed by signal 9" in done.stderr
    nothing_changed(owner, before)


@scenario(seconds=60)
def hook_that_fails_is_no_wrong_usage(lab):
    """Whatever its code, and whatever fails after it: 2 is for wrong usage."""
    owner = Owner(lab)
    owner.file(interface="Address = 10.9.0.1/24\n"
               "PreDown = for f in /run/warren/home*.journal; do rm $f; mkdir $f; done; exit 2")
    owner.up()
    assert owner.down(check=False).returncode == 1
    for place in RUN.glob("home*.journal"):
        place.rmdir()
    owner.wait_ends()


@pytest.mark.parametrize("verb", ["up", "down"])
@scenario(seconds=60)
def hook_that_takes_its_own_tunnel_down(lab, verb):
    """It would wait for the command that waits for it."""
    owner = Owner(lab)
    hook = "PostUp" if verb == "up" else "PreDown"
    owner.file(interface=f"Address = 10.9.0.1/24\n{hook} = (bash -c '{warren_path()} down home; true')")
    before = owner.look()
    done = [owner.up(), owner.down()][verb == "down"]
    assert "a hook of home cannot wait for the command that runs it" in done.stderr
    nothing_changed(owner, before)


@scenario(seconds=60)
def wg_quick_leaves_no_core(lab):
    """By either name: keys are in its memory."""
    owner = Owner(lab)
    owner.file(interface="Address = 10.9.0.1/24\nPreUp = grep 'core file' /proc/$PPID/limits >&2\n"
               "PostDown = grep 'core file' /proc/$PPID/limits >&2")
    for verb in ("up", "down"):
        done = subprocess.run(["wg-quick", verb, "home"], executable=warren_path(), text=True, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
        assert done.returncode == 0 and re.search(r"^Max core file size +0 +0 ", done.stdout, re.M), done
    owner.wait_ends()


DROPS = {
    "our table": [],
    "a rule of nft": [["nft", "-f", "-"]],
    "a rule of iptables": [["iptables-nft", "-A", "INPUT", "-i", "lo", "-j", "ACCEPT"], ["iptables-nft", "-P", "INPUT", "DROP"]],
}


@pytest.mark.parametrize("what", DROPS)
@scenario(seconds=60)
def program_that_is_killed_leaves_nothing_behind(lab, what):
    """What nft or iptables could not take away, or not look for, stays in the journal."""
    owner = Owner(lab)
    owner.file(interface="Address = 10.9.0.1/24\n#: OpenPort = 8080/tcp\n", allowed=BOTH)
    theirs = "table inet theirs {\nchain input {\ntype filter hook input priority 0; policy drop;\n}\n}\n"
    for words in DROPS[what]:
        owner.ns.run(*words, stdin=theirs)
    before = owner.look()
    owner.up()
    was = owner.ns.run("nft", "list", "ruleset")
    assert ("8080" in was) == bool(DROPS[what]), was
    bad = WORK / "bad"
    bad.write_text("#!/bin/sh\nkill -9 $$\n")
    bad.chmod(0o755)
    programs = {os.path.realpath(path) for path in map(shutil.which, ("nft", "iptables", "iptables-nft")) if path}
    for program in programs:
        mount(str(bad), program, None, MS_BIND)
    try:
        assert owner.down(check=False).returncode == 1
    finally:
        for program in programs:
            subprocess.run(["umount", program], check=True)
    assert owner.ns.run("nft", "list", "ruleset") == was
    owner.down()
    nothing_changed(owner, before)


@pytest.mark.parametrize("word", ["home", "./home.conf"])
@scenario(seconds=60)
def file_that_is_a_link(lab, word):
    """The tunnel is called after the link, also when it goes down."""
    owner = Owner(lab)
    owner.file("sweden", interface=f"Address = 10.9.0.1/24\nPreDown = echo $INTERFACE %i > {WORK}/down")
    (host.FOLDER / "home.conf").symlink_to("sweden.conf")
    os.chdir(host.FOLDER)
    before = owner.look()
    owner.up(word)
    os.chdir("/")
    owner.down()
    assert (WORK / "down").read_text() == "home home\n"
    nothing_changed(owner, before)


@pytest.mark.parametrize("kind", ["fifo", "folder"])
@scenario(seconds=60)
def file_that_is_none(lab, kind):
    """A pipe to which nobody writes would be waited for."""
    owner = Owner(lab)
    path = host.FOLDER / "home.conf"
    if kind == "fifo":
        os.mkfifo(path, 0o600)
    else:
        path.mkdir(0o700)
    refused(owner, owner.look(), "^warren: up: `/etc/wireguard/home.conf' is no regular file\n")


@scenario(seconds=60)
def hooks_run_as_written(lab):
    """In bash, with %i, '#' and all, in order, with a clean environment."""
    owner = Owner(lab)
    log = WORK / "log"
    owner.file(interface="Address = 10.9.0.1/24\n"
               f"PreUp = echo pre %i $SECRET ${{INTERFACE}} >> {log} # a comment of the shell\n"
               f"PostUp = [[ -e /sys/class/net/%i ]] && echo post >> {log}\nPostUp = echo two >> {log}\n"
               f"PreDown = echo down >> {log}\nPostDown = ls -d /sys/class/net/%i || echo gone >> {log}")
    owner.up(env={"SECRET": "x"})
    owner.down()
    assert log.read_text() == "pre home home\npost\ntwo\ndown\ngone\n"


@scenario(seconds=60)
def a15_route_that_is_there_already(lab):
    owner = Owner(lab)
    owner.file(allowed="10.9.0.0/24, 10.20.0.0/16")
    owner.ns.ip("route add 10.20.0.0/16 via 10.1.0.2")
    refused(owner, owner.look(), r"10.20.0.0/16 is routed already", "out has it")


@scenario(seconds=60)
def fs8_hooks_of_a_file_that_others_write(lab):
    owner = Owner(lab)
    owner.file(interface="Address = 10.9.0.1/24\nPostUp = touch /run/work/canary\nPostDown = touch /run/work/canary")
    file = host.FOLDER / "home.conf"
    before = owner.look()
    owner.up()
    owner.down()
    owner.wait_ends()
    (WORK / "canary").unlink()
    for mode, uid, folder in ((0o666, 0, 0o755), (0o620, 0, 0o755), (0o600, 1000, 0o755), (0o600, 0, 0o777)):
        os.chmod(host.FOLDER, folder)
        os.chmod(file, mode)
        os.chown(file, uid, 1000 if mode == 0o620 else 0)
        done = owner.up(check=False)
        assert done.returncode == 1 and "refused in a file that others can write" in done.stderr, (mode, uid, folder)
        assert not link(owner) and not (WORK / "canary").exists()
    os.chmod(host.FOLDER, 0o700)
    os.chown(file, 0, 0)
    os.chmod(file, 0o600)
    nothing_changed(owner, before)
    owner.up()
    (WORK / "canary").unlink()
    os.chmod(host.FOLDER, 0o755)
    os.chmod(file, 0o666)
    done = owner.down(check=False)
    assert done.returncode == 1 and "is not run" in done.stderr and not (WORK / "canary").exists() and not link(owner)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@scenario(seconds=60)
def signal_takes_all_back(lab, number):
    owner = Owner(lab)
    owner.file(allowed=BOTH, interface="Address = 10.9.0.1/24\nPostUp = touch /run/work/here; sleep 100")
    before = owner.look()
    process = subprocess.Popen(["warren", "up", "home"], stderr=subprocess.PIPE, text=True, start_new_session=True)
    wait_until((WORK / "here").exists, 60)
    os.killpg(process.pid, number)  # as a terminal does
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 1 and "all that was done is undone" in said, said
    nothing_changed(owner, before)


@scenario(seconds=60)
def signal_during_the_last_step(lab):
    """Nothing comes after it that could notice; the hook itself is not told and ends well."""
    owner = Owner(lab)
    owner.file(interface="Address = 10.9.0.1/24\nPostUp = touch /run/work/here; until [ -e /run/work/go ]; do sleep 0.1; done")
    before = owner.look()
    process = subprocess.Popen(["warren", "up", "home"], stderr=subprocess.PIPE, text=True)
    wait_until((WORK / "here").exists, 60)
    process.send_signal(signal.SIGTERM)
    (WORK / "go").touch()
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 1 and "interrupted; all that was done is undone" in said, said
    nothing_changed(owner, before)


@scenario(seconds=60)
def reboot_in_the_middle(lab):
    """What ends with the boot is not looked for any more; what is on disk is taken back by the next command."""
    owner = Owner(lab, resolvconf=False)
    owner.file(allowed=BOTH, interface="Address = 10.9.0.1/24\nDNS = 10.9.0.2")
    before = owner.look()
    resolver = pathlib.Path("/etc/resolv.conf").read_text()
    for command in ("up", "down"):
        owner.up()
        if pathlib.Path("/etc/resolv.conf").read_text() == resolver:
            pytest.skip("/etc/resolv.conf cannot be written here")
        for folder in (RUN, STATE):  # another boot wrote them
            for file in folder.glob("home.*"):
                text = file.read_text()
                file.write_text(re.sub(r"\A(warren journal 1 )\S+", r"\g<1>00000000-0000-0000-0000-000000000000", text))
        owner.ns.run("nft", "flush", "ruleset")
        owner.ns.ip("link del home")
        owner.wait_ends()
        for family in ("-4", "-6"):
            owner.ns.ip(f"{family} route del unreachable default table 51820 metric 4294967295")
            owner.ns.run("ip", family, "rule", "flush")
            for priority, table in ((32766, "main"), (32767, "default")):
                if family == "-4" or table == "main":
                    owner.ns.ip(f"{family} rule add priority {priority} table {table}")
        owner.ns.sysctl("net.ipv4.conf.all.src_valid_mark", 0)
        if command == "up":
            owner.up()
        owner.down()
        nothing_changed(owner, before)


@scenario(seconds=60)
def reboot_of_another_namespace(lab):
    """What a namespace of another boot left on disk is of anybody of that name; what one of this boot has is not."""
    owner = Owner(lab, resolvconf=False)
    owner.file(interface="Address = 10.9.0.1/24\nDNS = 10.9.0.2")
    before, other = owner.look(), lab.namespace()
    owner.up()
    up, resolver = owner.look(), pathlib.Path("/etc/resolv.conf").read_text()
    if not (STATE / "home.undo").exists():
        pytest.skip("/etc/resolv.conf cannot be written here")
    for words in (("down", "home"), ("sync", "home", "--dry-run"), ("up", "home", "--dry-run"), ("down", "home")):
        print(other.run("warren", *words, check=False))
        same(up, owner)
        assert pathlib.Path("/etc/resolv.conf").read_text() == resolver
    left = (STATE / "home.undo").rename(STATE / "home@1.undo")
    for file in RUN.glob("home.*"):
        file.unlink()
    owner.ns.ip("link del home")
    owner.wait_ends()
    for namespace in (owner.ns, other):
        assert "home is not up" in namespace.run("warren", "down", "home", check=False).stderr
        assert left.exists() and pathlib.Path("/etc/resolv.conf").read_text() == resolver
    left.write_text(re.sub(r"\A(warren journal 1 )\S+", r"\g<1>00000000-0000-0000-0000-000000000000", left.read_text()))
    other.run("warren", "down", "home")
    nothing_changed(owner, before)


@scenario(seconds=60)
def a1_dns_that_fails_ends_wg_quick_only(lab):
    owner = Owner(lab)
    owner.file(interface="Address = 10.9.0.1/24\nDNS = 10.9.0.2")
    (host.BIN / "wg-quick").symlink_to(warren_path())
    before = owner.look()
    (WORK / "resolvconf-fails").touch()
    done = subprocess.run(["wg-quick", "up", "home"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    print(done.stdout)
    assert done.returncode != 0 and "resolvconf -a home -m 0 -x" in done.stdout
    nothing_changed(owner, before)
    done = owner.up()
    assert link(owner)
    owner.down()
    nothing_changed(owner, before)


@scenario(seconds=90)
def hook_that_leaves_something_running(lab):
    """It has our lock, and keeps nobody out for ever: not at all after an end, and for ten seconds after a kill."""
    owner = Owner(lab)
    file = owner.file(interface="Address = 10.9.0.1/24\nPostUp = sleep 1000 > /dev/null 2>&1 & echo $! > /run/work/daemon; touch /run/work/here\n"
                      "PostDown = kill $(cat /run/work/daemon)")
    before = owner.look()
    owner.up()
    owner.down()
    nothing_changed(owner, before)
    (WORK / "here").unlink()
    file.write_text(file.read_text().replace("/here\n", "/here; sleep 1000\n"))
    before = owner.look()
    process = subprocess.Popen(["warren", "up", "home"], stderr=subprocess.DEVNULL, start_new_session=True)
    wait_until((WORK / "here").exists, 60)
    process.kill()
    process.wait()
    started = time.monotonic()
    done = owner.down()
    assert f"another command is at work on home (process {process.pid})" in done.stderr and "left half done" in done.stderr
    assert time.monotonic() - started >= 9
    os.killpg(process.pid, signal.SIGKILL)  # what the hook still waits for
    nothing_changed(owner, before)


@scenario(seconds=60)
def a2_engines(lab):
    owner = Owner(lab)
    owner.file()
    before = owner.look()
    if not pathlib.Path("/sys/module/wireguard").exists():
        refused(owner, before, "this kernel has no WireGuard", "--engine user", argv=("up", "--engine", "kernel", "home"))
        done = owner.up()
        assert "this kernel has no WireGuard: taking an engine in user space" in done.stderr
        owner.down()
        nothing_changed(owner, before)
    done = owner.run("up", "--engine", "user", "home", check=False, env={"WG_QUICK_USERSPACE_IMPLEMENTATION": "no-such-engine"})
    assert done.returncode == 1 and "there is no program `no-such-engine'" in done.stderr
    nothing_changed(owner, before)
    failing = WORK / "failing"
    failing.write_text("#!/bin/sh\necho cannot >&2\nexit 5\n")
    failing.chmod(0o755)
    done = owner.run("up", "--engine", "user", "home", check=False, env={"WG_QUICK_USERSPACE_IMPLEMENTATION": str(failing)})
    assert done.returncode == 1 and "cannot\n" in done.stderr and "exit code 5" in done.stderr
    nothing_changed(owner, before)
    (host.BIN / "another-name").symlink_to(warren_path())  # which PATH has
    (host.BIN / "engine-of-path").write_text("#!/bin/sh\nexec another-name run \"$1\"\n".replace("another-name", str(host.BIN / "another-name")))
    (host.BIN / "engine-of-path").chmod(0o755)
    owner.run("up", "--engine", "user", "home", env={"WG_QUICK_USERSPACE_IMPLEMENTATION": "engine-of-path"})
    owner.down()
    nothing_changed(owner, before)
    if shutil.which("wireguard-go"):
        owner.run("up", "--engine", "user", "home", env={"WG_QUICK_USERSPACE_IMPLEMENTATION": "wireguard-go"})
        owner.down()
        nothing_changed(owner, before)


@scenario(seconds=60)
def journal_of_a_newer_version_and_a_damaged_one(lab):
    owner = Owner(lab)
    owner.file()
    owner.up()
    journal = RUN / "home.journal"
    text = journal.read_text()
    reference = owner.look()
    for changed, words in (("warren journal 2 x\n", "newer warren"), (text + "nonsense\n", "is damaged")):
        journal.write_text(changed)
        for verb in ("up", "down"):
            done = owner.run(verb, "home", check=False)
            assert done.returncode == 1 and words in done.stderr, done
    journal.write_text(text)
    same(reference, owner)
    os.chmod(RUN, 0o777)
    done = owner.down(check=False)
    assert done.returncode == 1 and "/run/warren is not root's alone" in done.stderr
    os.chmod(RUN, 0o700)
    owner.down()
    owner.wait_ends()


@scenario(seconds=60)
def f6_f7_smallest_path(lab):
    """The MTU is that of the smallest path to an endpoint, less what WireGuard adds; of another tunnel's link too."""
    owner = Owner(lab)
    owner.ns.ip("link set out mtu 1460")
    owner.ns.ip("route add 192.0.2.0/24 via 10.1.0.2 mtu 1400")
    rows = ((["10.1.0.2:1"], 1380), (["10.1.0.2:1", "192.0.2.9:1"], 1320), (["192.0.2.9:1", "10.1.0.2:1"], 1320), ([], 1380))
    for endpoints, mtu in rows:
        peers = "".join(f"[Peer]\nPublicKey = {Keys().public}\nEndpoint = {e}\n" for e in endpoints)
        owner.write("home", f"[Interface]\nPrivateKey = {owner.keys.private}\nAddress = 10.9.0.1/24\n{peers}")
        owner.up()
        assert f"mtu {mtu} " in owner.ns.run("ip", "link", "show", "dev", "home"), (endpoints, mtu)
        owner.down()
        owner.wait_ends()
    owner.file(allowed="10.9.0.0/24, 203.0.113.0/24")
    owner.file("inner", interface="Address = 10.8.0.1/24", allowed="10.8.0.0/24", endpoint="203.0.113.5:1")
    owner.up()
    owner.up("inner")
    assert "mtu 1300 " in owner.ns.run("ip", "link", "show", "dev", "inner")  # 1460 - 80 - 80
    owner.down("inner")
    owner.down()
    owner.wait_ends()
    owner.wait_ends("inner")


@scenario(seconds=60)
def wrong_usage(lab):
    owner = Owner(lab)
    before = owner.look()
    for argv in (["up"], ["up", "a", "b"], ["up", "--engine", "x", "a"], ["up", "--nonsense", "a"], ["down"], ["down", "a", "b"],
                 ["down", "-x", "a"]):
        done = owner.run(*argv, check=False)
        assert done.returncode == 2 and "Usage: warren" in done.stderr or "--engine takes" in done.stderr, argv
    for word in ("nosuch", "./nosuch.conf", "/etc/wireguard", "/etc/passwd", "a b", "x" * 40):
        for verb in ("up", "down"):
            done = owner.run(verb, word, check=False)
            assert done.returncode == 1 and done.stderr.startswith(f"warren: {verb}: "), (verb, word, done)
    nothing_changed(owner, before)


@scenario(seconds=60)
def names_reach_no_shell(lab):
    """Paths and values with what a shell would obey: no canary appears."""
    owner = Owner(lab)
    evil = "$(touch /run/work/canary);`touch /run/work/canary`&touch /run/work/canary|'\""
    folder = host.HOME / evil.replace("/", "_")
    folder.mkdir()
    text = owner.file().read_text()
    for name in ("home", evil.replace("/", "_")[:40]):
        (folder / f"{name}.conf").write_text(text)
        os.chmod(folder / f"{name}.conf", 0o600)
        owner.run("up", str(folder / f"{name}.conf"), check=name == "home")
    owner.down()
    owner.write("home", text.replace("Address = ", f"DNS = {evil}\nAddress = {evil}, "))
    owner.run("up", "--force", "home", check=False)
    owner.run("down", "home", check=False)
    owner.wait_ends()
    assert not (WORK / "canary").exists()


# --- what others brought up ------------------------------------------------------------------------


@pytest.mark.parametrize("allowed", ["10.9.0.0/24, fd09::/64, 10.20.0.0/16", BOTH])
@scenario(seconds=90)
def wg_quick_takes_down_what_the_stock_one_brought_up(lab, allowed):
    """On a host where ours takes the other one's place while tunnels are up."""
    owner = Owner(lab)
    owner.file(interface="Address = 10.9.0.1/24, fd09::1/64\nDNS = 10.9.0.2\nPostDown = echo gone", allowed=allowed)
    # The stock one leaves this switch on; what it was before nobody knows any more.
    pathlib.Path("/proc/sys/net/ipv4/conf/all/src_valid_mark").write_text("1")
    before = owner.look()
    environment = {**os.environ, "WG_QUICK_USERSPACE_IMPLEMENTATION": "warrend"}
    subprocess.run(["/usr/bin/wg-quick", "up", "home"], env=environment, check=True)
    (host.BIN / "wg-quick").symlink_to(warren_path())
    done = subprocess.run(["wg-quick", "down", "home"], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert done.returncode == 0 and done.stdout == "gone\n", done
    nothing_changed(owner, before)
    done = subprocess.run(["wg-quick", "down", "home"], text=True, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (1, "wg-quick: `home' is not a WireGuard interface\n")
