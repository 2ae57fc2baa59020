#include "device/outbound.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "crypto/crypto.h"
#include "device/icmp.h"
#include "device/offload_split.h"
#include "device/offload_switch.h"

enum {
	TURN = 64,              /* reads */
	TURN_BYTES = 512 << 10, /* and what they bring: the other direction waits meanwhile */
	INPUT = OFFLOAD_MAX + 1,
	MESSAGE_OVERHEAD_MAX = MESSAGE_OVERHEAD + MESSAGE_PADDING,
	SLAB = 4 * 65536,
	FLUSH_AT = 60000, /* bytes of a batch that wait for no more: about one super-packet */
};

/* How long a packet waits for the brain. */
#define FLUSH_WAIT_NS 2000000L
#define FLUSH_WAIT_MAX (10 * NS_PER_MS) /* other peers of this worker wait behind it */
#define UP_WAIT_NS 10000000L
enum { UP_WAITS = 10 };

static void answer_unreachable(struct outbound *o, const uint8_t *packet, size_t len)
{
	uint8_t answer[ICMP_ROOM];
	const size_t n = icmp_unreachable(packet, len, answer);

	if (n)
		device_write_packet(o->d, o->number, answer, n);
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
static void wait_until_up(struct outbound *o)
{
	struct device *d = o->d;
	const uint64_t now = device_now().boot;

	if (core_is_up(d->core) || now < o->waits_again)
		return;
	for (int i = 0; i < UP_WAITS && !core_is_up(d->core); ++i)
		(void)wait_settled(d, UP_WAIT_NS); /* asked for again by the condition */
	if (!core_is_up(d->core))
		o->waits_again = now + NS_PER_S;
}

/* Behind packets that the brain is still sending: wait for those, so that none is overtaken. */
static enum transport_verdict send_in_order(struct outbound *o, struct sending *ret)
{
	struct device *d = o->d;
	const uint64_t until = device_now().boot + FLUSH_WAIT_MAX;
	enum transport_verdict verdict;
	struct moment now;

	do {
		now = device_now();
		verdict = transport_send(d->core, now, &o->head, o->count, ret);
	} while (verdict == TRANSPORT_FLUSHING && now.boot < until &&
		 wait_settled(d, FLUSH_WAIT_NS));
	return verdict;
}

static uint8_t *packet_of(const struct session_packet *p)
{
	return p->message + sizeof(struct message_data);
}

/* Under the lock. */
static void stage_all(struct outbound *o)
{
	const struct moment now = device_now();

	for (size_t i = 0; i < o->count; ++i) {
		struct inner inner = o->head;

		inner.len = o->packets[i].len;
		transport_stage(o->d->core, now, &inner, packet_of(&o->packets[i]));
	}
}

static size_t message_len(const struct session_packet *p)
{
	return p->padded + MESSAGE_OVERHEAD;
}

struct sent {
	size_t bytes;
	bool failed;
	bool source_is_gone;
};

static void send_one(struct outbound *o, const struct sending *s, const struct session_packet *p,
		     struct sent *ret)
{
	const enum udp_sent sent = device_send(o->d, o->number,
					       &(struct udp_message){ .bytes = p->message,
								      .len = message_len(p),
								      .to = s->to,
								      .source = s->from,
								      .tos = s->tos });

	ret->failed |= sent == UDP_FAILED;
	ret->source_is_gone |= sent == UDP_SENT_WITHOUT_SOURCE;
	ret->bytes += sent == UDP_FAILED ? 0 : message_len(p);
}

/* How many packets from here on make one batch of UDP: equal sizes, and a shorter last. */
static size_t measure_run(const struct outbound *o, size_t first, size_t *ret_len)
{
	const size_t segment = message_len(&o->packets[first]);
	size_t n = 1, len = segment, last = segment;

	while (first + n < o->count && n < UDP_SEGMENTS_MAX && last == segment) {
		last = message_len(&o->packets[first + n]);
		if (last > segment || len + last > UDP_PAYLOAD_MAX)
			break;
		len += last;
		++n;
	}
	/* This kernel spoils a batch whose last is as long as the others: the first goes alone. */
	if (o->d->has_equal_tail_fault && len == n * segment) {
		n = 1;
		len = segment;
	}
	*ret_len = len;
	return n;
}

/* One send of a run. False: it was refused, and its datagrams go one by one. */
static bool send_run(struct outbound *o, const struct sending *s,
		     const struct session_packet *first, size_t len, struct sent *ret)
{
	const size_t segment = message_len(first);
	enum udp_sent sent;
	int error;

	if (!device_offload(o->d, OFFLOAD_UDP_GSO) ||
	    !send_limit_allows(&o->limits, &s->to, segment, s->reserved))
		return false;
	sent = device_send_batch(o->d, o->number,
				 &(struct udp_message){ .bytes = first->message,
							.len = len,
							.segment = (uint16_t)segment,
							.to = s->to,
							.source = s->from,
							.tos = s->tos },
				 &error);
	if (sent == UDP_BATCH_REFUSED) {
		send_limit_refused(&o->limits, &s->to, segment, error != EIO, s->reserved);
		return false;
	}
	if (sent == UDP_SENT)
		send_limit_passed(&o->limits, &s->to, segment);
	ret->failed |= sent == UDP_FAILED;
	ret->source_is_gone |= sent == UDP_SENT_WITHOUT_SOURCE;
	ret->bytes += sent == UDP_FAILED ? 0 : len;
	return true;
}

static void send_all(struct outbound *o, const struct sending *s, struct sent *ret)
{
	size_t len;

	for (size_t i = 0, n; i < o->count; i += n) {
		n = measure_run(o, i, &len);
		if (n > 1 && send_run(o, s, &o->packets[i], len, ret))
			continue;
		for (size_t k = i; k < i + n; ++k)
			send_one(o, s, &o->packets[k], ret);
	}
}

/* Counters in order, all sealed, all sent, one report. */
static void seal_and_send(struct outbound *o, struct sending *s)
{
	struct device *d = o->d;
	struct sent sent = { 0 };
	bool wake;

	for (size_t i = 0; i < o->count; ++i)
		o->packets[i].counter = s->counter + i;
	if (session_seal(&s->key, s->receiver, o->packets, o->count))
		send_all(o, s, &sent);
	else
		sent.failed = true;
	crypto_wipe(&s->key, sizeof(s->key));
	pthread_mutex_lock(&d->lock);
	transport_sent(d->core, device_now(), s, sent.bytes, !sent.failed, sent.source_is_gone);
	wake = device_needs_brain(d);
	pthread_mutex_unlock(&d->lock);
	if (wake)
		device_wake_brain(d);
}

static void flush(struct outbound *o)
{
	struct device *d = o->d;
	enum transport_verdict verdict;
	struct sending sending;
	bool wake = false;

	if (o->count == 0)
		return;
	pthread_mutex_lock(&d->lock);
	wait_until_up(o);
	verdict = send_in_order(o, &sending);
	if (verdict == TRANSPORT_STAGE || verdict == TRANSPORT_FLUSHING) {
		stage_all(o);
		wake = device_needs_brain(d);
	}
	pthread_mutex_unlock(&d->lock);
	switch (verdict) {
	case TRANSPORT_SEAL:
		seal_and_send(o, &sending);
		break;
	case TRANSPORT_NO_PEER:
	case TRANSPORT_NO_ENDPOINT:
		answer_unreachable(o, packet_of(o->packets), o->packets[0].len);
		break;
	case TRANSPORT_STAGE:
	case TRANSPORT_FLUSHING:
		if (wake)
			device_wake_brain(d);
		break;
	case TRANSPORT_DROP:
		break;
	}
	o->count = 0;
}

/* Room for one more message of this size, at o->used. */
static void make_room(struct outbound *o, size_t size)
{
	if (o->count == SESSION_BATCH || o->used + size + MESSAGE_OVERHEAD_MAX > SLAB)
		flush(o);
	if (o->count == 0)
		o->used = 0;
}

/* Do packets like this one belong to the batch that waits? */
static bool belongs(const struct outbound *o, const struct inner *inner, bool may_loop)
{
	return !may_loop && !o->may_loop && inner->tos == o->head.tos &&
	       ip_equal(&inner->dst, &o->head.dst);
}

static void append(struct outbound *o, size_t len, unsigned int mtu)
{
	struct session_packet *p = &o->packets[o->count++];

	*p = (struct session_packet){ .message = o->slab + o->used,
				      .len = len,
				      .padded = inner_padded(len, mtu) };
	o->used += message_len(p);
}

/* What is common to all packets of a read is told by the first. False: it is no packet. */
static bool begin_read(struct outbound *o, size_t len)
{
	struct device *d = o->d;
	const uint8_t *packet = o->slab + o->used + sizeof(struct message_data);
	struct inner inner;
	bool may_loop;

	if (inner_parse(packet, len, &inner) != INNER_OK || inner.len != len) {
		device_count_reject(d, REJECT_OUT_INVALID, NULL, 1);
		return false;
	}
	may_loop = inner.udp_src &&
		   inner.udp_src == atomic_load_explicit(&d->port, memory_order_relaxed);
	if (o->count && !belongs(o, &inner, may_loop))
		flush(o);
	if (o->count == 0) {
		o->head = inner;
		o->may_loop = may_loop;
	}
	return true;
}

static void carry(struct outbound *o, const uint8_t header[static OFFLOAD_HEADER], size_t len)
{
	const unsigned int mtu = atomic_load_explicit(&o->d->mtu, memory_order_relaxed);
	struct offload_split split;

	if (!offload_split_begin(&split, header, o->input, len)) {
		device_count_reject(o->d, REJECT_OUT_INVALID, NULL, 1);
		return;
	}
	device_count(o->d, COUNT_TUN_READ_PACKETS, split.count);
	for (size_t i = 0; i < split.count; ++i) {
		size_t n;

		make_room(o, split.size);
		n = offload_split_next(&split, o->slab + o->used + sizeof(struct message_data));
		if (i == 0 && !begin_read(o, n))
			return;
		append(o, n, mtu);
	}
	if (o->used >= FLUSH_AT)
		flush(o);
}

bool outbound_drain(struct outbound *o)
{
	struct device *d = o->d;
	uint8_t header[OFFLOAD_HEADER];

	for (size_t i = 0, bytes = 0; i < TURN && bytes < TURN_BYTES; ++i) {
		const ssize_t n = tun_read(&d->tun, o->number, header, o->input, INPUT);

		o->error = n < 0 ? (int)n : 0;
		device_count(d, COUNT_TUN_READS, n != -EAGAIN);
		if (n == -EMSGSIZE) {
			o->error = 0;
			device_count_reject(d, REJECT_OUT_INVALID, NULL, 1);
			continue;
		}
		if (n == -EBADFD)
			return false;
		if (n < 0)
			break;
		carry(o, header, (size_t)n);
		bytes += (size_t)n;
	}
	flush(o);
	return true;
}

bool outbound_init(struct outbound *o, struct device *d, int number)
{
	*o = (struct outbound){ .d = d, .number = number };
	o->input = malloc(INPUT);
	o->slab = malloc(SLAB);
	return o->input && o->slab;
}

void outbound_done(struct outbound *o)
{
	if (o->input)
		crypto_wipe(o->input, INPUT);
	if (o->slab)
		crypto_wipe(o->slab, SLAB);
	free(o->input);
	free(o->slab);
}
