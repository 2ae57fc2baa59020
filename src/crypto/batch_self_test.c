#include <string.h>

#include "crypto/batch.h"

enum { MOST = 1500, PACKETS = 12, SLOT = MOST + CRYPTO_TAG };

/* Two copies of the same packets: one for the code under test, one for libcrypto. */
struct shape {
	struct crypto_packet packets[2][PACKETS];
	uint8_t data[2][PACKETS][SLOT];
	size_t n;
};

/* Any bytes will do, the same each time. */
static void fill(uint8_t *ret, size_t len, uint32_t seed)
{
	for (size_t i = 0; i < len; ++i) {
		seed = seed * 1664525 + 1013904223;
		ret[i] = (uint8_t)(seed >> 24);
	}
}

/* Lengths around the edges of blocks of 16 and 64, of passes of 512, and of a packet of Ethernet.
 */
static size_t length(size_t shape, size_t i)
{
	static const uint16_t lengths[] = { 0,   1,   15,  16,   17,   31,   32,   48,
					    63,  64,  65,  80,   127,  128,  129,  191,
					    192, 255, 256, 447,  448,  449,  511,  512,
					    513, 576, 960, 1024, 1408, 1420, 1424, 1500 };

	return lengths[(shape * 7 + i * (2 * shape + 1)) % (sizeof(lengths) / sizeof(lengths[0]))];
}

static void make(struct shape *s, size_t shape)
{
	s->n = shape % PACKETS + 1;
	for (size_t i = 0; i < s->n; ++i) {
		const size_t len = length(shape, i);

		fill(s->data[0][i], len, (uint32_t)(shape * PACKETS + i));
		memcpy(s->data[1][i], s->data[0][i], len);
		for (size_t copy = 0; copy < 2; ++copy)
			s->packets[copy][i] =
				(struct crypto_packet){ .data = s->data[copy][i],
							.len = len,
							.counter = (uint64_t)i << (shape * 2) };
	}
}

static bool same(const struct shape *s)
{
	for (size_t i = 0; i < s->n; ++i)
		if (s->packets[0][i].ok != s->packets[1][i].ok ||
		    !crypto_equal(s->data[0][i], s->data[1][i], s->packets[0][i].len + CRYPTO_TAG))
			return false;
	return true;
}

/* One byte of one packet goes wrong on the way. */
static bool agrees(const struct batch *b, struct shape *s, size_t shape)
{
	const size_t bad = shape % s->n, at = shape * 97 % (s->packets[0][bad].len + CRYPTO_TAG);
	struct key_shared key;

	fill(key.bytes, sizeof(key.bytes), (uint32_t)shape);
	if (!b->seal(s->packets[0], s->n, &key, 0) ||
	    !batch_libcrypto.seal(s->packets[1], s->n, &key, 0) || !same(s))
		return false;
	for (size_t copy = 0; copy < 2; ++copy)
		s->data[copy][bad][at] ^= 0x10;
	b->open(s->packets[0], s->n, &key, 0);
	batch_libcrypto.open(s->packets[1], s->n, &key, 0);
	return same(s) && !s->packets[0][bad].ok;
}

/* The message and key of RFC 8439 2.8.2 with counter 1 and no additional data; the tag, which
 * depends on every byte, from Python's cryptography. */
static bool knows(const struct batch *b)
{
	static const char message[] = "Ladies and Gentlemen of the class of '99: If I could offer "
				      "you only one tip for the future, sunscreen would be it.";
	static const uint8_t tag[CRYPTO_TAG] = { 0xcc, 0x8e, 0x0e, 0xf4, 0x58, 0x70, 0x4f, 0x41,
						 0xee, 0x05, 0x82, 0xde, 0x5c, 0x83, 0xd6, 0x77 };
	enum { LEN = sizeof(message) - 1 };
	uint8_t data[LEN + CRYPTO_TAG];
	struct crypto_packet packet = { .data = data, .len = LEN, .counter = 1 };
	struct key_shared key;

	for (size_t i = 0; i < sizeof(key.bytes); ++i)
		key.bytes[i] = (uint8_t)(0x80 + i);
	memcpy(data, message, LEN);
	if (!b->seal(&packet, 1, &key, 0) || !crypto_equal(data + LEN, tag, sizeof(tag)))
		return false;
	b->open(&packet, 1, &key, 0);
	if (!packet.ok || !crypto_equal(data, message, LEN))
		return false;
	data[LEN] ^= 1;
	b->open(&packet, 1, &key, 0);
	return !packet.ok && crypto_is_zero(data, LEN);
}

bool batch_self_test(const struct batch *b)
{
	enum { SHAPES = 24 };
	struct shape s;

	if (!knows(b))
		return false;
	for (size_t shape = 0; shape < SHAPES; ++shape) {
		make(&s, shape);
		if (!agrees(b, &s, shape))
			return false;
	}
	return true;
}
