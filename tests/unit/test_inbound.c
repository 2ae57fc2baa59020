#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cmocka.h>

#include "arrivals.h"
#include "base/bytes.h"
#include "base/log.h"

/* From what the socket has to what is written into the TUN. */
static struct arrivals arrivals;
static int joined_error, alone_error; /* what a write of a super-packet, of a packet says */

static struct plane *const plane = &arrivals.plane;

int recvmmsg(int fd, struct mmsghdr *messages, unsigned int n, int flags, struct timespec *timeout)
{
	(void)fd;
	(void)flags;
	(void)timeout;
	return arrivals_recvmmsg(&arrivals, messages, n);
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
	const uint8_t *const header = parts[0].iov_base;
	const bool is_joined = plane->d[1].tun.header && header[1] != OFFLOAD_GSO_NONE;

	errno = is_joined ? joined_error : alone_error;
	return errno ? -1 : syscall(SYS_writev, fd, parts, count);
}

static int begin(void **state)
{
	(void)state;
	log_setup(LOG_SILENT, NULL);
	memset(&arrivals, 0, offsetof(struct arrivals, want));
	joined_error = alone_error = 0;
	plane_init(plane);
	plane_rekey(plane);
	arrivals_forget(&arrivals);
	return 0;
}

static int end(void **state)
{
	(void)state;
	plane_done(plane);
	return 0;
}

static void check_rejects(const struct reject_counter *before)
{
	for (unsigned int i = 0; i < REJECT_REASONS; ++i) {
		const struct reject_counter *const now =
			&core_rejects(plane->d[1].core)->device.by_reason[i];

		assert_int_equal(now->count - before[i].count, arrivals.rejects[i]);
		if (arrivals.rejects[i] && arrivals.blamed[i])
			assert_int_equal(now->from.port, arrivals.blamed[i]);
	}
}

/* The last authentic one tells where the peer is, and where we are. */
static void check_place(void)
{
	const struct peer *const peer = plane->pair.host[1].peer;

	if (!arrivals.is_authentic)
		return;
	assert_true(endpoint_equal(&peer->endpoint, &arrivals.last_from));
	assert_true(ip_equal(&peer->source.ip, &arrivals.last_to));
}

static void receive(const char *words)
{
	struct reject_counter before[REJECT_REASONS];
	const uint64_t bytes = plane->pair.host[1].peer->rx_bytes;
	struct ring_entry handshake;

	memcpy(before, core_rejects(plane->d[1].core)->device.by_reason, sizeof(before));
	arrivals_add(&arrivals, words);
	inbound_drain(&plane->in, 0);
	assert_int_equal(arrivals.next, arrivals.slot_count);
	arrivals_compare(&arrivals);
	check_rejects(before);
	check_place();
	assert_int_equal(plane_count(plane, 1, COUNT_UDP_RECEIVES), arrivals.slot_count);
	assert_int_equal(plane_count(plane, 1, COUNT_UDP_RECEIVE_PACKETS), arrivals.datagrams);
	assert_int_equal(plane_count(plane, 1, COUNT_TUN_WRITE_PACKETS), arrivals.want.count);
	assert_int_equal(plane->pair.host[1].peer->rx_bytes - bytes,
			 arrivals.want.count * ARRIVALS_SIZE +
				 arrivals.keepalives * MESSAGE_DATA_MIN);
	for (size_t i = 0; i < arrivals.handshakes; ++i)
		assert_true(ring_take(&plane->d[1].ring, &handshake));
	assert_false(ring_take(&plane->d[1].ring, &handshake));
}

static uint64_t writes(void)
{
	return plane_count(plane, 1, COUNT_TUN_WRITES);
}

static void exactly_the_good_ones_are_delivered(void **state)
{
	static const struct {
		const char *words;
		uint64_t writes; /* with all joined that may be */
	} rows[] = {
		{ "", 0 },
		{ "g", 1 },
		{ "gggg", 1 },
		{ "gg gg g", 1 },
		{ "gTgT USUS gTUS", 4 },
		/* bad ones, first, last, between, alone */
		{ "b", 0 },
		{ "bg", 1 },
		{ "gbgg", 1 },
		{ "ggb b gg", 1 },
		{ "bbb", 0 },
		{ "grgr r", 1 },
		{ "gig ii g", 1 },
		{ "gnvxg", 1 },
		{ "nnn vvv xxx", 0 },
		{ "gGGg G", 1 },
		{ "ghhg h", 1 },
		{ "ggt t gt", 1 },
		{ "ggk k gk", 1 },
		{ "k", 0 },
		{ "c", 0 },
		{ "g c g", 1 },
		{ "e", 0 },
		{ "g e g", 1 },
		{ "gbrinvxGht", 1 },
		{ "brinvxGhg k", 1 },
		/* two sessions */
		{ "gpgp", 1 },
		{ "pp gg pb gr", 1 },
		{ "pbpb gbgb", 1 },
		/* the peer moves; what is forged does not move it */
		{ "g @g", 1 },
		{ "@gg gg", 1 },
		{ "g @b", 1 },
		{ "@g b @b b", 1 },
		{ "g @r", 1 },
		{ "g @k", 1 },
		{ "@i G", 0 },
		{ "i @i", 0 },
		{ "@n", 0 },
		{ "g %g", 1 },
		{ "g %b", 1 },
		{ "%gg b", 1 },
		/* the mark of congestion is that of its own datagrams */
		{ "gg ^gg gg", 3 },
		{ "g ^b", 1 },
		{ "^TTU gU", 4 },
		{ "^pp ^gg", 1 },
		/* more than one receive takes */
		{ "g g g g g g g g g g g g g g g g", 1 },
		{ "g g g g g g g g g g g g g g g g g", 2 },
	};

	(void)state;
	for (size_t i = 0; i < 2 * ELEMENTS(rows); ++i) {
		const bool is_off = i % 2;

		/* where it was, for rows in which nobody moves it */
		arrivals_forget(&arrivals);
		plane->d[1].offloads = is_off ? 0 : OFFLOAD_SWITCHES_ALL;
		receive(rows[i / 2].words);
		assert_int_equal(writes(), is_off ? arrivals.want.count : rows[i / 2].writes);
	}
}

static void a_batch_of_the_session_ends_where_it_is_full(void **state)
{
	(void)state;
	for (size_t n = 125; n <= 131; ++n) {
		char words[140] = "";

		for (size_t i = 0, at = 0; i < n; ++i) {
			words[at++] = i % 7 == 6 ? 'b' : 'g';
			if (i % 64 == 63)
				words[at++] = ' ';
		}
		arrivals_forget(&arrivals);
		receive(words);
		assert_int_equal(writes(), 2); /* of 64 and the rest */
	}
}

static void a_turn_is_bounded(void **state)
{
	(void)state;
	for (int i = 0; i < 130; ++i)
		arrivals_add(&arrivals, "g");
	inbound_drain(&plane->in, 0);
	assert_int_equal(arrivals.next, 128);
	assert_int_equal(writes(), 8);
	inbound_drain(&plane->in, 0);
	assert_int_equal(arrivals.next, 130);
	arrivals_compare(&arrivals);
	assert_int_equal(plane_all_rejects(plane, 1), 0);
}

static void a_full_ring_is_told(void **state)
{
	struct ring_entry entry;

	(void)state;
	atomic_store(&plane->d[1].wake_is_set, false);
	for (int i = 0; i < 65; ++i)
		arrivals_add(&arrivals, i == 7 ? "@gh" : "h");
	inbound_drain(&plane->in, 0);
	assert_int_equal(ring_backlog(&plane->d[1].ring), 64);
	assert_int_equal(pair_rejects(&plane->pair, 1, REJECT_QUEUE_FULL), 1);
	assert_true(atomic_load(&plane->d[1].wake_is_set));
	for (int i = 0; i < 8; ++i)
		assert_true(ring_take(&plane->d[1].ring, &entry));
	assert_int_equal(entry.len, ARRIVALS_SIZE);
	assert_int_equal(entry.from.port, ARRIVALS_PORT);
	assert_true(ip_equal(&entry.to.ip, &plane->pair.host[1].endpoint.ip));
	assert_memory_equal(entry.bytes, arrivals.slots[7].bytes + ARRIVALS_SIZE, ARRIVALS_SIZE);
	arrivals_compare(&arrivals);
}

static const struct {
	const char *words;
	enum offload_kind kind;
	const char *others;
	unsigned int joins; /* of the others, while that kind is off */
	unsigned int switch_off;
} kinds[] = {
	{ "gggg", OFFLOAD_UDP4, "TTUUSS", 3, OFFLOAD_JOIN_UDP },
	{ "UUUU", OFFLOAD_UDP6, "TTggSS", 3, OFFLOAD_JOIN_UDP },
	{ "TTTT", OFFLOAD_TCP4, "ggUUSS", 3, OFFLOAD_JOIN_TCP },
	{ "SSSS", OFFLOAD_TCP6, "ggUUTT", 3, OFFLOAD_JOIN_TCP },
};

static void what_the_tun_refuses_goes_one_by_one(void **state)
{
	for (size_t i = 0; i < ELEMENTS(kinds); ++i) {
		if (i > 0)
			(void)begin(state);
		joined_error = EINVAL;
		receive(kinds[i].words);
		assert_int_equal(writes(), 1 + 4);
		assert_int_equal(plane_count(plane, 1, COUNT_TUN_WRITES_REFUSED), 1);
		assert_int_equal(atomic_load(&plane->d[1].join_kinds),
				 OFFLOAD_ALL & ~kinds[i].kind);
		/* that kind is not tried again, the others are not touched */
		arrivals_forget(&arrivals);
		joined_error = 0;
		receive(kinds[i].words);
		assert_int_equal(writes(), 4);
		arrivals_forget(&arrivals);
		receive(kinds[i].others);
		assert_int_equal(writes(), kinds[i].joins);
		assert_int_equal(plane_all_rejects(plane, 1), 0);
		if (i + 1 < ELEMENTS(kinds))
			(void)end(state);
	}
}

static void each_switch_stops_its_own_kinds(void **state)
{
	(void)state;
	for (size_t i = 0; i < ELEMENTS(kinds); ++i) {
		arrivals_forget(&arrivals);
		plane->d[1].offloads = OFFLOAD_SWITCHES_ALL & ~kinds[i].switch_off;
		receive(kinds[i].words);
		assert_int_equal(writes(), 4);
		arrivals_forget(&arrivals);
		plane->d[1].offloads = kinds[i].switch_off;
		receive(kinds[i].words);
		assert_int_equal(writes(), 1);
	}
}

static void a_tun_without_headers_gets_plain_packets(void **state)
{
	(void)state;
	plane->d[1].tun.header = 0;
	atomic_store(&plane->d[1].join_kinds, 0);
	receive("ggTTUUSSbg");
	assert_int_equal(writes(), 9);
}

/* Whatever it takes or does not take, each packet is counted on one side. */
static void what_the_tun_does_not_take_is_told(void **state)
{
	static const struct {
		int joined_error;
		int alone_error;
		const char *words;
		uint64_t failed;
		uint64_t written;
		uint64_t writes;
		uint64_t refused;
	} rows[] = {
		{ EIO, EIO, "gggg", 4, 0, 1, 0 },    { EIO, 0, "gggg", 4, 0, 1, 0 },
		{ EIO, 0, "g", 0, 1, 1, 0 },         { 0, EINVAL, "g", 1, 0, 1, 0 },
		{ 0, EINVAL, "ggg", 0, 3, 1, 0 },    { EAGAIN, EAGAIN, "gggTT", 5, 0, 2, 0 },
		{ EINVAL, EIO, "gggg", 4, 0, 5, 1 }, { EINVAL, EINVAL, "TTT", 3, 0, 4, 1 },
		{ ENOMEM, 0, "gggg", 0, 4, 5, 1 },   { ENOBUFS, 0, "TTT", 0, 3, 4, 1 },
	};

	for (size_t i = 0; i < ELEMENTS(rows); ++i) {
		if (i > 0)
			(void)begin(state);
		joined_error = rows[i].joined_error;
		alone_error = rows[i].alone_error;
		arrivals_add(&arrivals, rows[i].words);
		inbound_drain(&plane->in, 0);
		assert_int_equal(pair_rejects(&plane->pair, 1, REJECT_DELIVER_FAILED),
				 rows[i].failed);
		assert_int_equal(plane_count(plane, 1, COUNT_TUN_WRITE_PACKETS), rows[i].written);
		assert_int_equal(writes(), rows[i].writes);
		assert_int_equal(plane_count(plane, 1, COUNT_TUN_WRITES_REFUSED), rows[i].refused);
		assert_int_equal(atomic_load(&plane->d[1].join_kinds) != OFFLOAD_ALL,
				 rows[i].joined_error == EINVAL);
		joined_error = alone_error = 0;
		if (i + 1 < ELEMENTS(rows))
			(void)end(state);
	}
}

/* An old session's packets are refused by the clock of the receiver. */
static void packets_of_a_session_that_is_over_are_refused(void **state)
{
	struct session *const s = plane->pair.host[1].peer->previous;

	(void)state;
	s->born = device_now().boot - REJECT_AFTER_TIME;
	arrivals_add(&arrivals, "gppg");
	inbound_drain(&plane->in, 0);
	assert_int_equal(plane_count(plane, 1, COUNT_TUN_WRITE_PACKETS), 2);
	assert_int_equal(pair_rejects(&plane->pair, 1, REJECT_EXPIRED), 2);
	assert_int_equal(plane_all_rejects(plane, 1), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(exactly_the_good_ones_are_delivered, begin, end),
		cmocka_unit_test_setup_teardown(a_batch_of_the_session_ends_where_it_is_full, begin,
						end),
		cmocka_unit_test_setup_teardown(a_turn_is_bounded, begin, end),
		cmocka_unit_test_setup_teardown(a_full_ring_is_told, begin, end),
		cmocka_unit_test_setup_teardown(what_the_tun_refuses_goes_one_by_one, begin, end),
		cmocka_unit_test_setup_teardown(each_switch_stops_its_own_kinds, begin, end),
		cmocka_unit_test_setup_teardown(a_tun_without_headers_gets_plain_packets, begin,
						end),
		cmocka_unit_test_setup_teardown(what_the_tun_does_not_take_is_told, begin, end),
		cmocka_unit_test_setup_teardown(packets_of_a_session_that_is_over_are_refused,
						begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
