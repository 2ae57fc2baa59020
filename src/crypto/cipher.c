#include <stdatomic.h>

#include "crypto/batch.h"

/* The door of the packet path: nothing but this file knows which code is behind it. */
static const struct batch *_Atomic chosen = &batch_libcrypto;

static const struct batch *current(void)
{
	return atomic_load_explicit(&chosen, memory_order_acquire);
}

static enum crypto_choice choose(const struct batch *b)
{
	if (!b->is_here())
		return CRYPTO_NOT_HERE;
	if (!batch_self_test(b))
		return CRYPTO_WRONG_ANSWERS;
	atomic_store_explicit(&chosen, b, memory_order_release);
	return CRYPTO_CHOSEN;
}

enum crypto_choice crypto_choose_cipher(enum crypto_cipher wanted)
{
	enum crypto_choice fast;

	if (wanted == CRYPTO_CIPHER_LIBCRYPTO)
		return choose(&batch_libcrypto);
	fast = choose(&batch_avx2);
	if (wanted == CRYPTO_CIPHER_AVX2 || fast == CRYPTO_CHOSEN)
		return fast;
	return choose(&batch_libcrypto) == CRYPTO_CHOSEN && fast == CRYPTO_NOT_HERE
		       ? CRYPTO_CHOSEN
		       : CRYPTO_WRONG_ANSWERS;
}

const char *crypto_cipher_name(void)
{
	return current()->name;
}

bool crypto_seal_batch(struct crypto_packet *packets, size_t n, const struct key_shared *key)
{
	return current()->seal(packets, n, key, 0);
}

void crypto_open_batch(struct crypto_packet *packets, size_t n, const struct key_shared *key)
{
	current()->open(packets, n, key, 0);
}
