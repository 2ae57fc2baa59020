"""What is asked of both: files as people write them, by hand where an edge is known, and made at random from fixed seeds.

A case is one host: what is special about it, its files, and the commands given one after the other. Each is played by
both programs; what came of each command is compared (test_quick.py).
"""
import base64
import dataclasses
import hashlib
import os
import random

from host import FOLDER, HOME, LOG

HOOK = f"echo %i {{}} >> {LOG}"


def key(name):
    """The same private, public or preshared key for the same name; not a pair."""
    raw = bytearray(hashlib.sha256(name.encode()).digest())
    raw[0] &= 248
    raw[31] = raw[31] & 127 | 64
    return base64.b64encode(bytes(raw)).decode()


def file(interface="", peers=("AllowedIPs = 10.7.0.0/24",), private="own"):
    """Interface lines and, of each peer, its lines; keys are filled in."""
    text = f"[Interface]\nPrivateKey = {key(private)}\n" + interface + ("" if interface.endswith("\n") or not interface else "\n")
    for i, peer in enumerate(peers):
        text += f"\n[Peer]\nPublicKey = {key(f'peer {i}')}\n{peer}\n"
    return text


@dataclasses.dataclass
class Case:
    name: str
    files: dict                # below /etc/wireguard, or where commands are given if it begins with ./; text or bytes
    steps: tuple = (("up", "wg0"), ("down", "wg0"))
    host: tuple = ()           # commands beforehand, or functions of the lab
    modes: dict = dataclasses.field(default_factory=dict)
    env: dict = dataclasses.field(default_factory=dict)
    default: bool = True       # default routes of both families
    resolvconf: bool = True
    full: bool = False
    kinds: tuple = ()          # words that differences.py looks for
    folder_mode: int = 0o700

    def write(self, folder, home):
        os.chmod(folder, self.folder_mode)
        for name, text in self.files.items():
            path = home / name[2:] if name.startswith("./") else folder / name
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
            os.chmod(path, self.modes.get(name, 0o600))


ROWS = []


def case(name, text, *, steps=None, **more):
    """text: of wg0.conf, or all files."""
    files = text if isinstance(text, dict) else {"wg0.conf": text}
    if steps is not None:
        more["steps"] = tuple(tuple(s.split()) if isinstance(s, str) else s for s in steps)
    ROWS.append(Case(name, files, **more))


V4, V6, BOTH = "Address = 10.7.0.2/24", "Address = fd07::2/64", "Address = 10.7.0.2/24, fd07::2/64"
ALL = "AllowedIPs = 0.0.0.0/0, ::/0"
TO = "Endpoint = 10.1.0.2:51820"

# --- addresses and routes -----------------------------------------------------------------------------

case("v4", file(V4))
case("v6", file(V6, ["AllowedIPs = fd07::/64, fd08::/48"]))
case("both families", file(BOTH, ["AllowedIPs = 10.7.0.0/24, fd07::/64, 192.168.7.0/24, fd09::/32\n" + TO]))
case("address without a mask", file("Address = 10.7.0.2, fd07::2"))
case("many addresses", file("Address = 10.7.0.2/32 10.8.0.2/31,10.9.0.2/16\nAddress = fd07::2/128\nAddress=fd08::2/64 ,10.7.0.3/24"))
case("no address", file("", ["AllowedIPs = 10.7.0.0/24"]))
case("no peer", file(BOTH, []))
case("peer without networks", file(BOTH, ["", TO]))
case("host bits", file(V4, ["AllowedIPs = 10.8.3.5/16, fd08::5/32, 10.9.0.1"]))
case("nested networks", file(V4, ["AllowedIPs = 10.0.0.0/9", "AllowedIPs = 10.8.0.0/16", "AllowedIPs = 10.8.8.0/24, 10.8.8.8/32"]))
case("same network at two peers", file(V4, ["AllowedIPs = 10.8.0.0/16, 10.9.0.0/16", "AllowedIPs = 10.8.0.0/16"]))
case("network of the address", file(V4, ["AllowedIPs = 10.7.0.0/24, 10.7.0.9/32, 10.6.0.0/15"]))
case("wide network over the address", file("Address = 10.7.0.2/32", ["AllowedIPs = 10.7.0.0/16"]))
case("v4 route without a v4 address", file(V6, ["AllowedIPs = 10.8.0.0/24"]))
case("many peers", file(BOTH, [f"AllowedIPs = 10.8.{i}.0/24, fd08:{i:x}::/32" for i in range(30)]))
case("many networks", file(V4, ["AllowedIPs = " + ", ".join(f"172.16.{i}.0/24" for i in range(40))]))
case("halves", file(V4, ["AllowedIPs = 0.0.0.0/1, 128.0.0.0/1\nEndpoint = 10.1.0.2:1"]))
case("multicast and broadcast", file(V4, ["AllowedIPs = 224.0.0.0/4, 255.255.255.255/32, ff00::/8"]))
case("a network that is there", file(V4, ["AllowedIPs = 10.1.0.0/24"]), kinds=("fails",))
case("the same address twice", file("Address = 10.7.0.2/24, 10.7.0.2/24"), kinds=("fails",))
case("no address at all", file("Address = 10.7.0.300/24"), kinds=("fails",))
case("a bad mask", file("Address = 10.7.0.2/33"), kinds=("fails",))
case("IPv6 is off", file(BOTH), host=("sysctl -q net.ipv6.conf.default.disable_ipv6=1",), kinds=("fails",))
case("glob in Address", {"wg0.conf": file("Address = *"), "./10.7.0.9": ""}, kinds=("fails", "glob"))

# --- default routes -------------------------------------------------------------------------------------

case("default v4", file(V4, ["AllowedIPs = 0.0.0.0/0\n" + TO]))
case("default v6", file(V6, ["AllowedIPs = ::/0\nEndpoint = [fd01::2]:51820"]))
case("default both", file(BOTH, [ALL + "\n" + TO]))
case("default both, one address", file(V4, [ALL + "\n" + TO]))
case("default and more", file(BOTH, ["AllowedIPs = 10.8.0.0/16, 0.0.0.0/0, fd08::/32, ::/0\n" + TO, "AllowedIPs = 10.9.0.0/16"]))
case("default of two peers", file(BOTH, ["AllowedIPs = 0.0.0.0/0\n" + TO, "AllowedIPs = ::/0"]))
case("default with host bits", file(V4, ["AllowedIPs = 1.2.3.4/0"]))
case("default, many addresses", file("Address = 10.7.0.2/32, 10.8.0.2/24, fd07::2/128, fd08::2/64, fd09::2/64", [ALL]))
case("default, no address", file("", [ALL]))
case("FwMark", file(BOTH + "\nFwMark = 0x99", [ALL]))
case("FwMark in decimal", file(BOTH + "\nFwMark = 4711", [ALL]))
case("FwMark off", file(BOTH + "\nFwMark = off", [ALL]))
case("FwMark without a default route", file(BOTH + "\nFwMark = 0x99"))
case("FwMark of a table in use", file(V4 + "\nFwMark = 77", [ALL]), host=("ip route add 10.66.0.0/16 via 10.1.0.2 table 77",))
case("first tables in use", file(BOTH, [ALL]), host=("ip route add 10.66.0.0/16 via 10.1.0.2 table 51820",
                                                      "ip -6 route add fd66::/16 via fd01::2 table 51821"))
case("src_valid_mark is on", file(V4, [ALL]), host=("sysctl -q net.ipv4.conf.all.src_valid_mark=1",))
case("strict reverse paths", file(V4, [ALL]), host=("sysctl -q net.ipv4.conf.all.rp_filter=1",))
case("host has rules", file(BOTH, [ALL]), host=("ip rule add from 10.1.0.1 table 200", "ip -6 rule add fwmark 9 table 200 priority 100",
                                                 "ip rule add table main suppress_prefixlength 0 priority 30000"),
     kinds=("suppress",))
case("host has a firewall", file(BOTH, [ALL]),
     host=("nft add table inet filter", "nft add chain inet filter input { type filter hook input priority 0 ; policy accept ; }",
           "nft add rule inet filter input tcp dport 22 accept", "nft add table ip wg-quick-wg1"))
case("forwarding host", file(BOTH, [ALL]), host=("sysctl -q net.ipv4.ip_forward=1", "sysctl -q net.ipv6.conf.all.forwarding=1"))

# --- Table ----------------------------------------------------------------------------------------------

case("Table auto", file(BOTH + "\nTable = auto", [ALL]))
case("Table off", file(BOTH + "\nTable = off", [ALL]))
case("Table off, no default", file(BOTH + "\nTable = off"))
case("Table 1234", file(BOTH + "\nTable = 1234", ["AllowedIPs = 10.8.0.0/16, fd08::/32, 10.7.0.0/24"]))
case("Table 1234, default", file(BOTH + "\nTable = 1234", [ALL]))
case("Table 1234 and FwMark", file(BOTH + "\nTable = 1234\nFwMark = 5", [ALL]))
case("Table main", file(V4 + "\nTable = main", ["AllowedIPs = 10.8.0.0/16"]))
case("Table main, default there", file(V4 + "\nTable = main", ["AllowedIPs = 0.0.0.0/0"]), kinds=("fails",))
case("Table main, no default there", file(BOTH + "\nTable = main", [ALL]), default=False)
case("Table main, connected", file(V4 + "\nTable = main", ["AllowedIPs = 10.7.0.0/24"]), kinds=("fails",))
case("Table by name", file(V4 + "\nTable = default", ["AllowedIPs = 10.8.0.0/16"]))
case("Table in hex", file(V4 + "\nTable = 0x4d2", ["AllowedIPs = 10.8.0.0/16"]))
case("Table of no name", file(V4 + "\nTable = nonsense", ["AllowedIPs = 10.8.0.0/16"]), kinds=("fails",))
case("Table OFF", file(V4 + "\nTable = OFF", ["AllowedIPs = 10.8.0.0/16"]), kinds=("fails",))
case("Table twice", file(V4 + "\nTable = 1234\nTable = off", [ALL]))

# --- MTU ------------------------------------------------------------------------------------------------

FAR = ("ip route add 192.0.2.0/24 via 10.1.0.2 mtu 1400", "ip -6 route add 2001:db8::/32 via fd01::2 mtu 1380")
case("MTU", file(V4 + "\nMTU = 1280"))
case("MTU twice", file(V4 + "\nMTU = 1280\nMTU = 1300"))
case("MTU of the jumbo kind", file(V4 + "\nMTU = 8920"))
case("MTU too great", file(V4 + "\nMTU = 100000"), kinds=("fails",))
case("MTU of no number", file(V4 + "\nMTU = many"), kinds=("fails",))
case("MTU by the link", file(V4, ["AllowedIPs = 10.7.0.0/24\n" + TO]), host=("ip link set out mtu 1300",))
case("MTU by the route", file(V4, ["AllowedIPs = 10.7.0.0/24\nEndpoint = 192.0.2.1:1"]), host=FAR)
case("MTU by the v6 route", file(V4, ["AllowedIPs = 10.7.0.0/24\nEndpoint = [2001:db8::1]:1"]), host=FAR)
case("MTU by the smallest", file(V4, ["AllowedIPs = 10.7.0.0/24\n" + TO, "Endpoint = 192.0.2.1:1", "Endpoint = [2001:db8::1]:1"]),
     host=FAR)
case("MTU by the default route", file(V4), host=("ip route change default via 10.1.0.2 mtu 1350",))
case("MTU without any route", file(V4), default=False)
case("MTU of an endpoint without a route", file(V4, ["AllowedIPs = 10.7.0.0/24\nEndpoint = 198.51.100.1:1"]), default=False,
     kinds=("no way",))
case("MTU over loopback", file(V4, ["AllowedIPs = 10.7.0.0/24\nEndpoint = 127.0.0.1:1"]))

# --- DNS ------------------------------------------------------------------------------------------------

case("DNS", file(V4 + "\nDNS = 10.7.0.1"))
case("DNS and search", file(BOTH + "\nDNS = 10.7.0.1, fd07::1, corp.example,lab.example\nDNS = 10.7.0.3 home.arpa", [ALL]))
case("DNS, search alone", file(V4 + "\nDNS = corp.example"))
case("DNS that fails", file(V4 + "\nDNS = 10.7.0.1"), host=("touch /run/work/resolvconf-fails",), kinds=("dns fails",))
case("DNS without resolvconf", file(V4 + "\nDNS = 10.7.0.1"), resolvconf=False, kinds=("dns fails",))
case("DNS of a tunnel that fails", file(V4 + "\nDNS = 10.7.0.1\nPostUp = false"), kinds=("fails",))

# --- hooks ----------------------------------------------------------------------------------------------


def hooks(*lines):
    return BOTH + "".join(f"\n{line}" for line in lines)


EACH = tuple(f"{name} = {HOOK.format(name)}" for name in ("PreUp", "PostUp", "PreDown", "PostDown"))
STATE = (f"PreUp = (ip -br addr show %i; ip link show %i | grep -o mtu.[0-9]*; ip rule | grep -c lookup) >> {LOG}",
         f"PostUp = (ip -br addr show %i; ip route; ip route show table 51820; ip rule; wg show %i peers) >> {LOG}",
         f"PreDown = (ip -br addr show %i; ip rule) >> {LOG}",
         f"PostDown = (ip -br link show %i 2>&1 | wc -l; ip rule; ip route) >> {LOG}")
case("hooks", file(hooks(*EACH)))
case("hooks twice each", file(hooks(*EACH, *(f"{name} = {HOOK.format('again')}" for name in ("PostUp", "PreUp", "PostDown", "PreDown")))))
case("hooks that look", file(hooks(*STATE)), kinds=("looks",))
case("hooks that look at a default route", file(hooks(*STATE), [ALL]), kinds=("looks",))
case("hooks of many words", file(hooks(
    f"PostUp = test -n '%i' && echo \"first; 'second' & third\" >> {LOG} && echo warned >&2 || echo not",
    f"PostUp = echo told; for x in a b; do echo $x%i%i >> {LOG}; done",
    f"PostDown = echo 100% of %i > {LOG}.$$; rm {LOG}.$$; echo '%I %% %d' >> {LOG}")))
case("hooks of bash", file(hooks(
    f"PostUp = a=(one two); [[ ${{a[1]}} == t* ]] && printf '%%s\\n' \"${{a[@]}}\" >> {LOG}; cat <<< \"${{a[0]^^}}\" >> {LOG}",
    f"PostDown = shopt -s extglob; x='  y'; echo \"${{x##*([[:space:]])}}\" >> {LOG}")))
case("hooks with a comment sign", file(hooks(f"PostUp = echo 'a # b' >> {LOG} # and this is for the shell",
                                              f"PostDown = x=abc; echo ${{x#a}} >> {LOG}")))
case("hooks know where they are", file(hooks(
    f"PostUp = pwd >> {LOG}; id -u >> {LOG}; umask >> {LOG}; echo $LC_ALL >> {LOG}; echo ${{PATH##*:}} >> {LOG}; "
    f"readlink /proc/self/fd/0 >> {LOG}")))
case("hooks get no variables", file(hooks(f"PostUp = echo mine=$MINE >> {LOG}")), env={"MINE": "given"})
case("hooks see names of wg-quick", file(hooks(f"PostUp = echo $INTERFACE $CONFIG_FILE >> {LOG}")), kinds=("script's own",))
case("hook that turns mark on", file(hooks("PreUp = wg set %i fwmark 333"), [ALL]))
case("hook that gives the key", {"wg0.conf": file(hooks(f"PreUp = wg set %i private-key {FOLDER}/key")).replace(
    f"PrivateKey = {key('own')}\n", ""), "key": key("other") + "\n"})
case("hook that adds a route", file(hooks("PostUp = ip route add 10.88.0.0/16 dev %i", "PreDown = ip route del 10.88.0.0/16 dev %i")))
case("hook that brings a firewall", file(hooks("PostUp = nft add table inet mine_%i", "PostDown = nft delete table inet mine_%i")))
for at in ("PreUp", "PostUp"):
    case(f"{at} that fails", file(hooks(*EACH, f"{at} = exit 7", f"{at} = {HOOK.format('never')}"), [ALL]), kinds=("fails",))
    case(f"{at} of no such program", file(hooks(*EACH, f"{at} = no-such-program")), kinds=("fails",))
for at in ("PreDown", "PostDown"):
    case(f"{at} that fails", file(hooks(*EACH, f"{at} = exit 7", f"{at} = {HOOK.format('never')}")), kinds=("down fails",),
         steps=["up wg0", "down wg0"] + (["wg set wg0 fwmark 0"] if at == "PreDown" else []))
case("PostUp with a mistake of syntax", file(hooks("PostUp = if true; then")), kinds=("fails",))
case("hook that is ended by a signal", file(hooks("PostUp = kill -9 $BASHPID")), kinds=("fails",))

# --- SaveConfig, save, strip ------------------------------------------------------------------------------

case("SaveConfig", file(BOTH + "\nListenPort = 7\nSaveConfig = true"))
case("SaveConfig False", file(BOTH + "\nListenPort = 7\nSaveConfig = False"))
case("SaveConfig TRUE and a peer more", file(BOTH + "\nListenPort = 7\nSaveConfig = TRUE\nMTU = 1300\nTable = 77"),
     steps=["up wg0", f"wg set wg0 peer {key('peer new')} allowed-ips 10.9.0.0/16 persistent-keepalive 25", "down wg0"])
case("SaveConfig yes", file(BOTH + "\nSaveConfig = yes"), kinds=("fails",))
case("SaveConfig with all", file(hooks(*EACH, "ListenPort = 7", "SaveConfig = true", "DNS = 10.7.0.1, fd07::1", "Table = auto")),
     kinds=("saves",))
case("SaveConfig with &&", file(hooks("ListenPort = 7", "SaveConfig = true", f"PostUp = true && echo up >> {LOG} 2>&1",
                                     f"PostDown = echo a & b=1 && echo $b >&2")), kinds=("saves", "ampersand"))
case("SaveConfig and comments", "# mine\n" + file(BOTH + "\nListenPort = 7 # the port\nSaveConfig = true\nDNS = 10.7.0.1, corp.example",
                                                  ["# Anna's phone\nAllowedIPs = 10.7.0.9/32 # hers\n"]), kinds=("saves",))
case("save", file(BOTH + "\nListenPort = 7"), steps=["up wg0", "wg set wg0 listen-port 8", "save wg0", "down wg0"], kinds=("saves",))
case("save of what is not up", file(BOTH), steps=["save wg0"])
case("strip", file(hooks("DNS = 1.1.1.1", "MTU = 1400", "Table = off", "ListenPort = 7 # port", "# a comment", "  FwMark=5  ",
                        "PostUp = x", "SaveConfig = true"), ["AllowedIPs=10.0.0.0/8 ,::/0   \n  # peer's\n"]), steps=["strip wg0"])
case("strip of strange lines", "junk\nAddress = 1.2.3.4\n[Interface]\nAddress=1.1.1.1\nWhat = 5\n=\nMTU\n[Peer]\nMTU = 5\n[interface]\nMTU=7",
     steps=["strip wg0"])
case("strip of an empty file", "", steps=["strip wg0"])

# --- how files are written ----------------------------------------------------------------------------------

case("CRLF", file(BOTH + "\nMTU = 1300\nListenPort = 7", [ALL]).replace("\n", "\r\n"))
case("odd spacing and case", f"[interface]\n\tprivatekey={key('own')}\n ADDRESS =10.7.0.2/24 ,fd07::2/64  \nmtu   =   1300\nlistenPORT= 7\n\n\n"
                             f"[PEER]\npublickey ={key('peer')}\nALLOWEDIPS=10.8.0.0/16,  10.9.0.0/16 ,fd08::/32\npersistentkeepalive=off\n")
case("comments everywhere", "# Interface\n" + file("# a\nAddress = 10.7.0.2/24 # = b\n#Address = 1.2.3.4\nMTU = 1300#c\nListenPort = 7 #d", [
    "# [Interface]\nAllowedIPs = 10.8.0.0/16#, 0.0.0.0/0\n # Endpoint = 10.1.0.2:9"]))
case("no line break at the end", file(BOTH).rstrip("\n"))
case("Interface behind a peer", f"[Peer]\nPublicKey = {key('peer')}\nAllowedIPs = 10.8.0.0/16\n\n" + file(V4, []))
case("Interface twice", file("Address = 10.7.0.2/24", []) + "\n" + file("Address = 10.8.0.2/24\nMTU = 1300"))
case("Address of a peer", file(V4, ["AllowedIPs = 10.8.0.0/16\nAddress = 10.9.0.1/24"]), kinds=("fails",))
case("unknown key", file(V4 + "\nColour = blue"), kinds=("fails",))
case("bad key", file(V4).replace(key("own"), "abc"), kinds=("fails",))
case("empty value", file(V4, ["AllowedIPs = 10.8.0.0/16\nPresharedKey ="]), kinds=("fails",))
case("empty file", "", kinds=("fails",))
case("byte order mark", "\ufeff" + file(V4), kinds=("fails", "mark"))
case("keys of all kinds", file(BOTH + "\nListenPort = 4711\nFwMark = 7", [
    f"PresharedKey = {key('shared')}\nAllowedIPs = 10.8.0.0/16\nEndpoint = 10.1.0.2:51820\nPersistentKeepalive = 25",
    "AllowedIPs = fd08::/32\nEndpoint = [fd01::2]:51820\nPersistentKeepalive = off"]))
case("endpoint by name", file(BOTH, ["AllowedIPs = 10.8.0.0/16\nEndpoint = vpn.example:51820", "Endpoint = six.example:1"]))
case("endpoint of no such name", file(BOTH, ["AllowedIPs = 10.8.0.0/16\nEndpoint = no.such.example:1"]), kinds=("fails",))
case("port that is taken", file(BOTH + "\nListenPort = 53"), host=(lambda lab: setattr(lab, "taken", lab.root.udp("0.0.0.0", 53)),),
     kinds=("fails", "port"))

# --- names, files, arguments ----------------------------------------------------------------------------------

case("longest name", {"fifteen-letters.conf": file(BOTH, [ALL])}, steps=["up fifteen-letters", "down fifteen-letters"])
case("name of odd letters", {"a_=+.-9.conf": file(BOTH)}, steps=["up a_=+.-9", "down a_=+.-9"])
case("name too long", {"sixteen-letters1.conf": file(BOTH)}, steps=["up sixteen-letters1", f"up {FOLDER}/sixteen-letters1.conf"])
case("name that is none", {"./w g.conf": file(BOTH), "./wg!.conf": file(BOTH), "./wg0": file(BOTH)},
     steps=[("up", "./w g.conf"), "up ./wg!.conf", "up ./wg0"])
case("wg0.conf in the folder", {"./wg0.conf": file(BOTH)}, steps=["up wg0.conf", "up ./wg0.conf", "down ./wg0.conf"])
case("wg0.conf.conf", {"wg0.conf.conf": file(BOTH), "./wg0.conf": file("MTU = 1300")}, steps=["up wg0.conf", "down wg0.conf"])
case("by path", {"./x.conf": file(BOTH)}, steps=[f"up {HOME}/x.conf", f"down {HOME}/x.conf"])
case("by a link", {"./real.conf": file(BOTH + "\nListenPort = 7\nSaveConfig = true")}, steps=["up ./wg7.conf", "down ./wg7.conf"],
     host=(lambda lab: os.symlink("real.conf", "wg7.conf"),))
case("missing file", {}, steps=["up wg0", "down wg0", "save wg0", "strip wg0", "up ./no.conf"])
case("folder for a file", {}, host=(lambda lab: os.mkdir(FOLDER / "wg0.conf"),), steps=["up wg0"], kinds=("fails",))
case("world readable", file(BOTH), modes={"wg0.conf": 0o644}, folder_mode=0o755, steps=["up wg0", "strip wg0", "down wg0"])
case("world readable in a closed folder", file(BOTH), modes={"wg0.conf": 0o644})
case("group readable", file(BOTH), modes={"wg0.conf": 0o640}, folder_mode=0o755)
case("world writable", file(hooks(*EACH)), modes={"wg0.conf": 0o666}, folder_mode=0o755, kinds=("writable",))
for words in ("", "--help", "-h", "help", "up", "down", "bogus wg0", "up wg0 more", "--version", "help up", "up --help", "Up wg0"):
    case(f"words: {words or 'none'}", file(BOTH), steps=[("wg-quick", *words.split())])
case("engine that is missing", file(BOTH), env={"WG_QUICK_USERSPACE_IMPLEMENTATION": "no-such-engine"}, kinds=("fails",))
case("engine that fails", file(BOTH), env={"WG_QUICK_USERSPACE_IMPLEMENTATION": "false"}, kinds=("fails",))
case("wireguard-go", file(BOTH + "\nListenPort = 7", [ALL]), env={"WG_QUICK_USERSPACE_IMPLEMENTATION": "wireguard-go"})
case("engine by its path", file(BOTH), env={"WG_QUICK_USERSPACE_IMPLEMENTATION": "/usr/bin/wireguard-go"})

# --- what is there already, several tunnels ---------------------------------------------------------------------

TWO = {"wg0.conf": file(BOTH, [ALL + "\n" + TO]), "wg1.conf": file("Address = 10.17.0.2/24, fd17::2/64", [ALL + "\n" + TO], "second")}
case("up twice", file(BOTH), steps=["up wg0", "up wg0", "down wg0", "down wg0"])
case("down of what is not up", file(BOTH), steps=["down wg0"])
case("a link of that name", file(BOTH), host=("ip link add wg0 type veth peer name wg0b",), steps=["up wg0", "down wg0"])
case("two tunnels", {"wg0.conf": file(BOTH), "wg1.conf": file("Address = 10.17.0.2/24", ["AllowedIPs = 10.18.0.0/16"], "second")},
     steps=["up wg0", "up wg1", "down wg0", "down wg1"])
case("two defaults, first in first out", TWO, steps=["up wg0", "up wg1", "down wg0", "down wg1"], kinds=("suppress",))
case("two defaults, first in last out", TWO, steps=["up wg0", "up wg1", "down wg1", "down wg0"], kinds=("suppress",))
case("two defaults, the other first", TWO, steps=["up wg1", "up wg0", "down wg0", "down wg1"], kinds=("suppress",))
case("two defaults of one mark", {name: text.replace("[Peer]", "FwMark = 0x99\n[Peer]") for name, text in TWO.items()},
     steps=["up wg0", "up wg1", "down wg1", "down wg0"], kinds=("one table",))
case("one default for each family", {"wg0.conf": file(V4, ["AllowedIPs = 0.0.0.0/0"]), "wg1.conf": file(V6, ["AllowedIPs = ::/0"], "second")},
     steps=["up wg0", "up wg1", "down wg0", "down wg1"], kinds=("suppress",))
case("a tunnel through a tunnel", {"wg0.conf": file(V4, ["AllowedIPs = 0.0.0.0/0\n" + TO]),
                                   "wg1.conf": file("Address = 10.17.0.2/24", ["AllowedIPs = 10.18.0.0/16\nEndpoint = 10.7.0.1:5"], "second")},
     steps=["up wg0", "up wg1", "down wg1", "down wg0"])
case("same networks in two tunnels", {"wg0.conf": file(V4, ["AllowedIPs = 10.8.0.0/16"]),
                                      "wg1.conf": file("Address = 10.17.0.2/24", ["AllowedIPs = 10.8.0.0/16"], "second")},
     steps=["up wg0", "up wg1", "down wg0"], kinds=("fails",))


def edit(text):
    return lambda: (FOLDER / "wg0.conf").write_text(text)


case("file changed meanwhile", file(BOTH, [ALL]), steps=["up wg0", edit(file(hooks(*EACH), ["AllowedIPs = 10.8.0.0/16"])), "down wg0"])
case("Table changed meanwhile", file(BOTH, [ALL]), steps=["up wg0", edit(file(BOTH + "\nTable = off", [ALL])), "down wg0"], kinds=("table changed",))
case("DNS changed meanwhile", file(BOTH + "\nDNS = 10.7.0.1"), steps=["up wg0", edit(file(BOTH)), "down wg0"], kinds=("dns changed",))
case("file gone meanwhile", file(BOTH), steps=["up wg0", lambda: os.unlink(FOLDER / "wg0.conf"), "down wg0", edit(file(BOTH)), "down wg0"])
case("file broken meanwhile", file(BOTH), steps=["up wg0", edit("[Interface]\nSaveConfig = maybe\n"), "down wg0"])
case("link gone meanwhile", file(BOTH), steps=["up wg0", "ip link delete wg0", "down wg0", "up wg0", "down wg0"])
case("address and route taken meanwhile", file(BOTH, ["AllowedIPs = 10.8.0.0/16"]),
     steps=["up wg0", "ip addr del 10.7.0.2/24 dev wg0", "ip link set wg0 down", "down wg0"])
case("peers changed meanwhile", file(BOTH, [ALL]), steps=["up wg0", f"wg set wg0 peer {key('peer 0')} remove", "down wg0"], kinds=("no /0 any more",))
case("tables of nft from before", file(BOTH, [ALL]), host=("nft add table ip wg-quick-wg0", "nft add table inet wg-quick-wg0x"))

# --- at random ----------------------------------------------------------------------------------------------------

SEEDS, SEEDS_FULL = 16, 200


def networks(r):
    found = []
    for _ in range(r.choice([1, 1, 2, 4])):
        bits = r.choice([8, 16, 22, 24, 30, 32])
        found.append(f"{r.choice(['10', '172', '192'])}.{r.randrange(16, 32)}.{r.randrange(256)}.{r.randrange(256)}/{bits}")
        if r.random() < 0.5:
            found.append(f"fd{r.randrange(16, 99)}:{r.getrandbits(16):x}::{r.getrandbits(8):x}/{r.choice([16, 32, 48, 64, 127, 128])}")
    return found


def spelled(r, word, value):
    """The same line in one of many ways."""
    word = r.choice([word, word, word.lower(), word.upper()])
    return (r.choice(["", "", " ", "\t"]) + word + r.choice(["=", " = ", " =", "=  "]) + value + r.choice(["", "", "  ", " # said"]))


def separated(r, items):
    return r.choice([",", ", ", " , "]).join(items)


def random_interface(r):
    lines = [("PrivateKey", key("own"))]
    some = [f"10.7.{r.randrange(256)}.{r.randrange(1, 255)}/{r.choice([24, 32, 30])}", f"fd07:{r.randrange(99)}::2/{r.choice([64, 128])}",
            f"172.31.{r.randrange(256)}.7/32"]
    lines += [("Address", a) for a in some[1:]] + [("Address", some[0])] if r.random() < 0.3 else [("Address", separated(r, some[:r.randrange(1, 4)]))]
    for word, chance, values in (("ListenPort", 0.5, ["7", "51820", "65535"]), ("FwMark", 0.3, ["0x77", "9", "off", "0"]),
                                 ("MTU", 0.4, ["1280", "1420", "1500"]), ("Table", 0.4, ["auto", "off", "1234", "250"]),
                                 ("DNS", 0.4, ["10.7.0.1", "10.7.0.1, fd07::1 , lab.example", "a.example b.example,1.1.1.1"]),
                                 ("SaveConfig", 0.2, ["true", "false"])):
        if r.random() < chance:
            lines.append((word, r.choice(values)))
    for word in ("PreUp", "PostUp", "PreDown", "PostDown"):
        for _ in range(r.choice([0, 0, 1, 2])):
            lines.append((word, HOOK.format(f"{word}-{r.randrange(9)}")))
    r.shuffle(lines)
    return lines


def random_peer(r, i):
    lines = [("PublicKey", key(f"peer {i}"))]
    some = networks(r)
    if r.random() < 0.3:
        some += r.sample(["0.0.0.0/0", "::/0"], r.randrange(1, 3))
    r.shuffle(some)
    lines += [("AllowedIPs", separated(r, some))] if r.random() < 0.8 else [("AllowedIPs", one) for one in some]
    if r.random() < 0.6:
        lines.append(("Endpoint", r.choice(["10.1.0.2:51820", "[fd01::2]:5", "192.0.2.9:9", "vpn.example:7"])))
    if r.random() < 0.4:
        lines.append(("PersistentKeepalive", r.choice(["25", "off", "0", "65535"])))
    if r.random() < 0.3:
        lines.append(("PresharedKey", key(f"shared {i}")))
    return lines


def random_text(r):
    sections = [("Interface", random_interface(r))] + [("Peer", random_peer(r, i)) for i in range(r.choice([0, 1, 1, 2, 5]))]
    if r.random() < 0.1:
        r.shuffle(sections)
    lines = []
    for name, rows in sections:
        lines.append(r.choice([f"[{name}]", f"[{name}]", f"[{name.lower()}]"]))
        for word, value in rows:
            hook = word.startswith(("Pre", "Post"))
            lines.append(f"{word} = {value}" if hook and word != "PresharedKey" else spelled(r, word, value))
            if r.random() < 0.1:
                lines.append(r.choice(["", "# a remark", "   ", "#Address = 1.2.3.4"]))
    return r.choice(["\n", "\n", "\n", "\r\n"]).join(lines) + r.choice(["\n", "\n", ""])


def random_case(seed):
    r = random.Random(f"wg-quick {seed}")
    two = r.random() < 0.25
    files = {"wg0.conf": random_text(r)}
    steps = ["up wg0", "down wg0"]
    if two:
        files["wg1.conf"] = random_text(r).replace(key("own"), key("second")).replace("10.7.", "10.70.").replace("fd07:", "fd70:")
        steps = r.choice([["up wg0", "up wg1", "down wg0", "down wg1"], ["up wg1", "up wg0", "down wg0", "down wg1"]])
    hosts = FAR if r.random() < 0.5 else ()
    return Case(f"seed {seed}", files, tuple(tuple(s.split()) for s in steps), host=hosts, default=r.random() < 0.85,
                full=seed >= SEEDS, kinds=("random", "suppress", "saves"))


for number in range(SEEDS_FULL):
    ROWS.append(random_case(number))

# Two of five run in `make test`, chosen by their names; `make test-full` runs them all.
for row in ROWS:
    row.full = row.full or hashlib.sha256(row.name.encode()).digest()[0] % 5 > 1
