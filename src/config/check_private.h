#ifndef CONFIG_CHECK_PRIVATE_H
#define CONFIG_CHECK_PRIVATE_H

#include "base/text.h"
#include "config/check.h"
#include "config/hook.h"
#include "config/prefix_table.h"

/*
 * What the rules share: for each tunnel what can be computed of it, and for the set who has and who
 * names which key. Only files rule_*.c and check.c include this.
 */
struct check_tunnel {
	const struct tunnel *t;
	size_t index;
	bool has_key;
	bool broken; /* the reader has found errors: what seems to be missing may be there */
	struct key_public public_key;
	struct prefix_table allowed;      /* of peers, what is taken back left out */
	struct prefix_table connected;    /* of addresses: `peer` is the address */
	struct hook *hooks[TUNNEL_HOOKS]; /* parallel to the tunnel's */
};

/* A key and who has it: an own key (peer is SIZE_MAX) or one of a peer. */
struct check_key {
	struct key_public key;
	size_t tunnel;
	size_t peer;
};

struct check_keys {
	struct check_key *items; /* by key, tunnel, peer */
	size_t count;
};

struct check {
	const struct tunnel_set *set;
	const struct host_facts *host; /* never NULL */
	struct findings *findings;
	struct check_tunnel *tunnels; /* parallel to the set's */
	size_t count;
	struct check_keys own;
	struct check_keys named;
	bool failed;
};

enum { CHECK_NAME = 80 };

/* Both ends of one connection: peer of tunnel a is tunnel b, whose peer `back` is a again. */
struct check_pair {
	const struct check_tunnel *a;
	const struct check_tunnel *b;
	size_t peer;
	size_t back; /* SIZE_MAX: b does not name a */
};

/* The first row with this key, and how many; or none. */
const struct check_key *check_find(const struct check_keys *keys, const struct key_public *key,
				   size_t *ret_count);
/* The last peer of t with this key; SIZE_MAX: none. */
size_t check_peer_of(const struct check *c, const struct check_tunnel *t,
		     const struct key_public *key);
/* Does a peer of both have the same key? */
bool check_share_peer(const struct check *c, const struct check_tunnel *a,
		      const struct check_tunnel *b);
/* Calls say for each other tunnel whose key is that of a peer of t. */
void check_pairs(struct check *c, const struct check_tunnel *t,
		 void (*say)(struct check *c, const struct check_pair *p));

/* Both files stand where wg-quick looks for the tunnels of one host. */
bool check_same_host(const struct check_tunnel *a, const struct check_tunnel *b);

struct place check_place(const struct check_tunnel *t, const struct span *span);
struct place check_peer_place(const struct check_tunnel *t, size_t peer); /* its public key */
/* A new finding of a rule; NULL: no memory, which findings remembers. */
struct finding *check_say(struct check *c, const char *id, enum diag_severity severity,
			  struct place at);
/* "the peer `phone' (line 12)", or without a name "the peer of line 12". */
const char *check_peer_name(const struct check_tunnel *t, size_t peer, char ret[static CHECK_NAME]);

/* wg-quick makes the routes of this tunnel, in the main table or by its default scheme. */
bool check_makes_routes(const struct check_tunnel *t);
/* Some hook has a command of this program with this word in it; word may be NULL. */
bool check_hooks_have(const struct check_tunnel *t, const char *program, const char *word);
/* Some hook has a command of wg that can set this: the file alone does not tell then. */
bool check_hooks_set(const struct check_tunnel *t, const char *word);
/* The text stands somewhere in a hook, also in what is not understood. */
bool check_hooks_name(const struct check_tunnel *t, const char *text);
bool check_is_private(const struct ip *ip); /* RFC 1918, RFC 6598, RFC 4193 */

#endif
