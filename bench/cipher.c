#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/bytes.h"
#include "crypto/batch.h"

/*
 * The ciphers of the packet path, and BoringSSL's where android-libboringssl-dev is installed:
 * nanoseconds a packet. Each round runs each of them once on the same packets, in place, so that a
 * noisy machine is noisy for all.
 *
 * usage: bench_cipher [--json] [ROUNDS]
 */
#define BORINGSSL "/usr/lib/x86_64-linux-gnu/android/libcrypto.so.0"

enum {
	MOST_ROUNDS = 2001,
	MOST_PACKETS = 4096,
	WORK = 192 * 1024, /* bytes of packets at most: they stay in the second cache */
	LINE = 64,
};

struct subject {
	const char *name;
	bool (*seal)(struct crypto_packet *packets, size_t n);
	bool (*open)(struct crypto_packet *packets, size_t n);
	bool is_here;
};

/* One row of the table: `batches` times a batch of n packets. */
struct cell {
	size_t len, n, batches;
	bool is_open;
	double ns[3][MOST_ROUNDS];
};

struct result {
	double least, median, ratio; /* ratio to BoringSSL: the median of the rounds' */
};

typedef int boring_call(const void *ctx, uint8_t *ret, size_t *ret_len, size_t most,
			const uint8_t *nonce, size_t nonce_len, const uint8_t *data, size_t len,
			const uint8_t *ad, size_t ad_len);

static const struct key_shared key = { { 1, 2, 3, 4, 5, 6, 7, 8, 9 } };
static boring_call *boring_seal, *boring_open;
static const void *boring_ctx;

static bool all_ok(const struct crypto_packet *packets, size_t n)
{
	bool ok = true;

	for (size_t i = 0; i < n; ++i)
		ok &= packets[i].ok;
	return ok;
}

static bool avx2_seal(struct crypto_packet *packets, size_t n)
{
	return batch_avx2.seal(packets, n, &key, 0);
}

static bool avx2_open(struct crypto_packet *packets, size_t n)
{
	batch_avx2.open(packets, n, &key, 0);
	return all_ok(packets, n);
}

static bool libcrypto_seal(struct crypto_packet *packets, size_t n)
{
	return batch_libcrypto.seal(packets, n, &key, 0);
}

static bool libcrypto_open(struct crypto_packet *packets, size_t n)
{
	batch_libcrypto.open(packets, n, &key, 0);
	return all_ok(packets, n);
}

static bool boringssl_seal(struct crypto_packet *packets, size_t n)
{
	uint8_t nonce[12] = { 0 };
	bool ok = true;
	size_t len;

	for (struct crypto_packet *p = packets; p < packets + n; ++p) {
		store64_le(nonce + 4, p->counter);
		ok &= boring_seal(boring_ctx, p->data, &len, p->len + CRYPTO_TAG, nonce,
				  sizeof(nonce), p->data, p->len, NULL, 0) == 1;
	}
	return ok;
}

static bool boringssl_open(struct crypto_packet *packets, size_t n)
{
	uint8_t nonce[12] = { 0 };
	bool ok = true;
	size_t len;

	for (struct crypto_packet *p = packets; p < packets + n; ++p) {
		store64_le(nonce + 4, p->counter);
		ok &= boring_open(boring_ctx, p->data, &len, p->len, nonce, sizeof(nonce), p->data,
				  p->len + CRYPTO_TAG, NULL, 0) == 1;
	}
	return ok;
}

static struct subject subjects[3] = {
	{ "avx2", avx2_seal, avx2_open, false },
	{ "libcrypto", libcrypto_seal, libcrypto_open, true },
	{ "boringssl", boringssl_seal, boringssl_open, false },
};
enum { BORING = 2 };

/* Its own libcrypto beside ours: by the full path, and neither sees the other's names. */
static bool find_boringssl(void)
{
	void *lib = dlopen(BORINGSSL, RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
	const void *(*algorithm)(void);
	void *(*make)(const void *, const uint8_t *, size_t, size_t);

	if (!lib)
		return false;
	*(void **)&algorithm = dlsym(lib, "EVP_aead_chacha20_poly1305");
	*(void **)&make = dlsym(lib, "EVP_AEAD_CTX_new");
	*(void **)&boring_seal = dlsym(lib, "EVP_AEAD_CTX_seal");
	*(void **)&boring_open = dlsym(lib, "EVP_AEAD_CTX_open");
	if (!algorithm || !make || !boring_seal || !boring_open)
		return false;
	boring_ctx = make(algorithm(), key.bytes, sizeof(key.bytes), CRYPTO_TAG);
	return boring_ctx;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* Every round begins with the same bytes: opening in place leaves plain text. */
struct arena {
	uint8_t *work, *plain, *sealed;
	struct crypto_packet packets[MOST_PACKETS];
	size_t n, bytes;
};

static void arena_lay_out(struct arena *a, const struct cell *c)
{
	const size_t stride = (c->len + CRYPTO_TAG + 2 * LINE - 1) / LINE * LINE;

	a->n = c->n * c->batches;
	a->bytes = a->n * stride;
	for (size_t i = 0; i < a->n; ++i)
		a->packets[i] = (struct crypto_packet){ .data = a->work + i * stride + 16,
							.len = c->len,
							.counter = 1000 + i };
	memcpy(a->work, a->plain, a->bytes);
	if (!libcrypto_seal(a->packets, a->n))
		abort();
	memcpy(a->sealed, a->work, a->bytes);
}

static double run(const struct subject *s, struct arena *a, const struct cell *c)
{
	bool ok = true;
	double begin;

	memcpy(a->work, c->is_open ? a->sealed : a->plain, a->bytes);
	begin = now();
	for (size_t i = 0; i < a->n; i += c->n)
		ok &= c->is_open ? s->open(a->packets + i, c->n) : s->seal(a->packets + i, c->n);
	begin = now() - begin;
	if (!ok || (!c->is_open && memcmp(a->work, a->sealed, a->bytes) != 0)) {
		fprintf(stderr, "bench_cipher: %s gives wrong answers\n", s->name);
		exit(1);
	}
	return begin / (double)a->n;
}

static void measure(struct cell *c, struct arena *a, size_t rounds)
{
	const size_t each = c->n * (c->len + CRYPTO_TAG + 2 * LINE);

	c->batches = each < WORK ? WORK / each : 1;
	if (c->batches * c->n > MOST_PACKETS)
		c->batches = MOST_PACKETS / c->n;
	arena_lay_out(a, c);
	for (size_t round = 0; round < rounds + 2; ++round)
		for (size_t i = 0; i < ELEMENTS(subjects); ++i) {
			const double ns = subjects[i].is_here ? run(&subjects[i], a, c) : 0;

			if (round >= 2) /* the first ones warm up */
				c->ns[i][round - 2] = ns;
		}
}

static int compare(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static struct result summarize(struct cell *c, size_t subject, size_t rounds)
{
	static double ratios[MOST_ROUNDS], sorted[MOST_ROUNDS];

	for (size_t i = 0; i < rounds; ++i)
		ratios[i] = c->ns[BORING][i] > 0 ? c->ns[subject][i] / c->ns[BORING][i] : 0;
	memcpy(sorted, c->ns[subject], rounds * sizeof(double));
	qsort(ratios, rounds, sizeof(double), compare);
	qsort(sorted, rounds, sizeof(double), compare);
	return (struct result){ sorted[0], sorted[rounds / 2], ratios[rounds / 2] };
}

static void print_cell(struct cell *c, size_t rounds, bool is_json)
{
	static bool is_first = true;

	if (!is_json)
		printf("%-5s %5zu %5zu", c->is_open ? "open" : "seal", c->len, c->n);
	for (size_t i = 0; i < ELEMENTS(subjects); ++i) {
		const struct result r = summarize(c, i, rounds);

		if (is_json && subjects[i].is_here)
			printf("%s\n{\"work\": \"%s\", \"bytes\": %zu, \"batch\": %zu, "
			       "\"cipher\": \"%s\", \"ns_least\": %.1f, \"ns_median\": %.1f, "
			       "\"to_boringssl\": %.3f}",
			       is_first ? "[" : ",", c->is_open ? "open" : "seal", c->len, c->n,
			       subjects[i].name, r.least, r.median, r.ratio);
		else if (subjects[i].is_here)
			printf("   %6.0f %6.0f %5.2f", r.least, r.median, r.ratio);
		else if (!is_json)
			printf("   %20s", "not measured");
		is_first = is_first && !subjects[i].is_here;
	}
	if (!is_json)
		putchar('\n');
	fflush(stdout);
}

static void print_head(size_t rounds)
{
	printf("ns a packet: least and median of %zu rounds, and the ratio to BoringSSL's\n"
	       "%-5s %5s %5s",
	       rounds, "work", "bytes", "batch");
	for (size_t i = 0; i < ELEMENTS(subjects); ++i)
		printf("   %20s", subjects[i].name);
	putchar('\n');
}

static void arena_init(struct arena *a)
{
	enum { SIZE = 1 << 20 };

	a->work = aligned_alloc(4096, SIZE);
	a->plain = aligned_alloc(4096, SIZE);
	a->sealed = aligned_alloc(4096, SIZE);
	if (!a->work || !a->plain || !a->sealed)
		abort();
	for (size_t i = 0; i < SIZE; ++i)
		a->plain[i] = (uint8_t)(i * 7 + i / 256);
}

int main(int argc, char *argv[])
{
	static const size_t lengths[] = { 64, 256, 576, 1420, 8192 }, batches[] = { 1, 16, 45 };
	static struct arena arena;
	static struct cell cell;
	const bool is_json = argc > 1 && strcmp(argv[1], "--json") == 0;
	size_t rounds = argc > 1 + is_json ? strtoul(argv[1 + is_json], NULL, 10) : 101;

	if (rounds == 0 || rounds > MOST_ROUNDS)
		rounds = MOST_ROUNDS;
	subjects[0].is_here = batch_avx2.is_here();
	subjects[BORING].is_here = find_boringssl();
	arena_init(&arena);
	if (!is_json)
		print_head(rounds);
	for (int open = 0; open < 2; ++open)
		for (size_t i = 0; i < ELEMENTS(lengths); ++i)
			for (size_t j = 0; j < ELEMENTS(batches); ++j) {
				cell.len = lengths[i];
				cell.n = batches[j];
				cell.is_open = open;
				measure(&cell, &arena, rounds);
				print_cell(&cell, rounds, is_json);
			}
	if (is_json)
		puts("\n]");
	return 0;
}
