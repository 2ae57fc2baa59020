#include "support.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "cipher_choice.h"
#include "crypto/crypto.h"

/* The length stands before the block, so that ASan still sees each byte beyond its end. */
union header {
	size_t len;
	max_align_t align;
};

static void *take(void *ctx, size_t len)
{
	struct test_memory *m = ctx;
	union header *h;

	++m->takes;
	if (m->fail_at && (m->takes == m->fail_at || (m->fail_after && m->takes > m->fail_at)))
		return NULL;
	h = calloc(1, sizeof(*h) + len);
	assert(h);
	h->len = len;
	m->outstanding += len;
	++m->blocks;
	return h + 1;
}

static void give(void *ctx, void *p, size_t len)
{
	struct test_memory *m = ctx;
	union header *h;

	if (!p)
		return;
	h = (union header *)p - 1;
	assert(h->len == len);
	assert(m->outstanding >= len && m->blocks > 0);
	m->outstanding -= len;
	--m->blocks;
	memset(p, 0xdd, len);
	free(h);
}

void test_memory_init(struct test_memory *m)
{
	*m = (struct test_memory){ .memory = { .take = take, .give = give, .ctx = m } };
}

void test_memory_fail(struct test_memory *m, size_t n, bool all)
{
	m->fail_at = m->takes + n;
	m->fail_after = all;
}

void test_memory_heal(struct test_memory *m)
{
	m->fail_at = 0;
	m->fail_after = false;
}

static bool fill(void *ctx, void *ret, size_t len)
{
	struct test_entropy *e = ctx;

	++e->fills;
	if (e->fail)
		return false;
	test_random_fill(&e->state, ret, len);
	return true;
}

void test_entropy_init(struct test_entropy *e, uint64_t seed)
{
	*e = (struct test_entropy){ .entropy = { .fill = fill, .ctx = e }, .state = seed };
}

uint64_t test_random(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

uint64_t test_random_below(uint64_t *state, uint64_t n)
{
	return test_random(state) % n;
}

void test_random_fill(uint64_t *state, void *ret, size_t len)
{
	uint8_t *p = ret;

	for (; len >= 8; len -= 8, p += 8)
		store64_le(p, test_random(state));
	if (len) {
		uint8_t rest[8];

		store64_le(rest, test_random(state));
		memcpy(p, rest, len);
	}
}

static unsigned int digit(char c)
{
	const char *digits = "0123456789abcdef";
	const char *at = c ? strchr(digits, c) : NULL;

	assert(at);
	return (unsigned int)(at - digits);
}

void test_from_hex(const char *hex, void *ret, size_t len)
{
	uint8_t *p = ret;

	assert(strlen(hex) == 2 * len);
	for (size_t i = 0; i < len; ++i)
		p[i] = (uint8_t)(digit(hex[2 * i]) << 4 | digit(hex[2 * i + 1]));
}
