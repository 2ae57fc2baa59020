#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/utsname.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "namespace.h"
#include "plane.h"

/* Both halves with the host's own UDP between them: from one TUN to the other over loopback. */
enum { WAIT_MS = 5000, LO_MTU = 65536 };

static struct plane plane;
static struct packet_list want, got;
static struct offload_fault fault; /* of this kernel */

static int begin(void **state)
{
	struct utsname name;

	(void)state;
	assert_true(uname(&name) == 0);
	fault = offload_switch_kernel(name.release);
	return 0;
}

static void use_switches(unsigned int switches)
{
	const int joins = (switches & OFFLOAD_UDP_GRO) != 0;
	const int fd = atomic_load(&plane.d[1].sockets[0][0]);

	for (unsigned int i = 0; i < 2; ++i) {
		plane.d[i].offloads = switches;
		plane.d[i].has_equal_tail_fault = fault.equal_tail;
	}
	assert_int_equal(setsockopt(fd, IPPROTO_UDP, UDP_GRO, &joins, sizeof(joins)), 0);
}

static void forget(void)
{
	want.count = want.used = got.count = got.used = 0;
	for (unsigned int i = 0; i < 2; ++i)
		memset(plane.d[i].counts, 0, sizeof(plane.d[i].counts));
}

static void feed(enum offload_kind kind, size_t size, size_t payload, uint32_t seq)
{
	static uint8_t packet[PACKET_ROOM];
	const struct packet_spec spec = { .kind = kind,
					  .host = 1,
					  .port = 5001,
					  .id = (uint16_t)seq,
					  .seq = seq,
					  .payload = payload,
					  .fill = (uint8_t)seq };
	const size_t len = packet_build(&spec, packet);
	uint8_t header[OFFLOAD_HEADER];

	packet_unfinish(packet, len);
	packet_header(packet, size, header);
	packet_list_split(&want, header, packet, len);
	plane_feed(&plane, header, packet, len);
}

static void take_written(void)
{
	static uint8_t record[PLANE_RECORD];
	ssize_t n;

	while ((n = plane_take(&plane, 1, record)) > OFFLOAD_HEADER)
		packet_list_split(&got, record, record + OFFLOAD_HEADER,
				  (size_t)n - OFFLOAD_HEADER);
}

static void transfer(void)
{
	struct pollfd p = { .fd = atomic_load(&plane.d[1].sockets[0][0]), .events = POLLIN };

	assert_true(outbound_drain(&plane.out));
	while (got.count < want.count && poll(&p, 1, WAIT_MS) == 1) {
		inbound_drain(&plane.in, p.fd);
		take_written();
	}
	plane_compare(&want, &got);
	assert_int_equal(plane_count(&plane, 0, COUNT_TUN_READ_PACKETS), want.count);
	assert_int_equal(plane_count(&plane, 0, COUNT_UDP_SEND_PACKETS), want.count);
	assert_int_equal(plane_count(&plane, 1, COUNT_UDP_RECEIVE_PACKETS), want.count);
	assert_int_equal(plane_count(&plane, 1, COUNT_TUN_WRITE_PACKETS), want.count);
	for (unsigned int i = 0; i < 2; ++i)
		assert_int_equal(plane_all_rejects(&plane, i), 0);
}

static const struct row {
	enum offload_kind kind;
	size_t size;
	size_t payload;
} rows[] = {
	{ OFFLOAD_TCP4, 1380, 1000 },          { OFFLOAD_TCP4, 1380, 44 * 1380 + 700 },
	{ OFFLOAD_TCP6, 1360, 45 * 1360 + 9 }, { OFFLOAD_UDP4, 1392, 20 * 1392 + 900 },
	{ OFFLOAD_UDP6, 1372, 3 * 1372 },      { OFFLOAD_TCP4, 536, 100 * 536 + 1 },
	{ OFFLOAD_TCP6, 48, 700 * 48 + 5 },    { OFFLOAD_UDP4, 100, 200 * 100 },
};

static bool is_joined(enum offload_kind kind, unsigned int switches)
{
	return switches & (offload_is_tcp(kind) ? OFFLOAD_JOIN_TCP : OFFLOAD_JOIN_UDP);
}

static void check_calls(const struct row *row, unsigned int switches)
{
	const uint64_t sends = plane_count(&plane, 0, COUNT_UDP_SENDS);
	const uint64_t receives = plane_count(&plane, 1, COUNT_UDP_RECEIVES);
	const uint64_t writes = plane_count(&plane, 1, COUNT_TUN_WRITES);

	if (!(switches & OFFLOAD_UDP_GSO))
		assert_int_equal(sends, want.count);
	else if (want.count > 1 && !fault.equal_tail)
		assert_true(sends < want.count);
	if (!(switches & OFFLOAD_UDP_GRO))
		assert_int_equal(receives, want.count);
	if (!is_joined(row->kind, switches))
		assert_int_equal(writes, want.count);
	else if (want.count > 1 && switches & OFFLOAD_UDP_GRO && switches & OFFLOAD_UDP_GSO)
		assert_true(writes < want.count);
}

static void every_switch_carries_the_same_packets(void **state)
{
	(void)state;
	plane_init_with_sockets(&plane);
	for (int without = -2; without < OFFLOAD_SWITCHES; ++without) {
		const unsigned int off = without == -2   ? OFFLOAD_SWITCHES_ALL
					 : without == -1 ? 0
							 : 1U << without;
		const unsigned int switches = OFFLOAD_SWITCHES_ALL & ~off & ~fault.off;

		use_switches(switches);
		for (size_t i = 0; i < ELEMENTS(rows); ++i) {
			forget();
			feed(rows[i].kind, rows[i].size, rows[i].payload, 1000);
			transfer();
			check_calls(&rows[i], switches);
		}
	}
	plane_done(&plane);
}

static void reads_of_many_kinds_arrive_in_order(void **state)
{
	uint64_t seed = 4711;

	(void)state;
	plane_init_with_sockets(&plane);
	use_switches(OFFLOAD_SWITCHES_ALL & ~OFFLOAD_JOIN_TCP & ~OFFLOAD_JOIN_UDP & ~fault.off);
	for (unsigned int round = 0; round < 40; ++round) {
		forget();
		for (uint32_t i = 0; i < 5; ++i) {
			const struct row *const row =
				&rows[test_random_below(&seed, ELEMENTS(rows))];

			feed(row->kind, row->size, 1 + test_random_below(&seed, 15000), i);
		}
		transfer();
	}
	plane_done(&plane);
}

/* Segments beyond the MTU of the way: refused once, and nothing is lost. */
static void a_way_that_is_too_narrow_loses_nothing(void **state)
{
	(void)state;
	plane_init_with_sockets(&plane);
	use_switches(OFFLOAD_SWITCHES_ALL & ~fault.off);
	test_link_mtu("lo", 1000);
	for (unsigned int i = 0; i < 3; ++i) {
		forget();
		feed(OFFLOAD_TCP4, 1380, 10 * 1380 + 9, 0);
		transfer();
		assert_int_equal(plane_count(&plane, 0, COUNT_UDP_BATCHES_REFUSED), i == 0);
		assert_int_equal(plane_count(&plane, 0, COUNT_UDP_SENDS), 11 + (i == 0));
	}
	forget();
	feed(OFFLOAD_TCP4, 800, 10 * 800 + 9, 0);
	transfer();
	assert_int_equal(plane_count(&plane, 0, COUNT_UDP_SENDS), 1);
	test_link_mtu("lo", LO_MTU);
	plane_done(&plane);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(every_switch_carries_the_same_packets, begin),
		cmocka_unit_test_setup(reads_of_many_kinds_arrive_in_order, begin),
		cmocka_unit_test_setup(a_way_that_is_too_narrow_loses_nothing, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
