#include "net/ruleset_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/rows.h"

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static enum ruleset_hook hook_of(const json_t *chain)
{
	const char *hook = text_of(chain, "hook");

	if (strcmp(text_of(chain, "type"), "filter") != 0)
		return RULESET_NO_HOOK;
	return strcmp(hook, "input") == 0     ? RULESET_INPUT
	       : strcmp(hook, "forward") == 0 ? RULESET_FORWARD
					      : RULESET_NO_HOOK;
}

static int add_chain(struct ruleset *r, const json_t *from)
{
	void *rows = r->chains;

	if (!rows_grow(&rows, sizeof(*r->chains), r->count, &r->room))
		return -ENOMEM;
	r->chains = rows;
	r->chains[r->count++] = (struct ruleset_chain){
		.family = text_of(from, "family"),
		.table = text_of(from, "table"),
		.name = text_of(from, "name"),
		.hook = hook_of(from),
		.drops = strcmp(text_of(from, "policy"), "drop") == 0,
	};
	return 0;
}

static bool is_chain(const struct ruleset_chain *c, const char *family, const char *table,
		     const char *name)
{
	return strcmp(c->name, name) == 0 && strcmp(c->table, table) == 0 &&
	       strcmp(c->family, family) == 0;
}

static struct ruleset_chain *find(const struct ruleset *r, const char *family, const char *table,
				  const char *name)
{
	for (size_t i = 0; i < r->count; ++i) {
		if (is_chain(&r->chains[i], family, table, name))
			return &r->chains[i];
	}
	return NULL;
}

/* Rules of a chain come together: *last is where the one before went. */
static int add_rule(struct ruleset *r, const json_t *from, struct ruleset_chain **last)
{
	const char *family = text_of(from, "family");
	const char *table = text_of(from, "table");
	const char *chain = text_of(from, "chain");
	struct ruleset_chain *c = *last;
	void *rows;

	if (!c || !is_chain(c, family, table, chain))
		c = *last = find(r, family, table, chain);
	if (!c)
		return 0;
	rows = c->rules;
	if (!rows_grow(&rows, sizeof(*c->rules), c->count, &c->room))
		return -ENOMEM;
	c->rules = rows;
	c->rules[c->count++] = from;
	return 0;
}

static bool has_owner(const json_t *table)
{
	const json_t *flags = json_object_get(table, "flags");

	if (json_is_string(flags))
		return strcmp(json_string_value(flags), "owner") == 0;
	for (size_t i = 0; i < json_array_size(flags); ++i) {
		const char *flag = json_string_value(json_array_get(flags, i));

		if (flag && strcmp(flag, "owner") == 0)
			return true;
	}
	return false;
}

static void mark_owned(struct ruleset *r, const json_t *table)
{
	for (size_t i = 0; i < r->count; ++i) {
		if (strcmp(r->chains[i].table, text_of(table, "name")) == 0 &&
		    strcmp(r->chains[i].family, text_of(table, "family")) == 0)
			r->chains[i].owned = true;
	}
}

/* Chains first: what is said of tables and rules goes to them. */
static int fill(struct ruleset *r, const json_t *list)
{
	struct ruleset_chain *last = NULL;
	int result = 0;

	for (size_t i = 0; i < json_array_size(list) && result == 0; ++i) {
		const json_t *chain = json_object_get(json_array_get(list, i), "chain");

		if (json_is_object(chain))
			result = add_chain(r, chain);
	}
	for (size_t i = 0; i < json_array_size(list) && result == 0; ++i) {
		const json_t *row = json_array_get(list, i);

		if (has_owner(json_object_get(row, "table")))
			mark_owned(r, json_object_get(row, "table"));
		if (json_is_object(json_object_get(row, "rule")))
			result = add_rule(r, json_object_get(row, "rule"), &last);
	}
	return result;
}

int ruleset_take(json_t *root, const json_t *list, struct ruleset *ret)
{
	struct ruleset r = { .root = root };
	const int result = json_is_array(list) ? fill(&r, list) : -EINVAL;

	if (result == 0)
		*ret = r;
	else
		ruleset_done(&r);
	return result;
}

int ruleset_from_json(const char *bytes, size_t len, struct ruleset *ret)
{
	json_t *root = json_loadb(bytes, len, 0, NULL);

	return root ? ruleset_take(root, json_object_get(root, "nftables"), ret) : -EINVAL;
}

void ruleset_done(struct ruleset *r)
{
	for (size_t i = 0; i < r->count; ++i)
		free(r->chains[i].rules);
	free(r->chains);
	json_decref(r->root);
	*r = (struct ruleset){ 0 };
}

const struct ruleset_chain *ruleset_find(const struct ruleset *r, const struct ruleset_chain *like,
					 const char *name)
{
	return find(r, like->family, like->table, name);
}
