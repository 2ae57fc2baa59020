#include "device/device.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "crypto/crypto.h"
#include "device/device_private.h"
#include "device/floor_file.h"
#include "device/slab.h"

enum { RATELIMIT_SETS = 8192, STAGED_BUDGET = 16 << 20 };

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

	if (!err)
		err = lanes_init(&d->lanes);
	if (!err)
		err = helper_init(&d->helper, result_is_there, d);
	if (err)
		return err;
	d->entropy = (struct entropy){ .fill = fill };
	d->slab = slab_new();
	d->core = d->slab ? new_core(d) : NULL;
	if (!d->core) {
		diag_set(why, DIAG_ERROR, "engine-start", 0,
			 "no memory or no random bytes for the engine's tables");
		return -ENOMEM;
	}
	for (int i = 0; i < 2; ++i) {
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
	return link_open(&d->tun, &d->link);
}

static void init_settled(struct device *d)
{
	pthread_condattr_t monotonic;

	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&d->settled, &monotonic);
	pthread_condattr_destroy(&monotonic);
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
	d->link.fd = -1;
	d->wake = d->stop = d->worker_poll[0] = d->worker_poll[1] = d->lane_poll = -1;
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
	*ret = d;
	return 0;
}

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
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
	close_fd(d->worker_poll[0]);
	close_fd(d->worker_poll[1]);
	close_fd(d->wake);
	close_fd(d->stop);
	if (d->link.fd >= 0)
		link_close(&d->link);
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

enum udp_sent device_send(struct device *d, const struct udp_message *message)
{
	const struct udp_listener listener = { .error = device_note_error, .ctx = d };
	int error = 0;
	const enum udp_sent sent =
		udp_send(device_socket(d, message->to.ip.family, 0), message, &listener, &error);

	device_count(d, COUNT_UDP_SENDS, 1);
	device_count(d, COUNT_UDP_SEND_PACKETS, sent != UDP_FAILED);
	device_count(d, COUNT_UDP_RESENT_WITHOUT_SOURCE, sent == UDP_SENT_WITHOUT_SOURCE);
	if (sent == UDP_FAILED && error) /* also what the host itself refused is evidence */
		evidence_add(&d->evidence, &(struct udp_error){ .to = message->to, .error = error },
			     device_now().real);
	return sent;
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
		sent = device_send(d, &(struct udp_message){
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

void device_keep_floor(struct device *d, const struct key_private *key, uint64_t floor)
{
	struct key_public public;
	int err;

	if (!crypto_public(key, &public))
		return;
	err = floor_file_write(d->state_dir, &public, floor);
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

int device_watch(int poll, int fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

	return epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
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
		const int poll = i < UDP_WORKERS_MAX ? d->worker_poll[WORKER_IN] : d->lane_poll;

		exchange(&d->sockets[0][i], u->v4[i], poll);
		exchange(&d->sockets[1][i], u->v6[i], poll);
	}
	d->port = u->port;
	d->mark = mark;
	core_set_port(d->core, u->port);
}
