#include "base/bytes.h"
#include "base/text.h"
#include "net/firewall_private.h"

#define REJECT "reject with icmpx type admin-prohibited"
#define DNS_PORTS "meta l4proto { tcp, udp } th dport { 53, 853 }"

/* Where a LAN lives: private, link-local, multicast and broadcast. */
static const char *const lan_texts[] = {
	"10.0.0.0/8",         "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "224.0.0.0/4",
	"255.255.255.255/32", "fc00::/7",      "fe80::/10",      "ff00::/8",
};

struct guard {
	struct prefix_set own;      /* the tunnel's addresses, as networks of one */
	struct prefix_set excluded; /* passes */
	struct prefix_set inside;   /* named by the tunnel, inside of lan */
	struct prefix_set lan;
	struct prefix_set servers; /* DNS of the tunnel that stands in the LAN */
	struct prefix_set all;     /* guarded */
	bool whole;                /* a tunnel for everything */
};

static void guard_done(struct guard *g)
{
	prefix_set_done(&g->own);
	prefix_set_done(&g->excluded);
	prefix_set_done(&g->inside);
	prefix_set_done(&g->lan);
	prefix_set_done(&g->servers);
	prefix_set_done(&g->all);
}

static bool add_lan(struct prefix_set *lan)
{
	struct prefix p;

	for (size_t i = 0; i < ELEMENTS(lan_texts); ++i) {
		if (!text_to_prefix(lan_texts[i], &p) || !prefix_set_add(lan, &p))
			return false;
	}
	prefix_set_tidy(lan);
	return true;
}

/* Networks of the tunnel's addresses: their routes vanish with the link. */
static bool add_networks(const struct tunnel *t, struct prefix_set *all)
{
	for (size_t i = 0; i < t->addresses.count; ++i) {
		const struct prefix *p = &t->addresses.rows[i].prefix;

		if (!ip_is_link_local(&p->ip) && !prefix_set_add(all, p))
			return false;
	}
	return true;
}

/* Whoever sends all of one family into a tunnel does not mean the other to go in clear. */
static bool add_other_family(struct guard *g)
{
	static const struct prefix all_v4 = { .ip = { .family = FAMILY_V4 } };
	static const struct prefix all_v6 = { .ip = { .family = FAMILY_V6 } };
	const bool v4 = prefix_set_is_full(&g->all, FAMILY_V4);
	const bool v6 = prefix_set_is_full(&g->all, FAMILY_V6);

	g->whole = v4 || v6;
	if (!g->whole)
		return true;
	if (!prefix_set_add(&g->all, v4 ? &all_v6 : &all_v4))
		return false;
	prefix_set_tidy(&g->all);
	return true;
}

static bool add_excluded(const struct tunnel *t, struct prefix_set *excluded)
{
	for (size_t i = 0; i < t->own.excluded.count; ++i) {
		if (!prefix_set_add(excluded, &t->own.excluded.rows[i].prefix))
			return false;
	}
	prefix_set_tidy(excluded);
	return true;
}

/* What lies in the LAN's ranges, but is not one of them: then it is meant. */
static bool add_inside(const struct guard *g, const struct prefix *p, struct prefix_set *ret)
{
	struct prefix wider = *p;

	if (wider.bits == 0)
		return true;
	--wider.bits;
	prefix_mask(&wider);
	return !prefix_set_covers(&g->lan, &wider) || prefix_set_add(ret, p);
}

static bool add_all_inside(struct guard *g, const struct tunnel *t)
{
	for (size_t i = 0; i < t->model.peer_count; ++i) {
		const struct model_peer *p = &t->model.peers[i];

		for (size_t j = 0; j < p->allowed_count; ++j) {
			if (!add_inside(g, &p->allowed[j].prefix, &g->inside))
				return false;
		}
	}
	for (size_t i = 0; i < t->addresses.count; ++i) {
		const struct prefix *p = &t->addresses.rows[i].prefix;

		if (!ip_is_link_local(&p->ip) && !add_inside(g, p, &g->inside))
			return false;
	}
	prefix_set_tidy(&g->inside);
	return true;
}

static bool add_servers(struct guard *g, const struct tunnel *t)
{
	for (size_t i = 0; i < t->dns.count; ++i) {
		const struct prefix *p = &t->dns.rows[i].prefix;

		if (prefix_set_covers(&g->lan, p) && !prefix_set_add(&g->servers, p))
			return false;
	}
	prefix_set_tidy(&g->servers);
	return true;
}

static bool guard_fill(struct guard *g, const struct tunnel *t, const struct prefix_set *own)
{
	for (size_t i = 0; i < own->count; ++i) {
		if (!prefix_set_add(&g->own, &own->rows[i]))
			return false;
	}
	if (!firewall_allowed(t, &g->all) || !add_networks(t, &g->all))
		return false;
	prefix_set_tidy(&g->all);
	if (!add_other_family(g) || !add_excluded(t, &g->excluded))
		return false;
	return t->own.kill_switch != TUNNEL_KILL_ON_BUT_LAN ||
	       (add_lan(&g->lan) && add_all_inside(g, t) && add_servers(g, t));
}

static void both(struct buffer *b, const struct prefix_set *s, const char *end, const char *verdict)
{
	firewall_set_rule(b, s, FAMILY_V4, end, verdict);
	firewall_set_rule(b, s, FAMILY_V6, end, verdict);
}

static void write_output(struct buffer *b, const char *link, uint32_t mark)
{
	firewall_chain(b, "output");
	firewall_hook(b, "filter", "output", 0);
	firewall_rule(b, "oifname { \"lo\", \"%s\" } accept", link);
	if (mark != 0)
		firewall_rule(b, "meta l4proto udp meta mark 0x%08x accept", mark);
	firewall_rule(b, "meta nfproto ipv4 udp sport 68 udp dport 67 accept");
	firewall_rule(b, "meta nfproto ipv6 udp sport 546 udp dport 547 accept");
	firewall_rule(b, "icmpv6 type { nd-router-solicit, nd-neighbor-solicit, "
			 "nd-neighbor-advert, mld-listener-report, mld2-listener-report } accept");
	firewall_rule(b, "jump guard");
	firewall_end(b);
}

/* What comes out of the tunnel and goes on is the peers' own, not ours; and what ExcludedIPs answer
 * to somebody behind us has a guarded address to go to. Only answers: a LAN that is excluded may
 * not begin anything in clear. */
static void write_forward(struct buffer *b, const char *link, const struct guard *g)
{
	firewall_chain(b, "forward");
	firewall_hook(b, "filter", "forward", 0);
	firewall_rule(b, "iifname \"%s\" accept", link);
	firewall_rule(b, "oifname \"%s\" accept", link);
	both(b, &g->excluded, "saddr", "ct direction reply accept");
	firewall_rule(b, "jump guard");
	firewall_end(b);
}

static void write_guard(struct buffer *b, const struct tunnel *t, const struct guard *g)
{
	firewall_chain(b, "guard");
	both(b, &g->own, "saddr", REJECT);
	both(b, &g->excluded, "daddr", "accept");
	both(b, &g->inside, "daddr", REJECT);
	if (g->whole && t->dns.count > 0) {
		both(b, &g->servers, "daddr", DNS_PORTS " accept");
		both(b, &g->lan, "daddr", DNS_PORTS " " REJECT);
	}
	both(b, &g->lan, "daddr", "accept");
	both(b, &g->all, "daddr", REJECT);
	firewall_end(b);
}

bool firewall_kill(const struct tunnel *t, const char *link, uint32_t mark,
		   const struct prefix_set *own, struct buffer *b)
{
	struct guard g = { 0 };
	const bool filled = guard_fill(&g, t, own);

	if (filled) {
		write_guard(b, t, &g); /* a chain stands before what jumps to it */
		write_output(b, link, mark);
		write_forward(b, link, &g);
	}
	guard_done(&g);
	return filled;
}

bool firewall_arp(const char *link, const struct prefix_set *own, struct items *ret)
{
	char text[TEXT_IP];
	struct buffer b;

	if (!prefix_set_has_family(own, FAMILY_V4))
		return true;
	buffer_init(&b);
	firewall_chain(&b, "input");
	firewall_hook(&b, "filter", "input", 0);
	for (size_t i = 0; i < own->count; ++i) {
		if (own->rows[i].ip.family != FAMILY_V4)
			continue;
		text_from_ip(&own->rows[i].ip, text);
		firewall_rule(&b, "arp operation request arp daddr ip %s drop", text);
	}
	firewall_end(&b);
	return firewall_table(ret, "arp", "warren", link, &b);
}
