/*
 * Random tunnels on a host that is only played: what is planned does there what is promised, and
 * can be cut off behind any step.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "net/plan.h"
#include "plan_case.h"
#include "plan_sim.h"
#include "support.h"

/* In `check` there is no time for many. */
static size_t rounds(void)
{
	const char *tier = getenv("WARREN_TIER");

	return !tier || strcmp(tier, "check") == 0 ? 80 : 800;
}

#define KEY_LINE "PrivateKey = yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=\n"

static const char *const keys[] = { "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=",
				    "TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi+y71lOWWXX0=" };

/* A tunnel, and what net/dns and net/firewall would have decided for it. */
struct wish {
	struct plan_file file;
	struct items dns, firewall;
};

static void list(struct buffer *b, const char *key, const char *const *words, size_t count,
		 uint64_t *seed)
{
	size_t written = 0;

	for (size_t i = 0; i < count; ++i)
		if (test_random_below(seed, 3) == 0)
			buffer_printf(b, "%s%s", written++ ? ", " : key, words[i]);
	buffer_printf(b, written ? "\n" : "");
}

static void pick(struct buffer *b, const char *const *words, size_t count, uint64_t *seed)
{
	buffer_printf(b, "%s", words[test_random_below(seed, count)]);
}

/* wg9 has networks of its own, and only one way to be in the way of wg0: default routes. */
static void put_other_file(struct buffer *b, uint64_t *seed)
{
	static const char *const addresses[] = { "10.77.0.2/24", "fd77::2/64" };
	static const char *const allowed[] = { "0.0.0.0/0", "::/0", "10.77.0.0/16", "fd77::/48" };
	static const char *const marks[] = { "", "", "FwMark = 0x77\n" };

	buffer_printf(b, "[Interface]\n" KEY_LINE);
	list(b, "Address = ", addresses, ELEMENTS(addresses), seed);
	pick(b, marks, ELEMENTS(marks), seed);
	buffer_printf(b, "[Peer]\nPublicKey = %s\n", keys[0]);
	list(b, "AllowedIPs = ", allowed, ELEMENTS(allowed), seed);
}

static void put_file(struct buffer *b, uint64_t *seed)
{
	static const char *const addresses[] = { "10.0.0.2/24", "10.0.0.2/32",  "10.0.0.3/24",
						 "10.0.0.4/24", "10.0.0.9/16",  "192.168.7.1/30",
						 "fd00::3/64",  "fd00:9::1/48", "10.0.1.2/24" };
	static const char *const allowed[] = { "0.0.0.0/0",   "::/0",        "10.0.0.0/24",
					       "10.0.0.0/16", "10.0.0.3/32", "172.16.0.0/12",
					       "fd00::/64",   "fd00:1::/48", "10.0.1.0/24",
					       "0.0.0.0/1",   "128.0.0.0/1" };
	static const char *const excluded[] = { "10.0.0.0/24", "172.16.4.0/22", "fd00:1:1::/64",
						"10.0.0.0/16", "10.0.1.0/24" };
	/* of which Linux takes one only */
	static const char *const either[] = { "", "Address = fd00::2/64\n",
					      "Address = fd00::2/128\n" };
	static const char *const tables[] = {
		"", "", "", "Table = auto\n", "Table = off\n", "Table = 254\n", "Table = 77\n"
	};
	static const char *const marks[] = { "", "", "FwMark = 0x99\n", "FwMark = off\n",
					     "FwMark = 51830\n" };
	static const char *const mtus[] = { "", "MTU = 1300\n", "MTU = 1400\n" };

	buffer_printf(b, "[Interface]\n" KEY_LINE);
	list(b, "Address = ", addresses, ELEMENTS(addresses), seed);
	pick(b, either, ELEMENTS(either), seed);
	list(b, "#: ExcludedIPs = ", excluded, ELEMENTS(excluded), seed);
	pick(b, tables, ELEMENTS(tables), seed);
	pick(b, marks, ELEMENTS(marks), seed);
	pick(b, mtus, ELEMENTS(mtus), seed);
	buffer_printf(b, test_random_below(seed, 5) ? "" : "#: KillSwitch = yes\n");
	for (size_t i = 0; i < ELEMENTS(keys); ++i) {
		buffer_printf(b, "[Peer]\nPublicKey = %s\n", keys[i]);
		list(b, "AllowedIPs = ", allowed, ELEMENTS(allowed), seed);
	}
}

static void maybe(struct items *to, const char *link, const char *format, uint64_t *seed)
{
	struct item item;
	struct buffer b;

	if (test_random_below(seed, 2))
		return;
	buffer_init(&b);
	for (; *format; ++format)
		if (*format == '@')
			buffer_printf(&b, "%s", link);
		else
			buffer_append(&b, format, 1);
	assert_int_equal(item_parse(b.bytes, b.len, &item), 0);
	if (!items_find(to, &item))
		assert_true(items_copy(to, &item));
	item_done(&item);
	buffer_done(&b);
}

static void wish_init(struct wish *w, const char *link, uint64_t *seed)
{
	struct buffer b;

	buffer_init(&b);
	if (strcmp(link, "wg0") == 0)
		put_file(&b, seed);
	else
		put_other_file(&b, seed);
	assert_true(buffer_ok(&b));
	plan_file_init(&w->file, b.bytes, b.len);
	buffer_done(&b);
	items_init(&w->dns);
	items_init(&w->firewall);
	maybe(&w->firewall, link, "table link=@ name=ip%20wg-quick-@ text=a", seed);
	maybe(&w->firewall, link, "table link=@ name=inet%20warren-@ text=a", seed);
	maybe(&w->firewall, link, "table link=@ name=inet%20warren-@ text=b", seed);
	maybe(&w->firewall, link, "switch link=@ path=net/ipv4/ip_forward value=1 old=0", seed);
	maybe(&w->firewall, link, "foreign link=@ name=docker text=@", seed);
	maybe(&w->firewall, link, "foreign link=@ name=ufw text=@", seed);
	maybe(&w->dns, link, "dns link=@ name=resolved text=a", seed);
	maybe(&w->dns, link, "dns link=@ name=resolved text=b", seed);
	maybe(&w->dns, link, "dns link=@ name=file text=a", seed);
}

static void wish_done(struct wish *w)
{
	plan_file_done(&w->file);
	items_done(&w->dns);
	items_done(&w->firewall);
}

/* What the planner is told in a case. */
static struct plan_choice choose(const struct wish *w, const char *link, uint32_t mark,
				 const struct items *others)
{
	return (struct plan_choice){ .link = link,
				     .engine = "kernel",
				     .mark = mark,
				     .has_mark = mark != 0,
				     .fail_closed = true,
				     .dns = &w->dns,
				     .firewall = &w->firewall,
				     .others = others };
}

static bool has_rule(const struct sim *s, const struct host_rule *like)
{
	for (size_t i = 0; i < s->there.count; ++i) {
		const struct host_rule *r = &s->there.rows[i].rule;

		if (s->there.rows[i].kind == ITEM_RULE && r->family == like->family &&
		    r->table == like->table && r->invert == like->invert &&
		    r->suppress == like->suppress && r->mark == r->table * r->invert)
			return true;
	}
	return false;
}

static bool refuses(const struct sim *s, uint8_t family, uint32_t table)
{
	for (size_t i = 0; i < s->there.count; ++i) {
		const struct item *r = &s->there.rows[i];

		if (r->kind == ITEM_ROUTE && r->route == HOST_UNREACHABLE && r->table == table &&
		    r->prefix.ip.family == family && r->prefix.bits == 0 && r->metric == UINT32_MAX)
			return true;
	}
	return false;
}

/* By some table that refuses what has nowhere to go. */
static bool is_guarded(const struct sim *s, uint8_t family)
{
	const struct host_rule narrower = { .family = family,
					    .table = HOST_TABLE_MAIN,
					    .suppress = 0 };

	for (size_t i = 0; i < s->there.count; ++i) {
		const struct item *r = &s->there.rows[i];

		if (r->kind == ITEM_RULE && r->rule.family == family && r->rule.invert &&
		    refuses(s, family, r->rule.table) && has_rule(s, &narrower))
			return true;
	}
	return false;
}

static bool takes(const struct tunnel *t, uint8_t family)
{
	if (t->table != TUNNEL_TABLE_AUTO)
		return false;
	for (size_t i = 0; i < t->model.peer_count; ++i)
		for (size_t j = 0; j < t->model.peers[i].allowed_count; ++j) {
			const struct prefix *p = &t->model.peers[i].allowed[j].prefix;

			if (p->bits == 0 && p->ip.family == family)
				return true;
		}
	return false;
}

static bool has_address(const struct sim *s, uint8_t family, const char *link)
{
	for (size_t i = 0; i < s->there.count; ++i)
		if (s->there.rows[i].kind == ITEM_ADDRESS &&
		    s->there.rows[i].prefix.ip.family == family &&
		    strcmp(s->there.rows[i].link, link) == 0)
			return true;
	return false;
}

/* No address of the tunnel without what guards it. b may be a: in between both hold. */
static void check_guard(const struct sim *s, const struct wish *a, const struct wish *b)
{
	for (uint8_t family = FAMILY_V4; family <= FAMILY_V6; family += 2)
		if (takes(&a->file.tunnel, family) && takes(&b->file.tunnel, family) &&
		    has_address(s, family, "wg0"))
			assert_true(is_guarded(s, family));
	for (size_t i = 0; i < a->firewall.count; ++i)
		if (a->firewall.rows[i].kind == ITEM_TABLE &&
		    items_find(&b->firewall, &a->firewall.rows[i]) &&
		    (has_address(s, FAMILY_V4, "wg0") || has_address(s, FAMILY_V6, "wg0")))
			assert_true(sim_has(s, &a->firewall.rows[i]));
}

static void put_step(const struct step *step, const char *link)
{
	struct buffer b;

	buffer_init(&b);
	if (step_print(step, link, &b))
		print_message("%.*s\n", (int)b.len, b.bytes);
	buffer_done(&b);
}

static void put_plan(const struct plan *p, const char *link)
{
	for (size_t i = 0; i < p->count; ++i)
		put_step(&p->rows[i], link);
}

/* What the file says of the mark comes with the device. */
static void take_step(struct sim *s, struct sim_tunnel *t, const struct step *step,
		      const struct wish *w, const struct items *others)
{
	const int rc = sim_step(s, t, step, others);

	if (step->kind == STEP_DEVICE && w && w->file.tunnel.model.fwmark)
		t->mark = w->file.tunnel.model.fwmark;
	if (rc == 0)
		return;
	put_step(step, "wg0");
	fail_msg("%s", strerror(-rc));
}

/* Up to `steps` of them. */
static void run(struct sim *s, struct sim_tunnel *t, const struct plan *p, size_t steps,
		const struct wish *w, const struct items *others)
{
	for (size_t i = 0; i < p->count && i < steps; ++i)
		take_step(s, t, &p->rows[i], w, others);
}

static void run_guarded(struct sim *s, struct sim_tunnel *t, const struct plan *p,
			const struct wish *a, const struct wish *b)
{
	for (size_t i = 0; i < p->count; ++i) {
		take_step(s, t, &p->rows[i], b, NULL);
		check_guard(s, a, b);
	}
}

static void make_up(const struct sim *s, const struct wish *w, const char *link, uint32_t mark,
		    const struct items *others, struct plan *ret)
{
	const struct plan_choice c = choose(w, link, mark, others);
	struct host_facts h;

	sim_look(s, &h);
	plan_init(ret);
	assert_true(plan_up(&w->file.tunnel, &h.network, &c, ret));
	host_facts_done(&h);
}

static void make_sync(const struct sim *s, const struct sim_tunnel *t, const struct wish *w,
		      const struct items *others, struct plan *ret)
{
	const struct plan_choice c = choose(w, "wg0", t->mark, others);
	struct host_facts h;

	sim_look(s, &h);
	plan_init(ret);
	assert_true(plan_sync(&w->file.tunnel, &h.network, &c, &t->owned, ret));
	host_facts_done(&h);
}

static void make_down(const struct sim_tunnel *t, const struct wish *w, struct plan *ret)
{
	plan_init(ret);
	assert_true(plan_down(w ? &w->file.tunnel : NULL, &t->owned, ret));
}

static void sim_assert_equal(const struct sim *a, const struct sim *b, const struct plan *p)
{
	if (sim_equal(a, b))
		return;
	if (p)
		put_plan(p, "wg0");
	for (size_t i = 0; i < a->there.count; ++i)
		put_step(&(struct step){ .kind = STEP_ADD, .item = a->there.rows[i] }, "wg0");
	print_message("and\n");
	for (size_t i = 0; i < b->there.count; ++i)
		put_step(&(struct step){ .kind = STEP_ADD, .item = b->there.rows[i] }, "wg0");
	fail_msg("differ");
}

static void check_is(const struct sim *s, const struct sim *before, const struct wish *w)
{
	const struct plan_choice c = choose(w, "wg0", 0, NULL);
	struct host_facts h;
	struct items wanted;
	struct sim expected;

	sim_copy(&expected, before);
	sim_look(before, &h);
	items_init(&wanted);
	assert_true(plan_items(&w->file.tunnel, &h.network, &c, &wanted));
	for (size_t i = 0; i < wanted.count; ++i)
		if (wanted.rows[i].kind == ITEM_SWITCH)
			expected.switches[wanted.rows[i].text[9] == 'i'] = 1;
		else
			assert_true(items_copy(&expected.there, &wanted.rows[i]));
	sim_assert_equal(s, &expected, NULL);
	items_done(&wanted);
	sim_done(&expected);
	host_facts_done(&h);
}

static void undo(struct sim *s, struct sim_tunnel *t, const struct items *others)
{
	struct plan down;

	make_down(t, NULL, &down);
	run(s, t, &down, SIZE_MAX, NULL, others);
	plan_done(&down);
}

static void fc12_up_and_down_never_lack_a_guard(void **state)
{
	uint64_t seed = 1;

	(void)state;
	for (size_t i = 0; i < rounds(); ++i) {
		struct sim host, before;
		struct sim_tunnel t;
		struct plan up, down;
		struct wish w;

		sim_init(&host);
		sim_init(&before);
		sim_tunnel_init(&t);
		wish_init(&w, "wg0", &seed);
		make_up(&host, &w, "wg0", 0, NULL, &up);
		run_guarded(&host, &t, &up, &w, &w);
		check_is(&host, &before, &w);
		make_down(&t, &w, &down);
		run_guarded(&host, &t, &down, &w, &w);
		sim_assert_equal(&host, &before, &down);
		plan_done(&up);
		plan_done(&down);
		wish_done(&w);
		sim_tunnel_done(&t);
		sim_done(&host);
		sim_done(&before);
	}
}

static void cut_off_behind_any_step_all_is_undone(void **state)
{
	uint64_t seed = 2;

	(void)state;
	for (size_t i = 0; i < rounds() / 4; ++i) {
		struct sim empty;
		struct plan up;
		struct wish w;

		sim_init(&empty);
		wish_init(&w, "wg0", &seed);
		make_up(&empty, &w, "wg0", 0, NULL, &up);
		for (size_t steps = 0; steps <= up.count; ++steps) {
			struct sim host;
			struct sim_tunnel t;

			sim_init(&host);
			sim_tunnel_init(&t);
			run(&host, &t, &up, steps, &w, NULL);
			undo(&host, &t, NULL);
			sim_assert_equal(&host, &empty, &up);
			sim_tunnel_done(&t);
			sim_done(&host);
		}
		plan_done(&up);
		wish_done(&w);
		sim_done(&empty);
	}
}

/* In any order of what it owns, as after many syncs. */
static void down_does_not_ask_for_an_order(void **state)
{
	uint64_t seed = 3;

	(void)state;
	for (size_t i = 0; i < rounds() / 4; ++i) {
		struct sim host, empty;
		struct sim_tunnel t;
		struct plan up, down;
		struct wish w;

		sim_init(&host);
		sim_init(&empty);
		sim_tunnel_init(&t);
		wish_init(&w, "wg0", &seed);
		make_up(&host, &w, "wg0", 0, NULL, &up);
		run(&host, &t, &up, SIZE_MAX, &w, NULL);
		for (size_t j = t.owned.count; j-- > 1;) {
			const size_t k = test_random_below(&seed, j + 1);
			const struct item swap = t.owned.rows[j];

			t.owned.rows[j] = t.owned.rows[k];
			t.owned.rows[k] = swap;
		}
		make_down(&t, &w, &down);
		run_guarded(&host, &t, &down, &w, &w);
		sim_assert_equal(&host, &empty, &down);
		plan_done(&up);
		plan_done(&down);
		wish_done(&w);
		sim_tunnel_done(&t);
		sim_done(&host);
		sim_done(&empty);
	}
}

/* A tunnel that came up as `a`, on an empty host. */
struct scene {
	struct sim host, empty;
	struct sim_tunnel t;
	struct wish a, b;
};

static void scene_init(struct scene *s, uint64_t *seed)
{
	struct plan up;

	sim_init(&s->host);
	sim_init(&s->empty);
	s->host.promotes = test_random_below(seed, 2);
	sim_tunnel_init(&s->t);
	wish_init(&s->a, "wg0", seed);
	wish_init(&s->b, "wg0", seed);
	make_up(&s->host, &s->a, "wg0", 0, NULL, &up);
	run(&s->host, &s->t, &up, SIZE_MAX, &s->a, NULL);
	plan_done(&up);
}

static void scene_done(struct scene *s)
{
	sim_tunnel_done(&s->t);
	sim_done(&s->host);
	sim_done(&s->empty);
	wish_done(&s->a);
	wish_done(&s->b);
}

/* The host is as if `b` had come up with the mark that the device has now. */
static void check_is_as_up(const struct scene *s, const struct sim *host,
			   const struct sim_tunnel *t, const struct plan *p)
{
	struct sim_tunnel fresh;
	struct plan up;
	struct sim expected;

	sim_init(&expected);
	sim_tunnel_init(&fresh);
	make_up(&expected, &s->b, "wg0", t->mark, NULL, &up);
	run(&expected, &fresh, &up, SIZE_MAX, &s->b, NULL);
	sim_assert_equal(host, &expected, p);
	plan_done(&up);
	sim_tunnel_done(&fresh);
	sim_done(&expected);
}

static bool shares_network(const struct item *i, const struct items *list)
{
	struct prefix p = i->prefix, q;

	prefix_mask(&p);
	for (size_t j = 0; j < list->count; ++j) {
		q = list->rows[j].prefix;
		prefix_mask(&q);
		if (list->rows[j].kind == ITEM_ADDRESS && !item_same(i, &list->rows[j]) &&
		    prefix_equal(&p, &q))
			return true;
	}
	return false;
}

/* Only what Linux takes along may go and come back. */
static void check_is_untouched(const struct sim *before, const struct items *owned,
			       const struct sim *after, const struct plan *p)
{
	for (size_t i = 0; i < p->count; ++i) {
		const struct item *item = &p->rows[i].item;
		const bool v4 = item->prefix.ip.family == FAMILY_V4;

		if ((p->rows[i].kind != STEP_ADD && p->rows[i].kind != STEP_REMOVE) ||
		    item->kind == ITEM_SWITCH || !sim_has(before, item) || !sim_has(after, item))
			continue;
		if (v4 && item->kind == ITEM_ADDRESS && shares_network(item, owned))
			continue;
		if (v4 && item->kind == ITEM_ROUTE && !has_address(after, FAMILY_V4, "wg0"))
			continue;
		if ((item->kind == ITEM_LINK_MTU || item->kind == ITEM_TABLE ||
		     item->kind == ITEM_DNS) &&
		    !item_equal(items_find(owned, item), item))
			continue;
		put_plan(p, "wg0");
		put_step(&p->rows[i], "wg0");
		fail_msg("step %zu touches what stays", i);
	}
}

static void sync_makes_what_up_would_make(void **state)
{
	uint64_t seed = 4;

	(void)state;
	for (size_t i = 0; i < rounds(); ++i) {
		struct sim_tunnel before;
		struct sim host;
		struct plan sync;
		struct scene s;

		scene_init(&s, &seed);
		sim_copy(&host, &s.host);
		sim_tunnel_copy(&before, &s.t);
		make_sync(&s.host, &s.t, &s.b, NULL, &sync);
		run_guarded(&s.host, &s.t, &sync, &s.a, &s.b);
		check_is_as_up(&s, &s.host, &s.t, &sync);
		check_is_untouched(&host, &before.owned, &s.host, &sync);
		undo(&s.host, &s.t, NULL);
		sim_assert_equal(&s.host, &s.empty, &sync);
		plan_done(&sync);
		sim_tunnel_done(&before);
		sim_done(&host);
		scene_done(&s);
	}
}

/* Undone, or done again. */
static void sync_may_be_cut_off_anywhere(void **state)
{
	uint64_t seed = 5;

	(void)state;
	for (size_t i = 0; i < rounds() / 8; ++i) {
		struct plan sync, again;
		struct scene s;

		scene_init(&s, &seed);
		make_sync(&s.host, &s.t, &s.b, NULL, &sync);
		for (size_t steps = 0; steps <= sync.count; ++steps) {
			struct sim_tunnel t;
			struct sim host;

			sim_copy(&host, &s.host);
			sim_tunnel_copy(&t, &s.t);
			run(&host, &t, &sync, steps, &s.b, NULL);
			make_sync(&host, &t, &s.b, NULL, &again);
			run(&host, &t, &again, SIZE_MAX, &s.b, NULL);
			check_is_as_up(&s, &host, &t, &again);
			undo(&host, &t, NULL);
			sim_assert_equal(&host, &s.empty, &again);
			plan_done(&again);
			sim_tunnel_done(&t);
			sim_done(&host);
		}
		plan_done(&sync);
		scene_done(&s);
	}
}

static void nothing_to_sync_is_nothing_to_do(void **state)
{
	uint64_t seed = 6;

	(void)state;
	for (size_t i = 0; i < rounds(); ++i) {
		struct plan sync;
		struct scene s;

		scene_init(&s, &seed);
		make_sync(&s.host, &s.t, &s.a, NULL, &sync);
		assert_int_equal(sync.count, 1);
		assert_int_equal(sync.rows[0].kind, STEP_DEVICE);
		plan_done(&sync);
		scene_done(&s);
	}
}

/* Somebody else's hand: things vanish, and repair puts them back. */
static void repair_puts_back_what_is_gone(void **state)
{
	uint64_t seed = 7;

	(void)state;
	for (size_t i = 0; i < rounds(); ++i) {
		struct host_facts h;
		struct plan repair;
		struct sim whole;
		struct scene s;

		scene_init(&s, &seed);
		sim_copy(&whole, &s.host);
		for (size_t j = s.t.owned.count; j-- > 0;) {
			const struct step gone = { .kind = STEP_REMOVE, .item = s.t.owned.rows[j] };
			struct sim_tunnel nobody;

			if (test_random_below(&seed, 4) ||
			    item_is_there(&gone.item, &(struct host_network){ 0 }) != -1 ||
			    gone.item.kind == ITEM_TABLE || gone.item.kind == ITEM_FOREIGN ||
			    gone.item.kind == ITEM_DNS || gone.item.kind == ITEM_LINK_MTU)
				continue;
			sim_tunnel_copy(&nobody, &s.t);
			assert_int_equal(sim_step(&s.host, &nobody, &gone, NULL), 0);
			sim_tunnel_done(&nobody);
		}
		sim_look(&s.host, &h);
		plan_init(&repair);
		assert_true(plan_repair(&s.t.owned, &h.network, &repair));
		run(&s.host, &s.t, &repair, SIZE_MAX, NULL, NULL);
		sim_assert_equal(&s.host, &whole, &repair);
		plan_done(&repair);
		host_facts_done(&h);
		sim_look(&s.host, &h);
		assert_true(plan_repair(&s.t.owned, &h.network, &repair));
		assert_int_equal(repair.count, 0);
		host_facts_done(&h);
		sim_done(&whole);
		scene_done(&s);
	}
}

/* The link first, then what went when it was taken down. */
static void repair_brings_a_link_up(void **state)
{
	uint64_t seed = 10;

	(void)state;
	for (size_t i = 0; i < rounds(); ++i) {
		size_t ups = 0, wanted = 0, found = 0;
		struct host_facts h;
		struct plan repair;
		struct scene s;

		scene_init(&s, &seed);
		sim_look(&s.host, &h);
		h.network.address_count = h.network.route_count = 0;
		for (size_t j = 0; j < h.network.link_count; ++j)
			h.network.links[j].up = false;
		plan_init(&repair);
		assert_true(plan_repair(&s.t.owned, &h.network, &repair));
		for (size_t j = 0; j < s.t.owned.count; ++j)
			wanted += item_goes_with_link(&s.t.owned.rows[j]);
		for (size_t j = 0; j < repair.count; ++j) {
			const bool stands = item_goes_with_link(&repair.rows[j].item);

			ups += repair.rows[j].kind == STEP_UP;
			found += stands;
			assert_true(ups == 1 || !stands);
		}
		assert_int_equal(ups, 1);
		assert_int_equal(found, wanted);
		plan_done(&repair);
		host_facts_done(&h);
		scene_done(&s);
	}
}

static void has_all_of(const struct sim *s, const struct sim_tunnel *t)
{
	for (size_t i = 0; i < t->owned.count; ++i)
		if (t->owned.rows[i].kind == ITEM_SWITCH)
			assert_int_equal(s->switches[t->owned.rows[i].text[9] == 'i'], 1);
		else
			assert_true(sim_has(s, &t->owned.rows[i]));
}

static void bring_up(struct sim *s, struct sim_tunnel *t, const struct wish *w, const char *link,
		     const struct sim_tunnel *other)
{
	struct plan up;

	make_up(s, w, link, 0, &other->owned, &up);
	run(s, t, &up, SIZE_MAX, w, &other->owned);
	plan_done(&up);
}

/* Up, sync and down of each in any order: each leaves the other's things alone. */
static void fc11_two_tunnels_in_any_order(void **state)
{
	static const char *const links[] = { "wg0", "wg9" };
	uint64_t seed = 8;

	(void)state;
	for (size_t i = 0; i < rounds(); ++i) {
		const size_t first = test_random_below(&seed, 2),
			     last = test_random_below(&seed, 2);
		struct sim host, empty;
		struct sim_tunnel t[2];
		struct wish w[2], b;
		struct plan sync;

		sim_init(&host);
		sim_init(&empty);
		wish_init(&b, "wg0", &seed);
		for (size_t j = 0; j < 2; ++j) {
			sim_tunnel_init(&t[j]);
			wish_init(&w[j], links[j], &seed);
		}
		bring_up(&host, &t[first], &w[first], links[first], &t[!first]);
		bring_up(&host, &t[!first], &w[!first], links[!first], &t[first]);
		has_all_of(&host, &t[first]);
		if (t[0].mark && t[1].mark)
			assert_int_not_equal(t[0].mark, t[1].mark);
		make_sync(&host, &t[0], &b, &t[1].owned, &sync);
		run(&host, &t[0], &sync, SIZE_MAX, &b, &t[1].owned);
		has_all_of(&host, &t[0]);
		has_all_of(&host, &t[1]);
		undo(&host, &t[!last], &t[last].owned);
		has_all_of(&host, &t[last]);
		undo(&host, &t[last], &t[!last].owned);
		sim_assert_equal(&host, &empty, NULL);
		plan_done(&sync);
		for (size_t j = 0; j < 2; ++j) {
			wish_done(&w[j]);
			sim_tunnel_done(&t[j]);
		}
		wish_done(&b);
		sim_done(&host);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fc12_up_and_down_never_lack_a_guard),
		cmocka_unit_test(cut_off_behind_any_step_all_is_undone),
		cmocka_unit_test(down_does_not_ask_for_an_order),
		cmocka_unit_test(sync_makes_what_up_would_make),
		cmocka_unit_test(sync_may_be_cut_off_anywhere),
		cmocka_unit_test(nothing_to_sync_is_nothing_to_do),
		cmocka_unit_test(repair_puts_back_what_is_gone),
		cmocka_unit_test(repair_brings_a_link_up),
		cmocka_unit_test(fc11_two_tunnels_in_any_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
