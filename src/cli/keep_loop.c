#include "cli/keep_loop.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/log.h"
#include "cli/keep_job.h"
#include "cli/keep_look.h"
#include "cli/keep_peers.h"
#include "cli/notify.h"
#include "config/tunnel_read.h"
#include "net/firewall_watch.h"
#include "net/folder_watch.h"
#include "net/journal.h"
#include "net/quarrel.h"
#include "net/route.h"

/*
 * Events come in bursts: what they mean is looked at when a burst is over, and looking takes at
 * most a tenth of the time.
 */
#define SETTLE (20 * NS_PER_MS)
#define SETTLE_FILE (300 * NS_PER_MS) /* an editor is still at it */
#define BUSY NS_PER_S                 /* another command is at work: how long until the next look */

#define REFUSED (10 * NS_PER_S) /* what was half done cannot be finished: until the next try */

enum { FD_SIGNALS, FD_TIMER, FD_ROUTES, FD_FIREWALL, FD_FOLDERS, FD_BELL, FD_NAMES, FDS };
enum {
	FOLDER_FILE,
	FOLDER_LINK,
	FOLDER_JOURNAL,
	FOLDER_ETC,
	FOLDER_RESOLVED,
	FOLDER_MANAGER,
	FOLDERS
};

struct keep {
	const struct tunnel_path *at;
	int signals;
	int timer;
	int routes;
	struct firewall_watch firewall;
	struct folder_watch folders;
	int folder_numbers[FOLDERS];
	struct quarrel quarrel;
	struct keep_peers peers;
	pid_t job; /* 0: none */
	enum keep_work work;
	bool is_up;
	bool stops; /* told to end */
	bool ends;
	int code;
	unsigned int dirty; /* enum keep_part */
	uint64_t look_due;
	uint64_t sync_due;
	uint64_t not_before;  /* of a look */
	unsigned int refused; /* kinds that are left alone now, as was told */
};

static uint64_t now_boot(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Jobs */

static void start(struct keep *k, enum keep_work work, unsigned int kinds)
{
	const pid_t pid = keep_job_start(&(struct keep_job){ .work = work,
							     .name = k->at->name,
							     .path = k->at->absolute,
							     .kinds = kinds,
							     .known = &k->peers });

	if (pid < 0) {
		log_line(LOG_ERROR, "no process can be started: %s", strerror(-pid));
		k->look_due = now_boot() + BUSY;
		return;
	}
	k->job = pid;
	k->work = work;
}

static void stop(struct keep *k)
{
	if (!k->stops)
		notify_manager("STOPPING=1");
	k->stops = true;
	if (k->job > 0 && k->work != KEEP_DOWN)
		(void)kill(k->job, SIGTERM); /* it takes back what it has done so far */
	else if (!k->job)
		start(k, KEEP_DOWN, 0);
}

/* The file, for what it says of peers */
static void load_peers(struct keep *k)
{
	struct config_file f;
	struct diags diags;
	struct tunnel t;

	if (file_load(&f, k->at->absolute) < 0)
		return; /* as they were */
	diags_init(&diags);
	if (!tunnel_read(&f, &t, &diags) || !keep_peers_load(&k->peers, &t))
		log_line(LOG_ERROR, "out of memory");
	tunnel_done(&t);
	diags_done(&diags);
	file_done(&f);
}

static void soon(struct keep *k, unsigned int parts)
{
	const uint64_t now = now_boot();
	const uint64_t due = now + SETTLE;

	k->dirty |= parts;
	if (k->look_due == TIME_NEVER || k->look_due > due)
		k->look_due = due > k->not_before ? due : k->not_before;
}

static void begin_keeping(struct keep *k)
{
	const char *const places[FOLDERS][2] = {
		[FOLDER_FILE] = { NULL, NULL }, /* set before */
		[FOLDER_LINK] = { NULL, NULL },
		[FOLDER_JOURNAL] = { journal_host.run, k->at->name },
		[FOLDER_ETC] = { "/etc", "resolv.conf" },
		[FOLDER_RESOLVED] = { "/run/systemd/resolve", "" },
		[FOLDER_MANAGER] = { "/run/NetworkManager", "resolv.conf" },
	};

	for (size_t i = FOLDER_JOURNAL; i < FOLDERS; ++i)
		k->folder_numbers[i] = folder_watch_add(&k->folders, places[i][0], places[i][1]);
	if (k->folder_numbers[FOLDER_JOURNAL] < 0)
		log_line(LOG_WARN, "%s cannot be watched: %s", journal_host.run,
			 strerror(-k->folder_numbers[FOLDER_JOURNAL]));
	k->is_up = true;
	keep_peers_begin(&k->peers, now_boot());
	soon(k, KEEP_ALL);
	notify_manager("READY=1");
	log_line(LOG_INFO, "up, and kept so");
}

static void end(struct keep *k, int code)
{
	k->ends = true;
	k->code = code;
}

static void job_is_over(struct keep *k, int code)
{
	const enum keep_work work = k->work;

	k->job = 0;
	if (work == KEEP_DOWN || (work == KEEP_UP && code && !k->is_up)) {
		end(k, k->stops && work == KEEP_UP ? 0 : code); /* taken back, as was asked for */
		return;
	}
	if (k->stops) {
		start(k, KEEP_DOWN, 0);
		return;
	}
	if (work == KEEP_UP && !k->is_up)
		begin_keeping(k);
	if (work == KEEP_SYNC) {
		load_peers(k);
		keep_peers_begin(&k->peers, now_boot());
	}
	if (work == KEEP_SYNC && code)
		log_line(LOG_WARN, "the file cannot be applied; the tunnel stays as it was");
	if (work == KEEP_REPAIR && code)
		k->not_before = now_boot() + BUSY; /* it is tried again, but not at once */
	if (work == KEEP_UP)
		k->code = code; /* should there be nothing left to keep */
	if (work == KEEP_UP && code)
		k->not_before = now_boot() + REFUSED;
	keep_peers_hope(&k->peers, now_boot());
	soon(k, KEEP_ALL);
}

static void reap(struct keep *k)
{
	int status;

	if (k->job > 0 && waitpid(k->job, &status, WNOHANG) == k->job)
		job_is_over(k, WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILURE);
}

/* A look */

static const char *kind_name(enum item_kind kind)
{
	static const char *const names[ITEM_KINDS] = {
		[ITEM_LINK] = "the link",
		[ITEM_ADDRESS] = "an address",
		[ITEM_LINK_MTU] = "the MTU",
		[ITEM_ROUTE] = "a route",
		[ITEM_RULE] = "a policy rule",
		[ITEM_SWITCH] = "a switch of the kernel",
		[ITEM_TABLE] = "our firewall table",
		[ITEM_FOREIGN] = "our rule in a firewall",
		[ITEM_DNS] = "DNS",
	};

	return names[kind];
}

static void tell_of_quarrel(const struct keep *k, enum item_kind kind)
{
	const bool known = (kind == ITEM_TABLE || kind == ITEM_FOREIGN) && k->firewall.who[0];

	log_line(LOG_WARN, "%s is removed again and again%s%s: it is put back more and more rarely",
		 kind_name(kind), known ? ", last by " : " by something on this host",
		 known ? k->firewall.who : "");
}

/* Which of these may be put back now. */
static unsigned int settle_quarrels(struct keep *k, unsigned int kinds, uint64_t now)
{
	unsigned int mend = 0;

	for (enum item_kind i = 0; i < ITEM_KINDS; ++i) {
		uint64_t until = TIME_NEVER;

		if (!(kinds & 1U << i))
			continue;
		switch (quarrel_ask(&k->quarrel, i, now, &until)) {
		case QUARREL_BEGINS:
			tell_of_quarrel(k, i);
			mend |= 1U << i;
			break;
		case QUARREL_MEND:
			mend |= 1U << i;
			break;
		case QUARREL_LEAVE:
			k->look_due = earlier(k->look_due, until);
			k->dirty = KEEP_ALL;
			break;
		}
	}
	return mend;
}

static void look_at_owned(struct keep *k, const struct journal *j, unsigned int parts, uint64_t now)
{
	struct keep_gone gone;
	const int status = keep_look(&j->owned, parts, &gone);
	const unsigned int kinds = status == 0 ? keep_gone_kinds(&gone) : 0;
	const unsigned int mend = settle_quarrels(k, kinds, now);

	keep_gone_done(&gone);
	if (mend)
		start(k, KEEP_REPAIR, mend);
}

/* A command that was killed leaves its number behind. */
static bool is_at_work(const char *name)
{
	const pid_t holder = journal_holder(&journal_host, name);

	return holder > 0 && (kill(holder, 0) == 0 || errno != ESRCH);
}

/* Half done and nobody at work on it: whoever was, is gone. */
static void finish(struct keep *k, const struct journal *j)
{
	if (j->phase == JOURNAL_DOWN)
		start(k, KEEP_DOWN, 0);
	else
		start(k, KEEP_UP, 0);
}

static void look(struct keep *k, uint64_t now)
{
	const unsigned int parts = k->dirty;
	struct journal j;
	int status;

	k->dirty = 0;
	k->look_due = TIME_NEVER;
	status = journal_peek(&j, &journal_host, k->at->name);
	if (status == -ENOENT) {
		log_line(LOG_INFO, k->code ? "it could not be brought up again" : "taken down");
		end(k, k->code);
	} else if (status < 0 || is_at_work(k->at->name)) {
		k->dirty = parts;
		k->look_due = now + BUSY;
	} else if (j.phase != JOURNAL_UPPED) {
		finish(k, &j);
	} else {
		look_at_owned(k, &j, parts, now);
	}
	journal_done(&j);
	k->not_before = now_boot() + 10 * (now_boot() - now);
}

static void sync_file(struct keep *k)
{
	k->sync_due = TIME_NEVER;
	if (access(k->at->absolute, R_OK) == 0) /* else it is being replaced, or gone */
		start(k, KEEP_SYNC, 0);
}

/* What is due. One job at a time: what else there is comes when that is over. */
static void tick(struct keep *k)
{
	const uint64_t now = now_boot();

	if (keep_peers_due(&k->peers) <= now)
		keep_peers_tick(&k->peers, now);
	if (k->job || k->stops || !k->is_up)
		return;
	if (k->sync_due <= now)
		sync_file(k);
	else if (k->look_due <= now)
		look(k, now);
}

/* Events */

static void hear_signal(struct keep *k)
{
	struct signalfd_siginfo info;

	while (read(k->signals, &info, sizeof(info)) == sizeof(info))
		switch (info.ssi_signo) {
		case SIGCHLD:
			reap(k);
			break;
		case SIGHUP:
			k->sync_due = now_boot();
			break;
		default:
			stop(k);
		}
}

static bool has_news(const struct keep *k, unsigned int which, int folder)
{
	return k->folder_numbers[folder] >= 0 && which & 1U << k->folder_numbers[folder];
}

static void hear_folders(struct keep *k)
{
	unsigned int which;

	if (folder_watch_read(&k->folders, &which) < 0)
		which = ~0U;
	if (has_news(k, which, FOLDER_FILE) || has_news(k, which, FOLDER_LINK))
		k->sync_due = now_boot() + SETTLE_FILE;
	if (has_news(k, which, FOLDER_JOURNAL)) {
		soon(k, KEEP_NETWORK);
		if (!k->job && is_at_work(k->at->name))
			k->sync_due =
				TIME_NEVER; /* what the file says is that command's business */
	}
	if (has_news(k, which, FOLDER_ETC) || has_news(k, which, FOLDER_RESOLVED) ||
	    has_news(k, which, FOLDER_MANAGER)) {
		soon(k, KEEP_DNS);
		keep_peers_hope(&k->peers, now_boot());
	}
}

static void hear_timer(const struct keep *k)
{
	uint64_t count;

	(void)!read(k->timer, &count, sizeof(count));
}

static void hear(struct keep *k, const struct pollfd fds[static FDS])
{
	if (fds[FD_TIMER].revents)
		hear_timer(k);
	if (fds[FD_ROUTES].revents && route_watch_read(k->routes) != 0) {
		soon(k, KEEP_NETWORK);
		keep_peers_hope(&k->peers, now_boot());
	}
	if (fds[FD_FIREWALL].revents && firewall_watch_read(&k->firewall) != 0)
		soon(k, KEEP_FIREWALL);
	if (fds[FD_FOLDERS].revents)
		hear_folders(k);
	if (fds[FD_NAMES].revents && k->peers.names.fd == fds[FD_NAMES].fd)
		keep_peers_hear(&k->peers, now_boot());
	if (fds[FD_BELL].revents && k->peers.bell == fds[FD_BELL].fd)
		keep_peers_ring(&k->peers, now_boot());
	if (fds[FD_SIGNALS].revents)
		hear_signal(k);
}

static void set_timer(const struct keep *k)
{
	uint64_t due = keep_peers_due(&k->peers);
	struct itimerspec at = { 0 };

	if (!k->job && !k->stops && k->is_up)
		due = earlier(due, earlier(k->look_due, k->sync_due));
	if (due != TIME_NEVER) {
		due = due ? due : 1; /* 0 would switch it off */
		at.it_value.tv_sec = (time_t)(due / NS_PER_S);
		at.it_value.tv_nsec = (long)(due % NS_PER_S);
	}
	(void)timerfd_settime(k->timer, TFD_TIMER_ABSTIME, &at, NULL);
}

static void loop(struct keep *k)
{
	while (!k->ends) {
		struct pollfd fds[FDS] = {
			[FD_SIGNALS] = { .fd = k->signals, .events = POLLIN },
			[FD_TIMER] = { .fd = k->timer, .events = POLLIN },
			[FD_ROUTES] = { .fd = k->routes, .events = POLLIN },
			[FD_FIREWALL] = { .fd = k->firewall.fd, .events = POLLIN },
			[FD_FOLDERS] = { .fd = k->folders.fd, .events = POLLIN },
			[FD_BELL] = { .fd = k->peers.bell, .events = POLLIN },
			[FD_NAMES] = { .fd = k->peers.names.fd, .events = POLLIN },
		};

		set_timer(k);
		if (poll(fds, FDS, -1) > 0)
			hear(k, fds);
		tick(k);
	}
}

/* Beginning and end */

static int watch_path(struct keep *k, const char *path)
{
	char folder[4096];
	char *slash;

	(void)snprintf(folder, sizeof(folder), "%s", path);
	slash = strrchr(folder, '/');
	if (!slash)
		return -EINVAL;
	*slash = '\0';
	return folder_watch_add(&k->folders, slash == folder ? "/" : folder, slash + 1);
}

/* What is written into it, and, where it is a link, that it leads elsewhere. */
static void watch_file(struct keep *k)
{
	k->folder_numbers[FOLDER_FILE] = watch_path(k, k->at->path);
	if (strcmp(k->at->path, k->at->absolute) != 0)
		k->folder_numbers[FOLDER_LINK] = watch_path(k, k->at->absolute);
}

static int open_all(struct keep *k)
{
	sigset_t signals;
	int status;

	sigemptyset(&signals);
	for (size_t i = 0; i < 5; ++i)
		sigaddset(&signals, (int[]){ SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGCHLD }[i]);
	(void)sigprocmask(SIG_BLOCK, &signals, NULL);
	k->signals = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	k->timer = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	if (k->signals < 0 || k->timer < 0)
		return -errno;
	k->routes = route_watch_open();
	if (k->routes < 0)
		return k->routes;
	status = folder_watch_open(&k->folders);
	if (status < 0)
		return status;
	status = firewall_watch_open(&k->firewall);
	if (status < 0)
		log_line(LOG_WARN, "changes to the firewall cannot be heard of: %s",
			 strerror(-status));
	watch_file(k);
	return 0;
}

static void close_all(struct keep *k)
{
	keep_peers_done(&k->peers);
	folder_watch_close(&k->folders);
	firewall_watch_close(&k->firewall);
	for (size_t i = 0; i < 3; ++i)
		if ((const int[]){ k->signals, k->timer, k->routes }[i] >= 0)
			close((const int[]){ k->signals, k->timer, k->routes }[i]);
}

int keep_loop(const struct tunnel_path *at)
{
	struct keep k = { .at = at,
			  .signals = -1,
			  .timer = -1,
			  .routes = -1,
			  .firewall.fd = -1,
			  .folders.fd = -1,
			  .look_due = TIME_NEVER,
			  .sync_due = TIME_NEVER };
	int status;

	for (size_t i = 0; i < FOLDERS; ++i)
		k.folder_numbers[i] = -1;
	keep_peers_init(&k.peers, at->name);
	status = open_all(&k);
	if (status < 0) {
		log_line(LOG_ERROR, "nothing can be kept here: %s", strerror(-status));
		end(&k, EXIT_FAILURE);
	} else {
		load_peers(&k);
		keep_peers_foresee(&k.peers);
		start(&k, KEEP_UP, 0);
		if (!k.job)
			end(&k, EXIT_FAILURE);
	}
	loop(&k);
	close_all(&k);
	return k.code;
}
