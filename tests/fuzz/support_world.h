#ifndef SUPPORT_WORLD_H
#define SUPPORT_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../sim/watch.h"
#include "wg/core.h"

/*
 * One core under watch, and outsiders whose keys the fuzzer knows, so that what it sends can be
 * authentic. Outsiders 0 and 1 are the core's peers; a third one is nobody's peer.
 */
enum { WORLD_PEERS = 2, WORLD_OUTSIDERS = 3, WORLD_SESSIONS = 4, WORLD_LATE = 4 };

struct world_session { /* an outsider's view of a session with the core */
	struct noise_keys keys;
	uint32_t index; /* of the core */
	uint64_t counter;
	unsigned int outsider;
	bool is_live;
};

struct world_opened { /* by a worker, not yet accepted */
	uint8_t *message;
	struct session_packet packet;
	struct opening opening;
	struct transport_arrival arrival;
};

struct world {
	struct ledger ledger;
	struct watch watch;
	struct core *core;
	struct moment now;
	uint64_t stamp; /* of outsiders */
	size_t backlog;
	struct noise_local outsiders[WORLD_OUTSIDERS];
	struct key_shared psk; /* the outsiders' */
	struct cookie_maker makers[WORLD_OUTSIDERS];
	struct cookie_checker checkers[WORLD_OUTSIDERS];
	/* The outsider's initiation that awaits an answer. */
	struct noise_pending pending;
	unsigned int pending_outsider;
	/* The last message of the core. */
	struct message_initiation initiation;
	struct message_response response;
	unsigned int initiated_to;
	struct world_session sessions[WORLD_SESSIONS];
	unsigned int next_session;
	struct handshake_job jobs[WORLD_LATE];
	bool has_job[WORLD_LATE];
	struct world_opened opened[WORLD_LATE];
	uint8_t buffer[MESSAGE_MAX + 64];
};

void world_start(struct world *w);
void world_stop(struct world *w);
struct endpoint world_address(unsigned int n);
/* After each operation: what the core wants done, and whether all still holds. */
void world_settle(struct world *w);

struct peer *world_peer(const struct world *w, unsigned int outsider);
void world_add_peer(struct world *w, unsigned int outsider);
void world_add_session(struct world *w, const struct world_session *s);
/* A datagram reaches the core; jobs and opened packets wait in their places. */
void world_deliver(struct world *w, const void *bytes, size_t len, const struct endpoint *from,
		   uint8_t tos);
void world_run_job(struct world *w, unsigned int at);
void world_accept(struct world *w, unsigned int at);
/* Seal and take back what the core sends. */
void world_sent(struct world *w, const struct sending *s, size_t len);

#endif
