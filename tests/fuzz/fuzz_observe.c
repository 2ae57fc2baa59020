/*
 * What receives from rtnetlink brought, each behind two bytes that say how long it is and before
 * them one for the family that was asked for: read as dumps into facts, which then must make sense.
 * What we could have made of it ourselves is written as a request and read again. Each message is
 * also taken for the answer about a path.
 */
#include "base/netlink.h"
#include "net/route_read.h"
#include "net/route_write.h"

#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/bytes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void require(bool condition)
{
	if (!condition)
		__builtin_trap();
}

struct reader {
	struct host_network *network;
	uint8_t family;
};

static void read_path(const struct nlmsghdr *message)
{
	struct route_path p = { .link = 77 };

	if (route_read_path(message, &p) == 0)
		require(message->nlmsg_type == RTM_NEWROUTE);
	else
		require(p.link == 77);
}

static int read_message(void *ctx, const struct nlmsghdr *message)
{
	const struct reader *r = ctx;

	read_path(message);
	return route_read(message, r->family, r->network);
}

static void check_ip(const struct ip *ip)
{
	const uint8_t none[12] = { 0 };

	require(ip->family == FAMILY_V4 || ip->family == FAMILY_V6);
	require(ip->family == FAMILY_V6 || !memcmp(ip->bytes + 4, none, sizeof(none)));
}

static void check_prefix(const struct prefix *p, uint8_t family)
{
	check_ip(&p->ip);
	require(p->bits <= ip_bits(&p->ip));
	require(family == AF_UNSPEC || (family == AF_INET) == (p->ip.family == FAMILY_V4));
}

static void check(const struct host_network *n, uint8_t family)
{
	for (size_t i = 0; i < n->link_count; ++i)
		require(n->links[i].index && n->links[i].name[0] &&
			memchr(n->links[i].name, '\0', HOST_NAME));
	for (size_t i = 0; i < n->address_count; ++i)
		check_prefix(&n->addresses[i].prefix, family);
	for (size_t i = 0; i < n->route_count; ++i) {
		const struct host_route *r = &n->routes[i];

		check_prefix(&r->dst, family);
		require(r->table != HOST_TABLE_LOCAL);
		require(r->kind == HOST_UNICAST || (r->kind <= HOST_THROW && !r->link));
		require(r->gateway == (r->via.family != FAMILY_NONE));
		if (r->gateway)
			check_ip(&r->via);
	}
	for (size_t i = 0; i < n->rule_count; ++i)
		require(n->rules[i].family == FAMILY_V4 || n->rules[i].family == FAMILY_V6);
}

/* As a request it has the form of what is told of it, but for the number of its type. */
static struct host_facts read_again(const struct item *i, uint32_t link, uint16_t type)
{
	struct route_request r;
	struct nlmsghdr *h = (struct nlmsghdr *)(void *)r.bytes;
	struct host_facts again;

	host_facts_init(&again);
	require(route_write_item(&r, i, link, false) == 0);
	require(h->nlmsg_type == type && h->nlmsg_len <= sizeof(r.bytes));
	require(route_read(h, AF_UNSPEC, &again.network) == 0);
	return again;
}

static void address_again(const struct host_address *a)
{
	const struct item i = { .kind = ITEM_ADDRESS, .prefix = a->prefix };
	struct host_facts h = read_again(&i, a->link, RTM_NEWADDR);

	require(h.network.address_count == 1 && h.network.addresses[0].link == a->link);
	require(!memcmp(&h.network.addresses[0].prefix, &a->prefix, sizeof(a->prefix)));
	host_facts_done(&h);
}

static void route_again(const struct host_route *r)
{
	const struct item i = { .kind = ITEM_ROUTE,
				.prefix = r->dst,
				.table = r->table,
				.metric = r->metric,
				.route = r->kind };
	struct host_facts h = read_again(&i, r->link, RTM_NEWROUTE);
	const struct host_route *again = h.network.routes;

	require(h.network.route_count == 1 && again->link == r->link && again->kind == r->kind);
	require(again->table == r->table && again->metric == r->metric);
	/* of /0 no address is written */
	require(r->dst.bits == 0 || !memcmp(&again->dst, &r->dst, sizeof(r->dst)));
	host_facts_done(&h);
}

static void rule_again(const struct host_rule *r)
{
	const struct item i = { .kind = ITEM_RULE, .rule = *r };
	struct host_facts h;

	if (r->other || !r->table)
		return;
	h = read_again(&i, 0, RTM_NEWRULE);
	require(h.network.rule_count == 1);
	require(h.network.rules[0].priority == r->priority && !h.network.rules[0].other);
	require(h.network.rules[0].table == r->table && h.network.rules[0].mask == r->mask);
	require(!r->mask || h.network.rules[0].mark == r->mark);
	require(h.network.rules[0].suppress == (r->suppress < 0 ? -1 : r->suppress));
	require(h.network.rules[0].invert == r->invert);
	host_facts_done(&h);
}

static int take(const uint8_t *bytes, size_t len, struct reader *r)
{
	bool changed = false;
	uint8_t *copy = malloc(len ? len : 1);
	int status;

	require(copy);
	memcpy(copy, bytes, len);
	status = netlink_take(copy, len, 1, read_message, r, &changed);
	free(copy);
	return status;
}

static void read_all(const uint8_t *data, size_t len, struct reader *r)
{
	int status = 1;

	while (status == 1 && len >= 2) {
		size_t piece = load16_be(data);

		data += 2;
		len -= 2;
		piece = piece < len ? piece : len;
		status = take(data, piece, r);
		data += piece;
		len -= piece;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const uint8_t families[] = { AF_UNSPEC, AF_INET, AF_INET6 };
	struct host_facts h;
	struct reader r = { .network = &h.network };

	if (len == 0)
		return 0;
	host_facts_init(&h);
	r.family = families[data[0] % 3];
	read_all(data + 1, len - 1, &r);
	check(&h.network, r.family);
	for (size_t i = 0; i < h.network.address_count; ++i)
		address_again(&h.network.addresses[i]);
	for (size_t i = 0; i < h.network.route_count; ++i)
		route_again(&h.network.routes[i]);
	for (size_t i = 0; i < h.network.rule_count; ++i)
		rule_again(&h.network.rules[i]);
	host_facts_done(&h);
	return 0;
}
