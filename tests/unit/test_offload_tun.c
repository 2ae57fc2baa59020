#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "device/offload_join.h"
#include "device/offload_split.h"
#include "namespace.h"
#include "packets.h"
#include "wg/inner.h"

/*
 * The kernel's own super-packets against ours, over a real TUN that is a mirror: what comes out is
 * split, its two addresses change places, it is joined and goes in again. So a socket of this host
 * that speaks to the .2 of the TUN's subnet speaks to one that listens on its .1.
 */
enum { FRONT = 16, SLOTS = 4 << 20, BYTES = 6 << 20, WAIT_MS = 20000, DATAGRAM = 1300 };
enum { USO4 = 0x20, USO6 = 0x40 }; /* TUN_F_USO4, TUN_F_USO6: younger than Debian 12's headers */

static struct mirror {
	int fd;
	unsigned int mark_every; /* so many packets: one gets the mark of congestion; 0: none */
	unsigned int until_mark;
	size_t splits;
	size_t joins;
	size_t ecn_splits;
	size_t ecn_joins;
	size_t refused;
	struct offload_join join;
	uint8_t *next;
} mirror;

static uint8_t from_tun[OFFLOAD_HEADER + OFFLOAD_MAX + 1], slots[SLOTS];

static int open_tun(unsigned int offloads)
{
	const int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	struct ifreq r = { .ifr_name = "t0", .ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR };

	assert_true(fd >= 0);
	assert_int_equal(ioctl(fd, TUNSETIFF, &r), 0);
	if (ioctl(fd, TUNSETOFFLOAD, offloads) < 0) {
		close(fd);
		return -1;
	}
	test_link_mtu("t0", 1420);
	test_link_up("t0", true);
	test_link_address("t0", "10.7.0.1", 24, true);
	test_link_address("t0", "fd07::1", 64, true);
	return fd;
}

static void write_tun(void *ctx, const struct iovec *parts, int count, size_t packets)
{
	struct mirror *const m = ctx;
	struct offload_header h;

	memcpy(&h, parts[0].iov_base, sizeof(h));
	m->joins += packets > 1;
	m->ecn_joins += packets > 1 && h.type & OFFLOAD_GSO_ECN;
	m->refused += writev(m->fd, parts, count) < 0;
}

static void swap_addresses(uint8_t *p)
{
	uint8_t swap[16];
	const size_t at = p[0] >> 4 == 4 ? 12 : 8, len = p[0] >> 4 == 4 ? 4 : 16;

	memcpy(swap, p + at, len);
	memcpy(p + at, p + at + len, len);
	memcpy(p + at + len, swap, len);
}

static void mark(struct mirror *m, uint8_t *p)
{
	if (!m->mark_every || --m->until_mark > 0)
		return;
	m->until_mark = m->mark_every;
	inner_ecn_decapsulate(p, 3);
}

static void reflect(struct mirror *m, size_t len)
{
	struct offload_split s;

	assert_true(len > OFFLOAD_HEADER && len < sizeof(from_tun));
	assert_true(
		offload_split_begin(&s, from_tun, from_tun + OFFLOAD_HEADER, len - OFFLOAD_HEADER));
	m->splits += s.count > 1;
	m->ecn_splits += s.count > 1 && from_tun[1] & OFFLOAD_GSO_ECN;
	if ((size_t)(slots + sizeof(slots) - m->next) < s.count * (s.size + FRONT)) {
		offload_join_flush(&m->join);
		m->next = slots;
	}
	for (size_t i = 0; i < s.count; ++i) {
		uint8_t *const p = m->next + FRONT;
		const size_t n = offload_split_next(&s, p);

		m->next = p + n;
		if (s.kind != OFFLOAD_PLAIN)
			assert_true(packet_is_right(p, n));
		swap_addresses(p);
		mark(m, p);
		offload_join_add(&m->join, p, n);
	}
}

/* All that the TUN has. */
static void turn(struct mirror *m)
{
	ssize_t got;

	m->next = slots;
	while ((got = read(m->fd, from_tun, sizeof(from_tun))) > 0)
		reflect(m, (size_t)got);
	assert_int_equal(errno, EAGAIN);
	offload_join_flush(&m->join);
}

static void begin(struct mirror *m, unsigned int offloads)
{
	const struct offload_sink sink = { write_tun, m };

	test_namespace_enter();
	memset(m, 0, sizeof(*m));
	m->fd = open_tun(offloads);
	if (m->fd < 0)
		skip();
	offload_join_init(&m->join, &sink, OFFLOAD_ALL, true);
}

static struct sockaddr_in6 address(const char *text, uint16_t port)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6, .sin6_port = htons(port) };

	assert_int_equal(inet_pton(AF_INET6, text, &a.sin6_addr), 1);
	return a;
}

/* A v6 socket, which takes v4 addresses too (::ffff:). */
static int socket_at(int type, const char *text, uint16_t port)
{
	const struct sockaddr_in6 a = address(text, port);
	const int fd = socket(AF_INET6, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), no = 0, yes = 1;

	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof(no)), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)), 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

static void wait_for(struct mirror *m, int fd, short what, int other, short other_what)
{
	struct pollfd p[] = { { .fd = m->fd, .events = POLLIN },
			      { .fd = fd, .events = what },
			      { .fd = other, .events = other_what } };

	assert_true(poll(p, ELEMENTS(p), WAIT_MS) > 0);
	turn(m);
}

static uint8_t byte_at(size_t i)
{
	return (uint8_t)(i * 31 + (i >> 9));
}

/* Some bytes more; whether that was possible. */
static void send_more(int fd, size_t *sent)
{
	uint8_t chunk[65536];
	const size_t n = BYTES - *sent < sizeof(chunk) ? BYTES - *sent : sizeof(chunk);
	ssize_t done;

	for (size_t i = 0; i < n; ++i)
		chunk[i] = byte_at(*sent + i);
	done = n ? send(fd, chunk, n, MSG_NOSIGNAL) : 0;
	assert_true(done >= 0 || errno == EAGAIN);
	*sent += done > 0 ? (size_t)done : 0;
}

static void receive_more(int fd, size_t *received)
{
	uint8_t chunk[65536];
	const ssize_t n = recv(fd, chunk, sizeof(chunk), 0);

	assert_true(n > 0 || errno == EAGAIN);
	for (ssize_t i = 0; i < n; ++i)
		assert_int_equal(chunk[i], byte_at((*received)++));
}

static void stream(struct mirror *m, const char *from, const char *to)
{
	const int listener = socket_at(SOCK_STREAM, from, 5001);
	const int client = socket_at(SOCK_STREAM, from, 0);
	const struct sockaddr_in6 a = address(to, 5001);
	size_t sent = 0, received = 0;
	int server;

	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(connect(client, (const struct sockaddr *)&a, sizeof(a)), -1);
	assert_int_equal(errno, EINPROGRESS);
	while ((server = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) < 0)
		wait_for(m, listener, POLLIN, -1, 0);
	while (received < BYTES) {
		send_more(client, &sent);
		wait_for(m, client, sent < BYTES ? POLLOUT : 0, server, POLLIN);
		receive_more(server, &received);
	}
	close(server);
	close(client);
	close(listener);
}

static void check_stream(const char *from, const char *to, unsigned int mark_every)
{
	begin(&mirror, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN);
	test_sysctl("/proc/sys/net/ipv4/tcp_ecn", "1");
	mirror.mark_every = mirror.until_mark = mark_every;
	stream(&mirror, from, to);
	assert_int_equal(mirror.refused, 0);
	assert_true(mirror.splits > 0);
	assert_true(mirror.joins > 0);
	assert_int_equal(mark_every > 0, mirror.ecn_splits > 0);
	assert_int_equal(mark_every > 0, mirror.ecn_joins > 0);
	close(mirror.fd);
}

static void tcp4_goes_round(void **state)
{
	(void)state;
	check_stream("::ffff:10.7.0.1", "::ffff:10.7.0.2", 0);
}

static void tcp6_goes_round(void **state)
{
	(void)state;
	check_stream("fd07::1", "fd07::2", 0);
}

/* A mark makes the sender slow down and say so, in a super-packet with CWR. */
static void ecn_goes_round(void **state)
{
	(void)state;
	check_stream("::ffff:10.7.0.1", "::ffff:10.7.0.2", 200);
	check_stream("fd07::1", "fd07::2", 200);
}

/* One datagram of the row that the client sends: every size but the last is DATAGRAM. */
static size_t receive_row(struct mirror *m, int server, size_t whole)
{
	uint8_t got[2 * DATAGRAM];
	size_t received = 0, count = 0;

	while (received < whole) {
		const ssize_t n = recv(server, got, sizeof(got), 0);
		const size_t left = whole - received;

		if (n < 0) {
			assert_int_equal(errno, EAGAIN);
			wait_for(m, server, POLLIN, -1, 0);
			continue;
		}
		assert_int_equal(n, left < DATAGRAM ? left : DATAGRAM);
		for (ssize_t i = 0; i < n; ++i)
			assert_int_equal(got[i], byte_at(received++));
		++count;
	}
	return count;
}

static void datagrams(struct mirror *m, const char *from, const char *to)
{
	enum { WHOLE = 30 * DATAGRAM + 77 };
	static uint8_t row[WHOLE];
	const int server = socket_at(SOCK_DGRAM, from, 5002);
	const int client = socket_at(SOCK_DGRAM, from, 0), size = DATAGRAM;
	const struct sockaddr_in6 a = address(to, 5002);

	for (size_t i = 0; i < WHOLE; ++i)
		row[i] = byte_at(i);
	assert_int_equal(setsockopt(client, SOL_UDP, UDP_SEGMENT, &size, sizeof(size)), 0);
	assert_int_equal(connect(client, (const struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(send(client, row, WHOLE, 0), WHOLE);
	assert_int_equal(receive_row(m, server, WHOLE), 31);
	close(client);
	close(server);
}

static void check_datagrams(unsigned int offloads, size_t splits)
{
	static const char *const ends[][2] = { { "::ffff:10.7.0.1", "::ffff:10.7.0.2" },
					       { "fd07::1", "fd07::2" } };

	for (size_t i = 0; i < ELEMENTS(ends); ++i) {
		begin(&mirror, offloads);
		datagrams(&mirror, ends[i][0], ends[i][1]);
		assert_int_equal(mirror.refused, 0);
		assert_int_equal(mirror.splits, splits);
		assert_int_equal(mirror.joins, 1);
		close(mirror.fd);
	}
}

/* Super-packets out of the TUN and into it. */
static void udp_goes_round(void **state)
{
	(void)state;
	check_datagrams(TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | USO4 | USO6, 1);
}

/* Not asked for, the kernel cuts them itself; ours go in nevertheless where it knows them. */
static void udp_is_joined_where_it_came_single(void **state)
{
	(void)state;
	begin(&mirror, TUN_F_CSUM | USO4 | USO6); /* skips where it does not */
	close(mirror.fd);
	check_datagrams(TUN_F_CSUM, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tcp4_goes_round),
		cmocka_unit_test(tcp6_goes_round),
		cmocka_unit_test(ecn_goes_round),
		cmocka_unit_test(udp_goes_round),
		cmocka_unit_test(udp_is_joined_where_it_came_single),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
