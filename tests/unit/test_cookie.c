#include "wg/cookie.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "crypto/crypto.h"
#include "support.h"

enum { INITIATION = sizeof(struct message_initiation), RESPONSE = sizeof(struct message_response) };

static const uint64_t start = 77 * NS_PER_S;

/* Both roles: who sends and who checks. */
struct pair {
	struct cookie_checker checker;
	struct cookie_maker maker;
	struct key_public responder;
	struct test_entropy entropy;
	struct endpoint from;
	uint8_t message[INITIATION];
	uint64_t now;
};

static struct endpoint v4(const char *hex, uint16_t port)
{
	struct endpoint e = { .ip.family = FAMILY_V4, .port = port };

	test_from_hex(hex, e.ip.bytes, 4);
	return e;
}

static struct endpoint v6(const char *hex, uint16_t port)
{
	struct endpoint e = { .ip.family = FAMILY_V6, .port = port };

	test_from_hex(hex, e.ip.bytes, 16);
	return e;
}

static void set_up(struct pair *p)
{
	uint64_t seed = 3;

	*p = (struct pair){ .from = v4("c0000201", 51820), .now = start };
	test_entropy_init(&p->entropy, 4);
	test_random_fill(&seed, p->responder.bytes, KEY_LEN);
	test_random_fill(&seed, p->message, sizeof(p->message));
	cookie_checker_set_key(&p->checker, &p->responder);
	cookie_maker_init(&p->maker);
}

static void tear_down(struct pair *p)
{
	static const struct pair zero;

	cookie_checker_done(&p->checker);
	cookie_maker_done(&p->maker);
	assert_memory_equal(&p->checker, &zero.checker, sizeof(zero.checker));
	assert_memory_equal(&p->maker, &zero.maker, sizeof(zero.maker));
}

/* The sender makes a message; what does the checker say under load? */
static enum cookie_verdict send_and_check(struct pair *p)
{
	cookie_make(&p->maker, &p->responder, p->message, sizeof(p->message), p->now);
	return cookie_check(&p->checker, p->message, sizeof(p->message), &p->from, p->now, true);
}

/* The checker answers the last message with a cookie and the sender takes it. */
static bool exchange(struct pair *p)
{
	struct message_cookie reply;

	assert_true(cookie_reply(&p->checker, p->message, sizeof(p->message), &p->from, p->now,
				 &p->entropy.entropy, &reply));
	return cookie_take(&p->maker, &p->responder, &reply, p->now);
}

/* The value of a member of a JSON file that has each name but once on a line; n counts from 0. */
static void read_vector(const char *name, unsigned int n, uint8_t *ret, size_t len)
{
	FILE *f = fopen(VECTORS_DIR "/wireguard_handshake_kat_own.json", "r");
	char line[4096], pattern[64], *at;

	assert_non_null(f);
	(void)snprintf(pattern, sizeof(pattern), "\"%s\": \"", name);
	while (fgets(line, sizeof(line), f)) {
		at = strstr(line, pattern);
		if (!at || n-- > 0)
			continue;
		at += strlen(pattern);
		assert_non_null(strchr(at, '"'));
		*strchr(at, '"') = '\0';
		test_from_hex(at, ret, len);
		(void)fclose(f);
		return;
	}
	fail_msg("no vector %s", name);
}

static void check_known_answers(unsigned int n)
{
	struct key_public responder;
	struct cookie_checker checker = { 0 };
	struct cookie_maker maker;
	struct message_cookie reply;
	uint8_t initiation[INITIATION], response[RESPONSE], made[INITIATION], expect[32];
	const struct endpoint from = v4("7f000001", 1);

	read_vector("responder_static_public", n, responder.bytes, KEY_LEN);
	read_vector("initiation", n, initiation, sizeof(initiation));
	read_vector("response", n, response, sizeof(response));
	cookie_checker_set_key(&checker, &responder);
	cookie_maker_init(&maker);
	read_vector("cookie_encryption_key", n, expect, 32);
	assert_memory_equal(checker.cookie_key.bytes, expect, 32);
	assert_int_equal(
		cookie_check(&checker, initiation, sizeof(initiation), &from, start, false),
		COOKIE_MAC1_OK);

	memcpy(made, initiation, sizeof(made));
	memset(made + INITIATION - 32, 0x55, 32);
	cookie_make(&maker, &responder, made, sizeof(made), start);
	assert_memory_equal(made, initiation, sizeof(made));

	read_vector("cookie_reply", n, (uint8_t *)&reply, sizeof(reply));
	assert_true(cookie_take(&maker, &responder, &reply, start));
	read_vector("cookie", n, expect, 16);
	assert_memory_equal(maker.cookie, expect, 16);
	cookie_make(&maker, &responder, made, sizeof(made), start);
	read_vector("initiation_mac2_with_this_cookie", n, expect, 16);
	assert_memory_equal(made + INITIATION - 16, expect, 16);

	/* The response is checked with the initiator's key. */
	read_vector("initiator_static_public", n, responder.bytes, KEY_LEN);
	cookie_checker_set_key(&checker, &responder);
	assert_int_equal(cookie_check(&checker, response, sizeof(response), &from, start, true),
			 COOKIE_MAC1_OK);
	cookie_checker_done(&checker);
	cookie_maker_done(&maker);
}

/* The reply on the wire, made a second time from its parts. */
static void check_reply_form(struct pair *p)
{
	struct message_cookie reply;
	uint8_t port[2], cookie[16], opened[16];
	struct crypto_hash s;

	assert_true(cookie_reply(&p->checker, p->message, sizeof(p->message), &p->from, p->now,
				 &p->entropy.entropy, &reply));
	assert_int_equal(load32_le(reply.type), 3);
	assert_memory_equal(reply.receiver, p->message + 4, 4);
	assert_true(crypto_xopen(opened, reply.sealed_cookie, 32, p->message + INITIATION - 32, 16,
				 reply.nonce, &p->checker.cookie_key));
	store16_be(port, p->from.port);
	crypto_hash_init(&s, 16, p->checker.secret, 32);
	crypto_hash_update(&s, p->from.ip.bytes, p->from.ip.family == FAMILY_V4 ? 4 : 16);
	crypto_hash_update(&s, port, 2);
	crypto_hash_final(&s, cookie);
	assert_memory_equal(opened, cookie, 16);
}

static void fd6_cookie_round_trip(void **state)
{
	struct pair p;

	(void)state;
	for (unsigned int n = 0; n < 2; ++n)
		check_known_answers(n);
	for (unsigned int family = 0; family < 2; ++family) {
		set_up(&p);
		if (family)
			p.from = v6("20010db8000000000000000000000001", 65535);
		assert_int_equal(send_and_check(&p), COOKIE_MAC1_OK);
		assert_true(exchange(&p));
		assert_int_equal(send_and_check(&p), COOKIE_MAC2_OK);
		assert_int_equal(send_and_check(&p), COOKIE_MAC2_OK);
		/* Not under load nobody looks at mac2. */
		assert_int_equal(
			cookie_check(&p.checker, p.message, INITIATION, &p.from, p.now, false),
			COOKIE_MAC1_OK);
		check_reply_form(&p);
		tear_down(&p);
	}
}

/* One mac2 in 256 begins with a zero, and claims a cookie all the same. */
static void mac2_may_begin_with_a_zero(void **state)
{
	unsigned int seen = 0;
	struct pair p;

	(void)state;
	set_up(&p);
	assert_int_equal(send_and_check(&p), COOKIE_MAC1_OK);
	assert_true(exchange(&p));
	for (uint32_t i = 0; i < 4000; ++i) {
		store32_le(p.message + 8, i);
		assert_int_equal(send_and_check(&p), COOKIE_MAC2_OK);
		seen += p.message[INITIATION - 16] == 0;
	}
	assert_true(seen > 0);
	tear_down(&p);
}

static void every_bit_of_a_message_counts(void **state)
{
	struct pair p;

	(void)state;
	set_up(&p);
	assert_int_equal(send_and_check(&p), COOKIE_MAC1_OK);
	assert_true(exchange(&p));
	assert_int_equal(send_and_check(&p), COOKIE_MAC2_OK);
	for (size_t bit = 0; bit < 8 * INITIATION; ++bit) {
		p.message[bit / 8] ^= (uint8_t)(1U << bit % 8);
		assert_int_equal(
			cookie_check(&p.checker, p.message, INITIATION, &p.from, p.now, true),
			bit < 8 * (INITIATION - 16) ? COOKIE_MAC1_BAD : COOKIE_MAC1_OK);
		p.message[bit / 8] ^= (uint8_t)(1U << bit % 8);
	}
	tear_down(&p);
}

static void every_bit_of_a_reply_counts(void **state)
{
	struct message_cookie reply;
	uint8_t *bytes = (uint8_t *)&reply;
	struct pair p;

	(void)state;
	set_up(&p);
	assert_int_equal(send_and_check(&p), COOKIE_MAC1_OK);
	assert_true(cookie_reply(&p.checker, p.message, INITIATION, &p.from, p.now,
				 &p.entropy.entropy, &reply));
	for (size_t bit = 8 * 8; bit < 8 * sizeof(reply); ++bit) {
		const struct cookie_maker before = p.maker;

		bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
		assert_false(cookie_take(&p.maker, &p.responder, &reply, p.now));
		assert_memory_equal(&p.maker, &before, sizeof(before));
		bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
	}
	assert_true(cookie_take(&p.maker, &p.responder, &reply, p.now));
	tear_down(&p);
}

/* A reply is good once, and only for the last message. */
static void reply_must_be_asked_for(void **state)
{
	struct message_cookie first, second;
	struct pair p;

	(void)state;
	set_up(&p);
	assert_int_equal(send_and_check(&p), COOKIE_MAC1_OK);
	assert_true(cookie_reply(&p.checker, p.message, INITIATION, &p.from, p.now,
				 &p.entropy.entropy, &first));
	p.message[10] ^= 1;
	assert_int_equal(send_and_check(&p), COOKIE_MAC1_OK);
	assert_false(cookie_take(&p.maker, &p.responder, &first, p.now));
	assert_true(cookie_reply(&p.checker, p.message, INITIATION, &p.from, p.now,
				 &p.entropy.entropy, &second));
	assert_true(cookie_take(&p.maker, &p.responder, &second, p.now));
	assert_false(cookie_take(&p.maker, &p.responder, &second, p.now));

	cookie_maker_init(&p.maker);
	assert_false(cookie_take(&p.maker, &p.responder, &second, p.now));
	tear_down(&p);
}

static void wrong_key_is_refused(void **state)
{
	struct key_public other = { { 9 } };
	struct message_cookie reply;
	struct pair p;

	(void)state;
	set_up(&p);
	assert_int_equal(send_and_check(&p), COOKIE_MAC1_OK);
	assert_true(cookie_reply(&p.checker, p.message, INITIATION, &p.from, p.now,
				 &p.entropy.entropy, &reply));
	assert_false(cookie_take(&p.maker, &other, &reply, p.now));
	/* A new private key of the checker: macs for the old one are void, its secret is gone. */
	cookie_checker_set_key(&p.checker, &other);
	assert_int_equal(p.checker.secret_born, 0);
	assert_int_equal(cookie_check(&p.checker, p.message, INITIATION, &p.from, p.now, true),
			 COOKIE_MAC1_BAD);
	tear_down(&p);
}

static void fd5_cookie_bound_to_port(void **state)
{
	struct endpoint others[] = {
		v4("c0000201", 51821),
		v4("c0000201", 51820 ^ 0x100),
		v4("c0000201", 0x6cca), /* the port's bytes the other way round */
		v4("c0000202", 51820),
		v4("40000201", 51820),
		v6("c0000201000000000000000000000000", 51820),
	};
	struct pair p;

	(void)state;
	set_up(&p);
	assert_int_equal(send_and_check(&p), COOKIE_MAC1_OK);
	assert_true(exchange(&p));
	assert_int_equal(send_and_check(&p), COOKIE_MAC2_OK);
	for (size_t i = 0; i < ELEMENTS(others); ++i)
		assert_int_equal(
			cookie_check(&p.checker, p.message, INITIATION, &others[i], p.now, true),
			COOKIE_MAC1_OK);
	tear_down(&p);
}

static void v6_cookie_covers_the_whole_address(void **state)
{
	struct pair p;

	(void)state;
	set_up(&p);
	p.from = v6("20010db8000000000000000000000001", 7);
	assert_int_equal(send_and_check(&p), COOKIE_MAC1_OK);
	assert_true(exchange(&p));
	for (size_t i = 0; i < 16; ++i) {
		assert_int_equal(send_and_check(&p), COOKIE_MAC2_OK);
		p.from.ip.bytes[i] ^= 1;
		assert_int_equal(send_and_check(&p), COOKIE_MAC1_OK);
		p.from.ip.bytes[i] ^= 1;
	}
	tear_down(&p);
}

/* A mac2 as made by one who takes the unset secret for zero. */
static void forge(struct pair *p, const uint8_t secret[static 32])
{
	uint8_t port[2], cookie[16];
	struct crypto_hash s;

	cookie_make(&p->maker, &p->responder, p->message, INITIATION, p->now);
	store16_be(port, p->from.port);
	crypto_hash_init(&s, 16, secret, 32);
	crypto_hash_update(&s, p->from.ip.bytes, 4);
	crypto_hash_update(&s, port, 2);
	crypto_hash_final(&s, cookie);
	crypto_mac(p->message + INITIATION - 16, cookie, 16, p->message, INITIATION - 16);
}

static void fh15_no_cookie_secret_before_random(void **state)
{
	static const uint8_t zero[32];
	struct message_cookie reply, untouched;
	struct pair p;

	(void)state;
	set_up(&p);
	memset(&reply, 0xaa, sizeof(reply));
	untouched = reply;
	p.entropy.fail = true;
	for (unsigned int i = 0; i < 200; ++i) {
		p.now = i ? start + i * NS_PER_S : 1;
		forge(&p, zero);
		assert_int_equal(
			cookie_check(&p.checker, p.message, INITIATION, &p.from, p.now, true),
			COOKIE_MAC1_OK);
		assert_false(cookie_reply(&p.checker, p.message, INITIATION, &p.from, p.now,
					  &p.entropy.entropy, &reply));
		assert_memory_equal(&reply, &untouched, sizeof(reply));
		assert_int_equal(p.checker.secret_born, 0);
	}
	p.entropy.fail = false;
	assert_true(exchange(&p));
	assert_memory_not_equal(p.checker.secret, zero, 32);
	assert_int_equal(send_and_check(&p), COOKIE_MAC2_OK);
	forge(&p, zero);
	assert_int_equal(cookie_check(&p.checker, p.message, INITIATION, &p.from, p.now, true),
			 COOKIE_MAC1_OK);
	forge(&p, p.checker.secret);
	assert_int_equal(cookie_check(&p.checker, p.message, INITIATION, &p.from, p.now, true),
			 COOKIE_MAC2_OK);

	/* Where the secret can't be renewed, the old one stays void. */
	p.entropy.fail = true;
	p.now += COOKIE_SECRET_AGE;
	assert_false(cookie_reply(&p.checker, p.message, INITIATION, &p.from, p.now,
				  &p.entropy.entropy, &reply));
	forge(&p, p.checker.secret);
	assert_int_equal(cookie_check(&p.checker, p.message, INITIATION, &p.from, p.now, true),
			 COOKIE_MAC1_OK);
	assert_memory_equal(&reply, &untouched, sizeof(reply));
	tear_down(&p);
}

static void secret_lives_two_minutes(void **state)
{
	uint8_t secret[32];
	struct pair p;

	(void)state;
	set_up(&p);
	assert_int_equal(send_and_check(&p), COOKIE_MAC1_OK);
	assert_true(exchange(&p));
	memcpy(secret, p.checker.secret, 32);
	p.now = start + COOKIE_SECRET_AGE - 1;
	forge(&p, secret);
	assert_int_equal(cookie_check(&p.checker, p.message, INITIATION, &p.from, p.now, true),
			 COOKIE_MAC2_OK);
	assert_true(exchange(&p));
	assert_memory_equal(p.checker.secret, secret, 32);
	assert_int_equal(cookie_check(&p.checker, p.message, INITIATION, &p.from, p.now + 1, true),
			 COOKIE_MAC1_OK);
	p.now += 1;
	forge(&p, secret);
	assert_true(exchange(&p));
	assert_memory_not_equal(p.checker.secret, secret, 32);
	assert_int_equal(p.checker.secret_born, p.now);
	assert_int_equal(send_and_check(&p), COOKIE_MAC2_OK);
	tear_down(&p);
}

static void maker_uses_a_cookie_for_115_s(void **state)
{
	static const uint8_t zero[16];
	struct pair p;

	(void)state;
	set_up(&p);
	assert_int_equal(send_and_check(&p), COOKIE_MAC1_OK);
	assert_memory_equal(p.message + INITIATION - 16, zero, 16);
	assert_true(exchange(&p));
	p.now = start + 115 * NS_PER_S - 1;
	assert_int_equal(send_and_check(&p), COOKIE_MAC2_OK);
	p.now += 1;
	assert_int_equal(send_and_check(&p), COOKIE_MAC1_OK);
	assert_memory_equal(p.message + INITIATION - 16, zero, 16);
	tear_down(&p);
}

/* Each reply has a nonce of its own, and so have those under a later secret, also for one key. */
static void nonces_differ(void **state)
{
	enum { ROUNDS = 3, REPLIES = 300 };
	static struct message_cookie replies[ROUNDS * REPLIES];
	struct pair p;

	(void)state;
	set_up(&p);
	assert_int_equal(send_and_check(&p), COOKIE_MAC1_OK);
	for (size_t i = 0; i < ELEMENTS(replies); ++i) {
		if (i % REPLIES == 0)
			p.now += COOKIE_SECRET_AGE;
		if (i == (size_t)2 * REPLIES)
			cookie_checker_set_key(&p.checker, &p.responder);
		assert_true(cookie_reply(&p.checker, p.message, INITIATION, &p.from, p.now,
					 &p.entropy.entropy, &replies[i]));
		for (size_t k = 0; k < i; ++k)
			assert_memory_not_equal(replies[i].nonce, replies[k].nonce, 24);
	}
	for (size_t i = 0; i < ROUNDS; ++i)
		assert_memory_not_equal(replies[i * REPLIES].nonce,
					replies[(i + 1) % ROUNDS * REPLIES].nonce, 16);
	tear_down(&p);
}

/* Bytes sized to the message, so that the sanitizer sees a read beyond either end. */
static void responses_are_covered_too(void **state)
{
	uint8_t *message = calloc(1, RESPONSE);
	struct message_cookie reply;
	struct pair p;

	(void)state;
	assert_non_null(message);
	set_up(&p);
	message[4] = 0x11;
	for (unsigned int round = 0; round < 2; ++round) {
		cookie_make(&p.maker, &p.responder, message, RESPONSE, p.now);
		assert_int_equal(cookie_check(&p.checker, message, RESPONSE, &p.from, p.now, true),
				 round ? COOKIE_MAC2_OK : COOKIE_MAC1_OK);
		assert_true(cookie_reply(&p.checker, message, RESPONSE, &p.from, p.now,
					 &p.entropy.entropy, &reply));
		assert_int_equal(reply.receiver[0], 0x11);
		assert_true(cookie_take(&p.maker, &p.responder, &reply, p.now));
	}
	tear_down(&p);
	free(message);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fd6_cookie_round_trip),
		cmocka_unit_test(mac2_may_begin_with_a_zero),
		cmocka_unit_test(every_bit_of_a_message_counts),
		cmocka_unit_test(every_bit_of_a_reply_counts),
		cmocka_unit_test(reply_must_be_asked_for),
		cmocka_unit_test(wrong_key_is_refused),
		cmocka_unit_test(fd5_cookie_bound_to_port),
		cmocka_unit_test(v6_cookie_covers_the_whole_address),
		cmocka_unit_test(fh15_no_cookie_secret_before_random),
		cmocka_unit_test(secret_lives_two_minutes),
		cmocka_unit_test(maker_uses_a_cookie_for_115_s),
		cmocka_unit_test(nonces_differ),
		cmocka_unit_test(responses_are_covered_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
