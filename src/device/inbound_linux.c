#include "device/inbound.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/log.h"
#include "crypto/crypto.h"
#include "device/offload_split.h"
#include "device/offload_switch.h"

enum {
	TURN = 8,               /* receives, of up to UDP_SLOTS_MAX slots each */
	TURN_BYTES = 512 << 10, /* and what they bring: the other direction waits meanwhile */
	SLOT = 65536 + 64,      /* beyond: a virtio header with the largest super-packet */
};

/* How the joining kinds follow from the switches. */
static unsigned int kinds_of(const struct device *d)
{
	const unsigned int taken = atomic_load_explicit(&d->join_kinds, memory_order_relaxed);
	unsigned int kinds = 0;

	if (device_offload(d, OFFLOAD_JOIN_TCP))
		kinds |= OFFLOAD_TCP4 | OFFLOAD_TCP6;
	if (device_offload(d, OFFLOAD_JOIN_UDP))
		kinds |= OFFLOAD_UDP4 | OFFLOAD_UDP6;
	return kinds & taken;
}

/* The bytes of all parts in one piece. */
static size_t gather(uint8_t *to, const struct iovec *parts, int count)
{
	size_t len = 0;

	for (int i = 0; i < count; ++i) {
		memcpy(to + len, parts[i].iov_base, parts[i].iov_len);
		len += parts[i].iov_len;
	}
	return len;
}

/* This kernel does not take such a super-packet, whatever its probe said: no more of them. */
static void give_up_kind(struct device *d, enum offload_kind kind)
{
	const unsigned int before = atomic_fetch_and(&d->join_kinds, ~(unsigned int)kind);

	if (before & kind)
		log_line(
			LOG_WARN,
			"the kernel refuses %s super-packets on the TUN; its packets go one by one",
			kind & (OFFLOAD_TCP4 | OFFLOAD_TCP6) ? "TCP" : "UDP");
}

/* Cut what was joined again, so that nothing of it is lost. */
static void write_again(struct inbound *in, const struct iovec *parts, int count, size_t packets,
			bool gives_up)
{
	const size_t len = gather(in->refused, parts, count);
	uint8_t *const packet = in->refused + SLOT;
	struct offload_split split;

	device_count(in->d, COUNT_TUN_WRITES_REFUSED, 1);
	if (len <= OFFLOAD_HEADER ||
	    !offload_split_begin(&split, in->refused, in->refused + OFFLOAD_HEADER,
				 len - OFFLOAD_HEADER)) {
		device_count_reject(in->d, REJECT_DELIVER_FAILED, NULL, packets);
		return;
	}
	if (gives_up)
		give_up_kind(in->d, split.kind);
	for (size_t i = 0; i < split.count; ++i)
		device_write_packet(in->d, in->number, packet, offload_split_next(&split, packet));
}

/* The link is down, the queue is full, or the device gone: no packet will do better alone. */
static bool is_final(int error)
{
	return error == -EIO || error == -EAGAIN || error == -EBADFD;
}

static void write_joined(void *ctx, const struct iovec *parts, int count, size_t packets)
{
	struct inbound *in = ctx;
	struct device *d = in->d;
	const int error = tun_write(&d->tun, in->number, parts, count);

	device_count(d, COUNT_TUN_WRITES, 1);
	if (!error)
		device_count(d, COUNT_TUN_WRITE_PACKETS, packets);
	else if (packets > 1 && !is_final(error)) /* no memory for so much is no refusal */
		write_again(in, parts, count, packets, error == -EINVAL);
	else
		device_count_reject(d, REJECT_DELIVER_FAILED, NULL, packets);
}

/* Open the run, let the core judge it, hand on what may be delivered. */
static void finish_run(struct inbound *in)
{
	struct device *d = in->d;
	const struct transport_arrival where = { .from = in->arrival->from,
						 .to = in->arrival->to,
						 .tos = in->arrival->tos };
	struct opening opening;
	bool wake;

	pthread_mutex_lock(&d->lock);
	if (!transport_receive(d->core, device_now(), in->packets[0].message, in->count, &where,
			       &opening)) {
		pthread_mutex_unlock(&d->lock);
		return;
	}
	pthread_mutex_unlock(&d->lock);
	session_open(&opening.key, in->packets, in->count);
	crypto_wipe(&opening.key, sizeof(opening.key));
	pthread_mutex_lock(&d->lock);
	transport_accept(d->core, device_now(), &opening, in->packets, in->count, &where,
			 in->lengths);
	wake = device_needs_brain(d);
	pthread_mutex_unlock(&d->lock);
	if (wake)
		device_wake_brain(d);
	for (size_t i = 0; i < in->count; ++i) {
		if (in->lengths[i])
			offload_join_add(&in->join,
					 in->packets[i].message + sizeof(struct message_data),
					 in->lengths[i]);
	}
}

static void end_run(struct inbound *in)
{
	if (in->count)
		finish_run(in);
	in->count = 0;
}

static bool is_same_way(const struct udp_arrival *a, const struct udp_arrival *b)
{
	return a == b || (endpoint_equal(&a->from, &b->from) && ip_equal(&a->to.ip, &b->to.ip) &&
			  a->to.ifindex == b->to.ifindex && a->tos == b->tos);
}

static void take_data(struct inbound *in, uint8_t *message, size_t len,
		      const struct udp_arrival *arrival)
{
	const uint32_t index = load32_le(((const struct message_data *)message)->receiver);

	if (in->count && (in->count == SESSION_BATCH || index != in->index ||
			  !is_same_way(in->arrival, arrival)))
		end_run(in);
	in->arrival = arrival;
	in->index = index;
	in->packets[in->count++] = (struct session_packet){ .message = message, .len = len };
}

static bool is_data(const uint8_t *message, size_t len)
{
	return len >= MESSAGE_DATA_MIN && load32_le(message) == MESSAGE_DATA;
}

static void take_slot(struct inbound *in, struct udp_slot *slot)
{
	size_t packets = 0;

	if (slot->len == 0) {
		device_count_reject(in->d, REJECT_TYPE, &slot->arrival.from, 1);
		return;
	}
	for (size_t at = 0; at < slot->len; at += slot->segment) {
		const size_t left = slot->len - at;
		const size_t len = left < slot->segment ? left : slot->segment;
		uint8_t *const message = slot->bytes + at;

		++packets;
		if (is_data(message, len))
			take_data(in, message, len, &slot->arrival);
		else
			device_take_handshake(in->d, message, len, &slot->arrival);
	}
	device_count(in->d, COUNT_UDP_RECEIVE_PACKETS, packets);
}

void inbound_drain(struct inbound *in, int fd)
{
	const struct offload_sink sink = { .write = write_joined, .ctx = in };

	for (size_t turn = 0, bytes = 0; turn < TURN && bytes < TURN_BYTES; ++turn) {
		const int n = udp_receive(fd, in->slots, UDP_SLOTS_MAX);

		in->error = n < 0 ? n : 0;
		if (n < 0)
			return;
		device_count(in->d, COUNT_UDP_RECEIVES, (uint64_t)n);
		offload_join_init(&in->join, &sink, kinds_of(in->d), in->d->tun.header > 0);
		for (int i = 0; i < n; ++i) {
			bytes += in->slots[i].len;
			take_slot(in, &in->slots[i]);
		}
		end_run(in);
		offload_join_flush(&in->join); /* the slots are used again */
		if (n < UDP_SLOTS_MAX)
			return;
	}
}

bool inbound_init(struct inbound *in, struct device *d, int number)
{
	*in = (struct inbound){ .d = d, .number = number };
	in->bytes = malloc((size_t)UDP_SLOTS_MAX * SLOT);
	in->refused = malloc(2 * SLOT);
	for (size_t i = 0; in->bytes && i < UDP_SLOTS_MAX; ++i) {
		in->slots[i].bytes = in->bytes + i * SLOT;
		in->slots[i].room = SLOT;
	}
	return in->bytes && in->refused;
}

void inbound_done(struct inbound *in)
{
	if (in->bytes)
		crypto_wipe(in->bytes, (size_t)UDP_SLOTS_MAX * SLOT);
	if (in->refused)
		crypto_wipe(in->refused, 2 * SLOT);
	free(in->bytes);
	free(in->refused);
}
