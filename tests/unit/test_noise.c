#include "wg/noise.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/bytes.h"
#include "crypto/crypto.h"
#include "support.h"
#include "vectors.h"
#include "wg/cookie.h"
#include "wg/session.h"

struct side {
	struct noise_local local;
	struct key_private ephemeral;
	struct key_public ephemeral_public;
};

struct handshake {
	struct side initiator;
	struct side responder;
	struct key_shared static_static;
	struct key_shared psk;
	uint8_t stamp[STAMP_LEN];
};

static void fill_side(struct side *s)
{
	crypto_clamp(&s->local.secret);
	crypto_clamp(&s->ephemeral);
	assert_true(crypto_public(&s->local.secret, &s->local.public));
	assert_true(crypto_public(&s->ephemeral, &s->ephemeral_public));
}

static void make_handshake(struct handshake *h, uint64_t seed)
{
	test_random_fill(&seed, h, sizeof(*h));
	fill_side(&h->initiator);
	fill_side(&h->responder);
	assert_true(noise_static_static(&h->initiator.local, &h->responder.local.public,
					&h->static_static));
}

static void read_handshake(const json_t *v, struct handshake *h)
{
	vectors_exactly(v, "initiator_static_private", h->initiator.local.secret.bytes, KEY_LEN);
	vectors_exactly(v, "responder_static_private", h->responder.local.secret.bytes, KEY_LEN);
	vectors_exactly(v, "initiator_ephemeral_private", h->initiator.ephemeral.bytes, KEY_LEN);
	vectors_exactly(v, "responder_ephemeral_private", h->responder.ephemeral.bytes, KEY_LEN);
	vectors_exactly(v, "psk", h->psk.bytes, KEY_LEN);
	vectors_exactly(v, "timestamp_tai64n", h->stamp, STAMP_LEN);
	fill_side(&h->initiator);
	fill_side(&h->responder);
	assert_true(noise_static_static(&h->responder.local, &h->initiator.local.public,
					&h->static_static));
}

static json_t *own_vectors(void)
{
	json_error_t error;
	json_t *root = json_load_file(VECTORS_DIR "/wireguard_handshake_kat_own.json", 0, &error);

	assert_non_null(root);
	return root;
}

static uint32_t index_of(const json_t *v, const char *field)
{
	return (uint32_t)json_integer_value(json_object_get(v, field));
}

static void check_step(const json_t *v, const char *step, const struct symmetric *s)
{
	const json_t *steps = json_object_get(v, "transcript");
	uint8_t chain[32], hash[32];
	size_t i;
	json_t *at;

	json_array_foreach(steps, i, at)
	{
		if (strcmp(vectors_text(at, "step"), step) != 0)
			continue;
		vectors_exactly(at, "chaining_key", chain, sizeof(chain));
		vectors_exactly(at, "hash", hash, sizeof(hash));
		assert_memory_equal(s->chain, chain, sizeof(chain));
		assert_memory_equal(s->hash, hash, sizeof(hash));
		return;
	}
	fail_msg("no step %s", step);
}

/* The steps between messages, which noise.c does not show, by the functions it is made of. */
static void check_steps(const json_t *v, const struct handshake *h)
{
	const struct side *i = &h->initiator, *r = &h->responder;
	const char *prologue = "WireGuard v1 zx2c4 Jason@zx2c4.com";
	const char *name = "Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s";
	struct key_shared key;
	uint8_t sealed[64];
	struct symmetric s;

	symmetric_init(&s, name, strlen(name));
	symmetric_mix_hash(&s, prologue, strlen(prologue));
	symmetric_mix_hash(&s, r->local.public.bytes, KEY_LEN);
	check_step(v, "after responder static", &s);
	symmetric_mix_hash(&s, i->ephemeral_public.bytes, KEY_LEN);
	symmetric_mix_chain(&s, i->ephemeral_public.bytes, KEY_LEN);
	check_step(v, "after e", &s);
	assert_true(symmetric_mix_dh(&s, &i->ephemeral, &r->local.public, &key));
	assert_true(symmetric_seal(&s, sealed, i->local.public.bytes, KEY_LEN, &key));
	check_step(v, "after es,s", &s);
	symmetric_mix_key(&s, &h->static_static, &key);
	assert_true(symmetric_seal(&s, sealed, h->stamp, STAMP_LEN, &key));
	check_step(v, "after ss,payload", &s);
	symmetric_mix_hash(&s, r->ephemeral_public.bytes, KEY_LEN);
	symmetric_mix_chain(&s, r->ephemeral_public.bytes, KEY_LEN);
	assert_true(symmetric_mix_dh(&s, &r->ephemeral, &i->ephemeral_public, &key));
	assert_true(symmetric_mix_dh(&s, &r->ephemeral, &i->local.public, &key));
	check_step(v, "after e,ee,se", &s);
	symmetric_mix_psk(&s, &h->psk, &key);
	assert_true(symmetric_seal(&s, sealed, NULL, 0, &key));
	check_step(v, "after psk,payload", &s);
}

static void check_initiation(const json_t *v, const struct handshake *h,
			     struct noise_pending *pending, struct noise_initiation *initiation)
{
	struct message_initiation made = { .type = { MESSAGE_INITIATION } };
	struct cookie_maker maker;
	uint8_t expect[sizeof(made)], stamp[STAMP_LEN];

	vectors_exactly(v, "initiation", expect, sizeof(expect));
	assert_true(noise_create_initiation(&h->initiator.local, &h->responder.local.public,
					    &h->static_static, &h->initiator.ephemeral, h->stamp,
					    &made, pending));
	made.type[0] = MESSAGE_INITIATION;
	store32_le(made.sender, index_of(v, "initiator_index"));
	cookie_maker_init(&maker);
	cookie_make(&maker, &h->responder.local.public, &made, sizeof(made), 1);
	assert_memory_equal(&made, expect, sizeof(made));
	check_step(v, "after ss,payload", &pending->state);

	assert_true(noise_consume_static(&h->responder.local, &made, initiation));
	assert_memory_equal(&initiation->remote_static, &h->initiator.local.public, KEY_LEN);
	check_step(v, "after es,s", &initiation->state);
	assert_true(noise_consume_stamp(initiation, &h->static_static, &made, stamp));
	assert_memory_equal(stamp, h->stamp, STAMP_LEN);
	check_step(v, "after ss,payload", &initiation->state);
}

static void check_keys(const json_t *v, const struct noise_keys *keys, const char *send,
		       const char *receive)
{
	struct noise_keys expect;

	vectors_exactly(v, send, expect.send.bytes, KEY_LEN);
	vectors_exactly(v, receive, expect.receive.bytes, KEY_LEN);
	assert_memory_equal(keys, &expect, sizeof(expect));
}

static void check_response(const json_t *v, const struct handshake *h,
			   const struct noise_pending *pending,
			   const struct noise_initiation *initiation, struct noise_keys *i,
			   struct noise_keys *r)
{
	struct message_response made;
	struct cookie_maker maker;
	uint8_t expect[sizeof(made)];

	vectors_exactly(v, "response", expect, sizeof(expect));
	assert_true(noise_create_response(initiation, &h->psk, &h->responder.ephemeral, &made, r));
	store32_le(made.type, MESSAGE_RESPONSE);
	store32_le(made.sender, index_of(v, "responder_index"));
	store32_le(made.receiver, index_of(v, "initiator_index"));
	cookie_maker_init(&maker);
	cookie_make(&maker, &h->initiator.local.public, &made, sizeof(made), 1);
	assert_memory_equal(&made, expect, sizeof(made));
	assert_true(noise_consume_response(&h->initiator.local, pending, &h->psk, &made, i));
	check_keys(v, i, "initiator_send_key", "responder_send_key");
	check_keys(v, r, "responder_send_key", "initiator_send_key");
}

static void check_cookie(const json_t *v, const struct handshake *h)
{
	const json_t *c = json_object_get(v, "cookie");
	struct message_initiation initiation;
	struct cookie_maker maker;
	uint8_t reply[sizeof(struct message_cookie)], mac2[16], cookie[16];

	vectors_exactly(v, "initiation", (uint8_t *)&initiation, sizeof(initiation));
	vectors_exactly(c, "cookie_reply", reply, sizeof(reply));
	vectors_exactly(c, "initiation_mac2_with_this_cookie", mac2, sizeof(mac2));
	vectors_exactly(c, "cookie", cookie, sizeof(cookie));
	cookie_maker_init(&maker);
	cookie_make(&maker, &h->responder.local.public, &initiation, sizeof(initiation), 1);
	assert_true(cookie_take(&maker, &h->responder.local.public,
				(const struct message_cookie *)reply, 2));
	assert_memory_equal(maker.cookie, cookie, sizeof(cookie));
	cookie_make(&maker, &h->responder.local.public, &initiation, sizeof(initiation), 3);
	assert_memory_equal(initiation.macs.mac2, mac2, sizeof(mac2));
}

/* One packet, sealed by one end as the vector says and opened by the other. */
static void check_packet(const json_t *v, const char *field, const uint8_t *inner, size_t len,
			 uint64_t counter, uint32_t receiver, const struct key_shared *key)
{
	uint8_t expect[VECTORS_MAX], message[128] = { 0 };
	const size_t total = vectors_bytes(v, field, expect);
	struct session_packet p = { .message = message,
				    .len = len,
				    .padded = total - MESSAGE_OVERHEAD,
				    .counter = counter };

	memcpy(message + 16, inner, len);
	assert_true(session_seal(key, receiver, &p, 1));
	assert_memory_equal(message, expect, total);
	p = (struct session_packet){ .message = message, .len = total };
	session_open(key, &p, 1);
	assert_true(p.ok);
	assert_int_equal(p.counter, counter);
	assert_int_equal(p.len, total - MESSAGE_OVERHEAD);
	assert_memory_equal(message + 16, inner, len);
}

static void own_known_answers(void **state)
{
	json_t *root = own_vectors();
	uint8_t inner[VECTORS_MAX];
	struct noise_initiation initiation;
	struct noise_pending pending;
	struct noise_keys i, r;
	struct handshake h;
	size_t n, len;
	json_t *v;

	(void)state;
	assert_int_equal(json_array_size(json_object_get(root, "vectors")), 2);
	json_array_foreach(json_object_get(root, "vectors"), n, v)
	{
		read_handshake(v, &h);
		check_steps(v, &h);
		check_initiation(v, &h, &pending, &initiation);
		check_response(v, &h, &pending, &initiation, &i, &r);
		check_cookie(v, &h);
		check_packet(v, "keepalive_from_initiator_counter0", inner, 0, 0,
			     index_of(v, "responder_index"), &i.send);
		len = vectors_bytes(v, "inner_packet", inner);
		check_packet(v, "data_from_responder_counter7", inner, len, 7,
			     index_of(v, "initiator_index"), &i.receive);
	}
	json_decref(root);
}

/*
 * The vectors of others have other prologues, payloads, and no psk at times: IK and IKpsk2 from the
 * same functions that WireGuard's handshake is made of.
 */
struct foreign {
	bool has_psk;
	struct key_shared psk;
	struct side initiator;
	struct side responder;
	struct symmetric state;
};

static void mix_ephemeral(struct foreign *f, const struct key_public *e)
{
	symmetric_mix_hash(&f->state, e->bytes, KEY_LEN);
	if (f->has_psk)
		symmetric_mix_chain(&f->state, e->bytes, KEY_LEN);
}

static void read_foreign(const json_t *v, struct foreign *f)
{
	const char *name = vectors_text(v, "protocol_name");
	uint8_t prologue[VECTORS_MAX];
	const size_t len = vectors_bytes(v, "init_prologue", prologue);
	const json_t *psk = json_array_get(json_object_get(v, "init_psks"), 0);

	memset(f, 0, sizeof(*f));
	f->has_psk = psk != NULL;
	if (psk)
		test_from_hex(json_string_value(psk), f->psk.bytes, KEY_LEN);
	vectors_exactly(v, "init_static", f->initiator.local.secret.bytes, KEY_LEN);
	vectors_exactly(v, "resp_static", f->responder.local.secret.bytes, KEY_LEN);
	vectors_exactly(v, "init_ephemeral", f->initiator.ephemeral.bytes, KEY_LEN);
	vectors_exactly(v, "resp_ephemeral", f->responder.ephemeral.bytes, KEY_LEN);
	fill_side(&f->initiator);
	fill_side(&f->responder);
	symmetric_init(&f->state, name, strlen(name));
	symmetric_mix_hash(&f->state, prologue, len);
	symmetric_mix_hash(&f->state, f->responder.local.public.bytes, KEY_LEN);
}

static size_t foreign_first(struct foreign *f, const uint8_t *payload, size_t len, uint8_t *ret)
{
	const struct side *i = &f->initiator, *r = &f->responder;
	struct key_shared key;

	memcpy(ret, i->ephemeral_public.bytes, KEY_LEN);
	mix_ephemeral(f, &i->ephemeral_public);
	assert_true(symmetric_mix_dh(&f->state, &i->ephemeral, &r->local.public, &key));
	assert_true(symmetric_seal(&f->state, ret + 32, i->local.public.bytes, KEY_LEN, &key));
	assert_true(symmetric_mix_dh(&f->state, &i->local.secret, &r->local.public, &key));
	assert_true(symmetric_seal(&f->state, ret + 80, payload, len, &key));
	return 96 + len;
}

static size_t foreign_second(struct foreign *f, const uint8_t *payload, size_t len, uint8_t *ret)
{
	const struct side *i = &f->initiator, *r = &f->responder;
	struct key_shared key;

	memcpy(ret, r->ephemeral_public.bytes, KEY_LEN);
	mix_ephemeral(f, &r->ephemeral_public);
	assert_true(symmetric_mix_dh(&f->state, &r->ephemeral, &i->ephemeral_public, &key));
	assert_true(symmetric_mix_dh(&f->state, &r->ephemeral, &i->local.public, &key));
	if (f->has_psk)
		symmetric_mix_psk(&f->state, &f->psk, &key);
	assert_true(symmetric_seal(&f->state, ret + 32, payload, len, &key));
	return 48 + len;
}

static void check_ciphertext(const json_t *message, const uint8_t *made, size_t len)
{
	uint8_t expect[VECTORS_MAX];

	assert_int_equal(vectors_bytes(message, "ciphertext", expect), len);
	assert_memory_equal(made, expect, len);
}

static void check_foreign(const json_t *v)
{
	const json_t *messages = json_object_get(v, "messages");
	uint8_t payload[VECTORS_MAX], made[VECTORS_MAX], hash[32];
	struct key_shared keys[2];
	struct foreign f;
	json_t *m;
	size_t n, len;

	read_foreign(v, &f);
	json_array_foreach(messages, n, m)
	{
		len = vectors_bytes(m, "payload", payload);
		if (n == 0) {
			len = foreign_first(&f, payload, len, made);
		} else if (n == 1) {
			len = foreign_second(&f, payload, len, made);
			symmetric_split(&f.state, &keys[0], &keys[1]);
		} else {
			assert_true(
				crypto_seal(made, payload, len, NULL, 0, n / 2 - 1, &keys[n % 2]));
			len += CRYPTO_TAG;
		}
		check_ciphertext(m, made, len);
	}
	assert_true(n > 2);
	if (json_object_get(v, "handshake_hash")) {
		vectors_exactly(v, "handshake_hash", hash, sizeof(hash));
		assert_memory_equal(f.state.hash, hash, sizeof(hash));
	}
}

static void check_foreign_file(const char *name, size_t expected)
{
	json_t *root = vectors_load(name), *v;
	size_t n;

	json_array_foreach(json_object_get(root, "vectors"), n, v) check_foreign(v);
	assert_int_equal(n, expected);
	json_decref(root);
}

static void cacophony_known_answers(void **state)
{
	(void)state;
	check_foreign_file("noise_ik_25519_chachapoly_blake2s_cacophony.json", 2);
}

static void snow_known_answers(void **state)
{
	(void)state;
	check_foreign_file("noise_ik_25519_chachapoly_blake2s_snow.json", 1);
}

/* All points of order 1, 2, 4, 8 on the curve and its twist, as Wycheproof lists them. */
static const char *const low_order[] = {
	"0000000000000000000000000000000000000000000000000000000000000000",
	"0100000000000000000000000000000000000000000000000000000000000000",
	"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
	"5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
};

static void check_low_order(const struct handshake *h, const struct key_public *bad)
{
	static const struct noise_keys no_keys;
	struct message_initiation initiation = { 0 };
	struct message_response response = { 0 };
	struct noise_initiation seen, changed;
	struct noise_pending pending;
	struct key_shared shared;
	struct noise_keys keys;
	uint8_t stamp[STAMP_LEN];

	/* ss */
	assert_false(noise_static_static(&h->initiator.local, bad, &shared));
	/* es, both roles */
	assert_false(noise_create_initiation(&h->initiator.local, bad, &h->static_static,
					     &h->initiator.ephemeral, h->stamp, &initiation,
					     &pending));
	assert_true(noise_create_initiation(&h->initiator.local, &h->responder.local.public,
					    &h->static_static, &h->initiator.ephemeral, h->stamp,
					    &initiation, &pending));
	assert_true(noise_consume_static(&h->responder.local, &initiation, &seen));
	assert_true(noise_consume_stamp(&seen, &h->static_static, &initiation, stamp));
	memcpy(initiation.ephemeral, bad->bytes, KEY_LEN);
	assert_false(noise_consume_static(&h->responder.local, &initiation, &changed));
	/* ee, then se, of the responder */
	changed = seen;
	changed.remote_ephemeral = *bad;
	memset(&keys, 1, sizeof(keys));
	assert_false(noise_create_response(&changed, &h->psk, &h->responder.ephemeral, &response,
					   &keys));
	assert_memory_equal(&keys, &no_keys, sizeof(keys));
	changed = seen;
	changed.remote_static = *bad;
	assert_false(noise_create_response(&changed, &h->psk, &h->responder.ephemeral, &response,
					   &keys));
	/* ee and se of the initiator (wireguard-go c7b76d3) */
	assert_true(
		noise_create_response(&seen, &h->psk, &h->responder.ephemeral, &response, &keys));
	memcpy(response.ephemeral, bad->bytes, KEY_LEN);
	memset(&keys, 1, sizeof(keys));
	assert_false(
		noise_consume_response(&h->initiator.local, &pending, &h->psk, &response, &keys));
	assert_memory_equal(&keys, &no_keys, sizeof(keys));
}

static void fh6_low_order_points_in_every_dh_position(void **state)
{
	struct handshake h;
	struct key_public bad;

	(void)state;
	make_handshake(&h, 6);
	for (size_t i = 0; i < ELEMENTS(low_order); ++i) {
		test_from_hex(low_order[i], bad.bytes, KEY_LEN);
		check_low_order(&h, &bad);
	}
}

/* A response whose ee fails closed even where the sender knows everything else: the AEAD under a
 * key of zeroes would verify. */
static void fh6_forged_response_over_a_zero_dh(void **state)
{
	static const struct key_shared zero;
	struct message_initiation initiation;
	struct message_response response = { 0 };
	struct noise_pending pending;
	struct noise_keys keys;
	struct key_shared key;
	struct symmetric s;
	struct handshake h;

	(void)state;
	make_handshake(&h, 7);
	assert_true(noise_create_initiation(&h.initiator.local, &h.responder.local.public,
					    &h.static_static, &h.initiator.ephemeral, h.stamp,
					    &initiation, &pending));
	s = pending.state;
	symmetric_mix_hash(&s, response.ephemeral, KEY_LEN);
	symmetric_mix_chain(&s, response.ephemeral, KEY_LEN);
	symmetric_mix_key(&s, &zero, &key);
	symmetric_mix_key(&s, &zero, &key);
	symmetric_mix_psk(&s, &h.psk, &key);
	assert_true(symmetric_seal(&s, response.sealed_nothing, NULL, 0, &key));
	assert_false(
		noise_consume_response(&h.initiator.local, &pending, &h.psk, &response, &keys));
}

/* Each byte of each message that is in the transcript; a psk and a key that differ in a bit. */
static void every_changed_byte_is_refused(void **state)
{
	struct message_initiation initiation, bad_initiation;
	struct message_response response, bad_response;
	struct noise_initiation seen, copy;
	struct noise_pending pending;
	struct noise_keys i, r;
	struct handshake h;
	uint8_t stamp[STAMP_LEN];

	(void)state;
	make_handshake(&h, 8);
	assert_true(noise_create_initiation(&h.initiator.local, &h.responder.local.public,
					    &h.static_static, &h.initiator.ephemeral, h.stamp,
					    &initiation, &pending));
	for (size_t n = 8; n < 116; n += n % 7 + 1) {
		bad_initiation = initiation;
		((uint8_t *)&bad_initiation)[n] ^= 1;
		assert_false(noise_consume_static(&h.responder.local, &bad_initiation, &copy) &&
			     noise_consume_stamp(&copy, &h.static_static, &bad_initiation, stamp));
	}
	assert_true(noise_consume_static(&h.responder.local, &initiation, &seen));
	assert_true(noise_consume_stamp(&seen, &h.static_static, &initiation, stamp));
	assert_true(noise_create_response(&seen, &h.psk, &h.responder.ephemeral, &response, &r));
	for (size_t n = 12; n < 60; n += n % 5 + 1) {
		bad_response = response;
		((uint8_t *)&bad_response)[n] ^= 1;
		assert_false(noise_consume_response(&h.initiator.local, &pending, &h.psk,
						    &bad_response, &i));
	}
	h.psk.bytes[31] ^= 0x80;
	assert_false(noise_consume_response(&h.initiator.local, &pending, &h.psk, &response, &i));
	h.psk.bytes[31] ^= 0x80;
	assert_true(noise_consume_response(&h.initiator.local, &pending, &h.psk, &response, &i));
	assert_memory_equal(&i.send, &r.receive, KEY_LEN);
	assert_memory_equal(&i.receive, &r.send, KEY_LEN);
	assert_memory_not_equal(&i.send, &i.receive, KEY_LEN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(own_known_answers),
		cmocka_unit_test(cacophony_known_answers),
		cmocka_unit_test(snow_known_answers),
		cmocka_unit_test(fh6_low_order_points_in_every_dh_position),
		cmocka_unit_test(fh6_forged_response_over_a_zero_dh),
		cmocka_unit_test(every_changed_byte_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
