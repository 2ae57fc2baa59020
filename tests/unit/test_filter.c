#include "device/filter.h"

#include <fcntl.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bytes.h"

enum { CALLS_MAX = 47 };

static pid_t parent;

static void *do_nothing(void *ctx)
{
	return ctx;
}

static void start_thread(void)
{
	pthread_t t;

	if (pthread_create(&t, NULL, do_nothing, NULL) != 0 || pthread_join(t, NULL) != 0)
		_exit(3);
}

static void use_memory(void)
{
	free(malloc(10 << 20));
}

/* Where the kernel has no older calls. */
static void wait_as_arm64(void)
{
	(void)!syscall(SYS_ppoll, NULL, 0, &(struct timespec){ 0 }, NULL, 0);
	(void)!syscall(SYS_epoll_pwait, -1, NULL, 0, 0, NULL, 0);
}

static void open_file(void)
{
	(void)!open("/dev/null", O_RDONLY);
}

static void open_socket(void)
{
	(void)!socket(AF_INET, SOCK_DGRAM, 0);
}

static void make_process(void)
{
	if (fork() == 0)
		_exit(0);
}

static void run_program(void)
{
	char *const none[] = { NULL };

	(void)!execve("/bin/true", none, none);
}

static void make_code(void)
{
	(void)!mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void turn_into_code(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)!mprotect(p, 4096, PROT_READ | PROT_EXEC);
}

static void look_into_another(void)
{
	(void)!syscall(SYS_ptrace, 0, 0, 0, 0);
}

static void kill_parent(void)
{
	(void)!kill(getppid(), 0);
}

static void ask_of_network(void)
{
	int value;
	socklen_t len = sizeof(value);

	(void)!getsockopt(0, 6, 1, &value, &len);
}

static void steer_socket(void)
{
	(void)!setsockopt(0, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, "", 0);
}

static void mark_socket(void)
{
	const int mark = 1;

	(void)!setsockopt(0, SOL_SOCKET, SO_MARK, &mark, sizeof(mark));
}

static void ask_for_zones(void)
{
	struct ifreq request = { .ifr_name = "lo" };

	(void)!ioctl(0, SIOCGIFINDEX, &request);
	(void)!ioctl(0, SIOCGIFNAME, &request);
}

static void ask_for_addresses(void)
{
	struct ifreq request = { .ifr_name = "lo" };

	(void)!ioctl(0, SIOCGIFADDR, &request);
}

/* With the user `warren' all engines of a host have one uid. */
static void abort_parent(void)
{
	(void)!syscall(SYS_tgkill, parent, parent, SIGABRT);
}

static void slow_parent(void)
{
	(void)!setpriority(PRIO_PROCESS, (id_t)parent, 1);
}

static void slow_user(void)
{
	(void)!setpriority(PRIO_USER, 0, 1);
}

static void schedule_parent(void)
{
	(void)!sched_setscheduler(parent, SCHED_BATCH, &(struct sched_param){ 0 });
}

static void step_back(void)
{
	if (setpriority(PRIO_PROCESS, 0, 1) ||
	    sched_setscheduler(0, SCHED_BATCH, &(struct sched_param){ 0 }))
		_exit(4);
}

/* What a tracer makes of a call that it lets fail. */
static void no_call(void)
{
	(void)!syscall(-1L);
}

static const struct {
	const char *what;
	void (*act)(void);
	bool dies;
} rows[] = {
	{ "thread", start_thread, false },
	{ "memory", use_memory, false },
	{ "waits of another architecture", wait_as_arm64, false },
	{ "no call", no_call, false },
	{ "open", open_file, true },
	{ "socket", open_socket, true },
	{ "fork", make_process, true },
	{ "execve", run_program, true },
	{ "executable mapping", make_code, true },
	{ "mapping made executable", turn_into_code, true },
	{ "ptrace", look_into_another, true },
	{ "kill", kill_parent, true },
	{ "a socket option of TCP", ask_of_network, true },
	{ "a filter that steers", steer_socket, false },
	{ "a mark on a socket", mark_socket, true },
	{ "names of interfaces", ask_for_zones, false },
	{ "addresses of interfaces", ask_for_addresses, true },
	{ "priority of a thread of ours", step_back, false },
	{ "SIGABRT to another process", abort_parent, true },
	{ "priority of another process", slow_parent, true },
	{ "priority of all of our user", slow_user, true },
	{ "scheduling of another process", schedule_parent, true },
};

static int status_of(void (*act)(void))
{
	pid_t pid;
	int status;

	parent = getpid();
	pid = fork();
	if (pid == 0) {
		start_thread(); /* as sandbox_enter does */
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || filter_install())
			_exit(2);
		act();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void fs2_a_forbidden_call_kills(void **state)
{
	(void)state;
	if (filter_size() == 0)
		skip(); /* a build with a sanitizer */
	for (size_t i = 0; i < ELEMENTS(rows); ++i) {
		const int status = status_of(rows[i].act);
		const bool died = WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;

		if (died != rows[i].dies || (!died && status != 0))
			fail_msg("%s: status 0x%x", rows[i].what, (unsigned int)status);
	}
}

static void *open_in_thread(void *ctx)
{
	open_file();
	return ctx;
}

static void thread_opens(void)
{
	pthread_t t;

	if (pthread_create(&t, NULL, open_in_thread, NULL) == 0)
		(void)pthread_join(t, NULL);
}

/* Not the thread alone: a process with a thread missing would go on, and nobody would see. */
static void the_whole_process_dies(void **state)
{
	int status;

	(void)state;
	if (filter_size() == 0)
		skip();
	status = status_of(thread_opens);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
}

/* An assertion is told from a forbidden call in the monitor's log. */
static void an_abort_is_one(void **state)
{
	int status;

	(void)state;
	if (filter_size() == 0)
		skip();
	status = status_of(abort);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
}

static void fs2_the_list_is_short(void **state)
{
	(void)state;
	assert_true(filter_size() <= CALLS_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fs2_a_forbidden_call_kills),
		cmocka_unit_test(the_whole_process_dies),
		cmocka_unit_test(an_abort_is_one),
		cmocka_unit_test(fs2_the_list_is_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
