#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "wire_double.h"

/* What becomes of packets that the host or the core does not take. */
static uint64_t tx_bytes(void)
{
	return wire.plane.pair.host[0].peer->tx_bytes;
}

static void a_refused_batch_goes_one_by_one_and_is_remembered(void **state)
{
	static const struct {
		int error;
		const char *shorter; /* the calls of a batch of shorter datagrams */
	} rows[] = { { EMSGSIZE, "10" }, { EINVAL, "10" }, { EIO, NULL } };

	for (size_t i = 0; i < ELEMENTS(rows); ++i) {
		uint64_t before;

		if (i > 0)
			(void)begin(state);
		before = tx_bytes();
		for (unsigned int k = 0; k < 2; ++k) {
			wire_forget(&wire);
			wire.batch_error = rows[i].error;
			wire.batch_limit = 1000;
			wire_feed_super(&wire, OFFLOAD_TCP4, 1368, 9 * 1368 + 1, (uint8_t)k);
			wire_drain(&wire);
			wire_check_calls(&wire, NULL);
			assert_int_equal(plane_count(&wire.plane, 0, COUNT_UDP_BATCHES_REFUSED),
					 k == 0);
			assert_int_equal(tx_bytes() - before, wire.bytes);
			before = tx_bytes();
		}
		wire_forget(&wire);
		wire_feed_super(&wire, OFFLOAD_TCP4, 500, 9 * 500 + 1, 0);
		wire_drain(&wire);
		wire_check_calls(&wire, rows[i].shorter);
		assert_int_equal(plane_count(&wire.plane, 0, COUNT_UDP_BATCHES_REFUSED), 0);
		assert_int_equal(plane_all_rejects(&wire.plane, 0), 0);
		if (i + 1 < ELEMENTS(rows))
			(void)end(state);
	}
}

static void what_the_host_does_not_send_is_told(void **state)
{
	const uint64_t before = tx_bytes();
	uint64_t sent;

	(void)state;
	wire.plane.d[0].offloads = 0;
	wire.lost_every = 3;
	wire_feed(&wire, "aaaaaaa");
	assert_true(outbound_drain(&wire.plane.out));
	assert_int_equal(wire.count, 5);
	assert_int_equal(tx_bytes() - before, wire.bytes);
	assert_int_equal(pair_rejects(&wire.plane.pair, 0, REJECT_SEND_FAILED), 1); /* of a batch */
	assert_int_equal(plane_count(&wire.plane, 0, COUNT_UDP_SEND_PACKETS), 5);
	assert_int_equal(plane_count(&wire.plane, 0, COUNT_UDP_SENDS), 7);
	assert_int_equal(wire.plane.d[0].evidence.used, 1);
	sent = wire.bytes;
	/* a whole batch; without a source, else the host would choose another one */
	wire_forget(&wire);
	wire.plane.pair.host[0].peer->source = (struct source){ 0 };
	wire.plane.d[0].offloads = OFFLOAD_SWITCHES_ALL;
	wire.batch_error = ENOBUFS;
	wire_feed(&wire, "aaa");
	assert_true(outbound_drain(&wire.plane.out));
	assert_int_equal(wire.count, 0);
	assert_int_equal(pair_rejects(&wire.plane.pair, 0, REJECT_SEND_FAILED), 2);
	assert_int_equal(tx_bytes() - before, sent);
	assert_int_equal(plane_count(&wire.plane, 0, COUNT_UDP_SEND_PACKETS), 0);
	assert_int_equal(plane_count(&wire.plane, 0, COUNT_UDP_BATCHES_REFUSED), 0);
}

static void a_source_that_is_gone_is_forgotten(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 2; ++i) {
		struct peer *const peer = wire.plane.pair.host[0].peer;
		const uint64_t first = peer->current->send_next;

		wire_forget(&wire);
		wire.plane.d[0].offloads = i ? 0 : OFFLOAD_SWITCHES_ALL;
		peer->source = (struct source){ .ip = wire.plane.pair.host[0].endpoint.ip };
		wire.source_error = ENETUNREACH;
		wire_feed(&wire, "aaa");
		assert_true(outbound_drain(&wire.plane.out));
		wire_open(&wire, first);
		wire_check_calls(&wire, i ? NULL : "3");
		assert_int_equal(peer->source.ip.family, FAMILY_NONE);
		assert_int_equal(plane_count(&wire.plane, 0, COUNT_UDP_RESENT_WITHOUT_SOURCE),
				 i ? 3 : 1);
		assert_int_equal(plane_count(&wire.plane, 0, COUNT_UDP_SEND_PACKETS), 3);
		assert_int_equal(pair_rejects(&wire.plane.pair, 0, REJECT_SEND_FAILED), 0);
	}
	wire.plane.d[0].offloads = OFFLOAD_SWITCHES_ALL;
	wire.plane.pair.host[0].peer->source =
		(struct source){ .ip = wire.plane.pair.host[0].endpoint.ip };
	wire_forget(&wire);
	wire_feed(&wire, "aa");
	wire_drain(&wire);
	assert_int_equal(wire.with_source, 1);
}

static void without_an_endpoint_the_sender_is_told(void **state)
{
	static uint8_t answer[PLANE_RECORD];

	(void)state;
	core_set_endpoint(wire.plane.pair.host[0].peer, &(struct endpoint){ 0 });
	wire_feed(&wire, "aaa");
	assert_true(outbound_drain(&wire.plane.out));
	assert_int_equal(wire.count, 0);
	assert_int_equal(pair_rejects(&wire.plane.pair, 0, REJECT_OUT_NO_ENDPOINT), 3);
	assert_true(plane_take(&wire.plane, 0, answer) > OFFLOAD_HEADER + 28);
	assert_int_equal(answer[OFFLOAD_HEADER + 9], IPPROTO_ICMP);
	assert_int_equal(answer[OFFLOAD_HEADER + 20], 3);
	/* to who sent it */
	assert_memory_equal(answer + OFFLOAD_HEADER + 16, wire.want.bytes + 12, 4);
	assert_int_equal(plane_take(&wire.plane, 0, answer), -1);
	assert_int_equal(plane_count(&wire.plane, 0, COUNT_TUN_WRITES), 1);
	assert_int_equal(plane_count(&wire.plane, 0, COUNT_TUN_WRITE_PACKETS), 1);
}

static void a_link_that_is_down_sends_nothing(void **state)
{
	const struct core *core = wire.plane.pair.host[0].core;

	(void)state;
	core_down(wire.plane.pair.host[0].core, device_now());
	wire_feed(&wire, "aa");
	assert_true(outbound_drain(&wire.plane.out));
	wire_feed(&wire, "a"); /* it is not waited for again */
	assert_true(outbound_drain(&wire.plane.out));
	assert_int_equal(wire.count, 0);
	assert_true(wire.plane.out.waits_again > device_now().boot);
	assert_int_equal(core->rejects.device.by_reason[REJECT_DOWN].count, 3);
}

static void what_has_to_wait_waits_in_order(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 2; ++i) {
		struct host *const a = &wire.plane.pair.host[0];

		plane_done(&wire.plane);
		/* without a session, or behind packets that are still leaving */
		if (i == 0)
			plane_init_without_session(&wire.plane);
		else
			plane_init(&wire.plane);
		wire_forget(&wire);
		if (i == 1)
			core_set_flags(a->core, a->peer, PEER_WANTS_FLUSH);
		wire.plane.pair.host[1].delivered = 0;
		wire_feed(&wire, "aasl");
		assert_true(outbound_drain(&wire.plane.out));
		assert_int_equal(wire.count, 0);
		assert_int_equal(a->peer->staged_count, 4);
		assert_true(atomic_load(&wire.plane.d[0].wake_is_set));
		wire.plane.pair.now = device_now();
		pair_run(&wire.plane.pair);
		assert_int_equal(wire.plane.pair.host[1].delivered, 4);
		assert_int_equal(wire.plane.pair.host[1].last_len, wire.want.rows[3].len);
		assert_memory_equal(wire.plane.pair.host[1].last,
				    wire.want.bytes + wire.want.rows[3].at, wire.want.rows[3].len);
		assert_int_equal(plane_all_rejects(&wire.plane, 0), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_refused_batch_goes_one_by_one_and_is_remembered,
						begin, end),
		cmocka_unit_test_setup_teardown(what_the_host_does_not_send_is_told, begin, end),
		cmocka_unit_test_setup_teardown(a_source_that_is_gone_is_forgotten, begin, end),
		cmocka_unit_test_setup_teardown(without_an_endpoint_the_sender_is_told, begin, end),
		cmocka_unit_test_setup_teardown(a_link_that_is_down_sends_nothing, begin, end),
		cmocka_unit_test_setup_teardown(what_has_to_wait_waits_in_order, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
