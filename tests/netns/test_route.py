"""The host over rtnetlink: what observe sees is what `ip` tells, and what we add and remove reads in `ip` as its own."""
import ipaddress
import json
import os
import pathlib
import signal
import subprocess

import pytest

from harness import ROOT, scenario, wait_until

KINDS = {1: "unicast", 7: "unreachable", 6: "blackhole", 8: "prohibit", 9: "throw"}
TUNNEL = 51820
LAST = 4294967295  # of metrics


def route_path():
    return pathlib.Path(os.environ.get("WARREN_BUILD") or ROOT / "build/main", "route").resolve()


def route(ns, text):
    """"0", or the name of the errno."""
    result = ns.run(route_path(), *text.split(), check=False)
    assert result.returncode in (0, 1), result
    return result.stderr.strip() if result.returncode else "0"


def observe(ns):
    return json.loads(ns.run(route_path(), "observe"))


def batch(ns, lines):
    return ns.run(route_path(), "batch", stdin="".join(f"{line}\n" for line in lines)).splitlines()


# --- what `ip` tells, as observe should -----------------------------------------------------------


def read_ip(ns, words):
    return json.loads(ns.run("ip", "-j", "-N", "-d", *words.split()) or "[]")


def indices(ns):
    return {row["ifname"]: row["ifindex"] for row in read_ip(ns, "link")}


def expected_links(ns):
    return [{"index": row["ifindex"], "name": row["ifname"], "mtu": row["mtu"], "up": "UP" in row["flags"],
             "loopback": "LOOPBACK" in row["flags"], "wireguard": row.get("linkinfo", {}).get("info_kind") == "wireguard"}
            for row in read_ip(ns, "link")]


def expected_addresses(ns):
    return [{"link": row["ifindex"], "prefix": f"{a['local']}/{a['prefixlen']}"} for row in read_ip(ns, "addr")
            for a in row["addr_info"]]


def expected_hop(hop, of):
    via = hop.get("gateway") or hop.get("via", {}).get("host")
    return {"link": of.get(hop.get("dev"), 0), "via": via, "gateway": via is not None,
            "dead": bool({"dead", "linkdown"} & set(hop["flags"]))}


def expected_routes(ns):
    rows, of = [], indices(ns)
    for family, everything in ((4, "0.0.0.0/0"), (6, "::/0")):
        for row in read_ip(ns, f"-{family} route show table all"):
            kind = KINDS.get(int(row["type"]))
            if not kind or row["table"] == "255":
                continue
            dst = everything if row["dst"] == "default" else str(ipaddress.ip_network(row["dst"], strict=False))
            mtu = max((m.get("mtu", 0) for m in row.get("metrics", [])), default=0)
            for hop in row.get("nexthops") or [row]:
                rows.append({"dst": dst, "table": int(row["table"]), "metric": row.get("metric", 0), "mtu": mtu,
                             "kind": kind, "protocol": int(row["protocol"]),
                             **expected_hop(hop, of if kind == "unicast" else {})})
    return rows


def expected_rules(ns):
    rows = []
    known = {"priority", "src", "table", "protocol", "fwmark", "fwmask", "suppress_prefixlen", "not"}
    for family in (4, 6):
        for row in read_ip(ns, f"-{family} rule"):
            mark = int(row.get("fwmark", "0"), 16)
            rows.append({"family": family, "priority": row["priority"], "table": int(row.get("table", 0)), "mark": mark,
                         "mask": int(row["fwmask"], 16) if "fwmask" in row else LAST if "fwmark" in row else 0,
                         "suppress": row.get("suppress_prefixlen", -1), "invert": "not" in row,
                         "other": row["src"] != "all" or not set(row) <= known})
    return rows


def ordered(rows):
    return sorted(rows, key=lambda row: json.dumps(row, sort_keys=True))


def assert_seen(ns, shapes=()):
    """All that `ip` tells is seen, and nothing else; `shapes` are known to be among it."""
    seen = observe(ns)
    assert ordered(seen["links"]) == ordered(expected_links(ns))
    assert ordered(seen["addresses"]) == ordered(expected_addresses(ns))
    assert ordered(seen["routes"]) == ordered(expected_routes(ns))
    assert seen["rules"] == expected_rules(ns)  # whose order matters
    for kind, wanted in shapes:
        assert any(wanted.items() <= row.items() for row in seen[kind]), wanted
    return seen


def quiet_links(ns, *names):
    """Veth links that are up, without addresses of their own."""
    for name in names:
        ns.ip(f"link add {name} type veth peer name far-{name}")
        for end in (name, f"far-{name}"):
            ns.ip(f"link set {end} addrgenmode none")
            ns.ip(f"link set {end} up")


# --- observe --------------------------------------------------------------------------------------


@scenario()
def sees_nothing_of_a_bare_host(lab):
    seen = assert_seen(lab.namespace())
    assert len(seen["links"]) == 1 and seen["routes"] == []


@scenario()
def sees_links_and_addresses_as_ip_does(lab):
    ns = lab.namespace()
    quiet_links(ns, "eth0", "eth1")
    ns.ip("link add br0 type bridge")
    ns.ip("tuntap add fifteen.letters mode tun")
    ns.ip("link set eth1 mtu 1400")
    ns.ip("link set far-eth1 down")
    ns.ip("addr add 192.0.2.2/24 dev eth0")
    ns.ip("addr add 192.0.2.3/24 dev eth0 label eth0:1")
    ns.ip("addr add 198.51.100.1 peer 198.51.100.2/31 dev eth1")
    ns.ip("addr add 10.7.0.1/32 dev br0")
    ns.ip("addr add 2001:db8::2/64 dev eth0 nodad")
    ns.ip("addr add 2001:db8:1::2 peer 2001:db8:1::3/128 dev eth1 nodad")
    ns.ip("addr add fd00::1/128 dev eth1 nodad preferred_lft 0")
    ns.ip("addr add fe80::7/64 dev eth0 nodad")
    assert_seen(ns, [("links", {"name": "eth1", "mtu": 1400}), ("links", {"name": "br0", "up": False}),
                     ("links", {"name": "fifteen.letters"}), ("addresses", {"prefix": "198.51.100.1/31"}),
                     ("addresses", {"prefix": "fe80::7/64"})])


ROUTES = """
route add default via 192.0.2.1 metric 100
route add default via 192.0.2.9 dev eth0 metric 50 mtu 1300
route add 10.0.0.0/8 nexthop via 192.0.2.5 dev eth0 weight 1 nexthop via 198.51.100.9 dev eth1 weight 2
route add 10.1.0.0/16 via inet6 fe80::1 dev eth0
route add 10.2.0.0/16 via 203.0.113.1 dev eth0 onlink table 300 proto bird
route add 10.2.0.0/16 dev eth1 table 4294967295
route add unreachable 10.3.0.0/16 metric 4294967295
route add throw 10.4.0.0/16 table 77
route add blackhole 10.5.0.1
route add prohibit 10.6.0.0/16 table 253
route add 10.6.0.0/16 dev eth1 tos 0x10
nexthop add id 5 via 192.0.2.7 dev eth0
nexthop add id 6 via 198.51.100.7 dev eth1
nexthop add id 7 group 5/6
route add 10.7.0.0/16 nhid 5
route add 10.8.0.0/16 nhid 7
route add local 10.99.0.0/16 dev lo table 88
route add broadcast 10.98.0.0/16 dev eth0 table 88
-6 route add default via 2001:db8::1 metric 7
-6 route add default via fe80::1 dev eth0 metric 9 table 51820 mtu lock 1290
-6 route add 2001:db8:9::/48 nexthop via 2001:db8::5 dev eth0 nexthop via 2001:db8:1::5 dev eth1
-6 route add unreachable default table 51820 metric 4294967295
-6 route add throw 2001:db8:5::/48 table 51820
-6 route add prohibit 2001:db8:6::/48
-6 route add blackhole 2001:db8:8::1
-6 route add 2001:db8:7::/48 dev eth1 proto 44
-6 route add multicast ff05::/16 dev eth0 table 88
""".strip().splitlines()


@scenario()
def sees_routes_as_ip_does(lab):
    ns = lab.namespace()
    quiet_links(ns, "eth0", "eth1")
    ns.address("eth0", "192.0.2.2/24", "2001:db8::2/64")
    ns.address("eth1", "198.51.100.2/24", "2001:db8:1::2/64")
    for line in ROUTES:
        ns.ip(line)
    hop = {"dst": "10.0.0.0/8", "via": "198.51.100.9"}
    assert_seen(ns, [("routes", hop), ("routes", {"dst": "10.1.0.0/16", "via": "fe80::1"}),
                     ("routes", {"dst": "::/0", "kind": "unreachable", "link": 0, "metric": LAST, "table": TUNNEL}),
                     ("routes", {"dst": "10.2.0.0/16", "table": 4294967295}), ("routes", {"mtu": 1290}),
                     ("routes", {"dst": "10.8.0.0/16", "via": "198.51.100.7"})])
    ns.ip("link set far-eth1 down")  # the cable is pulled
    assert_seen(ns, [("routes", {**hop, "dead": True})])
    ns.ip("link set eth1 down")
    assert_seen(ns)
    ns.ip("link del eth0")
    assert_seen(ns)


RULES = """
rule add fwmark 0x1/0xff table 5
rule add fwmark 0/1 table 5
rule add not fwmark 51820 table 51820
rule add not fwmark 51820 table 51820 pref 32000
rule add from 10.0.0.0/8 table 7
rule add to 10.0.0.0/8 table 7
rule add table main suppress_prefixlength 0
rule add table main suppress_prefixlength 32 pref 32000
rule add table main suppress_ifgroup 3
rule add prohibit pref 9
rule add blackhole pref 10 fwmark 7
rule add unreachable pref 11
rule add iif eth0 table 3
rule add oif eth0 table 3
rule add pref 20 goto 30
rule add pref 30 nop
rule add tos 0x10 table 4
rule add uidrange 5-9 table 4
rule add ipproto udp dport 53 table 9
rule add sport 53 table 9
rule add l3mdev
rule add table 9 proto 44
rule add table 255 pref 4294967295
""".strip().splitlines()


@scenario(seconds=120)
def sees_rules_as_ip_does(lab):
    ns = lab.namespace()
    for family in ("-4", "-6"):
        for line in RULES:
            ns.ip(f"{family} {line.replace('10.0.0.0/8', '2001:db8::/32') if family == '-6' else line}")
    ns.ip("rule del pref 32766")  # main
    assert_seen(ns, [("rules", {"priority": 32000, "mark": TUNNEL, "mask": LAST, "invert": True, "other": False}),
                     ("rules", {"mark": 0, "mask": 1, "other": False}), ("rules", {"suppress": 32, "other": False}),
                     ("rules", {"priority": 20, "other": True, "table": 0})])


@scenario()
def sees_the_switches(lab):
    ns = lab.namespace()
    names = {"src_valid_mark": "net.ipv4.conf.all.src_valid_mark", "ip_forward": "net.ipv4.ip_forward",
             "ip6_forward": "net.ipv6.conf.all.forwarding", "rp_filter": "net.ipv4.conf.all.rp_filter"}
    off, on = 1, 2
    for key, name in names.items():
        for value, want in ((0, off), (1, on), (2, off if key == "rp_filter" else None), (0, off)):
            if want:
                ns.sysctl(name, value)
                seen = observe(ns)["switches"]
                assert seen == {**dict.fromkeys(names, off), key: want}, (name, value)
    for value in (1, 0):
        ns.sysctl("net.ipv6.conf.default.disable_ipv6", value)
        assert observe(ns)["ipv6_off"] is bool(value)


# --- what we add reads in `ip` as what it adds ----------------------------------------------------

# what `ip` is told, and what we are
ITEMS = [
    ("-4 address add 10.0.0.1/24 dev wg0", "address wg0 10.0.0.1/24"),
    ("-4 address add 10.0.0.2/24 dev wg0", "address wg0 10.0.0.2/24"),
    ("-4 address add 10.1.0.1/32 dev wg0", "address wg0 10.1.0.1/32"),
    ("-4 address add 127.5.0.1/32 dev wg0", "address wg0 127.5.0.1/32"),
    ("-4 address add 198.51.100.0/31 dev wg0", "address wg0 198.51.100.0/31"),
    ("-6 address add fd00::1/64 dev wg0", "address wg0 fd00::1/64"),
    ("-6 address add fd00:1::1/128 dev wg0", "address wg0 fd00:1::1/128"),
    ("-6 address add fe80::5/64 dev wg0", "address wg0 fe80::5/64"),
    ("-4 route add 10.2.0.0/16 dev wg0", "route unicast 10.2.0.0/16 254 0 wg0"),
    ("-4 route add 10.3.0.1/32 dev wg0", "route unicast 10.3.0.1/32 254 0 wg0"),
    ("-4 route add 0.0.0.0/1 dev wg0", "route unicast 0.0.0.0/1 254 0 wg0"),
    ("-4 route add default dev wg0", "route unicast 0.0.0.0/0 254 0 wg0"),
    ("-4 route add default dev wg0 metric 7", "route unicast 0.0.0.0/0 254 7 wg0"),
    ("-4 route add default dev wg0 table 51820", "route unicast 0.0.0.0/0 51820 0 wg0"),
    ("-4 route add default dev wg0 table 200", "route unicast 0.0.0.0/0 200 0 wg0"),
    ("-4 route add default dev wg0 table 255", "route unicast 0.0.0.0/0 255 0 wg0"),
    ("-4 route add default dev wg0 table 256", "route unicast 0.0.0.0/0 256 0 wg0"),
    ("-4 route add default dev wg0 table 4294967295", "route unicast 0.0.0.0/0 4294967295 0 wg0"),
    ("-4 route add unreachable default metric 4294967295 table 51820", "route unreachable 0.0.0.0/0 51820 4294967295"),
    ("-4 route add throw 192.0.2.0/24 table 51820", "route throw 192.0.2.0/24 51820 0"),
    ("-4 route add blackhole 192.0.2.1 metric 3", "route blackhole 192.0.2.1/32 254 3"),
    ("-4 route add prohibit 192.0.2.2 table 253", "route prohibit 192.0.2.2/32 253 0"),
    ("-6 route add fd02::/16 dev wg0", "route unicast fd02::/16 254 0 wg0"),
    ("-6 route add fd03::1/128 dev wg0", "route unicast fd03::1/128 254 0 wg0"),
    ("-6 route add ::/1 dev wg0", "route unicast ::/1 254 0 wg0"),
    ("-6 route add default dev wg0", "route unicast ::/0 254 0 wg0"),
    ("-6 route add default dev wg0 metric 7", "route unicast ::/0 254 7 wg0"),
    ("-6 route add default dev wg0 table 51820", "route unicast ::/0 51820 0 wg0"),
    ("-6 route add unreachable default metric 4294967295 table 51820", "route unreachable ::/0 51820 4294967295"),
    ("-6 route add throw 2001:db8::/32 table 51820", "route throw 2001:db8::/32 51820 0"),
    ("-6 route add blackhole 2001:db8::1 metric 3", "route blackhole 2001:db8::1/128 254 3"),
    ("-6 route add prohibit 2001:db8::2", "route prohibit 2001:db8::2/128 254 0"),
    ("-4 rule add not fwmark 51820 table 51820", "rule 4 32765 51820 51820 4294967295 -1 1"),
    ("-4 rule add table main suppress_prefixlength 0", "rule 4 32764 254 0 0 0 0"),
    ("-4 rule add fwmark 1/255 table 9", "rule 4 32763 9 1 255 -1 0"),
    ("-4 rule add pref 100 table 255", "rule 4 100 255 0 0 -1 0"),
    ("-4 rule add pref 100 table 256 suppress_prefixlength 32", "rule 4 100 256 0 0 32 0"),
    ("-4 rule add pref 101 fwmark 0/1 table 9", "rule 4 101 9 0 1 -1 0"),
    ("-6 rule add not fwmark 51820 table 51820", "rule 6 32765 51820 51820 4294967295 -1 1"),
    ("-6 rule add table main suppress_prefixlength 0", "rule 6 32764 254 0 0 0 0"),
    ("-6 rule add pref 7 not fwmark 4294967295 table 4294967295", "rule 6 7 4294967295 4294967295 4294967295 -1 1"),
]


def tunnel_host(lab):
    """A device as a tunnel's, and the addresses that are no business of the test."""
    ns = lab.namespace()
    ns.ip("tuntap add wg0 mode tun")
    ns.ip("link set wg0 addrgenmode none")
    ns.ip("link set wg0 mtu 1420 up")
    for verb in ("add", "del"):  # the first of IPv6 leaves a route for multicast behind
        ns.ip(f"-6 address {verb} fdff::1/64 dev wg0")
    return ns


def told(ns, of=""):
    """What `ip` tells, as text: everything, or what the like of this line of its may change."""
    shows = ["-d addr", "-d -4 route show table all", "-d -6 route show table all", "-d -4 rule", "-d -6 rule"]
    if of.split()[1:2] == ["rule"]:
        shows = [f"-d {of[:2]} rule"]
    elif of.split()[1:2] == ["route"]:
        shows = [f"-d {of[:2]} route show table all"]
    return [ns.ip(show) for show in shows]


def removing(line):
    return line.replace(" add ", " del ", 1)


@scenario(seconds=240)
def what_is_added_reads_as_what_ip_adds(lab):
    """Byte for byte, both while they are there and after each is gone again."""
    ours, theirs = tunnel_host(lab), tunnel_host(lab)
    before = told(ours)
    assert before == told(theirs)
    for line, words in ITEMS:
        assert route(ours, f"add {words}") == "0", words
        theirs.ip(line)
        assert told(ours, line) == told(theirs, line), line
    assert told(ours) == told(theirs)
    assert_seen(ours)
    for line, words in reversed(ITEMS):
        assert route(ours, f"remove {words}") == "0", words
        if "rule add" in line and "pref" not in line:  # the kernel chose: not any other of the kind
            line = f"{line[:2]} rule add pref {words.split()[2]}"
        theirs.ip(removing(line))
        assert told(ours, line) == told(theirs, line), line
    assert told(ours) == before


@scenario(seconds=240)
def there_is_no_error_but_what_is_there_is_told(lab):
    ns = tunnel_host(lab)
    before = told(ns)
    lines = [words for _, words in ITEMS]
    assert set(batch(ns, [f"remove {words}" for words in lines])) == {"0"}
    assert told(ns) == before
    assert set(batch(ns, [f"add {words}" for words in lines])) == {"0"}
    full = told(ns)
    assert set(batch(ns, [f"add {words}" for words in lines])) == {"EEXIST"}
    assert told(ns) == full
    assert set(batch(ns, [f"remove {words}" for words in lines])) == {"0"}
    assert told(ns) == before


@scenario(seconds=120)
def only_what_is_ours_is_removed(lab):
    """Of what is alike on the host: other metrics, tables, priorities, marks, prefixes."""
    ns = tunnel_host(lab)
    for line in ("-6 route add default dev wg0 metric 9", "-6 route add fd05::/16 dev wg0 metric 9",
                 "-4 route add 10.5.0.0/16 dev wg0 proto static metric 9", "-4 route add 10.6.0.0/16 dev wg0 table 7",
                 "rule add table main suppress_prefixlength 0", "rule add not fwmark 1 table 1",
                 "rule add fwmark 2/15 table 2", "-6 rule add table main suppress_prefixlength 0",
                 "-4 address add 10.0.0.1/24 dev wg0", "-6 address add fd00::1/64 dev wg0"):
        ns.ip(line)
    before = told(ns)
    removed = ("route unicast ::/0 254 0 wg0", "route unicast fd05::/16 254 0 wg0", "route unicast fd05::/16 254 8 wg0",
               "route unicast 10.5.0.0/16 254 0 wg0", "route unicast 10.5.0.0/16 254 8 wg0",
               "route unicast 10.6.0.0/16 254 0 wg0", "route throw 10.6.0.0/16 7 0", "rule 4 32763 254 0 0 0 0",
               "rule 4 32765 254 0 0 32 0", "rule 4 32764 1 2 4294967295 -1 1", "rule 4 32764 2 1 4294967295 -1 1",
               "rule 4 32763 2 2 4294967295 -1 0", "rule 6 32764 254 0 0 0 0", "address wg0 10.0.0.2/24",
               "address wg0 10.0.0.1/32", "address wg0 fd00::2/64")
    for words in removed:
        assert route(ns, f"remove {words}") == "0", words
        assert told(ns) == before, words


@scenario()
def link_comes_up_with_its_mtu_and_goes(lab):
    ns = lab.namespace()
    ns.ip("link add wg0 type veth peer name far")
    mtu = {row["name"]: row["mtu"] for row in observe(ns)["links"]}
    assert route(ns, "link up wg0 1380") == "0"
    assert route(ns, "link up far 0") == "0"
    seen = {row["name"]: (row["mtu"], row["up"]) for row in observe(ns)["links"]}
    assert seen["wg0"] == (1380, True) and seen["far"] == (mtu["far"], True)
    assert route(ns, "add mtu wg0 1300") == "0"
    assert {row["name"]: row["mtu"] for row in observe(ns)["links"]}["wg0"] == 1300
    assert route(ns, "link up wg0 4") == "EINVAL"
    assert route(ns, "link up nobody 0") == "ENODEV"
    assert route(ns, "link add far") == "EEXIST"
    for _ in range(2):
        assert route(ns, "link remove wg0") == "0"
        assert [row["name"] for row in observe(ns)["links"]] == ["lo"]
    assert route(ns, "add address wg0 10.0.0.1/24") == "ENODEV"
    assert route(ns, "add route unicast 10.0.0.0/24 254 0 wg0") == "ENODEV"
    assert route(ns, "remove address wg0 10.0.0.1/24") == "0"
    assert route(ns, "remove mtu wg0 1300") == "0"


@scenario()
def link_of_wireguard_or_no_driver(lab):
    ns = lab.namespace()
    said = route(ns, "link add wg0")
    if said == "EOPNOTSUPP":
        assert len(observe(ns)["links"]) == 1
        return
    assert said == "0"
    assert_seen(ns, [("links", {"name": "wg0", "wireguard": True})])
    assert route(ns, "link add wg0") == "EEXIST"
    assert route(ns, "link remove wg0") == "0"


@scenario()
def a5_link_without_ipv6_is_told_apart(lab):
    ns = tunnel_host(lab)
    ns.sysctl("net.ipv6.conf.wg0.disable_ipv6", 1)
    assert route(ns, "add address wg0 fd00::1/64") == "EACCES"
    assert route(ns, "remove address wg0 fd00::1/64") == "0"
    assert route(ns, "add route unicast fd02::/16 254 0 wg0") == "EACCES"
    assert route(ns, "remove route unicast fd02::/16 254 0 wg0") == "0"
    assert route(ns, "add address wg0 10.0.0.1/24") == "0"
    assert route(ns, "add route unreachable ::/0 51820 4294967295") == "0"


@scenario()
def nobody_without_privilege_changes_anything(lab):
    ns = tunnel_host(lab)
    before = told(ns)
    lines = [f"{verb} {words}" for _, words in ITEMS for verb in ("add", "remove")]
    lines += ["link add wg1", "link remove wg0", "link up wg0 1300"]
    result = ns.run("setpriv", "--reuid", "65534", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all",
                    route_path(), "batch", stdin="".join(f"{line}\n" for line in lines))
    assert set(result.splitlines()) == {"EPERM"}
    assert told(ns) == before
    result = ns.run("setpriv", "--reuid", "65534", "--clear-groups", "--bounding-set=-all", route_path(), "observe")
    assert json.loads(result) == observe(ns)


# --- the way to an endpoint -----------------------------------------------------------------------


def path(ns, address, mark=0, scope=""):
    result = ns.run(route_path(), "path", address, mark, *([scope] if scope else []), check=False)
    return json.loads(result.stdout) if result.returncode == 0 else result.stderr.strip()


@scenario()
def path_to_an_endpoint(lab):
    ns = lab.namespace()
    quiet_links(ns, "eth0", "eth1")
    ns.ip("link set eth1 mtu 1400")
    ns.address("eth0", "192.0.2.2/24", "2001:db8::2/64", "fe80::2/64")
    ns.address("eth1", "198.51.100.2/24", "2001:db8:1::2/64", "fe80::3/64")
    of = indices(ns)
    assert path(ns, "203.0.113.1/32") == path(ns, "2001:db8:9::1/128") == "ENETUNREACH"
    ns.ip("route add default via 192.0.2.1")
    ns.ip("route add 203.0.113.0/24 via 198.51.100.1 mtu 1280")
    ns.ip("-6 route add default via 2001:db8::1")
    ns.ip("-6 route add 2001:db8:9::/48 via 2001:db8:1::1 mtu 1290")
    ns.ip("route add default dev eth1 table 7")
    ns.ip("rule add fwmark 5 table 7")
    ns.ip("route add 10.9.0.0/16 via inet6 fe80::9 dev eth0")
    for kind in ("unreachable 10.1.0.0/16", "prohibit 10.2.0.0/16", "blackhole 10.3.0.0/16"):
        ns.ip(f"route add {kind}")
    for kind in ("unreachable fd01::/16", "prohibit fd02::/16", "blackhole fd03::/16"):
        ns.ip(f"-6 route add {kind}")
    eth0, eth1 = of["eth0"], of["eth1"]
    assert path(ns, "1.1.1.1/32") == {"link": eth0, "mtu": 1500, "source": "192.0.2.2", "via": "192.0.2.1"}
    assert path(ns, "1.1.1.1/32", 5) == {"link": eth1, "mtu": 1400, "source": "198.51.100.2", "via": None}
    assert path(ns, "203.0.113.1/32") == {"link": eth1, "mtu": 1280, "source": "198.51.100.2", "via": "198.51.100.1"}
    assert path(ns, "192.0.2.77/32") == {"link": eth0, "mtu": 1500, "source": "192.0.2.2", "via": None}
    assert path(ns, "192.0.2.2/32")["link"] == of["lo"]
    assert path(ns, "10.9.0.1/32")["via"] == "fe80::9"
    assert path(ns, "2001:db8:7::1/128") == {"link": eth0, "mtu": 1500, "source": "2001:db8::2", "via": "2001:db8::1"}
    assert path(ns, "2001:db8:9::1/128") == {"link": eth1, "mtu": 1290, "source": "2001:db8:1::2", "via": "2001:db8:1::1"}
    assert path(ns, "fe80::77/128", 0, eth0)["link"] == eth0
    assert path(ns, "fe80::77/128", 0, eth1)["link"] == eth1
    said = [path(ns, f"10.{n}.0.1/32") for n in (1, 2, 3)] + [path(ns, f"fd0{n}::1/128") for n in (1, 2, 3)]
    assert said == ["EHOSTUNREACH", "EACCES", "EINVAL"] * 2


# --- many, and while they change ------------------------------------------------------------------


def many(count):
    """Both families, half each."""
    v4 = [f"route unicast 10.{n >> 8}.{n & 255}.0/24 51820 0 wg0" for n in range(count // 2)]
    return v4 + [f"route unicast fd00:{n:x}::/32 51820 0 wg0" for n in range(1, count - len(v4) + 1)]


def destinations(seen):
    return sorted(row["dst"] for row in seen["routes"] if row["table"] == TUNNEL)


@scenario(seconds=180)
def twenty_thousand_routes_are_seen_whole(lab):
    ns = tunnel_host(lab)
    lines = many(20000)
    assert set(batch(ns, [f"add {line}" for line in lines])) == {"0"}
    assert destinations(observe(ns)) == sorted(line.split()[2] for line in lines)
    assert set(batch(ns, [f"remove {line}" for line in lines])) == {"0"}
    assert destinations(observe(ns)) == []


@scenario(seconds=180)
def what_stays_is_seen_while_all_else_changes(lab):
    """A dump that was broken into is begun again."""
    ns = tunnel_host(lab)
    stays = many(4000)
    assert set(batch(ns, [f"add {line}" for line in stays])) == {"0"}
    goes = [f"{verb} route unicast {n}.0.0.0/8 51820 0 wg0" for n in range(1, 10) for verb in ("add", "remove")]
    churn = lab.start(ns, route_path(), "batch", stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    for _ in range(20):
        churn.stdin.write("".join(f"{line}\n" for line in goes * 40))
        churn.stdin.flush()
        seen = destinations(observe(ns))
        assert set(seen) >= {line.split()[2] for line in stays}
        assert len(seen) == len(set(seen)), "a route is seen twice"
    churn.stdin.close()
    assert churn.wait(60) == 0


# --- the watch ------------------------------------------------------------------------------------


class Watch:
    def __init__(self, lab, ns):
        self.process = lab.start(ns, route_path(), "watch", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        os.set_blocking(self.process.stdout.fileno(), False)
        self.wait("ready")

    def read(self):
        return (self.process.stdout.read() or b"").decode().split()

    def wait(self, word="changed"):
        wait_until(lambda: word in self.read(), 60)

    def drain(self, ns):
        """Until it has heard of all that was done before: a change of our own is the last."""
        ns.ip("link set lo mtu 65000")
        self.wait()
        ns.ip("link set lo mtu 65536")
        self.wait()


CHANGES = ["tuntap add t1 mode tun", "link set t1 up", "link set t1 mtu 1300", "link set wg0 down", "link set wg0 up",
           "addr add 10.0.0.1/24 dev wg0", "-6 addr add fd00::1/64 dev wg0", "-4 route add 10.9.0.0/16 dev wg0",
           "-6 route add fd09::/16 dev wg0", "-4 rule add table 9", "-6 rule add table 9", "route add default dev t1",
           "-4 rule del table 9", "-6 rule del table 9", "route del 10.9.0.0/16", "-6 route del fd09::/16",
           "addr del 10.0.0.1/24 dev wg0", "-6 addr del fd00::1/64 dev wg0", "link del t1", "link set wg0 name wg9",
           "link set wg9 name wg0", "link del wg0"]


@scenario(seconds=240)
def watch_hears_of_every_change(lab):
    ns = tunnel_host(lab)
    watch = Watch(lab, ns)
    for line in CHANGES:
        ns.ip(line)
        watch.wait()
        watch.drain(ns)


@scenario(seconds=240)
def watch_hears_when_its_link_moves_away(lab):
    ns, other = tunnel_host(lab), lab.namespace()
    watch = Watch(lab, ns)
    watch.drain(ns)
    ns.ip(f"link set wg0 netns {other.path}")
    watch.wait()


@scenario(seconds=240)
def watch_that_lost_events_says_changed_and_goes_on(lab):
    ns = tunnel_host(lab)
    watch = Watch(lab, ns)
    watch.drain(ns)
    os.kill(watch.process.pid, signal.SIGSTOP)
    batch(ns, [f"{verb} {line}" for line in many(6000) for verb in ("add", "remove")])
    drops = ns.run("cat", "/proc/net/netlink").splitlines()
    assert any(int(row.split()[8]) > 0 for row in drops[1:]), "nothing was lost: the test tests nothing"
    os.kill(watch.process.pid, signal.SIGCONT)
    watch.wait()
    watch.drain(ns)
    assert watch.process.poll() is None


@scenario()
def watch_is_quiet_when_nothing_changes(lab):
    """What only looks, and neighbours, are no news."""
    ns = tunnel_host(lab)
    quiet_links(ns, "eth0")
    ns.address("eth0", "192.0.2.2/24")
    watch = Watch(lab, ns)
    watch.drain(ns)
    watch.read()
    observe(ns)
    told(ns)
    ns.ip("neigh add 192.0.2.9 lladdr 02:00:00:00:00:01 dev eth0")
    ns.ip("neigh add 192.0.2.10 lladdr 02:00:00:00:00:01 dev eth0 nud permanent")
    assert route(ns, "add address nobody 10.0.0.1/24") == "ENODEV"
    assert route(ns, "remove rule 4 99 9 0 0 -1 0") == "0"
    with pytest.raises(AssertionError):
        wait_until(lambda: "changed" in watch.read(), 1)
