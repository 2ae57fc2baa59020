#ifndef CIPHER_CHOICE_H
#define CIPHER_CHOICE_H

#include <stdlib.h>

#include "crypto/crypto.h"

/* For the one helper of a program that includes this. */

/* tools/run-tests runs us once more with the other code behind the packet path. */
static __attribute__((constructor)) void choose_cipher(void)
{
	const char *name = getenv("WARREN_TEST_CIPHER");
	enum crypto_cipher cipher;

	if (name && (!crypto_cipher_from_name(name, &cipher) ||
		     crypto_choose_cipher(cipher) != CRYPTO_CHOSEN))
		abort();
}

#endif
