#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "config/peer_name.h"
#include "config/save_private.h"

enum { NONE = -1, A_NEW_ONE = -2 };

/* The sections of one public key, in the order of the file. */
struct group {
	size_t first; /* in peers.order */
	size_t count;
	const struct model_peer *running; /* NULL: it is gone */
	bool is_plain;                    /* one section, no signs */
	bool is_rewritten;                /* what it took and gave back leaves the file */
	bool is_edited;                   /* by somebody, since it became what runs */
};

/* One prefix as the file has it. */
struct mention {
	struct prefix prefix; /* masked */
	size_t peer;
	size_t row;
	bool live; /* nothing of the same peer behind it takes it back */
};

/* One prefix as the device has it. */
struct owned {
	struct prefix prefix;
	const struct model_peer *peer;
	long group;
};

struct peers {
	struct save *s;
	const struct tunnel *t;
	size_t *order; /* indices of the file's peers by key */
	long *group_of;
	struct group *groups;
	size_t group_count;
	struct mention *mentions; /* by prefix, then as in the file */
	size_t mention_count;
	struct owned *owned; /* by prefix */
	size_t owned_count;
	bool **keep; /* of each peer's rows: they stay */
};

bool save_has_key(const struct key_shared *key)
{
	uint8_t all = 0;

	for (size_t i = 0; i < sizeof(key->bytes); ++i)
		all |= key->bytes[i];
	return all;
}

/* Groups. */

static int compare_keys(const struct model *m, size_t a, size_t b)
{
	return memcmp(&m->peers[a].public_key, &m->peers[b].public_key,
		      sizeof(m->peers[a].public_key));
}

static int by_key(const void *a, const void *b, void *ctx)
{
	const size_t x = *(const size_t *)a, y = *(const size_t *)b;
	const int order = compare_keys(ctx, x, y);

	return order ? order : (x > y) - (x < y);
}

/* Indices of the peers of a model by key, equal ones as they stand. NULL: out of memory. */
static size_t *sorted_peers(const struct model *m)
{
	size_t *order = calloc(m->peer_count + 1, sizeof(*order));
	struct model copy = *m; /* of the struct: qsort_r wants it writable */

	for (size_t i = 0; order && i < m->peer_count; ++i)
		order[i] = i;
	if (order)
		qsort_r(order, m->peer_count, sizeof(*order), by_key, &copy);
	return order;
}

static bool has_signs(const struct tunnel_peer *p)
{
	for (size_t i = 0; i < p->allowed.count; ++i)
		if (p->allowed.rows[i].sign)
			return true;
	return false;
}

static void make_groups(struct peers *p)
{
	for (size_t i = 0; i < p->t->model.peer_count; ++i) {
		struct group *g = &p->groups[p->group_count];

		if (i > 0 && compare_keys(&p->t->model, p->order[i - 1], p->order[i]) == 0) {
			--g;
			++g->count;
			g->is_plain = false;
		} else {
			*g = (struct group){ .first = i, .count = 1, .is_plain = true };
			++p->group_count;
		}
		if (has_signs(&p->t->peers[p->order[i]]))
			g->is_plain = false;
		p->group_of[p->order[i]] = g - p->groups;
	}
}

/* What was edited. Peers of the file and of what it said before, both by key. */

static bool same_texts(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool same_lists(const struct model_peer *a, const struct model_peer *b)
{
	if (a->allowed_count != b->allowed_count || a->replace_allowed != b->replace_allowed)
		return false;
	for (size_t i = 0; i < a->allowed_count; ++i)
		if (!prefix_equal(&a->allowed[i].prefix, &b->allowed[i].prefix) ||
		    a->allowed[i].remove != b->allowed[i].remove)
			return false;
	return true;
}

static bool same_peer(const struct tunnel *a, size_t x, const struct tunnel *b, size_t y)
{
	const struct model_peer *m = &a->model.peers[x], *n = &b->model.peers[y];
	const struct tunnel_peer *p = &a->peers[x], *q = &b->peers[y];

	return memcmp(&m->preshared_key, &n->preshared_key, sizeof(m->preshared_key)) == 0 &&
	       m->keepalive == n->keepalive && same_lists(m, n) &&
	       same_texts(p->endpoint_host, q->endpoint_host) &&
	       p->endpoint_port == q->endpoint_port &&
	       same_texts(p->endpoint_service, q->endpoint_service);
}

/* The sections of a key, [*at, end) of the order; they come in the order of their keys. */
static size_t find_base(const struct tunnel *base, const size_t *order,
			const struct key_public *key, size_t *at)
{
	const struct model *m = &base->model;
	size_t end;

	while (*at < m->peer_count &&
	       memcmp(&m->peers[order[*at]].public_key, key, sizeof(*key)) < 0)
		++*at;
	for (end = *at; end < m->peer_count &&
			memcmp(&m->peers[order[end]].public_key, key, sizeof(*key)) == 0;)
		++end;
	return end;
}

static void find_edits(struct peers *p, const struct tunnel *base, const size_t *base_order)
{
	size_t at = 0;

	for (size_t i = 0; i < p->group_count; ++i) {
		struct group *g = &p->groups[i];
		const struct key_public *key = &p->t->model.peers[p->order[g->first]].public_key;
		const size_t end = find_base(base, base_order, key, &at);

		g->is_edited = end - at != g->count;
		for (size_t k = 0; k < g->count && !g->is_edited; ++k)
			g->is_edited =
				!same_peer(p->t, p->order[g->first + k], base, base_order[at + k]);
	}
}

/* A peer that somebody took out of the file is not new, although it runs. */
static void forget_dropped(struct peers *p, const struct tunnel *base, const size_t *base_order,
			   const size_t *device_order)
{
	const struct model *device = p->s->r->device;
	size_t at = 0;

	for (size_t i = 0; i < device->peer_count; ++i) {
		const size_t peer = device_order[i];

		if (p->s->is_new[peer] &&
		    find_base(base, base_order, &device->peers[peer].public_key, &at) > at)
			p->s->is_new[peer] = false;
	}
}

static bool see_edits(struct peers *p, const size_t *device_order)
{
	const struct tunnel *base = p->s->r->base;
	size_t *base_order;

	if (!base)
		return true;
	base_order = sorted_peers(&base->model);
	if (!base_order)
		return false;
	find_edits(p, base, base_order);
	forget_dropped(p, base, base_order, device_order);
	free(base_order);
	return true;
}

/* Both are sorted by key: which peer of the device is which group; the others are new. */
static void match_groups(struct peers *p, const size_t *device_order)
{
	const struct model *device = p->s->r->device, *file = &p->t->model;
	size_t at = 0;
	int order;

	for (size_t i = 0; i < device->peer_count; ++i) {
		const struct model_peer *d = &device->peers[device_order[i]];

		order = 1;
		while (at < p->group_count &&
		       (order = memcmp(&file->peers[p->order[p->groups[at].first]].public_key,
				       &d->public_key, sizeof(d->public_key))) < 0)
			++at;
		if (at < p->group_count && order == 0)
			p->groups[at].running = d;
		else
			p->s->is_new[device_order[i]] = true;
	}
}

/* Who has a prefix. */

static int compare_prefixes(const struct prefix *a, const struct prefix *b)
{
	const int order = memcmp(a->ip.bytes, b->ip.bytes, sizeof(a->ip.bytes));

	if (a->ip.family != b->ip.family)
		return a->ip.family < b->ip.family ? -1 : 1;
	return order ? order : (a->bits > b->bits) - (a->bits < b->bits);
}

static int compare_mentions(const void *a, const void *b)
{
	const struct mention *x = a, *y = b;
	const int order = compare_prefixes(&x->prefix, &y->prefix);

	if (order)
		return order;
	if (x->peer != y->peer)
		return x->peer < y->peer ? -1 : 1;
	return (x->row > y->row) - (x->row < y->row);
}

static int compare_owned(const void *a, const void *b)
{
	const struct owned *x = a, *y = b;

	return compare_prefixes(&x->prefix, &y->prefix);
}

/* Does something of the same peer behind this row take it back? Signs and peers that come twice are
 * rare: this may be slow for them. */
static bool is_taken_back(const struct peers *p, size_t place, size_t peer, size_t row,
			  const struct prefix *prefix)
{
	const struct group *g = &p->groups[p->group_of[peer]];

	for (; place < g->first + g->count; ++place, row = SIZE_MAX) {
		const struct model_peer *m = &p->t->model.peers[p->order[place]];
		const struct tunnel_prefixes *list = &p->t->peers[p->order[place]].allowed;

		if (p->order[place] != peer && m->replace_allowed)
			return true;
		for (size_t i = row + 1; i < list->count; ++i)
			if (list->rows[i].sign == '-' &&
			    compare_prefixes(&m->allowed[i].prefix, prefix) == 0)
				return true;
	}
	return false;
}

static size_t count_prefixes(const struct model *m)
{
	size_t count = 0;

	for (size_t i = 0; i < m->peer_count; ++i)
		count += m->peers[i].allowed_count;
	return count;
}

static void add_mentions(struct peers *p, size_t place)
{
	const size_t peer = p->order[place];
	const struct tunnel_prefixes *list = &p->t->peers[peer].allowed;
	const bool is_plain = p->groups[p->group_of[peer]].is_plain;

	for (size_t i = 0; i < list->count; ++i) {
		const struct prefix *prefix = &p->t->model.peers[peer].allowed[i].prefix;

		if (list->rows[i].sign == '-')
			continue;
		p->mentions[p->mention_count++] =
			(struct mention){ .prefix = *prefix,
					  .peer = peer,
					  .row = i,
					  .live = is_plain ||
						  !is_taken_back(p, place, peer, i, prefix) };
	}
}

static void list_mentions(struct peers *p)
{
	for (size_t i = 0; i < p->t->model.peer_count; ++i)
		add_mentions(p, i);
	qsort(p->mentions, p->mention_count, sizeof(*p->mentions), compare_mentions);
}

static void add_owned(struct peers *p, const struct model_peer *m, long group)
{
	for (size_t i = 0; i < m->allowed_count; ++i)
		p->owned[p->owned_count++] =
			(struct owned){ .prefix = m->allowed[i].prefix, .peer = m, .group = group };
}

static void list_owned(struct peers *p)
{
	const struct model *device = p->s->r->device;

	for (size_t i = 0; i < p->group_count; ++i)
		if (p->groups[i].running)
			add_owned(p, p->groups[i].running, (long)i);
	for (size_t i = 0; i < device->peer_count; ++i)
		if (p->s->is_new[i])
			add_owned(p, &device->peers[i], A_NEW_ONE);
	qsort(p->owned, p->owned_count, sizeof(*p->owned), compare_owned);
}

/* The group that has it, A_NEW_ONE or NONE. */
static long running_owner(const struct peers *p, const struct prefix *prefix)
{
	const struct owned like = { .prefix = *prefix };
	const struct owned *found = p->owned_count ? bsearch(&like, p->owned, p->owned_count,
							     sizeof(like), compare_owned)
						   : NULL;

	return found ? found->group : NONE;
}

/* The last one that mentions a prefix takes it from all others, also if it loses it again. */
static long file_owner(const struct peers *p, size_t first, size_t end)
{
	for (size_t i = end; i > first; --i) {
		const struct mention *m = &p->mentions[i - 1];
		const long group = p->group_of[m->peer];

		if (m->live)
			return group;
		if (!p->groups[group].is_rewritten)
			return NONE;
	}
	return NONE;
}

/* A prefix that another peer of the file has in the end may go on standing there, as long as that
 * is so. */
static void decide_mentions(struct peers *p)
{
	size_t end;

	for (size_t first = 0; first < p->mention_count; first = end) {
		const struct prefix *prefix = &p->mentions[first].prefix;
		long file, running;

		for (end = first + 1; end < p->mention_count &&
				      compare_prefixes(&p->mentions[end].prefix, prefix) == 0;)
			++end;
		file = file_owner(p, first, end);
		running = running_owner(p, prefix);
		for (size_t i = first; i < end; ++i) {
			const struct mention *m = &p->mentions[i];

			p->keep[m->peer][m->row] = file == running ||
						   p->group_of[m->peer] == running ||
						   p->groups[p->group_of[m->peer]].is_edited;
		}
	}
}

/* Does the group mention it so that it has it once it is the only one? */
static bool mentions_it(const struct peers *p, long group, const struct prefix *prefix)
{
	size_t low = 0, high = p->mention_count;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;

		if (compare_prefixes(&p->mentions[middle].prefix, prefix) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < p->mention_count && compare_prefixes(&p->mentions[low].prefix, prefix) == 0;
	     ++low)
		if (p->mentions[low].live && p->group_of[p->mentions[low].peer] == group)
			return true;
	return false;
}

/* Changes of one peer. */

static size_t section_of(const struct peers *p, size_t peer)
{
	return p->s->f->lines[p->t->peers[peer].at.line - 1].section;
}

/* The comments right above a section are its own, but for one that ends what stood before. */
static size_t begin_of(const struct config_file *f, size_t section)
{
	size_t at = f->sections[section].first;

	while (at > f->sections[section - 1].first + (section > 1) &&
	       f->lines[at - 1].kind == FILE_COMMENT && !peer_name_is_end(&f->lines[at - 1]))
		--at;
	return at;
}

/* Behind the last entry, the comments right below it and blank lines: what comes then is of the
 * file, or of the next one. */
static size_t end_of(const struct config_file *f, size_t section)
{
	const size_t next =
		section + 1 < f->section_count ? begin_of(f, section + 1) : f->line_count;
	size_t at = next;

	while (at > f->sections[section].first + 1 &&
	       (f->lines[at - 1].kind == FILE_BLANK || f->lines[at - 1].kind == FILE_COMMENT))
		--at;
	while (at < next && f->lines[at].kind == FILE_COMMENT)
		++at;
	while (at < next && f->lines[at].kind == FILE_BLANK)
		++at;
	return at;
}

static void drop_section(struct peers *p, size_t peer)
{
	const size_t section = section_of(p, peer);

	save_drop(p->s, begin_of(p->s->f, section), end_of(p->s->f, section));
}

static void set_preshared(struct peers *p, size_t peer, const struct model_peer *running)
{
	static const struct key_shared none;
	const struct model_peer *m = &p->t->model.peers[peer];
	const struct key_shared *file = m->has_preshared_key ? &m->preshared_key : &none;
	const bool has = save_has_key(&running->preshared_key);
	char text[TEXT_KEY_BASE64];

	if (memcmp(file, &running->preshared_key, sizeof(*file)) == 0 ||
	    (!save_has_key(file) && save_hooks_have(p->t, "preshared-key")))
		return;
	text_base64_from_key(running->preshared_key.bytes, text);
	save_set(p->s, section_of(p, peer), KEYS_PRESHARED_KEY, has ? text : NULL);
	explicit_bzero(text, sizeof(text));
}

static void set_keepalive(struct peers *p, size_t peer, const struct model_peer *running)
{
	const struct model_peer *m = &p->t->model.peers[peer];
	char text[16];

	if ((m->has_keepalive ? m->keepalive : 0) == running->keepalive)
		return;
	(void)snprintf(text, sizeof(text), "%u", running->keepalive); /* fits */
	save_set(p->s, section_of(p, peer), KEYS_KEEPALIVE, running->keepalive ? text : NULL);
}

/* A name stays: what it means may change, and it is looked up again. */
static void set_endpoint(struct peers *p, size_t peer, const struct model_peer *running)
{
	const struct model_peer *m = &p->t->model.peers[peer];
	char text[TEXT_ENDPOINT];

	if (!running->has_endpoint || (p->t->peers[peer].endpoint_host && !m->has_endpoint) ||
	    (m->has_endpoint && endpoint_equal(&m->endpoint, &running->endpoint)))
		return;
	text_from_endpoint(&running->endpoint, text);
	save_set(p->s, section_of(p, peer), KEYS_ENDPOINT, text);
}

static void edit_allowed(struct peers *p, size_t peer, const struct group *g, bool all)
{
	const struct model_peer *running = g->running;
	struct prefix *more = calloc(running->allowed_count + 1, sizeof(*more));
	struct save_list list = { .id = KEYS_ALLOWED_IPS,
				  .section = section_of(p, peer),
				  .rows = &p->t->peers[peer].allowed,
				  .keep = p->keep[peer],
				  .more = more };

	for (size_t i = 0; more && i < running->allowed_count; ++i) {
		const struct prefix *prefix = &running->allowed[i].prefix;

		if (all || !mentions_it(p, g - p->groups, prefix))
			more[list.more_count++] = *prefix;
	}
	if (more && (list.more_count || list.rows->count))
		save_list(p->s, &list);
	p->s->failed = p->s->failed || !more;
	free(more);
}

static void edit_peer(struct peers *p, size_t peer, const struct group *g, bool all)
{
	set_preshared(p, peer, g->running);
	edit_allowed(p, peer, g, all);
	set_endpoint(p, peer, g->running);
	set_keepalive(p, peer, g->running);
}

/* What several sections of one key say together, its prefixes aside. */
static struct model_peer effect_of(const struct peers *p, const struct group *g, bool *ret_name)
{
	struct model_peer all = { 0 };

	*ret_name = false;
	for (size_t i = g->first; i < g->first + g->count; ++i) {
		const struct model_peer *m = &p->t->model.peers[p->order[i]];

		if (m->has_preshared_key)
			all.preshared_key = m->preshared_key;
		if (m->has_keepalive)
			all.keepalive = m->keepalive;
		if (p->t->peers[p->order[i]].endpoint_host)
			*ret_name = !m->has_endpoint;
		if (m->has_endpoint) {
			all.has_endpoint = true;
			all.endpoint = m->endpoint;
		}
	}
	return all;
}

static bool has_same_allowed(const struct peers *p, const struct group *g)
{
	for (size_t i = 0; i < g->running->allowed_count; ++i)
		if (!mentions_it(p, g - p->groups, &g->running->allowed[i].prefix))
			return false;
	for (size_t i = g->first; i < g->first + g->count; ++i)
		for (size_t k = 0; k < p->t->peers[p->order[i]].allowed.count; ++k)
			if (p->t->peers[p->order[i]].allowed.rows[k].sign != '-' &&
			    !p->keep[p->order[i]][k])
				return false;
	return true;
}

static bool is_unchanged(const struct peers *p, const struct group *g)
{
	bool has_name;
	struct model_peer file = effect_of(p, g, &has_name);
	const struct model_peer *m = g->running;
	const bool same =
		(memcmp(&file.preshared_key, &m->preshared_key, sizeof(m->preshared_key)) == 0 ||
		 (!save_has_key(&file.preshared_key) && save_hooks_have(p->t, "preshared-key"))) &&
		file.keepalive == m->keepalive &&
		(has_name || !m->has_endpoint ||
		 (file.has_endpoint && endpoint_equal(&file.endpoint, &m->endpoint)));

	explicit_bzero(&file, sizeof(file));
	return same && has_same_allowed(p, g);
}

/* Signs, or several sections: what changed is told in one, without signs. */
static void rewrite_group(struct peers *p, const struct group *g)
{
	const size_t last = p->order[g->first + g->count - 1];

	for (size_t i = g->first; i + 1 < g->first + g->count; ++i)
		drop_section(p, p->order[i]);
	memset(p->keep[last], 0, p->t->peers[last].allowed.count * sizeof(**p->keep));
	edit_peer(p, last, g, true);
}

/* One that is rewritten may leave prefixes to others, which have to be looked at again. */
static void decide(struct peers *p)
{
	bool again = true;

	while (again) {
		decide_mentions(p);
		again = false;
		for (size_t i = 0; i < p->group_count; ++i) {
			struct group *g = &p->groups[i];

			if (g->is_rewritten || g->is_edited ||
			    (g->running && (g->is_plain || is_unchanged(p, g))))
				continue;
			g->is_rewritten = true;
			again = true;
		}
	}
}

static void edit_group(struct peers *p, const struct group *g)
{
	if (g->is_edited)
		return;
	if (!g->running) {
		for (size_t i = g->first; i < g->first + g->count; ++i)
			drop_section(p, p->order[i]);
	} else if (g->is_plain) {
		edit_peer(p, p->order[g->first], g, false);
	} else if (g->is_rewritten) {
		rewrite_group(p, g);
	}
}

/* Room for all of it. */
static bool peers_init(struct peers *p, struct save *s)
{
	const size_t count = s->t->model.peer_count;
	bool done;

	*p = (struct peers){ .s = s, .t = s->t };
	p->order = sorted_peers(&s->t->model);
	p->group_of = calloc(count + 1, sizeof(*p->group_of));
	p->groups = calloc(count + 1, sizeof(*p->groups));
	p->mentions = calloc(count_prefixes(&s->t->model) + 1, sizeof(*p->mentions));
	p->owned = calloc(count_prefixes(s->r->device) + 1, sizeof(*p->owned));
	p->keep = calloc(count + 1, sizeof(*p->keep));
	done = p->order && p->group_of && p->groups && p->mentions && p->owned && p->keep;
	for (size_t i = 0; done && i < count; ++i) {
		p->keep[i] = calloc(s->t->peers[i].allowed.count + 1, sizeof(**p->keep));
		done = p->keep[i];
	}
	return done;
}

static void peers_done(struct peers *p)
{
	for (size_t i = 0; p->keep && i < p->t->model.peer_count; ++i)
		free(p->keep[i]);
	free(p->keep);
	free(p->owned);
	free(p->mentions);
	free(p->groups);
	free(p->group_of);
	free(p->order);
}

void save_peers(struct save *s)
{
	size_t *device_order = sorted_peers(s->r->device);
	struct peers p;

	if (peers_init(&p, s) && device_order) {
		make_groups(&p);
		match_groups(&p, device_order);
		s->failed = s->failed || !see_edits(&p, device_order);
		list_mentions(&p);
		list_owned(&p);
		decide(&p);
		for (size_t i = 0; i < p.group_count; ++i)
			edit_group(&p, &p.groups[i]);
	} else {
		s->failed = true;
	}
	peers_done(&p);
	free(device_order);
}
