#include "base/bytes.h"
#include "crypto/batch.h"

/* The barrier keeps the compiler from looking at one half first. */
bool batch_tag_matches(const uint8_t own[static CRYPTO_TAG], const uint8_t sent[static CRYPTO_TAG])
{
	uint64_t differ =
		(load64_le(own) ^ load64_le(sent)) | (load64_le(own + 8) ^ load64_le(sent + 8));

	__asm__("" : "+r"(differ));
	return 1 ^ (differ | (0 - differ)) >> 63;
}
