#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "simnet.h"

#define YEAR (UINT64_C(366) * 24 * 3600 * NS_PER_S)

static struct sim *pair(uint64_t seed)
{
	const struct sim_options o = { .seed = seed,
				       .nodes = 2,
				       .weather = { .delay = 10 * NS_PER_MS } };

	return sim_new(&o);
}

/* One packet gets through within so many seconds. */
static bool can_talk(struct sim *s, unsigned int from, unsigned int within)
{
	const unsigned int before = s->delivered;

	(void)sim_send(s, from, 1 - from);
	sim_run(s, within * NS_PER_S);
	return s->delivered == before + 1;
}

/* A handshake of its own, whatever sessions there are. */
static bool can_initiate(struct sim *s, unsigned int from)
{
	sim_run(s, 600 * NS_PER_S);
	return can_talk(s, from, 1) && s->nodes[from].initiations[1 - from] > 0;
}

/* F-P9: the clock starts in 1970 at each boot. The floor on disk keeps the stamps above it. */
static void fp9_clock_backward(void **state)
{
	struct sim *s = pair(1);

	(void)state;
	assert_true(can_talk(s, 0, 1));
	for (unsigned int boots = 0; boots < 5; ++boots) {
		sim_set_clock(s, 0, boots * NS_PER_S);
		sim_restart(s, 0);
		assert_true(can_talk(s, 0, 1));
		sim_run(s, 40 * NS_PER_S);
	}
	/* And without a restart. */
	for (unsigned int i = 0; i < 5; ++i) {
		sim_set_clock(s, 0, SIM_EPOCH - i * 1000 * NS_PER_S);
		assert_true(can_initiate(s, 0));
	}
	sim_free(s);
}

/* Without the floor the peer must refuse: the simulator sees what the floor is for. */
static void a_lost_floor_is_seen(void **state)
{
	struct sim *s = pair(2);

	(void)state;
	assert_true(can_talk(s, 0, 1));
	sim_set_clock(s, 0, NS_PER_S);
	s->nodes[0].floor = 0;
	sim_restart(s, 0);
	assert_false(can_talk(s, 0, 4));
	sim_free(s);
}

/* F-P10: ten years ahead for an hour, then right again. */
static void fp10_clock_ahead_ten_years_and_back(void **state)
{
	struct sim *s = pair(3);
	const uint64_t before = s->nodes[0].clock_offset == 0 ? SIM_EPOCH : 0;

	(void)state;
	assert_true(can_talk(s, 0, 1));
	sim_set_clock(s, 0, before + 10 * YEAR);
	assert_true(can_initiate(s, 0));
	sim_run(s, 3600 * NS_PER_S);
	assert_true(can_initiate(s, 0));
	/* The absurd time is not kept ... */
	assert_true(s->nodes[0].floor < before + YEAR);
	s->nodes[0].clock_offset = 0;
	/* ... while this run goes on above it. */
	assert_true(can_initiate(s, 0));
	/* The next run is refused by who saw the absurd stamp, but answers him, */
	sim_restart(s, 0);
	assert_true(can_initiate(s, 1));
	assert_true(can_talk(s, 0, 1));
	/* and is at once heard by who forgot it. */
	sim_restart(s, 1);
	sim_restart(s, 0);
	assert_true(can_talk(s, 0, 1));
	sim_free(s);
}

/* A clock that stays ahead is believed after a day, and then a restart is no harm either. */
static void a_clock_that_stays_ahead_is_kept(void **state)
{
	struct sim *s = pair(4);

	(void)state;
	assert_true(can_talk(s, 0, 1));
	sim_set_clock(s, 0, SIM_EPOCH + 10 * YEAR);
	for (unsigned int hour = 0; hour < 27; ++hour) {
		assert_true(can_initiate(s, 0));
		sim_run(s, 3000 * NS_PER_S);
	}
	assert_true(s->nodes[0].floor > SIM_EPOCH + 10 * YEAR);
	sim_restart(s, 0);
	assert_true(can_talk(s, 0, 1));
	sim_free(s);
}

/* Any sequence of jumps within a run, and of restarts with a clock that a machine may have. */
static void random_jumps_and_restarts(void **state)
{
	(void)state;
	for (unsigned int seed = 0; seed < sim_seeds(3); ++seed) {
		struct sim *s = pair(100 + seed);

		assert_true(can_talk(s, 0, 1));
		for (unsigned int i = 0; i < 40; ++i) {
			sim_set_clock(s, 0, SIM_EPOCH + sim_below(s, 20 * NS_PER_S * 3600));
			if (sim_chance(s, 300))
				s->nodes[0].clock_offset = 0;
			if (sim_chance(s, 400))
				sim_restart(s, 0);
			assert_true(can_initiate(s, 0));
		}
		sim_free(s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fp9_clock_backward),
		cmocka_unit_test(a_lost_floor_is_seen),
		cmocka_unit_test(fp10_clock_ahead_ten_years_and_back),
		cmocka_unit_test(a_clock_that_stays_ahead_is_kept),
		cmocka_unit_test(random_jumps_and_restarts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
