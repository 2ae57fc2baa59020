"""Forward and OpenPort where others drop: rule sets as managers make them, the managers themselves, real packets."""
import contextlib
import pathlib
import shutil
import socket
import subprocess
import time

import pytest

from harness import WORK, copy_over_tcp, have, mount, scenario, wait_until
from rules import Rules, ruleset
from test_keep import Keeper
from updown import Owner, unlike

MS_BIND = 4096
KEYS = """Address = 10.9.0.2/24, fd09::2/64
ListenPort = 51820
#: Forward = yes
#: OpenPort = 8080/tcp
"""


class Server:
    """client a - tunnel - server b - lan c. All packets of a to c are forwarded by b, whose link to c has any name."""

    def __init__(self, lab, rules, keys=KEYS):
        self.lab, (self.a, self.b), self.c = lab, lab.pair(), lab.namespace()
        lab.veth(self.b, self.c, name_a="ens9", addresses_a=("192.168.9.1/24", "fd99::1/64", "fe80::1/64"),
                 addresses_b=("192.168.9.2/24", "fd99::2/64", "fe80::2/64"))
        self.c.ip("route add default via 192.168.9.1")
        self.c.ip("-6 route add default via fd99::1")
        self.near, self.far = lab.tunnel(self.a, self.b)
        self.near.set(f"peer {self.near.peer} allowed-ips 10.9.0.0/24,fd09::/64,192.168.9.0/24,fd99::/64")
        self.a.ip("route add 192.168.9.0/24 dev wga")
        self.a.ip("-6 route add fd99::/64 dev wga")
        rules(self)
        self.rules = Rules(self.b, keys, link="wgb")
        self.keys = keys

    def nft(self, text):
        self.b.run("nft", "-f", "-", stdin=text)

    def iptables(self, text, program="iptables-nft"):
        for line in filter(None, map(str.strip, text.splitlines())):
            self.b.run(program, *line.split())

    def ping(self, wait=0.4):
        return self.a.ping("192.168.9.2", wait=wait)

    def connects(self, receiver, address, port, wait):
        with receiver.tcp(address, port), self.a.tcp("10.1.0.1") as sock:
            sock.settimeout(wait)
            with contextlib.suppress(OSError):
                sock.connect((address, port))
                return True
        return False

    def port_answers(self, port=8080, wait=0.4):
        return self.connects(self.b, "10.1.0.2", port, wait)

    def passes(self, wait=0.4):
        """Is a connection forwarded? Of pings some managers let through more."""
        return self.connects(self.c, "192.168.9.2", 7000, wait)

    def udp_passes(self, sender, target, receiver, wait=5):
        with receiver.udp(target) as there, sender.udp("0.0.0.0") as here:
            there.settimeout(0.2)
            end = time.monotonic() + wait
            while time.monotonic() < end:
                with contextlib.suppress(OSError):
                    here.sendto(b"forwarded", there.getsockname())
                    return there.recv(100) == b"forwarded"
        return False

    def works(self, six=True):
        wait_until(lambda: self.ping(wait=2), 60)
        if six:
            assert self.a.ping("fd99::2", count=3) == 3
        copy_over_tcp(self.lab, self.a, self.c, "192.168.9.2", 1)
        assert self.udp_passes(self.a, "192.168.9.2", self.c)
        assert self.udp_passes(self.c, "10.9.0.1", self.a)  # D7 and beyond: from the LAN to a client
        assert self.port_answers(wait=5)

    def promise(self, reload, six=True, leaves=None):
        """Not before, after add, gone without a trace, and back after the manager has thrown it away."""
        before = ruleset(self.b)
        assert not self.passes() and not self.port_answers()
        self.rules.items = self.rules.wanted()
        assert "foreign" in self.rules.items
        with self.rules:
            assert set(self.rules.there()) == {1}
            added = ruleset(self.b)
            self.rules.add()  # no rule twice
            assert without_counters(ruleset(self.b)) == without_counters(added)
            again = Rules(self.b, self.keys, link="wgb")
            assert foreign(again.items) == foreign(self.rules.items)  # what is ours does not hide the need
            self.works(six)
            reload()
            assert 1 != min(self.rules.there())
            assert not self.passes()
            self.rules.add()  # what keep does
            self.works(six)
        assert without_counters(ruleset(self.b)) == without_counters(before)
        assert not self.passes() and not self.port_answers()
        with self.rules:
            reload()
        assert without_counters(ruleset(self.b)) == without_counters(before)


def without_counters(text):
    words = []
    for word in text.split():
        words.append("N" if word.isdigit() and words and words[-1] in ("packets", "bytes") else word)
    return " ".join(words)


def foreign(items):
    return [line for line in items.splitlines() if line.startswith("foreign")]


def needs(*programs):
    for program in programs:
        if not have(program):
            pytest.skip(f"needs {program}")


DOCKER = """
-P FORWARD DROP
-N DOCKER-USER
-N DOCKER-ISOLATION-STAGE-1
-A DOCKER-USER -j RETURN
-A DOCKER-ISOLATION-STAGE-1 -j RETURN
-A FORWARD -j DOCKER-USER
-A FORWARD -j DOCKER-ISOLATION-STAGE-1
-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -i docker0 ! -o docker0 -j ACCEPT
-A INPUT -i lo -j ACCEPT
-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A INPUT -p udp --dport 51820 -j ACCEPT
-A INPUT -j DROP
"""
ORACLE = """
-A INPUT -m state --state RELATED,ESTABLISHED -j ACCEPT
-A INPUT -p icmp -j ACCEPT
-A INPUT -i lo -j ACCEPT
-A INPUT -p tcp -m state --state NEW -m tcp --dport 22 -j ACCEPT
-A INPUT -j REJECT --reject-with icmp-host-prohibited
-A FORWARD -j REJECT --reject-with icmp-host-prohibited
"""


@pytest.mark.parametrize("rules", [DOCKER, ORACLE], ids=["docker", "reject_tail"])
@pytest.mark.parametrize("program", ["iptables-nft", "iptables-legacy"])
@scenario(seconds=120)
def d3_d5_iptables(lab, rules, program):
    """Docker's DOCKER-USER, and the REJECT at the end of Oracle's image; in both kinds of iptables (D14)."""
    needs(program)

    def make(server):
        server.iptables(rules, program)

    server = Server(lab, make)
    save = server.b.run(f"{program}-save", "-t", "filter")

    def reload():
        server.b.run(f"{program}-restore", stdin=save)

    reload()  # which makes the chains of all three hooks
    server.promise(reload)
    rows = [line for line in server.b.run(f"{program}-save", "-t", "filter").splitlines() if line.startswith("-A")]
    assert rows == [line for line in save.splitlines() if line.startswith("-A")]
    if rules is DOCKER:
        assert "DOCKER-USER" in server.rules.items


@scenario(seconds=90)
def without_nft_the_older_iptables_is_looked_at(lab):
    needs("iptables-legacy")
    nft = shutil.which("nft", path="/usr/sbin:/usr/bin:/sbin:/bin")

    def make(server):
        server.iptables(ORACLE, "iptables-legacy")
        mount("/dev/null", nft, None, MS_BIND)

    server = Server(lab, make)
    subprocess.run(["umount", nft], check=True)
    assert {line.split("text=")[1] for line in foreign(server.rules.items)} == {
        f"iptables-legacy%20{what}" for what in ("FORWARD%20in", "FORWARD%20out", "INPUT%2051820/udp",
                                                 "INPUT%208080/tcp")}


PLAIN = """
table inet filter {
	chain input {
		type filter hook input priority filter; policy drop;
		ct state established,related accept
		iif "lo" accept
		meta l4proto ipv6-icmp accept
		tcp dport 22 accept
	}
	chain forward {
		type filter hook forward priority filter; policy drop;
		ct state vmap { established : accept, related : accept, invalid : drop }
	}
}
"""


@scenario(seconds=120)
def d5_policy_drop_of_plain_nft(lab):
    server = Server(lab, lambda s: s.nft(PLAIN))
    server.promise(lambda: server.nft("flush ruleset\n" + PLAIN))


@scenario(seconds=120)
def d12_between_clients(lab):
    """A rule set that lets ping through from client to client and nothing else."""
    server = Server(lab, lambda s: s.nft("""
table ip filter {
	chain forward {
		type filter hook forward priority filter; policy accept;
		iifname "wgb" oifname "wgb" ip protocol icmp accept
		iifname "wgb" oifname "wgb" drop
	}
}"""), keys="Address = 10.9.0.2/24\n#: Forward = yes\n")
    assert [line.split("text=")[1] for line in foreign(server.rules.items)] == ["nft%20ip%20filter%20forward%20in"]
    with server.rules:
        pass


@scenario(seconds=180)
def d4_ufw(lab):
    """The real ufw: its user chains, until it is reloaded, and again."""
    needs("ufw")
    for name in ("/etc/ufw", "/etc/default"):
        copy = WORK / name.replace("/", "_")
        shutil.copytree(name, copy)
        mount(str(copy), name, None, MS_BIND)
    server = Server(lab, lambda s: s.b.run("ufw", "--force", "enable"))
    disk = {path: path.read_bytes() for path in pathlib.Path("/etc/ufw").rglob("*") if path.is_file()}
    assert foreign(server.rules.items) and all("ufw" in line for line in foreign(server.rules.items))
    server.b.run("ufw", "reload")  # which leaves other rules than enabling it
    server.promise(lambda: server.b.run("ufw", "reload"))
    assert disk == {path: path.read_bytes() for path in pathlib.Path("/etc/ufw").rglob("*") if path.is_file()}
    server.b.run("ufw", "--force", "disable")
    for name in ("/etc/default", "/etc/ufw"):
        subprocess.run(["umount", name], check=True)


class Firewalld:
    def __init__(self, lab, ns):
        needs("firewalld", "dbus-daemon")
        pathlib.Path("/run/dbus").mkdir(exist_ok=True)
        self.ns = ns
        log = open(WORK / "firewalld.log", "wb")
        self.bus = lab.start(ns, "dbus-daemon", "--system", "--nofork", "--nopidfile", stdout=log, stderr=log)
        wait_until(lambda: pathlib.Path("/run/dbus/system_bus_socket").exists(), 30)
        self.daemon = lab.start(ns, "firewalld", "--nofork", "--nopid", stdout=log, stderr=log)
        wait_until(lambda: self.cmd("--state", check=False).returncode == 0, 60, "firewalld runs", every=0.2)

    def cmd(self, *argv, check=True):
        return self.ns.run("firewall-cmd", *argv, check=check)


@scenario(seconds=240)
def d8_d9_firewalld(lab):
    """The real firewalld, on nft: nothing passes, ports are closed; and its reload throws our rules away."""
    daemon = []
    server = Server(lab, lambda s: daemon.append(Firewalld(lab, s.b)))
    assert all("nft%20inet%20firewalld" in line for line in foreign(server.rules.items))
    server.promise(lambda: daemon[0].cmd("--reload"))


@scenario(seconds=240, full=True)
def d8_d9_firewalld_that_owns_its_table(lab):
    """What goes through firewall-cmd then: the zone of the link and the port, and away again."""
    daemon = []
    server = Server(lab, lambda s: daemon.append(Firewalld(lab, s.b)))
    before = daemon[0].cmd("--list-all-zones")
    switches = [line for line in server.rules.items.splitlines(True) if line.startswith("switch")]
    server.rules.items = "".join(switches) + "".join(f"foreign link=wgb name=firewalld text=firewall-cmd%20{text}\n"
                                                      for text in ("trusted%20in", "public%2051820/udp", "public%208080/tcp"))
    assert server.rules.there() == [1, 1, 0, 0, 0]
    with server.rules:
        assert server.rules.there() == [1, 1, 1, 1, 1]
        wait_until(lambda: server.ping(wait=2), 60)
        copy_over_tcp(lab, server.a, server.c, "192.168.9.2", 1)
        assert server.port_answers(wait=5)
    assert server.rules.there() == [1, 1, 0, 0, 0]
    assert daemon[0].cmd("--list-all-zones") == before
    daemon[0].daemon.terminate()
    daemon[0].daemon.wait(20)
    assert server.rules.there() == [1, 1, -2, -2, -2]  # ENOENT: their place is gone


@scenario(seconds=60)
def what_does_not_drop_gets_no_rule(lab):
    ns = lab.namespace()
    assert foreign(Rules(ns, KEYS).items) == []
    ns.filter("forward", "ct state established accept", "ip saddr 192.0.2.0/24 drop")
    assert foreign(Rules(ns, KEYS).items) == []
    ns.filter("forward", "drop")
    assert len(foreign(Rules(ns, KEYS).items)) == 2
    assert foreign(Rules(ns, "Address = 10.9.0.2/24\n").items) == []


@pytest.mark.parametrize("manager", ["plain", "docker"])
@scenario(seconds=180)
def d15_keep_puts_a_rule_back_after_a_reload(lab, manager):
    """A manager throws everything away and loads its own again, twice; then the tunnel goes, and its rules with it."""
    needs("iptables-nft")
    folder = WORK / "manager"
    folder.write_text("flush ruleset\n" + PLAIN)

    def load():
        if manager == "plain":
            lab.root.run("nft", "-f", folder)
        else:
            lab.root.run("iptables-nft-restore", stdin="*filter\n:INPUT ACCEPT [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n"
                         ":DOCKER-USER - [0:0]\n-A FORWARD -j DOCKER-USER\nCOMMIT\n")

    owner = Owner(lab)
    load()
    owner.file(interface="Address = 10.9.0.1/24\n#: Forward = yes\n#: OpenPort = 8080/tcp")
    before = owner.look()
    keeper = Keeper(owner)

    def stands():
        rows = lab.root.run("nft", "list", "ruleset").splitlines()
        return [row for row in map(str.strip, rows) if '"home"' in row and row.split(" comment")[0].endswith("accept")]

    assert len(stands()) == 2
    for _ in range(2):
        keeper.settled()
        load()
        wait_until(lambda: len(stands()) == 2, 60, "keep puts it back")
    keeper.stop()
    owner.wait_ends()
    assert not stands()
    assert not unlike(before, owner.look())
