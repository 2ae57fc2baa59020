#include "base/bytes.h"
#include "model/page_data.h"

static const struct page pages[] = {
	{
		.id = "I1",
		.title = "Dead after suspend or a change of network, until toggled",
		.see = "The laptop wakes up or changes from cable to Wi-Fi, and the tunnel "
		       "is dead until it is switched off and on.",
		.cause = "A userspace engine still sends by the path or from the address that "
			 "is gone. Its sends fail, and it does not try another way. Or the "
			 "endpoint's name should be looked up again (E7), or a NAT has "
			 "forgotten it (E12).",
		.tell = "Whether it is the engine: a new socket cures it at once:\n"
			"    wg set wg0 listen-port 0; ping -c 2 10.0.0.1",
		.fix = "Update the engine or use the kernel's WireGuard. A restart of the "
		       "tunnel on resume is a stopgap.",
		.warren = "Warren's engine forgets the source address when the host refuses it "
			  "or a retry begins, sends again without it at once, and counts that "
			  "(`udp-resent-without-source`).",
		.related = "E7 E12 I2 B10",
	},
	{
		.id = "I2",
		.title = "A userspace engine says \"port in use\" after a network change",
		.see = "After the network changed, an engine (often on a phone) logs "
		       "`address already in use` and has no connection.",
		.cause = "It closed its socket and could not get the same port again, because "
			 "the old one was not yet gone or something else took it.",
		.tell = "Who has the port now:\n"
			"    ss -ulpn 'sport = :51820'",
		.fix = "Leave ListenPort out on clients. At once: `wg set wg0 listen-port "
		       "0`.",
		.warren = "With Warren's engine a change of port is taken whole or not at all: "
			  "when the new one cannot be had, the old one stays.",
		.related = "A6 I1 E6",
	},
	{
		.id = "I3",
		.title = "wg hangs, and the engine cannot be ended",
		.see = "`wg show` or `wg set` does not return; the engine ignores SIGTERM.",
		.cause = "`wg` asks a userspace engine by a socket and waits without limit. "
			 "The engine behind it is stuck or has crashed in a thread (boringtun "
			 "did, when a peer was changed).",
		.tell = "Which one hangs:\n"
			"    ls -l /var/run/wireguard; timeout 2 wg show wg0; ps aux | grep wg0",
		.fix = "End that engine by its number and start it again:\n"
		       "    kill -9 PID; rm -f /var/run/wireguard/wg0.sock\n"
		       "Update it or use another one.",
		.warren = "An engine of Warren's that hangs or dies can be ended alone; its "
			  "monitor starts another with the same configuration.",
		.related = "A14 I5",
	},
	{
		.id = "I4",
		.title = "In a container with a userspace engine 0.0.0.0/0 kills everything",
		.see = "With a small AllowedIPs the tunnel works; with `0.0.0.0/0` nothing "
		       "does.",
		.cause = "The engine does not mark its own packets, so that they go into the "
			 "tunnel too (C12). boringtun was such a one.",
		.tell = "With the mark that was set, where do the packets go?\n"
			"    wg show wg0 fwmark; ip rule; tcpdump -ni wg0 udp port 51820\n"
			"The engine's own packets in wg0: this.",
		.fix = "Use an engine that marks its packets, or give the server a route of "
		       "its own:\n"
		       "    ip route add 192.0.2.1 via 172.17.0.1",
		.warren = "Warren's engine marks them, and drops and counts its own packets if "
			  "they come back (`out-loop`).",
		.related = "C12 A3 A2",
	},
	{
		.id = "I5",
		.title = "All clients drop when one peer is added",
		.see = "A web UI or script adds a user, and every connection has a pause, "
		       "calls drop.",
		.cause = "It restarts the interface. With the interface go all sessions, and "
			 "each peer has to make a handshake first.",
		.tell = "After adding one, all handshakes are new:\n"
			"    wg show wg0 latest-handshakes",
		.fix = "Change the running device and nothing else:\n"
		       "    wg set wg0 peer 'KEY' allowed-ips 10.0.0.9/32\n"
		       "    wg syncconf wg0 <(wg-quick strip wg0)     # after editing the file\n"
		       "Routes for networks behind a peer are separate (C5).",
		.warren = "A change of Warren's engine is taken whole or not at all, and "
			  "sessions of peers that it does not touch go on.",
		.related = "C5 A22",
	},
	{
		.id = "I6",
		.title = "There is nothing in any log",
		.see = "No handshake, and neither end's log has a line about it.",
		.cause = "WireGuard in the kernel logs nothing, on purpose: what a stranger "
			 "sends should not fill a disk. What it refuses it does not count per "
			 "reason either.",
		.tell = "In the kernel, where debugfs is there, lines per event can be "
			"switched on:\n"
			"    echo 'module wireguard +p' > /sys/kernel/debug/dynamic_debug/control\n"
			"    dmesg -w\n"
			"- `Invalid MAC of handshake`: they have another public key for us "
			"(B1)\n"
			"- `Invalid handshake initiation`: no such peer here (B2), or its "
			"clock went back (B6)\n"
			"- `Invalid handshake response`: another preshared key (B4), or a "
			"late answer\n"
			"- `unallowed src IP`: C4, C7\n"
			"- `No peer has allowed IPs matching`: C4\n"
			"Switch it off with `-p` in place of `+p`.",
		.fix = "Without that, count bytes: a first message has 148, an answer 92, a "
		       "keepalive 32. `0 B received, 740 B sent` is five first messages and "
		       "no answer (`wg show wg0 dump` has the exact numbers).",
		.warren = "Warren's engine counts every packet that it refuses, by reason, with "
			  "the time and the sender of the last one: `warren show wg0 drops`.",
		.related = "B1 B2 B4 C4",
	},
};

const struct page_section page_section_i = { "I: In service: suspend, changes, userspace engines",
					     pages, ELEMENTS(pages) };
