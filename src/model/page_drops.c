#include "base/bytes.h"
#include "model/page_data.h"

static const struct page pages[] = {
	{
		.id = "no-wireguard-message",
		.title = "Something else than WireGuard came to the port",
		.see = "`no-wireguard-message` counts.",
		.cause = "A UDP packet with the wrong type or length. Scanners of the internet "
			 "send such things to every port. From a peer's own address: another "
			 "protocol speaks there (AmneziaWG, or a program with the wrong port), "
			 "or the network damages packets.",
		.fix = "Nothing, unless it comes from a peer's address; then see A17 and "
		       "E10.",
		.related = "A17 E10",
	},
	{
		.id = "device-down",
		.title = "The interface is down, or has no private key",
		.see = "`device-down` counts; no peer gets a handshake.",
		.cause = "Packets came while the link was down, or while no private key was "
			 "set.",
		.tell = "    ip -br link show wg0; wg show wg0 public-key",
		.fix = "    ip link set wg0 up",
		.related = "no-private-key B1",
	},
	{
		.id = "handshake-queue-full",
		.title = "More handshakes at once than fit the queue",
		.see = "`handshake-queue-full` counts, with `under-load` beside it.",
		.cause = "A flood of handshake messages, or thousands of clients that come "
			 "back at the same moment. Sessions go on; new handshakes are tried "
			 "again by their senders every 5 seconds.",
		.fix = "A short burst needs nothing. If it lasts, limit UDP to that port in "
		       "the firewall by source.",
		.related = "under-load rate-limited",
	},
	{
		.id = "bad-mac1",
		.title = "A handshake for another public key than ours",
		.see = "`bad-mac1` counts, with the address it came from.",
		.cause = "Who sends there has a wrong PublicKey for this device. Or it is "
			 "noise; only the right key makes it past this check.",
		.tell = "The address belongs to one of your clients:\n"
			"    wg show wg0 public-key\n"
			"and compare with the PublicKey in its file.",
		.fix = "As B1.",
		.related = "B1 E10",
	},
	{
		.id = "rate-limited",
		.title = "Too many handshakes of one source in a flood",
		.see = "`rate-limited` counts.",
		.cause = "The device is flooded with handshakes, and this source has proved "
			 "its address but sends more than 20 a second. Many clients behind one "
			 "NAT share that.",
		.fix = "Nothing; they are tried again every 5 seconds. See who floods: "
		       "`tcpdump -ni any udp port 51820`.",
		.related = "under-load handshake-queue-full",
	},
	{
		.id = "under-load",
		.title = "Answered with a cookie, in a flood",
		.see = "`under-load` counts.",
		.cause = "More handshakes come than can be answered at once. Their senders get "
			 "a cookie and come again with it within 5 seconds, which proves their "
			 "address.",
		.fix = "Nothing in itself; if it lasts, look who sends so much.",
		.related = "rate-limited handshake-queue-full",
	},
	{
		.id = "bad-static-key",
		.title = "A handshake whose sender cannot be read",
		.see = "`bad-static-key` counts.",
		.cause = "The message was made for our public key and is damaged or forged "
			 "behind that.",
		.fix = "Single ones need nothing. Many from a peer's own address: something "
		       "on the way changes packets.",
		.related = "bad-mac1 bad-initiation",
	},
	{
		.id = "unknown-public-key",
		.title = "Somebody knocked who is not a peer",
		.see = "`unknown-public-key` counts; the keys that knocked stand below, with "
		       "their addresses.",
		.cause = "A device knows our public key, and we have no peer with its key: it "
			 "was forgotten here, mistyped, not loaded into the running device, or "
			 "removed on purpose.",
		.fix = "If it should be let in, take the key from the list:\n"
		       "    wg set wg0 peer 'THAT_KEY' allowed-ips 10.0.0.2/32",
		.related = "B2 A22",
	},
	{
		.id = "bad-initiation",
		.title = "A handshake that is not authentic",
		.see = "`bad-initiation` counts at a peer.",
		.cause = "It names this peer's public key and was not made with its private "
			 "key: forged or damaged.",
		.fix = "Single ones need nothing. If the peer cannot connect, take its "
		       "public key from the device itself (`wg show wg0 public-key` there).",
		.related = "B2 B4",
	},
	{
		.id = "old-timestamp",
		.title = "A handshake from the past",
		.see = "`old-timestamp` counts at a peer.",
		.cause = "Its stamp is not later than the last one from this peer. Either its "
			 "clock went back (power cut, no battery), or two devices use one key, "
			 "or somebody plays an old message again.",
		.tell = "The clock there first (`date -u`). If it is right, look whether the "
			"endpoint of that peer goes back and forth: B5.",
		.fix = "As B6 or B5. Taking the peer away here and adding it again forgets "
		       "the old stamp, which helps only until the next time.",
		.related = "B6 B5",
	},
	{
		.id = "initiation-flood",
		.title = "Handshakes of one peer in too quick a row",
		.see = "`initiation-flood` counts at a peer.",
		.cause = "Two first messages of the same peer within 20 ms. A healthy peer "
			 "sends one in 5 seconds: a copy by the network, or two devices with "
			 "one key.",
		.fix = "Single ones need nothing; many: B5.",
		.related = "B5",
	},
	{
		.id = "changed-meanwhile",
		.title = "The configuration changed during a handshake",
		.see = "`changed-meanwhile` counts.",
		.cause = "Peer or keys were changed while a message of that peer was being "
			 "computed, so the result was thrown away.",
		.fix = "Nothing; it is tried again.",
		.related = "I5",
	},
	{
		.id = "stale-response",
		.title = "An answer to no handshake that waits",
		.see = "`stale-response` counts at a peer.",
		.cause = "An answer came for a handshake that was replaced by a newer one "
			 "meanwhile: a way of more than 5 seconds, or a copy.",
		.fix = "Nothing, unless it repeats together with no session: then the way is "
		       "very slow or keeps packets back.",
		.related = "E12 B4",
	},
	{
		.id = "bad-response",
		.title = "An answer that is not authentic: another preshared key",
		.see = "`bad-response` counts at a peer, one every 5 seconds, and there is "
		       "never a session.",
		.cause = "The other end accepted us and answered, and the answer does not "
			 "open. It has another preshared key for us, or none, or we have none. "
			 "(Once only: a forgery.)",
		.fix = "As B4: the same PresharedKey at both ends, or none.",
		.related = "B4",
	},
	{
		.id = "bad-cookie-reply",
		.title = "A cookie that is not authentic, or not asked for",
		.see = "`bad-cookie-reply` counts.",
		.cause = "A late copy, or a forgery.",
		.fix = "Nothing.",
		.related = "under-load",
	},
	{
		.id = "unknown-index",
		.title = "Data of a session that is not ours",
		.see = "`unknown-index` counts, for some seconds after a restart of the "
		       "engine or the tunnel.",
		.cause = "The peer still uses the session of before. It notices after 15 "
			 "seconds at most, or when we send it something, and makes a new one.",
		.fix = "Nothing. If it goes on for minutes, the peer's packets reach us and "
		       "ours do not reach it: E12, E14.",
		.related = "E12 E14",
	},
	{
		.id = "expired-key",
		.title = "Data under a key older than 180 seconds",
		.see = "`expired-key` counts at a peer.",
		.cause = "A session ends after 3 minutes and was not renewed: the peer's or "
			 "our handshakes do not get through, while data did.",
		.fix = "See whether handshakes pass at all (B1, E12); a packet that was long "
		       "on its way is harmless.",
		.related = "B10 E12",
	},
	{
		.id = "message-limit",
		.title = "More messages than one key may carry",
		.see = "`message-limit` counts.",
		.cause = "A session must be renewed long before this. It does not happen in "
			 "practice; it would be a forged counter.",
		.fix = "Nothing.",
		.related = "replay",
	},
	{
		.id = "bad-tag",
		.title = "Data that is not authentic",
		.see = "`bad-tag` counts at a peer.",
		.cause = "A packet of the session was damaged on the way or forged. Some "
			 "routers and network cards damage packets and their checksums agree.",
		.fix = "Single ones need nothing. Many: try another cable, port or path, and "
		       "switch off checksum offloads of the network card (`ethtool -K eth0 "
		       "rx off tx off`) as a test.",
		.related = "replay",
	},
	{
		.id = "replay",
		.title = "Data that came before, or too late",
		.see = "`replay` counts at a peer.",
		.cause = "The network delivered a copy, or a packet more than 8000 others too "
			 "late.",
		.fix = "Nothing for single ones. Many: two paths at once (bonding, a mesh "
		       "radio) double or reorder packets.",
		.related = "bad-tag E11",
	},
	{
		.id = "inner-version",
		.title = "Neither IPv4 nor IPv6 came out of the tunnel",
		.see = "`inner-version` counts at a peer.",
		.cause = "The peer is authentic and sent something that is no IP packet: "
			 "another program inside its tunnel, or a fault there.",
		.fix = "Update the other end's software.",
		.related = "inner-length",
	},
	{
		.id = "inner-length",
		.title = "A packet whose length contradicts its header",
		.see = "`inner-length` counts at a peer.",
		.cause = "The peer is authentic and its inner packet is longer by its header "
			 "than by its bytes. A fault at the other end.",
		.fix = "Update the other end's software.",
		.related = "inner-version",
	},
	{
		.id = "inner-source",
		.title = "A peer used an address that is not in its AllowedIPs",
		.see = "`inner-source` counts at a peer, with the address it used. A "
		       "handshake is there, and traffic from that peer gets no answer.",
		.cause = "What a peer sends is taken only if its source is in the peer's "
			 "AllowedIPs here. The peer has another Address than we think, or "
			 "forwards for a network that is missing here, or does not translate "
			 "addresses.",
		.tell = "The address in the line against the list:\n"
			"    wg show wg0 allowed-ips",
		.fix = "If the address is right, add it here (all of the peer's, the list is "
		       "replaced), else correct Address at the peer:\n"
		       "    wg set wg0 peer 'KEY' allowed-ips 10.0.0.2/32,192.168.7.0/24",
		.related = "C7 C4 C8",
	},
	{
		.id = "out-no-ip-packet",
		.title = "The host sent something else than IP",
		.see = "`out-no-ip-packet` counts.",
		.cause = "Some program wrote into the interface what is neither IPv4 nor IPv6.",
		.fix = "Nothing, unless traffic is missing.",
		.related = "out-no-peer",
	},
	{
		.id = "out-no-peer",
		.title = "No peer has this destination in its AllowedIPs",
		.see = "`out-no-peer` counts, with the inner source. Programs see "
		       "`Destination Host Unreachable`.",
		.cause = "A route leads into the tunnel for an address that no peer has. "
			 "AllowedIPs are missing, or taken by nobody since another peer lost "
			 "them, or the route is too wide.",
		.tell = "What no list covers:\n"
			"    wg show wg0 allowed-ips; ip route show dev wg0",
		.fix = "Add the address to the peer it is behind, or remove the route.",
		.related = "C4 C1 C5",
	},
	{
		.id = "out-no-endpoint",
		.title = "The peer's endpoint is not known yet",
		.see = "`out-no-endpoint` counts at a peer.",
		.cause = "This peer has no Endpoint in the file and has never been heard. "
			 "Somebody has to begin, and it can only be the peer.",
		.fix = "Wait until it speaks; set PersistentKeepalive there. Or write its "
		       "Endpoint here, if it has a fixed one.",
		.related = "E15 A18",
	},
	{
		.id = "out-loop",
		.title = "The endpoint is routed into its own tunnel",
		.see = "`out-loop` counts at a peer, quickly.",
		.cause = "Our own encrypted packets for this peer come back out of the "
			 "interface: the route to its endpoint is the tunnel.",
		.fix = "As C12.",
		.related = "C12 F7",
	},
	{
		.id = "out-queue-full",
		.title = "Too much waited for a handshake",
		.see = "`out-queue-full` counts at a peer.",
		.cause = "Packets wait while there is no session, a bounded number of them; "
			 "older ones are dropped for newer ones. The cause is the missing "
			 "session.",
		.fix = "Look why there is no handshake: B1, B2, D11.",
		.related = "B1 B2 out-no-answer",
	},
	{
		.id = "out-no-answer",
		.title = "The peer did not answer",
		.see = "`out-no-answer` counts at a peer.",
		.cause = "Packets waited while 20 handshakes, some 100 seconds of them, had no "
			 "answer. The peer is off, the way is blocked, or a key is wrong.",
		.fix = "See whether anything comes back at all:\n"
		       "    tcpdump -ni any udp and host 192.0.2.1\n"
		       "Nothing: D11, E7, E10, E12. Answers: B4. The other end sees our "
		       "packets and stays silent: B1, B2.",
		.related = "B1 B2 B4 D11 E7",
	},
	{
		.id = "out-cleared",
		.title = "Waited when the link went down or the peer was removed",
		.see = "`out-cleared` counts.",
		.cause = "What waited for a handshake was given up with the peer or the link.",
		.fix = "Nothing.",
		.related = "I5",
	},
	{
		.id = "send-failed",
		.title = "The host refused to send",
		.see = "`send-failed` counts at a peer.",
		.cause = "The kernel said no: no route to the endpoint, a firewall rule in the "
			 "output chain, no address of that family.",
		.tell = "With the mark, if there is one:\n"
			"    ip route get 192.0.2.1 mark 0xca6c\n"
			"    nft list ruleset; iptables -S OUTPUT",
		.fix = "Correct the route or the rule. For some seconds after a change of "
		       "network it is normal.",
		.related = "I1 C12 E8",
	},
	{
		.id = "deliver-failed",
		.title = "The host refused a packet from the tunnel",
		.see = "`deliver-failed` counts.",
		.cause = "The kernel did not take a decrypted packet into the interface: the "
			 "link was just going down, or memory was short.",
		.fix = "Nothing for single ones; the engine's log says more with "
		       "`LOG_LEVEL=debug`.",
		.related = "F9 device-down",
	},
	{
		.id = "no-memory",
		.title = "The engine had no memory",
		.see = "`no-memory` counts.",
		.cause = "The host, or the control group of the engine, is out of memory.",
		.tell = "    free -m; dmesg | grep -i oom",
		.fix = "Give it more. Each peer costs about 1 KB, each session little more.",
		.related = "out-queue-full",
	},
	{
		.id = "no-random",
		.title = "The host gave no random bytes",
		.see = "`no-random` counts.",
		.cause = "Keys cannot be made without random bytes. A kernel gives none in the "
			 "first moments after boot, or a container forbids the call.",
		.fix = "Nothing, if it stops by itself; else look at the container's seccomp "
		       "profile (getrandom).",
		.related = "crypto-failed",
	},
	{
		.id = "crypto-failed",
		.title = "The cryptographic library failed",
		.see = "`crypto-failed` counts.",
		.cause = "libcrypto refused an operation: no memory, or a policy of the system "
			 "(FIPS) that forbids ChaCha20-Poly1305 or X25519.",
		.tell = "    openssl list -providers; openssl speed -seconds 1 -evp "
			"chacha20-poly1305",
		.fix = "Start the engine outside that policy.",
		.related = "no-memory",
	},
};

const struct page_section page_section_drops = {
	"Drops: why a packet was refused (`warren show wg0 drops`)", pages, ELEMENTS(pages)
};
