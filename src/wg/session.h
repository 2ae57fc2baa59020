#ifndef WG_SESSION_H
#define WG_SESSION_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/key.h"
#include "wg/message.h"
#include "wg/noise.h"
#include "wg/replay.h"

/*
 * One transport session: a pair of keys that one handshake made (paper 5.4.5, 5.4.6). The tiny
 * ordered steps change the session and belong to the thread that holds it (session_reserve,
 * replay_accept); the costly steps are pure, work on a copy of the key and may run anywhere
 * (session_seal, session_open).
 */
struct session {
	struct noise_keys keys;
	struct replay replay;
	uint64_t send_next;   /* next counter to send with */
	uint64_t born;        /* boot time */
	uint32_t local_index; /* the peer writes it on what it sends us */
	uint32_t remote_index;
	bool is_initiator;
	bool is_send_refused; /* the private key has changed: receive only */
};

static_assert(sizeof(((struct session *)0)->send_next) == 8,
	      "counters are 64 bits on every machine (F-H4)");

/* Age limits, with >= as in the kernel driver. now: boot time */
static inline bool session_is_expired(const struct session *s, uint64_t now)
{
	return now >= s->born + REJECT_AFTER_TIME;
}

MUST_CHECK bool session_can_send(const struct session *s, uint64_t now);
/* Take n counters in a row. False: the message limit would be passed; nothing was taken (F-H5). */
MUST_CHECK bool session_reserve(struct session *s, uint64_t n, uint64_t *ret_first);
void session_wipe(struct session *s);

/* One packet of a batch. The message's buffer is the caller's: header, packet, tag in one piece. */
struct session_packet {
	uint8_t *message; /* struct message_data, then the packet at offset 16 */
	size_t len; /* seal: of the packet. open: in, of the datagram; out, of the plain packet with
		       its padding */
	size_t padded; /* seal only: >= len; the message gets padded + MESSAGE_OVERHEAD bytes */
	uint64_t counter;
	bool ok; /* open only: authentic */
};

enum { SESSION_BATCH = 128 };

/* n <= SESSION_BATCH. Writes headers, zeroes the padding, encrypts in place. */
MUST_CHECK bool session_seal(const struct key_shared *key, uint32_t receiver,
			     struct session_packet *packets, size_t n);
/* n <= SESSION_BATCH, each of at least MESSAGE_DATA_MIN bytes. Reads the counters, decrypts in
 * place, sets len and ok. */
void session_open(const struct key_shared *key, struct session_packet *packets, size_t n);

#endif
