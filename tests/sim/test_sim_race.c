#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "simnet.h"

enum { NODES = 3 };

/* Within this time a quiet network mends whatever a race has broken. */
#define MENDED (30 * NS_PER_S)

static struct sim_options racing(uint64_t seed)
{
	return (struct sim_options){ .seed = seed,
				     .nodes = NODES,
				     .weather = { .delay = NS_PER_MS,
						  .jitter = 50 * NS_PER_MS,
						  .duplicate = 400,
						  .loss = 50 },
				     .job_delay = 200 * NS_PER_MS,
				     .hold = 20 * NS_PER_MS,
				     .tick_late = 5 * NS_PER_MS,
				     .has_psk = true };
}

static void chatter(struct sim *s, unsigned int packets, uint64_t pause)
{
	for (unsigned int i = 0; i < packets; ++i) {
		const unsigned int from = (unsigned int)sim_below(s, NODES);

		(void)sim_send(s, from, (from + 1 + (unsigned int)sim_below(s, NODES - 1)) % NODES);
		sim_run(s, sim_below(s, pause));
	}
}

static void expect_all_talk(struct sim *s)
{
	s->weather = (struct sim_weather){ .delay = NS_PER_MS };
	for (uint64_t end = s->now + MENDED; s->now < end; sim_run(s, NS_PER_S))
		for (unsigned int i = 0; i < NODES * NODES; ++i)
			if (i / NODES != i % NODES)
				(void)sim_send(s, i / NODES, i % NODES);
	for (unsigned int i = 0; i < NODES * NODES; ++i)
		if (i / NODES != i % NODES)
			assert_true(s->now - s->delivered_at[i / NODES][i % NODES] <= 2 * NS_PER_S);
}

/* F-H1: messages doubled, jobs late and in any order. The watch sees a key that comes again. */
static void fh1_no_transcript_twice_under_random_job_orders(void **state)
{
	(void)state;
	for (unsigned int seed = 0; seed < 2 * sim_seeds(3); ++seed) {
		struct sim_options o = racing(seed);
		struct sim *s;

		/* Some jobs take longer than a retry. */
		o.job_delay = (seed % 3) * 4 * NS_PER_S + 50 * NS_PER_MS;
		s = sim_new(&o);
		for (unsigned int i = 0; i < 8; ++i) {
			chatter(s, 60, 400 * NS_PER_MS);
			sim_run(s, sim_below(s, 200 * NS_PER_S));
		}
		s->options.job_delay = NS_PER_MS;
		sim_run(s, 10 * NS_PER_S);
		expect_all_talk(s);
		sim_free(s);
	}
}

/* F-H2: both begin at once, at every offset. Nothing is lost, no index leaks or is 0. */
static void fh2_simultaneous_initiations(void **state)
{
	const uint64_t delay = 10 * NS_PER_MS;

	(void)state;
	for (unsigned int seed = 0; seed < 8 * sim_seeds(5); ++seed) {
		const struct sim_options o = { .seed = seed,
					       .nodes = 2,
					       .weather = { .delay = delay },
					       .job_delay = seed % 2 ? 15 * NS_PER_MS : 0 };
		struct sim *s = sim_new(&o);

		assert_true(sim_send(s, 0, 1));
		sim_run(s, sim_below(s, 2 * delay));
		assert_true(sim_send(s, 1, 0));
		sim_run(s, NS_PER_S);
		assert_int_equal(s->delivered, 2);
		for (unsigned int i = 0; i < 4; ++i)
			assert_true(sim_send(s, i & 1, !(i & 1)));
		sim_run(s, NS_PER_S);
		assert_int_equal(s->delivered, 6);
		sim_run(s, 700 * NS_PER_S);
		watch_is_at_rest(&s->nodes[0].watch);
		watch_is_at_rest(&s->nodes[1].watch);
		sim_free(s);
	}
}

static void readd_peer(struct sim_node *n, unsigned int other)
{
	struct peer *p = sim_peer(n->sim, n->id, other);

	if (p)
		core_remove_peer(n->core, sim_moment(n), p);
	if (!p || sim_chance(n->sim, 500))
		sim_add_peer(n, other);
}

static void flip_psk(struct sim_node *n, unsigned int other)
{
	struct peer *p = sim_peer(n->sim, n->id, other);
	struct key_shared psk;

	sim_psk(n->sim, n->id, other, &psk);
	psk.bytes[0] ^= (uint8_t)sim_chance(n->sim, 500);
	if (p)
		core_set_psk(p, &psk);
}

static void flip_key(struct sim_node *n)
{
	struct key_private key = n->secret;

	key.bytes[8] ^= (uint8_t)sim_chance(n->sim, 500);
	if (sim_chance(n->sim, 100))
		key = (struct key_private){ 0 };
	assert_true(core_set_private_key(n->core, sim_moment(n), &key, n->floor));
}

static void change(struct sim *s)
{
	struct sim_node *n = &s->nodes[sim_below(s, NODES)];
	const unsigned int other = (n->id + 1 + (unsigned int)sim_below(s, NODES - 1)) % NODES;
	struct peer *p = sim_peer(s, n->id, other);

	switch (sim_below(s, 6)) {
	case 0:
		readd_peer(n, other);
		break;
	case 1:
		flip_psk(n, other);
		break;
	case 2:
		flip_key(n);
		break;
	case 3:
		core_down(n->core, sim_moment(n));
		break;
	case 4:
		core_up(n->core, sim_moment(n));
		break;
	case 5:
		if (p)
			core_set_keepalive(n->core, sim_moment(n), p, (uint16_t)sim_below(s, 3));
		break;
	}
	sim_forget_spacing(n);
	sim_settle(n);
}

static void restore(struct sim *s)
{
	for (unsigned int i = 0; i < NODES; ++i) {
		struct sim_node *n = &s->nodes[i];

		assert_true(core_set_private_key(n->core, sim_moment(n), &n->secret, n->floor));
		core_up(n->core, sim_moment(n));
		for (unsigned int other = 0; other < NODES; ++other) {
			struct key_shared psk;

			if (other == i)
				continue;
			if (!sim_peer(s, i, other))
				sim_add_peer(n, other);
			sim_psk(s, i, other, &psk);
			core_set_psk(sim_peer(s, i, other), &psk);
		}
		sim_forget_spacing(n);
		sim_settle(n);
	}
}

/* F-H11: keys, peers and the link change while jobs and packets are on their way. */
static void fh11_changes_while_jobs_are_in_flight(void **state)
{
	(void)state;
	for (unsigned int seed = 0; seed < sim_seeds(5); ++seed) {
		const struct sim_options o = racing(seed);
		struct sim *s = sim_new(&o);

		for (unsigned int i = 0; i < 150; ++i) {
			chatter(s, 3, 300 * NS_PER_MS);
			change(s);
		}
		restore(s);
		sim_run(s, 10 * NS_PER_S);
		expect_all_talk(s);
		sim_free(s);
	}
}

/* An answer computed with a preshared key that has gone is not installed for its successor. */
static void fh10_no_old_psk_for_a_peer_added_again(void **state)
{
	const struct sim_options o = { .seed = 7,
				       .nodes = 2,
				       .weather = { .delay = NS_PER_MS },
				       .job_delay = 0,
				       .has_psk = true };
	struct sim *s = sim_new(&o);
	struct sim_node *n = &s->nodes[1];
	struct key_shared psk = { { 1 } };

	(void)state;
	assert_true(sim_send(s, 0, 1));
	s->options.job_delay = 100 * NS_PER_MS;
	sim_run(s, NS_PER_MS);
	while (n->queue_len)
		sim_run(s, 1);
	core_remove_peer(n->core, sim_moment(n), sim_peer(s, 1, 0));
	for (unsigned int i = 0; i < 200; ++i) {
		/* At every moment of the two jobs. */
		if (sim_peer(s, 1, 0))
			core_remove_peer(n->core, sim_moment(n), sim_peer(s, 1, 0));
		s->options.has_psk = i % 2 == 0;
		sim_add_peer(n, 0);
		psk.bytes[1] = (uint8_t)i;
		core_set_psk(sim_peer(s, 1, 0), &psk);
		sim_settle(n);
		sim_run(s, NS_PER_MS);
		assert_null(sim_peer(s, 1, 0)->next);
	}
	sim_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fh1_no_transcript_twice_under_random_job_orders),
		cmocka_unit_test(fh2_simultaneous_initiations),
		cmocka_unit_test(fh11_changes_while_jobs_are_in_flight),
		cmocka_unit_test(fh10_no_old_psk_for_a_peer_added_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
