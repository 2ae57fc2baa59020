#include "net/plan.h"

#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/text.h"
#include "plan_case.h"

#define PLANS VECTORS_DIR "/../plan"

/*
 * Files of tests/plan: what the planner is told and what it says. The first line says what is
 * shown; the parts are "host" (lines of plan_case.h), "file" (the configuration), "up" and "down"
 * (the lines of these plans), and in some "then", another configuration, and "sync".
 * WARREN_GOLDEN=write makes the plans in them what they are.
 */
struct part {
	const char *text;
	size_t len;
};

static char *read_file(const char *path)
{
	FILE *f = fopen(path, "re");
	char *text = calloc(1, 100000);

	assert_non_null(f);
	assert_non_null(text);
	assert_true(fread(text, 1, 99999, f) < 99999);
	assert_int_equal(fclose(f), 0);
	return text;
}

/* Up to the next "## ". */
static struct part part_of(const char *text, const char *name)
{
	char head[64];
	const char *begin, *end;

	(void)snprintf(head, sizeof(head), "\n## %s\n", name);
	begin = strstr(text, head);
	if (!begin)
		return (struct part){ "", 0 };
	begin += strlen(head);
	end = strncmp(begin, "## ", 3) == 0 ? begin : strstr(begin, "\n## ");
	if (!end)
		return (struct part){ begin, strlen(begin) };
	return (struct part){ begin, (size_t)(end - begin) + (end > begin) };
}

static void describe_host(struct plan_host *h, struct part part)
{
	while (part.len > 0) {
		const char *end = memchr(part.text, '\n', part.len);
		const size_t len = end ? (size_t)(end - part.text) : part.len;

		plan_host_line(h, part.text, len);
		part.text += len + 1;
		part.len -= len + 1;
	}
}

static void put_part(struct buffer *b, const char *name, struct part part)
{
	buffer_printf(b, "## %s\n", name);
	buffer_append(b, part.text, part.len);
}

/* What a tunnel that came up owns. */
static void own(const struct plan *up, struct items *ret)
{
	for (size_t i = 0; i < up->count; ++i)
		if (up->rows[i].kind == STEP_ADD || up->rows[i].kind == STEP_UP)
			assert_true(items_copy(ret, &up->rows[i].item));
}

/* A host on which all of it is there. */
static void show_owned(const struct items *owned, struct host_network *n)
{
	struct host_link *link = host_add_link(n);

	assert_non_null(link);
	*link = (struct host_link){ .index = 7, .up = true };
	for (size_t i = 0; i < owned->count; ++i) {
		const struct item *o = &owned->rows[i];
		void *added = link;

		if (o->kind == ITEM_LINK)
			memcpy(link->name, o->link, sizeof(link->name));
		else if (o->kind == ITEM_LINK_MTU)
			link->mtu = o->number;
		else if (o->kind == ITEM_SWITCH)
			n->switches.src_valid_mark = HOST_ON;
		else if (o->kind == ITEM_ADDRESS && (added = host_add_address(n)))
			*(struct host_address *)added = (struct host_address){ 7, o->prefix };
		else if (o->kind == ITEM_RULE)
			plan_host_rule(n, &o->rule);
		else if (o->kind == ITEM_ROUTE && (added = host_add_route(n)))
			*(struct host_route *)added = (struct host_route){
				.dst = o->prefix,
				.link = o->route == HOST_UNICAST ? 7 : 0,
				.table = o->table,
				.metric = o->metric == 0 && o->prefix.ip.family == FAMILY_V6
						  ? 1024
						  : o->metric,
				.kind = o->route,
			};
		assert_non_null(added);
	}
}

/* From `owned`, all of which is there, to another file. The firewall stays as it is. */
static void put_sync(struct buffer *b, const struct items *owned, uint32_t mark, struct part file,
		     struct plan_host *h)
{
	struct plan sync;
	struct plan_file t;

	plan_init(&sync);
	plan_file_init(&t, file.text, file.len);
	show_owned(owned, &h->facts.network);
	h->choice.has_mark = true;
	h->choice.mark = mark;
	assert_true(plan_sync(&t.tunnel, &h->facts.network, &h->choice, owned, &sync));
	put_part(b, "then", file);
	put_part(b, "sync", (struct part){ "", 0 });
	plan_lines(&sync, h->choice.link, b);
	plan_file_done(&t);
	plan_done(&sync);
}

static void put_plans(struct buffer *b, const struct tunnel *t, struct part then,
		      struct plan_host *h)
{
	struct plan up, down;
	struct items owned;

	plan_init(&up);
	plan_init(&down);
	items_init(&owned);
	assert_true(plan_up(t, &h->facts.network, &h->choice, &up));
	own(&up, &owned);
	assert_true(plan_down(t, &owned, &down));
	put_part(b, "up", (struct part){ "", 0 });
	plan_lines(&up, h->choice.link, b);
	put_part(b, "down", (struct part){ "", 0 });
	plan_lines(&down, h->choice.link, b);
	if (then.len)
		put_sync(b, &owned, plan_mark_for(t, &h->facts.network, &h->choice), then, h);
	items_done(&owned);
	plan_done(&up);
	plan_done(&down);
}

static void check_golden(const char *path, const char *text, const struct buffer *b)
{
	const char *mode = getenv("WARREN_GOLDEN");
	FILE *f;

	if (b->len == strlen(text) && memcmp(b->bytes, text, b->len) == 0)
		return;
	if (!mode || strcmp(mode, "write") != 0)
		fail_msg("%s is not what is planned:\n%.*s", path, (int)b->len, b->bytes);
	f = fopen(path, "we");
	assert_non_null(f);
	assert_int_equal(fwrite(b->bytes, 1, b->len, f), b->len);
	assert_int_equal(fclose(f), 0);
}

static void check_plan(const char *path)
{
	char *text = read_file(path);
	const struct part host = part_of(text, "host"), file = part_of(text, "file");
	struct plan_host h;
	struct plan_file t;
	struct buffer b;

	plan_host_init(&h);
	describe_host(&h, host);
	plan_file_init(&t, file.text, file.len);
	buffer_init(&b);
	buffer_append(&b, text, (size_t)(strstr(text, "\n## ") - text) + 1);
	put_part(&b, "host", host);
	put_part(&b, "file", file);
	put_plans(&b, &t.tunnel, part_of(text, "then"), &h);
	check_golden(path, text, &b);
	buffer_done(&b);
	plan_file_done(&t);
	plan_host_done(&h);
	free(text);
}

static void plans_are_as_written_down(void **state)
{
	glob_t found;

	(void)state;
	assert_int_equal(glob(PLANS "/*.plan", 0, NULL, &found), 0);
	assert_true(found.gl_pathc > 10);
	for (size_t i = 0; i < found.gl_pathc; ++i)
		check_plan(found.gl_pathv[i]);
	globfree(&found);
}

static void names_of_tables(void **state)
{
	static const char rt_tables[] = "# reserved\n255\tlocal\n  100 vpn # ours\n0x64 hex\n"
					"0x1ffffffff big\n12a bad\n300\n\n7 twice\n8 twice\n"
					"#9 out\n200 last";
	static const struct {
		const char *name, *text;
		long table; /* -1: nobody knows it */
	} table[] = {
		{ "main", "", 254 },        { "local", "", 255 },
		{ "default", "", 253 },     { "vpn", "", -1 },
		{ "vpn", rt_tables, 100 },  { "hex", rt_tables, 100 },
		{ "big", rt_tables, -1 },   { "bad", rt_tables, -1 },
		{ "300", rt_tables, -1 },   { "twice", rt_tables, 8 },
		{ "out", rt_tables, -1 },   { "last", rt_tables, 200 },
		{ "main", "9 main\n", 9 },  { "ours", rt_tables, -1 },
		{ "main", rt_tables, 254 }, { "reserved", rt_tables, -1 },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTS(table); ++i) {
		uint32_t number = 0;
		const bool known = plan_table(table[i].name, table[i].text, &number);

		if (known != (table[i].table >= 0) || (known && number != table[i].table))
			fail_msg("%s is %u", table[i].name, number);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plans_are_as_written_down),
		cmocka_unit_test(names_of_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
