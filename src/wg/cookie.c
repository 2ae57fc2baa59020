#include "wg/cookie.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "crypto/crypto.h"

enum { LABEL_LEN = 8, COOKIE_LEN = 16 };

static const char label_mac1[] = "mac1----";
static const char label_cookie[] = "cookie--";

static void labelled_hash(uint8_t ret[static CRYPTO_HASH], const char *label,
			  const struct key_public *key)
{
	struct crypto_hash s;

	crypto_hash_init(&s, CRYPTO_HASH, NULL, 0);
	crypto_hash_update(&s, label, LABEL_LEN);
	crypto_hash_update(&s, key->bytes, KEY_LEN);
	crypto_hash_final(&s, ret);
}

static bool is_fresh(uint64_t born, uint64_t age, uint64_t now)
{
	return born && now < born + age;
}

/* mac1 covers all that stands before it, mac2 all before mac2. */
static size_t before_mac1(size_t len)
{
	assert(len > sizeof(struct message_macs));
	return len - sizeof(struct message_macs);
}

static size_t before_mac2(size_t len)
{
	return before_mac1(len) + offsetof(struct message_macs, mac2);
}

static void cookie_of(const struct cookie_checker *c, const struct endpoint *from,
		      uint8_t ret[static COOKIE_LEN])
{
	struct crypto_hash s = c->cookie_begun;
	uint8_t port[2];

	store16_be(port, from->port);
	crypto_hash_update(&s, from->ip.bytes, ip_bits(&from->ip) / 8);
	crypto_hash_update(&s, port, sizeof(port));
	crypto_hash_final(&s, ret);
}

static bool has_mac1(const struct cookie_checker *c, const uint8_t *message, size_t len)
{
	const size_t covered = before_mac1(len);
	struct crypto_hash s = c->mac1_begun;
	uint8_t mac[CRYPTO_MAC];

	crypto_hash_update(&s, message, covered);
	crypto_hash_final(&s, mac);
	return crypto_equal(mac, message + covered, sizeof(mac));
}

static bool has_mac2(const struct cookie_checker *c, const uint8_t *message, size_t len,
		     const struct endpoint *from)
{
	const size_t covered = before_mac2(len);
	uint8_t cookie[COOKIE_LEN], mac[CRYPTO_MAC];

	if (crypto_is_zero(message + covered, sizeof(mac)))
		return false; /* claims no cookie: most of a flood */
	cookie_of(c, from, cookie);
	crypto_mac(mac, cookie, sizeof(cookie), message, covered);
	crypto_wipe(cookie, sizeof(cookie));
	return crypto_equal(mac, message + covered, sizeof(mac));
}

static bool renew_secret(struct cookie_checker *c, uint64_t now, const struct entropy *entropy)
{
	struct {
		uint8_t secret[sizeof(c->secret)];
		uint8_t nonce_head[sizeof(c->nonce_head)];
	} drawn;

	if (is_fresh(c->secret_born, COOKIE_SECRET_AGE, now))
		return true;
	if (!entropy_fill(entropy, &drawn, sizeof(drawn)))
		return false;
	memcpy(c->secret, drawn.secret, sizeof(c->secret));
	memcpy(c->nonce_head, drawn.nonce_head, sizeof(c->nonce_head));
	crypto_hchacha20(c->reply_key.bytes, c->nonce_head, &c->cookie_key);
	crypto_hash_init_keyed(&c->cookie_begun, COOKIE_LEN, c->secret, sizeof(c->secret));
	c->replies = 0;
	c->secret_born = now;
	crypto_wipe(&drawn, sizeof(drawn));
	return true;
}

void cookie_checker_set_key(struct cookie_checker *c, const struct key_public *ours)
{
	uint8_t key[CRYPTO_HASH];

	cookie_checker_done(c);
	labelled_hash(key, label_mac1, ours);
	crypto_hash_init_keyed(&c->mac1_begun, CRYPTO_MAC, key, sizeof(key));
	labelled_hash(c->cookie_key.bytes, label_cookie, ours);
}

void cookie_checker_done(struct cookie_checker *c)
{
	crypto_wipe(c, sizeof(*c));
}

enum cookie_verdict cookie_check(const struct cookie_checker *c, const void *message, size_t len,
				 const struct endpoint *from, uint64_t now, bool want_mac2)
{
	if (!has_mac1(c, message, len))
		return COOKIE_MAC1_BAD;
	if (!want_mac2 || !is_fresh(c->secret_born, COOKIE_SECRET_AGE, now))
		return COOKIE_MAC1_OK;
	return has_mac2(c, message, len, from) ? COOKIE_MAC2_OK : COOKIE_MAC1_OK;
}

bool cookie_reply(struct cookie_checker *c, const void *message, size_t len,
		  const struct endpoint *from, uint64_t now, const struct entropy *entropy,
		  struct message_cookie *ret)
{
	const uint8_t *bytes = message;
	const uint8_t *mac1 = bytes + before_mac1(len);
	struct message_cookie reply = { .type = { MESSAGE_COOKIE } };
	uint8_t cookie[COOKIE_LEN];
	bool sealed;

	if (!renew_secret(c, now, entropy))
		return false;
	memcpy(reply.nonce, c->nonce_head, sizeof(c->nonce_head));
	store64_le(reply.nonce + sizeof(c->nonce_head), c->replies);
	memcpy(reply.receiver, bytes + offsetof(struct message_initiation, sender),
	       sizeof(reply.receiver));
	cookie_of(c, from, cookie);
	/* XChaCha20-Poly1305, its first half done already. */
	sealed = crypto_seal(reply.sealed_cookie, cookie, sizeof(cookie), mac1, CRYPTO_MAC,
			     c->replies++, &c->reply_key);
	crypto_wipe(cookie, sizeof(cookie));
	if (sealed)
		*ret = reply;
	return sealed;
}

void cookie_maker_init(struct cookie_maker *m)
{
	*m = (struct cookie_maker){ 0 };
}

void cookie_maker_done(struct cookie_maker *m)
{
	crypto_wipe(m, sizeof(*m));
}

void cookie_make(struct cookie_maker *m, const struct key_public *peer, void *message, size_t len,
		 uint64_t now)
{
	uint8_t *bytes = message;
	uint8_t *mac1 = bytes + before_mac1(len), *mac2 = bytes + before_mac2(len);
	uint8_t key[CRYPTO_HASH];

	labelled_hash(key, label_mac1, peer);
	crypto_mac(mac1, key, sizeof(key), message, before_mac1(len));
	memcpy(m->mac1_sent, mac1, sizeof(m->mac1_sent));
	m->has_mac1_sent = true;
	if (is_fresh(m->cookie_born, COOKIE_USE_AGE, now))
		crypto_mac(mac2, m->cookie, sizeof(m->cookie), message, before_mac2(len));
	else
		memset(mac2, 0, CRYPTO_MAC);
}

bool cookie_take(struct cookie_maker *m, const struct key_public *peer,
		 const struct message_cookie *reply, uint64_t now)
{
	struct key_shared key;
	uint8_t cookie[COOKIE_LEN];
	bool authentic;

	if (!m->has_mac1_sent)
		return false;
	labelled_hash(key.bytes, label_cookie, peer);
	authentic = crypto_xopen(cookie, reply->sealed_cookie, sizeof(reply->sealed_cookie),
				 m->mac1_sent, sizeof(m->mac1_sent), reply->nonce, &key);
	if (authentic) {
		memcpy(m->cookie, cookie, sizeof(m->cookie));
		m->cookie_born = now;
		m->has_mac1_sent = false;
	}
	crypto_wipe(cookie, sizeof(cookie));
	return authentic;
}
