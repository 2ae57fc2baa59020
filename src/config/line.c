#include "config/line.h"

#include <string.h>

#include "config/value.h"

/* A part of the line without the blanks around it. */
static struct file_slice trimmed(const struct file_line *l, uint32_t at, uint32_t end)
{
	while (at < end && value_is_blank(l->text[at]))
		++at;
	while (end > at && value_is_blank(l->text[end - 1]))
		--end;
	return (struct file_slice){ .at = at, .len = end - at };
}

/* Where c comes first in a part of the line, or its end. */
static uint32_t find(const struct file_line *l, uint32_t at, uint32_t end, char c)
{
	const char *found = at < end ? memchr(l->text + at, c, end - at) : NULL;

	return found ? (uint32_t)(found - l->text) : end;
}

static void set_comment(struct file_line *l, uint32_t hash)
{
	if (hash < l->len)
		l->comment = trimmed(l, hash, l->len);
}

/* "Key = value # comment" from `at` on. */
static void scan_entry(struct file_line *l, uint32_t at, bool own)
{
	uint32_t hash = find(l, at, l->len, '#');
	const uint32_t equals = find(l, at, hash, '=');
	uint32_t value = equals < hash ? equals + 1 : hash;

	l->key = trimmed(l, at, equals);
	l->id = (uint8_t)keys_find(l->text + l->key.at, l->key.len, own);
	if (keys_row(l->id)->flags & KEYS_TO_END)
		hash = l->len;
	l->value = trimmed(l, value, hash);
	if (l->value.len == 0)
		l->value.at = value;
	set_comment(l, hash);
	l->kind = own ? FILE_OWN : equals < hash && l->key.len ? FILE_ENTRY : FILE_JUNK;
}

/* What stands between the brackets; false: there are none around it all. */
static bool find_name(const struct file_line *l, struct file_slice *ret)
{
	const struct file_slice all = trimmed(l, 0, find(l, 0, l->len, '#'));

	if (all.len < 2 || l->text[all.at + all.len - 1] != ']')
		return false;
	*ret = trimmed(l, all.at + 1, all.at + all.len - 1);
	return true;
}

/* "[Name] # comment"; what is not in brackets makes a section that nobody knows. */
static void scan_section(struct file_line *l)
{
	const uint32_t hash = find(l, 0, l->len, '#');

	l->kind = FILE_SECTION;
	if (!find_name(l, &l->key))
		l->key = trimmed(l, 0, hash);
	set_comment(l, hash);
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static uint32_t word_end(const struct file_line *l, uint32_t at)
{
	while (at < l->len && is_letter(l->text[at]))
		++at;
	return at;
}

/*
 * Does a word behind "#:" mean one of our keys? With '=' it always does: better an error about a
 * remark than a protection that is dropped in silence.
 */
static bool is_own(const struct file_line *l, uint32_t at)
{
	const uint32_t end = word_end(l, at);

	if (end == at)
		return false;
	return find(l, at, l->len, '=') < l->len ||
	       keys_nearest(l->text + at, end - at, true) != KEYS_UNKNOWN;
}

static void scan_comment(struct file_line *l, uint32_t at)
{
	uint32_t word = at + 2;

	if (at + 1 < l->len && l->text[at + 1] == ':') {
		while (word < l->len && value_is_blank(l->text[word]))
			++word;
		if (is_own(l, word)) {
			scan_entry(l, word, true);
			return;
		}
	}
	l->kind = FILE_COMMENT;
	set_comment(l, at);
}

void line_scan(struct file_line *l)
{
	const struct file_slice all = trimmed(l, 0, l->len);

	l->key = l->value = l->comment = (struct file_slice){ 0 };
	l->id = KEYS_UNKNOWN;
	if (all.len == 0)
		l->kind = FILE_BLANK;
	else if (l->text[all.at] == '#')
		scan_comment(l, all.at);
	else if (l->text[all.at] == '[')
		scan_section(l);
	else
		scan_entry(l, all.at, false);
}

enum keys_section line_section(const struct file_line *l)
{
	struct file_slice name;
	char word[16];
	size_t len;

	if (!find_name(l, &name) ||
	    !value_strip(l->text + name.at, name.len, word, sizeof(word), &len))
		return KEYS_OTHER_SECTION;
	if (value_equals(word, len, "Interface"))
		return KEYS_INTERFACE;
	if (value_equals(word, len, "Peer"))
		return KEYS_PEER;
	return KEYS_OTHER_SECTION;
}
