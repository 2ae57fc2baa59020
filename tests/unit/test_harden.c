#include "device/harden.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "namespace.h"

#ifdef __SANITIZE_THREAD__
enum { LIMIT_KB = 40 << 10 }; /* its own shadow memory counts too */
#else
enum { LIMIT_KB = 10 << 10 };
#endif
enum { THREADS = 8, BIG = 64 << 20 };

/* A line of /proc/self/status, in kB. */
static long status_kb(const char *name)
{
	FILE *const f = fopen("/proc/self/status", "re");
	char line[128];
	long kb = -1;

	assert_non_null(f);
	while (kb < 0 && fgets(line, sizeof(line), f)) {
		if (strncmp(line, name, strlen(name)) == 0)
			kb = strtol(line + strlen(name), NULL, 10);
	}
	(void)fclose(f); /* only read */
	return kb;
}

static void *wait_at(void *arg)
{
	(void)pthread_barrier_wait(arg); /* one of them is told so, which does not matter */
	(void)pthread_barrier_wait(arg);
	return NULL;
}

/* Threads with their stacks and a large mapping must still be had, and cost only what is touched.
 */
static void use_memory(void)
{
	pthread_t threads[THREADS];
	pthread_barrier_t barrier;
	void *big;

	assert_int_equal(pthread_barrier_init(&barrier, NULL, THREADS + 1), 0);
	for (int i = 0; i < THREADS; ++i)
		assert_int_equal(pthread_create(&threads[i], NULL, wait_at, &barrier), 0);
	(void)pthread_barrier_wait(&barrier);
	big = mmap(NULL, BIG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(big != MAP_FAILED);
	print_message("resident %ld kB, locked %ld kB\n", status_kb("VmRSS:"), status_kb("VmLck:"));
	assert_true(status_kb("VmRSS:") < LIMIT_KB);
	assert_int_equal(munmap(big, BIG), 0);
	(void)pthread_barrier_wait(&barrier);
	for (int i = 0; i < THREADS; ++i)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
}

static void harden(void *ctx)
{
	struct rlimit core;

	(void)ctx;
	harden_process();
	assert_int_equal(prctl(PR_GET_DUMPABLE), 0);
	assert_int_equal(getrlimit(RLIMIT_CORE, &core), 0);
	assert_int_equal(core.rlim_cur, 0);
	assert_int_equal(core.rlim_max, 0);
	use_memory();
}

static void no_core_and_no_growth(void **state)
{
	(void)state;
	test_in_child(harden, NULL);
}

static void harden_as_limited(void *ctx)
{
	const struct rlimit small = { 64 << 10, 64 << 10 };

	assert_int_equal(setrlimit(RLIMIT_MEMLOCK, &small), 0);
	test_in_child_as_user(harden, ctx);
}

static void a_user_with_a_limit_can_still_allocate(void **state)
{
	(void)state;
	if (geteuid() != 0) {
		print_message("only root can become somebody else\n");
		skip();
	}
	test_in_child(harden_as_limited, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_core_and_no_growth),
		cmocka_unit_test(a_user_with_a_limit_can_still_allocate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
