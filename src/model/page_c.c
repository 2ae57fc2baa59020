#include "base/bytes.h"
#include "model/page_data.h"

static const struct page pages[] = {
	{
		.id = "C1",
		.title = "The second peer kills the first; \"allowed ips: (none)\"",
		.see = "One client works until another is added or connects. In `wg show` a "
		       "peer has `allowed ips: (none)`, or fewer than the file says.",
		.cause = "Two peers have the same prefix in AllowedIPs. Each prefix belongs to "
			 "one peer, and the one that was set last takes it, silently. "
			 "(Prefixes of different length may overlap: the longer one wins for "
			 "its addresses.)",
		.tell = "Each prefix that stands there twice in the file; the second peer has "
			"it:\n"
			"    grep -i '^ *allowedips' wg0.conf | sed 's/.*=//' | tr -d ' ' |\n"
			"      tr , '\\n' | sort | uniq -d",
		.fix = "On a server give each client its own address and nothing more, in "
		       "the running device and in the file:\n"
		       "    wg set wg0 peer 'FIRST_KEY' allowed-ips 10.0.0.2/32\n"
		       "    wg set wg0 peer 'SECOND_KEY' allowed-ips 10.0.0.3/32\n"
		       "Order of the commands matters only while both still claim the same.",
		.related = "C2 C8 B5",
	},
	{
		.id = "C2",
		.title = "On the server a client has AllowedIPs = 0.0.0.0/0",
		.see = "With one client all is well. With the second, one of the two has no "
		       "traffic; or the server itself has no network any more.",
		.cause = "The line was copied from the client's file. On a client `0.0.0.0/0` "
			 "means: everything goes to the server. On the server it means: "
			 "everything goes to this client. It can belong to one peer only (C1), "
			 "and wg-quick makes it the server's default route.",
		.tell = "    wg show wg0 allowed-ips | grep '/0'\n"
			"On a server with clients this should print nothing, unless one peer "
			"is the server's own way out.",
		.fix = "Write the client's own address there, and the networks behind it, if "
		       "any:\n"
		       "    AllowedIPs = 10.0.0.2/32",
		.related = "C1 C4 C12",
	},
	{
		.id = "C3",
		.title = "A client edits its AllowedIPs and reaches everything",
		.see = "A client was given `AllowedIPs = 192.168.1.10/32`. The user changes "
		       "that to `0.0.0.0/0` and reaches the whole network.",
		.cause = "The client's AllowedIPs say what the client sends. They are not a "
			 "lock. What a client may reach is decided on the server by its "
			 "firewall. What the server's AllowedIPs do give is a source that "
			 "cannot be forged: from this peer only 10.0.0.5 comes in.",
		.fix = "On the server, a rule for forwarded packets, by the client's "
		       "address:\n"
		       "    nft add table inet guests\n"
		       "    nft add chain inet guests forward \\\n"
		       "      '{ type filter hook forward priority 0; }'\n"
		       "    nft add rule inet guests forward iifname wg0 ip saddr 10.0.0.5 \\\n"
		       "      ip daddr != 192.168.1.10 drop\n"
		       "And a like one in an input chain for what the server itself offers. "
		       "Put the rules where your firewall loads them at boot.",
		.related = "C4 D12",
	},
	{
		.id = "C4",
		.title = "The tunnel works, the network behind the other end does not",
		.see = "Ping to the other end's tunnel address works. The LAN behind it does "
		       "not answer. Or it answers one side only.",
		.cause = "AllowedIPs decide both ways, on each end: to which peer a packet is "
			 "sent, and from which peer a source is taken. A LAN must stand in the "
			 "AllowedIPs of the peer it is behind, at the other end; here or there "
			 "it is missing. The route in the kernel is a third thing, which "
			 "wg-quick makes from AllowedIPs and `wg set` does not.",
		.tell = "At the end where it starts, and at the other one:\n"
			"    ping 192.168.7.1\n"
			"    ip -s -s link show wg0\n"
			"- `Required key not available` or `Destination Host Unreachable`: no "
			"peer here has this address in AllowedIPs (wireguard-go says nothing, "
			"and the ping just waits)\n"
			"- \"RX errors\" and \"frame\" grow (the kernel's WireGuard): packets "
			"came from a peer with a source that its AllowedIPs here lack\n"
			"- neither: see D1, D13, C5",
		.fix = "Add the network to the peer that it is behind, and to the file. "
		       "Setting AllowedIPs replaces the whole list, so name all:\n"
		       "    wg set wg0 peer 'KEY' allowed-ips 10.0.0.2/32,192.168.7.0/24\n"
		       "    ip route add 192.168.7.0/24 dev wg0",
		.warren = "Warren's engine counts both: `out-no-peer` with the address nobody "
			  "has, `inner-source` at the peer with the source it used (`warren "
			  "show wg0 drops`).",
		.related = "C5 C7 D13 C10",
	},
	{
		.id = "C5",
		.title = "The LAN behind a new peer works only after a restart",
		.see = "A peer with a network was added to a running tunnel (`wg syncconf`, "
		       "`wg set`, a web UI). The peer itself can be reached, its network "
		       "cannot. After a restart of the tunnel it can.",
		.cause = "`wg` changes the device: keys, peers, AllowedIPs. The kernel's "
			 "routes were made by wg-quick at start, from the AllowedIPs of that "
			 "time. The same is true of Address, DNS, MTU and hooks.",
		.tell = "Each prefix of the first list must be covered by a route of the "
			"second:\n"
			"    wg show wg0 allowed-ips\n"
			"    ip route show dev wg0; ip -6 route show dev wg0\n"
			"Or ask for one address; it must say `dev wg0`:\n"
			"    ip route get 192.168.7.1",
		.fix = "    ip route add 192.168.7.0/24 dev wg0\n"
		       "The next wg-quick up makes it by itself from the file.",
		.warren = "`warren sync NAME` changes routes with AllowedIPs.",
		.related = "A22 C4 I5",
	},
	{
		.id = "C6",
		.title = "\"AllowedIP has nonzero host part\"",
		.see = "`Warning: AllowedIP has nonzero host part: 10.0.0.5/24`.",
		.cause = "`10.0.0.5/24` names an address and the network that it is in. As a "
			 "prefix it means `10.0.0.0/24`, all 256 addresses; meant was probably "
			 "one. It is taken as the network.",
		.fix = "Write what you mean, `10.0.0.5/32` for this one address or "
		       "`10.0.0.0/24` for the network.\n"
		       "On a server two clients with `10.0.0.2/24` and `10.0.0.3/24` have "
		       "the same prefix, and only the last one has it (C1). `Address = "
		       "10.0.0.5/24` in [Interface] is right: there it is an address with "
		       "its network.",
		.related = "C1 C9",
	},
	{
		.id = "C7",
		.title = "The other end does not know this tunnel address",
		.see = "The handshake is there. Nothing comes back, not even from the other "
		       "end's tunnel address.",
		.cause = "The Address of this end is not in the AllowedIPs that the other end "
			 "has for it. Each packet from here is decrypted there and thrown away "
			 "because of its source. Or the reverse: this end's own Address stands "
			 "in the AllowedIPs of its peer, where the other end's belongs, and "
			 "nothing is ever sent there.",
		.tell = "Here, then at the other end:\n"
			"    ip -br address show wg0\n"
			"    wg show wg0 allowed-ips\n"
			"The address of the first must be within what the second has for your "
			"public key. There, the kernel's WireGuard counts a `frame` error for "
			"each packet (`ip -s -s link show wg0`).",
		.fix = "At the other end, in the device and in the file:\n"
		       "    wg set wg0 peer 'YOUR_KEY' allowed-ips 10.0.0.2/32\n"
		       "or take the address that is expected there into your `Address =`.",
		.warren = "On Warren's engine at the other end `warren show wg0 drops` counts "
			  "`inner-source`, with the address that was used.",
		.related = "C4 C8 C1",
	},
	{
		.id = "C8",
		.title = "Two clients have the same tunnel address",
		.see = "Two clients disturb each other; or one of them has a handshake and "
		       "no traffic at all.",
		.cause = "The same `Address =` in two files. On the server the address belongs "
			 "to one of the two keys (C1); what the other one sends is thrown "
			 "away.",
		.tell = "Over all the files that you hand out:\n"
			"    grep -hi '^ *address' *.conf | sort | uniq -d",
		.fix = "Give each its own address, in its file and in the server's "
		       "AllowedIPs for it.",
		.related = "C1 C7 B5",
	},
	{
		.id = "C9",
		.title = "/24 or /32 in Address? Two tunnels clash",
		.see = "With a second tunnel up, the first loses its traffic; or addresses "
		       "of the tunnel's network that nobody has are sent into it.",
		.cause = "`Address = 10.0.0.2/24` also makes a route: all of 10.0.0.0/24 is on "
			 "this interface. A second tunnel with the same /24 makes the same "
			 "route once more, and one of the two wins. With /32 no such route is "
			 "made, and only AllowedIPs count.",
		.tell = "The same network with two devices:\n"
			"    ip route | grep -v default",
		.fix = "Use different networks for different tunnels. Or write /32 (and "
		       "/128) in Address and put exactly what is to go into each tunnel in "
		       "its AllowedIPs; wg-quick makes the routes from that.",
		.related = "C6 C10 C11 A15",
	},
	{
		.id = "C10",
		.title = "Internet works through the tunnel, the LAN at home does not",
		.see = "In a hotel or at a friend's, the tunnel is up. Web sites open, the "
		       "machine at home, 192.168.1.50, does not. From elsewhere it works.",
		.cause = "Both networks are 192.168.1.0/24. The network that one is in wins "
			 "over `0.0.0.0/0`, because its route is longer. The packet goes to "
			 "the local Wi-Fi.",
		.tell = "It must say `dev wg0`; it says the Wi-Fi:\n"
			"    ip route get 192.168.1.50",
		.fix = "The cure is to give the network at home a number of its own, such as "
		       "10.83.17.0/24. Until then name the machine that you need in the "
		       "client's AllowedIPs, beside the rest:\n"
		       "    AllowedIPs = 0.0.0.0/0, ::/0, 192.168.1.50/32\n"
		       "A machine here with that same address is then out of reach while the "
		       "tunnel is up.",
		.related = "C11 G10 H3",
	},
	{
		.id = "C11",
		.title = "The tunnel's network is also the LAN's, or Docker's",
		.see = "After the tunnel is up some machines, containers or the name server "
		       "cannot be reached any more; or the tunnel has no traffic at all.",
		.cause = "The tunnel uses addresses that something else on one of the hosts "
			 "uses too. Docker takes 172.17.0.0/16 and upward, libvirt "
			 "192.168.122.0/24, home routers 192.168.0.0/24, 192.168.1.0/24 or "
			 "192.168.178.0/24.",
		.tell = "One line per network; look for overlaps with the tunnel's:\n"
			"    ip -br address; ip route show table all | grep -v local",
		.fix = "Choose a network for the tunnel that is rare, the same on all ends, "
		       "such as 10.83.17.0/24, or an fd00::/8 one with random digits. "
		       "Changing it means Address and AllowedIPs at every end.",
		.related = "C10 C9 A15",
	},
	{
		.id = "C12",
		.title = "The tunnel swallows its own packets and dies after seconds",
		.see = "It comes up, perhaps with one handshake, and then nothing goes. The "
		       "sent bytes run away.",
		.cause = "The server's own address is inside AllowedIPs, and the encrypted "
			 "packets for the server are routed into the tunnel again. With "
			 "`0.0.0.0/0` and wg-quick this does not happen: it marks those "
			 "packets and lets them past. It does happen with the two halves "
			 "`0.0.0.0/1, 128.0.0.0/1`, with a smaller prefix that contains the "
			 "endpoint, with `Table = off` and a default route of one's own, and "
			 "with programs that make plain routes. An Endpoint that is the other "
			 "end's address inside the tunnel is the same mistake.",
		.tell = "The way of the encrypted packets, with their mark if there is one "
			"(`wg show wg0 fwmark`):\n"
			"    ip route get 192.0.2.1 mark 0xca6c\n"
			"It must name your real network, not wg0.",
		.fix = "With wg-quick write `AllowedIPs = 0.0.0.0/0, ::/0` in place of the "
		       "halves. Where a smaller prefix must stay, give the server a route of "
		       "its own, through your router:\n"
		       "    ip route add 192.0.2.1 via 192.168.1.1",
		.warren = "Warren's engine sees its own packets come back, drops them, and "
			  "counts `out-loop` at that peer.\n"
			  "With `#: ExcludedIPs` in the file `warren up` keeps an address out of "
			  "the tunnel.",
		.related = "C13 F7 I4",
	},
	{
		.id = "C13",
		.title = "Everything but one network: a list that is wrong by one",
		.see = "AllowedIPs with thirty prefixes that should be \"all but "
		       "192.168.1.0/24\", and something is missing or too much.",
		.cause = "There is no way to say \"not this\" in AllowedIPs; the complement has "
			 "to be written out.",
		.tell = "Compute it afresh and compare:\n"
			"    python3 -c \"import ipaddress as i; \\\n"
			"      a = i.ip_network('0.0.0.0/0'); \\\n"
			"      b = i.ip_network('192.168.1.0/24'); \\\n"
			"      print(*a.address_exclude(b), sep=', ')\"",
		.fix = "On Linux with wg-quick there is a shorter way: keep `0.0.0.0/0` and "
		       "give the exception a route. Longer routes of the main table win over "
		       "the tunnel's default:\n"
		       "    PostUp = ip route add 203.0.113.0/24 via 192.168.1.1\n"
		       "    PostDown = ip route del 203.0.113.0/24 via 192.168.1.1\n"
		       "The network that you are connected to needs no exception at all "
		       "there. On other systems use the computed list.",
		.warren = "`#: ExcludedIPs = 192.168.0.0/16, 10.0.0.0/8` in [Interface], next to "
			  "`AllowedIPs = 0.0.0.0/0`, is the whole list: `warren up` works out the "
			  "routes.",
		.related = "C12 C10",
	},
	{
		.id = "C14",
		.title = "Windows: \"Block untunneled traffic\" does not block",
		.see = "On Windows traffic leaves beside the tunnel, or the box for the kill "
		       "switch is missing or greyed out.",
		.cause = "That protection is on only when the tunnel has exactly one peer and "
			 "this peer has `0.0.0.0/0` or `::/0`, written so. With `0.0.0.0/1, "
			 "128.0.0.0/1`, with a list of networks, or with `Table = off` it is "
			 "off.",
		.fix = "To block: one peer with `AllowedIPs = 0.0.0.0/0, ::/0`. To keep the "
		       "LAN in reach: the two halves, and no blocking.",
		.related = "H4 H8",
	},
};

const struct page_section page_section_c = { "C: AllowedIPs and addresses", pages,
					     ELEMENTS(pages) };
