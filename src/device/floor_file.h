#ifndef DEVICE_FLOOR_FILE_H
#define DEVICE_FLOOR_FILE_H

#include <stdint.h>

#include "base/attr.h"
#include "base/key.h"

/*
 * Where the stamp floor of a private key outlives the process (wg/stamp.h): DIR/stamp-HEX, HEX the
 * first 16 bytes of BLAKE2s of the public key, so that the file tells neither key nor interface.
 * One decimal line: ns since 1970. Written whole or not at all: temporary file 0600 (O_EXCL,
 * O_NOFOLLOW), synced, renamed, directory synced. An engine names the keys, and one that is not
 * itself any more could name any number of them: a directory of FLOOR_FILES_MAX files takes no new
 * one (-EDQUOT).
 */
enum { FLOOR_FILES_MAX = 4096 };

/* 0 where there is none, or what is there is no number (logged). */
uint64_t floor_file_read(const char *dir, const struct key_public *key);
MUST_CHECK int floor_file_write(const char *dir, const struct key_public *key,
				uint64_t floor); /* 0 or -errno; makes dir 0700 */

#endif
