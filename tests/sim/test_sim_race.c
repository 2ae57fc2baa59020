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
		const unsigned int to = (from + 1 + (unsigned int)sim_below(s, NODES - 1)) % NODES;
		const unsigned int third = NODES - from - to;

		/* Some speak in another's name. */
		(void)sim_send_as(s, from, sim_chance(s, 50) ? third : from, to);
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

static void another_peer_of_that_name(struct sim_node *n, uint8_t i)
{
	const struct key_shared psk = { { 1, i } };

	core_remove_peer(n->core, sim_moment(n), sim_peer(n->sim, n->id, 0));
	sim_add_peer(n, 0);
	core_set_psk(sim_peer(n->sim, n->id, 0), &psk);
}

static void another_identity(struct sim_node *n, uint8_t i)
{
	struct key_private key = n->secret;

	key.bytes[5] ^= i % 2;
	assert_true(core_set_private_key(n->core, sim_moment(n), &key, n->floor));
}

/* The simulator compares the keys of each job that had an effect with those that hold. */
static void change_while_answering(uint64_t seed, void (*change_it)(struct sim_node *, uint8_t))
{
	const struct sim_options o = { .seed = seed,
				       .nodes = 2,
				       .weather = { .delay = NS_PER_MS } };
	struct sim *s = sim_new(&o);
	struct sim_node *n = &s->nodes[1];

	assert_true(sim_send(s, 0, 1));
	s->options.job_delay = 100 * NS_PER_MS;
	for (unsigned int i = 0; i < 200; ++i) {
		sim_run(s, NS_PER_MS);
		change_it(n, (uint8_t)i);
		sim_settle(n);
	}
	sim_free(s);
}

static void fh10_no_old_psk_for_a_peer_added_again(void **state)
{
	(void)state;
	for (unsigned int seed = 0; seed < 10; ++seed)
		change_while_answering(seed, another_peer_of_that_name);
}

static void fh11_no_answer_under_an_old_identity(void **state)
{
	(void)state;
	for (unsigned int seed = 0; seed < 5; ++seed)
		change_while_answering(seed, another_identity);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fh1_no_transcript_twice_under_random_job_orders),
		cmocka_unit_test(fh2_simultaneous_initiations),
		cmocka_unit_test(fh11_changes_while_jobs_are_in_flight),
		cmocka_unit_test(fh10_no_old_psk_for_a_peer_added_again),
		cmocka_unit_test(fh11_no_answer_under_an_old_identity),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
