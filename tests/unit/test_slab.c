#include "device/slab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "support.h"

enum { BLOCKS = 3000, PAGE = 4096, REGION = 2 << 20 };

struct held {
	uint8_t *bytes;
	size_t len;
	uint8_t mark;
};

static bool is_filled(const struct held *h, uint8_t with)
{
	for (size_t i = 0; i < h->len; ++i)
		if (h->bytes[i] != with)
			return false;
	return true;
}

static size_t random_len(uint64_t *seed)
{
	static const size_t lens[] = { 0,    1,    15,   16,    17,      80,           432,
				       2047, 2048, 2049, 65536, 1 << 20, (1 << 20) + 1 };

	return test_random_below(seed, 100) ? 1 + test_random_below(seed, 2100)
					    : lens[test_random_below(seed, ELEMENTS(lens))];
}

/* Nobody writes into another's block, and each comes zeroed. */
static void blocks_are_zeroed_and_apart(void **state)
{
	static struct held held[BLOCKS];
	struct slab *s = slab_new();
	struct memory m = slab_memory(s);
	uint64_t seed = 5;

	(void)state;
	memset(held, 0, sizeof(held));
	for (unsigned int round = 0; round < 60000; ++round) {
		struct held *h = &held[test_random_below(&seed, BLOCKS)];

		if (h->bytes) {
			assert_true(is_filled(h, h->mark));
			memory_give(&m, h->bytes, h->len);
			h->bytes = NULL;
			continue;
		}
		h->len = random_len(&seed);
		h->bytes = memory_take(&m, h->len);
		assert_non_null(h->bytes);
		assert_int_equal((uintptr_t)h->bytes % 16, 0);
		assert_true(is_filled(h, 0));
		h->mark = (uint8_t)round;
		if (h->len)
			memset(h->bytes, h->mark, h->len);
	}
	for (size_t i = 0; i < BLOCKS; ++i)
		memory_give(&m, held[i].bytes, held[i].len);
	assert_null(slab_free(s));
}

/* The pages of what was given back are the system's again, and used for another size. */
static void empty_pieces_cost_nothing(void **state)
{
	enum { N = 20000, LEN = 1200 };
	static void *held[N];
	struct slab *s = slab_new();
	struct memory m = slab_memory(s);
	size_t full, rest;

	(void)state;
	for (size_t i = 0; i < N; ++i)
		assert_non_null(held[i] = memory_take(&m, LEN));
	full = slab_resident(s);
	assert_true(full >= (size_t)N * LEN);
	assert_true(full < (size_t)N * LEN * 105 / 100);
	for (size_t i = 0; i < N; ++i)
		memory_give(&m, held[i], LEN);
	rest = slab_resident(s);
	assert_true(rest <= PAGE);
	for (size_t i = 0; i < N; ++i)
		assert_non_null(held[i] = memory_take(&m, 600));
	assert_true(slab_resident(s) < full * 6 / 10);
	assert_null(slab_free(s));
	assert_null(slab_free(NULL));
}

/* How much of the process is in memory, as the kernel counts it. */
static size_t resident(void)
{
	unsigned long all, here;
	FILE *f = fopen("/proc/self/statm", "r");

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%lu %lu", &all, &here), 2);
	(void)fclose(f);
	return here * PAGE;
}

/* How much of the process has this flag: " hg" huge pages, please; " nh" none. */
static size_t flagged(const char *flag)
{
	char line[4096];
	unsigned long size = 0, sum = 0;
	FILE *f = fopen("/proc/self/smaps", "r");

	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		(void)sscanf(line, "Size: %lu kB", &size);
		if (strncmp(line, "VmFlags:", 8) == 0 && strstr(line, flag))
			sum += size * 1024;
	}
	(void)fclose(f);
	return sum;
}

/* Also where the host has huge pages for all who don't refuse them. */
static void one_block_refuses_a_huge_page(void **state)
{
	struct slab *s = slab_new();
	struct memory m = slab_memory(s);
	const size_t before = flagged(" nh");
	char *p = memory_take(&m, 16);

	(void)state;
	assert_non_null(p);
	if (madvise(p - (uintptr_t)p % PAGE, PAGE, MADV_NOHUGEPAGE))
		skip(); /* the kernel has none */
	assert_int_equal(flagged(" nh"), before + REGION);
	memory_give(&m, p, 16);
	assert_null(slab_free(s));
}

/*
 * Where huge pages are welcome the kernel makes one of the few pages that are left, some seconds
 * later, so that all is there again: peers that stay keep no session's memory in between.
 */
static void what_was_given_back_stays_away(void **state)
{
	enum { N = 20000, PEER = 464, SESSION = 1128 };
	static void *peers[N], *sessions[N];
	struct slab *s = slab_new();
	struct memory m = slab_memory(s);
	const size_t before = flagged(" hg");
	size_t full, rest;

	(void)state;
	for (size_t i = 0; i < N; ++i) {
		assert_non_null(peers[i] = memory_take(&m, PEER));
		assert_non_null(sessions[i] = memory_take(&m, SESSION));
	}
	full = slab_resident(s);
	for (int round = 0; round < 2; ++round) {
		for (size_t i = 0; i < N; ++i)
			memory_give(&m, sessions[i], SESSION);
		rest = slab_resident(s);
		assert_true(rest >= (size_t)N * PEER);
		assert_true(rest < (size_t)N * PEER * 105 / 100);
		assert_int_equal(flagged(" hg"), before);
		for (size_t i = 0; i < N; ++i)
			assert_non_null(sessions[i] = memory_take(&m, SESSION));
		assert_true(slab_resident(s) <= full);
		assert_true(slab_resident(s) > full - 2 * REGION);
	}
	assert_null(slab_free(s));
}

/* The engine locks its memory where it may, and locked pages are not given back by every call. */
static void empty_pieces_of_locked_memory_cost_nothing(void **state)
{
	enum { N = 20000, LEN = 1200, APART = REGION / LEN / 2 };
	static void *held[N];
	struct slab *s = slab_new();
	struct memory m = slab_memory(s);
	size_t before, full;

	(void)state;
	if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT))
		skip();
	before = resident();
	for (size_t i = 0; i < N; ++i)
		assert_non_null(held[i] = memory_take(&m, LEN));
	full = resident() - before;
	assert_true(full > (size_t)N * LEN / 2);
	for (size_t i = 0; i < N; ++i)
		if (i % APART) /* a region that is empty goes as a whole, locked or not */
			memory_give(&m, held[i], LEN);
	assert_true(resident() - before < full / 2);
	(void)munlockall();
	assert_null(slab_free(s));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocks_are_zeroed_and_apart),
		cmocka_unit_test(empty_pieces_cost_nothing),
		cmocka_unit_test(one_block_refuses_a_huge_page),
		cmocka_unit_test(what_was_given_back_stays_away),
		cmocka_unit_test(empty_pieces_of_locked_memory_cost_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
