#ifndef WG_HANDSHAKE_H
#define WG_HANDSHAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/endpoint.h"
#include "base/key.h"
#include "base/time.h"
#include "wg/gate.h"
#include "wg/message.h"
#include "wg/noise.h"

/*
 * Messages 1 to 3. A handshake message costs Diffie-Hellman, so it goes through a job: the gate
 * (wg/gate.h, no lock) checks macs and load; _admit (under the core's lock) copies what is needed;
 * _compute (no lock, any thread, any order) does the costly part on the job's copies; _commit (lock
 * again) checks that peer, keys, index and generation are still those that were copied, and only
 * then changes anything. So a message that is processed twice, or late, installs nothing twice
 * (F-H1, F-H9), and any number of jobs of one peer may be on their way: the first that commits
 * wins, the others find that something has changed.
 */
struct core;
struct peer;

enum handshake_step {
	HANDSHAKE_DROPPED, /* and counted */
	HANDSHAKE_DONE,    /* taken; nothing to send by the caller (core_pull may have something) */
	HANDSHAKE_WORK,    /* compute the job, then commit it */
	HANDSHAKE_SEND,    /* send the datagram, then handshake_sent */
};

enum handshake_task { TASK_INITIATE, TASK_IDENTIFY, TASK_RESPOND, TASK_FINISH };

struct handshake_job {
	enum handshake_task task;
	bool ok;          /* computed, and authentic */
	bool is_replayed; /* TASK_RESPOND: the stamp is not above the one we knew */
	struct noise_local local;
	struct key_public remote;
	struct key_shared static_static;
	bool has_static_static;
	struct key_shared psk;
	struct key_private ephemeral;
	uint8_t stamp[STAMP_LEN];
	uint8_t stamp_seen[STAMP_LEN];
	struct noise_pending pending;
	struct noise_initiation initiation;
	struct noise_keys keys;
	struct message_initiation initiation_message;
	struct message_response response_message;
	struct endpoint from;
	struct source to;
	uint64_t identity_generation;
	uint64_t peer_serial; /* a peer configured again is another one */
	uint64_t psk_generation;
	uint64_t handshake_generation;
};

struct handshake_datagram {
	uint8_t bytes[MESSAGE_HANDSHAKE_MAX];
	size_t len;
	struct endpoint to;
	struct source from;
	uint8_t tos;
	bool has_peer; /* false: a cookie reply */
	struct key_public peer;
};

/*
 * A message that the gate let pass. HANDSHAKE_WORK: *ret is a job; else it is decided already, and
 * nothing is to be sent.
 */
MUST_CHECK enum handshake_step handshake_admit(struct core *c, struct moment now,
					       const struct handshake_arrival *arrival,
					       struct handshake_job *ret);
/* What the gate dropped since the last time reaches the counters. */
void handshake_fold(struct core *c, struct moment now);
/* The gate, a cookie where one is due, _admit and _fold: all at once, for a single thread. */
MUST_CHECK enum handshake_step handshake_receive(struct core *c, struct moment now,
						 const struct handshake_arrival *arrival,
						 struct handshake_job *ret_job,
						 struct handshake_datagram *ret);
void handshake_compute(struct handshake_job *job);
/* HANDSHAKE_WORK: the same job has a second part, compute it again. Else the job is wiped. */
MUST_CHECK enum handshake_step handshake_commit(struct core *c, struct moment now,
						struct handshake_job *job,
						struct handshake_datagram *ret);
/* A datagram was given to the host, or refused by it. */
void handshake_sent(struct core *c, struct moment now, const struct handshake_datagram *d, bool ok,
		    bool source_is_gone);

/* core_pull's part: a job that makes an initiation to this peer. False: none is due now. */
MUST_CHECK bool handshake_initiate(struct core *c, struct moment now, struct peer *p,
				   struct handshake_job *ret);

#endif
