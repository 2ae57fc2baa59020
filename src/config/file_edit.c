#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rows.h"
#include "base/utf8.h"
#include "config/file.h"
#include "config/file_private.h"
#include "config/line.h"
#include "config/value.h"

/* A tab is harmless inside a command, and commands come with tabs. */
static bool has_control(const char *text, bool tabs)
{
	const size_t len = strlen(text);
	uint32_t code;

	for (size_t i = 0; i < len;) {
		i += utf8_next(text + i, len - i, &code);
		if (utf8_is_control(code) && !(tabs && code == '\t'))
			return true;
	}
	return false;
}

static bool is_trimmed(const char *text)
{
	const size_t len = strlen(text);

	return len && !value_is_blank(text[0]) && !value_is_blank(text[len - 1]);
}

bool file_text_is_safe(enum keys_id id, const char *text)
{
	const unsigned int flags = keys_row(id)->flags;

	return is_trimmed(text) && !has_control(text, flags & KEYS_HOOK) &&
	       ((flags & KEYS_TO_END) || !strchr(text, '#'));
}

static void free_text(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
}

/* Room for all that one edit adds, so that it cannot fail halfway. */
static bool reserve(struct config_file *f)
{
	return rows_grow((void **)&f->texts, sizeof(*f->texts), f->text_count, &f->text_room) &&
	       rows_grow((void **)&f->lines, sizeof(*f->lines), f->line_count, &f->line_room) &&
	       rows_grow((void **)&f->sections, sizeof(*f->sections), f->section_count,
			 &f->section_room);
}

static void index_again(struct config_file *f)
{
	const bool done = file_index(f);

	assert(done); /* there is room for as many sections as before and one more */
	(void)done;   /* without assertions nobody reads it */
}

/* NULL: out of memory. */
static char *join(const char *a, size_t alen, const char *b, const char *c, size_t clen)
{
	const size_t blen = strlen(b);
	char *all = malloc(alen + blen + clen + 1);

	if (!all)
		return NULL;
	memcpy(all, a, alen);
	memcpy(all + alen, b, blen);
	memcpy(all + alen + blen, c, clen);
	all[alen + blen + clen] = '\0';
	return all;
}

/* A line of this text, if it means what it should. */
static bool scan_new(char *text, enum file_kind kind, enum keys_id id, struct file_line *ret)
{
	const size_t len = strlen(text);

	*ret = (struct file_line){ .text = text, .len = (uint32_t)len, .changed = true };
	if (len > FILE_SIZE_MAX)
		return false;
	line_scan(ret);
	return ret->kind == kind && ret->id == id;
}

static bool value_is(const struct file_line *l, const char *value)
{
	return l->value.len == strlen(value) &&
	       memcmp(l->text + l->value.at, value, l->value.len) == 0;
}

/* The last line may have no end yet; a CR that stands there becomes a part of it. */
static void end_line(struct file_line *l, uint8_t end)
{
	if (l->end)
		return;
	l->end = end;
	if (l->len && l->text[l->len - 1] == '\r') {
		--l->len;
		l->end = 2;
		line_scan(l);
	}
}

/* Takes the text, also when it fails. `value` is what must be read from it, or NULL. */
static int place_line(struct config_file *f, size_t at, char *text, enum file_kind kind,
		      enum keys_id id, const char *value)
{
	const uint8_t end = f->crlf ? 2 : 1;
	struct file_line l;
	int error = -ENOMEM;

	if (!text || !reserve(f))
		goto failed;
	error = -EINVAL;
	if (!scan_new(text, kind, id, &l) || (value && !value_is(&l, value)))
		goto failed;
	if (at > 0)
		end_line(&f->lines[at - 1], end);
	l.end = end;
	memmove(&f->lines[at + 1], &f->lines[at], (f->line_count - at) * sizeof(l));
	f->lines[at] = l;
	++f->line_count;
	f->texts[f->text_count++] = text;
	index_again(f);
	return 0;
failed:
	free_text(text);
	return error;
}

int file_set_value(struct config_file *f, size_t line, const char *value)
{
	struct file_line *l = &f->lines[line];
	const uint32_t end = l->value.at + l->value.len;
	struct file_line changed;
	char *text;

	assert(line < f->line_count);
	if ((l->kind != FILE_ENTRY && l->kind != FILE_OWN) || !file_text_is_safe(l->id, value))
		return -EINVAL;
	text = join(l->text, l->value.at, value, l->text + end, l->len - end);
	if (!text || !reserve(f)) {
		free_text(text);
		return -ENOMEM;
	}
	l = &f->lines[line]; /* reserve may have moved it */
	if (!scan_new(text, l->kind, l->id, &changed) || !value_is(&changed, value)) {
		free_text(text);
		return -EINVAL;
	}
	changed.end = l->end;
	changed.section = l->section;
	*l = changed;
	f->texts[f->text_count++] = text;
	return 0;
}

int file_insert(struct config_file *f, size_t line, enum keys_id id, const char *value)
{
	const struct keys_row *row = keys_row(id);
	const bool own = row->owner == KEYS_OF_WARREN;
	char head[64] = "";

	assert(line <= f->line_count);
	if (id == KEYS_UNKNOWN || !file_text_is_safe(id, value))
		return -EINVAL;
	(void)snprintf(head, sizeof(head), "%s%s = ", own ? "#: " : "", row->name); /* fits */
	return place_line(f, line, join(head, strlen(head), value, "", 0),
			  own ? FILE_OWN : FILE_ENTRY, id, value);
}

int file_add(struct config_file *f, size_t section, enum keys_id id, const char *value)
{
	size_t at;

	assert(section < f->section_count);
	if (f->sections[section].kind != keys_row(id)->section)
		return -EINVAL;
	at = f->sections[section].end;
	while (at > f->sections[section].first + 1 &&
	       (f->lines[at - 1].kind == FILE_BLANK || f->lines[at - 1].kind == FILE_COMMENT))
		--at;
	return file_insert(f, at, id, value);
}

int file_insert_comment(struct config_file *f, size_t line, const char *text)
{
	assert(line <= f->line_count);
	if (!is_trimmed(text) || has_control(text, false))
		return -EINVAL;
	return place_line(f, line, join("# ", 2, text, "", 0), FILE_COMMENT, KEYS_UNKNOWN, NULL);
}

static void remove_lines(struct config_file *f, size_t first, size_t end)
{
	memmove(&f->lines[first], &f->lines[end], (f->line_count - end) * sizeof(*f->lines));
	f->line_count -= end - first;
	index_again(f);
}

int file_add_section(struct config_file *f, enum keys_section kind, size_t *ret_section)
{
	const size_t before = f->line_count;
	int error = 0;

	assert(kind == KEYS_INTERFACE || kind == KEYS_PEER);
	if (before && f->lines[before - 1].kind != FILE_BLANK)
		error = place_line(f, before, strdup(""), FILE_BLANK, KEYS_UNKNOWN, NULL);
	if (!error)
		error = place_line(f, f->line_count, strdup(keys_section_name(kind)), FILE_SECTION,
				   KEYS_UNKNOWN, NULL);
	if (!error)
		*ret_section = f->section_count - 1;
	else if (f->line_count > before)
		remove_lines(f, before, before + 1);
	return error;
}

void file_remove(struct config_file *f, size_t line)
{
	assert(line < f->line_count);
	remove_lines(f, line, line + 1);
}

void file_remove_section(struct config_file *f, size_t section)
{
	assert(section > 0 && section < f->section_count);
	remove_lines(f, f->sections[section].first, f->sections[section].end);
}
