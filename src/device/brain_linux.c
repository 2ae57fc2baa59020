#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/log.h"
#include "base/text.h"
#include "crypto/crypto.h"
#include "device/device_private.h"
#include "device/worker.h"

/*
 * The brain: one loop over what the doorman let in (lanes.h), the helpers' results, the timer, the
 * monitor's news and a guest. It sleeps until one of them has something; there is one deadline and
 * no tick. It computes no Diffie-Hellman but for a new private key.
 */
enum {
	TURN = 64,
	MESSAGE_ROOM = sizeof(struct message_data) + MESSAGE_MAX + MESSAGE_PADDING + MESSAGE_TAG
};

#define BIND_PAUSE_FIRST (1 * NS_PER_S)
#define BIND_PAUSE_MAX (64 * NS_PER_S)

struct brain {
	struct device *d;
	const struct device_guest *guest;
	int poll;
	int timer;
	uint64_t bind_again; /* boot time; TIME_NEVER unless a link is up and has no socket */
	uint64_t bind_pause; /* ns before the next try, doubled each time */
	struct stall waiting;
	uint64_t fails_since; /* as stall_is_hopeless wants it */
	bool is_ending;
	enum device_end end;
	uint8_t message[MESSAGE_ROOM]; /* for staged packets */
};

static void end(struct brain *b, enum device_end why)
{
	if (!b->is_ending)
		b->end = why;
	b->is_ending = true;
}

/* The floor must be on disk before a stamp above the old one leaves, or a restart could send a
 * lower one. */
static void keep_floor(struct device *d)
{
	struct key_private key = { 0 };
	uint64_t floor;

	pthread_mutex_lock(&d->lock);
	floor = core_stamp_floor(d->core);
	if (core_private_key(d->core))
		key = *core_private_key(d->core);
	pthread_mutex_unlock(&d->lock);
	if (floor != d->floor_kept)
		device_keep_floor(d, &key, floor);
	crypto_wipe(&key, sizeof(key));
}

static void send_datagram(struct device *d, const struct handshake_datagram *datagram)
{
	enum udp_sent sent;

	keep_floor(d);
	steer_note(&d->lanes.steer, &datagram->to.ip, device_now().boot);
	sent = device_send(d, 0,
			   &(struct udp_message){
				   .bytes = datagram->bytes,
				   .len = datagram->len,
				   .to = datagram->to,
				   .source = datagram->from,
				   .tos = datagram->tos,
			   });
	pthread_mutex_lock(&d->lock);
	handshake_sent(d->core, device_now(), datagram, sent != UDP_FAILED,
		       sent == UDP_SENT_WITHOUT_SOURCE);
	pthread_mutex_unlock(&d->lock);
}

/* There is room: whoever calls has made it or has asked. */
static void give_job(struct brain *b, struct handshake_job *job)
{
	const bool has_room = helper_put(&b->d->helper, job);

	assert(has_room);
}

static void log_step(enum handshake_task task, enum handshake_step step,
		     const struct key_public *peer, const struct endpoint *from)
{
	static const char *const what[] = {
		[TASK_INITIATE] = "initiation made for",
		[TASK_RESPOND] = "initiation answered, of",
		[TASK_FINISH] = "handshake complete with the peer at",
	};
	char key[TEXT_KEY_BASE64], where[TEXT_ENDPOINT];

	if (!log_wants(LOG_DEBUG) || task == TASK_IDENTIFY)
		return;
	text_base64_from_key(peer->bytes, key);
	if (endpoint_is_set(from))
		text_from_endpoint(from, where);
	log_line(LOG_DEBUG, "%s %s%s", what[task],
		 task == TASK_FINISH && endpoint_is_set(from) ? where : key,
		 step == HANDSHAKE_DROPPED ? ": dropped, `diagnose=1' says why" : "");
}

static bool has_session(enum handshake_task task, enum handshake_step step)
{
	return (task == TASK_RESPOND && step == HANDSHAKE_SEND) ||
	       (task == TASK_FINISH && step != HANDSHAKE_DROPPED && step != HANDSHAKE_WORK);
}

/* What the helper has computed is decided, and what the decision asks for is done. */
static void finish_job(struct brain *b, struct handshake_job *job)
{
	struct device *d = b->d;
	const enum handshake_task task = job->task;
	const struct key_public peer = job->remote;
	const struct endpoint from = job->from;
	struct handshake_datagram datagram;
	uint8_t stamp[STAMP_LEN];
	enum handshake_step step;

	memcpy(stamp, job->stamp, STAMP_LEN);
	pthread_mutex_lock(&d->lock);
	step = handshake_commit(d->core, device_now(), job, &datagram);
	pthread_mutex_unlock(&d->lock);
	if (step == HANDSHAKE_WORK) {
		give_job(b, job);
		return;
	}
	if (d->session && has_session(task, step))
		d->session(d->session_ctx, &peer, &from, task == TASK_RESPOND ? stamp : NULL);
	if (step == HANDSHAKE_SEND)
		send_datagram(d, &datagram);
	log_step(task, step, &peer, &from);
}

static bool take_results(struct brain *b)
{
	struct handshake_job job;

	for (int i = 0; i < TURN; ++i) {
		if (!helper_take(&b->d->helper, &job))
			return false;
		finish_job(b, &job);
	}
	return true;
}

static void admit(struct brain *b, const struct ring_entry *entry)
{
	struct device *d = b->d;
	struct handshake_job job;
	enum handshake_step step;

	pthread_mutex_lock(&d->lock);
	step = handshake_admit(d->core, device_now(),
			       &(struct handshake_arrival){ .bytes = entry->bytes,
							    .len = entry->len,
							    .from = entry->from,
							    .to = entry->to },
			       &job);
	pthread_mutex_unlock(&d->lock);
	if (step == HANDSHAKE_WORK)
		give_job(b, &job);
}

/* Some room is left for handshakes of our own. True: there may be more. */
static bool admit_waiting(struct brain *b)
{
	struct lanes *l = &b->d->lanes;
	struct ring_entry entry;

	for (int i = 0; i < LANES_TYPE3 && lanes_take_type3(l, &entry); ++i)
		admit(b, &entry);
	for (int i = 0; i < TURN; ++i) {
		if (helper_room(&b->d->helper) <= HELPER_JOBS / 4 || !lanes_take(l, &entry))
			return false; /* a result or the doorman wakes us */
		admit(b, &entry);
	}
	return true;
}

static bool handle_output(struct brain *b)
{
	struct device *d = b->d;
	struct output output = { .packet = b->message + sizeof(struct message_data) };
	enum output_kind kind;

	if (!helper_room_own(&d->helper))
		return false; /* a result wakes us */
	pthread_mutex_lock(&d->lock);
	kind = core_pull(d->core, device_now(), &output);
	pthread_cond_broadcast(&d->settled); /* asking tells that the last packet has gone */
	pthread_mutex_unlock(&d->lock);
	switch (kind) {
	case OUTPUT_NONE:
		return false;
	case OUTPUT_JOB:
		give_job(b, &output.job);
		break;
	case OUTPUT_PACKET:
		device_seal_and_send(d, &output.sending, b->message, output.len);
		break;
	}
	return true;
}

static bool handle_outputs(struct brain *b)
{
	for (int i = 0; i < TURN; ++i)
		if (!handle_output(b))
			return false;
	return true;
}

/* A bounded turn of protocol work: none of its parts can hold up another. True: there is more. */
static bool work(struct brain *b)
{
	struct device *d = b->d;
	const struct moment now = device_now();
	bool more;

	pthread_mutex_lock(&d->lock);
	core_tick(d->core, now);
	pthread_mutex_unlock(&d->lock);
	more = take_results(b);
	more |= handle_outputs(b);
	if (atomic_exchange(&d->lanes.tells, false))
		lanes_fold(d, now);
	more |= admit_waiting(b);
	return more;
}

static void arm_timer(struct brain *b, uint64_t deadline)
{
	struct itimerspec at = { 0 };

	if (deadline != TIME_NEVER) {
		at.it_value.tv_sec = (time_t)(deadline / NS_PER_S);
		at.it_value.tv_nsec = (long)(deadline % NS_PER_S);
	}
	if (timerfd_settime(b->timer, TFD_TIMER_ABSTIME, &at, NULL))
		log_line(LOG_ERROR, "cannot set the timer: %s", strerror(errno));
}

/* How long may the loop sleep? Also settles what a worker compares with to decide whether to wake
 * us. */
static int prepare_sleep(struct brain *b, bool more)
{
	struct device *d = b->d;
	uint64_t deadline;
	bool changed;

	pthread_mutex_lock(&d->lock);
	more = more || (core_has_output(d->core) && helper_room_own(&d->helper));
	deadline = core_deadline(d->core);
	if (deadline > b->bind_again)
		deadline = b->bind_again;
	changed = deadline != d->armed;
	d->armed = deadline;
	pthread_mutex_unlock(&d->lock);
	if (changed)
		arm_timer(b, deadline);
	return more ? 0 : -1;
}

/* False: no socket can be had now; tried again later, and by a set of listen_port. */
static bool bind_first(struct brain *b)
{
	struct device *d = b->d;
	struct diag why = { 0 };
	struct udp u;

	if (d->port)
		return true;
	if (broker_bind(&d->broker, 0, d->mark, &why, &u)) {
		b->bind_pause = b->bind_pause ? 2 * b->bind_pause : BIND_PAUSE_FIRST;
		if (b->bind_pause > BIND_PAUSE_MAX)
			b->bind_pause = BIND_PAUSE_MAX;
		b->bind_again = device_now().boot + b->bind_pause;
		log_line(LOG_ERROR, "%s; tried again in %u s", why.text,
			 (unsigned int)(b->bind_pause / NS_PER_S));
		return false;
	}
	pthread_mutex_lock(&d->lock);
	device_use_sockets(d, &u, d->mark);
	pthread_mutex_unlock(&d->lock);
	broker_use(&d->broker);
	return true;
}

/* What the kernel takes is known once the link is up. */
static void probe_joins(struct device *d)
{
	unsigned int kinds;

	if (!tun_probe(&d->tun, &kinds))
		atomic_store(&d->join_kinds, kinds);
}

static void follow_link(struct brain *b)
{
	struct device *d = b->d;
	const struct link_state *s = &d->link;
	bool is_up;

	if (s->is_gone) {
		end(b, DEVICE_TUN_GONE);
		return;
	}
	b->bind_again = TIME_NEVER;
	atomic_store(&d->mtu, s->mtu);
	is_up = s->is_up && bind_first(b);
	if (is_up && !atomic_load(&d->is_up))
		probe_joins(d);
	lanes_lock(&d->lanes);
	pthread_mutex_lock(&d->lock);
	if (is_up) {
		core_up(d->core, device_now());
		device_resume_all(d);
	} else {
		core_down(d->core, device_now());
	}
	pthread_cond_broadcast(&d->settled);
	pthread_mutex_unlock(&d->lock);
	lanes_unlock(&d->lanes);
	atomic_store(&d->is_up, is_up);
	lanes_knock(&d->lanes); /* it may wait for this */
	log_line(LOG_INFO, "link %s, MTU %u, UDP port %u", is_up ? "up" : "down", s->mtu,
		 (unsigned int)d->port);
}

static void handle_wake(struct brain *b)
{
	uint64_t n;

	(void)!read(b->d->wake, &n, sizeof(n)); /* what matters is that it is empty */
	atomic_store(&b->d->wake_is_set, false);
	if (ring_backlog(&b->d->ring))
		lanes_knock(&b->d->lanes);
	if (atomic_load(&b->d->tun_is_gone))
		end(b, DEVICE_TUN_GONE);
}

static void handle_timer(struct brain *b)
{
	uint64_t n;

	(void)!read(b->timer, &n, sizeof(n));
	pthread_mutex_lock(&b->d->lock);
	b->d->armed = TIME_NEVER; /* fired: whatever comes next is armed anew */
	pthread_mutex_unlock(&b->d->lock);
	if (device_now().boot >= b->bind_again)
		follow_link(b);
}

static void handle_news(struct brain *b)
{
	struct news news;

	while (!b->is_ending && broker_news(&b->d->broker, &news)) {
		if (news.kind != NEWS_LINK) {
			end(b, DEVICE_TOLD);
			return;
		}
		b->d->link = (struct link_state){ .is_up = news.is_up,
						  .is_moved = news.is_moved,
						  .is_gone = news.is_gone,
						  .mtu = news.mtu };
		follow_link(b);
	}
}

static void handle_guest(struct brain *b)
{
	b->guest->handle(b->guest->ctx);
	/* It may have brought the port that could not be had so far. */
	if (b->bind_again != TIME_NEVER && b->d->port)
		follow_link(b);
}

static void handle(struct brain *b, int fd)
{
	if (fd == b->d->wake)
		handle_wake(b);
	else if (fd == b->timer)
		handle_timer(b);
	else if (fd == b->d->broker.news)
		handle_news(b);
	else
		handle_guest(b);
}

/* A host that is short of something recovers; else another engine may have more luck. */
static void note_wait(struct brain *b, int error)
{
	device_pace(b->d, &b->waiting, "wait", error);
	if (stall_is_hopeless(&b->fails_since, error, device_now().boot))
		end(b, DEVICE_FAILED);
}

static void loop(struct brain *b)
{
	struct epoll_event events[8];

	while (!b->is_ending) {
		const bool more = work(b);
		const int n = epoll_wait(b->poll, events, ELEMENTS(events), prepare_sleep(b, more));

		note_wait(b, n < 0 ? -errno : 0);
		for (int i = 0; i < n && !b->is_ending; ++i)
			handle(b, events[i].data.fd);
	}
}

struct brain *brain_free(struct brain *b)
{
	if (!b)
		return NULL;
	if (b->poll >= 0)
		close(b->poll);
	if (b->timer >= 0)
		close(b->timer);
	crypto_wipe(b->message, sizeof(b->message));
	free(b);
	return NULL;
}

struct brain *brain_new(struct device *d)
{
	struct brain *b = calloc(1, sizeof(*b));
	int error;

	if (!b)
		return NULL;
	b->d = d;
	b->bind_again = TIME_NEVER;
	b->end = DEVICE_FAILED;
	b->poll = epoll_create1(EPOLL_CLOEXEC);
	b->timer = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	if (b->poll >= 0 && b->timer >= 0)
		return b;
	error = errno;
	brain_free(b);
	errno = error;
	return NULL;
}

static int watch_all(struct brain *b)
{
	const int fds[] = { b->d->wake, b->timer, b->d->broker.news, b->guest->fd };
	int err = 0;

	for (size_t i = 0; i < ELEMENTS(fds) && !err; ++i)
		err = device_watch(b->poll, fds[i]);
	return err;
}

enum device_end device_run(struct device *d, const struct device_guest *guest)
{
	struct brain *b = d->brain;
	int err;

	b->guest = guest;
	err = watch_all(b);
	if (!err)
		err = helper_start(&d->helper);
	if (!err)
		err = worker_start(d);
	if (!err) {
		err = lanes_start(d);
		if (err)
			worker_stop(d);
	}
	if (err) {
		helper_stop(&d->helper);
		log_line(LOG_ERROR, "cannot start: %s", strerror(-err));
		return DEVICE_FAILED;
	}
	follow_link(b);
	if (!b->is_ending)
		guest->is_running(guest->ctx);
	loop(b);
	lanes_stop(d);
	worker_stop(d);
	helper_stop(&d->helper);
	device_end_identity(d);
	pthread_mutex_lock(&d->lock);
	core_down(d->core, device_now());
	pthread_mutex_unlock(&d->lock);
	return b->end;
}
