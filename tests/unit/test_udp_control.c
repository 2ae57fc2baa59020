#include "device/udp_control.h"

#include <arpa/inet.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "guarded.h"
#include "support.h"

enum { ROUNDS = 200000 };

struct control {
	size_t len;
	uint8_t bytes[512];
};

static void add(struct control *c, int level, int type, const void *data, size_t len)
{
	const struct cmsghdr h = { .cmsg_len = CMSG_LEN(len),
				   .cmsg_level = level,
				   .cmsg_type = type };

	memcpy(c->bytes + c->len, &h, sizeof(h));
	if (len)
		memcpy(c->bytes + c->len + CMSG_LEN(0), data, len);
	c->len += CMSG_SPACE(len);
}

static void add_source4(struct control *c, const char *ip, int ifindex)
{
	struct in_pktinfo info = { .ipi_ifindex = ifindex };

	assert_int_equal(inet_pton(AF_INET, ip, &info.ipi_spec_dst), 1);
	add(c, IPPROTO_IP, IP_PKTINFO, &info, sizeof(info));
}

static void add_source6(struct control *c, const char *ip, unsigned int ifindex)
{
	struct in6_pktinfo info = { .ipi6_ifindex = ifindex };

	assert_int_equal(inet_pton(AF_INET6, ip, &info.ipi6_addr), 1);
	add(c, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof(info));
}

static void parse(const struct control *c, size_t len, struct source *to, uint8_t *tos)
{
	uint8_t *const place = test_guarded(len);
	struct udp_extra extra;

	memcpy(place, c->bytes, len);
	memset(&extra, 0xee, sizeof(extra));
	udp_parse_control(place, len, &extra);
	*to = extra.to;
	*tos = extra.tos;
}

static void nothing_tells_nothing(void **state)
{
	struct control c = { 0 };
	struct source to;
	uint8_t tos;

	(void)state;
	parse(&c, 0, &to, &tos);
	assert_int_equal(to.ip.family, FAMILY_NONE);
	assert_int_equal(to.ifindex, 0);
	assert_int_equal(tos, 0);
}

static void one_of_each_in_any_order(void **state)
{
	const uint8_t tos4 = 0x8a;
	const int other = 77;
	struct control c = { 0 };
	struct source to;
	uint8_t tos;

	(void)state;
	add(&c, SOL_SOCKET, SO_TIMESTAMP, &other, sizeof(other));
	add(&c, IPPROTO_IP, IP_TOS, &tos4, 1);
	add(&c, IPPROTO_UDP, 104, &other, sizeof(other));
	add_source4(&c, "192.0.2.7", 12);
	add(&c, IPPROTO_IP, IP_TTL, &other, sizeof(other));
	parse(&c, c.len, &to, &tos);
	assert_int_equal(to.ip.family, FAMILY_V4);
	assert_int_equal(load32_be(to.ip.bytes), 0xc0000207);
	assert_int_equal(load32_be(to.ip.bytes + 4), 0);
	assert_int_equal(to.ifindex, 12);
	assert_int_equal(tos, 0x8a);
}

static void six_has_its_own(void **state)
{
	const int tos6 = 0x02, other = 9;
	struct control c = { 0 };
	struct source to;
	uint8_t tos;

	(void)state;
	add_source6(&c, "fe80::1:2", 3);
	add(&c, IPPROTO_IPV6, IPV6_HOPLIMIT, &other, sizeof(other));
	add(&c, IPPROTO_IPV6, IPV6_TCLASS, &tos6, sizeof(tos6));
	parse(&c, c.len, &to, &tos);
	assert_int_equal(to.ip.family, FAMILY_V6);
	assert_int_equal(load32_be(to.ip.bytes), 0xfe800000);
	assert_int_equal(load32_be(to.ip.bytes + 12), 0x00010002);
	assert_int_equal(to.ifindex, 3);
	assert_int_equal(tos, 2);
}

static void a_short_message_is_passed_over(void **state)
{
	const uint8_t tos4 = 0x88;
	struct control c = { 0 };
	struct in_pktinfo info = { .ipi_ifindex = 5 };
	struct source to;
	uint8_t tos;

	(void)state;
	add(&c, IPPROTO_IP, IP_PKTINFO, &info, sizeof(info) - 1);
	add(&c, IPPROTO_IP, IP_TOS, NULL, 0);
	add(&c, IPPROTO_IPV6, IPV6_TCLASS, &info, sizeof(int) - 1);
	add(&c, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof(info));
	parse(&c, c.len, &to, &tos);
	assert_int_equal(to.ip.family, FAMILY_NONE);
	assert_int_equal(tos, 0);
	add(&c, IPPROTO_IP, IP_TOS, &tos4, 1);
	parse(&c, c.len, &to, &tos);
	assert_int_equal(tos, 0x88);
}

static void cut_anywhere(void **state)
{
	const uint8_t tos4 = 0x88;
	struct control c = { 0 };
	struct source to;
	uint8_t tos;

	(void)state;
	add_source4(&c, "192.0.2.7", 12);
	add(&c, IPPROTO_IP, IP_TOS, &tos4, 1);
	for (size_t len = 0; len <= c.len; ++len) {
		const size_t first = CMSG_LEN(sizeof(struct in_pktinfo));
		const size_t second = CMSG_SPACE(sizeof(struct in_pktinfo)) + CMSG_LEN(1);

		parse(&c, len, &to, &tos);
		assert_int_equal(to.ip.family, len >= first ? FAMILY_V4 : FAMILY_NONE);
		assert_int_equal(tos, len >= second ? 0x88 : 0);
	}
}

static void a_senseless_length_ends_the_list(void **state)
{
	static const size_t lengths[] = {
		0, 1, CMSG_LEN(0) - 1, 512, SIZE_MAX, SIZE_MAX - 7, (size_t)1 << 63, UINT32_MAX
	};
	const uint8_t tos4 = 0x88;
	struct source to;
	uint8_t tos;

	(void)state;
	for (size_t i = 0; i < ELEMENTS(lengths); ++i) {
		struct control c = { 0 };

		add_source4(&c, "192.0.2.7", 12);
		memcpy(c.bytes + c.len, &lengths[i], sizeof(lengths[i]));
		c.len += CMSG_SPACE(0);
		add(&c, IPPROTO_IP, IP_TOS, &tos4, 1);
		parse(&c, c.len, &to, &tos);
		assert_int_equal(to.ip.family, FAMILY_V4);
		assert_int_equal(tos, 0);
	}
}

static bool parse_error(const struct control *c, size_t len, struct udp_error *e)
{
	uint8_t *const place = test_guarded(len);

	memcpy(place, c->bytes, len);
	memset(e, 0, sizeof(*e));
	return udp_parse_error(place, len, e);
}

static void errors_name_their_reporter(void **state)
{
	struct {
		struct sock_extended_err e;
		struct sockaddr_in from;
	} four = { { .ee_errno = 113, .ee_origin = SO_EE_ORIGIN_ICMP, .ee_type = 3, .ee_code = 1 },
		   { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0xc0000201) } };
	struct {
		struct sock_extended_err e;
		struct sockaddr_in6 from;
	} six = { { .ee_errno = 111, .ee_origin = SO_EE_ORIGIN_ICMP6, .ee_type = 1, .ee_code = 4 },
		  { .sin6_family = AF_INET6, .sin6_addr.s6_addr = { 0x20, 1, [15] = 5 } } };
	struct control c = { 0 };
	struct udp_error e;

	(void)state;
	add(&c, IPPROTO_IP, IP_TTL, &four, 4);
	add(&c, IPPROTO_IP, IP_RECVERR, &four, sizeof(four));
	assert_true(parse_error(&c, c.len, &e));
	assert_int_equal(e.error, 113);
	assert_int_equal(e.type, 3);
	assert_int_equal(e.code, 1);
	assert_int_equal(e.reporter.family, FAMILY_V4);
	assert_int_equal(load32_be(e.reporter.bytes), 0xc0000201);

	c = (struct control){ 0 };
	add(&c, IPPROTO_IPV6, IPV6_RECVERR, &six, sizeof(six));
	assert_true(parse_error(&c, c.len, &e));
	assert_int_equal(e.error, 111);
	assert_int_equal(e.reporter.family, FAMILY_V6);
	assert_int_equal(e.reporter.bytes[15], 5);
	for (size_t len = 0; len < CMSG_LEN(sizeof(six.e)); ++len)
		assert_false(parse_error(&c, len, &e));
}

static void the_host_itself_is_no_reporter(void **state)
{
	struct {
		struct sock_extended_err e;
		struct sockaddr_in from;
	} four = { { .ee_errno = 90, .ee_origin = SO_EE_ORIGIN_LOCAL },
		   { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0xc0000201) } };
	struct control c = { 0 };
	struct udp_error e;

	(void)state;
	add(&c, IPPROTO_IP, IP_RECVERR, &four, sizeof(four));
	assert_true(parse_error(&c, c.len, &e));
	assert_int_equal(e.reporter.family, FAMILY_NONE);
	c = (struct control){ 0 };
	four.e.ee_origin = SO_EE_ORIGIN_ICMP;
	add(&c, IPPROTO_IP, IP_RECVERR, &four, sizeof(four.e)); /* nobody behind it */
	assert_true(parse_error(&c, c.len, &e));
	assert_int_equal(e.reporter.family, FAMILY_NONE);
}

static const struct {
	enum family family;
	uint8_t first; /* byte of the address */
	uint8_t second;
	uint32_t ifindex;
	uint8_t tos;
	uint32_t expect_ifindex;
} written[] = {
	{ FAMILY_V4, 192, 0, 7, 0x88, 0 },    { FAMILY_V4, 192, 0, 7, 0, 0 },
	{ FAMILY_V6, 0x20, 1, 7, 0x88, 0 },   { FAMILY_V6, 0xfe, 0x80, 7, 1, 7 },
	{ FAMILY_V6, 0xfe, 0xbf, 7, 255, 7 }, { FAMILY_V6, 0xfe, 0xc0, 7, 3, 0 },
	{ FAMILY_V6, 0xfd, 0x80, 9, 0, 0 },
};

/* What was written is what a receiver would read: only the kernel stands between. */
static void write_then_parse(void **state)
{
	(void)state;
	for (size_t i = 0; i < ELEMENTS(written); ++i) {
		const struct source s = { { (uint8_t)written[i].family,
					    { written[i].first, written[i].second } },
					  written[i].ifindex };
		struct control c = { 0 };
		struct source to;
		uint8_t tos;

		c.len = udp_write_control(written[i].family, &s, written[i].tos, 0, c.bytes);
		assert_true(c.len > 0 && c.len <= UDP_CONTROL_ROOM);
		parse(&c, c.len, &to, &tos);
		assert_true(ip_equal(&to.ip, &s.ip));
		assert_int_equal(to.ifindex, written[i].expect_ifindex);
		assert_int_equal(tos, written[i].tos);
	}
}

static void nothing_is_written_for_nothing(void **state)
{
	const struct source unset = { 0 }, six = { { FAMILY_V6, { 0xfd } }, 0 };
	uint8_t room[UDP_CONTROL_ROOM];

	(void)state;
	assert_int_equal(udp_write_control(FAMILY_V4, &unset, 0, 0, room), 0);
	assert_int_equal(udp_write_control(FAMILY_V4, &six, 0, 0, room), 0);
	assert_int_equal(udp_write_control(FAMILY_V6, &unset, 1, 0, room), CMSG_SPACE(sizeof(int)));
	assert_int_equal(udp_write_control(FAMILY_V6, &unset, 0, 1452, room),
			 CMSG_SPACE(sizeof(uint16_t)));
}

static void addresses_go_both_ways(void **state)
{
	static const struct endpoint rows[] = {
		{ { FAMILY_V4, { 192, 0, 2, 1 } }, 51820, 0 },
		{ { FAMILY_V6, { 0x20, 1, [15] = 9 } }, 1, 0 },
		{ { FAMILY_V6, { 0xfe, 0x80, [15] = 9 } }, 65535, 4 },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTS(rows); ++i) {
		struct sockaddr_storage a = { 0 };
		const socklen_t len = udp_write_address(&rows[i], &a);
		struct endpoint e;

		assert_false(udp_parse_address(&a, len - 1, &e));
		assert_true(udp_parse_address(&a, len, &e));
		assert_true(endpoint_equal(&e, &rows[i]));
		a.ss_family = AF_UNIX;
		assert_false(udp_parse_address(&a, len, &e));
	}
}

static void damage(uint64_t *seed, struct control *c)
{
	for (uint64_t n = test_random_below(seed, 4); n; --n)
		c->bytes[test_random_below(seed, c->len)] = (uint8_t)test_random(seed);
	if (test_random_below(seed, 4) == 0)
		c->bytes[test_random_below(seed, c->len / 8) * 8] =
			(uint8_t)test_random_below(seed, 64);
	c->len -= test_random_below(seed, c->len);
}

static void fd11_control_messages_fuzzed(void **state)
{
	const uint8_t bytes[64] = { 1, 2, 3 };
	static const int types[][2] = {
		{ IPPROTO_IP, IP_PKTINFO },     { IPPROTO_IP, IP_TOS },
		{ IPPROTO_IPV6, IPV6_PKTINFO }, { IPPROTO_IPV6, IPV6_TCLASS },
		{ IPPROTO_IP, IP_RECVERR },     { IPPROTO_IPV6, IPV6_RECVERR },
	};
	uint64_t seed = 11;

	(void)state;
	for (int i = 0; i < ROUNDS; ++i) {
		struct control c = { 0 };
		struct udp_error e;
		struct source to;
		uint8_t tos;

		for (uint64_t n = 1 + test_random_below(&seed, 5); n; --n) {
			const int *const type = types[test_random_below(&seed, ELEMENTS(types))];

			add(&c, type[0], type[1], bytes, test_random_below(&seed, sizeof(bytes)));
		}
		damage(&seed, &c);
		parse(&c, c.len, &to, &tos);
		assert_true(to.ip.family == FAMILY_NONE || to.ip.family == FAMILY_V4 ||
			    to.ip.family == FAMILY_V6);
		(void)parse_error(&c, c.len, &e);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_tells_nothing),
		cmocka_unit_test(one_of_each_in_any_order),
		cmocka_unit_test(six_has_its_own),
		cmocka_unit_test(a_short_message_is_passed_over),
		cmocka_unit_test(cut_anywhere),
		cmocka_unit_test(a_senseless_length_ends_the_list),
		cmocka_unit_test(errors_name_their_reporter),
		cmocka_unit_test(the_host_itself_is_no_reporter),
		cmocka_unit_test(write_then_parse),
		cmocka_unit_test(nothing_is_written_for_nothing),
		cmocka_unit_test(addresses_go_both_ways),
		cmocka_unit_test(fd11_control_messages_fuzzed),
	};

	(void)alarm(60); /* a list without end */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
