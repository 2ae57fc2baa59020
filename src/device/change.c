#include "device/change.h"

#include <time.h>

/* What may be done in one hold of the lock. */
enum {
	SHORT = 64, /* prefixes and peers that change */
	SLICE = 32, /* peers that are looked at or ended */
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static void enter(struct change *ch)
{
	pthread_mutex_lock(ch->lock);
	ch->held = now_ns();
}

static void leave(struct change *ch)
{
	const uint64_t held = now_ns() - ch->held;

	pthread_mutex_unlock(ch->lock);
	if (held > ch->longest)
		ch->longest = held;
}

/* What a short change holds the lock for all the time, a long one takes it for. */
static void enter_if_aside(struct change *ch)
{
	if (ch->is_aside)
		enter(ch);
}

static void leave_if_aside(struct change *ch)
{
	if (ch->is_aside)
		leave(ch);
}

/* A peer that the patch removes may come again in the same patch, and is a new one then. */
static bool removes_any(const struct model *patch)
{
	for (size_t i = 0; i < patch->peer_count; ++i)
		if (patch->peers[i].remove)
			return true;
	return false;
}

/* How much changes, up to SHORT + 1. */
static size_t measure(const struct core *c, const struct model *patch)
{
	size_t n = 0;

	for (size_t i = 0; i < patch->peer_count && n <= SHORT; ++i) {
		const struct model_peer *row = &patch->peers[i];
		const struct peer *p = core_find_peer(c, &row->public_key);

		n += 1 + row->allowed_count;
		if (p && (row->remove || row->replace_allowed))
			n += core_allowed_count(p);
	}
	return n;
}

bool change_reserve(struct change *ch, struct core *core, pthread_mutex_t *lock,
		    const struct model *patch)
{
	const bool removes = removes_any(patch);
	size_t peers = 0, prefixes = 0;

	*ch = (struct change){ .core = core, .lock = lock, .patch = patch };
	for (size_t i = 0; i < patch->peer_count; ++i) {
		const struct model_peer *p = &patch->peers[i];

		if (p->remove)
			continue;
		prefixes += p->allowed_count;
		peers += removes || !core_find_peer(core, &p->public_key);
	}
	ch->is_aside = patch->replace_peers || core_is_worn(core) || measure(core, patch) > SHORT;
	if (ch->is_aside)
		return core_reserve_aside(core, peers, prefixes, !patch->replace_peers);
	return core_reserve(core, peers, prefixes);
}

void change_release(struct change *ch)
{
	core_release(ch->core);
}

static void apply_allowed(struct core *c, struct peer *p, const struct model_peer *row)
{
	if (row->replace_allowed)
		core_disallow_all(c, p);
	for (size_t i = 0; i < row->allowed_count; ++i) {
		const struct model_allowed *a = &row->allowed[i];

		if (a->remove)
			core_disallow(c, p, &a->prefix);
		else
			core_allow(c, p, &a->prefix);
	}
}

static void remove_peer(struct change *ch, struct moment now, struct peer *p)
{
	if (ch->is_aside)
		core_retire_peer(ch->core, p);
	else
		core_remove_peer(ch->core, now, p);
}

/* What a worker may look at right now, or the schedule. */
static void apply_visible(struct change *ch, struct moment now, struct peer *p,
			  const struct model_peer *row, bool is_kept)
{
	enter_if_aside(ch);
	if (row->has_endpoint)
		core_set_endpoint(p, &row->endpoint);
	if (row->has_keepalive || is_kept)
		core_set_keepalive(ch->core, now, p, row->has_keepalive ? row->keepalive : 0);
	core_peer_changed(ch->core, now, p);
	leave_if_aside(ch);
}

static void apply_peer(struct change *ch, struct moment now, const struct model_peer *row)
{
	static const struct key_shared no_psk;
	struct peer *p = core_find_peer(ch->core, &row->public_key);
	const bool is_kept = p && core_is_former(p);

	/* Whoever is former does not exist for a row that would not make it. */
	if (is_kept && (row->remove || row->update_only))
		return;
	if (row->remove) {
		if (p)
			remove_peer(ch, now, p);
		return;
	}
	if (is_kept)
		core_keep_peer(ch->core, p);
	if (!p && !row->update_only)
		p = core_add_peer(ch->core, &row->public_key);
	if (!p)
		return;
	if (row->has_preshared_key || is_kept)
		core_set_psk(p, row->has_preshared_key ? &row->preshared_key : &no_psk);
	apply_allowed(ch->core, p, row);
	apply_visible(ch, now, p, row, is_kept);
}

static void apply_peers(struct change *ch, struct moment now)
{
	for (size_t i = 0; i < ch->patch->peer_count; ++i)
		apply_peer(ch, now, &ch->patch->peers[i]);
}

static void apply_short(struct change *ch, struct moment now)
{
	enter(ch);
	apply_peers(ch, now);
	leave(ch);
}

static void apply_aside(struct change *ch, struct moment now)
{
	bool more = true;

	core_begin_aside(ch->core, !ch->patch->replace_peers);
	apply_peers(ch, now);
	core_prepare(ch->core);
	enter(ch);
	core_publish(ch->core);
	leave(ch);
	while (more) {
		enter(ch);
		more = core_bury(ch->core, now, SLICE);
		leave(ch);
	}
	core_clean(ch->core);
}

void change_apply(struct change *ch, struct moment now)
{
	if (ch->is_aside)
		apply_aside(ch, now);
	else
		apply_short(ch, now);
	core_release(ch->core);
}

void change_identity(struct change *ch, struct moment now, const struct noise_local *local,
		     uint64_t floor)
{
	struct peer *at = NULL;
	bool more;

	enter(ch);
	more = core_begin_identity(ch->core, now, local, floor);
	leave(ch);
	while (more) {
		enter(ch);
		more = core_sweep_identity(ch->core, now, &at, SLICE);
		leave(ch);
	}
}

void change_sources(struct change *ch)
{
	struct peer *at = NULL;
	bool more = true;

	while (more) {
		enter(ch);
		more = core_sweep_sources(ch->core, &at, SLICE);
		leave(ch);
	}
}
