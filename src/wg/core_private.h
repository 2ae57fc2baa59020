#ifndef WG_CORE_PRIVATE_H
#define WG_CORE_PRIVATE_H

#include "base/list.h"
#include "wg/allowedips.h"
#include "wg/core.h"
#include "wg/gate.h"
#include "wg/keytable.h"
#include "wg/peer.h"
#include "wg/reject.h"
#include "wg/schedule.h"
#include "wg/stamp.h"
#include "wg/table.h"

/* What core.c, handshake.c and transport.c share. Nobody else includes this, but for tests that
 * look inside. */
struct staged { /* an inner packet that waits for a session */
	struct list of_peer;
	struct list of_core;
	struct peer *peer;
	size_t len;
	uint8_t tos;
	uint8_t packet[];
};

struct core {
	struct core_config config;
	bool is_up;
	bool has_key;
	uint16_t listen_port; /* 0: not known */
	struct noise_local local;
	uint64_t identity_generation;
	struct stamp stamp;
	struct siphash_key jitter_key;
	uint64_t jitters;
	struct gate gate;
	struct allowedips allowed; /* what packets go by */
	struct allowedips aside;   /* what they shall go by, while a long change is made */
	struct allowedips *edited; /* one of the two */
	struct table table;
	struct keytable keys;
	struct schedule schedule;
	struct list peers;
	size_t peer_count;
	uint64_t peers_ever;     /* added so far: serials */
	struct list spare_peers; /* reserved, not yet used */
	struct list former;  /* configured before a change that replaces all, and not yet by it */
	struct list retired; /* no longer configured, but may still have sessions and timers */
	struct list buried;  /* nothing knows of them; still to be freed */
	size_t spare_count;
	struct list busy;   /* peers with flags */
	struct list staged; /* all that waits, oldest first */
	size_t staged_bytes;
	struct rejects rejects;
};

/* After any fact: the schedule knows of the peer's first deadline. */
void core_schedule(struct core *c, struct peer *p);
void core_set_flags(struct core *c, struct peer *p, unsigned int flags);
void core_want_keepalive(struct core *c, struct peer *p);
/* Somebody wants a handshake with this peer, for another reason than a retry. */
void core_want_handshake(struct core *c, struct moment now, struct peer *p);
bool core_may_initiate(const struct core *c, struct moment now, const struct peer *p);
uint32_t core_jitter(struct core *c);
/* Drop what is staged for a peer, counting each under the reason. */
void core_drop_staged(struct core *c, struct moment now, struct peer *p, enum reject_reason reason);
void core_free_staged(struct core *c, struct staged *s);
/* n counters of the peer's session and all else it takes to send. False: it has no usable session.
 */
MUST_CHECK bool transport_reserve(struct core *c, struct moment now, struct peer *p, size_t n,
				  uint8_t inner_tos, struct sending *ret);
/* A packet or handshake of the peer proved where it is now. */
void core_moved(struct peer *p, const struct endpoint *from, const struct source *to);

#endif
