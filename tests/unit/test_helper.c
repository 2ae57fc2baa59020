#include "device/helper.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "crypto/crypto.h"
#include "support.h"

enum { PAUSE_NS = 200000, TRIES = 50000 }; /* ten seconds at most */

static atomic_uint wakes;

static void woken(void *ctx)
{
	(void)ctx;
	atomic_fetch_add(&wakes, 1);
}

static void set_up(struct helper *h)
{
	atomic_store(&wakes, 0);
	assert_int_equal(helper_init(h, woken, NULL), 0);
}

static const struct handshake_job zero;

/* An initiation that nobody can read, known by its port; every third is one to be made. */
static struct handshake_job job(uint16_t number)
{
	struct handshake_job j = { .task = TASK_IDENTIFY, .from.port = number };
	uint64_t seed = number;

	test_random_fill(&seed, &j.local.secret, KEY_LEN);
	crypto_clamp(&j.local.secret);
	assert_true(crypto_public(&j.local.secret, &j.local.public));
	j.remote = j.local.public;
	test_random_fill(&seed, &j.ephemeral, KEY_LEN);
	crypto_clamp(&j.ephemeral);
	test_random_fill(&seed, &j.initiation_message, sizeof(j.initiation_message));
	if (number % 3 == 0)
		j.task = TASK_INITIATE;
	return j;
}

static void rest(void)
{
	const struct timespec t = { .tv_nsec = PAUSE_NS };

	nanosleep(&t, NULL);
}

static struct handshake_job wait_for_result(struct helper *h)
{
	struct handshake_job ret;

	for (int i = 0; i < TRIES; ++i) {
		if (helper_take(h, &ret))
			return ret;
		rest();
	}
	fail_msg("no result");
	return zero;
}

/* Each comes back once, in any order, and is what the pure function makes of it. */
static void results_are_those_of_the_pure_function(void **state)
{
	enum { JOBS = 300 };
	static bool seen[JOBS];
	size_t given = 0, taken = 0;
	struct helper h;

	(void)state;
	set_up(&h);
	assert_int_equal(helper_start(&h), 0);
	while (taken < JOBS) {
		struct handshake_job expect, got;

		while (given < JOBS && helper_room(&h)) {
			got = job((uint16_t)given++);
			assert_true(helper_put(&h, &got));
			assert_memory_equal(&got, &zero, sizeof(got));
		}
		assert_int_equal(helper_room(&h), HELPER_JOBS - (given - taken));
		got = wait_for_result(&h);
		++taken;
		assert_false(seen[got.from.port]);
		seen[got.from.port] = true;
		expect = job(got.from.port);
		handshake_compute(&expect);
		assert_int_equal(got.ok, got.task == TASK_INITIATE);
		assert_memory_equal(&got, &expect, sizeof(got));
	}
	assert_true(atomic_load(&wakes) == JOBS);
	assert_int_equal(helper_room(&h), HELPER_JOBS);
	helper_stop(&h);
	helper_done(&h);
}

/* What was given and not taken back counts, computed or not: results have room too. */
static void full_refuses_and_keeps_the_job(void **state)
{
	struct handshake_job j, before;
	struct helper h;

	(void)state;
	set_up(&h);
	for (uint16_t round = 0; round < 2; ++round) {
		for (uint16_t i = 0; i < HELPER_JOBS; ++i) {
			j = job(i);
			assert_true(helper_put(&h, &j));
		}
		j = before = job(99);
		assert_int_equal(helper_room(&h), 0);
		assert_false(helper_put(&h, &j));
		assert_memory_equal(&j, &before, sizeof(j));
		if (round)
			break;
		assert_false(helper_take(&h, &j)); /* no thread yet */
		assert_int_equal(helper_start(&h), 0);
		for (int i = 0; i < TRIES && atomic_load(&wakes) < HELPER_JOBS; ++i)
			rest();
		assert_int_equal(atomic_load(&wakes), HELPER_JOBS);
		j = before;
		assert_false(helper_put(&h, &j));
		for (uint16_t i = 0; i < HELPER_JOBS; ++i)
			assert_true(helper_take(&h, &j));
		assert_false(helper_take(&h, &j));
	}
	helper_stop(&h);
	helper_done(&h);
}

/* F-L8: thousands of initiations of our own leave room for the responses to them, and there is
 * never more for them than for anything. */
static void fl8_initiations_of_ours_leave_room(void **state)
{
	struct handshake_job j;
	struct helper h;

	(void)state;
	set_up(&h);
	for (uint16_t i = 0; i < HELPER_OWN; ++i) {
		assert_int_equal(helper_room_own(&h), HELPER_OWN - i);
		j = job(3 * i);
		assert_true(helper_put(&h, &j));
	}
	assert_int_equal(helper_room_own(&h), 0);
	assert_int_equal(helper_room(&h), HELPER_JOBS - HELPER_OWN);
	assert_int_equal(helper_start(&h), 0);
	for (size_t i = 1; i <= HELPER_OWN; ++i) {
		(void)wait_for_result(&h);
		assert_int_equal(helper_room_own(&h), i);
	}
	helper_stop(&h);
	for (uint16_t i = 0; i < HELPER_JOBS; ++i) {
		const size_t room = (size_t)(HELPER_JOBS - i);

		assert_int_equal(helper_room_own(&h), room < HELPER_OWN ? room : HELPER_OWN);
		j = job(1);
		assert_true(helper_put(&h, &j));
	}
	assert_int_equal(helper_room_own(&h), 0);
	helper_stop(&h);
	j = job(3);
	assert_true(helper_put(&h, &j));
	helper_stop(&h);
	assert_int_equal(helper_room_own(&h), HELPER_OWN);
	helper_done(&h);
}

static bool is_wiped(const struct handshake_job *jobs)
{
	for (size_t i = 0; i < HELPER_JOBS; ++i)
		if (memcmp(&jobs[i], &zero, sizeof(zero)) != 0)
			return false;
	return true;
}

/* F-S4: no key stays behind, whatever was under way; and it can start again. */
static void fs4_no_job_outlives_the_end(void **state)
{
	struct handshake_job j;
	struct helper h;

	(void)state;
	set_up(&h);
	for (int round = 0; round < 8; ++round) {
		assert_int_equal(helper_start(&h), 0);
		for (uint16_t i = 0; i < HELPER_JOBS; ++i) {
			j = job(i);
			assert_true(helper_put(&h, &j));
		}
		for (int i = 0; i < round; ++i)
			rest();
		helper_stop(&h);
		assert_true(is_wiped(h.jobs) && is_wiped(h.results));
		assert_int_equal(helper_room(&h), HELPER_JOBS);
		assert_false(helper_take(&h, &j));
	}
	helper_done(&h);
}

/* A slot that was used holds nothing once its job has moved on. */
static void moved_jobs_are_wiped(void **state)
{
	struct handshake_job j = job(0);
	struct helper h;

	(void)state;
	set_up(&h);
	assert_int_equal(helper_start(&h), 0);
	assert_true(helper_put(&h, &j));
	j = wait_for_result(&h);
	pthread_mutex_lock(&h.lock); /* for the thread sanitizer: it is idle */
	assert_true(is_wiped(h.jobs) && is_wiped(h.results));
	pthread_mutex_unlock(&h.lock);
	helper_stop(&h);
	helper_done(&h);
	helper_done(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(results_are_those_of_the_pure_function),
		cmocka_unit_test(full_refuses_and_keeps_the_job),
		cmocka_unit_test(fl8_initiations_of_ours_leave_room),
		cmocka_unit_test(fs4_no_job_outlives_the_end),
		cmocka_unit_test(moved_jobs_are_wiped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
