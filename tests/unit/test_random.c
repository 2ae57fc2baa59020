#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crypto/crypto.h"

/* So much that a timer's signals surely cut getrandom short, many times over. */
enum { LONG = 32 * 1024 * 1024, WORKED = 0, FAILED = 1, UNSUPPORTED = 77 };

static bool holds(const uint8_t *bytes, size_t len, uint8_t value)
{
	for (size_t i = 0; i < len; ++i) {
		if (bytes[i] != value)
			return false;
	}
	return true;
}

/* A run of 16 equal bytes does not happen by chance. */
static bool has_gap(const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i + 16 <= len; i += 16) {
		if (holds(bytes + i, 16, bytes[i]))
			return true;
	}
	return false;
}

static void fills_exactly(void **state)
{
	uint8_t bytes[300];

	(void)state;
	for (size_t len = 0; len < sizeof(bytes); ++len) {
		memset(bytes, 0xa5, sizeof(bytes));
		assert_true(crypto_random(bytes, len));
		assert_true(holds(bytes + len, sizeof(bytes) - len, 0xa5));
		assert_false(has_gap(bytes, len));
	}
}

static void never_twice(void **state)
{
	uint8_t draws[64][16];

	(void)state;
	for (size_t i = 0; i < 64; ++i) {
		assert_true(crypto_random(draws[i], sizeof(draws[i])));
		for (size_t j = 0; j < i; ++j)
			assert_memory_not_equal(draws[i], draws[j], sizeof(draws[i]));
	}
}

static int interruptions;

/* Stands in for libc's: a seeded kernel is not interrupted before the first byte. */
ssize_t getrandom(void *ret, size_t len, unsigned int flags)
{
	if (interruptions > 0) {
		--interruptions;
		errno = EINTR;
		return -1;
	}
	return syscall(SYS_getrandom, ret, len, flags);
}

static void interrupted_at_once(void **state)
{
	uint8_t bytes[32] = { 0 };

	(void)state;
	interruptions = 3;
	assert_true(crypto_random(bytes, sizeof(bytes)));
	assert_int_equal(interruptions, 0);
	assert_false(has_gap(bytes, sizeof(bytes)));
}

static volatile sig_atomic_t alarms;

static void count_alarm(int number)
{
	(void)number;
	++alarms;
}

static void alarm_always(bool on)
{
	const struct sigaction act = { .sa_handler = count_alarm };
	const struct itimerval every = { .it_interval.tv_usec = on ? 500 : 0,
					 .it_value.tv_usec = on ? 500 : 0 };

	(void)sigaction(SIGALRM, &act, NULL); /* a known signal and a good pointer */
	(void)setitimer(ITIMER_REAL, &every, NULL);
}

static void interrupted(void **state)
{
	uint8_t *bytes = calloc(1, LONG);
	bool ok;

	(void)state;
	assert_non_null(bytes);
	alarms = 0;
	alarm_always(true);
	ok = crypto_random(bytes, LONG);
	alarm_always(false);
	assert_true(ok);
	assert_true(alarms > 0);
	assert_false(has_gap(bytes, LONG));
	free(bytes);
}

/* From now on the kernel refuses getrandom, unless it is asked for `spared` bytes. */
static bool refuse_getrandom(uint32_t spared)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getrandom, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, args[1]) +
				 (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? 4 : 0)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, spared, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog filter = { .len = sizeof(code) / sizeof(code[0]), .filter = code };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

static int without_getrandom(void)
{
	uint8_t bytes[32];

	memset(bytes, 0xa5, sizeof(bytes));
	if (!refuse_getrandom(UINT32_MAX))
		return UNSUPPORTED;
	if (crypto_random(bytes, sizeof(bytes)))
		return FAILED;
	if (!holds(bytes, sizeof(bytes), 0xa5) && !holds(bytes, sizeof(bytes), 0))
		return FAILED;
	return crypto_random(bytes, 0) ? WORKED : FAILED;
}

/* The first call gives a part, because of the timer; the next, for the rest, is refused. */
static int fails_half_way(void)
{
	uint8_t *bytes = calloc(1, LONG);

	if (!bytes || !refuse_getrandom(LONG))
		return UNSUPPORTED;
	alarm_always(true);
	if (crypto_random(bytes, LONG))
		return FAILED;
	alarm_always(false);
	return holds(bytes, LONG, 0) ? WORKED : FAILED;
}

static int self_test_fails(void)
{
	if (!crypto_self_test())
		return FAILED;
	if (!refuse_getrandom(UINT32_MAX))
		return UNSUPPORTED;
	return crypto_self_test() ? FAILED : WORKED;
}

static void in_child(int (*body)(void))
{
	const struct rlimit limit = { 10, 10 };
	const pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0) {
		(void)setrlimit(RLIMIT_CPU, &limit); /* a loop without end is a failure too */
		_exit(body());
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == UNSUPPORTED) {
		print_message("no seccomp here\n");
		skip();
	}
	assert_int_equal(WEXITSTATUS(status), WORKED);
}

static void refused(void **state)
{
	(void)state;
	in_child(without_getrandom);
}

static void refused_half_way(void **state)
{
	(void)state;
	in_child(fails_half_way);
}

static void self_test_refuses_to_start(void **state)
{
	(void)state;
	in_child(self_test_fails);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(fills_exactly),
		cmocka_unit_test(never_twice),
		cmocka_unit_test(interrupted_at_once),
		cmocka_unit_test(interrupted),
		cmocka_unit_test(refused),
		cmocka_unit_test(refused_half_way),
		cmocka_unit_test(self_test_refuses_to_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
