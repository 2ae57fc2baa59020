#include "control/uapi_answer.h"

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/text.h"
#include "support.h"

#define KEY_A "0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20"
#define KEY_B "A1a2A3a4A5a6A7a8A9aaABacADaeAFb0B1b2B3b4B5b6B7b8B9baBBbcBDbeBFc0"
#define ZERO "0000000000000000000000000000000000000000000000000000000000000000"
#define PEER "public_key=" KEY_A "\n"
#define END "errno=0\n\n"

/* A get's answer, and what is understood: as summary() has it, or NULL where it is broken. */
static const struct {
	const char *name;
	const char *answer;
	const char *summary;
	int error;
} gets[] = {
	{ "nothing configured", END, "", 0 },
	{ "device", "private_key=" KEY_A "\nlisten_port=51820\nfwmark=4294967295\n" END,
	  "key 0102 port 51820 mark 4294967295", 0 },
	{ "leading zeros", "listen_port=00007\n" END, "port 7", 0 },
	{ "own zero key", "private_key=" ZERO "\n" END, "key 0000", 0 },
	{ "peer",
	  PEER "preshared_key=" KEY_B "\nprotocol_version=1\nendpoint=1.2.3.4:5\n"
	       "last_handshake_time_sec=7\nlast_handshake_time_nsec=9\ntx_bytes=1\n"
	       "rx_bytes=2\npersistent_keepalive_interval=25\nallowed_ip=10.0.0.0/8\n"
	       "allowed_ip=fd00::/64\n" END,
	  "peer 0102 psk a1a2 at 1.2.3.4:5 seen 7000000009 tx 1 rx 2 every 25 10.0.0.0/8 fd00::/64",
	  0 },
	{ "no preshared key", PEER "preshared_key=" ZERO "\n" END, "peer 0102", 0 },
	{ "keepalive off", PEER "persistent_keepalive_interval=0\n" END, "peer 0102 every 0", 0 },
	{ "nanoseconds first", PEER "last_handshake_time_nsec=9\nlast_handshake_time_sec=7\n" END,
	  "peer 0102 seen 7000000009", 0 },
	{ "times again",
	  PEER "last_handshake_time_sec=7\nlast_handshake_time_nsec=9\n"
	       "last_handshake_time_nsec=3\nlast_handshake_time_sec=8\n" END,
	  "peer 0102 seen 8000000003", 0 },
	{ "far future",
	  PEER "last_handshake_time_sec=9223372036854775807\n"
	       "last_handshake_time_nsec=9223372036854775807\n" END,
	  "peer 0102 seen 18446744072854775807", 0 },
	{ "end of time",
	  PEER "last_handshake_time_sec=18446744073\nlast_handshake_time_nsec=999999999\n" END,
	  "peer 0102 seen 18446744072999999999", 0 },
	{ "two peers", PEER "rx_bytes=1\npublic_key=" KEY_B "\nrx_bytes=2\n" END,
	  "peer 0102 rx 1 peer a1a2 rx 2", 0 },
	{ "one key twice", PEER PEER END, "peer 0102 peer 0102", 0 },
	{ "device keys of late are skipped", PEER "listen_port=x\nprivate_key=1\nfwmark=\n" END,
	  "peer 0102", 0 },
	{ "peer keys of early are skipped", "endpoint=x\nallowed_ip=y\nrx_bytes=-1\n" END, "", 0 },
	{ "unknown keys are skipped", "future=1\n" PEER "=\nfuture==\n\001=\n" END, "peer 0102",
	  0 },
	{ "host bits stay", PEER "allowed_ip=10.0.0.1/8\n" END, "peer 0102 10.0.0.1/8", 0 },
	{ "every length",
	  PEER "allowed_ip=0.0.0.0/0\nallowed_ip=1.2.3.4/032\nallowed_ip=::/0\n"
	       "allowed_ip=::1/128\n" END,
	  "peer 0102 0.0.0.0/0 1.2.3.4/32 ::/0 ::1/128", 0 },
	{ "counter beyond 64 bits", PEER "rx_bytes=18446744073709551616\n" END,
	  "peer 0102 rx 18446744073709551615", 0 },
	{ "v6 endpoint", PEER "endpoint=[fd00::1]:65535\n" END, "peer 0102 at [fd00::1]:65535", 0 },
	{ "zone", PEER "endpoint=[fe80::1%lo]:9\n" END, "peer 0102 at [fe80::1%lo]:9", 0 },
	{ "bare v6", PEER "endpoint=::1:5\n" END, "peer 0102 at [::1]:5", 0 },
	{ "port 0", PEER "endpoint=1.2.3.4:0\n" END, "peer 0102 at 1.2.3.4:0", 0 },
	{ "later endpoint", PEER "endpoint=1.2.3.4:5\nendpoint=[::1]:6\n" END,
	  "peer 0102 at [::1]:6", 0 },
	{ "errno", "listen_port=1\nerrno=98\n\n", NULL, -EADDRINUSE },
	{ "errno twice", "errno=98\nerrno=0\n\n", "", 0 },
	{ "errno before rows", "errno=0\nlisten_port=1\n\n", "port 1", 0 },
	{ "negative errno", "errno=-5\n\n", NULL, -EPROTO },
	{ "errno beyond int", "errno=2147483648\n\n", NULL, -EPROTO },
	{ "greatest errno", "errno=2147483647\n\n", NULL, -INT_MAX },
	{ "no errno", "listen_port=1\n\n", NULL, -EPROTO },
	{ "blank line first", "\n" END, NULL, -EPROTO },
	{ "no equals", "listen_port\n" END, NULL, -EPROTO },
	{ "port of text", "listen_port=1x\n" END, NULL, -EPROTO },
	{ "port of blank", "listen_port= 1\n" END, NULL, -EPROTO },
	{ "port of nothing", "listen_port=\n" END, NULL, -EPROTO },
	{ "port of sign", "listen_port=+1\n" END, NULL, -EPROTO },
	{ "port too big", "listen_port=65536\n" END, NULL, -EPROTO },
	{ "mark too big", "fwmark=4294967296\n" END, NULL, -EPROTO },
	{ "mark in hex", "fwmark=0x1\n" END, NULL, -EPROTO },
	{ "keepalive too big", PEER "persistent_keepalive_interval=65536\n" END, NULL, -EPROTO },
	{ "seconds too big", PEER "last_handshake_time_sec=9223372036854775808\n" END, NULL,
	  -EPROTO },
	{ "key too short", "public_key=0102\n" END, NULL, -EPROTO },
	{ "key too long", "public_key=" KEY_A "00\n" END, NULL, -EPROTO },
	{ "key of no hex", "private_key=g" KEY_A "\n" END, NULL, -EPROTO },
	{ "psk of CR", PEER "preshared_key=" KEY_B "\r\n" END, NULL, -EPROTO },
	{ "address without bits", PEER "allowed_ip=10.0.0.0\n" END, NULL, -EPROTO },
	{ "address without number", PEER "allowed_ip=10.0.0.0/\n" END, NULL, -EPROTO },
	{ "address with sign", PEER "allowed_ip=-10.0.0.0/8\n" END, NULL, -EPROTO },
	{ "v4 bits", PEER "allowed_ip=10.0.0.0/33\n" END, NULL, -EPROTO },
	{ "v6 bits", PEER "allowed_ip=::/129\n" END, NULL, -EPROTO },
	{ "bits that wrap", PEER "allowed_ip=10.0.0.0/264\n" END, NULL, -EPROTO },
	{ "endpoint of nothing", PEER "endpoint=\n" END, NULL, -EPROTO },
	{ "endpoint without port", PEER "endpoint=1.2.3.4\n" END, NULL, -EPROTO },
	{ "endpoint with empty port", PEER "endpoint=1.2.3.4:\n" END, NULL, -EPROTO },
	{ "endpoint of brace", PEER "endpoint=[\n" END, NULL, -EPROTO },
	{ "endpoint of braces", PEER "endpoint=[::1]\n" END, NULL, -EPROTO },
	{ "endpoint of braces and text", PEER "endpoint=[::1]x5\n" END, NULL, -EPROTO },
	{ "a name is never looked up", PEER "endpoint=localhost:5\n" END, NULL, -EPROTO },
	{ "a service neither", PEER "endpoint=1.2.3.4:domain\n" END, NULL, -EPROTO },
};

static void put_key(struct buffer *b, const char *what, const uint8_t *key)
{
	buffer_printf(b, " %s %02x%02x", what, key[0], key[1]);
}

static void put_peer(struct buffer *b, const struct model_peer *p)
{
	char text[TEXT_ENDPOINT];

	put_key(b, "peer", p->public_key.bytes);
	if (p->has_preshared_key)
		put_key(b, "psk", p->preshared_key.bytes);
	if (p->has_endpoint) {
		text_from_endpoint(&p->endpoint, text);
		buffer_printf(b, " at %s", text);
	}
	if (p->handshake_real)
		buffer_printf(b, " seen %llu", (unsigned long long)p->handshake_real);
	if (p->tx_bytes)
		buffer_printf(b, " tx %llu", (unsigned long long)p->tx_bytes);
	if (p->rx_bytes)
		buffer_printf(b, " rx %llu", (unsigned long long)p->rx_bytes);
	if (p->has_keepalive)
		buffer_printf(b, " every %u", p->keepalive);
	for (size_t i = 0; i < p->allowed_count; ++i) {
		text_from_prefix(&p->allowed[i].prefix, text);
		buffer_printf(b, " %s", text);
	}
}

/* All that was set, in words. */
static void summary(const struct model *m, struct buffer *b)
{
	if (m->has_private_key)
		put_key(b, "key", m->private_key.bytes);
	if (m->has_listen_port)
		buffer_printf(b, " port %u", m->listen_port);
	if (m->has_fwmark)
		buffer_printf(b, " mark %u", m->fwmark);
	for (size_t i = 0; i < m->peer_count; ++i)
		put_peer(b, &m->peers[i]);
}

/* In pieces of a length, or of random ones, each of exactly its size for a sanitizer. */
static enum uapi_answer_status feed(struct uapi_answer *a, const char *text, size_t len,
				    size_t piece, uint64_t *random)
{
	enum uapi_answer_status status = UAPI_ANSWER_MORE;

	for (size_t at = 0; status == UAPI_ANSWER_MORE && at < len;) {
		size_t n = piece ? piece : 1 + test_random_below(random, 40);
		char *copy;

		n = n < len - at ? n : len - at;
		copy = malloc(n);
		assert_non_null(copy);
		memcpy(copy, text + at, n);
		status = uapi_answer_feed(a, copy, n);
		free(copy);
		at += n;
	}
	return status;
}

static void check_get(size_t row, size_t piece, uint64_t *random)
{
	struct uapi_answer a;
	struct buffer said;
	struct model m;
	enum uapi_answer_status status;

	model_init(&m);
	buffer_init(&said);
	uapi_answer_init(&a, UAPI_GET, &m, NULL);
	status = feed(&a, gets[row].answer, strlen(gets[row].answer), piece, random);
	if (status == UAPI_ANSWER_MORE || a.error != gets[row].error)
		fail_msg("%s, pieces of %zu: status %d, error %d", gets[row].name, piece, status,
			 a.error);
	if (gets[row].summary) {
		summary(&m, &said);
		buffer_append(&said, "", 1);
		assert_true(buffer_ok(&said));
		assert_string_equal(said.bytes + (said.len > 1), gets[row].summary);
	}
	uapi_answer_done(&a);
	buffer_done(&said);
	model_done(&m);
}

static void get_rows(void **state)
{
	static const size_t pieces[] = { 100000, 1, 2, 7, 63, 0, 0, 0 };
	uint64_t random = 1;

	(void)state;
	for (size_t i = 0; i < ELEMENTS(gets); ++i)
		for (size_t j = 0; j < ELEMENTS(pieces); ++j)
			check_get(i, pieces[j], &random);
}

/* The number's sign means the opposite of a get's. */
static void set_rows(void **state)
{
	static const struct {
		const char *answer;
		int error;
	} rows[] = {
		{ "errno=0\n\n", 0 },
		{ "errno=-98\n\n", -EADDRINUSE },
		{ "errno=98\n\n", 98 },
		{ "errno=-0\n\n", 0 },
		{ "errno=--1\n\n", -EPROTO },
		{ "errno=-\n\n", -EPROTO },
		{ "errno=\n\n", -EPROTO },
		{ "errno=+1\n\n", -EPROTO },
		{ "errno=-2147483647\n\n", -INT_MAX },
		{ "errno=-2147483648\n\n", -EPROTO },
		{ "listen_port=x\nanything=1\nerrno=0\n\n", 0 },
		{ "junk\nerrno=0\n\n", -EPROTO },
		{ "\n", -EPROTO },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTS(rows); ++i) {
		struct uapi_answer a;

		uapi_answer_init(&a, UAPI_SET, NULL, NULL);
		assert_int_not_equal(feed(&a, rows[i].answer, strlen(rows[i].answer), 3, NULL),
				     UAPI_ANSWER_MORE);
		if (a.error != rows[i].error)
			fail_msg("%s: %d", rows[i].answer, a.error);
		uapi_answer_done(&a);
	}
}

static void nul_in_a_line_is_refused(void **state)
{
	char text[] = "listen_port=1\0\n" END;
	struct uapi_answer a;
	struct model m;

	(void)state;
	model_init(&m);
	uapi_answer_init(&a, UAPI_GET, &m, NULL);
	assert_int_equal(uapi_answer_feed(&a, text, sizeof(text) - 1), UAPI_ANSWER_BROKEN);
	assert_int_equal(a.error, -EPROTO);
	uapi_answer_done(&a);
	model_done(&m);
}

/* A line of that many characters; status of the feed. */
static enum uapi_answer_status feed_line(size_t len, size_t piece)
{
	char *text = malloc(len + sizeof(END));
	struct uapi_answer a;
	enum uapi_answer_status status;
	struct model m;

	assert_non_null(text);
	memset(text, '=', len);
	memcpy(text + len, "\n" END, sizeof(END));
	model_init(&m);
	uapi_answer_init(&a, UAPI_GET, &m, NULL);
	status = feed(&a, text, len + sizeof(END), piece, NULL);
	assert_true(a.partial.room <= (size_t)2 * UAPI_LINE_MAX);
	uapi_answer_done(&a);
	model_done(&m);
	free(text);
	return status;
}

static void lines_are_bounded(void **state)
{
	(void)state;
	for (size_t piece = 1000; piece <= 1000000; piece *= 10) {
		assert_int_equal(feed_line(UAPI_LINE_MAX, piece), UAPI_ANSWER_DONE);
		assert_int_equal(feed_line(UAPI_LINE_MAX + 1, piece), UAPI_ANSWER_BROKEN);
	}
}

/* As if so many had come: nothing is appended. */
static void peers_are_bounded(void **state)
{
	char line[] = PEER;
	struct uapi_answer a;
	struct model m;

	(void)state;
	model_init(&m);
	uapi_answer_init(&a, UAPI_GET, &m, NULL);
	m.peer_count = UAPI_PEERS_MAX;
	assert_int_equal(uapi_answer_feed(&a, line, sizeof(line) - 1), UAPI_ANSWER_BROKEN);
	assert_int_equal(a.error, -EPROTO);
	assert_int_equal(m.peer_count, UAPI_PEERS_MAX);
	m.peer_count = 0;
	uapi_answer_done(&a);
	model_done(&m);
}

static void require_equal(const struct diagnosis *a, const struct diagnosis *b)
{
	struct buffer first, second;

	buffer_init(&first);
	buffer_init(&second);
	uapi_write_diagnosis(&first, a);
	uapi_write_diagnosis(&second, b);
	assert_true(buffer_ok(&first) && buffer_ok(&second));
	assert_int_equal(first.len, second.len);
	assert_memory_equal(first.bytes, second.bytes, first.len);
	buffer_done(&first);
	buffer_done(&second);
}

static struct endpoint place(const char *text)
{
	struct endpoint e = { 0 };

	assert_true(strcmp(text, "-") == 0 || text_to_endpoint(text, &e) ||
		    text_to_ip(text, &e.ip));
	return e;
}

static void make_diagnosis(struct diagnosis *d)
{
	diagnosis_init(d);
	assert_true(diagnosis_take_rejects(&d->rejects, &d->reject_count, 2));
	assert_true(diagnosis_take(d, 2, 1, 1, 2));
	d->rejects[0] = (struct reject){ "replay", 3, 1500000000000000001, place("1.2.3.4:5") };
	d->rejects[1] = (struct reject){ "no-peer", 1, 0, place("-") };
	memset(d->peers[0].public_key.bytes, 7, KEY_LEN);
	assert_true(diagnosis_take_rejects(&d->peers[0].rejects, &d->peers[0].reject_count, 1));
	d->peers[0].rejects[0] = (struct reject){ "replay", UINT64_MAX, 9, place("fd00::1") };
	memset(d->peers[1].public_key.bytes, 8, KEY_LEN);
	d->knocks[0] = (struct knock){ { { 1 } }, 4, 5, place("[::1]:7") };
	d->icmp[0] = (struct icmp_report){ .to = place("9.9.9.9:9"),
					   .reporter = place("8.8.8.8").ip,
					   .type = 3,
					   .code = 255,
					   .error = EHOSTUNREACH,
					   .count = 2,
					   .last_real = 1 };
	d->counts[0] = (struct named_count){ "udp-calls", 0 };
	d->counts[1] = (struct named_count){ "udp-packets", UINT64_MAX };
}

/* What our engine writes comes back, whatever the pieces. */
static void diagnosis_comes_back(void **state)
{
	struct diagnosis wrote, got;
	struct uapi_answer a;
	struct buffer b;

	(void)state;
	make_diagnosis(&wrote);
	for (size_t piece = 1; piece < 300; piece += 13) {
		buffer_init(&b);
		uapi_write_diagnosis(&b, &wrote);
		uapi_write_errno(&b, UAPI_DIAGNOSE, 0);
		diagnosis_init(&got);
		uapi_answer_init(&a, UAPI_DIAGNOSE, NULL, &got);
		assert_int_equal(feed(&a, b.bytes, b.len, piece, NULL), UAPI_ANSWER_DONE);
		assert_int_equal(a.error, 0);
		require_equal(&wrote, &got);
		assert_ptr_equal(got.rejects[0].reason, got.peers[0].rejects[0].reason);
		uapi_answer_done(&a);
		diagnosis_done(&got);
		buffer_done(&b);
	}
	diagnosis_done(&wrote);
}

static void diagnosis_rows(void **state)
{
	static const struct {
		const char *row;
		int error;
	} rows[] = {
		{ "reject=replay 1 2 3 1.2.3.4:5", 0 },
		{ "reject=replay 1 2 3 1.2.3.4:5 a column to come", 0 },
		{ "icmp=1.2.3.4:5 3 1 113 1 2 3 - and then more", 0 },
		{ "count=name 1 2", 0 },
		{ "something=new", 0 },
		{ "reject=replay 1 2 3", -EPROTO },
		{ "reject=re_play 1 2 3 -", -EPROTO },
		{ "reject= 1 2 3 -", -EPROTO },
		{ "reject=replay x 2 3 -", -EPROTO },
		{ "reject=replay 1 18446744073 3 -", -EPROTO },
		{ "reject=replay 1 2 1000000000 -", -EPROTO },
		{ "reject=replay 1 2 3 name", -EPROTO },
		{ "reject=a23456789012345678901234567890123 1 2 3 -", -EPROTO },
		{ "public_key=01", -EPROTO },
		{ "knock=" KEY_A, -EPROTO },
		{ "knock=" KEY_A " 1 2 3 1.2.3.4", 0 },
		{ "icmp=1.2.3.4:5 256 1 113 1 2 3 -", -EPROTO },
		{ "icmp=1.2.3.4:5 3 256 113 1 2 3 -", -EPROTO },
		{ "icmp=1.2.3.4:5 3 1 -113 1 2 3 -", -EPROTO },
		{ "icmp=1.2.3.4:5 3 1 113 1 2 3", -EPROTO },
		{ "count=name", -EPROTO },
		{ "count=name -1", -EPROTO },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTS(rows); ++i) {
		char text[256];
		struct uapi_answer a;
		struct diagnosis d;

		(void)snprintf(text, sizeof(text), "%s\n" END, rows[i].row);
		diagnosis_init(&d);
		uapi_answer_init(&a, UAPI_DIAGNOSE, NULL, &d);
		assert_int_not_equal(uapi_answer_feed(&a, text, strlen(text)), UAPI_ANSWER_MORE);
		if (a.error != rows[i].error)
			fail_msg("%s: %d", rows[i].row, a.error);
		uapi_answer_done(&a);
		diagnosis_done(&d);
	}
}

static void words_are_bounded(void **state)
{
	enum uapi_answer_status status = UAPI_ANSWER_MORE;
	struct uapi_answer a;
	struct diagnosis d;
	int i;

	(void)state;
	diagnosis_init(&d);
	uapi_answer_init(&a, UAPI_DIAGNOSE, NULL, &d);
	for (i = 0; status == UAPI_ANSWER_MORE && i < 100000; ++i) {
		char row[64];

		(void)snprintf(row, sizeof(row), "count=n%d 1\n", i);
		status = uapi_answer_feed(&a, row, strlen(row));
	}
	assert_int_equal(status, UAPI_ANSWER_BROKEN);
	assert_int_equal(i, DIAGNOSIS_WORDS_MAX + 1);
	uapi_answer_done(&a);
	diagnosis_done(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(get_rows),
		cmocka_unit_test(set_rows),
		cmocka_unit_test(nul_in_a_line_is_refused),
		cmocka_unit_test(lines_are_bounded),
		cmocka_unit_test(peers_are_bounded),
		cmocka_unit_test(diagnosis_comes_back),
		cmocka_unit_test(diagnosis_rows),
		cmocka_unit_test(words_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
