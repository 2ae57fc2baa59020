#include <string.h>
#include <strings.h>

#include "base/bytes.h"
#include "base/text.h"
#include "config/check_private.h"
#include "config/rules.h"

/* Rules about the other lines of one file, and about files of one host. */

/* A6 and C9: two tunnels of one host. */

static bool is_pair_of_host(const struct check *c, const struct check_tunnel *a,
			    const struct check_tunnel *b)
{
	/* one that has the other as a peer is on another host, wherever the files are */
	return check_same_host(a, b) &&
	       (!a->has_key || check_peer_of(c, b, &a->public_key) == SIZE_MAX) &&
	       (!b->has_key || check_peer_of(c, a, &b->public_key) == SIZE_MAX) &&
	       !check_share_peer(c, a, b); /* two ways to one place: one at a time */
}

static void same_port(struct check *c, const struct check_tunnel *t)
{
	const uint16_t port = t->t->model.listen_port;

	for (size_t i = 0; port && i < t->index; ++i) {
		const struct check_tunnel *other = &c->tunnels[i];
		struct finding *f;

		if (other->t->model.listen_port != port || !is_pair_of_host(c, other, t))
			continue;
		f = check_say(c, "A6", DIAG_WARNING, check_place(t, &t->t->listen_port));
		if (f)
			f->related = check_place(other, &other->t->listen_port);
		finding_cause(
			f,
			"%s has ListenPort %u too: whichever comes up second fails with `Address "
			"already in use'",
			other->t->path, port);
		finding_fix(f,
			    "give each tunnel of a host its own port; one that only calls others "
			    "needs no ListenPort");
		return;
	}
}

static void same_connected_route(struct check *c, const struct check_tunnel *t)
{
	for (size_t i = 0; i < t->connected.count; ++i) {
		const struct prefix_row *row = &t->connected.rows[i];

		if (row->prefix.bits == ip_bits(&row->prefix.ip))
			continue;
		for (size_t k = 0; k < t->index; ++k) {
			const struct check_tunnel *other = &c->tunnels[k];
			const struct prefix_row *same =
				prefix_table_exact(&other->connected, &row->prefix);
			char text[TEXT_PREFIX];
			struct finding *f;

			if (!same || !is_pair_of_host(c, other, t))
				continue;
			text_from_prefix(&row->prefix, text);
			f = check_say(c, "C9", DIAG_WARNING,
				      check_place(t, &t->t->addresses.rows[row->peer].at));
			if (f)
				f->related = check_place(other,
							 &other->t->addresses.rows[same->peer].at);
			finding_cause(
				f,
				"the mask makes a route to all of %s, and so does %s: only one of "
				"the two tunnels gets it",
				text, other->t->path);
			finding_fix(
				f, "write the Address with /%u, and let AllowedIPs make the routes",
				ip_bits(&row->prefix.ip));
			return;
		}
	}
}

/* address-twice: Linux keeps IPv6 addresses apart without their masks, IPv4 ones with them. */

static bool is_same_address(const struct prefix *a, const struct prefix *b)
{
	return ip_equal(&a->ip, &b->ip) && (a->ip.family == FAMILY_V6 || a->bits == b->bits);
}

static void address_twice(struct check *c, const struct check_tunnel *t)
{
	enum { COMPARED = 1000 }; /* more of them no file has that a person wrote */
	const struct tunnel_prefixes *all = &t->t->addresses;

	for (size_t i = 1; i < all->count && i < COMPARED; ++i)
		for (size_t k = 0; k < i; ++k) {
			struct finding *f;
			char text[TEXT_IP];

			if (!is_same_address(&all->rows[i].prefix, &all->rows[k].prefix))
				continue;
			text_from_ip(&all->rows[i].prefix.ip, text);
			f = check_say(c, "address-twice", DIAG_ERROR,
				      check_place(t, &all->rows[i].at));
			if (f)
				f->related = check_place(t, &all->rows[k].at);
			finding_cause(f,
				      "%s stands here twice: wg-quick fails at the second with "
				      "`Address already assigned' and undoes the tunnel",
				      text);
			finding_fix(f, "remove one of the two");
			break;
		}
}

/* A20 */

static const struct tunnel_text *hook_with(const struct check_tunnel *t, char sign)
{
	for (size_t kind = 0; kind < TUNNEL_HOOKS; ++kind)
		for (size_t i = 0; i < t->t->hooks[kind].count; ++i)
			if (strchr(t->t->hooks[kind].rows[i].text, sign))
				return &t->t->hooks[kind].rows[i];
	return NULL;
}

static bool has_names(const struct check_tunnel *t)
{
	for (size_t i = 0; i < t->t->model.peer_count; ++i)
		if (t->t->peers[i].name.text ||
		    (t->t->peers[i].endpoint_host && !t->t->model.peers[i].has_endpoint))
			return true;
	return t->t->search.count > 0;
}

static void save_config(struct check *c, const struct check_tunnel *t)
{
	const struct tunnel_text *hook = hook_with(t, '&');
	const bool loses = hook || has_names(t);
	struct finding *f;

	if (!t->t->save_config)
		return;
	f = check_say(c, "A20", loses ? DIAG_WARNING : DIAG_NOTE,
		      check_place(t, &t->t->save_config_at));
	if (f && hook)
		f->related = check_place(t, &hook->at);
	if (hook)
		finding_cause(
			f,
			"at `down' this file is written anew, and wg-quick with bash 5.2 or newer "
			"destroys the hook of line %u: each & in it becomes [Interface]",
			hook->at.line);
	else
		finding_cause(
			f, "at `down' this file is written anew from the running tunnel: comments, "
			   "search domains, names in Endpoint and edits made meanwhile are lost");
	if (hook) /* `wg-quick save' does the same to it */
		finding_fix(f, "remove SaveConfig, and write changes into this file by hand");
	else
		finding_fix(f, "remove SaveConfig, and save on purpose: `wg-quick save %s'",
			    t->t->name[0] ? t->t->name : "NAME");
}

/* F4, F8 */

static bool has_family(const struct prefix_table *table, uint8_t family)
{
	for (size_t i = 0; i < table->count; ++i)
		if (table->rows[i].prefix.ip.family == family)
			return true;
	return false;
}

static bool calls_by_v6(const struct check_tunnel *t)
{
	for (size_t i = 0; i < t->t->model.peer_count; ++i)
		if (t->t->model.peers[i].has_endpoint &&
		    t->t->model.peers[i].endpoint.ip.family == FAMILY_V6)
			return true;
	return false;
}

/* Above 1500 somebody knows of a bigger path. */
static void big_mtu(struct check *c, const struct check_tunnel *t)
{
	enum { PATH = 1500 };
	const unsigned int overhead = calls_by_v6(t) ? 80 : 60, mtu = t->t->mtu;
	struct finding *f;

	if (mtu + overhead <= PATH || mtu > PATH)
		return;
	f = check_say(c, "F4", DIAG_WARNING, check_place(t, &t->t->mtu_at));
	finding_cause(f,
		      "a packet of %u bytes becomes a datagram of %u over %s, and the usual path "
		      "carries %u: pings work, big transfers hang or crawl",
		      mtu, mtu + overhead, overhead == 80 ? "IPv6" : "IPv4", PATH);
	finding_fix(f, "remove MTU, and wg-quick takes it from the route; or write %u", PATH - 80);
}

static void small_mtu(struct check *c, const struct check_tunnel *t)
{
	struct finding *f;

	if (t->t->mtu == 0 || t->t->mtu >= 1280 ||
	    (!has_family(&t->connected, FAMILY_V6) && !has_family(&t->allowed, FAMILY_V6)))
		return;
	f = check_say(c, "F8", DIAG_ERROR, check_place(t, &t->t->mtu_at));
	finding_cause(f,
		      "IPv6 needs an MTU of 1280, and with %u Linux takes IPv6 off this interface, "
		      "though the file gives it IPv6",
		      t->t->mtu);
	finding_fix(f, "write 1280 or more, or remove the IPv6 addresses and prefixes");
}

/* E5, E7 */

static void private_endpoint(struct check *c, const struct check_tunnel *t)
{
	for (size_t i = 0; i < t->t->model.peer_count; ++i) {
		const struct model_peer *p = &t->t->model.peers[i];
		char text[TEXT_IP];
		struct finding *f;

		if (!p->has_endpoint || !check_is_private(&p->endpoint.ip) ||
		    prefix_table_find(&t->connected, &p->endpoint.ip, 0) ||
		    prefix_table_find(&t->allowed, &p->endpoint.ip, 1))
			continue;
		text_from_ip(&p->endpoint.ip, text);
		f = check_say(c, "E5", DIAG_NOTE, check_place(t, &t->t->peers[i].endpoint));
		finding_cause(f, "%s is a private address: it is reached from its own network only",
			      text);
		finding_fix(f, "to connect from elsewhere, write the public address of the router "
			       "before it, and forward the UDP port there");
	}
}

static void port_zero(struct check *c, const struct check_tunnel *t)
{
	for (size_t i = 0; i < t->t->model.peer_count; ++i) {
		const struct tunnel_peer *p = &t->t->peers[i];
		struct finding *f;

		if (!p->endpoint_host || p->endpoint_service || p->endpoint_port != 0)
			continue;
		f = check_say(c, "bad-endpoint", DIAG_ERROR, check_place(t, &p->endpoint));
		finding_cause(f, "Endpoint: nothing can be sent to port 0");
		finding_fix(f, "write the port that the other end listens on, its ListenPort");
	}
}

static bool is_dynamic_name(const char *host)
{
	static const char *const zones[] = {
		"duckdns.org",      "ddns.net",          "no-ip.org",     "no-ip.com",
		"hopto.org",        "zapto.org",         "sytes.net",     "myftp.org",
		"dyndns.org",       "dyn.com",           "dynu.net",      "dynu.com",
		"dynv6.net",        "dedyn.io",          "freeddns.org",  "mooo.com",
		"afraid.org",       "chickenkiller.com", "myfritz.net",   "synology.me",
		"myqnapcloud.com",  "asuscomm.com",      "tplinkdns.com", "goip.de",
		"spdns.de",         "spdns.org",         "selfhost.eu",   "selfhost.bz",
		"ddnss.de",         "strato-home.de",    "nsupdate.info", "ydns.eu",
		"sn.mynetname.net",
	};
	const size_t len = strlen(host);

	for (size_t i = 0; i < ELEMENTS(zones); ++i) {
		const size_t zone = strlen(zones[i]);

		if (len > zone && host[len - zone - 1] == '.' &&
		    strcasecmp(host + len - zone, zones[i]) == 0)
			return true;
	}
	return false;
}

static void dynamic_endpoint(struct check *c, const struct check_tunnel *t)
{
	if (span_is_set(&t->t->own.reresolve_at))
		return;
	for (size_t i = 0; i < t->t->model.peer_count; ++i) {
		const struct tunnel_peer *p = &t->t->peers[i];
		struct finding *f;

		if (!p->endpoint_host || !is_dynamic_name(p->endpoint_host))
			continue;
		f = check_say(c, "E7", DIAG_NOTE, check_place(t, &p->endpoint));
		finding_cause(
			f,
			"this name follows an address that changes, and wg-quick looks it up "
			"once, at `up': after a change the tunnel is dead until it is restarted");
		finding_fix(f, "let a timer look it up again, as reresolve-dns.sh of "
			       "wireguard-tools does");
	}
}

/* E6 */

static void fixed_client_port(struct check *c, const struct check_tunnel *t)
{
	const struct prefix all = { .ip.family = FAMILY_V4 };
	struct finding *f;

	if (t->t->model.listen_port == 0 || t->t->model.peer_count != 1 ||
	    !t->t->peers[0].endpoint_host || !prefix_table_exact(&t->allowed, &all) ||
	    !check_makes_routes(t))
		return;
	f = check_say(c, "E6", DIAG_NOTE, check_place(t, &t->t->listen_port));
	finding_cause(f,
		      "a client needs no ListenPort: behind one router, two clients with the same "
		      "fixed port can push each other out");
	finding_fix(f, "remove ListenPort, unless somebody connects to this end");
}

/* search-only, file-name */

static void search_without_server(struct check *c, const struct check_tunnel *t)
{
	struct finding *f;

	if (t->t->search.count == 0 || t->t->dns.count > 0)
		return;
	f = check_say(c, "search-only", DIAG_WARNING, check_place(t, &t->t->search.rows[0].at));
	finding_cause(f,
		      "`%s' is a search domain, and without a DNS server wg-quick does nothing "
		      "with it",
		      t->t->search.rows[0].text);
	finding_fix(f,
		    "add the server's address: `DNS = 10.0.0.1, %s'; a name of a server does not "
		    "count as one",
		    t->t->search.rows[0].text);
}

static void file_name(struct check *c, const struct check_tunnel *t)
{
	const size_t len = strlen(t->t->path);
	struct finding *f;

	if (t->t->name[0] != '\0' || len < 5 || strcmp(t->t->path + len - 5, ".conf") != 0)
		return;
	f = check_say(c, "file-name", DIAG_NOTE, (struct place){ .file = t->t->path });
	finding_cause(f,
		      "the file's name makes no interface name: wg-quick and the apps take 1 to 15 "
		      "of a-z A-Z 0-9 _ = + . -, and then .conf");
	finding_fix(f, "rename it, such as to wg0.conf, before it is used");
}

const struct rule rules_interface[] = {
	{ "A6", "a port that two tunnels of a host want", RULE_SET, DIAG_WARNING, same_port },
	{ "A20", "SaveConfig, and what it loses", RULE_FILE, DIAG_WARNING, save_config },
	{ "address-twice", "one Address twice in a file", RULE_FILE, DIAG_ERROR, address_twice },
	{ "bad-endpoint", "not host:port", RULE_FILE, DIAG_ERROR, port_zero },
	{ "C9", "two tunnels of a host with the same connected route", RULE_SET, DIAG_WARNING,
	  same_connected_route },
	{ "E5", "a private address, or this host, as endpoint", RULE_FILE, DIAG_WARNING,
	  private_endpoint },
	{ "E6", "a client with a fixed port", RULE_FILE, DIAG_NOTE, fixed_client_port },
	{ "E7", "a dynamic name that nothing looks up again", RULE_FILE, DIAG_NOTE,
	  dynamic_endpoint },
	{ "F4", "an MTU that leaves no room for the outer headers", RULE_FILE, DIAG_WARNING,
	  big_mtu },
	{ "F8", "an MTU below 1280 with IPv6", RULE_FILE, DIAG_ERROR, small_mtu },
	{ "search-only", "search domains without a DNS server", RULE_FILE, DIAG_WARNING,
	  search_without_server },
	{ "file-name", "a file name that is no interface name", RULE_FILE, DIAG_NOTE, file_name },
};
const size_t rules_interface_count = ELEMENTS(rules_interface);
