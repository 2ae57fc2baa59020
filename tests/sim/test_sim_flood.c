#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "simnet.h"

/*
 * Node 1 is flooded with messages that cost it a Diffie-Hellman each; node 0 is honest. The brain
 * of node 1 is modelled as one that computes a job in 200 us.
 */
enum { FLOOD_PER_S = 6000 };

static struct sim *flooded(uint64_t seed, unsigned int nodes)
{
	const struct sim_options o = { .seed = seed,
				       .nodes = nodes,
				       .weather = { .delay = 10 * NS_PER_MS },
				       .job_cost = 10 * NS_PER_MS,
				       .message_cost = 5 * NS_PER_MS / 1000,
				       .is_one_sided = true };

	return sim_new(&o);
}

/* A valid mac1 is all that an attacker can make who knows the public key alone. */
static void send_flood(struct sim *s, uint64_t duration)
{
	const struct endpoint from = { .ip = { FAMILY_V4, { 198, 51, 100, 66 } }, .port = 4444 };
	struct message_initiation message;
	struct cookie_maker maker;

	for (uint64_t end = s->now + duration; s->now < end;) {
		cookie_maker_init(&maker);
		watch_random_fill(&s->random, &message, sizeof(message));
		store32_le(message.type, MESSAGE_INITIATION);
		cookie_make(&maker, &s->nodes[1].public, &message, sizeof(message), s->now);
		sim_inject(s, &from, 1, &message, sizeof(message));
		sim_run(s, NS_PER_S / FLOOD_PER_S);
	}
}

/* Load comes and goes: a second of cookies, then the queue fills again. */
static void flood_until_cookies_are_asked_for(struct sim *s)
{
	for (unsigned int i = 0; s->now + NS_PER_S / 2 > s->nodes[1].core->gate.loaded_until; ++i) {
		assert_in_range(i, 0, 200);
		send_flood(s, 20 * NS_PER_MS);
	}
}

static uint64_t rejects(const struct sim *s, enum reject_reason reason)
{
	return core_rejects(s->nodes[1].core)->device.by_reason[reason].count;
}

/* F-D2, F-D3: the honest peer gets a cookie, and with it a handshake at the next try. */
static void fd2_honest_peer_gets_through_a_flood(void **state)
{
	struct sim *s = flooded(1, 2);

	(void)state;
	flood_until_cookies_are_asked_for(s);
	assert_true(rejects(s, REJECT_UNDER_LOAD) > 0);
	assert_true(s->nodes[1].queue_len < HANDSHAKE_QUEUE / 2);
	assert_true(sim_send(s, 0, 1));
	send_flood(s, 4 * NS_PER_S);
	assert_int_equal(s->delivered, 0);
	assert_true(sim_peer(s, 0, 1)->awake->cookie.cookie_born > 0);
	send_flood(s, 3 * NS_PER_S / 2);
	assert_int_equal(s->delivered, 1);
	assert_int_equal(s->nodes[0].initiations[1], 2);
	/* Without a flood nobody needs a cookie. */
	sim_run(s, 10 * NS_PER_S);
	assert_int_equal(s->nodes[1].queue_len, 0);
	sim_restart(s, 0);
	assert_true(sim_send(s, 0, 1));
	sim_run(s, NS_PER_S);
	assert_int_equal(s->delivered, 2);
	sim_free(s);
}

/* F-D5: a cookie is good for one address and port. */
static void fd5_cookie_does_not_move_with_the_peer(void **state)
{
	struct sim *s = flooded(2, 2);

	(void)state;
	flood_until_cookies_are_asked_for(s);
	assert_true(sim_send(s, 0, 1));
	send_flood(s, NS_PER_S);
	assert_true(sim_peer(s, 0, 1)->awake->cookie.cookie_born > 0);
	++s->nodes[0].address.port;
	send_flood(s, 9 * NS_PER_S / 2);
	assert_int_equal(s->nodes[0].initiations[1], 2);
	assert_int_equal(s->delivered, 0);
	send_flood(s, 5 * NS_PER_S);
	assert_int_equal(s->nodes[0].initiations[1], 3);
	assert_int_equal(s->delivered, 1);
	sim_free(s);
}

/* F-D7: who answers with a cookie, or pretends to, does not move the endpoint. */
static void fd7_cookie_reply_moves_nobody(void **state)
{
	const struct endpoint elsewhere = { .ip = { FAMILY_V4, { 203, 0, 113, 9 } }, .port = 9 };
	struct sim *s = flooded(3, 2);
	struct message_cookie reply;
	struct peer *p;

	(void)state;
	sim_cut(s, 0, 1, true);
	assert_true(sim_send(s, 0, 1));
	sim_run(s, NS_PER_S);
	p = sim_peer(s, 0, 1);
	assert_int_not_equal(p->handshake.index, 0);
	for (unsigned int i = 0; i < 2; ++i) {
		const struct watch *w = &s->nodes[1].watch;
		struct message_initiation triggering = { .type = { MESSAGE_INITIATION } };

		store32_le(triggering.sender, p->handshake.index);
		memcpy(triggering.macs.mac1, p->awake->cookie.mac1_sent,
		       sizeof(triggering.macs.mac1));
		assert_true(cookie_reply(&s->nodes[1].core->gate.checker, &triggering,
					 sizeof(triggering), &s->nodes[0].address, s->now,
					 &w->entropy, &reply));
		sim_inject(s, &elsewhere, 0, &reply, sizeof(reply));
		sim_run(s, NS_PER_S);
		assert_true(p->awake->cookie.cookie_born > 0);
		assert_true(endpoint_equal(&p->endpoint, &s->nodes[1].address));
	}
	sim_cut(s, 0, 1, false);
	sim_run(s, 5 * NS_PER_S);
	assert_int_equal(s->delivered, 1);
	sim_free(s);
}

/* Those who talk already do not notice, though their session is renewed meanwhile. */
static void data_flows_through_a_flood(void **state)
{
	struct sim *s = flooded(4, 3);
	const unsigned int before = 119;

	(void)state;
	for (unsigned int i = 0; i < before; ++i) {
		assert_true(sim_send(s, 0, 1));
		sim_run(s, NS_PER_S);
	}
	for (unsigned int i = 0; i < 9; ++i) {
		assert_true(sim_send(s, i & 1, !(i & 1)));
		send_flood(s, NS_PER_S);
	}
	sim_run(s, NS_PER_S);
	assert_int_equal(s->delivered, before + 9);
	assert_true(sim_peer(s, 0, 1)->current->born > SIM_START + 100 * NS_PER_S);
	sim_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fd2_honest_peer_gets_through_a_flood),
		cmocka_unit_test(fd5_cookie_does_not_move_with_the_peer),
		cmocka_unit_test(fd7_cookie_reply_moves_nobody),
		cmocka_unit_test(data_flows_through_a_flood),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
