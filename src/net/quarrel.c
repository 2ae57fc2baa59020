#include "net/quarrel.h"

static uint64_t wait_after(unsigned int tries)
{
	uint64_t wait = QUARREL_WAIT;

	if (tries < QUARREL_TRIES)
		return 0;
	for (unsigned int i = QUARREL_TRIES; i < tries && wait < QUARREL_WAIT_MAX; ++i)
		wait *= 2;
	return wait < QUARREL_WAIT_MAX ? wait : QUARREL_WAIT_MAX;
}

enum quarrel_answer quarrel_ask(struct quarrel *q, enum item_kind kind, uint64_t now,
				uint64_t *ret_until)
{
	struct quarrel_kind *k = &q->kinds[kind];
	const uint64_t wait = wait_after(k->tries);

	if (now - k->last < wait) {
		*ret_until = k->last + wait;
		return QUARREL_LEAVE;
	}
	if (now - k->last >= wait + QUARREL_CALM)
		k->tries = 0;
	++k->tries;
	k->last = now;
	return k->tries == QUARREL_TRIES ? QUARREL_BEGINS : QUARREL_MEND;
}
