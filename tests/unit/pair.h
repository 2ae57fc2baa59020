#ifndef PAIR_H
#define PAIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "support.h"
#include "watch.h"
#include "wg/core.h"
#include "wg/core_private.h"

/*
 * Two cores that face each other: a virtual clock, a wire that keeps order and loses nothing unless
 * the test's own hook says so. Each is the other's only peer until a test adds more. What a peer is
 * sent always reaches the other host, whatever its endpoint says.
 */
enum { PAIR_QUEUE = 512, PAIR_DATAGRAM = 2048, PAIR_PACKET = 1400, PAIR_BUDGET = 1 << 20 };

struct datagram {
	unsigned int to; /* host */
	struct endpoint from;
	struct endpoint addressed; /* what the sender thinks its peer's endpoint is */
	uint8_t tos;
	size_t len;
	uint8_t bytes[PAIR_DATAGRAM];
};

struct host {
	struct core *core;
	struct peer *peer; /* the other one */
	struct watch memory;
	struct test_entropy entropy;
	size_t draws;      /* of random bytes, so far */
	size_t draw_fails; /* that one, counted from 1; 0: none */
	struct noise_local id;
	struct endpoint endpoint;
	struct ip inner;           /* 10.0.0.1 or 10.0.0.2 */
	size_t sent[5];            /* datagrams by type */
	size_t sent_keepalives;    /* of type 4 */
	size_t delivered;          /* inner packets */
	uint8_t last[PAIR_PACKET]; /* the latest of them */
	size_t last_len;
};

struct pair {
	struct host host[2];
	struct moment now;
	size_t backlog; /* told to handshake_receive */
	bool fast;      /* handshakes without Diffie-Hellman: as many as a test likes */
	/* False: the datagram is lost. May change it. */
	bool (*pass)(struct pair *p, struct datagram *d);
	size_t first;
	size_t used;
	struct datagram queue[PAIR_QUEUE];
};

/* Both up, with keys, each other's peer with endpoint; no two pairs have the same random bytes. */
void pair_init(struct pair *p);
void pair_done(struct pair *p); /* asserts that no memory is left */

/* Who the hosts are, with cores still to be made: pair_init is this and pair_start of both. */
void pair_prepare(struct pair *p);
/* False: no memory or no random bytes. */
MUST_CHECK bool pair_start(struct pair *p, unsigned int i);

void pair_compute(const struct pair *p, struct handshake_job *job);
/* Compute and commit until there is nothing more to do, and send what comes of it. */
enum handshake_step pair_finish_job(struct pair *p, unsigned int i, struct handshake_job *job);
void pair_put(struct pair *p, unsigned int i, const struct handshake_datagram *d);
/* Seal one packet and send it. */
void pair_seal(struct pair *p, unsigned int i, struct sending *s, const uint8_t *packet,
	       size_t len);
/* All that a host has to do now. */
void pair_work(struct pair *p, unsigned int i);
/* Hand a datagram to a host. */
void pair_receive(struct pair *p, unsigned int i, const struct datagram *d);
/* Take the first datagram off the wire without handing it over. False: there is none. */
bool pair_take(struct pair *p, struct datagram *ret);
/* Work and deliver until nothing happens any more at this moment. */
void pair_run(struct pair *p);
/* Let time pass, doing at each deadline what is due. */
void pair_advance(struct pair *p, uint64_t ns);
void pair_jump(struct pair *p, uint64_t ns); /* let time pass, and nobody looks */

/* An IPv4 packet from a host's inner address to the other's. */
void pair_packet(const struct pair *p, unsigned int from, uint8_t *ret, size_t len);
/* Give it to the core as the TUN would; pair_run brings it over. */
enum transport_verdict pair_offer(struct pair *p, unsigned int from, const uint8_t *packet,
				  size_t len);
/* pair_packet, pair_offer and pair_run. */
enum transport_verdict pair_send(struct pair *p, unsigned int from, size_t len);

uint64_t pair_rejects(const struct pair *p, unsigned int i, enum reject_reason reason);
/*
 * What must hold at any time: each live index leads to its peer and what it has there, nothing is
 * lost in the table, no transcript was ever installed twice, no send counter went back.
 */
void pair_check(const struct pair *p);

#endif
