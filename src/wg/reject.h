#ifndef WG_REJECT_H
#define WG_REJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/endpoint.h"
#include "base/env.h"
#include "base/key.h"
#include "base/time.h"

/*
 * Every drop has a reason, every reason a counter with the time and source of the last one: the log
 * that `diagnose` and the doctor read. Per device always; per peer from a bounded pool, taken at
 * the peer's first reject. Beside them the public keys of well-formed initiations that belong to no
 * peer.
 */
enum reject_reason {
	/* outer datagrams */
	REJECT_TYPE,        /* no WireGuard message: type, reserved bytes or length */
	REJECT_DOWN,        /* the device is down or has no private key */
	REJECT_QUEUE_FULL,  /* more handshake messages than the queue holds */
	REJECT_MAC1,        /* not for our public key */
	REJECT_RATE,        /* valid mac2, but too many from this source */
	REJECT_UNDER_LOAD,  /* answered with a cookie instead */
	REJECT_STATIC,      /* initiation: the sender's key cannot be read */
	REJECT_UNKNOWN_KEY, /* initiation of somebody who is not a peer */
	REJECT_STAMP, /* initiation: not authentic behind the static key, or the pair's DH is zero
		       */
	REJECT_STAMP_OLD,      /* initiation replayed, or the peer's clock went back */
	REJECT_FLOOD,          /* initiation within 20 ms of the last one of that peer */
	REJECT_CHANGED,        /* the peer, a key or the handshake changed while a message was being
				  computed */
	REJECT_RESPONSE_STALE, /* response to no handshake of ours that waits */
	REJECT_RESPONSE,       /* response not authentic: other preshared key, or forged */
	REJECT_COOKIE,         /* cookie reply not authentic or not asked for */
	REJECT_INDEX,          /* data for no session of ours */
	REJECT_EXPIRED,        /* data under a key older than 180 s */
	REJECT_LIMIT,          /* counter beyond what one key may carry */
	REJECT_TAG,            /* data not authentic */
	REJECT_REPLAY,         /* counter seen before, or too old for the window */
	REJECT_INNER_VERSION,  /* authentic, but no IPv4 or IPv6 inside */
	REJECT_INNER_LENGTH,   /* the inner packet's length contradicts its header */
	REJECT_INNER_SOURCE,   /* the inner source address is not this peer's by its allowed IPs */
	/* inner packets on their way out; the source is the inner one */
	REJECT_OUT_INVALID,     /* no IP packet from the TUN */
	REJECT_OUT_NO_PEER,     /* no peer has the destination in its allowed IPs */
	REJECT_OUT_NO_ENDPOINT, /* that peer's endpoint is not known */
	REJECT_OUT_LOOP, /* our own datagram to that peer: its endpoint is routed into the tunnel */
	REJECT_OUT_STAGED_FULL, /* waiting for a handshake, and the peer's or the device's queue was
				   full: oldest dropped */
	REJECT_OUT_GAVE_UP,     /* waited, and the peer did not answer 20 initiations */
	REJECT_OUT_CLEARED,     /* waited, and the device went down or the peer was removed */
	/* the host */
	REJECT_SEND_FAILED,    /* the host refused to send a datagram */
	REJECT_DELIVER_FAILED, /* the host refused to take a packet from the TUN */
	REJECT_NO_MEMORY,
	REJECT_NO_RANDOM,
	REJECT_CRYPTO, /* libcrypto failed */
	REJECT_REASONS,
};

struct reject_counter {
	uint64_t count;
	uint64_t last_real; /* ns since 1970 */
	struct endpoint from;
};

struct reject_set {
	struct reject_counter by_reason[REJECT_REASONS];
};

enum { REJECT_PEERS_MAX = 256, REJECT_KNOCKS = 16 };

struct reject_knock {
	struct key_public key;
	struct reject_counter seen;
};

struct rejects {
	struct reject_set device;
	struct reject_knock knocks[REJECT_KNOCKS]; /* the oldest is replaced */
	size_t peer_sets;                          /* taken of REJECT_PEERS_MAX */
	const struct memory *memory;
};

/* A stable word, [a-z0-9-]: what diagnose=1 shows. */
const char *reject_name(enum reject_reason reason);

void reject_init(struct rejects *r, const struct memory *memory);
/* set: the place of the peer's counters, NULL where no peer is known; from may be NULL. */
void reject_count(struct rejects *r, struct reject_set **set, enum reject_reason reason,
		  struct moment now, const struct endpoint *from);
void reject_count_many(struct rejects *r, struct reject_set **set, enum reject_reason reason,
		       uint64_t count, struct moment now, const struct endpoint *from);
/* So many at once, where no peer is known. */
void reject_add(struct rejects *r, enum reject_reason reason, uint64_t count, struct moment now,
		const struct endpoint *from);
void reject_knock(struct rejects *r, const struct key_public *key, struct moment now,
		  const struct endpoint *from);
void reject_forget(struct rejects *r, struct reject_set **set); /* the peer goes away */

#endif
