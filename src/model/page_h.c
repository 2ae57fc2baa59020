#include "base/bytes.h"
#include "model/page_data.h"

static const struct page pages[] = {
	{
		.id = "H1",
		.title = "\"Connected, no internet\", but ping 1.1.1.1 works",
		.see = "No page opens; `ping 1.1.1.1` through the tunnel works, `ping "
		       "example.com` does not.",
		.cause = "The name server of `DNS =` does not answer: a typing error in the "
			 "address, a Pi-hole or dnsmasq that listens on the LAN only or "
			 "answers only local networks, or a firewall on the server without UDP "
			 "53 from wg0.",
		.tell = "Ask it, and another one through the same tunnel:\n"
			"    dig +time=2 @10.0.0.1 example.com\n"
			"    dig +time=2 @1.1.1.1 example.com\n"
			"Only the first fails: it is that server.",
		.fix = "Correct the address; or on the server let it answer the tunnel "
		       "(Pi-hole: \"Permit all origins\", dnsmasq: `interface=wg0`) and let "
		       "the port in:\n"
		       "    iptables -I INPUT -i wg0 -p udp --dport 53 -j ACCEPT\n"
		       "    iptables -I INPUT -i wg0 -p tcp --dport 53 -j ACCEPT",
		.warren = "On the server `#: OpenPort = 53` lets the port in, also where a rule of "
			  "somebody else would drop it, for as long as the tunnel is up. "
			  "`warren check` names an address in `DNS =` that is not reached through "
			  "the tunnel.",
		.related = "H2 H3 D1",
	},
	{
		.id = "H2",
		.title = "Queries still go to the provider (systemd-resolved)",
		.see = "The tunnel is up with `DNS =`, and a leak test shows the provider's "
		       "name servers, or names of the office do not resolve.",
		.cause = "systemd-resolved keeps name servers per link. The Wi-Fi's stay in "
			 "use as long as no link claims all names for itself (`~.`).",
		.tell = "    resolvectl status; resolvectl query example.com\n"
			"The last line of the answer says by which link it came.",
		.fix = "Give all names to the tunnel:\n"
		       "    resolvectl dns wg0 10.0.0.1\n"
		       "    resolvectl domain wg0 '~.'\n"
		       "    resolvectl default-route wlan0 false\n"
		       "As PostUp lines (with %i for wg0) it comes back with each start. For "
		       "the office's names only, put its domain in place of the dot: "
		       "`~corp.example`.",
		.warren = "`warren up` gives the tunnel all names (`~.`) where it takes a default "
			  "route. Where it does not, search domains in `DNS =` decide: only names "
			  "below them are asked through the tunnel; `DNS = 10.0.0.1, "
			  "~corp.example` does that without searching in it. Without any, its "
			  "server is asked beside the others. A domain that another link names as "
			  "its own stays with that link. It warns where programs go past resolved. "
			  "What resolved was told goes with the interface: when that is lost, "
			  "`#: KillSwitch = yes` keeps questions in.",
		.related = "H1 H3 G9 H7",
	},
	{
		.id = "H3",
		.title = "The name server is on the LAN and stays in use",
		.see = "Everything goes through the tunnel, and queries still go to "
		       "192.168.1.1. There is no `DNS =`, or it names an address of the LAN "
		       "one is in.",
		.cause = "The route to the LAN is longer than `0.0.0.0/0` and wins. So queries "
			 "to a server on the LAN leave beside the tunnel, and from there to "
			 "the provider. With a split tunnel the same happens to every name "
			 "server that is in no peer's AllowedIPs.",
		.tell = "For each server of `/etc/resolv.conf`; it should say `dev wg0`:\n"
			"    ip route get 192.168.1.1",
		.fix = "Name a server that is reached through the tunnel, such as the other "
		       "end's address:\n"
		       "    DNS = 10.0.0.1\n"
		       "When the address in `DNS =` is not within AllowedIPs, add it there "
		       "too (`10.0.0.1/32`), else it is asked outside.",
		.warren = "`warren check` and `warren up` warn of a server in `DNS =` that is on "
			  "a LAN of this host or in no peer's AllowedIPs.",
		.related = "H2 H1 C10",
	},
	{
		.id = "H4",
		.title = "IPv6 goes past the tunnel",
		.see = "AllowedIPs has `0.0.0.0/0`; a leak test shows the provider's IPv6 "
		       "address.",
		.cause = "`0.0.0.0/0` is IPv4 only. Where the host has IPv6, everything that "
			 "has it goes out directly, and most large sites do.",
		.tell = "There is a default route, and it is not wg0:\n"
			"    ip -6 route get 2001:4860:4860::8888",
		.fix = "Take IPv6 into the tunnel, even if the server has none; then it goes "
		       "nowhere instead of outside, and programs fall back to IPv4:\n"
		       "    AllowedIPs = 0.0.0.0/0, ::/0\n"
		       "The interface should have an IPv6 address for that (any of fd00::/8 "
		       "will do). Or switch IPv6 off on the host.",
		.warren = "`#: KillSwitch = yes` in [Interface] guards IPv6 too when all of IPv4 "
			  "goes into the tunnel.",
		.related = "H5 A5 H3",
	},
	{
		.id = "H5",
		.title = "::/0 is in the file, and IPv6 is off or goes nowhere",
		.see = "With `::/0` the start fails (`Permission denied`, A5); or pages open "
		       "after a long pause.",
		.cause = "The opposite of H4: this host has IPv6 switched off, and routes for "
			 "it cannot be set; or the server does not carry IPv6, and each try "
			 "over it has to fail first.",
		.tell = "    sysctl net.ipv6.conf.all.disable_ipv6\n"
			"    ping -6 -c 2 2001:4860:4860::8888",
		.fix = "With IPv6 off on the host, take `::/0` and IPv6 addresses out: "
		       "nothing can leak over what is off. Otherwise leave `::/0` and let "
		       "the server reject IPv6 at once, so that programs do not wait:\n"
		       "    ip6tables -A FORWARD -i wg0 -j REJECT",
		.related = "H4 A5 A4",
	},
	{
		.id = "H6",
		.title = "A program in a network namespace asks the host's name server",
		.see = "A program runs in a namespace that only has the tunnel (`ip netns "
		       "exec`), and its queries still leave through the host.",
		.cause = "The C library asks systemd-resolved by a socket in the file system "
			 "(the word `resolve` in `/etc/nsswitch.conf`), and the file system is "
			 "the host's.",
		.tell = "    grep hosts /etc/nsswitch.conf",
		.fix = "Give the namespace files of its own; `ip netns exec vpn` puts them "
		       "over `/etc`:\n"
		       "    mkdir -p /etc/netns/vpn\n"
		       "    echo 'nameserver 10.0.0.1' > /etc/netns/vpn/resolv.conf\n"
		       "    sed 's/^hosts:.*/hosts: files dns/' /etc/nsswitch.conf \\\n"
		       "      > /etc/netns/vpn/nsswitch.conf\n"
		       "The same goes for nscd, where it runs.",
		.warren = "`warren up` in a namespace never tells a resolved or NetworkManager "
			  "that serves another one, where a link of the same number is a "
			  "different link. It takes the namespace's own resolv.conf, and warns "
			  "where nsswitch.conf still sends programs to the host's resolved.",
		.related = "H2 H8",
	},
	{
		.id = "H7",
		.title = "resolvconf ran, and nothing changed",
		.see = "wg-quick shows `[#] resolvconf -a ...` without an error, and "
		       "`/etc/resolv.conf` is as before.",
		.cause = "Something else owns that file: NetworkManager, dnsmasq, a "
			 "container's runtime, an immutable file. Or the resolvconf that ran "
			 "is not the one that this system uses.",
		.tell = "    ls -l /etc/resolv.conf; head -3 /etc/resolv.conf\n"
			"    readlink -f \"$(command -v resolvconf)\"; lsattr /etc/resolv.conf",
		.fix = "Use what the owner offers: with systemd-resolved the lines of H2, "
		       "with NetworkManager those of G9, with dnsmasq `server=10.0.0.1`. "
		       "Then delete `DNS =`. Or let one resolvconf own the file.",
		.warren = "`warren up` asks who writes the file and tells that one; a resolver "
			  "that runs and is not asked is not told. After resolvconf it looks "
			  "whether anything changed, and takes it back and says so if not. A file "
			  "that dhcpcd or another program would write again is left alone, and "
			  "that program is named. `warren keep` puts servers back that something "
			  "has taken away.",
		.related = "A1 H2 G9",
	},
	{
		.id = "H8",
		.title = "Traffic leaves before the tunnel is up",
		.see = "In a container or at boot a program starts first, and some seconds "
		       "of its traffic go out in clear. Or they do while the tunnel is "
		       "restarted.",
		.cause = "Routes and rules come with the tunnel. Before and after, the "
			 "ordinary ones count.",
		.tell = "A capture on the outer interface, from the start:\n"
			"    tcpdump -ni eth0 not udp port 51820",
		.fix = "Forbid it by a rule that does not depend on the tunnel and is loaded "
		       "before anything else, such as in `/etc/nftables.conf` (the mark is "
		       "wg-quick's, 51820):\n"
		       "    table inet only_tunnel {\n"
		       "      chain out {\n"
		       "        type filter hook output priority 0; policy drop;\n"
		       "        oifname { \"lo\", \"wg0\" } accept\n"
		       "        meta mark 51820 accept\n"
		       "        udp dport { 67, 547 } accept\n"
		       "        icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert,\n"
		       "                      nd-router-solicit } accept\n"
		       "      }\n"
		       "    }\n"
		       "Everything else is cut off, an SSH session to this machine too: "
		       "first let in what must stay, such as `ip daddr 192.168.1.0/24 "
		       "accept` for the LAN. Name look-ups for the endpoint are blocked as "
		       "well: give it as an address. Where only one container is meant, let "
		       "it share the tunnel container's network instead of having its own.",
		.warren = "When Warren's engine dies it is started anew on the same interface: "
			  "routes and rules stay, nothing leaves in clear meanwhile. When its "
			  "monitor is killed the interface goes; against that only such a rule "
			  "helps.",
		.related = "H4 H6 C14",
	},
};

const struct page_section page_section_h = { "H: Names (DNS) and leaks", pages, ELEMENTS(pages) };
