#include "device/mask.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "support.h"

struct input {
	struct key_shared key;
	uint8_t salt[MASK_SALT];
	uint64_t number;
	uint8_t secret[KEY_LEN];
};

static void masked(const struct input *in, uint8_t ret[static KEY_LEN])
{
	memcpy(ret, in->secret, KEY_LEN);
	mask_secret(&in->key, in->salt, in->number, ret);
}

static void twice_is_none(void **state)
{
	uint64_t seed = 3;

	(void)state;
	for (int i = 0; i < 1000; ++i) {
		uint8_t secret[KEY_LEN];
		struct input in;

		test_random_fill(&seed, &in, sizeof(in));
		masked(&in, secret);
		assert_memory_not_equal(secret, in.secret, KEY_LEN);
		mask_secret(&in.key, in.salt, in.number, secret);
		assert_memory_equal(secret, in.secret, KEY_LEN);
	}
}

/* Not a byte of it is left as it was for good, and none depends on too little. */
static void each_bit_of_what_tells_pads_apart_counts(void **state)
{
	const size_t bits = offsetof(struct input, secret) * 8;
	uint8_t before[KEY_LEN], after[KEY_LEN];
	struct input in = { .key = { { 1 } }, .salt = { 2 }, .number = 3 };

	(void)state;
	masked(&in, before);
	for (size_t i = 0; i < bits; ++i) {
		struct input other = in;
		unsigned int differ = 0;

		((uint8_t *)&other)[i / 8] ^= (uint8_t)(1U << i % 8);
		masked(&other, after);
		for (int k = 0; k < KEY_LEN; ++k)
			differ += before[k] != after[k];
		assert_true(differ > KEY_LEN / 2);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(twice_is_none),
		cmocka_unit_test(each_bit_of_what_tells_pads_apart_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
