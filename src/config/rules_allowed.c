#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/text.h"
#include "config/check_private.h"
#include "config/rules.h"

/* Rules about the AllowedIPs of one device. */

static struct place place_of(const struct check_tunnel *t, const struct prefix_row *row)
{
	return check_place(t, &t->t->peers[row->peer].allowed.rows[row->item].at);
}

static bool same_device_peer(const struct check_tunnel *t, size_t a, size_t b)
{
	const struct model_peer *peers = t->t->model.peers;

	return a == b || memcmp(&peers[a].public_key, &peers[b].public_key, KEY_LEN) == 0;
}

/* The row has lost its prefix to the last one that is equal to it. */
static void say_lost(struct check *c, const struct check_tunnel *t, const struct prefix_row *row,
		     const struct prefix_row *winner)
{
	char text[TEXT_PREFIX], name[CHECK_NAME];
	const bool everything = row->prefix.bits == 0;
	struct finding *f = check_say(c, everything ? "C2" : "C1", DIAG_ERROR, place_of(t, row));

	text_from_prefix(&row->prefix, text);
	if (f)
		f->related = place_of(t, winner);
	finding_cause(
		f,
		"%s is given to %s too, and the last one gets it: nothing is sent to the peer "
		"of line %u for it, and what it sends from there is dropped",
		text, check_peer_name(t, winner->peer, name), t->t->peers[row->peer].at.line);
	if (everything)
		finding_fix(f, "one device can have one way to everything: give each peer the "
			       "addresses that are its own");
	else
		finding_fix(f,
			    "give each prefix to one peer: to a client its own address, such as "
			    "%s",
			    row->prefix.ip.family == FAMILY_V4 ? "10.0.0.2/32" : "fd00::2/128");
}

static void equal_prefixes(struct check *c, const struct check_tunnel *t)
{
	const struct prefix_row *winner = NULL;

	for (size_t i = t->allowed.count; i-- > 0;) {
		const struct prefix_row *row = &t->allowed.rows[i];

		if (!winner || prefix_compare(&row->prefix, &winner->prefix) != 0)
			winner = row;
		else if (!same_device_peer(t, row->peer, winner->peer))
			say_lost(c, t, row, winner);
	}
}

/*
 * One note for each prefix that has prefixes of others inside: that is well defined, the longest
 * wins. Only for peers that have nothing but the wide one, where it is no plan but a habit.
 */
static void nested_prefixes(struct check *c, const struct check_tunnel *t)
{
	char text[TEXT_PREFIX], inner[TEXT_PREFIX];
	const struct prefix_row *outer = NULL;

	for (size_t i = 0; i < t->allowed.count; ++i) {
		const struct prefix_row *row = &t->allowed.rows[i];
		struct finding *f;

		if (!outer || !prefix_covers(&outer->prefix, &row->prefix)) {
			outer = row->prefix.bits > 0 ? row : NULL;
			continue;
		}
		if (row->peer == outer->peer || prefix_compare(&row->prefix, &outer->prefix) == 0 ||
		    t->t->peers[outer->peer].allowed.count > 1)
			continue;
		text_from_prefix(&outer->prefix, text);
		text_from_prefix(&row->prefix, inner);
		f = check_say(c, "nested-prefix", DIAG_NOTE, place_of(t, outer));
		if (f)
			f->related = place_of(t, row);
		finding_cause(f,
			      "%s of another peer lies inside %s: the longer prefix wins, and this "
			      "peer has only what is left",
			      inner, text);
		finding_fix(f, "fine if it is meant; if this peer is one device, give it its own "
			       "address only");
		outer = NULL; /* once is enough */
	}
}

static bool has_host_bits(const struct prefix *p, struct prefix *ret_masked)
{
	*ret_masked = *p;
	prefix_mask(ret_masked);
	return !ip_equal(&p->ip, &ret_masked->ip);
}

/* Is the masked form what nobody else has? Then writing it changes nothing. */
static bool owns(const struct check_tunnel *t, const struct prefix *masked, size_t peer)
{
	const struct prefix_row *row = prefix_table_exact(&t->allowed, masked);

	return row && row->peer == peer &&
	       (row == t->allowed.rows || prefix_compare(&row[-1].prefix, masked) != 0);
}

static void say_host_bits(struct check *c, const struct check_tunnel *t, size_t peer,
			  const struct tunnel_prefix *p, const struct prefix *masked)
{
	char text[TEXT_PREFIX], masked_text[TEXT_PREFIX], ip[TEXT_IP];
	struct finding *f = check_say(c, "C6", DIAG_WARNING, check_place(t, &p->at));

	text_from_prefix(&p->prefix, text);
	text_from_prefix(masked, masked_text);
	text_from_ip(&p->prefix.ip, ip);
	finding_cause(f, "%s has host bits: it means all of %s", text, masked_text);
	finding_fix(f, "write %s for the network, or %s/%u for this one address", masked_text, ip,
		    ip_bits(&p->prefix.ip));
	if (p->sign == 0 && owns(t, masked, peer))
		finding_replace(f, "%s", masked_text);
}

static void host_bits(struct check *c, const struct check_tunnel *t)
{
	for (size_t peer = 0; peer < t->t->model.peer_count; ++peer) {
		const struct tunnel_prefixes *list = &t->t->peers[peer].allowed;
		struct prefix masked;

		for (size_t i = 0; i < list->count; ++i)
			if (has_host_bits(&list->rows[i].prefix, &masked))
				say_host_bits(c, t, peer, &list->rows[i], &masked);
	}
}

const struct rule rules_allowed[] = {
	{ "C1", "one prefix for two peers: the last one gets it", RULE_FILE, DIAG_ERROR,
	  equal_prefixes },
	{ "C2", "everything (/0) for two peers", RULE_FILE, DIAG_ERROR, NULL },
	{ "C6", "host bits in AllowedIPs", RULE_FILE, DIAG_WARNING, host_bits },
	{ "nested-prefix", "a prefix inside that of another peer", RULE_FILE, DIAG_NOTE,
	  nested_prefixes },
};
const size_t rules_allowed_count = ELEMENTS(rules_allowed);
