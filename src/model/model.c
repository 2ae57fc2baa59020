#include "model/model.h"

#include <stdlib.h>
#include <string.h>

enum { PEERS_MIN = 8, ALLOWED_MIN = 2 };

static void wipe_and_free(void *p, size_t len)
{
	if (p)
		explicit_bzero(p, len);
	free(p);
}

/* A bigger copy, or NULL. Not realloc: it may leave a copy of a key behind. */
static void *move_array(void *old, size_t size, size_t count, size_t room)
{
	void *moved = calloc(room, size);

	if (!moved)
		return NULL;
	if (count)
		memcpy(moved, old, count * size);
	wipe_and_free(old, count * size);
	return moved;
}

void model_init(struct model *m)
{
	*m = (struct model){ 0 };
}

void model_done(struct model *m)
{
	for (size_t i = 0; i < m->peer_count; ++i)
		free(m->peers[i].allowed);
	wipe_and_free(m->peers, m->peer_room * sizeof(*m->peers));
	explicit_bzero(m, sizeof(*m));
}

struct model_peer *model_add_peer(struct model *m)
{
	if (m->peer_count == m->peer_room) {
		const size_t room = m->peer_room ? 2 * m->peer_room : PEERS_MIN;
		void *moved = move_array(m->peers, sizeof(*m->peers), m->peer_count, room);

		if (!moved)
			return NULL;
		m->peers = moved;
		m->peer_room = room;
	}
	m->peers[m->peer_count] = (struct model_peer){ 0 };
	return &m->peers[m->peer_count++];
}

bool model_add_allowed(struct model_peer *p, const struct prefix *prefix, bool remove)
{
	if (p->allowed_count == p->allowed_room) {
		const size_t room = p->allowed_room ? 2 * p->allowed_room : ALLOWED_MIN;
		void *moved = move_array(p->allowed, sizeof(*p->allowed), p->allowed_count, room);

		if (!moved)
			return false;
		p->allowed = moved;
		p->allowed_room = room;
	}
	p->allowed[p->allowed_count++] =
		(struct model_allowed){ .prefix = *prefix, .remove = remove };
	return true;
}
