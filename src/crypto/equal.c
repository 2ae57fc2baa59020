#include "crypto/crypto.h"

/* Volatile, so that no compiler proves the answer known half way and leaves the loop. */
bool crypto_equal(const void *a, const void *b, size_t len)
{
	const volatile uint8_t *p = a, *q = b;
	uint32_t differ = 0;

	for (size_t i = 0; i < len; ++i)
		differ |= (uint32_t)(p[i] ^ q[i]);
	return (differ - 1) >> 31;
}

bool crypto_is_zero(const void *a, size_t len)
{
	const volatile uint8_t *p = a;
	uint32_t all = 0;

	for (size_t i = 0; i < len; ++i)
		all |= p[i];
	return (all - 1) >> 31;
}
