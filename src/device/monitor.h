#ifndef DEVICE_MONITOR_H
#define DEVICE_MONITOR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "device/broker.h"
#include "device/link.h"
#include "device/sandbox.h"
#include "device/tun.h"
#include "device/udp.h"

/*
 * The privileged half of `warren run`: one thread that keeps what must outlive an engine (the TUN,
 * the sockets, the listener, the records of the configuration, which it never looks into), starts
 * an engine on it, does for it what needs privilege (request.h), and starts another one when it
 * dies. So the device, its addresses, routes and rules stay, and packets go nowhere else meanwhile
 * (F-P1). It parses nothing that comes from the wire or from the control socket.
 *
 * An engine that hangs is not noticed. A sign of life would wake an idle host; and of what waits
 * for an answer, a control connection looks the same while a million peers are being set.
 */

/* What an engine is born with. All descriptors are its own. */
struct engine_start {
	struct broker broker;
	struct udp sockets; /* port 0: none yet */
	uint32_t mark;
	struct link_state link;
	int records;            /* memfd: what earlier engines have written there */
	struct key_shared mask; /* of secrets in it (mask.h), the same for all engines */
	struct sandbox_user user;
	pid_t monitor;
};

/* Somebody else's descriptor in the loop: the watch over the control socket's file. */
struct monitor_guest {
	int fd;                     /* -1: none */
	bool (*is_over)(void *ctx); /* asked when fd is readable: is it time to end? */
	void *ctx;
};

struct monitor_config {
	struct tun tun; /* borrowed, as the next two; passed on */
	int listener;
	int keylog; /* -1: none */
	const char *state_dir;
	struct udp_config sockets; /* how many, and of what kind; port and mark don't count */
	struct monitor_guest guest;
	/* Runs in the new process, with its descriptors only; its value is the exit status. */
	int (*engine)(void *ctx, const struct engine_start *start);
	void *engine_ctx;
	void (*is_running)(void *ctx); /* the first engine carries traffic */
	void *running_ctx;
};

enum monitor_end {
	MONITOR_SIGNALLED, /* SIGTERM, SIGINT, SIGHUP or SIGQUIT */
	MONITOR_TUN_GONE,
	MONITOR_GUEST_OVER,
	MONITOR_FAILED, /* the first engine could not start, and has said why; or logged */
};

/*
 * Keep the signals that end an engine for monitor_run: call before anything is opened that a sudden
 * death would leave behind. A child inherits it.
 */
void monitor_hold_signals(void);

enum monitor_end monitor_run(const struct monitor_config *config);

#endif
