#include "batch_compare.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* not <sodium.h>: it too has a crypto_hash */
#include <sodium/crypto_aead_chacha20poly1305.h>

#include "base/bytes.h"

enum {
	MOST = 150, /* packets of a batch */
	USUAL = 2048,
	JUMBO = 65535,
	GUARD = 64,
	ROOM = MOST * (USUAL + CRYPTO_TAG + 3 * GUARD),
	MARK = 0xa5,
};

struct trial {
	uint64_t seed;
	size_t number, n;
	struct key_shared key;
	struct crypto_packet packets[MOST]; /* in `work` */
	bool is_bad[MOST];
	uint8_t work[ROOM], plain[ROOM], expected[ROOM], other[ROOM];
};

static uint64_t next(struct trial *t)
{
	uint64_t z = t->seed += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static size_t below(struct trial *t, size_t n)
{
	return (size_t)(next(t) % n);
}

static void fill(struct trial *t, uint8_t *ret, size_t len)
{
	const size_t style = below(t, 12);

	if (style < 2) {
		memset(ret, style ? 0xff : 0, len);
		return;
	}
	for (size_t i = 0; i < len; i += 8) {
		uint8_t word[8];

		store64_le(word, next(t));
		memcpy(ret + i, word, len - i < 8 ? len - i : 8);
	}
}

static void fail(const struct batch *b, const struct trial *t, size_t i, const char *what)
{
	fprintf(stderr, "%s: batch %zu of %zu packets, packet %zu of %zu bytes: %s\n", b->name,
		t->number, t->n, i, t->packets[i].len, what);
	abort();
}

static size_t choose_n(struct trial *t)
{
	switch (below(t, 8)) {
	case 0:
		return 1 + below(t, MOST);
	case 1:
		return 1;
	case 2:
		return 16;
	}
	return 1 + below(t, 40);
}

enum shape { ANY, EQUAL, ACKS, EDGES, SHORT, LARGE, SHAPES };

static size_t choose_len(struct trial *t, enum shape shape, size_t equal)
{
	static const size_t edges[] = { 0, 16, 64, 128, 448, 512, 576, 1408, 1420, 1424, 2032 };

	switch (shape) {
	case ANY:
		return below(t, USUAL + 1);
	case EQUAL:
		return equal;
	case ACKS:
		return below(t, 2) ? 1420 : below(t, 100);
	case EDGES:
		return edges[below(t, ELEMENTS(edges))] + below(t, 17);
	case SHORT:
		return below(t, 20) ? below(t, 80) : below(t, USUAL + 1);
	case LARGE:
		return below(t, 3) ? below(t, 9000) : below(t, JUMBO + 1);
	case SHAPES:
		break;
	}
	abort();
}

/* Every length of EQUAL comes in turn; shapes by chance, LARGE seldom. */
static void lay_out(struct trial *t)
{
	const enum shape shape = below(t, 200) ? (enum shape)below(t, LARGE) : LARGE;
	const uint64_t counter = next(t) >> below(t, 64);
	size_t at = 0;

	t->n = shape == LARGE ? 1 + below(t, 3) : choose_n(t);
	for (size_t i = 0; i < t->n; ++i) {
		const size_t len = choose_len(t, shape, t->number % (USUAL + 1));

		at += GUARD + below(t, GUARD);
		t->packets[i] =
			(struct crypto_packet){ .data = t->work + at,
						.len = len,
						.counter = below(t, 4) ? counter + i : next(t) };
		at += len + CRYPTO_TAG;
	}
	if (at + GUARD > ROOM)
		abort();
	memset(t->work, MARK, at + GUARD);
}

static size_t place(const struct trial *t, size_t i)
{
	return (size_t)(t->packets[i].data - t->work);
}

static void make_plain(struct trial *t)
{
	fill(t, t->key.bytes, sizeof(t->key.bytes));
	for (size_t i = 0; i < t->n; ++i) {
		uint8_t *plain = t->plain + place(t, i);

		fill(t, plain, t->packets[i].len);
		memcpy(t->packets[i].data, plain, t->packets[i].len);
	}
}

static void check_guards(const struct batch *b, const struct trial *t)
{
	size_t at = 0;

	for (size_t i = 0; i < t->n; ++i) {
		for (; at < place(t, i); ++at)
			if (t->work[at] != MARK)
				fail(b, t, i, "wrote before it");
		at += t->packets[i].len + CRYPTO_TAG;
	}
	for (size_t end = at + GUARD; at < end; ++at)
		if (t->work[at] != MARK)
			fail(b, t, t->n - 1, "wrote beyond it");
}

static void check_sealed(const struct batch *b, struct trial *t)
{
	struct crypto_packet others[MOST];

	for (size_t i = 0; i < t->n; ++i) {
		const struct crypto_packet *p = &t->packets[i];
		uint8_t *expected = t->expected + place(t, i), nonce[12] = { 0 };

		store64_le(nonce + 4, p->counter);
		crypto_aead_chacha20poly1305_ietf_encrypt(expected, NULL, t->plain + place(t, i),
							  p->len, NULL, 0, NULL, nonce,
							  t->key.bytes);
		if (memcmp(p->data, expected, p->len + CRYPTO_TAG) != 0)
			fail(b, t, i, "sealed otherwise than libsodium");
		others[i] = *p;
		others[i].data = t->other + place(t, i);
		memcpy(others[i].data, t->plain + place(t, i), p->len);
	}
	if (!batch_libcrypto.seal(others, t->n, &t->key, 0))
		abort();
	for (size_t i = 0; i < t->n; ++i)
		if (memcmp(others[i].data, t->packets[i].data, others[i].len + CRYPTO_TAG) != 0)
			fail(b, t, i, "sealed otherwise than libcrypto");
	check_guards(b, t);
}

static void tamper(struct trial *t)
{
	const size_t how = below(t, 4);

	for (size_t i = 0; i < t->n; ++i) {
		struct crypto_packet *p = &t->packets[i];
		const size_t at =
			below(t, 2) ? p->len + below(t, CRYPTO_TAG) : below(t, p->len + CRYPTO_TAG);

		t->is_bad[i] = how == 1 ? below(t, 8) == 0 : how == 2 ? below(t, 2) == 0 : how == 3;
		p->ok = below(t, 2);
		if (t->is_bad[i]) {
			p->data[at] ^= (uint8_t)(1 << below(t, 8));
			memset(t->plain + place(t, i), 0, p->len);
		}
		memcpy(t->expected + place(t, i) + p->len, p->data + p->len, CRYPTO_TAG);
	}
}

static void check_opened(const struct batch *b, const struct trial *t)
{
	for (size_t i = 0; i < t->n; ++i) {
		const struct crypto_packet *p = &t->packets[i];

		if (p->ok == t->is_bad[i])
			fail(b, t, i, "wrong verdict");
		if (memcmp(p->data, t->plain + place(t, i), p->len) != 0)
			fail(b, t, i,
			     p->ok ? "wrong plain text" : "bytes of a wrong packet released");
		if (memcmp(p->data + p->len, t->expected + place(t, i) + p->len, CRYPTO_TAG) != 0)
			fail(b, t, i, "changed the tag");
	}
	check_guards(b, t);
}

void compare_batches(const struct batch *b, uint64_t seed, size_t packets)
{
	struct trial *t = calloc(1, sizeof(*t));

	if (!t)
		abort();
	t->seed = seed;
	for (size_t seen = 0; seen < packets; seen += t->n, ++t->number) {
		lay_out(t);
		make_plain(t);
		if (!b->seal(t->packets, t->n, &t->key, 0))
			fail(b, t, 0, "not sealed");
		check_sealed(b, t);
		tamper(t);
		b->open(t->packets, t->n, &t->key, 0);
		check_opened(b, t);
	}
	free(t);
}
