#include "control/resolve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/text.h"

/* A DNS that answers as a test says, and a clock that only counts. */
static struct dns {
	const int *errors; /* of each lookup in turn, ended by 0, which then finds 192.0.2.1:7 */
	int always;        /* if not 0, of all of them */
	unsigned int lookups;
	unsigned int waits;
	double waited;
	char told[64]; /* the last reason */
	double tell;   /* and the seconds with it */
	sa_family_t family;
} dns;

static struct sockaddr_in found_address;
static struct addrinfo found_info;

static int lookup(const char *host, const char *service, const struct addrinfo *hints,
		  struct addrinfo **ret)
{
	(void)host;
	(void)service;
	assert_int_equal(hints->ai_socktype, SOCK_DGRAM);
	assert_int_equal(hints->ai_protocol, IPPROTO_UDP);
	++dns.lookups;
	if (dns.always)
		return dns.always;
	if (*dns.errors) {
		errno = EMFILE;
		return *dns.errors++;
	}
	found_address = (struct sockaddr_in){ .sin_family = dns.family, .sin_port = htons(7) };
	found_address.sin_addr.s_addr = htonl(0xc0000201);
	found_info = (struct addrinfo){ .ai_family = dns.family,
					.ai_addr = (struct sockaddr *)&found_address,
					.ai_addrlen = sizeof(found_address) };
	*ret = &found_info;
	return 0;
}

static void give_back(struct addrinfo *found)
{
	assert_ptr_equal(found, &found_info);
}

static void wait_not(void *ctx, unsigned int microseconds)
{
	(void)ctx;
	++dns.waits;
	dns.waited += microseconds / 1e6;
	assert_true(dns.tell * 1e6 >= microseconds && dns.tell * 1e6 < microseconds + 1);
}

static void again(void *ctx, const char *reason, double seconds)
{
	(void)ctx;
	(void)snprintf(dns.told, sizeof(dns.told), "%s", reason);
	dns.tell = seconds;
}

static void resolver_fake(struct resolver *r, const int *errors)
{
	dns = (struct dns){ .errors = errors, .family = AF_INET };
	resolver_init(r);
	r->again = again;
	r->lookup = lookup;
	r->free = give_back;
	r->wait = wait_not;
}

static void retry_rows(void **state)
{
	static const struct {
		const char *name;
		int errors[5];
		int retries;
		int result;
		unsigned int waits;
		int reason; /* a gai error, of a failure */
	} rows[] = {
		{ "at once", { 0 }, 15, 0, 0, 0 },
		{ "second time", { EAI_AGAIN }, 15, 0, 1, 0 },
		{ "other errors pass too", { EAI_SYSTEM, EAI_MEMORY, EAI_SERVICE }, 15, 0, 3, 0 },
		{ "no name", { EAI_NONAME }, 15, -1, 0, EAI_NONAME },
		{ "no data", { EAI_NODATA }, 15, -1, 0, EAI_NODATA },
		{ "failure", { EAI_FAIL }, 15, -1, 0, EAI_FAIL },
		{ "no name in the end", { EAI_AGAIN, EAI_NONAME }, 15, -1, 1, EAI_NONAME },
		{ "no patience", { EAI_AGAIN }, 0, -1, 0, EAI_AGAIN },
		{ "some patience", { EAI_AGAIN, EAI_AGAIN, EAI_AGAIN }, 2, -1, 2, EAI_AGAIN },
		{ "just enough", { EAI_AGAIN, EAI_AGAIN }, 2, 0, 2, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTS(rows); ++i) {
		struct resolver r;
		struct endpoint e = { 0 };
		const char *reason = NULL;

		resolver_fake(&r, rows[i].errors);
		r.retries = rows[i].retries;
		if (resolve_endpoint(&r, "name", "7", &e, &reason) != rows[i].result)
			fail_msg("%s", rows[i].name);
		assert_int_equal(dns.waits, rows[i].waits);
		assert_int_equal(dns.lookups, rows[i].waits + 1);
		if (rows[i].result)
			assert_string_equal(reason, gai_strerror(rows[i].reason));
		else
			assert_int_equal(e.port, 7);
	}
}

/* 1 s, 1.2 times the last, at most 20 s; 15 of them are about 72 s (behaviour.md A.6). */
static void waits_grow(void **state)
{
	struct resolver r;
	struct endpoint e;
	const char *reason;

	(void)state;
	resolver_fake(&r, NULL);
	dns.always = EAI_AGAIN;
	assert_int_equal(resolve_endpoint(&r, "name", "7", &e, &reason), -1);
	assert_int_equal(dns.waits, RESOLVE_RETRIES);
	assert_true(dns.waited > 72.0 && dns.waited < 72.1);
	assert_string_equal(dns.told, gai_strerror(EAI_AGAIN));
	r.retries = 30;
	dns.waited = 0;
	assert_int_equal(resolve_endpoint(&r, "name", "7", &e, &reason), -1);
	assert_true(dns.tell > 19.99 && dns.tell < 20.01);
}

static const int endless[2000] = { [0 ... 1998] = EAI_AGAIN };

static void forever_is_forever(void **state)
{
	struct resolver r;
	struct endpoint e;
	const char *reason;

	(void)state;
	resolver_fake(&r, endless);
	r.retries = RESOLVE_FOREVER;
	assert_int_equal(resolve_endpoint(&r, "name", "7", &e, &reason), 0);
	assert_int_equal(dns.waits, 1999);
}

static void system_errors_are_errnos(void **state)
{
	static const int errors[] = { EAI_SYSTEM, EAI_SYSTEM, 0 };
	struct resolver r;
	struct endpoint e;
	const char *reason;

	(void)state;
	resolver_fake(&r, errors);
	r.retries = 1;
	assert_int_equal(resolve_endpoint(&r, "name", "7", &e, &reason), -1);
	assert_string_equal(reason, strerror(EMFILE));
	assert_string_equal(dns.told, strerror(EMFILE));
}

static void other_families_are_refused(void **state)
{
	static const int none[] = { 0 };
	struct resolver r;
	struct endpoint e = { .port = 3 };
	const char *reason;
	uint16_t port = 4;

	(void)state;
	resolver_fake(&r, none);
	dns.family = AF_UNIX;
	assert_int_equal(resolve_endpoint(&r, "name", "7", &e, &reason), -1);
	assert_string_equal(reason, "Neither IPv4 nor IPv6 address found");
	assert_int_equal(e.port, 3);
	assert_int_equal(resolve_port(&r, "7", &port, &reason), -1);
	assert_int_equal(port, 4);
}

/* The system's own parser, on what needs no network. */
static void numeric_rows(void **state)
{
	static const struct {
		const char *host, *service, *want;
	} rows[] = {
		{ "1.2.3.4", "5", "1.2.3.4:5" },           { "127.1", "5", "127.0.0.1:5" },
		{ "fd00::1", "65535", "[fd00::1]:65535" }, { "fe80::1%lo", "9", "[fe80::1%lo]:9" },
		{ "1.2.3.4", "0", "1.2.3.4:0" },           { "1.2.3.4", "65536", "1.2.3.4:0" },
	};
	struct resolver r;

	(void)state;
	resolver_init(&r);
	for (size_t i = 0; i < ELEMENTS(rows); ++i) {
		char text[TEXT_ENDPOINT];
		const char *reason;
		struct endpoint e;

		assert_int_equal(resolve_endpoint(&r, rows[i].host, rows[i].service, &e, &reason),
				 0);
		text_from_endpoint(&e, text);
		assert_string_equal(text, rows[i].want);
	}
}

static void port_rows(void **state)
{
	static const struct {
		const char *service;
		int port; /* -1: refused */
	} rows[] = {
		{ "0", 0 },  { "51820", 51820 }, { "65535", 65535 },        { "65536", 0 },
		{ "-", -1 }, { "12x", -1 },      { "no-such-service", -1 },
	};
	struct resolver r;

	(void)state;
	resolver_init(&r);
	for (size_t i = 0; i < ELEMENTS(rows); ++i) {
		const char *reason = NULL;
		uint16_t port = 1;
		const int error = resolve_port(&r, rows[i].service, &port, &reason);

		if (error != (rows[i].port < 0 ? -1 : 0) || (!error && port != rows[i].port))
			fail_msg("%s: %d, %u", rows[i].service, error, port);
		assert_int_equal(reason != NULL, error != 0);
	}
}

/* A port is tried once, whatever the failure. */
static void ports_are_not_tried_again(void **state)
{
	static const int errors[] = { EAI_AGAIN, 0 };
	struct resolver r;
	const char *reason;
	uint16_t port;

	(void)state;
	resolver_fake(&r, errors);
	assert_int_equal(resolve_port(&r, "7", &port, &reason), -1);
	assert_string_equal(reason, gai_strerror(EAI_AGAIN));
	assert_int_equal(dns.lookups, 1);
}

static void retries_rows(void **state)
{
	static const struct {
		const char *text;
		int error, want;
	} rows[] = {
		{ NULL, 0, RESOLVE_RETRIES },
		{ "infinity", 0, RESOLVE_FOREVER },
		{ "0", 0, 0 },
		{ "3", 0, 3 },
		{ " 3", 0, 3 },
		{ "", 0, 0 },
		{ "2147483647", 0, 2147483647 },
		{ "2147483648", -EINVAL, 0 },
		{ "-1", -EINVAL, 0 },
		{ "3x", -EINVAL, 0 },
		{ "Infinity", -EINVAL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTS(rows); ++i) {
		int got = 99;

		assert_int_equal(resolve_retries(rows[i].text, &got), rows[i].error);
		assert_int_equal(got, rows[i].error ? 99 : rows[i].want);
	}
}

/* Two families, one address twice, and something that is neither. */
static int lookup_many(const char *host, const char *service, const struct addrinfo *hints,
		       struct addrinfo **ret)
{
	static struct {
		struct sockaddr_in6 six;
		struct sockaddr_in four[2];
		struct sockaddr odd;
	} at;
	static struct addrinfo rows[5];

	(void)host;
	(void)service;
	assert_int_equal(hints->ai_family, AF_UNSPEC);
	at.six = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons(7) };
	at.six.sin6_addr.s6_addr[0] = 0xfd;
	for (int i = 0; i < 2; ++i)
		at.four[i] = (struct sockaddr_in){ .sin_family = AF_INET,
						   .sin_port = htons(7),
						   .sin_addr.s_addr =
							   htonl(0xc0000201U + (unsigned int)i) };
	at.odd.sa_family = AF_UNIX;
	rows[0] = (struct addrinfo){ .ai_addr = (void *)&at.six, .ai_addrlen = sizeof(at.six) };
	rows[1] = (struct addrinfo){ .ai_addr = &at.odd, .ai_addrlen = sizeof(at.odd) };
	rows[2] = (struct addrinfo){ .ai_addr = (void *)&at.four[0], .ai_addrlen = 16 };
	rows[3] = rows[2];
	rows[4] = (struct addrinfo){ .ai_addr = (void *)&at.four[1], .ai_addrlen = 16 };
	for (int i = 0; i < 4; ++i)
		rows[i].ai_next = &rows[i + 1];
	*ret = rows;
	return 0;
}

static void keep_all(struct addrinfo *found)
{
	(void)found;
}

static void all_addresses_of_a_name(void **state)
{
	struct endpoint found[4];
	const char *reason;
	struct resolver r;
	size_t count;

	(void)state;
	resolver_init(&r);
	r.lookup = lookup_many;
	r.free = keep_all;
	assert_int_equal(resolve_every(&r, "x", "7", found, 4, &count, &reason), 0);
	assert_int_equal(count, 3);
	assert_int_equal(found[0].ip.family, FAMILY_V6);
	assert_int_equal(found[1].ip.bytes[3], 1);
	assert_int_equal(found[2].ip.bytes[3], 2);
	assert_int_equal(resolve_every(&r, "x", "7", found, 2, &count, &reason), 0);
	assert_int_equal(count, 2);
}

static void all_addresses_are_asked_for_once(void **state)
{
	static const int errors[] = { EAI_AGAIN, 0 };
	struct endpoint found[4];
	const char *reason;
	struct resolver r;
	size_t count = 9;

	(void)state;
	resolver_fake(&r, errors);
	assert_int_equal(resolve_every(&r, "x", "7", found, 4, &count, &reason), -1);
	assert_int_equal(dns.lookups, 1);
	assert_int_equal(count, 0);
	assert_string_equal(reason, gai_strerror(EAI_AGAIN));
	assert_int_equal(resolve_every(&r, "x", "7", found, 4, &count, &reason), 0);
	assert_int_equal(count, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_addresses_of_a_name),
		cmocka_unit_test(all_addresses_are_asked_for_once),
		cmocka_unit_test(retry_rows),
		cmocka_unit_test(waits_grow),
		cmocka_unit_test(forever_is_forever),
		cmocka_unit_test(system_errors_are_errnos),
		cmocka_unit_test(other_families_are_refused),
		cmocka_unit_test(numeric_rows),
		cmocka_unit_test(port_rows),
		cmocka_unit_test(ports_are_not_tried_again),
		cmocka_unit_test(retries_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
