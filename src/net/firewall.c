#include "net/firewall.h"

#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

#include "net/firewall_private.h"

/* Has a link beside ours this address? */
static bool is_elsewhere(const struct host_network *n, const char *link, const struct ip *ip)
{
	const struct host_link *ours = host_link_by_name(n, link);

	for (size_t i = 0; i < n->address_count; ++i) {
		if (ip_equal(&n->addresses[i].prefix.ip, ip) &&
		    (!ours || n->addresses[i].link != ours->index))
			return true;
	}
	return false;
}

bool firewall_own_addresses(const struct tunnel *t, const char *link, const struct host_network *n,
			    struct prefix_set *ret)
{
	for (size_t i = 0; i < t->addresses.count; ++i) {
		struct prefix p = t->addresses.rows[i].prefix;

		p.bits = (uint8_t)ip_bits(&p.ip);
		if (!ip_is_link_local(&p.ip) && !is_elsewhere(n, link, &p.ip) &&
		    !prefix_set_add(ret, &p))
			return false;
	}
	return true;
}

bool firewall_allowed(const struct tunnel *t, struct prefix_set *ret)
{
	for (size_t i = 0; i < t->model.peer_count; ++i) {
		const struct model_peer *p = &t->model.peers[i];

		for (size_t j = 0; j < p->allowed_count; ++j) {
			if (!prefix_set_add(ret, &p->allowed[j].prefix))
				return false;
		}
	}
	return true;
}

static bool add_own_tables(const struct tunnel *t, const char *link, uint32_t mark,
			   const struct prefix_set *own, struct items *ret)
{
	const bool kill = t->own.kill_switch != TUNNEL_KILL_OFF;
	bool good = true;
	struct buffer b;

	buffer_init(&b);
	if (kill)
		good = firewall_kill(t, link, mark, own, &b);
	if (t->own.masquerade)
		good = good && firewall_masquerade(t, link, &b);
	if (t->own.mss_clamp)
		firewall_mss(t, link, &b);
	if (good && (b.len > 0 || b.failed))
		good = firewall_table(ret, "inet", "warren", link, &b);
	buffer_done(&b);
	return good && (!kill || firewall_arp(link, own, ret));
}

bool firewall_items(const struct tunnel *t, const char *link, uint32_t mark,
		    const struct host_network *n, struct items *ret)
{
	struct prefix_set own;
	bool good;

	prefix_set_init(&own);
	good = firewall_own_addresses(t, link, n, &own);
	prefix_set_tidy(&own);
	good = good && add_own_tables(t, link, mark, &own, ret) &&
	       firewall_quick(t, link, mark, ret);
	prefix_set_done(&own);
	return good;
}

static bool add_switch(struct items *ret, const char *path, uint32_t number, uint32_t old)
{
	struct item *i = items_add(ret, ITEM_SWITCH, "");

	if (!i || !item_set_texts(i, NULL, path))
		return false;
	i->number = number;
	i->old = old;
	return true;
}

/* A host that forwards does not listen to routers, unless told that it still should. */
static bool add_accept_ra(const struct host_network *n, struct items *ret)
{
	for (size_t i = 0; i < n->route_count; ++i) {
		const struct host_route *r = &n->routes[i];
		const struct host_link *link = host_link_by_index(n, r->link);
		char path[96];

		if (r->dst.ip.family != FAMILY_V6 || r->dst.bits != 0 || !link ||
		    r->protocol != RTPROT_RA || r->table != HOST_TABLE_MAIN)
			continue;
		(void)snprintf(path, sizeof(path), "net/ipv6/conf/%s/accept_ra", link->name);
		if (!add_switch(ret, path, 2, 1))
			return false;
	}
	return true;
}

bool firewall_switches(const struct tunnel *t, const struct host_network *n, struct items *ret)
{
	if (!t->own.forward)
		return true;
	if (tunnel_uses_family(t, FAMILY_V4) &&
	    !add_switch(ret, "net/ipv4/ip_forward", 1, n->switches.ip_forward == HOST_ON))
		return false;
	return !tunnel_uses_family(t, FAMILY_V6) ||
	       (add_accept_ra(n, ret) && add_switch(ret, "net/ipv6/conf/all/forwarding", 1,
						    n->switches.ip6_forward == HOST_ON));
}

bool firewall_must(const struct item *i)
{
	return !i->name || strncmp(i->name, "inet ", 5) == 0;
}
