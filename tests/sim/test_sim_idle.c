#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "simnet.h"

enum { QUIET = 300 /* s, after the last inner packet: 20 initiations and some timers */ };

static struct sim *pair(uint64_t seed, uint16_t keepalive)
{
	const struct sim_options o = { .seed = seed,
				       .nodes = 2,
				       .weather = { .delay = 20 * NS_PER_MS },
				       .keepalive = keepalive };

	return sim_new(&o);
}

static void talk(struct sim *s, unsigned int seconds)
{
	for (unsigned int i = 0; i < seconds; ++i) {
		(void)sim_send(s, i & 1, 1 - (i & 1));
		sim_run(s, NS_PER_S);
	}
}

/* F-A10: two idle peers say nothing, and wake up for nothing. */
static void fa10_idle_means_silence(void **state)
{
	struct sim *s = pair(1, 0);
	unsigned int sent[2];

	(void)state;
	sim_run(s, 3600 * NS_PER_S);
	assert_int_equal(s->nodes[0].datagrams_sent + s->nodes[1].datagrams_sent, 0);
	talk(s, 300);
	assert_int_equal(s->delivered, 300);
	sim_run(s, 26 * NS_PER_S);
	for (unsigned int i = 0; i < 2; ++i)
		sent[i] = s->nodes[i].datagrams_sent;
	sim_run(s, 3600 * NS_PER_S);
	for (unsigned int i = 0; i < 2; ++i) {
		assert_int_equal(s->nodes[i].datagrams_sent, sent[i]);
		watch_is_at_rest(&s->nodes[i].watch);
	}
	sim_free(s);
}

/* Loss must not make them talk for ever either. */
static void silence_comes_also_where_much_is_lost(void **state)
{
	(void)state;
	for (unsigned int seed = 0; seed < sim_seeds(10); ++seed) {
		struct sim *s = pair(seed, 0);

		s->weather.loss = 300;
		s->weather.duplicate = 100;
		talk(s, 150);
		sim_run(s, QUIET * NS_PER_S);
		for (unsigned int i = 0; i < 2; ++i)
			assert_true(s->now - s->nodes[i].sent_at > 60 * NS_PER_S);
		sim_run(s, 600 * NS_PER_S);
		watch_is_at_rest(&s->nodes[0].watch);
		watch_is_at_rest(&s->nodes[1].watch);
		sim_free(s);
	}
}

static void an_unreachable_peer_is_given_up(void **state)
{
	struct sim *s = pair(2, 0);

	(void)state;
	sim_cut(s, 0, 1, true);
	(void)sim_send(s, 0, 1);
	sim_run(s, 120 * NS_PER_S);
	assert_int_equal(s->nodes[0].datagrams_sent, 20);
	sim_run(s, 3600 * NS_PER_S);
	assert_int_equal(s->nodes[0].datagrams_sent, 20);
	watch_is_at_rest(&s->nodes[0].watch);
	sim_free(s);
}

/* With a persistent keepalive: one datagram each 25 s, and rekeys; also after a long time apart. */
static void persistent_keepalive_goes_on(void **state)
{
	struct sim *s = pair(3, 25);
	unsigned int before;

	(void)state;
	sim_run(s, 100 * NS_PER_S);
	before = s->nodes[0].datagrams_sent;
	sim_run(s, 1000 * NS_PER_S);
	assert_in_range(s->nodes[0].datagrams_sent - before, 40, 60);
	sim_cut(s, 0, 1, true);
	sim_run(s, 2000 * NS_PER_S);
	sim_cut(s, 0, 1, false);
	sim_run(s, 60 * NS_PER_S);
	assert_non_null(sim_peer(s, 0, 1)->current);
	assert_true(sim_send(s, 0, 1));
	sim_run(s, NS_PER_S);
	assert_int_equal(s->delivered, 1);
	sim_free(s);
}

/* One packet alone, no repetition: it gets there although what confirms the key is lost. */
static void a_lone_packet_of_the_responder_arrives(void **state)
{
	(void)state;
	for (unsigned int wait = 100; wait < 6000; wait += 200) {
		struct sim *s = pair(wait, 0);

		assert_true(sim_send(s, 0, 1));
		sim_run(s, 25 * NS_PER_MS); /* the initiation has arrived, the response is on its
					       way */
		s->is_cut[0][1] = true;
		sim_run(s, wait * NS_PER_MS);
		assert_true(sim_send(s, 1, 0));
		sim_run(s, 20 * NS_PER_MS);
		s->is_cut[0][1] = false;
		sim_run(s, 30 * NS_PER_S);
		assert_true(s->packets[1].deliveries == 1);
		sim_free(s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fa10_idle_means_silence),
		cmocka_unit_test(silence_comes_also_where_much_is_lost),
		cmocka_unit_test(an_unreachable_peer_is_given_up),
		cmocka_unit_test(persistent_keepalive_goes_on),
		cmocka_unit_test(a_lone_packet_of_the_responder_arrives),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
