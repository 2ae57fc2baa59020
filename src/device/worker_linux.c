#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>

#include "base/bytes.h"
#include "base/log.h"
#include "crypto/crypto.h"
#include "device/device_private.h"
#include "device/icmp.h"

/*
 * The two workers: TUN to UDP and UDP to TUN. Each waits on its own epoll set, takes what there is
 * (fairly, in turns of a bound) and does all the cryptography of its packets itself: no hand-over,
 * so no packet overtakes another.
 */
enum {
	TURN = 64,
	BUFFER = sizeof(struct message_data) + MESSAGE_MAX + MESSAGE_PADDING + MESSAGE_TAG
};

/* How long a packet waits for the brain. */
#define FLUSH_WAIT_NS 2000000L
#define UP_WAIT_NS 10000000L
enum { UP_WAITS = 10 };

struct patience {
	uint64_t waits_again; /* boot time before which a link that is down is not waited for */
};

static void count_reject(struct device *d, enum reject_reason reason, const struct endpoint *from)
{
	pthread_mutex_lock(&d->lock);
	core_count_reject(d->core, device_now(), reason, from);
	pthread_mutex_unlock(&d->lock);
}

static void write_tun(struct device *d, const uint8_t *packet, size_t len)
{
	device_count(d, COUNT_TUN_WRITES, 1);
	if (tun_write(&d->tun, packet, len))
		count_reject(d, REJECT_DELIVER_FAILED, NULL);
	else
		device_count(d, COUNT_TUN_WRITE_PACKETS, 1);
}

static void answer_unreachable(struct device *d, const uint8_t *packet, size_t len)
{
	uint8_t answer[ICMP_ROOM];
	const size_t n = icmp_unreachable(packet, len, answer);

	if (n)
		write_tun(d, answer, n);
}

/* Under the lock, which is given up meanwhile. False: the brain did not get to it in time. */
static bool wait_settled(struct device *d, long ns)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += ns;
	if (until.tv_nsec >= (long)NS_PER_S) {
		until.tv_nsec -= (long)NS_PER_S;
		++until.tv_sec;
	}
	return pthread_cond_timedwait(&d->settled, &d->lock, &until) == 0;
}

/*
 * A packet from the TUN proves that the link is up, perhaps before the brain has heard of it. Wait
 * for it to hear, once a second at most: the packet may also be a leftover.
 */
static void wait_until_up(struct device *d, struct patience *p)
{
	const uint64_t now = device_now().boot;

	if (core_is_up(d->core) || now < p->waits_again)
		return;
	for (int i = 0; i < UP_WAITS && !core_is_up(d->core); ++i)
		(void)wait_settled(d, UP_WAIT_NS); /* asked for again by the condition */
	if (!core_is_up(d->core))
		p->waits_again = now + NS_PER_S;
}

/* Behind packets that the brain is still sending: wait for those, so that none is overtaken. */
static enum transport_verdict send_in_order(struct device *d, const struct inner *inner,
					    struct sending *ret)
{
	enum transport_verdict verdict;

	do
		verdict = transport_send(d->core, device_now(), inner, 1, ret);
	while (verdict == TRANSPORT_FLUSHING && wait_settled(d, FLUSH_WAIT_NS));
	return verdict;
}

static void carry_out(struct device *d, uint8_t *message, size_t len, struct patience *patience)
{
	uint8_t *packet = message + sizeof(struct message_data);
	enum transport_verdict verdict;
	struct sending sending;
	struct inner inner;
	bool wake = false;

	if (inner_parse(packet, len, &inner) != INNER_OK) {
		count_reject(d, REJECT_OUT_INVALID, NULL);
		return;
	}
	pthread_mutex_lock(&d->lock);
	wait_until_up(d, patience);
	verdict = send_in_order(d, &inner, &sending);
	if (verdict == TRANSPORT_STAGE || verdict == TRANSPORT_FLUSHING) {
		transport_stage(d->core, device_now(), &inner, packet);
		wake = device_needs_brain(d);
	}
	pthread_mutex_unlock(&d->lock);
	switch (verdict) {
	case TRANSPORT_SEAL:
		device_seal_and_send(d, &sending, message, inner.len);
		break;
	case TRANSPORT_NO_PEER:
	case TRANSPORT_NO_ENDPOINT:
		answer_unreachable(d, packet, inner.len);
		break;
	case TRANSPORT_STAGE:
	case TRANSPORT_FLUSHING:
		if (wake)
			device_wake_brain(d);
		break;
	case TRANSPORT_DROP:
		break;
	}
}

static void read_tun(struct device *d, uint8_t *message, struct patience *patience)
{
	uint8_t *packet = message + sizeof(struct message_data);

	for (int i = 0; i < TURN; ++i) {
		const ssize_t n = tun_read(&d->tun, packet, MESSAGE_MAX);

		device_count(d, COUNT_TUN_READS, 1);
		if (n == -EBADFD) {
			atomic_store(&d->tun_is_gone, true);
			device_wake_brain(d);
			return;
		}
		if (n == -EMSGSIZE) {
			count_reject(d, REJECT_OUT_INVALID, NULL);
			continue;
		}
		if (n < 0)
			return;
		device_count(d, COUNT_TUN_READ_PACKETS, 1);
		carry_out(d, message, (size_t)n, patience);
	}
}

static void carry_in(struct device *d, uint8_t *message, size_t len,
		     const struct udp_arrival *arrival)
{
	const struct transport_arrival where = { .from = arrival->from,
						 .to = arrival->to,
						 .tos = arrival->tos };
	struct session_packet packet = { .message = message, .len = len };
	struct opening opening;
	size_t deliver;
	bool wake;

	pthread_mutex_lock(&d->lock);
	if (!transport_receive(d->core, device_now(), message, &where, &opening)) {
		pthread_mutex_unlock(&d->lock);
		return;
	}
	pthread_mutex_unlock(&d->lock);
	session_open(&opening.key, &packet, 1);
	crypto_wipe(&opening.key, sizeof(opening.key));
	pthread_mutex_lock(&d->lock);
	transport_accept(d->core, device_now(), &opening, &packet, 1, &where, &deliver);
	wake = device_needs_brain(d);
	pthread_mutex_unlock(&d->lock);
	if (wake)
		device_wake_brain(d);
	if (deliver)
		write_tun(d, message + sizeof(struct message_data), deliver);
}

static void take_handshake(struct device *d, const uint8_t *message, size_t len,
			   const struct udp_arrival *arrival)
{
	const uint32_t type = len >= 4 ? load32_le(message) : 0;

	if (type >= MESSAGE_INITIATION && type <= MESSAGE_COOKIE && len <= MESSAGE_HANDSHAKE_MAX) {
		if (!ring_push(&d->ring, message, len, &arrival->from, &arrival->to))
			count_reject(d, REJECT_QUEUE_FULL, &arrival->from);
		device_wake_brain(d);
	} else {
		count_reject(d, REJECT_TYPE, &arrival->from);
	}
}

void device_take_handshakes(struct device *d, const struct udp_slot *slot)
{
	if (slot->len == 0)
		count_reject(d, REJECT_TYPE, &slot->arrival.from);
	for (size_t at = 0; at < slot->len; at += slot->segment) {
		const size_t left = slot->len - at;

		take_handshake(d, slot->bytes + at, left < slot->segment ? left : slot->segment,
			       &slot->arrival);
	}
}

static void take_datagram(struct device *d, uint8_t *message, size_t len,
			  const struct udp_arrival *arrival)
{
	if (len >= MESSAGE_DATA_MIN && load32_le(message) == MESSAGE_DATA)
		carry_in(d, message, len, arrival);
	else
		take_handshake(d, message, len, arrival);
}

static void read_udp(struct device *d, int fd, uint8_t *message)
{
	for (int i = 0; i < TURN; ++i) {
		struct udp_slot slot = { .bytes = message, .room = MESSAGE_MAX };
		const int n = udp_receive(fd, &slot, 1);

		device_count(d, COUNT_UDP_RECEIVES, 1);
		if (n < 0)
			return;
		if (slot.is_cut) {
			count_reject(d, REJECT_TYPE, NULL);
			continue;
		}
		device_count(d, COUNT_UDP_RECEIVE_PACKETS, 1);
		take_datagram(d, message, slot.len, &slot.arrival);
	}
}

static void handle(struct device *d, const struct epoll_event *event, uint8_t *message,
		   struct patience *patience)
{
	const int fd = event->data.fd;

	if (fd == d->tun.fd) {
		read_tun(d, message, patience);
		return;
	}
	if (event->events & EPOLLERR)
		(void)udp_drain_errors(
			fd, &(struct udp_listener){ .error = device_note_error, .ctx = d });
	read_udp(d, fd, message);
}

static void work(struct device *d, int which)
{
	uint8_t *message = calloc(1, BUFFER);
	struct epoll_event events[4];
	struct patience patience = { 0 };

	if (!message) {
		log_line(LOG_ERROR, "no memory for a worker");
		return;
	}
	for (;;) {
		const int n = epoll_wait(d->worker_poll[which], events, ELEMENTS(events), -1);

		for (int i = 0; i < n; ++i) {
			if (events[i].data.fd == d->stop)
				goto out;
			handle(d, &events[i], message, &patience);
		}
		/* A TUN that is gone stays readable for ever. */
		if (which == WORKER_OUT && atomic_load(&d->tun_is_gone))
			goto out;
	}
out:
	crypto_wipe(message, BUFFER);
	free(message);
}

static void *work_out(void *ctx)
{
	work(ctx, WORKER_OUT);
	return NULL;
}

static void *work_in(void *ctx)
{
	work(ctx, WORKER_IN);
	return NULL;
}

int worker_start(struct device *d)
{
	int err = device_watch(d->worker_poll[WORKER_OUT], d->tun.fd);

	if (!err)
		err = device_watch(d->worker_poll[WORKER_OUT], d->stop);
	if (!err)
		err = device_watch(d->worker_poll[WORKER_IN], d->stop);
	if (err)
		return err;
	err = pthread_create(&d->workers[WORKER_OUT], NULL, work_out, d);
	if (err)
		return -err;
	err = pthread_create(&d->workers[WORKER_IN], NULL, work_in, d);
	if (err) {
		eventfd_write(d->stop, 1);
		pthread_join(d->workers[WORKER_OUT], NULL);
	}
	return -err;
}

void worker_stop(struct device *d)
{
	eventfd_write(d->stop, 1);
	pthread_join(d->workers[WORKER_OUT], NULL);
	pthread_join(d->workers[WORKER_IN], NULL);
}
