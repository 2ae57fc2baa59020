#ifndef RELAY_RULES_H
#define RELAY_RULES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

/*
 * What a bad network does to one type of WireGuard message in one direction. All zero: nothing.
 * Chances are in parts of a million, times in nanoseconds.
 */
enum { RULES_TYPES = 5 /* 1 to 4, and 0 for what is none of them */, RULES_WHOLE = 1000000 };

enum rules_spread {
	RULES_UNIFORM, /* anywhere from least to most */
	RULES_NORMAL,  /* a bell from least to most */
	RULES_TAIL,    /* mostly near least, now and then near most */
};

struct rules {
	uint32_t loss;
	uint32_t burst_begin; /* Gilbert: good turns bad, and all is lost ... */
	uint32_t burst_end;   /* ... until bad turns good; each looked at once per datagram */
	uint64_t delay_least;
	uint64_t delay_most;
	enum rules_spread spread;
	uint32_t reorder; /* chance to be held back ... */
	uint32_t depth;   /* ... until 1 to depth later datagrams have come */
	uint32_t duplicate;
	uint32_t copies;
	uint32_t corrupt;
	uint32_t bits;     /* flipped, all different */
	uint32_t truncate; /* chance to be cut to any shorter length */
	uint64_t rate;     /* bits per second; 0 is no limit */
	uint64_t queue;    /* what would wait longer for the rate is lost */
	uint32_t mtu;      /* longer IP packets are lost; 0 is no limit */
	bool icmp;         /* and their sender is told */
};

/*
 * Take one word: loss=P burst=P,P delay=MS[,MS[,uniform|normal|tail]] reorder=P,DEPTH
 * duplicate=P[,COPIES] corrupt=P,BITS truncate=P rate=KBIT,QUEUE_MS mtu=BYTES icmp=0|1; P is in
 * percent and may have a fraction. False, and nothing changed, where it is none of these.
 */
MUST_CHECK bool rules_parse(struct rules *rules, const char *word);

#endif
