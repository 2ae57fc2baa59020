#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "device/device_private.h"
#include "device/lanes.h"

enum { ROOM = MESSAGE_HANDSHAKE_MAX + 4 }; /* what is longer is cut, and told */

struct lanes_buffers {
	uint8_t bytes[UDP_SLOTS_MAX][ROOM];
	struct udp_slot slots[UDP_SLOTS_MAX];
	struct message_cookie replies[UDP_SLOTS_MAX];
	struct udp_message messages[UDP_SLOTS_MAX];
	unsigned int reply_count;
};

/* One lane's share of a turn. */
struct share {
	struct lanes *lanes;
	struct device *d;
	struct gate *gate;
	struct moment now;
	unsigned int left; /* messages */
	unsigned int cookies_left;
	unsigned int type3_left;
	size_t backlog;
};

int lanes_init(struct lanes *l)
{
	memset(l, 0, sizeof(*l));
	l->buffers = calloc(1, sizeof(*l->buffers));
	if (!l->buffers || ring_init(&l->waiting[LANE_PLAIN], LANES_WAITING) ||
	    ring_init(&l->waiting[LANE_COOKIE], LANES_WAITING_COOKIE)) {
		lanes_done(l);
		return -ENOMEM;
	}
	for (unsigned int i = 0; i < UDP_SLOTS_MAX; ++i)
		l->buffers->slots[i] =
			(struct udp_slot){ .bytes = l->buffers->bytes[i], .room = ROOM };
	return 0;
}

void lanes_done(struct lanes *l)
{
	for (unsigned int i = 0; i < LANES; ++i)
		ring_done(&l->waiting[i]);
	free(l->buffers);
	l->buffers = NULL;
}

static void refuse(struct share *s, const struct handshake_arrival *arrival)
{
	gate_refuse(s->gate, &arrival->from);
	gate_note_load(s->gate, s->now.boot);
}

static void answer(struct share *s, const struct handshake_arrival *arrival)
{
	struct lanes_buffers *b = s->lanes->buffers;
	struct message_cookie *reply = &b->replies[b->reply_count];

	if (!s->cookies_left) {
		refuse(s, arrival);
		return;
	}
	if (!gate_reply(s->gate, s->now.boot, arrival, &s->d->entropy, reply))
		return;
	--s->cookies_left;
	b->messages[b->reply_count++] = (struct udp_message){ .bytes = (const uint8_t *)reply,
							      .len = sizeof(*reply),
							      .to = arrival->from,
							      .source = arrival->to };
}

/* A cookie for us: no mac guards it, so its number is bounded instead. */
static void take_cookie(struct share *s, const struct handshake_arrival *arrival)
{
	struct handshake_job unused;

	if (!s->type3_left) {
		gate_refuse(s->gate, &arrival->from);
		return;
	}
	--s->type3_left;
	pthread_mutex_lock(&s->d->lock);
	/* What became of it is counted. */
	(void)!handshake_admit(s->d->core, s->now, arrival, &unused);
	pthread_mutex_unlock(&s->d->lock);
}

static void keep(struct share *s, const struct handshake_arrival *arrival, unsigned int lane)
{
	if (load32_le(arrival->bytes) == MESSAGE_COOKIE)
		take_cookie(s, arrival);
	else if (!ring_push(&s->lanes->waiting[lane], arrival->bytes, arrival->len, &arrival->from,
			    &arrival->to))
		refuse(s, arrival);
}

static void judge(struct share *s, const uint8_t *bytes, size_t len, const struct endpoint *from,
		  const struct source *to)
{
	const struct handshake_arrival arrival = {
		.bytes = bytes, .len = len, .from = *from, .to = *to, .backlog = s->backlog
	};

	switch (gate_check(s->gate, s->now.boot, &arrival)) {
	case GATE_DROP:
		break;
	case GATE_ASK:
		answer(s, &arrival);
		break;
	case GATE_PASS:
		keep(s, &arrival, LANE_PLAIN);
		break;
	case GATE_PASS_VERIFIED:
		keep(s, &arrival, LANE_COOKIE);
		break;
	}
}

static void begin_batch(struct share *s)
{
	s->lanes->buffers->reply_count = 0;
	s->backlog = ring_backlog(&s->lanes->waiting[LANE_PLAIN]) +
		     ring_backlog(&s->lanes->waiting[LANE_COOKIE]);
}

static void end_batch(struct share *s, int fd, unsigned int judged)
{
	const struct udp_listener listener = { .error = device_note_error, .ctx = s->d };
	struct lanes_buffers *b = s->lanes->buffers;

	device_count(s->d, COUNT_HANDSHAKES_HANDLED, judged);
	if (!b->reply_count)
		return;
	device_count(s->d, COUNT_UDP_SENDS, 1);
	device_count(s->d, COUNT_UDP_SEND_PACKETS,
		     udp_send_batch(fd, b->messages, b->reply_count, &listener));
}

/* False: the socket is empty. */
static bool read_batch(struct share *s, int fd)
{
	struct lanes_buffers *b = s->lanes->buffers;
	const unsigned int want = s->left < UDP_SLOTS_MAX ? s->left : UDP_SLOTS_MAX;
	const int n = udp_receive(fd, b->slots, want);

	if (n <= 0)
		return false;
	begin_batch(s);
	for (int i = 0; i < n; ++i)
		judge(s, b->slots[i].bytes, b->slots[i].len, &b->slots[i].arrival.from,
		      &b->slots[i].arrival.to);
	end_batch(s, fd, (unsigned int)n);
	s->left -= (unsigned int)n;
	return n == (int)want;
}

static struct share new_share(struct lanes *l, struct device *d, struct moment now,
			      unsigned int cookies)
{
	return (struct share){ .lanes = l,
			       .d = d,
			       .gate = core_gate(d->core),
			       .now = now,
			       .left = LANES_TURN,
			       .cookies_left = cookies,
			       .type3_left = LANES_TYPE3 };
}

/* True: the share is used up, there may be more. */
static bool read_lane(struct lanes *l, struct device *d, struct moment now, int which,
		      enum family family, unsigned int cookies)
{
	const struct udp_listener listener = { .error = device_note_error, .ctx = d };
	const int fd = device_socket(d, family, which);
	struct share s = new_share(l, d, now, cookies);

	if (fd < 0)
		return false;
	(void)udp_drain_errors(fd, &listener); /* an ICMP message finds any of the group */
	while (s.left && read_batch(&s, fd))
		;
	return !s.left;
}

/* What the workers found, on a host without lanes. */
static bool read_ring(struct lanes *l, struct device *d, struct moment now)
{
	struct share s = new_share(l, d, now, LANES_COOKIES);
	struct ring_entry e;

	while (s.left && ring_take(&d->ring, &e)) {
		--s.left;
		begin_batch(&s);
		s.backlog += ring_backlog(&d->ring);
		judge(&s, e.bytes, e.len, &e.from, &e.to);
		end_batch(
			&s,
			device_socket(d, e.from.ip.family == FAMILY_V4 ? FAMILY_V4 : FAMILY_V6, 0),
			1);
	}
	return !s.left;
}

/* A lane that is never found empty loses messages before we see them. */
static void note_full(struct lanes *l, struct device *d, struct moment now, bool is_full)
{
	l->full_turns = is_full ? l->full_turns + 1 : 0;
	if (l->full_turns >= LANES_FULL_TURNS)
		gate_note_load(core_gate(d->core), now.boot);
}

bool lanes_turn(struct lanes *l, struct device *d, struct moment now)
{
	bool plain, cookie, ring;

	if (gate_is_loaded(core_gate(d->core), now.boot) && now.boot < l->read_at + LANES_PAUSE)
		return false;
	l->read_at = now.boot;
	cookie = read_lane(l, d, now, UDP_LANE_COOKIE, FAMILY_V4, LANES_COOKIES / 3);
	cookie |= read_lane(l, d, now, UDP_LANE_COOKIE, FAMILY_V6, LANES_COOKIES / 3);
	plain = read_lane(l, d, now, UDP_LANE_PLAIN, FAMILY_V4, LANES_COOKIES);
	plain |= read_lane(l, d, now, UDP_LANE_PLAIN, FAMILY_V6, LANES_COOKIES);
	ring = read_ring(l, d, now);
	note_full(l, d, now, plain || ring);
	return cookie || plain || ring;
}

bool lanes_take(struct lanes *l, struct ring_entry *ret)
{
	return ring_take(&l->waiting[LANE_COOKIE], ret) || ring_take(&l->waiting[LANE_PLAIN], ret);
}
