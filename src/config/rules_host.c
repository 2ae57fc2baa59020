#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/text.h"
#include "config/check_private.h"
#include "config/rules.h"

/* Rules about a file and the host that it is for. They run only where somebody has looked. */

static bool is_v6(const struct prefix *p)
{
	return p->ip.family == FAMILY_V6;
}

/* A1 */
static void no_resolvconf(struct check *c, const struct check_tunnel *t)
{
	struct finding *f;

	if (t->t->dns.count == 0 || c->host->network.has_resolvconf)
		return;
	f = check_say(c, "A1", DIAG_WARNING, check_place(t, &t->t->dns.rows[0].at));
	finding_cause(f,
		      "wg-quick sets DNS with the program resolvconf, and this host has none: `up' "
		      "fails with `resolvconf: command not found' and takes the tunnel down again");
	finding_fix(f, "install openresolv or, where systemd-resolved runs, systemd-resolvconf; or "
		       "remove DNS");
}

/* A5 */

static void say_no_v6(struct check *c, const struct check_tunnel *t, const struct tunnel_prefix *p,
		      const char *what)
{
	struct finding *f = check_say(c, "A5", DIAG_ERROR, check_place(t, &p->at));

	finding_cause(
		f,
		"IPv6 is off on this host (net.ipv6.conf.default.disable_ipv6 = 1), and this %s "
		"needs it: `up' fails",
		what);
	finding_fix(f,
		    "turn it on: `sysctl net.ipv6.conf.default.disable_ipv6=0'; or remove what is "
		    "IPv6 here");
}

static void ipv6_is_off(struct check *c, const struct check_tunnel *t)
{
	if (!c->host->network.ipv6_off || check_hooks_name(t, "disable_ipv6"))
		return;
	for (size_t i = 0; i < t->t->addresses.count; ++i)
		if (is_v6(&t->t->addresses.rows[i].prefix)) {
			say_no_v6(c, t, &t->t->addresses.rows[i], "address");
			return;
		}
	for (size_t i = 0; check_makes_routes(t) && i < t->allowed.count; ++i) {
		const struct prefix_row *row = &t->allowed.rows[i];

		if (is_v6(&row->prefix)) {
			say_no_v6(c, t, &t->t->peers[row->peer].allowed.rows[row->item], "route");
			return;
		}
	}
}

/* C10, C11: networks of the host */

static bool is_own_link(const struct check_tunnel *t, const struct host_link *link)
{
	return strcmp(link->name, t->t->name) == 0;
}

/* The network of an address of the host, if it is one that other hosts are on. */
static bool network_of(const struct check *c, const struct check_tunnel *t, size_t i,
		       struct prefix *ret, const struct host_link **ret_link)
{
	const struct host_address *a = &c->host->network.addresses[i];
	const struct prefix link_local = { { FAMILY_V6, { 0xfe, 0x80 } }, 10 };

	*ret = a->prefix;
	*ret_link = host_link_by_index(&c->host->network, a->link);
	prefix_mask(ret);
	return *ret_link && (*ret_link)->up && !(*ret_link)->loopback &&
	       !is_own_link(t, *ret_link) && a->prefix.bits < ip_bits(&a->prefix.ip) &&
	       !prefix_covers(&link_local, ret);
}

static void say_local(struct check *c, const struct check_tunnel *t, const struct prefix_row *row,
		      const struct prefix *local, const struct host_link *link)
{
	const bool wider = row->prefix.bits < local->bits;
	char text[TEXT_PREFIX], local_text[TEXT_PREFIX];
	struct finding *f =
		check_say(c, "C10", wider ? DIAG_NOTE : DIAG_WARNING,
			  check_place(t, &t->t->peers[row->peer].allowed.rows[row->item].at));

	text_from_prefix(&row->prefix, text);
	text_from_prefix(local, local_text);
	if (wider)
		finding_cause(
			f,
			"%s of this host is inside %s: its own route is narrower and wins, so "
			"addresses of %s are looked for there and not in the tunnel",
			link->name, text, local_text);
	else
		finding_cause(f,
			      "%s overlaps %s, the network of %s here: one of the two networks is "
			      "out of reach while the tunnel is up",
			      text, local_text, link->name);
	finding_fix(f,
		    "renumber one of the two networks; or write the single addresses that are "
		    "needed as /%u",
		    ip_bits(&row->prefix.ip));
}

static void allowed_is_local(struct check *c, const struct check_tunnel *t)
{
	const struct host_link *link;
	struct prefix local;

	for (size_t i = 0; check_makes_routes(t) && i < c->host->network.address_count; ++i) {
		if (!network_of(c, t, i, &local, &link))
			continue;
		for (size_t k = 0; k < t->allowed.count; ++k) {
			const struct prefix_row *row = &t->allowed.rows[k];

			if (row->prefix.bits > 1 && row->prefix.bits < ip_bits(&row->prefix.ip) &&
			    (prefix_covers(&row->prefix, &local) ||
			     prefix_covers(&local, &row->prefix)))
				say_local(c, t, row, &local, link);
		}
	}
}

static bool is_taken(const struct check *c, const struct check_tunnel *t, const struct prefix *p)
{
	const struct host_network *n = &c->host->network;

	for (size_t i = 0; i < n->address_count; ++i) {
		struct prefix local = n->addresses[i].prefix;

		prefix_mask(&local);
		if (prefix_covers(&local, p) || prefix_covers(p, &local))
			return true;
	}
	for (size_t i = 0; i < t->allowed.count; ++i)
		if (t->allowed.rows[i].prefix.bits > 1 &&
		    (prefix_covers(&t->allowed.rows[i].prefix, p) ||
		     prefix_covers(p, &t->allowed.rows[i].prefix)))
			return true;
	return false;
}

/* A /24 that nobody here uses; away from where routers and clouds begin to count. */
static bool free_network(const struct check *c, const struct check_tunnel *t, struct prefix *ret)
{
	for (unsigned int i = 77; i < 256; ++i) {
		*ret = (struct prefix){ { FAMILY_V4, { 10, (uint8_t)i, 77 } }, 24 };
		if (!is_taken(c, t, ret))
			return true;
	}
	return false;
}

static void say_address_is_local(struct check *c, const struct check_tunnel *t, size_t address,
				 const struct prefix *local, const struct host_link *link)
{
	char text[TEXT_PREFIX], other[TEXT_PREFIX] = "";
	struct prefix proposed;
	struct finding *f = check_say(c, "C11", DIAG_WARNING,
				      check_place(t, &t->t->addresses.rows[address].at));

	text_from_prefix(local, text);
	if (free_network(c, t, &proposed))
		text_from_prefix(&proposed, other);
	finding_cause(f, "the tunnel's network overlaps %s, which %s of this host has", text,
		      link->name);
	finding_fix(f, "number the tunnel from a network that nobody uses%s%s",
		    other[0] ? ", such as " : "", other);
}

static void address_is_local(struct check *c, const struct check_tunnel *t)
{
	const struct host_link *link;
	struct prefix local;

	for (size_t i = 0; i < c->host->network.address_count; ++i) {
		if (!network_of(c, t, i, &local, &link))
			continue;
		for (size_t k = 0; k < t->connected.count; ++k)
			if (prefix_covers(&t->connected.rows[k].prefix, &local) ||
			    prefix_covers(&local, &t->connected.rows[k].prefix))
				say_address_is_local(c, t, t->connected.rows[k].peer, &local, link);
	}
}

/* D6 */

static bool is_plain_name(const char *word)
{
	return word[0] != '\0' &&
	       strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
			    "0123456789_.-") == strlen(word);
}

static bool is_masquerade(const struct hook_command *command)
{
	return hook_is_iptables(command) && hook_has_word(command, "MASQUERADE");
}

/* It masquerades on an interface that there is, or on nobody knows which. */
static bool is_masquerade_here(const struct check *c, const struct check_tunnel *t,
			       const struct hook_command *command)
{
	const struct hook_word *oif = hook_option(command, "-o", "--out-interface");

	return is_masquerade(command) &&
	       (!oif || hook_has_word(command, "!") || !is_plain_name(oif->text) ||
		strcmp(oif->text, t->t->name) == 0 ||
		host_link_by_name(&c->host->network, oif->text));
}

static void check_oif(struct check *c, const struct check_tunnel *t, size_t row,
		      const struct hook_command *command)
{
	const struct hook_word *oif = hook_option(command, "-o", "--out-interface");
	const struct host_link *egress = host_default_link(&c->host->network, FAMILY_V4);
	struct span at = t->t->hooks[TUNNEL_POST_UP].rows[row].at;
	struct finding *f;

	if (!oif || is_masquerade_here(c, t, command) || !is_masquerade(command))
		return;
	at.column += (unsigned int)oif->at;
	at.length = (unsigned int)strlen(oif->text);
	f = check_say(c, "D6", DIAG_WARNING, check_place(t, &at));
	finding_cause(f,
		      "this host has no interface %s: nothing is masqueraded, and peers reach the "
		      "server but not what is behind it",
		      oif->text);
	if (egress && !egress->wireguard)
		finding_fix(f, "the default route of this host leaves by %s", egress->name);
}

static void masquerade_to_nowhere(struct check *c, const struct check_tunnel *t)
{
	for (size_t i = 0; i < t->t->hooks[TUNNEL_POST_UP].count; ++i)
		for (size_t k = 0; k < t->hooks[TUNNEL_POST_UP][i].command_count; ++k)
			if (is_masquerade_here(c, t, &t->hooks[TUNNEL_POST_UP][i].commands[k]))
				return; /* one for each of several uplinks: one is enough */
	for (size_t i = 0; i < t->t->hooks[TUNNEL_POST_UP].count; ++i)
		for (size_t k = 0; k < t->hooks[TUNNEL_POST_UP][i].command_count; ++k)
			check_oif(c, t, i, &t->hooks[TUNNEL_POST_UP][i].commands[k]);
}

/* E5, once more */

static void endpoint_is_here(struct check *c, const struct check_tunnel *t)
{
	for (size_t i = 0; i < t->t->model.peer_count; ++i) {
		const struct model_peer *p = &t->t->model.peers[i];

		for (size_t k = 0; p->has_endpoint && k < c->host->network.address_count; ++k) {
			const struct host_address *a = &c->host->network.addresses[k];
			const struct host_link *link =
				host_link_by_index(&c->host->network, a->link);
			struct finding *f;

			if (!link || link->loopback || is_own_link(t, link) ||
			    !ip_equal(&a->prefix.ip, &p->endpoint.ip))
				continue;
			f = check_say(c, "E5", DIAG_WARNING,
				      check_place(t, &t->t->peers[i].endpoint));
			finding_cause(f, "the endpoint is an address of this very host (%s)",
				      link->name);
			finding_fix(
				f,
				"Endpoint is where the other end is reached; if this file is the "
				"other end's, use it there");
		}
	}
}

/* F4, once more: an underlay that is smaller than the usual one */

static void mtu_of_host(struct check *c, const struct check_tunnel *t)
{
	enum { USUAL = 1500 };
	const struct host_link *egress = host_default_link(&c->host->network, FAMILY_V4);
	struct finding *f;

	if (t->t->mtu == 0 || !egress || egress->wireguard || is_own_link(t, egress) ||
	    egress->mtu == 0 || egress->mtu >= USUAL || t->t->mtu + 60U <= egress->mtu ||
	    t->t->mtu + 60U > USUAL)
		return;
	f = check_say(c, "F4", DIAG_WARNING, check_place(t, &t->t->mtu_at));
	finding_cause(
		f,
		"a packet of %u bytes becomes a datagram of %u, and %s, where the default route "
		"leaves, carries %u",
		t->t->mtu, t->t->mtu + 60U, egress->name, egress->mtu);
	finding_fix(f, "remove MTU, and wg-quick takes it from the route; or write %u",
		    egress->mtu - 80);
}

/* H3, once more: the route of the local network wins over /0 */

static void resolver_is_local(struct check *c, const struct check_tunnel *t)
{
	const struct host_link *link;
	struct prefix local;

	for (size_t i = 0; check_makes_routes(t) && i < t->t->dns.count; ++i) {
		const struct tunnel_prefix *dns = &t->t->dns.rows[i];
		const struct prefix_row *row = prefix_table_find(&t->allowed, &dns->prefix.ip, 0);

		for (size_t k = 0; row && k < c->host->network.address_count; ++k) {
			char text[TEXT_IP];
			struct finding *f;

			if (!network_of(c, t, k, &local, &link) ||
			    !prefix_has(&local, &dns->prefix.ip) || row->prefix.bits >= local.bits)
				continue;
			text_from_ip(&dns->prefix.ip, text);
			f = check_say(c, "H3", DIAG_WARNING, check_place(t, &dns->at));
			finding_cause(
				f,
				"%s is in the network of %s here, whose route wins: queries go "
				"around the tunnel",
				text, link->name);
			finding_fix(
				f, "use a DNS server inside the tunnel; or add %s/%u to AllowedIPs",
				text, ip_bits(&dns->prefix.ip));
		}
	}
}

const struct rule rules_host[] = {
	{ "A1", "DNS without resolvconf", RULE_HOST, DIAG_WARNING, no_resolvconf },
	{ "A5", "IPv6 lines on a host without IPv6", RULE_HOST, DIAG_ERROR, ipv6_is_off },
	{ "C10", "AllowedIPs that are a network of this host", RULE_HOST, DIAG_WARNING,
	  allowed_is_local },
	{ "C11", "a tunnel numbered like a network of this host", RULE_HOST, DIAG_WARNING,
	  address_is_local },
	{ "D6", "MASQUERADE on an interface that is not there", RULE_HOST, DIAG_WARNING,
	  masquerade_to_nowhere },
	{ "E5", NULL, RULE_HOST, DIAG_WARNING, endpoint_is_here },
	{ "F4", NULL, RULE_HOST, DIAG_WARNING, mtu_of_host },
	{ "H3", NULL, RULE_HOST, DIAG_WARNING, resolver_is_local },
};
const size_t rules_host_count = ELEMENTS(rules_host);
