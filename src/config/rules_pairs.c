#include <string.h>
#include <strings.h>

#include "base/bytes.h"
#include "base/text.h"
#include "config/check_private.h"
#include "config/rules.h"
#include "crypto/crypto.h"

/* Rules about two ends that were read together. */

/* B2, B1: who names somebody that does not name him. */

static bool any_twin_names(const struct check *c, const struct check_tunnel *of,
			   const struct key_public *key)
{
	size_t count;
	const struct check_key *twins = check_find(&c->own, &of->public_key, &count);

	for (size_t i = 0; i < count; ++i)
		if (check_peer_of(c, &c->tunnels[twins[i].tunnel], key) != SIZE_MAX)
			return true;
	return false;
}

/* Its one peer has an Endpoint and a key that no file has: then that key is the likely mistake. */
static bool has_one_stranger(const struct check *c, const struct check_tunnel *t)
{
	size_t count;

	if (t->t->model.peer_count != 1 || !t->t->peers[0].has_public_key ||
	    !t->t->peers[0].endpoint_host)
		return false;
	(void)check_find(&c->own, &t->t->model.peers[0].public_key, &count);
	return count == 0;
}

static void say_wrong_key(struct check *c, const struct check_pair *p)
{
	char key[TEXT_KEY_BASE64];
	struct finding *f = check_say(c, "B1", DIAG_ERROR, check_peer_place(p->b, 0));

	text_base64_from_key(p->a->public_key.bytes, key);
	if (f)
		f->related = check_peer_place(p->a, p->peer);
	finding_cause(
		f,
		"%s expects this device as a peer, but its key is not the one written here: no "
		"handshake with it can begin",
		p->a->t->path);
	finding_fix(f, "if this peer is %s, write its public key: %s", p->a->t->path, key);
}

/* At which end others reach the owner of this key. */
static bool is_endpoint_of(const struct check *c, const struct key_public *key,
			   const struct tunnel_peer *at)
{
	size_t count;
	const struct check_key *rows = check_find(&c->named, key, &count);

	for (size_t i = 0; i < count; ++i) {
		const struct tunnel_peer *p = &c->tunnels[rows[i].tunnel].t->peers[rows[i].peer];

		if (p->endpoint_host && p->endpoint_port == at->endpoint_port &&
		    strcasecmp(p->endpoint_host, at->endpoint_host) == 0)
			return true;
	}
	return false;
}

/* It calls others, by a profile that is not for this end: there may be another one that is. */
static bool calls_others_only(const struct check *c, const struct check_pair *p)
{
	const struct model *m = &p->b->t->model;
	bool calls = false;

	if (p->a->t->peers[p->peer].endpoint_host)
		return false; /* it is called from here */
	for (size_t i = 0; i < m->peer_count; ++i) {
		if (!p->b->t->peers[i].endpoint_host)
			continue;
		if (is_endpoint_of(c, &p->a->public_key, &p->b->t->peers[i]))
			return false;
		calls = true;
	}
	return calls;
}

static void say_other_profile(struct check *c, const struct check_pair *p)
{
	struct finding *f = check_say(c, "B2", DIAG_NOTE, check_peer_place(p->a, p->peer));

	if (f)
		f->related = check_place(p->b, &p->b->t->interface);
	finding_cause(f,
		      "this peer is %s, which calls others and has no [Peer] with the key of this "
		      "file: right where it has another profile for this end",
		      p->b->t->path);
	finding_fix(f, "if it has none, add to %s a [Peer] with the public key of this file",
		    p->b->t->path);
}

static void say_missing_peer(struct check *c, const struct check_pair *p)
{
	char key[TEXT_KEY_BASE64];
	struct finding *f = check_say(c, "B2", DIAG_ERROR, check_peer_place(p->a, p->peer));

	text_base64_from_key(p->a->public_key.bytes, key);
	if (f)
		f->related = check_place(p->b, &p->b->t->interface);
	finding_cause(
		f,
		"this peer is %s, and it has no [Peer] with the key of this file: it will not "
		"answer",
		p->b->t->path);
	finding_fix(f, "add to %s: [Peer], PublicKey = %s, and AllowedIPs with this file's Address",
		    p->b->t->path, key);
}

static void missing_half(struct check *c, const struct check_pair *p)
{
	if (!p->a->has_key || p->b->broken || check_hooks_set(p->b, "peer") ||
	    any_twin_names(c, p->b, &p->a->public_key))
		return;
	if (has_one_stranger(c, p->b))
		say_wrong_key(c, p);
	else if (calls_others_only(c, p))
		say_other_profile(c, p);
	else
		say_missing_peer(c, p);
}

static void other_half_missing(struct check *c, const struct check_tunnel *t)
{
	check_pairs(c, t, missing_half);
}

/* B4 */

static void compare_preshared(struct check *c, const struct check_pair *p)
{
	const struct tunnel_peer *here = &p->a->t->peers[p->peer], *there;
	const struct model_peer *mine = &p->a->t->model.peers[p->peer], *theirs;
	const bool has = span_is_set(&here->preshared_key);
	struct finding *f;

	if (p->back == SIZE_MAX || p->b->index < p->a->index)
		return; /* said once, by the file that comes first */
	there = &p->b->t->peers[p->back];
	theirs = &p->b->t->model.peers[p->back];
	if (crypto_equal(&mine->preshared_key, &theirs->preshared_key, KEY_LEN))
		return; /* a key of zeros is none */
	if (check_hooks_set(p->a, "preshared-key") || check_hooks_set(p->b, "preshared-key"))
		return;
	if ((has && !mine->has_preshared_key) ||
	    (span_is_set(&there->preshared_key) && !theirs->has_preshared_key))
		return; /* it could not be read, which has been said */
	f = check_say(c, "B4", DIAG_ERROR,
		      has ? check_place(p->a, &here->preshared_key)
			  : check_peer_place(p->a, p->peer));
	if (f)
		f->related = span_is_set(&there->preshared_key)
				     ? check_place(p->b, &there->preshared_key)
				     : check_peer_place(p->b, p->back);
	if (has && span_is_set(&there->preshared_key))
		finding_cause(f, "the PresharedKey here and in %s differ: no handshake succeeds",
			      p->b->t->path);
	else
		finding_cause(
			f, "only %s has a PresharedKey for this connection: no handshake succeeds",
			has ? "this file" : p->b->t->path);
	finding_fix(f, "write the same PresharedKey at both ends, or none at both");
}

static void preshared_key_differs(struct check *c, const struct check_tunnel *t)
{
	check_pairs(c, t, compare_preshared);
}

/* C8: two ends of one network with one address. */

static const struct tunnel_prefix *address_of(const struct check_tunnel *t, const struct ip *ip)
{
	for (size_t i = 0; i < t->t->addresses.count; ++i)
		if (ip_equal(&t->t->addresses.rows[i].prefix.ip, ip))
			return &t->t->addresses.rows[i];
	return NULL;
}

static bool say_same_address(struct check *c, const struct check_tunnel *t,
			     const struct check_tunnel *other)
{
	char text[TEXT_IP];
	bool said = false;

	for (size_t i = 0; i < t->t->addresses.count; ++i) {
		const struct tunnel_prefix *mine = &t->t->addresses.rows[i];
		const struct tunnel_prefix *same = address_of(other, &mine->prefix.ip);
		struct finding *f;

		if (!same || ip_is_link_local(&mine->prefix.ip))
			continue;
		said = true;
		text_from_ip(&mine->prefix.ip, text);
		f = check_say(c, "C8", DIAG_ERROR, check_place(t, &mine->at));
		if (f)
			f->related = check_place(other, &same->at);
		finding_cause(f, "%s has the Address %s too: one network cannot tell them apart",
			      other->t->path, text);
		finding_fix(f,
			    "give each end an address of its own, and write it in the AllowedIPs "
			    "that the other ends have for it");
	}
	return said;
}

static bool same_owner(const struct check_tunnel *a, const struct check_tunnel *b)
{
	return a->has_key && b->has_key && memcmp(&a->public_key, &b->public_key, KEY_LEN) == 0;
}

/* b is the hub: everybody whom it names is compared with those that came before. */
static void compare_with_siblings(struct check *c, const struct check_pair *p)
{
	const struct model *hub = &p->b->t->model;
	size_t count;

	if (p->back == SIZE_MAX)
		return;
	if (p->b->index < p->a->index && say_same_address(c, p->a, p->b))
		return;
	for (size_t i = 0; i < hub->peer_count; ++i) {
		const struct check_key *rows;

		if (i == p->back || !p->b->t->peers[i].has_public_key)
			continue;
		rows = check_find(&c->own, &hub->peers[i].public_key, &count);
		for (size_t k = 0; k < count; ++k) {
			const struct check_tunnel *other = &c->tunnels[rows[k].tunnel];

			if (other->index < p->a->index && !same_owner(other, p->a) &&
			    say_same_address(c, p->a, other))
				return;
		}
	}
}

static void same_address(struct check *c, const struct check_tunnel *t)
{
	check_pairs(c, t, compare_with_siblings);
}

/* C7 */

static bool is_one_address(const struct prefix *p)
{
	return p->bits == ip_bits(&p->ip);
}

/* Single addresses of the right family that b gives to a: one of them should be a's own. */
static const struct tunnel_prefix *host_route_for(const struct check_pair *p, uint8_t family)
{
	const struct tunnel_prefixes *list = &p->b->t->peers[p->back].allowed;

	for (size_t i = 0; i < list->count; ++i)
		if (list->rows[i].prefix.ip.family == family &&
		    is_one_address(&list->rows[i].prefix))
			return &list->rows[i];
	return NULL;
}

static bool is_accepted(const struct check_pair *p, const struct ip *ip)
{
	const struct prefix_row *row = prefix_table_find(&p->b->allowed, ip, 0);

	return row &&
	       memcmp(&p->b->t->model.peers[row->peer].public_key, &p->a->public_key, KEY_LEN) == 0;
}

static bool any_is_accepted(const struct check_pair *p, uint8_t family)
{
	const struct tunnel_prefixes *list = &p->a->t->addresses;

	for (size_t i = 0; i < list->count; ++i)
		if (list->rows[i].prefix.ip.family == family &&
		    is_accepted(p, &list->rows[i].prefix.ip))
			return true;
	return false;
}

static bool is_somebodys(const struct check *c, const struct check_pair *p, const struct ip *ip)
{
	for (size_t i = 0; i < c->count; ++i)
		if (&c->tunnels[i] != p->a && !same_owner(&c->tunnels[i], p->a) &&
		    address_of(&c->tunnels[i], ip))
			return true;
	return false;
}

static bool names_family(const struct tunnel_prefixes *list, uint8_t family)
{
	for (size_t i = 0; i < list->count; ++i)
		if (list->rows[i].prefix.ip.family == family)
			return true;
	return false;
}

/* Both speak this family to each other, and b has forgotten it in what it lets a send. */
static bool is_of_their_network(const struct check_pair *p, const struct ip *ip)
{
	const struct prefix_row *net = prefix_table_find(&p->b->connected, ip, 1);
	const struct tunnel_prefixes *mine = &p->a->t->peers[p->peer].allowed;
	const struct tunnel_prefixes *theirs = &p->b->t->peers[p->back].allowed;

	return net && net->prefix.bits < ip_bits(ip) && theirs->count > 0 &&
	       names_family(mine, ip->family) && !names_family(theirs, ip->family);
}

static void say_not_accepted(struct check *c, const struct check_pair *p,
			     const struct tunnel_prefix *address)
{
	const struct prefix_row *owner = prefix_table_find(&p->b->allowed, &address->prefix.ip, 1);
	const struct tunnel_prefix *instead = host_route_for(p, address->prefix.ip.family);
	char text[TEXT_IP], other[TEXT_PREFIX], name[CHECK_NAME];
	struct finding *f;

	if (!instead && !(owner && owner->prefix.bits == ip_bits(&address->prefix.ip)) &&
	    !is_of_their_network(p, &address->prefix.ip))
		return; /* a site that speaks for its networks only */
	text_from_ip(&address->prefix.ip, text);
	f = check_say(c, "C7", DIAG_ERROR, check_place(p->a, &address->at));
	if (f)
		f->related =
			instead ? check_place(p->b, &instead->at) : check_peer_place(p->b, p->back);
	if (owner)
		finding_cause(
			f,
			"%s gives %s to another, %s: what this end sends from it is dropped there",
			p->b->t->path, text, check_peer_name(p->b, owner->peer, name));
	else
		finding_cause(
			f,
			"%s drops what this end sends from %s: it is not in the AllowedIPs it "
			"has for this key",
			p->b->t->path, text);
	if (instead) {
		text_from_prefix(&instead->prefix, other);
		finding_fix(f, "make them agree: %s there, or this Address, is wrong", other);
	} else {
		finding_fix(f, "add %s/%u to the AllowedIPs of %s for this key", text,
			    ip_bits(&address->prefix.ip), p->b->t->path);
	}
}

/* a begins towards b, who learns of a by its messages only: then a speaks from its own address. */
static void address_not_accepted(struct check *c, const struct check_pair *p)
{
	const struct tunnel_prefixes *list = &p->a->t->addresses;

	if (p->back == SIZE_MAX || p->b->broken || check_hooks_set(p->b, "allowed-ips") ||
	    !p->a->t->peers[p->peer].endpoint_host || p->b->t->peers[p->back].endpoint_host)
		return;
	for (size_t i = 0; i < list->count; ++i)
		if (!any_is_accepted(p, list->rows[i].prefix.ip.family) &&
		    !ip_is_link_local(&list->rows[i].prefix.ip) &&
		    !is_somebodys(c, p, &list->rows[i].prefix.ip))
			say_not_accepted(c, p, &list->rows[i]);
}

/* A list of all ends that is the same everywhere has the own one too, and does no harm. */
static bool has_own_addresses_only(const struct check_tunnel *t, size_t peer)
{
	const struct tunnel_prefixes *list = &t->t->peers[peer].allowed;

	for (size_t i = 0; i < list->count; ++i)
		if (!address_of(t, &list->rows[i].prefix.ip))
			return false;
	return true;
}

/* The own address, alone, as what a peer may have. */
static void own_address_to_peer(struct check *c, const struct check_tunnel *t)
{
	for (size_t i = 0; i < t->allowed.count; ++i) {
		const struct prefix_row *row = &t->allowed.rows[i];
		char text[TEXT_IP];
		struct finding *f;

		if (!is_one_address(&row->prefix) || !address_of(t, &row->prefix.ip) ||
		    !has_own_addresses_only(t, row->peer))
			continue;
		text_from_ip(&row->prefix.ip, text);
		f = check_say(c, "C7", DIAG_WARNING,
			      check_place(t, &t->t->peers[row->peer].allowed.rows[row->item].at));
		if (f)
			f->related = check_place(t, &address_of(t, &row->prefix.ip)->at);
		finding_cause(
			f,
			"%s is this end's own Address: nothing is ever sent to the peer for it, "
			"and what the peer should have is missing",
			text);
		finding_fix(
			f,
			"AllowedIPs says what is behind the peer: write the other end's address, "
			"or the networks it leads to");
	}
}

static void address_and_allowed(struct check *c, const struct check_tunnel *t)
{
	own_address_to_peer(c, t);
	check_pairs(c, t, address_not_accepted);
}

/* E15 */

static void keepalive_at_wrong_end(struct check *c, const struct check_pair *p)
{
	const struct model_peer *mine = &p->a->t->model.peers[p->peer], *theirs;
	struct finding *f;

	if (p->back == SIZE_MAX)
		return;
	theirs = &p->b->t->model.peers[p->back];
	if (mine->keepalive == 0 || p->a->t->peers[p->peer].endpoint_host ||
	    !p->b->t->peers[p->back].endpoint_host || theirs->keepalive > 0)
		return;
	f = check_say(c, "E15", DIAG_NOTE, check_place(p->a, &p->a->t->peers[p->peer].keepalive));
	if (f)
		f->related = check_peer_place(p->b, p->back);
	finding_cause(
		f,
		"the keepalive stands at the end that is called: it does nothing until %s has "
		"begun, and cannot bring back a path that its NAT has forgotten",
		p->b->t->path);
	finding_fix(f, "move `PersistentKeepalive = %u' to %s, which is the end that calls",
		    mine->keepalive, p->b->t->path);
}

static void keepalive_side(struct check *c, const struct check_tunnel *t)
{
	check_pairs(c, t, keepalive_at_wrong_end);
}

/* port-differs */

static void compare_ports(struct check *c, const struct check_pair *p)
{
	const struct tunnel_peer *here = &p->a->t->peers[p->peer];
	const struct tunnel *there = p->b->t;
	struct finding *f;

	if (p->back == SIZE_MAX || p->b->broken || !here->endpoint_host ||
	    here->endpoint_port == 0 || there->listen_service ||
	    here->endpoint_port == there->model.listen_port)
		return;
	if (!span_is_set(&there->listen_port) && check_hooks_have(p->b, "wg", "listen-port"))
		return;
	if (span_is_set(&there->listen_port) || there->peers[p->back].endpoint_host) {
		if (!span_is_set(&there->listen_port))
			return; /* it can call by itself, and be learnt */
		f = check_say(c, "port-differs", DIAG_NOTE, check_place(p->a, &here->endpoint));
		finding_cause(f,
			      "%s listens on port %u, not %u: right only where a router or a "
			      "container maps one to the other",
			      there->path, there->model.listen_port, here->endpoint_port);
		finding_fix(f, "if nothing maps it, write port %u here", there->model.listen_port);
	} else {
		f = check_say(c, "port-differs", DIAG_WARNING, check_place(p->a, &here->endpoint));
		finding_cause(f,
			      "%s has no ListenPort and takes another port at each start: port %u "
			      "is reached by chance only",
			      there->path, here->endpoint_port);
		finding_fix(f, "add `ListenPort = %u' to %s", here->endpoint_port, there->path);
	}
	if (f)
		f->related =
			check_place(p->b, span_is_set(&there->listen_port) ? &there->listen_port
									   : &there->interface);
}

static void port_differs(struct check *c, const struct check_tunnel *t)
{
	check_pairs(c, t, compare_ports);
}

const struct rule rules_pairs[] = {
	{ "B1", "the other end's public key is wrong", RULE_SET, DIAG_ERROR, NULL },
	{ "B2", "the other end does not know this key", RULE_SET, DIAG_ERROR, other_half_missing },
	{ "B4", "a preshared key at one end, or two that differ", RULE_SET, DIAG_ERROR,
	  preshared_key_differs },
	{ "C7", "an Address that the other end does not accept", RULE_SET, DIAG_ERROR,
	  address_and_allowed },
	{ "C8", "one Address at two ends of a network", RULE_SET, DIAG_ERROR, same_address },
	{ "E15", "the keepalive at the wrong end", RULE_SET, DIAG_NOTE, keepalive_side },
	{ "port-differs", "an Endpoint with another port than the other end's ListenPort", RULE_SET,
	  DIAG_WARNING, port_differs },
};
const size_t rules_pairs_count = ELEMENTS(rules_pairs);
