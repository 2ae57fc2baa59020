#include "base/bytes.h"
#include "model/page_data.h"

static const struct page pages[] = {
	{
		.id = "E1",
		.title = "The port is forwarded and nothing arrives: CGNAT, DS-Lite",
		.see = "The router's port forward is right, the server sees no packet from "
		       "outside. From inside the LAN it works.",
		.cause = "The provider gives the line no public IPv4 address of its own. Many "
			 "customers share one, and nobody can forward a port on it.",
		.tell = "Compare the WAN address on the router's status page with what a page "
			"such as ifconfig.co shows from inside. They differ, or the router's "
			"is in 100.64.0.0/10 (100.64 to 100.127): this. In 10/8, 172.16/12 or "
			"192.168/16: E2.",
		.fix = "One of these:\n"
		       "- ask the provider for a public IPv4 address; some give one on "
		       "request\n"
		       "- use IPv6, if the line has it: an AAAA record for the endpoint, and "
		       "UDP 51820 let in to the server; no forward is needed\n"
		       "- rent a small server with a public address, and connect both ends "
		       "to that",
		.related = "E2 E3 E9 D11",
	},
	{
		.id = "E2",
		.title = "Two routers: the port must be forwarded twice",
		.see = "As E1, and the router's WAN address is a private one (10., 172.16. "
		       "to 172.31., 192.168.).",
		.cause = "There is another router in front, often the provider's modem, which "
			 "does address translation too.",
		.tell = "The second hop is a private address as well:\n"
			"    traceroute -n 1.1.1.1",
		.fix = "Put the first box into bridge mode. Or forward UDP 51820 in it to "
		       "the second router, and in that one to the server.",
		.related = "E1 E3",
	},
	{
		.id = "E3",
		.title = "The port test says open (or closed), and it means nothing",
		.see = "A web site or `nc -z` says the port is closed although all is right, "
		       "or open although nothing works.",
		.cause = "Those tests speak TCP. WireGuard is UDP, and does not answer "
			 "anything but a proper WireGuard message from somebody it knows: a "
			 "stranger cannot see whether it is there. `nc -zu` reports success "
			 "when nothing comes back at all.",
		.tell = "Only the other end can tell. On the server:\n"
			"    tcpdump -ni any udp port 51820\n"
			"and then bring the client up, outside the LAN (a phone without "
			"Wi-Fi).",
		.fix = "See that the forward is for UDP. When packets arrive at the server "
		       "and are not answered, it is a key: B1, B2.",
		.related = "D11 E1 B1",
	},
	{
		.id = "E4",
		.title = "The endpoint's name goes through Cloudflare's proxy",
		.see = "No handshake; the endpoint is a name of a web site that works.",
		.cause = "The record is proxied (\"orange cloud\"): it has addresses of "
			 "Cloudflare, which pass on web traffic and no UDP. The same is true "
			 "of other CDNs and HTTP tunnels.",
		.tell = "On the server; its own address must be among those of the name:\n"
			"    getent ahosts vpn.example.com; curl -4s https://ifconfig.co",
		.fix = "Make a name for the VPN alone, with the proxy switched off (\"DNS "
		       "only\"), or write the server's address as the endpoint.",
		.related = "E7 E1",
	},
	{
		.id = "E5",
		.title = "It works from outside and not from the home network",
		.see = "A phone connects over mobile data and not over the Wi-Fi at home, "
		       "where the server is.",
		.cause = "The endpoint is the home's public address. From inside, the router "
			 "would have to send the packet back in, which many do not (\"hairpin "
			 "NAT\" or \"NAT loopback\"). The reverse, it works at home only: the "
			 "endpoint is a private address such as 192.168.1.5, or even this very "
			 "host's.",
		.tell = "On the Wi-Fi at home, on the server: nothing comes in, or it comes "
			"from the router.\n"
			"    tcpdump -ni any udp port 51820",
		.fix = "Switch NAT loopback on in the router. Or let the name that is the "
		       "endpoint have the server's LAN address inside (a host entry in the "
		       "router or the Pi-hole). Or leave the tunnel off at home; the phone "
		       "apps can do that by the name of the Wi-Fi.\n"
		       "When it works at home only, write the router's public address or a "
		       "name for it, and forward the UDP port to the server.",
		.related = "E7 C10",
	},
	{
		.id = "E6",
		.title = "Two clients on one LAN: the second throws the first out",
		.see = "Two devices behind the same router; when the second connects, the "
		       "first one stops.",
		.cause = "Both have `ListenPort = 51820` (or another number, the same). Some "
			 "routers keep the port when they translate and then confuse the two.",
		.tell = "`ListenPort` in the clients' files; on the server both peers show "
			"the same address and port in turn:\n"
			"    wg show wg0 endpoints",
		.fix = "Delete `ListenPort` from the clients' files: each then takes a port "
		       "of its own. Only who is called needs a fixed one. When the server "
		       "shows one peer that moves between two addresses, it is one key on "
		       "two devices: B5.",
		.related = "B5 A6 E12",
	},
	{
		.id = "E7",
		.title = "Dead since the server's address changed",
		.see = "A dynamic DNS name; once in a while (after the provider's nightly "
		       "break) the tunnel is dead until it is restarted.",
		.cause = "The name is looked up once, when the tunnel comes up. After that the "
			 "device has an address and knows no name.",
		.tell = "The two differ:\n"
			"    wg show wg0 endpoints; getent ahosts vpn.example.com",
		.fix = "Now, without interrupting anything:\n"
		       "    wg set wg0 peer 'SERVER_KEY' endpoint vpn.example.com:51820\n"
		       "For good, let a timer do that: wireguard-tools brings the script "
		       "`reresolve-dns.sh` "
		       "(`/usr/share/doc/wireguard-tools/examples/reresolve-dns` on Debian), "
		       "to be run every 30 seconds with the name of the tunnel. When the "
		       "client can be reached at all times, the server may also call it: "
		       "then its new address is learned by itself.",
		.warren = "`warren keep wg0`, which the unit `warren@wg0` runs, notices within "
			  "half a minute of traffic that nothing comes back, asks for the name "
			  "again and goes to the new address. No timer: an idle tunnel is not "
			  "woken. `#: Reresolve = no` turns it off.",
		.related = "A11 E8 E12 B10",
	},
	{
		.id = "E8",
		.title = "The name has an IPv4 and an IPv6 address, and the wrong one is used",
		.see = "The endpoint in `wg show` is in brackets, an IPv6 address, and "
		       "nothing comes back. Or the reverse.",
		.cause = "Of all addresses of the name the first one is taken, and it is not "
			 "tried whether it works. A machine with half-working IPv6 prefers it "
			 "and stays on it.",
		.tell = "Both families, and whether there is a way to each:\n"
			"    getent ahosts vpn.example.com\n"
			"    ping -4 -c 3 vpn.example.com; ping -6 -c 3 vpn.example.com",
		.fix = "Write the address that works as the endpoint, or a name that has "
		       "only that kind of record. Try it at once:\n"
		       "    wg set wg0 peer 'SERVER_KEY' endpoint 192.0.2.1:51820",
		.warren = "`warren keep wg0` tries every address of the name, of both families, "
			  "15 seconds each while there is traffic, until one answers.",
		.related = "E7 E9 D16",
	},
	{
		.id = "E9",
		.title = "Wi-Fi works, mobile data does not: IPv6-only networks",
		.see = "On the phone's mobile network there is no handshake, or it takes a "
		       "while and drops; on Wi-Fi all is well.",
		.cause = "The mobile network has IPv6 only, and reaches IPv4 through a "
			 "translator (NAT64). An endpoint that is written as an IPv4 address "
			 "has no way there, unless the phone translates by itself (CLAT).",
		.tell = "There is no IPv4 default route, and this gives an answer:\n"
			"    getent ahostsv6 ipv4only.arpa",
		.fix = "Give the endpoint as a name rather than a number: the network's name "
		       "server then answers with a translated address. Better, give the "
		       "server IPv6 and an AAAA record. Some providers' access point "
		       "settings allow IPv4 too (APN \"IPv4v6\").",
		.related = "E8 E1 F1",
	},
	{
		.id = "E10",
		.title = "Nothing comes back from any server: WireGuard is blocked",
		.see = "In a certain country, hotel or company network: first messages go "
		       "out, nothing ever comes back, whichever server is used. Elsewhere "
		       "the same file works.",
		.cause = "The network recognizes WireGuard by its packets, whose first bytes "
			 "and lengths are always the same, and throws them away. Or it lets no "
			 "UDP out at all.",
		.tell = "Tell the two apart with other UDP, such as a name server outside:\n"
			"    dig @9.9.9.9 example.com\n"
			"- no answer: all UDP to the outside is blocked\n"
			"- an answer, and WireGuard does not work on port 53, 123 or 443 "
			"either: it is recognized",
		.fix = "Try another port first (a rule on the server from UDP 443 to 51820 "
		       "will do). Where it is recognized, the packets must be disguised: "
		       "WireGuard inside another tunnel (wstunnel, udp2raw, shadowsocks), or "
		       "AmneziaWG at both ends. Know the law of the place.",
		.related = "E11 A17 D11",
	},
	{
		.id = "E11",
		.title = "It works for seconds, then everything stops, every time",
		.see = "A handshake, some packets, then nothing. Again after each restart, "
		       "on this network only.",
		.cause = "As E10, but the filter lets some packets pass before it decides.",
		.tell = "Received bytes rise for a moment and stop, sent ones go on; on "
			"another network it does not happen. Rule out first: large packets "
			"only (F1), two devices with one key (B5), a loop (C12).\n"
			"    watch -n 1 'wg show wg0 transfer'",
		.fix = "As E10: another port, or a disguise.",
		.related = "E10 F1 B5 C12",
	},
	{
		.id = "E12",
		.title = "Dead until the port is changed or the router is restarted",
		.see = "After the line was renewed, or in the night, the tunnel is dead and "
		       "stays dead, although nothing changed at either end. With another "
		       "port, or after minutes of silence, it works.",
		.cause = "A router (or this host) remembers an old state for exactly these two "
			 "addresses and ports, with a way out or an address that is no longer "
			 "right. Our own retries and keepalives keep that state alive.",
		.tell = "A new source port works at once:\n"
			"    wg set wg0 listen-port 0\n"
			"    ping -c 3 10.0.0.1; wg show wg0 latest-handshakes",
		.fix = "That was the cure too, for a client: 0 takes a free port. On a "
		       "router or server that one owns, delete the state:\n"
		       "    conntrack -D -p udp --orig-port-dst 51820\n"
		       "Leave `ListenPort` out of clients' files. A keepalive that is longer "
		       "than the router's UDP timer (often 30 s), or none, also lets the "
		       "state end.",
		.warren = "`warren keep wg0` takes another source port when no address of the "
			  "endpoint answers, unless the file has a `ListenPort`: then it stays, "
			  "since others may call it.",
		.related = "E7 E6 E13 I1",
	},
	{
		.id = "E13",
		.title = "Your own router answers with \"port unreachable\"",
		.see = "No handshake, or it breaks off; a capture shows ICMP port "
		       "unreachable, and it comes from your own router, not from the server.",
		.cause = "With hardware flow offloading some routers forget a connection that "
			 "is still in use, take the reply for something meant for themselves, "
			 "and reject it.",
		.tell = "See who sends it:\n"
			"    tcpdump -ni any 'icmp[0] == 3 and icmp[1] == 3'\n"
			"From the server's address instead: nothing listens there on that "
			"port (D8, A22).",
		.fix = "Switch hardware (or all) flow offloading off in the router; on "
		       "OpenWrt:\n"
		       "    uci set firewall.@defaults[0].flow_offloading_hw='0'\n"
		       "    uci commit firewall; service firewall restart",
		.warren = "Warren's engine lists such answers, by destination and by who sent "
			  "them (`warren show wg0 drops`).",
		.related = "E12 D8",
	},
	{
		.id = "E14",
		.title = "A server with two lines answers from the wrong one",
		.see = "Clients that come in over the second line get no handshake; over the "
		       "first they do. The server shows received bytes from them, and its "
		       "own sent ones.",
		.cause = "The answer must leave with the address that was called. With two "
			 "uplinks the kernel's routes may send it out of the other one, with "
			 "another address, and the client or a NAT on the way refuses it.",
		.tell = "On the server; compare the two addresses of one exchange:\n"
			"    tcpdump -ni any udp port 51820",
		.fix = "Let what has the second line's address as its source leave by that "
		       "line (here its router is 198.51.100.1):\n"
		       "    ip route add default via 198.51.100.1 dev eth1 table 200\n"
		       "    ip rule add from 198.51.100.2 lookup 200\n"
		       "WireGuard keeps the address it was called at, as long as it is still "
		       "there and the route for it fits.",
		.warren = "Warren's engine answers from the address that was called, too.",
		.related = "B4 G4 E12",
	},
	{
		.id = "E15",
		.title = "The server cannot reach a client that was quiet",
		.see = "It works after the client has sent something, and some time later "
		       "nobody can reach the client, until it sends again.",
		.cause = "The client is behind a NAT, which forgets a UDP connection after "
			 "some silence: 30 seconds on some, 5 minutes on others. There is no "
			 "time after which every tunnel dies; it depends on that router.",
		.tell = "Only calls from outside fail; a ping from the client cures it at "
			"once.",
		.fix = "On the client, under the [Peer] of the server, and only there:\n"
		       "    PersistentKeepalive = 25\n"
		       "or at once `wg set wg0 peer 'SERVER_KEY' persistent-keepalive 25`. "
		       "On the server's side it does not help: the server cannot open a way "
		       "into somebody else's NAT, and it costs the phone's battery.",
		.related = "B9 E12 B10",
	},
	{
		.id = "E16",
		.title = "A commercial VPN works on one device, and fails on the second",
		.see = "The same downloaded file on a second device: no handshake, or both "
		       "get in each other's way.",
		.cause = "It is one key, and the server knows one place for it (B5). Many "
			 "providers also limit how many keys or devices may be connected at a "
			 "time.",
		.tell = "With the first device off, and some minutes later, the second works.",
		.fix = "Make another key (another device, another config) at the provider "
		       "for each device.",
		.related = "B5",
	},
};

const struct page_section page_section_e = { "E: The path: NAT, provider, endpoint", pages,
					     ELEMENTS(pages) };
