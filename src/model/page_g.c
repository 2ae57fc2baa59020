#include "base/bytes.h"
#include "model/page_data.h"

static const struct page pages[] = {
	{
		.id = "G1",
		.title = "Tailscale or NetBird dies when the full tunnel is up",
		.see = "With `AllowedIPs = 0.0.0.0/0` up, the mesh VPN's machines cannot be "
		       "reached any more.",
		.cause = "Both steer by policy rules, and the lowest number decides. Either "
			 "the tunnel's `0.0.0.0/0` takes the mesh's addresses (100.64.0.0/10), "
			 "or a kill switch in PostUp rejects what does not leave by wg0.",
		.tell = "Which rule stands above, and where a machine of the mesh would go:\n"
			"    ip rule; ip route get 100.100.100.100\n"
			"    iptables -S OUTPUT; nft list ruleset | grep -i reject",
		.fix = "Send the mesh's addresses to its own table, before wg-quick's rules "
		       "(52 is Tailscale's table; `ip rule` shows NetBird's):\n"
		       "    PostUp = ip rule add to 100.64.0.0/10 lookup 52 priority 5000\n"
		       "    PostDown = ip rule del to 100.64.0.0/10 lookup 52 priority 5000\n"
		       "and let a kill switch pass the mesh's interface (`! -o tailscale0`).",
		.related = "G2 G3 G6",
	},
	{
		.id = "G2",
		.title = "The packet mark is used by somebody else too",
		.see = "With a full tunnel up, containers, Kubernetes, mwan3 or another VPN "
		       "lose traffic; or the tunnel's own packets vanish.",
		.cause = "wg-quick marks the tunnel's packets with a number, 51820 (0xca6c) "
			 "for the first. Others use single bits of the same 32: the mark has "
			 "the bits 0x4000 and 0x8000, which Kubernetes uses for \"masquerade\" "
			 "and \"drop\".",
		.tell = "Who looks at which bits:\n"
			"    wg show wg0 fwmark; ip rule\n"
			"    nft list ruleset | grep mark; iptables-save | grep -i mark",
		.fix = "Choose a mark in [Interface] with none of the bits that you see "
		       "there, such as\n"
		       "    FwMark = 0x51\n"
		       "The number of the routing table follows it.",
		.related = "G1 G4",
	},
	{
		.id = "G3",
		.title = "A full tunnel's script and another VPN fight for the default route",
		.see = "A provider's script (WARP, or one that a VPN company offers) is run, "
		       "and Tailscale or another VPN is dead; or the reverse.",
		.cause = "Each sets rules, routes and sometimes firewall rules that say: "
			 "everything goes through me.",
		.tell = "Before and after the script:\n"
			"    ip rule; ip route show table all | grep default",
		.fix = "Have one of them only as a full tunnel. Use the other's plain "
		       "WireGuard file with its own networks in AllowedIPs, and order the "
		       "two as in G1.",
		.related = "G1 G6",
	},
	{
		.id = "G4",
		.title = "Strict reverse path filter: answers come and are thrown away",
		.see = "Packets arrive at the interface (tcpdump shows them) and no program "
		       "gets them. The log may have \"martian source\".",
		.cause = "With `rp_filter = 1` the kernel takes a packet only from where it "
			 "would send the answer. With policy routing, a full tunnel by hand, "
			 "or two uplinks that is another interface.",
		.tell = "The larger of `all` and the interface's own value counts; and this "
			"counter grows:\n"
			"    sysctl -a 2>/dev/null | grep '\\.rp_filter'\n"
			"    nstat -az TcpExtIPReversePathFilter",
		.fix = "Loose on that interface, or on all:\n"
		       "    sysctl -w net.ipv4.conf.all.rp_filter=2\n"
		       "With a full tunnel made by wg-quick the mark is taken into account "
		       "instead, when `net.ipv4.conf.all.src_valid_mark` is 1, which it "
		       "sets. ufw sets rp_filter to 1 in `/etc/ufw/sysctl.conf`: change it "
		       "there.",
		.related = "A3 D10 E14",
	},
	{
		.id = "G5",
		.title = "Overnight the default route of the tunnel is gone",
		.see = "A full tunnel works for days; one morning there is no network, or "
		       "traffic leaves beside the tunnel. Often after an automatic update.",
		.cause = "systemd-networkd was restarted and removed rules that are not its "
			 "own. wg-quick set them once and does not watch them.",
		.tell = "Two rules belong to a full tunnel, `not from all fwmark ...` and "
			"`suppress_prefixlength 0`; one is missing:\n"
			"    ip rule; journalctl -u systemd-networkd --since yesterday",
		.fix = "Tell networkd to leave them alone, in a new file "
		       "`/etc/systemd/networkd.conf.d/foreign.conf`:\n"
		       "    [Network]\n"
		       "    ManageForeignRoutingPolicyRules=no\n"
		       "    ManageForeignRoutes=no\n"
		       "then `systemctl restart systemd-networkd` and the tunnel once more.",
		.warren =
			"`warren keep wg0`, which the unit `warren@wg0` runs, hears of each rule, "
			"route and address that goes and puts back those of the tunnel at once. "
			"Until then nothing leaves beside the tunnel: its table refuses what has "
			"no way.",
		.related = "D15 G4 G8",
	},
	{
		.id = "G6",
		.title = "A web page of the container cannot be reached with the tunnel up",
		.see = "A container with a full tunnel (a download client, say). Its web "
		       "page works from the host's LAN until the tunnel is up.",
		.cause = "The answers to the LAN go into the tunnel, since everything does. Or "
			 "a provider's kill switch (`-I OUTPUT ! -o wg0 ... REJECT`) throws "
			 "them away.",
		.tell = "In the container, for a machine of the LAN; it says wg0:\n"
			"    ip route get 192.168.1.20; iptables -S OUTPUT",
		.fix = "Give the LAN its way back, here by the container network's gateway:\n"
		       "    PostUp = ip route add 192.168.1.0/24 via 172.17.0.1\n"
		       "and, with a kill switch, an exception in front of it:\n"
		       "    PostUp = iptables -I OUTPUT -d 192.168.1.0/24 -j ACCEPT",
		.warren = "Warren's own kill switch leaves the LAN alone with `#: KillSwitch = "
			  "lan`, and `#: ExcludedIPs = 192.168.1.0/24` both lets a network pass "
			  "and routes it beside the tunnel.",
		.related = "G7 C13 G1",
	},
	{
		.id = "G7",
		.title = "Port forwarding to this machine stops with the full tunnel",
		.see = "SSH or a web server is reached from the internet through the "
		       "router's forward, until the tunnel is up.",
		.cause = "The request comes in by the LAN, the answer leaves through the "
			 "tunnel with the wrong address.",
		.tell = "Requests arrive at eth0 and the answers go out of wg0:\n"
			"    tcpdump -ni any tcp port 22",
		.fix = "Answers with the LAN's address take the ordinary way (192.168.1.10 "
		       "is this machine):\n"
		       "    PostUp = ip rule add from 192.168.1.10 lookup main priority 100\n"
		       "    PostDown = ip rule del from 192.168.1.10 lookup main priority 100\n"
		       "Programs that bind themselves to that address leave beside the "
		       "tunnel then.",
		.related = "G6 G4",
	},
	{
		.id = "G8",
		.title = "systemd-networkd: AllowedIPs are set and there are no routes",
		.see = "The tunnel made by networkd has a handshake, and traffic to the "
		       "other end's network does not go into it.",
		.cause = "networkd sets AllowedIPs at the device and makes no routes from them "
			 "unless told to.",
		.tell = "    ip route get 192.168.7.1; networkctl status wg0",
		.fix = "In the .netdev file, in [WireGuard] (or in one [WireGuardPeer]):\n"
		       "    RouteTable=main\n"
		       "(systemd 250 and newer.) Or in the .network file `[Route]` with "
		       "`Destination=192.168.7.0/24`. Then `networkctl reload`, and for a "
		       "changed .netdev delete the link first.",
		.related = "C5 G5",
	},
	{
		.id = "G9",
		.title = "NetworkManager: connected, but not routed, or DNS is ignored",
		.see = "After importing a file into NetworkManager the tunnel is up and "
		       "traffic goes elsewhere, or names are still asked elsewhere.",
		.cause = "NetworkManager is not wg-quick: it makes routes and DNS by rules of "
			 "its own, and ignores hooks and Table.",
		.tell = "    nmcli -f all connection show wg0 | grep -i 'wireguard\\|dns\\|route'\n"
			"    ip rule; ip route get 1.1.1.1; resolvectl status",
		.fix = "Let it make the routes, and let this connection's DNS come before "
		       "others:\n"
		       "    nmcli connection modify wg0 wireguard.peer-routes yes\n"
		       "    nmcli connection modify wg0 ipv4.dns-priority -50 ipv4.dns-search "
		       "'~.'\n"
		       "    nmcli connection up wg0\n"
		       "Never have wg-quick and NetworkManager run the same tunnel (A14).",
		.related = "H2 A14 G8",
	},
	{
		.id = "G10",
		.title = "Full tunnel and the LAN at once: \"General failure\", no printer",
		.see = "With the full tunnel up, machines of the LAN that one is in cannot "
		       "be reached (on Windows ping says \"General failure\"), or those of the "
		       "LAN at home cannot.",
		.cause = "On Linux, wg-quick lets routes of the LAN win. On Windows the kill "
			 "switch blocks the LAN as well (C14). Where both LANs have the same "
			 "numbers, only one can be meant (C10).",
		.tell = "Which way the machine is looked for:\n"
			"    ip route get 192.168.1.20          # Linux\n"
			"    route print 192.168.1.*            # Windows",
		.fix = "On Windows switch \"Block untunneled traffic\" off, which writes the "
		       "two halves into AllowedIPs. With equal numbers: C10.",
		.related = "C10 C14 G6",
	},
};

const struct page_section page_section_g = {
	"G: Beside other VPNs, policy routing, network managers", pages, ELEMENTS(pages)
};
