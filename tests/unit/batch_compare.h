#ifndef BATCH_COMPARE_H
#define BATCH_COMPARE_H

#include <stddef.h>
#include <stdint.h>

#include "crypto/batch.h"

/*
 * Random batches, lengths mostly 0 to 2048 and sometimes up to 65535, at every alignment, between
 * guard bytes, some tampered with: sealed as libsodium and libcrypto seal each, and opened so that
 * right packets are whole and wrong ones zero. Until so many packets were seen; says what differed
 * on standard error and aborts.
 */
void compare_batches(const struct batch *b, uint64_t seed, size_t packets);

#endif
