#include "control/wg_message.h"

#include <errno.h>
#include <limits.h>
#include <linux/genetlink.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/wireguard.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <libmnl/libmnl.h>

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/netlink.h"
#include "base/text.h"
#include "base/time.h"
#include "support.h"

enum { FAMILY = 0x1d, ROOM = 4096 };

struct message {
	_Alignas(8) uint8_t bytes[65536];
};

static struct nlmsghdr *header(struct message *m)
{
	return (struct nlmsghdr *)(void *)m->bytes;
}

/* What we write, every attribute in words, nothing joined. */
static void put_bytes(struct buffer *b, const struct netlink_attribute *a)
{
	buffer_printf(b, " %u=", a->type);
	for (size_t i = 0; i < a->len && i < 8; ++i)
		buffer_printf(b, "%02x", a->bytes[i]);
}

static void describe_address(struct buffer *b, const struct netlink_attribute *nest)
{
	struct netlink_attribute a;
	struct netlink_walk w;

	netlink_walk_nest(&w, nest);
	buffer_printf(b, " (");
	while (netlink_walk_next(&w, &a))
		put_bytes(b, &a);
	buffer_printf(b, " )");
}

static void describe_addresses(struct buffer *b, const struct netlink_attribute *nest)
{
	struct netlink_attribute a;
	struct netlink_walk w;

	netlink_walk_nest(&w, nest);
	buffer_printf(b, " 9=");
	while (netlink_walk_next(&w, &a))
		describe_address(b, &a);
}

static void describe_peer(struct buffer *b, const struct netlink_attribute *nest)
{
	struct netlink_attribute a;
	struct netlink_walk w;

	netlink_walk_nest(&w, nest);
	buffer_printf(b, " [");
	while (netlink_walk_next(&w, &a)) {
		if (a.type == WGPEER_A_ALLOWEDIPS)
			describe_addresses(b, &a);
		else
			put_bytes(b, &a);
	}
	buffer_printf(b, " ]");
}

static void describe_peers(struct buffer *b, const struct netlink_attribute *nest)
{
	struct netlink_attribute a;
	struct netlink_walk w;

	netlink_walk_nest(&w, nest);
	buffer_printf(b, " 8=");
	while (netlink_walk_next(&w, &a))
		describe_peer(b, &a);
}

static void describe(struct buffer *b, const struct nlmsghdr *message)
{
	const struct genlmsghdr *generic = mnl_nlmsg_get_payload(message);
	struct netlink_attribute a;
	struct netlink_walk w;

	buffer_printf(b, "type %u flags %x command %u version %u", message->nlmsg_type,
		      message->nlmsg_flags, generic->cmd, generic->version);
	netlink_walk_message(&w, message, sizeof(*generic));
	while (netlink_walk_next(&w, &a)) {
		if (a.type == WGDEVICE_A_PEERS && message->nlmsg_type == FAMILY)
			describe_peers(b, &a);
		else
			put_bytes(b, &a);
	}
	assert_false(w.broken);
	buffer_append(b, "", 1);
	assert_true(buffer_ok(b));
}

static struct prefix to_prefix(const char *text)
{
	struct prefix p;

	assert_true(text_to_prefix(text, &p));
	return p;
}

static struct model_peer *add_peer(struct model *m, uint64_t number)
{
	struct model_peer *p = model_add_peer(m);

	assert_non_null(p);
	store64_be(p->public_key.bytes, number);
	return p;
}

static void add_address(struct model_peer *p, const char *text, bool remove)
{
	const struct prefix prefix = to_prefix(text);

	assert_true(model_add_allowed(p, &prefix, remove));
}

/* One request that holds it all. */
static void require_words(const struct model *patch, const char *want)
{
	struct wg_message_cursor c = { 0 };
	struct message m;
	struct buffer b;

	buffer_init(&b);
	assert_true(wg_message_write_set(&c, patch, "wg0", FAMILY, m.bytes, ROOM));
	describe(&b, header(&m));
	assert_string_equal(b.bytes, want);
	assert_false(wg_message_write_set(&c, patch, "wg0", FAMILY, m.bytes, ROOM));
	buffer_done(&b);
}

#define SET "type 29 flags 5 command 1 version 1 2=77673000"

static void words_of_a_device(void **state)
{
	struct model m;

	(void)state;
	model_init(&m);
	require_words(&m, SET);
	m.has_private_key = m.has_listen_port = m.has_fwmark = m.replace_peers = true;
	require_words(&m, SET " 3=0000000000000000 6=0000 7=00000000 5=01000000");
	m.private_key.bytes[0] = 7;
	m.listen_port = 0x1234;
	m.fwmark = 0x12345678;
	require_words(&m, SET " 3=0700000000000000 6=3412 7=78563412 5=01000000");
	model_done(&m);
}

static void words_of_a_peer(void **state)
{
	struct model m;
	struct model_peer *p;

	(void)state;
	model_init(&m);
	p = add_peer(&m, 1);
	require_words(&m, SET " 8= [ 1=0000000000000001 ]");
	p->has_preshared_key = p->has_keepalive = p->replace_allowed = true;
	require_words(&m, SET " 8= [ 1=0000000000000001 2=0000000000000000 5=0000 3=02000000 ]");
	p->has_endpoint = p->update_only = true;
	p->keepalive = 25;
	assert_true(text_to_endpoint("1.2.3.4:5", &p->endpoint));
	add_address(p, "1.2.3.4/32", false);
	add_address(p, "::/0", true);
	require_words(&m, SET " 8= [ 1=0000000000000001 2=0000000000000000 4=0200000501020304"
			      " 5=1900 3=06000000 9= ( 1=0200 2=01020304 3=20 )"
			      " ( 1=0a00 2=0000000000000000 3=00 4=01000000 ) ]");
	p->remove = true;
	p->has_preshared_key = p->has_endpoint = p->has_keepalive = false;
	p->replace_allowed = p->update_only = false;
	p->allowed_count = 0;
	require_words(&m, SET " 8= [ 1=0000000000000001 3=01000000 ]");
	model_done(&m);
}

static void words_of_other_requests(void **state)
{
	struct message m;
	struct buffer b;

	(void)state;
	buffer_init(&b);
	wg_message_write_get(m.bytes, ROOM, FAMILY, "wg0");
	describe(&b, header(&m));
	assert_string_equal(b.bytes, "type 29 flags 301 command 0 version 1 2=77673000");
	buffer_done(&b);
	wg_message_write_family(m.bytes, ROOM);
	describe(&b, header(&m));
	assert_string_equal(b.bytes, "type 16 flags 5 command 3 version 1 2=7769726567756172");
	buffer_done(&b);
	wg_message_write_links(m.bytes, ROOM);
	assert_int_equal(header(&m)->nlmsg_type, RTM_GETLINK);
	assert_int_equal(header(&m)->nlmsg_flags, NLM_F_REQUEST | NLM_F_DUMP);
	assert_int_equal(header(&m)->nlmsg_len, NLMSG_LENGTH(sizeof(struct ifinfomsg)));
}

/* Every part of a state that a set can carry. */
static void random_model(struct model *m, uint64_t *random, size_t peers, size_t addresses)
{
	model_init(m);
	for (size_t i = 0; i < peers; ++i) {
		struct model_peer *p = add_peer(m, i + 1);
		const size_t count = test_random_below(random, addresses + 1);

		p->has_preshared_key = test_random_below(random, 2);
		if (p->has_preshared_key)
			test_random_fill(random, p->preshared_key.bytes, KEY_LEN);
		p->has_keepalive = test_random_below(random, 2);
		p->keepalive = p->has_keepalive ? (uint16_t)test_random(random) : 0;
		p->has_endpoint = test_random_below(random, 2);
		if (p->has_endpoint)
			assert_true(text_to_endpoint(
				test_random_below(random, 2) ? "192.0.2.1:51820" : "[fe80::1%1]:9",
				&p->endpoint));
		p->replace_allowed = test_random_below(random, 2);
		for (size_t j = 0; j < count; ++j) {
			struct prefix prefix = { .ip.family = FAMILY_V4, .bits = 32 };

			if (test_random_below(random, 3) == 0)
				prefix = (struct prefix){ .ip.family = FAMILY_V6, .bits = 128 };
			store64_be(prefix.ip.bytes, (uint64_t)j << 40 | i << 33);
			if (prefix.ip.family == FAMILY_V4)
				memset(prefix.ip.bytes + 4, 0, 12);
			assert_true(model_add_allowed(p, &prefix, false));
		}
	}
}

static void require_same_peer(const struct model_peer *a, const struct model_peer *b)
{
	assert_memory_equal(&a->public_key, &b->public_key, KEY_LEN);
	assert_memory_equal(&a->preshared_key, &b->preshared_key, KEY_LEN);
	assert_int_equal(a->has_preshared_key, b->has_preshared_key);
	assert_int_equal(a->has_keepalive, b->has_keepalive);
	assert_int_equal(a->keepalive, b->keepalive);
	assert_int_equal(a->has_endpoint, b->has_endpoint);
	assert_true(endpoint_equal(&a->endpoint, &b->endpoint));
	assert_int_equal(a->allowed_count, b->allowed_count);
	for (size_t i = 0; i < a->allowed_count; ++i) {
		assert_true(ip_equal(&a->allowed[i].prefix.ip, &b->allowed[i].prefix.ip));
		assert_int_equal(a->allowed[i].prefix.bits, b->allowed[i].prefix.bits);
	}
}

/* How many bytes a thing takes, by hand: 4 of header, and all in steps of 4. */
static size_t address_size(const struct model_allowed *a)
{
	const size_t ip = a->prefix.ip.family == FAMILY_V4 ? 8 : 20, flags = a->remove ? 8 : 0;

	return 4 + 8 + ip + 8 + flags;
}

static size_t peer_size(const struct model_peer *p, bool again)
{
	const bool has_flags = p->remove || p->update_only || (!again && p->replace_allowed);
	size_t size = 4 + 36 + (has_flags ? 8 : 0);

	if (!again && p->has_preshared_key)
		size += 36;
	if (!again && p->has_endpoint)
		size += p->endpoint.ip.family == FAMILY_V4 ? 20 : 32;
	return size + (!again && p->has_keepalive ? 8 : 0);
}

/* Where the cursor must stand after the next request, by adding up: wg(8)'s way to split. */
static void naive_split(const struct model *m, struct wg_message_cursor *c, size_t room)
{
	size_t left = room - (16 + 4 + 8 + 4); /* two headers, the name, the nest of peers */

	for (; c->peer < m->peer_count; ++c->peer, c->allowed = 0) {
		const struct model_peer *p = &m->peers[c->peer];

		if (left < peer_size(p, c->in_peer))
			return;
		left -= peer_size(p, c->in_peer);
		c->in_peer = c->allowed < p->allowed_count;
		if (!c->in_peer)
			continue;
		if (left < 4)
			return;
		left -= 4;
		for (; c->allowed < p->allowed_count; ++c->allowed) {
			if (left < address_size(&p->allowed[c->allowed]))
				return;
			left -= address_size(&p->allowed[c->allowed]);
		}
		c->in_peer = false;
	}
}

/* Written into room and read back it is the same, and split where wg(8) splits. */
static size_t round_trip(const struct model *m, size_t room)
{
	struct wg_message_cursor c = { 0 }, naive = { 0 };
	struct message bytes;
	struct model got;
	size_t requests = 0;

	model_init(&got);
	while (wg_message_write_set(&c, m, "wg0", FAMILY, bytes.bytes, room)) {
		naive_split(m, &naive, room);
		assert_int_equal(c.peer, naive.peer);
		assert_int_equal(c.allowed, naive.allowed);
		assert_int_equal(c.in_peer, naive.in_peer);
		assert_true(header(&bytes)->nlmsg_len <= room);
		assert_int_equal(wg_message_read(header(&bytes), &got), 0);
		++requests;
		assert_true(requests < 10000);
	}
	assert_string_equal(got.name, "wg0");
	assert_int_equal(got.peer_count, m->peer_count);
	for (size_t i = 0; i < got.peer_count; ++i)
		require_same_peer(&got.peers[i], &m->peers[i]);
	model_done(&got);
	return requests;
}

/* F-C9: no number of peers or addresses is special. */
static void fc9_every_count_comes_back(void **state)
{
	static const size_t rooms[] = { 512, 1000, 4096, 8192 };
	uint64_t random = 9;

	(void)state;
	for (size_t peers = 0; peers <= 200; ++peers) {
		struct model m;

		random_model(&m, &random, peers, peers % 7);
		for (size_t i = 0; i < ELEMENTS(rooms); ++i)
			(void)round_trip(&m, rooms[i]); /* however many it takes */
		model_done(&m);
	}
	for (size_t addresses = 0; addresses <= 500; ++addresses) {
		struct model m;

		random_model(&m, &random, 3, addresses);
		(void)round_trip(&m, rooms[addresses % ELEMENTS(rooms)]);
		model_done(&m);
	}
}

/* v4 addresses only, so that each boundary is met from both sides. */
static void boundaries_are_met_exactly(void **state)
{
	struct prefix one = { .ip.family = FAMILY_V4, .bits = 32 };
	/* headers and name, nest of peers, peer, key, nest of addresses; 28 for each address */
	const size_t fit = (ROOM - 28 - 4 - 4 - 36 - 4) / 28;

	(void)state;
	for (size_t count = fit - 1; count <= fit + 1; ++count) {
		struct model m;
		struct model_peer *p;

		model_init(&m);
		p = add_peer(&m, 1);
		for (size_t i = 0; i < count; ++i) {
			store32_be(one.ip.bytes, (uint32_t)i);
			assert_true(model_add_allowed(p, &one, false));
		}
		assert_int_equal(round_trip(&m, ROOM), count > fit ? 2 : 1);
		model_done(&m);
	}
}

/* Flags that make a request mean the same must be in each; those that undo what came before, once.
 */
static void what_goes_on_repeats_little(void **state)
{
	struct wg_message_cursor c = { 0 };
	struct message bytes;
	struct buffer b;
	struct model m;
	struct model_peer *p;

	(void)state;
	model_init(&m);
	m.replace_peers = m.has_fwmark = true;
	p = add_peer(&m, 5);
	p->replace_allowed = p->update_only = p->has_keepalive = true;
	for (int i = 0; i < 30; ++i)
		add_address(p, i % 2 ? "10.0.0.0/8" : "fd00::/64", false);
	assert_true(wg_message_write_set(&c, &m, "wg0", FAMILY, bytes.bytes, 512));
	buffer_init(&b);
	assert_true(wg_message_write_set(&c, &m, "wg0", FAMILY, bytes.bytes, 512));
	describe(&b, header(&bytes));
	assert_non_null(strstr(b.bytes, SET " 8= [ 1=0000000000000005 3=04000000 9= ( 1="));
	buffer_done(&b);
	model_done(&m);
}

static void start(struct message *m)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(m->bytes);

	h->nlmsg_type = FAMILY;
	h->nlmsg_flags = NLM_F_MULTI;
	h->nlmsg_seq = 1;
	mnl_nlmsg_put_extra_header(h, sizeof(struct genlmsghdr));
}

/* A peer of some device, with addresses 10.0.0.FIRST/32 up to, but not with, 10.0.0.LAST/32. */
static void put_dumped_peer(struct message *m, uint64_t number, unsigned int first,
			    unsigned int last, bool whole)
{
	struct nlmsghdr *h = header(m);
	struct nlattr *peer = mnl_attr_nest_start(h, 0), *all;
	uint8_t key[KEY_LEN] = { 0 };

	store64_be(key, number);
	mnl_attr_put(h, WGPEER_A_PUBLIC_KEY, sizeof(key), key);
	if (whole)
		mnl_attr_put_u64(h, WGPEER_A_RX_BYTES, 1000 + number);
	all = mnl_attr_nest_start(h, WGPEER_A_ALLOWEDIPS);
	for (; first < last; ++first) {
		struct nlattr *one = mnl_attr_nest_start(h, 0);
		const uint8_t ip[4] = { 10, 0, 0, (uint8_t)first };

		mnl_attr_put_u8(h, WGALLOWEDIP_A_CIDR_MASK, 32);
		mnl_attr_put_u16(h, WGALLOWEDIP_A_FAMILY, AF_INET);
		mnl_attr_put(h, WGALLOWEDIP_A_IPADDR, sizeof(ip), ip);
		mnl_attr_nest_end(h, one);
	}
	mnl_attr_nest_end(h, all);
	mnl_attr_nest_end(h, peer);
}

struct part { /* of a message; number 0: the next message begins */
	uint64_t number;
	unsigned int first, last;
	bool whole;
};

static void read_parts(const struct part *parts, struct model *m)
{
	struct message bytes;
	struct nlattr *peers;

	model_init(m);
	while (parts->number) {
		start(&bytes);
		peers = mnl_attr_nest_start(header(&bytes), WGDEVICE_A_PEERS);
		for (; parts->number; ++parts)
			put_dumped_peer(&bytes, parts->number, parts->first, parts->last,
					parts->whole);
		++parts;
		mnl_attr_nest_end(header(&bytes), peers);
		assert_int_equal(wg_message_read(header(&bytes), m), 0);
	}
}

static void dumped_peers_are_joined(void **state)
{
	static const struct {
		const char *name;
		struct part parts[10];
		const char *want;
	} rows[] = {
		{ "alone", { { 1, 0, 3, true } }, " 1:1001:0,1,2," },
		{ "over two messages",
		  { { 1, 0, 2, true }, { 0 }, { 1, 2, 4, false }, { 2, 9, 10, true } },
		  " 1:1001:0,1,2,3, 2:1002:9," },
		{ "over four messages",
		  { { 7, 0, 1, true },
		    { 1, 0, 2, true },
		    { 0 },
		    { 1, 2, 3, false },
		    { 0 },
		    { 1, 3, 5, false },
		    { 0 },
		    { 1, 5, 6, false } },
		  " 7:1007:0, 1:1001:0,1,2,3,4,5," },
		{ "nothing in the first",
		  { { 1, 0, 0, true }, { 0 }, { 1, 4, 5, false } },
		  " 1:1001:4," },
		{ "nothing more in the second",
		  { { 1, 0, 1, true }, { 0 }, { 1, 4, 4, false } },
		  " 1:1001:0," },
		{ "within a message", { { 1, 0, 1, true }, { 1, 1, 2, false } }, " 1:1001:0,1," },
		{ "not adjacent",
		  { { 1, 0, 1, true }, { 2, 1, 2, true }, { 1, 2, 3, true } },
		  " 1:1001:0, 2:1002:1, 1:1001:2," },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTS(rows); ++i) {
		struct buffer b;
		struct model m;

		read_parts(rows[i].parts, &m);
		buffer_init(&b);
		for (size_t j = 0; j < m.peer_count; ++j) {
			const struct model_peer *p = &m.peers[j];

			buffer_printf(&b, " %u:%u:", p->public_key.bytes[7],
				      (unsigned int)p->rx_bytes);
			for (size_t k = 0; k < p->allowed_count; ++k)
				buffer_printf(&b, "%u,", p->allowed[k].prefix.ip.bytes[3]);
		}
		buffer_append(&b, "", 1);
		if (strcmp(b.bytes, rows[i].want) != 0)
			fail_msg("%s: %s", rows[i].name, b.bytes);
		buffer_done(&b);
		model_done(&m);
	}
}

/* A whole state as the kernel gives it, and what of it is zero. */
static void state_rows(void **state)
{
	const int64_t seen[2] = { 1500000000, 7 }, never[2] = { 0, 0 }, before[2] = { -1, 5 };
	const uint8_t key[KEY_LEN] = { 9 }, none[KEY_LEN] = { 0 };
	struct nlattr *peers, *peer;
	struct message bytes;
	struct nlmsghdr *h = header(&bytes);
	struct model m;

	(void)state;
	start(&bytes);
	mnl_attr_put_u16(h, WGDEVICE_A_LISTEN_PORT, 51820);
	mnl_attr_put_u32(h, WGDEVICE_A_FWMARK, 0);
	mnl_attr_put_u32(h, WGDEVICE_A_IFINDEX, 4);
	mnl_attr_put_strz(h, WGDEVICE_A_IFNAME, "fifteen-letters");
	mnl_attr_put(h, WGDEVICE_A_PRIVATE_KEY, KEY_LEN, key);
	mnl_attr_put(h, WGDEVICE_A_PUBLIC_KEY, KEY_LEN, key);
	mnl_attr_put_u32(h, 900, 1);
	peers = mnl_attr_nest_start(h, WGDEVICE_A_PEERS);
	for (int i = 0; i < 3; ++i) {
		peer = mnl_attr_nest_start(h, 0);
		mnl_attr_put(h, WGPEER_A_PUBLIC_KEY, KEY_LEN, i == 0 ? key : none);
		mnl_attr_put(h, WGPEER_A_PRESHARED_KEY, KEY_LEN, i == 0 ? key : none);
		mnl_attr_put(h, WGPEER_A_LAST_HANDSHAKE_TIME, sizeof(seen),
			     i == 0   ? seen
			     : i == 1 ? never
				      : before);
		mnl_attr_put_u16(h, WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL, 0);
		mnl_attr_put_u64(h, WGPEER_A_TX_BYTES, UINT64_MAX);
		mnl_attr_put_u32(h, WGPEER_A_PROTOCOL_VERSION, 1);
		mnl_attr_put_u32(h, 77, 1);
		mnl_attr_nest_end(h, peer);
		if (i == 1) { /* the third is not to be joined with the second */
			peer = mnl_attr_nest_start(h, 0);
			mnl_attr_put(h, WGPEER_A_PUBLIC_KEY, KEY_LEN, key);
			mnl_attr_put(h, WGPEER_A_ENDPOINT, 16, "\xff\xff a strange one");
			mnl_attr_nest_end(h, peer);
		}
	}
	mnl_attr_nest_end(h, peers);
	model_init(&m);
	assert_int_equal(wg_message_read(h, &m), 0);
	assert_string_equal(m.name, "fifteen-letters");
	assert_true(m.has_private_key && m.private_key.bytes[0] == 9);
	assert_true(m.has_listen_port && m.listen_port == 51820 && m.has_fwmark && !m.fwmark);
	assert_int_equal(m.peer_count, 4);
	assert_true(m.peers[0].has_preshared_key && !m.peers[1].has_preshared_key);
	assert_true(m.peers[0].handshake_real == 1500000000 * NS_PER_S + 7);
	assert_true(m.peers[1].handshake_real == 0 && m.peers[3].handshake_real == 0);
	assert_true(m.peers[0].tx_bytes == UINT64_MAX);
	assert_false(m.peers[2].has_endpoint);
	model_done(&m);
}

/* Where a malformed attribute stands. */
enum level { DEVICE, PEER, ADDRESS };

static int read_one(enum level level, uint16_t type, size_t len, const void *payload)
{
	struct nlattr *peers, *peer = NULL, *all = NULL, *one = NULL;
	const uint8_t key[KEY_LEN] = { 1 }, ip[4] = { 10, 0, 0, 1 };
	static const uint8_t zeros[64];
	struct message bytes;
	struct nlmsghdr *h = header(&bytes);
	struct model m;
	int error;

	start(&bytes);
	if (level == DEVICE)
		mnl_attr_put(h, type, len, payload ? payload : zeros);
	peers = mnl_attr_nest_start(h, WGDEVICE_A_PEERS);
	peer = mnl_attr_nest_start(h, 0);
	mnl_attr_put(h, WGPEER_A_PUBLIC_KEY, KEY_LEN, key);
	if (level == PEER)
		mnl_attr_put(h, type, len, payload ? payload : zeros);
	all = mnl_attr_nest_start(h, WGPEER_A_ALLOWEDIPS);
	one = mnl_attr_nest_start(h, 0);
	mnl_attr_put_u16(h, WGALLOWEDIP_A_FAMILY, AF_INET);
	mnl_attr_put(h, WGALLOWEDIP_A_IPADDR, sizeof(ip), ip);
	mnl_attr_put_u8(h, WGALLOWEDIP_A_CIDR_MASK, 32);
	if (level == ADDRESS)
		mnl_attr_put(h, type, len, payload ? payload : zeros);
	mnl_attr_nest_end(h, one);
	mnl_attr_nest_end(h, all);
	mnl_attr_nest_end(h, peer);
	mnl_attr_nest_end(h, peers);
	model_init(&m);
	error = wg_message_read(h, &m);
	model_done(&m);
	return error;
}

static void malformed_rows(void **state)
{
	static const struct {
		enum level level;
		uint16_t type;
		size_t len;
		const char *payload; /* NULL: zeros */
		int error;
	} rows[] = {
		{ DEVICE, 900, 3, NULL, 0 },
		{ DEVICE, WGDEVICE_A_PRIVATE_KEY, 32, NULL, 0 },
		{ DEVICE, WGDEVICE_A_PRIVATE_KEY, 31, NULL, -EPROTO },
		{ DEVICE, WGDEVICE_A_PRIVATE_KEY, 33, NULL, -EPROTO },
		{ DEVICE, WGDEVICE_A_LISTEN_PORT, 4, NULL, -EPROTO },
		{ DEVICE, WGDEVICE_A_LISTEN_PORT, 0, NULL, -EPROTO },
		{ DEVICE, WGDEVICE_A_FWMARK, 2, NULL, -EPROTO },
		{ DEVICE, WGDEVICE_A_IFNAME, 0, NULL, -EPROTO },
		{ DEVICE, WGDEVICE_A_IFNAME, 1, NULL, -EPROTO },
		{ DEVICE, WGDEVICE_A_IFNAME, 3, "wg0", -EPROTO },
		{ DEVICE, WGDEVICE_A_IFNAME, 5, "w\0g0", -EPROTO },
		{ DEVICE, WGDEVICE_A_IFNAME, 17, "0123456789abcdef", -EPROTO },
		{ DEVICE, WGDEVICE_A_IFNAME, 16, "0123456789abcde", 0 },
		{ DEVICE, WGDEVICE_A_PEERS, 0, NULL, 0 },
		{ DEVICE, WGDEVICE_A_PEERS, 3, NULL, -EPROTO },
		{ DEVICE, WGDEVICE_A_PEERS, 4, "\x03\0\0\0", -EPROTO },
		{ DEVICE, WGDEVICE_A_PEERS, 4, "\x05\0\0\0", -EPROTO },
		{ DEVICE, WGDEVICE_A_PEERS, 4, "\x04\0\0\0", -EPROTO }, /* no key */
		{ PEER, 77, 1, NULL, 0 },
		{ PEER, WGPEER_A_PUBLIC_KEY, 31, NULL, -EPROTO },
		{ PEER, WGPEER_A_PRESHARED_KEY, 64, NULL, -EPROTO },
		{ PEER, WGPEER_A_ENDPOINT, 0, NULL, 0 },
		{ PEER, WGPEER_A_ENDPOINT, 16, NULL, 0 },
		{ PEER, WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL, 1, NULL, -EPROTO },
		{ PEER, WGPEER_A_LAST_HANDSHAKE_TIME, 8, NULL, -EPROTO },
		{ PEER, WGPEER_A_RX_BYTES, 4, NULL, -EPROTO },
		{ PEER, WGPEER_A_TX_BYTES, 16, NULL, -EPROTO },
		{ PEER, WGPEER_A_ALLOWEDIPS, 0, NULL, 0 },
		{ PEER, WGPEER_A_ALLOWEDIPS, 2, NULL, -EPROTO },
		{ PEER, WGPEER_A_ALLOWEDIPS, 4, "\x04\0\0\0", -EPROTO }, /* of nothing */
		{ ADDRESS, 77, 0, NULL, 0 },
		{ ADDRESS, WGALLOWEDIP_A_FAMILY, 2, NULL, -EPROTO },
		{ ADDRESS, WGALLOWEDIP_A_FAMILY, 2, "\x0a", -EPROTO },
		{ ADDRESS, WGALLOWEDIP_A_FAMILY, 1, "\x02", -EPROTO },
		{ ADDRESS, WGALLOWEDIP_A_IPADDR, 16, NULL, -EPROTO },
		{ ADDRESS, WGALLOWEDIP_A_IPADDR, 3, NULL, -EPROTO },
		{ ADDRESS, WGALLOWEDIP_A_IPADDR, 64, NULL, -EPROTO },
		{ ADDRESS, WGALLOWEDIP_A_CIDR_MASK, 1, "\x21", -EPROTO },
		{ ADDRESS, WGALLOWEDIP_A_CIDR_MASK, 1, "\x00", 0 },
		{ ADDRESS, WGALLOWEDIP_A_CIDR_MASK, 2, NULL, -EPROTO },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTS(rows); ++i) {
		const int error =
			read_one(rows[i].level, rows[i].type, rows[i].len, rows[i].payload);

		if (error != rows[i].error)
			fail_msg("row %zu: level %d, type %u, %zu bytes: %d", i, rows[i].level,
				 rows[i].type, rows[i].len, error);
	}
}

/* One that is shorter than its own header, where nobody looks into it. */
static void attribute_of_no_length(void **state)
{
	(void)state;
	for (uint16_t len = 0; len <= 4; ++len) {
		struct message bytes;
		struct nlattr *a;
		struct model m;

		start(&bytes);
		a = mnl_nlmsg_get_payload_tail(header(&bytes));
		mnl_attr_put(header(&bytes), 900, 0, "");
		a->nla_len = len;
		model_init(&m);
		assert_int_equal(wg_message_read(header(&bytes), &m), len < 4 ? -EPROTO : 0);
		model_done(&m);
	}
}

/* At every length: refused, or a shorter truth, and never a byte beyond it read. */
static void cut_anywhere(void **state)
{
	struct message bytes;
	struct nlattr *peers;
	size_t whole;

	(void)state;
	start(&bytes);
	peers = mnl_attr_nest_start(header(&bytes), WGDEVICE_A_PEERS);
	put_dumped_peer(&bytes, 1, 0, 3, true);
	mnl_attr_nest_end(header(&bytes), peers);
	whole = header(&bytes)->nlmsg_len;
	for (size_t len = sizeof(struct nlmsghdr); len < whole; ++len) {
		struct nlmsghdr *copy = malloc(len);
		struct model m;

		assert_non_null(copy);
		memcpy(copy, bytes.bytes, len);
		copy->nlmsg_len = (uint32_t)len;
		model_init(&m);
		assert_int_equal(wg_message_read(copy, &m),
				 len == NLMSG_LENGTH(sizeof(struct genlmsghdr)) ? 0 : -EPROTO);
		model_done(&m);
		free(copy);
	}
}

static int count_messages(void *ctx, const struct nlmsghdr *message)
{
	(void)message;
	return ++*(int *)ctx == 99 ? -ECANCELED : 0;
}

/* One message of an answer; returns the bytes that it takes. */
struct said {
	uint16_t type, flags;
	uint32_t seq;
	int number; /* INT_MAX: no payload */
};

static size_t put_said(uint8_t *at, const struct said *s)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(at);

	h->nlmsg_type = s->type;
	h->nlmsg_flags = s->flags;
	h->nlmsg_seq = s->seq;
	if (s->number != INT_MAX)
		memcpy(mnl_nlmsg_put_extra_header(h, sizeof(s->number)), &s->number,
		       sizeof(s->number));
	return h->nlmsg_len;
}

static void take_rows(void **state)
{
	static const struct {
		const char *name;
		struct said said[4];
		int status, handled;
		bool changed;
	} rows[] = {
		{ "data", { { FAMILY, 0, 1, 0 } }, 1, 1, false },
		{ "data twice", { { FAMILY, 0, 1, 0 }, { FAMILY, 0, 1, 0 } }, 1, 2, false },
		{ "acknowledged", { { NLMSG_ERROR, 0, 1, 0 } }, 0, 0, false },
		{ "refused", { { NLMSG_ERROR, 0, 1, -ENODEV } }, -ENODEV, 0, false },
		{ "refused with nonsense", { { NLMSG_ERROR, 0, 1, 5 } }, -EPROTO, 0, false },
		{ "refused with less", { { NLMSG_ERROR, 0, 1, INT_MIN } }, -EPROTO, 0, false },
		{ "refused without number", { { NLMSG_ERROR, 0, 1, INT_MAX } }, -EPROTO, 0, false },
		{ "done", { { FAMILY, 2, 1, 0 }, { NLMSG_DONE, 2, 1, 0 } }, 0, 1, false },
		{ "done without number", { { NLMSG_DONE, 2, 1, INT_MAX } }, 0, 0, false },
		{ "done badly",
		  { { FAMILY, 2, 1, 0 }, { NLMSG_DONE, 2, 1, -EMSGSIZE } },
		  -EMSGSIZE,
		  1,
		  false },
		{ "nothing behind the end",
		  { { NLMSG_DONE, 2, 1, 0 }, { FAMILY, 0, 1, 0 } },
		  0,
		  0,
		  false },
		{ "noop", { { NLMSG_NOOP, 0, 1, 0 }, { FAMILY, 0, 1, 0 } }, 1, 1, false },
		{ "changed",
		  { { FAMILY, NLM_F_DUMP_INTR, 1, 0 }, { NLMSG_DONE, 2, 1, 0 } },
		  0,
		  1,
		  true },
		{ "changed in the end",
		  { { FAMILY, 2, 1, 0 }, { NLMSG_DONE, NLM_F_DUMP_INTR, 1, 0 } },
		  0,
		  1,
		  true },
		{ "of another request", { { FAMILY, 0, 2, 0 } }, -EPROTO, 0, false },
		{ "acknowledges another", { { NLMSG_ERROR, 0, 0, 0 } }, -EPROTO, 0, false },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTS(rows); ++i) {
		struct message bytes;
		bool changed = false;
		size_t len = 0;
		int handled = 0, status;

		for (size_t j = 0; j < 4 && rows[i].said[j].type; ++j)
			len += put_said(bytes.bytes + len, &rows[i].said[j]);
		status = netlink_take(bytes.bytes, len, 1, count_messages, &handled, &changed);
		if (status != rows[i].status || handled != rows[i].handled ||
		    changed != rows[i].changed)
			fail_msg("%s: %d, %d handled", rows[i].name, status, handled);
	}
}

static void take_trusts_no_length(void **state)
{
	static const uint32_t wrong[] = { 0, 15, 21, 0x80000014, UINT32_MAX }; /* 20 is right */
	const struct said said = { FAMILY, 0, 1, 0 };
	struct message bytes;
	bool changed;
	int handled = 0;
	size_t len = put_said(bytes.bytes, &said);

	(void)state;
	for (size_t cut = 0; cut < len; ++cut)
		assert_int_equal(
			netlink_take(bytes.bytes, cut, 1, count_messages, &handled, &changed),
			-EPROTO);
	assert_int_equal(handled, 0);
	for (size_t i = 0; i < ELEMENTS(wrong); ++i) {
		header(&bytes)->nlmsg_len = wrong[i];
		assert_int_equal(
			netlink_take(bytes.bytes, len, 1, count_messages, &handled, &changed),
			-EPROTO);
	}
	(void)put_said(bytes.bytes, &said);
	memset(bytes.bytes + len, 0xff, 8);
	assert_int_equal(netlink_take(bytes.bytes, len + 8, 1, count_messages, &handled, &changed),
			 -EPROTO);
	handled = 98;
	(void)put_said(bytes.bytes, &said);
	assert_int_equal(netlink_take(bytes.bytes, len, 1, count_messages, &handled, &changed),
			 -ECANCELED);
}

static void family_rows(void **state)
{
	struct message bytes;
	uint16_t family = 0;

	(void)state;
	start(&bytes);
	mnl_attr_put_strz(header(&bytes), CTRL_ATTR_FAMILY_NAME, "wireguard");
	mnl_attr_put_u16(header(&bytes), CTRL_ATTR_FAMILY_ID, 0x1234);
	assert_int_equal(wg_message_read_family(header(&bytes), &family), 0);
	assert_int_equal(family, 0x1234);
	mnl_attr_put_u32(header(&bytes), CTRL_ATTR_FAMILY_ID, 1);
	assert_int_equal(wg_message_read_family(header(&bytes), &family), -EPROTO);
}

static void link_rows(void **state)
{
	static const struct {
		const char *name, *kind;
		size_t kind_len;
		const char *want;
	} rows[] = {
		{ "wg0", "wireguard", 10, "wg0" },
		{ "wg0", "wireguard", 9, "wg0" },
		{ "0123456789abcde", "wireguard", 10, "0123456789abcde" },
		{ "0123456789abcdef", "wireguard", 10, "" },
		{ "", "wireguard", 10, "" },
		{ "eth0", "wireguar", 9, "" },
		{ "eth0", "wireguardx", 10, "" },
		{ "eth0", "wireguardx", 11, "" },
		{ "eth0", NULL, 0, "" },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTS(rows); ++i) {
		struct message bytes;
		struct nlmsghdr *h = mnl_nlmsg_put_header(bytes.bytes);
		char name[MODEL_NAME] = "untouched";
		struct nlattr *info;

		mnl_nlmsg_put_extra_header(h, sizeof(struct ifinfomsg));
		mnl_attr_put_strz(h, IFLA_IFNAME, rows[i].name);
		if (rows[i].kind) {
			info = mnl_attr_nest_start(h, IFLA_LINKINFO);
			mnl_attr_put(h, IFLA_INFO_KIND, rows[i].kind_len, rows[i].kind);
			mnl_attr_nest_end(h, info);
		}
		wg_message_read_link(h, name);
		assert_string_equal(name, rows[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_of_a_device),
		cmocka_unit_test(words_of_a_peer),
		cmocka_unit_test(words_of_other_requests),
		cmocka_unit_test(fc9_every_count_comes_back),
		cmocka_unit_test(boundaries_are_met_exactly),
		cmocka_unit_test(what_goes_on_repeats_little),
		cmocka_unit_test(dumped_peers_are_joined),
		cmocka_unit_test(state_rows),
		cmocka_unit_test(malformed_rows),
		cmocka_unit_test(attribute_of_no_length),
		cmocka_unit_test(cut_anywhere),
		cmocka_unit_test(take_rows),
		cmocka_unit_test(take_trusts_no_length),
		cmocka_unit_test(family_rows),
		cmocka_unit_test(link_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
