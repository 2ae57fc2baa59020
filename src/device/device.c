#include "device/device.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sock_diag.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/log.h"
#include "crypto/crypto.h"
#include "device/device_private.h"
#include "device/heap.h"
#include "device/slab.h"

enum { RATELIMIT_SETS = 2048, STAGED_BUDGET = 16 << 20 };

struct moment device_now(void)
{
	struct timespec boot, real;

	clock_gettime(CLOCK_BOOTTIME, &boot);
	clock_gettime(CLOCK_REALTIME, &real);
	return (struct moment){
		.boot = (uint64_t)boot.tv_sec * NS_PER_S + (uint64_t)boot.tv_nsec + 1,
		.real = (uint64_t)real.tv_sec * NS_PER_S + (uint64_t)real.tv_nsec,
	};
}

static bool fill(void *ctx, void *ret, size_t len)
{
	(void)ctx;
	return crypto_random(ret, len);
}

static void log_handshake(void *ctx, const struct key_private *local,
			  const struct key_public *remote, const struct key_private *ephemeral,
			  const struct key_shared *psk)
{
	const struct device *d = ctx;

	keylog_handshake(&d->keylog, local, remote, ephemeral, psk);
}

static void result_is_there(void *ctx)
{
	device_wake_brain(ctx);
}

static struct core *new_core(struct device *d)
{
	const struct core_config config = {
		.memory = slab_memory(d->slab),
		.entropy = d->entropy,
		.ratelimit_sets = RATELIMIT_SETS,
		.staged_budget = STAGED_BUDGET,
		.key_log = d->keylog.fd >= 0 ? log_handshake : NULL,
		.key_log_ctx = d,
	};

	return core_new(&config);
}

static int open_parts(struct device *d, struct diag *why)
{
	int err = ring_init(&d->ring, HANDSHAKE_QUEUE);

	d->entropy = (struct entropy){ .fill = fill };
	if (!err)
		err = lanes_init(&d->lanes, &d->entropy);
	if (!err)
		err = helper_init(&d->helper, result_is_there, d);
	if (err)
		return err;
	heap_stay_small();
	d->slab = slab_new();
	d->core = d->slab ? new_core(d) : NULL;
	if (!d->core) {
		diag_set(why, DIAG_ERROR, "engine-start", 0,
			 "no memory or no random bytes for the engine's tables");
		return -ENOMEM;
	}
	for (int i = 0; i < d->tun.queues; ++i) {
		d->worker_poll[i] = epoll_create1(EPOLL_CLOEXEC);
		if (d->worker_poll[i] < 0)
			return -errno;
	}
	d->lane_poll = epoll_create1(EPOLL_CLOEXEC);
	if (d->lane_poll < 0)
		return -errno;
	d->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	d->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (d->wake < 0 || d->stop < 0)
		return -errno;
	d->brain = brain_new(d);
	return d->brain ? 0 : -errno;
}

static void init_settled(struct device *d)
{
	pthread_condattr_t monotonic;

	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&d->settled, &monotonic);
	pthread_condattr_destroy(&monotonic);
}

int device_watch(int poll, int fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

	return epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

/*
 * The number stays, the socket behind it changes: a thread that is just sending is never left with
 * a closed number. A socket that was there is there again (apply.c sees to it).
 */
static void exchange(_Atomic int *place, int fd, int poll)
{
	const int old = atomic_load(place);

	if (fd < 0)
		return;
	if (old < 0) {
		atomic_store(place, fd);
	} else {
		/* Else it would go on for as long as anybody else holds the old socket. */
		(void)epoll_ctl(poll, EPOLL_CTL_DEL, old, NULL);
		if (dup3(fd, old, O_CLOEXEC) < 0)
			log_line(LOG_ERROR, "cannot exchange a socket: %s", strerror(errno));
		close_fd(fd);
		fd = old;
	}
	if (device_watch(poll, fd))
		log_line(LOG_ERROR, "cannot watch a socket: %s", strerror(errno));
}

void device_use_sockets(struct device *d, struct udp *u, uint32_t mark)
{
	for (int i = 0; i < UDP_SOCKETS; ++i) {
		const int poll = i < UDP_WORKERS_MAX ? d->worker_poll[i] : d->lane_poll;

		exchange(&d->sockets[0][i], u->v4[i], poll);
		exchange(&d->sockets[1][i], u->v6[i], poll);
	}
	d->port = u->port;
	d->mark = mark;
	core_set_port(d->core, u->port);
}

int device_new(const struct device_config *config, struct diag *why, struct device **ret)
{
	struct device *d = calloc(1, sizeof(*d));
	int err;

	if (!d)
		return -ENOMEM;
	d->tun = config->tun;
	d->keylog = config->keylog;
	d->state_dir = config->state_dir;
	d->broker = config->broker;
	d->link = config->link;
	d->session = config->session;
	d->session_ctx = config->session_ctx;
	d->offloads = config->offloads & ~config->fault.off;
	d->has_equal_tail_fault = config->fault.equal_tail;
	d->wake = d->stop = d->lane_poll = -1;
	for (int i = 0; i < UDP_WORKERS_MAX; ++i)
		d->worker_poll[i] = -1;
	for (int i = 0; i < UDP_SOCKETS; ++i) {
		atomic_init(&d->sockets[0][i], -1);
		atomic_init(&d->sockets[1][i], -1);
	}
	atomic_init(&d->mtu, TUN_MTU_DEFAULT);
	d->armed = TIME_NEVER;
	pthread_mutex_init(&d->lock, NULL);
	init_settled(d);
	evidence_init(&d->evidence);
	err = open_parts(d, why);
	if (err) {
		diag_set(why, DIAG_ERROR, "engine-start", 0, "cannot start the engine: %s",
			 strerror(-err));
		device_free(d);
		return err;
	}
	d->mark = config->mark;
	if (config->sockets.port) {
		struct udp u = config->sockets;

		device_use_sockets(d, &u, config->mark);
	}
	*ret = d;
	return 0;
}

struct device *device_free(struct device *d)
{
	if (!d)
		return NULL;
	core_free(d->core);
	slab_free(d->slab);
	for (int i = 0; i < UDP_SOCKETS; ++i) {
		close_fd(atomic_load(&d->sockets[0][i]));
		close_fd(atomic_load(&d->sockets[1][i]));
	}
	close_fd(d->lane_poll);
	for (int i = 0; i < UDP_WORKERS_MAX; ++i)
		close_fd(d->worker_poll[i]);
	close_fd(d->wake);
	close_fd(d->stop);
	brain_free(d->brain);
	free(d->resume);
	keylog_close(&d->keylog);
	tun_close(&d->tun);
	ring_done(&d->ring);
	lanes_done(&d->lanes);
	helper_done(&d->helper);
	evidence_done(&d->evidence);
	pthread_cond_destroy(&d->settled);
	pthread_mutex_destroy(&d->lock);
	free(d);
	return NULL;
}

void device_pace(struct device *d, struct stall *s, const char *what, int error)
{
	uint64_t pause;

	if (!error || error == -EAGAIN) {
		stall_passed(s);
		return;
	}
	device_count(d, COUNT_CALLS_FAILED, 1);
	pause = stall_failed(s);
	if (!pause)
		return;
	if (stall_tells(s, device_now().boot))
		log_line(LOG_ERROR, "cannot %s: %s; tried again and again", what, strerror(-error));
	(void)poll(NULL, 0, (int)(pause / NS_PER_MS)); /* nothing to do about one that fails */
}

bool device_needs_brain(const struct device *d)
{
	return core_has_output(d->core) || core_deadline(d->core) < d->armed;
}

void device_wake_brain(struct device *d)
{
	const uint64_t one = 1;

	if (atomic_exchange(&d->wake_is_set, true))
		return;
	if (write(d->wake, &one, sizeof(one)) < 0)
		log_line(LOG_ERROR, "cannot wake the brain: %s", strerror(errno));
}

void device_note_error(void *ctx, const struct udp_error *error)
{
	struct device *d = ctx;

	evidence_add(&d->evidence, error, device_now().real);
}

void device_count_reject(struct device *d, enum reject_reason reason, const struct endpoint *from,
			 size_t n)
{
	const struct moment now = device_now();

	pthread_mutex_lock(&d->lock);
	for (size_t i = 0; i < n; ++i)
		core_count_reject(d->core, now, reason, from);
	pthread_mutex_unlock(&d->lock);
}

void device_write_packet(struct device *d, int worker, const uint8_t *packet, size_t len)
{
	device_count(d, COUNT_TUN_WRITES, 1);
	if (tun_write_packet(&d->tun, worker, packet, len))
		device_count_reject(d, REJECT_DELIVER_FAILED, NULL, 1);
	else
		device_count(d, COUNT_TUN_WRITE_PACKETS, 1);
}

static int socket_for(const struct device *d, int worker, const struct endpoint *to)
{
	const int own = device_socket(d, (enum family)to->ip.family, worker);

	return own >= 0 ? own : device_socket(d, (enum family)to->ip.family, 0);
}

static size_t packets_of(const struct udp_message *m)
{
	return m->segment ? (m->len + m->segment - 1) / m->segment : 1;
}

enum udp_sent device_send_batch(struct device *d, int worker, const struct udp_message *message,
				int *ret_error)
{
	const struct udp_listener listener = { .error = device_note_error, .ctx = d };
	int error = 0;
	const enum udp_sent sent =
		udp_send(socket_for(d, worker, &message->to), message, &listener, &error);

	*ret_error = error;
	device_count(d, COUNT_UDP_SENDS, 1);
	if (sent == UDP_BATCH_REFUSED) {
		device_count(d, COUNT_UDP_BATCHES_REFUSED, 1);
		return sent;
	}
	if (sent != UDP_FAILED)
		device_count(d, COUNT_UDP_SEND_PACKETS, packets_of(message));
	device_count(d, COUNT_UDP_RESENT_WITHOUT_SOURCE, sent == UDP_SENT_WITHOUT_SOURCE);
	if (sent == UDP_FAILED && error) /* also what the host itself refused is evidence */
		evidence_add(&d->evidence, &(struct udp_error){ .to = message->to, .error = error },
			     device_now().real);
	return sent;
}

enum udp_sent device_send(struct device *d, int worker, const struct udp_message *message)
{
	int error;

	return device_send_batch(d, worker, message, &error);
}

void device_seal_and_send(struct device *d, struct sending *s, uint8_t *message, size_t len)
{
	struct session_packet packet = { .message = message, .len = len, .counter = s->counter };
	enum udp_sent sent = UDP_FAILED;
	bool sealed, wake;

	packet.padded = inner_padded(len, atomic_load_explicit(&d->mtu, memory_order_relaxed));
	sealed = session_seal(&s->key, s->receiver, &packet, 1);
	crypto_wipe(&s->key, sizeof(s->key));
	if (sealed)
		sent = device_send(d, 0,
				   &(struct udp_message){
					   .bytes = message,
					   .len = packet.padded + MESSAGE_OVERHEAD,
					   .to = s->to,
					   .source = s->from,
					   .tos = s->tos,
				   });
	pthread_mutex_lock(&d->lock);
	transport_sent(d->core, device_now(), s,
		       sent == UDP_FAILED ? 0 : packet.padded + MESSAGE_OVERHEAD,
		       sent != UDP_FAILED, sent == UDP_SENT_WITHOUT_SOURCE);
	wake = device_needs_brain(d);
	pthread_mutex_unlock(&d->lock);
	if (wake)
		device_wake_brain(d);
}

void device_open_and_deliver(struct device *d, uint8_t *message, size_t len,
			     const struct udp_arrival *arrival)
{
	const struct transport_arrival where = { .from = arrival->from,
						 .to = arrival->to,
						 .tos = arrival->tos };
	struct session_packet packet = { .message = message, .len = len };
	struct opening opening;
	size_t deliverable;
	bool known, wake;

	pthread_mutex_lock(&d->lock);
	known = transport_receive(d->core, device_now(), message, 1, &where, &opening);
	pthread_mutex_unlock(&d->lock);
	if (!known)
		return;
	session_open(&opening.key, &packet, 1);
	crypto_wipe(&opening.key, sizeof(opening.key));
	pthread_mutex_lock(&d->lock);
	transport_accept(d->core, device_now(), &opening, &packet, 1, &where, &deliverable);
	wake = device_needs_brain(d);
	pthread_mutex_unlock(&d->lock);
	if (wake)
		device_wake_brain(d);
	if (deliverable)
		device_write_packet(d, 0, message + sizeof(struct message_data), deliverable);
}

/* The last word of SO_MEMINFO counts them (linux/sock_diag.h). */
uint64_t device_receive_drops(const struct device *d)
{
	uint64_t drops = 0;

	for (int i = 0; i < 2 * UDP_SOCKETS; ++i) {
		const int fd = atomic_load(&d->sockets[i / UDP_SOCKETS][i % UDP_SOCKETS]);
		uint32_t info[SK_MEMINFO_VARS] = { 0 };
		socklen_t len = sizeof(info);

		if (fd >= 0 && getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, &len) == 0)
			drops += info[SK_MEMINFO_DROPS];
	}
	return drops;
}

void device_take_handshake(struct device *d, const uint8_t *message, size_t len,
			   const struct udp_arrival *arrival)
{
	const uint32_t type = len >= 4 ? load32_le(message) : 0;

	if (type >= MESSAGE_INITIATION && type <= MESSAGE_COOKIE && len <= MESSAGE_HANDSHAKE_MAX) {
		if (!ring_push(&d->ring, message, len, &arrival->from, &arrival->to))
			device_count_reject(d, REJECT_QUEUE_FULL, &arrival->from, 1);
		device_wake_brain(d);
	} else {
		device_count_reject(d, REJECT_TYPE, &arrival->from, 1);
	}
}

void device_keep_floor(struct device *d, const struct key_private *key, uint64_t floor)
{
	struct key_public public;
	int err;

	if (!crypto_public(key, &public))
		return;
	err = broker_write_floor(&d->broker, &public, floor);
	if (err)
		log_line(
			LOG_WARN,
			"cannot keep the handshake time stamp in %s: %s; after a restart peers may "
			"refuse us until our clock has passed it",
			d->state_dir, err == -EPERM ? "others can write there" : strerror(-err));
	d->floor_kept = floor; /* also after a failure: the next one is tried in 30 s */
}

void device_end_identity(struct device *d)
{
	struct key_private key = { 0 };
	uint64_t floor = d->floor_kept;

	pthread_mutex_lock(&d->lock);
	if (core_private_key(d->core)) {
		key = *core_private_key(d->core);
		floor = core_stamp_end(d->core);
	}
	pthread_mutex_unlock(&d->lock);
	if (floor != d->floor_kept)
		device_keep_floor(d, &key, floor);
	crypto_wipe(&key, sizeof(key));
}
