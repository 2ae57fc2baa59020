#include "config/tunnel_save.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/text.h"
#include "config/tunnel_read.h"
#include "support.h"

#define PRIVATE "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk="
#define ODD "BwECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define OTHER "IFCU2VeWKBq8CeZxdbIUlKxSMYyNVxuM8DvRoRWpyn8="
#define KEY_A "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg="
#define KEY_B "TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi+y71lOWWXX0="
#define PSK "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

#define HEAD "[Interface]\nPrivateKey = " PRIVATE "\n"
#define PEER_A "[Peer]\nPublicKey = " KEY_A "\nAllowedIPs = 10.0.0.2/32\n"
#define PEER_B "[Peer]\nPublicKey = " KEY_B "\nAllowedIPs = 10.0.0.3/32\n"

struct world {
	struct config_file file;
	struct tunnel tunnel;
	struct diags diags;
};

static void world_init(struct world *w, const char *text, size_t len)
{
	assert_int_equal(file_parse(&w->file, "/etc/wireguard/wg0.conf", text, len), 0);
	diags_init(&w->diags);
	assert_true(tunnel_read(&w->file, &w->tunnel, &w->diags));
}

static void world_done(struct world *w)
{
	tunnel_done(&w->tunnel);
	diags_done(&w->diags);
	file_done(&w->file);
}

/* What a device is after a file, the slow way: one thing after the other. */

static void take_prefix_away(struct model *m, const struct prefix *p)
{
	for (size_t i = 0; i < m->peer_count; ++i) {
		struct model_peer *peer = &m->peers[i];
		size_t kept = 0;

		for (size_t k = 0; k < peer->allowed_count; ++k)
			if (peer->allowed[k].prefix.bits != p->bits ||
			    !ip_equal(&peer->allowed[k].prefix.ip, &p->ip))
				peer->allowed[kept++] = peer->allowed[k];
		peer->allowed_count = kept;
	}
}

static struct model_peer *peer_of(struct model *m, const struct key_public *key)
{
	struct model_peer *peer;

	for (size_t i = 0; i < m->peer_count; ++i)
		if (memcmp(&m->peers[i].public_key, key, sizeof(*key)) == 0)
			return &m->peers[i];
	peer = model_add_peer(m);
	assert_non_null(peer);
	peer->public_key = *key;
	return peer;
}

static void apply_peer(struct model *m, const struct tunnel *t, size_t i)
{
	const struct model_peer *want = &t->model.peers[i];
	struct model_peer *peer = peer_of(m, &want->public_key);

	if (want->has_preshared_key) {
		peer->has_preshared_key = true;
		peer->preshared_key = want->preshared_key;
	}
	if (want->has_endpoint) {
		peer->has_endpoint = true;
		peer->endpoint = want->endpoint;
	}
	if (want->has_keepalive)
		peer->keepalive = want->keepalive;
	if (want->replace_allowed)
		peer->allowed_count = 0;
	for (size_t k = 0; k < want->allowed_count; ++k) {
		if (t->peers[i].allowed.rows[k].sign == '-') {
			size_t kept = 0;

			for (size_t n = 0; n < peer->allowed_count; ++n)
				if (peer->allowed[n].prefix.bits != want->allowed[k].prefix.bits ||
				    !ip_equal(&peer->allowed[n].prefix.ip,
					      &want->allowed[k].prefix.ip))
					peer->allowed[kept++] = peer->allowed[n];
			peer->allowed_count = kept;
			continue;
		}
		take_prefix_away(m, &want->allowed[k].prefix);
		assert_true(model_add_allowed(peer, &want->allowed[k].prefix, false));
	}
}

static void state_of(const struct tunnel *t, struct model *ret)
{
	model_init(ret);
	ret->has_private_key = t->model.has_private_key;
	ret->private_key = t->model.private_key;
	if (ret->has_private_key) {
		ret->private_key.bytes[0] &= 0xf8;
		ret->private_key.bytes[KEY_LEN - 1] &= 0x7f;
		ret->private_key.bytes[KEY_LEN - 1] |= 0x40;
	}
	ret->listen_port = t->model.has_listen_port ? t->model.listen_port : 0;
	ret->fwmark = t->model.has_fwmark ? t->model.fwmark : 0;
	for (size_t i = 0; i < t->model.peer_count; ++i)
		apply_peer(ret, t, i);
}

static bool has_prefix(const struct model_peer *p, const struct prefix *prefix)
{
	for (size_t i = 0; i < p->allowed_count; ++i)
		if (p->allowed[i].prefix.bits == prefix->bits &&
		    ip_equal(&p->allowed[i].prefix.ip, &prefix->ip))
			return true;
	return false;
}

static bool same_allowed(const struct model_peer *a, const struct model_peer *b)
{
	for (size_t i = 0; i < a->allowed_count; ++i)
		if (!has_prefix(b, &a->allowed[i].prefix))
			return false;
	return a->allowed_count == b->allowed_count;
}

static void assert_same_peer(const struct model_peer *a, const struct model_peer *b)
{
	assert_memory_equal(&a->preshared_key, &b->preshared_key, sizeof(a->preshared_key));
	assert_int_equal(a->keepalive, b->keepalive);
	assert_true(same_allowed(a, b));
	assert_true(!b->has_endpoint ||
		    (a->has_endpoint && endpoint_equal(&a->endpoint, &b->endpoint)));
}

static void assert_same_state(struct model *a, struct model *b)
{
	assert_memory_equal(&a->private_key, &b->private_key, sizeof(a->private_key));
	assert_int_equal(a->listen_port, b->listen_port);
	assert_int_equal(a->fwmark, b->fwmark);
	assert_int_equal(a->peer_count, b->peer_count);
	for (size_t i = 0; i < b->peer_count; ++i)
		assert_same_peer(peer_of(a, &b->peers[i].public_key), &b->peers[i]);
	assert_int_equal(a->peer_count, b->peer_count);
}

static void save(const struct world *w, const struct tunnel_running *r, struct buffer *b)
{
	buffer_init(b);
	assert_true(tunnel_save(&w->file, &w->tunnel, r, b));
}

static void assert_bytes(const char *what, const struct buffer *b, const char *text, size_t len)
{
	if (b->len != len || (len && memcmp(b->bytes, text, len) != 0))
		fail_msg("%s: saved\n%.*s\nnot\n%.*s", what, (int)b->len, b->bytes, (int)len, text);
}

/* Rows: what runs is told as a file too. */

struct row {
	const char *what;
	const char *file;
	const char *runs;
	const char *saved; /* NULL: as the file */
};

static void running_of(const struct world *w, struct model *state, struct prefix *addresses,
		       struct tunnel_running *ret)
{
	state_of(&w->tunnel, state);
	*ret = (struct tunnel_running){
		.device = state, .addresses = addresses, .has_addresses = true, .mtu = w->tunnel.mtu
	};
	for (size_t i = 0; i < w->tunnel.addresses.count; ++i)
		addresses[ret->address_count++] = w->tunnel.addresses.rows[i].prefix;
}

static void check_row(const struct row *row)
{
	const char *saved = row->saved ? row->saved : row->file;
	struct prefix addresses[16];
	struct tunnel_running r;
	struct world file, runs;
	struct model state;
	struct buffer b;

	world_init(&file, row->file, strlen(row->file));
	world_init(&runs, row->runs, strlen(row->runs));
	running_of(&runs, &state, addresses, &r);
	save(&file, &r, &b);
	assert_bytes(row->what, &b, saved, strlen(saved));
	buffer_done(&b);
	model_done(&state);
	world_done(&runs);
	world_done(&file);
}

static void interface_rows(void **state)
{
	static const struct row rows[] = {
		{ "nothing differs", HEAD "ListenPort = 1\n", HEAD "ListenPort = 1\n", NULL },
		{ "a port", HEAD "ListenPort = 1 # home\n", HEAD "ListenPort = 2\n",
		  HEAD "ListenPort = 2 # home\n" },
		{ "a port that the file has not", HEAD "# end\n\n" PEER_A,
		  HEAD "ListenPort = 2\n" PEER_A, HEAD "ListenPort = 2\n# end\n\n" PEER_A },
		{ "of two lines the last counts", HEAD "ListenPort = 1\nListenPort = 3\n",
		  HEAD "ListenPort = 2\n", HEAD "ListenPort = 1\nListenPort = 2\n" },
		{ "the name of a service", HEAD "ListenPort = domain\n", HEAD "ListenPort = 9\n",
		  NULL },
		{ "a mark goes", HEAD "FwMark = 0x10\nMTU = 1400\n", HEAD "MTU = 1400\n",
		  HEAD "MTU = 1400\n" },
		{ "a mark in decimal", HEAD "FwMark = 16\n", HEAD "FwMark = 0x10\n", NULL },
		{ "a mark changes", HEAD "fwmark=16\n", HEAD "FwMark = 0x11\n",
		  HEAD "fwmark=0x11\n" },
		{ "mtu only where it was", HEAD, HEAD "MTU = 1400\n", NULL },
		{ "mtu", HEAD "MTU = 1300\n", HEAD "MTU = 1400\n", HEAD "MTU = 1400\n" },
		{ "a new key", "[Interface]\nPrivateKey=" PRIVATE "#x\n",
		  "[Interface]\nPrivateKey = " OTHER "\n",
		  "[Interface]\nPrivateKey=" OTHER "#x\n" },
		{ "a key that is not clamped", "[Interface]\nPrivateKey = " ODD "\n",
		  "[Interface]\nPrivateKey = " ODD "\n", NULL },
		{ "no key to take over", HEAD, "[Interface]\n", NULL },
		{ "a key from outside", "[Interface]\nMTU = 1400\n", HEAD "MTU = 1400\n",
		  "[Interface]\nMTU = 1400\nPrivateKey = " PRIVATE "\n" },
		{ "a key that a hook sets", "[Interface]\nPostUp = wg set %i private-key /k\n",
		  HEAD, NULL },
		{ "no line end", "[Interface]\nPrivateKey = " PRIVATE, HEAD "ListenPort = 5\n",
		  HEAD "ListenPort = 5\n" },
		{ "windows", "[Interface]\r\nPrivateKey = " PRIVATE "\r\n", HEAD "ListenPort = 5\n",
		  "[Interface]\r\nPrivateKey = " PRIVATE "\r\nListenPort = 5\r\n" },
		{ "byte order mark", "\xef\xbb\xbf" HEAD "ListenPort = 4\n",
		  HEAD "ListenPort = 5\n", "\xef\xbb\xbf" HEAD "ListenPort = 5\n" },
		{ "two of them", HEAD "FwMark = 1\n[Interface]\nFwMark = 2\n", HEAD,
		  HEAD "[Interface]\n" },
		{ "an address more", HEAD "Address = 10.0.0.1/24 # lan\nDNS = 1.1.1.1, corp\n",
		  HEAD "Address = 10.0.0.1/24, fd00::1/64\n",
		  HEAD "Address = 10.0.0.1/24 # lan\nAddress = fd00::1/64\nDNS = 1.1.1.1, corp\n" },
		{ "an address less", HEAD "Address = 10.0.0.1/24, fd00::1/64  ,10.0.0.2\n",
		  HEAD "Address = 10.0.0.2/32,10.0.0.1/24\n",
		  HEAD "Address = 10.0.0.1/24, 10.0.0.2\n" },
		{ "no address left", HEAD "Address = 10.0.0.1/24\nMTU = 1400\n",
		  HEAD "MTU = 1400\n", HEAD "MTU = 1400\n" },
		{ "the first address", HEAD, HEAD "Address = 10.0.0.1/24\n",
		  HEAD "Address = 10.0.0.1/24\n" },
		{ "spelling of addresses", HEAD "Address=10.0.0.1/255.255.255.0\tFD00:0::1/64\n",
		  HEAD "Address = 10.0.0.1/24, fd00::1/64\n", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTS(rows); ++i)
		check_row(&rows[i]);
}

static void a21_peer_rows(void **state)
{
	static const struct row rows[] = {
		{ "a peer more", HEAD "\n" PEER_A, HEAD PEER_A PEER_B,
		  HEAD "\n" PEER_A "\n" PEER_B },
		{ "all of a peer", HEAD,
		  HEAD "[Peer]\nPublicKey = " KEY_A "\nPresharedKey = " PSK
		       "\nAllowedIPs = 10.0.0.2/32, fd00::/64\nEndpoint = [fd00::9]:5\n"
		       "PersistentKeepalive = 25\n",
		  HEAD "\n[Peer]\nPublicKey = " KEY_A "\nPresharedKey = " PSK
		       "\nAllowedIPs = 10.0.0.2/32, fd00::/64\nEndpoint = [fd00::9]:5\n"
		       "PersistentKeepalive = 25\n" },
		{ "no line end", HEAD "[Peer]\nPublicKey = " KEY_A,
		  HEAD "[Peer]\nPublicKey = " KEY_A "\n[Peer]\nPublicKey = " KEY_B "\n",
		  HEAD "[Peer]\nPublicKey = " KEY_A "\n\n[Peer]\nPublicKey = " KEY_B "\n" },
		{ "the last peer goes", HEAD "# mine\n\n# Ann\n" PEER_A "\n# Bob\n" PEER_B "# b\n",
		  HEAD PEER_A, HEAD "# mine\n\n# Ann\n" PEER_A },
		{ "the first peer goes", HEAD "\n# Ann\n" PEER_A "# a\n\n# Bob\n" PEER_B,
		  HEAD PEER_B, HEAD "\n# Bob\n" PEER_B },
		{ "what is above a blank line is nobody's", HEAD "\n# The staff:\n\n# Ann\n" PEER_A,
		  HEAD, HEAD "\n# The staff:\n" },
		{ "nor what is below one",
		  HEAD "\n# Ann\n" PEER_A "# a\n\n# The others:\n\n# Bob\n" PEER_B "\n# end\n",
		  HEAD, HEAD "\n# The others:\n\n# end\n" },
		{ "begin and end",
		  HEAD "### begin a ###\n" PEER_A "### end a ###\n### begin b ###\n" PEER_B
		       "### end b ###\n",
		  HEAD PEER_A, HEAD "### begin a ###\n" PEER_A "### end a ###\n" },
		{ "the first of them",
		  HEAD "### begin a ###\n" PEER_A "### end a ###\n### begin b ###\n" PEER_B
		       "### end b ###\n",
		  HEAD PEER_B, HEAD "### begin b ###\n" PEER_B "### end b ###\n" },
		{ "one goes, one comes", HEAD "\n" PEER_A, HEAD PEER_B, HEAD "\n" PEER_B },
		{ "allowed more",
		  HEAD "[Peer] # Ann\nPublicKey = " KEY_A "\nAllowedIPs = 10.0.0.9/24 # x\n",
		  HEAD "[Peer]\nPublicKey = " KEY_A "\nAllowedIPs = fd00::/8, 10.0.0.0/24\n",
		  HEAD "[Peer] # Ann\nPublicKey = " KEY_A
		       "\nAllowedIPs = 10.0.0.9/24, fd00::/8 # x\n" },
		{ "allowed less",
		  HEAD "[Peer]\nAllowedIPs = 10.0.0.0/24\nAllowedIPs=10.1.0.0/24 ,10.2.0.0/24\n"
		       "PublicKey = " KEY_A "\n",
		  HEAD "[Peer]\nPublicKey = " KEY_A "\nAllowedIPs = 10.2.0.0/24\n",
		  HEAD "[Peer]\nAllowedIPs=10.2.0.0/24\nPublicKey = " KEY_A "\n" },
		{ "none allowed", HEAD PEER_A, HEAD "[Peer]\nPublicKey = " KEY_A "\n",
		  HEAD "[Peer]\nPublicKey = " KEY_A "\n" },
		{ "the first allowed", HEAD "[Peer]\nPublicKey = " KEY_A "\n# end\n", HEAD PEER_A,
		  HEAD PEER_A "# end\n" },
		{ "a prefix moves", HEAD PEER_A PEER_B,
		  HEAD "[Peer]\nPublicKey = " KEY_A "\n[Peer]\nPublicKey = " KEY_B
		       "\nAllowedIPs = 10.0.0.3/32, 10.0.0.2/32\n",
		  HEAD "[Peer]\nPublicKey = " KEY_A "\n[Peer]\nPublicKey = " KEY_B
		       "\nAllowedIPs = 10.0.0.3/32, 10.0.0.2/32\n" },
		{ "both name it, the last has it",
		  HEAD PEER_A "[Peer]\nPublicKey = " KEY_B "\nAllowedIPs = 10.0.0.2/32\n",
		  HEAD "[Peer]\nPublicKey = " KEY_A "\n[Peer]\nPublicKey = " KEY_B
		       "\nAllowedIPs = 10.0.0.2/32\n",
		  NULL },
		{ "both name it, and now the first has it",
		  HEAD PEER_A "[Peer]\nPublicKey = " KEY_B "\nAllowedIPs = 10.0.0.2/32\n",
		  HEAD PEER_A "[Peer]\nPublicKey = " KEY_B "\n",
		  HEAD PEER_A "[Peer]\nPublicKey = " KEY_B "\n" },
		{ "preshared key", HEAD PEER_A, HEAD PEER_A "PresharedKey = " PSK "\n",
		  HEAD PEER_A "PresharedKey = " PSK "\n" },
		{ "it goes", HEAD PEER_A "PresharedKey = " PSK "\n", HEAD PEER_A, HEAD PEER_A },
		{ "a hook sets it", HEAD "PostUp = wg set %i peer X preshared-key /k\n" PEER_A,
		  HEAD "PostUp = wg set %i peer X preshared-key /k\n" PEER_A "PresharedKey = " PSK
		       "\n",
		  NULL },
		{ "keepalive", HEAD PEER_A "PersistentKeepalive = off\n", HEAD PEER_A, NULL },
		{ "keepalive comes", HEAD PEER_A "PersistentKeepalive = off # x\n",
		  HEAD PEER_A "PersistentKeepalive = 25\n",
		  HEAD PEER_A "PersistentKeepalive = 25 # x\n" },
		{ "keepalive goes", HEAD PEER_A "PersistentKeepalive = 5\n", HEAD PEER_A,
		  HEAD PEER_A },
		{ "signs that mean nothing new",
		  HEAD "[Peer]\nPublicKey = " KEY_A "\nAllowedIPs = 10.1.0.0/16\n"
		       "AllowedIPs = +10.0.0.2/32, -10.1.0.0/16\n",
		  HEAD PEER_A, NULL },
		{ "signs go where something changed",
		  HEAD "[Peer]\nPublicKey = " KEY_A "\nAllowedIPs = 10.1.0.0/16\n"
		       "AllowedIPs = +10.3.0.2/32, -10.1.0.0/16\n",
		  HEAD PEER_A, HEAD PEER_A },
		{ "one peer twice",
		  HEAD PEER_A "[Peer]\nPublicKey = " KEY_A "\nAllowedIPs = 10.9.0.0/16\n",
		  HEAD "[Peer]\nPublicKey = " KEY_A "\nAllowedIPs = 10.9.0.0/16\n", NULL },
		{ "one peer twice, changed",
		  HEAD "# one\n" PEER_A "\n# two\n[Peer]\nPublicKey = " KEY_A
		       "\nAllowedIPs = 10.9.0.0/16\n",
		  HEAD PEER_A, HEAD "# two\n" PEER_A },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTS(rows); ++i)
		check_row(&rows[i]);
}

static void fc11_endpoint_rows(void **state)
{
	static const struct row rows[] = {
		{ "a number stays", HEAD PEER_A "Endpoint = 192.0.2.1:51820\n",
		  HEAD PEER_A "Endpoint = 192.0.2.1:51820\n", NULL },
		{ "a peer that roamed", HEAD PEER_A "Endpoint = 192.0.2.1:51820 # home\n",
		  HEAD PEER_A "Endpoint = 198.51.100.1:7\n",
		  HEAD PEER_A "Endpoint = 198.51.100.1:7 # home\n" },
		{ "another port", HEAD PEER_A "Endpoint = 192.0.2.1:51820\n",
		  HEAD PEER_A "Endpoint = 192.0.2.1:51821\n",
		  HEAD PEER_A "Endpoint = 192.0.2.1:51821\n" },
		{ "IPv6", HEAD PEER_A "Endpoint = [FD00:0::1]:51820\n",
		  HEAD PEER_A "Endpoint = [fd00::1]:51820\n", NULL },
		{ "a name stays", HEAD PEER_A "Endpoint = vpn.example.org:51820\n",
		  HEAD PEER_A "Endpoint = 198.51.100.1:7\n", NULL },
		{ "a client that came", HEAD PEER_A, HEAD PEER_A "Endpoint = 198.51.100.1:7\n",
		  HEAD PEER_A "Endpoint = 198.51.100.1:7\n" },
		{ "nobody knows where it is now", HEAD PEER_A "Endpoint = 192.0.2.1:51820\n",
		  HEAD PEER_A, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTS(rows); ++i)
		check_row(&rows[i]);
}

/* The keys of a hook, a comment, a name, domains of DNS, our own keys: as they are. */
static void fc11_what_the_device_does_not_tell_stays(void **state)
{
	static const char file[] =
		"# Ours. Ask Ann & Bob.\n[Interface]\nPrivateKey = " PRIVATE "\n"
		"DNS = 1.1.1.1, corp.example, 9.9.9.9\nTable = off\nSaveConfig = true\n"
		"#: KillSwitch = lan\n"
		"PostUp = a && b >&2; echo \"# & $1 ` \\ \" # & %i\nPostUp = true & true\n\n"
		"#: Name = Ann\n[Peer] # Ann\n#: Name = Ann B.\nPublicKey = " KEY_A
		"\nAllowedIPs = 10.0.0.2/32\n\n# later\n";
	static const struct row row = { "all of it", file,
					HEAD "[Peer]\nPublicKey = " KEY_A
					     "\nAllowedIPs = 10.0.0.2/32\n",
					file };

	(void)state;
	check_row(&row);
}

static void chosen_by_the_host(void **state)
{
	static const char file[] = HEAD "FwMark = off\nListenPort = 0\n";
	static const char only[] = HEAD "FwMark = 7\nListenPort = 8\n";
	struct model device;
	struct tunnel_running r = { .device = &device,
				    .port_is_chosen = true,
				    .mark_is_chosen = true };
	struct world w;
	struct buffer b;

	(void)state;
	world_init(&w, file, strlen(file));
	state_of(&w.tunnel, &device);
	device.listen_port = 41000;
	device.fwmark = 51820;
	save(&w, &r, &b);
	assert_bytes("chosen", &b, file, strlen(file));
	buffer_done(&b);
	world_done(&w);
	world_init(&w, only, strlen(only));
	save(&w, &r, &b); /* what the file says is no choice of the host */
	assert_bytes("not chosen", &b, HEAD "FwMark = 0xca6c\nListenPort = 41000\n",
		     strlen(HEAD "FwMark = 0xca6c\nListenPort = 41000\n"));
	buffer_done(&b);
	world_done(&w);
	model_done(&device);
}

static void without_ipv6_its_addresses_stay(void **state)
{
	static const char file[] = HEAD "Address = 10.0.0.1/24, fd00::1/64\n";
	static const char saved[] = HEAD "Address = fd00::1/64\n";
	struct model device;
	struct tunnel_running r = { .device = &device, .has_addresses = true, .no_ipv6 = true };
	struct world w;
	struct buffer b;

	(void)state;
	world_init(&w, file, strlen(file));
	state_of(&w.tunnel, &device);
	save(&w, &r, &b);
	assert_bytes("no IPv6", &b, saved, strlen(saved));
	buffer_done(&b);
	r.has_addresses = false;
	save(&w, &r, &b);
	assert_bytes("unknown addresses", &b, file, strlen(file));
	buffer_done(&b);
	model_done(&device);
	world_done(&w);
}

/* What somebody edited while it was up, and what was changed on the device meanwhile: both stay. */
static void a20_edits_stay(void **state)
{
	static const char base[] =
		HEAD "ListenPort = 1\nMTU = 1400\nAddress = 10.0.0.1/24, 10.1.0.1/24\n"
		     "\n# Ann\n" PEER_A "\n# Bob\n" PEER_B;
	static const struct {
		const char *what;
		const char *file;
		const char *runs;
		const char *saved;
	} rows[] = {
		{ "nothing edited: what runs is saved", base,
		  HEAD "ListenPort = 2\nMTU = 1300\n" PEER_A,
		  HEAD "ListenPort = 2\nMTU = 1300\n\n# Ann\n" PEER_A },
		{ "an edited port stays, another MTU is saved",
		  HEAD "ListenPort = 9\nMTU = 1400\n" PEER_A PEER_B,
		  HEAD "ListenPort = 1\nMTU = 1300\n" PEER_A PEER_B,
		  HEAD "ListenPort = 9\nMTU = 1300\n" PEER_A PEER_B },
		{ "a new peer of the file stays, and one of the device comes",
		  HEAD "ListenPort = 1\nMTU = 1400\n" PEER_A PEER_B "[Peer]\nPublicKey = " OTHER
		       "\n",
		  HEAD "ListenPort = 1\nMTU = 1400\n" PEER_A PEER_B "[Peer]\nPublicKey = " PSK "\n",
		  HEAD "ListenPort = 1\nMTU = 1400\n" PEER_A PEER_B "[Peer]\nPublicKey = " OTHER
		       "\n\n[Peer]\nPublicKey = " PSK "\n" },
		{ "a peer that was taken out does not come back",
		  HEAD "ListenPort = 1\nMTU = 1400\n" PEER_B,
		  HEAD "ListenPort = 1\nMTU = 1400\n" PEER_A PEER_B,
		  HEAD "ListenPort = 1\nMTU = 1400\n" PEER_B },
		{ "an edited peer stays as it was edited, also if it is gone from the device",
		  HEAD "ListenPort = 1\nMTU = 1400\n" PEER_A "PersistentKeepalive = 5\n" PEER_B,
		  HEAD "ListenPort = 1\nMTU = 1400\n" PEER_B "Endpoint = 192.0.2.1:5\n",
		  HEAD "ListenPort = 1\nMTU = 1400\n" PEER_A "PersistentKeepalive = 5\n" PEER_B
		       "Endpoint = 192.0.2.1:5\n" },
		{ "addresses: one came, one went, one was given live",
		  HEAD
		  "ListenPort = 1\nMTU = 1400\nAddress = 10.0.0.1/24, 10.2.0.1/24\n" PEER_A PEER_B,
		  HEAD "ListenPort = 1\nMTU = 1400\nAddress = 10.0.0.1/24, 10.1.0.1/24, "
		       "10.3.0.1/24\n" PEER_A PEER_B,
		  HEAD "ListenPort = 1\nMTU = 1400\nAddress = 10.0.0.1/24, 10.2.0.1/24\n"
		       "Address = 10.3.0.1/24\n" PEER_A PEER_B },
		{ "an edited MTU", HEAD "ListenPort = 1\nMTU = 1350\n" PEER_A PEER_B,
		  HEAD "ListenPort = 1\nMTU = 1300\n" PEER_A PEER_B,
		  HEAD "ListenPort = 1\nMTU = 1350\n" PEER_A PEER_B },
		{ "an edited key",
		  "[Interface]\nPrivateKey = " OTHER "\nListenPort = 1\nMTU = 1400\n" PEER_A PEER_B,
		  HEAD "ListenPort = 1\nMTU = 1400\n" PEER_A PEER_B,
		  "[Interface]\nPrivateKey = " OTHER
		  "\nListenPort = 1\nMTU = 1400\n" PEER_A PEER_B },
	};
	struct world before;

	(void)state;
	world_init(&before, base, strlen(base));
	for (size_t i = 0; i < ELEMENTS(rows); ++i) {
		struct prefix addresses[16];
		struct tunnel_running r;
		struct world file, runs;
		struct model device;
		struct buffer b;

		world_init(&file, rows[i].file, strlen(rows[i].file));
		world_init(&runs, rows[i].runs, strlen(rows[i].runs));
		running_of(&runs, &device, addresses, &r);
		r.base = &before.tunnel;
		save(&file, &r, &b);
		assert_bytes(rows[i].what, &b, rows[i].saved, strlen(rows[i].saved));
		buffer_done(&b);
		model_done(&device);
		world_done(&runs);
		world_done(&file);
	}
	world_done(&before);
}

/* Random files and devices. */

static bool chance(uint64_t *seed, uint64_t n)
{
	return test_random_below(seed, n) == 0;
}

static void put(struct buffer *b, const char *text)
{
	buffer_append(b, text, strlen(text));
}

static void put_key(uint64_t *seed, struct buffer *b, uint64_t kinds)
{
	struct key_public key = { 0 };
	char text[TEXT_KEY_BASE64];

	if (kinds) {
		memset(&key, 'k', sizeof(key));
		key.bytes[3] = (uint8_t)test_random_below(seed, kinds);
	} else {
		test_random_fill(seed, key.bytes, KEY_LEN);
	}
	text_base64_from_key(key.bytes, text);
	put(b, text);
}

static void put_noise(uint64_t *seed, struct buffer *b)
{
	static const char *const rows[] = { "\n", "# note\n", "  # x = y\n", "#[Peer]\n", "\t\n" };

	while (chance(seed, 3))
		put(b, rows[test_random_below(seed, ELEMENTS(rows))]);
}

/* Few different ones, so that peers take them from each other. */
static void put_allowed(uint64_t *seed, struct buffer *b, bool signs)
{
	const size_t count = 1 + (size_t)test_random_below(seed, 3);

	put(b, chance(seed, 2) ? "AllowedIPs = " : "allowedips=");
	for (size_t i = 0; i < count; ++i) {
		const unsigned int n = (unsigned int)test_random_below(seed, 9);

		buffer_printf(b, "%s%s", i ? chance(seed, 2) ? "," : " , " : "",
			      !signs            ? ""
			      : chance(seed, 3) ? "-"
			      : chance(seed, 2) ? "+"
						: "");
		if (chance(seed, 3))
			buffer_printf(b, "fd00:%u::%u/32", n, n);
		else
			buffer_printf(b, "10.%u.0.%u/16", n, n);
	}
	put(b, chance(seed, 4) ? " # list\n" : "\n");
}

static void put_peer(uint64_t *seed, struct buffer *b, uint64_t kinds)
{
	const bool signs = chance(seed, 6);

	put_noise(seed, b);
	put(b, chance(seed, 3) ? "[peer] # who\n" : "[Peer]\n");
	put_noise(seed, b);
	while (chance(seed, 2))
		put_allowed(seed, b, signs);
	put(b, "PublicKey = ");
	put_key(seed, b, kinds);
	put(b, "\n");
	if (chance(seed, 3)) {
		put(b, "PresharedKey = ");
		put_key(seed, b, 0);
		put(b, "\n");
	}
	while (chance(seed, 2))
		put_allowed(seed, b, signs);
	if (chance(seed, 3))
		buffer_printf(b, "Endpoint = %s:%u\n", chance(seed, 2) ? "[fd00::1]" : "192.0.2.1",
			      (unsigned int)test_random_below(seed, 9) + 1);
	if (chance(seed, 3))
		buffer_printf(b, "PersistentKeepalive = %u\n",
			      (unsigned int)test_random_below(seed, 3));
	put_noise(seed, b);
}

static void put_file(uint64_t *seed, struct buffer *b)
{
	const size_t peers = (size_t)test_random_below(seed, 6);

	buffer_init(b);
	if (chance(seed, 8))
		put(b, "\xef\xbb\xbf");
	put_noise(seed, b);
	put(b, HEAD);
	put_noise(seed, b);
	if (chance(seed, 2))
		buffer_printf(b, "Address = 10.0.0.%u/24 , fd00::1/64\n",
			      (unsigned int)test_random_below(seed, 9));
	if (chance(seed, 2))
		buffer_printf(b, "ListenPort=%u\n", (unsigned int)test_random_below(seed, 3));
	if (chance(seed, 3))
		put(b, "FwMark = 0x1f # mark\n");
	for (size_t i = 0; i < peers; ++i)
		put_peer(seed, b, 1 + test_random_below(seed, 40));
	if (chance(seed, 6) && b->len && b->bytes[b->len - 1] == '\n')
		--b->len;
}

static void random_prefix(uint64_t *seed, struct prefix *p)
{
	*p = (struct prefix){ .ip = { .family = FAMILY_V4, .bytes = { 10 } }, .bits = 16 };
	p->ip.bytes[1] = (uint8_t)test_random_below(seed, 12);
}

static void change_peer(uint64_t *seed, struct model *m, size_t i)
{
	struct model_peer *p = &m->peers[i];
	struct prefix prefix;

	if (chance(seed, 3))
		test_random_fill(seed, p->preshared_key.bytes, KEY_LEN);
	if (chance(seed, 6))
		p->preshared_key = (struct key_shared){ 0 };
	p->has_preshared_key = true;
	if (chance(seed, 3))
		p->keepalive = (uint16_t)test_random_below(seed, 3);
	if (chance(seed, 3)) {
		p->has_endpoint = true;
		p->endpoint = (struct endpoint){ .ip = { .family = FAMILY_V4, .bytes = { 9, 9 } },
						 .port = 5 };
	}
	if (chance(seed, 3) && p->allowed_count)
		--p->allowed_count;
	while (chance(seed, 2)) {
		random_prefix(seed, &prefix);
		take_prefix_away(m, &prefix);
		assert_true(model_add_allowed(p, &prefix, false));
	}
}

static void remove_peer(struct model *m, size_t i)
{
	free(m->peers[i].allowed);
	memmove(&m->peers[i], &m->peers[i + 1], (m->peer_count - i - 1) * sizeof(*m->peers));
	--m->peer_count;
	m->peers[m->peer_count] = (struct model_peer){ 0 };
}

static void change_state(uint64_t *seed, struct model *m)
{
	if (chance(seed, 3))
		m->listen_port = 7;
	if (chance(seed, 3))
		m->fwmark = (uint32_t)test_random_below(seed, 3);
	while (m->peer_count && chance(seed, 4))
		remove_peer(m, (size_t)test_random_below(seed, m->peer_count));
	while (chance(seed, 3)) {
		struct model_peer *p = model_add_peer(m);

		assert_non_null(p);
		test_random_fill(seed, p->public_key.bytes, KEY_LEN);
	}
	for (size_t i = 0; i < m->peer_count; ++i)
		if (chance(seed, 2))
			change_peer(seed, m, i);
}

static void assert_saved(const struct buffer *b, const struct tunnel_running *r,
			 struct model *device)
{
	struct world again;
	struct model state;
	struct buffer twice;

	world_init(&again, b->bytes, b->len);
	assert_int_equal(again.diags.errors, 0);
	state_of(&again.tunnel, &state);
	if (!device->listen_port) /* a file may say 0 */
		state.listen_port = 0;
	assert_same_state(&state, device);
	save(&again, r, &twice);
	assert_bytes("saved twice", &twice, b->bytes, b->len);
	buffer_done(&twice);
	model_done(&state);
	world_done(&again);
}

/* Nothing is lost that stands in no section of a peer. */
static void assert_comments_stay(const struct world *w, const struct buffer *b)
{
	struct world after;
	size_t at = 0;

	world_init(&after, b->bytes, b->len);
	for (size_t i = 0; i < w->file.line_count; ++i) {
		const struct file_line *l = &w->file.lines[i];

		if (l->section > 1 || l->kind != FILE_COMMENT)
			continue;
		if (w->file.section_count > 2 && i + 8 >= w->file.sections[2].first)
			break; /* perhaps of the first peer */
		while (at < after.file.line_count &&
		       (after.file.lines[at].len != l->len ||
			memcmp(after.file.lines[at].text, l->text, l->len) != 0))
			++at;
		assert_true(at < after.file.line_count);
		++at;
	}
	world_done(&after);
}

static void random_models(void **state)
{
	uint64_t seed = 5;

	(void)state;
	for (int i = 0; i < 3000; ++i) {
		struct tunnel_running r = { 0 };
		struct model device;
		struct buffer text, b;
		struct world w;

		put_file(&seed, &text);
		world_init(&w, text.bytes, text.len);
		state_of(&w.tunnel, &device);
		r.device = &device;
		save(&w, &r, &b);
		assert_bytes("unchanged", &b, text.bytes, text.len);
		buffer_done(&b);
		change_state(&seed, &device);
		r.base = chance(&seed, 2) ? &w.tunnel : NULL; /* the same: nothing was edited */
		save(&w, &r, &b);
		assert_saved(&b, &r, &device);
		assert_comments_stay(&w, &b);
		buffer_done(&b);
		model_done(&device);
		world_done(&w);
		buffer_done(&text);
	}
}

/* Ten thousand peers go and as many come: no more than their lines. */
static void many_peers(void **state)
{
	enum { PEERS = 10000 };
	struct tunnel_running r = { 0 };
	struct model device;
	struct buffer text, b;
	struct world w;

	(void)state;
	buffer_init(&text);
	put(&text, HEAD);
	for (uint32_t i = 0; i < PEERS; ++i) {
		struct key_public key = { 0 };
		char word[TEXT_KEY_BASE64];

		memcpy(key.bytes, &i, sizeof(i));
		text_base64_from_key(key.bytes, word);
		buffer_printf(&text,
			      "\n# %u\n[Peer]\nPublicKey = %s\nAllowedIPs = 10.%u.%u.%u/32\n", i,
			      word, i >> 16, i >> 8 & 255, i & 255);
	}
	world_init(&w, text.bytes, text.len);
	assert_int_equal(w.tunnel.model.peer_count, PEERS);
	model_init(&device);
	for (size_t i = 0; i < PEERS; ++i) {
		struct model_peer *p = model_add_peer(&device);

		assert_non_null(p);
		p->public_key = w.tunnel.model.peers[i].public_key;
		if (i % 2)
			p->public_key.bytes[9] = 1;
		assert_true(
			model_add_allowed(p, &w.tunnel.model.peers[i].allowed[0].prefix, false));
	}
	r.device = &device;
	save(&w, &r, &b);
	world_done(&w);
	world_init(&w, b.bytes, b.len);
	assert_int_equal(w.tunnel.model.peer_count, PEERS);
	buffer_done(&b);
	buffer_done(&text);
	world_done(&w);
	model_done(&device);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(interface_rows),
		cmocka_unit_test(a21_peer_rows),
		cmocka_unit_test(fc11_endpoint_rows),
		cmocka_unit_test(fc11_what_the_device_does_not_tell_stays),
		cmocka_unit_test(chosen_by_the_host),
		cmocka_unit_test(without_ipv6_its_addresses_stay),
		cmocka_unit_test(a20_edits_stay),
		cmocka_unit_test(random_models),
		cmocka_unit_test(many_peers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
