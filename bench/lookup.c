#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/bytes.h"
#include "device/slab.h"
#include "wg/allowedips.h"

/*
 * bench_lookup [--json] [PREFIXES..]: what a look-up of an inner address costs among 1,000 to
 * 1,000,000 allowed IPs, by kind of prefix (all, or those named), for random addresses that are
 * hit.
 *
 *   many     allowedips_lookup_many, 16 at a time
 *   single   allowedips_lookup, one after the other
 *   chained  the same, but each address depends on the last answer: all of the memory's latency
 *
 * The best of several rounds over the same million addresses: on a machine that does other things,
 * too, the least is the cost.
 */
enum { ADDRESSES = 1 << 20, ROUNDS = 7, OWNERS = 1000, BATCH = 16 };

enum kind { KIND_MANY, KIND_SINGLE, KIND_CHAINED, KIND_LAST };

struct shape {
	const char *name;
	void (*prefix)(uint64_t *seed, uint32_t i, struct prefix *ret);
};

struct bench {
	struct slab *slab;
	struct memory memory;
	struct allowedips trie;
	struct allowed_owner owners[OWNERS];
	struct prefix *prefixes;
	struct ip *addresses;
	uint64_t seed;
};

static uint64_t random_next(uint64_t *seed)
{
	uint64_t z = (*seed += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static void v4_host(uint64_t *seed, uint32_t i, struct prefix *ret)
{
	(void)i;
	*ret = (struct prefix){ .ip.family = FAMILY_V4, .bits = 32 };
	store32_be(ret->ip.bytes, (uint32_t)random_next(seed));
}

static void v4_dense(uint64_t *seed, uint32_t i, struct prefix *ret)
{
	(void)seed;
	*ret = (struct prefix){ .ip.family = FAMILY_V4, .bits = 32 };
	store32_be(ret->ip.bytes, 0x0a000000 + i);
}

static void v4_mixed(uint64_t *seed, uint32_t i, struct prefix *ret)
{
	static const uint8_t bits[] = { 32, 32, 32, 32, 30, 28, 24, 24, 22, 20, 16, 32 };

	(void)i;
	*ret = (struct prefix){ .ip.family = FAMILY_V4 };
	ret->bits = bits[random_next(seed) % ELEMENTS(bits)];
	store32_be(ret->ip.bytes, (uint32_t)random_next(seed));
}

static void v6_host(uint64_t *seed, uint32_t i, struct prefix *ret)
{
	(void)i;
	*ret = (struct prefix){ .ip.family = FAMILY_V6, .bits = 128 };
	store64_be(ret->ip.bytes, UINT64_C(0xfd00123456780000) | (random_next(seed) & 0xffff));
	store64_be(ret->ip.bytes + 8, random_next(seed));
}

static void mixed(uint64_t *seed, uint32_t i, struct prefix *ret)
{
	static const uint8_t bits[] = { 128, 128, 64, 56, 48 };

	if (i % 2) {
		v4_mixed(seed, i, ret);
		return;
	}
	*ret = (struct prefix){ .ip.family = FAMILY_V6 };
	ret->bits = bits[random_next(seed) % ELEMENTS(bits)];
	store64_be(ret->ip.bytes, UINT64_C(0x2001000000000000) | random_next(seed) >> 16);
	store64_be(ret->ip.bytes + 8, random_next(seed));
}

static const struct shape shapes[] = {
	{ "v4-host", v4_host }, { "v4-dense", v4_dense }, { "v4-mixed", v4_mixed },
	{ "v6-host", v6_host }, { "mixed", mixed },
};

/* Any address of a prefix. */
static struct ip address_in(uint64_t *seed, const struct prefix *p)
{
	struct ip ip = p->ip;

	for (unsigned int i = 0; i < ip_bits(&ip) / 8; ++i) {
		struct prefix keep = { .ip.family = FAMILY_V6, .bits = p->bits };

		memset(keep.ip.bytes, 0xff, sizeof(keep.ip.bytes));
		prefix_mask(&keep);
		ip.bytes[i] |= (uint8_t)(random_next(seed) & ~keep.ip.bytes[i] & 0xff);
	}
	return ip;
}

static void fill(struct bench *b, const struct shape *shape, uint32_t n)
{
	allowedips_init(&b->trie, &b->memory);
	for (int i = 0; i < OWNERS; ++i)
		allowedips_owner_init(&b->owners[i]);
	if (!allowedips_reserve(&b->trie, n))
		abort();
	for (uint32_t i = 0; i < n; ++i) {
		shape->prefix(&b->seed, i, &b->prefixes[i]);
		prefix_mask(&b->prefixes[i]);
		allowedips_insert(&b->trie, &b->prefixes[i], &b->owners[i % OWNERS]);
	}
	allowedips_release(&b->trie);
	allowedips_build(&b->trie);
	for (size_t i = 0; i < ADDRESSES; ++i)
		b->addresses[i] = address_in(&b->seed, &b->prefixes[random_next(&b->seed) % n]);
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static uintptr_t run_single(const struct bench *b, bool chained)
{
	uintptr_t sum = 0;

	for (size_t i = 0; i < ADDRESSES; ++i) {
		const size_t at = (i + (chained ? sum & 1 : 0)) % ADDRESSES;
		const struct allowed_owner *o = allowedips_lookup(&b->trie, &b->addresses[at]);

		if (!o)
			abort();
		sum += (uintptr_t)o >> 3;
	}
	return sum;
}

static uintptr_t run_many(const struct bench *b)
{
	struct allowed_owner *owners[BATCH];
	uintptr_t sum = 0;

	for (size_t i = 0; i < ADDRESSES; i += BATCH) {
		allowedips_lookup_many(&b->trie, &b->addresses[i], BATCH, owners);
		for (size_t k = 0; k < BATCH; ++k) {
			if (!owners[k])
				abort();
			sum += (uintptr_t)owners[k] >> 3;
		}
	}
	return sum;
}

/* ns */
static double run(const struct bench *b, enum kind kind)
{
	const double from = seconds();
	const uintptr_t sum = kind == KIND_MANY ? run_many(b) : run_single(b, kind == KIND_CHAINED);

	if (!sum) /* so that it is computed */
		abort();
	return (seconds() - from) * 1e9 / ADDRESSES;
}

static double best(const struct bench *b, enum kind kind)
{
	double least = run(b, kind);

	for (int i = 1; i < ROUNDS; ++i) {
		const double ns = run(b, kind);

		if (ns < least)
			least = ns;
	}
	return least;
}

static void print(const char *name, uint32_t count, const double ns[static KIND_LAST],
		  const double base[static KIND_LAST], bool json)
{
	static const char *const names[] = { "many", "single", "chained" };

	printf(json ? "  {\"prefixes\": \"%s\", \"count\": %u" : "%-10s %9u", name, count);
	for (int i = 0; i < KIND_LAST; ++i) {
		if (json)
			printf(", \"%s_ns\": %.1f, \"%s_ratio\": %.2f", names[i], ns[i], names[i],
			       ns[i] / base[i]);
		else
			printf(" %8.1f %6.2f", ns[i], ns[i] / base[i]);
	}
}

static void measure(struct bench *b, const struct shape *shape, bool json, bool *is_first)
{
	static const uint32_t sizes[] = { 1000, 10000, 100000, 1000000 };
	double base[KIND_LAST], ns[KIND_LAST];

	for (size_t i = 0; i < ELEMENTS(sizes); ++i) {
		fill(b, shape, sizes[i]);
		for (int k = 0; k < KIND_LAST; ++k)
			ns[k] = best(b, (enum kind)k);
		if (!i)
			memcpy(base, ns, sizeof(base));
		if (json && !*is_first)
			puts(",");
		*is_first = false;
		print(shape->name, sizes[i], ns, base, json);
		fputs(json ? "}" : "\n", stdout);
		allowedips_done(&b->trie);
	}
}

static bool is_wanted(const char *name, int argc, char **argv)
{
	for (int i = 0; i < argc; ++i)
		if (strcmp(argv[i], name) == 0)
			return true;
	return argc == 0;
}

int main(int argc, char **argv)
{
	static struct bench b = { .seed = 1 };
	const bool json = argc > 1 && strcmp(argv[1], "--json") == 0;
	bool is_first = true;

	b.slab = slab_new();
	b.prefixes = calloc(1000000, sizeof(*b.prefixes));
	b.addresses = calloc(ADDRESSES, sizeof(*b.addresses));
	if (!b.slab || !b.prefixes || !b.addresses)
		return 1;
	b.memory = slab_memory(b.slab);
	if (json)
		printf("{\"lookup\": [\n");
	else
		printf("%-10s %9s %8s %6s %8s %6s %8s %6s   ns a look-up; by 1,000\n", "prefixes",
		       "count", "many", "ratio", "single", "ratio", "chained", "ratio");
	for (size_t i = 0; i < ELEMENTS(shapes); ++i)
		if (is_wanted(shapes[i].name, argc - 1 - json, argv + 1 + json))
			measure(&b, &shapes[i], json, &is_first);
	if (json)
		printf("\n]}\n");
	free(b.prefixes);
	free(b.addresses);
	slab_free(b.slab);
	return 0;
}
