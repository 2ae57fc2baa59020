#include "config/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/text.h"
#include "config/tunnel_read.h"
#include "support.h"

/*
 * Rules that need a host, which golden files do not have: each row is a file, what is known of the
 * host, and the ids that are found. What files alone show is in tests/check.
 */
enum { IDS = 256 };

#define KEYS_A "[Interface]\nPrivateKey = mCPUu8PMp8V5Mk6DT0c4Jqr5wGDak4wgEtNbC72x8E0=\n"
#define PEER "[Peer]\nPublicKey = bEOxOlS172afGJzIXTs2V4lldpy9xLGNImHru1t9lmc=\n"

static void read_into(struct tunnel_set *set, const char *path, const char *text)
{
	struct config_file f;
	struct diags diags;

	assert_int_equal(file_parse(&f, path, text, strlen(text)), 0);
	diags_init(&diags);
	assert_true(tunnel_read(&f, tunnel_set_add(set), &diags));
	assert_int_equal(diags.errors, 0);
	diags_done(&diags);
	file_done(&f);
}

/* "A1 C10": ids in the order of their severity and place is not what is tested here. */
static void print_ids(const struct findings *f, const char *only, char ret[static IDS])
{
	size_t at = 0;

	ret[0] = '\0';
	for (size_t i = 0; i < f->count; ++i)
		if (strstr(only, f->items[i].id))
			at += (size_t)snprintf(ret + at, IDS - at, "%s%s%c", at ? " " : "",
					       f->items[i].id,
					       f->items[i].severity == DIAG_NOTE      ? '-'
					       : f->items[i].severity == DIAG_WARNING ? '?'
										      : '!');
	for (size_t i = 0; i < f->count; ++i) {
		assert_non_null(f->items[i].cause);
		assert_true(f->items[i].cause[0] != '\0');
	}
}

static void add_link(struct host_network *n, uint32_t index, const char *name, uint32_t mtu,
		     const char *address)
{
	struct host_link *link = host_add_link(n);
	struct host_address *a = host_add_address(n);

	assert_true(link && a);
	link->index = index;
	link->mtu = mtu;
	link->up = true;
	link->loopback = strcmp(name, "lo") == 0;
	(void)snprintf(link->name, sizeof(link->name), "%s", name);
	a->link = index;
	assert_true(text_to_prefix(address, &a->prefix));
}

static void add_default(struct host_network *n, uint32_t link, uint8_t family)
{
	struct host_route *route = host_add_route(n);

	assert_non_null(route);
	*route = (struct host_route){
		.dst.ip.family = family, .link = link, .table = HOST_TABLE_MAIN, .gateway = true
	};
}

/* A laptop at home: 192.168.1.0/24 by Wi-Fi, docker, a tunnel that is up. */
static void laptop(struct host_facts *h)
{
	host_facts_init(h);
	h->looked = true;
	add_link(&h->network, 1, "lo", 65536, "127.0.0.1/8");
	add_link(&h->network, 2, "wlan0", 1500, "192.168.1.34/24");
	add_link(&h->network, 3, "docker0", 1500, "172.17.0.1/16");
	add_link(&h->network, 4, "wg0", 1420, "10.1.0.2/24");
	add_link(&h->network, 2, "wlan0", 1500, "fe80::1/64");
	add_default(&h->network, 2, FAMILY_V4);
	h->network.has_resolvconf = true;
}

static void with_v6(struct host_facts *h)
{
	add_default(&h->network, 2, FAMILY_V6);
}

static void without_v6(struct host_facts *h)
{
	h->network.ipv6_off = true;
}

static void without_resolvconf(struct host_facts *h)
{
	h->network.has_resolvconf = false;
}

static void by_pppoe(struct host_facts *h)
{
	h->network.links[1].mtu = 1492;
}

static void without_wifi(struct host_facts *h)
{
	h->network.links[1].up = false;
}

static void as_it_is(struct host_facts *h)
{
	(void)h;
}

static const struct host_row {
	const char *text;
	void (*change)(struct host_facts *h);
	const char *only; /* the rules that are looked at */
	const char *ids;
} host_rows[] = {
	/* A1 */
	{ "DNS = 10.1.0.1\n" PEER "AllowedIPs = 10.1.0.0/24\n", without_resolvconf, "A1", "A1?" },
	{ "DNS = 10.1.0.1\n" PEER "AllowedIPs = 10.1.0.0/24\n", as_it_is, "A1", "" },
	{ PEER "AllowedIPs = 10.1.0.0/24\n", without_resolvconf, "A1", "" },
	/* A5 */
	{ "Address = 10.1.0.2/24, fd00:1::2/64\n" PEER, without_v6, "A5", "A5!" },
	{ "Address = 10.1.0.2/24, fd00:1::2/64\n" PEER, as_it_is, "A5", "" },
	{ "Address = 10.1.0.2/24\n" PEER "AllowedIPs = 0.0.0.0/0, ::/0\n", without_v6, "A5",
	  "A5!" },
	{ "Table = off\n" PEER "AllowedIPs = 0.0.0.0/0, ::/0\n", without_v6, "A5", "" },
	{ "Address = 10.1.0.2/24\n" PEER "AllowedIPs = 0.0.0.0/0\n", without_v6, "A5", "" },
	/* C10 */
	{ PEER "AllowedIPs = 192.168.1.0/24\n", as_it_is, "C10", "C10?" },
	{ PEER "AllowedIPs = 192.168.1.128/25\n", as_it_is, "C10", "C10?" },
	{ PEER "AllowedIPs = 192.168.0.0/16\n", as_it_is, "C10", "C10-" },
	{ PEER "AllowedIPs = 192.168.2.0/24\n", as_it_is, "C10", "" },
	{ PEER "AllowedIPs = 192.168.1.7/32\n", as_it_is, "C10", "" },
	{ PEER "AllowedIPs = 0.0.0.0/0\n", as_it_is, "C10", "" },
	{ PEER "AllowedIPs = 0.0.0.0/1, 128.0.0.0/1\n", as_it_is, "C10", "" },
	{ PEER "AllowedIPs = 10.1.0.0/24\n", as_it_is, "C10", "" }, /* the tunnel itself is up */
	{ "Table = off\n" PEER "AllowedIPs = 192.168.1.0/24\n", as_it_is, "C10", "" },
	/* C11 */
	{ "Address = 172.17.5.1/24\n" PEER, as_it_is, "C11", "C11?" },
	{ "Address = 192.168.1.77/24\n" PEER, as_it_is, "C11", "C11?" },
	{ "Address = 192.168.1.77/32\n" PEER, as_it_is, "C11", "C11?" },
	{ "Address = 172.18.0.1/16\n" PEER, as_it_is, "C11", "" },
	{ "Address = 10.1.0.2/24\n" PEER, as_it_is, "C11", "" },
	{ "Address = fe80::5/64\n" PEER, as_it_is, "C11", "" },
	/* D6 */
	{ "PostUp = iptables -t nat -A POSTROUTING -o eth0 -j MASQUERADE\n", as_it_is, "D6",
	  "D6?" },
	{ "PostUp = true; iptables -t nat -A POSTROUTING -o ens3 -j MASQUERADE\n", as_it_is, "D6",
	  "D6?" },
	{ "PostUp = iptables -t nat -A POSTROUTING -o wlan0 -j MASQUERADE\n", as_it_is, "D6", "" },
	{ "PostUp = iptables -t nat -A POSTROUTING -o docker0 -j MASQUERADE\n", as_it_is, "D6",
	  "" },
	{ "PostUp = iptables -t nat -A POSTROUTING -o eth+ -j MASQUERADE\n", as_it_is, "D6", "" },
	{ "PostUp = iptables -t nat -A POSTROUTING -o %i -j MASQUERADE\n", as_it_is, "D6", "" },
	{ "PostUp = iptables -t nat -A POSTROUTING -o wg0 -j MASQUERADE\n", as_it_is, "D6", "" },
	{ "PostUp = iptables -t nat -A POSTROUTING -o $(/etc/nic) -j MASQUERADE\n", as_it_is, "D6",
	  "" },
	{ "PostUp = iptables -A FORWARD -o eth0 -j ACCEPT\n", as_it_is, "D6", "" },
	{ "PostUp = iptables -t nat -A POSTROUTING ! -o eth0 -j MASQUERADE\n", as_it_is, "D6", "" },
	{ "PostUp = iptables -t nat -A POSTROUTING -o eth0 -j MASQUERADE\n"
	  "PostUp = iptables -t nat -A POSTROUTING -o wlan0 -j MASQUERADE\n",
	  as_it_is, "D6", "" },
	/* E5 */
	{ PEER "AllowedIPs = 10.1.0.0/24\nEndpoint = 192.168.1.34:51820\n", as_it_is, "E5",
	  "E5- E5?" },
	{ PEER "AllowedIPs = 10.1.0.0/24\nEndpoint = 127.0.0.1:51820\n", as_it_is, "E5", "" },
	{ PEER "AllowedIPs = 10.1.0.0/24\nEndpoint = 198.51.100.7:51820\n", as_it_is, "E5", "" },
	/* F4 */
	{ "MTU = 1440\n" PEER, by_pppoe, "F4", "F4?" },
	{ "MTU = 1432\n" PEER, by_pppoe, "F4", "" },
	{ "MTU = 1440\n" PEER, as_it_is, "F4", "" },
	{ "MTU = 1500\n" PEER, by_pppoe, "F4", "F4?" }, /* once */
	/* H3 */
	{ "DNS = 192.168.1.1\n" PEER "AllowedIPs = 0.0.0.0/0\n", as_it_is, "H3", "H3?" },
	{ "DNS = 192.168.1.1\n" PEER "AllowedIPs = 0.0.0.0/0, 192.168.1.1/32\n", as_it_is, "H3",
	  "" },
	{ "DNS = 9.9.9.9\n" PEER "AllowedIPs = 0.0.0.0/0\n", as_it_is, "H3", "" },
	{ "DNS = 192.168.1.1\nTable = 7\n" PEER "AllowedIPs = 0.0.0.0/0\n", as_it_is, "H3", "" },
	{ "DNS = 192.168.1.1\n" PEER "AllowedIPs = 0.0.0.0/0\n", without_wifi, "H3", "" },
	/* H4 */
	{ PEER "AllowedIPs = 0.0.0.0/0\nEndpoint = 198.51.100.7:1\n", with_v6, "H4", "H4?" },
	{ PEER "AllowedIPs = 0.0.0.0/0, ::/0\nEndpoint = 198.51.100.7:1\n", with_v6, "H4", "" },
	{ PEER "AllowedIPs = 0.0.0.0/0, ::/1, 8000::/1\nEndpoint = 198.51.100.7:1\n", with_v6, "H4",
	  "" },
	{ PEER "AllowedIPs = 0.0.0.0/0\nEndpoint = 198.51.100.7:1\n", as_it_is, "H4", "" },
	{ "PreUp = sysctl -w net.ipv6.conf.all.disable_ipv6=1\n" PEER
	  "AllowedIPs = 0.0.0.0/0\nEndpoint = 198.51.100.7:1\n",
	  with_v6, "H4", "" },
	{ PEER "AllowedIPs = 0.0.0.0/0\n", with_v6, "H4", "" }, /* not the end that calls */
	{ "#: KillSwitch = yes\n" PEER "AllowedIPs = 0.0.0.0/0\nEndpoint = 198.51.100.7:1\n",
	  with_v6, "H4", "" },
};

static void judges_by_the_host(void **state)
{
	(void)state;
	for (size_t i = 0; i < ELEMENTS(host_rows); ++i) {
		const struct host_row *row = &host_rows[i];
		struct tunnel_set set;
		struct host_facts host;
		struct findings found;
		char text[1024], ids[IDS];

		(void)snprintf(text, sizeof(text), "%s%s", KEYS_A, row->text);
		tunnel_set_init(&set);
		findings_init(&found);
		read_into(&set, "/etc/wireguard/wg0.conf", text);
		laptop(&host);
		row->change(&host);
		assert_true(check_run(&set, &host, &found));
		print_ids(&found, row->only, ids);
		if (strcmp(ids, row->ids) != 0)
			fail_msg("%s: %s, not %s", row->text, ids, row->ids);
		findings_done(&found);
		host_facts_done(&host);
		tunnel_set_done(&set);
	}
}

/* Sets of files, where what is next to a fault must not be taken for it. */

#define DEVICE_A "[Interface]\nPrivateKey = %s\n"
#define DEVICE_HUB "[Interface]\nListenPort = 51820\nPrivateKey = %s\n"
#define PEER_A "[Peer]\nPublicKey = %s\n"
#define PEER_HUB "[Peer]\nPublicKey = %s\nEndpoint = 198.51.100.7:51820\n"
#define PEER_OTHER "[Peer]\nPublicKey = %s\nEndpoint = 203.0.113.7:51820\n"

static const struct set_row {
	const char *files[3]; /* wg1.conf, b.conf, c.conf */
	const char *only;
	const char *ids;
} set_rows[] = {
	/* a device with two ways in, of which one is not in the set */
	{ { DEVICE_A "Address = 10.1.0.2/32\n" PEER_HUB "AllowedIPs = 10.1.0.0/24\n",
	    DEVICE_A "Address = 10.7.0.2/32\n" PEER_OTHER "AllowedIPs = 10.7.0.0/24\n",
	    DEVICE_HUB "Address = 10.1.0.1/24\n" PEER_A "AllowedIPs = 10.1.0.2/32\n" },
	  "B1 B2 B5 C7 C8",
	  "" },
	/* two profiles of one device */
	{ { DEVICE_A "Address = 10.1.0.2/32\n" PEER_HUB "AllowedIPs = 10.1.0.0/24\n",
	    DEVICE_A "Address = 10.1.0.2/32\n" PEER_HUB "AllowedIPs = 0.0.0.0/0, ::/0\n",
	    DEVICE_HUB "Address = 10.1.0.1/24\n" PEER_A "AllowedIPs = 10.1.0.2/32\n" },
	  "B1 B2 B5 C7 C8",
	  "" },
	/* one device, in a file for IPv4 and one for IPv6 */
	{ { DEVICE_A "Address = 10.1.0.2/32\n" PEER_HUB "AllowedIPs = 10.1.0.0/24\n",
	    DEVICE_A "Address = fd00:1::2/128\n" PEER_HUB "AllowedIPs = fd00:1::/64\n", NULL },
	  "B5",
	  "" },
	{ { DEVICE_A "Address = 10.1.0.2/32\n" PEER_HUB "AllowedIPs = 10.1.0.0/24\n",
	    DEVICE_A "Address = 10.1.0.3/32\n" PEER_HUB "AllowedIPs = 10.1.0.0/24\n", NULL },
	  "B5",
	  "B5!" },
	/* the same with an address that the hub does not know */
	{ { DEVICE_A "Address = 10.1.0.9/32\n" PEER_HUB "AllowedIPs = 10.1.0.0/24\n",
	    DEVICE_HUB "Address = 10.1.0.1/24\n" PEER_A "AllowedIPs = 10.1.0.2/32\n", NULL },
	  "B2 C7 C8",
	  "C7!" },
	/* what cannot be read may be what seems to be missing */
	{ { DEVICE_A "Address = 10.1.0.2/32\n" PEER_HUB "AllowedIPs = 10.1.0.0/24\n",
	    DEVICE_HUB "Address = 10.1.0.1/24\n[Peer]\nPublicKey = <A>\n", NULL },
	  "B1 B2",
	  "" },
	/* one prefix twice in one peer; a tunnel in a tunnel */
	{ { DEVICE_A PEER_HUB "AllowedIPs = 10.1.0.2/32, 10.1.0.2\n" }, "C1", "" },
	{ { DEVICE_A PEER_HUB "AllowedIPs = 203.0.113.0/24\n" PEER_OTHER
			      "AllowedIPs = 10.9.0.0/24\n" },
	  "C12",
	  "" },
	{ { DEVICE_A PEER_OTHER "AllowedIPs = 203.0.113.0/24\n" }, "C12", "C12!" },
	/* a list of all ends */
	{ { DEVICE_A "Address = 10.1.0.2/32\n" PEER_HUB "AllowedIPs = 10.1.0.1/32, 10.1.0.2/32\n" },
	  "C7",
	  "" },
	/* hub and client with one address */
	{ { DEVICE_A "Address = 10.1.0.1/32\n" PEER_HUB "AllowedIPs = 10.1.0.0/24\n",
	    DEVICE_HUB "Address = 10.1.0.1/24\n" PEER_A "AllowedIPs = 10.1.0.1/32\n", NULL },
	  "C8",
	  "C8!" },
	/* rules by number, and by either name of the interface */
	{ { DEVICE_A "PostUp = iptables -I FORWARD 1 -i wg1 -j ACCEPT\n"
		     "PostDown = iptables -D FORWARD -i %%i -j ACCEPT\n" },
	  "hook-undo hook-interface",
	  "" },
	{ { DEVICE_A "PostUp = iptables -w -A FORWARD -i %%i -j ACCEPT\n"
		     "PreDown = iptables -D FORWARD -i wg1 -j ACCEPT\n" },
	  "hook-undo hook-interface",
	  "" },
	{ { DEVICE_A "PostUp = iptables -A FORWARD -i %%i -j ACCEPT\n"
		     "PreDown = iptables -D FORWARD -i %%i -j DROP\n" },
	  "hook-undo",
	  "hook-undo?" },
	{ { DEVICE_A "PostUp = iptables -A FORWARD -i %%i -j ACCEPT\n"
		     "PreDown = ip6tables -D FORWARD -i %%i -j ACCEPT\n" },
	  "hook-undo",
	  "hook-undo?" },
	{ { DEVICE_A
	    "PostUp = iptables -A FORWARD -i %%i -j ACCEPT\nPreDown = iptables -F FORWARD\n" },
	  "hook-undo",
	  "" },
	{ { DEVICE_A "PostUp = iptables -t nat -A POSTROUTING -o eth0 -j MASQUERADE\n"
		     "PostDown = /sbin/iptables -D POSTROUTING -t nat -o eth0 -j MASQUERADE\n" },
	  "hook-undo",
	  "" },
	{ { DEVICE_A "PostUp = iptables -t nat -A POSTROUTING -o eth0 -j MASQUERADE\n"
		     "PostDown = iptables -D POSTROUTING -o eth0 -j MASQUERADE\n" },
	  "hook-undo",
	  "hook-undo?" },
	{ { DEVICE_A
	    "PostUp = iptables -I FORWARD -i %%i -j ACCEPT\nPostDown = iptables -D FORWARD 1\n" },
	  "hook-undo",
	  "" },
	{ { DEVICE_A "PostUp = ip rule add from 10.9.0.0/24 lookup 7 pref 100\n"
		     "PostDown = ip rule del pref 100\n" },
	  "hook-undo",
	  "" },
	{ { DEVICE_A
	    "PostUp = ip rule add from 10.9.0.0/24 lookup 7\nPostDown = ip route flush table 7\n" },
	  "hook-undo",
	  "" }, /* `flush' is not understood */
	{ { DEVICE_A
	    "PostUp = ip rule add from 10.9.0.0/24 lookup 7\nPostDown = ip route del default\n" },
	  "hook-undo",
	  "hook-undo?" },
	{ { DEVICE_A "PostUp = ip route add 10.9.0.0/24 dev %%i\n" }, "hook-undo", "" },
	{ { DEVICE_A "PostUp = ip -6 rule add from fd00::/8 lookup 7\n"
		     "PostDown = ip -6 rule del from fd00::/8 lookup 7\n" },
	  "hook-undo",
	  "" },
	{ { DEVICE_A "PostUp = iptables -A FORWARD -i wg0 -o %%i -j ACCEPT\n" },
	  "hook-interface",
	  "" },
	{ { DEVICE_A "PostUp = iptables -A FORWARD -i wg0 -j ACCEPT\n" },
	  "hook-interface",
	  "hook-interface?" },
	{ { DEVICE_A "PostUp = iptables -A FORWARD -i wg-lan -j ACCEPT\n" }, "hook-interface", "" },
	/* what goes elsewhere, and what the shell does not read */
	{ { DEVICE_A "PostUp = iptables -A FORWARD -i %%i -j ACCEPT # in\n"
		     "PostDown = iptables -D FORWARD -i %%i -j ACCEPT 2>/dev/null || true\n" },
	  "hook-undo",
	  "" },
	{ { DEVICE_A "PostUp = iptables -A FORWARD -i %%i -j ACCEPT\n"
		     "PostDown = iptables -D FORWARD -i %%i -j ACCEPT > /dev/null\n" },
	  "hook-undo",
	  "" },
	/* a program of this host, as obfuscators are; a name of the own network */
	{ { DEVICE_A "Address = 10.1.0.2/32\n[Peer]\nPublicKey = "
		     "UOEjQ8WSd/6N4ZQsRVjgncpe5TDRtJXFUzE2A2p9eSc=\nEndpoint = 127.0.0.1:51820\n"
		     "AllowedIPs = 0.0.0.0/1, 128.0.0.0/1\n" },
	  "C12",
	  "" },
	{ { DEVICE_A "Address = 10.1.0.2/32\n[Peer]\nPublicKey = "
		     "UOEjQ8WSd/6N4ZQsRVjgncpe5TDRtJXFUzE2A2p9eSc=\nEndpoint = localhost:51820\n"
		     "AllowedIPs = 0.0.0.0/1, 128.0.0.0/1\n" },
	  "C12",
	  "" },
	{ { DEVICE_A "Address = 10.1.0.2/8\n[Peer]\nPublicKey = "
		     "UOEjQ8WSd/6N4ZQsRVjgncpe5TDRtJXFUzE2A2p9eSc=\nEndpoint = 10.200.0.1:51820\n"
		     "AllowedIPs = 10.1.0.0/24\n" },
	  "C12",
	  "" },
	/* what hooks set is not in the file */
	{ { DEVICE_A "Address = 10.1.0.2/32\nPostUp = wg set %%i peer X preshared-key /k\n" PEER_HUB
		     "AllowedIPs = 10.1.0.0/24\n",
	    DEVICE_HUB "Address = 10.1.0.1/24\n" PEER_A
		       "PresharedKey = eMRKzNd0plHSaO/w+S1b8piCI+b+5zceGAywBQDSpWo=\n"
		       "AllowedIPs = 10.1.0.2/32\n" },
	  "B4",
	  "" },
	{ { DEVICE_A "Address = 10.1.0.2/32\n" PEER_HUB "AllowedIPs = 10.1.0.0/24\n",
	    DEVICE_HUB "Address = 10.1.0.1/24\n" PEER_A
		       "PresharedKey = AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
		       "AllowedIPs = 10.1.0.2/32\n" },
	  "B4",
	  "" },
	{ { DEVICE_A "Address = 10.1.0.2/32\n" PEER_HUB "AllowedIPs = 10.1.0.0/24\n",
	    DEVICE_HUB "Address = 10.1.0.1/24\nPostUp = wg addconf %%i /etc/peers\n" },
	  "B1 B2",
	  "" },
	{ { DEVICE_A "Address = 10.1.0.2/32\n" PEER_HUB "AllowedIPs = 10.1.0.0/24\n",
	    DEVICE_HUB "Address = 10.1.0.1/24\n" },
	  "B1 B2",
	  "B2!" },
	{ { "[Peer]\nPublicKey = UOEjQ8WSd/6N4ZQsRVjgncpe5TDRtJXFUzE2A2p9eSc=\n"
	    "AllowedIPs = 10.1.0.2/32\n" },
	  "A18",
	  "" },
};

/* Which key belongs to each %s, by what stands before it. */
static const char *key_for(const char *before)
{
	static const struct {
		const char *line;
		const char *key;
	} keys[] = {
		{ "[Interface]\nPrivateKey = ", "GAB030ELxUgdypr/fnW67gVuN5XEdjmHuScqhzhvylg=" },
		{ "ListenPort = 51820\nPrivateKey = ",
		  "qJPuyzcnowqSivFgK9Ffy6Zrbq1ImtO7sZQnnGI03lA=" },
	};

	for (size_t i = 0; i < ELEMENTS(keys); ++i)
		if (strlen(before) >= strlen(keys[i].line) &&
		    strcmp(before + strlen(before) - strlen(keys[i].line), keys[i].line) == 0)
			return keys[i].key;
	return NULL;
}

static const char *peer_for(const char *behind)
{
	if (strncmp(behind, "\nEndpoint = 198", 15) == 0)
		return "gBQHEvlSxwUCSLJN0tFz0EZ8r9g7ZmS4N3GGYDXCyAA=";
	return strncmp(behind, "\nEndpoint = 203", 15) == 0
		       ? "UOEjQ8WSd/6N4ZQsRVjgncpe5TDRtJXFUzE2A2p9eSc="
		       : "nPLHd2I80t6VCzBSv5MUq6RGQJnElU5mYKpKZ5yweTQ=";
}

/* "%s" is the key that belongs there, "%%" a percent sign. */
static void fill_in(const char *text, char *ret, size_t room)
{
	size_t at = 0;

	ret[0] = '\0';
	for (; *text; ++text) {
		const char *key = NULL;

		if (text[0] == '%' && text[1] == 's') {
			key = key_for(ret) ? key_for(ret) : peer_for(text + 2);
			++text;
		} else if (text[0] == '%' && text[1] == '%') {
			++text;
		}
		at += (size_t)snprintf(ret + at, room - at, key ? "%s" : "%.1s", key ? key : text);
	}
}

static void read_any(struct tunnel_set *set, struct findings *found, const char *path,
		     const char *text)
{
	struct config_file f;
	struct diags diags;
	struct tunnel *t;

	assert_int_equal(file_parse(&f, path, text, strlen(text)), 0);
	t = tunnel_set_add(set);
	diags_init(&diags);
	assert_true(tunnel_read(&f, t, &diags));
	for (size_t i = 0; i < diags.count; ++i)
		finding_cause(
			findings_add(found, diags.rows[i].id, diags.rows[i].severity,
				     (struct place){ .file = t->path, .line = diags.rows[i].line }),
			"%s", diags.rows[i].text);
	diags_done(&diags);
	file_done(&f);
}

static void judges_sets(void **state)
{
	static const char *const paths[] = { "wg1.conf", "b.conf", "c.conf" };

	(void)state;
	for (size_t i = 0; i < ELEMENTS(set_rows); ++i) {
		struct tunnel_set set;
		struct findings found;
		char text[2048], ids[IDS];

		tunnel_set_init(&set);
		findings_init(&found);
		for (size_t k = 0; k < ELEMENTS(paths) && set_rows[i].files[k]; ++k) {
			fill_in(set_rows[i].files[k], text, sizeof(text));
			read_any(&set, &found, paths[k], text);
		}
		assert_true(check_run(&set, NULL, &found));
		print_ids(&found, set_rows[i].only, ids);
		if (strcmp(ids, set_rows[i].ids) != 0)
			fail_msg("row %zu: %s, not %s", i, ids, set_rows[i].ids);
		findings_done(&found);
		tunnel_set_done(&set);
	}
}

/* Host bits are masked where nobody else has the masked prefix: then nothing changes. */
static void mends_only_what_has_one_answer(void **state)
{
	static const struct {
		const char *allowed;
		const char *text; /* NULL: no edit */
	} table[] = {
		{ PEER "AllowedIPs = 10.1.0.7/24\n", "10.1.0.0/24" },
		{ PEER "AllowedIPs = fd00::7/8\n", "fd00::/8" },
		{ PEER "AllowedIPs = 10.1.0.7/24, 10.1.0.0/24\n", NULL },
		{ PEER "AllowedIPs = 10.1.0.7/24, 10.1.0.0/25\n", "10.1.0.0/24" },
		{ PEER "AllowedIPs = +10.1.0.7/24\n", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTS(table); ++i) {
		struct tunnel_set set;
		struct findings found;
		char text[1024];
		bool seen = false;

		(void)snprintf(text, sizeof(text), "%s%s", KEYS_A, table[i].allowed);
		tunnel_set_init(&set);
		findings_init(&found);
		read_into(&set, "wg0.conf", text);
		assert_true(check_run(&set, NULL, &found));
		for (size_t k = 0; k < found.count; ++k) {
			if (strcmp(found.items[k].id, "C6") != 0)
				continue;
			seen = true;
			assert_int_equal(found.items[k].edit,
					 table[i].text ? EDIT_REPLACE : EDIT_NONE);
			if (table[i].text)
				assert_string_equal(found.items[k].text, table[i].text);
		}
		assert_true(seen);
		findings_done(&found);
		tunnel_set_done(&set);
	}
}

/* Who can read and change: file, then folders. */

static const struct access_row {
	const char *nodes[3]; /* the file, its folder, /: mode, owner, group; a user's right */
	const char *ids;
} access_rows[] = {
	{ { "0600 0 0", "0700 0 0", "0755 0 0" }, "" },
	{ { "0600 0 0", "0755 0 0", "0755 0 0" }, "" },
	{ { "0644 0 0", "0755 0 0", "0755 0 0" }, "exposed?" },
	{ { "0644 0 0", "0700 0 0", "0755 0 0" }, "" },
	{ { "0644 0 0", "0711 0 0", "0755 0 0" }, "exposed?" }, /* who knows its name */
	{ { "0644 0 0", "0755 0 0", "0700 0 0" }, "" },
	{ { "0640 0 0", "0755 0 0", "0755 0 0" }, "" }, /* root's group */
	{ { "0640 0 50", "0755 0 0", "0755 0 0" }, "exposed?" },
	{ { "0640 0 50", "0750 0 50", "0755 0 0" }, "exposed?" },
	{ { "0640 0 50", "0750 0 51", "0755 0 0" }, "" },
	{ { "0640 7 7 private", "0755 0 0", "0755 0 0" }, "" },
	{ { "0604 0 50", "0705 0 50", "0755 0 0" }, "exposed?" },
	{ { "0600 0 0 user 9 4", "0755 0 0", "0755 0 0" }, "exposed?" },
	{ { "0600 0 0 user 9 0", "0755 0 0", "0755 0 0" }, "" },
	{ { "0600 0 0 user 9 4", "0700 0 0", "0755 0 0" }, "" },
	{ { "0600 0 0 user 9 4", "0700 0 0 user 9 1", "0755 0 0" }, "exposed?" },
	{ { "0644 0 0 user 9 0", "0700 0 0 user 9 1", "0755 0 0" }, "" },
	{ { "0600 9 0 user 9 4", "0755 0 0", "0755 0 0" }, "" }, /* the owner himself */
	{ { "0666 0 0", "0755 0 0", "0755 0 0" }, "exposed? writable!" },
	{ { "0602 0 0", "0755 0 0", "0755 0 0" }, "writable!" },
	{ { "0600 0 0", "0777 0 0", "0755 0 0" }, "writable!" },
	{ { "0600 0 0", "01777 0 0", "0755 0 0" }, "" }, /* like /tmp */
	{ { "0600 0 0", "0775 0 50", "0755 0 0" }, "writable?" },
	{ { "0600 0 0", "0755 0 0", "0777 0 0" }, "writable!" },
	{ { "0660 0 50", "0755 0 0", "0755 0 0" }, "exposed? writable?" },
};

static void add_nodes(struct host_facts *h, const char *path, const struct access_row *row)
{
	struct host_file *f = host_add_file(h);

	assert_non_null(f);
	f->file = path;
	for (size_t i = 0; i < ELEMENTS(row->nodes); ++i) {
		struct host_node *n = host_add_node(f);
		const char *user = strstr(row->nodes[i], "user");
		struct host_grant *grant = user ? host_add_grant(n) : NULL;

		assert_non_null(n);
		n->path = strdup("/x");
		n->group_is_private = strstr(row->nodes[i], "private");
		assert_int_equal(sscanf(row->nodes[i], "%o %u %u", &n->mode, &n->uid, &n->gid), 3);
		if (grant)
			assert_int_equal(sscanf(user, "user %u %hhu", &grant->id, &grant->may), 2);
	}
}

static void judges_who_can_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < ELEMENTS(access_rows); ++i) {
		struct tunnel_set set;
		struct host_facts host;
		struct findings found;
		char ids[IDS];

		tunnel_set_init(&set);
		findings_init(&found);
		host_facts_init(&host);
		read_into(&set, "/etc/wireguard/wg0.conf",
			  KEYS_A PEER "AllowedIPs = 10.1.0.2/32\n");
		add_nodes(&host, set.rows[0].path, &access_rows[i]);
		assert_true(check_run(&set, &host, &found));
		print_ids(&found, "exposed writable", ids);
		if (strcmp(ids, access_rows[i].ids) != 0)
			fail_msg("row %zu: %s, not %s", i, ids, access_rows[i].ids);
		findings_done(&found);
		host_facts_done(&host);
		tunnel_set_done(&set);
	}
}

static void without_keys_there_is_nothing_to_read(void **state)
{
	static const struct access_row open = { { "0644 0 0", "0755 0 0", "0755 0 0" }, "" };
	struct tunnel_set set;
	struct host_facts host;
	struct findings found;
	char ids[IDS];

	(void)state;
	tunnel_set_init(&set);
	findings_init(&found);
	host_facts_init(&host);
	read_into(&set, "wg0.conf",
		  "[Interface]\nPostUp = wg set %i private-key /k\n" PEER
		  "AllowedIPs = 10.1.0.2/32\n");
	add_nodes(&host, set.rows[0].path, &open);
	assert_true(check_run(&set, &host, &found));
	print_ids(&found, "exposed writable", ids);
	assert_string_equal(ids, "");
	findings_done(&found);
	host_facts_done(&host);
	tunnel_set_done(&set);
}

static void every_id_comes_once(void **state)
{
	struct rule rule, other;

	(void)state;
	for (size_t i = 0; check_rule(i, &rule); ++i) {
		assert_non_null(rule.id);
		assert_non_null(rule.summary);
		for (size_t k = 0; k < i; ++k) {
			assert_true(check_rule(k, &other));
			assert_string_not_equal(rule.id, other.id);
		}
	}
}

static void an_empty_set_is_clean(void **state)
{
	struct tunnel_set set;
	struct findings found;

	(void)state;
	tunnel_set_init(&set);
	findings_init(&found);
	assert_true(check_run(&set, NULL, &found));
	assert_int_equal(found.count, 0);
	findings_done(&found);
	tunnel_set_done(&set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(judges_by_the_host),
		cmocka_unit_test(judges_sets),
		cmocka_unit_test(mends_only_what_has_one_answer),
		cmocka_unit_test(judges_who_can_read),
		cmocka_unit_test(without_keys_there_is_nothing_to_read),
		cmocka_unit_test(every_id_comes_once),
		cmocka_unit_test(an_empty_set_is_clean),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
