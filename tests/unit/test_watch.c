#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "net/firewall_watch.h"
#include "net/folder_watch.h"

/* What a change to nftables looks like: something, and a generation with who made it. */
struct news {
	struct nlmsghdr head;
	struct nfgenmsg family;
	struct nlattr attribute;
	char name[64];
};

static struct news generation(const char *who)
{
	struct news n = { .head = { .nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWGEN },
			  .attribute = { .nla_type = NFTA_GEN_PROC_NAME } };

	(void)snprintf(n.name, sizeof(n.name), "%s", who);
	n.attribute.nla_len = (uint16_t)(sizeof(n.attribute) + strlen(who) + 1);
	n.head.nlmsg_len = (uint32_t)(offsetof(struct news, attribute) + n.attribute.nla_len);
	return n;
}

static void who_changed_the_firewall(void **state)
{
	struct firewall_watch w = { .fd = -1 };
	struct news n = generation("firewalld");

	(void)state;
	assert_false(firewall_watch_take(&w, &n, 0));
	assert_true(firewall_watch_take(&w, &n, n.head.nlmsg_len));
	assert_string_equal(w.who, "firewalld");
	n = generation("a name that is longer than any name of a program may be");
	assert_true(firewall_watch_take(&w, &n, n.head.nlmsg_len));
	assert_int_equal(strlen(w.who), FIREWALL_WATCH_WHO - 1);
	n.head.nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_DELRULE;
	assert_true(firewall_watch_take(&w, &n, n.head.nlmsg_len));
	assert_int_equal(strlen(w.who), FIREWALL_WATCH_WHO - 1);
	n = generation("x");
	n.attribute.nla_type = NFTA_GEN_ID;
	assert_true(firewall_watch_take(&w, &n, n.head.nlmsg_len));
	assert_string_equal(w.who, "");
}

/* Of the kernel, and yet: no length is trusted. */
static void broken_news_are_news(void **state)
{
	struct firewall_watch w = { .fd = -1 };
	struct news n = generation("nft");

	(void)state;
	n.head.nlmsg_len = sizeof(n) + 1;
	assert_true(firewall_watch_take(&w, &n, sizeof(n)));
	n.head.nlmsg_len = 3;
	assert_true(firewall_watch_take(&w, &n, sizeof(n)));
	n = generation("nft");
	n.attribute.nla_len = 60000;
	assert_true(firewall_watch_take(&w, &n, n.head.nlmsg_len));
	assert_string_equal(w.who, "");
}

static void write_file(const char *folder, const char *name)
{
	char path[256];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs("x", f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void move_file(const char *folder, const char *from, const char *to)
{
	char old[256], new[256];

	(void)snprintf(old, sizeof(old), "%s/%s", folder, from);
	(void)snprintf(new, sizeof(new), "%s/%s", folder, to);
	assert_int_equal(rename(old, new), 0);
}

static unsigned int news_of(struct folder_watch *w)
{
	unsigned int which;

	assert_int_equal(folder_watch_read(w, &which), 0);
	return which;
}

static void files_of_folders(void **state)
{
	char folder[] = "/tmp/test_watch_XXXXXX";
	struct folder_watch w;
	char path[256];

	(void)state;
	assert_non_null(mkdtemp(folder));
	assert_int_equal(folder_watch_open(&w), 0);
	assert_int_equal(folder_watch_add(&w, "/there/is/none", "x"), -ENOENT);
	assert_int_equal(folder_watch_add(&w, folder, "home.conf"), 0);
	assert_int_equal(folder_watch_add(&w, folder, ""), 1);
	assert_int_equal(news_of(&w), 0);
	write_file(folder, "new.conf");
	assert_int_equal(news_of(&w), 2);
	move_file(folder, "new.conf", "home.conf");
	assert_int_equal(news_of(&w), 3);
	write_file(folder, "home.conf");
	assert_int_equal(news_of(&w), 3);
	assert_int_equal(news_of(&w), 0);
	(void)snprintf(path, sizeof(path), "%s/home.conf", folder);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(news_of(&w), 3);
	assert_int_equal(rmdir(folder), 0);
	folder_watch_close(&w);
	assert_int_equal(w.fd, -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_changed_the_firewall),
		cmocka_unit_test(broken_news_are_news),
		cmocka_unit_test(files_of_folders),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
