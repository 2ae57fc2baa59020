#ifndef BASE_KEY_H
#define BASE_KEY_H

#include <stdint.h>

/*
 * The three kinds of keys of WireGuard, distinct so that the compiler refuses a swap.
 * Whoever stores a private or shared one wipes it (crypto_wipe) when done.
 */
enum { KEY_LEN = 32 };

struct key_private { /* X25519 secret scalar, clamped where it enters the program */
	uint8_t bytes[KEY_LEN];
};

struct key_public { /* X25519 public value: not secret, names a peer */
	uint8_t bytes[KEY_LEN];
};

struct key_shared { /* symmetric: preshared key, transport key, result of a DH */
	uint8_t bytes[KEY_LEN];
};

#endif
