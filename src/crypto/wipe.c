#include <string.h>

#include "crypto/crypto.h"

void crypto_wipe(void *secret, size_t len)
{
	if (len > 0)
		explicit_bzero(secret, len);
}
