#include <string.h>

#include "base/bytes.h"
#include "crypto/crypto.h"

bool crypto_cipher_from_name(const char *name, enum crypto_cipher *ret)
{
	static const char *const names[] = {
		[CRYPTO_CIPHER_AUTO] = "auto",
		[CRYPTO_CIPHER_LIBCRYPTO] = "libcrypto",
		[CRYPTO_CIPHER_AVX2] = "avx2",
	};

	for (size_t i = 0; i < ELEMENTS(names); ++i)
		if (strcmp(name, names[i]) == 0) {
			*ret = (enum crypto_cipher)i;
			return true;
		}
	return false;
}
