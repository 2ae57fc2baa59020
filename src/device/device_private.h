#ifndef DEVICE_DEVICE_PRIVATE_H
#define DEVICE_DEVICE_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "device/device.h"
#include "device/evidence.h"
#include "device/helper.h"
#include "device/lanes.h"
#include "device/link.h"
#include "device/offload_switch.h"
#include "device/ring.h"
#include "device/stall.h"
#include "device/udp.h"
#include "wg/core.h"

/* What the files of the engine share: brain, workers, their two directions, configuration. */
enum device_count {
	COUNT_TUN_READS,
	COUNT_TUN_READ_PACKETS,
	COUNT_TUN_WRITES,
	COUNT_TUN_WRITE_PACKETS,
	COUNT_UDP_SENDS,
	COUNT_UDP_SEND_PACKETS,
	COUNT_UDP_RECEIVES,
	COUNT_UDP_RECEIVE_PACKETS,
	COUNT_UDP_RESENT_WITHOUT_SOURCE,
	COUNT_UDP_BATCHES_REFUSED,
	COUNT_TUN_WRITES_REFUSED,
	COUNT_HANDSHAKES_HANDLED,
	COUNT_CALLS_FAILED,
	COUNT_LAST,
};

struct device {
	pthread_mutex_t lock; /* of core, port, mark, armed */
	pthread_cond_t
		settled;   /* with the lock: the brain has sent what waited, or followed the link */
	struct slab *slab; /* the core's memory */
	struct core *core;
	struct tun tun;
	struct link_state link; /* brain's thread */
	_Atomic bool is_up;     /* the brain has followed the link up */
	struct broker broker;
	struct brain *brain;
	void (*session)(void *ctx, const struct key_public *peer, const struct endpoint *at,
			const uint8_t *stamp);
	void *session_ctx;
	struct key_public *resume; /* who had a session with an engine before us */
	size_t resume_count;
	size_t resume_room;
	struct keylog keylog;
	const char *state_dir;

	/* As in struct udp: IPv4, IPv6. Numbers stay the same when the port changes: the sockets
	 * behind them are exchanged (dup3). -1: none. */
	_Atomic int sockets[2][UDP_SOCKETS];
	_Atomic uint16_t port; /* the brain writes it */
	uint32_t mark;
	_Atomic unsigned int mtu;
	unsigned int offloads;           /* switches that are on (device/offload_switch.h) */
	bool has_equal_tail_fault;       /* of the kernel, likewise */
	_Atomic unsigned int join_kinds; /* super-packets that the TUN takes: probed when the link
					    comes up, fewer when a write is refused */

	struct ring ring;   /* handshake messages that the workers found */
	struct lanes lanes; /* the brain's */
	struct helper helper;
	struct entropy entropy;
	struct evidence evidence;
	_Atomic uint64_t counts[COUNT_LAST];

	int worker_poll[UDP_WORKERS_MAX]; /* epoll descriptors: TUN queue and UDP sockets of each */
	int lane_poll;                    /* the handshake lanes: the brain's */
	pthread_t workers[UDP_WORKERS_MAX];
	int wake; /* eventfd: the brain has something to do */
	_Atomic bool wake_is_set;
	int stop; /* eventfd, never read: workers end */
	_Atomic bool tun_is_gone;
	uint64_t armed;      /* boot time at which the brain wakes by itself */
	uint64_t floor_kept; /* the stamp floor that is on disk */
};

struct moment device_now(void);

static inline void device_count(struct device *d, enum device_count which, uint64_t n)
{
	atomic_fetch_add_explicit(&d->counts[which], n, memory_order_relaxed);
}

/*
 * What became of a call that reads or waits: 0, -EAGAIN, or why it failed. Then it is counted, and
 * who keeps failing is logged now and then and sleeps a little. The caller's own stall; not under a
 * lock. what: as in "cannot ..".
 */
void device_pace(struct device *d, struct stall *s, const char *what, int error);

/* The brain is needed: there is output, or a deadline before the one it sleeps to. Call under the
 * lock. */
bool device_needs_brain(const struct device *d);
void device_wake_brain(struct device *d);

/* The socket of that number, of the destination's family. */
static inline int device_socket(const struct device *d, enum family family, int which)
{
	return atomic_load_explicit(&d->sockets[family == FAMILY_V6][which], memory_order_relaxed);
}

static inline bool device_offload(const struct device *d, unsigned int which)
{
	return d->offloads & which;
}

/* What the sockets of this device are bound with. */
/* n refused for this reason; from may be NULL. Any thread; not under the lock. */
void device_count_reject(struct device *d, enum reject_reason reason, const struct endpoint *from,
			 size_t n);
/*
 * Send through the sockets of a worker, count, and tell what became of it. Any thread; not under
 * the lock. A batch may be refused: *ret_error says why, and nothing was sent.
 */
enum udp_sent device_send(struct device *d, int worker, const struct udp_message *message);
enum udp_sent device_send_batch(struct device *d, int worker, const struct udp_message *message,
				int *ret_error);
/* Datagrams that found a receive buffer full, of all sockets as they are now. */
uint64_t device_receive_drops(const struct device *d);
/* One packet into a worker's TUN queue. */
void device_write_packet(struct device *d, int worker, const uint8_t *packet, size_t len);
/* Seal one packet that stands at message + 16, send it, tell the core. Wipes s->key. Not under the
 * lock. */
void device_seal_and_send(struct device *d, struct sending *s, uint8_t *message, size_t len);
/* One data message, opened in place and written to the TUN if it may be. Not under the lock. */
void device_open_and_deliver(struct device *d, uint8_t *message, size_t len,
			     const struct udp_arrival *arrival);

/* Put a floor on disk; a failure is logged and costs no traffic. */
void device_keep_floor(struct device *d, const struct key_private *key, uint64_t floor);
/* No stamp will follow under the key in use: the floor on disk comes down to the last one sent. */
void device_end_identity(struct device *d);
/* A handshake message for the brain, or what is none, which is counted. Any thread. */
void device_take_handshake(struct device *d, const uint8_t *message, size_t len,
			   const struct udp_arrival *arrival);
/* Under the lock: those that device_resume was told of shall not wait to find out. */
void device_resume_all(struct device *d);
void device_use_sockets(struct device *d, struct udp *u, uint32_t mark); /* takes them */
void device_note_error(void *ctx, const struct udp_error *error); /* ctx: the device. Any thread */
MUST_CHECK int device_watch(int poll, int fd);                    /* for input; 0 or -errno */

MUST_CHECK struct brain *brain_new(struct device *d); /* NULL: errno tells */
struct brain *brain_free(struct brain *b);            /* NULL is fine */

#endif
