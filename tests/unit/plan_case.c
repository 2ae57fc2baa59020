#include "plan_case.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/text.h"

static void add_rule(struct host_network *n, uint8_t family, uint32_t priority, uint32_t table)
{
	struct host_rule *rule = host_add_rule(n);

	assert_non_null(rule);
	*rule = (struct host_rule){
		.family = family, .priority = priority, .table = table, .suppress = -1
	};
}

static bool is_before(const struct host_rule *a, const struct host_rule *b)
{
	return a->family == b->family ? a->priority < b->priority : a->family < b->family;
}

/* Where the kernel would have put the last one. */
static void sort_rules(struct host_network *n)
{
	for (size_t i = n->rule_count - 1; i > 0 && is_before(&n->rules[i], &n->rules[i - 1]);
	     --i) {
		const struct host_rule rule = n->rules[i];

		n->rules[i] = n->rules[i - 1];
		n->rules[i - 1] = rule;
	}
}

void plan_host_rule(struct host_network *n, const struct host_rule *rule)
{
	struct host_rule *row = host_add_rule(n);

	assert_non_null(row);
	*row = *rule;
	sort_rules(n);
}

void plan_host_init(struct plan_host *h)
{
	struct host_link *lo;

	*h = (struct plan_host){ .choice = { .link = "wg0", .engine = "kernel" } };
	host_facts_init(&h->facts);
	items_init(&h->dns);
	items_init(&h->firewall);
	items_init(&h->others);
	h->choice.dns = &h->dns;
	h->choice.firewall = &h->firewall;
	h->choice.others = &h->others;
	h->choice.fail_closed = true;
	lo = host_add_link(&h->facts.network);
	assert_non_null(lo);
	*lo = (struct host_link){ .index = 1, .mtu = 65536, .name = "lo", .up = true };
	add_rule(&h->facts.network, FAMILY_V4, 0, HOST_TABLE_LOCAL);
	add_rule(&h->facts.network, FAMILY_V4, 32766, HOST_TABLE_MAIN);
	add_rule(&h->facts.network, FAMILY_V4, 32767, HOST_TABLE_DEFAULT);
	add_rule(&h->facts.network, FAMILY_V6, 0, HOST_TABLE_LOCAL);
	add_rule(&h->facts.network, FAMILY_V6, 32766, HOST_TABLE_MAIN);
}

void plan_host_done(struct plan_host *h)
{
	host_facts_done(&h->facts);
	items_done(&h->dns);
	items_done(&h->firewall);
	items_done(&h->others);
}

static void add_item(struct items *to, const char *line)
{
	struct item item;

	if (item_parse(line, strlen(line), &item) != 0)
		fail_msg("no item: %s", line);
	assert_true(items_copy(to, &item));
	item_done(&item);
}

static void add_route(struct plan_host *h, const char *prefix, const char *table)
{
	struct host_route *route = host_add_route(&h->facts.network);

	assert_non_null(route);
	assert_true(text_to_prefix(prefix, &route->dst));
	route->table = (uint32_t)atoi(table);
}

static void take_words(struct plan_host *h, const char *key, const char *rest)
{
	static char texts[4][64]; /* borrowed by the choice; a test has one host at a time */
	char a[64] = "", b[64] = "", c[64] = "";

	(void)sscanf(rest, "%63s %63s %63s", a, b, c);
	if (strcmp(key, "route") == 0) {
		add_route(h, a, b);
	} else if (strcmp(key, "rule") == 0) {
		add_rule(&h->facts.network, (uint8_t)atoi(a), (uint32_t)atoi(b), (uint32_t)atoi(c));
		sort_rules(&h->facts.network);
	} else if (strcmp(key, "mtu") == 0) {
		h->choice.mtu = (uint32_t)atoi(a);
	} else if (strcmp(key, "mark") == 0) {
		h->choice.mark = (uint32_t)atoi(a);
		h->choice.has_mark = true;
	} else if (strcmp(key, "table") == 0) {
		h->choice.table = (uint32_t)atoi(a);
	} else if (strcmp(key, "link") == 0) {
		h->choice.link = strcpy(texts[0], a);
	} else if (strcmp(key, "engine") == 0) {
		h->choice.engine = strcpy(texts[1], a);
	} else if (strcmp(key, "ipv6") == 0) {
		h->facts.network.ipv6_off = true;
		if (strcmp(a, "unknown") == 0) /* its rules stand at the end */
			h->facts.network.rule_count -= 2;
	} else if (strcmp(key, "src_valid_mark") == 0) {
		h->facts.network.switches.src_valid_mark = HOST_ON;
	} else if (strcmp(key, "fail") == 0) {
		h->choice.fail_closed = false;
	} else {
		fail_msg("no such line: %s %s", key, rest);
	}
}

void plan_host_line(struct plan_host *h, const char *line, size_t len)
{
	char copy[1000];
	char *rest;

	assert_true(len < sizeof(copy));
	memcpy(copy, line, len);
	copy[len] = '\0';
	rest = strchr(copy, ' ');
	assert_non_null(rest);
	*rest++ = '\0';
	if (strcmp(copy, "other") == 0)
		add_item(&h->others, rest);
	else if (strcmp(copy, "dns") == 0)
		add_item(&h->dns, rest);
	else if (strcmp(copy, "firewall") == 0)
		add_item(&h->firewall, rest);
	else
		take_words(h, copy, rest);
}

void plan_file_init(struct plan_file *f, const char *text, size_t len)
{
	struct diags d;

	diags_init(&d);
	assert_int_equal(file_parse(&f->file, "/etc/wireguard/wg0.conf", text, len), 0);
	assert_true(tunnel_read(&f->file, &f->tunnel, &d));
	if (d.errors)
		fail_msg("line %u: %s", d.rows[0].line, d.rows[0].text);
	diags_done(&d);
}

void plan_file_done(struct plan_file *f)
{
	tunnel_done(&f->tunnel);
	file_done(&f->file);
}

void plan_lines(const struct plan *p, const char *link, struct buffer *b)
{
	for (size_t i = 0; i < p->count; ++i)
		if (step_print(&p->rows[i], link, b))
			buffer_append(b, "\n", 1);
	assert_true(buffer_ok(b));
}
