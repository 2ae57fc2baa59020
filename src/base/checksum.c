#include "base/checksum.h"

#include <stdbool.h>
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

/* Less than a step. Whether it is copied is known when this is compiled. */
ALWAYS_INLINE uint64_t add_rest(bool copies, uint8_t *dst, const uint8_t *src, size_t len)
{
	uint8_t padded[2] = { 0 };
	uint64_t sum = 0;
	uint32_t word;
	uint16_t half;
	size_t at = 0;

	for (; at + sizeof(word) <= len; at += sizeof(word)) {
		memcpy(&word, src + at, sizeof(word));
		if (copies)
			memcpy(dst + at, &word, sizeof(word));
		sum += word;
	}
	for (; at < len; at += sizeof(half)) {
		padded[0] = src[at];
		padded[1] = at + 1 < len ? src[at + 1] : 0;
		if (copies)
			memcpy(dst + at, padded, at + 1 < len ? sizeof(half) : 1);
		memcpy(&half, padded, sizeof(half));
		sum += half;
	}
	return sum;
}

ALWAYS_INLINE uint32_t add_all(bool copies, uint8_t *dst, const uint8_t *src, size_t len)
{
	const lanes low = { 0xffffffff, 0xffffffff };
	lanes even = { 0 }, odd = { 0 };
	size_t at = 0;

	for (; at + STEP <= len; at += STEP) {
		lanes one, two;

		memcpy(&one, src + at, sizeof(one));
		memcpy(&two, src + at + sizeof(one), sizeof(two));
		if (copies) {
			memcpy(dst + at, &one, sizeof(one));
			memcpy(dst + at + sizeof(one), &two, sizeof(two));
		}
		even += (one & low) + (two & low);
		odd += (one >> 32) + (two >> 32);
	}
	even += odd;
	return fold_to_network((even[0] & 0xffffffff) + (even[0] >> 32) + even[1] +
			       add_rest(copies, copies ? dst + at : NULL, src + at, len - at));
}

uint32_t checksum_add(uint32_t sum, const uint8_t *p, size_t len)
{
	return sum + add_all(false, NULL, p, len);
}

uint32_t checksum_copy(uint32_t sum, uint8_t *dst, const uint8_t *src, size_t len)
{
	return sum + add_all(true, dst, src, len);
}
