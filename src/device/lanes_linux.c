#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "device/device_private.h"
#include "device/lanes.h"

/* A few that the kernel has joined, as it may what comes behind a message of ours. Longer ones are
 * nobody's who is honest: cut, and told. */
enum { JOINED = 4, ROOM = JOINED * MESSAGE_HANDSHAKE_MAX + 4 };

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
	size_t backlog;
	bool brings; /* something for the brain */
};

static int make_rings(struct lanes *l)
{
	static const size_t rooms[WAITINGS] = { [WAITING_TYPE3] = LANES_TYPE3,
						[WAITING_COOKIE] = LANES_COOKIE,
						[WAITING_KNOWN] = LANES_KNOWN,
						[WAITING_PLAIN] = LANES_PLAIN };
	int err = 0;

	for (unsigned int i = 0; i < WAITINGS && !err; ++i)
		err = ring_init(&l->waiting[i], rooms[i]);
	return err;
}

int lanes_init(struct lanes *l, const struct entropy *entropy)
{
	int err;

	memset(l, 0, sizeof(*l));
	l->knock = -1;
	l->buffers = calloc(1, sizeof(*l->buffers));
	if (!l->buffers)
		return -ENOMEM;
	pthread_mutex_init(&l->lock, NULL);
	for (unsigned int i = 0; i < UDP_SLOTS_MAX; ++i)
		l->buffers->slots[i] =
			(struct udp_slot){ .bytes = l->buffers->bytes[i], .room = ROOM };
	err = make_rings(l);
	if (!err)
		err = steer_init(&l->steer, entropy);
	if (!err) {
		l->knock = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		err = l->knock < 0 ? -errno : 0;
	}
	if (err)
		lanes_done(l);
	return err;
}

void lanes_done(struct lanes *l)
{
	if (!l->buffers)
		return;
	for (unsigned int i = 0; i < WAITINGS; ++i)
		ring_done(&l->waiting[i]);
	steer_done(&l->steer);
	if (l->knock >= 0)
		close(l->knock);
	pthread_mutex_destroy(&l->lock);
	free(l->buffers);
	l->buffers = NULL;
}

void lanes_lock(struct lanes *l)
{
	pthread_mutex_lock(&l->lock);
}

void lanes_unlock(struct lanes *l)
{
	pthread_mutex_unlock(&l->lock);
}

void lanes_knock(struct lanes *l)
{
	(void)eventfd_write(l->knock, 1); /* full means that it was heard */
}

void lanes_fold(struct device *d, struct moment now)
{
	lanes_lock(&d->lanes);
	pthread_mutex_lock(&d->lock);
	handshake_fold(d->core, now);
	pthread_mutex_unlock(&d->lock);
	lanes_unlock(&d->lanes);
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

	if (!s->cookies_left || b->reply_count == UDP_SLOTS_MAX) {
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

static void keep(struct share *s, const struct handshake_arrival *arrival, unsigned int where)
{
	s->brings = true;
	if (ring_push(&s->lanes->waiting[where], arrival->bytes, arrival->len, &arrival->from,
		      &arrival->to))
		return;
	gate_refuse(s->gate, &arrival->from);
	if (where != WAITING_TYPE3)
		gate_note_load(s->gate, s->now.boot);
}

static void judge(struct share *s, const uint8_t *bytes, size_t len, const struct endpoint *from,
		  const struct source *to)
{
	const struct handshake_arrival arrival = {
		.bytes = bytes,
		.len = len,
		.from = *from,
		.to = *to,
		.backlog = s->backlog,
		.is_known = steer_knows(&s->lanes->steer, &from->ip, s->now.boot),
	};

	switch (gate_check(s->gate, s->now.boot, &arrival)) {
	case GATE_DROP:
		break;
	case GATE_ASK:
		answer(s, &arrival);
		break;
	case GATE_PASS:
		keep(s, &arrival,
		     load32_le(bytes) == MESSAGE_COOKIE ? WAITING_TYPE3 : WAITING_PLAIN);
		break;
	case GATE_PASS_VERIFIED:
		keep(s, &arrival, WAITING_COOKIE);
		break;
	case GATE_PASS_KNOWN:
		keep(s, &arrival, WAITING_KNOWN);
		break;
	}
}

/* What the kernel has joined goes by its first message. Data behind it came to the wrong place, and
 * is rare: it is delivered from here. */
static unsigned int judge_slot(struct share *s, const struct udp_slot *slot)
{
	unsigned int judged = 0;
	size_t at = 0;

	do {
		const size_t left = slot->len - at;
		const size_t len = left < slot->segment ? left : slot->segment;

		if (at > 0 && len >= MESSAGE_DATA_MIN &&
		    load32_le(slot->bytes + at) == MESSAGE_DATA) {
			device_open_and_deliver(s->d, slot->bytes + at, len, &slot->arrival);
		} else {
			judge(s, slot->bytes + at, len, &slot->arrival.from, &slot->arrival.to);
			++judged;
		}
		at += len;
	} while (at < slot->len);
	return judged;
}

static void begin_batch(struct share *s)
{
	s->lanes->buffers->reply_count = 0;
	s->backlog = ring_backlog(&s->lanes->waiting[WAITING_PLAIN]) +
		     ring_backlog(&s->lanes->waiting[WAITING_COOKIE]);
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
	unsigned int judged = 0;

	if (n < 0 && n != -EAGAIN)
		s->lanes->error = n;
	if (n <= 0)
		return false;
	begin_batch(s);
	lanes_lock(s->lanes);
	for (int i = 0; i < n; ++i)
		judged += judge_slot(s, &b->slots[i]);
	lanes_unlock(s->lanes);
	end_batch(s, fd, judged);
	s->left -= judged < s->left ? judged : s->left;
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
			       .cookies_left = cookies };
}

static bool end_share(const struct share *s)
{
	s->lanes->brings |= s->brings;
	return !s->left;
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
	return end_share(&s);
}

/* What the workers found, on a host without lanes. */
static bool read_ring(struct lanes *l, struct device *d, struct moment now)
{
	struct share s = new_share(l, d, now, LANES_COOKIES);
	struct ring_entry e;

	while (s.left && ring_take(&d->ring, &e)) {
		const bool is_v6 = e.from.ip.family == FAMILY_V6;

		--s.left;
		begin_batch(&s);
		s.backlog += ring_backlog(&d->ring);
		lanes_lock(l);
		judge(&s, e.bytes, e.len, &e.from, &e.to);
		lanes_unlock(l);
		end_batch(&s, device_socket(d, is_v6 ? FAMILY_V6 : FAMILY_V4, 0), 1);
	}
	return end_share(&s);
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
	const bool is_loaded = gate_is_loaded(core_gate(d->core), now.boot);
	bool plain, cookie, known, ring;

	if (is_loaded && now.boot < l->read_at + LANES_PAUSE)
		return false;
	l->read_at = now.boot;
	l->error = 0;
	if (is_loaded)
		steer_kernel(&l->steer, d, now.boot);
	known = read_lane(l, d, now, UDP_LANE_KNOWN, FAMILY_V4, LANES_COOKIES / 3);
	known |= read_lane(l, d, now, UDP_LANE_KNOWN, FAMILY_V6, LANES_COOKIES / 3);
	cookie = read_lane(l, d, now, UDP_LANE_COOKIE, FAMILY_V4, LANES_COOKIES / 3);
	cookie |= read_lane(l, d, now, UDP_LANE_COOKIE, FAMILY_V6, LANES_COOKIES / 3);
	plain = read_lane(l, d, now, UDP_LANE_PLAIN, FAMILY_V4, LANES_COOKIES);
	plain |= read_lane(l, d, now, UDP_LANE_PLAIN, FAMILY_V6, LANES_COOKIES);
	ring = read_ring(l, d, now);
	note_full(l, d, now, plain || ring);
	return known || cookie || plain || ring;
}

bool lanes_take(struct lanes *l, struct ring_entry *ret)
{
	struct ring *const first = &l->waiting[l->favours_known ? WAITING_KNOWN : WAITING_COOKIE];
	struct ring *const second = &l->waiting[l->favours_known ? WAITING_COOKIE : WAITING_KNOWN];

	l->favours_known = !l->favours_known;
	return ring_take(first, ret) || ring_take(second, ret) ||
	       ring_take(&l->waiting[WAITING_PLAIN], ret);
}

bool lanes_take_type3(struct lanes *l, struct ring_entry *ret)
{
	return ring_take(&l->waiting[WAITING_TYPE3], ret);
}

static bool has_untold(struct lanes *l, struct device *d)
{
	bool has;

	lanes_lock(l);
	has = core_gate(d->core)->has_tally;
	lanes_unlock(l);
	return has;
}

/* What passed goes to the brain at once, what was dropped now and then. How long to sleep, ms. */
static int tell(struct lanes *l, struct device *d, struct moment now)
{
	const bool has = has_untold(l, d);

	if (l->brings || (has && now.boot >= l->told_at + LANES_TELL)) {
		l->brings = false;
		l->told_at = now.boot;
		atomic_store(&l->tells, true);
		device_wake_brain(d);
	}
	return has ? (int)(LANES_TELL / NS_PER_MS) : -1;
}

struct pace {
	bool is_contended; /* somebody else wanted our processor in the last round */
	uint64_t cpu;      /* our thread's time when the round began */
	uint64_t begin;    /* boot time, likewise */
};

static uint64_t cpu_time(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

/*
 * Under load it is the clock that says when to look at the lanes. Where the processor is free a
 * flood may have it; where it is not, a part of it. What we wanted of it and did not get tells: the
 * scheduler does not let us preempt anybody.
 */
static int rest_loaded(struct lanes *l, struct pace *p)
{
	const uint64_t worked = cpu_time() - p->cpu;
	struct pollfd knock = { .fd = l->knock, .events = POLLIN };
	uint64_t pause = LANES_PAUSE, elapsed;
	int error = 0;

	if (p->is_contended && pause < (LANES_PART - 1) * worked)
		pause = (LANES_PART - 1) * worked;
	pause = (pause + NS_PER_MS - 1) / NS_PER_MS * NS_PER_MS;
	if (poll(&knock, 1, (int)(pause / NS_PER_MS)) < 0)
		error = -errno;
	elapsed = device_now().boot - p->begin;
	p->is_contended = elapsed > worked + pause + LANES_LATE;
	return error;
}

static void rest(struct lanes *l, struct device *d, struct pace *p, int timeout)
{
	struct epoll_event event;
	eventfd_t unused;
	int error = 0;

	if (gate_is_loaded(core_gate(d->core), p->begin))
		error = rest_loaded(l, p);
	else if (epoll_wait(d->lane_poll, &event, 1, timeout) < 0)
		error = -errno;
	device_pace(d, &l->waiting_for, "wait for handshakes", error);
	(void)eventfd_read(l->knock, &unused); /* what matters is that it is empty */
}

static void wait_until_up(struct lanes *l, struct device *d)
{
	const uint64_t begin = device_now().boot;
	struct pollfd knock = { .fd = l->knock, .events = POLLIN };
	eventfd_t unused;

	while (!atomic_load(&d->is_up) && tun_is_up(&d->tun) && !atomic_load(&l->is_over) &&
	       device_now().boot < begin + LANES_UP) {
		(void)poll(&knock, 1, (int)(LANES_UP / NS_PER_MS));
		(void)eventfd_read(l->knock, &unused);
	}
}

static void *keep_door(void *ctx)
{
	struct device *d = ctx;
	struct lanes *l = &d->lanes;
	struct pace pace = { 0 };

	/* Waking up does not interrupt those who carry packets. If it can't be had, it does. */
	(void)sched_setscheduler(0, SCHED_BATCH, &(struct sched_param){ 0 });
	while (!atomic_load(&l->is_over)) {
		struct moment now;
		bool more;
		int timeout;

		wait_until_up(l, d);
		now = device_now();
		pace.begin = now.boot;
		pace.cpu = cpu_time();
		more = lanes_turn(l, d, now);
		device_pace(d, &l->reading, "receive handshakes", l->error);
		timeout = tell(l, d, now);
		if (!more || gate_is_loaded(core_gate(d->core), now.boot))
			rest(l, d, &pace, timeout);
	}
	return NULL;
}

int lanes_start(struct device *d)
{
	int err = device_watch(d->lane_poll, d->lanes.knock);

	if (!err)
		err = -pthread_create(&d->lanes.doorman, NULL, keep_door, d);
	d->lanes.has_doorman = !err;
	return err;
}

void lanes_stop(struct device *d)
{
	if (!d->lanes.has_doorman)
		return;
	atomic_store(&d->lanes.is_over, true);
	lanes_knock(&d->lanes);
	pthread_join(d->lanes.doorman, NULL);
	d->lanes.has_doorman = false;
}
