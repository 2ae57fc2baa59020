#include "model/difference.h"

#include <stdlib.h>
#include <string.h>

/* A prefix and whose it is: an index into the peers of a model. */
struct claim {
	struct prefix prefix;
	size_t peer;
};

struct claims {
	struct claim *rows; /* by prefix, each once */
	size_t count;
};

struct side {
	const struct model *m;
	size_t *order; /* its peers by key, each key once: the last of equal ones */
	size_t count;
	struct claims claims;
};

struct difference {
	struct side wanted;
	struct side running;
	size_t *match;              /* of each wanted peer: the running one, or SIZE_MAX */
	size_t *back;               /* of each running peer: the wanted one, or SIZE_MAX */
	bool *loses;                /* each running peer: a prefix, to nobody */
	struct model_peer *changed; /* each wanted peer's patch, and whether there is one */
	bool *is_changed;
};

static int compare_keys(const void *a, const void *b, void *ctx)
{
	const size_t x = *(const size_t *)a, y = *(const size_t *)b;
	const struct model_peer *peers = ctx;
	const int order =
		memcmp(&peers[x].public_key, &peers[y].public_key, sizeof(peers[x].public_key));

	return order ? order : (x > y) - (x < y);
}

static bool same_key(const struct model_peer *a, const struct model_peer *b)
{
	return memcmp(&a->public_key, &b->public_key, sizeof(a->public_key)) == 0;
}

static bool sort_peers(struct side *s)
{
	size_t kept = 0;

	s->order = calloc(s->m->peer_count + 1, sizeof(*s->order));
	if (!s->order)
		return false;
	for (size_t i = 0; i < s->m->peer_count; ++i)
		s->order[i] = i;
	qsort_r(s->order, s->m->peer_count, sizeof(*s->order), compare_keys, s->m->peers);
	for (size_t i = 0; i < s->m->peer_count; ++i) {
		if (kept && same_key(&s->m->peers[s->order[kept - 1]], &s->m->peers[s->order[i]]))
			--kept;
		s->order[kept++] = s->order[i];
	}
	s->count = kept;
	return true;
}

static int compare_prefixes(const struct prefix *a, const struct prefix *b)
{
	const int order = memcmp(a->ip.bytes, b->ip.bytes, sizeof(a->ip.bytes));

	if (a->ip.family != b->ip.family)
		return a->ip.family < b->ip.family ? -1 : 1;
	return order ? order : (a->bits > b->bits) - (a->bits < b->bits);
}

static int compare_claims(const void *a, const void *b)
{
	const struct claim *x = a, *y = b;
	const int order = compare_prefixes(&x->prefix, &y->prefix);

	return order ? order : (x->peer > y->peer) - (x->peer < y->peer);
}

/* Of two peers that claim the same the later one has it. */
static bool sort_claims(struct side *s)
{
	struct claims *c = &s->claims;
	size_t total = 0, kept = 0;

	for (size_t i = 0; i < s->count; ++i)
		total += s->m->peers[s->order[i]].allowed_count;
	c->rows = calloc(total + 1, sizeof(*c->rows));
	if (!c->rows)
		return false;
	for (size_t i = 0; i < s->count; ++i) {
		const struct model_peer *p = &s->m->peers[s->order[i]];

		for (size_t k = 0; k < p->allowed_count; ++k)
			c->rows[c->count++] = (struct claim){ p->allowed[k].prefix, s->order[i] };
	}
	qsort(c->rows, c->count, sizeof(*c->rows), compare_claims);
	for (size_t i = 0; i < c->count; ++i) {
		if (kept && compare_prefixes(&c->rows[kept - 1].prefix, &c->rows[i].prefix) == 0)
			--kept;
		c->rows[kept++] = c->rows[i];
	}
	c->count = kept;
	return true;
}

static void match_peers(struct difference *d)
{
	const struct side *w = &d->wanted, *r = &d->running;
	size_t k = 0;

	for (size_t i = 0; i < w->m->peer_count; ++i)
		d->match[i] = SIZE_MAX;
	for (size_t i = 0; i < r->m->peer_count; ++i)
		d->back[i] = SIZE_MAX;
	for (size_t i = 0; i < w->count; ++i) {
		const struct model_peer *p = &w->m->peers[w->order[i]];

		while (k < r->count && memcmp(&r->m->peers[r->order[k]].public_key, &p->public_key,
					      sizeof(p->public_key)) < 0)
			++k;
		if (k == r->count || !same_key(&r->m->peers[r->order[k]], p))
			continue;
		d->match[w->order[i]] = r->order[k];
		d->back[r->order[k]] = w->order[i];
	}
}

static bool start(struct difference *d)
{
	const size_t wanted = d->wanted.m->peer_count, running = d->running.m->peer_count;

	d->match = calloc(wanted + 1, sizeof(*d->match));
	d->back = calloc(running + 1, sizeof(*d->back));
	d->loses = calloc(running + 1, sizeof(*d->loses));
	d->changed = calloc(wanted + 1, sizeof(*d->changed));
	d->is_changed = calloc(wanted + 1, sizeof(*d->is_changed));
	return d->match && d->back && d->loses && d->changed && d->is_changed &&
	       sort_peers(&d->wanted) && sort_peers(&d->running) && sort_claims(&d->wanted) &&
	       sort_claims(&d->running);
}

static void end(struct difference *d)
{
	for (size_t i = 0; d->changed && i < d->wanted.m->peer_count; ++i)
		free(d->changed[i].allowed);
	if (d->changed)
		explicit_bzero(d->changed, d->wanted.m->peer_count * sizeof(*d->changed));
	free(d->match);
	free(d->back);
	free(d->loses);
	free(d->changed);
	free(d->is_changed);
	free(d->wanted.order);
	free(d->running.order);
	free(d->wanted.claims.rows);
	free(d->running.claims.rows);
}

/* Prefixes that nobody shall have and a peer that stays has: its list comes anew. */
static void find_losers(struct difference *d)
{
	const struct claims *w = &d->wanted.claims, *r = &d->running.claims;
	size_t k = 0;

	for (size_t i = 0; i < r->count; ++i) {
		while (k < w->count && compare_prefixes(&w->rows[k].prefix, &r->rows[i].prefix) < 0)
			++k;
		if (k == w->count || compare_prefixes(&w->rows[k].prefix, &r->rows[i].prefix) != 0)
			d->loses[r->rows[i].peer] = true;
	}
}

static const struct claim *find_claim(const struct claims *c, const struct prefix *p)
{
	size_t low = 0, high = c->count;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;

		if (compare_prefixes(&c->rows[middle].prefix, p) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < c->count && compare_prefixes(&c->rows[low].prefix, p) == 0 ? &c->rows[low]
										: NULL;
}

/* Does the peer have this prefix in the end, and not yet? */
static bool gains(const struct difference *d, size_t peer, const struct prefix *prefix)
{
	const struct claim *now = find_claim(&d->running.claims, prefix);

	return find_claim(&d->wanted.claims, prefix)->peer == peer &&
	       (!now || now->peer != d->match[peer]);
}

static bool add_allowed(struct difference *d, size_t peer)
{
	const struct model_peer *p = &d->wanted.m->peers[peer];
	struct model_peer *patch = &d->changed[peer];

	for (size_t i = 0; i < p->allowed_count; ++i)
		if (gains(d, peer, &p->allowed[i].prefix) &&
		    !model_add_allowed(patch, &p->allowed[i].prefix, false))
			return false;
	d->is_changed[peer] = d->is_changed[peer] || patch->allowed_count;
	return true;
}

static void change_secrets(struct difference *d, size_t peer, bool keep_preshared)
{
	static const struct model_peer none;
	const struct model_peer *p = &d->wanted.m->peers[peer];
	const struct model_peer *now =
		d->match[peer] == SIZE_MAX ? &none : &d->running.m->peers[d->match[peer]];
	struct model_peer *patch = &d->changed[peer];

	patch->preshared_key = p->has_preshared_key ? p->preshared_key : none.preshared_key;
	patch->has_preshared_key = memcmp(&patch->preshared_key, &now->preshared_key,
					  sizeof(now->preshared_key)) != 0 &&
				   (p->has_preshared_key || !keep_preshared);
	patch->keepalive = p->has_keepalive ? p->keepalive : 0;
	patch->has_keepalive = patch->keepalive != now->keepalive;
	patch->endpoint = p->endpoint;
	patch->has_endpoint = p->has_endpoint &&
			      !(now->has_endpoint && endpoint_equal(&p->endpoint, &now->endpoint));
	d->is_changed[peer] = d->match[peer] == SIZE_MAX || patch->has_preshared_key ||
			      patch->has_keepalive || patch->has_endpoint;
}

static bool compare_peers(struct difference *d, bool keep_preshared)
{
	find_losers(d);
	for (size_t i = 0; i < d->wanted.count; ++i) {
		const size_t peer = d->wanted.order[i];

		d->changed[peer].public_key = d->wanted.m->peers[peer].public_key;
		change_secrets(d, peer, keep_preshared);
		if (!add_allowed(d, peer))
			return false;
	}
	return true;
}

/* What takes from others first, then who loses something, then who goes: what moves is never
 * nobody's. */
static bool put_changes(struct difference *d, struct model *ret)
{
	for (size_t i = 0; i < d->wanted.m->peer_count; ++i) {
		struct model_peer *from = &d->changed[i], *to;

		if (!d->is_changed[i])
			continue;
		to = model_add_peer(ret);
		if (!to)
			return false;
		*to = *from;
		explicit_bzero(from, sizeof(*from));
	}
	return true;
}

static bool put_list_anew(const struct difference *d, size_t peer, struct model *ret)
{
	const struct model_peer *p = &d->wanted.m->peers[peer];
	struct model_peer *to = model_add_peer(ret);

	if (!to)
		return false;
	to->public_key = p->public_key;
	to->replace_allowed = true;
	for (size_t i = 0; i < p->allowed_count; ++i)
		if (find_claim(&d->wanted.claims, &p->allowed[i].prefix)->peer == peer &&
		    !model_add_allowed(to, &p->allowed[i].prefix, false))
			return false;
	return true;
}

static bool put_lists(const struct difference *d, struct model *ret)
{
	for (size_t i = 0; i < d->wanted.count; ++i) {
		const size_t peer = d->wanted.order[i];

		if (d->match[peer] != SIZE_MAX && d->loses[d->match[peer]] &&
		    !put_list_anew(d, peer, ret))
			return false;
	}
	return true;
}

static bool put_removals(const struct difference *d, struct model *ret)
{
	for (size_t i = 0; i < d->running.count; ++i) {
		const size_t peer = d->running.order[i];
		struct model_peer *to;

		if (d->back[peer] != SIZE_MAX)
			continue;
		to = model_add_peer(ret);
		if (!to)
			return false;
		to->public_key = d->running.m->peers[peer].public_key;
		to->remove = true;
	}
	return true;
}

/* A device shows its key clamped. */
static bool same_private(const struct key_private *a, const struct key_private *b)
{
	return memcmp(a->bytes + 1, b->bytes + 1, KEY_LEN - 2) == 0 &&
	       (a->bytes[0] & 0xf8) == (b->bytes[0] & 0xf8) &&
	       (a->bytes[KEY_LEN - 1] | 0xc0) == (b->bytes[KEY_LEN - 1] | 0xc0);
}

static void compare_device(const struct model *wanted, const struct model *running,
			   struct model *ret)
{
	ret->private_key = wanted->private_key;
	ret->has_private_key = wanted->has_private_key &&
			       !(running->has_private_key &&
				 same_private(&wanted->private_key, &running->private_key));
	ret->listen_port = wanted->listen_port;
	ret->has_listen_port = wanted->has_listen_port && wanted->listen_port &&
			       wanted->listen_port != running->listen_port;
	ret->fwmark = wanted->fwmark;
	ret->has_fwmark = wanted->has_fwmark && wanted->fwmark != running->fwmark;
	if (!ret->has_private_key)
		explicit_bzero(&ret->private_key, sizeof(ret->private_key));
}

bool model_difference(const struct model *wanted, const struct model *running, bool keep_preshared,
		      struct model *ret)
{
	struct difference d = { .wanted = { .m = wanted }, .running = { .m = running } };
	bool done = start(&d);

	if (done) {
		match_peers(&d);
		compare_device(wanted, running, ret);
		done = compare_peers(&d, keep_preshared) && put_changes(&d, ret) &&
		       put_lists(&d, ret) && put_removals(&d, ret);
	}
	end(&d);
	return done;
}

bool model_is_empty(const struct model *patch)
{
	return !patch->has_private_key && !patch->has_listen_port && !patch->has_fwmark &&
	       !patch->replace_peers && !patch->peer_count;
}
