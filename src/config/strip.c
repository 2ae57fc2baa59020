#include "config/strip.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "base/bytes.h"
#include "config/value.h"

struct piece {
	const char *text;
	size_t len;
};

/* As read(1) of bash: spaces and tabs. */
static struct piece trim_line(struct piece p)
{
	while (p.len && (*p.text == ' ' || *p.text == '\t')) {
		++p.text;
		--p.len;
	}
	while (p.len && (p.text[p.len - 1] == ' ' || p.text[p.len - 1] == '\t'))
		--p.len;
	return p;
}

static struct piece trim(struct piece p)
{
	while (p.len && value_is_blank(*p.text)) {
		++p.text;
		--p.len;
	}
	while (p.len && value_is_blank(p.text[p.len - 1]))
		--p.len;
	return p;
}

/* What stands before a character; all of it where there is none. */
static struct piece before(struct piece p, char c)
{
	const char *found = p.len ? memchr(p.text, c, p.len) : NULL;

	return (struct piece){ p.text, found ? (size_t)(found - p.text) : p.len };
}

static struct piece behind(struct piece p, char c)
{
	const struct piece head = before(p, c);

	if (head.len == p.len)
		return p;
	return (struct piece){ p.text + head.len + 1, p.len - head.len - 1 };
}

static bool is_word(struct piece p, const char *word)
{
	return p.len == strlen(word) && strncasecmp(p.text, word, p.len) == 0;
}

static bool is_quick_key(struct piece key)
{
	static const char *const keys[] = { "Address", "MTU",    "DNS",      "Table",     "PreUp",
					    "PreDown", "PostUp", "PostDown", "SaveConfig" };

	for (size_t i = 0; i < ELEMENTS(keys); ++i)
		if (is_word(key, keys[i]))
			return true;
	return false;
}

struct strip {
	struct buffer *b;
	bool in_interface;
	size_t line;
};

/* A NUL is nothing to bash. */
static void append_line(struct strip *s, struct piece line)
{
	while (line.len) {
		const struct piece run = before(line, '\0');

		buffer_append(s->b, run.text, run.len);
		line = run.len == line.len ? (struct piece){ 0 } : behind(line, '\0');
	}
	buffer_append(s->b, "\n", 1);
}

static bool take_line(struct strip *s, struct piece line, struct strip_wrong *ret_wrong)
{
	const struct piece plain = before(line, '#');
	const struct piece key = trim(before(plain, '='));
	const struct piece value = trim(behind(plain, '='));

	if (key.len && key.text[0] == '[')
		s->in_interface = is_word(key, "[Interface]");
	if (!s->in_interface || !is_quick_key(key)) {
		append_line(s, line);
		return true;
	}
	if (!is_word(key, "SaveConfig") || is_word(value, "true") || is_word(value, "false"))
		return true;
	*ret_wrong = (struct strip_wrong){ value.text, value.len, s->line };
	return false;
}

enum strip_outcome strip_bytes(const char *bytes, size_t len, struct buffer *b,
			       struct strip_wrong *ret_wrong)
{
	struct strip s = { .b = b };
	struct piece rest = { bytes, len };

	while (rest.len) {
		const struct piece whole = before(rest, '\n');
		const struct piece line = trim_line(whole);
		const bool ended = whole.len < rest.len;

		++s.line;
		rest = ended ? behind(rest, '\n') : (struct piece){ 0 };
		if ((ended || line.len) && !take_line(&s, line, ret_wrong))
			return STRIP_SAVE_CONFIG;
	}
	return buffer_ok(b) ? STRIP_DONE : STRIP_MEMORY;
}
