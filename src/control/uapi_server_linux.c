#include "control/uapi_server.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/log.h"
#include "base/time.h"
#include "control/uapi.h"
#include "control/uapi_socket.h"

enum {
	INPUT_STEP = 64 * 1024, /* of one client in one call of handle */
	OUTPUT_STEP = 256 * 1024,
	PROGRESS = 4096,    /* less than this is no sign of life: 1 byte a second holds no place */
	PATIENCE_MS = 1000, /* when all places are taken */
	IDLE_MS = 50,       /* likewise, with who has never said anything */
	PAUSE_MS = 100,     /* after a failure to accept */
	REQUEST_MAX = 512 << 20, /* a million peers with all there is to say of them */
	OUTPUT_MAX = 256 << 20,  /* of all clients, but one may always have its answer */
	DISCARD_MAX = 64 << 20,  /* what a refused client may go on to send */
	ANSWER_ROOM = 32,        /* "errno=-12" and the line breaks, and a NUL */
};

/* What an epoll event is of; below them are the places of clients. */
enum { TOKEN_LISTENER = UAPI_CLIENTS_MAX, TOKEN_WATCH, TOKEN_PAUSE };

enum client_state {
	CLIENT_NONE, /* a free place */
	CLIENT_READS,
	CLIENT_WRITES,
	CLIENT_LEAVES, /* all is said: discards, so that closing does not destroy the answer */
};

struct client {
	int fd;
	enum client_state state;
	uint32_t
		generation; /* tells an event of this client from one of who had the place before */
	uint32_t interest;  /* what epoll was told */
	bool leaves;        /* after the answer */
	bool at_rest;       /* between two requests */
	uint64_t alive_ms;  /* when it last made progress */
	size_t moved;       /* since then */
	size_t taken;       /* of this request, or discarded */
	struct uapi_parser parser;
	struct buffer answer;
	size_t sent;
	struct model_cursor cursor; /* of a get whose answer goes on */
	bool is_partial;            /* it does */
};

struct uapi_server {
	struct uapi_socket socket;
	struct backend backend;
	int epoll;
	int pause; /* timer: runs while not accepting */
	bool paused;
	struct client clients[UAPI_CLIENTS_MAX];
	char input[INPUT_STEP]; /* wiped after use */
};

static uint64_t now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail */
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / NS_PER_MS;
}

static int watch_fd(const struct uapi_server *s, int fd, uint64_t token)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = token };

	return epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static void set_pause(struct uapi_server *s, bool paused)
{
	const struct itimerspec when = { .it_value.tv_nsec = paused ? PAUSE_MS * NS_PER_MS : 0 };
	struct epoll_event event = { .events = paused ? 0 : EPOLLIN, .data.u64 = TOKEN_LISTENER };

	/* neither can fail on descriptors of our own */
	(void)timerfd_settime(s->pause, 0, &when, NULL);
	(void)epoll_ctl(s->epoll, EPOLL_CTL_MOD, s->socket.listener, &event);
	s->paused = paused;
}

static void client_close(struct uapi_server *s, struct client *c)
{
	close(c->fd);
	uapi_parser_done(&c->parser);
	buffer_done(&c->answer);
	c->state = CLIENT_NONE;
	++c->generation;
	if (s->paused)
		set_pause(s, false);
}

static void client_moved(struct client *c, size_t len)
{
	c->moved += len;
	if (c->moved < PROGRESS)
		return;
	c->moved = 0;
	c->alive_ms = now_ms();
}

static void client_wants(struct uapi_server *s, struct client *c)
{
	struct epoll_event event = {
		.events = c->state == CLIENT_WRITES ? EPOLLOUT : EPOLLIN,
		.data.u64 = (uint64_t)c->generation << 32 | (uint64_t)(c - s->clients),
	};

	if (event.events == c->interest)
		return;
	c->interest = event.events;
	(void)epoll_ctl(s->epoll, EPOLL_CTL_MOD, c->fd, &event); /* cannot fail: it is there */
}

static bool is_worse(const struct client *c, const struct client *than)
{
	if (c->at_rest != than->at_rest)
		return than->at_rest;
	return c->alive_ms < than->alive_ms;
}

/* Nothing has come of it, and nothing waits to be read. */
static bool is_idle(const struct client *c)
{
	struct pollfd input = { .fd = c->fd, .events = POLLIN };

	return c->state == CLIENT_READS && !c->at_rest && !c->taken && poll(&input, 1, 0) == 0;
}

static bool is_stuck(const struct client *c, uint64_t now)
{
	return now - c->alive_ms >= PATIENCE_MS || (now - c->alive_ms >= IDLE_MS && is_idle(c));
}

/* Who has been longest without progress, in the middle of a transfer rather than at rest. */
static struct client *find_stuck(struct uapi_server *s)
{
	const uint64_t now = now_ms();
	struct client *worst = NULL;

	for (struct client *c = s->clients; c < s->clients + UAPI_CLIENTS_MAX; ++c) {
		if (c->state == CLIENT_NONE || !is_stuck(c, now))
			continue;
		if (!worst || is_worse(c, worst))
			worst = c;
	}
	return worst;
}

/* Memory for answers that nobody reads is bounded; spare has just got its answer. */
static void shed_answers(struct uapi_server *s, const struct client *spare)
{
	struct client *worst;
	size_t held;

	do {
		worst = NULL;
		held = 0;
		for (struct client *c = s->clients; c < s->clients + UAPI_CLIENTS_MAX; ++c) {
			if (c->state != CLIENT_WRITES)
				continue;
			held += c->answer.room;
			if (c != spare && (!worst || is_worse(c, worst)))
				worst = c;
		}
		if (worst && held > OUTPUT_MAX)
			client_close(s, worst);
	} while (worst && held > OUTPUT_MAX);
}

static void client_leave(struct client *c)
{
	(void)shutdown(c->fd, SHUT_WR); /* fails only if the client has gone: we shall see that */
	c->state = CLIENT_LEAVES;
	c->taken = 0;
}

/* The next piece of a get. */
static int answer_get(struct uapi_server *s, struct client *c)
{
	static const struct model_cursor none;
	struct model m;
	int error;

	model_init(&m);
	error = s->backend.get(s->backend.ctx, &c->cursor, &m);
	if (!error)
		uapi_write_model(&c->answer, &m);
	c->is_partial = !error && memcmp(&c->cursor, &none, sizeof(none)) != 0;
	model_done(&m);
	return error;
}

/* The errno behind what the answer holds. No memory for that much: only the errno, which ends a get
 * as if it had gone wrong, and it has. */
static void answer_end(struct client *c, enum uapi_status operation, int error)
{
	if (buffer_ok(&c->answer) && c->is_partial)
		return;
	c->is_partial = false;
	uapi_write_errno(&c->answer, operation, error);
	if (buffer_ok(&c->answer))
		return;
	buffer_done(&c->answer);
	uapi_write_errno(&c->answer, operation, -ENOMEM);
}

static void answer_more(struct uapi_server *s, struct client *c)
{
	answer_end(c, UAPI_GET, answer_get(s, c));
	if (!buffer_ok(&c->answer))
		client_close(s, c);
}

static void client_write(struct uapi_server *s, struct client *c)
{
	size_t want = c->answer.len - c->sent;
	ssize_t len;

	if (want > OUTPUT_STEP)
		want = OUTPUT_STEP;
	len = send(c->fd, c->answer.bytes + c->sent, want, MSG_NOSIGNAL);
	if (len < 0) {
		if (errno != EAGAIN && errno != EINTR)
			client_close(s, c);
		return;
	}
	client_moved(c, (size_t)len);
	c->sent += (size_t)len;
	if (c->sent < c->answer.len)
		return;
	buffer_done(&c->answer);
	c->sent = 0;
	if (c->is_partial) {
		answer_more(s, c);
		return;
	}
	c->state = CLIENT_READS;
	c->at_rest = true;
	c->alive_ms = now_ms();
	if (c->leaves)
		client_leave(c);
}

static int answer_diagnose(struct uapi_server *s, struct buffer *answer)
{
	struct diagnosis d;
	int error;

	diagnosis_init(&d);
	error = s->backend.diagnose(s->backend.ctx, &d);
	if (!error)
		uapi_write_diagnosis(answer, &d);
	diagnosis_done(&d);
	return error;
}

/* The answer has its room before the change is made: what was done is never told as a failure. */
static int answer_set(struct uapi_server *s, struct buffer *answer, const struct model *patch)
{
	struct diag why = { 0 };
	int error;

	error = buffer_reserve(answer, ANSWER_ROOM) ? s->backend.set(s->backend.ctx, patch, &why)
						    : -ENOMEM;
	if (error)
		log_line(LOG_ERROR, "UAPI: set failed: %s",
			 why.text[0] ? why.text : strerror(-error));
	return error;
}

static void client_answer(struct uapi_server *s, struct client *c, int error)
{
	const enum uapi_status operation = c->parser.operation;

	uapi_parser_done(&c->parser);
	answer_end(c, operation, error);
	if (!buffer_ok(&c->answer)) {
		client_close(s, c);
		return;
	}
	c->state = CLIENT_WRITES;
	c->taken = 0;
	shed_answers(s, c);
	client_write(s, c);
}

static void client_refuse(struct uapi_server *s, struct client *c, int error)
{
	const struct diag *why = &c->parser.why;

	log_line(LOG_ERROR, "UAPI: request refused: line %u: %s%s%s",
		 why->line ? why->line : c->parser.line,
		 why->text[0] ? why->text : strerror(-error), why->hint[0] ? "; right: " : "",
		 why->hint);
	c->leaves = true;
	client_answer(s, c, error);
}

static void client_more(struct uapi_server *s, struct client *c, size_t len)
{
	c->at_rest = false;
	c->taken += len;
	client_moved(c, len);
	if (c->taken > REQUEST_MAX)
		client_refuse(s, c, -ENOMEM);
}

static void client_parsed(struct uapi_server *s, struct client *c, enum uapi_status status,
			  size_t len)
{
	switch (status) {
	case UAPI_MORE:
		client_more(s, c, len);
		break;
	case UAPI_GET:
		client_answer(s, c, answer_get(s, c));
		break;
	case UAPI_DIAGNOSE:
		client_answer(s, c, answer_diagnose(s, &c->answer));
		break;
	case UAPI_SET:
		client_answer(s, c, answer_set(s, &c->answer, &c->parser.patch));
		break;
	case UAPI_REFUSED:
		client_refuse(s, c, c->parser.error);
		break;
	case UAPI_UNKNOWN:
		client_leave(c);
		break;
	}
}

/* What was peeked at and used; a receive may give less than a peek. */
static bool consume(struct uapi_server *s, struct client *c, size_t len)
{
	while (len) {
		const ssize_t got = recv(c->fd, s->input, len, 0);

		if (got <= 0)
			return false;
		len -= (size_t)got;
	}
	return true;
}

/* Bytes behind a request stay in the socket until it is answered: so at most one a call. */
static void client_read(struct uapi_server *s, struct client *c)
{
	const ssize_t len = recv(c->fd, s->input, sizeof(s->input), MSG_PEEK);
	enum uapi_status status;
	size_t used;

	if (len <= 0) {
		if (len == 0 || (errno != EAGAIN && errno != EINTR))
			client_close(s, c);
		return;
	}
	status = uapi_parse(&c->parser, s->input, (size_t)len, &used);
	if (consume(s, c, used))
		client_parsed(s, c, status, used);
	else
		client_close(s, c);
	explicit_bzero(s->input, (size_t)len);
}

static void client_discard(struct uapi_server *s, struct client *c)
{
	const ssize_t len = recv(c->fd, s->input, sizeof(s->input), 0);

	if (len < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (len > 0) {
		explicit_bzero(s->input, (size_t)len);
		client_moved(c, (size_t)len);
		c->taken += (size_t)len;
	}
	if (len <= 0 || c->taken > DISCARD_MAX)
		client_close(s, c);
}

static void client_handle(struct uapi_server *s, struct client *c)
{
	switch (c->state) {
	case CLIENT_NONE:
		return;
	case CLIENT_READS:
		client_read(s, c);
		break;
	case CLIENT_WRITES:
		client_write(s, c);
		break;
	case CLIENT_LEAVES:
		client_discard(s, c);
		break;
	}
	if (c->state != CLIENT_NONE)
		client_wants(s, c);
}

static struct client *find_place(struct uapi_server *s)
{
	for (struct client *c = s->clients; c < s->clients + UAPI_CLIENTS_MAX; ++c) {
		if (c->state == CLIENT_NONE)
			return c;
	}
	return NULL;
}

/* When all places are taken: one that is stuck, or NULL for now. */
static struct client *make_place(struct uapi_server *s)
{
	struct client *stuck = find_stuck(s);

	if (stuck)
		client_close(s, stuck);
	else
		set_pause(s, true);
	return stuck;
}

static bool is_somebody_waiting(const struct uapi_server *s)
{
	struct pollfd waiting = { .fd = s->socket.listener, .events = POLLIN };

	return poll(&waiting, 1, 0) == 1;
}

/* Who is at the other end of a connection, or who listens on a listener. */
static bool get_uid(int fd, uid_t *ret)
{
	socklen_t len = sizeof(struct ucred);
	struct ucred peer;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return false;
	*ret = peer.uid;
	return true;
}

/* Our own uid by now may be another than that of who opened the listener for us. */
static bool is_allowed(const struct uapi_server *s, int fd)
{
	uid_t client, owner;

	return get_uid(fd, &client) &&
	       (client == 0 || (get_uid(s->socket.listener, &owner) && client == owner));
}

static void client_start(struct uapi_server *s, struct client *c, int fd)
{
	const uint32_t generation = c->generation;

	if (!is_allowed(s, fd) ||
	    watch_fd(s, fd, (uint64_t)generation << 32 | (uint64_t)(c - s->clients)) < 0) {
		close(fd);
		return;
	}
	*c = (struct client){ .fd = fd,
			      .state = CLIENT_READS,
			      .generation = generation,
			      .interest = EPOLLIN,
			      .alive_ms = now_ms() };
	uapi_parser_init(&c->parser);
	buffer_init(&c->answer);
}

static void accept_clients(struct uapi_server *s)
{
	for (int i = 0; i < UAPI_CLIENTS_MAX && is_somebody_waiting(s); ++i) {
		struct client *c = find_place(s);
		int fd;

		if (!c)
			c = make_place(s);
		if (!c)
			return;
		fd = accept4(s->socket.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			client_start(s, c, fd);
		} else if (errno == EAGAIN) {
			return;
		} else if (errno != EINTR && errno != ECONNABORTED) {
			set_pause(s, true);
			return;
		}
	}
}

static void end_pause(struct uapi_server *s)
{
	uint64_t times;

	if (read(s->pause, &times, sizeof(times)) == (ssize_t)sizeof(times))
		set_pause(s, false);
}

static void handle_event(struct uapi_server *s, uint64_t token)
{
	const uint32_t place = (uint32_t)token;

	if (place == TOKEN_LISTENER)
		accept_clients(s);
	else if (place == TOKEN_WATCH)
		uapi_socket_check(&s->socket);
	else if (place == TOKEN_PAUSE)
		end_pause(s);
	else if (s->clients[place].generation == token >> 32)
		client_handle(s, &s->clients[place]);
}

static void server_close(struct uapi_server *s)
{
	if (s->epoll >= 0)
		close(s->epoll);
	if (s->pause >= 0)
		close(s->pause);
	free(s);
}

static int fail(struct diag *why, int error)
{
	diag_set(why, DIAG_ERROR, "uapi-server", 0, "cannot serve the UAPI: %s", strerror(-error));
	return error;
}

/* All but the socket. */
static int server_open(const struct backend *backend, struct diag *why, struct uapi_server **ret)
{
	struct uapi_server *s = calloc(1, sizeof(*s));
	int error = 0;

	if (!s)
		return fail(why, -ENOMEM);
	s->backend = *backend;
	s->epoll = epoll_create1(EPOLL_CLOEXEC);
	s->pause = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (s->epoll < 0 || s->pause < 0)
		error = -errno;
	else
		error = watch_fd(s, s->pause, TOKEN_PAUSE);
	if (error) {
		server_close(s);
		return fail(why, error);
	}
	*ret = s;
	return 0;
}

static int server_watch(struct uapi_server *s, struct diag *why)
{
	int error = watch_fd(s, s->socket.listener, TOKEN_LISTENER);

	if (!error && s->socket.watch >= 0)
		error = watch_fd(s, s->socket.watch, TOKEN_WATCH);
	return error ? fail(why, error) : 0;
}

int uapi_server_new(const char *dir, const char *name, const struct backend *backend,
		    struct diag *why, struct uapi_server **ret)
{
	struct uapi_server *s;
	int error = server_open(backend, why, &s);

	if (error)
		return error;
	error = uapi_socket_bind(&s->socket, dir, name, why);
	if (error)
		goto failed;
	error = server_watch(s, why);
	if (error)
		goto failed_bound;
	*ret = s;
	return 0;
failed_bound:
	uapi_socket_done(&s->socket);
failed:
	server_close(s);
	return error;
}

int uapi_server_adopt(int fd, const char *dir, const char *name, const struct backend *backend,
		      struct diag *why, struct uapi_server **ret)
{
	struct uapi_server *s;
	int error = server_open(backend, why, &s);

	if (error)
		return error;
	error = uapi_socket_adopt(&s->socket, fd, dir, name, why);
	if (error)
		goto failed;
	error = server_watch(s, why);
	if (error)
		goto failed_adopted;
	*ret = s;
	return 0;
failed_adopted:
	uapi_socket_disown(&s->socket);
failed:
	server_close(s);
	return error;
}

int uapi_server_attach(int fd, const struct backend *backend, struct diag *why,
		       struct uapi_server **ret)
{
	struct uapi_server *s;
	int error = server_open(backend, why, &s);

	if (error)
		return error;
	s->socket = (struct uapi_socket){ .listener = fd, .dir = -1, .watch = -1 };
	error = server_watch(s, why);
	if (error)
		server_close(s);
	else
		*ret = s;
	return error;
}

struct uapi_server *uapi_server_free(struct uapi_server *s)
{
	if (!s)
		return NULL;
	for (struct client *c = s->clients; c < s->clients + UAPI_CLIENTS_MAX; ++c) {
		if (c->state != CLIENT_NONE)
			client_close(s, c);
	}
	uapi_socket_done(&s->socket);
	server_close(s);
	return NULL;
}

int uapi_server_fd(const struct uapi_server *s)
{
	return s->epoll;
}

int uapi_server_listener(const struct uapi_server *s)
{
	return s->socket.listener;
}

void uapi_server_handle(struct uapi_server *s)
{
	struct epoll_event events[UAPI_CLIENTS_MAX + 3];
	const int count = epoll_wait(s->epoll, events, ELEMENTS(events), 0);

	for (int i = 0; i < count; ++i)
		handle_event(s, events[i].data.u64);
}

bool uapi_server_is_gone(const struct uapi_server *s)
{
	return s->socket.gone;
}
