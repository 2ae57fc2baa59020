"""Rules of a tunnel on real rule sets, with real packets: leaks, forwarding, translation, chains of others."""
import contextlib
import shutil
import socket
import struct
import subprocess
import time

import pytest

from harness import WORK, Keys, have, mount, scenario, wait_until, warren_path
from rules import KEY, PEER, Rules, in_clear, net_tool, ruleset
from test_foreign import Server

MS_BIND = 4096
PUBLIC = ["8.8.8.8", "203.0.113.9", "2001:db8:8::8"]  # "the internet", on the gateway


def quick_up(ns, conf):
    """Stock wg-quick with stock wireguard-go; the device has no address that nobody gave it."""
    if not (have("wg-quick") and have("wireguard-go")):
        pytest.skip("needs wg-quick and wireguard-go")
    ns.sysctl("net.ipv6.conf.default.addr_gen_mode", 1)
    ns.run("wg-quick", "up", conf, env={"WG_QUICK_USERSPACE_IMPLEMENTATION": "wireguard-go"})


@scenario(seconds=60)
def tables_of_a_default_route_are_those_of_wg_quick(lab):
    ns = lab.namespace()
    for i, (addresses, allowed) in enumerate([
            ("10.8.0.2/24, 10.8.1.1/24, 10.8.0.3/24, fd08::2/64, fd09::1/64, fe80::7/64", "0.0.0.0/0, ::/0"),
            ("10.8.0.2/32", "0.0.0.0/0"), ("fd08::2/128", "::/0"), ("10.8.0.2/24", "0.0.0.0/1, 128.0.0.0/1")]):
        rules = Rules(ns, f"Address = {addresses}\n{PEER}AllowedIPs = {allowed}\n", link=f"wg{i}")
        quick_up(ns, rules.path)
        want = ruleset(ns)
        ns.run("wg-quick", "down", rules.path)
        assert ruleset(ns) == ""
        with rules:
            tables = lambda text: sorted(text.split("\ntable ")) if text else []
            assert tables("\n" + ruleset(ns)) == tables("\n" + want)
            rules.add()  # replaced, not doubled
            assert tables("\n" + ruleset(ns)) == tables("\n" + want)
        assert ruleset(ns) == ""
        rules.remove()


class Road:
    """client (LAN) - host - gateway, which is the internet. The host has a tunnel wg0 to the gateway."""

    def __init__(self, lab):
        self.lab, self.client, self.host, self.gateway = lab, lab.namespace(), lab.namespace(), lab.namespace()
        lab.veth(self.host, self.gateway, addresses_a=("192.168.7.2/24", "2001:db8:7::2/64"),
                 addresses_b=("192.168.7.1/24", "2001:db8:7::1/64"))
        lab.veth(self.host, self.client, name_a="lan", addresses_a=("192.168.9.1/24", "fd09:9::1/64"),
                 addresses_b=("192.168.9.2/24", "fd09:9::2/64"))
        for ns, v4, v6 in ((self.host, "192.168.7.1", "2001:db8:7::1"), (self.client, "192.168.9.1", "fd09:9::1")):
            ns.ip(f"route add default via {v4}")
            ns.ip(f"-6 route add default via {v6}")
        self.gateway.address("lo", *(f"{a}/{128 if ':' in a else 32}" for a in PUBLIC))
        self.host.sysctl("net.ipv4.ip_forward", 1)
        self.host.sysctl("net.ipv6.conf.all.forwarding", 1)
        keys = [Keys(), Keys()]
        self.near, self.far = lab.engine("wg0", self.host), lab.engine("wg1", self.gateway)
        self.near.configure(keys[0].private, 51000, 51820, [{
            "public": keys[1].public, "endpoint": "192.168.7.1:51820", "allowed": "0.0.0.0/0, ::/0"}])
        self.far.configure(keys[1].private, 51820, None, [{
            "public": keys[0].public, "allowed": "10.8.0.2/32, fd08::2/128, 192.168.9.0/24"}])
        self.far.up("10.8.0.1/24", "fd08::1/64")
        self.gateway.ip("route add 192.168.9.0/24 dev wg1")
        self.near.up("10.8.0.2/24", "fd08::2/64")
        for family in "-4", "-6":
            self.host.ip(f"{family} route add default dev wg0 table 51820")
            self.host.ip(f"{family} rule add not fwmark 51820 table 51820")
            self.host.ip(f"{family} rule add table main suppress_prefixlength 0")

    def drop_rules(self):
        """What a manager of networks that restarts does: nothing holds packets in the tunnel but the kill switch."""
        for family in "-4", "-6":
            self.host.ip(f"{family} rule delete not fwmark 51820 table 51820")

    def talk(self, ns, *targets, source=None):
        """Try to reach targets, by UDP to a port, by TCP and by ping."""
        for target in targets:
            six = ":" in target
            with ns, contextlib.ExitStack() as stack:
                for kind, port in ((socket.SOCK_DGRAM, 53), (socket.SOCK_DGRAM, 4000), (socket.SOCK_STREAM, 80)):
                    sock = stack.enter_context(socket.socket(socket.AF_INET6 if six else socket.AF_INET, kind))
                    sock.setblocking(False)
                    with contextlib.suppress(OSError):
                        if source and (":" in source) == six:
                            sock.bind((source, 0))
                        sock.connect((target, port))
                        if kind == socket.SOCK_DGRAM:
                            sock.send(b"inner")
            ns.ping(target, wait=0.05)


WHOLE = f"Address = 10.8.0.2/24, fd08::2/64\nDNS = 10.8.0.1\n{PEER}AllowedIPs = 0.0.0.0/0, ::/0\n"


@scenario(seconds=90)
def h4_kill_switch_lets_nothing_out_in_clear(lab):
    """With the rules gone, the link down, the device gone: zero packets in clear, of the host's and of a client's."""
    road = Road(lab)
    rules = Rules(road.host, "#: KillSwitch = yes\n" + WHOLE)
    wait_until(lambda: road.host.ping("8.8.8.8"), 20)  # through the tunnel
    with rules:
        assert road.host.ping("8.8.8.8", count=3) == 3
        assert road.host.ping("2001:db8:8::8", count=3) == 3
        assert road.client.ping("8.8.8.8", count=3) == 3  # forwarded, and its answers too
        sniffer = lab.sniffer(road.gateway, "out")
        steps = [
            lambda: None,
            lambda: road.host.ip("link set wg0 down"),
            lambda: road.host.ip("link set wg0 up"),  # and its routes are gone
            lambda: road.host.ip("route add 203.0.113.0/24 dev out"),  # TunnelCrack: a LAN in a public range
            lambda: road.host.ip("route add 0.0.0.0/1 via 192.168.7.1"),  # option 121
            road.drop_rules,
            road.near.kill,
        ]
        for step in steps:
            step()
            road.talk(road.host, *PUBLIC, "9.9.9.9", "10.8.0.1", "fd08::1", "192.168.7.1")
            road.talk(road.host, "8.8.8.8", "192.168.7.1", source="10.8.0.2")
            road.talk(road.client, *PUBLIC)
        assert road.host.ping("8.8.8.8", wait=0.3) == 0
        time.sleep(0.3)
        assert in_clear(sniffer.frames, outer=[51820]) == []
    road.talk(road.host, "8.8.8.8")  # the capture can see it
    wait_until(lambda: in_clear(sniffer.frames, outer=[51820]), 10, "a leak is seen")


@scenario(seconds=90)
def g6_kill_switch_but_lan_lets_the_lan_and_no_more(lab):
    road = Road(lab)
    rules = Rules(road.host, "#: KillSwitch = lan\n" + WHOLE)
    with rules:
        road.drop_rules()
        sniffer = lab.sniffer(road.gateway, "out")
        assert road.host.ping("192.168.7.1", count=3) == 3
        assert road.client.ping("192.168.9.1", count=3) == 3
        assert road.client.ping("192.168.7.1", count=3) == 3
        road.near.kill()
        road.talk(road.host, *PUBLIC, "9.9.9.9", "10.8.0.1", "fd08::1")
        road.talk(road.host, "8.8.8.8", "192.168.7.1", source="10.8.0.2")
        road.talk(road.client, *PUBLIC)
        time.sleep(0.3)
        lan = {"192.168.7.1", "192.168.7.2", "192.168.9.2"}
        assert [pair for pair in in_clear(sniffer.frames, outer=[51820]) if not set(pair) <= lan] == []
        before = len(sniffer.frames)
        with road.host, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock, contextlib.suppress(OSError):
            sock.connect(("192.168.7.1", 53))  # H3: the LAN's resolver, while the tunnel has its own
            sock.send(b"what is it")
        time.sleep(0.3)
        assert b"what is it" not in b"".join(frame[1] for frame in sniffer.frames[before:])


@scenario(seconds=60)
def excluded_networks_pass_the_kill_switch(lab):
    road = Road(lab)
    road.drop_rules()
    with Rules(road.host, "#: KillSwitch = yes\n#: ExcludedIPs = 203.0.113.0/24\n" + WHOLE):
        road.gateway.ip("route replace 192.168.9.0/24 via 192.168.7.2")
        assert road.host.ping("203.0.113.9", count=3) == 3
        assert road.client.ping("203.0.113.9", count=3) == 3
        assert road.client.ping("8.8.8.8", wait=0.3) == 0
        assert road.host.ping("8.8.8.8", wait=0.3) == 0


@scenario(seconds=60)
def a_lan_that_is_excluded_begins_nothing_in_clear(lab):
    road = Road(lab)
    road.drop_rules()
    road.gateway.ip("route replace 192.168.9.0/24 via 192.168.7.2")
    with Rules(road.host, "#: KillSwitch = yes\n#: ExcludedIPs = 203.0.113.0/24, 192.168.9.0/24\n" + WHOLE):
        sniffer = lab.sniffer(road.gateway, "out")
        assert road.host.ping("192.168.9.2", count=3) == 3
        assert road.client.ping("203.0.113.9", count=3) == 3
        road.talk(road.client, "8.8.8.8")
        assert road.client.ping("8.8.8.8", wait=0.3) == 0
        assert [pair for pair in in_clear(sniffer.frames, outer=[51820]) if "203.0.113.9" not in pair] == []
    assert road.client.ping("8.8.8.8", count=3) == 3


@scenario(seconds=60)
def names_that_nft_does_not_read(lab):
    """'=' and '+' are no letters to nft; a name may begin with a digit or a dash."""
    ns = lab.namespace()
    for name in "w=g+0", "=", "+", "0", "-wg.", "..w", "wg==++wg==++wg=":
        rules = Rules(ns, "#: KillSwitch = yes\n#: Masquerade = yes\n#: MssClamp = 1360\n" + WHOLE, link=name)
        with rules:
            assert set(rules.there()) == {1}
        assert ruleset(ns) == ""


@scenario(seconds=60)
def fc14_neighbours_do_not_learn_the_tunnel_address(lab):
    road = Road(lab)
    road.gateway.ip("route add 10.8.0.2/32 dev out")  # who-has 10.8.0.2, on the LAN

    def neighbour():
        road.gateway.ip("neigh flush dev out")
        road.gateway.ping("10.8.0.2", wait=0.5)
        return "lladdr" in road.gateway.run("ip", "neigh", "show", "10.8.0.2", "dev", "out")

    assert neighbour()  # as Linux does by itself
    with Rules(road.host, "#: KillSwitch = yes\n" + WHOLE):
        assert not neighbour()
    assert neighbour()


@scenario(seconds=60)
def a_table_is_replaced_whole_or_not_at_all(lab):
    ns = lab.namespace()
    rules = Rules(ns, "#: KillSwitch = yes\n" + WHOLE)
    with rules:
        before = ruleset(ns)
        assert set(rules.there()) == {1}
        broken = rules.items.replace("jump%20guard", "jump%20nowhere")
        assert broken != rules.items
        refused = ns.run(net_tool(), "add", stdin=broken, check=False)
        assert refused.returncode == 1 and "nft refuses table inet warren-wg0" in refused.stderr
        assert ruleset(ns) == before
        ns.run("nft", "flush", "chain", "inet", "warren-wg0", "output")
        assert sorted(rules.there()) == [0, 1, 1, 1]
        rules.add()
        assert ruleset(ns) == before
        ns.run("nft", "flush", "ruleset")
        assert set(rules.there()) == {0}
    assert ruleset(ns) == ""


@scenario(seconds=90)
def d1_d7_forward_turns_the_switches_and_back(lab):
    server = Server(lab, lambda s: None, keys="Address = 10.9.0.2/24, fd09::2/64\n#: Forward = yes\n")
    wait_until(lambda: server.a.ping("10.9.0.2", wait=2), 20)
    assert not server.passes()
    with server.rules:
        assert server.ping(wait=5) and server.a.ping("fd99::2", count=3) == 3
        assert server.passes(wait=5) and server.udp_passes(server.c, "10.9.0.1", server.a)
    assert not server.passes()
    with server.b:
        for path in "net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding":
            assert open(f"/proc/sys/{path}").read() == "0\n"


def sees(receiver, address, sender, source_port):
    """The source that receiver has of a datagram of sender's; its answer must come back."""
    with receiver.udp(address, 4000) as there, sender.udp("10.9.0.1", source_port) as here:
        there.settimeout(10)
        here.settimeout(10)
        here.sendto(b"ask", (address, 4000))
        _data, source = there.recvfrom(10)
        there.sendto(b"answer", source)
        assert here.recv(10) == b"answer"
        return source


@scenario(seconds=90)
def d2_d6_d13_masquerade_on_any_link(lab):
    """Whoever knows no way back answers all the same, whatever the link to it is called; and the engine's own port is
    never given to somebody else's answers."""
    server = Server(lab, lambda s: None, keys="Address = 10.9.0.2/24\nListenPort = 51820\n#: Forward = yes\n"
                    "#: Masquerade = yes\n" + PEER + "AllowedIPs = 10.9.0.1/32, fd09::1/128\n")
    other = lab.namespace()
    lab.veth(server.b, other, name_a="wlp3s0", addresses_a=("192.168.8.1/24",), addresses_b=("192.168.8.2/24",))
    server.near.set(f"peer {server.near.peer} allowed-ips 10.9.0.0/24,fd09::/64,192.168.0.0/16,fd99::/64")
    server.near.set("listen-port 40400")  # 51820 is to be free for a program of the client's
    server.a.ip("route add 192.168.8.0/24 dev wga")
    server.c.ip("route del default")
    server.c.ip("-6 route del default")
    wait_until(lambda: server.a.ping("10.9.0.2", wait=2), 20)
    server.b.sysctl("net.ipv4.ip_forward", 1)
    assert not server.ping()
    with server.rules:
        assert server.ping(wait=5) and server.a.ping("192.168.8.2", wait=5) and server.a.ping("fd99::2", wait=5)
        assert sees(server.c, "192.168.9.2", server.a, 40000) == ("192.168.9.1", 40000)
        assert sees(other, "192.168.8.2", server.a, 40000) == ("192.168.8.1", 40000)
        source = sees(server.c, "192.168.9.2", server.a, 51820)
        assert source[0] == "192.168.9.1" and source[1] != 51820 and 1024 <= source[1]
        assert server.a.ping("10.9.0.2", count=3) == 3  # the tunnel itself goes on
        assert server.passes(wait=5)
        with server.b.udp("10.9.0.2") as own, server.a.udp("10.9.0.1", 4001) as there:  # into the tunnel: untouched
            there.settimeout(10)
            own.sendto(b"x", ("10.9.0.1", 4001))
            assert there.recvfrom(10)[1] == own.getsockname()
    assert not server.ping()


def segment_sizes(frames):
    """The MSS of every SYN."""
    found = []
    for _when, data, _outgoing in frames:
        header = (data[0] & 15) * 4
        if data[0] >> 4 != 4 or data[9] != 6 or not data[header + 13] & 2:
            continue
        options = data[header + 20:header + (data[header + 12] >> 4) * 4]
        while options and options[0] != 0:
            if options[0] == 2:
                found.append(struct.unpack("!H", options[2:4])[0])
            options = options[1:] if options[0] == 1 else options[options[1]:]
    return found


@pytest.mark.parametrize("value, size", [("yes", 1380), ("1300", 1300)])
@scenario(seconds=60)
def f2_mss_is_clamped(lab, value, size):
    server = Server(lab, lambda s: None, keys=f"Address = 10.9.0.2/24\n#: Forward = yes\n#: MssClamp = {value}\n")
    server.a.ip("link set wga mtu 1500")  # a client that asks for too much, as one behind a router does
    wait_until(lambda: server.a.ping("10.9.0.2", wait=2), 20)
    with server.rules:
        sniffer = lab.sniffer(server.c, "out")
        assert server.passes(wait=5)
        wait_until(lambda: len(segment_sizes(sniffer.frames)) >= 2, 10)
        assert set(segment_sizes(sniffer.frames)) <= {size, 1460}  # c's own answer is not clamped yet
        assert segment_sizes(sniffer.frames)[0] == size
        inner = lab.sniffer(server.a, "wga")
        assert server.passes(wait=5)
        wait_until(lambda: len(segment_sizes(inner.frames)) >= 2, 10)
        assert segment_sizes(inner.frames)[1] == size


@scenario(seconds=60)
def g4_strict_reverse_path_takes_what_the_tunnel_gets(lab):
    """With rp_filter = 1 and a full tunnel the way back to the server is the tunnel, unless the answer has its mark."""
    road = Road(lab)
    rules = Rules(road.host, WHOLE)
    road.near.set(f"peer {road.near.wg('show', 'wg0', 'peers').strip()} endpoint 203.0.113.9:51820")  # not on the LAN
    for path in "all", "out":
        road.host.sysctl(f"net.ipv4.conf.{path}.rp_filter", 1)
    road.host.sysctl("net.ipv4.conf.all.src_valid_mark", 1)
    assert not road.host.ping("8.8.8.8", wait=0.5)
    with rules:
        wait_until(lambda: road.host.ping("8.8.8.8", wait=2), 30)


@scenario(seconds=90)
def a4_without_nft_a_full_tunnel_comes_up_and_no_kill_switch(lab):
    """As in a container that has no nft, or a kernel without its tables: told, and only what keeps a promise ends it."""
    ns, out = lab.namespace(), lab.namespace()
    lab.veth(ns, out, addresses_a=("192.168.7.2/24",), addresses_b=("192.168.7.1/24",))
    ns.ip("route add default via 192.168.7.1")
    before = ns.run("ip", "-4", "rule") + ns.run("ip", "link")
    nft = shutil.which("nft")
    mount("/dev/null", nft, None, MS_BIND)
    for keys, good in ("", True), ("#: KillSwitch = yes\n", False):
        rules = WORK / "wg0.conf"
        rules.write_text(f"[Interface]\nPrivateKey = {KEY}\nAddress = 10.8.0.2/24\n{keys}{PEER}"
                         "Endpoint = 192.168.7.1:51820\nAllowedIPs = 0.0.0.0/0\n")
        rules.chmod(0o600)
        result = ns.run(warren_path(), "up", rules, check=False)
        assert "the program nft is not there" in result.stderr
        assert (result.returncode == 0) == good, result.stderr
        assert ("suppress_prefixlength" in ns.run("ip", "rule")) == good
        ns.run(warren_path(), "down", rules)
        assert [line.split(": ")[1:] for line in (ns.run("ip", "-4", "rule") + ns.run("ip", "link")).splitlines()] == [
            line.split(": ")[1:] for line in before.splitlines()]
    subprocess.run(["umount", nft], check=True)
