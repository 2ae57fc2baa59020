#include "net/item.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/rows.h"

void items_init(struct items *i)
{
	*i = (struct items){ 0 };
}

void item_done(struct item *i)
{
	free(i->name);
	free(i->text);
	*i = (struct item){ 0 };
}

void items_done(struct items *i)
{
	for (size_t j = 0; j < i->count; ++j)
		item_done(&i->rows[j]);
	free(i->rows);
	items_init(i);
}

struct item *items_add(struct items *i, enum item_kind kind, const char *link)
{
	void *rows = i->rows;
	struct item *item;

	if (!rows_grow(&rows, sizeof(*i->rows), i->count, &i->room))
		return NULL;
	i->rows = rows;
	item = &i->rows[i->count++];
	*item = (struct item){ .kind = kind };
	(void)strncpy(item->link, link, sizeof(item->link) - 1);
	return item;
}

static bool copy_text(const char *from, char **ret)
{
	*ret = from ? strdup(from) : NULL;
	return *ret || !from;
}

bool item_set_texts(struct item *i, const char *name, const char *text)
{
	char *name_copy, *text_copy = NULL;

	if (!copy_text(name, &name_copy) || !copy_text(text, &text_copy)) {
		free(name_copy);
		return false;
	}
	free(i->name);
	free(i->text);
	i->name = name_copy;
	i->text = text_copy;
	return true;
}

bool item_copy(struct item *to, const struct item *from)
{
	struct item copy = *from;

	copy.name = copy.text = NULL;
	if (!item_set_texts(&copy, from->name, from->text))
		return false;
	*to = copy;
	return true;
}

bool items_copy(struct items *to, const struct item *from)
{
	struct item *copy = items_add(to, from->kind, from->link);

	if (!copy)
		return false;
	if (item_copy(copy, from))
		return true;
	--to->count;
	return false;
}

static int order_numbers(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

/* No text before any. */
static int order_texts(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) : (a ? 1 : 0) - (b ? 1 : 0);
}

static int order_prefixes(const struct prefix *a, const struct prefix *b)
{
	if (a->ip.family != b->ip.family)
		return order_numbers(a->ip.family, b->ip.family);
	if (a->bits != b->bits)
		return order_numbers(a->bits, b->bits);
	return memcmp(a->ip.bytes, b->ip.bytes, sizeof(a->ip.bytes));
}

/* The first difference counts. */
static int order_rules(const struct host_rule *a, const struct host_rule *b)
{
	const uint64_t pairs[][2] = {
		{ a->family, b->family }, { a->priority, b->priority },
		{ a->table, b->table },   { a->mark, b->mark },
		{ a->mask, b->mask },     { (uint64_t)a->suppress, (uint64_t)b->suppress },
		{ a->invert, b->invert }, { a->other, b->other },
	};

	for (size_t i = 0; i < ELEMENTS(pairs); ++i)
		if (pairs[i][0] != pairs[i][1])
			return order_numbers(pairs[i][0], pairs[i][1]);
	return 0;
}

static int order_routes(const struct item *a, const struct item *b)
{
	int order = order_prefixes(&a->prefix, &b->prefix);

	if (order == 0)
		order = order_numbers(a->table, b->table);
	if (order == 0)
		order = order_numbers(a->metric, b->metric);
	if (order == 0)
		order = order_numbers(a->route, b->route);
	return order || a->route != HOST_UNICAST ? order : strcmp(a->link, b->link);
}

int item_order(const struct item *a, const struct item *b)
{
	int order = order_numbers(a->kind, b->kind);

	if (order)
		return order;
	switch (a->kind) {
	case ITEM_LINK:
	case ITEM_LINK_MTU:
		return strcmp(a->link, b->link);
	case ITEM_ADDRESS:
		order = order_prefixes(&a->prefix, &b->prefix);
		return order ? order : strcmp(a->link, b->link);
	case ITEM_ROUTE:
		return order_routes(a, b);
	case ITEM_RULE:
		return order_rules(&a->rule, &b->rule);
	case ITEM_SWITCH:
		return order_texts(a->text, b->text);
	case ITEM_TABLE:
		return order_texts(a->name, b->name);
	case ITEM_FOREIGN:
		order = order_texts(a->name, b->name);
		return order ? order : order_texts(a->text, b->text);
	case ITEM_DNS:
		order = order_texts(a->name, b->name);
		return order ? order : strcmp(a->link, b->link);
	case ITEM_KINDS:
		break;
	}
	return 0;
}

bool item_same(const struct item *a, const struct item *b)
{
	return item_order(a, b) == 0;
}

bool item_equal(const struct item *a, const struct item *b)
{
	return item_same(a, b) && strcmp(a->link, b->link) == 0 && a->number == b->number &&
	       a->old == b->old && order_texts(a->name, b->name) == 0 &&
	       order_texts(a->text, b->text) == 0;
}

const struct item *items_find(const struct items *i, const struct item *like)
{
	for (size_t j = 0; j < i->count; ++j)
		if (item_same(&i->rows[j], like))
			return &i->rows[j];
	return NULL;
}

bool item_goes_with_link(const struct item *i)
{
	return i->kind == ITEM_ADDRESS || i->kind == ITEM_LINK_MTU ||
	       (i->kind == ITEM_ROUTE && i->route == HOST_UNICAST);
}

bool item_guards(const struct item *i)
{
	return i->kind == ITEM_RULE || i->kind == ITEM_TABLE ||
	       (i->kind == ITEM_ROUTE && i->route != HOST_UNICAST);
}
