"""DNS of a tunnel, by whoever answers names on a host: the real resolvers, and nobody else's file."""
import collections
import contextlib
import os
import pathlib
import random
import re
import signal
import subprocess
import time

import pytest

from harness import MS_BIND, WORK, libc, mount, processes, scenario, wait_until
from resolvers import (ETC, MNT_DETACH, RESOLV, STATE, TOOL, Net, back_end, end, host, network_manager, picture,
                       private_var_lib, resolved, tool, warren, with_packages, write)

SERVER = "server=10.0.0.1"
ALL = f"{SERVER} all"


def resolvectl(*words):
    return subprocess.run(["resolvectl", "--no-pager", *words], capture_output=True, text=True, check=True).stdout


# --- systemd-resolved ------------------------------------------------------------------------------


@with_packages("systemd-resolved")
@scenario(seconds=120)
def h2_resolved_asks_nobody_beside_a_default_route(lab):
    """H2: eth0 keeps its own default route for names, and still no question leaves by it."""
    with host("systemd-resolved"):
        resolved(lab)
        net = Net(lab)
        resolvectl("dns", "eth0", "192.168.1.1")
        resolvectl("default-route", "eth0", "yes")
        assert net.ask() == "lan"
        assert back_end() == ("resolved", "", "")
        sniffer = lab.sniffer(lab.root, "eth0")
        tool("add", "wg0", "resolved", ALL)
        net.lan.names.clear()
        tool("there", "wg0", "resolved", ALL)
        assert [net.ask() for _ in range(20)] == ["tunnel"] * 20
        assert [net.ask("lan.home") for _ in range(3)] == ["tunnel"] * 3
        assert net.lan.names == []
        assert [d.target for d in sniffer.datagrams() if d.target_port in (53, 853, 5353, 5355)] == []
        tool("add", "wg0", "resolved", ALL)  # once more
        assert net.ask() == "tunnel"
        tool("remove", "wg0", "resolved", ALL)
        assert net.ask() == "lan"
        tool("remove", "wg0", "resolved", ALL)
        assert tool("there", "wg0", "resolved", ALL, check=False)[0] == 3


@with_packages("systemd-resolved")
@scenario(seconds=120)
def resolved_with_search_domains_gets_only_their_names(lab):
    with host("systemd-resolved"):
        resolved(lab)
        net = Net(lab)
        resolvectl("dns", "eth0", "192.168.1.1")
        words = f"{SERVER} search=corp.example search=~intra.example"
        tool("add", "wg0", "resolved", words)
        tool("there", "wg0", "resolved", words)
        assert [net.ask(d) for d in ("corp.example", "a.corp.example", "intra.example")] == ["tunnel"] * 3
        net.far.names.clear()
        assert [net.ask(d) for d in ("example", "com", "notcorp.example")] == ["lan"] * 3
        assert net.far.names == []
        # the file changed: other words, all of the old ones gone
        tool("add", "wg0", "resolved", ALL)
        assert tool("there", "wg0", "resolved", words, check=False)[0] == 3
        assert "corp.example" not in resolvectl("domain", "wg0")
        tool("add", "wg0", "resolved", SERVER)
        tool("there", "wg0", "resolved", SERVER)
        assert "~." not in resolvectl("domain", "wg0")
        net.far.names.clear()
        net.ask()
        assert net.far.names, "a server without domains is never asked"


@with_packages("systemd-resolved")
@scenario(seconds=120)
def resolved_that_forgets_is_noticed(lab):
    """What keep asks; and what is not there any more is no error when it is taken away."""
    with host("systemd-resolved"):
        daemon = resolved(lab)
        net = Net(lab)
        words = f"{SERVER} server=fd00::1 search=corp.example all"
        tool("add", "wg0", "resolved", words)
        for change in ("dns wg0 10.0.0.1", "dns wg0 fd00::1 10.0.0.1", "domain wg0 corp.example",
                       "domain wg0 ~corp.example ~.", "default-route wg0 no", "revert wg0"):
            resolvectl(*change.split())
            assert tool("there", "wg0", "resolved", words, check=False)[0] == 3, change
            tool("add", "wg0", "resolved", words)
            tool("there", "wg0", "resolved", words)
        net.host.ip("link del wg0")
        tool("remove", "wg0", "resolved", words)
        assert tool("there", "wg0", "resolved", words, check=False)[0] == 3
        status, said = tool("add", "wg0", "resolved", words, check=False)
        assert status == 1 and "systemd-resolved" in said
        end(daemon)
        tool("remove", "eth0", "resolved", words)


@with_packages("systemd-resolved")
@scenario(seconds=120)
def a1_resolved_that_does_not_run_is_named(lab):
    """A1: a reason and a way out, not a tunnel that is gone."""
    with host("systemd-resolved"):
        daemon = resolved(lab)
        Net(lab)
        assert back_end()[0] == "resolved"
        end(daemon)
        chosen, _, said = back_end()
        assert chosen == "" and "A1" in said and "systemctl enable --now systemd-resolved" in said
        status, said = tool("add", "wg0", "resolved", ALL, check=False)
        assert status == 1 and "A1" in said and "is not running" in said
        status, said = tool("add", "wg0", "file", ALL, check=False)
        assert status == 1 and "H7" in said and "systemd-resolved" in said
        assert picture() == ("link", "../run/systemd/resolve/stub-resolv.conf")


@with_packages("systemd-resolved")
@scenario(seconds=120)
def h6_resolved_of_another_namespace_is_left_alone(lab):
    """H6: a link of the same number is another link there."""
    with host("systemd-resolved"):
        resolved(lab)
        net = Net(lab)
        resolvectl("dns", "eth0", "192.168.1.1")
        inside = lab.namespace()
        lab.veth(inside, net.lan_ns, name_a="wg0", name_b="two")
        lab.veth(inside, net.lan_ns, name_a="wg1", name_b="three")
        numbers = [int(line.split(":")[0]) for line in inside.run("ip", "-o", "link").splitlines()]
        before = resolvectl("status")
        chosen, _, said = back_end(ns=inside)
        assert chosen == "" and "H6" in said and "/etc/netns/" in said
        for name in ("wg0", "wg1"):
            status, said = tool("add", name, "resolved", ALL, ns=inside, check=False)
            assert status == 1 and "another network namespace" in said
            tool("remove", name, "resolved", ALL, ns=inside)
        assert len(numbers) == 3 and resolvectl("status") == before
        # with a file of its own it works, and what nsswitch.conf still does is said
        write("nameserver 192.0.2.9\n")
        (ETC / "nsswitch.conf").write_text("hosts: files resolve [!UNAVAIL=return] dns\n")
        chosen, _, said = back_end(ns=inside)
        assert chosen == "file" and "H6" in said and "nsswitch.conf" in said


@with_packages("systemd-resolved")
@scenario(seconds=120)
def h7_resolved_that_nobody_asks_is_not_told(lab):
    """H7: it runs, and /etc/resolv.conf sends programs elsewhere."""
    with host("systemd-resolved"):
        resolved(lab)
        net = Net(lab)
        write("nameserver 192.168.1.1\n")
        assert back_end() == ("file", "", "")
        tool("add", "wg0", "file", ALL)
        assert net.ask() == "tunnel"
        tool("remove", "wg0", "file", ALL)
        assert net.ask() == "lan"
        RESOLV.unlink()
        RESOLV.symlink_to("/run/systemd/resolve/resolv.conf")
        chosen, _, said = back_end()
        assert chosen == "resolved" and "H2" in said and "stub-resolv.conf" in said


# --- NetworkManager --------------------------------------------------------------------------------

PACKAGES = ("network-manager", "libndp0")


@contextlib.contextmanager
def managed(lab, **how):
    """A host whose names NetworkManager rules, and its net; the running daemon can be replaced."""
    with host(*PACKAGES), private_var_lib():
        net = Net(lab)
        yield net, network_manager(lab, **how)


@with_packages(*PACKAGES)
@scenario(seconds=120)
def network_manager_asks_only_the_tunnel(lab):
    with managed(lab) as (net, daemon):
        before = picture()
        wait_until(lambda: net.ask() == "lan", 60)
        assert back_end() == ("network-manager", "", "")
        words = f"{ALL} search=corp.example search=~b.example"
        tool("add", "wg0", "network-manager", words)
        wait_until(lambda: picture() != before, 60)
        assert RESOLV.read_text() == "# Generated by NetworkManager\nsearch corp.example\nnameserver 10.0.0.1\n"
        net.lan.names.clear()
        assert [net.ask() for _ in range(10)] == ["tunnel"] * 10 and net.lan.names == []
        tool("add", "wg0", "network-manager", words)
        tool("there", "wg0", "network-manager", words)
        assert tool("there", "wg0", "network-manager", ALL, check=False)[0] == 3
        # it keeps that over its own end, as over a reboot, and so do we
        end(daemon)
        status, said = tool("remove", "wg0", "network-manager", words, check=False)
        assert status == 1 and "is not running" in said and "systemctl start NetworkManager" in said
        assert back_end()[0] == "" and "A1" in back_end()[2]
        network_manager(lab)
        assert net.ask() == "tunnel"
        tool("there", "wg0", "network-manager", words)
        for _ in range(2):
            tool("remove", "wg0", "network-manager", words)
            wait_until(lambda: picture() == before, 60)
        assert net.ask() == "lan"
        assert tool("there", "wg0", "network-manager", words, check=False)[0] == 3


@pytest.mark.parametrize("order", ["first", "last"])
@with_packages(*PACKAGES)
@scenario(seconds=120)
def network_manager_of_two_tunnels_in_both_orders(lab, order):
    one, two = ("wg0", SERVER), ("wg1", "server=10.0.9.1")
    with managed(lab):
        before = picture()
        for name, words in (one, two):
            tool("add", name, "network-manager", words)
        wait_until(lambda: "nameserver 10.0.9.1\n" in RESOLV.read_text(), 60)
        going, staying = (one, two) if order == "first" else (two, one)
        tool("remove", going[0], "network-manager", going[1])
        wait_until(lambda: f"nameserver {staying[1].removeprefix('server=')}\n" in RESOLV.read_text(), 60)
        tool("there", staying[0], "network-manager", staying[1])
        tool("remove", staying[0], "network-manager", staying[1])
        wait_until(lambda: picture() == before, 60)


@with_packages(*PACKAGES)
@scenario(seconds=120)
def network_manager_with_servers_of_somebody_else_is_left_alone(lab):
    with managed(lab, more="[global-dns-domain-*]\nservers=192.168.1.1\n") as (net, _):
        before = picture()
        status, said = tool("add", "wg0", "network-manager", ALL, check=False)
        assert status == 1 and "H7" in said and "[global-dns]" in said
        tool("remove", "wg0", "network-manager", ALL)
        assert picture() == before and net.ask() == "lan"


@pytest.mark.parametrize("how", [{"dns": "none"}, {"writes": "unmanaged"}], ids=["none", "unmanaged"])
@with_packages(*PACKAGES)
@scenario(seconds=120)
def h7_network_manager_that_leaves_names_alone_is_not_told(lab, how):
    with managed(lab, **how) as (net, _):
        before = picture()
        assert back_end() == ("file", "", "")
        tool("add", "wg0", "file", ALL)
        assert net.ask() == "tunnel"
        tool("remove", "wg0", "file", ALL)
        assert picture() == before


@with_packages(*PACKAGES)
@scenario(seconds=120)
def h6_network_manager_of_another_namespace_is_left_alone(lab):
    with managed(lab) as (net, _):
        before = picture()
        inside = lab.namespace()
        assert back_end(ns=inside)[0] == ""
        status, said = tool("add", "wg0", "network-manager", ALL, ns=inside, check=False)
        assert status == 1 and "another network namespace" in said
        tool("remove", "wg0", "network-manager", ALL)
        assert picture() == before and net.ask() == "lan"


# --- resolvconf ------------------------------------------------------------------------------------


def resolvconf(*words, stdin=""):
    subprocess.run(["resolvconf", *words], input=stdin, text=True, check=True, capture_output=True)


def records():
    """What the resolvconf here has been told, by name."""
    folders = [pathlib.Path("/run/resolvconf", name) for name in ("interfaces", "interface")]
    return {path.name: path.read_text() for folder in folders if folder.is_dir() for path in folder.iterdir()}


def openresolv():
    pathlib.Path("/run/resolvconf").mkdir(exist_ok=True)
    resolvconf("-a", "eth0", stdin="nameserver 192.168.1.1\nsearch lan\n")
    assert RESOLV.read_text().startswith("# Generated by resolvconf")


def debian():
    """As its maintainer scripts leave it."""
    pathlib.Path("/run/resolvconf/interface").mkdir(parents=True)
    (ETC / "resolvconf/run").symlink_to("/run/resolvconf")
    RESOLV.unlink()
    RESOLV.symlink_to("/etc/resolvconf/run/resolv.conf")
    resolvconf("--enable-updates")
    resolvconf("-a", "eth0.dhclient", stdin="nameserver 192.168.1.1\nsearch lan\n")
    assert "generated by resolvconf(8)" in RESOLV.read_text()


KINDS = {"openresolv": (openresolv, ""), "resolvconf": (debian, "tun.")}


@pytest.mark.parametrize("kind", KINDS)
@with_packages("openresolv", "resolvconf")
@scenario(seconds=120)
def resolvconf_as_wg_quick_has_it(lab, kind):
    """Record, prefix and file as wg-quick makes them; gone without trace."""
    with host(kind):
        net = Net(lab)
        KINDS[kind][0]()
        before, told = picture(), RESOLV.read_bytes()
        had = records()
        assert net.ask() == "lan"
        chosen, prefix, said = back_end()
        assert (chosen, prefix, said) == ("resolvconf", KINDS[kind][1], "")
        words = f"{SERVER} search=corp.example search=b.example {f'prefix={prefix} ' if prefix else ''}all"
        resolvconf("-a", f"{prefix}wg0", "-m", "0", "-x", stdin="nameserver 10.0.0.1\nsearch corp.example b.example\n")
        wanted = records(), RESOLV.read_bytes()
        resolvconf("-d", f"{prefix}wg0", "-f")
        tool("add", "wg0", "resolvconf", words)
        assert (records(), RESOLV.read_bytes()) == wanted
        assert net.ask() == "tunnel"
        tool("add", "wg0", "resolvconf", words)
        assert (records(), RESOLV.read_bytes()) == wanted
        tool("there", "wg0", "resolvconf", words)
        tool("remove", "wg0", "resolvconf", words)
        assert tool("there", "wg0", "resolvconf", words, check=False)[0] == 3
        tool("remove", "wg0", "resolvconf", words)
        tool("remove", "wg7", "resolvconf", words)
        assert records() == had and picture() == before and RESOLV.read_bytes() == told
        assert net.ask() == "lan"


@pytest.mark.parametrize("order", ["first", "last"])
@pytest.mark.parametrize("kind", KINDS)
@with_packages("openresolv", "resolvconf")
@scenario(seconds=120)
def resolvconf_of_two_tunnels_in_both_orders(lab, kind, order):
    with host(kind):
        KINDS[kind][0]()
        prefix = f" prefix={KINDS[kind][1]}" if KINDS[kind][1] else ""
        had, told = records(), RESOLV.read_bytes()
        one, two = SERVER + prefix, "server=10.0.9.1" + prefix
        tool("add", "wg0", "resolvconf", one)
        tool("add", "wg1", "resolvconf", two)
        assert len(records()) == len(had) + 2
        for name, words in [("wg0", one), ("wg1", two)][::1 if order == "first" else -1]:
            tool("remove", name, "resolvconf", words)
        assert records() == had and RESOLV.read_bytes() == told


@with_packages("resolvconf")
@scenario(seconds=120)
def h7_debians_resolvconf_beside_a_plain_file(lab):
    """H7: it would say yes and change nothing."""
    with host("resolvconf"):
        net = Net(lab)
        debian()
        write("nameserver 192.168.1.1\n")
        assert back_end()[0] == "file"
        status, said = tool("add", "wg0", "resolvconf", f"{ALL} prefix=tun.", check=False)
        assert status == 1 and "H7" in said and "something else writes that file" in said
        assert "tun.wg0" not in records() and net.ask() == "lan"
        assert back_end("quick")[:2] == ("resolvconf", "tun.")
        tool("add", "wg0", "resolvconf", f"{ALL} prefix=tun. quick")
        assert "tun.wg0" in records()
        tool("remove", "wg0", "resolvconf", f"{ALL} prefix=tun. quick")


def fake_resolvconf(status=0, word=""):
    """A program of that name at the first place, that notes how it is called."""
    folder = WORK / "local"
    folder.mkdir()
    script = folder / "resolvconf"
    script.write_text(f'#!/bin/sh\n{{ echo "$@"; env; ls /proc/self/fd | wc -l; cat; }} >>{WORK}/called\n'
                      f'{word}\nexit {status}\n')
    script.chmod(0o755)
    mount(str(folder), "/usr/local/sbin", None, MS_BIND)
    return WORK / "called"


@scenario(seconds=60)
def resolvconf_is_called_exactly_as_wg_quick_calls_it(lab):
    with host():
        called = fake_resolvconf()
        try:
            tool("add", "wg0", "resolvconf", f"{SERVER} server=fd00::1 search=~a search=b prefix=tun. quick")
            lines = called.read_text().splitlines()
            assert lines[0] == "-a tun.wg0 -m 0 -x"
            assert lines[-3:] == ["nameserver 10.0.0.1", "nameserver fd00::1", "search ~a b"]
            assert "LC_ALL=C" in lines and not [line for line in lines if line.startswith("WG_")]
            called.unlink()
            tool("remove", "wg0", "resolvconf", f"{SERVER} prefix=tun. quick")
            assert called.read_text().splitlines()[0] == "-d tun.wg0 -f"
        finally:
            libc.umount2(b"/usr/local/sbin", MNT_DETACH)


@scenario(seconds=60)
def h7_resolvconf_that_fails_says_why(lab):
    with host():
        fake_resolvconf(status=5, word="echo 'resolvconf: cannot do that' >&2")
        try:
            status, said = tool("add", "wg0", "resolvconf", SERVER, check=False)
            assert status == 1 and "status 5" in said and "cannot do that" in said
            tool("remove", "wg0", "resolvconf", SERVER)
        finally:
            libc.umount2(b"/usr/local/sbin", MNT_DETACH)


@scenario(seconds=60)
def a1_no_resolvconf_at_all(lab):
    """A1: wg-quick's way fails as there; ours goes on with the file."""
    with host():
        net = Net(lab)
        assert back_end("quick")[0] == "resolvconf"
        status, said = tool("add", "wg0", "resolvconf", f"{SERVER} quick", check=False)
        assert status == 1 and "resolvconf: command not found" in said and "openresolv" in said
        tool("remove", "wg0", "resolvconf", f"{SERVER} quick")
        assert back_end()[0] == "file"
        before = picture()
        tool("add", "wg0", "file", SERVER)
        assert net.ask() == "tunnel"
        tool("remove", "wg0", "file", SERVER)
        assert picture() == before and net.ask() == "lan"


# --- the file --------------------------------------------------------------------------------------


def mounted(text="nameserver 192.168.1.1\noptions ndots:0\n"):
    """As a container has it."""
    (WORK / "resolv.conf").write_text(text)
    mount(str(WORK / "resolv.conf"), "/etc/resolv.conf", None, MS_BIND)


def dangling():
    RESOLV.unlink()
    RESOLV.symlink_to("resolv.conf.missing")


def link():
    write("nameserver 192.168.1.1\n", ETC / "resolv.conf.mine")
    RESOLV.unlink()
    RESOLV.symlink_to("resolv.conf.mine")


def owned():
    write("nameserver 192.168.1.1\n", mode=0o640)
    os.chown(RESOLV, 12, 34)


PLACES = {"plain": lambda: write("nameserver 192.168.1.1\nno end"), "none": RESOLV.unlink, "owned": owned, "link": link,
          "dangling": dangling, "mounted": mounted, "long": lambda: mounted("# x\n" * 500 + "nameserver 192.168.1.1\n")}


@contextlib.contextmanager
def file_host(place):
    with host():
        PLACES[place]()
        try:
            yield
        finally:
            libc.umount2(b"/etc/resolv.conf", MNT_DETACH)


@pytest.mark.parametrize("place", PLACES)
@scenario(seconds=60)
def file_comes_back_as_it_was(lab, place):
    with file_host(place):
        Net(lab)
        assert back_end()[0] == "file"
        before = picture()
        for _ in range(2):
            tool("add", "wg0", "file", f"{ALL} search=corp.example")
            text = RESOLV.read_text()
            assert re.fullmatch(r"# Written by Warren for the tunnel wg0\..*\nnameserver 10\.0\.0\.1\n"
                                r"search corp\.example\n", text), text
            tool("there", "wg0", "file", f"{ALL} search=corp.example")
            tool("remove", "wg0", "file", SERVER)
            assert picture() == before
        # both orders of two
        for order in ("wg0", "wg1"):
            tool("add", "wg0", "file", SERVER)
            tool("add", "wg1", "file", "server=10.0.9.1")
            assert "nameserver 10.0.9.1\n" in RESOLV.read_text()
            tool("remove", order, "file", SERVER)
            assert f"nameserver {'10.0.9.1' if order == 'wg0' else '10.0.0.1'}\n" in RESOLV.read_text()
            tool("remove", {"wg0": "wg1", "wg1": "wg0"}[order], "file", SERVER)
            assert picture() == before


@scenario(seconds=60)
def mounted_files_of_two_namespaces_are_kept_apart(lab):
    """`ip netns exec` mounts another file in the same place, and /var/lib/warren is shared."""
    with host():
        write("nameserver 192.168.1.1\n")
        outer = picture()
        tool("add", "wg0", "file", SERVER)
        mounted("nameserver 192.0.2.7\n")
        inner = picture()
        tool("add", "wg0", "file", "server=10.0.9.1")
        tool("remove", "wg0", "file", SERVER)
        assert picture() == inner
        libc.umount2(b"/etc/resolv.conf", MNT_DETACH)
        assert "nameserver 10.0.0.1" in RESOLV.read_text()
        tool("remove", "wg0", "file", SERVER)
        assert picture() == outer


OWNERS = {
    "NetworkManager": "# Generated by NetworkManager\nnameserver 192.168.1.1\n",
    "dhcpcd": "# Generated by dhcpcd from eth0.dhcp\nnameserver 192.168.1.1\n",
    "dhclient-script": "; generated by /usr/sbin/dhclient-script\nnameserver 192.168.1.1\n",
    "connman": "/run/connman/resolv.conf",
    "NetworkManager ": "/run/NetworkManager/resolv.conf",
    "systemd-resolved": "../run/systemd/resolve/stub-resolv.conf",
    "resolvconf": "/etc/resolvconf/run/resolv.conf",
    "netconfig": "/run/netconfig/resolv.conf",
}


@pytest.mark.parametrize("owner", OWNERS)
@scenario(seconds=60)
def h7_file_of_another_is_refused(lab, owner):
    """H7: what else writes that file is named, and it stays as it is."""
    with host():
        RESOLV.unlink()
        if OWNERS[owner].endswith("resolv.conf"):
            RESOLV.symlink_to(OWNERS[owner])
        else:
            RESOLV.write_text(OWNERS[owner])
        before = picture()
        chosen, _, said = back_end()
        assert chosen == "" and owner.strip() in said
        status, said = tool("add", "wg0", "file", ALL, check=False)
        assert status == 1 and "H7" in said and owner.strip() in said
        assert picture() == before
        tool("remove", "wg0", "file", ALL)
        assert picture() == before


@scenario(seconds=60)
def file_that_cannot_be_written_is_named(lab):
    with host():
        mounted()
        subprocess.run(["mount", "-o", "remount,bind,ro", "/etc/resolv.conf"], check=True)
        before = picture()
        status, said = tool("add", "wg0", "file", ALL, check=False)
        assert status == 1 and "Read-only file system" in said and "--dns" in said
        tool("remove", "wg0", "file", ALL)
        assert picture() == before
        libc.umount2(b"/etc/resolv.conf", MNT_DETACH)


# --- up and down -----------------------------------------------------------------------------------


@contextlib.contextmanager
def a_resolved(lab):
    with host("systemd-resolved"):
        resolved(lab)
        net = Net(lab, cable=False)
        resolvectl("dns", "eth0", "192.168.1.1")
        resolvectl("default-route", "eth0", "yes")
        yield net


@contextlib.contextmanager
def a_network_manager(lab):
    with host(*PACKAGES), private_var_lib():
        net = Net(lab, cable=False)
        network_manager(lab)
        yield net


@contextlib.contextmanager
def a_resolvconf(lab, kind):
    with host(kind):
        KINDS[kind][0]()
        yield Net(lab, cable=False)


@contextlib.contextmanager
def a_file(lab):
    with host():
        yield Net(lab, cable=False)


HOSTS = {"resolved": a_resolved, "network-manager": a_network_manager, "file": a_file,
         "openresolv": lambda lab: a_resolvconf(lab, "openresolv"), "debian": lambda lab: a_resolvconf(lab, "resolvconf")}


FORGET = ("resolved", "debian")  # the one with the link, the other has eth0's server behind the tunnel's


@pytest.mark.parametrize("switch", [False, True], ids=["plain", "switch"])
@pytest.mark.parametrize("kind", HOSTS)
@with_packages("systemd-resolved", "openresolv", "resolvconf", *PACKAGES)
@scenario(seconds=180)
def h2_h3_no_question_leaves_beside_the_tunnel(lab, kind, switch):
    """H2, H3: `warren up` with a default route: every name is asked through it. When engine and monitor are killed, what
    is left of the tunnel still keeps questions in, except where that is not promised without a kill switch."""
    with HOSTS[kind](lab) as net:
        net.file(dns="10.0.0.1, corp.example", more="#: KillSwitch = yes" if switch else "")
        wait_until(lambda: net.ask() == "lan", 60)
        before, told = picture(), RESOLV.read_bytes()
        net.lan.names.clear()
        sniffer = lab.sniffer(lab.root, "eth0")
        warren("up", "wg0")
        wait_until(lambda: net.ask() == "tunnel", 60)
        begin = time.monotonic()
        assert [net.ask() for _ in range(20)] == ["tunnel"] * 20
        end_of_life = time.monotonic()
        for pid in engines():
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not engines(), 60)
        answer = net.ask()
        end_of_all = time.monotonic()
        warren("down", "wg0")
        asked = [d.when for d in sniffer.datagrams() if d.target_port in (53, 853) and d.outgoing]
        assert [when for when in asked if begin < when < end_of_life] == []
        if switch or kind not in FORGET:
            assert answer is None and [when for when in asked if begin < when < end_of_all] == []
        wait_until(lambda: picture() == before and RESOLV.read_bytes() == told, 60)
        wait_until(lambda: net.ask() == "lan", 60)
        assert not STATE.exists() or not [path for folder in STATE.iterdir() for path in folder.iterdir()]


def engines():
    """Of wg0, the monitor first: it would start another."""
    found = []
    for pid in processes():
        with contextlib.suppress(OSError):
            words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            if b"run" in words and b"wg0" in words:
                found.append(pid)
    return sorted(found)


@scenario(seconds=120)
def a1_h7_failure_leaves_the_tunnel_up(lab):
    """A1, H7: what, why and what would be right; and everything but the names works."""
    with host():
        net = Net(lab, cable=False)
        net.file(allowed="10.0.0.0/24")
        write("# Generated by dhcpcd from eth0.dhcp\nnameserver 192.168.1.1\n")
        before = picture()
        said = warren("up", "wg0")
        assert "dhcpcd" in said and "set the servers there" in said
        assert net.host.ping("10.0.0.1", wait=10) == 1 and picture() == before
        warren("down", "wg0")
        assert picture() == before


@scenario(seconds=120)
def search_domains_alone_do_nothing(lab):
    """As with wg-quick."""
    with host():
        net = Net(lab, cable=False)
        net.file(dns="corp.example")
        before = picture()
        warren("up", "wg0")
        assert picture() == before
        warren("down", "wg0")
        assert picture() == before


# --- a kill at every point -------------------------------------------------------------------------


def calls(*args):
    """The system calls of a run from its first look at /etc/resolv.conf, each as (name, which of that name)."""
    trace = WORK / "trace"
    subprocess.run(["strace", "-o", trace, TOOL, *args], check=True, stdout=subprocess.DEVNULL)
    seen, found, begun = collections.Counter(), [], False
    for line in trace.read_text().splitlines():
        name = line.split("(")[0]
        seen[name] += 1
        begun = begun or '"/etc' in line and "ld.so" not in line
        if begun and name.isidentifier() and name != "exit_group":
            found.append((name, seen[name]))
    return found


def kill_before(call, *args):
    """strace counts the calls of each name apart."""
    name, number = call
    inject = f"inject={name}:signal=SIGKILL:when={number}"
    result = subprocess.run(["strace", "-o", "/dev/null", "-e", inject, TOOL, *args],
                            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=120)
    assert result.returncode in (-9, 137), f"{args[0]} was not killed before {call}"


def is_whole(before, text):
    """The old one or ours, at most with blank lines behind it."""
    now = picture()
    old = before[-1].rstrip(b"\n") if before[0] == "file" else None
    return now == before or now[0] == "file" and now[-1].rstrip(b"\n") in (text, old)


def fail_at(call, error, *args):
    """This one call fails, and no other; (status, what it said)."""
    name, number = call
    inject = f"inject={name}:error={error}:when={number}"
    result = subprocess.run(["strace", "-o", "/dev/null", "-e", inject, TOOL, *args],
                            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
    return result.returncode, result.stdout


def some_of(points):
    """All of them in test-full, else a part, always the same."""
    if os.environ.get("WARREN_TIER") == "full":
        return points
    return random.Random(1).sample(points, len(points) // 6)


@pytest.mark.parametrize("place", ["plain", "none", "link", "mounted", "long"])
@scenario(seconds=400, unsanitized="makes thousands of calls before it begins")
def fp2_kill_at_every_call_of_the_file(lab, place):
    """F-P2: what is there is the old or the new file, and taking it away gives the old one."""
    def prepare(verb):
        if verb == "remove":
            tool("add", "wg0", "file", SERVER)

    with file_host(place):
        before = picture()
        tool("add", "wg0", "file", SERVER)
        ours = RESOLV.read_bytes().rstrip(b"\n")
        tool("remove", "wg0", "file", SERVER)
        leftovers = {path.name for path in ETC.iterdir()}
        for verb in ("add", "remove"):
            prepare(verb)
            points = calls(verb, "wg0", "file", SERVER)
            tool("remove", "wg0", "file", SERVER)
            assert len(points) > 40 and {name for name, _ in points} & {"renameat", "ftruncate", "unlinkat"}
            for call in some_of(points):
                prepare(verb)
                kill_before(call, verb, "wg0", "file", SERVER)
                assert is_whole(before, ours), (verb, call, picture())
                tool("remove", "wg0", "file", SERVER)
                assert picture() == before, (verb, call, picture())
                assert {path.name for path in ETC.iterdir()} == leftovers, (verb, call)
                assert not [path for folder in STATE.iterdir() for path in folder.iterdir()], (verb, call)


CHANGES = set("openat mkdirat read write fchmod fchown fsync close renameat symlinkat fchownat unlinkat ftruncate flock "
              "getdents64".split())


@pytest.mark.parametrize("place", ["plain", "none", "link", "mounted"])
@scenario(seconds=400, unsanitized="makes thousands of calls before it begins")
def fp7_error_at_every_call_of_the_file(lab, place):
    """F-P7: a full disk, a bad one, no permission: it is told, and nothing is lost."""
    with file_host(place):
        before = picture()
        points = [call for call in calls("add", "wg0", "file", SERVER) if call[0] in CHANGES]
        assert len(points) > 15
        for call in some_of(points):
            tool("remove", "wg0", "file", SERVER)
            assert picture() == before, call
            for error in ("ENOSPC", "EIO"):
                status, said = fail_at(call, error, "add", "wg0", "file", SERVER)
                done = tool("there", "wg0", "file", SERVER, check=False)[0] == 0
                assert status == 0 and done or status == 1 and said, (call, said)
                assert done or picture() == before or picture()[-1].startswith(b"# Written by Warren"), call
                status, said = fail_at(call, error, "remove", "wg0", "file", SERVER)
                assert status == 0 or said, (call, said)
                tool("remove", "wg0", "file", SERVER)
                assert picture() == before, (call, error, picture())
