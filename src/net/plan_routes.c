#include <stdlib.h>
#include <string.h>

#include "net/plan_private.h"

struct claim {
	struct prefix prefix;
	size_t peer;
	size_t order;
	bool remove;
};

struct claims {
	struct claim *rows;
	size_t count;
};

struct named {
	const struct key_public *key;
	size_t peer;
};

static int compare_named(const void *a, const void *b)
{
	const struct named *x = a, *y = b;
	const int keys = memcmp(x->key, y->key, sizeof(*x->key));

	return keys ? keys : x->peer < y->peer ? -1 : 1;
}

/*
 * A peer that comes twice is one peer on the device, and its second section may begin its allowed
 * IPs anew. NULL: out of memory; else a flag for each peer, the caller's to free.
 */
static bool *forgotten_peers(const struct model *m)
{
	struct named *names = calloc(m->peer_count + 1, sizeof(*names));
	bool *forgotten = calloc(m->peer_count + 1, sizeof(*forgotten));

	if (!names || !forgotten) {
		free(names);
		free(forgotten);
		return NULL;
	}
	for (size_t i = 0; i < m->peer_count; ++i)
		names[i] = (struct named){ &m->peers[i].public_key, i };
	qsort(names, m->peer_count, sizeof(*names), compare_named);
	for (size_t i = m->peer_count; i-- > 1;) {
		const size_t peer = names[i].peer;

		if (memcmp(names[i].key, names[i - 1].key, sizeof(*names[i].key)) == 0)
			forgotten[names[i - 1].peer] = m->peers[peer].replace_allowed ||
						       m->peers[peer].remove || forgotten[peer];
	}
	free(names);
	return forgotten;
}

static int compare_claims(const void *a, const void *b)
{
	const struct claim *x = a, *y = b;
	const int bytes =
		memcmp(x->prefix.ip.bytes, y->prefix.ip.bytes, sizeof(x->prefix.ip.bytes));

	if (x->prefix.ip.family != y->prefix.ip.family)
		return x->prefix.ip.family < y->prefix.ip.family ? -1 : 1;
	if (x->prefix.bits != y->prefix.bits)
		return x->prefix.bits < y->prefix.bits ? -1 : 1;
	return bytes ? bytes : x->order < y->order ? -1 : 1;
}

static bool collect_claims(const struct model *m, struct claims *ret)
{
	bool *forgotten = forgotten_peers(m);
	size_t count = 0;

	*ret = (struct claims){ 0 };
	if (!forgotten)
		return false;
	for (size_t i = 0; i < m->peer_count; ++i)
		count += m->peers[i].allowed_count;
	ret->rows = calloc(count + 1, sizeof(*ret->rows));
	for (size_t i = 0; ret->rows && i < m->peer_count; ++i)
		for (size_t j = 0;
		     !forgotten[i] && !m->peers[i].remove && j < m->peers[i].allowed_count; ++j) {
			const struct model_allowed *a = &m->peers[i].allowed[j];

			ret->rows[ret->count] =
				(struct claim){ a->prefix, i, ret->count, a->remove };
			++ret->count;
		}
	free(forgotten);
	return ret->rows != NULL;
}

/* Rows from..to are claims to one network: does anybody hold it in the end? */
static bool is_held(const struct claim *from, const struct claim *to, const struct model *m)
{
	const struct claim *holder = NULL;

	for (; from < to; ++from)
		if (!from->remove)
			holder = from;
		else if (holder &&
			 memcmp(&m->peers[holder->peer].public_key,
				&m->peers[from->peer].public_key, sizeof(struct key_public)) == 0)
			holder = NULL;
	return holder != NULL;
}

bool plan_allowed(const struct model *m, struct prefix_set *ret)
{
	struct claims claims;
	bool ok = collect_claims(m, &claims);
	size_t end;

	if (ok)
		qsort(claims.rows, claims.count, sizeof(*claims.rows), compare_claims);
	for (size_t i = 0; ok && i < claims.count; i = end) {
		for (end = i + 1; end < claims.count; ++end)
			if (!prefix_equal(&claims.rows[i].prefix, &claims.rows[end].prefix))
				break;
		if (is_held(&claims.rows[i], &claims.rows[end], m))
			ok = prefix_set_add(ret, &claims.rows[i].prefix);
	}
	free(claims.rows);
	return ok;
}

bool plan_connected(const struct prefix *address, struct prefix *ret)
{
	*ret = *address;
	prefix_mask(ret);
	if (ret->ip.family == FAMILY_V4)
		return ret->bits < 32 && ret->ip.bytes[0] != 0;
	return true;
}

/*
 * wg-quick asks for routes of the link that cover p. In a table of the user's it does not ask; but
 * there is no adding the very same IPv4 route to the main table again.
 */
static bool is_connected(const struct tunnel *t, uint32_t table, const struct prefix *p)
{
	const bool is_auto = t->table == TUNNEL_TABLE_AUTO;
	struct prefix connected;

	if (table != HOST_TABLE_MAIN)
		return false;
	for (size_t i = 0; i < t->addresses.count; ++i)
		if (plan_connected(&t->addresses.rows[i].prefix, &connected) &&
		    prefix_covers(&connected, p) &&
		    (is_auto || (p->ip.family == FAMILY_V4 && prefix_equal(&connected, p))))
			return true;
	return false;
}

/* By policy rules goes what is a default route, and what is excluded is thrown back there. */
static bool by_rules(const struct tunnel *t, const struct prefix *p)
{
	return t->table == TUNNEL_TABLE_AUTO && p->bits == 0;
}

static bool is_excluded(const struct tunnel *t, const struct prefix *p)
{
	for (size_t i = 0; i < t->own.excluded.count; ++i)
		if (prefix_covers(&t->own.excluded.rows[i].prefix, p))
			return true;
	return false;
}

/* Where all of a family is excluded its throw route stands in the place of the default route. */
static bool add_routed(const struct tunnel *t, const struct prefix *allowed, struct prefix_set *ret)
{
	const struct tunnel_prefixes *excluded = &t->own.excluded;
	struct prefix_set pieces;
	bool ok;

	if (by_rules(t, allowed))
		return is_excluded(t, allowed) || prefix_set_add(ret, allowed);
	prefix_set_init(&pieces);
	ok = prefix_set_add(&pieces, allowed);
	for (size_t i = 0; ok && i < excluded->count; ++i) {
		struct prefix out = excluded->rows[i].prefix;

		prefix_mask(&out);
		ok = prefix_set_take_away(&pieces, &out);
	}
	for (size_t i = 0; ok && i < pieces.count; ++i)
		ok = prefix_set_add(ret, &pieces.rows[i]);
	prefix_set_done(&pieces);
	return ok;
}

/* Drops what comes twice, as pieces of two networks one of which is inside the other, and what
 * needs no route. */
static void sift(const struct tunnel *t, uint32_t table, struct prefix_set *p)
{
	size_t kept = 0;

	for (size_t i = 0; i < p->count; ++i)
		if ((kept == 0 || !prefix_equal(&p->rows[kept - 1], &p->rows[i])) &&
		    (by_rules(t, &p->rows[i]) || !is_connected(t, table, &p->rows[i])))
			p->rows[kept++] = p->rows[i];
	p->count = kept;
}

bool plan_routed(const struct tunnel *t, uint32_t table, struct prefix_set *ret)
{
	struct prefix_set allowed;
	bool ok = true;

	if (t->table == TUNNEL_TABLE_OFF)
		return true;
	prefix_set_init(&allowed);
	ok = plan_allowed(&t->model, &allowed);
	for (size_t i = 0; ok && i < allowed.count; ++i)
		ok = add_routed(t, &allowed.rows[i], ret);
	ok = ok && prefix_set_sort(ret);
	if (ok)
		sift(t, table, ret);
	prefix_set_done(&allowed);
	return ok;
}
