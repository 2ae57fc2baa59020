#include "config/reader.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "config/value.h"

struct diag *reader_complain(struct reader *r, enum complaint c, const struct span *at,
			     const char *format, ...)
{
	const struct complaint_row *row = complaint_row(c);
	char text[DIAG_TEXT];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args); /* cut if too long */
	va_end(args);
	return diags_add(r->d, row->severity, row->id, r->f->path, at, "%s", text);
}

struct span reader_span(const struct reader *r, const char *text, size_t len)
{
	const struct file_slice slice = { .at = (uint32_t)(text - r->line->text),
					  .len = (uint32_t)len };

	return file_span(r->f, r->line, &slice);
}

/* A key has 43 digits, and its pieces are secret too. */
enum { QUOTE_MAX = 40, RUN_MAX = 20 };

static bool is_digit_of_key(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_quotable(const char *text, size_t len)
{
	size_t run = 0;

	for (size_t i = 0; i < len; ++i) {
		run = is_digit_of_key(text[i]) ? run + 1 : 0;
		if (run > RUN_MAX || (!run && (!text[i] || !strchr(".:/%[]_-, ", text[i]))))
			return false;
	}
	return len > 0 && len <= QUOTE_MAX;
}

const char *reader_quote(const char *text, size_t len, const char *instead,
			 char ret[static READER_QUOTE])
{
	if (!is_quotable(text, len))
		return instead;
	(void)snprintf(ret, READER_QUOTE, "'%.*s'", (int)len, text); /* fits */
	return ret;
}

void reader_check(struct reader *r, bool done)
{
	if (!done)
		r->failed = true;
}

static bool begins_with_quote(const char *text, size_t len)
{
	static const char *const quotes[] = { "\"", "'", "`", "\xe2\x80\x9c", "\xe2\x80\x98" };

	for (size_t i = 0; i < ELEMENTS(quotes); ++i) {
		const size_t n = strlen(quotes[i]);

		if (len >= n && memcmp(text, quotes[i], n) == 0)
			return true;
	}
	return false;
}

static bool has_one_of(const char *text, size_t len, const char *set)
{
	for (size_t i = 0; i < len; ++i) {
		if (text[i] && strchr(set, text[i]))
			return true;
	}
	return false;
}

bool reader_is_template(struct reader *r, enum complaint c, const struct reader_value *v)
{
	const struct span at = reader_span(r, v->text, v->len);

	if (begins_with_quote(v->text, v->len)) {
		diag_hint(reader_complain(r, c, &at, "%s: the value is in quotes", v->row->name),
			  "remove the quotes: values stand without");
		return true;
	}
	if (has_one_of(v->text, v->len, "<>{}$")) {
		diag_hint(reader_complain(r, COMPLAINT_PLACEHOLDER, &at,
					  "%s: this is a placeholder", v->row->name),
			  "put the real value in its place");
		return true;
	}
	return false;
}
