#include "net/route_read.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>

#include "base/netlink.h"

/* Its fixed part, at the front; false: too short, or broken. */
static bool begin(struct netlink_walk *w, const struct nlmsghdr *message, void *ret, size_t len)
{
	netlink_walk_message(w, message, len);
	if (w->broken)
		return false;
	memcpy(ret, mnl_nlmsg_get_payload(message), len);
	return true;
}

static bool read_u32(const struct netlink_attribute *a, uint32_t *ret)
{
	if (a->len != sizeof(*ret))
		return false;
	memcpy(ret, a->bytes, sizeof(*ret));
	return true;
}

static uint8_t family_of(unsigned int af)
{
	return af == AF_INET ? FAMILY_V4 : af == AF_INET6 ? FAMILY_V6 : FAMILY_NONE;
}

static bool read_ip(const uint8_t *bytes, size_t len, uint8_t family, struct ip *ret)
{
	*ret = (struct ip){ .family = family };
	if (family == FAMILY_NONE || len != ip_bits(ret) / 8)
		return false;
	memcpy(ret->bytes, bytes, len);
	return true;
}

/* Links */

/* A text comes with its end or without. */
static bool is_text(const struct netlink_attribute *a, const char *want)
{
	const size_t len = strlen(want);

	return strnlen((const char *)a->bytes, a->len) == len && memcmp(a->bytes, want, len) == 0;
}

static void read_kind(const struct netlink_attribute *nest, struct host_link *link)
{
	struct netlink_attribute a;
	struct netlink_walk w;

	netlink_walk_nest(&w, nest);
	while (netlink_walk_next(&w, &a))
		if (a.type == IFLA_INFO_KIND)
			link->wireguard = is_text(&a, "wireguard");
}

static bool read_name(const struct netlink_attribute *a, struct host_link *link)
{
	const size_t len = strnlen((const char *)a->bytes, a->len);

	if (len == 0 || len >= sizeof(link->name))
		return false;
	memcpy(link->name, a->bytes, len);
	return true;
}

static int read_link(const struct nlmsghdr *message, struct host_network *n)
{
	struct host_link link = { 0 }, *row;
	struct netlink_attribute a;
	struct netlink_walk w;
	struct ifinfomsg head;
	bool ok = begin(&w, message, &head, sizeof(head));

	while (ok && netlink_walk_next(&w, &a))
		if (a.type == IFLA_IFNAME)
			ok = read_name(&a, &link);
		else if (a.type == IFLA_MTU)
			ok = read_u32(&a, &link.mtu);
		else if (a.type == IFLA_LINKINFO)
			read_kind(&a, &link);
	if (!ok || w.broken || link.name[0] == '\0' || head.ifi_index <= 0)
		return 0;
	link.index = (uint32_t)head.ifi_index;
	link.up = head.ifi_flags & IFF_UP;
	link.loopback = head.ifi_flags & IFF_LOOPBACK;
	row = host_add_link(n);
	if (!row)
		return -ENOMEM;
	*row = link;
	return 0;
}

/* Addresses */

static int add_address(struct host_network *n, const struct ifaddrmsg *head, const struct ip *ip)
{
	struct host_address *row;

	if (head->ifa_prefixlen > ip_bits(ip))
		return 0;
	row = host_add_address(n);
	if (!row)
		return -ENOMEM;
	*row = (struct host_address){ head->ifa_index, { *ip, head->ifa_prefixlen } };
	return 0;
}

/* Of a point-to-point address both ends are told: IFA_LOCAL is ours. */
static int read_address(const struct nlmsghdr *message, uint8_t family, struct host_network *n)
{
	struct netlink_attribute a;
	struct ip address = { 0 }, local = { 0 };
	struct netlink_walk w;
	struct ifaddrmsg head;
	bool ok = begin(&w, message, &head, sizeof(head)) &&
		  (family == AF_UNSPEC || family == head.ifa_family);

	while (ok && netlink_walk_next(&w, &a))
		if (a.type == IFA_LOCAL)
			ok = read_ip(a.bytes, a.len, family_of(head.ifa_family), &local);
		else if (a.type == IFA_ADDRESS)
			ok = read_ip(a.bytes, a.len, family_of(head.ifa_family), &address);
	if (local.family == FAMILY_NONE)
		local = address;
	if (!ok || w.broken || local.family == FAMILY_NONE)
		return 0;
	return add_address(n, &head, &local);
}

/* Routes */

enum { DEAD = RTNH_F_DEAD | RTNH_F_LINKDOWN };

struct route_parts {
	struct rtmsg head;
	struct host_route route;
	struct ip source;
	struct netlink_attribute hops; /* bytes NULL: it has but one */
};

/* A gateway of the other family, behind the number of that family. */
static bool read_via(const struct netlink_attribute *a, struct ip *ret)
{
	uint16_t af;

	if (a->len < sizeof(af))
		return false;
	memcpy(&af, a->bytes, sizeof(af));
	return read_ip(a->bytes + sizeof(af), a->len - sizeof(af), family_of(af), ret);
}

static bool read_metrics(const struct netlink_attribute *nest, uint32_t *ret_mtu)
{
	struct netlink_attribute a;
	struct netlink_walk w;

	netlink_walk_nest(&w, nest);
	while (netlink_walk_next(&w, &a))
		if (a.type == RTAX_MTU && !read_u32(&a, ret_mtu))
			return false;
	return !w.broken;
}

/* What a hop may have as well as a route. */
static bool read_hop_attribute(const struct netlink_attribute *a, struct host_route *ret)
{
	bool ok = true;

	if (a->type == RTA_GATEWAY)
		ok = read_ip(a->bytes, a->len, ret->dst.ip.family, &ret->via);
	else if (a->type == RTA_VIA)
		ok = read_via(a, &ret->via);
	ret->gateway = ret->via.family != FAMILY_NONE;
	return ok;
}

static bool read_route_attribute(const struct netlink_attribute *a, struct route_parts *ret)
{
	struct host_route *const route = &ret->route;
	const uint8_t family = route->dst.ip.family;

	switch (a->type) {
	case RTA_DST:
		return read_ip(a->bytes, a->len, family, &route->dst.ip);
	case RTA_PREFSRC:
		return read_ip(a->bytes, a->len, family, &ret->source);
	case RTA_OIF:
		return read_u32(a, &route->link);
	case RTA_TABLE:
		return read_u32(a, &route->table);
	case RTA_PRIORITY:
		return read_u32(a, &route->metric);
	case RTA_METRICS:
		return read_metrics(a, &route->mtu);
	case RTA_MULTIPATH:
		ret->hops = *a;
		return true;
	default:
		return read_hop_attribute(a, route);
	}
}

static bool read_parts(const struct nlmsghdr *message, struct route_parts *ret)
{
	struct netlink_attribute a;
	struct netlink_walk w;
	bool ok;

	*ret = (struct route_parts){ 0 };
	ok = begin(&w, message, &ret->head, sizeof(ret->head));
	ret->route = (struct host_route){ .dst.ip.family = family_of(ret->head.rtm_family),
					  .dst.bits = ret->head.rtm_dst_len,
					  .table = ret->head.rtm_table,
					  .protocol = ret->head.rtm_protocol,
					  .dead = ret->head.rtm_flags & DEAD };
	while (ok && netlink_walk_next(&w, &a))
		ok = read_route_attribute(&a, ret);
	return ok && !w.broken && ret->route.dst.ip.family != FAMILY_NONE &&
	       ret->route.dst.bits <= ip_bits(&ret->route.dst.ip);
}

static bool route_kind(uint8_t type, enum host_route_kind *ret)
{
	static const struct {
		uint8_t type;
		enum host_route_kind kind;
	} kinds[] = { { RTN_UNICAST, HOST_UNICAST },
		      { RTN_UNREACHABLE, HOST_UNREACHABLE },
		      { RTN_BLACKHOLE, HOST_BLACKHOLE },
		      { RTN_PROHIBIT, HOST_PROHIBIT },
		      { RTN_THROW, HOST_THROW } };

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); ++i)
		if (kinds[i].type == type) {
			*ret = kinds[i].kind;
			return true;
		}
	return false;
}

static int add_route(struct host_network *n, const struct host_route *route)
{
	struct host_route *row = host_add_route(n);

	if (!row)
		return -ENOMEM;
	*row = *route;
	return 0;
}

/* One of several; *at moves on. False: the rest is broken. */
static bool read_hop(const struct netlink_attribute *hops, size_t *at, struct host_route *ret)
{
	struct netlink_attribute a, nest = { 0 };
	struct netlink_walk w;
	struct rtnexthop hop;

	if (hops->len - *at < sizeof(hop))
		return false;
	memcpy(&hop, hops->bytes + *at, sizeof(hop));
	if (hop.rtnh_len < sizeof(hop) || hop.rtnh_len > hops->len - *at)
		return false;
	nest.bytes = hops->bytes + *at + sizeof(hop);
	nest.len = hop.rtnh_len - sizeof(hop);
	netlink_walk_nest(&w, &nest);
	ret->link = (uint32_t)hop.rtnh_ifindex;
	ret->dead = hop.rtnh_flags & DEAD;
	while (netlink_walk_next(&w, &a))
		if (!read_hop_attribute(&a, ret))
			return false;
	*at += netlink_align(hop.rtnh_len);
	return !w.broken;
}

static int add_hops(struct host_network *n, const struct route_parts *parts)
{
	int status = 0;

	for (size_t at = 0; status == 0 && at < parts->hops.len;) {
		struct host_route route = parts->route;

		if (!read_hop(&parts->hops, &at, &route))
			return 0;
		status = add_route(n, &route);
	}
	return status;
}

static int read_route(const struct nlmsghdr *message, uint8_t family, struct host_network *n)
{
	struct route_parts parts;

	if (!read_parts(message, &parts) ||
	    (family != AF_UNSPEC && family != parts.head.rtm_family) ||
	    parts.route.table == RT_TABLE_LOCAL || parts.head.rtm_flags & RTM_F_CLONED ||
	    !route_kind(parts.head.rtm_type, &parts.route.kind))
		return 0;
	if (parts.route.kind == HOST_UNICAST && parts.hops.bytes)
		return add_hops(n, &parts);
	if (parts.route.kind != HOST_UNICAST)
		parts.route.link = 0; /* IPv6 says lo */
	return add_route(n, &parts.route);
}

/* Rules */

/* False: it is broken. What the struct has no room for makes it `other`. */
static bool read_rule_attribute(const struct netlink_attribute *a, struct host_rule *ret)
{
	uint32_t number;

	switch (a->type) {
	case FRA_PRIORITY:
		return read_u32(a, &ret->priority);
	case FRA_TABLE:
		return read_u32(a, &ret->table);
	case FRA_FWMARK:
		return read_u32(a, &ret->mark);
	case FRA_FWMASK:
		return read_u32(a, &ret->mask);
	case FRA_SUPPRESS_PREFIXLEN:
		if (!read_u32(a, &number))
			return false;
		ret->suppress = (int)number;
		return true;
	case FRA_PROTOCOL: /* who made it */
	case FRA_PAD:
		return true;
	default:
		ret->other = true;
		return true;
	}
}

static int read_rule(const struct nlmsghdr *message, uint8_t family, struct host_network *n)
{
	struct host_rule rule = { .suppress = -1 }, *row;
	struct netlink_attribute a;
	struct fib_rule_hdr head;
	struct netlink_walk w;
	bool ok = begin(&w, message, &head, sizeof(head)) &&
		  (family == AF_UNSPEC || family == head.family);

	if (ok)
		rule.table = head.table;
	while (ok && netlink_walk_next(&w, &a))
		ok = read_rule_attribute(&a, &rule);
	if (!ok || w.broken || family_of(head.family) == FAMILY_NONE)
		return 0;
	rule.family = family_of(head.family);
	rule.invert = head.flags & FIB_RULE_INVERT;
	if (head.action != FR_ACT_TO_TBL)
		rule.table = 0;
	if (head.action != FR_ACT_TO_TBL || head.dst_len || head.src_len || head.tos ||
	    head.flags & ~(uint32_t)FIB_RULE_INVERT)
		rule.other = true;
	row = host_add_rule(n);
	if (!row)
		return -ENOMEM;
	*row = rule;
	return 0;
}

int route_read(const struct nlmsghdr *message, uint8_t family, struct host_network *n)
{
	switch (message->nlmsg_type) {
	case RTM_NEWLINK:
		return read_link(message, n);
	case RTM_NEWADDR:
		return read_address(message, family, n);
	case RTM_NEWROUTE:
		return read_route(message, family, n);
	case RTM_NEWRULE:
		return read_rule(message, family, n);
	default:
		return 0;
	}
}

int route_read_path(const struct nlmsghdr *message, struct route_path *ret)
{
	struct route_parts parts;

	if (message->nlmsg_type != RTM_NEWROUTE || !read_parts(message, &parts))
		return -EPROTO;
	*ret = (struct route_path){ .link = parts.route.link,
				    .mtu = parts.route.mtu,
				    .source = parts.source,
				    .via = parts.route.via };
	return 0;
}
