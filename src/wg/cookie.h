#ifndef WG_COOKIE_H
#define WG_COOKIE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/endpoint.h"
#include "base/env.h"
#include "base/key.h"
#include "base/time.h"
#include "crypto/crypto.h"
#include "wg/message.h"

/*
 * mac1, mac2 and cookies, paper 5.3, 5.4.4 and 5.4.7. The checker is the receiving role (one per
 * device), the maker the sending role (one per peer). A cookie is bound to the source's address and
 * port (F-D5). A reply's nonce is 16 random bytes, drawn with the secret, and a counter: as unique
 * as 24 random bytes, at a third of the cost. Both work on the bytes of a message whose last 32 are
 * its macs; neither touches a socket, a peer or an endpoint.
 */
struct cookie_checker {
	struct crypto_hash mac1_begun; /* keyed with HASH("mac1----" || our public key) */
	struct key_shared cookie_key;  /* HASH("cookie--" || our public key) */
	uint8_t secret[32];
	uint8_t nonce_head[16];      /* of the replies under this secret; a counter is the rest */
	struct key_shared reply_key; /* HChaCha20 of cookie_key and that head: the same for all */
	uint64_t replies;
	struct crypto_hash cookie_begun; /* keyed with the secret */
	uint64_t secret_born; /* boot time; 0: no secret yet, and no mac2 is valid (F-H15) */
};

enum cookie_verdict { COOKIE_MAC1_BAD, COOKIE_MAC1_OK, COOKIE_MAC2_OK };

/* Forgets the secret. */
void cookie_checker_set_key(struct cookie_checker *c, const struct key_public *ours);
void cookie_checker_done(struct cookie_checker *c);
/* One BLAKE2s for a message with a bad mac1. mac2 is looked at only when want_mac2 (under load). */
MUST_CHECK enum cookie_verdict cookie_check(const struct cookie_checker *c, const void *message,
					    size_t len, const struct endpoint *from, uint64_t now,
					    bool want_mac2);
/* Answer a message (its sender index at bytes 4..7). False: no random bytes, nothing to send. */
MUST_CHECK bool cookie_reply(struct cookie_checker *c, const void *message, size_t len,
			     const struct endpoint *from, uint64_t now,
			     const struct entropy *entropy, struct message_cookie *ret);

struct cookie_maker {
	uint8_t cookie[16];
	uint64_t cookie_born; /* boot time; 0: none */
	uint8_t mac1_sent[16];
	bool has_mac1_sent; /* and no reply to it was taken yet: a reply counts once */
};

void cookie_maker_init(struct cookie_maker *m);
void cookie_maker_done(struct cookie_maker *m);
/* Write mac1, and mac2 where there is a fresh cookie, into the last 32 bytes of the message. */
void cookie_make(struct cookie_maker *m, const struct key_public *peer, void *message, size_t len,
		 uint64_t now);
/*
 * Take the cookie out of a reply to our last message. False: not authentic, or not asked for;
 * nothing changed.
 */
MUST_CHECK bool cookie_take(struct cookie_maker *m, const struct key_public *peer,
			    const struct message_cookie *reply, uint64_t now);

#endif
