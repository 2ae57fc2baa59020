#include "base/bytes.h"
#include "model/page_data.h"

static const struct page pages[] = {
	{
		.id = "F1",
		.title = "Ping and DNS work, web pages and SSH hang",
		.see = "Small things go, large ones stop. Some sites load, some never; SSH "
		       "hangs after the password or at \"expecting SSH2_MSG_KEX\"; a copy "
		       "stalls at 0 %.",
		.cause = "On the way there is a link that takes smaller packets than the "
			 "tunnel makes. WireGuard adds 60 bytes over IPv4 and 80 over IPv6, so "
			 "with the usual 1420 inside the path must take 1500 (1480 over IPv4). "
			 "What is too large is cut up into fragments, and many networks throw "
			 "those away.",
		.tell = "Find the largest that passes outside the tunnel; begin with 1472 and "
			"go down:\n"
			"    ping -M do -c 2 -s 1472 192.0.2.1\n"
			"What passes plus 28 is the MTU of the path. Inside the tunnel large "
			"ones get lost, and small ones do not:\n"
			"    ping -M do -c 3 -s 1372 10.0.0.1; ping -c 3 10.0.0.1",
		.fix = "MTU of the tunnel = path - 80 (or - 60, where the endpoint is IPv4). "
		       "Try it while it runs, no restart needed, then put it into both "
		       "files:\n"
		       "    ip link set mtu 1380 dev wg0\n"
		       "    MTU = 1380\n"
		       "When in doubt 1280 passes nearly everywhere.",
		.related = "F2 F3 F5 F8 E11",
	},
	{
		.id = "F2",
		.title = "The router itself is fine, machines behind it hang",
		.see = "A router or gateway with WireGuard; from the router everything "
		       "works, from the machines behind it large transfers hang.",
		.cause = "Those machines do not know the tunnel's MTU; they use 1500. The "
			 "router tells them with an ICMP \"too big\" that is lost or ignored on "
			 "the way back.",
		.tell = "On a machine behind it:\n"
			"    ping -M do -c 2 -s 1450 10.0.0.1\n"
			"`Frag needed` with the tunnel's MTU is right; only silence means "
			"that this message is lost, and connections hang.",
		.fix = "Let the router write the right size into every TCP connection that "
		       "passes:\n"
		       "    iptables -t mangle -A FORWARD -p tcp --tcp-flags SYN,RST SYN \\\n"
		       "      -j TCPMSS --clamp-mss-to-pmtu\n"
		       "or with nft:\n"
		       "    nft add table inet mss\n"
		       "    nft add chain inet mss f '{ type filter hook forward priority -150; "
		       "}'\n"
		       "    nft add rule inet mss f tcp flags syn tcp option maxseg size set rt "
		       "mtu\n"
		       "(and the same with ip6tables, in the first case). And let ICMP pass.",
		.warren = "`#: MssClamp = yes` in [Interface] does so while the tunnel is up; a "
			  "number instead is the size, also for what begins or ends here.",
		.related = "F1 F3 D16",
	},
	{
		.id = "F3",
		.title = "PPPoE (DSL): 1420 is too much",
		.see = "As F1, on a DSL line.",
		.cause = "PPPoE takes 8 bytes; the line has 1492. 1420 + 80 is 1500.",
		.tell = "It says 1492 (on the router):\n"
			"    ip link show ppp0",
		.fix = "At both ends:\n"
		       "    MTU = 1412\n"
		       "or 1432, if the endpoint is always an IPv4 address.",
		.related = "F1 F2",
	},
	{
		.id = "F4",
		.title = "MTU = 1500 in the tunnel's file",
		.see = "As F1, at once and everywhere; somebody set the MTU to \"the normal "
		       "value\".",
		.cause = "The tunnel's packets need 60 or 80 bytes more around them. At 1500 "
			 "inside, each full packet is 1560 or 1580 outside and is cut in two.",
		.tell = "Larger than the link below less 80:\n"
			"    ip link show wg0; ip route get 192.0.2.1",
		.fix = "Delete the MTU line: wg-quick then takes the link's MTU less 80, "
		       "usually 1420. Set it only to go below that (F1).",
		.related = "F1 F7",
	},
	{
		.id = "F5",
		.title = "Cloud, train, LTE: the path is smaller than 1500",
		.see = "As F1, and the machine's own interface says 1500; or it says 1460 "
		       "(Google's cloud) and the other end uses 1420.",
		.cause = "Some networks have less: Google's cloud 1460, tunnels in mobile "
			 "networks 1400 to 1450, Wi-Fi on trains less still. The end with the "
			 "larger MTU does not know that.",
		.tell = "The measure of F1 outside the tunnel, from both ends:\n"
			"    ping -M do -c 2 -s 1432 192.0.2.1",
		.fix = "The smaller of the two ends counts, in both files. For 1460: `MTU = "
		       "1380`. On the move: `MTU = 1280`.",
		.related = "F1 F3",
	},
	{
		.id = "F6",
		.title = "Several endpoints, and wg-quick takes the largest MTU",
		.see = "A tunnel with several peers over different links (a LAN with jumbo "
		       "frames and the internet, say) gets an MTU that is too large for some "
		       "of them.",
		.cause = "When no MTU is set, wg-quick computes one from the routes to the "
			 "endpoints. Up to 1.0.20250521 it takes the largest, since "
			 "1.0.20260223 the smallest.",
		.tell = "    wg --version; ip link show wg0",
		.fix = "Set it by hand to what fits the smallest: `MTU = 1420`.",
		.warren = "`warren up` takes the smallest.",
		.related = "F1 F4",
	},
	{
		.id = "F7",
		.title = "A tunnel inside a tunnel",
		.see = "WireGuard over another VPN, or VXLAN over WireGuard: large packets "
		       "hang, as F1.",
		.cause = "Each layer takes its share: WireGuard 60 or 80, VXLAN 50 (over "
			 "IPv4). What is inside must be smaller than what is outside, each "
			 "time.",
		.tell = "The way to the endpoint is another tunnel:\n"
			"    ip route get 192.0.2.1; ip link show",
		.fix = "Count from the outside in: 1500, first WireGuard 1420, the second "
		       "inside it 1340. VXLAN on a tunnel of 1420: 1370.",
		.related = "F1 C12 G1",
	},
	{
		.id = "F8",
		.title = "MTU below 1280: IPv6 is gone, some sites refuse",
		.see = "After the MTU was made very small IPv6 does not work through the "
		       "tunnel, and some sites answer oddly or not at all.",
		.cause = "IPv6 needs 1280; on an interface with less the kernel switches IPv6 "
			 "off, and addresses with it. Some services do not expect so small "
			 "packets over IPv4 either.",
		.tell = "    ip link show wg0; ip -6 address show dev wg0",
		.fix = "`MTU = 1280` is the least. Where the path is so small that this is "
		       "cut up outside, leave it: two fragments are better than no IPv6, if "
		       "they pass; else do without IPv6 inside, and read H4.",
		.related = "F1 H4",
	},
	{
		.id = "F9",
		.title =
			"A userspace engine is very slow: \"write /dev/net/tun: invalid argument\"",
		.see = "wireguard-go, Tailscale or another engine in user space got very "
		       "slow or stops after a kernel update (6.6.44 and others of that "
		       "time). The log has `write /dev/net/tun: invalid argument`.",
		.cause = "Those kernels refuse some of the large packets that an engine writes "
			 "into its interface in one piece. Later kernels of the same series "
			 "are fixed.",
		.tell = "`uname -r`, and whether it began with a kernel update.",
		.fix = "Update the kernel. Until then update the engine, or switch its large "
		       "packets off.",
		.warren = "Warren's engine tries the kernel's offloads at start, sends what is "
			  "refused again packet by packet, and counts it "
			  "(`tun-writes-refused`). `--offload none` does without all of them.",
		.related = "F10 A2",
	},
	{
		.id = "F10",
		.title = "Slow on mobile networks only, with a userspace engine",
		.see = "A phone hotspot or LTE modem is slow through the tunnel, other lines "
		       "are not.",
		.cause = "Several packets in one system call can suit a modem's driver badly. "
			 "It is a matter of the engine and the driver.",
		.tell = "Try it with and without, and measure:\n"
			"    iperf3 -c 10.0.0.1",
		.fix = "Switch the engine's batching off, or use the kernel's WireGuard.",
		.warren = "Warren's engine has a switch for each, to try one after the other: "
			  "`warren run --offload -udp-gso,-udp-gro wg0`.",
		.related = "F9 F1",
	},
};

const struct page_section page_section_f = { "F: Speed and packet size (MTU)", pages,
					     ELEMENTS(pages) };
