#include "model/sync.h"

#include <stdlib.h>
#include <string.h>

/* By key; equal ones as they stand. */
static int compare(const void *a, const void *b)
{
	const struct model_peer *const *pa = a, *const *pb = b;
	const int order = memcmp(&(*pa)->public_key, &(*pb)->public_key, sizeof((*pa)->public_key));

	return order ? order : (*pa > *pb) - (*pa < *pb);
}

static struct model_peer **sorted(const struct model *m)
{
	struct model_peer **list = calloc(m->peer_count + 1, sizeof(*list));

	for (size_t i = 0; list && i < m->peer_count; ++i)
		list[i] = &m->peers[i];
	if (list)
		qsort(list, m->peer_count, sizeof(*list), compare);
	return list;
}

static bool is_zero(const struct key_shared *key)
{
	uint8_t all = 0;

	for (size_t i = 0; i < sizeof(key->bytes); ++i)
		all |= key->bytes[i];
	return !all;
}

/* What it has and is not wanted any more. */
static void clear_rest(struct model_peer *wanted, const struct model_peer *running)
{
	if (!wanted->has_preshared_key && !is_zero(&running->preshared_key))
		wanted->has_preshared_key = true; /* of zeroes */
	if (!wanted->has_keepalive && running->keepalive)
		wanted->has_keepalive = true;
}

/* Keeps of the sorted running peers those that are not wanted; gives their number. */
static size_t match(struct model_peer **wanted, size_t wanted_count, struct model_peer **running,
		    size_t running_count)
{
	size_t at = 0, kept = 0;

	for (size_t i = 0; i < running_count; ++i) {
		int order = 1;

		while (at < wanted_count &&
		       (order = memcmp(&wanted[at]->public_key, &running[i]->public_key,
				       sizeof(wanted[at]->public_key))) < 0)
			++at;
		if (at < wanted_count && order == 0)
			clear_rest(wanted[at], running[i]);
		else
			running[kept++] = running[i];
	}
	return kept;
}

/* Puts removals before all other peers. */
static bool prepend(struct model *m, struct model_peer *const *gone, size_t count)
{
	const size_t room = m->peer_count + count;
	struct model_peer *peers = calloc(room, sizeof(*peers));

	if (!peers)
		return false;
	for (size_t i = 0; i < count; ++i) {
		peers[i].public_key = gone[count - 1 - i]->public_key;
		peers[i].remove = true;
	}
	memcpy(peers + count, m->peers, m->peer_count * sizeof(*peers));
	explicit_bzero(m->peers, m->peer_count * sizeof(*peers));
	free(m->peers);
	m->peers = peers;
	m->peer_count = room;
	m->peer_room = room;
	return true;
}

bool model_sync(struct model *wanted, const struct model *running)
{
	struct model_peer **mine, **theirs;
	size_t gone;
	bool ok = false;

	if (!wanted->peer_count || !running->peer_count)
		return true;
	mine = sorted(wanted);
	theirs = sorted(running);
	if (mine && theirs) {
		gone = match(mine, wanted->peer_count, theirs, running->peer_count);
		ok = prepend(wanted, theirs, gone);
	}
	if (ok)
		wanted->replace_peers = false;
	free(theirs);
	free(mine);
	return ok;
}
