#ifndef DEVICE_MASK_H
#define DEVICE_MASK_H

#include <stdint.h>

#include "base/key.h"

/*
 * Secrets in the records (records.h) are masked: the file's pages can be swapped out, and only what
 * a process maps can be locked, which would make each engine bigger by the whole file. The mask's
 * key is made by the monitor and stays in memory that is locked (harden.h), so what a disk holds of
 * an old system is of no use. No two secrets have the same pad: the salt is of one record, and the
 * number is of one place in it (a record may name a peer twice). Pure.
 */
enum { MASK_SALT = 16 };

/* Mask it, or take the mask off. */
void mask_secret(const struct key_shared *key, const uint8_t salt[static MASK_SALT],
		 uint64_t number, uint8_t secret[static KEY_LEN]);

#endif
