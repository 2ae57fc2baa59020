#include "device/request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "support.h"

#define KEY                           \
	{                             \
		.bytes = { [31] = 1 } \
	}

static const struct {
	const char *what;
	struct request r;
	bool ok;
} rows[] = {
	{ "running", { .kind = REQUEST_RUNNING }, true },
	{ "bind", { .kind = REQUEST_BIND, .port = 51820, .mark = 7 }, true },
	{ "bind, the host chooses", { .kind = REQUEST_BIND }, true },
	{ "bind, the last port",
	  { .kind = REQUEST_BIND, .port = 65535, .mark = UINT32_MAX },
	  true },
	{ "bind, beyond it", { .kind = REQUEST_BIND, .port = 65536 }, false },
	{ "bind, far beyond it", { .kind = REQUEST_BIND, .port = UINT32_MAX }, false },
	{ "bind with a floor", { .kind = REQUEST_BIND, .floor = 1 }, false },
	{ "bind with a key", { .kind = REQUEST_BIND, .key = KEY }, false },
	{ "use", { .kind = REQUEST_USE }, true },
	{ "use with a port", { .kind = REQUEST_USE, .port = 1 }, false },
	{ "use with a mark", { .kind = REQUEST_USE, .mark = 1 }, false },
	{ "drop", { .kind = REQUEST_DROP }, true },
	{ "drop with a key", { .kind = REQUEST_DROP, .key = KEY }, false },
	{ "mark", { .kind = REQUEST_MARK, .mark = UINT32_MAX }, true },
	{ "mark with a port", { .kind = REQUEST_MARK, .port = 1 }, false },
	{ "read", { .kind = REQUEST_READ_FLOOR, .key = KEY }, true },
	{ "read without a key", { .kind = REQUEST_READ_FLOOR }, false },
	{ "read with a floor", { .kind = REQUEST_READ_FLOOR, .key = KEY, .floor = 1 }, false },
	{ "write", { .kind = REQUEST_WRITE_FLOOR, .key = KEY, .floor = INT64_MAX }, true },
	{ "write zero", { .kind = REQUEST_WRITE_FLOOR, .key = KEY }, true },
	{ "write without a key", { .kind = REQUEST_WRITE_FLOOR, .floor = 1 }, false },
	{ "write what no clock says",
	  { .kind = REQUEST_WRITE_FLOOR, .key = KEY, .floor = (uint64_t)INT64_MAX + 1 },
	  false },
	{ "write with a mark", { .kind = REQUEST_WRITE_FLOOR, .key = KEY, .mark = 1 }, false },
	{ "nothing", { .kind = 0 }, false },
	{ "beyond the list", { .kind = REQUEST_LAST }, false },
	{ "far beyond the list", { .kind = UINT32_MAX }, false },
	{ "padding", { .kind = REQUEST_RUNNING, .zero = 1 }, false },
	{ "running with a floor", { .kind = REQUEST_RUNNING, .floor = 1 }, false },
};

static void what_may_be_asked(void **state)
{
	(void)state;
	for (size_t i = 0; i < ELEMENTS(rows); ++i) {
		struct request got = { .kind = 99 };
		const bool ok = request_check(&rows[i].r, sizeof(rows[i].r), &got);

		if (ok != rows[i].ok)
			print_error("%s\n", rows[i].what);
		assert_int_equal(ok, rows[i].ok);
		if (ok)
			assert_memory_equal(&got, &rows[i].r, sizeof(got));
		else
			assert_int_equal(got.kind, 99);
	}
}

static void only_the_exact_length(void **state)
{
	const struct request r = { .kind = REQUEST_RUNNING };
	uint8_t bytes[2 * sizeof(r)] = { 0 };
	struct request got;

	(void)state;
	memcpy(bytes, &r, sizeof(r));
	for (size_t len = 0; len <= sizeof(bytes); ++len)
		assert_int_equal(request_check(bytes, len, &got), len == sizeof(r));
}

/* Told in other words: take what a kind may use out, and nothing must be left. */
static bool naive(struct request r)
{
	const struct key_public zero = { 0 };
	const uint32_t kind = r.kind;
	const struct request nothing = { 0 };

	r.kind = 0;
	if (kind == REQUEST_BIND && r.port < 65536)
		r.port = r.mark = 0;
	if (kind == REQUEST_MARK)
		r.mark = 0;
	if (kind == REQUEST_READ_FLOOR || kind == REQUEST_WRITE_FLOOR) {
		if (memcmp(&r.key, &zero, sizeof(zero)) == 0)
			return false;
		r.key = zero;
	}
	if (kind == REQUEST_WRITE_FLOOR && r.floor >> 63 == 0)
		r.floor = 0;
	return kind >= 1 && kind <= 7 && memcmp(&r, &nothing, sizeof(r)) == 0;
}

static void the_same_as_a_naive_check(void **state)
{
	uint64_t seed = 1;
	unsigned int good = 0;

	(void)state;
	for (int i = 0; i < 200000; ++i) {
		struct request got, r = { .kind = (uint32_t)test_random_below(&seed, 10) };

		if (test_random_below(&seed, 3) == 0)
			r.port = (uint32_t)test_random_below(&seed, 70000);
		if (test_random_below(&seed, 3) == 0)
			r.mark = (uint32_t)test_random(&seed);
		if (test_random_below(&seed, 3) == 0)
			r.floor = test_random(&seed);
		if (test_random_below(&seed, 2) == 0)
			r.key.bytes[test_random_below(&seed, KEY_LEN)] = (uint8_t)(1 << (i % 8));
		if (test_random_below(&seed, 20) == 0)
			r.zero = 1;
		assert_int_equal(request_check(&r, sizeof(r), &got), naive(r));
		good += naive(r);
	}
	assert_true(good > 10000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_may_be_asked),
		cmocka_unit_test(only_the_exact_length),
		cmocka_unit_test(the_same_as_a_naive_check),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
