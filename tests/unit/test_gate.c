#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "support.h"
#include "wg/gate.h"

static const uint64_t start = 1000 * NS_PER_S;

struct world {
	struct test_memory memory;
	struct test_entropy entropy;
	struct gate gate;
	struct rejects rejects;
	struct key_public ours;
	struct cookie_maker maker;
	uint64_t now;
	uint8_t message[MESSAGE_HANDSHAKE_MAX];
	size_t len;
	struct endpoint from;
	size_t backlog;
	bool is_known;
};

static void set_up(struct world *w)
{
	const struct siphash_key key = { 1, 2 };

	*w = (struct world){ .now = start, .len = sizeof(struct message_initiation) };
	test_memory_init(&w->memory);
	test_entropy_init(&w->entropy, 7);
	reject_init(&w->rejects, &w->memory.memory);
	assert_true(gate_init(&w->gate, &w->memory.memory, 16, &key));
	memset(w->ours.bytes, 0x31, KEY_LEN);
	cookie_checker_set_key(&w->gate.checker, &w->ours);
	w->gate.is_open = true;
	cookie_maker_init(&w->maker);
	w->from = (struct endpoint){ .ip = { FAMILY_V4, { 192, 0, 2, 1 } }, .port = 1000 };
}

static void tear_down(struct world *w)
{
	gate_done(&w->gate);
	assert_int_equal(w->memory.outstanding, 0);
}

/* A message as an honest peer makes it. */
static void make(struct world *w, enum message_type type)
{
	test_random_fill(&w->entropy.state, w->message, sizeof(w->message));
	store32_le(w->message, type);
	w->len = type == MESSAGE_INITIATION ? sizeof(struct message_initiation)
					    : sizeof(struct message_response);
	cookie_make(&w->maker, &w->ours, w->message, w->len, w->now);
}

static struct handshake_arrival arrival(const struct world *w)
{
	return (struct handshake_arrival){ .bytes = w->message,
					   .len = w->len,
					   .from = w->from,
					   .backlog = w->backlog,
					   .is_known = w->is_known };
}

static enum gate_verdict check(struct world *w)
{
	const struct handshake_arrival a = arrival(w);

	return gate_check(&w->gate, w->now, &a);
}

static bool reply(struct world *w, struct message_cookie *ret)
{
	const struct handshake_arrival a = arrival(w);

	return gate_reply(&w->gate, w->now, &a, &w->entropy.entropy, ret);
}

static uint64_t tally(const struct world *w, enum reject_reason reason)
{
	return w->gate.tally[reason].count;
}

/* The honest peer has a cookie, and the gate asks for it. */
static void give_cookie(struct world *w)
{
	struct message_cookie cookie;

	gate_note_load(&w->gate, w->now);
	make(w, MESSAGE_INITIATION);
	assert_int_equal(check(w), GATE_ASK);
	assert_true(reply(w, &cookie));
	assert_true(cookie_take(&w->maker, &w->ours, &cookie, w->now));
}

static void only_three_shapes_pass(void **state)
{
	struct world w;

	(void)state;
	set_up(&w);
	for (uint32_t type = 0; type < 6; ++type)
		for (size_t len = 0; len <= MESSAGE_HANDSHAKE_MAX; ++len) {
			const bool good = (type == MESSAGE_INITIATION && len == 148) ||
					  (type == MESSAGE_RESPONSE && len == 92) ||
					  (type == MESSAGE_COOKIE && len == 64);
			const uint64_t before = tally(&w, REJECT_TYPE);

			store32_le(w.message, type);
			w.len = len;
			(void)check(&w);
			assert_int_equal(tally(&w, REJECT_TYPE) - before, !good);
		}
	/* All four bytes of the type count. */
	make(&w, MESSAGE_INITIATION);
	assert_int_equal(check(&w), GATE_PASS);
	for (size_t i = 1; i < 4; ++i) {
		w.message[i] = 1;
		assert_int_equal(check(&w), GATE_DROP);
		w.message[i] = 0;
	}
	tear_down(&w);
}

static void closed_gate_lets_nothing_pass(void **state)
{
	struct world w;

	(void)state;
	set_up(&w);
	w.gate.is_open = false;
	w.backlog = HANDSHAKE_UNDER_LOAD;
	make(&w, MESSAGE_RESPONSE);
	assert_int_equal(check(&w), GATE_DROP);
	assert_int_equal(tally(&w, REJECT_DOWN), 1);
	store32_le(w.message, MESSAGE_COOKIE);
	w.len = sizeof(struct message_cookie);
	assert_int_equal(check(&w), GATE_DROP);
	assert_int_equal(tally(&w, REJECT_DOWN), 2);
	assert_false(gate_is_loaded(&w.gate, w.now));
	w.gate.is_open = true;
	assert_int_equal(check(&w), GATE_PASS);
	tear_down(&w);
}

/* F-D1, F-L2: a bad mac1 leaves a count behind and nothing else: no memory, no random byte. */
static void fl2_bad_mac1_costs_a_mac_and_a_count(void **state)
{
	struct world w;
	static struct gate before;

	(void)state;
	set_up(&w);
	for (unsigned int loaded = 0; loaded < 2; ++loaded) {
		if (loaded)
			give_cookie(&w);
		make(&w, MESSAGE_INITIATION);
		before = w.gate;
		for (unsigned int i = 0; i < 1000; ++i) {
			const size_t takes = w.memory.takes, fills = w.entropy.fills;

			w.message[116 + i % 16] ^= 0x40;
			w.from.port = (uint16_t)i;
			assert_int_equal(check(&w), GATE_DROP);
			w.message[116 + i % 16] ^= 0x40;
			assert_int_equal(w.memory.takes, takes);
			assert_int_equal(w.entropy.fills, fills);
		}
		assert_int_equal(tally(&w, REJECT_MAC1), 1000 * (loaded + 1));
		assert_memory_equal(&before, &w.gate, offsetof(struct gate, has_tally));
	}
	tear_down(&w);
}

static void fd8_load_holds_a_second(void **state)
{
	static const struct {
		size_t backlog;
		uint64_t later; /* ns after the row before it */
		bool noted;     /* by the caller */
		enum gate_verdict expect;
	} rows[] = {
		{ HANDSHAKE_UNDER_LOAD - 1, 0, false, GATE_PASS },
		{ HANDSHAKE_UNDER_LOAD, 0, false, GATE_ASK },
		{ 0, NS_PER_S - 1, false, GATE_ASK },
		{ 0, 1, false, GATE_PASS },
		{ 0, 0, true, GATE_ASK },
		{ 0, NS_PER_S / 2, true, GATE_ASK },
		{ 0, NS_PER_S - 1, false, GATE_ASK },
		{ 0, 1, false, GATE_PASS },
	};
	struct world w;

	(void)state;
	set_up(&w);
	make(&w, MESSAGE_INITIATION);
	for (size_t i = 0; i < ELEMENTS(rows); ++i) {
		w.now += rows[i].later;
		w.backlog = rows[i].backlog;
		if (rows[i].noted)
			gate_note_load(&w.gate, w.now);
		assert_int_equal(check(&w), rows[i].expect);
	}
	tear_down(&w);
}

/* A flood that goes on keeps the load up; one that is no backlog within a second does not. */
static void load_holds_while_many_must_be_asked(void **state)
{
	static const struct {
		unsigned int per_second;
		unsigned int seconds;
		bool loaded; /* still, at the end */
	} rows[] = {
		{ HANDSHAKE_UNDER_LOAD - 10, 3, false },
		{ HANDSHAKE_UNDER_LOAD + 10, 20, true },
		{ 8 * HANDSHAKE_UNDER_LOAD, 5, true },
		{ 1, 2, false },
	};
	struct world w;

	(void)state;
	for (size_t i = 0; i < ELEMENTS(rows); ++i) {
		const uint64_t gap = NS_PER_S / rows[i].per_second;

		set_up(&w);
		gate_note_load(&w.gate, w.now);
		make(&w, MESSAGE_INITIATION);
		for (unsigned int k = 0; k < rows[i].per_second * rows[i].seconds; ++k) {
			w.now += gap;
			(void)check(&w);
		}
		assert_int_equal(gate_is_loaded(&w.gate, w.now), rows[i].loaded);
		assert_int_equal(check(&w), rows[i].loaded ? GATE_ASK : GATE_PASS);
		tear_down(&w);
	}
}

/* What was asked in a flood before does not make a trickle a flood. */
static void trickle_after_a_flood_is_no_load(void **state)
{
	struct world w;

	(void)state;
	set_up(&w);
	gate_note_load(&w.gate, w.now);
	make(&w, MESSAGE_INITIATION);
	for (unsigned int i = 0; i < HANDSHAKE_UNDER_LOAD + 100; ++i)
		assert_int_equal(check(&w), GATE_ASK);
	for (unsigned int i = 0; i < 3; ++i) {
		w.now += NS_PER_S / 2;
		assert_int_equal(check(&w), i < 1 ? GATE_ASK : GATE_PASS);
	}
	tear_down(&w);
}

/* F-D3: under load a cookie is offered at once, and whoever comes back with it passes. */
static void fd3_cookie_opens_the_gate(void **state)
{
	static const enum message_type types[] = { MESSAGE_INITIATION, MESSAGE_RESPONSE };
	struct message_cookie cookie;
	struct world w;

	(void)state;
	for (size_t i = 0; i < ELEMENTS(types); ++i) {
		set_up(&w);
		gate_note_load(&w.gate, w.now);
		make(&w, types[i]);
		assert_int_equal(check(&w), GATE_ASK);
		assert_int_equal(tally(&w, REJECT_UNDER_LOAD), 0);
		assert_true(reply(&w, &cookie));
		assert_int_equal(tally(&w, REJECT_UNDER_LOAD), 1);
		assert_true(cookie_take(&w.maker, &w.ours, &cookie, w.now));
		make(&w, types[i]);
		assert_int_equal(check(&w), GATE_PASS_VERIFIED);
		/* Not under load there is no difference. */
		w.now += UNDER_LOAD_HOLD;
		assert_int_equal(check(&w), GATE_PASS);
		tear_down(&w);
	}
}

/* F-D2: each source has a limit of its own, and there is none for all. */
static void fd2_one_source_does_not_spend_for_another(void **state)
{
	struct cookie_maker honest;
	struct endpoint home;
	struct world w;

	(void)state;
	set_up(&w);
	give_cookie(&w);
	honest = w.maker;
	home = w.from;
	for (uint8_t i = 2; i < 40; ++i) {
		w.from.ip.bytes[3] = i;
		give_cookie(&w);
		make(&w, MESSAGE_INITIATION);
		for (unsigned int k = 0; k < 50; ++k)
			assert_int_equal(check(&w),
					 k < RATELIMIT_BURST ? GATE_PASS_VERIFIED : GATE_DROP);
	}
	assert_int_equal(tally(&w, REJECT_RATE), 38 * 45);
	w.from = home;
	w.maker = honest;
	make(&w, MESSAGE_INITIATION);
	assert_int_equal(check(&w), GATE_PASS_VERIFIED);
	tear_down(&w);
}

/* F-D4, F-L4: who only claims a cookie, from the honest peer's address too, spends nothing of his.
 */
static void fd4_false_cookie_spends_nothing_of_the_honest(void **state)
{
	struct cookie_maker honest;
	struct world w;

	(void)state;
	set_up(&w);
	give_cookie(&w);
	honest = w.maker;
	make(&w, MESSAGE_INITIATION);
	for (unsigned int i = 0; i < 1000; ++i) {
		const size_t fills = w.entropy.fills;

		w.message[132 + i % 16] ^= 0x80;
		if (i & 1)
			w.from.port ^= 0x100;
		assert_int_equal(check(&w), GATE_ASK);
		assert_int_equal(w.entropy.fills, fills);
		if (i & 1)
			w.from.port ^= 0x100;
		w.message[132 + i % 16] ^= 0x80;
	}
	w.maker = honest;
	for (unsigned int i = 0; i < RATELIMIT_BURST; ++i) {
		make(&w, MESSAGE_INITIATION);
		assert_int_equal(check(&w), GATE_PASS_VERIFIED);
	}
	assert_int_equal(tally(&w, REJECT_RATE), 0);
	tear_down(&w);
}

/* Under load some from where a peer is known to be pass without a cookie; that is all it is good
 * for.
 */
static void fl3_known_source_needs_no_cookie(void **state)
{
	static const enum message_type types[] = { MESSAGE_INITIATION, MESSAGE_RESPONSE };
	struct world w;

	(void)state;
	for (size_t i = 0; i < ELEMENTS(types); ++i) {
		set_up(&w);
		w.is_known = true;
		make(&w, types[i]);
		assert_int_equal(check(&w), GATE_PASS);
		gate_note_load(&w.gate, w.now);
		assert_int_equal(check(&w), GATE_PASS_KNOWN);
		w.message[w.len - 20] ^= 1; /* mac1 */
		assert_int_equal(check(&w), GATE_DROP);
		assert_int_equal(tally(&w, REJECT_MAC1), 1);
		w.is_known = false;
		w.message[w.len - 20] ^= 1;
		assert_int_equal(check(&w), GATE_ASK);
		tear_down(&w);
	}
}

/* F-D4, F-L4: what comes in a peer's name is bounded, and the peer comes through with a cookie. */
static void fl4_flood_in_the_name_of_a_known_source(void **state)
{
	struct world w;

	(void)state;
	set_up(&w);
	give_cookie(&w);
	w.is_known = true;
	for (unsigned int i = 0; i < 1000; ++i) {
		struct cookie_maker stranger;

		cookie_maker_init(&stranger);
		cookie_make(&stranger, &w.ours, w.message, w.len, w.now);
		w.from.port = (uint16_t)(2000 + i);
		assert_int_equal(check(&w), i < RATELIMIT_BURST ? GATE_PASS_KNOWN : GATE_ASK);
	}
	w.from.ip.bytes[3] ^= 1; /* another of them */
	assert_int_equal(check(&w), GATE_PASS_KNOWN);
	w.from = (struct endpoint){ .ip = { FAMILY_V4, { 192, 0, 2, 1 } }, .port = 1000 };
	for (unsigned int i = 0; i < RATELIMIT_BURST; ++i) {
		make(&w, MESSAGE_INITIATION);
		assert_int_equal(check(&w), GATE_PASS_VERIFIED);
	}
	w.now += NS_PER_S / RATELIMIT_PER_SECOND;
	cookie_maker_init(&w.maker);
	make(&w, MESSAGE_INITIATION);
	assert_int_equal(check(&w), GATE_PASS_KNOWN);
	assert_int_equal(check(&w), GATE_ASK);
	tear_down(&w);
}

/* F-D4: whoever owns thousands of addresses fills the table of those who showed a cookie. Where a
 * peer is known to be that shuts nobody out, with a cookie or without. */
static void fd4_known_source_outlives_a_full_table(void **state)
{
	struct world w;

	(void)state;
	set_up(&w);
	give_cookie(&w);
	for (uint32_t i = 0; i < 4096; ++i) {
		struct ip other = { FAMILY_V4, { 10 } };

		store32_be(other.bytes, UINT32_C(0x0a000000) + i);
		(void)ratelimit_allow(&w.gate.ratelimit, &other, w.now); /* the last find no room */
	}
	make(&w, MESSAGE_INITIATION);
	assert_int_equal(check(&w), GATE_DROP);
	assert_int_equal(tally(&w, REJECT_RATE), 1);
	w.is_known = true;
	for (unsigned int i = 0; i < RATELIMIT_BURST; ++i)
		assert_int_equal(check(&w), GATE_PASS_KNOWN);
	assert_int_equal(check(&w), GATE_DROP);
	assert_int_equal(tally(&w, REJECT_RATE), 2);
	tear_down(&w);
}

/* F-D6: an answer is never longer than what asked for it. */
static void answer_does_not_amplify(void **state)
{
	assert_true(sizeof(struct message_cookie) < sizeof(struct message_response));
	assert_true(sizeof(struct message_cookie) < sizeof(struct message_initiation));
	(void)state;
}

static void no_random_no_answer(void **state)
{
	struct message_cookie cookie;
	struct world w;

	(void)state;
	set_up(&w);
	gate_note_load(&w.gate, w.now);
	make(&w, MESSAGE_INITIATION);
	w.entropy.fail = true;
	assert_false(reply(&w, &cookie));
	assert_int_equal(tally(&w, REJECT_NO_RANDOM), 1);
	assert_int_equal(tally(&w, REJECT_UNDER_LOAD), 0);
	gate_refuse(&w.gate, &w.from);
	assert_int_equal(tally(&w, REJECT_QUEUE_FULL), 1);
	tear_down(&w);
}

/* Against a model that counts in the core at once. */
static void folded_counts_are_those_of_the_packets(void **state)
{
	struct reject_counter model[REJECT_REASONS] = { 0 };
	struct world w;

	(void)state;
	set_up(&w);
	for (unsigned int i = 0; i < 20000; ++i) {
		const uint64_t what = test_random_below(&w.entropy.state, 6);
		enum reject_reason reason;

		w.from.port = (uint16_t)i;
		make(&w, MESSAGE_INITIATION);
		w.gate.is_open = what != 1;
		if (what == 0)
			w.len = 3;
		if (what == 2)
			w.message[120] ^= 1;
		if (what == 3)
			gate_refuse(&w.gate, &w.from);
		else if (what < 3)
			assert_int_equal(check(&w), GATE_DROP);
		if (what <= 3) {
			reason =
				(const enum reject_reason[]){ REJECT_TYPE, REJECT_DOWN, REJECT_MAC1,
							      REJECT_QUEUE_FULL }[what];
			++model[reason].count;
			model[reason].from = w.from;
			model[reason].last_real = i / 100 + 1;
		}
		if (i % 100 == 99) /* the time is the batch's */
			gate_fold(&w.gate, &w.rejects,
				  (struct moment){ .boot = w.now, .real = i / 100 + 1 });
	}
	gate_fold(&w.gate, &w.rejects, (struct moment){ .boot = w.now, .real = 999999 });
	for (unsigned int i = 0; i < REJECT_REASONS; ++i) {
		const struct reject_counter *c = &w.rejects.device.by_reason[i];

		assert_int_equal(c->count, model[i].count);
		assert_int_equal(c->last_real, model[i].last_real);
		assert_true(endpoint_equal(&c->from, &model[i].from));
	}
	assert_int_equal(w.rejects.peer_sets, 0);
	tear_down(&w);
}

static void no_memory_no_gate(void **state)
{
	const struct siphash_key key = { 1, 2 };
	struct test_memory memory;
	struct gate gate;

	(void)state;
	for (size_t i = 1; i <= 2; ++i) {
		test_memory_init(&memory);
		test_memory_fail(&memory, i, true);
		assert_false(gate_init(&gate, &memory.memory, 16, &key));
		assert_int_equal(memory.outstanding, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_three_shapes_pass),
		cmocka_unit_test(closed_gate_lets_nothing_pass),
		cmocka_unit_test(fl2_bad_mac1_costs_a_mac_and_a_count),
		cmocka_unit_test(fd8_load_holds_a_second),
		cmocka_unit_test(load_holds_while_many_must_be_asked),
		cmocka_unit_test(trickle_after_a_flood_is_no_load),
		cmocka_unit_test(fd3_cookie_opens_the_gate),
		cmocka_unit_test(fd2_one_source_does_not_spend_for_another),
		cmocka_unit_test(fd4_false_cookie_spends_nothing_of_the_honest),
		cmocka_unit_test(fl3_known_source_needs_no_cookie),
		cmocka_unit_test(fl4_flood_in_the_name_of_a_known_source),
		cmocka_unit_test(fd4_known_source_outlives_a_full_table),
		cmocka_unit_test(answer_does_not_amplify),
		cmocka_unit_test(no_random_no_answer),
		cmocka_unit_test(folded_counts_are_those_of_the_packets),
		cmocka_unit_test(no_memory_no_gate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
