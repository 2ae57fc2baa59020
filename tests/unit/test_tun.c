#include "device/tun.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "device/icmp.h"
#include "device/offload_split.h"
#include "namespace.h"

enum { ROOM = 2048, WAIT_MS = 2000 };

static int open_tun(const char *name, struct diag *why, struct tun *ret)
{
	return tun_open(&(struct tun_config){ .name = name }, why, ret);
}

static int adopt_tun(int fd, struct diag *why, struct tun *ret)
{
	return tun_adopt(fd, 0, why, ret);
}

/* A packet as it would leave: split, which finishes its checksum. */
static ssize_t read_packet(const struct tun *t, uint8_t *buf, size_t room)
{
	uint8_t header[OFFLOAD_HEADER], raw[ROOM + 1] = { 0 };
	struct offload_split s;
	const ssize_t got = tun_read(t, 0, header, raw, room);

	if (got < 0)
		return got;
	assert_int_equal(raw[room], 0);
	assert_true(offload_split_begin(&s, header, raw, (size_t)got));
	assert_int_equal(s.count, 1);
	return (ssize_t)offload_split_next(&s, buf);
}

static struct tun open_named(const char *name)
{
	struct diag why = { 0 };
	struct tun t = { .fd = -1 };

	test_namespace_enter();
	assert_int_equal(open_tun(name, &why, &t), 0);
	assert_int_equal(why.severity, DIAG_NONE);
	assert_true(t.fd >= 0);
	return t;
}

static struct tun open_up(void)
{
	struct tun t = open_named("t0");

	test_link_up("t0", true);
	test_link_address("t0", "10.7.0.1", 24, true);
	test_link_address("t0", "fd07::1", 64, true);
	return t;
}

static void expect_refused(const char *name, int error, const char *words)
{
	struct tun t = { .fd = -7 };
	struct diag why = { 0 };

	assert_int_equal(open_tun(name, &why, &t), error);
	assert_int_equal(t.fd, -7);
	assert_int_equal(why.severity, DIAG_ERROR);
	assert_non_null(strstr(why.text, words));
}

static int mtu_of(const char *name)
{
	const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq r = { 0 };

	strcpy(r.ifr_name, name);
	assert_int_equal(ioctl(fd, SIOCGIFMTU, &r), 0);
	close(fd);
	return r.ifr_mtu;
}

static void it_has_the_name_and_the_mtu(void **state)
{
	(void)state;
	struct tun t = open_named("wg-t.0=+_");

	assert_string_equal(t.name, "wg-t.0=+_");
	assert_int_equal(t.header, 10);
	assert_int_equal(mtu_of(t.name), 1420);
	assert_int_equal(fcntl(t.fd, F_GETFD), FD_CLOEXEC);
	assert_true(fcntl(t.fd, F_GETFL) & O_NONBLOCK);
	tun_close(&t);
	assert_int_equal(t.fd, -1);
	assert_int_equal(if_nametoindex("wg-t.0=+_"), 0);
}

static void the_kernel_may_choose_the_name(void **state)
{
	(void)state;
	struct tun a = open_named("w%d"), b = open_named("w%d"), c = open_named("");

	assert_string_equal(a.name, "w0");
	assert_string_equal(b.name, "w1");
	assert_string_equal(c.name, "tun0");
	assert_int_not_equal(if_nametoindex(c.name), 0);
	tun_close(&a);
	tun_close(&b);
	tun_close(&c);
}

static void a_name_in_use_is_busy(void **state)
{
	(void)state;
	struct tun t = open_named("t0");

	expect_refused("t0", -EBUSY, "another program");
	expect_refused("lo", -EBUSY, "no TUN device");
	assert_int_equal(mtu_of("lo"), 65536);
	expect_refused("a/b", -EINVAL, "no name");
	expect_refused("a b", -EINVAL, "no name");
	expect_refused("..", -EINVAL, "no name");
	expect_refused("sixteen-letters-", -EINVAL, "too long");
	tun_close(&t);
}

static int open_raw(const char *name, unsigned int flags)
{
	const int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	struct ifreq r = { .ifr_flags = (short)flags };

	assert_true(fd >= 0);
	strcpy(r.ifr_name, name);
	assert_int_equal(ioctl(fd, TUNSETIFF, &r), 0);
	return fd;
}

static void a_persistent_one_is_attached_to_unless_busy(void **state)
{
	(void)state;
	test_namespace_enter();
	const int fd = open_raw("p0", IFF_TUN | IFF_NO_PI);

	assert_int_equal(ioctl(fd, TUNSETPERSIST, 1), 0);
	expect_refused("p0", -EBUSY, "another program");
	close(fd);
	struct tun t = open_named("p0");

	assert_int_equal(ioctl(t.fd, TUNSETPERSIST, 0), 0);
	tun_close(&t);
	assert_int_equal(if_nametoindex("p0"), 0);
	const int tap = open_raw("p1", IFF_TAP | IFF_NO_PI);

	assert_int_equal(ioctl(tap, TUNSETPERSIST, 1), 0);
	close(tap);
	expect_refused("p1", -EBUSY, "no TUN device");
	test_link_delete("p1");
}

static void open_without_capability(void *ctx)
{
	(void)ctx;
	test_drop_capabilities();
	expect_refused("t9", -EPERM, "CAP_NET_ADMIN");
}

/* Whether the node may be opened at all differs from host to host. */
static void open_as_user(void *ctx)
{
	const bool may_open = access("/dev/net/tun", R_OK | W_OK) == 0;

	(void)ctx;
	expect_refused("t9", may_open ? -EPERM : -EACCES, "root");
}

static void without_privilege_it_says_so(void **state)
{
	(void)state;
	test_namespace_enter();
	test_in_child(open_without_capability, NULL);
	test_in_child_as_user(open_as_user, NULL);
}

static int udp_socket(int domain, const char *ip, uint16_t port)
{
	const int fd = socket(domain, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_port = htons(port) };

	assert_true(fd >= 0);
	if (domain == AF_INET) {
		assert_int_equal(inet_pton(AF_INET, ip, &four.sin_addr), 1);
		assert_int_equal(bind(fd, (const struct sockaddr *)&four, sizeof(four)), 0);
	} else {
		assert_int_equal(inet_pton(AF_INET6, ip, &six.sin6_addr), 1);
		assert_int_equal(bind(fd, (const struct sockaddr *)&six, sizeof(six)), 0);
	}
	return fd;
}

static void send_to_two(int fd, const void *data, size_t len)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(4000) };

	assert_int_equal(inet_pton(AF_INET, "10.7.0.2", &to.sin_addr), 1);
	assert_int_equal(sendto(fd, data, len, 0, (const struct sockaddr *)&to, sizeof(to)), len);
}

static ssize_t read_soon(const struct tun *t, uint8_t *buf, size_t room)
{
	struct pollfd p = { .fd = t->fd, .events = POLLIN };

	assert_int_equal(poll(&p, 1, WAIT_MS), 1);
	return read_packet(t, buf, room);
}

static uint16_t sum(const uint8_t *p, size_t len, uint32_t seed)
{
	for (size_t i = 0; i < len; ++i)
		seed += i % 2 ? p[i] : (uint32_t)p[i] << 8;
	while (seed >> 16)
		seed = (seed >> 16) + (seed & 0xffff);
	return (uint16_t)seed;
}

static bool udp4_checksum_is_right(const uint8_t *packet, size_t len)
{
	const uint16_t pseudo = sum(packet + 12, 8, (uint32_t)(IPPROTO_UDP + len - 20));

	return sum(packet + 20, len - 20, pseudo) == 0xffff;
}

static void no_address_of_its_own(void **state)
{
	uint8_t packet[ROOM];
	char line[128];
	FILE *f;

	(void)state;
	struct tun t = open_named("t0");

	test_link_up("t0", true);
	f = fopen("/proc/net/if_inet6", "re");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		assert_null(strstr(line, " t0\n"));
	(void)fclose(f); /* only read */
	/* and so nothing that it would say by itself from such an address */
	assert_int_equal(read_packet(&t, packet, sizeof(packet)), -EAGAIN);
	tun_close(&t);
}

static void packets_pass_both_ways(void **state)
{
	uint8_t packet[ROOM], data[1392], got[ROOM];
	ssize_t len;

	(void)state;
	struct tun t = open_up();
	const int fd = udp_socket(AF_INET, "10.7.0.1", 4000);

	memset(data, 0x5a, sizeof(data));
	for (size_t n = 0; n <= sizeof(data); n += 87) {
		send_to_two(fd, data, n);
		len = read_soon(&t, packet, sizeof(packet));
		assert_int_equal(len, 28 + n);
		assert_int_equal(load16_be(packet + 2), len);
		assert_true(udp4_checksum_is_right(packet, (size_t)len));
		/* sent back with the ends exchanged: the sums stay what they were */
		memcpy(got, packet + 12, 4);
		memmove(packet + 12, packet + 16, 4);
		memcpy(packet + 16, got, 4);
		assert_int_equal(tun_write_packet(&t, 0, packet, (size_t)len), 0);
		assert_int_equal(recv(fd, got, sizeof(got), 0), n);
		assert_memory_equal(got, data, n);
	}
	assert_int_equal(read_packet(&t, packet, sizeof(packet)), -EAGAIN);
	close(fd);
	tun_close(&t);
}

static void what_is_too_long_is_dropped_and_told(void **state)
{
	uint8_t packet[ROOM] = { 0 };
	const uint8_t data[100] = { 1 };

	(void)state;
	struct tun t = open_up();
	const int fd = udp_socket(AF_INET, "10.7.0.1", 4000);

	send_to_two(fd, data, 100);
	send_to_two(fd, data, 99);
	send_to_two(fd, data, 72);
	assert_int_equal(read_soon(&t, packet, 127), -EMSGSIZE);
	assert_int_equal(packet[127], 0);
	assert_int_equal(read_soon(&t, packet, 127), 127);
	assert_int_equal(read_soon(&t, packet, 100), 100);
	close(fd);
	tun_close(&t);
}

static void what_is_no_packet_is_refused(void **state)
{
	uint8_t packet[ROOM] = { 0 };

	(void)state;
	struct tun t = open_up();

	assert_int_equal(tun_write_packet(&t, 0, packet, 0), -EINVAL);
	assert_int_equal(tun_write_packet(&t, 0, packet, 20), -EINVAL);
	test_link_up("t0", false);
	packet[0] = 0x45;
	assert_int_equal(tun_write_packet(&t, 0, packet, 20), -EIO);
	assert_int_equal(read_packet(&t, packet, sizeof(packet)), -EAGAIN);
	test_link_up("t0", true);
	assert_int_equal(tun_write_packet(&t, 0, packet, 20), 0);
	tun_close(&t);
}

static void fp12_deleted_tun_is_gone_not_spinning(void **state)
{
	uint8_t packet[ROOM] = { 0x45 };

	(void)state;
	struct tun t = open_up();
	struct pollfd p = { .fd = t.fd, .events = POLLIN };

	test_link_delete("t0");
	for (int i = 0; i < 3; ++i) {
		assert_int_equal(poll(&p, 1, 0), 1);
		assert_true(p.revents & POLLERR);
		assert_int_equal(read_packet(&t, packet, sizeof(packet)), -EBADFD);
		assert_int_equal(tun_write_packet(&t, 0, packet, 20), -EBADFD);
	}
	tun_close(&t);
}

static struct tun adopt(int fd)
{
	struct diag why = { 0 };
	struct tun t = { .fd = -1 };

	assert_int_equal(adopt_tun(fd, &why, &t), 0);
	assert_int_equal(t.fd, fd);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	return t;
}

/* Each kind of descriptor that somebody may hand over carries the same packets. */
static void adopted_ones_carry_packets(void **state)
{
	static const struct {
		unsigned int flags;
		int vnet;
		unsigned int offloads;
		int header;
	} rows[] = {
		{ IFF_TUN | IFF_NO_PI, 0, 0, 0 },
		{ IFF_TUN | IFF_NO_PI, 0, TUN_F_CSUM, 0 },
		{ IFF_TUN | IFF_NO_PI | IFF_VNET_HDR, 10, 0, 10 },
		{ IFF_TUN | IFF_NO_PI | IFF_VNET_HDR, 12, 0, 10 },
		{ IFF_TUN | IFF_NO_PI | IFF_VNET_HDR, 10, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6,
		  10 },
		{ IFF_TUN | IFF_NO_PI | IFF_MULTI_QUEUE | IFF_VNET_HDR, 10, TUN_F_CSUM, 10 },
	};
	uint8_t packet[ROOM], data[33] = { 7 };

	(void)state;
	test_namespace_enter();
	for (size_t i = 0; i < ELEMENTS(rows); ++i) {
		const int fd = open_raw("t0", rows[i].flags);

		if (rows[i].vnet)
			assert_int_equal(ioctl(fd, TUNSETVNETHDRSZ, &rows[i].vnet), 0);
		assert_int_equal(ioctl(fd, TUNSETOFFLOAD, (unsigned long)rows[i].offloads), 0);
		test_link_up("t0", true);
		test_link_rename("t0", "t1"); /* its real name wins */
		test_link_address("t1", "10.7.0.1", 24, true);
		struct tun t = adopt(fd);
		const int sender = udp_socket(AF_INET, "10.7.0.1", 4000);

		assert_string_equal(t.name, "t1");
		assert_int_equal(t.header, rows[i].header);
		send_to_two(sender, data, sizeof(data));
		do {
			assert_true(read_soon(&t, packet, sizeof(packet)) > 0);
		} while (packet[0] >> 4 != 4); /* router solicitations */
		assert_int_equal(load16_be(packet + 2), 61);
		assert_true(udp4_checksum_is_right(packet, 61));
		assert_int_equal(tun_write_packet(&t, 0, packet, 61), 0);
		close(sender);
		tun_close(&t);
	}
}

static void an_unfinished_checksum_is_finished(void **state)
{
	uint8_t packet[ROOM];
	const uint8_t data[34] = { 1, 2, 3 };

	(void)state;
	struct tun t = open_up();
	const int fd = udp_socket(AF_INET, "10.7.0.1", 4000);

	assert_int_equal(ioctl(t.fd, TUNSETOFFLOAD, (unsigned long)TUN_F_CSUM), 0);
	for (size_t n = 1; n < sizeof(data); ++n) {
		send_to_two(fd, data, n);
		assert_int_equal(read_soon(&t, packet, sizeof(packet)), 28 + n);
		assert_true(udp4_checksum_is_right(packet, 28 + n));
	}
	close(fd);
	tun_close(&t);
}

static void expect_not_adopted(int fd, int error, const char *words)
{
	struct tun t = { .fd = -7 };
	struct diag why = { 0 };

	assert_int_equal(adopt_tun(fd, &why, &t), error);
	assert_int_equal(t.fd, -7);
	assert_non_null(strstr(why.text, words));
	if (fd >= 0 && fd < 1000)
		assert_int_equal(close(fd), 0); /* it stays the caller's */
}

static void what_is_no_tun_is_not_adopted(void **state)
{
	(void)state;
	test_namespace_enter();
	expect_not_adopted(open_raw("t0", IFF_TAP | IFF_NO_PI), -EINVAL, "TAP");
	expect_not_adopted(open("/dev/null", O_RDWR | O_CLOEXEC), -ENOTTY, "no TUN device");
	expect_not_adopted(100000, -EBADF, "no TUN device");
	expect_not_adopted(open("/dev/net/tun", O_RDWR | O_CLOEXEC), -EBADFD, "exist");
}

/* The TCP handshake's first packet is answered by icmp_unreachable: connect must fail at once. */
static int connect_through(const struct tun *t, const struct sockaddr *to, socklen_t len)
{
	const int fd = socket(to->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	uint8_t packet[ROOM], answer[ICMP_ROOM];
	socklen_t size = sizeof(int);
	int error = 0;

	assert_int_equal(connect(fd, to, len), -1);
	assert_int_equal(errno, EINPROGRESS);
	do {
		const ssize_t got = read_soon(t, packet, sizeof(packet));
		const size_t answered = icmp_unreachable(packet, (size_t)got, answer);

		if (answered)
			assert_int_equal(tun_write_packet(t, 0, answer, answered), 0);
	} while ((packet[0] >> 4 == 4 ? packet[9] : packet[6]) != IPPROTO_TCP);
	assert_int_equal(poll(&p, 1, WAIT_MS), 1);
	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size), 0);
	close(fd);
	return error;
}

static void connect_fails_at_once_by_our_icmp(void **state)
{
	struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = htons(80) };
	struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_port = htons(80) };

	(void)state;
	struct tun t = open_up();

	assert_int_equal(inet_pton(AF_INET, "10.7.0.9", &four.sin_addr), 1);
	assert_int_equal(inet_pton(AF_INET6, "fd07::9", &six.sin6_addr), 1);
	test_sysctl("/proc/sys/net/ipv4/conf/t0/rp_filter", "1");
	assert_int_equal(connect_through(&t, (const struct sockaddr *)&four, sizeof(four)),
			 EHOSTUNREACH);
	assert_int_equal(connect_through(&t, (const struct sockaddr *)&six, sizeof(six)),
			 EHOSTUNREACH);
	tun_close(&t);
}

static struct tun open_with(int queues, unsigned int offloads)
{
	struct diag why = { 0 };
	struct tun t;

	test_namespace_enter();
	assert_int_equal(tun_open(&(struct tun_config){ "t0", queues, offloads }, &why, &t), 0);
	test_link_up("t0", true);
	test_link_address("t0", "10.7.0.1", 24, true);
	test_link_address("t0", "fd07::1", 64, true);
	return t;
}

/* A datagram socket that the kernel cuts for: what comes out of the TUN is one super-packet. */
static void super_packets_come_whole(void **state)
{
	static uint8_t raw[OFFLOAD_MAX + 1], data[1000 * 40];
	uint8_t header[OFFLOAD_HEADER], packet[ROOM];
	const int segment = 1000;
	struct offload_split s;
	ssize_t got;

	(void)state;
	struct tun t = open_with(1, OFFLOAD_ALL);
	const int fd = udp_socket(AF_INET, "10.7.0.1", 4000);
	struct pollfd p = { .fd = t.fd, .events = POLLIN };

	if (!(t.offloads & OFFLOAD_UDP4))
		skip(); /* before Linux 6.2 */
	for (size_t i = 0; i < sizeof(data); ++i)
		data[i] = (uint8_t)(i * 7 + i / 1000);
	assert_int_equal(setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &segment, sizeof(segment)), 0);
	send_to_two(fd, data, sizeof(data));
	assert_int_equal(poll(&p, 1, WAIT_MS), 1);
	got = tun_read(&t, 0, header, raw, sizeof(raw));
	assert_int_equal(got, 28 + sizeof(data));
	assert_true(offload_split_begin(&s, header, raw, (size_t)got));
	assert_int_equal(s.count, 40);
	for (size_t i = 0; i < s.count; ++i) {
		assert_int_equal(offload_split_next(&s, packet), 1028);
		assert_true(udp4_checksum_is_right(packet, 1028));
		assert_memory_equal(packet + 28, data + 1000 * i, 1000);
	}
	close(fd);
	tun_close(&t);
}

/* TCP through the host's own stack: ECN on and off, and what was asked for is what comes. */
static void what_was_not_asked_for_does_not_come(void **state)
{
	static uint8_t raw[OFFLOAD_MAX + 1], data[8 * 1000];
	uint8_t header[OFFLOAD_HEADER];
	const int segment = 1000;

	(void)state;
	struct tun t = open_with(1, OFFLOAD_TCP4 | OFFLOAD_TCP6);
	const int fd = udp_socket(AF_INET, "10.7.0.1", 4000);
	struct pollfd p = { .fd = t.fd, .events = POLLIN };
	unsigned int flags = 0;
	struct ifreq r = { 0 };

	assert_int_equal(t.offloads, OFFLOAD_TCP4 | OFFLOAD_TCP6);
	assert_int_equal(setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &segment, sizeof(segment)), 0);
	send_to_two(fd, data, sizeof(data));
	for (int i = 0; i < 8; ++i) {
		assert_int_equal(poll(&p, 1, WAIT_MS), 1);
		assert_int_equal(tun_read(&t, 0, header, raw, sizeof(raw)), 1028);
	}
	assert_int_equal(ioctl(t.fd, TUNGETIFF, &r), 0);
	flags = (unsigned short)r.ifr_flags;
	assert_true(flags & IFF_VNET_HDR);
	assert_false(flags & IFF_MULTI_QUEUE);
	close(fd);
	tun_close(&t);
}

static void each_queue_carries_packets(void **state)
{
	uint8_t packet[ROOM], header[OFFLOAD_HEADER], data[64] = { 1 };
	struct pollfd p[4];
	unsigned int seen = 0;

	(void)state;
	struct tun t = open_with(4, OFFLOAD_ALL);

	assert_int_equal(t.queues, 4);
	for (int i = 0; i < 4; ++i)
		p[i] = (struct pollfd){ .fd = tun_queue(&t, i), .events = POLLIN };
	for (uint16_t port = 4001; port < 4101; ++port) {
		const int fd = udp_socket(AF_INET, "10.7.0.1", port);

		send_to_two(fd, data, sizeof(data));
		assert_int_equal(poll(p, 4, WAIT_MS), 1);
		for (int i = 0; i < 4; ++i) {
			if (!p[i].revents)
				continue;
			seen |= 1U << i;
			assert_int_equal(tun_read(&t, i, header, packet, sizeof(packet)), 92);
		}
		close(fd);
	}
	assert_int_equal(seen, 15);
	for (int i = 0; i < 4; ++i) {
		packet[0] = 0x45;
		assert_int_equal(tun_write_packet(&t, i, packet, 20), 0);
	}
	tun_close(&t);
	assert_int_equal(if_nametoindex("t0"), 0);
}

/* The probe says what the kernel takes, and nothing of it reaches anybody. */
static void a_probe_tells_what_may_be_joined(void **state)
{
	unsigned int kinds = 77;

	(void)state;
	struct tun t = open_with(1, OFFLOAD_ALL);

	test_link_up("t0", false);
	assert_int_equal(tun_probe(&t, &kinds), -EIO);
	assert_int_equal(kinds, 77);
	test_link_up("t0", true);
	assert_int_equal(tun_probe(&t, &kinds), 0);
	assert_int_equal(kinds & (OFFLOAD_TCP4 | OFFLOAD_TCP6), OFFLOAD_TCP4 | OFFLOAD_TCP6);
	tun_close(&t);
	t = adopt(open_raw("t1", IFF_TUN | IFF_NO_PI));
	test_link_up("t1", true);
	assert_int_equal(tun_probe(&t, &kinds), 0);
	assert_int_equal(kinds, 0); /* no header, no super-packet */
	tun_close(&t);
}

static void a_link_tells_itself_whether_it_is_up(void **state)
{
	static const bool rows[] = { false, true, false, true };
	struct tun t;

	(void)state;
	t = open_named("t0");
	for (size_t i = 0; i < ELEMENTS(rows); ++i) {
		test_link_up("t0", rows[i]);
		assert_int_equal(tun_is_up(&t), rows[i]);
	}
	test_link_delete("t0");
	assert_false(tun_is_up(&t));
	tun_close(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_has_the_name_and_the_mtu),
		cmocka_unit_test(the_kernel_may_choose_the_name),
		cmocka_unit_test(a_name_in_use_is_busy),
		cmocka_unit_test(a_persistent_one_is_attached_to_unless_busy),
		cmocka_unit_test(without_privilege_it_says_so),
		cmocka_unit_test(no_address_of_its_own),
		cmocka_unit_test(packets_pass_both_ways),
		cmocka_unit_test(what_is_too_long_is_dropped_and_told),
		cmocka_unit_test(what_is_no_packet_is_refused),
		cmocka_unit_test(fp12_deleted_tun_is_gone_not_spinning),
		cmocka_unit_test(adopted_ones_carry_packets),
		cmocka_unit_test(an_unfinished_checksum_is_finished),
		cmocka_unit_test(what_is_no_tun_is_not_adopted),
		cmocka_unit_test(connect_fails_at_once_by_our_icmp),
		cmocka_unit_test(super_packets_come_whole),
		cmocka_unit_test(what_was_not_asked_for_does_not_come),
		cmocka_unit_test(each_queue_carries_packets),
		cmocka_unit_test(a_probe_tells_what_may_be_joined),
		cmocka_unit_test(a_link_tells_itself_whether_it_is_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
