"""warren keep: what others break is put right, and peers that do not answer are sought. All with real packets."""
import os
import pathlib
import re
import signal
import socket
import subprocess
import time

import pytest

import host
from harness import WORK, processes, scenario, wait_until, warren_path
from updown import Capture, Owner, cmdline, unlike

BOTH = "0.0.0.0/0, ::/0"
INNER = "10.9.0.2"
NAMED = "vpn.example:51820"


class Keeper:
    """warren keep NAME, as the unit runs it, and what it tells the manager."""

    def __init__(self, owner, name="home", ready=True, check_up=True):
        self.owner, self.name = owner, name
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.place = WORK / f"notify-{name}-{time.monotonic_ns()}"
        self.socket.bind(str(self.place))
        self.socket.settimeout(60)
        self.log_path = WORK / f"keep-{name}.log"
        with open(self.log_path, "ab") as log:
            self.process = owner.lab.start(owner.ns, "warren", "keep", name, stdout=log, stderr=log,
                                           env={**os.environ, "NOTIFY_SOCKET": str(self.place)})
        if ready:
            assert self.told() == "READY=1", self.log()
            if check_up:
                owner.ns.ip(f"link show {name}")

    def told(self):
        return self.socket.recv(4096).decode()

    def log(self):
        return self.log_path.read_text()

    def wait_log(self, words, seconds=60):
        wait_until(lambda: words in self.log(), seconds, f"the log says {words!r}")

    def wait_end(self, seconds=60):
        return self.process.wait(seconds)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.wait_end() == 0, self.log()

    def settled(self):
        """It has looked at everything and waits."""
        def waits():
            fields = open(f"/proc/{self.process.pid}/stat").read().rsplit(")", 1)[1].split()
            children = open(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read()
            return fields[0] == "S" and not children
        for _ in range(5):
            wait_until(waits, 60, "keep waits")
            time.sleep(0.1)


def hosts(*lines):
    """What the names of this host are from now on."""
    with open("/etc/hosts", "w") as file:
        file.write("127.0.0.1 localhost\n" + "".join(line + "\n" for line in lines))


def reach(owner, seconds=90, address=INNER):
    """Somebody pings through the tunnel until it is answered."""
    begin = time.monotonic()
    wait_until(lambda: owner.ns.ping(address, wait=0.5) == 1, seconds, f"an answer from {address}", every=0.5)
    return time.monotonic() - begin


def begin(lab, ready=True, **file):
    owner = Owner(lab)
    far = owner.far()
    owner.file(**file)
    before = owner.look()
    keeper = Keeper(owner, ready=ready)
    return owner, far, keeper, before


def end(owner, keeper, before):
    keeper.stop()
    owner.wait_ends()
    assert not unlike(before, owner.look())


def engines(owner):
    return [pid for pid in owner.engines() if cmdline(pid)[1:2] == ["run"]]


def journal():
    return "".join(path.read_text() for path in pathlib.Path("/run/warren").glob("home*.journal"))


def owner_hooks():
    return [pid for pid in processes() if cmdline(pid)[:2] == ["sleep", "60"]]


def put_back(read, seconds=60):
    """What read() gives now, and a function that waits until it does again."""
    was = read()
    return lambda: wait_until(lambda: read() == was, seconds, "it is put back", every=0.05)


# --- its life ---------------------------------------------------------------------------------------


@scenario(seconds=120)
def brings_up_stays_and_takes_down(lab):
    owner, _far, keeper, before = begin(lab, allowed=BOTH)
    reach(owner)
    keeper.stop()
    assert keeper.told() == "STOPPING=1"
    owner.wait_ends()
    assert not unlike(before, owner.look())


@scenario(seconds=120)
def takes_over_what_is_up_and_outlives_nothing(lab):
    """A keep that was killed leaves the tunnel; the next one has the same engine."""
    owner = Owner(lab)
    owner.far()
    owner.file()
    before = owner.look()
    owner.up()
    old = engines(owner)
    for _ in range(2):
        keeper = Keeper(owner)
        keeper.settled()
        keeper.process.kill()
        keeper.process.wait()
        assert engines(owner) == old
    reach(owner)
    end(owner, Keeper(owner), before)


@scenario(seconds=120)
def down_ends_it_and_nothing_comes_back(lab):
    owner, _far, keeper, before = begin(lab, allowed=BOTH)
    keeper.settled()
    owner.down()
    assert keeper.wait_end() == 0
    owner.wait_ends()
    assert not unlike(before, owner.look())


@scenario(seconds=120)
def down_in_the_middle_of_a_storm_of_repairs(lab):
    owner, _far, keeper, before = begin(lab, allowed=BOTH)
    keeper.settled()
    owner.ns.ip("route flush table 51820")
    owner.ns.ip("address flush dev home")
    owner.down()
    assert keeper.wait_end() == 0
    owner.wait_ends()
    assert not unlike(before, owner.look())


@scenario(seconds=120)
def told_to_end_while_it_comes_up(lab):
    owner = Owner(lab)
    owner.file(interface="Address = 10.9.0.1/24, fd09::1/64\nPreUp = sleep 60")
    before = owner.look()
    keeper = Keeper(owner, ready=False)
    wait_until(owner_hooks, 60, "the hook runs")
    for pid in owner_hooks():
        keeper.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        os.kill(pid, signal.SIGKILL)
    assert keeper.wait_end() == 0, keeper.log()
    assert not unlike(before, owner.look())


@scenario(seconds=120)
def file_that_is_wrong_ends_it(lab):
    owner = Owner(lab)
    owner.file(more="[Interface]\nBogus = 1\n")
    before = owner.look()
    keeper = Keeper(owner, ready=False)
    assert keeper.wait_end() == 1
    assert "Bogus" in keeper.log()
    assert not unlike(before, owner.look())


def needs_sync():
    done = subprocess.run([warren_path(), "sync"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if "there is no command" in done.stdout:
        pytest.skip("warren has no sync yet")


@scenario(seconds=120)
def a22_file_that_changes_is_applied(lab):
    """A22: by an editor that writes a new file, by one that writes into it, and by SIGHUP; the session goes on."""
    needs_sync()
    owner, _far, keeper, before = begin(lab)
    reach(owner)
    shown = lambda: owner.ns.run("wg", "show", "home", "allowed-ips") + "".join(host.routes())
    handshake = owner.ns.run("wg", "show", "home", "latest-handshakes")
    for number, way in enumerate(("replace", "write")):
        keeper.settled()
        path = host.FOLDER / "home.conf"
        text = path.read_text().replace("AllowedIPs = ", f"AllowedIPs = 10.77.{number}.0/24, ")
        if way == "replace":
            new = host.FOLDER / "new.conf"
            new.write_text(text)
            os.chmod(new, 0o600)
            new.rename(path)
        else:
            path.write_text(text)
        wait_until(lambda: shown().count(f"10.77.{number}.0/24") == 2, 60, "it is applied")
    keeper.process.send_signal(signal.SIGHUP)
    keeper.settled()
    assert owner.ns.run("wg", "show", "home", "latest-handshakes") == handshake
    keeper.stop()


@scenario(seconds=120)
def file_that_changes_into_a_wrong_one_changes_nothing(lab):
    needs_sync()
    owner, _far, keeper, _before = begin(lab)
    reach(owner)
    seen = lambda: (host.routes(), host.addresses(), host.devices())
    was = seen()
    path = host.FOLDER / "home.conf"
    path.write_text(path.read_text() + "Bogus = 1\n")
    keeper.wait_log("cannot be applied")
    assert seen() == was
    reach(owner)
    keeper.stop()


@scenario(seconds=120)
def down_that_was_killed_half_way_is_finished(lab):
    """Whoever wanted it down gets it down, and keep does not bring it up again."""
    owner, _far, keeper, before = begin(lab, interface="Address = 10.9.0.1/24, fd09::1/64\nPreDown = sleep 60")
    keeper.settled()
    process = lab.start(owner.ns, "warren", "down", "home", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(lambda: "phase down" in journal(), 60, "it is on its way down")
    owner.file()  # without the hook
    process.kill()
    process.wait()
    for pid in owner_hooks():
        os.kill(pid, signal.SIGKILL)
    assert keeper.wait_end(100) == 0, keeper.log()
    owner.wait_ends()
    del before["files"]
    after = owner.look()
    del after["files"]
    assert not unlike(before, after)


@scenario(seconds=120)
def up_that_was_killed_and_cannot_be_finished_is_a_failure(lab):
    """The manager is not told that somebody wanted it down."""
    owner, _far, keeper, _before = begin(lab)
    keeper.settled()
    owner.file(interface="Address = 10.9.0.1/24, fd09::1/64\nPostUp = false")
    keeper.wait_log("is what")  # no hook is run
    keeper.settled()
    for path in pathlib.Path("/run/warren").glob("home*.journal"):
        with open(path, "a") as file:
            file.write("phase up\n")
    assert keeper.wait_end(100) == 1, keeper.log()
    owner.wait_ends()


@scenario(seconds=120)
def file_that_is_a_link_is_kept(lab):
    """The tunnel is called after the link, which may lead elsewhere one day."""
    owner = Owner(lab)
    owner.far()
    owner.file("sweden")
    owner.file("norway", interface="Address = 10.9.0.1/24, fd09::1/64\nMTU = 1300")
    (host.FOLDER / "home.conf").symlink_to("sweden.conf")
    before = owner.look()
    keeper = Keeper(owner)
    reach(owner)
    keeper.settled()
    (host.FOLDER / "new").symlink_to("norway.conf")
    os.rename(host.FOLDER / "new", host.FOLDER / "home.conf")
    wait_until(lambda: "mtu 1300" in owner.ns.ip("link show home"), 60, "the other file is applied")
    keeper.settled()
    owner.ns.ip("link delete home")
    wait_until(lambda: "home" in owner.ns.ip("link show"), 60, "it is made anew")
    reach(owner)
    keeper.stop()
    owner.wait_ends()
    del before["files"]
    after = owner.look()
    del after["files"]
    assert not unlike(before, after)


# --- what others remove -----------------------------------------------------------------------------


@scenario(seconds=120)
def g5_rules_that_are_flushed_are_put_back(lab):
    """G5: a manager of networks starts again and removes every rule that is not its own."""
    owner, _far, keeper, before = begin(lab, allowed=BOTH)
    reach(owner)
    for _ in range(2):
        restored = put_back(host.rules)
        for family in ("-4", "-6"):
            for line in host.said("ip", family, "rule").splitlines():
                priority = int(line.split(":")[0])
                if priority not in (0, 32766, 32767):
                    owner.ns.run("ip", family, "rule", "del", "pref", priority)
        restored()
    reach(owner)
    end(owner, keeper, before)


@scenario(seconds=120)
def g5_routes_and_addresses_that_are_flushed_are_put_back(lab):
    owner, _far, keeper, before = begin(lab, allowed=BOTH + ", 198.51.100.0/24")
    reach(owner)
    for command in ("-4 route flush table 51820", "-6 route flush table 51820", "-4 route del 198.51.100.0/24", "address flush dev home",
                    "link set home mtu 1300", "-4 route del unreachable default table 51820"):
        restored = put_back(lambda: (host.routes(), host.addresses()))
        keeper.settled()
        owner.ns.run("ip", *command.split(), check=False)
        restored()
    reach(owner)
    end(owner, keeper, before)


@scenario(seconds=120)
def d15_firewall_that_is_flushed_is_put_back(lab):
    """D15: a reload deletes all rules and writes its own."""
    owner, _far, keeper, before = begin(lab, allowed=BOTH, interface="""Address = 10.9.0.1/24, fd09::1/64
#: KillSwitch = yes""")
    reach(owner)
    tables = lambda: sorted(re.findall(r"^table .*", host.said("nft", "list", "ruleset"), re.M))
    assert any("warren-home" in line for line in tables())
    for _ in range(2):
        restored = put_back(tables)
        keeper.settled()
        owner.ns.run("nft", "flush", "ruleset")
        restored()
    reach(owner)
    end(owner, keeper, before)


@scenario(seconds=180)
def fp1_engine_that_is_dead_with_its_monitor_comes_back(lab):
    """F-P1: link, addresses and routes went with it; meanwhile nothing leaves in the clear."""
    owner, _far, keeper, before = begin(lab, allowed=BOTH)
    owner.router.address("lo", "198.51.100.7/32")
    reach(owner)
    capture = Capture(lab, owner.ns)
    load = lab.start(owner.ns, "ping", "-q", "-i", "0.005", "-p", "77617272656e", "198.51.100.7", stdout=subprocess.DEVNULL,
                     stderr=subprocess.DEVNULL)
    seen = lambda: (host.rules(), host.routes(), host.addresses())
    for _ in range(3):
        restored = put_back(seen)
        keeper.settled()
        old = engines(owner)
        begin_s = time.monotonic()
        for pid in old:
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: engines(owner) and not set(engines(owner)) & set(old), 60, "a new engine")
        restored()
        print(f"back after {time.monotonic() - begin_s:.2f} s")
        assert owner.ns.ping(INNER, wait=30) == 1
    load.kill()
    load.wait()
    assert not [frame for _, frame in capture.end() if b"warrenwarren" in frame]
    end(owner, keeper, before)


@scenario(seconds=120)
def link_that_is_deleted_comes_back(lab):
    owner, _far, keeper, before = begin(lab)
    reach(owner)
    restored = put_back(lambda: (host.routes(), host.addresses()))
    keeper.settled()
    owner.ns.ip("link delete home")
    restored()
    reach(owner)
    end(owner, keeper, before)


@scenario(seconds=120)
def link_that_is_set_down_comes_up(lab):
    owner, _far, keeper, before = begin(lab, allowed=BOTH)
    reach(owner)
    restored = put_back(lambda: (host.routes(), host.addresses()))
    keeper.settled()
    old = engines(owner)
    owner.ns.ip("link set home down")
    restored()
    reach(owner)
    assert engines(owner) == old
    end(owner, keeper, before)


@scenario(seconds=180)
def whoever_removes_it_again_and_again_is_not_fought(lab):
    owner, _far, keeper, before = begin(lab, allowed=BOTH)
    reach(owner)
    keeper.settled()
    pref = re.search(r"^(\d+):.*lookup 51820", host.said("ip", "-4", "rule"), re.M).group(1)
    removed = 0
    until = time.monotonic() + 60
    while "again and again" not in keeper.log() or time.monotonic() < until - 50:
        assert time.monotonic() < until, "it is never told"
        removed += subprocess.run(["ip", "-4", "rule", "del", "pref", pref], stderr=subprocess.DEVNULL).returncode == 0
        time.sleep(0.05)
    count = removed
    assert count <= 8, "a fight"
    assert keeper.log().count("again and again") == 1
    wait_until(lambda: f"{pref}:" in host.said("ip", "-4", "rule"), 60, "it is put back later")
    end(owner, keeper, before)


@scenario(seconds=120)
def i1_network_that_goes_and_comes(lab):
    """I1: a suspend, another Wi-Fi: the link goes down, comes back, and the routes with it."""
    owner, _far, keeper, before = begin(lab, allowed=BOTH)
    reach(owner)
    for _ in range(2):
        owner.ns.ip("link set out down")
        time.sleep(0.5)
        owner.ns.ip("link set out up")
        owner.ns.ip("-6 address replace fd01::1/64 dev out nodad")
        owner.ns.ip("route replace default via 10.1.0.2")
        owner.ns.ip("-6 route replace default via fd01::2")
        reach(owner)
    keeper.stop()


# --- peers that do not answer -----------------------------------------------------------------------


def block(router, *rule):
    """The router throws these away."""
    router.run("nft", "-f", "-", stdin=f"table inet block {{\nchain in {{\ntype filter hook input priority 0;\n{' '.join(rule)} drop\n}}\n}}\n")


@scenario(seconds=240)
def e7_server_has_another_address(lab):
    """E7: with a session that is alive and with one that is not."""
    owner = Owner(lab)
    owner.far()
    owner.router.address("out", "10.1.0.3/24")
    owner.router.wait_addresses("10.1.0.3")
    hosts("10.1.0.2 vpn.example")
    owner.file(endpoint=NAMED)
    keeper = Keeper(owner)
    reach(owner)
    hosts("10.1.0.3 vpn.example")
    block(owner.router, "ip daddr 10.1.0.2 udp dport 51820")
    print(f"found after {reach(owner, 120):.0f} s")
    keeper.wait_log("vpn.example does not answer; trying 10.1.0.3:51820")
    keeper.stop()


@scenario(seconds=180)
def e8_every_address_of_a_name_is_tried(lab):
    """E8: the first address of the name leads nowhere, the other one works."""
    owner = Owner(lab)
    owner.far()
    hosts("fd01::2 vpn.example", "10.1.0.2 vpn.example")
    block(owner.router, "meta l4proto udp ip6 daddr fd01::2")
    owner.file(endpoint=NAMED)
    keeper = Keeper(owner)
    print(f"found after {reach(owner, 120):.0f} s")
    keeper.wait_log("trying 10.1.0.2:51820")
    keeper.stop()


@scenario(seconds=180)
def e8_addresses_are_known_when_names_are_not(lab):
    """The name servers are behind the tunnel that does not work."""
    owner = Owner(lab)
    owner.far()
    hosts("fd01::2 vpn.example", "10.1.0.2 vpn.example")
    block(owner.router, "meta l4proto udp ip6 daddr fd01::2")
    owner.file(endpoint=NAMED, allowed=BOTH)
    keeper = Keeper(owner)
    keeper.settled()
    hosts()
    reach(owner, 150)
    keeper.stop()


@scenario(seconds=180)
def e12_source_port_that_is_dead_is_left(lab):
    """E12: something on the way remembers this port, wrongly."""
    owner, _far, keeper, _before = begin(lab)
    port = owner.ns.run("wg", "show", "home", "listen-port").strip()
    block(owner.router, f"udp sport {port}")
    print(f"found after {reach(owner, 150):.0f} s")
    assert owner.ns.run("wg", "show", "home", "listen-port").strip() != port
    keeper.stop()


@scenario(seconds=120, full=True)
def e12_port_of_the_file_is_kept(lab):
    owner, _far, keeper, _before = begin(lab, interface="Address = 10.9.0.1/24, fd09::1/64\nListenPort = 5555", endpoint=NAMED.replace(
        "vpn.example", "10.1.0.2"))
    block(owner.router, "udp sport 5555")
    until = time.monotonic() + 40
    while time.monotonic() < until:
        assert owner.ns.ping(INNER, wait=0.5) == 0
    assert owner.ns.run("wg", "show", "home", "listen-port").strip() == "5555"
    keeper.stop()


@scenario(seconds=180)
def a11_name_that_is_not_known_at_boot(lab):
    """A11: the tunnel comes up without it, and has it as soon as there is an answer."""
    owner = Owner(lab)
    owner.far()
    hosts()
    owner.file(endpoint=NAMED)
    keeper = Keeper(owner)
    keeper.wait_log("it is asked for again")
    hosts("10.1.0.2 vpn.example")
    reach(owner, 120)
    keeper.wait_log("vpn.example is known now; trying 10.1.0.2:51820")
    keeper.stop()


@scenario(seconds=180, full=True)
def reresolve_no_leaves_peers_alone(lab):
    owner = Owner(lab)
    owner.far()
    hosts("10.1.0.3 vpn.example")
    owner.file(endpoint=NAMED, interface="Address = 10.9.0.1/24, fd09::1/64\n#: Reresolve = no")
    keeper = Keeper(owner)
    hosts("10.1.0.2 vpn.example")
    until = time.monotonic() + 40
    while time.monotonic() < until:
        assert owner.ns.ping(INNER, wait=0.5) == 0
    assert owner.ns.run("wg", "show", "home", "endpoints").split()[1] == "10.1.0.3:51820"
    keeper.stop()


# --- what it costs ----------------------------------------------------------------------------------


def calls(keeper, seconds):
    """System calls that it made meanwhile, as strace counts them."""
    process = subprocess.run(["timeout", "-s", "INT", str(seconds), "strace", "-f", "-c", "-U", "calls,name", "-p", str(keeper.process.pid)],
                             text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    print(process.stderr)
    assert "attached" in process.stderr, process.stderr
    return sum(int(n) for n, name in re.findall(r"^\s*(\d+) ([a-z_0-9]+)$", process.stderr, re.M)
               if name not in ("total", "restart_syscall"))


@scenario(seconds=240, unsanitized="has threads of its own")
def idle_tunnel_is_not_woken(lab):
    """Not once in a minute."""
    owner, _far, keeper, _before = begin(lab, allowed=BOTH)
    reach(owner)
    keeper.settled()
    time.sleep(70)  # the packet rang: a window and a calm
    keeper.settled()
    count = calls(keeper, 60)
    assert count == 0, f"{count} system calls in a minute"
    seen = put_back(host.rules)
    owner.ns.run("ip", "-4", "rule", "del", "table", "51820")
    seen()
    keeper.stop()
