#include "device/udp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "device/icmp.h"
#include "device/tun.h"
#include "device/udp_filter.h"
#include "namespace.h"
#include "support.h"
#include "wg/net.h"

enum { ROOM = 65536, DEAD_PORT = 9, PACKETS = 100000, WAIT_MS = 2000, CAPTURE = 2048 };

static const struct ip loopback4 = { FAMILY_V4, { 127, 0, 0, 1 } };
static const struct ip loopback6 = { FAMILY_V6, { [15] = 1 } };

static const struct udp none = { .v4 = { -1 }, .v6 = { -1 } };

static int bind_port(uint16_t port, uint32_t mark, struct diag *why, struct udp *ret)
{
	return udp_bind(&(struct udp_config){ .port = port, .mark = mark }, why, ret);
}

static enum udp_sent transmit(const struct udp *u, const uint8_t *data, size_t len,
			      const struct endpoint *to, const struct source *source, uint8_t tos,
			      const struct udp_listener *listener, int *ret_error)
{
	struct udp_message m = { .bytes = data, .len = len, .to = *to, .tos = tos };

	if (source)
		m.source = *source;
	return udp_send(to->ip.family == FAMILY_V4 ? u->v4[0] : u->v6[0], &m, listener, ret_error);
}

/* One datagram: its length, -EAGAIN, or -EMSGSIZE where it was cut. */
static ssize_t take(int fd, uint8_t *buf, size_t room, struct udp_arrival *ret)
{
	struct udp_slot slot = { .bytes = buf, .room = room };
	const int n = udp_receive(fd, &slot, 1);

	if (n < 0)
		return n;
	*ret = slot.arrival;
	return slot.is_cut ? -EMSGSIZE : (ssize_t)slot.len;
}

static struct udp bind_any(void)
{
	struct diag why = { 0 };
	struct udp u;

	assert_int_equal(bind_port(0, 0, &why, &u), 0);
	assert_true(u.v4[0] >= 0 && u.v6[0] >= 0 && u.port != 0);
	return u;
}

static struct endpoint endpoint(const char *ip, uint16_t port)
{
	const bool is_v6 = strchr(ip, ':') != NULL;
	struct endpoint e = { .ip.family = is_v6 ? FAMILY_V6 : FAMILY_V4, .port = port };

	assert_int_equal(inet_pton(is_v6 ? AF_INET6 : AF_INET, ip, e.ip.bytes), 1);
	return e;
}

static enum udp_sent send_plain(const struct udp *u, const void *data, size_t len,
				const struct endpoint *to)
{
	int error = 0;

	return transmit(u, data, len, to, NULL, 0, NULL, &error);
}

static ssize_t receive(int fd, uint8_t *buf, size_t room, struct udp_arrival *ret)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	assert_int_equal(poll(&p, 1, WAIT_MS), 1);
	return take(fd, buf, room, ret);
}

static void a_datagram_tells_where_it_came_from(void **state)
{
	struct udp_arrival arrival;
	uint8_t buf[16];
	int error = 0;

	(void)state;
	test_namespace_enter();
	struct udp a = bind_any(), b = bind_any();

	assert_int_equal(take(a.v4[0], buf, sizeof(buf), &arrival), -EAGAIN);
	for (int i = 0; i < 2; ++i) {
		const struct endpoint to = { .ip = i ? loopback6 : loopback4, .port = a.port };
		const struct endpoint from = { .ip = to.ip, .port = b.port };

		/* ECN and DSCP bits arrive as they were given */
		for (unsigned int tos = 0; tos < 256; ++tos) {
			assert_int_equal(transmit(&b, (const uint8_t *)"hello", 5, &to, NULL,
						  (uint8_t)tos, NULL, &error),
					 UDP_SENT);
			assert_int_equal(receive(i ? a.v6[0] : a.v4[0], buf, sizeof(buf), &arrival),
					 5);
			assert_memory_equal(buf, "hello", 5);
			assert_int_equal(arrival.tos, tos);
			assert_true(endpoint_equal(&arrival.from, &from));
			assert_true(ip_equal(&arrival.to.ip, &to.ip));
			assert_int_equal(arrival.to.ifindex, if_nametoindex("lo"));
		}
	}
	udp_close(&a);
	udp_close(&b);
	assert_int_equal(a.v4[0], -1);
	assert_int_equal(a.v6[0], -1);
}

static void fd10_datagrams_of_every_size(void **state)
{
	static uint8_t out[ROOM], in[ROOM];
	uint64_t seed = 10;

	(void)state;
	test_namespace_enter();
	struct udp a = bind_any(), b = bind_any();

	test_random_fill(&seed, out, sizeof(out));
	for (size_t len = 0; len <= 65507; len += len < 2100 || len > 65400 ? 1 : 97) {
		const struct endpoint to = { .ip = len % 2 ? loopback6 : loopback4,
					     .port = a.port };
		const int fd = len % 2 ? a.v6[0] : a.v4[0];
		const size_t room = len > 1000 && len % 3 == 0 ? len - 1 : len;
		struct udp_arrival arrival;

		memset(in, 0, sizeof(in));
		assert_int_equal(send_plain(&b, out, len, &to), UDP_SENT);
		assert_int_equal(receive(fd, in, room, &arrival),
				 room == len ? (ssize_t)len : -EMSGSIZE);
		assert_memory_equal(in, out, room);
		assert_int_equal(in[room], 0);
	}
	const struct endpoint to = { .ip = loopback4, .port = a.port };
	int error = 0;

	assert_int_equal(transmit(&b, out, 65508, &to, NULL, 0, NULL, &error), UDP_FAILED);
	assert_int_equal(error, EMSGSIZE);
	assert_int_equal(send_plain(&b, out, 1, &to), UDP_SENT);
	udp_close(&a);
	udp_close(&b);
}

static int occupy(int domain, uint16_t port)
{
	const int fd = socket(domain, SOCK_DGRAM | SOCK_CLOEXEC, 0), on = 1;
	const struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = htons(port) };
	const struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_port = htons(port) };

	assert_true(fd >= 0);
	if (domain == AF_INET) {
		assert_int_equal(bind(fd, (const struct sockaddr *)&four, sizeof(four)), 0);
	} else {
		assert_int_equal(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)), 0);
		assert_int_equal(bind(fd, (const struct sockaddr *)&six, sizeof(six)), 0);
	}
	return fd;
}

static void fp18_port_taken_in_one_family(void **state)
{
	static const int domains[] = { AF_INET, AF_INET6 };

	(void)state;
	test_namespace_enter();
	for (size_t i = 0; i < 2; ++i) {
		const int taken = occupy(domains[i], 5555);
		struct udp u = { .v4 = { -7 } };
		struct diag why = { 0 };

		assert_int_equal(bind_port(5555, 0, &why, &u), -EADDRINUSE);
		assert_int_equal(u.v4[0], -7); /* untouched */
		assert_non_null(strstr(why.text, "5555"));
		assert_non_null(strstr(why.text, i ? "IPv6" : "IPv4"));
		close(occupy(domains[1 - i], 5555)); /* the other family was let go */
		close(taken);
		assert_int_equal(bind_port(5555, 0, &why, &u), 0);
		assert_int_equal(u.port, 5555);
		udp_close(&u);
	}
}

static void a_port_of_ones_own_is_exclusive(void **state)
{
	struct diag why = { 0 };

	(void)state;
	test_namespace_enter();
	struct udp u = bind_any(), v;

	assert_int_equal(bind_port(u.port, 0, &why, &v), -EADDRINUSE);
	udp_close(&u);
}

/* Of eight ports four are taken for IPv6: the first choice, by IPv4, is wrong every other time. */
static void any_port_is_tried_again(void **state)
{
	struct diag why = { 0 };
	int taken[4];

	(void)state;
	test_namespace_enter();
	test_sysctl("/proc/sys/net/ipv4/ip_local_port_range", "40000 40007");
	for (uint16_t i = 0; i < 4; ++i)
		taken[i] = occupy(AF_INET6, (uint16_t)(40000 + 2 * i));
	for (int i = 0; i < 50; ++i) {
		struct udp u = bind_any();

		assert_int_equal(u.port % 2, 1);
		udp_close(&u);
	}
	for (int i = 0; i < 4; ++i)
		close(taken[i]);
	test_sysctl("/proc/sys/net/ipv4/ip_local_port_range", "40000 40001");
	taken[0] = occupy(AF_INET6, 40000);
	taken[1] = occupy(AF_INET6, 40001);
	struct udp u;

	assert_int_equal(bind_port(0, 0, &why, &u), -EADDRINUSE);
	close(taken[0]);
	close(taken[1]);
	test_sysctl("/proc/sys/net/ipv4/ip_local_port_range", "32768 60999");
}

static void a_host_without_ipv6_does(void **state)
{
	(void)state;
	test_namespace_enter();
	test_sysctl("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1");
	struct diag why = { 0 };
	struct udp u;
	const struct endpoint six = { .ip = loopback6, .port = 5555 };
	int error = 0;

	assert_int_equal(bind_port(0, 0, &why, &u), 0);
	assert_true(u.v4[0] >= 0);
	assert_int_equal(transmit(&u, (const uint8_t *)"x", 1, &six, NULL, 0, NULL, &error),
			 UDP_FAILED);
	assert_true(error == EAFNOSUPPORT || error == EADDRNOTAVAIL || error == ENETUNREACH);
	udp_close(&u);
	u = none;
	assert_int_equal(transmit(&u, (const uint8_t *)"x", 1, &six, NULL, 0, NULL, &error),
			 UDP_FAILED);
	assert_int_equal(error, EAFNOSUPPORT);
	test_sysctl("/proc/sys/net/ipv6/conf/all/disable_ipv6", "0");
	test_link_up("lo", false);
	test_link_up("lo", true); /* ::1 comes back */
}

static uint32_t mark_of(int fd)
{
	uint32_t mark = 0;
	socklen_t len = sizeof(mark);

	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_MARK, &mark, &len), 0);
	return mark;
}

static void the_mark_is_on_both_or_neither(void **state)
{
	struct diag why = { 0 };
	struct udp u;

	(void)state;
	test_namespace_enter();
	assert_int_equal(bind_port(0, 0x1234, &why, &u), 0);
	assert_int_equal(mark_of(u.v4[0]), 0x1234);
	assert_int_equal(mark_of(u.v6[0]), 0x1234);
	assert_int_equal(udp_set_mark(&u, 7), 0);
	assert_int_equal(mark_of(u.v4[0]), 7);
	assert_int_equal(mark_of(u.v6[0]), 7);
	struct udp broken = u;

	broken.v6[0] = 100000;

	assert_int_equal(udp_set_mark(&broken, 9), -EBADF);
	assert_int_equal(mark_of(u.v4[0]), 7);
	assert_int_equal(udp_set_mark(&u, 0), 0);
	assert_int_equal(mark_of(u.v6[0]), 0);
	udp_close(&u);
}

static void bind_with_mark(void *ctx)
{
	struct diag why = { 0 };
	struct udp u;

	(void)ctx;
	assert_int_equal(bind_port(0, 5, &why, &u), -EPERM);
	assert_non_null(strstr(why.text, "CAP_NET_ADMIN"));
	why = (struct diag){ 0 };
	assert_int_equal(bind_port(1, 0, &why, &u), -EACCES);
	assert_non_null(strstr(why.text, "CAP_NET_BIND_SERVICE"));
	assert_int_equal(bind_port(0, 0, &why, &u), 0);
	udp_close(&u);
}

static void what_needs_privilege_says_so(void **state)
{
	(void)state;
	test_namespace_enter();
	test_sysctl("/proc/sys/net/ipv4/ip_unprivileged_port_start", "1024");
	test_in_child_as_user(bind_with_mark, NULL);
}

static enum udp_sent send_from(const struct udp *u, const struct endpoint *to, const char *ip,
			       uint32_t ifindex, const char *text)
{
	const struct source source = { endpoint(ip, 0).ip, ifindex };
	int error = 0;

	return transmit(u, (const uint8_t *)text, strlen(text), to, &source, 0x88, NULL, &error);
}

/* Exactly one datagram, with these bytes, from there. */
static void expect(int fd, const char *text, const char *from)
{
	struct udp_arrival arrival;
	struct endpoint e;
	uint8_t buf[64];

	assert_int_equal(receive(fd, buf, sizeof(buf), &arrival), strlen(text));
	assert_memory_equal(buf, text, strlen(text));
	assert_int_equal(arrival.tos, 0x88);
	e = endpoint(from, arrival.from.port);
	assert_true(ip_equal(&arrival.from.ip, &e.ip));
	assert_int_equal(take(fd, buf, sizeof(buf), &arrival), -EAGAIN);
}

static void fn8_lost_source_sends_same_packet(void **state)
{
	(void)state;
	test_namespace_enter();
	struct udp a = bind_any(), b = bind_any();
	const struct endpoint four = { .ip = loopback4, .port = a.port };
	const struct endpoint six = { .ip = loopback6, .port = a.port };

	test_link_address("lo", "10.9.0.1", 32, true);
	test_link_address("lo", "fd09::1", 128, true);
	assert_int_equal(send_from(&b, &four, "10.9.0.1", 1, "one"), UDP_SENT);
	expect(a.v4[0], "one", "10.9.0.1");
	assert_int_equal(send_from(&b, &four, "10.9.0.1", 4711, "two"),
			 UDP_SENT); /* the interface is not asked for */
	expect(a.v4[0], "two", "10.9.0.1");
	assert_int_equal(send_from(&b, &six, "fd09::1", 4711, "three"), UDP_SENT);
	expect(a.v6[0], "three", "fd09::1");
	assert_int_equal(send_from(&b, &four, "fd09::1", 0, "four"),
			 UDP_SENT); /* of the other family: no source */
	expect(a.v4[0], "four", "127.0.0.1");

	test_link_address("lo", "10.9.0.1", 32, false);
	test_link_address("lo", "fd09::1", 128, false);
	assert_int_equal(send_from(&b, &four, "10.9.0.1", 1, "five"), UDP_SENT_WITHOUT_SOURCE);
	expect(a.v4[0], "five", "127.0.0.1");
	assert_int_equal(send_from(&b, &six, "fd09::1", 1, "six"), UDP_SENT_WITHOUT_SOURCE);
	expect(a.v6[0], "six", "::1");
	assert_int_equal(send_from(&b, &six, "fe80::1", 4711, "seven"), UDP_SENT_WITHOUT_SOURCE);
	expect(a.v6[0], "seven", "::1");
	udp_close(&a);
	udp_close(&b);
}

static void nowhere_to_go_fails_with_the_hosts_word(void **state)
{
	(void)state;
	test_namespace_enter();
	struct udp u = bind_any();
	const struct endpoint nowhere = endpoint("192.0.2.1", 1),
			      nowhere6 = endpoint("2001:db8::1", 1),
			      port0 = endpoint("127.0.0.1", 0);
	const struct source source = { loopback4, 1 };
	int error = 0;

	assert_int_equal(transmit(&u, (const uint8_t *)"x", 1, &nowhere, &source, 0, NULL, &error),
			 UDP_FAILED);
	assert_int_equal(error, ENETUNREACH);
	assert_int_equal(transmit(&u, (const uint8_t *)"x", 1, &nowhere6, NULL, 0, NULL, &error),
			 UDP_FAILED);
	assert_int_equal(error, ENETUNREACH);
	assert_int_equal(transmit(&u, (const uint8_t *)"x", 1, &port0, NULL, 0, NULL, &error),
			 UDP_FAILED);
	assert_int_equal(error, EINVAL);
	udp_close(&u);
}

struct told {
	atomic_uint count;
	struct udp_error last;
};

static void tell(void *ctx, const struct udp_error *e)
{
	struct told *t = ctx;

	t->last = *e;
	++t->count;
}

static void count_only(void *ctx, const struct udp_error *e)
{
	struct told *t = ctx;

	(void)e;
	++t->count;
}

/* An ICMP message finds any socket of the group: the one that has it within the time, or -1. */
static int erring(const int sockets[static UDP_SOCKETS], int ms)
{
	struct pollfd p[UDP_SOCKETS];

	for (int i = 0; i < UDP_SOCKETS; ++i)
		p[i] = (struct pollfd){ .fd = sockets[i] };
	if (poll(p, UDP_SOCKETS, ms) <= 0)
		return -1;
	for (int i = 0; i < UDP_SOCKETS; ++i) {
		if (p[i].revents & POLLERR)
			return p[i].fd;
	}
	return -1;
}

static void drain_group(const int sockets[static UDP_SOCKETS], const struct udp_listener *listener)
{
	for (int i = 0; i < UDP_SOCKETS; ++i) {
		if (sockets[i] >= 0)
			(void)udp_drain_errors(sockets[i], listener);
	}
}

static void an_error_names_the_datagram_it_is_about(void **state)
{
	(void)state;
	test_namespace_enter();
	for (int i = 0; i < 2; ++i) {
		struct udp u = bind_any();
		const struct endpoint dead = { .ip = i ? loopback6 : loopback4, .port = DEAD_PORT };
		struct told told = { 0 };
		const struct udp_listener listener = { tell, &told };
		struct udp_arrival arrival;
		uint8_t buf[8];

		assert_int_equal(send_plain(&u, "x", 1, &dead), UDP_SENT);
		const int fd = erring(i ? u.v6 : u.v4, WAIT_MS);

		assert_true(fd >= 0);
		assert_int_equal(take(fd, buf, sizeof(buf), &arrival), -EAGAIN);
		assert_int_equal(udp_drain_errors(fd, &listener), 1);
		assert_int_equal(told.count, 1);
		assert_true(endpoint_equal(&told.last.to, &dead));
		assert_true(ip_equal(&told.last.reporter, &dead.ip));
		assert_int_equal(told.last.type, i ? 1 : 3);
		assert_int_equal(told.last.code, i ? 4 : 3);
		assert_int_equal(told.last.error, ECONNREFUSED);
		assert_int_equal(udp_drain_errors(fd, &listener), 0);
		assert_int_equal(erring(i ? u.v6 : u.v4, 0), -1); /* nothing left that wakes */
		udp_close(&u);
	}
}

struct stream {
	struct udp from;
	struct udp to;
	struct endpoint live;
	struct endpoint dead;
	struct told told;
	unsigned int lost;
	atomic_bool done;
};

static void keep_first(int sockets[static UDP_SOCKETS])
{
	for (int i = 1; i < UDP_SOCKETS; ++i) {
		if (sockets[i] >= 0)
			close(sockets[i]);
		sockets[i] = -1;
	}
}

static void start_stream(struct stream *s, const struct ip *ip)
{
	memset(s, 0, sizeof(*s));
	s->from = bind_any();
	keep_first(s->from.v4); /* so that the errors come to the socket that sends */
	keep_first(s->from.v6);
	s->to = bind_any();
	s->live = (struct endpoint){ .ip = *ip, .port = s->to.port };
	s->dead = (struct endpoint){ .ip = *ip, .port = DEAD_PORT };
}

static void stop_stream(struct stream *s)
{
	udp_close(&s->from);
	udp_close(&s->to);
}

/* To the dead port, to the live one, in turns; each for the live one must arrive, in order. */
static void run_stream(struct stream *s, unsigned int packets, const struct udp_listener *listener)
{
	const int fd = s->live.ip.family == FAMILY_V4 ? s->to.v4[0] : s->to.v6[0];
	struct udp_arrival arrival;
	uint8_t out[4], in[4];
	int error = 0;

	for (unsigned int i = 0; i < packets / 2; ++i) {
		store32_le(out, 0x100 + i); /* no message type */
		assert_int_equal(transmit(&s->from, out, 4, &s->dead, NULL, 0, listener, &error),
				 UDP_SENT);
		assert_int_equal(transmit(&s->from, out, 4, &s->live, NULL, 0, listener, &error),
				 UDP_SENT);
		if (receive(fd, in, sizeof(in), &arrival) != 4 || memcmp(in, out, 4) != 0)
			++s->lost;
	}
}

static void pending_error_of_a_dead_peer_costs_no_packet(void **state)
{
	(void)state;
	test_namespace_enter();
	test_sysctl("/proc/sys/net/ipv4/icmp_ratelimit", "0");
	test_sysctl("/proc/sys/net/ipv6/icmp/ratelimit", "0");
	for (int i = 0; i < 2; ++i) {
		struct stream s;
		const struct udp_listener listener = { count_only, &s.told };

		start_stream(&s, i ? &loopback6 : &loopback4);
		run_stream(&s, PACKETS / 2, &listener);
		drain_group(i ? s.from.v6 : s.from.v4, &listener);
		assert_int_equal(s.lost, 0);
		assert_true(s.told.count > 0); /* how many, the host's ICMP limit decides */
		print_message("%u errors told of %u\n", s.told.count, PACKETS / 4);
		stop_stream(&s);
	}
}

static void *drain_all_the_time(void *arg)
{
	struct stream *s = arg;
	const struct udp_listener listener = { count_only, &s->told };
	struct udp_arrival arrival;
	uint8_t buf[4];

	while (!s->done) {
		drain_group(s->from.v4, &listener);
		if (take(s->from.v4[0], buf, sizeof(buf), &arrival) >= 0)
			return NULL;
	}
	return NULL;
}

static void nor_when_another_thread_takes_the_error(void **state)
{
	pthread_t drainer;
	struct stream s;

	(void)state;
	test_namespace_enter();
	start_stream(&s, &loopback4);
	const struct udp_listener listener = { count_only, &s.told };

	assert_int_equal(pthread_create(&drainer, NULL, drain_all_the_time, &s), 0);
	run_stream(&s, PACKETS / 2, &listener);
	s.done = true;
	assert_int_equal(pthread_join(drainer, NULL), 0);
	assert_int_equal(s.lost, 0);
	stop_stream(&s);
}

/* A full receive buffer leaves no room for the entry, but the error is pending all the same. */
static void nor_when_the_queue_has_no_room(void **state)
{
	struct stream s;
	struct udp flood;
	int small = 2048;

	(void)state;
	test_namespace_enter();
	start_stream(&s, &loopback4);
	flood = bind_any();
	const struct endpoint self = { .ip = loopback4, .port = s.from.port };

	assert_int_equal(setsockopt(s.from.v4[0], SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
	for (int i = 0; i < 100; ++i)
		assert_int_equal(send_plain(&flood, "xxxxxxxxxxxxxxxx", 16, &self), UDP_SENT);
	run_stream(&s, PACKETS / 10, NULL);
	assert_int_equal(s.lost, 0);
	udp_close(&flood);
	stop_stream(&s);
}

/* A TUN shows the outer packets as the host would send them. */
static struct tun open_wire(void)
{
	struct diag why = { 0 };
	struct tun t;

	assert_int_equal(tun_open(&(struct tun_config){ .name = "wire" }, &why, &t), 0);
	test_link_mtu("wire", 1500);
	test_link_up("wire", true);
	test_link_address("wire", "10.7.0.1", 24, true);
	test_link_address("wire", "fd07::1", 64, true);
	return t;
}

/* The next packet that is UDP or a fragment, not what the host says by itself. */
static size_t capture(const struct tun *t, uint8_t *packet)
{
	struct pollfd p = { .fd = t->fd, .events = POLLIN };

	for (;;) {
		uint8_t header[OFFLOAD_HEADER];
		ssize_t len;

		assert_int_equal(poll(&p, 1, WAIT_MS), 1);
		len = tun_read(t, 0, header, packet, CAPTURE);
		assert_true(len > 0);
		if (packet[0] >> 4 == 4 ? packet[9] == IPPROTO_UDP
					: packet[6] == IPPROTO_UDP || packet[6] == IPPROTO_FRAGMENT)
			return (size_t)len;
	}
}

static void the_outer_packet_is_as_the_kernel_driver_sends_it(void **state)
{
	static uint8_t data[4000];
	uint8_t packet[CAPTURE];
	int error = 0;

	(void)state;
	test_namespace_enter();
	struct tun wire = open_wire();
	struct udp u = bind_any();
	const struct endpoint four = endpoint("10.7.0.2", 51820), six = endpoint("fd07::2", 51820);

	assert_int_equal(transmit(&u, data, 148, &four, NULL, 0x88, NULL, &error), UDP_SENT);
	assert_int_equal(capture(&wire, packet), 20 + 8 + 148);
	assert_int_equal(packet[1], 0x88);
	assert_int_equal(load16_be(packet + 6), 0);      /* DF clear, no fragment */
	assert_int_not_equal(load16_be(packet + 26), 0); /* UDP checksum */
	assert_int_equal(transmit(&u, data, sizeof(data), &four, NULL, 0, NULL, &error), UDP_SENT);
	assert_int_equal(capture(&wire, packet), 1500);
	assert_int_equal(load16_be(packet + 6), 0x2000);
	assert_int_equal(capture(&wire, packet), 1500);
	assert_int_equal(load16_be(packet + 6), 0x2000 | 1480 / 8);
	assert_int_equal(capture(&wire, packet), 20 + 4008 - 2960);
	assert_int_equal(load16_be(packet + 6), 2960 / 8);

	assert_int_equal(transmit(&u, data, 148, &six, NULL, 0x88, NULL, &error), UDP_SENT);
	assert_int_equal(capture(&wire, packet), 40 + 8 + 148);
	assert_int_equal(load32_be(packet) & 0x0ff00000, 0x08800000);
	assert_int_equal(transmit(&u, data, sizeof(data), &six, NULL, 0, NULL, &error), UDP_SENT);
	assert_int_equal(capture(&wire, packet), 1496); /* multiples of 8 */
	assert_int_equal(packet[6], IPPROTO_FRAGMENT);
	assert_int_equal(capture(&wire, packet), 1496);
	(void)capture(&wire, packet);
	udp_close(&u);
	tun_close(&wire);
}

static uint16_t sum_of(const uint8_t *a, size_t alen, const uint8_t *b, size_t blen, uint32_t seed)
{
	for (size_t i = 0; i < alen; ++i)
		seed += i % 2 ? a[i] : (uint32_t)a[i] << 8;
	for (size_t i = 0; i < blen; ++i)
		seed += i % 2 ? b[i] : (uint32_t)b[i] << 8;
	while (seed >> 16)
		seed = (seed >> 16) + (seed & 0xffff);
	return (uint16_t)~seed;
}

/* A router says that only 1280 bytes fit: smaller fragments from then on, no datagram refused. */
static void packet_too_big_lowers_the_fragments(void **state)
{
	static uint8_t data[1400];
	uint8_t packet[CAPTURE], answer[40 + 8 + 1232] = { 0x60 };
	struct told told = { 0 };
	const struct udp_listener listener = { tell, &told };
	int error = 0;

	(void)state;
	test_namespace_enter();
	struct tun wire = open_wire();
	struct udp u = bind_any();
	const struct endpoint six = endpoint("fd07::2", 51820);

	assert_int_equal(transmit(&u, data, sizeof(data), &six, NULL, 0, &listener, &error),
			 UDP_SENT);
	assert_int_equal(capture(&wire, packet), 1448);
	store16_be(answer + 4, 8 + 1232);
	answer[6] = IPPROTO_ICMPV6;
	answer[7] = 64;
	memcpy(answer + 8, packet + 24, 16);
	memcpy(answer + 24, packet + 8, 16);
	answer[40] = 2;
	store32_be(answer + 44, 1280);
	memcpy(answer + 48, packet, 1232);
	store16_be(answer + 42,
		   sum_of(answer + 8, 32, answer + 40, 8 + 1232, 8 + 1232 + IPPROTO_ICMPV6));
	assert_int_equal(tun_write_packet(&wire, 0, answer, sizeof(answer)), 0);
	for (int i = 0; i < 3; ++i) {
		assert_int_equal(transmit(&u, data, sizeof(data), &six, NULL, 0, &listener, &error),
				 UDP_SENT);
		assert_int_equal(capture(&wire, packet), 1280);
		assert_int_equal(packet[6], IPPROTO_FRAGMENT);
		(void)capture(&wire, packet);
	}
	drain_group(u.v6, &listener);
	print_message("told %u times of it, errno %d, type %u\n", told.count, told.last.error,
		      told.last.type);
	udp_close(&u);
	tun_close(&wire);
}

/* What is said of a far host is also what a lost source is told by: the source must stay. */
static void expect_source_kept(const struct tun *wire, bool has_room)
{
	struct udp a = bind_any(), b = bind_any(), flood = bind_any();

	keep_first(b.v4);
	const struct endpoint dead = endpoint("10.7.0.2", 51820);
	const struct endpoint live = { .ip = loopback4, .port = a.port };
	const struct endpoint self = { .ip = loopback4, .port = b.port };
	uint8_t packet[CAPTURE], answer[ICMP_ROOM];
	int small = 2048;
	size_t len;

	if (!has_room) {
		assert_int_equal(setsockopt(b.v4[0], SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)),
				 0);
		for (int i = 0; i < 100; ++i)
			assert_int_equal(send_plain(&flood, "xxxxxxxxxxxxxxxx", 16, &self),
					 UDP_SENT);
	}
	assert_int_equal(send_plain(&b, "one", 3, &dead), UDP_SENT);
	len = icmp_unreachable(packet, capture(wire, packet), answer);
	assert_true(len > 0);
	assert_int_equal(tun_write_packet(wire, 0, answer, len), 0);
	assert_int_equal(send_from(&b, &live, "127.0.0.1", 1, "two"), UDP_SENT);
	expect(a.v4[0], "two", "127.0.0.1");
	udp_close(&a);
	udp_close(&b);
	udp_close(&flood);
}

static void nor_its_source(void **state)
{
	(void)state;
	test_namespace_enter();
	struct tun wire = open_wire();

	expect_source_kept(&wire, true);
	expect_source_kept(&wire, false);
	tun_close(&wire);
}

/* Which of the group a message comes to. */
static int chosen(const int sockets[static UDP_SOCKETS])
{
	struct pollfd p[UDP_SOCKETS];
	int found = -1;

	for (int i = 0; i < UDP_SOCKETS; ++i)
		p[i] = (struct pollfd){ .fd = sockets[i], .events = POLLIN };
	assert_int_equal(poll(p, UDP_SOCKETS, WAIT_MS), 1);
	for (int i = 0; i < UDP_SOCKETS; ++i) {
		uint8_t buf[256];
		struct udp_arrival arrival;

		if (!(p[i].revents & POLLIN))
			continue;
		assert_true(take(p[i].fd, buf, sizeof(buf), &arrival) >= 0);
		found = i;
	}
	return found;
}

struct lane_row {
	uint8_t type;
	size_t len;
	size_t marked; /* this byte is 1; 0: none */
	int socket;
};

static const struct lane_row lane_rows[] = {
	{ 1, 148, 0, UDP_LANE_PLAIN },
	{ 1, 148, 131, UDP_LANE_PLAIN }, /* the last byte of mac1 */
	{ 1, 148, 132, UDP_LANE_COOKIE },
	{ 1, 148, 139, UDP_LANE_COOKIE },
	{ 1, 148, 147, UDP_LANE_COOKIE },
	{ 1, 147, 140, UDP_LANE_COOKIE }, /* not whole, but the claim stands */
	{ 1, 147, 0, 0 },
	{ 1, 4, 0, 0 },
	{ 2, 92, 0, UDP_LANE_PLAIN },
	{ 2, 92, 75, UDP_LANE_PLAIN },
	{ 2, 92, 76, UDP_LANE_COOKIE },
	{ 2, 92, 91, UDP_LANE_COOKIE },
	{ 2, 60, 0, 0 },
	{ 3, 64, 0, UDP_LANE_PLAIN },
	{ 4, 32, 0, 0 },
	{ 4, 4, 0, 0 },
	{ 0, 148, 0, 0 },
	{ 5, 148, 140, 0 },
	{ 1, 148, 1, 0 }, /* reserved bytes are not zero */
	{ 0, 3, 0, 0 },
	{ 0, 0, 0, 0 },
};

static void a_handshake_message_comes_to_its_lane(void **state)
{
	(void)state;
	test_namespace_enter();
	struct udp a = bind_any(), b = bind_any();

	assert_true(udp_has_lanes(&a));
	for (size_t i = 0; i < 2 * ELEMENTS(lane_rows); ++i) {
		const struct lane_row *const r = &lane_rows[i / 2];
		const struct endpoint to = { .ip = i % 2 ? loopback6 : loopback4, .port = a.port };
		uint8_t message[256] = { r->type };

		if (r->marked)
			message[r->marked] = 1;
		assert_int_equal(send_plain(&b, message, r->len, &to), UDP_SENT);
		assert_int_equal(chosen(i % 2 ? a.v6 : a.v4), r->socket);
	}
	udp_close(&a);
	udp_close(&b);
}

/* One handshake message or other from an address of lo, which is given to it for that. */
static void expect_from(const struct udp *a, const struct udp *b, const char *from, uint8_t type,
			bool claims, int socket)
{
	const struct endpoint source = endpoint(from, 0);
	const bool is_v6 = source.ip.family == FAMILY_V6;
	const struct endpoint to = { .ip = is_v6 ? loopback6 : loopback4, .port = a->port };
	uint8_t message[148] = { type };
	int error = 0;

	message[type == 1 ? 140 : 80] = claims;
	test_link_address("lo", from, is_v6 ? 128 : 32, true);
	assert_int_equal(transmit(b, message, sizeof(message), &to,
				  &(struct source){ .ip = source.ip, .ifindex = 1 }, 0, NULL,
				  &error),
			 UDP_SENT);
	assert_int_equal(chosen(is_v6 ? a->v6 : a->v4), socket);
	test_link_address("lo", from, is_v6 ? 128 : 32, false);
}

static void attach(const struct udp *u, const struct udp_steering steering[static 2])
{
	assert_int_equal(udp_filter_attach(u->v4[0], FAMILY_V4, 1, &steering[0]), 0);
	assert_int_equal(udp_filter_attach(u->v6[0], FAMILY_V6, 1, &steering[1]), 0);
}

static void steer(struct udp_steering steering[static 2], const char *to)
{
	const struct endpoint e = endpoint(to, 0);
	const enum family family = (enum family)e.ip.family;

	udp_steering_add(&steering[family == FAMILY_V6], family, net_of(&e.ip));
}

/* Known are 10.1.2.3 and fd00:1:2:3::/64. */
static const struct {
	const char *from;
	bool known;
} steered_rows[] = {
	{ "10.1.2.3", true },        { "10.1.2.2", false },      { "10.1.3.3", false },
	{ "10.2.2.3", false },       { "11.1.2.3", false },      { "fd00:1:2:3::1", true },
	{ "fd00:1:2:3:4::5", true }, { "fd00:1:2:2::1", false }, { "fd00:1:3:3::1", false },
	{ "fd00:2:2:3::1", false },  { "fd01:1:2:3::1", false }, { "fd00:1:3:2::1", false },
};

static void who_is_known_has_a_lane_of_his_own(void **state)
{
	struct test_entropy entropy;
	struct udp_steering steering[2];

	(void)state;
	test_namespace_enter();
	struct udp a = bind_any(), b = bind_any();

	test_entropy_init(&entropy, 3);
	for (int i = 0; i < 2; ++i)
		assert_true(udp_steering_init(&steering[i], &entropy.entropy));
	attach(&a, steering); /* of nobody: the filter that it was */
	expect_from(&a, &b, "10.1.2.3", 1, false, UDP_LANE_PLAIN);
	steer(steering, "10.1.2.3");
	steer(steering, "fd00:1:2:3::77");
	attach(&a, steering);
	for (size_t i = 0; i < ELEMENTS(steered_rows); ++i) {
		const char *const from = steered_rows[i].from;
		const bool known = steered_rows[i].known;

		for (uint8_t type = 1; type <= 3; ++type)
			expect_from(&a, &b, from, type, false,
				    known ? UDP_LANE_KNOWN : UDP_LANE_PLAIN);
		for (uint8_t type = 1; type <= 2; ++type)
			expect_from(&a, &b, from, type, true,
				    known ? UDP_LANE_KNOWN : UDP_LANE_COOKIE);
		for (uint8_t type = 4; type < 6; ++type)
			expect_from(&a, &b, from, type, false, 0);
	}
	udp_close(&a);
	udp_close(&b);
}

/* Any of the words, among any others. */
static void any_source_can_be_known(void **state)
{
	enum { SOURCES = 250 };
	struct test_entropy entropy;
	struct udp_steering steering[2];
	char address[20];

	(void)state;
	test_namespace_enter();
	struct udp a = bind_any(), b = bind_any();

	test_entropy_init(&entropy, 9);
	for (int i = 0; i < 2; ++i)
		assert_true(udp_steering_init(&steering[i], &entropy.entropy));
	for (unsigned int pass = 0; pass < 2; ++pass) {
		for (unsigned int i = 0; i < SOURCES; ++i) {
			snprintf(address, sizeof(address), "10.%u.%u.%u", i, i % 16, 1 + i % 7);
			if (pass)
				expect_from(&a, &b, address, 1, i % 2, UDP_LANE_KNOWN);
			else
				steer(steering, address);
		}
		attach(&a, steering);
	}
	udp_close(&a);
	udp_close(&b);
}

static void no_random_no_steering(void **state)
{
	struct test_entropy entropy;
	struct udp_steering steering;

	(void)state;
	test_entropy_init(&entropy, 1);
	entropy.fail = true;
	assert_false(udp_steering_init(&steering, &entropy.entropy));
}

/*
 * Whether datagrams of a card are joined, the kernel asks a socket of the group that it takes by a
 * hash of the addresses, without the filter: one that says no costs some senders all joining.
 */
static void each_of_a_group_says_that_datagrams_may_be_joined(void **state)
{
	(void)state;
	test_namespace_enter();
	for (int joins = 0; joins < 2; ++joins) {
		struct diag why = { 0 };
		struct udp u;

		assert_int_equal(
			udp_bind(&(struct udp_config){ .workers = 2, .joins = joins }, &why, &u),
			0);
		for (int i = 0; i < 2 * UDP_SOCKETS; ++i) {
			const int fd = i % 2 ? u.v6[i / 2] : u.v4[i / 2];
			socklen_t len = sizeof(int);
			int got = -1;

			if (fd < 0)
				continue;
			assert_int_equal(getsockopt(fd, IPPROTO_UDP, UDP_GRO, &got, &len), 0);
			assert_int_equal(got, joins);
		}
		udp_close(&u);
	}
}

/* Each sender has its worker, whatever the receiver index; together they use all of them. */
static void a_sender_stays_with_its_worker(void **state)
{
	enum { SENDERS = 64, WORKERS = 4 };
	const struct udp_config config = { .workers = WORKERS };
	struct diag why = { 0 };
	struct udp a;

	(void)state;
	test_namespace_enter();
	assert_int_equal(udp_bind(&config, &why, &a), 0);
	for (int family = 0; family < 2; ++family) {
		const struct endpoint to = { .ip = family ? loopback6 : loopback4, .port = a.port };
		unsigned int used = 0;

		for (int i = 0; i < SENDERS; ++i) {
			uint8_t message[32] = { 4 };
			struct udp b = bind_any();
			int first = -1;

			for (uint32_t index = 0; index < 8; ++index) {
				store32_le(message + 4, index * 0x01234567);
				assert_int_equal(send_plain(&b, message, 32, &to), UDP_SENT);
				const int now = chosen(family ? a.v6 : a.v4);

				assert_true(now >= 0 && now < WORKERS);
				assert_true(first < 0 || now == first);
				first = now;
			}
			used |= 1U << first;
			udp_close(&b);
		}
		assert_int_equal(used, (1U << WORKERS) - 1);
	}
	udp_close(&a);
}

static void sockets_go_through_numbers_and_back(void **state)
{
	int fds[2 * UDP_SOCKETS];
	struct udp again;

	(void)state;
	test_namespace_enter();
	struct udp a = bind_any();

	udp_to_fds(&a, fds);
	udp_from_fds(fds, a.port, &again);
	assert_memory_equal(&a, &again, sizeof(a));
	udp_close(&again);
}

/* Segments of one size and a shorter last leave as one and arrive as one, or as many. */
static void a_batch_is_the_same_as_its_datagrams(void **state)
{
	static const struct {
		size_t len;
		uint16_t segment;
	} rows[] = { { 100, 100 }, { 200, 100 }, { 201, 100 },    { 64 * 100, 100 },
		     { 1, 1 },     { 64, 1 },    { 65340, 1452 }, { 65507, 1452 } };
	static uint8_t out[ROOM], in[ROOM];

	(void)state;
	test_namespace_enter();
	for (int joins = 0; joins < 2; ++joins) {
		const struct udp_config config = { .joins = joins };
		struct diag why = { 0 };
		struct udp a, b = bind_any();
		uint64_t seed = 3;

		test_random_fill(&seed, out, sizeof(out));
		assert_int_equal(udp_bind(&config, &why, &a), 0);
		for (size_t i = 0; i < 2 * ELEMENTS(rows); ++i) {
			const size_t len = rows[i / 2].len, segment = rows[i / 2].segment;
			const struct udp_message m = { .bytes = out,
						       .len = len,
						       .segment = (uint16_t)segment,
						       .to = { .ip = i % 2 ? loopback6 : loopback4,
							       .port = a.port } };
			size_t at = 0;
			int error = 0;

			out[0] = 0;
			assert_int_equal(udp_send(i % 2 ? b.v6[0] : b.v4[0], &m, NULL, &error),
					 UDP_SENT);
			while (at < len) {
				struct udp_slot slot = { .bytes = in, .room = sizeof(in) };
				const int fd = i % 2 ? a.v6[0] : a.v4[0];
				struct pollfd p = { .fd = fd, .events = POLLIN };
				const size_t left = len - at;

				assert_int_equal(poll(&p, 1, WAIT_MS), 1);
				assert_int_equal(udp_receive(fd, &slot, 1), 1);
				assert_memory_equal(in, out + at, slot.len);
				assert_int_equal(slot.segment, left < segment ? left : segment);
				if (!joins)
					assert_int_equal(slot.len, slot.segment);
				at += slot.len;
			}
			assert_int_equal(at, len);
		}
		udp_close(&a);
		udp_close(&b);
	}
}

/* What no offload can carry is refused as a batch, at once and with the host's word. */
static void a_batch_that_cannot_be_is_refused(void **state)
{
	static uint8_t out[ROOM];
	int error = 0;

	(void)state;
	test_namespace_enter();
	struct tun wire = open_wire();
	struct udp u = bind_any();
	struct udp_message m = {
		.bytes = out, .len = 4 * 1473, .segment = 1473, .to = endpoint("10.7.0.2", 51820)
	};

	m.source = (struct source){ .ip = endpoint("10.7.0.1", 0).ip };
	assert_int_equal(udp_send(u.v4[0], &m, NULL, &error), UDP_BATCH_REFUSED);
	assert_int_equal(error, EMSGSIZE);
	m.segment = 0;
	m.len = 1473;
	assert_int_equal(udp_send(u.v4[0], &m, NULL, &error), UDP_SENT);
	udp_close(&u);
	tun_close(&wire);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_datagram_tells_where_it_came_from),
		cmocka_unit_test(fd10_datagrams_of_every_size),
		cmocka_unit_test(fp18_port_taken_in_one_family),
		cmocka_unit_test(a_port_of_ones_own_is_exclusive),
		cmocka_unit_test(any_port_is_tried_again),
		cmocka_unit_test(a_host_without_ipv6_does),
		cmocka_unit_test(the_mark_is_on_both_or_neither),
		cmocka_unit_test(what_needs_privilege_says_so),
		cmocka_unit_test(fn8_lost_source_sends_same_packet),
		cmocka_unit_test(nowhere_to_go_fails_with_the_hosts_word),
		cmocka_unit_test(an_error_names_the_datagram_it_is_about),
		cmocka_unit_test(pending_error_of_a_dead_peer_costs_no_packet),
		cmocka_unit_test(nor_when_another_thread_takes_the_error),
		cmocka_unit_test(nor_when_the_queue_has_no_room),
		cmocka_unit_test(nor_its_source),
		cmocka_unit_test(the_outer_packet_is_as_the_kernel_driver_sends_it),
		cmocka_unit_test(packet_too_big_lowers_the_fragments),
		cmocka_unit_test(a_handshake_message_comes_to_its_lane),
		cmocka_unit_test(who_is_known_has_a_lane_of_his_own),
		cmocka_unit_test(any_source_can_be_known),
		cmocka_unit_test(no_random_no_steering),
		cmocka_unit_test(each_of_a_group_says_that_datagrams_may_be_joined),
		cmocka_unit_test(a_sender_stays_with_its_worker),
		cmocka_unit_test(sockets_go_through_numbers_and_back),
		cmocka_unit_test(a_batch_is_the_same_as_its_datagrams),
		cmocka_unit_test(a_batch_that_cannot_be_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
