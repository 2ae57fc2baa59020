#ifndef NET_QUARREL_H
#define NET_QUARREL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/time.h"
#include "net/item.h"

/*
 * How often things are put back that somebody removes. At once, as a rule. Whoever removes them
 * again and again is not outrun: after QUARREL_TRIES that did not last, things of that kind are
 * left alone for QUARREL_WAIT, then for twice as long, and so on; one that lasted QUARREL_CALM ends
 * it. Pure.
 */
enum { QUARREL_TRIES = 5 };
#define QUARREL_CALM (60 * NS_PER_S)
#define QUARREL_WAIT (10 * NS_PER_S)
#define QUARREL_WAIT_MAX (600 * NS_PER_S)

struct quarrel_kind {
	unsigned int tries; /* put back, none of which lasted */
	uint64_t last;      /* time of the last one */
};

struct quarrel {
	struct quarrel_kind kinds[ITEM_KINDS];
};

enum quarrel_answer {
	QUARREL_MEND,   /* put it back now */
	QUARREL_BEGINS, /* the same, and tell that somebody removes it time and again */
	QUARREL_LEAVE,  /* not before *ret_until */
};

/* Something of this kind is gone. What is put back now is put back with others of its kind. */
MUST_CHECK enum quarrel_answer quarrel_ask(struct quarrel *q, enum item_kind kind, uint64_t now,
					   uint64_t *ret_until);

#endif
