#include "device/monitor.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "device/channel.h"
#include "namespace.h"

/*
 * A real monitor with engines that are functions of this test. Everything that they find out stands
 * in memory that all processes share; a test is over when its monitor ends.
 */
enum { PORT = 40123 };

struct shared {
	int engines; /* started so far */
	int running; /* how often the monitor said so */
	int facts[16];
};

static struct shared *shared;
static struct tun tun;
static char dir[] = "/tmp/warren-monitor-XXXXXX";

static int set_up(void **state)
{
	struct diag why = { 0 };

	(void)state;
	test_namespace_enter();
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	assert_ptr_not_equal(shared, MAP_FAILED);
	assert_int_equal(tun_open(&(struct tun_config){ .name = "t0" }, &why, &tun), 0);
	strcpy(dir, "/tmp/warren-monitor-XXXXXX");
	assert_non_null(mkdtemp(dir));
	return 0;
}

static int tear_down(void **state)
{
	char command[64];

	(void)state;
	(void)snprintf(command, sizeof(command), "rm -r %s", dir);
	assert_int_equal(system(command), 0);
	tun_close(&tun);
	munmap(shared, sizeof(*shared));
	return 0;
}

static void note_running(void *ctx)
{
	(void)ctx;
	++shared->running;
}

typedef int engine(void *ctx, const struct engine_start *start);

static pid_t start_monitor(engine *run)
{
	const struct monitor_config config = {
		.tun = tun,
		.listener = -1,
		.keylog = -1,
		.state_dir = dir,
		.guest.fd = -1,
		.engine = run,
		.is_running = note_running,
	};
	const pid_t pid = fork();

	if (pid == 0)
		_exit((int)monitor_run(&config));
	assert_true(pid > 0);
	return pid;
}

static int status_of(pid_t monitor)
{
	int status;

	assert_int_equal(waitpid(monitor, &status, 0), monitor);
	return status;
}

static void expect_end(pid_t monitor, enum monitor_end end)
{
	const int status = status_of(monitor);

	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), end);
}

static void wait_for(const int *number, int value)
{
	const volatile int *const n = number;

	for (int i = 0; i < 10000 && *n < value; ++i)
		usleep(1000);
	assert_true(*n >= value);
}

/* As an orderly engine: until it is told to end. */
static int wait_for_end(const struct engine_start *start)
{
	struct pollfd p = { .fd = start->broker.news, .events = POLLIN };
	struct news news = { 0 };

	while (news.kind != NEWS_END && poll(&p, 1, -1) == 1)
		while (broker_news(&start->broker, &news) && news.kind != NEWS_END)
			;
	return 0;
}

static int orderly(void *ctx, const struct engine_start *start)
{
	(void)ctx;
	++shared->engines;
	broker_running(&start->broker);
	return wait_for_end(start);
}

static void each_ending_signal_ends_in_order(void **state)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT };

	(void)state;
	for (size_t i = 0; i < ELEMENTS(signals); ++i) {
		const pid_t monitor = start_monitor(orderly);

		wait_for(&shared->running, (int)i + 1);
		kill(monitor, signals[i]);
		expect_end(monitor, MONITOR_SIGNALLED);
	}
	assert_int_equal(shared->engines, ELEMENTS(signals));
}

static int stubborn(void *ctx, const struct engine_start *start)
{
	(void)ctx;
	broker_running(&start->broker);
	for (;;)
		pause();
	return 0;
}

static void an_engine_that_does_not_end_is_killed(void **state)
{
	const pid_t monitor = start_monitor(stubborn);

	(void)state;
	wait_for(&shared->running, 1);
	kill(monitor, SIGTERM);
	expect_end(monitor, MONITOR_SIGNALLED);
}

static int hopeless(void *ctx, const struct engine_start *start)
{
	(void)ctx;
	(void)start;
	++shared->engines;
	return 1;
}

static void one_that_cannot_start_is_not_tried_again(void **state)
{
	(void)state;
	expect_end(start_monitor(hopeless), MONITOR_FAILED);
	assert_int_equal(shared->engines, 1);
	assert_int_equal(shared->running, 0);
}

static int mortal(void *ctx, const struct engine_start *start)
{
	(void)ctx;
	broker_running(&start->broker);
	if (shared->engines++ == 0)
		kill(getpid(), SIGKILL);
	return wait_for_end(start);
}

/* Who started us may have ignored SIGCHLD, and that is inherited: no death would ever be told. */
static void a_death_is_seen_where_they_were_ignored(void **state)
{
	pid_t monitor;

	(void)state;
	(void)signal(SIGCHLD, SIG_IGN);
	monitor = start_monitor(mortal);
	(void)signal(SIGCHLD, SIG_DFL);
	for (int i = 0; i < 2000 && *(volatile int *)&shared->engines < 2; ++i)
		usleep(1000);
	kill(monitor, *(volatile int *)&shared->engines < 2 ? SIGKILL : SIGTERM);
	expect_end(monitor, MONITOR_SIGNALLED);
}

/* An engine that asks and asks and never listens is not itself any more either. */
static int asker(void *ctx, const struct engine_start *start)
{
	const struct request r = { .kind = REQUEST_RUNNING };

	(void)ctx;
	if (shared->engines++)
		return orderly(ctx, start);
	for (int i = 0; i < 100000; ++i)
		if (send(start->broker.requests, &r, sizeof(r), MSG_NOSIGNAL) < 0)
			break;
	for (;;)
		pause();
	return 0;
}

static void who_never_listens_is_killed(void **state)
{
	const pid_t monitor = start_monitor(asker);

	(void)state;
	wait_for(&shared->engines, 2);
	kill(monitor, SIGTERM);
	expect_end(monitor, MONITOR_SIGNALLED);
}

/* What each engine in turn sends, and is killed for. */
static int garbage(void *ctx, const struct engine_start *start)
{
	static const uint8_t bytes[4096];
	const struct request wrong = { .kind = REQUEST_BIND, .port = 65536 };
	const int fd = start->broker.requests;

	(void)ctx;
	switch (shared->engines++) {
	case 0:
		broker_running(&start->broker);
		(void)!send(fd, bytes, sizeof(wrong) - 1, 0);
		break;
	case 1:
		(void)!send(fd, bytes, sizeof(wrong) + 1, 0);
		break;
	case 2:
		(void)!send(fd, bytes, sizeof(bytes), 0);
		break;
	case 3:
		(void)!send(fd, &wrong, sizeof(wrong), 0);
		break;
	case 4:
		(void)!send(fd, bytes, sizeof(wrong), 0);
		break;
	default:
		return wait_for_end(start);
	}
	pause();
	return 0;
}

static void what_is_no_request_kills_who_sent_it(void **state)
{
	const pid_t monitor = start_monitor(garbage);

	(void)state;
	wait_for(&shared->engines, 6);
	kill(monitor, SIGTERM);
	expect_end(monitor, MONITOR_SIGNALLED);
}

static bool is_port_free(void)
{
	struct diag why = { 0 };
	struct udp u;

	if (udp_bind(&(struct udp_config){ .port = PORT }, &why, &u))
		return false;
	udp_close(&u);
	return true;
}

static int binder(void *ctx, const struct engine_start *start)
{
	const struct broker *b = &start->broker;
	struct diag why = { 0 };
	struct udp u, other;

	(void)ctx;
	switch (shared->engines++) {
	case 0: /* what was bound and not used is given back when its engine dies */
		broker_running(b);
		shared->facts[0] = start->sockets.port;
		shared->facts[1] = broker_bind(b, PORT, 7, &why, &u);
		shared->facts[2] = is_port_free();
		_exit(9);
	case 1:
		shared->facts[3] = is_port_free();
		if (broker_bind(b, PORT, 7, &why, &u))
			_exit(1);
		broker_drop(b);
		udp_close(&u);
		shared->facts[4] = is_port_free();
		if (broker_bind(b, PORT, 7, &why, &u))
			_exit(1);
		broker_use(b);
		shared->facts[5] = broker_set_mark(b, 8);
		shared->facts[6] = broker_bind(b, PORT, 7, &why, &other);
		shared->facts[7] = why.text[0] != '\0';
		kill(getpid(), SIGKILL);
		break;
	default: /* what was used lives on */
		shared->facts[8] = start->sockets.port;
		shared->facts[9] = (int)start->mark;
		shared->facts[10] = is_port_free();
		++shared->engines;
		return wait_for_end(start);
	}
	return 0;
}

static void sockets_in_use_outlive_an_engine(void **state)
{
	static const int want[] = { 0, 0, false, true, true, 0, -EADDRINUSE, true, PORT, 8, false };
	const pid_t monitor = start_monitor(binder);

	(void)state;
	wait_for(&shared->engines, 4);
	kill(monitor, SIGTERM);
	expect_end(monitor, MONITOR_SIGNALLED);
	for (size_t i = 0; i < ELEMENTS(want); ++i)
		if (shared->facts[i] != want[i])
			fail_msg("fact %zu: %d, not %d", i, shared->facts[i], want[i]);
}

static int keeper(void *ctx, const struct engine_start *start)
{
	const struct broker *b = &start->broker;
	const struct key_public key = { .bytes = { 1 } };
	const struct key_public other = { .bytes = { 2 } };

	(void)ctx;
	broker_running(b);
	shared->facts[0] = (int)broker_read_floor(b, &key);
	shared->facts[1] = broker_write_floor(b, &key, 12345);
	shared->facts[2] = (int)broker_read_floor(b, &key);
	shared->facts[3] = (int)broker_read_floor(b, &other);
	shared->facts[4] = broker_write_floor(b, &key, INT64_MAX); /* as one that was subverted */
	shared->facts[5] = (int)broker_read_floor(b, &key);
	++shared->engines;
	return wait_for_end(start);
}

static void floors_are_kept_by_key(void **state)
{
	const pid_t monitor = start_monitor(keeper);

	(void)state;
	wait_for(&shared->engines, 1);
	kill(monitor, SIGTERM);
	expect_end(monitor, MONITOR_SIGNALLED);
	assert_int_equal(shared->facts[0], 0);
	assert_int_equal(shared->facts[1], 0);
	assert_int_equal(shared->facts[2], 12345);
	assert_int_equal(shared->facts[4], -ERANGE);
	assert_int_equal(shared->facts[5], 12345);
	assert_int_equal(shared->facts[3], 0);
}

static int listener_of_news(void *ctx, const struct engine_start *start)
{
	struct pollfd p = { .fd = start->broker.news, .events = POLLIN };
	struct news news;

	(void)ctx;
	shared->facts[0] = start->link.is_up;
	shared->facts[1] = (int)start->link.mtu;
	broker_running(&start->broker);
	while (poll(&p, 1, -1) == 1)
		while (broker_news(&start->broker, &news)) {
			if (news.kind == NEWS_END)
				return 0;
			shared->facts[2] = news.is_up;
			shared->facts[3] = (int)news.mtu;
		}
	return 0;
}

static void the_link_is_told_of(void **state)
{
	pid_t monitor;

	(void)state;
	test_link_mtu("t0", 1300);
	monitor = start_monitor(listener_of_news);
	wait_for(&shared->running, 1);
	assert_int_equal(shared->facts[0], false);
	assert_int_equal(shared->facts[1], 1300);
	test_link_up("t0", true);
	wait_for(&shared->facts[2], true);
	test_link_mtu("t0", 1500);
	wait_for(&shared->facts[3], 1500);
	kill(monitor, SIGTERM);
	expect_end(monitor, MONITOR_SIGNALLED);
}

/* An engine that reads no news gets the last when it does, and holds nobody up. */
static int deaf(void *ctx, const struct engine_start *start)
{
	volatile int *const go = &shared->facts[0];

	broker_running(&start->broker);
	while (!*go)
		usleep(1000);
	return listener_of_news(ctx, start);
}

static void the_last_news_are_never_lost(void **state)
{
	pid_t monitor;

	(void)state;
	monitor = start_monitor(deaf);
	wait_for(&shared->running, 1);
	for (int i = 0; i < 800; ++i) { /* more than fit into a socket */
		test_link_mtu("t0", 1280 + i % 100);
		usleep(200);
	}
	test_link_mtu("t0", 1444);
	usleep(100000);
	shared->facts[0] = 1;
	for (int i = 0; i < 10000 && *(volatile int *)&shared->facts[3] != 1444; ++i)
		usleep(1000);
	assert_int_equal(shared->facts[3], 1444);
	kill(monitor, SIGTERM);
	expect_end(monitor, MONITOR_SIGNALLED);
}

static void fp12_a_tun_that_is_gone_ends_it(void **state)
{
	(void)state;
	test_link_delete("t0");
	expect_end(start_monitor(hopeless), MONITOR_TUN_GONE);
}

static int child_of_mortal(void *ctx, const struct engine_start *start)
{
	(void)ctx;
	shared->facts[0] = getpid();
	broker_running(&start->broker);
	for (;;)
		pause();
	return 0;
}

static void a_killed_monitor_takes_its_engine_along(void **state)
{
	const pid_t monitor = start_monitor(child_of_mortal);
	int status;

	(void)state;
	wait_for(&shared->running, 1);
	kill(monitor, SIGKILL);
	status = status_of(monitor);
	assert_true(WIFSIGNALED(status));
	for (int i = 0; i < 5000 && kill(shared->facts[0], 0) == 0; ++i)
		usleep(1000);
	assert_int_equal(kill(shared->facts[0], 0), -1);
	assert_int_equal(errno, ESRCH);
}

/* A fixture cannot skip. */
static void without_a_namespace_there_is_nothing_to_test(void **state)
{
	(void)state;
	test_namespace_enter();
}

#define MONITOR_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		MONITOR_TEST(each_ending_signal_ends_in_order),
		MONITOR_TEST(an_engine_that_does_not_end_is_killed),
		MONITOR_TEST(one_that_cannot_start_is_not_tried_again),
		MONITOR_TEST(a_death_is_seen_where_they_were_ignored),
		MONITOR_TEST(who_never_listens_is_killed),
		MONITOR_TEST(what_is_no_request_kills_who_sent_it),
		MONITOR_TEST(sockets_in_use_outlive_an_engine),
		MONITOR_TEST(floors_are_kept_by_key),
		MONITOR_TEST(the_link_is_told_of),
		MONITOR_TEST(the_last_news_are_never_lost),
		MONITOR_TEST(fp12_a_tun_that_is_gone_ends_it),
		MONITOR_TEST(a_killed_monitor_takes_its_engine_along),
	};
	const struct CMUnitTest none[] = {
		cmocka_unit_test(without_a_namespace_there_is_nothing_to_test),
	};

	if (!test_namespace_allowed())
		return cmocka_run_group_tests(none, NULL, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
