#ifndef SIMNET_H
#define SIMNET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/endpoint.h"
#include "base/key.h"
#include "base/time.h"
#include "watch.h"
#include "wg/core.h"

/*
 * Some nodes, one network, one clock: a world that is the same for the same seed. Each node drives
 * its core as the device does: messages 1 to 3 through a queue and jobs that come back late and in
 * any order, data through a worker that may hold packets back, and time by core_deadline,
 * core_tick and core_pull alone. What must always hold is checked after each event (watch.h).
 */
enum { SIM_NODES_MAX = 8, SIM_PAYLOAD_MIN = 52, SIM_PAYLOAD_MAX = 1420 };

#define SIM_START (1000 * NS_PER_S)                 /* boot time of all */
#define SIM_EPOCH (UINT64_C(1735689600) * NS_PER_S) /* wall time at SIM_START: 2025 */

struct sim_weather { /* chances are of 1000 */
	uint64_t delay;
	uint64_t jitter; /* up to so much more, so datagrams overtake each other */
	unsigned int loss;
	unsigned int burst; /* begins with this chance and eats the next burst_len datagrams */
	unsigned int burst_len;
	unsigned int duplicate;
	unsigned int corrupt;
};

struct sim_options {
	uint64_t seed;
	unsigned int nodes;
	struct sim_weather weather;
	uint64_t job_delay; /* up to so long until a job comes back */
	uint64_t hold;      /* up to so long between opening and accepting, sealing and sending */
	uint64_t tick_late; /* up to so long until a deadline is looked at */
	uint64_t job_cost;  /* what a message with Diffie-Hellman keeps the brain busy for */
	uint64_t message_cost; /* and any other */
	bool is_one_sided;     /* only node 0 knows where the others are */
	uint16_t keepalive;    /* of node 0 */
	bool has_psk;
};

struct sim_message;

struct sim_node {
	struct sim *sim;
	unsigned int id;
	unsigned int life; /* counts restarts: what belongs to an earlier one is lost */
	struct watch watch;
	struct core *core;
	struct key_private secret;
	struct key_public public;
	struct endpoint address; /* as the others see it */
	int64_t clock_offset;    /* of the wall clock */
	uint64_t floor;          /* on disk */
	uint64_t tick_at;        /* earliest tick on its way */
	struct sim_message *queue_first;
	struct sim_message *queue_last;
	size_t queue_len;
	bool is_brain_awake;
	uint64_t brain_free_at;
	uint64_t stamp_sent[SIM_NODES_MAX];
	uint64_t initiated_at[SIM_NODES_MAX]; /* boot time of the last initiation; 0: any time */
	unsigned int initiations[SIM_NODES_MAX];
	uint32_t answered[SIM_NODES_MAX]; /* the sender index of the initiation answered last */
	unsigned int datagrams_sent;
	uint64_t sent_at; /* the last datagram */
	uint8_t buffer[MESSAGE_MAX + 64];
};

struct sim_packet { /* by its number */
	uint8_t from;
	uint8_t to;
	uint8_t deliveries;
	bool is_spoofed;
	uint16_t len;
	uint64_t sent_at;
};

struct sim {
	struct sim_options options;
	struct sim_weather weather;
	bool is_cut[SIM_NODES_MAX][SIM_NODES_MAX]; /* from, to */
	unsigned int burst_left;
	uint64_t random;
	uint64_t now; /* boot time */
	struct ledger ledger;
	struct sim_node nodes[SIM_NODES_MAX];
	struct sim_event **heap;
	size_t heap_len;
	size_t heap_room;
	uint64_t events;
	struct sim_packet *packets;
	size_t packet_count;
	size_t packet_room;
	unsigned int delivered;
	uint64_t delivered_at[SIM_NODES_MAX][SIM_NODES_MAX];
	uint64_t latency[SIM_NODES_MAX][SIM_NODES_MAX]; /* of the last one */
};

struct sim *sim_new(const struct sim_options *options);
void sim_free(struct sim *s);
/* How many seeds a test tries: SIM_SEEDS, or by the tier. */
unsigned int sim_seeds(unsigned int in_check);

uint64_t sim_below(struct sim *s, uint64_t n);
bool sim_chance(struct sim *s, unsigned int of_1000);
void sim_run(struct sim *s, uint64_t duration);

struct moment sim_moment(const struct sim_node *n);
/* One inner packet, from the address of node `as`. False: the core has no use for it. */
bool sim_send_as(struct sim *s, unsigned int from, unsigned int as, unsigned int to);
bool sim_send(struct sim *s, unsigned int from, unsigned int to);
/* A datagram that no node made. */
void sim_inject(struct sim *s, const struct endpoint *from, unsigned int to, const void *bytes,
		size_t len);
void sim_cut(struct sim *s, unsigned int a, unsigned int b, bool is_cut); /* both ways */
void sim_rebind(struct sim *s, unsigned int id); /* another address, as a NAT does it */

/* After a test has changed a core by itself: do what the device does after each call. */
void sim_settle(struct sim_node *n);
/* The spacing of initiations starts anew: a key, a peer or the link has changed. */
void sim_forget_spacing(struct sim_node *n);
struct peer *sim_peer(struct sim *s, unsigned int at, unsigned int of);
void sim_add_peer(struct sim_node *n, unsigned int id);
void sim_psk(struct sim *s, unsigned int a, unsigned int b, struct key_shared *ret);
/* As after a crash or a reboot: only the key and the floor stay. */
void sim_restart(struct sim *s, unsigned int id);
void sim_set_clock(struct sim *s, unsigned int id, uint64_t real);

#endif
