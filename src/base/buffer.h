#ifndef BASE_BUFFER_H
#define BASE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

/*
 * A growing run of bytes for text that may hold keys: every move and the end wipe what they leave
 * behind. Running out of memory is remembered, not reported at each append: ask buffer_ok once at
 * the end.
 */
struct buffer {
	char *bytes; /* not NUL-terminated */
	size_t len;
	size_t room;
	bool failed;
};

void buffer_init(struct buffer *b);
void buffer_done(struct buffer *b); /* wipes; leaves an empty buffer */
void buffer_append(struct buffer *b, const void *bytes, size_t len);
/* Room for so many bytes more: appending them cannot fail then. False: out of memory. */
MUST_CHECK bool buffer_reserve(struct buffer *b, size_t more);
void buffer_printf(struct buffer *b, const char *format, ...) PRINTF(2, 3);
MUST_CHECK bool buffer_ok(const struct buffer *b);

#endif
