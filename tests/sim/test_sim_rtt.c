#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "simnet.h"

enum { RTT_STEP = 50, RTT_MAX = 4000 /* ms */ };

/* F-H16: a slow path costs one handshake, like a fast one, and the session lives its full time. */
static void at_rtt(uint64_t rtt)
{
	const struct sim_options o = {
		.seed = rtt, .nodes = 2, .weather = { .delay = rtt / 2 }, .is_one_sided = true
	};
	struct sim *s = sim_new(&o);

	assert_true(sim_send(s, 0, 1));
	sim_run(s, 3 * rtt / 2 + NS_PER_MS);
	assert_int_equal(s->delivered, 1);
	assert_int_equal(s->latency[0][1], rtt / 2 * 3);
	assert_int_equal(s->nodes[0].initiations[1], 1);
	for (unsigned int i = 0; i < 22; ++i) {
		assert_true(sim_send(s, i & 1, !(i & 1)));
		sim_run(s, 5 * NS_PER_S);
	}
	sim_run(s, rtt);
	assert_int_equal(s->delivered, 23);
	assert_int_equal(s->nodes[0].initiations[1], 1);
	assert_int_equal(s->nodes[1].initiations[0], 0);
	sim_free(s);
}

static void fh16_handshake_at_every_rtt(void **state)
{
	(void)state;
	for (uint64_t rtt = 0; rtt <= RTT_MAX; rtt += RTT_STEP)
		at_rtt(rtt * NS_PER_MS);
}

/* Rekeying under steady traffic drops nothing and happens once in two minutes. */
static void rekeys_without_a_gap_at_every_rtt(void **state)
{
	(void)state;
	for (uint64_t rtt = 0; rtt <= RTT_MAX; rtt += 1000) {
		const struct sim_options o = { .seed = rtt,
					       .nodes = 2,
					       .weather = { .delay = rtt * NS_PER_MS / 2 },
					       .is_one_sided = true };
		struct sim *s = sim_new(&o);

		assert_true(sim_send(s, 0, 1));
		sim_run(s, 10 * NS_PER_S);
		for (unsigned int i = 0; i < 1200; ++i) {
			assert_true(sim_send(s, i & 1, !(i & 1)));
			sim_run(s, NS_PER_S);
		}
		sim_run(s, 10 * NS_PER_S);
		assert_int_equal(s->delivered, 1201);
		assert_in_range(s->nodes[0].initiations[1] + s->nodes[1].initiations[0], 9, 11);
		sim_free(s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fh16_handshake_at_every_rtt),
		cmocka_unit_test(rekeys_without_a_gap_at_every_rtt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
