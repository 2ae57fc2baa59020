#include "base/buffer.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROOM_MIN = 128 };

/* Not realloc: it may leave a copy of a key behind. */
static bool make_room(struct buffer *b, size_t more)
{
	size_t room = b->room ? b->room : ROOM_MIN;
	char *bytes;

	if (b->failed || more > PTRDIFF_MAX - b->len)
		goto failed;
	if (b->room - b->len >= more)
		return true;
	while (room - b->len < more)
		room *= 2;
	bytes = malloc(room);
	if (!bytes)
		goto failed;
	if (b->len)
		memcpy(bytes, b->bytes, b->len);
	if (b->bytes)
		explicit_bzero(b->bytes, b->room);
	free(b->bytes);
	b->bytes = bytes;
	b->room = room;
	return true;
failed:
	b->failed = true;
	return false;
}

void buffer_init(struct buffer *b)
{
	*b = (struct buffer){ 0 };
}

void buffer_done(struct buffer *b)
{
	if (b->bytes)
		explicit_bzero(b->bytes, b->room);
	free(b->bytes);
	buffer_init(b);
}

bool buffer_reserve(struct buffer *b, size_t more)
{
	return make_room(b, more);
}

void buffer_append(struct buffer *b, const void *bytes, size_t len)
{
	if (!len || !make_room(b, len))
		return;
	memcpy(b->bytes + b->len, bytes, len);
	b->len += len;
}

void buffer_printf(struct buffer *b, const char *format, ...)
{
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (len < 0)
		b->failed = true;
	if (len <= 0 || !make_room(b, (size_t)len + 1)) /* vsnprintf adds a NUL */
		return;
	va_start(args, format);
	(void)vsnprintf(b->bytes + b->len, (size_t)len + 1, format, args); /* same as before */
	va_end(args);
	b->len += (size_t)len;
}

bool buffer_ok(const struct buffer *b)
{
	return !b->failed;
}
