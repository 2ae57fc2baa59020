#include "base/bytes.h"
#include "model/page_data.h"

static const struct page pages[] = {
	{
		.id = "D1",
		.title = "Connected, handshake fine, no internet: forwarding is off",
		.see = "The client has a fresh handshake and can ping the server's tunnel "
		       "address. Nothing beyond it answers.",
		.cause = "A machine passes packets on only when forwarding is switched on. It "
			 "is off unless somebody, or Docker or libvirt, switched it on.",
		.tell = "On the server both should be 1 (the second when IPv6 goes through "
			"the tunnel):\n"
			"    sysctl net.ipv4.ip_forward net.ipv6.conf.all.forwarding",
		.fix = "On the server:\n"
		       "    echo 'net.ipv4.ip_forward = 1' > /etc/sysctl.d/90-wireguard.conf\n"
		       "    echo 'net.ipv6.conf.all.forwarding = 1' >> "
		       "/etc/sysctl.d/90-wireguard.conf\n"
		       "    sysctl --system\n"
		       "A server that gets its own IPv6 route from router advertisements "
		       "also needs `accept_ra = 2` on that interface, or it loses it. When "
		       "both are 1 already, go on with D2 and D3.",
		.warren = "`#: Forward = yes` in [Interface]: `warren up` turns on what the "
			  "tunnel's families need, keeps a route that a router advertises, and "
			  "`warren down` turns it back if no other tunnel needs it.",
		.related = "D2 D3 D4 H1",
	},
	{
		.id = "D2",
		.title = "Connected, no internet: no address translation",
		.see = "As D1, with forwarding on.",
		.cause = "The packets leave the server with the client's tunnel address as "
			 "source, which nobody outside can answer.",
		.tell = "On the server, while the client pings 1.1.1.1:\n"
			"    tcpdump -ni any icmp and host 1.1.1.1\n"
			"Going out of eth0 with source 10.0.0.2 and no answer: this. Only "
			"coming in at wg0 and not going out: D1, D3, D4.",
		.fix = "Translate what comes from the tunnel and leaves elsewhere:\n"
		       "    iptables -t nat -A POSTROUTING -s 10.0.0.0/24 ! -o wg0 -j MASQUERADE\n"
		       "or with nft:\n"
		       "    nft add table ip wgnat\n"
		       "    nft add chain ip wgnat post \\\n"
		       "      '{ type nat hook postrouting priority 100; }'\n"
		       "    nft add rule ip wgnat post ip saddr 10.0.0.0/24 oifname != wg0 \\\n"
		       "      masquerade\n"
		       "The source must be the tunnel's network. To keep it, put the line "
		       "behind `PostUp =`, and with `-D` behind `PostDown =`. A tunnel that "
		       "carries IPv6 needs the same for its prefix, or a routed prefix.",
		.warren = "`#: Masquerade = yes` in [Interface], next to `#: Forward = yes`: what "
			  "comes out of the tunnel and leaves by any other interface gets that "
			  "one's address, in both families, and never the tunnel's own port.",
		.related = "D1 D6 D13",
	},
	{
		.id = "D3",
		.title = "No internet since Docker was installed",
		.see = "A server that worked stops passing packets after Docker was "
		       "installed or restarted.",
		.cause = "Docker switches forwarding on and at the same time sets the FORWARD "
			 "policy to DROP. What no rule accepts is thrown away. An accept in a "
			 "table of your own does not undo that: every base chain must let the "
			 "packet pass.",
		.tell = "    iptables -S FORWARD | head -1; iptables -nvL DOCKER-USER\n"
			"`-P FORWARD DROP`, and its packet counter grows.",
		.fix = "Docker keeps its hands off one chain; put the rules there:\n"
		       "    iptables -I DOCKER-USER -i wg0 -j ACCEPT\n"
		       "    iptables -I DOCKER-USER -o wg0 -m conntrack \\\n"
		       "      --ctstate RELATED,ESTABLISHED -j ACCEPT\n"
		       "The same with ip6tables where IPv6 is used. As PostUp lines they "
		       "come back with the tunnel.",
		.warren = "With `#: Forward = yes` `warren up` looks at the rule set, puts its two "
			  "rules into DOCKER-USER if Docker's would drop, and `warren down` takes "
			  "them away.",
		.related = "D1 D4 D7 D14",
	},
	{
		.id = "D4",
		.title = "It works when ufw is off",
		.see = "`ufw disable` and all is well; with ufw on, clients connect and get "
		       "no further than the server, or do not connect at all.",
		.cause = "ufw throws away what is to be forwarded unless told otherwise, and "
			 "lets nothing in on the port either.",
		.tell = "    ufw status verbose\n"
			"`deny (routed)` and no ALLOW FWD line for wg0.",
		.fix = "The port, then the way through, then between clients if wanted (eth0 "
		       "is the interface to the internet):\n"
		       "    ufw allow 51820/udp\n"
		       "    ufw route allow in on wg0 out on eth0\n"
		       "    ufw route allow in on wg0 out on wg0",
		.warren = "`#: Forward = yes` and `#: OpenPort = 51820/udp` put rules into ufw's "
			  "user chains, tagged `warren wg0`; /etc/ufw is left alone. `ufw reload` "
			  "throws them away, and `warren keep` puts them back.",
		.related = "D1 D12 D6",
	},
	{
		.id = "D5",
		.title = "The rule is there and counts nothing",
		.see = "The ACCEPT rule for wg0 stands in the list, its counter stays at 0. "
		       "Typical on Oracle's cloud images.",
		.cause = "The rule was added behind one that rejects everything. The first "
			 "that fits decides.",
		.tell = "A REJECT or DROP with a growing counter above yours:\n"
			"    iptables -nvL FORWARD --line-numbers\n"
			"    iptables -nvL INPUT --line-numbers",
		.fix = "Insert instead of append, and let the port in the same way:\n"
		       "    iptables -I FORWARD -i wg0 -j ACCEPT\n"
		       "    iptables -I FORWARD -o wg0 -m conntrack \\\n"
		       "      --ctstate RELATED,ESTABLISHED -j ACCEPT\n"
		       "    iptables -I INPUT -p udp --dport 51820 -j ACCEPT\n"
		       "In a config write `-I` for `-A` in PostUp. Cloud images often load a "
		       "saved set at boot (`/etc/iptables/rules.v4`): change that too.",
		.warren = "`#: Forward = yes` and `#: OpenPort = 51820/udp` go before what "
			  "rejects, and away with `warren down`.",
		.related = "D3 D4 D11",
	},
	{
		.id = "D6",
		.title = "The rules say eth0, this machine has ens3",
		.see = "Copied PostUp lines, no internet; or it stopped when the machine, or "
		       "the order of Docker networks, changed.",
		.cause = "`-o eth0` fits only where the way out is called eth0.",
		.tell = "The name behind `dev` is the right one:\n"
			"    ip route get 1.1.1.1\n"
			"    iptables -t nat -nvL POSTROUTING",
		.fix = "Put that name in; or better no name at all:\n"
		       "    PostUp = iptables -t nat -A POSTROUTING -s 10.0.0.0/24 ! -o %i \\\n"
		       "      -j MASQUERADE\n"
		       "(in the file in one line). Change PostDown to match, or the old rule "
		       "stays for ever.",
		.warren = "`#: Masquerade = yes` names no interface: it translates whatever leaves "
			  "by another one than the tunnel.",
		.related = "D2 A13",
	},
	{
		.id = "D7",
		.title = "Packets go out and the answers are dropped",
		.see = "On the server one sees requests leave and answers arrive; the client "
		       "gets nothing.",
		.cause = "Only what comes from wg0 is accepted (`-i wg0`); the answers come "
			 "from eth0 and go to wg0, and no rule fits them.",
		.tell = "A drop that counts on the way eth0 to wg0:\n"
			"    iptables -nvL FORWARD",
		.fix = "    iptables -I FORWARD -o wg0 -m conntrack \\\n"
		       "      --ctstate RELATED,ESTABLISHED -j ACCEPT\n"
		       "With nft: `ct state established,related accept` near the top of the "
		       "forward chain.",
		.warren = "`#: Forward = yes` lets both directions through.",
		.related = "D3 D5 G4",
	},
	{
		.id = "D8",
		.title = "firewalld: the port is closed",
		.see = "No handshake; on the server packets of 148 bytes arrive and nothing "
		       "is answered.",
		.cause = "firewalld lets in only what is named. It answers with an ICMP "
			 "rejection, or not at all in the drop zone.",
		.tell = "The packets arrive, and the port is not in the list:\n"
			"    tcpdump -ni any udp port 51820\n"
			"    firewall-cmd --list-all",
		.fix = "    firewall-cmd --permanent --add-port=51820/udp\n"
		       "    firewall-cmd --reload\n"
		       "Add `--zone=` when the interface to the internet is in another zone "
		       "than the default one.",
		.warren = "A Warren engine as the client lists the rejections it was sent in "
			  "`warren show wg0 drops`. On the server `#: OpenPort = 51820/udp` lets "
			  "the port in while the tunnel is up.",
		.related = "D9 D10 D11 B1",
	},
	{
		.id = "D9",
		.title = "Forwarding is rejected since the upgrade of firewalld",
		.see = "After an upgrade (Fedora 35 and others) clients connect and get no "
		       "further. In the journal stand lines with `filter_FWD_..._REJECT: "
		       "IN=wg0`.",
		.cause = "Since firewalld 1.0 traffic between two zones needs a policy that "
			 "allows it; before, it slipped through.",
		.tell = "    firewall-cmd --set-log-denied=all; journalctl -kf | grep FWD",
		.fix = "A zone for the tunnel and a policy from it to the outside:\n"
		       "    firewall-cmd --permanent --zone=internal --add-interface=wg0\n"
		       "    firewall-cmd --permanent --new-policy=wg-out\n"
		       "    firewall-cmd --permanent --policy=wg-out --add-ingress-zone=internal\n"
		       "    firewall-cmd --permanent --policy=wg-out --add-egress-zone=public\n"
		       "    firewall-cmd --permanent --policy=wg-out --set-target=ACCEPT\n"
		       "    firewall-cmd --permanent --zone=public --add-masquerade\n"
		       "    firewall-cmd --reload\n"
		       "Afterwards `firewall-cmd --set-log-denied=off`.",
		.warren = "`#: Forward = yes` puts an accept before firewalld's reject, and "
			  "`warren keep` does it again after a reload. Where firewalld lets nobody "
			  "change its table (`NftablesTableOwner`) the interface goes into its "
			  "zone `trusted` while the tunnel is up; the clients then reach all of "
			  "the server, too.",
		.related = "D8 D12 D2",
	},
	{
		.id = "D10",
		.title = "firewalld and an IPv6 endpoint: nothing at all",
		.see = "A client with firewalld, a full tunnel, and a server that is reached "
		       "over IPv6: the handshake leaves, the answer arrives and is thrown "
		       "away. Over IPv4 it works.",
		.cause = "firewalld's reverse path check for IPv6 looks the way back up "
			 "without the tunnel's mark, finds the tunnel, and drops the packet.",
		.tell = "`rpfilter_DROP` with `SPT=51820`:\n"
			"    firewall-cmd --set-log-denied=all; journalctl -kf | grep rpfilter",
		.fix = "In `/etc/firewalld/firewalld.conf` set\n"
		       "    IPv6_rpfilter=no\n"
		       "and `systemctl restart firewalld`. Newer versions also take "
		       "`IPv6_rpfilter=loose`, which suffices. Or use the server's IPv4 "
		       "address.",
		.related = "G4 D8 E8",
	},
	{
		.id = "D11",
		.title = "Packets never reach the cloud server",
		.see = "No handshake. On the server not a single packet arrives.",
		.cause = "Something in front of it closes the port: the provider's security "
			 "group or network ACL, or the rule in the home router is for TCP. "
			 "WireGuard is UDP only.",
		.tell = "Run this on the server, then try from the client:\n"
			"    tcpdump -ni any udp port 51820\n"
			"Nothing at all: it is in front of the server (this, E1, E2, E10). "
			"Packets arrive: it is here (D8, D5, B1, B2).",
		.fix = "Allow UDP 51820 (your ListenPort) from everywhere in the provider's "
		       "console, inbound. In a router forward UDP, not TCP, to this machine. "
		       "Then look at the capture again.",
		.related = "D8 E1 E3 E10",
	},
	{
		.id = "D12",
		.title = "Between clients ping works, SSH does not; or nothing does",
		.see = "Clients reach the server, but not each other; or only ping goes "
		       "through.",
		.cause = "A packet from one client to another comes in on wg0 and goes out on "
			 "wg0. The firewall must let that pass too; often only ICMP was "
			 "allowed. Each client must also have the other's address in the "
			 "AllowedIPs of its peer, the server.",
		.tell = "    iptables -nvL FORWARD\n"
			"    ip route get 10.0.0.3       # on the client: dev wg0?",
		.fix = "On the server:\n"
		       "    iptables -I FORWARD -i wg0 -o wg0 -j ACCEPT\n"
		       "On the clients `AllowedIPs = 10.0.0.0/24` for the server. Where "
		       "clients must not reach each other, the drop rule is the right one.",
		.warren = "`#: Forward = yes` on the server lets clients reach each other.",
		.related = "D4 C3 C4",
	},
	{
		.id = "D13",
		.title = "The LAN behind the server does not answer VPN clients",
		.see = "Clients reach the server but no other machine of its LAN. On the LAN "
		       "the requests are seen to arrive.",
		.cause = "Those machines answer to 10.0.0.2 by way of their default router, "
			 "which knows nothing of the tunnel.",
		.tell = "On the server, while a client pings 192.168.1.10:\n"
			"    tcpdump -ni eth0 icmp and host 192.168.1.10\n"
			"Requests, no answers: this, or that machine's own firewall (Windows "
			"answers no ping from other networks).",
		.fix = "On the router, a static route: 10.0.0.0/24 by way of the server's "
		       "LAN address. Or hide the tunnel behind the server:\n"
		       "    iptables -t nat -A POSTROUTING -s 10.0.0.0/24 -o eth0 -j MASQUERADE\n"
		       "(eth0 is the LAN's interface.)",
		.warren = "`#: Masquerade = yes` next to `#: Forward = yes` does the second.",
		.related = "D2 D1 C4",
	},
	{
		.id = "D14",
		.title = "Both kinds of iptables hold rules",
		.see = "Rules look right and do nothing, or they come back after they were "
		       "deleted.",
		.cause = "There are two kinds, legacy and nf_tables, and the kernel asks both. "
			 "A program brought the other `iptables` with it, as containers do.",
		.tell = "Rules in both:\n"
			"    iptables --version\n"
			"    iptables-legacy-save | grep -c '^-A'; iptables-nft-save | grep -c "
			"'^-A'",
		.fix = "Choose one, remove the rules of the other, and reboot:\n"
		       "    update-alternatives --config iptables\n"
		       "(Debian and Ubuntu.) In a container use the kind that its host uses.",
		.warren = "`#: Forward = yes` and `#: OpenPort` look at both kinds, and go where "
			  "something would drop.",
		.related = "D3 A4 D15",
	},
	{
		.id = "D15",
		.title = "Saving the firewall's settings kills the tunnel",
		.see = "It works, until the router's page is saved, the firewall is "
		       "reloaded, or the WAN comes back.",
		.cause = "The reload deletes all rules and writes its own. Those of PostUp are "
			 "not among them.",
		.tell = "Before and after a reload:\n"
			"    nft list ruleset | sha256sum; iptables-save | grep -c wg0",
		.fix = "Put the rules where the firewall keeps its own: its custom rules, a "
		       "zone for wg0, `/etc/nftables.conf`, ufw's route rules. For now "
		       "restart the tunnel, which makes them again:\n"
		       "    wg-quick down wg0; wg-quick up wg0",
		.warren = "`warren keep wg0` hears of each change to nftables and puts back the "
			  "tables and rules of the tunnel. Where something removes them again and "
			  "again it says what does, and then tries more and more rarely.",
		.related = "G5 D3 D9",
	},
	{
		.id = "D16",
		.title = "An IPv6 endpoint works for minutes and then dies",
		.see = "Over IPv6 the tunnel comes up, works some minutes, dies, and comes "
		       "back later.",
		.cause = "All ICMPv6 is blocked somewhere. IPv6 needs it: to find the "
			 "neighbour's hardware address, to learn of small packets, to keep its "
			 "router.",
		.tell = "On both ends, while it is dead; `FAILED` or `INCOMPLETE` at the "
			"router is the sign:\n"
			"    ip -6 neigh; ip6tables -nvL INPUT",
		.fix = "Let at least these in, before any drop:\n"
		       "    ip6tables -I INPUT -p ipv6-icmp -j ACCEPT\n"
		       "With nft: `meta l4proto ipv6-icmp accept`.",
		.related = "F1 D11",
	},
};

const struct page_section page_section_d = { "D: The server: forwarding, NAT, firewall", pages,
					     ELEMENTS(pages) };
