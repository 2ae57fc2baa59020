"""Rows of the catalogue and of the fault list about bringing tunnels up: each failure is prevented, or handled and told."""
import ipaddress
import os
import pathlib
import signal
import time

import pytest

import host
from faults import Memory
from harness import MS_BIND, MS_RDONLY, WORK, Keys, mount, processes, scenario, wait_until
from senders import PLAIN
from updown import Capture, Owner, senders, unlike

BOTH = "0.0.0.0/0, ::/0"
INNER = ("10.9.0.2", "fd09::2")
PUBLIC = ("198.51.100.7", "2001:db8:7::7")
SAYS = "is no warren"  # why the old wireguard-go is not asked


def words_of(done):
    return done.stdout + done.stderr


def refused(owner, *words, name="home", options=(), verb="up"):
    """The command fails, says these words, and changes nothing."""
    before = owner.look()
    done = owner.run(verb, name, *options, check=False)
    assert done.returncode == 1, f"status {done.returncode}"
    for word in words:
        assert word.lower() in words_of(done).lower(), f"it does not say {word!r}:\n{words_of(done)}"
    owner.wait_ends(name)
    assert not unlike(before, owner.look())
    return words_of(done)


def works(owner, *addresses):
    owner.works(*(addresses or INNER))


def comes_and_goes(owner, *words, name="home", answers=INNER, options=()):
    """Up, works, says these words, and down leaves the host as it was. What up said."""
    before = owner.look()
    done = owner.up(name, *options)
    for word in words:
        assert word.lower() in words_of(done).lower(), f"it does not say {word!r}:\n{words_of(done)}"
    works(owner, *answers)
    owner.down(name)
    owner.wait_ends(name)
    assert not unlike(before, owner.look())
    return words_of(done)


def mtu_of(owner, name="home"):
    return int(owner.ns.run("ip", "-o", "link", "show", "dev", name).split(" mtu ")[1].split()[0])


def routes(owner, *words):
    return owner.ns.run("ip", *words, "route", "show", "table", "all")


# --- A: it does not start ----------------------------------------------------------------------------


@scenario(seconds=60, lacks=SAYS)
def a1_dns_without_resolvconf(lab):
    """A1: DNS= where no resolvconf is: the tunnel stays up whatever comes of its names."""
    owner = Owner(lab, resolvconf=False)
    owner.far()
    owner.file(interface="Address = 10.9.0.1/24, fd09::1/64\nDNS = 10.9.0.2, corp.example")
    comes_and_goes(owner)


@scenario(seconds=60, lacks=SAYS)
def a1_resolvconf_that_fails(lab):
    owner = Owner(lab)
    (WORK / "resolvconf-fails").touch()
    owner.far()
    owner.file(interface="Address = 10.9.0.1/24, fd09::1/64\nDNS = 10.9.0.2")
    before = owner.look()
    done = owner.up()
    assert "dns" in words_of(done).lower() or "resolvconf" in words_of(done).lower()
    works(owner)
    owner.down()
    owner.wait_ends()
    assert not unlike(before, owner.look())


@scenario(seconds=60, lacks=SAYS)
def a2_no_kernel_driver(lab):
    """A2: without the driver Warren's own engine serves; asked for the driver alone, it says that there is none."""
    owner = Owner(lab)
    if pathlib.Path("/sys/module/wireguard").exists():
        pytest.skip("this kernel has the driver")
    owner.far()
    owner.file()
    comes_and_goes(owner)
    refused(owner, "kernel", options=("--engine", "kernel"))


@pytest.mark.parametrize("value", [1, 0])
@scenario(seconds=60, lacks=SAYS)
def a3_switches_that_cannot_be_written(lab, value):
    """A3: /proc/sys is read-only, as in a container: no reason to take a tunnel down, least of all if all is as wanted."""
    owner = Owner(lab)
    owner.far()
    owner.ns.sysctl("net.ipv4.conf.all.src_valid_mark", value)
    mount("/proc/sys", "/proc/sys", None, MS_BIND)
    mount(None, "/proc/sys", None, MS_BIND | MS_RDONLY | 32)  # MS_REMOUNT
    lab.mounts = pathlib.Path("/proc/self/mounts").read_text()
    owner.file(allowed=BOTH)
    done = comes_and_goes(owner)
    assert ("src_valid_mark" in done.replace("[#] sysctl", "")) == (value == 0), "told, and only where it matters"


@scenario(seconds=60, lacks=SAYS)
def a4_nft_that_does_not_work(lab):
    """A4: no table can be made. Then the tunnel comes up and says what it lacks, or does not come up at all."""
    owner = Owner(lab)
    owner.far()
    fake = WORK / "nft"
    fake.write_text("#!/bin/sh\necho \"nft: unable to initialize table 'raw'\" >&2\nexit 1\n")
    fake.chmod(0o755)
    mount(str(fake), "/usr/sbin/nft", None, MS_BIND)
    lab.mounts = pathlib.Path("/proc/self/mounts").read_text()
    owner.file(allowed=BOTH)
    before = owner.look()
    done = owner.up(check=False)
    assert "nft" in words_of(done)
    if done.returncode == 0:
        works(owner)
        owner.down()
    owner.wait_ends()
    assert not unlike(before, owner.look())


@scenario(seconds=60, lacks=SAYS)
def a5_h5_ipv6_is_off(lab):
    """A5, H5: what needs IPv6 is left out where there is none, with its line, and IPv4 works."""
    owner = Owner(lab)
    owner.far("10.9.0.2/24", allowed="10.9.0.1/32")
    for name in ("default", "all"):
        owner.ns.sysctl(f"net.ipv6.conf.{name}.disable_ipv6", 1)
    path = owner.file(allowed=BOTH)
    line = next(n for n, text in enumerate(path.read_text().splitlines(), 1) if text.startswith("Address"))
    comes_and_goes(owner, "disable_ipv6", f"fd09::1/64 of line {line}", answers=INNER[:1])


@scenario(seconds=60, lacks=SAYS)
def a6_port_that_is_taken(lab):
    """A6: the port is named, and who may have it."""
    owner = Owner(lab)
    taken = owner.ns.udp("0.0.0.0", 4500)
    owner.file(interface="Address = 10.9.0.1/24\nListenPort = 4500", allowed="10.9.0.0/24")
    refused(owner, "4500", "in use")
    taken.close()
    owner.up()
    owner.down()


@scenario(seconds=60, lacks=SAYS)
def a7_quick_file_to_setconf(lab):
    """A7: a file of wg-quick where one of wg is wanted: the line is named; strip makes one of it."""
    owner = Owner(lab)
    owner.far()
    path = owner.file()
    owner.up()
    done = owner.run("setconf", "home", str(path), check=False)
    assert done.returncode == 1 and "Address" in words_of(done)
    (WORK / "wg.conf").write_text(owner.run("strip", "home").stdout)
    owner.run("setconf", "home", str(WORK / "wg.conf"))
    works(owner)
    owner.down()


BAD_FILES = [
    ("a8", "PublicKey =\n", ["A8"]),
    ("a9", "PublicKey = <the server's public key>\n", ["A9"]),
    ("a17", "Jc = 4\nPublicKey = {key}\n", ["A17"]),
    ("all", "PublicKey =\nAllowedIPs = 10.0.0.300/24\nEndpoint = 10.1.0.2\n", ["A8", ":{first}:", ":{second}:", ":{third}:"]),
]


@pytest.mark.parametrize("row", BAD_FILES, ids=[row[0] for row in BAD_FILES])
@scenario(seconds=60, lacks=SAYS)
def a8_a9_a17_bad_files_change_nothing(lab, row):
    """A8, A9, A17: what is wrong is told with its line, all of it at once, and nothing on the host changes."""
    _, peer, words = row
    owner = Owner(lab)
    text = f"[Interface]\nPrivateKey = {owner.keys.private}\nAddress = 10.9.0.1/24\n"
    text += peer if peer.startswith("Jc") else ""
    text += "[Peer]\n" + (peer if not peer.startswith("Jc") else peer.split("\n")[1] + "\n").replace("{key}", owner.far_keys.public)
    owner.write("home", text)
    refused(owner, *(word.format(first=5, second=6, third=7) for word in words))


@scenario(seconds=60, lacks=SAYS)
def a10_a11_a12_name_that_does_not_resolve(lab):
    """A10, A11, A12: a name that nobody knows is no mistake of the file, and no reason to lose the other peers."""
    owner = Owner(lab)
    owner.far()
    owner.file(more=f"[Peer]\nPublicKey = {Keys().public}\nAllowedIPs = 10.10.0.0/16\nEndpoint = no.such.example:51820\n")
    done = comes_and_goes(owner, "no.such.example")
    assert "pars" not in done.lower(), "it is no mistake of the file"


@pytest.mark.parametrize("hook", ["PreUp", "PostUp"])
@scenario(seconds=60, lacks=SAYS)
def a13_hook_that_fails(lab, hook):
    """A13: which hook, what it said and its status; all is undone, and its opposite is not run."""
    owner = Owner(lab)
    owner.file(interface=f"Address = 10.9.0.1/24\n{hook} = echo FirewallD is not running >&2; exit 7\nPostDown = touch {WORK}/downed",
               allowed=BOTH)
    before = owner.look()
    done = owner.up(check=False)
    assert done.returncode != 0
    for word in (hook, "FirewallD is not running", "7"):
        assert word in words_of(done), word
    owner.wait_ends()
    assert not unlike(before, owner.look())
    assert not (WORK / "downed").exists()


@scenario(seconds=90, lacks=SAYS)
def a14_up_after_a_crash(lab):
    """A14: all of a tunnel's processes were killed. The next up, or down, goes on from there; nothing is there twice."""
    owner = Owner(lab)
    owner.far()
    owner.file(allowed=BOTH)
    before = owner.look()
    owner.up()
    whole = owner.look()
    for verb in ("up", "down", "up"):
        pids = owner.engines()
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not set(pids) & set(processes()), 10, "they are dead")
        owner.run(verb, "home")
        if verb == "up":
            works(owner)
            now = owner.look()
            assert now["rules"] == whole["rules"] and now["firewall"] == whole["firewall"] and now["routes"] == whole["routes"]
        else:
            owner.wait_ends()
            assert not unlike(before, owner.look())
            owner.up()
    owner.down()
    owner.wait_ends()
    assert not unlike(before, owner.look())


@scenario(seconds=60, lacks=SAYS)
def a14_link_of_another(lab):
    """A14: a link of that name that is nobody's tunnel is not touched."""
    owner = Owner(lab)
    owner.ns.ip("link add home type veth peer name home2")
    owner.file()
    refused(owner, "link home", "no tunnel")


@scenario(seconds=60, lacks=SAYS)
def a15_route_of_another(lab):
    """A15: the network is routed already: which, and where."""
    owner = Owner(lab)
    owner.file(allowed="10.9.0.0/24, 10.1.0.0/24")
    words = refused(owner, "10.1.0.0/24")
    assert "out" in words


@pytest.mark.parametrize("what", ["crlf", "bom", "both"])
@scenario(seconds=60, lacks=SAYS)
def a16_file_of_windows(lab, what):
    owner = Owner(lab)
    owner.far()
    path = owner.file()
    text = path.read_text()
    path.write_bytes((("\ufeff" if what != "crlf" else "") + (text.replace("\n", "\r\n") if what != "bom" else text)).encode())
    comes_and_goes(owner)


@scenario(seconds=60, lacks=SAYS)
def a18_server_file(lab):
    """A18: a file of a server comes up as one, and who takes it for his own is told."""
    owner = Owner(lab)
    owner.file(interface="Address = 10.9.0.1/24\nListenPort = 51820\nPostUp = true", allowed="10.9.0.2/32", endpoint=None)
    owner.up()
    assert "51820" in owner.ns.run("wg", "show", "home", "listen-port")
    owner.down()


@scenario(seconds=60, lacks=SAYS)
def a19_all_networks_of_a_line(lab):
    owner = Owner(lab)
    owner.file(allowed="10.9.0.0/24,10.10.0.0/16 ,10.11.0.0/16,  fd10::/16")
    owner.up()
    table = routes(owner) + routes(owner, "-6")
    for network in ("10.10.0.0/16", "10.11.0.0/16", "fd10::/16"):
        assert f"{network} dev home" in table, network
    owner.down()


# --- C: routes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("allowed", ["0.0.0.0/1, 128.0.0.0/1", "198.51.100.0/24, 10.9.0.0/24"])
@scenario(seconds=60, lacks=SAYS)
def c12_endpoint_in_its_own_tunnel(lab, allowed):
    """C12: refused before anything is done; who insists gets no packets that go round for ever."""
    owner = Owner(lab)
    owner.file(allowed=allowed, endpoint="198.51.100.99:51820")
    refused(owner, "C12")
    before = owner.look()
    if owner.up("home", "--force", check=False).returncode == 0:
        load = senders(lab, owner.ns, "198.51.100.99", "10.9.0.2")
        sent = owner.ns.statistics("home")["tx_packets"]
        time.sleep(1)
        load.kill()
        load.wait()
        assert owner.ns.statistics("home")["tx_packets"] - sent < 20000
        owner.down()
    owner.wait_ends()
    assert not unlike(before, owner.look())


@pytest.mark.parametrize("allowed", [BOTH, "198.51.100.0/24, 2001:db8:7::/48, 10.9.0.0/24, fd09::/64"], ids=["default", "networks"])
@scenario(seconds=90, lacks=SAYS)
def c13_all_but_some(lab, allowed):
    """C13: ExcludedIPs: what they name goes its own way, all else through the tunnel."""
    owner = Owner(lab)
    for address in (*PUBLIC, "198.51.100.130", "2001:db8:7:8::1"):
        owner.router.address("lo", address)
    owner.router.wait_addresses("2001:db8:7:8::1", *PUBLIC)
    owner.far()
    owner.file(allowed=allowed, interface="Address = 10.9.0.1/24, fd09::1/64\n#: ExcludedIPs = 198.51.100.128/25, 2001:db8:7:8::/64")
    before = owner.look()
    owner.up()
    works(owner)
    capture = Capture(lab, owner.ns)
    works(owner, *PUBLIC, "198.51.100.130", "2001:db8:7:8::1")
    frames = b"".join(frame for _, frame in capture.end())
    for address, leaves in ((PUBLIC[0], False), (PUBLIC[1], False), ("198.51.100.130", True), ("2001:db8:7:8::1", True)):
        assert (ipaddress.ip_address(address).packed in frames) == leaves, f"{address} {'goes round' if not leaves else 'is in'} the tunnel"
    owner.down()
    owner.wait_ends()
    assert not unlike(before, owner.look())


# --- F: sizes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", [("f3", 1492, 1412), ("f5", 1460, 1380), ("plain", 1500, 1420)], ids=lambda row: row[0])
@scenario(seconds=60, lacks=SAYS)
def f3_f5_mtu_of_the_link(lab, row):
    """F3, F5: PPPoE, a cloud: the tunnel's MTU has room for the outer headers, also those of IPv6."""
    owner = Owner(lab)
    owner.far()
    owner.ns.ip(f"link set out mtu {row[1]}")
    owner.router.ip(f"link set out mtu {row[1]}")
    owner.file()
    owner.up()
    assert mtu_of(owner) == row[2]
    assert owner.ns.ping(INNER[0], size=row[2] - 28, wait=20) == 1
    owner.down()


@scenario(seconds=60, lacks=SAYS)
def f4_mtu_without_room(lab):
    """F4: MTU = 1500 on a cable of 1500: it is done as asked, and told."""
    owner = Owner(lab)
    owner.file(interface="Address = 10.9.0.1/24\nMTU = 1500", allowed="10.9.0.0/24")
    done = owner.up()
    assert "F4" in words_of(done) and mtu_of(owner) == 1500
    owner.down()


@scenario(seconds=60, lacks=SAYS)
def f6_smallest_of_several_paths(lab):
    owner = Owner(lab)
    owner.ns.ip("route add 192.0.2.0/24 via 10.1.0.2 mtu 1400")
    owner.file(more="".join(f"[Peer]\nPublicKey = {Keys().public}\nAllowedIPs = 10.1{n}.0.0/16\nEndpoint = {endpoint}:9\n"
                            for n, endpoint in enumerate(("192.0.2.1", "10.1.0.2"), 1)))
    owner.up()
    assert mtu_of(owner) == 1320
    owner.down()


@scenario(seconds=60, lacks=SAYS)
def f7_tunnel_in_a_tunnel(lab):
    """F7: the endpoint lies behind another tunnel: once more the room for a header."""
    owner = Owner(lab)
    owner.far()
    owner.file()
    owner.file("inner", interface="Address = 10.19.0.1/24", allowed="10.19.0.0/24", endpoint="10.9.0.2:7")
    owner.up()
    owner.up("inner")
    assert (mtu_of(owner), mtu_of(owner, "inner")) == (1420, 1340)
    owner.down("inner")
    works(owner)
    owner.down()


# --- G, H: beside others, leaks ---------------------------------------------------------------------------


@scenario(seconds=60, lacks=SAYS)
def g4_strict_reverse_paths(lab):
    """G4: rp_filter = 1 everywhere: answers to what is marked still come in, and what was set is set again after down."""
    owner = Owner(lab)
    for name in ("all", "default", "out"):
        owner.ns.sysctl(f"net.ipv4.conf.{name}.rp_filter", 1)
    owner.router.address("lo", PUBLIC[0])
    owner.far()
    owner.file(allowed=BOTH)
    comes_and_goes(owner, answers=(*INNER, PUBLIC[0]))


@scenario(seconds=60, lacks=SAYS)
def h3_resolver_on_the_cable(lab):
    """H3: in a full tunnel a resolver that the cable reaches directly is asked in the clear: told."""
    owner = Owner(lab)
    owner.far()
    owner.file(interface="Address = 10.9.0.1/24, fd09::1/64\nDNS = 10.1.0.2", allowed=BOTH)
    comes_and_goes(owner, "H3")


@scenario(seconds=90, lacks=SAYS)
def h4_ipv6_beside_the_tunnel(lab):
    """H4: all of IPv4 and none of IPv6: told; with ::/0 nothing leaves, whether the other end has IPv6 or not."""
    owner = Owner(lab)
    owner.router.address("lo", f"{PUBLIC[1]}/128")
    owner.router.wait_addresses(PUBLIC[1])
    owner.far("10.9.0.2/24", allowed="10.9.0.1/32")
    owner.file(interface="Address = 10.9.0.1/24", allowed="0.0.0.0/0")
    comes_and_goes(owner, "H4", answers=INNER[:1])
    owner.file(interface="Address = 10.9.0.1/24", allowed=BOTH)
    done = owner.up()
    assert "H4" not in words_of(done)
    capture = Capture(lab, owner.ns)
    load = senders(lab, owner.ns, PUBLIC[1])
    time.sleep(1)
    load.kill()
    load.wait()
    frames = capture.end()
    assert not [frame for _, frame in frames if PLAIN in frame], "IPv6 beside the tunnel"
    owner.down()


@scenario(seconds=90, lacks=SAYS)
def h8_nothing_leaves_after_a_crash(lab):
    """H8, F-P1: with KillSwitch, while all of the tunnel is dead, its device too, and while up brings it back."""
    owner = Owner(lab)
    owner.router.address("lo", *(f"{address}/{128 if ':' in address else 32}" for address in PUBLIC))
    owner.router.wait_addresses(*PUBLIC)
    owner.far()
    owner.file(allowed=BOTH, interface="Address = 10.9.0.1/24, fd09::1/64\n#: KillSwitch = yes")
    before = owner.look()
    owner.up()
    works(owner)
    capture = Capture(lab, owner.ns)
    load = senders(lab, owner.ns, *PUBLIC)
    pids = owner.engines()
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not set(pids) & set(processes()), 10, "they are dead")
    time.sleep(0.5)
    done = owner.up()
    assert "the device of home is gone" in done.stderr
    works(owner, *INNER, *PUBLIC)
    load.kill()
    load.wait()
    leaked = [frame for _, frame in capture.end() if PLAIN in frame]
    assert not leaked, f"{len(leaked)} in the clear"
    owner.down()
    owner.wait_ends()
    assert not unlike(before, owner.look())


# --- rows of the fault list ---------------------------------------------------------------------------------


@scenario(seconds=200, lacks=SAYS)
def fc11_no_expansion(lab):
    """F-C11: what a shell would expand is a mistake at its place, whatever files there are."""
    owner = Owner(lab)
    (host.HOME / "10.9.0.7").touch()
    for value in ("*", "10.9.0.[17]", "`touch /run/work/ran`"):
        owner.file(interface=f"Address = {value}", allowed="10.9.0.0/24")
        refused(owner, "home.conf:3:")
        owner.file(interface=f"Address = 10.9.0.1/24\nDNS = {value}\nTable = {value}", allowed="10.9.0.0/24")
        refused(owner, "home.conf:5:")
    assert not (WORK / "ran").exists()


@pytest.mark.parametrize("first", ["home", "work"])
@scenario(seconds=90, lacks=SAYS)
def fc11_down_takes_only_its_own_rules(lab, first):
    """F-C11: two default routes; the rules of the one that stays are there, and work, when the other goes."""
    owner = Owner(lab)
    owner.far()
    owner.file(allowed=BOTH)
    owner.file("work", interface="Address = 10.29.0.1/24", allowed=BOTH)
    before = owner.look()
    owner.up()
    alone = owner.look()
    owner.up("work")
    second = "work" if first == "home" else "home"
    owner.down(first)
    owner.wait_ends(first)
    if second == "home":
        assert not unlike(alone, owner.look())
        works(owner)
    else:
        assert owner.ns.run("ip", "rule").count("suppress_prefixlength") == 1
        assert "dev work" in owner.ns.run("ip", "route", "get", PUBLIC[0])
    owner.down(second)
    owner.wait_ends(second)
    assert not unlike(before, owner.look())


@scenario(seconds=120, lacks=SAYS, unsanitized="has another malloc")
def fp5_up_whose_memory_fails(lab):
    """F-P5: an up whose n-th allocation fails is whole or not at all, and no signal ends it."""
    owner = Owner(lab)
    owner.file(allowed=BOTH, interface="Address = 10.9.0.1/24, fd09::1/64\nDNS = 10.9.0.2\nPostUp = true")
    before = owner.look()
    memory = Memory()
    memory.count()
    owner.up(env=memory.environment)
    allocations, _ = memory.mend()
    owner.down()
    owner.wait_ends()
    every = max(1, allocations // (200 if os.environ.get("WARREN_TIER") == "full" else 12))
    for n in range(7 % every, allocations, every):
        memory.fail(skip=n)
        done = owner.up(check=False, env=memory.environment)
        memory.mend()
        assert done.returncode in (0, 1), f"allocation {n}: status {done.returncode}"
        if done.returncode == 0:
            owner.down()
        else:
            assert done.stderr, f"allocation {n}: fails without a word"
        owner.wait_ends()
        assert not unlike(before, owner.look()), f"allocation {n} of {allocations}"


@scenario(seconds=200, lacks=SAYS)
def fp4_up_without_descriptors(lab):
    """F-P4: so few descriptors that nothing can be done: whole or not at all, and told."""
    owner = Owner(lab)
    owner.file(allowed=BOTH)
    before = owner.look()
    for limit in (3, 6, 9, 14):
        done = owner.run("up", "home", check=False, wrapper=("prlimit", f"--nofile={limit}"))
        if done.returncode == 0:
            owner.down()
        else:
            assert done.stderr, f"{limit} descriptors: fails without a word"
        owner.wait_ends()
        assert not unlike(before, owner.look()), f"{limit} descriptors"
