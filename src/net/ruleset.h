#ifndef NET_RULESET_H
#define NET_RULESET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/attr.h"

/*
 * A rule set of the host as `nft -j list ruleset` or iptables-legacy-save tell it, and what becomes
 * of a packet in it, as far as that can be known: a rule that matches what is not known of the
 * packet decides nothing. So what a user drops of some is not taken for all, and what is dropped
 * but for some counts as dropped. Pure; owns what it was read from.
 */
enum ruleset_hook { RULESET_NO_HOOK, RULESET_INPUT, RULESET_FORWARD };

struct ruleset_chain {
	const char *family; /* "ip", "ip6", "inet" and others; these point into the root */
	const char *table;
	const char *name;
	const json_t **rules; /* in their order */
	size_t count;
	size_t room;
	enum ruleset_hook hook; /* of a chain for filtering */
	bool drops;             /* policy */
	bool owned;             /* nobody but its owner may change the table */
};

struct ruleset {
	json_t *root;
	struct ruleset_chain *chains;
	size_t count;
	size_t room;
};

/* The first packet of a connection. */
struct ruleset_packet {
	uint8_t family;
	const char *in;       /* NULL: by a link that is not `link`, and not lo */
	const char *out;      /* likewise */
	const char *link;     /* the tunnel's */
	const char *protocol; /* "tcp", "udp"; NULL: not known */
	uint16_t port;        /* destination; 0: not known */
	const char *tag;      /* rules whose comment begins so do not count: they are ours */
};

/* 0, -EINVAL: it is none, or -ENOMEM; then there is nothing to end. */
MUST_CHECK int ruleset_from_json(const char *bytes, size_t len, struct ruleset *ret);
/* family: "ip" or "ip6". Of a save only the table filter. */
MUST_CHECK int ruleset_from_save(const char *text, size_t len, const char *family,
				 struct ruleset *ret);
void ruleset_done(struct ruleset *r);

const struct ruleset_chain *ruleset_find(const struct ruleset *r, const struct ruleset_chain *like,
					 const char *name); /* in the same table */
/* Does a chain with a hook drop it? accept_at: as if a rule at the head of that chain accepted it,
 * and whatever may return from a chain before did; may be NULL. */
MUST_CHECK bool ruleset_drops(const struct ruleset *r, const struct ruleset_chain *base,
			      const struct ruleset_packet *p,
			      const struct ruleset_chain *accept_at);

#endif
