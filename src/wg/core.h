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
#include "wg/stamp.h"
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
 *
 * One lock and not a publication without locks: packets come in batches, and a batch holds it for
 * less than a microsecond. So nothing that is long may hold it. One thread, the brain, changes the
 * configuration. The list of peers, the public keys, who is reserved or retired and the lists of
 * allowed IPs of a peer are read by it alone, and it reads and writes them without the lock; what
 * workers read (the trie, the index table, the schedule, a peer they can reach) changes under it. A
 * long change is made aside: core_begin_aside, changes, core_publish, which is O(1). Functions that
 * need no lock of the brain say so.
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
/*
 * The same in short steps. begin: false, nothing changes. Then sweep, which takes n peers at a time
 * and continues in *at (first: NULL); false: all are done. Nobody sends with an old key to a peer
 * that was swept.
 */
MUST_CHECK bool core_begin_identity(struct core *c, struct moment now,
				    const struct noise_local *local, uint64_t floor);
MUST_CHECK bool core_sweep_identity(struct core *c, struct moment now, struct peer **at, size_t n);
/* Both in one, at the price of an X25519. False: libcrypto failed, nothing changed. */
MUST_CHECK bool core_set_private_key(struct core *c, struct moment now,
				     const struct key_private *key, uint64_t floor);
const struct key_private *core_private_key(const struct core *c); /* NULL: none */
/* Must be on disk before an initiation that was pulled is sent (wg/stamp.h). */
uint64_t core_stamp_floor(const struct core *c);
/* No initiation will follow under this key: the floor comes down to what was really sent. */
uint64_t core_stamp_end(struct core *c);

/* Room for so many peers more and so many allowed IPs to be added. False: nothing changed. What
 * follows can't fail then. No lock. */
MUST_CHECK bool core_reserve(struct core *c, size_t peers, size_t prefixes);
/* The same for a change that is made aside; keeps: it begins with the peers there are. */
MUST_CHECK bool core_reserve_aside(struct core *c, size_t peers, size_t prefixes, bool keeps);
void core_release(struct core *c); /* give back what was reserved and not used. No lock */

/*
 * A long change, while packets pass. After a reservation, by the brain:
 *   core_begin_aside    no lock. Packets go by the allowed IPs there are, changes go to a copy.
 *                       keeps as it was reserved: else all peers are former ones, found by
 *                       their keys but without allowed IPs, and go unless core_keep_peer
 *   core_add_peer, core_allow .., core_retire_peer    no lock
 *   core_publish        the lock, O(1). All of the new ownership at once; before it, no lock:
 *                       core_prepare, which makes look-ups in it fast
 *   core_bury           the lock: ends up to n retired peers. Again until it says false
 *   core_clean          no lock: frees what is left of them
 */
void core_begin_aside(struct core *c, bool keeps);
bool core_is_former(const struct peer *p);
/* It stays, with its sessions and all that it has learned, behind those that stay already. */
void core_keep_peer(struct core *c, struct peer *p);
void core_retire_peer(struct core *c, struct peer *p);
void core_prepare(struct core *c);
void core_publish(struct core *c);
MUST_CHECK bool core_bury(struct core *c, struct moment now, size_t n);
void core_clean(struct core *c);
/* Look-ups have become slow by many short changes: make the next one aside. No lock. */
bool core_is_worn(const struct core *c);
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
size_t core_allowed_count(const struct peer *p); /* no lock */
/* The peer's block of a change is over: send what waited for it. */
void core_peer_changed(struct core *c, struct moment now, struct peer *p);
/*
 * The latest stamp that an initiation of its brought, as an engine before this one has seen it:
 * from here on that initiation, and those before it, are replays. One that is not later changes
 * nothing.
 */
void core_set_stamp_seen(struct peer *p, const uint8_t stamp[static STAMP_LEN]);
/* It had a session with an engine before this one: make another now, if it has an endpoint. */
void core_resume_peer(struct core *c, struct moment now, struct peer *p);
void core_set_port(struct core *c,
		   uint16_t port); /* what we send from: to know our own datagrams */
/* Port or mark changed: our addresses may differ now. In steps, as core_sweep_identity. */
MUST_CHECK bool core_sweep_sources(struct core *c, struct peer **at, size_t n);
void core_forget_sources(struct core *c); /* all at once */

/* Reading. Peers come in the order they were added; NULL starts and ends the walk. */
struct peer_view {
	uint64_t serial; /* never 0; those behind have higher ones */
	struct key_public public_key;
	struct key_shared psk;
	struct endpoint endpoint;
	uint16_t keepalive;
	uint64_t handshake_real;
	uint64_t rx_bytes;
	uint64_t tx_bytes;
	const struct allowed_owner *allowed; /* walk with allowedips_next */
	const struct reject_set *rejects;    /* NULL: none */
	uint8_t stamp_seen[STAMP_LEN];       /* core_set_stamp_seen */
};
struct peer *core_next_peer(const struct core *c, const struct peer *at);
/* The first behind a peer that was seen earlier and may be gone; serial 0: the first of all. */
struct peer *core_resume(const struct core *c, uint64_t serial, const struct key_public *key);
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
