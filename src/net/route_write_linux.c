#include "net/route_write.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>

/* What an IPv6 route has that is added without a metric. */
enum { METRIC_V6 = 1024 };

/* The fixed part stays at the front of what comes behind the header. */
static struct nlmsghdr *begin(struct route_request *r, int type, int flags, const void *fixed,
			      size_t len)
{
	struct nlmsghdr *h;

	*r = (struct route_request){ 0 };
	h = mnl_nlmsg_put_header(r->bytes);
	h->nlmsg_type = (uint16_t)type;
	h->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	h->nlmsg_seq = 1;
	memcpy(mnl_nlmsg_put_extra_header(h, len), fixed, len);
	return h;
}

static uint8_t af_of(const struct ip *ip)
{
	return ip->family == FAMILY_V4 ? AF_INET : AF_INET6;
}

static void put_ip(struct nlmsghdr *h, uint16_t type, const struct ip *ip)
{
	mnl_attr_put(h, type, ip_bits(ip) / 8, ip->bytes);
}

static int change_flags(bool remove)
{
	return remove ? NLM_F_ACK : NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
}

/* Above a byte it stands in an attribute. */
static uint8_t short_table(uint32_t table)
{
	return table < 256 ? (uint8_t)table : RT_TABLE_UNSPEC;
}

static void put_long_table(struct nlmsghdr *h, uint16_t type, uint32_t table)
{
	if (table >= 256)
		mnl_attr_put_u32(h, type, table);
}

void route_write_dump(struct route_request *r, uint16_t type, uint8_t family, uint32_t seq)
{
	const struct ifinfomsg links = { .ifi_family = family };
	const struct ifaddrmsg addresses = { .ifa_family = family };
	const struct rtmsg routes = { .rtm_family = family };
	const struct fib_rule_hdr rules = { .family = family };
	struct nlmsghdr *h;

	if (type == RTM_GETLINK)
		h = begin(r, type, NLM_F_DUMP, &links, sizeof(links));
	else if (type == RTM_GETADDR)
		h = begin(r, type, NLM_F_DUMP, &addresses, sizeof(addresses));
	else if (type == RTM_GETROUTE)
		h = begin(r, type, NLM_F_DUMP, &routes, sizeof(routes));
	else
		h = begin(r, type, NLM_F_DUMP, &rules, sizeof(rules));
	h->nlmsg_seq = seq;
}

void route_write_link_get(struct route_request *r, uint32_t index)
{
	const struct ifinfomsg m = { .ifi_index = (int)index };

	begin(r, RTM_GETLINK, NLM_F_ACK, &m, sizeof(m));
}

void route_write_link_add(struct route_request *r, const char *name, const char *kind)
{
	const struct ifinfomsg m = { 0 };
	struct nlmsghdr *const h = begin(r, RTM_NEWLINK, change_flags(false), &m, sizeof(m));
	struct nlattr *nest;

	mnl_attr_put_strz(h, IFLA_IFNAME, name);
	nest = mnl_attr_nest_start(h, IFLA_LINKINFO);
	mnl_attr_put_str(h, IFLA_INFO_KIND, kind);
	mnl_attr_nest_end(h, nest);
}

void route_write_link_remove(struct route_request *r, const char *name)
{
	const struct ifinfomsg m = { 0 };

	mnl_attr_put_strz(begin(r, RTM_DELLINK, change_flags(true), &m, sizeof(m)), IFLA_IFNAME,
			  name);
}

void route_write_link_change(struct route_request *r, const char *name, bool up, uint32_t mtu)
{
	const struct ifinfomsg m = { .ifi_flags = up ? IFF_UP : 0, .ifi_change = up ? IFF_UP : 0 };
	struct nlmsghdr *const h = begin(r, RTM_NEWLINK, NLM_F_ACK, &m, sizeof(m));

	mnl_attr_put_strz(h, IFLA_IFNAME, name);
	if (mtu)
		mnl_attr_put_u32(h, IFLA_MTU, mtu);
}

static bool is_loopback(const struct ip *ip)
{
	return ip->family == FAMILY_V4 && ip->bytes[0] == 127;
}

static void write_address(struct route_request *r, const struct item *i, uint32_t link, bool remove)
{
	const struct ip *ip = &i->prefix.ip;
	const struct ifaddrmsg m = { .ifa_family = af_of(ip),
				     .ifa_prefixlen = i->prefix.bits,
				     .ifa_scope =
					     is_loopback(ip) ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE,
				     .ifa_index = link };
	struct nlmsghdr *const h =
		begin(r, remove ? RTM_DELADDR : RTM_NEWADDR, change_flags(remove), &m, sizeof(m));

	put_ip(h, IFA_LOCAL, ip);
	put_ip(h, IFA_ADDRESS, ip);
}

static uint8_t route_type(enum host_route_kind kind)
{
	static const uint8_t types[] = { [HOST_UNICAST] = RTN_UNICAST,
					 [HOST_UNREACHABLE] = RTN_UNREACHABLE,
					 [HOST_BLACKHOLE] = RTN_BLACKHOLE,
					 [HOST_PROHIBIT] = RTN_PROHIBIT,
					 [HOST_THROW] = RTN_THROW };

	return types[kind];
}

/*
 * IPv4 would take a metric of 0 in a request to remove for any metric, and so would IPv6; there it
 * can be told.
 */
static uint32_t route_metric(const struct item *i, bool remove)
{
	return remove && i->metric == 0 && i->prefix.ip.family == FAMILY_V6 ? METRIC_V6 : i->metric;
}

static void write_route(struct route_request *r, const struct item *i, uint32_t link, bool remove)
{
	const bool on_link = i->route == HOST_UNICAST && i->prefix.ip.family == FAMILY_V4;
	const struct rtmsg m = { .rtm_family = af_of(&i->prefix.ip),
				 .rtm_dst_len = i->prefix.bits,
				 .rtm_table = short_table(i->table),
				 .rtm_protocol = RTPROT_BOOT,
				 .rtm_scope = on_link ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE,
				 .rtm_type = route_type(i->route) };
	struct nlmsghdr *const h =
		begin(r, remove ? RTM_DELROUTE : RTM_NEWROUTE, change_flags(remove), &m, sizeof(m));
	const uint32_t metric = route_metric(i, remove);

	if (i->prefix.bits)
		put_ip(h, RTA_DST, &i->prefix.ip);
	put_long_table(h, RTA_TABLE, i->table);
	if (metric)
		mnl_attr_put_u32(h, RTA_PRIORITY, metric);
	if (i->route == HOST_UNICAST)
		mnl_attr_put_u32(h, RTA_OIF, link);
}

static void write_rule(struct route_request *r, const struct host_rule *rule, bool remove)
{
	const struct fib_rule_hdr m = { .family = rule->family == FAMILY_V4 ? AF_INET : AF_INET6,
					.table = short_table(rule->table),
					.action = FR_ACT_TO_TBL,
					.flags = rule->invert ? FIB_RULE_INVERT : 0 };
	struct nlmsghdr *const h =
		begin(r, remove ? RTM_DELRULE : RTM_NEWRULE, change_flags(remove), &m, sizeof(m));

	mnl_attr_put_u32(h, FRA_PRIORITY, rule->priority);
	put_long_table(h, FRA_TABLE, rule->table);
	if (rule->mask) {
		mnl_attr_put_u32(h, FRA_FWMARK, rule->mark);
		mnl_attr_put_u32(h, FRA_FWMASK, rule->mask);
	}
	if (rule->suppress >= 0)
		mnl_attr_put_u32(h, FRA_SUPPRESS_PREFIXLEN, (uint32_t)rule->suppress);
}

int route_write_item(struct route_request *r, const struct item *i, uint32_t link, bool remove)
{
	if (i->kind == ITEM_ADDRESS)
		write_address(r, i, link, remove);
	else if (i->kind == ITEM_ROUTE)
		write_route(r, i, link, remove);
	else if (i->kind == ITEM_RULE && !i->rule.other && i->rule.table)
		write_rule(r, &i->rule, remove);
	else
		return -EINVAL;
	return 0;
}

void route_write_path(struct route_request *r, const struct endpoint *to, uint32_t mark)
{
	const struct rtmsg m = { .rtm_family = af_of(&to->ip),
				 .rtm_dst_len = (uint8_t)ip_bits(&to->ip) };
	struct nlmsghdr *const h = begin(r, RTM_GETROUTE, NLM_F_ACK, &m, sizeof(m));

	put_ip(h, RTA_DST, &to->ip);
	if (mark)
		mnl_attr_put_u32(h, RTA_MARK, mark);
	if (to->scope)
		mnl_attr_put_u32(h, RTA_OIF, to->scope);
}
