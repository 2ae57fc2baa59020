#include "net/plan.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/rows.h"
#include "base/text.h"
#include "net/plan_private.h"

void plan_init(struct plan *p)
{
	*p = (struct plan){ 0 };
}

void plan_done(struct plan *p)
{
	for (size_t i = 0; i < p->count; ++i) {
		item_done(&p->rows[i].item);
		if (p->rows[i].text)
			explicit_bzero(p->rows[i].text, strlen(p->rows[i].text)); /* hooks */
		free(p->rows[i].text);
	}
	free(p->rows);
	plan_init(p);
}

struct step *plan_add(struct plan *p, enum step_kind kind)
{
	void *rows = p->rows;

	if (!rows_grow(&rows, sizeof(*p->rows), p->count, &p->room))
		return NULL;
	p->rows = rows;
	p->rows[p->count] = (struct step){ .kind = kind };
	return &p->rows[p->count++];
}

bool plan_add_item(struct plan *p, enum step_kind kind, const struct item *item)
{
	struct step *s = plan_add(p, kind);

	if (!s)
		return false;
	s->number = item->kind == ITEM_LINK_MTU ? item->number : 0;
	return item_copy(&s->item, item);
}

bool plan_add_text(struct plan *p, enum step_kind kind, const char *text)
{
	struct step *s = plan_add(p, kind);

	if (!s)
		return false;
	s->text = strdup(text);
	return s->text;
}

bool plan_add_number(struct plan *p, enum step_kind kind, uint32_t number)
{
	struct step *s = plan_add(p, kind);

	if (!s)
		return false;
	s->number = number;
	return true;
}

enum plan_stage plan_stage_of(const struct item *i)
{
	static const enum plan_stage stages[] = {
		[ITEM_LINK] = STAGE_LINK,       [ITEM_LINK_MTU] = STAGE_MTU,
		[ITEM_ADDRESS] = STAGE_ADDRESS, [ITEM_ROUTE] = STAGE_ROUTE,
		[ITEM_RULE] = STAGE_GUARD,      [ITEM_SWITCH] = STAGE_SWITCH,
		[ITEM_TABLE] = STAGE_GUARD,     [ITEM_FOREIGN] = STAGE_FOREIGN,
		[ITEM_DNS] = STAGE_DNS,
	};

	return item_guards(i) ? STAGE_GUARD : stages[i->kind];
}

/* "%i" is the name of the link, wherever it stands. */
static char *fill_in(const char *text, const char *link)
{
	struct buffer b;
	char *filled = NULL;
	const char *at;

	buffer_init(&b);
	for (; (at = strstr(text, "%i")); text = at + 2) {
		buffer_append(&b, text, (size_t)(at - text));
		buffer_append(&b, link, strlen(link));
	}
	buffer_append(&b, text, strlen(text) + 1);
	if (buffer_ok(&b))
		filled = strdup(b.bytes);
	buffer_done(&b);
	return filled;
}

static bool add_hooks(struct plan *p, const struct tunnel *t, enum tunnel_hook hook,
		      const char *link)
{
	for (size_t i = 0; t && i < t->hooks[hook].count; ++i) {
		struct step *s = plan_add(p, STEP_HOOK);

		if (!s)
			return false;
		s->hook = hook;
		s->text = fill_in(t->hooks[hook].rows[i].text, link);
		if (!s->text)
			return false;
	}
	return true;
}

static bool note_left_out(struct plan *p, const struct tunnel_prefix *address)
{
	char prefix[TEXT_PREFIX];
	struct buffer b;
	bool ok;

	text_from_prefix(&address->prefix, prefix);
	buffer_init(&b);
	buffer_printf(&b,
		      "IPv6 is off here (net.ipv6.conf.default.disable_ipv6): left out Address %s "
		      "of line %u",
		      prefix, address->at.line);
	buffer_append(&b, "", 1);
	ok = buffer_ok(&b) && plan_add_text(p, STEP_NOTE, b.bytes);
	buffer_done(&b);
	return ok;
}

static bool routes_ipv6(const struct tunnel *t)
{
	for (size_t i = 0; i < t->model.peer_count; ++i)
		for (size_t j = 0; j < t->model.peers[i].allowed_count; ++j)
			if (t->model.peers[i].allowed[j].prefix.ip.family == FAMILY_V6)
				return t->table != TUNNEL_TABLE_OFF;
	return false;
}

bool plan_add_notes(struct plan *p, const struct plan_case *of)
{
	const struct tunnel_prefixes *list = &of->t->addresses;

	if (!plan_lacks_ipv6(of))
		return true;
	for (size_t i = 0; i < list->count; ++i)
		if (list->rows[i].prefix.ip.family == FAMILY_V6 &&
		    !note_left_out(p, &list->rows[i]))
			return false;
	return !routes_ipv6(of->t) ||
	       plan_add_text(p, STEP_NOTE, "IPv6 is off here: left out its routes to the tunnel");
}

bool plan_add_mark(struct plan *p, const struct plan_case *of)
{
	const uint32_t mark = plan_case_mark(of);
	const bool has_it = (of->t->model.has_fwmark && of->t->model.fwmark == mark) ||
			    (of->c->has_mark && of->c->mark == mark);

	return mark == 0 || has_it || plan_add_number(p, STEP_MARK, mark);
}

static bool add_one(struct plan *p, const struct plan_case *of, const struct item *item)
{
	if (item->kind == ITEM_LINK)
		return plan_add_item(p, STEP_ADD, item) &&
		       add_hooks(p, of->t, TUNNEL_PRE_UP, of->c->link) &&
		       plan_add_text(p, STEP_DEVICE, "addconf") && plan_add_mark(p, of);
	return plan_add_item(p, item->kind == ITEM_LINK_MTU ? STEP_UP : STEP_ADD, item);
}

bool plan_up(const struct tunnel *t, const struct host_network *n, const struct plan_choice *c,
	     struct plan *ret)
{
	const struct plan_case of = { t, n, c, NULL };
	struct items wanted;
	bool ok;

	items_init(&wanted);
	ok = plan_wanted(&of, &wanted) && plan_add_notes(ret, &of);
	for (size_t i = 0; ok && i < wanted.count; ++i)
		ok = add_one(ret, &of, &wanted.rows[i]);
	ok = ok && add_hooks(ret, t, TUNNEL_POST_UP, c->link);
	items_done(&wanted);
	return ok;
}

static const struct item *owned_link(const struct items *owned)
{
	for (size_t i = 0; i < owned->count; ++i)
		if (owned->rows[i].kind == ITEM_LINK)
			return &owned->rows[i];
	return NULL;
}

static bool remove_stage(struct plan *p, const struct items *owned, enum plan_stage stage,
			 bool goes_with_link)
{
	for (size_t i = owned->count; i-- > 0;) {
		const struct item *item = &owned->rows[i];

		if (plan_stage_of(item) != stage || (goes_with_link && item_goes_with_link(item)))
			continue;
		if (!plan_add_item(p, STEP_REMOVE, item))
			return false;
	}
	return true;
}

/* With rules there are refusing routes already. */
static bool has_rules(const struct items *owned, uint8_t family)
{
	for (size_t i = 0; i < owned->count; ++i)
		if (owned->rows[i].kind == ITEM_RULE && owned->rows[i].rule.family == family)
			return true;
	return false;
}

/* The refusing route in the place of the one that the kernel made of an address, once for each. */
static bool add_stand_in(struct plan *p, enum step_kind kind, const struct item *address)
{
	struct item i = { .kind = ITEM_ROUTE,
			  .table = HOST_TABLE_MAIN,
			  .metric = UINT32_MAX,
			  .route = HOST_UNREACHABLE };

	if (!plan_connected(&address->prefix, &i.prefix))
		return true;
	memcpy(i.link, address->link, sizeof(i.link));
	for (size_t s = 0; s < p->count; ++s)
		if (p->rows[s].kind == kind && item_same(&p->rows[s].item, &i))
			return true;
	return plan_add_item(p, kind, &i);
}

static bool each_v4_address(struct plan *p, const struct items *owned, enum step_kind kind,
			    bool stands_in)
{
	for (size_t i = owned->count; i-- > 0;) {
		const struct item *item = &owned->rows[i];

		if (item->kind != ITEM_ADDRESS || item->prefix.ip.family != FAMILY_V4)
			continue;
		if (stands_in ? !add_stand_in(p, kind, item) : !plan_add_item(p, kind, item))
			return false;
	}
	return true;
}

/*
 * The routes of a link go before its addresses, and meanwhile a socket that is bound to one of them
 * sends by whatever route is left. So IPv4 addresses go first. (IPv6 lets such a socket send even
 * when its address is gone: no order helps.)
 */
static bool remove_link(struct plan *p, const struct items *owned, const struct item *link)
{
	const bool guarded = !link || has_rules(owned, FAMILY_V4);

	return (guarded || (each_v4_address(p, owned, STEP_ADD, true) &&
			    each_v4_address(p, owned, STEP_REMOVE, false))) &&
	       remove_stage(p, owned, STAGE_LINK, link) &&
	       remove_stage(p, owned, STAGE_GUARD, link) &&
	       (guarded || each_v4_address(p, owned, STEP_REMOVE, true));
}

/* The link goes before what guards it. */
bool plan_down(const struct tunnel *t, const struct items *owned, struct plan *ret)
{
	const struct item *link = owned_link(owned);
	const char *name = link ? link->link : t ? t->name : "";
	bool ok = add_hooks(ret, t, TUNNEL_PRE_DOWN, name);

	for (enum plan_stage s = STAGES; ok && s-- > STAGE_GUARD + 1;)
		ok = remove_stage(ret, owned, s, link);
	return ok && remove_link(ret, owned, link) && add_hooks(ret, t, TUNNEL_POST_DOWN, name);
}
