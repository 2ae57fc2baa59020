#include "net/item.h"

#include <stdlib.h>
#include <string.h>

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

static bool same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool same_rule(const struct host_rule *a, const struct host_rule *b)
{
	return a->family == b->family && a->priority == b->priority && a->table == b->table &&
	       a->mark == b->mark && a->mask == b->mask && a->suppress == b->suppress &&
	       a->invert == b->invert && a->other == b->other;
}

static bool same_route(const struct item *a, const struct item *b)
{
	return prefix_equal(&a->prefix, &b->prefix) && a->table == b->table &&
	       a->metric == b->metric && a->route == b->route &&
	       (a->route != HOST_UNICAST || strcmp(a->link, b->link) == 0);
}

bool item_same(const struct item *a, const struct item *b)
{
	if (a->kind != b->kind)
		return false;
	switch (a->kind) {
	case ITEM_LINK:
	case ITEM_LINK_MTU:
		return strcmp(a->link, b->link) == 0;
	case ITEM_ADDRESS:
		return strcmp(a->link, b->link) == 0 && prefix_equal(&a->prefix, &b->prefix);
	case ITEM_ROUTE:
		return same_route(a, b);
	case ITEM_RULE:
		return same_rule(&a->rule, &b->rule);
	case ITEM_SWITCH:
		return same_text(a->text, b->text);
	case ITEM_TABLE:
		return same_text(a->name, b->name);
	case ITEM_FOREIGN:
		return same_text(a->name, b->name) && same_text(a->text, b->text);
	case ITEM_DNS:
		return strcmp(a->link, b->link) == 0 && same_text(a->name, b->name);
	case ITEM_KINDS:
		break;
	}
	return false;
}

bool item_equal(const struct item *a, const struct item *b)
{
	return item_same(a, b) && strcmp(a->link, b->link) == 0 && a->number == b->number &&
	       a->old == b->old && same_text(a->name, b->name) && same_text(a->text, b->text);
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
