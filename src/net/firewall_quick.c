#include "base/text.h"
#include "net/firewall_private.h"

/*
 * The table of wg-quick for a family whose default route goes into the tunnel. It makes a rule for
 * each address in the order of `ip address show`: the kernel lists an IPv4 address behind others of
 * its network that came first, and of IPv6 ones of a scope the newest first.
 */
static bool takes_default(const struct tunnel *t, uint8_t family)
{
	if (t->table != TUNNEL_TABLE_AUTO)
		return false;
	for (size_t i = 0; i < t->model.peer_count; ++i) {
		const struct model_peer *p = &t->model.peers[i];

		for (size_t j = 0; j < p->allowed_count; ++j) {
			if (p->allowed[j].prefix.bits == 0 && !p->allowed[j].remove &&
			    p->allowed[j].prefix.ip.family == family)
				return true;
		}
	}
	return false;
}

static void write_address(struct buffer *b, const struct ip *ip, const char *link)
{
	char text[TEXT_IP];

	text_from_ip(ip, text);
	firewall_rule(b, "iifname != \"%s\" %s daddr %s fib saddr type != local drop", link,
		      ip->family == FAMILY_V4 ? "ip" : "ip6", text);
}

/* Has an address before i the same network? */
static bool is_secondary(const struct tunnel_prefixes *a, size_t i)
{
	const struct prefix *p = &a->rows[i].prefix;

	for (size_t j = 0; j < i; ++j) {
		struct prefix q = a->rows[j].prefix;

		prefix_mask(&q);
		if (q.ip.family == p->ip.family && q.bits == p->bits && prefix_has(&q, &p->ip))
			return true;
	}
	return false;
}

static void write_addresses_v4(struct buffer *b, const struct tunnel_prefixes *a, const char *link)
{
	for (int secondary = 0; secondary < 2; ++secondary) {
		for (size_t i = 0; i < a->count; ++i) {
			if (a->rows[i].prefix.ip.family == FAMILY_V4 &&
			    is_secondary(a, i) == (secondary == 1))
				write_address(b, &a->rows[i].prefix.ip, link);
		}
	}
}

static void write_addresses_v6(struct buffer *b, const struct tunnel_prefixes *a, const char *link)
{
	for (int near = 0; near < 2; ++near) {
		for (size_t i = a->count; i-- > 0;) {
			const struct ip *ip = &a->rows[i].prefix.ip;

			if (ip->family == FAMILY_V6 && ip_is_link_local(ip) == (near == 1))
				write_address(b, ip, link);
		}
	}
}

static bool add_table(const struct tunnel *t, const char *link, uint32_t mark, uint8_t family,
		      struct items *ret)
{
	struct buffer b;

	buffer_init(&b);
	firewall_chain(&b, "preraw");
	firewall_hook(&b, "filter", "prerouting", -300);
	if (family == FAMILY_V4)
		write_addresses_v4(&b, &t->addresses, link);
	else
		write_addresses_v6(&b, &t->addresses, link);
	firewall_end(&b);
	firewall_chain(&b, "premangle");
	firewall_hook(&b, "filter", "prerouting", -150);
	firewall_rule(&b, "meta l4proto udp meta mark set ct mark");
	firewall_end(&b);
	firewall_chain(&b, "postmangle");
	firewall_hook(&b, "filter", "postrouting", -150);
	firewall_rule(&b, "meta l4proto udp meta mark 0x%08x ct mark set meta mark", mark);
	firewall_end(&b);
	return firewall_table(ret, family == FAMILY_V4 ? "ip" : "ip6", "wg-quick", link, &b);
}

bool firewall_quick(const struct tunnel *t, const char *link, uint32_t mark, struct items *ret)
{
	return (!takes_default(t, FAMILY_V6) || add_table(t, link, mark, FAMILY_V6, ret)) &&
	       (!takes_default(t, FAMILY_V4) || add_table(t, link, mark, FAMILY_V4, ret));
}
