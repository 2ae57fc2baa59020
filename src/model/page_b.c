#include "base/bytes.h"
#include "model/page_data.h"

static const struct page pages[] = {
	{
		.id = "B1",
		.title = "No handshake: the client has the wrong public key of the server",
		.see = "`0 B received`, and what was sent is a multiple of 148 bytes, "
		       "growing every 5 seconds. The app says \"Handshake did not complete\".",
		.cause = "The PublicKey in the client's [Peer] is not the public key of the "
			 "server's PrivateKey. The server cannot even tell that the packet was "
			 "meant for it, and stays silent. Often: the server was installed "
			 "anew, or the client's own key was pasted.",
		.tell = "On the server, ask for the key that counts, and compare it with the "
			"client's file:\n"
			"    wg show wg0 public-key\n"
			"They must be equal. When they are, it is B2 (the server does not "
			"know the client), B4, or the packet never arrives (D8, D11, E1).",
		.fix = "Put the server's key into the client's `PublicKey =`, and bring the "
		       "tunnel up again.",
		.warren = "On Warren's engine `warren show wg0 drops` counts `bad-mac1`, with "
			  "the address it came from: somebody there has another public key for "
			  "us (or sends noise).",
		.related = "B2 B3 B4 A9 E10",
	},
	{
		.id = "B2",
		.title = "No handshake: the server does not have the client's key",
		.see = "As B1 at the client: `0 B received`. Other clients of the same "
		       "server work.",
		.cause = "No peer on the server has the client's public key: it was never "
			 "added, added with a typing error, or added to the file and not to "
			 "the running device (A22). The server stays silent.",
		.tell = "On the client:\n"
			"    wg show wg0 public-key\n"
			"On the server, in the running device:\n"
			"    wg show wg0 peers",
		.fix = "Add it, with the address that the client has:\n"
		       "    wg set wg0 peer 'CLIENT_PUBLIC_KEY' allowed-ips 10.0.0.2/32\n"
		       "and write the same into the file. Keys that differ in one letter are "
		       "different keys; paste, never type.",
		.warren = "On Warren's engine `warren show wg0 drops` counts "
			  "`unknown-public-key` and lists each key that knocked: paste it into "
			  "the command above.",
		.related = "B1 A22 B4 B6",
	},
	{
		.id = "B3",
		.title = "A peer has this device's own public key",
		.see = "A peer of the file does not appear in `wg show`. No message was "
		       "given. There is no handshake.",
		.cause = "The PublicKey under [Peer] belongs to the PrivateKey of the same "
			 "file. Nobody can be their own peer, so the kernel leaves such a peer "
			 "out and says nothing. The keys of the two ends were swapped, or one "
			 "pair was used for both.",
		.tell = "    wg show wg0 public-key; wg show wg0 peers\n"
			"The first key also stands under a [Peer] in the file, and the second "
			"list is short of it.",
		.fix = "Put the other end's public key there. Ask the other end for it:\n"
		       "    wg show wg0 public-key",
		.related = "B1 B5 A18",
	},
	{
		.id = "B4",
		.title = "The preshared key is on one side only, or differs",
		.see = "No handshake. In the client's eyes `0 B received`; on the server the "
		       "peer may show some bytes received and a reply sent every 5 seconds, "
		       "and still no latest handshake.",
		.cause = "Both ends must have the same PresharedKey for each other, or both "
			 "none. With a mismatch the first message is accepted and the answer "
			 "is not, so it starts anew for ever.",
		.tell = "On each end, without printing the key:\n"
			"    wg show wg0 preshared-keys | while read -r peer key; do\n"
			"      echo \"$peer $(printf %s \"$key\" | sha256sum | cut -c1-8)\"; done\n"
			"The eight characters must be the same at both ends (`(none)` has "
			"some too).",
		.fix = "Give both ends the same, or take it away at both:\n"
		       "    umask 077; wg genpsk > psk\n"
		       "    wg set wg0 peer 'OTHER_KEY' preshared-key psk\n"
		       "    wg set wg0 peer 'OTHER_KEY' preshared-key /dev/null\n"
		       "and write it into both files. Send it to the other end by a safe "
		       "way, such as ssh.",
		.warren = "On Warren's engine, at the end that calls, `warren show wg0 drops` "
			  "counts `bad-response` for that peer.",
		.related = "B1 B2 E14",
	},
	{
		.id = "B5",
		.title = "Two devices with one key: it works until the second connects",
		.see = "\"It can switch between devices\", connections drop every minute or "
		       "so, the phone works and then the laptop does not.",
		.cause = "Two devices use the same file, so the same private key. For the "
			 "server they are one peer that moves, and the answers go to whoever "
			 "spoke last.",
		.tell = "On the server the endpoint of the peer goes back and forth within "
			"seconds, which nobody does by walking:\n"
			"    watch -n 1 'wg show wg0 endpoints'\n"
			"A phone that changes from Wi-Fi to mobile does it once, not all the "
			"time.",
		.fix = "Make a key pair and an address for each device, a [Peer] each on the "
		       "server. Two addresses under one key do not help.\n"
		       "    umask 077; wg genkey | tee laptop.key | wg pubkey",
		.related = "E6 E16 C8 B6",
	},
	{
		.id = "B6",
		.title = "After a reboot or power cut: nothing until the server is restarted",
		.see = "A router or Raspberry Pi was without power. Now its tunnel is dead, "
		       "although nothing was changed. After somebody restarts the server's "
		       "tunnel, it works.",
		.cause = "Each first message carries the sender's clock, and a server takes "
			 "only what is later than the last one, so that nobody can replay an "
			 "old one. The device has no battery clock, started in the past, and "
			 "is refused until its clock is beyond what the server saw. The "
			 "restart makes the server forget.",
		.tell = "On the device, against a watch:\n"
			"    date -u\n"
			"    timedatectl | grep -i synchronized\n"
			"A clock hours or years behind is it. Ordinary slowness of a clock is "
			"not: only going back matters (B8).",
		.fix = "Set the clock (to the time of today), then the next try works:\n"
		       "    date -us '2026-11-25 21:00'\n"
		       "For good: start time synchronisation before the tunnel "
		       "(`After=time-sync.target`, and the service systemd-time-wait-sync), "
		       "add a battery clock, or install fake-hwclock. The time server must "
		       "be reachable without the tunnel (B7).",
		.warren = "Warren's engine remembers its last stamp in `/var/lib/warren` and "
			  "never goes below it, over restarts with a wrong clock too. As the "
			  "server it counts `old-timestamp` for that peer (`warren show wg0 "
			  "drops`).",
		.related = "B7 B8 B2",
	},
	{
		.id = "B7",
		.title = "The clock needs the tunnel, and the tunnel needs the clock",
		.see = "As B6, and the device never gets the right time by itself.",
		.cause = "The time server's address, or the name server that would find it, is "
			 "routed into the tunnel, which cannot work before the clock is right.",
		.tell = "Is the way to the time server the tunnel?\n"
			"    ip route get 192.0.2.123        # an address of your time server\n"
			"    timedatectl timesync-status; chronyc sources",
		.fix = "Let time go outside: use a time server on the LAN or the router, or "
		       "give one a route of its own:\n"
		       "    PostUp = ip route add 192.0.2.123 via 192.168.1.1\n"
		       "(the address of the time server and of your router). Its name must "
		       "be resolvable outside the tunnel too. Or keep the time over a power "
		       "cut: a battery clock, or fake-hwclock.",
		.warren = "Warren's engine keeps the floor of its stamps on disk, so its tunnel "
			  "comes up although the clock is wrong.",
		.related = "B6 H1",
	},
	{
		.id = "B8",
		.title = "\"Both clocks must agree\": they need not",
		.see = "Advice says that the clocks of the two ends must agree within some "
		       "minutes. Or: the clock is five minutes off and it is taken for the "
		       "cause.",
		.cause = "WireGuard never compares the two clocks. Each end only remembers, "
			 "for each peer, the latest stamp that it accepted from it, and the "
			 "next must be later. A clock that is wrong but goes forward is fine.",
		.tell = "Was the clock ever set back, or did it start in the past after a "
			"power cut? Then it is B6. Else it is not the clock.",
		.fix = "Look at keys and path instead: B1, B2, B4, D11, E1. Setting the "
		       "clock right does no harm, but the first step back (from a time that "
		       "was too late) is what then breaks the tunnel until time has caught "
		       "up, or until the other end's tunnel was restarted.",
		.related = "B6 B7",
	},
	{
		.id = "B9",
		.title = "\"Connected\", but nothing happens until I browse",
		.see = "The tunnel is up, `wg show` has no latest handshake and no transfer. "
		       "As soon as something is opened it works.",
		.cause = "WireGuard says nothing until there is something to say. Up means "
			 "that the interface exists. The first packet makes the first "
			 "handshake.",
		.tell = "Send one packet and look again:\n"
			"    ping -c 2 10.0.0.1; wg show wg0 latest-handshakes\n"
			"A time in the last seconds: healthy. Still 0: go on with B1.",
		.fix = "Nothing, if that is all. Where the other end must be able to speak "
		       "first, set on the side that is behind a NAT:\n"
		       "    PersistentKeepalive = 25",
		.related = "B10 E15",
	},
	{
		.id = "B10",
		.title = "It says connected, and it is dead",
		.see = "The app or `ip link` shows the tunnel up, the sent bytes grow, the "
		       "received ones do not.",
		.cause = "\"Up\" says nothing about the other end; there is no connection in "
			 "WireGuard. An old handshake alone is no sign either: an idle tunnel "
			 "has one and is healthy. A session is renewed when there is traffic, "
			 "after 2 minutes, and after 3 it can no longer be used.",
		.tell = "Send something and look twice:\n"
			"    wg show wg0 transfer; ping -c 5 10.0.0.1; wg show wg0 transfer\n"
			"- sent grows and received does not, and the latest handshake is "
			"older than 3 minutes: nothing comes back (B1, D11, E7, E12)\n"
			"- both grow: the tunnel is fine, look at names and routing behind it "
			"(H1, D1, D2)\n"
			"- nothing grows: the traffic does not go into the tunnel (C4, C10, "
			"G8)",
		.fix = "Follow the line that fits.",
		.related = "B9 E7 E12 I1",
	},
	{
		.id = "B11",
		.title = "The private key in the file and in \"showconf\" differ",
		.see = "A key written with `wg set` comes back with another first or last "
		       "character, or a tool that compares the two reports a change every "
		       "time.",
		.cause = "Some bits of a private key are fixed. A key that was made in another "
			 "way (`openssl rand -base64 32`) lacks that, and the device fixes it "
			 "when it takes the key. Both forms have the same public key and do "
			 "the same.",
		.tell = "The same public key from both means that it is only this:\n"
			"    wg pubkey < old.key; wg show wg0 public-key",
		.fix = "Nothing must be done. To make them equal, put the device's form into "
		       "the file:\n"
		       "    umask 077; wg show wg0 private-key > wg0.key",
		.related = "A20",
	},
	{
		.id = "B12",
		.title = "Clients' private keys are made on the server and sent around",
		.see = "A web UI or a script makes the whole client file, and it goes by "
		       "mail, chat or a picture of a QR code.",
		.cause = "Whoever sees that file can be this client. It also stays on the "
			 "server, in backups and in the chat.",
		.fix = "Make the key where it is used, and send only the public key, which "
		       "is no secret:\n"
		       "    umask 077; wg genkey | tee client.key | wg pubkey\n"
		       "The server adds that key; the client gets back the server's public "
		       "key, endpoint and its address. Where a made file must travel, do it "
		       "once over a safe way, and delete the copies.",
		.warren = "`warren genkey -o FILE` writes a key that only its owner can read, "
			  "from the first byte on.",
		.related = "A18 B5",
	},
};

const struct page_section page_section_b = { "B: No handshake: keys, identity, time", pages,
					     ELEMENTS(pages) };
