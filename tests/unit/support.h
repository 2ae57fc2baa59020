#ifndef SUPPORT_H
#define SUPPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/env.h"

/*
 * What the pure modules are handed in tests: memory that counts and can fail, random bytes that
 * repeat and can fail. Both are used where they stand: hand out &x.memory and &x.entropy, and do
 * not copy them.
 */
struct test_memory {
	struct memory memory;
	size_t takes;       /* calls so far, failed ones too */
	size_t fail_at;     /* the take that fails, counted from 1; 0: none does */
	bool fail_after;    /* all takes after that one fail too */
	size_t outstanding; /* bytes taken and not given back: 0 at the end of a test */
	size_t blocks;
};

/* give() asserts that the length is the one that was taken. */
void test_memory_init(struct test_memory *m);
/* From now on the n-th take fails (n from 1), and with `all` every later one. */
void test_memory_fail(struct test_memory *m, size_t n, bool all);
void test_memory_heal(struct test_memory *m);

struct test_entropy {
	struct entropy entropy;
	uint64_t state;
	bool fail;    /* false is returned, and nothing is written */
	size_t fills; /* calls so far, failed ones too */
};

void test_entropy_init(struct test_entropy *e, uint64_t seed);

/* SplitMix64: the random numbers of every seeded test. */
uint64_t test_random(uint64_t *state);
uint64_t test_random_below(uint64_t *state, uint64_t n);
void test_random_fill(uint64_t *state, void *ret, size_t len);

/* Hex digits to bytes; fails the test unless there are exactly 2 * len. */
void test_from_hex(const char *hex, void *ret, size_t len);

#endif
