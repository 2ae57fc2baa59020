#include "wg/schedule.h"

#include <assert.h>
#include <string.h>

#include "wg/peer.h"

#define CHUNK_SIZE (SCHEDULE_CHUNK * sizeof(struct peer *))

void schedule_init(struct schedule *s, const struct memory *memory)
{
	memset(s, 0, sizeof(*s));
	s->memory = memory;
}

void schedule_done(struct schedule *s)
{
	for (size_t i = 0; i < s->room / SCHEDULE_CHUNK; ++i)
		memory_give(s->memory, s->heap[i], CHUNK_SIZE);
	schedule_init(s, s->memory);
}

bool schedule_reserve(struct schedule *s, size_t n)
{
	if (n > (size_t)SCHEDULE_CHUNK * SCHEDULE_CHUNKS)
		return false;
	while (n > s->room) {
		struct peer **chunk = memory_take(s->memory, CHUNK_SIZE);

		if (!chunk)
			return false;
		s->heap[s->room / SCHEDULE_CHUNK] = chunk;
		s->room += SCHEDULE_CHUNK;
	}
	return true;
}

static struct peer *at_place(const struct schedule *s, size_t at)
{
	return s->heap[at / SCHEDULE_CHUNK][at % SCHEDULE_CHUNK];
}

static void put(struct schedule *s, size_t at, struct peer *p)
{
	s->heap[at / SCHEDULE_CHUNK][at % SCHEDULE_CHUNK] = p;
	p->at = (uint32_t)at;
}

static void rise(struct schedule *s, struct peer *p)
{
	size_t at = p->at;

	while (at > 0 && at_place(s, (at - 1) / 2)->due > p->due) {
		put(s, at, at_place(s, (at - 1) / 2));
		at = (at - 1) / 2;
	}
	put(s, at, p);
}

static void sink(struct schedule *s, struct peer *p)
{
	size_t at = p->at;

	for (;;) {
		size_t child = 2 * at + 1;

		if (child >= s->used)
			break;
		if (child + 1 < s->used && at_place(s, child)->due > at_place(s, child + 1)->due)
			++child;
		if (at_place(s, child)->due >= p->due)
			break;
		put(s, at, at_place(s, child));
		at = child;
	}
	put(s, at, p);
}

void schedule_by(struct schedule *s, struct peer *peer, uint64_t due)
{
	if (due >= peer->due)
		return;
	if (peer->due == TIME_NEVER) {
		assert(s->heap[s->used / SCHEDULE_CHUNK]); /* room is the brain's to read */
		put(s, s->used++, peer);
	}
	peer->due = due;
	rise(s, peer);
}

void schedule_remove(struct schedule *s, struct peer *peer)
{
	struct peer *last;

	if (peer->due == TIME_NEVER)
		return;
	peer->due = TIME_NEVER;
	last = at_place(s, --s->used);
	if (last == peer)
		return;
	put(s, peer->at, last);
	rise(s, last);
	sink(s, last);
}

uint64_t schedule_first(const struct schedule *s)
{
	return s->used ? at_place(s, 0)->due : TIME_NEVER;
}

struct peer *schedule_take(struct schedule *s, uint64_t now)
{
	struct peer *p;

	if (schedule_first(s) > now)
		return NULL;
	p = at_place(s, 0);
	schedule_remove(s, p);
	return p;
}
