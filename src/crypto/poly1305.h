#ifndef CRYPTO_POLY1305_H
#define CRYPTO_POLY1305_H

#include <stdint.h>

#include "base/bytes.h"

/*
 * Poly1305 (RFC 8439 2.5) on integer registers, for x86-64 with BMI2: radix 2^64, a block is four
 * mulx and two imul. A block is cut into four steps, so that a vector cipher can be woven between
 * them: it leaves the integer ports idle. The steps are assembly since gcc 12 makes twice the
 * instructions of the same in C; flags are dead between them. All is inline.
 */
#define CRYPTO_INLINE static inline __attribute__((always_inline))

enum { POLY_STEPS = 4, POLY_BLOCK = 16 };

struct poly {
	uint64_t h0, h1, h2; /* the sum so far; h2 <= 4 between blocks */
	uint64_t r0, r1;     /* the clamped key */
	uint64_t s1;         /* r1 * 5 / 4, exact since r1 is a multiple of 4 */
};

/* What one step leaves to the next. */
struct poly_parts {
	uint64_t a, b, c, d;
};

typedef uint64_t poly_word __attribute__((aligned(1), may_alias));

CRYPTO_INLINE void poly_init(struct poly *p, const uint8_t key[static 32])
{
	p->h0 = p->h1 = p->h2 = 0;
	p->r0 = load64_le(key) & UINT64_C(0x0ffffffc0fffffff);
	p->r1 = load64_le(key + 8) & UINT64_C(0x0ffffffc0ffffffc);
	p->s1 = p->r1 + (p->r1 >> 2);
}

/* h += block + 2^128; b:a = h0 r0; d:c = h0 r1 */
CRYPTO_INLINE void poly_add(struct poly *p, struct poly_parts *t, const uint8_t *block)
{
	const poly_word *m = (const poly_word *)block;

	__asm__ volatile("addq %[lo], %[h0]\n\t"
			 "adcq %[hi], %[h1]\n\t"
			 "adcq $1, %[h2]\n\t"
			 "movq %[h0], %%rdx\n\t"
			 "mulxq %[r0], %[a], %[b]\n\t"
			 "mulxq %[r1], %[c], %[d]"
			 : [h0] "+&r"(p->h0), [h1] "+&r"(p->h1), [h2] "+&r"(p->h2), [a] "=&r"(t->a),
			   [b] "=&r"(t->b), [c] "=&r"(t->c), [d] "=&r"(t->d)
			 : [lo] "m"(m[0]), [hi] "m"(m[1]), [r0] "r"(p->r0), [r1] "r"(p->r1)
			 : "rdx", "cc");
}

/* h1:h0 = b:a + h1 s1; b:a = h1 r0 */
CRYPTO_INLINE void poly_middle(struct poly *p, struct poly_parts *t)
{
	__asm__ volatile("movq %[h1], %%rdx\n\t"
			 "mulxq %[s1], %[h0], %[h1]\n\t"
			 "addq %[a], %[h0]\n\t"
			 "adcq %[b], %[h1]\n\t"
			 "mulxq %[r0], %[a], %[b]"
			 : [h0] "=&r"(p->h0), [h1] "+&r"(p->h1), [a] "+&r"(t->a), [b] "+&r"(t->b)
			 : [r0] "r"(p->r0), [s1] "r"(p->s1)
			 : "rdx", "cc");
}

/* b:a += d:c + h2 s1; h2 = h2 r0 */
CRYPTO_INLINE void poly_top(struct poly *p, struct poly_parts *t)
{
	__asm__ volatile("movq %[h2], %%rdx\n\t"
			 "imulq %[s1], %%rdx\n\t"
			 "imulq %[r0], %[h2]\n\t"
			 "addq %[c], %[a]\n\t"
			 "adcq %[d], %[b]\n\t"
			 "addq %%rdx, %[a]\n\t"
			 "adcq $0, %[b]"
			 : [h2] "+&r"(p->h2), [a] "+&r"(t->a), [b] "+&r"(t->b)
			 : [c] "r"(t->c), [d] "r"(t->d), [r0] "r"(p->r0), [s1] "r"(p->s1)
			 : "rdx", "cc");
}

/* h2:h1 += b:a; the bits from 130 on come back in times 5 */
CRYPTO_INLINE void poly_fold(struct poly *p, struct poly_parts *t)
{
	__asm__ volatile("addq %[a], %[h1]\n\t"
			 "adcq %[b], %[h2]\n\t"
			 "movq %[h2], %[a]\n\t"
			 "shrq $2, %[a]\n\t"
			 "leaq (%[a],%[a],4), %[a]\n\t"
			 "andq $3, %[h2]\n\t"
			 "addq %[a], %[h0]\n\t"
			 "adcq $0, %[h1]\n\t"
			 "adcq $0, %[h2]"
			 : [h0] "+&r"(p->h0), [h1] "+&r"(p->h1), [h2] "+&r"(p->h2), [a] "+&r"(t->a)
			 : [b] "r"(t->b)
			 : "cc");
}

/* Step 0 to 3 of a block. */
CRYPTO_INLINE void poly_step(struct poly *p, struct poly_parts *t, const uint8_t *block,
			     unsigned int step)
{
	switch (step) {
	case 0:
		poly_add(p, t, block);
		break;
	case 1:
		poly_middle(p, t);
		break;
	case 2:
		poly_top(p, t);
		break;
	case 3:
		poly_fold(p, t);
		break;
	}
}

CRYPTO_INLINE void poly_block(struct poly *p, const uint8_t *block)
{
	struct poly_parts t;

	for (unsigned int step = 0; step < POLY_STEPS; ++step)
		poly_step(p, &t, block, step);
}

/* ret = ((h mod 2^130 - 5) + pad) mod 2^128 */
CRYPTO_INLINE void poly_final(const struct poly *p, const uint8_t pad[static 16],
			      uint8_t ret[static 16])
{
	unsigned __int128 sum = (unsigned __int128)p->h0 + 5;
	uint64_t h0 = p->h0, h1 = p->h1, g0, g1, reduce;

	g0 = (uint64_t)sum;
	sum = (unsigned __int128)h1 + (uint64_t)(sum >> 64);
	g1 = (uint64_t)sum;
	reduce = 0 - ((p->h2 + (uint64_t)(sum >> 64)) >> 2); /* all ones if h >= 2^130 - 5 */
	h0 = (h0 & ~reduce) | (g0 & reduce);
	h1 = (h1 & ~reduce) | (g1 & reduce);
	sum = (unsigned __int128)h0 + load64_le(pad);
	store64_le(ret, (uint64_t)sum);
	store64_le(ret + 8, h1 + load64_le(pad + 8) + (uint64_t)(sum >> 64));
}

#endif
