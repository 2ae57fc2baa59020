#include "config/check.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "config/check_private.h"
#include "config/complaint.h"
#include "config/rules.h"
#include "crypto/crypto.h"

/* Row i of all, in which an id may come more than once. */
static bool row_at(size_t i, struct rule *ret)
{
	if (i < COMPLAINT_COUNT) {
		const struct complaint_row *row = complaint_row((enum complaint)i);

		*ret = (struct rule){ row->id, row->title, RULE_FILE, row->severity, NULL };
		return true;
	}
	i -= COMPLAINT_COUNT;
	for (size_t group = 0; group < ELEMENTS(rule_groups); ++group) {
		if (i < *rule_groups[group].count) {
			*ret = rule_groups[group].rules[i];
			return true;
		}
		i -= *rule_groups[group].count;
	}
	return false;
}

static bool is_first(size_t row)
{
	struct rule rule, before;

	if (!row_at(row, &rule))
		return true;
	for (size_t i = 0; i < row && row_at(i, &before); ++i)
		if (strcmp(before.id, rule.id) == 0)
			return false;
	return true;
}

bool check_rule(size_t i, struct rule *ret)
{
	for (size_t row = 0; row_at(row, ret); ++row)
		if (is_first(row) && i-- == 0)
			return true;
	return false;
}

/* Who has and who names which key */

static int compare_keys(const void *left, const void *right)
{
	const struct check_key *a = left, *b = right;
	const int key = memcmp(a->key.bytes, b->key.bytes, KEY_LEN);

	if (key != 0)
		return key;
	if (a->tunnel != b->tunnel)
		return a->tunnel < b->tunnel ? -1 : 1;
	return a->peer < b->peer ? -1 : a->peer > b->peer;
}

static void add_key(struct check_keys *keys, const struct key_public *key, size_t tunnel,
		    size_t peer)
{
	keys->items[keys->count++] = (struct check_key){ *key, tunnel, peer };
}

static bool fill_keys(struct check *c)
{
	size_t peers = 0;

	for (size_t i = 0; i < c->count; ++i)
		peers += c->set->rows[i].model.peer_count;
	c->own.items = calloc(c->count + 1, sizeof(*c->own.items));
	c->named.items = calloc(peers + 1, sizeof(*c->named.items));
	if (!c->own.items || !c->named.items)
		return false;
	for (size_t i = 0; i < c->count; ++i) {
		const struct tunnel *t = &c->set->rows[i];

		if (c->tunnels[i].has_key)
			add_key(&c->own, &c->tunnels[i].public_key, i, SIZE_MAX);
		for (size_t p = 0; p < t->model.peer_count; ++p)
			if (t->peers[p].has_public_key)
				add_key(&c->named, &t->model.peers[p].public_key, i, p);
	}
	qsort(c->own.items, c->own.count, sizeof(*c->own.items), compare_keys);
	qsort(c->named.items, c->named.count, sizeof(*c->named.items), compare_keys);
	return true;
}

/* How many rows come before (key, tunnel). */
static size_t rows_before(const struct check_keys *keys, const struct key_public *key,
			  size_t tunnel)
{
	const struct check_key wanted = { *key, tunnel, 0 };
	size_t low = 0, high = keys->count;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;

		if (compare_keys(&keys->items[middle], &wanted) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool same_key(const struct check_key *row, const struct key_public *key)
{
	return memcmp(row->key.bytes, key->bytes, KEY_LEN) == 0;
}

const struct check_key *check_find(const struct check_keys *keys, const struct key_public *key,
				   size_t *ret_count)
{
	const size_t first = rows_before(keys, key, 0);
	size_t end = first;

	while (end < keys->count && same_key(&keys->items[end], key))
		++end;
	*ret_count = end - first;
	return keys->items + first;
}

size_t check_peer_of(const struct check *c, const struct check_tunnel *t,
		     const struct key_public *key)
{
	const size_t end = rows_before(&c->named, key, t->index + 1);
	const struct check_key *last = end > 0 ? &c->named.items[end - 1] : NULL;

	return last && same_key(last, key) && last->tunnel == t->index ? last->peer : SIZE_MAX;
}

bool check_share_peer(const struct check *c, const struct check_tunnel *a,
		      const struct check_tunnel *b)
{
	const struct model *m = &a->t->model;

	for (size_t i = 0; i < m->peer_count; ++i)
		if (a->t->peers[i].has_public_key &&
		    check_peer_of(c, b, &m->peers[i].public_key) != SIZE_MAX)
			return true;
	return false;
}

void check_pairs(struct check *c, const struct check_tunnel *t,
		 void (*say)(struct check *c, const struct check_pair *p))
{
	for (size_t i = 0; i < t->t->model.peer_count; ++i) {
		size_t count;
		const struct check_key *others;

		if (!t->t->peers[i].has_public_key)
			continue;
		others = check_find(&c->own, &t->t->model.peers[i].public_key, &count);
		for (size_t k = 0; k < count; ++k) {
			struct check_pair pair = { .a = t,
						   .b = &c->tunnels[others[k].tunnel],
						   .peer = i };

			if (pair.b == t)
				continue;
			pair.back =
				t->has_key ? check_peer_of(c, pair.b, &t->public_key) : SIZE_MAX;
			say(c, &pair);
		}
	}
}

/* What is computed of each tunnel */

static bool fill_allowed(struct check_tunnel *t)
{
	for (size_t p = 0; p < t->t->model.peer_count; ++p) {
		const struct tunnel_prefixes *list = &t->t->peers[p].allowed;

		for (size_t i = 0; i < list->count; ++i)
			if (list->rows[i].sign != '-' &&
			    !prefix_table_add(&t->allowed, &list->rows[i].prefix, p, i))
				return false;
	}
	prefix_table_sort(&t->allowed);
	for (size_t i = 0; i < t->t->addresses.count; ++i)
		if (!prefix_table_add(&t->connected, &t->t->addresses.rows[i].prefix, i, 0))
			return false;
	prefix_table_sort(&t->connected);
	return true;
}

static bool fill_hooks(struct check_tunnel *t)
{
	for (size_t kind = 0; kind < TUNNEL_HOOKS; ++kind) {
		const struct tunnel_texts *texts = &t->t->hooks[kind];

		t->hooks[kind] = calloc(texts->count + 1, sizeof(*t->hooks[kind]));
		if (!t->hooks[kind])
			return false;
		for (size_t i = 0; i < texts->count; ++i)
			if (!hook_parse(texts->rows[i].text, strlen(texts->rows[i].text),
					&t->hooks[kind][i]))
				return false;
	}
	return true;
}

static bool fill_tunnel(struct check_tunnel *t, const struct tunnel *from, size_t index)
{
	t->t = from;
	t->index = index;
	prefix_table_init(&t->allowed);
	prefix_table_init(&t->connected);
	t->has_key = from->model.has_private_key &&
		     !crypto_is_zero(&from->model.private_key, KEY_LEN) &&
		     crypto_public(&from->model.private_key, &t->public_key);
	return fill_allowed(t) && fill_hooks(t);
}

static void tunnel_clear(struct check_tunnel *t)
{
	for (size_t kind = 0; kind < TUNNEL_HOOKS; ++kind) {
		for (size_t i = 0; t->hooks[kind] && i < t->t->hooks[kind].count; ++i)
			hook_done(&t->hooks[kind][i]);
		free(t->hooks[kind]);
	}
	prefix_table_done(&t->allowed);
	prefix_table_done(&t->connected);
}

/* What the reader has said stands in the findings already. */
static void mark_broken(struct check *c)
{
	const char *file = NULL;
	size_t at = 0;

	for (size_t i = 0; i < c->findings->count; ++i) {
		const struct finding *f = &c->findings->items[i];

		if (f->severity != DIAG_ERROR)
			continue;
		for (; f->at.file != file && at < c->count; ++at) /* in the order of the set */
			if (c->set->rows[at].path == f->at.file) {
				file = f->at.file;
				c->tunnels[at].broken = true;
				break;
			}
	}
}

static bool fill(struct check *c)
{
	c->tunnels = calloc(c->count + 1, sizeof(*c->tunnels));
	if (!c->tunnels)
		return false;
	for (size_t i = 0; i < c->count; ++i)
		if (!fill_tunnel(&c->tunnels[i], &c->set->rows[i], i))
			return false;
	mark_broken(c);
	return fill_keys(c);
}

static void run_rules(struct check *c, const struct check_tunnel *t)
{
	for (size_t group = 0; group < ELEMENTS(rule_groups); ++group)
		for (size_t i = 0; i < *rule_groups[group].count; ++i) {
			const struct rule *rule = &rule_groups[group].rules[i];

			if (rule->run && (rule->needs != RULE_HOST || c->host->looked))
				rule->run(c, t);
		}
}

bool check_run(const struct tunnel_set *set, const struct host_facts *host, struct findings *ret)
{
	static const struct host_facts nothing;
	struct check c = {
		.set = set, .host = host ? host : &nothing, .findings = ret, .count = set->count
	};
	const bool filled = fill(&c);

	for (size_t i = 0; filled && i < c.count; ++i)
		run_rules(&c, &c.tunnels[i]);
	for (size_t i = 0; c.tunnels && i < c.count; ++i)
		if (c.tunnels[i].t)
			tunnel_clear(&c.tunnels[i]);
	free(c.tunnels);
	free(c.own.items);
	free(c.named.items);
	return filled && !c.failed && !ret->failed;
}
