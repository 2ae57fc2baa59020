#include "base/bytes.h"
#include "model/page_data.h"

static const struct page pages[] = {
	{
		.id = "exposed",
		.title = "Others can read the keys in this file",
		.see = "`warren check` says who can read it; wg-quick may say `world "
		       "accessible`, or nothing.",
		.cause = "The mode of the file lets others read it, and so does every folder "
			 "above. Whoever reads it can be this device, and can read what it is "
			 "sent. wg-quick only warns, and not in each of these cases; it never "
			 "refuses to start.",
		.tell = "The whole way to the file, with owners and modes:\n"
			"    namei -l /etc/wireguard/wg0.conf; getfacl /etc/wireguard/wg0.conf",
		.fix = "    chmod 700 /etc/wireguard; chmod 600 /etc/wireguard/*.conf\n"
		       "If somebody may have read it, make a new key pair, and tell the "
		       "other end the new public key.",
		.related = "writable B12",
	},
	{
		.id = "writable",
		.title = "Others can change this file, and its hooks run as root",
		.see = "`warren check` says that others can change the file or put another "
		       "one in its place.",
		.cause = "The file, or a folder above it, can be written by a group or by "
			 "everybody. Hooks (PostUp and so on) are run as root by the next "
			 "`wg-quick up`, whatever stands there.",
		.tell = "    namei -l /etc/wireguard/wg0.conf",
		.fix = "    chown root:root /etc/wireguard /etc/wireguard/*.conf\n"
		       "    chmod 700 /etc/wireguard; chmod 600 /etc/wireguard/*.conf\n"
		       "Then read the hooks once: are they yours?",
		.related = "exposed A13",
	},
	{
		.id = "file-name",
		.title = "The file's name makes no interface name",
		.see = "`The config file must be a valid interface name, followed by .conf`, "
		       "or an app refuses the import.",
		.cause = "The tunnel is called as the file, and an interface's name has 1 to "
			 "15 characters of `a-z A-Z 0-9 _ = + . -`. Blanks, brackets and long "
			 "names do not fit: `my vpn (1).conf`, `provider-frankfurt-3.conf`.",
		.fix = "Rename it:\n"
		       "    mv 'my vpn (1).conf' vpn1.conf\n"
		       "A file that is not in `/etc/wireguard` must be named with a path: "
		       "`wg-quick up ./vpn1.conf`.",
		.related = "A7",
	},
	{
		.id = "no-private-key",
		.title = "There is no PrivateKey",
		.see = "The tunnel comes up, and no peer ever gets a handshake. `wg show` "
		       "has no public key for the interface.",
		.cause = "[Interface] has no PrivateKey, and no hook sets one. Without it a "
			 "device can neither begin nor answer.",
		.tell = "    wg show wg0 public-key       # (none)",
		.fix = "Put it into the file, or let a hook set it from a file of its own:\n"
		       "    PostUp = wg set %i private-key /etc/wireguard/wg0.key",
		.related = "A9 A8",
	},
	{
		.id = "secret-as-public",
		.title = "A private key stands where a public key belongs",
		.see = "No handshake with this peer. Public and private keys look alike, and "
		       "the wrong one of the two was pasted.",
		.cause = "The PublicKey of this [Peer] is the PrivateKey of another device. "
			 "Nobody has that as its public key, so nobody answers; and a secret "
			 "has left its device.",
		.tell = "At the other end, the key that belongs here:\n"
			"    wg show wg0 public-key",
		.fix = "Write that one. Then make a new pair at the other end if this file "
		       "was ever sent or can be read by others: who has the private key can "
		       "be that device.",
		.related = "B1 B12 exposed",
	},
	{
		.id = "no-allowed-ips",
		.title = "A peer without AllowedIPs",
		.see = "The peer has a handshake and no traffic. `wg show` says `allowed "
		       "ips: (none)`.",
		.cause = "Without AllowedIPs nothing is sent to a peer, and everything from it "
			 "is thrown away.",
		.tell = "When the file does have AllowedIPs and `wg show` says `(none)`, "
			"another peer has taken them: C1.",
		.fix = "On a server the client's address, on a client what is to go to the "
		       "server:\n"
		       "    AllowedIPs = 10.0.0.2/32\n"
		       "    AllowedIPs = 0.0.0.0/0, ::/0",
		.related = "C1 C4 C7",
	},
	{
		.id = "nested-prefix",
		.title = "One peer's AllowedIPs lie inside another's",
		.see = "`warren check` notes it; the addresses of the smaller prefix go to "
		       "that peer, all others to the larger one's.",
		.cause = "It is well defined: the longest prefix decides, both for what is "
			 "sent and for what is taken. That is right for a gateway with single "
			 "machines beside it. It is wrong when the larger one was meant to be "
			 "one device, `10.0.0.2/24` for `10.0.0.2/32`.",
		.fix = "Fine if it is meant. Else write /32 (or /128) for what is one "
		       "device.",
		.related = "C1 C6",
	},
	{
		.id = "port-differs",
		.title = "The Endpoint's port is not the other end's ListenPort",
		.see = "No handshake; `warren check` of both files says that they name "
		       "different ports. Or the other file has no ListenPort.",
		.cause = "Without ListenPort a device takes another port at each start. With "
			 "one, the number in the Endpoint must lead there.",
		.tell = "At the other end:\n"
			"    wg show wg0 listen-port",
		.fix = "Write the same number in both. They may differ only where a router "
		       "or a container maps one to the other.",
		.related = "D11 E6 A6",
	},
	{
		.id = "search-only",
		.title = "A search domain without a name server",
		.see = "`DNS = corp.example` is in the file, and nothing changes.",
		.cause = "wg-quick takes what looks like an address for a server, all else for "
			 "a search domain, and does nothing at all where there is no server.",
		.fix = "Name the server too, by its address:\n"
		       "    DNS = 10.0.0.1, corp.example",
		.related = "H1 H2 H7",
	},
	{
		.id = "hook-undo",
		.title = "A hook adds a rule that nothing takes away",
		.see = "After some `wg-quick up` and `down` the same firewall or routing "
		       "rule is there several times.",
		.cause = "PostUp adds it and no PostDown deletes it. Rules outlive the "
			 "interface.",
		.tell = "    iptables -S; iptables -t nat -S; ip rule",
		.fix = "Repeat the command in PostDown with `-D` for `-A` or `-I`, or `del` "
		       "for `add`:\n"
		       "    PostUp = iptables -A FORWARD -i %i -j ACCEPT\n"
		       "    PostDown = iptables -D FORWARD -i %i -j ACCEPT\n"
		       "and delete the left-over ones by hand, once each.",
		.related = "A13 D6",
	},
	{
		.id = "hook-interface",
		.title = "The hooks name another tunnel's interface",
		.see = "The rules of PostUp do nothing for this tunnel: no forwarding, no "
		       "translation.",
		.cause = "The file was copied or renamed. Its interface is called as the file, "
			 "and the hooks say `wg0`.",
		.fix = "Write `%i` in the hooks; it always is the tunnel's own name. Then "
		       "take the tunnel down with the old file and up with the new one, so "
		       "that the old rules go.",
		.related = "D6 hook-undo",
	},
	{
		.id = "half-kill-switch",
		.title = "A kill switch for IPv4 only",
		.see = "PostUp has a rule with `iptables` that rejects what does not leave "
		       "by the tunnel. IPv6 leaves in clear all the same.",
		.cause = "`iptables` sees IPv4 only. IPv6 has its own, `ip6tables`.",
		.tell = "With the tunnel down, so that only the rule protects:\n"
			"    ping -6 -c 1 2001:4860:4860::8888",
		.fix = "Repeat the rule with `ip6tables`, in PostUp and, with `-D`, in "
		       "PreDown. Or one nftables table of the family `inet`, which sees both "
		       "(H8 has one).",
		.related = "H4 H8 hook-undo",
	},
};

const struct page_section page_section_files = { "Files: what `warren check` also says", pages,
						 ELEMENTS(pages) };
