#include "device/ring.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int ring_init(struct ring *r, size_t room)
{
	memset(r, 0, sizeof(*r));
	r->room = room;
	r->entries = calloc(room, sizeof(*r->entries));
	if (!r->entries)
		return -ENOMEM;
	pthread_mutex_init(&r->lock, NULL);
	return 0;
}

void ring_done(struct ring *r)
{
	if (!r->entries)
		return;
	free(r->entries);
	pthread_mutex_destroy(&r->lock);
	r->entries = NULL;
}

bool ring_push(struct ring *r, const uint8_t *bytes, size_t len, const struct endpoint *from,
	       const struct source *to)
{
	bool fits;

	pthread_mutex_lock(&r->lock);
	fits = r->used < r->room;
	if (fits) {
		struct ring_entry *e = &r->entries[(r->first + r->used++) % r->room];

		memcpy(e->bytes, bytes, len);
		e->len = len;
		e->from = *from;
		e->to = *to;
	}
	pthread_mutex_unlock(&r->lock);
	return fits;
}

bool ring_take(struct ring *r, struct ring_entry *ret)
{
	bool any;

	pthread_mutex_lock(&r->lock);
	any = r->used > 0;
	if (any) {
		*ret = r->entries[r->first];
		--r->used;
		r->first = r->used ? (r->first + 1) % r->room : 0;
	}
	pthread_mutex_unlock(&r->lock);
	return any;
}

size_t ring_backlog(struct ring *r)
{
	size_t used;

	pthread_mutex_lock(&r->lock);
	used = r->used;
	pthread_mutex_unlock(&r->lock);
	return used;
}
