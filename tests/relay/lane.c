#include "lane.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* --- a heap ---------------------------------------------------------------- */

static bool is_before(const struct datagram *a, const struct datagram *b)
{
	return a->key < b->key || (a->key == b->key && a->order < b->order);
}

static void swap(struct heap *heap, size_t i, size_t j)
{
	struct datagram *item = heap->items[i];

	heap->items[i] = heap->items[j];
	heap->items[j] = item;
}

static bool make_room(struct heap *heap)
{
	size_t room = heap->room ? 2 * heap->room : 64;
	struct datagram **items;

	if (heap->count < heap->room)
		return true;
	items = realloc(heap->items, room * sizeof(struct datagram *));
	if (!items)
		return false;
	heap->items = items;
	heap->room = room;
	return true;
}

static void heap_push(struct heap *heap, struct datagram *item, uint64_t key)
{
	size_t i = heap->count;

	if (!make_room(heap)) {
		free(item);
		return;
	}
	item->key = key;
	heap->items[heap->count++] = item;
	for (; i > 0 && is_before(heap->items[i], heap->items[(i - 1) / 2]); i = (i - 1) / 2)
		swap(heap, i, (i - 1) / 2);
}

static struct datagram *heap_pop(struct heap *heap)
{
	struct datagram *first = heap->items[0];
	size_t i = 0;

	heap->items[0] = heap->items[--heap->count];
	for (;;) {
		size_t least = i;

		for (size_t j = 2 * i + 1; j <= 2 * i + 2 && j < heap->count; ++j) {
			if (is_before(heap->items[j], heap->items[least]))
				least = j;
		}
		if (least == i)
			return first;
		swap(heap, i, least);
		i = least;
	}
}

static void heap_done(struct heap *heap)
{
	while (heap->count > 0)
		free(heap_pop(heap));
	free(heap->items);
	*heap = (struct heap){ 0 };
}

/* --- a lane ---------------------------------------------------------------- */

void lane_done(struct lane *lane)
{
	heap_done(&lane->waiting);
	heap_done(&lane->held);
}

static void count_verdict(struct lane_counts *counts, const struct verdict *v, size_t len)
{
	++counts->in;
	++counts->fates[v->fate];
	counts->reordered += v->behind > 0;
	counts->duplicated += v->copies;
	counts->corrupted += v->bits > 0;
	counts->truncated += v->len < len;
}

static void let_go(struct lane *lane, uint64_t now)
{
	struct datagram *item = heap_pop(&lane->held);

	if (item->due < now) /* else it would overtake those that wait, where many came at once */
		item->due = now;
	item->order = lane->order++; /* after what came meanwhile and is due as early */
	heap_push(&lane->waiting, item, item->due);
}

/* A copy as the verdict leaves it, or NULL. */
static struct datagram *spoilt(const struct verdict *v, const uint8_t *data, uint8_t tos)
{
	struct datagram *item = malloc(sizeof(*item) + v->len);

	if (!item)
		return NULL;
	*item = (struct datagram){ .due = v->due, .len = v->len, .tos = tos };
	memcpy(item->data, data, v->len);
	impair_flip(v, item->data);
	return item;
}

enum impair_fate lane_put(struct lane *lane, uint64_t now, const uint8_t *data, size_t len,
			  uint8_t tos, size_t header)
{
	struct verdict v = impair_decide(&lane->impair, now, impair_type(data, len), len, header);
	uint64_t number = lane->impair.count;

	count_verdict(&lane->counts, &v, len);
	lane->last = now;
	for (uint32_t i = 0; v.fate == IMPAIR_PASSED && i <= v.copies; ++i) {
		struct datagram *item = spoilt(&v, data, tos);

		if (!item)
			break;
		item->order = lane->order++;
		if (v.behind)
			heap_push(&lane->held, item, number + v.behind);
		else
			heap_push(&lane->waiting, item, item->due);
	}
	while (lane->held.count > 0 && lane->held.items[0]->key <= number)
		let_go(lane, now);
	return v.fate;
}

struct datagram *lane_take(struct lane *lane, uint64_t now)
{
	while (lane->held.count > 0 && now >= lane->last + LANE_HOLD)
		let_go(lane, now);
	if (lane->waiting.count == 0 || lane->waiting.items[0]->key > now)
		return NULL;
	++lane->counts.out;
	return heap_pop(&lane->waiting);
}

uint64_t lane_next(const struct lane *lane)
{
	uint64_t next = lane->held.count > 0 ? lane->last + LANE_HOLD : UINT64_MAX;

	if (lane->waiting.count > 0 && lane->waiting.items[0]->key < next)
		next = lane->waiting.items[0]->key;
	return next;
}
