#include "net/observe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/text.h"
#include "support.h"

static char folder[64], file[128], behind[128];

static int make_folder(void **state)
{
	FILE *f;

	(void)state;
	(void)snprintf(folder, sizeof(folder), "/tmp/warren-observe-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	(void)snprintf(file, sizeof(file), "%s/wg0.conf", folder);
	(void)snprintf(behind, sizeof(behind), "%s/link.conf", folder);
	f = fopen(file, "w");
	return f && fclose(f) == 0 && symlink(file, behind) == 0 ? 0 : -1;
}

static int remove_folder(void **state)
{
	(void)state;
	return unlink(behind) == 0 && unlink(file) == 0 && rmdir(folder) == 0 ? 0 : -1;
}

static void sees_the_whole_path(void **state)
{
	struct host_facts h;

	(void)state;
	assert_int_equal(chmod(file, 0640), 0);
	host_facts_init(&h);
	assert_int_equal(observe_file(&h, behind), 0); /* a link is followed first */
	assert_int_equal(h.file_count, 1);
	assert_ptr_equal(h.files[0].file, behind);
	assert_int_equal(h.files[0].node_count, 4);
	assert_string_equal(h.files[0].nodes[0].path, file);
	assert_int_equal(h.files[0].nodes[0].mode & 07777, 0640);
	assert_int_equal(h.files[0].nodes[0].uid, getuid());
	assert_string_equal(h.files[0].nodes[1].path, folder);
	assert_int_equal(h.files[0].nodes[1].mode & 07777, 0700);
	assert_string_equal(h.files[0].nodes[2].path, "/tmp");
	assert_string_equal(h.files[0].nodes[3].path, "/");
	host_facts_done(&h);
}

static void what_is_not_there_is_left_out(void **state)
{
	struct host_facts h;

	(void)state;
	host_facts_init(&h);
	assert_int_equal(observe_file(&h, "/nowhere/wg0.conf"), 0);
	assert_int_equal(h.file_count, 0);
	host_facts_done(&h);
}

/* user::rw-, user:9:r--, group::---, group:8:rw-, mask::r--, other::--- */
static void reads_an_access_list(void **state)
{
	static const uint8_t list[] = {
		2,    0,    0,    0,    0x01, 0,    6, 0,    0xff, 0xff, 0xff, 0xff, 0x02,
		0,    4,    0,    9,    0,    0,    0, 0x04, 0,    0,    0,    0xff, 0xff,
		0xff, 0xff, 0x08, 0,    6,    0,    8, 0,    0,    0,    0x10, 0,    4,
		0,    0xff, 0xff, 0xff, 0xff, 0x20, 0, 0,    0,    0xff, 0xff, 0xff, 0xff,
	};
	const struct host_node *n;
	struct host_facts h;

	(void)state;
	if (setxattr(file, "system.posix_acl_access", list, sizeof(list), 0) < 0)
		skip(); /* this file system has none */
	host_facts_init(&h);
	assert_int_equal(observe_file(&h, file), 0);
	n = &h.files[0].nodes[0];
	assert_int_equal(n->mode & 07777, 0600); /* not 0640, where 4 is the mask */
	assert_int_equal(n->grant_count, 2);
	assert_int_equal(n->grants[0].who, HOST_USER);
	assert_int_equal(n->grants[0].id, 9);
	assert_int_equal(n->grants[0].may, 4);
	assert_int_equal(n->grants[1].who, HOST_GROUP);
	assert_int_equal(n->grants[1].id, 8);
	assert_int_equal(n->grants[1].may, 4); /* the mask takes the 2 away */
	host_facts_done(&h);
	assert_int_equal(removexattr(file, "system.posix_acl_access"), 0);
}

static void sees_the_loopback(void **state)
{
	struct host_facts h;
	const struct host_link *lo;

	(void)state;
	host_facts_init(&h);
	assert_int_equal(observe_network(&h.network), 0);
	lo = host_link_by_name(&h.network, "lo");
	if (!lo)
		skip();
	assert_true(lo->loopback);
	assert_false(lo->wireguard);
	assert_true(lo->index > 0);
	assert_int_equal(lo->mtu, 65536);
	assert_ptr_equal(host_link_by_index(&h.network, lo->index), lo);
	for (size_t i = 0; i < h.network.address_count; ++i) {
		const struct host_address *a = &h.network.addresses[i];
		char text[TEXT_PREFIX];

		assert_non_null(host_link_by_index(&h.network, a->link));
		text_from_prefix(&a->prefix, text);
		if (a->link == lo->index && a->prefix.ip.family == FAMILY_V4)
			assert_string_equal(text, "127.0.0.1/8");
	}
	host_facts_done(&h);
}

static void knows_the_default_routes(void **state)
{
	struct host_network n = { 0 };
	struct host_facts h = { 0 };
	struct host_route *route;
	struct host_link *link;

	(void)state;
	assert_null(host_default_link(&n, FAMILY_V4));
	link = host_add_link(&h.network);
	assert_non_null(link);
	link->index = 7;
	for (uint8_t bits = 1; bits != 0xff; --bits) { /* 1, then 0 */
		route = host_add_route(&h.network);
		assert_non_null(route);
		*route = (struct host_route){ .dst = { { .family = FAMILY_V4 }, bits },
					      .link = 7,
					      .table = HOST_TABLE_MAIN };
		assert_ptr_equal(host_default_link(&h.network, FAMILY_V4), bits == 0 ? link : NULL);
	}
	assert_null(host_default_link(&h.network, FAMILY_V6));
	host_facts_done(&h);
}

/* The best of those that lead somewhere: index 1 stands for no link. */
static void knows_the_best_default_route(void **state)
{
	static const struct {
		struct host_route route;
		uint32_t best; /* once it is there too */
	} rows[] = {
		{ { .link = 2, .table = 51820 }, 1 },
		{ { .link = 3, .table = HOST_TABLE_MAIN, .kind = HOST_UNREACHABLE }, 1 },
		{ { .link = 4, .table = HOST_TABLE_MAIN, .dead = true }, 1 },
		{ { .link = 5, .table = HOST_TABLE_MAIN, .metric = 100 }, 5 },
		{ { .link = 6, .table = HOST_TABLE_MAIN, .metric = 200 }, 5 },
		{ { .link = 7, .table = HOST_TABLE_MAIN, .metric = 50 }, 7 },
		{ { .link = 8, .table = HOST_TABLE_MAIN, .metric = 50 }, 7 },
	};
	struct host_facts h;

	(void)state;
	host_facts_init(&h);
	for (uint32_t i = 1; i < 9; ++i) {
		struct host_link *link = host_add_link(&h.network);

		assert_non_null(link);
		link->index = i;
	}
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); ++i) {
		struct host_route *route = host_add_route(&h.network);
		const struct host_link *best;

		assert_non_null(route);
		*route = rows[i].route;
		route->dst.ip.family = FAMILY_V6;
		best = host_default_link(&h.network, FAMILY_V6);
		assert_int_equal(best ? best->index : 1, rows[i].best);
		assert_null(host_default_link(&h.network, FAMILY_V4));
	}
	host_facts_done(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sees_the_whole_path),
		cmocka_unit_test(what_is_not_there_is_left_out),
		cmocka_unit_test(reads_an_access_list),
		cmocka_unit_test(sees_the_loopback),
		cmocka_unit_test(knows_the_default_routes),
		cmocka_unit_test(knows_the_best_default_route),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
