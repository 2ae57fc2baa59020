#include "cli/json_out.h"

#include <stddef.h>

static void put_comma(struct json_out *j)
{
	if (j->needs_comma)
		out_text(j->out, ",");
	j->needs_comma = false;
}

void json_out_open(struct json_out *j, char bracket)
{
	const char text[] = { bracket, '\0' };

	put_comma(j);
	out_text(j->out, text);
}

void json_out_close(struct json_out *j, char bracket)
{
	const char text[] = { bracket, '\0' };

	out_text(j->out, text);
	j->needs_comma = true;
}

/* How many bytes a character of UTF-8 has that begins here; 0: it is none. */
static size_t utf8_len(const unsigned char *s)
{
	const size_t len = s[0] < 0x80   ? 1
			   : s[0] < 0xc2 ? 0
			   : s[0] < 0xe0 ? 2
			   : s[0] < 0xf0 ? 3
					 : 4;

	for (size_t i = 1; i < len; ++i)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f) || s[0] > 0xf4)
		return 0;
	return len;
}

static void put_char(struct json_out *j, const unsigned char *s, size_t len)
{
	char text[5] = { 0 };

	for (size_t i = 0; i < len; ++i)
		text[i] = (char)s[i];
	if (s[0] == '"' || s[0] == '\\')
		out_text(j->out, "\\");
	out_text(j->out, text);
}

static void put_string(struct json_out *j, const char *text)
{
	const unsigned char *s = (const unsigned char *)text;

	out_text(j->out, "\"");
	while (*s) {
		const size_t len = utf8_len(s);

		if (!len)
			out_text(j->out, "\xef\xbf\xbd");
		else if (*s < 0x20 || *s == 0x7f)
			out_printf(j->out, "\\u%04x", *s);
		else
			put_char(j, s, len);
		s += len ? len : 1;
	}
	out_text(j->out, "\"");
}

void json_out_name(struct json_out *j, const char *name)
{
	put_comma(j);
	put_string(j, name);
	out_text(j->out, ":");
}

void json_out_text(struct json_out *j, const char *text)
{
	put_comma(j);
	put_string(j, text);
	j->needs_comma = true;
}

void json_out_uint(struct json_out *j, uint64_t value)
{
	put_comma(j);
	out_uint(j->out, value);
	j->needs_comma = true;
}

void json_out_true(struct json_out *j)
{
	put_comma(j);
	out_text(j->out, "true");
	j->needs_comma = true;
}
