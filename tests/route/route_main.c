#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/text.h"
#include "net/observe.h"
#include "net/route.h"

/*
 * net/route.h and net/observe.h by hand, for tests that compare them with `ip`. An error is the
 * name of the errno on stderr and status 1.
 *
 * route observe                                      all of it, as JSON
 * route add|remove address LINK PREFIX
 * route add|remove route KIND PREFIX TABLE METRIC [LINK]
 * route add|remove rule 4|6 PRIORITY TABLE MARK MASK SUPPRESS INVERT
 * route add mtu LINK MTU
 * route link add|remove NAME, route link up NAME MTU
 * route path ADDRESS MARK [SCOPE]                    as JSON
 * route watch                                        "ready", then a line whenever something
 * changed route batch                                        the same without "route", a line each
 * of stdin; "CODE" answers each
 */
enum { WORDS = 12 };

static const char *const kinds[] = { [HOST_UNICAST] = "unicast",
				     [HOST_UNREACHABLE] = "unreachable",
				     [HOST_BLACKHOLE] = "blackhole",
				     [HOST_PROHIBIT] = "prohibit",
				     [HOST_THROW] = "throw" };

static _Noreturn void usage(const char *what)
{
	fprintf(stderr, "route: not understood: %s\n", what ? what : "nothing");
	exit(2);
}

static uint32_t number(const char *word)
{
	uint64_t n;

	if (!word || !text_to_uint(word, UINT32_MAX, &n))
		usage(word);
	return (uint32_t)n;
}

static struct prefix prefix(const char *word)
{
	struct prefix p;

	if (!word || !text_to_prefix(word, &p))
		usage(word);
	return p;
}

static void set_link(struct item *i, const char *word)
{
	if (!word || strlen(word) >= sizeof(i->link))
		usage(word);
	strcpy(i->link, word);
}

static enum host_route_kind kind(const char *word)
{
	for (size_t i = 0; word && i < sizeof(kinds) / sizeof(kinds[0]); ++i)
		if (strcmp(kinds[i], word) == 0)
			return (enum host_route_kind)i;
	usage(word);
}

static struct item parse_route(char **words)
{
	struct item i = { .kind = ITEM_ROUTE, .route = kind(words[0]), .prefix = prefix(words[1]) };

	i.table = number(words[2]);
	i.metric = number(words[3]);
	if (words[4])
		set_link(&i, words[4]);
	return i;
}

static struct item parse_rule(char **words)
{
	uint32_t n[7];

	for (size_t k = 0; k < 7; ++k)
		n[k] = k == 5 && words[k] && strcmp(words[k], "-1") == 0 ? UINT32_MAX
									 : number(words[k]);
	return (struct item){ .kind = ITEM_RULE,
			      .rule = { .family = (uint8_t)n[0],
					.priority = n[1],
					.table = n[2],
					.mark = n[3],
					.mask = n[4],
					.suppress = (int)n[5],
					.invert = n[6] } };
}

static struct item parse(char **words)
{
	struct item i = { 0 };

	if (words[0] && strcmp(words[0], "route") == 0)
		return parse_route(words + 1);
	if (words[0] && strcmp(words[0], "rule") == 0)
		return parse_rule(words + 1);
	if (!words[0] || !words[1])
		usage(words[0]);
	set_link(&i, words[1]);
	if (strcmp(words[0], "address") == 0) {
		i.kind = ITEM_ADDRESS;
		i.prefix = prefix(words[2]);
	} else if (strcmp(words[0], "mtu") == 0) {
		i.kind = ITEM_LINK_MTU;
		i.number = number(words[2]);
	} else {
		usage(words[0]);
	}
	return i;
}

static void put(json_t *list, json_t *row)
{
	if (!row || json_array_append_new(list, row))
		abort();
}

static json_t *ip_text(const struct ip *ip)
{
	char text[TEXT_IP];

	if (ip->family == FAMILY_NONE)
		return json_null();
	text_from_ip(ip, text);
	return json_string(text);
}

static const char *prefix_text(const struct prefix *p)
{
	static char text[TEXT_PREFIX];

	text_from_prefix(p, text);
	return text;
}

static json_t *links(const struct host_network *n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n->link_count; ++i) {
		const struct host_link *l = &n->links[i];

		put(list, json_pack("{sI ss sI sb sb sb}", "index", (json_int_t)l->index, "name",
				    l->name, "mtu", (json_int_t)l->mtu, "up", l->up, "loopback",
				    l->loopback, "wireguard", l->wireguard));
	}
	return list;
}

static json_t *addresses(const struct host_network *n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n->address_count; ++i)
		put(list, json_pack("{sI ss}", "link", (json_int_t)n->addresses[i].link, "prefix",
				    prefix_text(&n->addresses[i].prefix)));
	return list;
}

static json_t *routes(const struct host_network *n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n->route_count; ++i) {
		const struct host_route *r = &n->routes[i];

		put(list, json_pack("{ss sI so sI sI sI ss si sb sb}", "dst", prefix_text(&r->dst),
				    "link", (json_int_t)r->link, "via", ip_text(&r->via), "table",
				    (json_int_t)r->table, "metric", (json_int_t)r->metric, "mtu",
				    (json_int_t)r->mtu, "kind", kinds[r->kind], "protocol",
				    (int)r->protocol, "gateway", r->gateway, "dead", r->dead));
	}
	return list;
}

static json_t *rules(const struct host_network *n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n->rule_count; ++i) {
		const struct host_rule *r = &n->rules[i];

		put(list,
		    json_pack("{si sI sI sI sI si sb sb}", "family", (int)r->family, "priority",
			      (json_int_t)r->priority, "table", (json_int_t)r->table, "mark",
			      (json_int_t)r->mark, "mask", (json_int_t)r->mask, "suppress",
			      r->suppress, "invert", r->invert, "other", r->other));
	}
	return list;
}

static int print_json(json_t *j)
{
	if (!j || json_dumpf(j, stdout, JSON_COMPACT))
		abort();
	(void)putchar('\n');
	json_decref(j);
	return 0;
}

static int observe(void)
{
	struct host_facts h;
	int status;

	host_facts_init(&h);
	status = observe_network(&h.network);
	if (status == 0)
		status = print_json(
			json_pack("{so so so so s{si si si si} sb sb}", "links", links(&h.network),
				  "addresses", addresses(&h.network), "routes", routes(&h.network),
				  "rules", rules(&h.network), "switches", "src_valid_mark",
				  (int)h.network.switches.src_valid_mark, "ip_forward",
				  (int)h.network.switches.ip_forward, "ip6_forward",
				  (int)h.network.switches.ip6_forward, "rp_filter",
				  (int)h.network.switches.rp_filter, "ipv6_off", h.network.ipv6_off,
				  "has_resolvconf", h.network.has_resolvconf));
	host_facts_done(&h);
	return status;
}

static int path(char **words)
{
	const struct endpoint to = { .ip = prefix(words[0]).ip,
				     .scope = words[1] && words[2] ? number(words[2]) : 0 };
	struct route_path p;
	const int status = route_path(&to, number(words[1]), &p);

	if (status)
		return status;
	return print_json(json_pack("{sI sI so so}", "link", (json_int_t)p.link, "mtu",
				    (json_int_t)p.mtu, "source", ip_text(&p.source), "via",
				    ip_text(&p.via)));
}

static int watch(void)
{
	const int fd = route_watch_open();
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int status = 0;

	if (fd < 0)
		return fd;
	(void)puts("ready");
	while (status >= 0) {
		(void)fflush(stdout);
		if (poll(&p, 1, -1) < 0)
			return -errno;
		status = route_watch_read(fd);
		if (status > 0)
			(void)puts("changed");
	}
	return status;
}

static int change_link(char **words)
{
	if (!words[0] || !words[1])
		usage(words[0]);
	if (strcmp(words[0], "add") == 0)
		return route_link_add(words[1]);
	if (strcmp(words[0], "remove") == 0)
		return route_link_remove(words[1]);
	return route_link_up(words[1], number(words[2]));
}

static int run(char **words);

static int batch(void)
{
	char line[512];

	while (fgets(line, sizeof(line), stdin)) {
		char *words[WORDS + 1] = { 0 }, *rest = line;
		size_t count = 0;
		int status;

		line[strcspn(line, "\n")] = '\0';
		while (count < WORDS && (words[count] = strsep(&rest, " ")))
			++count;
		status = run(words);
		(void)puts(status ? strerrorname_np(-status) : "0");
		(void)fflush(stdout);
	}
	return 0;
}

static int run(char **words)
{
	const char *verb = words[0];
	struct item i;

	if (!verb)
		usage(verb);
	if (strcmp(verb, "observe") == 0)
		return observe();
	if (strcmp(verb, "path") == 0)
		return path(words + 1);
	if (strcmp(verb, "watch") == 0)
		return watch();
	if (strcmp(verb, "link") == 0)
		return change_link(words + 1);
	if (strcmp(verb, "batch") == 0)
		return batch();
	if (strcmp(verb, "add") != 0 && strcmp(verb, "remove") != 0)
		usage(verb);
	i = parse(words + 1);
	return route_item(&i, strcmp(verb, "remove") == 0);
}

int main(int argc, char **argv)
{
	int status;

	(void)argc;
	status = run(argv + 1);
	if (status)
		fprintf(stderr, "%s\n", strerrorname_np(-status));
	return status ? 1 : 0;
}
