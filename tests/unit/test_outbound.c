#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "wire_double.h"

/* What leaves the TUN, and in which sends, when the host takes it all. */
static void super_packets_leave_as_the_slow_splitter_has_them(void **state)
{
	static const struct {
		enum offload_kind kind;
		size_t size;
		size_t payload;
		const char *calls;
		const char *equal_tail_calls; /* of a kernel with that fault; NULL: the same */
	} rows[] = {
		{ OFFLOAD_TCP4, 1368, 1, "1", NULL },
		{ OFFLOAD_TCP4, 1368, 1368, "1", NULL },
		{ OFFLOAD_TCP4, 1368, 1369, "2", NULL },
		{ OFFLOAD_TCP6, 1348, 2 * 1348, "2", "1 1" },
		{ OFFLOAD_UDP4, 1392, 3 * 1392 - 1, "3", "1 1 1" }, /* padded, it is as long */
		{ OFFLOAD_UDP4, 1392, 3 * 1392 - 20, "3", NULL },
		{ OFFLOAD_UDP6, 1372, 3 * 1372 - 1372 + 5, "3", NULL },
		/* 65507 bytes at most: 45 of 1452 */
		{ OFFLOAD_TCP4, 1368, 44 * 1368 + 5, "45", NULL },
		{ OFFLOAD_TCP4, 1368, 45 * 1368 + 5, "46", NULL },
		{ OFFLOAD_TCP4, 1368, 45 * 1368 + 70, "46", NULL },
		{ OFFLOAD_TCP4, 1368, 45 * 1368 + 80, "45 1", "1 45" },
		{ OFFLOAD_TCP4, 1368, 45 * 1368 + 200, "45 1", "1 45" },
		{ OFFLOAD_TCP6, 1348, 46 * 1348, "45 1", NULL },
		/* 64 segments at most */
		{ OFFLOAD_TCP4, 400, 64 * 400, "64", NULL },
		{ OFFLOAD_TCP4, 400, 64 * 400 + 1, "64 1", "1 64" },
		{ OFFLOAD_TCP4, 400, 100 * 400 + 1, "64 37", NULL },
		/* a batch of the session is 128 packets */
		{ OFFLOAD_UDP4, 500, 126 * 500 + 9, "64 63", NULL },
		{ OFFLOAD_UDP4, 500, 127 * 500 + 9, "64 64", NULL },
		{ OFFLOAD_UDP4, 500, 128 * 500 + 9, "64 64 1", NULL },
		{ OFFLOAD_UDP6, 500, 129 * 500 + 9, "64 64 2", NULL },
		{ OFFLOAD_TCP4, 48, 1281 * 48,
		  "64 64 64 64 64 64 64 64 64 64 64 64 64 64 64 64 64 64 64 64 1", NULL },
	};

	(void)state;
	for (size_t i = 0; i < 3 * ELEMENTS(rows); ++i) {
		const size_t row = i / 3;
		const bool has_fault = i % 3 == 1, is_off = i % 3 == 2;

		wire_forget(&wire);
		wire.plane.d[0].offloads =
			is_off ? OFFLOAD_SWITCHES_ALL & ~OFFLOAD_UDP_GSO : OFFLOAD_UDP_GSO;
		wire.plane.d[0].has_equal_tail_fault = has_fault;
		wire_feed_super(&wire, rows[row].kind, rows[row].size, rows[row].payload,
				(uint8_t)i);
		wire_drain(&wire);
		if (!has_fault)
			wire_check_calls(&wire, is_off ? NULL : rows[row].calls);
		else if (rows[row].equal_tail_calls)
			wire_check_calls(&wire, rows[row].equal_tail_calls);
		assert_int_equal(plane_count(&wire.plane, 0, COUNT_TUN_READS), 1);
		assert_int_equal(plane_count(&wire.plane, 0, COUNT_TUN_READ_PACKETS),
				 wire.want.count);
	}
	assert_int_equal(plane_all_rejects(&wire.plane, 0), 0);
}

/* No batch that ends with a datagram as long as its first leaves such a kernel. */
static void no_equal_tail_leaves_a_kernel_that_spoils_it(void **state)
{
	(void)state;
	wire.plane.d[0].has_equal_tail_fault = true;
	for (size_t payload = 1; payload < 8000; payload += 61) {
		size_t at = 0;

		wire_forget(&wire);
		wire_feed_super(&wire, OFFLOAD_UDP4, 120, payload, 1);
		wire_drain(&wire);
		for (size_t i = 0; i < wire.count; ++i) {
			const size_t last = at + wire.calls[i] - 1;

			if (wire.calls[i] > 1)
				assert_true(wire.datagrams.rows[last].len <
					    wire.datagrams.rows[at].len);
			at = last + 1;
		}
	}
}

/* What goes outside of an inner TOS: no DSCP, and CE as ECT(0). */
static uint8_t outer_tos(uint8_t tos)
{
	return (tos & 3) == 3 ? 2 : tos & 3;
}

static size_t letters(const char *text, char letter)
{
	size_t n = 0;

	for (; *text; ++text)
		n += *text == letter;
	return n;
}

static void check_tos(void)
{
	for (size_t i = 0; i < wire.want.count; ++i) {
		const uint8_t *const p = wire.want.bytes + wire.want.rows[i].at;

		assert_int_equal(wire.tos[i], p[0] >> 4 == 4 ? outer_tos(p[1]) : 0);
	}
}

static void packets_of_one_kind_leave_in_one_send(void **state)
{
	static const struct {
		const char *packets;
		const char *calls;
		bool has_equal_tail_fault;
	} rows[] = {
		{ "", "", false },
		{ "a", "1", false },
		{ "aaa", "3", false },
		{ "ab", "1 1", false },
		{ "aabb", "2 2", false },
		{ "abab", "1 1 1 1", false },
		{ "ccc", "3", false },
		{ "acca", "1 2 1", false },
		/* what is outside is the same for A and E, but the core is told what is inside */
		{ "aAAa", "1 2 1", false },
		{ "AE", "1 1", false },
		{ "DDE", "2 1", false },
		/* equal sizes, and a shorter last */
		{ "aas", "3", false },
		{ "asa", "2 1", false },
		{ "sa", "1 1", false },
		{ "ssl", "2 1", false },
		{ "lsas", "2 2", false },
		{ "lasl", "2 1 1", false },
		{ "aaa", "1 1 1", true },
		{ "aaas", "4", true },
		{ "aasaa", "3 1 1", true },
		{ "ssl", "1 1 1", true },
		{ "lasl", "2 1 1", true },
		/* alone: the core looks at its ports */
		{ "amma", "1 1 1 1", false },
		{ "aaLaa", "2 2", false },
		{ "aLLb", "1 1", false },
		{ "LaaL", "2", false },
		{ "aauuuaa", "2 2", false },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTS(rows); ++i) {
		const struct pair *pair = &wire.plane.pair;
		const uint64_t loops = pair_rejects(pair, 0, REJECT_OUT_LOOP);
		const uint64_t no_peer = pair_rejects(pair, 0, REJECT_OUT_NO_PEER);
		uint8_t answer[PLANE_RECORD];

		wire_forget(&wire);
		wire.plane.d[0].has_equal_tail_fault = rows[i].has_equal_tail_fault;
		wire_feed(&wire, rows[i].packets);
		wire_drain(&wire);
		wire_check_calls(&wire, rows[i].calls);
		check_tos();
		assert_int_equal(pair_rejects(pair, 0, REJECT_OUT_LOOP) - loops,
				 letters(rows[i].packets, 'L'));
		assert_int_equal(pair_rejects(pair, 0, REJECT_OUT_NO_PEER) - no_peer,
				 letters(rows[i].packets, 'u'));
		if (strchr(rows[i].packets, 'u'))
			assert_true(plane_take(&wire.plane, 0, answer) > 0); /* one for the batch */
		assert_int_equal(plane_take(&wire.plane, 0, answer), -1);
	}
}

static void many_reads_are_one_batch_until_it_is_large(void **state)
{
	(void)state;
	/* 21 of 1452 bytes each; two reads pass 60000 */
	for (uint8_t i = 0; i < 3; ++i)
		wire_feed_super(&wire, OFFLOAD_TCP4, 1368, 21 * 1368, i);
	wire_drain(&wire);
	wire_check_calls(&wire, "42 21");
	wire_forget(&wire);
	for (uint8_t i = 0; i < 3; ++i)
		wire_feed_super(&wire, OFFLOAD_TCP4, 1368, 20 * 1368, i);
	wire_drain(&wire);
	wire_check_calls(&wire, "45 15");
}

static void a_turn_is_bounded(void **state)
{
	char packets[71];

	(void)state;
	memset(packets, 'a', 70);
	packets[70] = 0;
	wire_feed(&wire, packets);
	wire.want.count = 64;
	wire_drain(&wire);
	wire_check_calls(&wire, "64");
	assert_int_equal(plane_count(&wire.plane, 0, COUNT_TUN_READS), 64);
	assert_true(outbound_drain(&wire.plane.out));
	assert_int_equal(wire.count, 2);
	assert_int_equal(wire.calls[1], 6);
	assert_int_equal(plane_count(&wire.plane, 0, COUNT_TUN_READS), 70);
}

static void what_is_no_packet_is_counted_and_costs_nobody(void **state)
{
	static uint8_t huge[65536 + 8];
	uint8_t packet[1024], header[OFFLOAD_HEADER] = { 0 };
	const size_t len = wire_build(&wire, 'a', 0, packet);
	const uint64_t before = pair_rejects(&wire.plane.pair, 0, REJECT_OUT_INVALID);

	(void)state;
	wire_feed(&wire, "a");
	packet[0] = 0x55; /* IP version 5 */
	plane_feed(&wire.plane, NULL, packet, len);
	wire_feed(&wire, "a");
	packet[0] = 0x45;
	plane_feed(&wire.plane, NULL, packet, len + 4); /* longer than it says */
	plane_feed(&wire.plane, NULL, packet, len - 4);
	plane_feed(&wire.plane, NULL, packet, 0);
	header[1] = OFFLOAD_GSO_TCPV4; /* of a UDP packet */
	plane_feed(&wire.plane, header, packet, len);
	assert_int_equal(write(wire.plane.far[0], packet, 5), 5); /* not even a header */
	packet_finish(packet, len);
	memcpy(huge, packet, len);
	plane_feed(&wire.plane, NULL, huge, sizeof(huge));
	wire_feed(&wire, "aa");
	wire_drain(&wire);
	wire_check_calls(&wire, "4");
	assert_int_equal(pair_rejects(&wire.plane.pair, 0, REJECT_OUT_INVALID) - before, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(super_packets_leave_as_the_slow_splitter_has_them,
						begin, end),
		cmocka_unit_test_setup_teardown(no_equal_tail_leaves_a_kernel_that_spoils_it, begin,
						end),
		cmocka_unit_test_setup_teardown(packets_of_one_kind_leave_in_one_send, begin, end),
		cmocka_unit_test_setup_teardown(many_reads_are_one_batch_until_it_is_large, begin,
						end),
		cmocka_unit_test_setup_teardown(a_turn_is_bounded, begin, end),
		cmocka_unit_test_setup_teardown(what_is_no_packet_is_counted_and_costs_nobody,
						begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
