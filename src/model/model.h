#ifndef MODEL_MODEL_H
#define MODEL_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/endpoint.h"
#include "base/key.h"
#include "base/prefix.h"

/*
 * What a tunnel is: the one struct that every front end (files, UAPI) and back end (engine, kernel)
 * speaks. The same struct is a state (what a get returns) and a patch (what a set asks for): a
 * patch changes only what its has_ flags name. A model owns its arrays; model_done wipes keys.
 */
enum { MODEL_NAME = 16 };

struct model_allowed {
	struct prefix prefix; /* canonical: no host bits */
	bool remove;          /* patch: "-address/bits" */
};

struct model_peer {
	struct key_public public_key;
	struct key_shared preshared_key; /* all zero: none */
	struct endpoint endpoint;
	uint16_t keepalive; /* seconds; 0: off */
	bool has_preshared_key;
	bool has_endpoint;
	bool has_keepalive;
	bool remove;                   /* patch */
	bool update_only;              /* patch: do not create it */
	bool replace_allowed;          /* patch: remove all its prefixes first */
	struct model_allowed *allowed; /* in the order given */
	size_t allowed_count;
	size_t allowed_room;
	uint64_t rx_bytes; /* state */
	uint64_t tx_bytes;
	uint64_t handshake_real; /* ns since 1970; 0: never */
};

struct model {
	char name[MODEL_NAME];
	struct key_private private_key; /* all zero with has_private_key: remove it */
	uint16_t listen_port;           /* 0 with has_listen_port: let the host choose */
	uint32_t fwmark;                /* 0: none */
	bool has_private_key;
	bool has_listen_port;
	bool has_fwmark;
	bool replace_peers;       /* patch: remove all peers first */
	struct model_peer *peers; /* in the order given; the same key may come twice in a patch:
				     each entry applies in turn */
	size_t peer_count;
	size_t peer_room;
};

/*
 * Where a state that is read in pieces goes on: behind the peer of this key. All zero: at the
 * beginning, and when there is no more.
 */
struct model_cursor {
	uint64_t serial; /* of the back end */
	struct key_public key;
};

void model_init(struct model *m);
void model_done(struct model *m);
/* Append a zeroed peer. NULL: out of memory. The pointer is good until the next append. */
MUST_CHECK struct model_peer *model_add_peer(struct model *m);
MUST_CHECK bool model_add_allowed(struct model_peer *p, const struct prefix *prefix, bool remove);

#endif
