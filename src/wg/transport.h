#ifndef WG_TRANSPORT_H
#define WG_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/endpoint.h"
#include "base/key.h"
#include "base/time.h"
#include "wg/inner.h"
#include "wg/session.h"

/*
 * Data packets, in batches of one peer. Out: transport_send takes counters and a copy of the key
 * under the lock, session_seal runs without it, transport_sent tells what became of it: one fact a
 * batch. In: transport_receive copies the key, session_open runs without the lock, transport_accept
 * does the ordered part: replay window, roaming, promotion of the next key, inner source.
 */
struct core;

struct sending {
	struct key_shared key; /* wipe after sealing */
	uint64_t counter;      /* of the first packet; the others follow */
	uint32_t receiver;
	uint32_t local_index; /* finds the session again */
	struct endpoint to;
	struct source from;
	uint8_t tos;
	bool is_keepalive;
	uint64_t reserved; /* boot time */
};

enum transport_verdict {
	TRANSPORT_SEAL,
	TRANSPORT_STAGE,    /* no session yet: transport_stage each packet; the brain is asked for a
			       handshake */
	TRANSPORT_FLUSHING, /* older ones are leaving: ask again once they have, or stage it behind
			     */
	TRANSPORT_NO_PEER,  /* tell the sender: ICMP unreachable */
	TRANSPORT_NO_ENDPOINT, /* likewise */
	TRANSPORT_DROP,
};

/* n packets that have the destination and TOS of *inner. Drops are counted. */
MUST_CHECK enum transport_verdict transport_send(struct core *c, struct moment now,
						 const struct inner *inner, size_t n,
						 struct sending *ret);
void transport_stage(struct core *c, struct moment now, const struct inner *inner,
		     const uint8_t *packet);
/* bytes: of the datagrams the host took; ok: it took them all. */
void transport_sent(struct core *c, struct moment now, const struct sending *s, size_t bytes,
		    bool ok, bool source_is_gone);

struct opening {
	struct key_shared key; /* wipe after opening */
	uint32_t local_index;
};

struct transport_arrival {
	struct endpoint from;
	struct source to;
	uint8_t tos;
};

/* n datagrams of type 4 with the receiver index of this one, each at least MESSAGE_DATA_MIN long:
 * the session they are for. False: all are dropped and counted. */
MUST_CHECK bool transport_receive(struct core *c, struct moment now, const uint8_t *message,
				  size_t n, const struct transport_arrival *arrival,
				  struct opening *ret);
/*
 * n opened packets of that session, in order of arrival. ret_len[i]: bytes to deliver of the packet
 * at message + 16, its ECN bits put right; 0: nothing (keepalive, or dropped and counted). What
 * is not authentic and fresh changes nothing but counters.
 */
void transport_accept(struct core *c, struct moment now, const struct opening *o,
		      const struct session_packet *packets, size_t n,
		      const struct transport_arrival *arrival, size_t *ret_len);

#endif
