#include "wg/schedule.h"

#include <assert.h>
#include <string.h>

#include "wg/peer.h"

void schedule_init(struct schedule *s, const struct memory *memory)
{
	memset(s, 0, sizeof(*s));
	s->memory = memory;
}

void schedule_done(struct schedule *s)
{
	memory_give(s->memory, s->heap, s->room * sizeof(*s->heap));
	schedule_init(s, s->memory);
}

bool schedule_reserve(struct schedule *s, size_t n)
{
	struct peer **heap;
	size_t room = s->room ? s->room : 8;

	while (n > room)
		room *= 2;
	if (room == s->room)
		return true;
	heap = memory_take(s->memory, room * sizeof(*heap));
	if (!heap)
		return false;
	if (s->used)
		memcpy(heap, s->heap, s->used * sizeof(*heap));
	memory_give(s->memory, s->heap, s->room * sizeof(*heap));
	s->heap = heap;
	s->room = room;
	return true;
}

static void put(struct schedule *s, size_t at, struct peer *p)
{
	s->heap[at] = p;
	p->at = at;
}

static void rise(struct schedule *s, struct peer *p)
{
	size_t at = p->at;

	while (at > 0 && s->heap[(at - 1) / 2]->due > p->due) {
		put(s, at, s->heap[(at - 1) / 2]);
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
		if (child + 1 < s->used && s->heap[child]->due > s->heap[child + 1]->due)
			++child;
		if (s->heap[child]->due >= p->due)
			break;
		put(s, at, s->heap[child]);
		at = child;
	}
	put(s, at, p);
}

void schedule_by(struct schedule *s, struct peer *peer, uint64_t due)
{
	if (due >= peer->due)
		return;
	if (peer->due == TIME_NEVER) {
		assert(s->used < s->room);
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
	last = s->heap[--s->used];
	if (last == peer)
		return;
	put(s, peer->at, last);
	rise(s, last);
	sink(s, last);
}

uint64_t schedule_first(const struct schedule *s)
{
	return s->used ? s->heap[0]->due : TIME_NEVER;
}

struct peer *schedule_take(struct schedule *s, uint64_t now)
{
	struct peer *p;

	if (schedule_first(s) > now)
		return NULL;
	p = s->heap[0];
	schedule_remove(s, p);
	return p;
}
