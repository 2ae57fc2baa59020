#include "wg/core.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "crypto/crypto.h"
#include "pair.h"
#include "support.h"
#include "watch.h"

static struct pair pair; /* large */
static const struct moment now = { .boot = NS_PER_S, .real = 2000000000 * NS_PER_S };

static struct core *make_core(struct watch *w, struct test_entropy *e)
{
	struct core_config config = { .ratelimit_sets = 1, .staged_budget = 1 << 16 };

	watch_init(w);
	test_entropy_init(e, 5);
	config.memory = w->memory;
	config.entropy = e->entropy;
	return core_new(&config);
}

static struct key_public peer_key(uint8_t n)
{
	return (struct key_public){ { n, 1 } };
}

static struct peer *add(struct core *c, uint8_t n)
{
	const struct key_public key = peer_key(n);

	return core_add_peer(c, &key);
}

static struct prefix net(uint8_t n, uint8_t bits)
{
	return (struct prefix){ .ip = { FAMILY_V4, { 10, n } }, .bits = bits };
}

static void new_needs_memory_and_random_bytes(void **state)
{
	struct core_config config = { .ratelimit_sets = 1 };
	struct test_entropy e;
	struct watch w;

	(void)state;
	watch_init(&w);
	test_entropy_init(&e, 5);
	config.memory = w.memory;
	config.entropy = e.entropy;
	for (size_t n = 1; n < 3; ++n) {
		test_memory_fail(&w.counted, n, false);
		assert_null(core_new(&config));
		assert_int_equal(w.used, 0);
	}
	e.fail = true;
	assert_null(core_new(&config));
	assert_int_equal(w.used, 0);
	assert_null(core_free(NULL));
	watch_done(&w);
}

static void a_new_core_is_down_and_empty(void **state)
{
	struct test_entropy e;
	struct watch w;
	struct core *c = make_core(&w, &e);

	(void)state;
	assert_non_null(c);
	assert_false(core_is_up(c));
	assert_null(core_private_key(c));
	assert_null(core_next_peer(c, NULL));
	assert_int_equal(core_peer_count(c), 0);
	assert_true(core_deadline(c) == TIME_NEVER);
	assert_false(core_has_output(c));
	core_down(c, now);
	core_up(c, now);
	core_up(c, now);
	assert_true(core_is_up(c));
	assert_null(core_free(c));
	watch_done(&w);
}

/* What was reserved can't fail, though there is no memory any more. */
static void reserved_additions_cannot_fail(void **state)
{
	enum { PEERS = 20 };
	struct test_entropy e;
	struct watch w;
	struct core *c = make_core(&w, &e);
	size_t held;

	(void)state;
	assert_non_null(c);
	held = w.counted.outstanding;
	assert_true(core_reserve(c, PEERS, PEERS));
	test_memory_fail(&w.counted, 1, true);
	for (uint8_t i = 0; i < PEERS; ++i) {
		const struct prefix prefix = net(i, 16);

		core_allow(c, add(c, i), &prefix);
	}
	assert_int_equal(core_peer_count(c), PEERS);
	test_memory_heal(&w.counted);
	core_release(c);
	while (core_next_peer(c, NULL))
		core_remove_peer(c, now, core_next_peer(c, NULL));
	assert_int_equal(core_peer_count(c), 0);
	assert_true(core_reserve(c, 4, 4));
	core_release(c);
	core_release(c);
	assert_true(w.counted.outstanding >= held);
	assert_null(core_free(c));
	watch_done(&w);
}

/* Each take of a reservation fails in turn: what was reserved before is still there. */
static void failed_reservation_changes_nothing(void **state)
{
	struct test_entropy e;
	struct watch w;

	(void)state;
	for (size_t n = 1;; ++n) {
		struct core *c = make_core(&w, &e);
		const struct prefix prefix = net(1, 16);
		bool ok;

		assert_non_null(c);
		assert_true(core_reserve(c, 2, 1));
		test_memory_fail(&w.counted, n, true);
		ok = core_reserve(c, 100, 100);
		assert_int_equal(c->spare_count, ok ? 100 : 2);
		core_allow(c, add(c, 1), &prefix);
		assert_non_null(add(c, 2));
		assert_null(core_free(c));
		watch_done(&w);
		if (ok)
			break;
		assert_true(n < 500);
	}
}

static void peers_are_walked_in_order(void **state)
{
	static const uint8_t order[] = { 9, 3, 7, 1 };
	struct test_entropy e;
	struct watch w;
	struct core *c = make_core(&w, &e);
	struct key_public key = peer_key(3);
	struct peer *p = NULL;
	struct peer_view view;

	(void)state;
	assert_non_null(c);
	assert_true(core_reserve(c, ELEMENTS(order), 0));
	for (size_t i = 0; i < ELEMENTS(order); ++i)
		assert_non_null(add(c, order[i]));
	core_remove_peer(c, now, core_find_peer(c, &key));
	assert_null(core_find_peer(c, &key));
	for (size_t i = 0; i < ELEMENTS(order); ++i) {
		if (order[i] == 3)
			continue;
		p = core_next_peer(c, p);
		assert_non_null(p);
		core_view_peer(p, &view);
		assert_int_equal(view.public_key.bytes[0], order[i]);
		assert_ptr_equal(core_find_peer(c, &view.public_key), p);
	}
	assert_null(core_next_peer(c, p));
	assert_null(core_free(c));
	watch_done(&w);
}

static size_t prefixes_of(const struct peer *p)
{
	struct peer_view view;
	size_t n = 0;

	core_view_peer(p, &view);
	for (const struct allowed_node *at = NULL; (at = allowedips_next(view.allowed, at));)
		++n;
	assert_int_equal(n, view.allowed->count);
	return n;
}

static void prefixes_move(void **state)
{
	const struct prefix a = net(1, 16), b = net(2, 16);
	struct test_entropy e;
	struct watch w;
	struct core *c = make_core(&w, &e);
	struct peer *p, *q;

	(void)state;
	assert_non_null(c);
	assert_true(core_reserve(c, 2, 3));
	p = add(c, 1);
	q = add(c, 2);
	core_allow(c, p, &a);
	core_allow(c, p, &b);
	core_allow(c, q, &a);
	assert_int_equal(prefixes_of(p), 1);
	assert_int_equal(prefixes_of(q), 1);
	core_disallow(c, p, &a); /* not its own */
	assert_int_equal(prefixes_of(q), 1);
	core_disallow(c, q, &a);
	assert_int_equal(prefixes_of(q), 0);
	core_disallow_all(c, p);
	assert_int_equal(prefixes_of(p), 0);
	assert_null(core_free(c));
	watch_done(&w);
}

static void private_key_rules(void **state)
{
	const struct key_private raw = { { 0xff, 2, 3 } }, none = { { 0 } };
	struct key_private clamped = raw;
	struct key_public public;
	struct test_entropy e;
	struct watch w;
	struct core *c = make_core(&w, &e);
	uint64_t generation;

	(void)state;
	assert_non_null(c);
	crypto_clamp(&clamped);
	assert_true(crypto_public(&clamped, &public));
	assert_true(core_set_private_key(c, now, &none, 0));
	assert_int_equal(c->identity_generation, 0);
	assert_true(core_set_private_key(c, now, &raw, 77));
	assert_memory_equal(core_private_key(c), &clamped, KEY_LEN);
	assert_memory_equal(&c->local.public, &public, KEY_LEN);
	assert_true(core_stamp_floor(c) == 77);
	/* The same key is no change, in whatever form it comes. */
	generation = c->identity_generation;
	assert_true(core_set_private_key(c, now, &clamped, 0));
	assert_true(core_set_private_key(c, now, &raw, 0));
	assert_true(c->identity_generation == generation);
	assert_true(core_stamp_floor(c) == 77);
	assert_true(core_set_private_key(c, now, &none, 0));
	assert_null(core_private_key(c));
	assert_false(watch_holds(&w, clamped.bytes));
	assert_null(core_free(c));
	watch_done(&w);
}

static void key_unchanged_ends_nothing(void **state)
{
	struct host *h = &pair.host[0];

	(void)state;
	pair_init(&pair);
	(void)pair_send(&pair, 0, 60);
	assert_true(core_set_private_key(h->core, pair.now, &h->id.secret, 0));
	assert_int_equal(pair_send(&pair, 0, 60), TRANSPORT_SEAL);
	assert_int_equal(h->sent[MESSAGE_INITIATION], 1);
	pair_done(&pair);
}

static void down_ends_everything(void **state)
{
	struct host *h = &pair.host[0];
	uint8_t packet[60], key[KEY_LEN];

	(void)state;
	pair_init(&pair);
	core_set_keepalive(h->core, pair.now, h->peer, 25);
	pair_run(&pair);
	memcpy(key, h->peer->current->keys.send.bytes, sizeof(key));
	pair_packet(&pair, 0, packet, sizeof(packet));
	core_down(h->core, pair.now);
	assert_false(watch_holds(&h->memory, key));
	assert_true(core_deadline(h->core) == TIME_NEVER);
	assert_false(core_has_output(h->core));
	assert_int_equal(h->core->table.used, 0);
	assert_int_equal(pair_offer(&pair, 0, packet, sizeof(packet)), TRANSPORT_DROP);
	pair_advance(&pair, 100 * NS_PER_S);
	assert_int_equal(h->sent_keepalives, 1);
	/* Up again: the keepalive is due at once, without waiting for the 5 s of before. */
	core_up(h->core, pair.now);
	pair_run(&pair);
	assert_int_equal(h->sent_keepalives, 2);
	core_down(h->core, pair.now);
	core_up(h->core, pair.now);
	pair_jump(&pair, 20 * NS_PER_MS);
	pair_run(&pair);
	assert_int_equal(h->sent_keepalives, 3);
	pair_done(&pair);
}

static void keepalive_changes(void **state)
{
	struct host *h = &pair.host[0];

	(void)state;
	pair_init(&pair);
	(void)pair_send(&pair, 0, 60);
	pair_advance(&pair, 30 * NS_PER_S);
	assert_int_equal(h->sent_keepalives, 0);
	core_set_keepalive(h->core, pair.now, h->peer, 25);
	pair_run(&pair);
	assert_int_equal(h->sent_keepalives, 1);
	/* Another interval is no reason to speak, and is used from the next packet on. */
	core_set_keepalive(h->core, pair.now, h->peer, 10);
	core_peer_changed(h->core, pair.now, h->peer);
	pair_run(&pair);
	assert_int_equal(h->sent_keepalives, 1);
	pair_advance(&pair, 25 * NS_PER_S);
	assert_int_equal(h->sent_keepalives, 2);
	pair_advance(&pair, 10 * NS_PER_S);
	assert_int_equal(h->sent_keepalives, 3);
	core_set_keepalive(h->core, pair.now, h->peer, 0);
	pair_advance(&pair, 60 * NS_PER_S);
	assert_int_equal(h->sent_keepalives, 3);
	pair_done(&pair);
}

/* The endpoint comes after the keepalive and after the packets that wait. */
static void late_endpoint_starts_what_waited(void **state)
{
	struct host *h = &pair.host[0];
	struct endpoint e;

	(void)state;
	pair_init(&pair);
	e = h->peer->endpoint;
	core_remove_peer(h->core, pair.now, h->peer);
	assert_true(core_reserve(h->core, 1, 1));
	h->peer = core_add_peer(h->core, &pair.host[1].id.public);
	core_set_keepalive(h->core, pair.now, h->peer, 25);
	core_peer_changed(h->core, pair.now, h->peer);
	pair_run(&pair);
	assert_int_equal(h->sent[MESSAGE_INITIATION], 0);
	core_set_endpoint(h->peer, &e);
	core_peer_changed(h->core, pair.now, h->peer);
	pair_run(&pair);
	assert_int_equal(h->sent_keepalives, 1);
	pair_done(&pair);
}

static void sources_are_forgotten(void **state)
{
	struct host *h = &pair.host[1];
	const struct endpoint same = pair.host[0].endpoint;
	struct endpoint other = same;

	(void)state;
	pair_init(&pair);
	(void)pair_send(&pair, 0, 60);
	h->peer->source = (struct source){ .ifindex = 3 };
	other = h->peer->endpoint;
	core_set_endpoint(h->peer, &other); /* the same */
	assert_int_equal(h->peer->source.ifindex, 3);
	other.port ^= 1;
	core_set_endpoint(h->peer, &other);
	assert_int_equal(h->peer->source.ifindex, 0);
	h->peer->source = (struct source){ .ifindex = 3 };
	core_forget_sources(h->core);
	assert_int_equal(h->peer->source.ifindex, 0);
	pair_done(&pair);
}

static void a_view_shows_all(void **state)
{
	const struct key_shared psk = { { 5 } };
	struct host *h = &pair.host[0];
	struct peer_view view;

	(void)state;
	pair_init(&pair);
	core_set_psk(h->peer, &psk);
	core_set_psk(pair.host[1].peer, &psk);
	core_set_keepalive(h->core, pair.now, h->peer, 25);
	(void)pair_send(&pair, 0, 60);
	core_view_peer(h->peer, &view);
	assert_memory_equal(&view.public_key, &pair.host[1].id.public, KEY_LEN);
	assert_memory_equal(&view.psk, &psk, KEY_LEN);
	assert_true(endpoint_equal(&view.endpoint, &pair.host[1].endpoint));
	assert_int_equal(view.keepalive, 25);
	assert_true(view.handshake_real == pair.now.real);
	assert_int_equal(view.rx_bytes, 92);
	assert_int_equal(view.tx_bytes, 148 + 96);
	assert_null(view.rejects);
	core_view_peer(pair.host[1].peer, &view); /* which was the one to answer */
	assert_memory_equal(view.stamp_seen, pair.host[1].peer->stamp_seen, STAMP_LEN);
	assert_int_not_equal(load64_be(view.stamp_seen), 0);
	pair_done(&pair);
}

/* What an earlier engine has seen: rows in order. */
static void a_stamp_seen_only_rises(void **state)
{
	static const struct {
		uint64_t given;
		uint64_t kept;
	} rows[] = { { 5, 5 }, { 4, 5 }, { 5, 5 }, { 6, 6 }, { 0, 6 }, { UINT64_MAX, UINT64_MAX } };
	struct peer_view view;

	(void)state;
	pair_init(&pair);
	for (size_t i = 0; i < ELEMENTS(rows); ++i) {
		uint8_t stamp[STAMP_LEN] = { 0 };

		store64_be(stamp + 4, rows[i].given);
		core_set_stamp_seen(pair.host[0].peer, stamp);
		core_view_peer(pair.host[0].peer, &view);
		assert_true(load64_be(view.stamp_seen + 4) == rows[i].kept);
	}
	pair_done(&pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(new_needs_memory_and_random_bytes),
		cmocka_unit_test(a_new_core_is_down_and_empty),
		cmocka_unit_test(reserved_additions_cannot_fail),
		cmocka_unit_test(failed_reservation_changes_nothing),
		cmocka_unit_test(peers_are_walked_in_order),
		cmocka_unit_test(prefixes_move),
		cmocka_unit_test(private_key_rules),
		cmocka_unit_test(key_unchanged_ends_nothing),
		cmocka_unit_test(down_ends_everything),
		cmocka_unit_test(keepalive_changes),
		cmocka_unit_test(late_endpoint_starts_what_waited),
		cmocka_unit_test(sources_are_forgotten),
		cmocka_unit_test(a_view_shows_all),
		cmocka_unit_test(a_stamp_seen_only_rises),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
