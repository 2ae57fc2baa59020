#ifndef CLI_KEEP_PEERS_H
#define CLI_KEEP_PEERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/key.h"
#include "cli/keep_names.h"
#include "model/tunnel.h"
#include "net/mend.h"
#include "net/silence.h"

/*
 * Peers that are called by this end, and what is done when one does not answer: its name is asked
 * for again, all its addresses are tried, and then another source port (net/mend.h).
 *
 * How that is noticed without waking an idle machine: nobody tells when a peer does not answer, but
 * nothing is missing as long as nothing is sent. So the next packet that is given to the link rings
 * (net/packet_watch.h), and only then is the device looked at, SILENCE_WINDOW later and again as
 * long as something is in doubt. Where a peer answers, nobody listens for KEEP_PEERS_CALM. So it
 * wakes not at all on an idle tunnel, three times a minute on a busy one, and four times on one
 * that sends and gets no answer. A peer with PersistentKeepalive sends without a packet that rings:
 * it is looked at once when its session must have been renewed, every two or three minutes.
 */
#define KEEP_PEERS_CALM (45 * NS_PER_S)

struct keep_peer {
	struct key_public key;
	char *host; /* of its Endpoint */
	char *service;
	bool is_name; /* host is none of the forms of a number */
	bool has_keepalive;
	bool is_there; /* on the device */
	bool was_seen; /* silence and verdict hold something */
	struct endpoint used;
	struct endpoint found[KEEP_NAMES_FOUND]; /* what the name had when it was last answered */
	size_t found_count;
	uint64_t handshake; /* wall clock */
	struct silence silence;
	enum silence_verdict verdict;
	struct mend mend;
	uint64_t rest; /* nothing is tried before */
};

enum keep_phase {
	KEEP_PHASE_OFF,    /* nobody to care for */
	KEEP_PHASE_LISTEN, /* until a packet rings */
	KEEP_PHASE_WINDOW, /* until the next look */
	KEEP_PHASE_CALM,   /* all is well, or nothing can be done now */
};

struct keep_peers {
	char link[MODEL_NAME];
	struct keep_peer *rows;
	size_t count;
	bool may_rotate; /* the file names no port */
	enum keep_phase phase;
	int bell;           /* readable: a packet; -1: not open */
	uint64_t due;       /* of the phase; TIME_NEVER */
	uint64_t keepalive; /* when a session that a keepalive renews is over */
	struct keep_names names;
	bool is_deaf; /* no packet can be heard here, which has been said */
};

void keep_peers_init(struct keep_peers *p, const char *link);
void keep_peers_done(struct keep_peers *p);
/* Those of a file; what is known of a peer that stays is kept. False: out of memory. */
MUST_CHECK bool keep_peers_load(struct keep_peers *p, const struct tunnel *t);
/* Asks for all names before the tunnel is there: name servers behind it answer only while it works,
 * and what they said then can be tried when they do not. */
void keep_peers_foresee(struct keep_peers *p);
/* The tunnel is up: from now on they are cared for. */
void keep_peers_begin(struct keep_peers *p, uint64_t now);
/* When something is to be done without an event; TIME_NEVER. */
MUST_CHECK uint64_t keep_peers_due(const struct keep_peers *p);
void keep_peers_tick(struct keep_peers *p, uint64_t now); /* it is due */
void keep_peers_ring(struct keep_peers *p, uint64_t now); /* the bell is readable */
void keep_peers_hear(struct keep_peers *p, uint64_t now); /* names.fd is readable */
/* The host's network changed: what was hopeless may not be any more. */
void keep_peers_hope(struct keep_peers *p, uint64_t now);

#endif
