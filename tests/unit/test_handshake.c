#include "wg/handshake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "crypto/crypto.h"
#include "pair.h"
#include "support.h"

static struct pair pair; /* large */

static const struct endpoint elsewhere = { .ip = { FAMILY_V4, { 203, 0, 113, 7 } }, .port = 9 };
static const struct source nowhere;

static bool lose_all(struct pair *p, struct datagram *d)
{
	(void)p;
	(void)d;
	return false;
}

static uint64_t total_rejects(unsigned int i)
{
	uint64_t n = 0;

	for (int r = 0; r < REJECT_REASONS; ++r)
		n += pair_rejects(&pair, i, (enum reject_reason)r);
	return n;
}

/* Host 0 sends; its initiation is taken off the wire. */
static void begin_initiation(struct datagram *ret)
{
	uint8_t packet[40];

	pair_packet(&pair, 0, packet, sizeof(packet));
	assert_int_equal(pair_offer(&pair, 0, packet, sizeof(packet)), TRANSPORT_STAGE);
	pair_work(&pair, 0);
	assert_true(pair_take(&pair, ret));
	assert_int_equal(ret->bytes[0], MESSAGE_INITIATION);
	assert_int_equal(ret->len, 148);
	assert_int_equal(pair.used, 0);
}

static void begin_response(struct datagram *initiation, struct datagram *ret)
{
	begin_initiation(initiation);
	pair_receive(&pair, 1, initiation);
	assert_true(pair_take(&pair, ret));
	assert_int_equal(ret->bytes[0], MESSAGE_RESPONSE);
	assert_int_equal(ret->len, 92);
}

static enum handshake_step receive(unsigned int i, const struct datagram *d,
				   struct handshake_job *job)
{
	struct handshake_datagram reply;

	return handshake_receive(pair.host[i].core, pair.now,
				 &(struct handshake_arrival){ .bytes = d->bytes,
							      .len = d->len,
							      .from = d->from,
							      .to = nowhere,
							      .backlog = pair.backlog },
				 job, &reply);
}

/* Traffic passes in both directions, now. */
static void check_traffic(void)
{
	for (unsigned int i = 0; i < 2; ++i) {
		const size_t before = pair.host[!i].delivered;

		assert_int_equal(pair_send(&pair, i, 60), TRANSPORT_SEAL);
		assert_int_equal(pair.host[!i].delivered, before + 1);
	}
}

static void check_both_roles(const struct key_shared *psk)
{
	for (unsigned int i = 0; i < 2; ++i) {
		pair_init(&pair);
		core_set_psk(pair.host[0].peer, psk);
		core_set_psk(pair.host[1].peer, psk);
		assert_int_equal(pair_send(&pair, i, 100), TRANSPORT_STAGE);
		assert_int_equal(pair.host[!i].delivered, 1);
		assert_int_equal(pair.host[!i].last_len, 100);
		assert_int_equal(pair.host[i].sent[MESSAGE_INITIATION], 1);
		assert_int_equal(pair.host[!i].sent[MESSAGE_RESPONSE], 1);
		assert_int_equal(pair.host[i].sent[MESSAGE_DATA], 1);
		assert_true(pair.host[i].peer->current->is_initiator);
		assert_false(pair.host[!i].peer->current->is_initiator);
		for (unsigned int k = 0; k < 2; ++k) {
			assert_true(pair.host[k].peer->handshake_real == pair.now.real);
			assert_null(pair.host[k].peer->next);
			assert_null(pair.host[k].peer->previous);
			assert_int_equal(pair.host[k].peer->handshake.index, 0);
			assert_int_equal(total_rejects(k), 0);
		}
		pair_check(&pair);
		check_traffic();
		pair_done(&pair);
	}
}

static void handshake_both_roles(void **state)
{
	const struct key_shared none = { { 0 } }, some = { { 1, 2, 3 } };

	(void)state;
	check_both_roles(&none);
	check_both_roles(&some);
}

/* Outer TOS, addresses, and who may send when. */
static void messages_go_where_they_must(void **state)
{
	struct datagram initiation, response;

	(void)state;
	pair_init(&pair);
	begin_response(&initiation, &response);
	assert_int_equal(initiation.tos, 0x88);
	assert_int_equal(response.tos, 0x88);
	assert_true(endpoint_equal(&initiation.addressed, &pair.host[1].endpoint));
	assert_true(endpoint_equal(&response.addressed, &pair.host[0].endpoint));
	/* The responder may not send before it has heard from the initiator. */
	assert_null(pair.host[1].peer->current);
	assert_non_null(pair.host[1].peer->next);
	assert_true(pair.host[1].peer->handshake_real == 0);
	assert_int_equal(pair_send(&pair, 1, 50), TRANSPORT_STAGE);
	assert_int_equal(pair.host[1].sent[MESSAGE_DATA], 0);
	assert_int_equal(pair.host[1].sent[MESSAGE_INITIATION], 0);
	pair_receive(&pair, 0, &response);
	pair_run(&pair);
	assert_int_equal(pair.host[0].delivered, 1);
	assert_int_equal(pair.host[1].delivered, 1);
	pair_done(&pair);
}

/* With nothing staged the initiator confirms with a keepalive. */
static void keepalive_confirms(void **state)
{
	(void)state;
	pair_init(&pair);
	core_set_keepalive(pair.host[0].core, pair.now, pair.host[0].peer, 25);
	pair_run(&pair);
	assert_int_equal(pair.host[0].sent_keepalives, 1);
	assert_int_equal(pair.host[1].delivered, 0);
	assert_non_null(pair.host[1].peer->current);
	pair_done(&pair);
}

/*
 * F-H1: two copies of one response, and a new initiation begun 5 s later, in every order of their
 * steps. Each event is one step of one of the three threads.
 */
enum { THREADS = 3, STEPS = 3 };

struct interleaving {
	struct datagram response;
	struct handshake_job job[THREADS];
	bool alive[THREADS]; /* the job came to life and goes on */
	uint64_t n;
};

static struct interleaving inter;

static void start_thread(unsigned int thread)
{
	static uint8_t buffer[MESSAGE_MAX];
	struct output out = { .packet = buffer };
	struct host *h = &pair.host[0];

	if (thread < 2) {
		inter.alive[thread] =
			receive(0, &inter.response, &inter.job[thread]) == HANDSHAKE_WORK;
		return;
	}
	core_want_handshake(h->core, pair.now, h->peer);
	for (;;) {
		switch (core_pull(h->core, pair.now, &out)) {
		case OUTPUT_JOB:
			inter.job[thread] = out.job;
			inter.alive[thread] = true;
			return;
		case OUTPUT_PACKET:
			pair_seal(&pair, 0, &out.sending, buffer, out.len);
			continue;
		case OUTPUT_NONE:
			return;
		}
	}
}

static void commit_thread(unsigned int thread)
{
	struct handshake_datagram reply;
	struct host *h = &pair.host[0];

	if (handshake_commit(h->core, pair.now, &inter.job[thread], &reply) == HANDSHAKE_SEND)
		pair_put(&pair, 0, &reply);
	pair_check(&pair);
	/* A key that carries something: a counter that starts again shows. */
	if (h->peer->current) {
		uint64_t first;

		assert_true(session_reserve(h->peer->current, 3, &first));
		pair_check(&pair);
	}
}

static void step_thread(unsigned int thread, unsigned int step)
{
	if (step == 0)
		start_thread(thread);
	else if (!inter.alive[thread])
		return;
	else if (step == 1)
		pair_compute(&pair, &inter.job[thread]);
	else
		commit_thread(thread);
}

static void run_order(const unsigned int order[static THREADS * STEPS])
{
	unsigned int step[THREADS] = { 0 };
	struct datagram initiation;

	pair_init(&pair);
	pair.fast = true;
	memset(inter.alive, 0, sizeof(inter.alive));
	begin_response(&initiation, &inter.response);
	pair_check(&pair);
	pair_jump(&pair, REKEY_TIMEOUT);
	for (unsigned int i = 0; i < THREADS * STEPS; ++i)
		step_thread(order[i], step[order[i]]++);
	/* Whatever came of it, both ends go on. */
	pair_run(&pair);
	pair_check(&pair);
	pair_advance(&pair, 11 * NS_PER_S);
	assert_int_not_equal(pair_send(&pair, 0, 60), TRANSPORT_DROP);
	pair_advance(&pair, 6 * NS_PER_S);
	check_traffic();
	pair_check(&pair);
	++inter.n;
	pair_done(&pair);
}

static void every_order(unsigned int order[static THREADS * STEPS], unsigned int len,
			unsigned int left[static THREADS])
{
	if (len == THREADS * STEPS)
		run_order(order);
	for (unsigned int t = 0; t < THREADS; ++t) {
		if (left[t] == 0)
			continue;
		--left[t];
		order[len] = t;
		every_order(order, len + 1, left);
		++left[t];
	}
}

static void fh1_every_order_of_two_responses_and_one_initiation(void **state)
{
	unsigned int order[THREADS * STEPS] = { 0 }, left[THREADS] = { STEPS, STEPS, STEPS };

	(void)state;
	inter.n = 0;
	every_order(order, 0, left);
	assert_int_equal(inter.n, 1680); /* 9! / (3! 3! 3!) */
}

/* Both start at once, and the messages meet on the wire in all orders that chance brings. */
static void meet(uint64_t *seed)
{
	static struct datagram held[2];
	size_t n[2] = { 0, 0 };

	for (unsigned int i = 0; i < 2; ++i) {
		core_want_handshake(pair.host[i].core, pair.now, pair.host[i].peer);
		pair_work(&pair, i);
	}
	while (pair_take(&pair, &held[n[0] + n[1]]) && ++n[0] < 2)
		continue;
	if (n[0] == 2 && test_random_below(seed, 2))
		pair_receive(&pair, held[1].to, &held[1]), --n[0];
	for (size_t i = 0; i < n[0]; ++i)
		if (test_random_below(seed, 8)) /* or lost */
			pair_receive(&pair, held[i].to, &held[i]);
	pair_run(&pair);
}

static void fh2_simultaneous_initiations_lose_no_index(void **state)
{
	const char *tier = getenv("WARREN_TIER");
	const int rounds = tier && strcmp(tier, "check") == 0 ? 20000 : 100000;
	uint64_t seed = 2;

	(void)state;
	pair_init(&pair);
	pair.fast = true;
	for (int round = 0; round < rounds; ++round) {
		pair_jump(&pair, REKEY_TIMEOUT + test_random_below(&seed, NS_PER_S));
		if (test_random_below(&seed, 64) == 0)
			pair_jump(&pair, 200 * NS_PER_S);
		meet(&seed);
		pair_check(&pair);
		assert_true(pair.host[0].core->table.used <= 4);
		assert_true(pair.host[1].core->table.used <= 4);
	}
	pair_jump(&pair, REKEY_TIMEOUT);
	pair_run(&pair);
	check_traffic();
	pair_advance(&pair, 600 * NS_PER_S);
	assert_int_equal(pair.host[0].core->table.used, 0);
	assert_int_equal(pair.host[1].core->table.used, 0);
	pair_done(&pair);
}

/* With the right index and a good mac1, and all that is inside wrong. */
static void fh8_garbage_response_does_not_clear_state(void **state)
{
	struct datagram initiation, response, bad;
	struct cookie_maker maker;

	(void)state;
	pair_init(&pair);
	begin_response(&initiation, &response);
	for (size_t n = 12; n < 60; n += 5) {
		bad = response;
		bad.bytes[n] ^= 1;
		bad.from = elsewhere;
		pair_receive(&pair, 0, &bad); /* mac1 is wrong too */
		cookie_maker_init(&maker);
		cookie_make(&maker, &pair.host[0].id.public, bad.bytes, bad.len, pair.now.boot);
		pair_receive(&pair, 0, &bad);
		assert_null(pair.host[0].peer->current);
	}
	assert_int_equal(pair_rejects(&pair, 0, REJECT_RESPONSE), 10);
	assert_int_equal(pair_rejects(&pair, 0, REJECT_MAC1), 10);
	pair_receive(&pair, 0, &response);
	pair_run(&pair);
	assert_int_equal(pair.host[1].delivered, 1);
	assert_true(endpoint_equal(&pair.host[0].peer->endpoint, &pair.host[1].endpoint));
	pair_done(&pair);
}

/* Identified and computed, both of them, before either is committed. */
static void fh9_two_equal_initiations_one_response(void **state)
{
	struct handshake_datagram reply;
	struct handshake_job jobs[2];
	struct datagram initiation;
	struct core *c;

	(void)state;
	pair_init(&pair);
	c = pair.host[1].core;
	begin_initiation(&initiation);
	for (int i = 0; i < 2; ++i) {
		assert_int_equal(receive(1, &initiation, &jobs[i]), HANDSHAKE_WORK);
		handshake_compute(&jobs[i]);
		assert_int_equal(handshake_commit(c, pair.now, &jobs[i], &reply), HANDSHAKE_WORK);
		handshake_compute(&jobs[i]);
	}
	assert_int_equal(handshake_commit(c, pair.now, &jobs[0], &reply), HANDSHAKE_SEND);
	pair_jump(&pair, NS_PER_S);
	assert_int_equal(handshake_commit(c, pair.now, &jobs[1], &reply), HANDSHAKE_DROPPED);
	assert_int_equal(pair_rejects(&pair, 1, REJECT_STAMP_OLD), 1);
	assert_int_equal(c->table.used, 1);
	pair_done(&pair);
}

/* A replay has cost one DH and gets no more. */
static void replay_is_not_answered_by_compute(void **state)
{
	static const struct message_response zero;
	struct handshake_datagram reply;
	struct datagram initiation;
	struct handshake_job job;

	(void)state;
	pair_init(&pair);
	begin_initiation(&initiation);
	for (int i = 0; i < 2; ++i) {
		pair_jump(&pair, 20 * NS_PER_MS);
		assert_int_equal(receive(1, &initiation, &job), HANDSHAKE_WORK);
		handshake_compute(&job);
		assert_int_equal(handshake_commit(pair.host[1].core, pair.now, &job, &reply),
				 HANDSHAKE_WORK);
		handshake_compute(&job);
		assert_int_equal(job.is_replayed, i == 1);
		if (i == 1)
			assert_memory_equal(&job.response_message, &zero, sizeof(zero));
		assert_int_equal(handshake_commit(pair.host[1].core, pair.now, &job, &reply),
				 i == 0 ? HANDSHAKE_SEND : HANDSHAKE_DROPPED);
	}
	pair_done(&pair);
}

static void set_psk(unsigned int i, uint8_t n)
{
	const struct key_shared psk = { { n } };

	core_set_psk(pair.host[i].peer, &psk);
}

static void again_after(uint64_t ns)
{
	pair_jump(&pair, ns);
	core_want_handshake(pair.host[0].core, pair.now, pair.host[0].peer);
	pair_run(&pair);
}

static void fh10_psk_change(void **state)
{
	const struct session *before;

	(void)state;
	pair_init(&pair);
	set_psk(0, 1);
	set_psk(1, 1);
	(void)pair_send(&pair, 0, 60);
	before = pair.host[0].peer->current;
	/* The session that is there does not mind. */
	set_psk(0, 2);
	check_traffic();
	again_after(6 * NS_PER_S);
	assert_ptr_equal(pair.host[0].peer->current, before);
	assert_int_equal(pair_rejects(&pair, 0, REJECT_RESPONSE), 1);
	check_traffic();
	set_psk(1, 2);
	again_after(6 * NS_PER_S);
	assert_ptr_not_equal(pair.host[0].peer->current, before);
	check_traffic();
	/* All zero is none, at both ends or at neither. */
	set_psk(0, 0);
	again_after(6 * NS_PER_S);
	assert_int_equal(pair_rejects(&pair, 0, REJECT_RESPONSE), 2);
	set_psk(1, 0);
	again_after(6 * NS_PER_S);
	assert_int_equal(pair_rejects(&pair, 0, REJECT_RESPONSE), 2);
	check_traffic();
	pair_done(&pair);
}

/* Between a job's copy and its commit the psk changes, there and back again as well. */
static void fh10_psk_change_while_computing(void **state)
{
	struct handshake_datagram reply;
	struct datagram initiation, response;
	struct handshake_job job;

	(void)state;
	pair_init(&pair);
	begin_initiation(&initiation);
	assert_int_equal(receive(1, &initiation, &job), HANDSHAKE_WORK);
	handshake_compute(&job);
	assert_int_equal(handshake_commit(pair.host[1].core, pair.now, &job, &reply),
			 HANDSHAKE_WORK);
	handshake_compute(&job);
	set_psk(1, 1);
	set_psk(1, 0);
	assert_int_equal(handshake_commit(pair.host[1].core, pair.now, &job, &reply),
			 HANDSHAKE_DROPPED);
	assert_int_equal(pair_rejects(&pair, 1, REJECT_CHANGED), 1);
	/* Nothing was taken of it: the very same message is good. */
	pair_receive(&pair, 1, &initiation);
	assert_true(pair_take(&pair, &response));
	assert_int_equal(receive(0, &response, &job), HANDSHAKE_WORK);
	handshake_compute(&job);
	set_psk(0, 1);
	assert_int_equal(handshake_commit(pair.host[0].core, pair.now, &job, &reply),
			 HANDSHAKE_DROPPED);
	assert_null(pair.host[0].peer->current);
	pair_done(&pair);
}

/* A peer that was removed and configured again is another one, though its key is the same. */
static void peer_configured_again_while_computing(void **state)
{
	struct host *h = &pair.host[1];
	struct handshake_datagram reply;
	struct datagram initiation;
	struct handshake_job job;

	(void)state;
	for (int row = 0; row < 2; ++row) {
		pair_init(&pair);
		set_psk(1, 1);
		begin_initiation(&initiation);
		if (row == 0) {
			assert_int_equal(receive(1, &initiation, &job), HANDSHAKE_WORK);
			handshake_compute(&job);
			assert_int_equal(handshake_commit(h->core, pair.now, &job, &reply),
					 HANDSHAKE_WORK);
		} else {
			assert_true(handshake_initiate(h->core, pair.now, h->peer, &job));
		}
		handshake_compute(&job);
		core_remove_peer(h->core, pair.now, h->peer);
		assert_true(core_reserve(h->core, 1, 1));
		h->peer = core_add_peer(h->core, &pair.host[0].id.public);
		set_psk(1, 2);
		assert_int_equal(handshake_commit(h->core, pair.now, &job, &reply),
				 HANDSHAKE_DROPPED);
		assert_int_equal(pair_rejects(&pair, 1, REJECT_CHANGED), 1);
		assert_int_equal(h->core->table.used, 0);
		pair_done(&pair);
	}
}

static bool set_key(unsigned int i, const struct key_private *key)
{
	struct core *c = pair.host[i].core;

	return core_set_private_key(c, pair.now, key, core_stamp_floor(c));
}

static void fh11_own_key_as_peer_and_key_flips(void **state)
{
	const struct key_private other = { { 8, 1 } }, none = { { 0 } };
	struct host *h = &pair.host[0];
	struct key_public public;

	(void)state;
	pair_init(&pair);
	(void)pair_send(&pair, 0, 60);
	assert_true(core_reserve(h->core, 3, 0));
	assert_null(core_add_peer(h->core, &h->id.public));
	assert_int_equal(core_peer_count(h->core), 1);
	/* A peer whose key becomes our own goes away. */
	assert_true(crypto_public(&other, &public));
	assert_non_null(core_add_peer(h->core, &public));
	assert_true(set_key(0, &other));
	assert_null(core_find_peer(h->core, &public));
	assert_int_equal(core_peer_count(h->core), 1);
	assert_true(set_key(0, &none));
	assert_true(set_key(0, &h->id.secret));
	pair_jump(&pair, NS_PER_S);
	/* What was agreed may be read, but nothing is sent with it. */
	assert_int_equal(pair_send(&pair, 1, 60), TRANSPORT_SEAL);
	assert_int_equal(h->delivered, 1);
	assert_int_equal(pair_send(&pair, 0, 60), TRANSPORT_STAGE);
	assert_int_equal(pair.host[1].delivered, 2);
	pair_check(&pair);
	check_traffic();
	pair_done(&pair);
}

/* The key changes at each point of a handshake: nothing of the old identity is installed. */
static void fh11_key_flips_while_computing(void **state)
{
	const struct key_private other = { { 8, 1 } };
	struct handshake_datagram reply;
	struct datagram d, response;
	struct handshake_job job;

	(void)state;
	for (int row = 0; row < 4; ++row) {
		const unsigned int at = row == 1 || row == 2;
		struct host *h = &pair.host[at];

		pair_init(&pair);
		if (row == 0) {
			assert_true(handshake_initiate(h->core, pair.now, h->peer, &job));
		} else {
			begin_response(&d, &response);
			if (row < 3)
				core_down(h->core, pair.now), core_up(h->core, pair.now);
			pair_jump(&pair, NS_PER_S);
			memset(h->peer->stamp_seen, 0, STAMP_LEN);
			assert_int_equal(receive(at, row == 3 ? &response : &d, &job),
					 HANDSHAKE_WORK);
		}
		handshake_compute(&job);
		if (row == 2) {
			assert_int_equal(handshake_commit(h->core, pair.now, &job, &reply),
					 HANDSHAKE_WORK);
			handshake_compute(&job);
		}
		assert_true(set_key(at, &other));
		assert_true(set_key(at, &h->id.secret));
		assert_int_equal(handshake_commit(h->core, pair.now, &job, &reply),
				 HANDSHAKE_DROPPED);
		assert_int_equal(pair_rejects(&pair, at, REJECT_CHANGED), 1);
		assert_int_equal(h->core->table.used, 0);
		pair_done(&pair);
	}
}

/* All that a peer is, but for its counters of rejects. */
struct dump {
	struct peer peer;
	struct session sessions[3];
	uint32_t used;
	size_t staged;
	uint64_t under_load;
};

static void dump(unsigned int i, struct dump *ret)
{
	const struct host *h = &pair.host[i];
	const struct session *s[] = { h->peer->current, h->peer->previous, h->peer->next };

	memset(ret, 0, sizeof(*ret));
	memcpy(&ret->peer, h->peer, sizeof(ret->peer));
	ret->peer.rejects = NULL;
	for (size_t k = 0; k < ELEMENTS(s); ++k)
		if (s[k])
			memcpy(&ret->sessions[k], s[k], sizeof(*s[k]));
	ret->used = h->core->table.used;
	ret->staged = h->core->staged_bytes;
	ret->under_load = h->core->gate.loaded_until;
}

/* Each datagram of a session, again, later, from somewhere else. */
static struct datagram recorded[32];
static size_t recorded_count;

static bool record(struct pair *p, struct datagram *d)
{
	(void)p;
	assert_true(recorded_count < ELEMENTS(recorded));
	recorded[recorded_count++] = *d;
	return true;
}

static void fh13_replay_changes_nothing(void **state)
{
	static struct dump before, after;

	(void)state;
	pair_init(&pair);
	recorded_count = 0;
	pair.pass = record;
	(void)pair_send(&pair, 0, 60);
	(void)pair_send(&pair, 1, 60);
	core_set_keepalive(pair.host[1].core, pair.now, pair.host[1].peer, 25);
	pair_run(&pair);
	pair.pass = NULL;
	assert_int_equal(recorded_count, 5);
	pair_jump(&pair, 3 * NS_PER_S);
	for (size_t i = 0; i < recorded_count; ++i) {
		const unsigned int to = recorded[i].to;
		const size_t delivered = pair.host[to].delivered;
		const uint64_t rejects = total_rejects(to);

		recorded[i].from = elsewhere;
		dump(to, &before);
		pair_receive(&pair, to, &recorded[i]);
		dump(to, &after);
		assert_memory_equal(&before, &after, sizeof(before));
		assert_int_equal(total_rejects(to), rejects + 1);
		assert_int_equal(pair.host[to].delivered, delivered);
		assert_int_equal(pair.used, 0);
	}
	assert_int_equal(pair_rejects(&pair, 1, REJECT_STAMP_OLD), 1);
	assert_int_equal(pair_rejects(&pair, 0, REJECT_RESPONSE_STALE), 1);
	assert_int_equal(
		pair_rejects(&pair, 0, REJECT_REPLAY) + pair_rejects(&pair, 1, REJECT_REPLAY), 3);
	check_traffic();
	pair_done(&pair);
}

/* A type 3 message is taken by whom it is for, and moves nobody. */
static void fd7_cookie_reply_moves_nothing(void **state)
{
	static struct dump before, after;
	struct datagram initiation, reply;

	(void)state;
	pair_init(&pair);
	pair.backlog = HANDSHAKE_UNDER_LOAD;
	begin_initiation(&initiation);
	pair_receive(&pair, 1, &initiation);
	assert_true(pair_take(&pair, &reply));
	assert_int_equal(reply.bytes[0], MESSAGE_COOKIE);
	assert_int_equal(reply.len, 64);
	assert_int_equal(reply.tos, 0);
	reply.from = elsewhere;
	dump(0, &before);
	pair_receive(&pair, 0, &reply);
	dump(0, &after);
	assert_int_not_equal(pair.host[0].peer->awake->cookie.cookie_born, 0);
	assert_memory_equal(&before, &after, sizeof(before));
	/* Once. */
	pair_receive(&pair, 0, &reply);
	assert_int_equal(pair_rejects(&pair, 0, REJECT_COOKIE), 1);
	dump(0, &after);
	assert_memory_equal(&before, &after, sizeof(before));
	assert_int_equal(pair.used, 0);
	pair_done(&pair);
}

/* The initiator needs a cookie, and gets through with the next retry. */
static void cookie_through_the_cores(void **state)
{
	(void)state;
	pair_init(&pair);
	pair.backlog = HANDSHAKE_UNDER_LOAD;
	(void)pair_send(&pair, 0, 60);
	assert_int_equal(pair.host[1].sent[MESSAGE_COOKIE], 1);
	assert_int_equal(pair_rejects(&pair, 1, REJECT_UNDER_LOAD), 1);
	assert_int_equal(pair.host[0].peer->rx_bytes, 0); /* cookie replies count nowhere */
	assert_int_equal(pair.host[1].peer->tx_bytes, 0);
	/* The response comes to a loaded initiator too: another cookie, another round. */
	pair_advance(&pair, 5400 * NS_PER_MS);
	assert_int_equal(pair.host[1].sent[MESSAGE_RESPONSE], 1);
	assert_int_equal(pair.host[0].sent[MESSAGE_COOKIE], 1);
	assert_null(pair.host[0].peer->current);
	pair_advance(&pair, 5400 * NS_PER_MS);
	assert_int_equal(pair.host[1].delivered, 1);
	check_traffic();
	pair_done(&pair);
}

/* Only for its port: another one of the same address gets a cookie of its own (F-D5). */
static void cookie_is_bound_to_the_port(void **state)
{
	struct datagram initiation, reply;

	(void)state;
	pair_init(&pair);
	pair.backlog = HANDSHAKE_UNDER_LOAD;
	(void)pair_send(&pair, 0, 60);
	pair.host[0].endpoint.port ^= 1;
	pair_jump(&pair, 6 * NS_PER_S);
	pair_work(&pair, 0);
	assert_true(pair_take(&pair, &initiation));
	pair_receive(&pair, 1, &initiation);
	assert_true(pair_take(&pair, &reply));
	assert_int_equal(reply.bytes[0], MESSAGE_COOKIE);
	pair_done(&pair);
}

static void fd8_under_load_threshold(void **state)
{
	static const struct {
		size_t backlog;
		uint64_t later; /* ns after the row before it */
		bool loaded;
	} rows[] = {
		{ 0, 0, false },
		{ HANDSHAKE_UNDER_LOAD - 1, 0, false },
		{ HANDSHAKE_UNDER_LOAD, 0, true },
		{ HANDSHAKE_UNDER_LOAD - 1, 0, true },
		{ 0, NS_PER_S - 1, true },
		{ 0, 1, false },
		{ HANDSHAKE_UNDER_LOAD + 1, 0, true },
		{ HANDSHAKE_UNDER_LOAD, NS_PER_S - 1, true },
		{ 0, NS_PER_S - 1, true },
		{ 0, 1, false },
		{ 0, NS_PER_S, false },
	};
	struct datagram initiation, reply;
	struct handshake_job job;

	(void)state;
	pair_init(&pair);
	begin_initiation(&initiation);
	for (size_t i = 0; i < ELEMENTS(rows); ++i) {
		const enum handshake_step expect = rows[i].loaded ? HANDSHAKE_SEND : HANDSHAKE_WORK;

		pair_jump(&pair, rows[i].later);
		pair.backlog = rows[i].backlog;
		assert_int_equal(receive(1, &initiation, &job), expect);
	}
	/* Nobody makes load with what is not for us. */
	pair.backlog = 0;
	assert_false(pair_take(&pair, &reply));
	pair_done(&pair);
}

/* A burst of five, then one every 50 ms, per source, for whoever has a cookie. */
static void rate_limit(void **state)
{
	struct datagram initiation, reply;
	struct handshake_job job;
	int passed = 0;

	(void)state;
	pair_init(&pair);
	pair.backlog = HANDSHAKE_UNDER_LOAD;
	begin_initiation(&initiation);
	pair_receive(&pair, 1, &initiation);
	assert_true(pair_take(&pair, &reply));
	pair_receive(&pair, 0, &reply);
	pair_jump(&pair, 5400 * NS_PER_MS);
	pair_work(&pair, 0);
	assert_true(pair_take(&pair, &initiation));
	for (int i = 0; i < 20; ++i)
		passed += receive(1, &initiation, &job) == HANDSHAKE_WORK;
	assert_int_equal(passed, 5);
	assert_int_equal(pair_rejects(&pair, 1, REJECT_RATE), 15);
	pair_jump(&pair, 50 * NS_PER_MS);
	assert_int_equal(receive(1, &initiation, &job), HANDSHAKE_WORK);
	assert_int_equal(receive(1, &initiation, &job), HANDSHAKE_DROPPED);
	pair_done(&pair);
}

/* Two good initiations of one peer, so far apart. */
static enum handshake_step two_initiations(uint64_t apart)
{
	struct handshake_datagram reply;
	struct datagram first, second;
	enum handshake_step step;
	struct handshake_job job;

	pair_init(&pair);
	begin_initiation(&first);
	pair_jump(&pair, 5400 * NS_PER_MS);
	pair_work(&pair, 0);
	assert_true(pair_take(&pair, &second));
	pair_receive(&pair, 1, &first);
	assert_int_equal(pair.host[1].sent[MESSAGE_RESPONSE], 1);
	pair_jump(&pair, apart);
	assert_int_equal(receive(1, &second, &job), HANDSHAKE_WORK);
	handshake_compute(&job);
	step = handshake_commit(pair.host[1].core, pair.now, &job, &reply);
	if (step == HANDSHAKE_WORK) {
		handshake_compute(&job);
		step = handshake_commit(pair.host[1].core, pair.now, &job, &reply);
	}
	assert_int_equal(pair_rejects(&pair, 1, REJECT_FLOOD), step == HANDSHAKE_DROPPED);
	pair_check(&pair);
	pair_done(&pair);
	return step;
}

static void flood_needs_20_ms(void **state)
{
	(void)state;
	assert_int_equal(two_initiations(0), HANDSHAKE_DROPPED);
	assert_int_equal(two_initiations(INITIATION_SPACING - 1), HANDSHAKE_DROPPED);
	assert_int_equal(two_initiations(INITIATION_SPACING), HANDSHAKE_SEND);
	assert_int_equal(two_initiations(INITIATION_SPACING + 1), HANDSHAKE_SEND);
}

static void unknown_peer_knocks(void **state)
{
	struct host *h = &pair.host[1];
	const struct reject_knock *knock;
	struct datagram initiation;

	(void)state;
	pair_init(&pair);
	core_remove_peer(h->core, pair.now, h->peer);
	begin_initiation(&initiation);
	pair_receive(&pair, 1, &initiation);
	pair_receive(&pair, 1, &initiation);
	assert_int_equal(pair_rejects(&pair, 1, REJECT_UNKNOWN_KEY), 2);
	for (knock = core_rejects(h->core)->knocks; knock->seen.count == 0; ++knock)
		continue;
	assert_memory_equal(&knock->key, &pair.host[0].id.public, KEY_LEN);
	assert_int_equal(knock->seen.count, 2);
	assert_true(endpoint_equal(&knock->seen.from, &pair.host[0].endpoint));
	assert_int_equal(pair.used, 0);
	pair_done(&pair);
}

/* The n-th wish for random bytes is not granted, once or for good. */
static void fp19_no_random_no_handshake(void **state)
{
	struct datagram initiation;

	(void)state;
	pair_init(&pair);
	pair.host[0].entropy.fail = true;
	(void)pair_send(&pair, 0, 60);
	assert_int_equal(pair.host[0].sent[MESSAGE_INITIATION], 0);
	assert_int_equal(pair_rejects(&pair, 0, REJECT_NO_RANDOM), 1);
	pair_check(&pair);
	/* It tries again by itself, as after a loss. */
	pair.host[0].entropy.fail = false;
	pair_advance(&pair, 5400 * NS_PER_MS);
	assert_int_equal(pair.host[1].delivered, 1);
	pair_done(&pair);

	pair_init(&pair);
	begin_initiation(&initiation);
	pair.host[1].entropy.fail = true;
	pair_receive(&pair, 1, &initiation);
	assert_int_equal(pair_rejects(&pair, 1, REJECT_NO_RANDOM), 1);
	assert_int_equal(pair.host[1].sent[MESSAGE_RESPONSE], 0);
	assert_int_equal(pair.host[1].core->table.used, 0);
	pair.backlog = HANDSHAKE_UNDER_LOAD;
	pair_receive(&pair, 1, &initiation);
	assert_int_equal(pair_rejects(&pair, 1, REJECT_NO_RANDOM), 2);
	assert_int_equal(pair.host[1].sent[MESSAGE_COOKIE], 0);
	pair.backlog = 0;
	pair_jump(&pair, 2 * NS_PER_S);
	pair.host[1].entropy.fail = false;
	pair_receive(&pair, 1, &initiation);
	assert_int_equal(pair.host[1].sent[MESSAGE_RESPONSE], 1);
	pair_done(&pair);
}

/* A whole life of a tunnel: handshake, traffic, rekeying, end. */
static void live(void)
{
	(void)pair_send(&pair, 0, 60);
	(void)pair_send(&pair, 1, 200);
	pair_advance(&pair, 125 * NS_PER_S);
	(void)pair_send(&pair, 0, 60);
	pair_advance(&pair, 20 * NS_PER_S);
	(void)pair_send(&pair, 1, 1400);
	pair_check(&pair);
}

static void fp19_random_bytes_fail_at_each_draw(void **state)
{
	size_t n = 0, total;

	(void)state;
	do {
		++n;
		pair_prepare(&pair);
		pair.fast = true;
		for (unsigned int i = 0; i < 2; ++i) {
			pair.host[i].draw_fails = n;
			while (!pair_start(&pair, i))
				assert_int_equal(pair.host[i].memory.used, 0);
		}
		live();
		/* It costs 5 s, and no key is made of what was not there. */
		pair_advance(&pair, 11 * NS_PER_S);
		check_traffic();
		total = pair.host[0].draws;
		pair_done(&pair);
	} while (n < total);
	assert_true(n >= 3); /* the tables, an initiation, the rekey */
}

static void memory_fails_at_each_take(void **state)
{
	size_t n = 0, total;

	(void)state;
	do {
		++n;
		pair_prepare(&pair);
		pair.fast = true;
		test_memory_fail(&pair.host[0].memory.counted, n, false);
		test_memory_fail(&pair.host[1].memory.counted, n, false);
		while (!pair_start(&pair, 0))
			assert_int_equal(pair.host[0].memory.used, 0);
		while (!pair_start(&pair, 1))
			assert_int_equal(pair.host[1].memory.used, 0);
		live();
		/* A failure costs a packet or 5 s, never the tunnel. */
		pair_advance(&pair, 11 * NS_PER_S);
		check_traffic();
		total = pair.host[0].memory.counted.takes;
		pair_done(&pair);
	} while (n < total);
	assert_true(n > 10);
}

/* From the n-th on there is none: nothing works, nothing breaks. */
static void memory_ends_at_each_take(void **state)
{
	size_t total = 0;

	(void)state;
	for (size_t n = 1; n == 1 || n < total + 2; ++n) {
		bool started = true;

		pair_prepare(&pair);
		pair.fast = true;
		for (unsigned int i = 0; i < 2; ++i) {
			test_memory_fail(&pair.host[i].memory.counted, n, true);
			started = pair_start(&pair, i) && started;
		}
		if (started) {
			live();
			pair_check(&pair);
		}
		for (unsigned int i = 0; i < 2; ++i)
			if (total < pair.host[i].memory.counted.takes)
				total = pair.host[i].memory.counted.takes;
		pair_done(&pair);
		if (n > 200)
			break;
	}
}

/* Every reason that a handshake can be refused for, and how to bring it about. */
static void as_type(struct datagram *d)
{
	d->bytes[1] = 1;
}

static void as_length(struct datagram *d)
{
	--d->len;
}

static void as_mac1(struct datagram *d)
{
	d->bytes[d->len - 17] ^= 1;
}

static void sign(struct datagram *d)
{
	struct cookie_maker m;

	cookie_maker_init(&m);
	cookie_make(&m, &pair.host[1].id.public, d->bytes, d->len, pair.now.boot);
}

static void as_static(struct datagram *d)
{
	d->bytes[8 + 32 + 3] ^= 1;
	sign(d);
}

static void as_stamp(struct datagram *d)
{
	d->bytes[8 + 32 + 48 + 3] ^= 1;
	sign(d);
}

static void as_down(struct datagram *d)
{
	(void)d;
	core_down(pair.host[1].core, pair.now);
}

static void as_no_key(struct datagram *d)
{
	static const struct key_private none;

	(void)d;
	assert_true(set_key(1, &none));
}

static void as_loaded(struct datagram *d)
{
	(void)d;
	pair.backlog = HANDSHAKE_UNDER_LOAD;
}

static void as_no_random(struct datagram *d)
{
	(void)d;
	pair.host[1].entropy.fail = true;
}

static void as_no_memory(struct datagram *d)
{
	(void)d;
	test_memory_fail(&pair.host[1].memory.counted, 1, true);
}

static void as_no_peer(struct datagram *d)
{
	(void)d;
	core_remove_peer(pair.host[1].core, pair.now, pair.host[1].peer);
}

static void as_stale(struct datagram *d)
{
	d->len = 92;
	d->bytes[0] = MESSAGE_RESPONSE;
	sign(d);
}

static void as_cookie(struct datagram *d)
{
	d->len = 64;
	d->bytes[0] = MESSAGE_COOKIE;
}

static void as_replay(struct datagram *d)
{
	pair_receive(&pair, 1, d);
	pair_jump(&pair, 20 * NS_PER_MS); /* sooner it would be a flood */
}

/* What the DH of the pair costs is paid once, also to a forger who knows both public keys. */
static void a_forger_makes_us_compute_the_pair_once(void **state)
{
	struct datagram d;

	(void)state;
	pair_init(&pair);
	begin_initiation(&d);
	as_stamp(&d);
	pair_receive(&pair, 1, &d);
	assert_int_equal(pair_rejects(&pair, 1, REJECT_STAMP), 1);
	assert_true(pair.host[1].peer->has_static_static);
	pair_done(&pair);
}

static void every_reason_of_an_initiation(void **state)
{
	static const struct {
		enum reject_reason reason;
		void (*change)(struct datagram *d);
	} rows[] = {
		{ REJECT_TYPE, as_type },
		{ REJECT_TYPE, as_length },
		{ REJECT_DOWN, as_down },
		{ REJECT_DOWN, as_no_key },
		{ REJECT_MAC1, as_mac1 },
		{ REJECT_UNDER_LOAD, as_loaded },
		{ REJECT_STATIC, as_static },
		{ REJECT_UNKNOWN_KEY, as_no_peer },
		{ REJECT_STAMP, as_stamp },
		{ REJECT_STAMP_OLD, as_replay },
		{ REJECT_NO_RANDOM, as_no_random },
		{ REJECT_NO_MEMORY, as_no_memory },
		{ REJECT_RESPONSE_STALE, as_stale },
		{ REJECT_COOKIE, as_cookie },
	};
	struct datagram d;

	(void)state;
	for (size_t i = 0; i < ELEMENTS(rows); ++i) {
		pair_init(&pair);
		begin_initiation(&d);
		rows[i].change(&d);
		pair_receive(&pair, 1, &d);
		if (pair_rejects(&pair, 1, rows[i].reason) != 1 || total_rejects(1) != 1)
			fail_msg("row %zu: %s", i, reject_name(rows[i].reason));
		pair_done(&pair);
	}
}

/* Every length and type of the first word: what is no message is refused and not read. */
static void odd_lengths_and_types(void **state)
{
	struct handshake_datagram reply;
	struct handshake_job job;
	uint64_t n = 0;

	(void)state;
	pair_init(&pair);
	for (size_t len = 0; len < 160; ++len) {
		for (uint32_t type = 0; type < 7; ++type) {
			uint8_t *bytes = calloc(1, len ? len : 1);

			assert_non_null(bytes);
			if (len >= 4)
				store32_le(bytes, type == 6 ? UINT32_C(0x01000001) : type);
			assert_int_equal(
				handshake_receive(pair.host[0].core, pair.now,
						  &(struct handshake_arrival){ .bytes = bytes,
									       .len = len,
									       .from = elsewhere,
									       .to = nowhere,
									       .backlog = 0 },
						  &job, &reply),
				HANDSHAKE_DROPPED);
			free(bytes);
			++n;
		}
	}
	assert_int_equal(pair_rejects(&pair, 0, REJECT_TYPE), n - 3);
	pair_done(&pair);
}

/* A peer with a low-order key can be configured, but never shakes hands. */
static void low_order_peer(void **state)
{
	const struct key_public bad = { { 1 } };
	struct host *h = &pair.host[0];
	struct peer *p;

	(void)state;
	pair_init(&pair);
	assert_true(core_reserve(h->core, 1, 0));
	p = core_add_peer(h->core, &bad);
	core_set_endpoint(p, &elsewhere);
	core_want_handshake(h->core, pair.now, p);
	pair_run(&pair);
	assert_int_equal(pair_rejects(&pair, 0, REJECT_STAMP), 1);
	assert_int_equal(h->sent[MESSAGE_INITIATION], 0);
	pair_check(&pair);
	pair_done(&pair);
}

/* The response goes to where the initiation came from, and so do we from now on. */
static void initiation_and_response_move_the_peer(void **state)
{
	struct datagram initiation, response;

	(void)state;
	pair_init(&pair);
	begin_initiation(&initiation);
	initiation.from = elsewhere;
	pair_receive(&pair, 1, &initiation);
	assert_true(endpoint_equal(&pair.host[1].peer->endpoint, &elsewhere));
	assert_true(pair_take(&pair, &response));
	assert_true(endpoint_equal(&response.addressed, &elsewhere));
	response.from = elsewhere;
	pair_receive(&pair, 0, &response);
	assert_true(endpoint_equal(&pair.host[0].peer->endpoint, &elsewhere));
	pair_done(&pair);
}

/* Within 5 s of an initiation or a response there is no initiation. */
static void no_initiation_within_5_s(void **state)
{
	struct datagram d;

	(void)state;
	pair_init(&pair);
	begin_initiation(&d);
	pair_jump(&pair, REKEY_TIMEOUT - 1);
	core_want_handshake(pair.host[0].core, pair.now, pair.host[0].peer);
	pair_work(&pair, 0);
	assert_int_equal(pair.host[0].sent[MESSAGE_INITIATION], 1);
	pair_jump(&pair, 1);
	core_want_handshake(pair.host[0].core, pair.now, pair.host[0].peer);
	pair_work(&pair, 0);
	assert_int_equal(pair.host[0].sent[MESSAGE_INITIATION], 2);
	assert_true(pair_take(&pair, &d));
	pair_receive(&pair, 1, &d);
	core_want_handshake(pair.host[1].core, pair.now, pair.host[1].peer);
	pair_work(&pair, 1);
	assert_int_equal(pair.host[1].sent[MESSAGE_INITIATION], 0);
	pair_done(&pair);
}

/* Without an answer: 20 initiations, each with a new ephemeral and index, then silence. */
static void twenty_initiations_then_silence(void **state)
{
	(void)state;
	pair_init(&pair);
	pair.fast = true;
	pair.pass = lose_all;
	(void)pair_send(&pair, 0, 60);
	pair_advance(&pair, 99 * NS_PER_S);
	assert_true(pair.host[0].sent[MESSAGE_INITIATION] >= 19);
	assert_int_equal(pair.host[0].core->staged_bytes, sizeof(struct staged) + 60);
	pair_advance(&pair, 10 * NS_PER_S);
	assert_int_equal(pair.host[0].sent[MESSAGE_INITIATION], 20);
	assert_int_equal(pair_rejects(&pair, 0, REJECT_OUT_GAVE_UP), 1);
	assert_int_equal(pair.host[0].core->staged_bytes, 0);
	pair_check(&pair);
	pair_advance(&pair, 3600 * NS_PER_S);
	assert_int_equal(pair.host[0].sent[MESSAGE_INITIATION], 20);
	assert_int_equal(pair.host[0].core->table.used, 0);
	assert_true(core_deadline(pair.host[0].core) == TIME_NEVER);
	/* Somebody asks again. */
	pair.pass = NULL;
	(void)pair_send(&pair, 0, 60);
	assert_int_equal(pair.host[1].delivered, 1);
	pair_done(&pair);
}

static size_t logged;

static void count_log(void *ctx, const struct key_private *local, const struct key_public *remote,
		      const struct key_private *ephemeral, const struct key_shared *psk)
{
	struct key_public public;

	(void)ctx;
	assert_true(crypto_public(local, &public));
	assert_memory_not_equal(&public, remote, sizeof(public));
	assert_memory_not_equal(local, ephemeral, sizeof(*local));
	assert_int_equal(psk->bytes[0], 3);
	++logged;
}

static void key_log_is_told_of_each(void **state)
{
	(void)state;
	pair_init(&pair);
	logged = 0;
	set_psk(0, 3);
	set_psk(1, 3);
	pair.host[0].core->config.key_log = count_log;
	pair.host[1].core->config.key_log = count_log;
	(void)pair_send(&pair, 0, 60);
	assert_int_equal(logged, 2);
	pair_done(&pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(handshake_both_roles),
		cmocka_unit_test(messages_go_where_they_must),
		cmocka_unit_test(keepalive_confirms),
		cmocka_unit_test(fh1_every_order_of_two_responses_and_one_initiation),
		cmocka_unit_test(fh2_simultaneous_initiations_lose_no_index),
		cmocka_unit_test(fh8_garbage_response_does_not_clear_state),
		cmocka_unit_test(fh9_two_equal_initiations_one_response),
		cmocka_unit_test(replay_is_not_answered_by_compute),
		cmocka_unit_test(fh10_psk_change),
		cmocka_unit_test(fh10_psk_change_while_computing),
		cmocka_unit_test(peer_configured_again_while_computing),
		cmocka_unit_test(fh11_own_key_as_peer_and_key_flips),
		cmocka_unit_test(fh11_key_flips_while_computing),
		cmocka_unit_test(fh13_replay_changes_nothing),
		cmocka_unit_test(fd7_cookie_reply_moves_nothing),
		cmocka_unit_test(cookie_through_the_cores),
		cmocka_unit_test(cookie_is_bound_to_the_port),
		cmocka_unit_test(fd8_under_load_threshold),
		cmocka_unit_test(rate_limit),
		cmocka_unit_test(flood_needs_20_ms),
		cmocka_unit_test(unknown_peer_knocks),
		cmocka_unit_test(fp19_no_random_no_handshake),
		cmocka_unit_test(fp19_random_bytes_fail_at_each_draw),
		cmocka_unit_test(memory_fails_at_each_take),
		cmocka_unit_test(memory_ends_at_each_take),
		cmocka_unit_test(a_forger_makes_us_compute_the_pair_once),
		cmocka_unit_test(every_reason_of_an_initiation),
		cmocka_unit_test(odd_lengths_and_types),
		cmocka_unit_test(low_order_peer),
		cmocka_unit_test(initiation_and_response_move_the_peer),
		cmocka_unit_test(no_initiation_within_5_s),
		cmocka_unit_test(twenty_initiations_then_silence),
		cmocka_unit_test(key_log_is_told_of_each),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
