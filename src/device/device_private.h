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
#include "device/ring.h"
#include "device/udp.h"
#include "wg/core.h"

/* What device.c, apply.c, brain_linux.c and worker_linux.c share. */
enum { WORKER_OUT, WORKER_IN }; /* TUN to UDP, UDP to TUN */

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
	COUNT_HANDSHAKES_HANDLED,
	COUNT_LAST,
};

struct device {
	pthread_mutex_t lock; /* of core, port, mark, armed */
	pthread_cond_t
		settled;   /* with the lock: the brain has sent what waited, or followed the link */
	struct slab *slab; /* the core's memory */
	struct core *core;
	struct tun tun;
	struct link link;
	struct keylog keylog;
	const char *state_dir;

	/* As in struct udp: IPv4, IPv6. Numbers stay the same when the port changes: the sockets
	 * behind them are exchanged (dup3). -1: none. */
	_Atomic int sockets[2][UDP_SOCKETS];
	uint16_t port;
	uint32_t mark;
	_Atomic unsigned int mtu;

	struct ring ring;   /* handshake messages that the workers found */
	struct lanes lanes; /* the brain's */
	struct helper helper;
	struct entropy entropy;
	struct evidence evidence;
	_Atomic uint64_t counts[COUNT_LAST];

	int worker_poll[2]; /* epoll descriptors: TUN, UDP */
	int lane_poll;      /* the handshake lanes: the brain's */
	pthread_t workers[2];
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

/* The brain is needed: there is output, or a deadline before the one it sleeps to. Call under the
 * lock. */
bool device_needs_brain(const struct device *d);
void device_wake_brain(struct device *d);

/* The socket of that number, of the destination's family. */
static inline int device_socket(const struct device *d, enum family family, int which)
{
	return atomic_load_explicit(&d->sockets[family == FAMILY_V6][which], memory_order_relaxed);
}

/* Send, count, and tell what became of it. Any thread; not under the lock. */
enum udp_sent device_send(struct device *d, const struct udp_message *message);
/* Seal one packet that stands at message + 16, send it, tell the core. Wipes s->key. Not under the
 * lock. */
void device_seal_and_send(struct device *d, struct sending *s, uint8_t *message, size_t len);

/* Put a floor on disk; a failure is logged and costs no traffic. */
void device_keep_floor(struct device *d, const struct key_private *key, uint64_t floor);
/* No stamp will follow under the key in use: the floor on disk comes down to the last one sent. */
void device_end_identity(struct device *d);
/* Handshake messages for the brain, and what is none, which is counted. Any thread. */
void device_take_handshakes(struct device *d, const struct udp_slot *slot);
void device_use_sockets(struct device *d, struct udp *u, uint32_t mark); /* takes them */
void device_note_error(void *ctx, const struct udp_error *error); /* ctx: the device. Any thread */
MUST_CHECK int device_watch(int poll, int fd);                    /* for input; 0 or -errno */

MUST_CHECK int worker_start(struct device *d); /* both */
void worker_stop(struct device *d);

#endif
