#ifndef DEVICE_DEVICE_H
#define DEVICE_DEVICE_H

#include <stdbool.h>

#include "base/attr.h"
#include "device/broker.h"
#include "device/keylog.h"
#include "device/link.h"
#include "device/offload_switch.h"
#include "device/tun.h"
#include "device/udp.h"
#include "model/diag.h"
#include "model/diagnosis.h"
#include "model/model.h"
#include "wg/stamp.h"

/*
 * The engine on this host: a core (wg/core.h) between a TUN and UDP sockets. Threads: the brain,
 * which is the caller of device_run, owns timers, handshakes and configuration; workers carry
 * packets, each both ways, and do their own cryptography. One lock protects the core; nobody holds
 * it over a Diffie-Hellman, a payload or a datagram. What needs privilege is asked of the monitor
 * (broker.h); after device_new nothing is opened but what the monitor hands over.
 */
struct device;

struct device_config {
	struct tun tun;        /* taken over */
	struct keylog keylog;  /* taken over; fd -1: none */
	const char *state_dir; /* where the monitor keeps stamp floors; for the log. Borrowed */
	struct broker broker;  /* borrowed descriptors */
	struct udp sockets;    /* taken over; port 0: none yet */
	uint32_t mark;         /* of them, and of those to come */
	struct link_state link;
	/*
	 * Told of each handshake that led to a session, where not NULL, before an answer leaves.
	 * stamp: of the peer's initiation; NULL: it was ours. Brain's thread.
	 */
	void (*session)(void *ctx, const struct key_public *peer, const struct endpoint *at,
			const uint8_t *stamp);
	void *session_ctx;
	unsigned int offloads;      /* wanted (device/offload_switch.h) */
	struct offload_fault fault; /* of this kernel */
};

/* Does not start threads: a caller may still fork. */
MUST_CHECK int device_new(const struct device_config *config, struct diag *why,
			  struct device **ret);
struct device *
device_free(struct device *d); /* closes all, the TUN too; wipes keys. NULL is fine */

/* The three calls of a control backend; ctx is the device. Brain's thread only, or before
 * device_run. */
int device_get(void *ctx, struct model_cursor *cursor, struct model *ret);
/*
 * All of the patch or nothing: a changed port is bound and marked on new sockets first, memory is
 * reserved first. The errno of a port or mark that cannot be had is the host's own.
 */
int device_set(void *ctx, const struct model *patch, struct diag *why);
/* Before device_run: a handshake with this peer is made as soon as the link is up. Where memory is
 * short some are forgotten, and found by their next packet. */
void device_resume(struct device *d, const struct key_public *peer);
int device_diagnose(void *ctx, struct diagnosis *ret);

/*
 * The latest stamp that an initiation of a peer brought: an engine that does not know what the one
 * before it has accepted would take it again. All bytes count.
 */
struct device_stamp {
	struct key_public peer;
	uint8_t stamp[STAMP_LEN];
};

/* The next few, of those that there are; the cursor as in device_get. How many. */
MUST_CHECK size_t device_get_stamps(struct device *d, struct model_cursor *cursor,
				    struct device_stamp *ret, size_t room);
void device_set_stamp(struct device *d, const struct device_stamp *stamp); /* before device_run */

/* Would a set of these end a secret that is in use? psk NULL: the peer is removed. */
MUST_CHECK bool device_ends_key(const struct device *d, const struct key_private *key);
MUST_CHECK bool device_ends_psk(struct device *d, const struct key_public *peer,
				const struct key_shared *psk);

/* Somebody else's descriptor in the brain's loop: the UAPI server. */
struct device_guest {
	int fd; /* readable: call handle */
	void (*handle)(void *ctx);
	void (*is_running)(void *ctx); /* called once, when traffic is carried */
	void *ctx;
};

enum device_end {
	DEVICE_TOLD, /* by the monitor */
	DEVICE_TUN_GONE,
	DEVICE_FAILED, /* the host refused something that we can't live without; logged */
};

/* Carry traffic until something ends it. */
enum device_end device_run(struct device *d, const struct device_guest *guest);

#endif
