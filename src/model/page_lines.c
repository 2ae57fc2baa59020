#include "base/bytes.h"
#include "model/page_data.h"

static const struct page pages[] = {
	{
		.id = "empty-file",
		.title = "There is nothing in the file",
		.see = "`wg-quick up` makes an interface without keys or addresses, and nothing "
		       "goes through it.",
		.cause = "The file has neither [Interface] nor [Peer]: it was never written, a "
			 "disk was full, or the command whose output it is has failed.",
		.fix = "See whether this is the file that was meant, and make it again.",
		.related = "junk-line",
	},
	{
		.id = "utf-16",
		.title = "The file is UTF-16",
		.see = "Nothing in the file is understood; in some editors it looks right.",
		.cause = "It was saved as \"Unicode\", with two bytes for each letter, as "
			 "Windows programs offer. `wg` reads bytes.",
		.tell = "Every second byte is `\\0`:\n"
			"    head -c 64 wg0.conf | od -c",
		.fix = "    umask 077; iconv -f UTF-16 -t UTF-8 wg0.conf | tr -d '\\r' > new.conf\n"
		       "Or save it again as UTF-8 without a byte order mark.",
		.related = "A16",
	},
	{
		.id = "nul-byte",
		.title = "A NUL byte in a line",
		.see = "`warren check` names a line with a NUL byte.",
		.cause = "The file was damaged, often by a crash while it was written, or is "
			 "no text file at all.",
		.fix = "Type that line anew, or take the file from a backup.",
		.related = "utf-16",
	},
	{
		.id = "control-character",
		.title = "A control character in a value",
		.see = "`warren check` names a character that one cannot see, such as an "
		       "escape or a backspace.",
		.cause = "It came in by a paste from a terminal or a document.",
		.tell = "    cat -A wg0.conf | less",
		.fix = "Delete the line and type it.",
		.related = "carriage-return",
	},
	{
		.id = "carriage-return",
		.title = "A carriage return within a line",
		.see = "`warren check` says there is a CR that no line feed follows.",
		.cause = "The file has line ends of an old Macintosh, or two lines were pasted "
			 "into one. `wg` takes everything up to the next line feed as one "
			 "line.",
		.fix = "    tr '\\r' '\\n' < wg0.conf > new.conf\n"
		       "and look at the result.",
		.related = "A16",
	},
	{
		.id = "comment-sign",
		.title = "A comment that begins with ; or //",
		.see = "``Line unrecognized: `;...'``.",
		.cause = "Only `#` begins a comment, as the first thing of a line or behind a "
			 "value.",
		.fix = "Write `#` in its place.",
		.related = "junk-line",
	},
	{
		.id = "junk-line",
		.title = "A line that is no section, key or comment",
		.see = "`Line unrecognized`, and the line has no `=`; or `warren check` says "
		       "so.",
		.cause = "Left-over text of a mail or a web page, a value that was broken into "
			 "two lines, a key without its `=`, or `:` in place of `=`.",
		.fix = "Delete it, or make it `Key = value`. A value stands in one line, "
		       "however long.",
		.related = "A7 comment-sign",
	},
	{
		.id = "no-section",
		.title = "A key before the first section",
		.see = "`Line unrecognized` for a key that is spelt right.",
		.cause = "`[Interface]` or `[Peer]` has to stand above it. The first line was "
			 "lost in a copy, or stands further down.",
		.fix = "Put the section's name above its keys.",
		.related = "unknown-section wrong-section",
	},
	{
		.id = "unknown-section",
		.title = "Neither [Interface] nor [Peer]",
		.see = "`Line unrecognized: [...]`, and nothing is started.",
		.cause = "There are only these two. `[Peers]`, `[WireGuardPeer]` "
			 "(systemd-networkd) or `[wg0]` are none.",
		.fix = "Write `[Interface]` once, and `[Peer]` above each peer.",
		.related = "other-program no-section",
	},
	{
		.id = "interface-twice",
		.title = "[Interface] comes twice",
		.see = "No message from `wg`; the later lines win.",
		.cause = "Two files were put into one, or a block was pasted twice. For `wg` "
			 "the second `[Interface]` goes on with the first.",
		.fix = "Keep one. Two tunnels are two files.",
		.related = "key-twice",
	},
	{
		.id = "unknown-key",
		.title = "A key that nobody knows",
		.see = "``Line unrecognized: `...'``, and nothing is started.",
		.cause = "A misspelt key, a key of another program, or a bare value whose key "
			 "is missing. Upper and lower case are the same.",
		.tell = "The keys there are:\n"
			"- in [Interface], for wg: PrivateKey, ListenPort, FwMark\n"
			"- in [Interface], for wg-quick: Address, DNS, MTU, Table, PreUp, "
			"PostUp, PreDown, PostDown, SaveConfig\n"
			"- in [Peer]: PublicKey, PresharedKey, AllowedIPs, Endpoint, "
			"PersistentKeepalive",
		.fix = "Correct the spelling, or delete the line.",
		.related = "A7 A17 wrong-section",
	},
	{
		.id = "wrong-section",
		.title = "A key in the wrong section",
		.see = "`Line unrecognized` for a key that is spelt right.",
		.cause = "PublicKey, PresharedKey, AllowedIPs, Endpoint and "
			 "PersistentKeepalive describe a peer; PrivateKey, ListenPort, "
			 "Address, DNS and all others this device. Often the `[Peer]` line is "
			 "missing.",
		.fix = "Move it; its place is under the section that `warren check` names.",
		.related = "unknown-key no-section",
	},
	{
		.id = "key-twice",
		.title = "A key comes twice, and the last one counts",
		.see = "No message from `wg`; one of the two values does nothing.",
		.cause = "Keys that hold one value take the last. AllowedIPs, Address, DNS and "
			 "hooks may come several times and add up. Two peers under one "
			 "`[Peer]` are one peer, with the second one's key.",
		.fix = "Remove one. If it was to be a second peer, write `[Peer]` above it.",
		.related = "interface-twice C1",
	},
	{
		.id = "split-word",
		.title = "Blanks inside a word that wg-quick has to know",
		.see = "`wg setconf` takes the file, wg-quick does not: `Line unrecognized: "
		       "Address=...`, or addresses and hooks are ignored.",
		.cause = "`wg` removes all blanks, so `[ Interface ]` and `Allowed IPs` pass. "
			 "wg-quick looks for its own words as they are written.",
		.fix = "Write `[Interface]`, `Address`, `PostUp` and so on without blanks.",
		.related = "A7",
	},
	{
		.id = "bad-port",
		.title = "This is not a port",
		.see = "``Servname not supported for ai_socktype: `...'``, or `Unable to "
		       "parse empty port`.",
		.cause = "A port is a number up to 65535.",
		.fix = "Write such as `ListenPort = 51820`; delete the line for a free one.",
		.related = "service-name A6",
	},
	{
		.id = "service-name",
		.title = "The name of a service in place of a port",
		.see = "`Unable to parse port`, or `Servname not supported for ai_socktype`, and "
		       "the file is refused. Or the tunnel works, on the port that "
		       "`/etc/services` has under that name; on another machine it may not.",
		.cause = "`wg` looks a word up as a service of UDP, and words such as `off` or "
			 "`auto` are none.",
		.tell = "    getent services domain/udp",
		.fix = "Write the number.",
		.related = "bad-port",
	},
	{
		.id = "bad-fwmark",
		.title = "This is not a mark",
		.see = "`Fwmark is neither 0/off nor 0-0xffffffff`.",
		.cause = "A mark is a number, decimal or as `0x` with hexadecimal digits (a "
			 "small x), or `off`.",
		.fix = "Write such as `FwMark = 0x51`, or delete the line.",
		.related = "G2",
	},
	{
		.id = "bad-keepalive",
		.title = "This is not an interval",
		.see = "`Persistent keepalive interval is neither 0/off nor 1-65535`.",
		.cause = "It is a number of seconds without a unit, or `off`.",
		.fix = "Write `PersistentKeepalive = 25`, at the end that is behind a NAT; "
		       "else delete the line.",
		.related = "E15",
	},
	{
		.id = "bad-endpoint",
		.title = "This is not host:port",
		.see = "`Unable to find port of endpoint`, `Unable to parse empty endpoint` "
		       "or `Unable to find matching brace of endpoint`.",
		.cause = "An Endpoint is an address or name, a colon and a port. There is no "
			 "default port, and no `https://` or `udp://` before it.",
		.fix = "Such as\n"
		       "    Endpoint = vpn.example.com:51820\n"
		       "    Endpoint = 192.0.2.1:51820\n"
		       "    Endpoint = [2001:db8::1]:51820",
		.related = "v6-brackets bad-port A10",
	},
	{
		.id = "v6-brackets",
		.title = "An IPv6 endpoint without brackets",
		.see = "No handshake; `wg show` has an endpoint that is not what was meant.",
		.cause = "`2001:db8::1:51820` is split at the last colon, which is right here "
			 "by luck; a forgotten port takes the last part of the address for "
			 "one. Other programs refuse it.",
		.fix = "Put the address into brackets:\n"
		       "    Endpoint = [2001:db8::1]:51820",
		.related = "bad-endpoint",
	},
	{
		.id = "bad-allowed-ips",
		.title = "This is not an address or network",
		.see = "`Unable to parse IP address` or `AllowedIP is not in the correct "
		       "format`.",
		.cause = "AllowedIPs are addresses with a length, `10.0.0.0/24` or "
			 "`fd00::/64`, split by commas. Names, masks such as `255.255.255.0`, "
			 "ranges such as `10.0.0.2-9` and a comma at the end are none.",
		.fix = "Correct the item that `warren check` points at. A mask as a length: "
		       "255.255.255.0 is /24, 255.255.0.0 is /16.",
		.related = "C6 A19",
	},
	{
		.id = "bad-address",
		.title = "This is not an address",
		.see = "`Error: inet prefix is expected rather than \"...\"` (or inet6), and "
		       "the tunnel is undone.",
		.cause = "Address is this device's own address in the tunnel, with a length: "
			 "`10.0.0.2/24` or `fd00::2/64`, several split by commas. The tools do "
			 "not look at it before `ip` does.",
		.fix = "Correct the item that `warren check` points at.",
		.related = "C9 bad-allowed-ips",
	},
	{
		.id = "bad-dns",
		.title = "Neither an address nor a domain",
		.see = "Names do not resolve, or `resolvconf` complains.",
		.cause = "DNS takes addresses of name servers and, beside them, search "
			 "domains.",
		.fix = "Such as\n"
		       "    DNS = 10.0.0.1, fd00::1, corp.example",
		.related = "search-only H1",
	},
	{
		.id = "bad-mtu",
		.title = "This is not an MTU",
		.see = "`Error: argument \"...\" is wrong: Invalid \"mtu\" value`, and the "
		       "tunnel is undone.",
		.cause = "MTU is a number of bytes, without a unit.",
		.fix = "Delete the line, or write such as `MTU = 1420`.",
		.related = "F4 F8",
	},
	{
		.id = "bad-table",
		.title = "This is not a routing table",
		.see = "`Error: argument \"...\" is wrong: \"table\" value is invalid`, and the "
		       "tunnel is undone.",
		.cause = "Table is `auto` (as without the line), `off` for no routes at all, a "
			 "number, or a name from `/etc/iproute2/rt_tables` of that host. These "
			 "words are in small letters: wg-quick hands `OFF` to `ip` as a name.",
		.fix = "Delete the line unless you make routes yourself.",
		.related = "A15",
	},
	{
		.id = "address-twice",
		.title = "One Address twice in a file",
		.see = "`wg-quick up` ends with `Address already assigned` (or `File exists`), "
		       "and the tunnel is undone.",
		.cause = "Linux takes an address once for an interface. For IPv6 this holds with "
			 "another mask too; for IPv4 another mask makes it another address.",
		.fix = "Remove one of the two.",
		.related = "C8",
	},
	{
		.id = "bad-save-config",
		.title = "Neither true nor false",
		.see = "`is neither true nor false` from wg-quick, before anything is done.",
		.cause = "SaveConfig takes these two words; `yes` or `1` are none.",
		.fix = "Best, delete the line (A20 says why).",
		.related = "A20",
	},
	{
		.id = "no-public-key",
		.title = "A peer without a public key",
		.see = "`A peer is missing a public key`, then `Invalid configuration`.",
		.cause = "Below a `[Peer]` there is no PublicKey: the line is missing, "
			 "commented out, or under another heading.",
		.fix = "Add it; what belongs there is what the other end's `wg show wg0 "
		       "public-key` says. Or delete this `[Peer]`.",
		.related = "A8 wrong-section",
	},
	{
		.id = "other-program",
		.title = "The file is for another program",
		.see = "`Line unrecognized`, in line after line.",
		.cause = "It is a configuration of another system, such as OpenWrt's "
			 "`/etc/config/network`, systemd-networkd's .netdev or another VPN's. "
			 "The keys differ though the words resemble.",
		.fix = "Use it with that program, or write the values into a file of this "
		       "form:\n"
		       "    [Interface]\n"
		       "    PrivateKey = ...\n"
		       "    Address = 10.0.0.2/32\n"
		       "    [Peer]\n"
		       "    PublicKey = ...\n"
		       "    Endpoint = vpn.example.com:51820\n"
		       "    AllowedIPs = 0.0.0.0/0, ::/0",
		.related = "A19 unknown-section G8",
	},
	{
		.id = "own-key",
		.title = "A key behind #: that Warren does not know",
		.see = "`warren check` stops at a line that begins with `#:`. Stock tools "
		       "see a comment there.",
		.cause = "Lines that begin with `#:` are for Warren. A misspelt one is an "
			 "error, so that a typing error never drops a protection without a "
			 "word.",
		.tell = "In [Interface] there are KillSwitch, Forward, Masquerade, "
			"ExcludedIPs, MssClamp, OpenPort and Reresolve; in [Peer] there is "
			"Name.",
		.fix = "Correct it; a plain comment begins with `# `.",
		.warren = "`warren check` reads and checks these keys. This version has no "
			  "command yet that acts on them.",
		.related = "own-place own-value own-sign",
	},
	{
		.id = "own-place",
		.title = "A key behind #: in the wrong place",
		.see = "`warren check` says that it does not belong here, or that it stands "
		       "behind something else.",
		.cause = "Each has a line of its own, below [Interface] (`#: Name = ...` below "
			 "its [Peer]).",
		.fix = "Move it there.",
		.related = "own-key",
	},
	{
		.id = "own-value",
		.title = "A wrong value behind #:",
		.see = "`warren check` says what would be right.",
		.cause = "The key is known and its value is not one that it can have, or is "
			 "missing.",
		.fix = "Write what it says, such as `#: KillSwitch = yes`.",
		.related = "own-key",
	},
	{
		.id = "own-sign",
		.title = "A key of Warren in a plain comment",
		.see = "`warren check` warns of a line such as `# KillSwitch = yes`.",
		.cause = "That is a comment, for Warren too: it does nothing. It may have been "
			 "meant to.",
		.fix = "Write `#: KillSwitch = yes` for Warren, or `##: KillSwitch = yes` to "
		       "say that it is meant to be off.",
		.related = "own-key",
	},
};

const struct page_section page_section_lines = { "Lines: what cannot be read in a file", pages,
						 ELEMENTS(pages) };
