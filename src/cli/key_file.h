#ifndef CLI_KEY_FILE_H
#define CLI_KEY_FILE_H

#include "base/attr.h"
#include "base/key.h"

/*
 * Keys in files. What goes wrong is said on standard error and never quotes a key.
 */

/* A new file, 0600 from its first byte; never over an old one or through a link. 0, or 1. */
MUST_CHECK int key_file_write(const char *path, const uint8_t key[static KEY_LEN]);

enum key_file_error {
	KEY_FILE_OK,
	KEY_FILE_NO_OPEN,  /* errno */
	KEY_FILE_LENGTH,   /* fewer than 44 characters */
	KEY_FILE_TRAILING, /* *ret_trailing is more than white space behind them */
	KEY_FILE_NO_READ,  /* errno */
	KEY_FILE_FORMAT,   /* no key */
};

/* As wg set reads one: 44 characters and white space; an empty file is a key of zeros. */
MUST_CHECK enum key_file_error key_file_read(const char *path, uint8_t ret[static KEY_LEN],
					     char *ret_trailing);

#endif
