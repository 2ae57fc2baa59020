#ifndef WG_PEER_H
#define WG_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/endpoint.h"
#include "base/env.h"
#include "base/key.h"
#include "base/list.h"
#include "wg/allowedips.h"
#include "wg/cookie.h"
#include "wg/noise.h"
#include "wg/reject.h"
#include "wg/session.h"
#include "wg/stamp.h"
#include "wg/table.h"
#include "wg/timers.h"

/*
 * One peer: what is configured, what a handshake has made of it, and what waits for it. Belongs to
 * the core and changes only under the core's lock. This header is for the files of src/wg; others
 * see struct peer by name only.
 */
enum peer_flag { /* what the brain still has to do for it */
		 PEER_WANTS_INITIATION = 1,
		 PEER_WANTS_FLUSH =
			 2, /* staged packets are leaving: later ones queue behind them */
		 PEER_WANTS_KEEPALIVE = 4, /* an empty packet, or the first staged one */
};

struct peer_handshake {      /* ours, until its response comes */
	uint32_t index;      /* in the table while we wait; 0: we don't */
	uint64_t generation; /* counts initiations begun, so that a late result finds it is late */
};

struct peer_awake { /* taken with the first handshake, given back when all keys are forgotten */
	struct noise_pending pending;
	struct cookie_maker cookie;
};

struct peer {
	struct list of_core; /* in the order they were configured */
	uint64_t serial;     /* no two peers of a core have the same one, ever */
	uint64_t order;      /* ascends along the list */
	struct list of_busy; /* while flags is not 0 */
	unsigned int flags;
	uint16_t keepalive; /* s */
	bool has_static_static;
	bool has_rekeyed_on_receive; /* once per key */
	bool is_former;              /* a change that replaces all peers has not come to it (yet) */

	struct key_public public_key;
	struct key_shared psk; /* all zero: none */
	uint64_t psk_generation;
	struct allowed_owner allowed;
	struct endpoint endpoint;
	struct source source; /* which of our addresses it spoke to last */

	struct key_shared static_static; /* computed with the first handshake */
	struct peer_handshake handshake;
	struct peer_awake *awake; /* NULL: it sleeps, and costs no more than its configuration */
	uint8_t stamp_seen[STAMP_LEN]; /* the latest that an initiation of its brought */
	uint64_t heard;                /* boot time of the last authentic message of its */
	uint64_t initiation_seen;      /* boot time; 0: never */
	uint64_t stamp_sent;           /* the latest of our initiations; 0: none under this key */
	uint64_t handshake_sent;       /* boot time of our last initiation or response; 0: never */

	struct session *current;  /* we send with it */
	struct session *previous; /* on its way out */
	struct session *next;     /* we answered; the peer has not used it yet */

	struct timers timers;
	uint64_t due; /* where it stands in the schedule; TIME_NEVER: not in it */
	uint32_t at;  /* its place in the heap */

	struct list staged; /* of staged.of_peer, oldest first */
	uint32_t staged_count;

	uint64_t rx_bytes;
	uint64_t tx_bytes;
	uint64_t handshake_real; /* ns since 1970 of the last complete handshake; 0: never */
	struct reject_set *rejects;
};

void peer_init(struct peer *p, const struct key_public *public_key);
/* Before a message of its is made. False: no memory. */
MUST_CHECK bool peer_wake(struct peer *p, const struct memory *memory);
void peer_sleep(struct peer *p, const struct memory *memory); /* wipes; no handshake is pending */

/* Take an established session. The other slots follow the kernel driver's rules (behaviour.md E.3).
 */
void peer_begin_session(struct peer *p, struct session *s, struct table *t,
			const struct memory *memory);
/* A packet came under this session. True: it was the first under `next`, which is current now. */
bool peer_confirm_session(struct peer *p, struct session *s, struct table *t,
			  const struct memory *memory);
void peer_drop_sessions(struct peer *p, struct table *t, const struct memory *memory);
void peer_drop_handshake(struct peer *p, struct table *t);

#endif
