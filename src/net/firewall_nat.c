#include "net/firewall_private.h"

enum { PORT_LOW = 1024, PORT_HIGH = 65535 };

/* Networks whose hosts come out of the tunnel; "everything" says nothing about them. */
static bool add_sources(const struct tunnel *t, struct prefix_set *s)
{
	size_t kept = 0;

	if (!firewall_allowed(t, s))
		return false;
	for (size_t i = 0; i < t->addresses.count; ++i) {
		if (!prefix_set_add(s, &t->addresses.rows[i].prefix))
			return false;
	}
	for (size_t i = 0; i < s->count; ++i) {
		if (s->rows[i].bits > 1 && !ip_is_link_local(&s->rows[i].ip))
			s->rows[kept++] = s->rows[i];
	}
	s->count = kept;
	prefix_set_tidy(s);
	return true;
}

/* The larger part of the ports that anybody may use, beside port. */
static void write_udp(struct buffer *b, uint16_t port)
{
	const unsigned int below = port > PORT_LOW ? port - PORT_LOW : 0;
	const unsigned int above = port < PORT_LOW ? 0 : (unsigned int)PORT_HIGH - port;

	if (port == 0)
		return;
	if (below > above)
		firewall_rule(b, "meta l4proto udp masquerade to :%d-%d", PORT_LOW, port - 1);
	else
		firewall_rule(b, "meta l4proto udp masquerade to :%d-%d",
			      above ? port + 1 : PORT_LOW, PORT_HIGH);
}

bool firewall_masquerade(const struct tunnel *t, const char *link, struct buffer *b)
{
	struct prefix_set sources = { 0 };
	const bool filled = add_sources(t, &sources);

	if (filled && sources.count > 0) {
		firewall_chain(b, "hide");
		write_udp(b, t->model.listen_port);
		firewall_rule(b, "masquerade");
		firewall_end(b);
		firewall_chain(b, "postrouting");
		firewall_hook(b, "nat", "postrouting", 100);
		firewall_rule(b, "oifname { \"lo\", \"%s\" } return", link);
		firewall_set_rule(b, &sources, FAMILY_V4, "saddr", "jump hide");
		firewall_set_rule(b, &sources, FAMILY_V6, "saddr", "jump hide");
		firewall_end(b);
	}
	prefix_set_done(&sources);
	return filled;
}

/* The path is known where a packet is forwarded; a size is for what begins or ends here, too. */
static void write_mss(struct buffer *b, const char *chain, const char *hook, const char *key,
		      const char *link, uint16_t size)
{
	static const char syn[] = "tcp flags & (syn | rst) == syn tcp option maxseg size set";

	firewall_chain(b, chain);
	firewall_hook(b, "filter", hook, -150);
	if (size == 0) {
		firewall_rule(b, "iifname \"%s\" %s rt mtu", link, syn);
		firewall_rule(b, "oifname \"%s\" %s rt mtu", link, syn);
	} else {
		firewall_rule(b, "%s \"%s\" %s %u", key, link, syn, size);
	}
	firewall_end(b);
}

void firewall_mss(const struct tunnel *t, const char *link, struct buffer *b)
{
	if (t->own.mss == 0) {
		write_mss(b, "mss", "forward", NULL, link, 0);
		return;
	}
	write_mss(b, "mss_in", "prerouting", "iifname", link, t->own.mss);
	write_mss(b, "mss_out", "postrouting", "oifname", link, t->own.mss);
}
