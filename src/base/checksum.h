#ifndef BASE_CHECKSUM_H
#define BASE_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/*
 * The Internet checksum (RFC 1071): sum runs of bytes, each but the last of even length, then fold.
 * A sum is that of 16-bit words in network order, carries added back, so that numbers (a length, a
 * protocol) can be added to it as they are. One call adds at most 0xffff. Pure.
 */
uint32_t checksum_add(uint32_t sum, const uint8_t *p, size_t len);
/* The same, and copies: the bytes are touched once. No overlap. */
uint32_t checksum_copy(uint32_t sum, uint8_t *dst, const uint8_t *src, size_t len);

static inline uint16_t checksum_fold(uint32_t sum)
{
	sum = (sum >> 16) + (sum & 0xffff);
	sum = (sum >> 16) + (sum & 0xffff);
	return (uint16_t)~sum;
}

#endif
