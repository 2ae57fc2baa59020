#include "wg/transport.h"

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
static const struct endpoint elsewhere6 = { .ip = { FAMILY_V6, { 0x20, 1 } }, .port = 10 };

/* A session between the two, host 0 its initiator, and nobody waits for anything. */
static void connect_pair(void)
{
	pair_init(&pair);
	assert_int_equal(pair_send(&pair, 0, 60), TRANSPORT_STAGE);
	assert_int_equal(pair_send(&pair, 1, 60), TRANSPORT_SEAL);
	assert_int_equal(pair.host[0].delivered, 1);
	assert_int_equal(pair.host[1].delivered, 1);
}

static uint64_t total_rejects(unsigned int i)
{
	uint64_t n = 0;

	for (int r = 0; r < REJECT_REASONS; ++r)
		n += pair_rejects(&pair, i, (enum reject_reason)r);
	return n;
}

/* A datagram from one host to the other with any content and counter, not padded. */
static void craft(unsigned int from, uint64_t counter, const uint8_t *plain, size_t len,
		  struct datagram *ret)
{
	const struct session *s = pair.host[from].peer->current;
	struct session_packet p = {
		.message = ret->bytes, .len = len, .padded = len, .counter = counter
	};

	ret->to = !from;
	ret->from = pair.host[from].endpoint;
	ret->tos = 0;
	ret->len = len + MESSAGE_OVERHEAD;
	memcpy(ret->bytes + 16, plain, len);
	assert_true(session_seal(&s->keys.send, s->remote_index, &p, 1));
}

static void craft_next(unsigned int from, const uint8_t *plain, size_t len, struct datagram *ret)
{
	craft(from, pair.host[from].peer->current->send_next++, plain, len, ret);
}

static struct prefix prefix4(uint8_t a, uint8_t b, uint8_t c, uint8_t d, uint8_t bits)
{
	return (struct prefix){ .ip = { FAMILY_V4, { a, b, c, d } }, .bits = bits };
}

static struct prefix prefix6(uint8_t last)
{
	struct prefix p = { .ip = { FAMILY_V6, { 0xfd } }, .bits = 128 };

	p.ip.bytes[15] = last;
	return p;
}

static void make_v6(uint8_t *ret, uint8_t src, uint8_t dst, size_t len)
{
	memset(ret, 0, len);
	ret[0] = 0x60;
	store16_be(ret + 4, (uint16_t)(len - 40));
	ret[8] = ret[24] = 0xfd;
	ret[23] = src;
	ret[39] = dst;
}

/* Another peer of a host, that nobody answers for. */
static struct peer *add_stranger(unsigned int i, uint8_t id, const struct prefix *prefix)
{
	const struct key_public key = { { id, 1, 2, 3 } };
	struct core *c = pair.host[i].core;
	struct peer *p;

	assert_true(core_reserve(c, 1, 1));
	p = core_add_peer(c, &key);
	assert_non_null(p);
	core_allow(c, p, prefix);
	core_release(c);
	return p;
}

static void allow(unsigned int i, struct prefix prefix)
{
	assert_true(core_reserve(pair.host[i].core, 0, 1));
	core_allow(pair.host[i].core, pair.host[i].peer, &prefix);
	core_release(pair.host[i].core);
}

/* Does a packet of host 1 with this source come out of host 0? */
static bool comes_through(const uint8_t *plain, size_t len)
{
	const size_t before = pair.host[0].delivered;
	struct datagram d;

	craft_next(1, plain, len, &d);
	pair_receive(&pair, 0, &d);
	return pair.host[0].delivered == before + 1;
}

static bool source_passes(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
	const uint8_t src[] = { a, b, c, d };
	uint8_t packet[60];

	pair_packet(&pair, 1, packet, sizeof(packet));
	memcpy(packet + 12, src, 4);
	return comes_through(packet, sizeof(packet));
}

static bool source6_passes(uint8_t last)
{
	uint8_t packet[60];

	make_v6(packet, last, 1, sizeof(packet));
	return comes_through(packet, sizeof(packet));
}

static void fa1_inner_source_of_another_peer(void **state)
{
	const struct prefix others = prefix4(10, 0, 0, 9, 32), others6 = prefix6(9);
	const struct prefix last = prefix6(8);
	const struct reject_counter *seen;
	struct peer *stranger;

	(void)state;
	connect_pair();
	stranger = add_stranger(0, 7, &others);
	assert_true(core_reserve(pair.host[0].core, 0, 1));
	core_allow(pair.host[0].core, stranger, &others6);
	allow(0, prefix6(2));
	assert_true(source_passes(10, 0, 0, 2));
	assert_true(source6_passes(2));
	assert_false(source_passes(10, 0, 0, 9));
	assert_false(source6_passes(9));
	assert_false(source_passes(10, 0, 0, 1)); /* ours */
	assert_false(source_passes(10, 0, 0, 8)); /* nobody's */
	assert_false(source6_passes(8));
	seen = &pair.host[0].peer->rejects->by_reason[REJECT_INNER_SOURCE];
	assert_int_equal(seen->count, 5);
	/* What it claimed to be. */
	assert_true(ip_equal(&seen->from.ip, &last.ip));
	assert_null(stranger->rejects);
	pair_done(&pair);
}

/* Opened together: each packet is judged by its own source, whatever came before it. */
static void fa1_each_of_a_batch_by_its_own_source(void **state)
{
	static const uint8_t last[] = { 2, 2, 9, 9, 2, 3, 8, 3, 2 };
	static const bool passes[] = { 1, 1, 0, 0, 1, 1, 0, 1, 1 };
	static uint8_t buffers[ELEMENTS(last)][256];
	struct session_packet packets[ELEMENTS(last)] = { 0 };
	const struct prefix others = prefix4(10, 0, 0, 9, 32);
	size_t delivered[ELEMENTS(last)];
	struct transport_arrival arrival;
	struct opening opening;
	uint64_t rx;
	struct datagram d;

	(void)state;
	connect_pair();
	(void)add_stranger(0, 7, &others);
	allow(0, prefix4(10, 0, 0, 3, 32));
	rx = pair.host[0].peer->rx_bytes;
	for (size_t i = 0; i < ELEMENTS(last); ++i) {
		uint8_t packet[60];

		pair_packet(&pair, 1, packet, sizeof(packet));
		packet[15] = last[i];
		craft_next(1, packet, sizeof(packet), &d);
		memcpy(buffers[i], d.bytes, d.len);
		packets[i] = (struct session_packet){ .message = buffers[i], .len = d.len };
	}
	arrival = (struct transport_arrival){ .from = d.from };
	assert_true(transport_receive(pair.host[0].core, pair.now, buffers[0], ELEMENTS(last),
				      &arrival, &opening));
	session_open(&opening.key, packets, ELEMENTS(last));
	transport_accept(pair.host[0].core, pair.now, &opening, packets, ELEMENTS(last), &arrival,
			 delivered);
	for (size_t i = 0; i < ELEMENTS(last); ++i)
		assert_int_equal(delivered[i], passes[i] ? 60 : 0);
	assert_int_equal(pair_rejects(&pair, 0, REJECT_INNER_SOURCE), 3);
	assert_int_equal(pair.host[0].peer->rx_bytes - rx, 6 * (60 + 32));
	pair_done(&pair);
}

/* Full batches of random sources, keepalives and liars among them, against one after the other. */
static void fa1_many_sources_of_a_batch(void **state)
{
	static uint8_t buffers[SESSION_BATCH][256];
	size_t delivered[SESSION_BATCH], want[SESSION_BATCH], foreign = 0;
	struct session_packet packets[SESSION_BATCH];
	struct transport_arrival arrival = { 0 };
	struct opening opening;
	uint64_t seed = 11;
	struct datagram d;

	(void)state;
	connect_pair();
	for (uint8_t last = 2; last < 40; last += 2)
		allow(0, prefix4(10, 0, 0, last, 32));
	for (unsigned int round = 0; round < 50; ++round) {
		const size_t n = 1 + (size_t)test_random_below(&seed, SESSION_BATCH);
		const uint64_t most = 1 + test_random_below(&seed, 40);
		const uint64_t rx = pair.host[0].peer->rx_bytes;
		size_t bytes = 0;

		for (size_t i = 0; i < n; ++i) {
			const uint8_t last = (uint8_t)test_random_below(&seed, most);
			const uint64_t kind = test_random_below(&seed, 10);
			uint8_t packet[60];

			pair_packet(&pair, 1, packet, sizeof(packet));
			packet[15] = last;
			packet[3] = kind == 0 ? 200 : 60; /* longer than it is */
			want[i] = kind > 1 && last && last % 2 == 0 ? 60 : 0;
			bytes += want[i] ? 92 : kind == 1 ? 32 : 0;
			foreign += kind > 1 && !want[i];
			craft_next(1, packet, kind == 1 ? 0 : sizeof(packet), &d);
			memcpy(buffers[i], d.bytes, d.len);
			packets[i] = (struct session_packet){ .message = buffers[i], .len = d.len };
		}
		arrival.from = d.from;
		assert_true(transport_receive(pair.host[0].core, pair.now, buffers[0], n, &arrival,
					      &opening));
		session_open(&opening.key, packets, n);
		transport_accept(pair.host[0].core, pair.now, &opening, packets, n, &arrival,
				 delivered);
		assert_memory_equal(delivered, want, n * sizeof(*want));
		assert_int_equal(pair_rejects(&pair, 0, REJECT_INNER_SOURCE), foreign);
		assert_int_equal(pair.host[0].peer->rx_bytes - rx, bytes);
	}
	pair_done(&pair);
}

static void fa2_nested_prefix_belongs_to_the_longest(void **state)
{
	const struct prefix inside = prefix4(10, 1, 2, 0, 24);
	const struct inner to_inside = { .src = { FAMILY_V4, { 10, 0, 0, 1 } },
					 .dst = { FAMILY_V4, { 10, 1, 2, 3 } },
					 .len = 60 };
	struct sending s;

	(void)state;
	connect_pair();
	(void)add_stranger(0, 7, &inside);
	allow(0, prefix4(10, 1, 0, 0, 16));
	assert_true(source_passes(10, 1, 3, 3));
	assert_false(source_passes(10, 1, 2, 3));
	assert_int_equal(pair_rejects(&pair, 0, REJECT_INNER_SOURCE), 1);
	/* And on the way out (F-A3). */
	assert_int_equal(transport_send(pair.host[0].core, pair.now, &to_inside, 1, &s),
			 TRANSPORT_NO_ENDPOINT);
	pair_done(&pair);
}

/* Packets of 0 to 80 bytes with any version and lies in their lengths, in blocks of their size. */
static void fa5_lengths_and_versions(void **state)
{
	uint8_t plain[80];
	struct datagram d;

	(void)state;
	connect_pair();
	allow(0, prefix6(2));
	for (size_t len = 0; len <= sizeof(plain); ++len) {
		for (unsigned int version = 0; version < 16; ++version) {
			for (int lie = -2; lie <= 2; ++lie) {
				const size_t claimed = (size_t)((int)len + lie);
				const size_t header = version == 6 ? 40 : 20;
				const bool good = (version == 4 || version == 6) && len >= header &&
						  claimed >= header && claimed <= len;

				make_v6(plain, 2, 1, sizeof(plain));
				if (version == 6) {
					store16_be(plain + 4, (uint16_t)(claimed - 40));
				} else {
					pair_packet(&pair, 1, plain, sizeof(plain));
					store16_be(plain + 2, (uint16_t)claimed);
				}
				plain[0] = (uint8_t)(version << 4 | (version == 6 ? 0 : 5));
				craft_next(1, plain, len, &d);
				const size_t before = pair.host[0].delivered;
				const uint64_t rejects = total_rejects(0);

				pair_receive(&pair, 0, &d);
				assert_int_equal(pair.host[0].delivered, before + good);
				assert_int_equal(total_rejects(0), rejects + (!good && len > 0));
				if (good)
					assert_int_equal(pair.host[0].last_len, claimed);
			}
		}
	}
	assert_int_equal(pair_rejects(&pair, 0, REJECT_INNER_VERSION), 80 * 14 * 5);
	pair_done(&pair);
}

static bool is_at(const struct endpoint *e)
{
	return endpoint_equal(&pair.host[0].peer->endpoint, e);
}

static void fa6_roaming_by_authenticated_data_only(void **state)
{
	uint8_t packet[60];
	struct datagram d, old;

	(void)state;
	connect_pair();
	pair_packet(&pair, 1, packet, sizeof(packet));
	craft_next(1, packet, sizeof(packet), &d);
	old = d;
	old.bytes[20] ^= 1;
	old.from = elsewhere;
	pair_receive(&pair, 0, &old); /* forged */
	assert_false(is_at(&elsewhere));
	old = d;
	d.from = elsewhere6;
	pair_receive(&pair, 0, &d);
	assert_true(is_at(&elsewhere6));
	old.from = elsewhere;
	pair_receive(&pair, 0, &old); /* replayed */
	assert_true(is_at(&elsewhere6));
	craft_next(1, packet, 0, &d); /* a keepalive does */
	d.from = elsewhere;
	pair_receive(&pair, 0, &d);
	assert_true(is_at(&elsewhere));
	/* And so does one whose inner source is a lie: the peer itself said so. */
	packet[15] = 77;
	craft_next(1, packet, sizeof(packet), &d);
	pair_receive(&pair, 0, &d);
	assert_true(is_at(&pair.host[1].endpoint));
	d.from = elsewhere;
	craft_next(1, packet, 0, &d);
	d.from = elsewhere;
	pair_receive(&pair, 0, &d);
	pair_packet(&pair, 0, packet, sizeof(packet));
	assert_int_equal(pair_offer(&pair, 0, packet, sizeof(packet)), TRANSPORT_SEAL);
	assert_true(pair_take(&pair, &d));
	assert_true(endpoint_equal(&d.addressed, &elsewhere));
	pair_done(&pair);
}

static void fa9_padding(void **state)
{
	uint8_t packet[PAIR_PACKET];
	struct datagram d;

	(void)state;
	connect_pair();
	for (size_t len = 20; len <= PAIR_PACKET; ++len) {
		const size_t padded = (len + 15) / 16 * 16;

		pair_packet(&pair, 0, packet, len);
		assert_int_equal(pair_offer(&pair, 0, packet, len), TRANSPORT_SEAL);
		assert_true(pair_take(&pair, &d));
		assert_int_equal(d.len - 32, padded > PAIR_PACKET ? PAIR_PACKET : padded);
		pair_receive(&pair, 1, &d);
		assert_int_equal(pair.host[1].last_len, len);
		assert_memory_equal(pair.host[1].last, packet, len);
	}
	pair_done(&pair);
}

static size_t sent_by(unsigned int i)
{
	size_t n = 0;

	for (int type = 1; type < 5; ++type)
		n += pair.host[i].sent[type];
	return n;
}

static void fa10_idle_is_silence(void **state)
{
	size_t before[2];

	(void)state;
	connect_pair();
	(void)pair_send(&pair, 0, 60);
	before[0] = sent_by(0);
	before[1] = sent_by(1);
	/* What was said last is answered by one keepalive, and that by nothing. */
	pair_advance(&pair, 10 * NS_PER_S - 1);
	assert_int_equal(sent_by(1), before[1]);
	pair_advance(&pair, 1);
	assert_int_equal(sent_by(1), before[1] + 1);
	assert_int_equal(pair.host[1].sent_keepalives, 1);
	pair_advance(&pair, 4 * 3600 * NS_PER_S);
	assert_int_equal(sent_by(0), before[0]);
	assert_int_equal(sent_by(1), before[1] + 1);
	assert_true(core_deadline(pair.host[0].core) == TIME_NEVER);
	assert_true(core_deadline(pair.host[1].core) == TIME_NEVER);
	pair_done(&pair);
}

/*
 * One end with a keepalive of 25 s: five of them, then the key is 120 s old and there is a
 * handshake, confirmed by one more: 125 s a round.
 */
static void fa10_persistent_keepalives_exactly(void **state)
{
	struct host *h = &pair.host[0];

	(void)state;
	pair_init(&pair);
	core_set_keepalive(h->core, pair.now, h->peer, 25);
	pair_run(&pair);
	assert_int_equal(h->sent_keepalives, 1);
	pair_advance(&pair, 3600 * NS_PER_S);
	assert_int_equal(h->sent[MESSAGE_INITIATION], 1 + 28);
	assert_int_equal(h->sent_keepalives, 1 + 28 * 6 + 4);
	assert_int_equal(h->sent[MESSAGE_DATA], h->sent_keepalives);
	assert_int_equal(sent_by(1), 1 + 28);
	core_set_keepalive(h->core, pair.now, h->peer, 0);
	pair_advance(&pair, 3600 * NS_PER_S);
	assert_int_equal(h->sent_keepalives, 1 + 28 * 6 + 4);
	pair_done(&pair);
}

/* Packets that carry their number, in order. */
static bool lose_all(struct pair *p, struct datagram *d)
{
	(void)p;
	(void)d;
	return false;
}

static void numbered(uint8_t *packet, uint8_t n)
{
	pair_packet(&pair, 0, packet, 40);
	packet[30] = n;
}

static enum transport_verdict offer(uint8_t n)
{
	uint8_t packet[40];

	numbered(packet, n);
	return pair_offer(&pair, 0, packet, sizeof(packet));
}

static size_t arrived;
static uint8_t arrivals[256];

static void deliver_numbered(void)
{
	struct datagram d;

	arrived = 0;
	while (pair_take(&pair, &d)) {
		const size_t before = pair.host[1].delivered;

		pair_receive(&pair, d.to, &d);
		if (pair.host[1].delivered != before)
			arrivals[arrived++] = pair.host[1].last[30];
	}
}

static void staging_is_bounded_per_peer(void **state)
{
	(void)state;
	pair_init(&pair);
	for (uint8_t i = 0; i < STAGED_PER_PEER + 3; ++i)
		assert_int_equal(offer(i), TRANSPORT_STAGE);
	assert_int_equal(pair.host[0].peer->staged_count, STAGED_PER_PEER);
	assert_int_equal(pair_rejects(&pair, 0, REJECT_OUT_STAGED_FULL), 3);
	pair_work(&pair, 0); /* initiation */
	deliver_numbered();
	deliver_numbered(); /* response */
	pair_work(&pair, 0);
	deliver_numbered();
	assert_int_equal(arrived, STAGED_PER_PEER);
	for (size_t i = 0; i < arrived; ++i)
		assert_int_equal(arrivals[i], i + 3);
	assert_int_equal(pair.host[0].core->staged_bytes, 0);
	pair_done(&pair);
}

static size_t staged_of(const struct peer *p)
{
	return p->staged_count;
}

static void stage_for(const struct prefix *to, size_t len)
{
	const struct inner inner = { .src = pair.host[0].inner, .dst = to->ip, .len = len };
	static const uint8_t packet[PAIR_BUDGET + 1];

	transport_stage(pair.host[0].core, pair.now, &inner, packet);
}

static void staging_is_bounded_per_device(void **state)
{
	const struct prefix a = prefix4(10, 9, 0, 1, 32), b = prefix4(10, 9, 0, 2, 32);
	struct core *c;
	struct peer *pa, *pb;

	(void)state;
	pair_init(&pair);
	c = pair.host[0].core;
	c->config.staged_budget = 10 * (sizeof(struct staged) + 100);
	pa = add_stranger(0, 7, &a);
	pb = add_stranger(0, 8, &b);
	for (int i = 0; i < 4; ++i)
		stage_for(&a, 100);
	for (int i = 0; i < 6; ++i)
		stage_for(&b, 100);
	assert_int_equal(staged_of(pa), 4);
	assert_int_equal(staged_of(pb), 6);
	assert_int_equal(c->staged_bytes, c->config.staged_budget);
	/* The oldest of whomever goes first. */
	stage_for(&b, 100);
	assert_int_equal(staged_of(pa), 3);
	assert_int_equal(staged_of(pb), 7);
	assert_int_equal(pa->rejects->by_reason[REJECT_OUT_STAGED_FULL].count, 1);
	assert_null(pb->rejects);
	for (int i = 0; i < 4; ++i)
		stage_for(&a, 100);
	assert_int_equal(staged_of(pa), 4);
	assert_int_equal(staged_of(pb), 6);
	assert_true(c->staged_bytes <= c->config.staged_budget);
	/* One that could never fit pushes nobody out. */
	stage_for(&a, c->config.staged_budget);
	assert_int_equal(staged_of(pa), 4);
	assert_int_equal(staged_of(pb), 6);
	assert_int_equal(pair_rejects(&pair, 0, REJECT_OUT_STAGED_FULL), 1 + 4 + 1);
	/* No memory: that one is lost, and counted. */
	c->config.staged_budget *= 2;
	test_memory_fail(&pair.host[0].memory.counted, 1, false);
	stage_for(&a, 100);
	assert_int_equal(pair_rejects(&pair, 0, REJECT_NO_MEMORY), 1);
	assert_int_equal(staged_of(pa), 4);
	core_remove_peer(c, pair.now, pa);
	assert_int_equal(pair_rejects(&pair, 0, REJECT_OUT_CLEARED), 4);
	core_down(c, pair.now);
	assert_int_equal(pair_rejects(&pair, 0, REJECT_OUT_CLEARED), 10);
	assert_int_equal(c->staged_bytes, 0);
	pair_done(&pair);
}

/* One peer with much to send, and always more, does not keep another's handshake waiting. */
static void a_flush_takes_turns(void **state)
{
	const struct prefix prefix = { .ip = { FAMILY_V4, { 10, 0, 7, 0 } }, .bits = 24 };
	uint8_t packet[PAIR_PACKET];
	struct output out = { .packet = packet };
	struct core *c;
	struct peer *other;
	struct datagram d;
	unsigned int sealed = 0;

	(void)state;
	pair_init(&pair);
	c = pair.host[0].core;
	for (uint8_t i = 0; i < 50; ++i)
		(void)offer(i);
	pair_work(&pair, 0);
	for (int i = 0; i < 2; ++i) {
		assert_true(pair_take(&pair, &d));
		pair_receive(&pair, d.to, &d);
	}
	other = add_stranger(0, 9, &prefix);
	core_set_endpoint(other, &elsewhere);
	core_want_handshake(c, pair.now, other);
	while (core_pull(c, pair.now, &out) == OUTPUT_PACKET && sealed < 1000) {
		pair_seal(&pair, 0, &out.sending, packet, out.len);
		(void)offer((uint8_t)sealed++);
	}
	assert_true(sealed < 3);
	assert_memory_equal(&out.job.remote, &other->public_key, KEY_LEN);
	(void)pair_finish_job(&pair, 0, &out.job);
	pair_run(&pair);
	pair_done(&pair);
}

/* The host tells late that a packet has left: its answer is here already. Nobody worries then. */
static void an_answer_may_come_before_the_fact(void **state)
{
	uint8_t message[PAIR_DATAGRAM], packet[PAIR_PACKET];
	struct session_packet sealed = { .message = message, .len = 60, .padded = 64 };
	struct sending sending;
	struct inner inner;
	struct datagram d = { .to = 1, .len = 64 + MESSAGE_OVERHEAD };
	size_t initiations;

	(void)state;
	connect_pair();
	pair_advance(&pair, 60 * NS_PER_S);
	initiations = pair.host[0].sent[MESSAGE_INITIATION];
	pair_packet(&pair, 0, packet, 60);
	assert_int_equal(inner_parse(packet, 60, &inner), INNER_OK);
	assert_int_equal(transport_send(pair.host[0].core, pair.now, &inner, 1, &sending),
			 TRANSPORT_SEAL);
	memcpy(message + sizeof(struct message_data), packet, 60);
	sealed.counter = sending.counter;
	assert_true(session_seal(&sending.key, sending.receiver, &sealed, 1));
	d.from = pair.host[0].endpoint;
	memcpy(d.bytes, message, d.len);
	pair_jump(&pair, NS_PER_MS);
	pair_receive(&pair, 1, &d);
	assert_int_equal(pair_send(&pair, 1, 60), TRANSPORT_SEAL);
	pair_jump(&pair, NS_PER_MS);
	transport_sent(pair.host[0].core, pair.now, &sending, d.len, true, false);
	assert_true(pair.host[0].peer->timers.at[TIMER_KEEPALIVE] != TIME_NEVER);
	pair_advance(&pair, 40 * NS_PER_S);
	assert_int_equal(pair.host[0].sent[MESSAGE_INITIATION], initiations);
	assert_int_equal(pair.host[1].sent_keepalives + pair.host[0].sent_keepalives > 0, 1);
	pair_done(&pair);
}

/* While a flush runs, new packets queue behind it. */
static void staged_packets_leave_before_new_ones(void **state)
{
	uint8_t packet[PAIR_PACKET];
	struct output out = { .packet = packet };
	struct core *c;
	struct datagram d;

	(void)state;
	pair_init(&pair);
	c = pair.host[0].core;
	for (uint8_t i = 0; i < 3; ++i)
		(void)offer(i);
	pair_work(&pair, 0);
	for (int i = 0; i < 2; ++i) {
		assert_true(pair_take(&pair, &d));
		pair_receive(&pair, d.to, &d);
	}
	for (uint8_t i = 0; i < 3; ++i) {
		assert_int_equal(core_pull(c, pair.now, &out), OUTPUT_PACKET);
		assert_int_equal(offer((uint8_t)(3 + i)), TRANSPORT_FLUSHING);
		pair_seal(&pair, 0, &out.sending, packet, out.len);
	}
	for (int i = 0; i < 3; ++i) {
		assert_int_equal(core_pull(c, pair.now, &out), OUTPUT_PACKET);
		pair_seal(&pair, 0, &out.sending, packet, out.len);
	}
	/* The last is with the caller: not yet known to have left. */
	assert_int_equal(offer(6), TRANSPORT_FLUSHING);
	pair_work(&pair, 0);
	assert_int_equal(offer(7), TRANSPORT_SEAL);
	deliver_numbered();
	assert_int_equal(arrived, 8);
	for (size_t i = 0; i < arrived; ++i)
		assert_int_equal(arrivals[i], i);
	pair_done(&pair);
}

static void give_up_drops_what_waits(void **state)
{
	(void)state;
	pair_init(&pair);
	pair.fast = true;
	pair.pass = lose_all;
	for (uint8_t i = 0; i < 5; ++i)
		(void)offer(i);
	pair_run(&pair);
	pair_advance(&pair, 110 * NS_PER_S);
	assert_int_equal(pair.host[0].sent[MESSAGE_INITIATION], 20);
	assert_int_equal(pair_rejects(&pair, 0, REJECT_OUT_GAVE_UP), 5);
	assert_int_equal(pair.host[0].peer->staged_count, 0);
	pair_done(&pair);
}

static size_t initiations(unsigned int i)
{
	return pair.host[i].sent[MESSAGE_INITIATION];
}

static void rekey_on_send_by_the_initiator_only(void **state)
{
	(void)state;
	connect_pair();
	pair_advance(&pair, REKEY_AFTER_TIME - 1);
	(void)pair_send(&pair, 0, 60);
	(void)pair_send(&pair, 1, 60);
	assert_int_equal(initiations(0), 1);
	pair_jump(&pair, 1);
	(void)pair_send(&pair, 1, 60);
	assert_int_equal(initiations(0) + initiations(1), 1);
	(void)pair_send(&pair, 0, 60);
	assert_int_equal(initiations(0), 2);
	assert_int_equal(initiations(1), 0);
	assert_true(pair.host[0].peer->current->born == pair.now.boot);
	assert_non_null(pair.host[0].peer->previous);
	pair_done(&pair);
}

static void rekey_on_send_by_number(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 2; ++i) {
		connect_pair();
		pair_advance(&pair, 20 * NS_PER_S);
		pair.host[i].peer->current->send_next = REKEY_AFTER_MESSAGES - 1;
		(void)pair_send(&pair, i, 60);
		assert_int_equal(initiations(0) + initiations(1), 1);
		(void)pair_send(&pair, i, 60);
		assert_int_equal(initiations(i), i == 0 ? 2 : 1);
		pair_done(&pair);
	}
}

static void rekey_on_receive_once_per_key(void **state)
{
	uint8_t packet[60];
	struct datagram d;

	(void)state;
	connect_pair();
	pair_packet(&pair, 1, packet, sizeof(packet));
	pair_advance(&pair, 165 * NS_PER_S - 1);
	craft_next(1, packet, sizeof(packet), &d);
	pair_receive(&pair, 0, &d);
	pair_work(&pair, 0);
	assert_int_equal(initiations(0), 1);
	pair_jump(&pair, 1);
	pair.pass = lose_all;
	for (int i = 0; i < 3; ++i) {
		craft_next(1, packet, sizeof(packet), &d);
		pair_receive(&pair, 0, &d);
		assert_int_equal(pair.host[0].peer->flags & PEER_WANTS_INITIATION, i == 0);
		if (i == 0)
			pair_work(&pair, 0);
		assert_int_equal(initiations(0), 2);
		pair.host[0].peer->timers.at[TIMER_RETRANSMIT] = TIME_NEVER;
		pair_jump(&pair, REKEY_TIMEOUT);
	}
	/* The next key gets its own. */
	pair.pass = NULL;
	core_want_handshake(pair.host[0].core, pair.now, pair.host[0].peer);
	pair_run(&pair);
	assert_int_equal(initiations(0), 3);
	pair_advance(&pair, 165 * NS_PER_S);
	craft_next(1, packet, sizeof(packet), &d);
	pair_receive(&pair, 0, &d);
	assert_int_equal(pair.host[0].peer->flags & PEER_WANTS_INITIATION, PEER_WANTS_INITIATION);
	pair_done(&pair);
}

static void responder_never_rekeys_by_age(void **state)
{
	uint8_t packet[60];
	struct datagram d;

	(void)state;
	connect_pair();
	pair_packet(&pair, 0, packet, sizeof(packet));
	pair_advance(&pair, 179 * NS_PER_S);
	craft_next(0, packet, sizeof(packet), &d);
	pair_receive(&pair, 1, &d);
	(void)pair_send(&pair, 1, 60);
	assert_int_equal(initiations(1), 0);
	pair_done(&pair);
}

static void reject_at_180_s_both_ways(void **state)
{
	uint8_t packet[60];
	struct datagram in_time, late;

	(void)state;
	connect_pair();
	pair_packet(&pair, 1, packet, sizeof(packet));
	craft_next(1, packet, sizeof(packet), &in_time);
	craft_next(1, packet, sizeof(packet), &late);
	pair_advance(&pair, REJECT_AFTER_TIME - 1);
	assert_int_equal(offer(1), TRANSPORT_SEAL);
	pair_receive(&pair, 0, &in_time);
	assert_int_equal(pair.host[0].delivered, 2);
	pair_jump(&pair, 1);
	assert_int_equal(offer(2), TRANSPORT_STAGE);
	pair_receive(&pair, 0, &late);
	assert_int_equal(pair.host[0].delivered, 2);
	assert_int_equal(pair_rejects(&pair, 0, REJECT_EXPIRED), 1);
	pair_done(&pair);
}

/* Received in time, opened too late. */
static void expiry_is_checked_again_when_accepted(void **state)
{
	const struct transport_arrival arrival = { .from = elsewhere };
	struct session_packet p;
	struct datagram d;
	struct opening o;
	size_t len = 1;

	(void)state;
	for (int row = 0; row < 2; ++row) {
		connect_pair();
		craft_next(1, (const uint8_t *)"", 0, &d);
		pair_advance(&pair, REJECT_AFTER_TIME - 1);
		assert_true(
			transport_receive(pair.host[0].core, pair.now, d.bytes, 1, &arrival, &o));
		p = (struct session_packet){ .message = d.bytes, .len = d.len };
		session_open(&o.key, &p, 1);
		assert_true(p.ok);
		if (row == 0)
			pair_jump(&pair, 1);
		else
			core_down(pair.host[0].core, pair.now);
		transport_accept(pair.host[0].core, pair.now, &o, &p, 1, &arrival, &len);
		assert_int_equal(len, 0);
		assert_int_equal(pair_rejects(&pair, 0, row == 0 ? REJECT_EXPIRED : REJECT_INDEX),
				 1);
		assert_false(is_at(&elsewhere));
		pair_done(&pair);
	}
}

static void fh5_message_limits_through_the_core(void **state)
{
	uint8_t packet[60];
	struct datagram d;

	(void)state;
	connect_pair();
	pair_jump(&pair, 6 * NS_PER_S);
	pair.host[0].peer->current->send_next = REJECT_AFTER_MESSAGES - 1;
	pair.pass = lose_all;
	assert_int_equal(offer(1), TRANSPORT_SEAL);
	pair.pass = NULL;
	/* No counter is left: this one waits for the new key. */
	assert_int_equal(offer(2), TRANSPORT_STAGE);
	pair_run(&pair);
	assert_int_equal(initiations(0), 2);
	assert_int_equal(pair.host[1].delivered, 2);
	pair_packet(&pair, 1, packet, sizeof(packet));
	craft(1, REJECT_AFTER_MESSAGES, packet, sizeof(packet), &d);
	pair_receive(&pair, 0, &d);
	craft(1, UINT64_MAX, packet, sizeof(packet), &d);
	pair_receive(&pair, 0, &d);
	assert_int_equal(pair_rejects(&pair, 0, REJECT_LIMIT), 2);
	assert_int_equal(pair.host[0].delivered, 1);
	craft(1, REJECT_AFTER_MESSAGES - 1, packet, sizeof(packet), &d);
	pair_receive(&pair, 0, &d);
	assert_int_equal(pair.host[0].delivered, 2);
	pair_done(&pair);
}

/* A batch takes its counters in a row, or none at all. */
static void batches_take_counters_in_a_row(void **state)
{
	const struct inner inner = { .src = { FAMILY_V4, { 10, 0, 0, 1 } },
				     .dst = { FAMILY_V4, { 10, 0, 0, 2 } },
				     .len = 60,
				     .tos = 0xb9 };
	struct session *s;
	struct sending first, second;
	struct core *c;

	(void)state;
	connect_pair();
	c = pair.host[0].core;
	s = pair.host[0].peer->current;
	assert_int_equal(transport_send(c, pair.now, &inner, 64, &first), TRANSPORT_SEAL);
	assert_int_equal(transport_send(c, pair.now, &inner, 5, &second), TRANSPORT_SEAL);
	assert_int_equal(second.counter, first.counter + 64);
	assert_int_equal(s->send_next, first.counter + 69);
	assert_int_equal(first.tos, 1); /* ECN alone */
	assert_int_equal(first.receiver, pair.host[1].peer->current->local_index);
	s->send_next = REJECT_AFTER_MESSAGES - 63;
	assert_int_equal(transport_send(c, pair.now, &inner, 64, &first), TRANSPORT_STAGE);
	assert_true(s->send_next == REJECT_AFTER_MESSAGES - 63);
	assert_int_equal(transport_send(c, pair.now, &inner, 63, &first), TRANSPORT_SEAL);
	assert_int_equal(transport_send(c, pair.now, &inner, 1, &first), TRANSPORT_STAGE);
	pair_done(&pair);
}

/* As the kernel driver counts: 148, 92, 32 + padded; nothing for what is refused. */
static void byte_counts(void **state)
{
	const struct peer *a, *b;
	uint8_t packet[60];
	struct datagram d;

	(void)state;
	pair_init(&pair);
	a = pair.host[0].peer;
	b = pair.host[1].peer;
	(void)pair_send(&pair, 0, 60);
	assert_int_equal(a->tx_bytes, 148 + 96);
	assert_int_equal(b->rx_bytes, 148 + 96);
	assert_int_equal(b->tx_bytes, 92);
	assert_int_equal(a->rx_bytes, 92);
	(void)pair_send(&pair, 1, 100);
	assert_int_equal(b->tx_bytes, 92 + 112 + 32);
	assert_int_equal(a->rx_bytes, 92 + 112 + 32);
	pair_advance(&pair, 10 * NS_PER_S); /* a keepalive each */
	assert_int_equal(a->tx_bytes, 148 + 96 + 32);
	assert_int_equal(b->rx_bytes, 148 + 96 + 32);
	pair_packet(&pair, 1, packet, sizeof(packet));
	packet[15] = 99;
	craft_next(1, packet, sizeof(packet), &d);
	pair_receive(&pair, 0, &d);
	pair_receive(&pair, 0, &d);
	d.bytes[20] ^= 1;
	pair_receive(&pair, 0, &d);
	assert_int_equal(a->rx_bytes, 92 + 112 + 32);
	pair_done(&pair);
}

static void data_without_answer_asks_for_a_handshake(void **state)
{
	(void)state;
	connect_pair();
	pair_advance(&pair, 30 * NS_PER_S);
	pair.pass = lose_all;
	pair.host[0].peer->source = (struct source){ .ifindex = 3 };
	(void)pair_send(&pair, 0, 60);
	pair_advance(&pair, 15 * NS_PER_S - 1);
	assert_int_equal(initiations(0), 1);
	pair_advance(&pair, REKEY_JITTER_MAX + 1);
	assert_int_equal(initiations(0), 2);
	assert_int_equal(pair.host[0].peer->source.ifindex, 0);
	pair_done(&pair);
}

static void send_failures(void **state)
{
	const struct inner inner = { .src = pair.host[0].inner,
				     .dst = { FAMILY_V4, { 10, 0, 0, 2 } },
				     .len = 60 };
	struct host *h = &pair.host[0];
	struct sending s;
	uint64_t tx;

	(void)state;
	connect_pair();
	pair_advance(&pair, 20 * NS_PER_S);
	tx = h->peer->tx_bytes;
	h->peer->source = (struct source){ .ifindex = 3 };
	assert_int_equal(transport_send(h->core, pair.now, &inner, 1, &s), TRANSPORT_SEAL);
	assert_int_equal(s.from.ifindex, 3);
	transport_sent(h->core, pair.now, &s, 0, false, false);
	assert_int_equal(pair_rejects(&pair, 0, REJECT_SEND_FAILED), 1);
	assert_int_equal(h->peer->tx_bytes, tx);
	assert_int_equal(h->peer->source.ifindex, 3);
	/* Nothing left: nobody will answer. */
	assert_true(h->peer->timers.at[TIMER_NO_REPLY] == TIME_NEVER);
	transport_sent(h->core, pair.now, &s, 96, true, true);
	assert_int_equal(h->peer->source.ifindex, 0);
	assert_int_equal(h->peer->tx_bytes, tx + 96);
	assert_true(h->peer->timers.at[TIMER_NO_REPLY] != TIME_NEVER);
	core_down(h->core, pair.now);
	transport_sent(h->core, pair.now, &s, 96, true, true); /* the session is gone */
	assert_true(core_deadline(h->core) == TIME_NEVER);
	pair_done(&pair);
}

static void as_index(struct datagram *d)
{
	d->bytes[4] ^= 1;
}

static void as_tag(struct datagram *d)
{
	d->bytes[d->len - 1] ^= 1;
}

static void as_replay(struct datagram *d)
{
	pair_receive(&pair, 0, d);
}

static void as_expired(struct datagram *d)
{
	(void)d;
	pair_jump(&pair, REJECT_AFTER_TIME);
}

static void as_down(struct datagram *d)
{
	(void)d;
	core_down(pair.host[0].core, pair.now);
}

static void as_handshake(struct datagram *d)
{
	pair_jump(&pair, REKEY_TIMEOUT);
	core_want_handshake(pair.host[0].core, pair.now, pair.host[0].peer);
	pair_work(&pair, 0);
	store32_le(d->bytes + 4, pair.host[0].peer->handshake.index);
}

static void every_reason_of_a_data_packet(void **state)
{
	static const struct {
		enum reject_reason reason;
		void (*change)(struct datagram *d);
	} rows[] = {
		{ REJECT_INDEX, as_index },   { REJECT_TAG, as_tag },
		{ REJECT_REPLAY, as_replay }, { REJECT_EXPIRED, as_expired },
		{ REJECT_INDEX, as_down },    { REJECT_INDEX, as_handshake },
	};
	uint8_t packet[60];
	struct datagram d;

	(void)state;
	for (size_t i = 0; i < ELEMENTS(rows); ++i) {
		connect_pair();
		pair_packet(&pair, 1, packet, sizeof(packet));
		craft_next(1, packet, sizeof(packet), &d);
		rows[i].change(&d);
		pair_receive(&pair, 0, &d);
		if (pair_rejects(&pair, 0, rows[i].reason) != 1 || total_rejects(0) != 1)
			fail_msg("row %zu: %s", i, reject_name(rows[i].reason));
		pair_done(&pair);
	}
}

static void every_reason_on_the_way_out(void **state)
{
	const struct prefix stranger = prefix4(10, 7, 0, 0, 16);
	struct inner inner = { .src = { FAMILY_V4, { 10, 0, 0, 1 } }, .len = 60 };
	struct sending s;
	struct core *c;

	(void)state;
	connect_pair();
	c = pair.host[0].core;
	(void)add_stranger(0, 7, &stranger);
	inner.dst = prefix4(10, 8, 0, 1, 32).ip;
	assert_int_equal(transport_send(c, pair.now, &inner, 1, &s), TRANSPORT_NO_PEER);
	assert_int_equal(pair_rejects(&pair, 0, REJECT_OUT_NO_PEER), 1);
	inner.dst = prefix4(10, 7, 0, 1, 32).ip;
	assert_int_equal(transport_send(c, pair.now, &inner, 1, &s), TRANSPORT_NO_ENDPOINT);
	assert_int_equal(pair_rejects(&pair, 0, REJECT_OUT_NO_ENDPOINT), 1);
	core_count_reject(c, pair.now, REJECT_OUT_INVALID, &elsewhere);
	core_count_reject(c, pair.now, REJECT_QUEUE_FULL, &elsewhere);
	core_count_reject(c, pair.now, REJECT_DELIVER_FAILED, &elsewhere);
	assert_int_equal(pair_rejects(&pair, 0, REJECT_DELIVER_FAILED), 1);
	core_down(c, pair.now);
	assert_int_equal(transport_send(c, pair.now, &inner, 1, &s), TRANSPORT_DROP);
	assert_int_equal(pair_rejects(&pair, 0, REJECT_DOWN), 1);
	pair_done(&pair);
}

/* Congestion: marked outside, seen inside. */
static void ecn_both_ways(void **state)
{
	uint8_t packet[60];
	struct datagram d;

	(void)state;
	connect_pair();
	pair_packet(&pair, 0, packet, sizeof(packet));
	packet[1] = 2;
	(void)pair_offer(&pair, 0, packet, sizeof(packet));
	assert_true(pair_take(&pair, &d));
	assert_int_equal(d.tos, 2);
	d.tos = 3;
	pair_receive(&pair, 1, &d);
	assert_int_equal(pair.host[1].last[1], 3);
	pair_done(&pair);
}

static void harvest_key(struct host *h, const void *key)
{
	watch_secret(&h->memory, key);
}

static void log_ephemeral(void *ctx, const struct key_private *local,
			  const struct key_public *remote, const struct key_private *ephemeral,
			  const struct key_shared *psk)
{
	(void)remote;
	(void)psk;
	harvest_key(ctx, ephemeral->bytes);
	harvest_key(ctx, local->bytes);
}

/* All that a host must not leave behind, as far as it has it now. */
static void harvest(unsigned int i)
{
	struct host *h = &pair.host[i];
	const struct peer *p = h->peer;
	const struct session *s[] = { p->current, p->previous, p->next };

	harvest_key(h, p->psk.bytes);
	harvest_key(h, p->static_static.bytes);
	if (p->awake) {
		harvest_key(h, p->awake->pending.ephemeral.bytes);
		harvest_key(h, p->awake->pending.state.chain);
	}
	harvest_key(h, h->core->gate.checker.secret);
	for (size_t k = 0; k < ELEMENTS(s); ++k) {
		if (!s[k])
			continue;
		harvest_key(h, s[k]->keys.send.bytes);
		harvest_key(h, s[k]->keys.receive.bytes);
	}
}

static bool harvest_all(struct pair *p, struct datagram *d)
{
	(void)p;
	(void)d;
	harvest(0);
	harvest(1);
	return true;
}

static void begin_watching(void)
{
	const struct key_shared psk = { { 9, 8, 7 } };

	pair_init(&pair);
	for (unsigned int i = 0; i < 2; ++i) {
		core_set_psk(pair.host[i].peer, &psk);
		pair.host[i].core->config.key_log = log_ephemeral;
		pair.host[i].core->config.key_log_ctx = &pair.host[i];
	}
	pair.pass = harvest_all;
	pair_send(&pair, 0, 60);
	pair_advance(&pair, 121 * NS_PER_S);
	pair_send(&pair, 0, 60);
	harvest(0);
	harvest(1);
	assert_non_null(pair.host[0].peer->previous);
	assert_true(pair.host[0].memory.secret_count >= 8);
}

/* What host 0 may still have: so many of the secrets. */
static void check_held(size_t n)
{
	assert_int_equal(watch_held(&pair.host[0].memory), n);
}

static void fs4_keys_are_wiped(void **state)
{
	const struct key_private other = { { 16, 1 } };
	struct host *h = &pair.host[0];

	(void)state;
	begin_watching();
	check_held(3 + 4); /* private, psk, static-static; two sessions */
	pair_advance(&pair, 541 * NS_PER_S);
	check_held(3);
	pair_done(&pair);

	begin_watching();
	core_down(h->core, pair.now);
	check_held(3);
	pair_done(&pair);

	begin_watching();
	core_remove_peer(h->core, pair.now, h->peer);
	check_held(1);
	pair_done(&pair);

	begin_watching();
	assert_true(core_set_private_key(h->core, pair.now, &other, 0));
	check_held(1 + 4); /* psk; what still may be read */
	pair_done(&pair);

	/* A handshake that fails leaves its ephemeral until it is given up. */
	begin_watching();
	core_down(pair.host[1].core, pair.now);
	pair_advance(&pair, 200 * NS_PER_S);
	pair_send(&pair, 0, 60);
	harvest(0);
	assert_int_not_equal(h->peer->handshake.index, 0);
	pair_advance(&pair, 700 * NS_PER_S);
	check_held(3);
	pair_done(&pair);
}

/* A job's copies go with its commit, whatever comes of it. */
static void fs4_jobs_are_wiped(void **state)
{
	static const struct handshake_job zero;
	struct handshake_datagram reply;
	struct handshake_job job;
	struct host *h = &pair.host[0];

	(void)state;
	for (int row = 0; row < 3; ++row) {
		pair_init(&pair);
		assert_true(handshake_initiate(h->core, pair.now, h->peer, &job));
		handshake_compute(&job);
		if (row == 1)
			job.ok = false;
		if (row == 2)
			core_down(h->core, pair.now);
		assert_int_equal(handshake_commit(h->core, pair.now, &job, &reply),
				 row == 0 ? HANDSHAKE_SEND : HANDSHAKE_DROPPED);
		assert_memory_equal(&job, &zero, sizeof(job));
		assert_int_equal(pair_rejects(&pair, 0, REJECT_CRYPTO), row == 1);
		assert_int_equal(pair_rejects(&pair, 0, REJECT_CHANGED), row == 2);
		pair_done(&pair);
	}
}

/* 540 s after the last session began, to the nanosecond. */
static void wipe_at_540_s(void **state)
{
	struct host *h = &pair.host[0];
	uint8_t key[KEY_LEN];

	(void)state;
	connect_pair();
	memcpy(key, &h->peer->current->keys.send, sizeof(key));
	pair_advance(&pair, WIPE_AFTER_TIME - 1);
	assert_true(watch_holds(&h->memory, key));
	pair_advance(&pair, 1);
	assert_false(watch_holds(&h->memory, key));
	assert_null(h->peer->current);
	assert_int_equal(h->core->table.used, 0);
	pair_done(&pair);
}

/*
 * The brain is stopped: no tick, no pull, no deadline is kept. Whoever carries packets goes by the
 * clock alone.
 */
static void limits_hold_with_the_brain_stopped(void **state)
{
	const uint64_t since[] = { 0, 1, NS_PER_S, 360 * NS_PER_S, 86400 * NS_PER_S };
	uint8_t packet[60];
	struct datagram in_time, late;

	(void)state;
	for (size_t i = 0; i < ELEMENTS(since); ++i) {
		connect_pair();
		pair_packet(&pair, 1, packet, sizeof(packet));
		craft_next(1, packet, sizeof(packet), &in_time);
		craft_next(1, packet, sizeof(packet), &late);
		pair_jump(&pair, REJECT_AFTER_TIME - 1);
		assert_int_equal(offer(1), TRANSPORT_SEAL);
		pair_receive(&pair, 0, &in_time);
		assert_int_equal(pair.host[0].delivered, 2);
		pair_jump(&pair, 1 + since[i]);
		for (uint8_t n = 2; n < 5; ++n)
			assert_int_equal(offer(n), TRANSPORT_STAGE);
		pair_receive(&pair, 0, &late);
		assert_int_equal(pair.host[0].delivered, 2);
		assert_int_equal(pair_rejects(&pair, 0, REJECT_EXPIRED), 1);
		pair_done(&pair);
	}
}

/*
 * All workers sleep: not one packet, and nothing but the core's own deadlines. The wipe is one of
 * them at both ends, and a tick that keeps it is all it takes, also where none was kept before.
 */
static void keys_are_wiped_with_all_workers_asleep(void **state)
{
	uint8_t keys[2][KEY_LEN];
	uint64_t born;

	(void)state;
	for (int ticks = 0; ticks < 2; ++ticks) {
		connect_pair();
		pair.pass = lose_all;
		born = pair.now.boot;
		for (int i = 0; i < 2; ++i)
			memcpy(keys[i], &pair.host[i].peer->current->keys.send, KEY_LEN);
		for (int i = 0; i < 2; ++i)
			assert_true(core_deadline(pair.host[i].core) <= born + WIPE_AFTER_TIME);
		pair_jump(&pair, WIPE_AFTER_TIME - 1);
		for (int i = 0; i < 2 && ticks; ++i) {
			core_tick(pair.host[i].core, pair.now);
			assert_true(core_deadline(pair.host[i].core) <= born + WIPE_AFTER_TIME);
			assert_true(watch_holds(&pair.host[i].memory, keys[i]));
		}
		pair_jump(&pair, 1);
		for (int i = 0; i < 2; ++i) {
			core_tick(pair.host[i].core, pair.now);
			assert_false(watch_holds(&pair.host[i].memory, keys[i]));
			assert_null(pair.host[i].peer->current);
			assert_null(pair.host[i].peer->previous);
			assert_null(pair.host[i].peer->next);
		}
		pair_done(&pair);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(limits_hold_with_the_brain_stopped),
		cmocka_unit_test(keys_are_wiped_with_all_workers_asleep),
		cmocka_unit_test(fa1_inner_source_of_another_peer),
		cmocka_unit_test(fa1_each_of_a_batch_by_its_own_source),
		cmocka_unit_test(fa1_many_sources_of_a_batch),
		cmocka_unit_test(fa2_nested_prefix_belongs_to_the_longest),
		cmocka_unit_test(fa5_lengths_and_versions),
		cmocka_unit_test(fa6_roaming_by_authenticated_data_only),
		cmocka_unit_test(fa9_padding),
		cmocka_unit_test(a_flush_takes_turns),
		cmocka_unit_test(an_answer_may_come_before_the_fact),
		cmocka_unit_test(fa10_idle_is_silence),
		cmocka_unit_test(fa10_persistent_keepalives_exactly),
		cmocka_unit_test(staging_is_bounded_per_peer),
		cmocka_unit_test(staging_is_bounded_per_device),
		cmocka_unit_test(staged_packets_leave_before_new_ones),
		cmocka_unit_test(give_up_drops_what_waits),
		cmocka_unit_test(rekey_on_send_by_the_initiator_only),
		cmocka_unit_test(rekey_on_send_by_number),
		cmocka_unit_test(rekey_on_receive_once_per_key),
		cmocka_unit_test(responder_never_rekeys_by_age),
		cmocka_unit_test(reject_at_180_s_both_ways),
		cmocka_unit_test(expiry_is_checked_again_when_accepted),
		cmocka_unit_test(fh5_message_limits_through_the_core),
		cmocka_unit_test(batches_take_counters_in_a_row),
		cmocka_unit_test(byte_counts),
		cmocka_unit_test(data_without_answer_asks_for_a_handshake),
		cmocka_unit_test(send_failures),
		cmocka_unit_test(every_reason_of_a_data_packet),
		cmocka_unit_test(every_reason_on_the_way_out),
		cmocka_unit_test(ecn_both_ways),
		cmocka_unit_test(fs4_keys_are_wiped),
		cmocka_unit_test(fs4_jobs_are_wiped),
		cmocka_unit_test(wipe_at_540_s),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
