#include <string.h>
#include <strings.h>

#include "base/bytes.h"
#include "base/text.h"
#include "config/check_private.h"
#include "config/rules.h"

/*
 * Rules about where packets go by the routes that wg-quick makes on Linux: one for each allowed
 * prefix in the main table, but for /0, which is put in a table of its own that the tunnel's own
 * datagrams do not see (fwmark and suppress_prefixlength). So /0 never catches the endpoint, and
 * anything narrower does.
 */

/* With "Table = main" /0 is a route like any other. */
static uint8_t narrowest_catching(const struct check_tunnel *t)
{
	return t->t->table == TUNNEL_TABLE_AUTO ? 1 : 0;
}

static bool hooks_make_routes(const struct check_tunnel *t)
{
	return check_hooks_have(t, "ip", "route") || check_hooks_have(t, "ip", "r") ||
	       check_hooks_have(t, "ip", "ro") || check_hooks_have(t, "ip", "rule") ||
	       check_hooks_have(t, "ip", "ru") || check_hooks_have(t, "route", NULL);
}

static bool may_loop(const struct check_tunnel *t)
{
	return check_makes_routes(t) && !hooks_make_routes(t);
}

static void say_loop_fix(const struct check_tunnel *t, struct finding *f,
			 const struct prefix *prefix)
{
	const bool v4 = prefix->ip.family == FAMILY_V4;

	if (prefix->bits == 0)
		finding_fix(f, "leave `Table' out: wg-quick then keeps the endpoint out of the "
			       "tunnel by itself");
	else if (prefix_table_covers_all(&t->allowed, prefix->ip.family, 1))
		finding_fix(f,
			    "write %s instead of the pieces: wg-quick then keeps the endpoint out "
			    "of the tunnel by itself",
			    v4 ? "0.0.0.0/0" : "::/0");
	else
		finding_fix(
			f, "take the endpoint out of AllowedIPs, or add a route to it: `PreUp = ip "
			   "route add ENDPOINT via GATEWAY'");
}

static struct finding *say_loop(struct check *c, const struct check_tunnel *t, size_t peer,
				const struct prefix_row *row)
{
	struct finding *f =
		check_say(c, "C12", DIAG_ERROR, check_place(t, &t->t->peers[peer].endpoint));

	if (f)
		f->related = check_place(t, &t->t->peers[row->peer].allowed.rows[row->item].at);
	return f;
}

/* Endpoint is an address of the tunnel's own network. */
static void say_inside_address(struct check *c, const struct check_tunnel *t, size_t peer,
			       const struct prefix_row *connected)
{
	const struct tunnel_prefix *own = &t->t->addresses.rows[connected->peer];
	struct finding *f =
		check_say(c, "C12", DIAG_ERROR, check_place(t, &t->t->peers[peer].endpoint));
	char text[TEXT_PREFIX];

	text_from_prefix(&own->prefix, text);
	if (f)
		f->related = check_place(t, &own->at);
	finding_cause(
		f,
		"the endpoint is inside the tunnel's own network, Address %s: to reach it, the "
		"tunnel would have to be up already",
		text);
	finding_fix(f, "Endpoint is where the other end is reached without the tunnel: its public "
		       "address, not its address inside");
}

static bool is_loopback(const struct ip *ip)
{
	const struct prefix v4 = { { FAMILY_V4, { 127 } }, 8 };
	struct ip v6 = { FAMILY_V6, { 0 } };

	v6.bytes[15] = 1;
	return prefix_has(&v4, ip) || ip_equal(&v6, ip);
}

/* What is reached without any route of wg-quick: a program of this host, as obfuscators are. */
static bool is_beside_routes(const struct ip *ip)
{
	const struct prefix v4 = { { FAMILY_V4, { 169, 254 } }, 16 };
	const struct prefix v6 = { { FAMILY_V6, { 0xfe, 0x80 } }, 10 };

	return is_loopback(ip) || prefix_has(&v4, ip) || prefix_has(&v6, ip);
}

/* The wider the network, the likelier that the host has a narrower route to a private address. */
static bool may_be_elsewhere(const struct prefix *connected, const struct ip *ip)
{
	return check_is_private(ip) && connected->bits < (ip->family == FAMILY_V4 ? 24 : 64);
}

/* An endpoint that is an address. */
static void check_endpoint(struct check *c, const struct check_tunnel *t, size_t peer)
{
	const struct ip *ip = &t->t->model.peers[peer].endpoint.ip;
	const struct prefix_row *row = prefix_table_find(&t->allowed, ip, narrowest_catching(t));
	const struct prefix_row *connected = prefix_table_find(&t->connected, ip, 0);
	char text[TEXT_PREFIX], address[TEXT_IP];
	struct finding *f;

	if (row && row->peer != peer) /* another peer's: a tunnel in a tunnel, which works */
		return;
	if (is_beside_routes(ip) || (connected && may_be_elsewhere(&connected->prefix, ip)))
		return;
	if (connected)
		say_inside_address(c, t, peer, connected);
	if (connected || !row || check_is_private(ip))
		return; /* to a private one the host may well have a narrower route */
	text_from_prefix(&row->prefix, text);
	text_from_ip(ip, address);
	f = say_loop(c, t, peer, row);
	finding_cause(f,
		      "the endpoint %s is inside %s of its own peer: wg-quick routes the tunnel's "
		      "datagrams into the tunnel itself, and nothing leaves",
		      address, text);
	say_loop_fix(t, f, &row->prefix);
}

/* Names of this host and of its own network, to which there may be a narrower route. */
static bool is_local_name(const char *host)
{
	static const char *const ends[] = { ".local",     ".lan",         ".home",     ".internal",
					    ".home.arpa", ".localdomain", ".localhost" };
	const size_t len = strlen(host);

	for (size_t i = 0; i < ELEMENTS(ends); ++i) {
		const size_t end = strlen(ends[i]);

		if (len > end && strcasecmp(host + len - end, ends[i]) == 0)
			return true;
	}
	return !strchr(host, '.');
}

/* An endpoint that is a name: whatever address it has, it is caught. */
static void check_name(struct check *c, const struct check_tunnel *t, size_t peer)
{
	const uint8_t bits = narrowest_catching(t);
	struct ip any = { .family = FAMILY_V4, .bytes = { 1 } };
	const struct prefix_row *row;
	struct finding *f;

	if (is_local_name(t->t->peers[peer].endpoint_host) ||
	    !prefix_table_covers_all(&t->allowed, FAMILY_V4, bits))
		return;
	row = prefix_table_find(&t->allowed, &any, bits);
	if (!row || row->peer != peer)
		return;
	f = say_loop(c, t, peer, row);
	if (f && !prefix_table_covers_all(&t->allowed, FAMILY_V6, bits))
		f->severity = DIAG_WARNING; /* the name may have an IPv6 address */
	finding_cause(f, "together the AllowedIPs hold every IPv4 address, and so the endpoint: "
			 "wg-quick routes the tunnel's datagrams into the tunnel itself");
	say_loop_fix(t, f, &row->prefix);
}

static void endpoint_in_tunnel(struct check *c, const struct check_tunnel *t)
{
	const bool loops = may_loop(t);

	for (size_t i = 0; loops && i < t->t->model.peer_count; ++i) {
		if (t->t->model.peers[i].has_endpoint)
			check_endpoint(c, t, i);
		else if (t->t->peers[i].endpoint_host)
			check_name(c, t, i);
	}
}

/* H3 */

static bool is_own_address(const struct check_tunnel *t, const struct ip *ip)
{
	for (size_t i = 0; i < t->t->addresses.count; ++i)
		if (ip_equal(&t->t->addresses.rows[i].prefix.ip, ip))
			return true;
	return false;
}

static void check_resolver(struct check *c, const struct check_tunnel *t,
			   const struct tunnel_prefix *dns)
{
	const struct ip *ip = &dns->prefix.ip;
	const bool connected = prefix_table_find(&t->connected, ip, 0) != NULL;
	char text[TEXT_IP];
	struct finding *f;

	if (prefix_table_find(&t->allowed, ip, 0) || is_own_address(t, ip) || is_loopback(ip))
		return;
	text_from_ip(ip, text);
	f = check_say(c, "H3", connected || check_is_private(ip) ? DIAG_WARNING : DIAG_NOTE,
		      check_place(t, &dns->at));
	if (connected)
		finding_cause(f,
			      "%s is in the network of Address, so it is asked through the tunnel, "
			      "but it is in no peer's AllowedIPs: no query gets an answer",
			      text);
	else if (check_is_private(ip))
		finding_cause(f,
			      "%s is in no peer's AllowedIPs: queries to it go around the tunnel, "
			      "and only a network nearby that has this address answers",
			      text);
	else
		finding_cause(f,
			      "%s is in no peer's AllowedIPs: all queries of this host go to it "
			      "around the tunnel, where they can be read",
			      text);
	finding_fix(f, "add %s/%u to the AllowedIPs of the peer that leads to it", text,
		    ip_bits(ip));
}

static void resolver_outside(struct check *c, const struct check_tunnel *t)
{
	if (t->broken || t->allowed.count == 0 || t->t->table == TUNNEL_TABLE_OFF)
		return;
	for (size_t i = 0; i < t->t->dns.count; ++i)
		check_resolver(c, t, &t->t->dns.rows[i]);
}

/* H4 */

static bool takes_all(const struct check_tunnel *t, uint8_t family)
{
	return prefix_table_covers_all(&t->allowed, family, 0);
}

static const struct prefix_row *default_row(const struct check_tunnel *t)
{
	const struct prefix all = { .ip.family = FAMILY_V4 };

	return prefix_table_exact(&t->allowed, &all);
}

/* They switch IPv6 off, or have rules for it. */
static bool hooks_hold_v6(const struct check_tunnel *t)
{
	return check_hooks_name(t, "disable_ipv6") || check_hooks_name(t, "ip6tables") ||
	       check_hooks_name(t, "nft");
}

static void only_v4(struct check *c, const struct check_tunnel *t)
{
	const struct prefix_row *row = default_row(t);
	const struct host_link *v6;
	struct finding *f;

	if (t->broken || !row || !t->t->peers[row->peer].endpoint_host || takes_all(t, FAMILY_V6) ||
	    !check_makes_routes(t) || t->t->own.kill_switch != TUNNEL_KILL_OFF || hooks_hold_v6(t))
		return;
	v6 = host_default_link(&c->host->network, FAMILY_V6);
	if (c->host->looked && (!v6 || v6->wireguard))
		return; /* there is nothing to leak through */
	f = check_say(c, "H4", c->host->looked ? DIAG_WARNING : DIAG_NOTE,
		      check_place(t, &t->t->peers[row->peer].allowed.rows[row->item].at));
	if (v6)
		finding_cause(
			f,
			"IPv4 goes into the tunnel and IPv6 does not: this host has IPv6 by %s, "
			"and whatever prefers it goes around the tunnel",
			v6->name);
	else
		finding_cause(
			f, "IPv4 goes into the tunnel and IPv6 does not: on a network with IPv6, "
			   "whatever prefers it goes around the tunnel");
	finding_fix(f, "add ::/0; the other end needs no IPv6 for that, IPv6 is then held back");
}

const struct rule rules_routes[] = {
	{ "C12", "an endpoint that is routed into its own tunnel", RULE_FILE, DIAG_ERROR,
	  endpoint_in_tunnel },
	{ "H3", "a DNS server that is not reached through the tunnel", RULE_FILE, DIAG_WARNING,
	  resolver_outside },
	{ "H4", "all IPv4 but no IPv6 in the tunnel", RULE_FILE, DIAG_WARNING, only_v4 },
};
const size_t rules_routes_count = ELEMENTS(rules_routes);
