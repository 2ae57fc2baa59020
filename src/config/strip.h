#ifndef CONFIG_STRIP_H
#define CONFIG_STRIP_H

#include <stddef.h>

#include "base/attr.h"
#include "base/buffer.h"

/*
 * What `wg-quick strip` prints: the lines that it leaves to wg, by its own way of reading, which is
 * not ours (behaviour.md D.1): it compares keys before it looks for "=", it knows no blanks inside
 * "[Interface]", and it trims spaces and tabs from lines. Pure.
 */
enum strip_outcome {
	STRIP_DONE,
	STRIP_SAVE_CONFIG, /* neither true nor false: wg-quick ends there */
	STRIP_MEMORY,
};

struct strip_wrong { /* the value of SaveConfig, and its line from 1 */
	const char *value;
	size_t len;
	size_t line;
};

/* Appends to b. ret_wrong, into bytes, is set with STRIP_SAVE_CONFIG only. */
MUST_CHECK enum strip_outcome strip_bytes(const char *bytes, size_t len, struct buffer *b,
					  struct strip_wrong *ret_wrong);

#endif
