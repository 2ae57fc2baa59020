#include "cli/out.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/write_all.h"

enum { OUT_PIECE = 64 * 1024, OUT_LINE = 512 };

void out_init(struct out *o, int fd)
{
	*o = (struct out){ .fd = fd };
	buffer_init(&o->text);
}

static void flush(struct out *o)
{
	if (!o->error && !buffer_ok(&o->text))
		o->error = -ENOMEM;
	if (!o->error)
		o->error = write_all(o->fd, o->text.bytes, o->text.len);
	o->text.len = 0; /* what it held is written over, or wiped at the end */
}

static void put(struct out *o, const char *bytes, size_t len)
{
	buffer_append(&o->text, bytes, len);
	if (o->fd >= 0 && o->text.len >= OUT_PIECE)
		flush(o);
}

void out_text(struct out *o, const char *text)
{
	put(o, text, strlen(text));
}

void out_printf(struct out *o, const char *format, ...)
{
	char line[OUT_LINE];
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (len < 0 || (size_t)len >= sizeof(line)) {
		o->text.failed = true; /* our callers print short things */
		return;
	}
	put(o, line, (size_t)len);
	explicit_bzero(line, (size_t)len);
}

void out_uint(struct out *o, uint64_t value)
{
	char digits[20];
	size_t at = sizeof(digits);

	do
		digits[--at] = (char)('0' + value % 10);
	while (value /= 10);
	put(o, digits + at, sizeof(digits) - at);
}

int out_done(struct out *o)
{
	int error;

	if (o->fd >= 0)
		flush(o);
	error = o->error;
	buffer_done(&o->text);
	return error;
}

int out_end(struct out *o, const char *program, int code)
{
	const int error = out_done(o);

	if (!error)
		return code;
	fprintf(stderr, "%s: cannot write to standard output: %s\n", program, strerror(-error));
	return EXIT_FAILURE;
}
