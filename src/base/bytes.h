#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/*
 * Loads and stores at any alignment, and small arithmetic that every layer shares.
 * All inline: the pure core links nothing for it.
 */
#define ELEMENTS(array) (sizeof(array) / sizeof((array)[0]))

static inline uint16_t load16_be(const void *p)
{
	const uint8_t *b = p;

	return (uint16_t)(b[0] << 8 | b[1]);
}

static inline uint32_t load32_be(const void *p)
{
	const uint8_t *b = p;

	return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static inline uint64_t load64_be(const void *p)
{
	const uint8_t *b = p;

	return (uint64_t)load32_be(b) << 32 | load32_be(b + 4);
}

static inline uint32_t load32_le(const void *p)
{
	const uint8_t *b = p;

	return (uint32_t)b[3] << 24 | (uint32_t)b[2] << 16 | (uint32_t)b[1] << 8 | b[0];
}

static inline uint64_t load64_le(const void *p)
{
	const uint8_t *b = p;

	return (uint64_t)load32_le(b + 4) << 32 | load32_le(b);
}

static inline void store16_be(void *p, uint16_t v)
{
	uint8_t *b = p;

	b[0] = (uint8_t)(v >> 8);
	b[1] = (uint8_t)v;
}

static inline void store32_be(void *p, uint32_t v)
{
	uint8_t *b = p;

	store16_be(b, (uint16_t)(v >> 16));
	store16_be(b + 2, (uint16_t)v);
}

static inline void store64_be(void *p, uint64_t v)
{
	uint8_t *b = p;

	store32_be(b, (uint32_t)(v >> 32));
	store32_be(b + 4, (uint32_t)v);
}

static inline void store32_le(void *p, uint32_t v)
{
	uint8_t *b = p;

	b[0] = (uint8_t)v;
	b[1] = (uint8_t)(v >> 8);
	b[2] = (uint8_t)(v >> 16);
	b[3] = (uint8_t)(v >> 24);
}

static inline void store64_le(void *p, uint64_t v)
{
	uint8_t *b = p;

	store32_le(b, (uint32_t)v);
	store32_le(b + 4, (uint32_t)(v >> 32));
}

#endif
