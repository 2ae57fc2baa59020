#include "net/foreign_decide.h"

#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "net/foreign_private.h"

struct search {
	const struct tunnel *t;
	const char *link;
	const struct ruleset *set;
	const struct foreign_host *host;
	struct items *ret;
	char tag[32];
};

/* What a chain should let through. */
struct wish {
	enum ruleset_hook hook;
	char what[16];
	struct ruleset_packet packet; /* without its family */
};

/* Where a manager wants rules of others, and whose chain it is. */
static const struct {
	enum ruleset_hook hook;
	const char *chain;
	const char *whose;
} user_chains[] = {
	{ RULESET_FORWARD, "DOCKER-USER", "docker" },
	{ RULESET_FORWARD, "ufw-user-forward", "ufw" },
	{ RULESET_FORWARD, "ufw6-user-forward", "ufw" },
	{ RULESET_INPUT, "ufw-user-input", "ufw" },
	{ RULESET_INPUT, "ufw6-user-input", "ufw" },
};

static bool is_ours(const struct ruleset_chain *c)
{
	return strncmp(c->table, "warren-", 7) == 0 || strncmp(c->table, "wg-quick-", 9) == 0;
}

/* Names become words of a command: what nobody would call a chain is left alone. */
static bool is_plain(const char *name)
{
	static const char good[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				   "_-.";

	return name[0] != '\0' && name[0] != '-' && strspn(name, good) == strlen(name);
}

static bool has_family(const struct ruleset_chain *c, uint8_t family)
{
	return strcmp(c->family, "inet") == 0 ||
	       strcmp(c->family, family == FAMILY_V4 ? "ip" : "ip6") == 0;
}

/* Outer packets come in any family, inner ones in those of the tunnel. */
static bool concerns(const struct search *s, const struct wish *w, const struct ruleset_chain *c,
		     uint8_t family)
{
	return has_family(c, family) &&
	       (w->hook == RULESET_INPUT || tunnel_uses_family(s->t, family));
}

static bool drops(const struct search *s, const struct wish *w, const struct ruleset_chain *base,
		  const struct ruleset_chain *accept_at)
{
	static const uint8_t families[] = { FAMILY_V4, FAMILY_V6 };

	for (size_t i = 0; i < ELEMENTS(families); ++i) {
		struct ruleset_packet p = w->packet;

		p.family = families[i];
		p.link = s->link;
		p.tag = s->tag;
		if (concerns(s, w, base, families[i]) && ruleset_drops(s->set, base, &p, accept_at))
			return true;
	}
	return false;
}

static bool made_by_iptables(const struct ruleset_chain *base)
{
	return strcmp(base->table, "filter") == 0 && strcmp(base->family, "inet") != 0 &&
	       (strcmp(base->name, "INPUT") == 0 || strcmp(base->name, "FORWARD") == 0);
}

/* A manager's chain for others, if asking it helps; else the base chain. */
static const struct ruleset_chain *place(const struct search *s, const struct wish *w,
					 const struct ruleset_chain *base, const char **ret_whose)
{
	for (size_t i = 0; i < ELEMENTS(user_chains); ++i) {
		const struct ruleset_chain *c = ruleset_find(s->set, base, user_chains[i].chain);

		if (!c || user_chains[i].hook != w->hook || drops(s, w, base, c))
			continue;
		*ret_whose = user_chains[i].whose;
		return c;
	}
	*ret_whose = strcmp(base->table, "firewalld") == 0 ? "firewalld"
		     : made_by_iptables(base)              ? "iptables"
							   : "nft";
	return base;
}

static bool add_item(const struct search *s, const char *whose, const char *text)
{
	struct item *i;

	for (size_t j = 0; j < s->ret->count; ++j) {
		if (s->ret->rows[j].kind == ITEM_FOREIGN && strcmp(s->ret->rows[j].text, text) == 0)
			return true;
	}
	i = items_add(s->ret, ITEM_FOREIGN, s->link);
	return i && item_set_texts(i, whose, text);
}

/* iptables takes "wg+" for all links whose names begin with "wg". */
static bool is_pattern(const struct search *s, const struct wish *w)
{
	return w->hook == RULESET_FORWARD && s->link[strlen(s->link) - 1] == '+';
}

static bool add_place(const struct search *s, const struct wish *w,
		      const struct ruleset_chain *base)
{
	char text[FOREIGN_TEXT];
	const char *whose;
	const struct ruleset_chain *c = place(s, w, base, &whose);
	const char *six = strcmp(base->family, "ip6") == 0 ? "6" : "";
	int len;

	if (s->host->legacy && is_pattern(s, w))
		return true; /* it has no way to say it */
	if (s->host->legacy)
		len = snprintf(text, sizeof(text), "ip%stables-legacy %s %s", six, c->name,
			       w->what);
	else if (made_by_iptables(base) && s->host->has_iptables && !is_pattern(s, w))
		len = snprintf(text, sizeof(text), "ip%stables-nft %s %s", six, c->name, w->what);
	else
		len = snprintf(text, sizeof(text), "nft %s %s %s %s", c->family, c->table, c->name,
			       w->what);
	return len < FOREIGN_TEXT && add_item(s, whose, text);
}

/* One binding is for both directions; a port is opened in every zone that links are in. */
static bool add_zones(const struct search *s, const struct wish *w)
{
	char text[FOREIGN_TEXT];

	if (w->hook == RULESET_FORWARD)
		return add_item(s, "firewalld", "firewall-cmd trusted in");
	for (const char *const *zone = s->host->zones; zone && *zone; ++zone) {
		if (snprintf(text, sizeof(text), "firewall-cmd %s %s", *zone, w->what) >=
			    FOREIGN_TEXT ||
		    !add_item(s, "firewalld", text))
			return false;
	}
	return true;
}

static bool search(const struct search *s, const struct wish *w)
{
	for (size_t i = 0; i < s->set->count; ++i) {
		const struct ruleset_chain *c = &s->set->chains[i];

		if (c->hook != w->hook || is_ours(c) || !drops(s, w, c, NULL))
			continue;
		if (!is_plain(c->table) || !is_plain(c->name))
			continue;
		if (!(c->owned && strcmp(c->table, "firewalld") == 0 ? add_zones(s, w)
								     : add_place(s, w, c)))
			return false;
	}
	return true;
}

static bool search_port(const struct search *s, uint16_t port, const char *protocol)
{
	struct wish w = { .hook = RULESET_INPUT, .packet = { .protocol = protocol, .port = port } };

	(void)snprintf(w.what, sizeof(w.what), "%u/%s", port, protocol);
	return search(s, &w);
}

static bool search_ports(const struct search *s)
{
	const struct tunnel_ports *open = &s->t->own.open;

	if (open->count > 0 && s->t->model.listen_port != 0 &&
	    !search_port(s, s->t->model.listen_port, "udp"))
		return false;
	for (size_t i = 0; i < open->count; ++i) {
		const struct tunnel_port *p = &open->rows[i];

		if ((p->udp && !search_port(s, p->port, "udp")) ||
		    (p->tcp && !search_port(s, p->port, "tcp")))
			return false;
	}
	return true;
}

bool foreign_places(const struct tunnel *t, const char *link, const struct ruleset *r,
		    const struct foreign_host *h, struct items *ret)
{
	struct search s = { .t = t, .link = link, .set = r, .host = h, .ret = ret };
	const struct wish in = { RULESET_FORWARD, "in", { .in = link } };
	const struct wish out = { RULESET_FORWARD, "out", { .out = link } };
	const struct wish between = { RULESET_FORWARD, "in", { .in = link, .out = link } };

	(void)snprintf(s.tag, sizeof(s.tag), "warren %s ", link);
	return (!t->own.forward || (search(&s, &in) && search(&s, &out) && search(&s, &between))) &&
	       search_ports(&s);
}
