#include "base/bytes.h"
#include "model/page_data.h"

static const struct page pages[] = {
	{
		.id = "A1",
		.title = "\"resolvconf: command not found\", and the interface is gone again",
		.see = "`wg-quick up wg0` gets as far as `[#] resolvconf -a ...`, says "
		       "`resolvconf: command not found`, then `[#] ip link delete dev wg0`. "
		       "The exit code is 127.",
		.cause = "The file has `DNS =`, wg-quick hands it to a program named "
			 "resolvconf, and none is installed. Any step that fails makes "
			 "wg-quick undo everything.",
		.tell = "The last `[#]` line before the clean-up is `resolvconf`. Where "
			"another command stands there, see A13 or A5.",
		.fix = "Install one of the two, then bring the tunnel up again:\n"
		       "    apt install openresolv\n"
		       "    apt install systemd-resolved        # has a resolvconf of its own\n"
		       "On a distribution with systemd-resolved but without that command, "
		       "the package is often called systemd-resolvconf. Where the name "
		       "servers are set in some other way, delete the `DNS =` line instead.",
		.warren = "`warren up` needs no resolvconf. It tells whoever writes "
			  "`/etc/resolv.conf`: systemd-resolved and NetworkManager over D-Bus, a "
			  "resolvconf if that is it, and where it is nobody, it writes that file "
			  "itself and puts back what stood there. When none of it works, it says "
			  "why and the tunnel stays up. Under the name wg-quick it does what "
			  "wg-quick does.",
		.related = "A13 H7 H2",
	},
	{
		.id = "A2",
		.title = "\"RTNETLINK answers: Operation not supported\", \"Unknown device type\"",
		.see = "`ip link add dev wg0 type wireguard` fails with one of: `Operation "
		       "not supported`, `Error: Unknown device type`; or `wg` says `Protocol "
		       "not supported`.",
		.cause = "The running kernel has no WireGuard. Either it is older than 5.6 and "
			 "without the module, or the kernel was updated and the module "
			 "directory of the running one is gone until a reboot, or this is a "
			 "container whose host lacks the module.",
		.tell = "Compare the running kernel with what is installed, and try to load "
			"the module:\n"
			"    uname -r; ls /lib/modules\n"
			"    modprobe wireguard\n"
			"When `uname -r` is not in that list, it is the update without a "
			"reboot. In a container, do this on the host.",
		.fix = "Reboot into the installed kernel, or install the module on the host. "
		       "Or do without the kernel:\n"
		       "    WG_QUICK_USERSPACE_IMPLEMENTATION=warrend wg-quick up wg0\n"
		       "It needs `/dev/net/tun` and CAP_NET_ADMIN (in Docker `--device "
		       "/dev/net/tun --cap-add NET_ADMIN`).",
		.warren = "`warren run wg0` is a WireGuard engine that needs no kernel module.",
		.related = "A3 A4",
	},
	{
		.id = "A3",
		.title = "\"sysctl: ... src_valid_mark: Read-only file system\", in a container",
		.see = "In a container, a tunnel with `AllowedIPs = 0.0.0.0/0` goes up and "
		       "is torn down at once, with this message.",
		.cause = "For a default route over IPv4 wg-quick sets that sysctl to 1, and "
			 "`/proc/sys` is read-only in the container. wg-quick before "
			 "1.0.20260223 writes it even when it is 1 already, so the failure may "
			 "be needless.",
		.tell = "Read the value in the container:\n"
			"    sysctl net.ipv4.conf.all.src_valid_mark",
		.fix = "Let the container start with the value, and use a wg-quick that "
		       "looks before it writes (1.0.20260223 or newer):\n"
		       "    docker run --sysctl net.ipv4.conf.all.src_valid_mark=1 ...\n"
		       "With an older wg-quick that still fails although the value is 1, "
		       "`Table = off` and routes of your own in PostUp avoid the write.",
		.warren = "`warren up` writes a switch only where its value is another one, and "
			  "where it cannot be written says so and goes on.",
		.related = "A2 G4 I4",
	},
	{
		.id = "A4",
		.title = "\"ip6tables-restore: unable to initialize table 'raw'\"",
		.see = "`wg-quick up` of a tunnel with `::/0` (or `0.0.0.0/0`) fails at "
		       "iptables-restore or ip6tables-restore, and everything is undone.",
		.cause = "For a default route wg-quick adds a few firewall rules. It uses "
			 "`nft` where that program is installed, else iptables. There the "
			 "kernel lacks the raw table (module ip6table_raw or iptable_raw), "
			 "which a container cannot load.",
		.fix = "Install nftables; wg-quick then does not need the old tables:\n"
		       "    apt install nftables\n"
		       "Or load the modules on the host:\n"
		       "    modprobe -a iptable_raw ip6table_raw\n"
		       "Or, where IPv6 is not wanted at all, take `::/0` and every IPv6 "
		       "address out of the file, and read H4 first: IPv6 that is left on "
		       "goes past the tunnel.",
		.related = "A5 D14 H4",
	},
	{
		.id = "A5",
		.title = "\"RTNETLINK answers: Permission denied\" when an IPv6 address is added",
		.see = "`[#] ip -6 address add fd00::2/64 dev wg0` or an `ip -6 route add` "
		       "fails with `Permission denied` or `IPv6 is disabled on this device`, "
		       "although you are root.",
		.cause = "IPv6 is switched off on this host (`disable_ipv6`), and the file has "
			 "an IPv6 address or an IPv6 prefix in AllowedIPs.",
		.tell = "One of these is 1:\n"
			"    sysctl net.ipv6.conf.all.disable_ipv6 "
			"net.ipv6.conf.default.disable_ipv6",
		.fix = "Either switch IPv6 on:\n"
		       "    sysctl -w net.ipv6.conf.all.disable_ipv6=0\n"
		       "    sysctl -w net.ipv6.conf.default.disable_ipv6=0\n"
		       "or take every item with a `:` in it out of `Address` and "
		       "`AllowedIPs` (the endpoint may stay where it is IPv4). While IPv6 is "
		       "off on all interfaces nothing leaks over it.",
		.warren = "`warren up` says which line needs IPv6, leaves it out, and brings up "
			  "the rest.",
		.related = "H4 H5 A4",
	},
	{
		.id = "A6",
		.title = "\"Address already in use\" when the link goes up",
		.see = "`RTNETLINK answers: Address already in use` at `ip link set ... up`, "
		       "or `Unable to modify interface: Address already in use` from `wg "
		       "set`.",
		.cause = "Another program, or another WireGuard interface, has this UDP port: "
			 "the same ListenPort in two files, OpenVPN on 1194, a DNS server on "
			 "53, a second copy of the same tunnel.",
		.tell = "See who has the port. A port of the kernel's own WireGuard has no "
			"process:\n"
			"    ss -ulpn 'sport = :51820'\n"
			"    wg show all listen-port",
		.fix = "Give one of the two another port. On a client delete the "
		       "`ListenPort` line: a free one is then taken by itself. On a server "
		       "change it in the file, in the firewall, and in the Endpoint of every "
		       "client.",
		.warren = "With Warren's engine a port that is taken leaves the old one as it "
			  "was, and the message is the same.\n"
			  "`warren up` names the process that has the port, and nothing is left "
			  "behind.",
		.related = "E6 I2 A14",
	},
	{
		.id = "A7",
		.title = "\"Line unrecognized: Address=...\"",
		.see = "`wg setconf`, `addconf` or `syncconf` says ``Line unrecognized: "
		       "`Address=10.0.0.2/24'`` and `Configuration parsing error`.",
		.cause = "It is a file for wg-quick. Address, DNS, MTU, Table, SaveConfig and "
			 "the PreUp, PostUp, PreDown and PostDown hooks are wg-quick's; `wg` "
			 "knows only PrivateKey, ListenPort and FwMark in [Interface].",
		.fix = "Bring it up with wg-quick:\n"
		       "    wg-quick up wg0\n"
		       "or, for a tunnel that is up, give `wg` only the part that it knows:\n"
		       "    wg syncconf wg0 <(wg-quick strip wg0)\n"
		       "When the key is misspelt or in the wrong section, the message is the "
		       "same: PublicKey, Endpoint and AllowedIPs belong under [Peer].",
		.related = "A8 A17 C5",
	},
	{
		.id = "A8",
		.title = "\"Line unrecognized: PublicKey=\" (the value is empty)",
		.see = "``Line unrecognized: `PresharedKey='`` or another key with nothing "
		       "behind the `=`.",
		.cause = "An empty value is an error for every key in a file. A script or a "
			 "template filled in a variable that was empty.",
		.fix = "Put the value in, or delete the line: what is not set is simply left "
		       "out. (On the command line it is different: `wg set wg0 peer KEY "
		       "allowed-ips \"\"` takes all of them away.)\n"
		       "Then look at the template for other empty places: a missing "
		       "PublicKey makes the whole file useless.",
		.related = "A7 A9",
	},
	{
		.id = "A9",
		.title = "\"Key is not the correct length or format\"",
		.see = "``Key is not the correct length or format: `...'`` from `wg` or "
		       "wg-quick.",
		.cause = "A key is exactly 44 characters: 43 of base64 and a `=` at the end. "
			 "What stands there is a placeholder (`<your key>`), a paste that lost "
			 "its end, a key in quotes, in hexadecimal, or two keys in one line.",
		.tell = "Count it without showing it:\n"
			"    grep -iE '^ *(private|public|preshared)key' wg0.conf |\n"
			"      cut -d= -f2- | tr -d ' \\r' | awk '{ print length($0) }'\n"
			"Every line must say 44. A key with 44 characters that is still "
			"refused was changed by hand: it has a letter that base64 lacks, or "
			"one in the last place before the `=` that cannot stand there.",
		.fix = "Paste the key again, whole, with no quotes. A private key cannot be "
		       "repaired; make another pair, and give the new public key to the "
		       "other end:\n"
		       "    umask 077; wg genkey | tee new.key | wg pubkey",
		.related = "A8 B1",
	},
	{
		.id = "A10",
		.title = "\"Configuration parsing error\", and above it \"Name does not resolve\"",
		.see = "``Name or service not known: `vpn.example.com:51820'`` or `Name does "
		       "not resolve`, then `Configuration parsing error`.",
		.cause = "There is nothing wrong with the file. `wg` looks the endpoint's name "
			 "up while it reads the file, and reports a failed look-up as a parse "
			 "error.",
		.tell = "Look it up yourself, on the same machine:\n"
			"    getent ahosts vpn.example.com\n"
			"When this works later and fails at boot, see A11.",
		.fix = "Correct the name, or the name server of this machine "
		       "(`/etc/resolv.conf`). An address in place of the name always works: "
		       "`Endpoint = 192.0.2.1:51820`.",
		.warren = "`warren up` brings the peer up without an endpoint and says so; `warren "
			  "keep` goes on asking for the name.",
		.related = "A11 A12 E7",
	},
	{
		.id = "A11",
		.title = "The tunnel is missing after a reboot: \"Name or service not known\"",
		.see = "`wg-quick@wg0.service` failed at boot with `Name or service not "
		       "known`. Started by hand, it works.",
		.cause = "The endpoint is a name, and the network or the name server was not "
			 "there yet. `wg` repeats the look-up when the name server does not "
			 "answer, but \"no such name\" is final for it, and that is what a "
			 "resolver without upstream often says. The unit runs once and has no "
			 "Restart.",
		.tell = "The log of that boot shows the look-up before the network was there:\n"
			"    journalctl -b -u wg-quick@wg0",
		.fix = "Let it be tried again on failure: `systemctl edit wg-quick@wg0`, and "
		       "in the editor\n"
		       "    [Unit]\n"
		       "    StartLimitIntervalSec=0\n"
		       "    [Service]\n"
		       "    Restart=on-failure\n"
		       "    RestartSec=10\n"
		       "A oneshot service takes `Restart=on-failure` since systemd 244. See "
		       "to it that something makes the unit wait for the network: `systemctl "
		       "is-enabled NetworkManager-wait-online systemd-networkd-wait-online`.\n"
		       "Or write the server's address instead of its name.",
		.related = "A10 A12 E7",
	},
	{
		.id = "A12",
		.title = "One peer's host name is wrong, and no peer works",
		.see = "A server with many peers does not come up; the message names a "
		       "single endpoint.",
		.cause = "`wg` takes a file whole or not at all. One name that cannot be "
			 "looked up makes it refuse all of it.",
		.tell = "The name is the one in the message. Others may follow; try them all:\n"
			"    grep -i '^ *endpoint' wg0.conf |\n"
			"      sed 's/.*= *//; s/:[0-9]*$//; s/[][]//g' |\n"
			"      while read -r n; do getent ahosts \"$n\" >/dev/null || echo \"$n\"; "
			"done",
		.fix = "Use addresses for peers that must not depend on name service, or "
		       "leave Endpoint out where the other end calls in: its address is "
		       "learned from its first packet.",
		.warren =
			"With `warren up` only that peer is without an endpoint; all others work.",
		.related = "A10 A11",
	},
	{
		.id = "A13",
		.title = "A hook failed and the whole tunnel is gone",
		.see = "`wg-quick up` prints the PostUp command, an error such as `FirewallD "
		       "is not running` or `Bad argument`, and deletes the interface.",
		.cause = "A PreUp or PostUp that ends with an exit code other than 0 is a "
			 "failed step, and wg-quick undoes everything. PreDown and PostDown "
			 "are not run then, so what the hooks had done so far stays.",
		.tell = "The last `[#]` line above the error is the hook. Run it by hand, as "
			"root, with the interface's name for `%i`.",
		.fix = "Correct the command. Typical causes: an interface that is not called "
		       "eth0 here (D6), a program that is not installed, a service that is "
		       "not running. Where a failure does not matter, say so in the line:\n"
		       "    PostUp = ip route add 10.9.0.0/16 dev %i || true\n"
		       "Then undo by hand what an earlier try left behind (`nft list "
		       "ruleset`, `iptables-save`).",
		.warren = "`warren up` shows what the hook printed, names the hook and its exit "
			  "code, and takes back all that was done.",
		.related = "D6 A1 A14",
	},
	{
		.id = "A14",
		.title = "\"wg0 already exists\", though nothing is running",
		.see = "``wg-quick: `wg0' already exists``, often after a crash or a "
		       "half-finished start.",
		.cause = "The link is there, from an earlier start or from another program "
			 "(NetworkManager, systemd-networkd, a container). wg-quick never "
			 "touches one that it finds.",
		.tell = "See who it belongs to, and whether it works:\n"
			"    wg show wg0; ip -br address show wg0\n"
			"    systemctl status wg-quick@wg0; nmcli device; networkctl",
		.fix = "If it is a left-over, take it away with everything around it, then "
		       "start again:\n"
		       "    wg-quick down wg0 || ip link delete dev wg0\n"
		       "    ip rule; ip -6 rule; nft list tables\n"
		       "Rules `not from all fwmark ...` and tables `wg-quick-wg0` that are "
		       "still there belong to it; delete them when wg0 is gone. When "
		       "NetworkManager or networkd owns it, use only one of the two.",
		.warren = "Warren writes down each thing before it makes it. What a killed `warren "
			  "up` or `down` left is undone by the next `warren up`, `down`, `sync` or "
			  "`keep`.",
		.related = "A6 G9",
	},
	{
		.id = "A15",
		.title = "\"RTNETLINK answers: File exists\" when a route is added",
		.see = "`[#] ip -4 route add 10.0.0.0/24 dev wg0 table main` and `File "
		       "exists`, then the clean-up.",
		.cause = "The same prefix has a route already: another tunnel has it, or the "
			 "LAN, or it is the network of this interface's own Address. With "
			 "`Table` unset wg-quick leaves out what the interface has anyway; "
			 "with `Table = main` or a number it does not.",
		.tell = "Who has it:\n"
			"    ip route show table all | grep 10.0.0.0/24",
		.fix = "Take `Table = main` out (it is the default in effect), or take the "
		       "prefix out of AllowedIPs of one of the tunnels, or put a second "
		       "tunnel to the same network into a table of its own (`Table = 1234` "
		       "with a rule).",
		.warren = "`warren up` names the route that is in the way, and takes back all that "
			  "was done.",
		.related = "C9 C10 C11",
	},
	{
		.id = "A16",
		.title = "A file from a phone or from Windows is refused",
		.see = "``Line unrecognized: `[Interface]'``, or an `Address` that is not "
		       "recognized, though the file looks right. Or a script that reads the "
		       "file finds `\\r` everywhere.",
		.cause = "Windows editors may put a byte order mark in front, three bytes that "
			 "one cannot see, and a carriage return at the end of each line. `wg` "
			 "and wg-quick refuse the mark; they accept the carriage returns, "
			 "other programs may not.",
		.tell = "See the bytes. A mark is `ef bb bf` at the start, a carriage return "
			"`\\r`:\n"
			"    head -c 64 wg0.conf | od -c",
		.fix = "Take both away:\n"
		       "    sed -i '1s/^\\xef\\xbb\\xbf//; s/\\r$//' wg0.conf",
		.related = "A7 A9",
	},
	{
		.id = "A17",
		.title = "Jc, Jmin, S1, H1: an AmneziaWG file",
		.see = "`Line unrecognized: Jc=...` (or Jmin, Jmax, S1, S2, H1 to H4, I1).",
		.cause = "The file is for AmneziaWG, a changed WireGuard that disguises its "
			 "packets. Its first packets look different, so an ordinary WireGuard "
			 "cannot talk to that server.",
		.tell = "Where S1, S2 (and S3, S4) are 0 or missing and H1 to H4 are 1, 2, 3, "
			"4 or missing, the server speaks ordinary WireGuard too, and these "
			"lines can be deleted. With any other value it does not.",
		.fix = "Use the AmneziaWG client for it, or ask for an ordinary WireGuard "
		       "config. Elsewhere, deleting the lines leads to a tunnel without a "
		       "handshake.",
		.related = "A7 E10",
	},
	{
		.id = "A18",
		.title = "A server's file on a client, or a file with which nobody can begin",
		.see = "The app skips the scripts, or shows a tunnel with many peers and no "
		       "endpoint; nothing connects.",
		.cause = "The file is the other end's: it has ListenPort, PostUp rules and a "
			 "[Peer] for each client, and no Endpoint. It also holds the server's "
			 "private key, which should never have left the server.",
		.tell = "Its [Interface] has ListenPort and hooks, and no [Peer] has an "
			"Endpoint.",
		.fix = "Give the client a file of its own: its own private key and address, "
		       "and one [Peer] with the server's public key, its Endpoint, and "
		       "AllowedIPs.\n"
		       "The server's private key has travelled: make a new one, unless the "
		       "way was safe.\n"
		       "A file that has neither an Endpoint nor a ListenPort is half a file: "
		       "one end must know where the other is. Add `Endpoint =` on the "
		       "client, `ListenPort =` on the server.",
		.related = "B5 B3 B12",
	},
	{
		.id = "A19",
		.title = "OpenWrt: only the first network of \"a, b, c\" works",
		.see = "On OpenWrt (or in a UI that has a list of allowed IPs) three "
		       "networks were entered in one line, and only the first is routed.",
		.cause = "Each network must be an item of the list of its own; one item with "
			 "commas in it is read as its first part, or refused.",
		.tell = "The device has fewer than you typed:\n"
			"    wg show wg0 allowed-ips",
		.fix = "One line each:\n"
		       "    list allowed_ips '10.0.0.0/24'\n"
		       "    list allowed_ips '10.0.1.0/24'\n"
		       "In a WireGuard file commas are right: `AllowedIPs = 10.0.0.0/24, "
		       "10.0.1.0/24`.",
		.related = "C4 A22",
	},
	{
		.id = "A20",
		.title = "Changes to the file vanish at the next restart",
		.see = "You edit `/etc/wireguard/wg0.conf`, restart the tunnel, and the edit "
		       "is gone. So are your comments.",
		.cause = "`SaveConfig = true`. When the tunnel goes down, wg-quick writes the "
			 "running state over the file: host names have become addresses, "
			 "comments are gone, and with a bash of 5.2 or newer an `&` in a hook "
			 "is destroyed (until the tools are fixed).",
		.tell = "    grep -i saveconfig /etc/wireguard/wg0.conf",
		.fix = "Edit while the tunnel is down, in this order:\n"
		       "    wg-quick down wg0\n"
		       "    nano /etc/wireguard/wg0.conf\n"
		       "    wg-quick up wg0\n"
		       "Better, set `SaveConfig = false` in that way once, and apply later "
		       "edits to the running tunnel:\n"
		       "    wg syncconf wg0 <(wg-quick strip wg0)",
		.warren = "`warren save` and `warren down` keep comments, names and search domains "
			  "of a file with SaveConfig.",
		.related = "A21 A22 C5",
	},
	{
		.id = "A21",
		.title = "Peers vanish after a reboot or a power cut",
		.see = "Peers that worked yesterday are not known today. They had been added "
		       "with `wg set` or by a program.",
		.cause = "`wg set` changes the running device only. `SaveConfig = true` writes "
			 "the file only when the tunnel is taken down in order, which a power "
			 "cut does not do.",
		.tell = "Compare the two:\n"
			"    wg show wg0 peers | sort\n"
			"    grep -i '^ *publickey' /etc/wireguard/wg0.conf",
		.fix = "Put the peers into the file, or save right after adding them:\n"
		       "    wg-quick save wg0\n"
		       "This rewrites the whole file (comments go, names become addresses), "
		       "so a copy of it first does no harm.",
		.warren = "`warren save NAME` writes what runs into the file, whole or not at all, "
			  "with the comments that it had.",
		.related = "A20 A22",
	},
	{
		.id = "A22",
		.title = "The peer is in the file, and still \"it does not exist\"",
		.see = "A new client gets no handshake (`0 B received`). Its key is in the "
		       "server's file.",
		.cause = "The file was edited and the running device was not told. Only what "
			 "`wg show` lists is in force.",
		.tell = "    wg show wg0 peers | grep 'KEY='\n"
			"No line: the device does not know it. A line: see B1, B2 and D11.",
		.fix = "Without interrupting anybody:\n"
		       "    wg syncconf wg0 <(wg-quick strip wg0)\n"
		       "This changes peers and keys but adds no route, address or hook. "
		       "Where the new peer has a network behind it, see C5.",
		.warren = "On Warren's engine `warren show wg0 drops` lists the public keys "
			  "that knocked and are no peers.\n"
			  "`warren sync NAME` makes the running tunnel equal to its file and "
			  "leaves peers that did not change alone.",
		.related = "B2 C5 A20 I5",
	},
};

const struct page_section page_section_a = { "A: It will not start; the config file", pages,
					     ELEMENTS(pages) };
