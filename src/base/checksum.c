#include "base/checksum.h"

#include <string.h>

#include "base/bytes.h"

/*
 * Words are added in the order of this machine and 32 bits wide into 64-bit lanes, which need no
 * carry below 2^32 steps. Only the folded result is turned into network order: RFC 1071 2 (B).
 */
typedef uint64_t lanes __attribute__((vector_size(16)));

enum { STEP = 2 * sizeof(lanes) };

#define ALWAYS_INLINE static inline __attribute__((always_inline))

static uint32_t fold_to_network(uint64_t sum)
{
	uint8_t bytes[2];
	uint16_t word;

	sum = (sum >> 32) + (sum & 0xffffffff);
	sum = (sum >> 32) + (sum & 0xffffffff);
	sum = (sum >> 16) + (sum & 0xffff);
	sum = (sum >> 16) + (sum & 0xffff);
	word = (uint16_t)((sum >> 16) + (sum & 0xffff));
	memcpy(bytes, &word, sizeof(bytes));
	return load16_be(bytes);
}

/* Less than a step. */
ALWAYS_INLINE uint64_t add_rest(uint64_t sum, const uint8_t *p, size_t len)
{
	uint8_t padded[2] = { 0 };
	uint32_t word;
	uint16_t half;

	for (; len >= sizeof(word); p += sizeof(word), len -= sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		sum += word;
	}
	if (len >= sizeof(half)) {
		memcpy(&half, p, sizeof(half));
		sum += half;
		p += sizeof(half);
		len -= sizeof(half);
	}
	if (len)
		padded[0] = *p;
	memcpy(&half, padded, sizeof(half));
	return sum + half;
}

/* dst NULL: only sum. */
ALWAYS_INLINE uint64_t add_all(uint8_t *dst, const uint8_t *src, size_t len)
{
	const lanes low = { 0xffffffff, 0xffffffff };
	lanes even = { 0 }, odd = { 0 };

	for (; len >= STEP; src += STEP, len -= STEP) {
		lanes one, two;

		memcpy(&one, src, sizeof(one));
		memcpy(&two, src + sizeof(one), sizeof(two));
		if (dst) {
			memcpy(dst, &one, sizeof(one));
			memcpy(dst + sizeof(one), &two, sizeof(two));
			dst += STEP;
		}
		even += (one & low) + (two & low);
		odd += (one >> 32) + (two >> 32);
	}
	if (dst)
		memcpy(dst, src, len);
	even += odd;
	return add_rest((even[0] & 0xffffffff) + (even[0] >> 32) + even[1], src, len);
}

uint32_t checksum_add(uint32_t sum, const uint8_t *p, size_t len)
{
	return sum + fold_to_network(add_all(NULL, p, len));
}

uint32_t checksum_copy(uint32_t sum, uint8_t *dst, const uint8_t *src, size_t len)
{
	return sum + fold_to_network(add_all(dst, src, len));
}
