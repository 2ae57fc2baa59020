#ifndef RELAY_IMPAIR_H
#define RELAY_IMPAIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rules.h"

/*
 * Decide what becomes of each datagram of one direction. Pure: the same seed, rules, times and
 * datagrams give the same fates. Each question about datagram n has a number of its own, made of
 * seed, n and question: a rule more or less changes no answer to the others.
 */
enum impair_fate {
	IMPAIR_PASSED,
	IMPAIR_LOST,
	IMPAIR_BURST,
	IMPAIR_TOO_BIG,
	IMPAIR_QUEUE_FULL,
	IMPAIR_FATES,
};

struct impair {
	uint64_t seed;
	uint64_t count;   /* datagrams so far */
	uint64_t idle_at; /* when the rate lets the next one begin */
	bool is_bad;      /* within a burst */
	struct rules rules[RULES_TYPES];
};

struct verdict {
	enum impair_fate fate;
	uint64_t due;    /* when it leaves */
	uint64_t behind; /* and not before so many later ones have come */
	uint32_t copies; /* leave besides it */
	size_t len;      /* of what leaves */
	uint32_t bits;   /* flipped, the first at ... */
	uint64_t first_bit;
};

/* The type a datagram claims: 0 where it is none. */
unsigned int impair_type(const uint8_t *data, size_t len);

/* The fate of the next datagram: len bytes of this type in an IP packet that is header longer. */
struct verdict impair_decide(struct impair *impair, uint64_t now, unsigned int type, size_t len,
			     size_t header);

/* Flip what the verdict says in what is left of a datagram. */
void impair_flip(const struct verdict *verdict, uint8_t *data);

#endif
