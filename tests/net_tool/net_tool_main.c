#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/tunnel_read.h"
#include "net/firewall.h"
#include "net/foreign.h"
#include "net/observe.h"

/*
 * What up does with a tunnel's rules, one step at a time, for the live tests:
 *   net_tool items  FILE LINK MARK   what it wants, a line each as the journal has them
 *   net_tool add    < LINES          put them on the host
 *   net_tool remove < LINES          and away, last first
 *   net_tool there  < LINES          1, 0 or a negative errno for each
 */
static char *read_all(FILE *f, size_t *ret_len)
{
	char *bytes = NULL;
	size_t room = 0;
	ssize_t len = getdelim(&bytes, &room, 0, f);

	*ret_len = len < 0 ? 0 : (size_t)len;
	return bytes;
}

static int read_tunnel(const char *path, struct tunnel *ret)
{
	FILE *f = fopen(path, "re");
	struct config_file file;
	struct diags diags;
	size_t len;
	char *bytes;
	bool good;

	if (!f)
		return -errno;
	bytes = read_all(f, &len);
	(void)fclose(f); /* only read */
	if (!bytes || file_parse(&file, path, bytes, len) != 0)
		return -ENOMEM;
	free(bytes);
	diags_init(&diags);
	good = tunnel_read(&file, ret, &diags);
	for (size_t i = 0; i < diags.count; ++i)
		(void)fprintf(stderr, "%s:%u: %s\n", path, diags.rows[i].line, diags.rows[i].text);
	good = good && diags.errors == 0;
	diags_done(&diags);
	file_done(&file);
	return good ? 0 : -EINVAL;
}

static int print_items(const struct items *items)
{
	struct buffer b;
	bool good = true;

	buffer_init(&b);
	for (size_t i = 0; i < items->count; ++i) {
		good = good && item_write(&items->rows[i], &b);
		buffer_append(&b, "\n", 1);
	}
	if (good && buffer_ok(&b))
		(void)fwrite(b.bytes, 1, b.len, stdout);
	buffer_done(&b);
	return good ? 0 : -ENOMEM;
}

static int want(const char *path, const char *link, uint32_t mark)
{
	struct host_facts facts;
	struct diag why = { 0 };
	struct items items;
	struct tunnel t;
	int result;

	host_facts_init(&facts);
	items_init(&items);
	result = read_tunnel(path, &t);
	if (result == 0)
		result = observe_network(&facts.network);
	if (result == 0 && !(firewall_switches(&t, &facts.network, &items) &&
			     firewall_items(&t, link, mark, &facts.network, &items)))
		result = -ENOMEM;
	if (result == 0)
		(void)foreign_decide(&t, link, &items, &why); /* up goes on, too */
	if (why.text[0])
		(void)fprintf(stderr, "%s\n", why.text);
	if (result == 0)
		result = print_items(&items);
	items_done(&items);
	host_facts_done(&facts);
	return result;
}

static int set_switch(const struct item *i, uint32_t number)
{
	char path[256];
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/sys/%s", i->text);
	f = fopen(path, "we");
	if (!f)
		return -errno;
	(void)fprintf(f, "%u", number);
	return fclose(f) == 0 ? 0 : -errno;
}

static int add(const struct item *i, struct diag *why)
{
	if (i->kind == ITEM_SWITCH)
		return set_switch(i, i->number);
	return i->kind == ITEM_FOREIGN ? foreign_add(i, why) : firewall_add(i, why);
}

static int take_away(const struct item *i, struct diag *why)
{
	if (i->kind == ITEM_SWITCH)
		return set_switch(i, i->old);
	return i->kind == ITEM_FOREIGN ? foreign_remove(i, why) : firewall_remove(i, why);
}

static int there(const struct item *i, struct diag *why)
{
	(void)why;
	(void)printf("%d\n", i->kind == ITEM_SWITCH    ? 1
			     : i->kind == ITEM_FOREIGN ? foreign_is_there(i)
						       : firewall_is_there(i));
	return 0;
}

static int read_items(struct items *ret)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t len;
	int result = 0;

	while (result == 0 && (len = getline(&line, &room, stdin)) > 0) {
		struct item *i = items_add(ret, ITEM_LINK, "");

		result = i ? item_parse(line, (size_t)len - 1, i) : -ENOMEM;
	}
	free(line);
	return result;
}

static int each(int (*act)(const struct item *i, struct diag *why), bool backwards)
{
	struct items items;
	int result;

	items_init(&items);
	result = read_items(&items);
	for (size_t i = 0; i < items.count && result == 0; ++i) {
		struct diag why = { 0 };

		result = act(&items.rows[backwards ? items.count - 1 - i : i], &why);
		if (result != 0)
			(void)fprintf(stderr, "%s\n", why.text);
	}
	items_done(&items);
	return result;
}

static int run(int argc, char **argv)
{
	if (argc == 5 && strcmp(argv[1], "items") == 0)
		return want(argv[2], argv[3], (uint32_t)strtoul(argv[4], NULL, 0));
	if (argc == 2 && strcmp(argv[1], "add") == 0)
		return each(add, false);
	if (argc == 2 && strcmp(argv[1], "remove") == 0)
		return each(take_away, true);
	if (argc == 2 && strcmp(argv[1], "there") == 0)
		return each(there, false);
	return -EINVAL;
}

int main(int argc, char **argv)
{
	const int result = run(argc, argv);

	if (result != 0)
		(void)fprintf(stderr, "net_tool: %s\n", strerror(-result));
	return result == 0 ? 0 : 1;
}
