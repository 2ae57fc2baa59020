#include "device/monitor.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/log.h"
#include "base/time.h"
#include "crypto/crypto.h"
#include "device/backoff.h"
#include "device/channel.h"
#include "device/floor_file.h"
#include "device/floor_guard.h"
#include "device/request.h"

enum { REQUESTS_PER_TURN = 64 };

#define PATIENCE (3 * NS_PER_S) /* an engine that was told to end and does not is killed */

struct monitor {
	const struct monitor_config *config;
	struct link link;
	struct sandbox_user user;
	int signals;
	int records;
	struct key_shared mask;

	struct udp used; /* port 0: none */
	uint32_t mark;
	struct udp bound; /* asked for, not in use yet; port 0: none */
	uint32_t bound_mark;

	pid_t engine; /* 0: none now */
	int requests; /* our ends; -1: no engine */
	int news;
	bool owes_news; /* the engine did not take the last */
	struct floor_guard guard;
	uint64_t started;
	uint64_t start_at; /* TIME_NEVER: not waiting to start one */
	uint64_t kill_at;
	struct backoff backoff;
	bool has_run;

	bool is_ending; /* an engine that ends now has done as told */
	bool is_over;
	enum monitor_end end;
};

static uint64_t clock_now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_BOOTTIME, &t); /* cannot fail */
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void finish(struct monitor *m, enum monitor_end why)
{
	m->is_over = true;
	m->end = why;
}

/* --- what the engine is told ----------------------------------------------------------------- */

/* What does not fit now is sent when it does, as it is then. */
static void send_news(struct monitor *m)
{
	const struct link_state *s = &m->link.state;
	const struct news n = { .kind = m->is_ending ? NEWS_END : NEWS_LINK,
				.mtu = s->mtu,
				.is_up = s->is_up,
				.is_moved = s->is_moved,
				.is_gone = s->is_gone };

	if (m->news >= 0)
		m->owes_news = channel_send(m->news, &n, sizeof(n), NULL, 0) == -EAGAIN;
}

static void end_engine(struct monitor *m, enum monitor_end why)
{
	if (m->is_ending)
		return;
	m->is_ending = true;
	m->end = why;
	m->kill_at = clock_now() + PATIENCE;
	if (m->engine)
		send_news(m);
	else
		m->is_over = true;
}

static void kill_engine(struct monitor *m)
{
	if (m->engine)
		(void)kill(m->engine, SIGKILL); /* a child of ours that was not waited for */
	m->kill_at = TIME_NEVER;
}

/* --- what the engine asks for ---------------------------------------------------------------- */

static void drop_bound(struct monitor *m)
{
	if (m->bound.port)
		udp_close(&m->bound);
	m->bound.port = 0;
}

static void bind_sockets(struct monitor *m, const struct request *r, struct reply *ret)
{
	struct udp_config config = m->config->sockets;
	struct diag why = { 0 };

	config.port = (uint16_t)r->port;
	config.mark = r->mark;
	drop_bound(m);
	ret->error = udp_bind(&config, &why, &m->bound);
	if (ret->error) {
		m->bound.port = 0;
		memcpy(ret->text, why.text, sizeof(ret->text));
		return;
	}
	m->bound_mark = r->mark;
	ret->port = m->bound.port;
}

static int use_bound(struct monitor *m)
{
	if (!m->bound.port)
		return -ENOENT;
	if (m->used.port)
		udp_close(&m->used);
	m->used = m->bound;
	m->mark = m->bound_mark;
	m->bound.port = 0;
	return 0;
}

static int set_mark(struct monitor *m, uint32_t mark)
{
	const int error = m->used.port ? udp_set_mark(&m->used, mark) : 0;

	if (!error)
		m->mark = mark;
	return error;
}

static void note_running(struct monitor *m)
{
	if (m->has_run)
		return;
	m->has_run = true;
	m->config->is_running(m->config->running_ctx);
}

static int write_floor(struct monitor *m, const struct request *r)
{
	const char *const dir = m->config->state_dir;
	struct moment now = { .boot = clock_now() };
	struct timespec real;

	(void)clock_gettime(CLOCK_REALTIME, &real); /* cannot fail */
	now.real = (uint64_t)real.tv_sec * NS_PER_S + (uint64_t)real.tv_nsec;
	if (!floor_guard_allows(&m->guard, r->floor, floor_file_read(dir, &r->key), now))
		return -ERANGE;
	return floor_file_write(dir, &r->key, r->floor);
}

static void answer(struct monitor *m, const struct request *r, struct reply *ret)
{
	switch ((enum request_kind)r->kind) {
	case REQUEST_RUNNING:
		note_running(m);
		break;
	case REQUEST_BIND:
		bind_sockets(m, r, ret);
		break;
	case REQUEST_USE:
		ret->error = use_bound(m);
		break;
	case REQUEST_DROP:
		drop_bound(m);
		break;
	case REQUEST_MARK:
		ret->error = set_mark(m, r->mark);
		break;
	case REQUEST_READ_FLOOR:
		ret->floor = floor_file_read(m->config->state_dir, &r->key);
		break;
	case REQUEST_WRITE_FLOOR:
		ret->error = write_floor(m, r);
		break;
	case REQUEST_LAST:
		break;
	}
}

/* The sockets of a fresh bind go along. */
static int send_reply(struct monitor *m, struct reply *reply)
{
	int placed[UDP_FDS], fds[UDP_FDS];
	size_t count = 0;

	if (reply->port) {
		udp_to_fds(&m->bound, placed);
		for (unsigned int i = 0; i < UDP_FDS; ++i) {
			if (placed[i] < 0)
				continue;
			reply->sockets |= 1U << i;
			fds[count++] = placed[i];
		}
	}
	return channel_send(m->requests, reply, sizeof(*reply), fds, count);
}

/* False: nothing more for now. What no engine of ours would send comes from one that is not itself
 * any more. */
static bool serve(struct monitor *m)
{
	uint8_t bytes[sizeof(struct request)];
	struct reply reply = { 0 };
	struct request r;
	const ssize_t len = channel_take(m->requests, bytes, sizeof(bytes));

	if (len == -EAGAIN)
		return false;
	if (len <= 0 || !request_check(bytes, (size_t)len, &r)) {
		if (len > 0)
			log_line(LOG_ERROR, "an engine sent what is no request: killed");
		kill_engine(m);
		close_fd(&m->requests);
		return false;
	}
	answer(m, &r, &reply);
	if (send_reply(m, &reply) == 0)
		return true;
	kill_engine(m); /* dead already, or it asks and never listens */
	close_fd(&m->requests);
	return false;
}

static void serve_all(struct monitor *m)
{
	for (int i = 0; i < REQUESTS_PER_TURN && m->requests >= 0; ++i)
		if (!serve(m))
			return;
}

/* --- engines come and go --------------------------------------------------------------------- */

/* In the new process. */
_Noreturn static void run_engine(const struct monitor *m, int requests, int news, pid_t monitor)
{
	const struct monitor_config *c = m->config;
	const struct engine_start start = { .broker = { .requests = requests, .news = news },
					    .sockets = m->used,
					    .mark = m->mark,
					    .link = m->link.state,
					    .records = m->records,
					    .mask = m->mask,
					    .user = m->user,
					    .monitor = monitor };
	int keep[UDP_FDS + TUN_QUEUES_MAX + 5] = { requests, news, c->listener, c->keylog,
						   m->records };
	size_t count = 5;

	for (int i = 0; i < c->tun.queues; ++i)
		keep[count++] = tun_queue(&c->tun, i);
	if (m->used.port) {
		udp_to_fds(&m->used, keep + count);
		count += UDP_FDS;
	}
	sandbox_tie(monitor);
	sandbox_keep(keep, count);
	_exit(c->engine(c->engine_ctx, &start));
}

static void close_pair(int pair[static 2])
{
	close_fd(&pair[0]);
	close_fd(&pair[1]);
}

static int fork_engine(struct monitor *m)
{
	const pid_t self = getpid();
	int requests[2] = { -1, -1 };
	int news[2] = { -1, -1 };
	int error = channel_open(requests);
	pid_t pid = -1;

	if (!error)
		error = channel_open(news);
	if (!error && (pid = fork()) < 0)
		error = -errno;
	if (pid == 0)
		run_engine(m, requests[1], news[1], self);
	if (error) {
		close_pair(requests);
		close_pair(news);
		return error;
	}
	close(requests[1]);
	close(news[1]);
	m->requests = requests[0];
	m->news = news[0];
	m->engine = pid;
	m->owes_news = false;
	return 0;
}

/* After a death, or a start that failed. */
static void start_later(struct monitor *m)
{
	const uint64_t now = clock_now();
	uint64_t pause;

	(void)link_refresh(&m->link); /* an engine without a TUN ends by itself */
	if (m->link.state.is_gone) {
		finish(m, MONITOR_TUN_GONE);
	} else if (!m->has_run) {
		finish(m, MONITOR_FAILED);
	} else {
		pause = backoff_died(&m->backoff, now - m->started);
		if (pause)
			log_line(LOG_ERROR,
				 "engines keep dying: the next is started in %u s; until then "
				 "nothing is carried",
				 (unsigned int)(pause / NS_PER_S));
		m->start_at = now + pause;
	}
}

static void start_engine(struct monitor *m)
{
	int error;

	m->start_at = TIME_NEVER;
	m->started = clock_now();
	error = fork_engine(m);
	if (!error)
		return;
	log_line(LOG_ERROR, "cannot start an engine: %s", strerrordesc_np(-error));
	start_later(m);
}

static void log_death(int status)
{
	if (WIFSIGNALED(status))
		log_line(LOG_ERROR, "the engine was killed by signal %d (SIG%s)", WTERMSIG(status),
			 sigabbrev_np(WTERMSIG(status)) ? sigabbrev_np(WTERMSIG(status)) : "?");
	else
		log_line(LOG_ERROR, "the engine ended by itself, status %d", WEXITSTATUS(status));
}

static void bury(struct monitor *m, int status)
{
	serve_all(m); /* its last words */
	close_fd(&m->requests);
	close_fd(&m->news);
	drop_bound(m);
	m->engine = 0;
	m->kill_at = TIME_NEVER;
	if (m->is_ending) {
		m->is_over = true;
		return;
	}
	(void)link_refresh(&m->link);
	if (!m->link.state.is_gone && (m->has_run || WIFSIGNALED(status)))
		log_death(status);
	start_later(m);
}

static void handle_signal(struct monitor *m)
{
	struct signalfd_siginfo info;
	int status;

	if (read(m->signals, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo != SIGCHLD)
		end_engine(m, MONITOR_SIGNALLED);
	else if (m->engine && waitpid(m->engine, &status, WNOHANG) == m->engine)
		bury(m, status);
}

/* --- the loop -------------------------------------------------------------------------------- */

static sigset_t held_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGQUIT);
	sigaddset(&set, SIGCHLD);
	return set;
}

void monitor_hold_signals(void)
{
	const sigset_t set = held_signals();

	(void)sigprocmask(SIG_BLOCK, &set, NULL); /* can't fail with these arguments */
}

/* Whatever has come, in an order that lets an engine's last words count. */
static void handle(struct monitor *m, const struct pollfd *signals, const struct pollfd *requests,
		   const struct pollfd *news, const struct pollfd *link, const struct pollfd *guest)
{
	const struct monitor_guest *g = &m->config->guest;

	if (requests->revents)
		serve_all(m);
	if (link->revents && link_handle(&m->link))
		send_news(m);
	if (news->revents) /* room, or nobody who reads it */
		send_news(m);
	if (guest->revents && g->is_over(g->ctx))
		end_engine(m, MONITOR_GUEST_OVER);
	if (signals->revents)
		handle_signal(m);
}

static int wait_time(const struct monitor *m)
{
	const uint64_t due = m->start_at < m->kill_at ? m->start_at : m->kill_at;
	const uint64_t now = clock_now();

	if (due == TIME_NEVER)
		return -1;
	return due <= now ? 0 : (int)((due - now) / NS_PER_MS) + 1;
}

static void turn(struct monitor *m)
{
	struct pollfd fds[] = {
		{ .fd = m->signals, .events = POLLIN },
		{ .fd = m->requests, .events = POLLIN },
		{ .fd = m->owes_news ? m->news : -1, .events = POLLOUT },
		{ .fd = m->link.fd, .events = POLLIN },
		{ .fd = m->config->guest.fd, .events = POLLIN },
	};

	if (poll(fds, ELEMENTS(fds), wait_time(m)) > 0)
		handle(m, &fds[0], &fds[1], &fds[2], &fds[3], &fds[4]);
	if (m->kill_at <= clock_now())
		kill_engine(m);
	if (!m->is_ending && m->start_at <= clock_now())
		start_engine(m);
}

static int open_all(struct monitor *m)
{
	const sigset_t set = held_signals();
	int error;

	monitor_hold_signals();
	(void)signal(SIGPIPE, SIG_IGN); /* can't fail for a signal that exists */
	(void)signal(SIGCHLD, SIG_DFL); /* likewise; ignored, as it may be inherited, none comes */
	m->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (m->signals < 0)
		return -errno;
	m->records = memfd_create("warren-records", MFD_CLOEXEC);
	if (m->records < 0)
		return -errno;
	if (!crypto_random(&m->mask, sizeof(m->mask)))
		return -EIO;
	error = link_open(&m->config->tun, &m->link);
	if (!error)
		m->user = sandbox_user(m->config->tun.name);
	return error;
}

static void close_all(struct monitor *m)
{
	crypto_wipe(&m->mask, sizeof(m->mask));
	close_fd(&m->signals);
	close_fd(&m->records);
	close_fd(&m->requests);
	close_fd(&m->news);
	link_close(&m->link);
	drop_bound(m);
	if (m->used.port)
		udp_close(&m->used);
}

enum monitor_end monitor_run(const struct monitor_config *config)
{
	struct monitor m = { .config = config,
			     .link.fd = -1,
			     .signals = -1,
			     .records = -1,
			     .requests = -1,
			     .news = -1,
			     .start_at = TIME_NEVER,
			     .kill_at = TIME_NEVER,
			     .end = MONITOR_FAILED };
	const int error = open_all(&m);

	if (error)
		log_line(LOG_ERROR, "cannot start: %s", strerrordesc_np(-error));
	else
		start_engine(&m);
	if (config->guest.fd >= 0 && config->guest.is_over(config->guest.ctx))
		end_engine(&m, MONITOR_GUEST_OVER); /* before we listened to it */
	while (!error && !m.is_over)
		turn(&m);
	close_all(&m);
	return m.end;
}
