#ifndef WG_CORE_H
#define WG_CORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/endpoint.h"
#include "base/env.h"
#include "base/key.h"
#include "base/prefix.h"
#include "base/time.h"
#include "wg/gate.h"
#include "wg/handshake.h"
#include "wg/reject.h"
#include "wg/transport.h"

/*
 * One WireGuard device without its host: peers, keys, timers and what is to be sent, as a machine
 * that is fed and asked.
 *
 *   gate_check                               is a message worth the lock? (wg/gate.h)
 *   handshake_admit / _compute / _commit     messages 1 to 3 (wg/handshake.h)
 *   transport_send .. / _receive ..          packets (wg/transport.h)
 *   core_tick, core_pull, core_deadline      what time brings, what is to be done now, when to ask
 * again
 *
 * All that takes a struct core runs under one lock, the caller's, and is short: no Diffie-Hellman,
 * no payload. The costly steps between (…_compute, session_seal, session_open) take copies and need
 * no lock. Memory is taken when the configuration changes, for sessions when a handshake completes,
 * and for staged packets within a budget.
 */
struct core;
struct peer;

struct core_config {
	struct memory memory;
	struct entropy entropy;
	size_t ratelimit_sets; /* of 8 sources each; a power of two */
	size_t staged_budget;  /* bytes of packets that wait for handshakes, all peers together */
	/* Told of each handshake of ours, where not NULL: for a key log. */
	void (*key_log)(void *ctx, const struct key_private *local, const struct key_public *remote,
			const struct key_private *ephemeral, const struct key_shared *psk);
	void *key_log_ctx;
};

/* NULL: no memory, or no random bytes to key the tables with. Down, without key and peers. */
MUST_CHECK struct core *core_new(const struct core_config *config);
struct core *core_free(struct core *c); /* wipes all; NULL is fine */

/*
 * What stands before handshake_admit (wg/gate.h): not under the lock, but for the one thread that
 * also calls core_up, core_down and core_set_identity.
 */
struct gate *core_gate(struct core *c);

/* Down: no key lives, nothing is staged, nothing is accepted. */
void core_up(struct core *c, struct moment now);
void core_down(struct core *c, struct moment now);
bool core_is_up(const struct core *c);

/*
 * Our identity (noise_local_init); all zero removes it. floor: what core_stamp_floor last said
 * under this key, 0 if never. Another key ends all handshakes and all sending; a peer with our own
 * public key is removed.
 */
void core_set_identity(struct core *c, struct moment now, const struct noise_local *local,
		       uint64_t floor);
/* Both in one, at the price of an X25519. False: libcrypto failed, nothing changed. */
MUST_CHECK bool core_set_private_key(struct core *c, struct moment now,
				     const struct key_private *key, uint64_t floor);
const struct key_private *core_private_key(const struct core *c); /* NULL: none */
/* Must be on disk before an initiation that was pulled is sent (wg/stamp.h). */
uint64_t core_stamp_floor(const struct core *c);
/* No initiation will follow under this key: the floor comes down to what was really sent. */
uint64_t core_stamp_end(struct core *c);

/* Room for so many peers more and so many allowed IPs to be added. False: nothing changed. What
 * follows can't fail then. */
MUST_CHECK bool core_reserve(struct core *c, size_t peers, size_t prefixes);
void core_release(struct core *c); /* give back what was reserved and not used */
size_t core_peer_count(const struct core *c);

struct peer *core_find_peer(const struct core *c, const struct key_public *key);
/* Asserts a reservation. NULL: it is our own public key, which is ignored. */
struct peer *core_add_peer(struct core *c, const struct key_public *key);
void core_remove_peer(struct core *c, struct moment now, struct peer *p);
void core_set_psk(
	struct peer *p,
	const struct key_shared *psk); /* all zero: none. Used from the next handshake on */
void core_set_endpoint(struct peer *p, const struct endpoint *e);
void core_set_keepalive(struct core *c, struct moment now, struct peer *p, uint16_t seconds);
void core_allow(struct core *c, struct peer *p,
		const struct prefix *prefix); /* takes it from another peer */
void core_disallow(struct core *c, struct peer *p, const struct prefix *prefix);
void core_disallow_all(struct core *c, struct peer *p);
/* The peer's block of a change is over: send what waited for it. */
void core_peer_changed(struct core *c, struct moment now, struct peer *p);
void core_set_port(struct core *c,
		   uint16_t port);        /* what we send from: to know our own datagrams */
void core_forget_sources(struct core *c); /* port or mark changed: our addresses may differ now */

/* Reading. Peers come in the order they were added; NULL starts and ends the walk. */
struct peer_view {
	struct key_public public_key;
	struct key_shared psk;
	struct endpoint endpoint;
	uint16_t keepalive;
	uint64_t handshake_real;
	uint64_t rx_bytes;
	uint64_t tx_bytes;
	const struct allowed_owner *allowed; /* walk with allowedips_next */
	const struct reject_set *rejects;    /* NULL: none */
};
struct peer *core_next_peer(const struct core *c, const struct peer *at);
void core_view_peer(const struct peer *p, struct peer_view *ret); /* wipe ret->psk */
const struct rejects *core_rejects(const struct core *c);
void core_count_reject(struct core *c, struct moment now, enum reject_reason reason,
		       const struct endpoint *from);

/* Time. TIME_NEVER: nothing will happen by itself. */
uint64_t core_deadline(const struct core *c);
bool core_has_output(const struct core *c);
/* What is due, for up to 256 peers: with more, the deadline stays in the past. */
void core_tick(struct core *c, struct moment now);

enum output_kind { OUTPUT_NONE, OUTPUT_JOB, OUTPUT_PACKET };

struct output {
	struct handshake_job job; /* OUTPUT_JOB: compute, then commit */
	struct sending sending;   /* OUTPUT_PACKET: seal, send, then transport_sent */
	uint8_t *packet;          /* the caller's buffer for OUTPUT_PACKET, of MESSAGE_MAX bytes */
	size_t len;               /* of the packet; 0: a keepalive */
};

/* The next thing to do. Ask again until there is none. Asking means that the last packet has been
 * sent. */
MUST_CHECK enum output_kind core_pull(struct core *c, struct moment now, struct output *ret);

#endif
