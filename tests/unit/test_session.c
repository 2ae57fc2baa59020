#include "wg/session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "crypto/crypto.h"
#include "support.h"

static void fh4_counter_is_64_bits(void **state)
{
	struct session s = { .send_next = (UINT64_C(1) << 32) - 2 };
	uint64_t first = 0;

	(void)state;
	for (uint64_t i = 0; i < 5; ++i) {
		assert_true(session_reserve(&s, 1, &first));
		assert_true(first == (UINT64_C(1) << 32) - 2 + i);
	}
	assert_true(session_reserve(&s, UINT64_C(1) << 33, &first));
	assert_true(session_reserve(&s, 1, &first));
	assert_true(first == (UINT64_C(1) << 32) + 3 + (UINT64_C(1) << 33));
}

static void fh5_message_limits(void **state)
{
	static const struct {
		uint64_t below; /* the limit */
		uint64_t n;
		bool ok;
	} rows[] = {
		{ 2, 1, true }, { 1, 1, true },     { 0, 1, false },     { 1, 2, false },
		{ 3, 3, true }, { 128, 128, true }, { 127, 128, false }, { 128, UINT64_MAX, false },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTS(rows); ++i) {
		const uint64_t next = REJECT_AFTER_MESSAGES - rows[i].below;
		struct session s = { .send_next = next };
		uint64_t first = 1;

		assert_int_equal(session_can_send(&s, 1), rows[i].below > 0);
		assert_int_equal(session_reserve(&s, rows[i].n, &first), rows[i].ok);
		assert_true(first == (rows[i].ok ? next : 1));
		assert_true(s.send_next == (rows[i].ok ? next + rows[i].n : next));
	}
	/* Beyond the limit, where nothing should ever stand. */
	for (uint64_t i = 0; i < 3; ++i) {
		struct session s = { .send_next = REJECT_AFTER_MESSAGES + i };
		uint64_t first;

		assert_false(session_can_send(&s, 1));
		assert_false(session_reserve(&s, 1, &first));
	}
}

static void age_limits(void **state)
{
	struct session s = { .born = 7 };

	(void)state;
	assert_true(session_can_send(&s, 7));
	assert_false(session_is_expired(&s, 7 + REJECT_AFTER_TIME - 1));
	assert_true(session_can_send(&s, 7 + REJECT_AFTER_TIME - 1));
	assert_true(session_is_expired(&s, 7 + REJECT_AFTER_TIME));
	assert_false(session_can_send(&s, 7 + REJECT_AFTER_TIME));
	s.is_send_refused = true;
	assert_false(session_can_send(&s, 7));
}

enum { MTU = 1500 };

static uint8_t *make_message(uint64_t *seed, size_t padded)
{
	uint8_t *message = malloc(padded + MESSAGE_OVERHEAD);

	assert_non_null(message);
	test_random_fill(seed, message, padded + MESSAGE_OVERHEAD);
	return message;
}

/* What the header, the padding and the sealed part must be, made without session.c. */
static void check_sealed(const struct session_packet *p, const uint8_t *plain, uint32_t receiver,
			 const struct key_shared *key)
{
	uint8_t expect[MTU + MESSAGE_OVERHEAD], padded[MTU] = { 0 };

	memcpy(padded, plain, p->len);
	expect[0] = 4;
	memset(expect + 1, 0, 3);
	store32_le(expect + 4, receiver);
	store64_le(expect + 8, p->counter);
	assert_true(crypto_seal(expect + 16, padded, p->padded, NULL, 0, p->counter, key));
	assert_memory_equal(p->message, expect, p->padded + MESSAGE_OVERHEAD);
}

static void check_batch(uint64_t *seed, size_t n)
{
	struct session_packet packets[SESSION_BATCH];
	static uint8_t plain[SESSION_BATCH][MTU];
	const uint32_t receiver = (uint32_t)test_random(seed);
	struct key_shared key;
	size_t bad = test_random_below(seed, 2 * n), len[SESSION_BATCH];

	test_random_fill(seed, &key, sizeof(key));
	for (size_t i = 0; i < n; ++i) {
		len[i] = test_random_below(seed, MTU - 32);
		packets[i] = (struct session_packet){
			.len = len[i],
			.padded = len[i] + test_random_below(seed, 32),
			.counter = test_random(seed),
		};
		packets[i].message = make_message(seed, packets[i].padded);
		memcpy(plain[i], packets[i].message + 16, len[i]);
	}
	assert_true(session_seal(&key, receiver, packets, n));
	for (size_t i = 0; i < n; ++i)
		check_sealed(&packets[i], plain[i], receiver, &key);
	if (bad < n)
		packets[bad].message[16 + test_random_below(seed, packets[bad].padded + 16)] ^= 4;
	for (size_t i = 0; i < n; ++i)
		packets[i].len = packets[i].padded + MESSAGE_OVERHEAD;
	session_open(&key, packets, n);
	for (size_t i = 0; i < n; ++i) {
		assert_int_equal(packets[i].ok, i != bad);
		assert_true(packets[i].counter == load64_le(packets[i].message + 8));
		assert_int_equal(packets[i].len, packets[i].padded);
		if (i != bad)
			assert_memory_equal(packets[i].message + 16, plain[i], len[i]);
		free(packets[i].message);
	}
}

static void seal_and_open_in_batches(void **state)
{
	static const size_t sizes[] = { 1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 64, 127, SESSION_BATCH };
	uint64_t seed = 9;

	(void)state;
	for (size_t i = 0; i < ELEMENTS(sizes); ++i)
		for (int k = 0; k < 4; ++k)
			check_batch(&seed, sizes[i]);
}

static void opens_only_its_own_key_and_counter(void **state)
{
	struct key_shared key = { { 1 } }, other = { { 2 } };
	uint8_t sealed[48], message[48];
	struct session_packet p = { .message = sealed, .padded = 16, .counter = 5 };

	(void)state;
	assert_true(session_seal(&key, 1, &p, 1));
	for (int row = 0; row < 4; ++row) {
		memcpy(message, sealed, sizeof(message));
		if (row == 1)
			message[8] = 6;
		if (row == 3)
			message[15] = 1;
		p = (struct session_packet){ .message = message, .len = sizeof(message) };
		session_open(row == 2 ? &other : &key, &p, 1);
		assert_int_equal(p.ok, row == 0);
	}
}

static void wipe_leaves_nothing(void **state)
{
	static const struct session zero;
	struct session s;

	(void)state;
	memset(&s, 0xa5, sizeof(s));
	session_wipe(&s);
	assert_memory_equal(&s, &zero, sizeof(s));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fh4_counter_is_64_bits),
		cmocka_unit_test(fh5_message_limits),
		cmocka_unit_test(age_limits),
		cmocka_unit_test(seal_and_open_in_batches),
		cmocka_unit_test(opens_only_its_own_key_and_counter),
		cmocka_unit_test(wipe_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
