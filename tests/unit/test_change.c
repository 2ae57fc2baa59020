#include "device/change.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "crypto/crypto.h"
#include "device/slab.h"
#include "support.h"
#include "wg/core_private.h"

enum { KEYS = 40, PREFIXES = 200, OWNED_MAX = PREFIXES };

/* What is configured, as lists. */
struct naive_peer {
	unsigned int key;
	uint16_t keepalive;
	struct endpoint endpoint;
	unsigned int prefixes[OWNED_MAX];
	size_t count;
};

struct world {
	struct test_memory memory;
	struct slab *slab; /* NULL: the memory that counts */
	struct test_entropy entropy;
	pthread_mutex_t lock;
	struct core *core;
	struct naive_peer peers[KEYS];
	size_t count;
	struct endpoint former[KEYS]; /* of those before a replacement: who is kept keeps it */
	uint64_t seed;
};

static const struct moment now = { .boot = NS_PER_S, .real = NS_PER_S };

/* threads: with memory that several may take at a time. */
static struct world *start_with(uint64_t seed, bool threads)
{
	static struct world w;

	w = (struct world){ .seed = seed, .lock = PTHREAD_MUTEX_INITIALIZER };
	test_memory_init(&w.memory);
	if (threads) {
		w.slab = slab_new();
		assert_non_null(w.slab);
		w.memory.memory = slab_memory(w.slab);
	}
	test_entropy_init(&w.entropy, seed);
	w.core = core_new(&(struct core_config){ .memory = w.memory.memory,
						 .entropy = w.entropy.entropy,
						 .ratelimit_sets = 8,
						 .staged_budget = 1 << 16 });
	assert_non_null(w.core);
	core_up(w.core, now);
	return &w;
}

static struct world *start(uint64_t seed)
{
	return start_with(seed, false);
}

static void stop(struct world *w)
{
	core_free(w->core);
	w->slab = slab_free(w->slab);
	assert_int_equal(w->memory.outstanding, 0);
}

static struct key_public key_of(unsigned int i)
{
	return (struct key_public){ { 1, (uint8_t)i, (uint8_t)(i >> 8), (uint8_t)(i >> 16) } };
}

static struct prefix prefix_of(unsigned int i)
{
	struct prefix p = { .ip.family = FAMILY_V4, .bits = 32 };

	store32_be(p.ip.bytes, 0x0a000000 + i);
	return p;
}

static void add_row(struct model *m, unsigned int key, unsigned int first, unsigned int count)
{
	struct model_peer *row = model_add_peer(m);

	assert_non_null(row);
	row->public_key = key_of(key);
	row->replace_allowed = true;
	for (unsigned int i = first; i < first + count; ++i) {
		const struct prefix p = prefix_of(i);

		assert_true(model_add_allowed(row, &p, false));
	}
}

static void change(struct world *w, const struct model *m)
{
	struct change ch;

	assert_true(change_reserve(&ch, w->core, &w->lock, m));
	change_apply(&ch, now);
}

static struct naive_peer *naive_find(struct world *w, unsigned int key)
{
	for (size_t i = 0; i < w->count; ++i)
		if (w->peers[i].key == key)
			return &w->peers[i];
	return NULL;
}

static void naive_disown(struct naive_peer *p, unsigned int prefix)
{
	for (size_t i = 0; i < p->count; ++i) {
		if (p->prefixes[i] != prefix)
			continue;
		--p->count;
		memmove(&p->prefixes[i], &p->prefixes[i + 1],
			(p->count - i) * sizeof(p->prefixes[0]));
		return;
	}
}

static bool naive_owns(const struct naive_peer *p, unsigned int prefix)
{
	for (size_t i = 0; i < p->count; ++i)
		if (p->prefixes[i] == prefix)
			return true;
	return false;
}

static void naive_allow(struct world *w, struct naive_peer *p, const struct model_allowed *a)
{
	const unsigned int prefix = load32_be(a->prefix.ip.bytes) - 0x0a000000;

	if (a->remove) {
		naive_disown(p, prefix);
		return;
	}
	if (naive_owns(p, prefix))
		return;
	for (size_t i = 0; i < w->count; ++i)
		naive_disown(&w->peers[i], prefix);
	p->prefixes[p->count++] = prefix;
}

static void naive_apply_peer(struct world *w, const struct model_peer *row)
{
	const unsigned int key = row->public_key.bytes[1];
	struct naive_peer *p = naive_find(w, key);

	if (row->remove && p) {
		memmove(p, p + 1, (size_t)(&w->peers[w->count] - (p + 1)) * sizeof(*p));
		--w->count;
	}
	if (row->remove || (!p && row->update_only))
		return;
	if (!p) {
		p = &w->peers[w->count++];
		*p = (struct naive_peer){ .key = key, .endpoint = w->former[key] };
		w->former[key] = (struct endpoint){ 0 };
	}
	if (row->has_endpoint)
		p->endpoint = row->endpoint;
	if (row->has_keepalive)
		p->keepalive = row->keepalive;
	if (row->replace_allowed)
		p->count = 0;
	for (size_t i = 0; i < row->allowed_count; ++i)
		naive_allow(w, p, &row->allowed[i]);
}

static void naive_apply(struct world *w, const struct model *m)
{
	memset(w->former, 0, sizeof(w->former));
	for (unsigned int i = 0; m->replace_peers && i < w->count; ++i)
		w->former[w->peers[i].key] = w->peers[i].endpoint;
	if (m->replace_peers)
		w->count = 0;
	for (size_t i = 0; i < m->peer_count; ++i)
		naive_apply_peer(w, &m->peers[i]);
}

static void random_patch(struct world *w, struct model *m, size_t rows)
{
	model_init(m);
	m->replace_peers = test_random_below(&w->seed, 6) == 0;
	for (size_t i = 0; i < rows; ++i) {
		struct model_peer *row = model_add_peer(m);

		assert_non_null(row);
		row->public_key = key_of((unsigned int)test_random_below(&w->seed, KEYS));
		row->remove = test_random_below(&w->seed, 5) == 0;
		row->update_only = test_random_below(&w->seed, 5) == 0;
		row->replace_allowed = test_random_below(&w->seed, 3) == 0;
		row->has_keepalive = test_random_below(&w->seed, 2);
		row->keepalive = (uint16_t)test_random_below(&w->seed, 3);
		row->has_endpoint = test_random_below(&w->seed, 2);
		row->endpoint = (struct endpoint){ .ip.family = FAMILY_V4, .port = (uint16_t)i };
		for (uint64_t n = test_random_below(&w->seed, 8); n > 0; --n) {
			const struct prefix p =
				prefix_of((unsigned int)test_random_below(&w->seed, PREFIXES));

			assert_true(
				model_add_allowed(row, &p, test_random_below(&w->seed, 4) == 0));
		}
	}
}

static void check_peer(const struct peer *p, const struct naive_peer *naive)
{
	const struct key_public key = key_of(naive->key);
	const struct allowed_node *n = NULL;
	struct peer_view view;

	core_view_peer(p, &view);
	assert_memory_equal(&view.public_key, &key, sizeof(key));
	assert_int_equal(view.keepalive, naive->keepalive);
	assert_true(endpoint_equal(&view.endpoint, &naive->endpoint));
	assert_int_equal(view.allowed->count, naive->count);
	for (size_t i = 0; i < naive->count; ++i) {
		const struct prefix want = prefix_of(naive->prefixes[i]);
		struct prefix have;

		n = allowedips_next(view.allowed, n);
		assert_non_null(n);
		have = allowedips_prefix(n);
		assert_true(ip_equal(&want.ip, &have.ip));
		assert_true(have.bits == 32);
	}
	assert_null(allowedips_next(view.allowed, n));
}

static void check(struct world *w)
{
	struct peer *p = NULL;
	uint64_t order = 0;

	for (size_t i = 0; i < w->count; ++i) {
		const struct key_public key = key_of(w->peers[i].key);

		p = core_next_peer(w->core, p);
		assert_non_null(p);
		assert_true(p->order > order);
		order = p->order;
		check_peer(p, &w->peers[i]);
		assert_ptr_equal(core_find_peer(w->core, &key), p);
		for (size_t k = 0; k < w->peers[i].count; ++k) {
			const struct prefix prefix = prefix_of(w->peers[i].prefixes[k]);

			assert_ptr_equal(allowedips_lookup(&w->core->allowed, &prefix.ip),
					 &p->allowed);
		}
	}
	assert_null(core_next_peer(w->core, p));
	assert_int_equal(core_peer_count(w->core), w->count);
	assert_int_equal(w->core->aside.prefixes, 0);
	assert_true(list_empty(&w->core->retired));
	assert_true(list_empty(&w->core->buried));
}

/* Short and long ones: the same rows give the same state. */
static void changes_match_naive(void **state)
{
	unsigned int aside = 0, in_place = 0;

	(void)state;
	for (uint64_t seed = 0; seed < 20; ++seed) {
		struct world *w = start(seed);

		for (int round = 0; round < 60; ++round) {
			struct change ch;
			struct model m;

			random_patch(w, &m, 1 + test_random_below(&w->seed, round % 2 ? 60 : 6));
			assert_true(change_reserve(&ch, w->core, &w->lock, &m));
			aside += ch.is_aside;
			in_place += !ch.is_aside;
			change_apply(&ch, now);
			naive_apply(w, &m);
			check(w);
			model_done(&m);
		}
		stop(w);
	}
	assert_true(aside > 200 && in_place > 200);
}

/* What holds the lock for a moment only is made in place, unless look-ups have become slow by it.
 */
static void long_ones_are_made_aside(void **state)
{
	struct world *w = start(1);
	struct change ch;
	unsigned int turns = 0;
	struct model m;

	(void)state;
	for (int is_long = 0; is_long < 2; ++is_long) {
		model_init(&m);
		add_row(&m, 0, 0, is_long ? 100 : 60);
		assert_true(change_reserve(&ch, w->core, &w->lock, &m));
		assert_int_equal(ch.is_aside, is_long);
		change_apply(&ch, now);
		model_done(&m);
	}
	/* Few rows, but all that the peer has is taken from it. */
	model_init(&m);
	add_row(&m, 0, 0, 1);
	assert_true(change_reserve(&ch, w->core, &w->lock, &m));
	assert_true(ch.is_aside);
	change_apply(&ch, now);
	model_done(&m);
	do {
		model_init(&m);
		add_row(&m, 1, turns % PREFIXES, 10);
		assert_true(change_reserve(&ch, w->core, &w->lock, &m));
		change_apply(&ch, now);
		model_done(&m);
	} while (!ch.is_aside && ++turns < 100);
	assert_true(turns > 2 && turns < 20);
	stop(w);
}

/* Wherever memory ends, it ends before anything has changed. */
static void fp3_all_or_nothing(void **state)
{
	bool failed = true;

	(void)state;
	for (size_t n = 1; failed; n += 1 + n / 8) {
		struct world *w = start(n);
		struct change ch;
		struct model m;

		random_patch(w, &m, 50);
		m.replace_peers = false;
		change(w, &m);
		naive_apply(w, &m);
		model_done(&m);
		random_patch(w, &m, 100);
		test_memory_fail(&w->memory, n, true);
		failed = !change_reserve(&ch, w->core, &w->lock, &m);
		test_memory_heal(&w->memory);
		if (failed) {
			change_release(&ch);
		} else {
			/* What was reserved for takes no memory, but for shortcuts, which may fail.
			 */
			test_memory_fail(&w->memory, 1, true);
			change_apply(&ch, now);
			test_memory_heal(&w->memory);
			naive_apply(w, &m);
		}
		check(w);
		model_done(&m);
		stop(w);
	}
}

struct traffic {
	struct world *w;
	_Atomic bool stop;
	unsigned int prefixes;
	unsigned int owners;
	_Atomic unsigned long turns;
};

static struct peer *owner_of(struct core *c, unsigned int prefix)
{
	const struct prefix p = prefix_of(prefix);
	struct allowed_owner *o = allowedips_lookup(&c->allowed, &p.ip);

	return o ? list_entry(o, struct peer, allowed) : NULL;
}

/* In one hold all prefixes have the same owner, and there always is one. */
static void *look_for_mixtures(void *ctx)
{
	struct traffic *t = ctx;

	while (!atomic_load(&t->stop)) {
		const struct peer *owner;

		pthread_mutex_lock(&t->w->lock);
		owner = owner_of(t->w->core, 0);
		if (!owner || owner->public_key.bytes[1] >= t->owners)
			abort();
		for (unsigned int i = 1; i < t->prefixes; i += 7)
			if (owner_of(t->w->core, i) != owner)
				abort();
		pthread_mutex_unlock(&t->w->lock);
		atomic_fetch_add(&t->turns, 1);
	}
	return NULL;
}

/* All prefixes go from one peer to the other and back: nobody ever sees a mixture. */
static void fx3_prefixes_move_all_at_once(void **state)
{
	struct world *w = start_with(1, true);
	struct traffic t = { .w = w, .prefixes = PREFIXES, .owners = 2 };
	struct model m;
	pthread_t worker;

	(void)state;
	model_init(&m);
	add_row(&m, 0, 0, PREFIXES);
	add_row(&m, 1, 0, 0);
	change(w, &m);
	model_done(&m);
	assert_int_equal(pthread_create(&worker, NULL, look_for_mixtures, &t), 0);
	for (unsigned int i = 1; i < 100 || atomic_load(&t.turns) < 100; ++i) {
		model_init(&m);
		/* Both ways of saying it: taken away by name, and given up first. */
		if (i % 4 < 2)
			add_row(&m, 1 - i % 2, 0, 0);
		add_row(&m, i % 2, 0, PREFIXES);
		change(w, &m);
		model_done(&m);
	}
	atomic_store(&t.stop, true);
	pthread_join(worker, NULL);
	stop(w);
}

/* A whole configuration in place of another, again and again; who is in both never loses out. */
static void fx7_configuration_is_replaced_under_traffic(void **state)
{
	struct world *w = start_with(2, true);
	struct traffic t = { .w = w, .prefixes = 20, .owners = 1 };
	struct model m;
	pthread_t worker;

	(void)state;
	for (unsigned int i = 0; i < 60 || atomic_load(&t.turns) < 100; ++i) {
		model_init(&m);
		m.replace_peers = true;
		add_row(&m, 0, 0, 20);
		for (unsigned int k = 1; k < 300; ++k)
			add_row(&m, 256 * k + 1 + i % 3, 20 * k, 2);
		change(w, &m);
		model_done(&m);
		assert_int_equal(core_peer_count(w->core), 300);
		if (i == 0)
			assert_int_equal(pthread_create(&worker, NULL, look_for_mixtures, &t), 0);
	}
	atomic_store(&t.stop, true);
	pthread_join(worker, NULL);
	stop(w);
}

/* Who is named again keeps what it has; all else is as the patch says, or gone. */
static void a_replacement_keeps_who_is_named_again(void **state)
{
	const struct key_shared psk = { { 7 } };
	struct world *w = start(5);
	struct peer *before[3], *p = NULL;
	uint64_t serials[3];
	struct model m;

	(void)state;
	model_init(&m);
	for (unsigned int k = 0; k < 3; ++k)
		add_row(&m, k, 10 * k, 5);
	change(w, &m);
	model_done(&m);
	for (unsigned int k = 0; k < 3; ++k) {
		const struct key_public key = key_of(k);

		before[k] = core_find_peer(w->core, &key);
		serials[k] = before[k]->serial;
		core_set_psk(before[k], &psk);
		core_set_keepalive(w->core, now, before[k], 25);
		before[k]->endpoint = (struct endpoint){ .ip.family = FAMILY_V4, .port = 9 };
		before[k]->rx_bytes = 1000 + k;
	}
	model_init(&m);
	m.replace_peers = true;
	add_row(&m, 2, 100, 1); /* in another order, with another prefix */
	add_row(&m, 3, 110, 1);
	add_row(&m, 0, 0, 2);
	m.peers[2].has_keepalive = true;
	m.peers[2].keepalive = 13;
	m.peers[2].has_preshared_key = true;
	m.peers[2].preshared_key = psk;
	change(w, &m);
	model_done(&m);
	p = core_next_peer(w->core, p);
	assert_ptr_equal(p, before[2]);
	assert_int_equal(p->serial, serials[2]); /* what is being computed for it still fits */
	assert_int_equal(p->rx_bytes, 1002);
	assert_int_equal(p->endpoint.port, 9);
	assert_int_equal(p->keepalive, 0);
	assert_true(crypto_is_zero(&p->psk, sizeof(p->psk)));
	assert_int_equal(p->allowed.count, 1);
	p = core_next_peer(w->core, p);
	assert_int_equal(p->rx_bytes, 0);
	p = core_next_peer(w->core, p);
	assert_ptr_equal(p, before[0]);
	assert_int_equal(p->keepalive, 13);
	assert_memory_equal(&p->psk, &psk, sizeof(psk));
	assert_int_equal(p->allowed.count, 2);
	assert_null(core_next_peer(w->core, p));
	const struct key_public gone = key_of(1);
	const struct prefix of_the_gone = prefix_of(12), not_kept = prefix_of(4);

	assert_null(core_find_peer(w->core, &gone));
	assert_null(allowedips_lookup(&w->core->allowed, &of_the_gone.ip));
	assert_null(allowedips_lookup(&w->core->allowed, &not_kept.ip));
	stop(w);
}

/* Packets go to whoever is there; what a worker reads of a peer is never freed under it. */
static void *send_to_all(void *ctx)
{
	struct traffic *t = ctx;
	static const uint8_t packet[20] = { 0x45, [3] = 20 };

	while (!atomic_load(&t->stop)) {
		for (unsigned int i = 0; i < t->prefixes; ++i) {
			struct inner inner = { .dst = prefix_of(i).ip,
					       .src = prefix_of(i).ip,
					       .len = sizeof(packet) };
			struct sending sending;

			pthread_mutex_lock(&t->w->lock);
			if (transport_send(t->w->core, now, &inner, 1, &sending) == TRANSPORT_STAGE)
				transport_stage(t->w->core, now, &inner, packet);
			pthread_mutex_unlock(&t->w->lock);
		}
		atomic_fetch_add(&t->turns, 1);
	}
	return NULL;
}

static void fx2_same_key_comes_and_goes(void **state)
{
	struct world *w = start_with(3, true);
	struct traffic t = { .w = w, .prefixes = 100 };
	struct model m;
	pthread_t worker;

	(void)state;
	assert_int_equal(pthread_create(&worker, NULL, send_to_all, &t), 0);
	for (unsigned int i = 0; i < 1000 || atomic_load(&t.turns) < 100; ++i) {
		/* One, as short changes; a hundred, as long ones. */
		const unsigned int n = i % 10 ? 1 : 100;

		model_init(&m);
		for (unsigned int k = 0; k < n; ++k) {
			struct model_peer *row;

			add_row(&m, k, k, 1);
			row = &m.peers[m.peer_count - 1];
			row->remove = i % 2;
			row->has_endpoint = true;
			row->endpoint = (struct endpoint){ .ip.family = FAMILY_V4, .port = 1 };
		}
		if (i % 20 == 10)
			m.replace_peers = true;
		change(w, &m);
		model_done(&m);
	}
	atomic_store(&t.stop, true);
	pthread_join(worker, NULL);
	stop(w);
}

/* A get in pieces, with changes between them: who stays is told of once, in order. */
static void fc8_reading_goes_on_where_peers_went(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 200; ++seed) {
		struct world *w = start(seed);
		bool stays[KEYS] = { false }, seen[KEYS] = { false };
		struct key_public key = { { 0 } };
		struct peer *p;
		uint64_t serial = 0;
		struct model m;

		random_patch(w, &m, 80);
		m.replace_peers = false;
		change(w, &m);
		model_done(&m);
		for (p = NULL; (p = core_next_peer(w->core, p));)
			stays[p->public_key.bytes[1]] = true;
		while ((p = core_resume(w->core, serial, &key))) {
			struct peer_view view;

			for (uint64_t n = test_random_below(&w->seed, 3); p; --n) {
				core_view_peer(p, &view);
				assert_false(seen[view.public_key.bytes[1]]);
				seen[view.public_key.bytes[1]] = true;
				assert_true(view.serial > serial);
				serial = view.serial;
				key = view.public_key;
				p = n ? core_next_peer(w->core, p) : NULL;
			}
			/* Remove some, often the very one that was read last; new ones are not
			 * looked for. */
			model_init(&m);
			add_row(&m, (unsigned int)test_random_below(&w->seed, KEYS), 0, 0);
			m.peers[0].remove = true;
			if (test_random_below(&w->seed, 2)) {
				add_row(&m, key.bytes[1], 0, 0);
				m.peers[1].remove = true;
			}
			/* It may come again, as another one, behind those that are still to be
			 * read. */
			if (m.peer_count == 2 && test_random_below(&w->seed, 2)) {
				add_row(&m, key.bytes[1], 0, 0);
				seen[key.bytes[1]] = false;
			}
			for (size_t i = 0; i < m.peer_count; ++i)
				stays[m.peers[i].public_key.bytes[1]] = false;
			change(w, &m);
			model_done(&m);
		}
		for (unsigned int i = 0; i < KEYS; ++i)
			assert_true(seen[i] || !stays[i]);
		stop(w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(changes_match_naive),
		cmocka_unit_test(long_ones_are_made_aside),
		cmocka_unit_test(fp3_all_or_nothing),
		cmocka_unit_test(fx3_prefixes_move_all_at_once),
		cmocka_unit_test(fx7_configuration_is_replaced_under_traffic),
		cmocka_unit_test(a_replacement_keeps_who_is_named_again),
		cmocka_unit_test(fx2_same_key_comes_and_goes),
		cmocka_unit_test(fc8_reading_goes_on_where_peers_went),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
