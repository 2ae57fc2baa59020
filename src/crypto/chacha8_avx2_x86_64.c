#include "crypto/chacha8.h"

#include <immintrin.h>

#include "crypto/crypto.h"

typedef uint64_t quads __attribute__((vector_size(32)));
typedef uint8_t bytes __attribute__((vector_size(32)));

/* Poly1305 that runs between the vector instructions. */
struct weft {
	struct poly poly;
	struct poly_parts parts;
	const uint8_t *at;
};

enum { ROUND_BLOCKS = 3, PAIRS = 4, PAIR_STEPS = 3 };

static const bytes masks[2] = {
	{ 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13,
	  2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13 },
	{ 3, 0, 1, 2, 7, 4, 5, 6, 11, 8, 9, 10, 15, 12, 13, 14,
	  3, 0, 1, 2, 7, 4, 5, 6, 11, 8, 9, 10, 15, 12, 13, 14 },
};

CRYPTO_INLINE chacha_vector all(uint32_t word)
{
	return (chacha_vector){ word, word, word, word, word, word, word, word };
}

CRYPTO_INLINE chacha_vector rotate(chacha_vector v, int bits)
{
	return v << bits | v >> (32 - bits);
}

CRYPTO_INLINE chacha_vector shuffle(chacha_vector v, bytes mask)
{
	return (chacha_vector)_mm256_shuffle_epi8((__m256i)v, (__m256i)mask);
}

/* Step 0 to 11 of the three blocks beside a double round. */
CRYPTO_INLINE void weave(struct weft *w, unsigned int step)
{
	if (w)
		poly_step(&w->poly, &w->parts, w->at + step / POLY_STEPS * POLY_BLOCK,
			  step % POLY_STEPS);
}

/*
 * Two quarter rounds side by side, and three steps of Poly1305: two fit into 16 registers, four do
 * not. `slant` is 0 in a column round, 1 in a diagonal one.
 */
CRYPTO_INLINE void quarter_pair(chacha_vector x[16], unsigned int first, unsigned int slant,
				const bytes *mask, struct weft *w, unsigned int step)
{
	const unsigned int i = first, j = first + 1;
	chacha_vector *const a0 = &x[i], *const b0 = &x[4 + (i + slant) % 4];
	chacha_vector *const c0 = &x[8 + (i + 2 * slant) % 4];
	chacha_vector *const d0 = &x[12 + (i + 3 * slant) % 4];
	chacha_vector *const a1 = &x[j], *const b1 = &x[4 + (j + slant) % 4];
	chacha_vector *const c1 = &x[8 + (j + 2 * slant) % 4];
	chacha_vector *const d1 = &x[12 + (j + 3 * slant) % 4];

	*a0 += *b0, *a1 += *b1;
	*d0 ^= *a0, *d1 ^= *a1;
	*d0 = shuffle(*d0, mask[0]), *d1 = shuffle(*d1, mask[0]);
	*c0 += *d0, *c1 += *d1;
	*b0 ^= *c0, *b1 ^= *c1;
	weave(w, step);
	*b0 = rotate(*b0, 12), *b1 = rotate(*b1, 12);
	*a0 += *b0, *a1 += *b1;
	*d0 ^= *a0, *d1 ^= *a1;
	weave(w, step + 1);
	*d0 = shuffle(*d0, mask[1]), *d1 = shuffle(*d1, mask[1]);
	*c0 += *d0, *c1 += *d1;
	*b0 ^= *c0, *b1 ^= *c1;
	*b0 = rotate(*b0, 7), *b1 = rotate(*b1, 7);
	weave(w, step + 2);
}

CRYPTO_INLINE void double_round(chacha_vector x[16], const bytes *mask, struct weft *w)
{
	quarter_pair(x, 0, 0, mask, w, 0 * PAIR_STEPS);
	quarter_pair(x, 2, 0, mask, w, 1 * PAIR_STEPS);
	quarter_pair(x, 0, 1, mask, w, 2 * PAIR_STEPS);
	quarter_pair(x, 2, 1, mask, w, 3 * PAIR_STEPS);
	if (w)
		w->at += ROUND_BLOCKS * POLY_BLOCK;
}

CRYPTO_INLINE void one_block(struct weft *w)
{
	poly_block(&w->poly, w->at);
	w->at += POLY_BLOCK;
}

#define SHUFFLE __builtin_shufflevector

/* In: word i of all lanes. Out: eight words of lane i. */
CRYPTO_INLINE void transpose(chacha_vector x[8])
{
	chacha_vector t[8];
	quads u[8];

	for (int i = 0; i < 8; i += 2) {
		t[i] = SHUFFLE(x[i], x[i + 1], 0, 8, 1, 9, 4, 12, 5, 13);
		t[i + 1] = SHUFFLE(x[i], x[i + 1], 2, 10, 3, 11, 6, 14, 7, 15);
	}
	for (int i = 0; i < 8; i += 4) {
		u[i] = SHUFFLE((quads)t[i], (quads)t[i + 2], 0, 4, 2, 6);
		u[i + 1] = SHUFFLE((quads)t[i], (quads)t[i + 2], 1, 5, 3, 7);
		u[i + 2] = SHUFFLE((quads)t[i + 1], (quads)t[i + 3], 0, 4, 2, 6);
		u[i + 3] = SHUFFLE((quads)t[i + 1], (quads)t[i + 3], 1, 5, 3, 7);
	}
	for (int i = 0; i < 4; ++i) {
		x[i] = (chacha_vector)SHUFFLE(u[i], u[i + 4], 0, 1, 4, 5);
		x[i + 4] = (chacha_vector)SHUFFLE(u[i], u[i + 4], 2, 3, 6, 7);
	}
}

/* Word i of the input of every lane. Here and below no loop goes over all 16: gcc would keep them
 * in memory. */
CRYPTO_INLINE chacha_vector input(const struct chacha_key *key, const struct chacha_lanes *l,
				  unsigned int i)
{
	static const uint32_t sigma[4] = { 0x61707865, 0x3320646e, 0x79622d32, 0x6b206574 };

	switch (i) {
	case 12:
		return l->counter;
	case 13:
		return all(key->words[8]);
	case 14:
		return l->nonce_lo;
	case 15:
		return l->nonce_hi;
	}
	return all(i < 4 ? sigma[i] : key->words[i - 4]);
}

#define FOUR(f, i) f(i), f(i + 1), f(i + 2), f(i + 3)
#define EIGHT(f, i) FOUR(f, i), FOUR(f, i + 4)

CRYPTO_INLINE void write_lanes(const struct chacha_lanes *l, const chacha_vector low[8],
			       const chacha_vector high[8])
{
	for (int i = 0; i < CHACHA_LANES; ++i) {
		const chacha_anywhere *src = (const chacha_anywhere *)l->src[i];
		chacha_anywhere *dst = (chacha_anywhere *)l->dst[i];
		const chacha_vector lo = src[0] ^ low[i], hi = src[1] ^ high[i];

		dst[0] = lo;
		dst[1] = hi;
	}
}

__attribute__((noinline)) void chacha8_pass(const struct chacha_key *key,
					    const struct chacha_lanes *l, struct poly *p,
					    const uint8_t *blocks, size_t woven)
{
	const size_t full = woven < 10 * ROUND_BLOCKS ? woven / ROUND_BLOCKS : 10;
	const size_t rest = woven - full * ROUND_BLOCKS;
	struct weft w = { .poly = *p, .at = blocks };
	const bytes *mask = masks;
	size_t round = 0;

#define INPUT(i) input(key, l, i)
#define OUTPUT(i) (x[i] + input(key, l, i))
	chacha_vector x[16] = { EIGHT(INPUT, 0), EIGHT(INPUT, 8) };

	/* Seen as constants, clang would take two instructions for one of these shuffles. */
	__asm__("" : "+r"(mask));
	for (; round < full; ++round)
		double_round(x, mask, &w);
	for (; round < 10; ++round)
		double_round(x, mask, NULL);
	chacha_vector low[8] = { EIGHT(OUTPUT, 0) }, high[8] = { EIGHT(OUTPUT, 8) };
	if (rest > 0)
		one_block(&w);
	transpose(low);
	if (rest > 1)
		one_block(&w);
	transpose(high);
	if (rest > 2)
		one_block(&w);
	write_lanes(l, low, high);
	if (rest > 3)
		one_block(&w);
	*p = w.poly;
}

/* As deep as chacha8_pass when both are called from one place. */
__attribute__((noinline)) void chacha8_wipe(void)
{
	uint8_t stack[1024];

	_mm256_zeroall();
	crypto_wipe(stack, sizeof(stack));
}
