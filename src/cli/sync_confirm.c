#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "cli/run_file.h"
#include "cli/stop.h"
#include "cli/tunnel_sync.h"

/*
 * A change that undoes itself. The one who asked may lose the terminal by this very change, so a
 * child in a session of its own, whom no hangup reaches, does it, waits, and takes it back unless
 * it is told "yes": by the process at the terminal, or by another one that comes in a new
 * connection (`warren sync NAME --confirm yes`) through /run/warren/NAME.confirm. If the child is
 * killed, the next command finds the journal in the middle of a sync, and takes it back.
 */
enum { LINE_ROOM = 16 };
enum { PATH_ROOM = sizeof(((struct sockaddr_un *)NULL)->sun_path) };

/* What the child tells. */
enum news { NEWS_NONE, NEWS_APPLIED = 'A', NEWS_KEPT = 'K', NEWS_UNDONE = 'U', NEWS_FAILED = 'F' };

static bool place_of(const struct journal *j, struct sockaddr_un *ret)
{
	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	return snprintf(ret->sun_path, PATH_ROOM, "%s/%s" RUN_FILE_CONFIRM, journal_host.run,
			j->base) < PATH_ROOM;
}

static int64_t now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_BOOTTIME, &t); /* it exists */
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* The child */

struct guard {
	struct sync *s;
	struct sockaddr_un place;
	int door;   /* others come in by it */
	int parent; /* -1: it is gone */
	int64_t end;
};

static int open_door(struct guard *g)
{
	int status = 0;

	if (!place_of(&g->s->c->j, &g->place))
		return -ENAMETOOLONG;
	(void)unlink(g->place.sun_path); /* of a killed one: we have the lock */
	g->door = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (g->door < 0 || bind(g->door, (struct sockaddr *)&g->place, sizeof(g->place)) < 0 ||
	    listen(g->door, 4) < 0)
		status = -errno;
	return status;
}

static void send_news(int fd, enum news news)
{
	const char word = (char)news;

	if (fd >= 0)
		(void)!send(fd, &word, 1, MSG_NOSIGNAL); /* whoever asked may be gone */
}

/* 'y', 'n', or 0: nothing was said, and nothing will be. */
static char read_answer(int fd)
{
	char word = 0;
	ssize_t n;

	do
		n = recv(fd, &word, 1, 0);
	while (n < 0 && errno == EINTR && !stop_is_asked());
	if (n != 1 || (word != 'y' && word != 'n'))
		return 0;
	return word;
}

/* Somebody at the door; *ret_visitor waits for the outcome. */
static char let_in(const struct guard *g, int *ret_visitor)
{
	const struct timeval patience = { .tv_sec = 2 };
	const int fd = accept4(g->door, NULL, NULL, SOCK_CLOEXEC);
	char answer;

	if (fd < 0)
		return 0;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	answer = read_answer(fd);
	if (answer)
		*ret_visitor = fd;
	else
		close(fd);
	return answer;
}

/* 'y' or 'n'; silence is no. */
static char wait_for_answer(struct guard *g, int *ret_visitor)
{
	char answer = 0;

	while (!answer && !stop_is_asked()) {
		struct pollfd fds[] = { { .fd = g->door, .events = POLLIN },
					{ .fd = g->parent, .events = POLLIN } };
		const int64_t left = g->end - now_ms();

		if (left <= 0)
			break;
		if (poll(fds, 2, (int)(left > 60000 ? 60000 : left)) < 0)
			continue;
		if (fds[1].revents) {
			answer = read_answer(g->parent);
			if (!answer)
				g->parent = -1; /* the terminal is gone; others may come */
		}
		if (!answer && fds[0].revents)
			answer = let_in(g, ret_visitor);
	}
	if (!answer)
		return 'n';
	return answer;
}

static enum news settle(struct sync *s, char answer)
{
	int status;

	if (answer == 'n') {
		status = sync_undo(s);
		if (status < 0)
			(void)tunnel_case_fail(s->c, "not all of it could be taken back");
		return status < 0 ? NEWS_FAILED : NEWS_UNDONE;
	}
	return sync_finish(s) ? NEWS_FAILED : NEWS_KEPT;
}

static enum news guard(struct guard *g)
{
	enum news news;
	int visitor = -1;
	int code = open_door(g);

	if (code < 0) {
		(void)tunnel_case_fail(g->s->c, "%s: %s", g->place.sun_path, strerror(-code));
		return NEWS_FAILED;
	}
	if (sync_apply(g->s))
		return NEWS_FAILED;
	g->end = now_ms() + (int64_t)g->s->options->confirm * 1000;
	send_news(g->parent, NEWS_APPLIED);
	news = settle(g->s, wait_for_answer(g, &visitor));
	send_news(visitor, news);
	if (visitor >= 0)
		close(visitor);
	return news;
}

/* The journal is this process's from now on. */
_Noreturn static void be_guard(struct sync *s, int parent)
{
	struct guard g = { .s = s, .door = -1, .parent = parent };
	enum news news;

	(void)setsid();
	journal_inherit(&s->c->j);
	(void)signal(SIGHUP, SIG_IGN);
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGTTOU, SIG_IGN);
	news = guard(&g);
	if (g.door >= 0) {
		(void)unlink(g.place.sun_path); /* a stale one is refused or replaced */
		close(g.door);
	}
	journal_done(&s->c->j);
	send_news(parent, news);
	_exit(news == NEWS_KEPT ? EXIT_SUCCESS : EXIT_FAILURE);
}

/* The process at the terminal */

static void prompt(const struct sync *s)
{
	fprintf(stderr,
		"[!] applied; all of it is undone in %u s unless it is confirmed: `yes' and Enter "
		"here, or from a new\n    connection `warren sync %s --confirm yes'; `no' undoes "
		"it now\n",
		s->options->confirm, s->c->name);
	(void)tcflush(STDIN_FILENO, TCIFLUSH); /* what was typed before was no answer */
}

static char answer_of(const char *line)
{
	if (strcasecmp(line, "yes") == 0 || strcasecmp(line, "y") == 0)
		return 'y';
	if (strcasecmp(line, "no") == 0 || strcasecmp(line, "n") == 0)
		return 'n';
	fputs("[!] `yes' or `no'\n", stderr);
	return 0;
}

/* A character of a line from the terminal; false: there will be no more. */
static bool read_more(char line[static LINE_ROOM], char *ret_answer)
{
	size_t len = strlen(line);
	ssize_t n = read(STDIN_FILENO, &line[len], 1);

	if (n <= 0)
		return n < 0 && errno == EINTR;
	if (line[len] == '\n') {
		line[len] = '\0';
		*ret_answer = answer_of(line);
		len = 0;
	} else if (line[len] != '\r' && len + 2 < LINE_ROOM) {
		++len;
	}
	line[len] = '\0';
	return true;
}

static enum news read_news(int fd)
{
	char word;
	ssize_t n;

	do
		n = recv(fd, &word, 1, 0);
	while (n < 0 && errno == EINTR);
	return n == 1 ? (enum news)word : NEWS_NONE;
}

static void answer_guard(int fd, char answer)
{
	(void)!send(fd, &answer, 1, MSG_NOSIGNAL); /* its news tell */
}

/* Until the guard tells what came of it. */
static enum news watch(int fd)
{
	bool listens = true, told = false;
	char answer = 0, line[LINE_ROOM] = "";

	while (true) {
		struct pollfd fds[] = { { .fd = fd, .events = POLLIN },
					{ .fd = listens ? STDIN_FILENO : -1, .events = POLLIN } };

		if (stop_is_asked() && !told) {
			answer_guard(fd, 'n');
			told = true;
		}
		if (poll(fds, 2, -1) < 0)
			continue;
		if (fds[0].revents)
			return read_news(fd);
		if (fds[1].revents)
			listens = read_more(line, &answer);
		if (answer && !told) {
			answer_guard(fd, answer);
			told = true;
		}
	}
}

static int tell_end(const struct sync *s, enum news news)
{
	switch (news) {
	case NEWS_KEPT:
		fprintf(stderr, "[!] confirmed: %s stays as it is\n", s->c->name);
		return EXIT_SUCCESS;
	case NEWS_UNDONE:
		return tunnel_case_fail(s->c, "not confirmed: %s is as it was before", s->c->name);
	case NEWS_NONE:
		return tunnel_case_fail(s->c, "the process that was to undo it is gone: the next "
					      "command does");
	case NEWS_FAILED: /* it has told why */
	case NEWS_APPLIED:
		break;
	}
	return EXIT_FAILURE;
}

/* The lock and the journal stay with the child: this process just ends. */
_Noreturn static void be_asker(struct sync *s, int fd)
{
	enum news news;

	journal_leave(&s->c->j);
	news = read_news(fd);
	if (news == NEWS_APPLIED) {
		(void)signal(SIGHUP, SIG_DFL);
		prompt(s);
		news = watch(fd);
	}
	exit(tell_end(s, news));
}

int sync_apply_confirmed(struct sync *s)
{
	int pair[2];
	pid_t child;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return tunnel_case_fail(s->c, "%s", strerror(errno));
	fflush(NULL);
	child = fork();
	if (child == 0) {
		close(pair[0]);
		be_guard(s, pair[1]);
	}
	close(pair[1]);
	if (child > 0)
		be_asker(s, pair[0]);
	close(pair[0]);
	return tunnel_case_fail(s->c, "%s", strerror(errno));
}

/* From another connection */

static bool name_from_word(const char *word, struct journal *j)
{
	const char *slash = strrchr(word, '/');
	char name[MODEL_NAME];
	size_t len;

	word = slash ? slash + 1 : word;
	len = strlen(word);
	if (slash && len > 5 && strcmp(word + len - 5, ".conf") == 0)
		len -= 5;
	if (len == 0 || len >= sizeof(name))
		return false;
	memcpy(name, word, len);
	name[len] = '\0';
	(void)!journal_peek(j, &journal_host, name); /* for its base: there may be none */
	return j->base[0];
}

bool sync_is_waiting(const struct journal *j)
{
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un place;
	bool waits;

	if (fd < 0)
		return false;
	/* EAGAIN: there is a queue. The one of a guard that was killed is refused. */
	waits = place_of(j, &place) &&
		(connect(fd, (const struct sockaddr *)&place, sizeof(place)) == 0 ||
		 errno == EAGAIN);
	close(fd);
	return waits;
}

static enum news ask(const struct sockaddr_un *place, enum sync_answer answer)
{
	const char word = answer == SYNC_ANSWER_YES ? 'y' : 'n';
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	enum news news = NEWS_NONE;

	if (fd < 0)
		return news;
	if (connect(fd, (const struct sockaddr *)place, sizeof(*place)) == 0 &&
	    send(fd, &word, 1, MSG_NOSIGNAL) == 1)
		news = read_news(fd);
	close(fd);
	return news;
}

int sync_answer(const struct sync_options *o)
{
	struct sockaddr_un place;
	struct journal j;
	enum news news = NEWS_NONE;
	const bool named = name_from_word(o->o.word, &j);

	if (named && place_of(&j, &place))
		news = ask(&place, o->answer);
	if (named)
		journal_done(&j);
	if (news == NEWS_KEPT || (news == NEWS_UNDONE && o->answer == SYNC_ANSWER_NO)) {
		fprintf(stderr, "[!] %s\n",
			news == NEWS_KEPT ? "confirmed: it stays as it is"
					  : "everything is as it was before");
		return EXIT_SUCCESS;
	}
	fprintf(stderr, "%s: %s\n", o->o.program,
		news == NEWS_NONE
			? geteuid() == 0 ? "nothing waits to be confirmed" : "only root may do this"
			: "it was undone");
	return EXIT_FAILURE;
}
