#include "config/file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/rows.h"
#include "config/file_private.h"
#include "config/line.h"
#include "config/value.h"

enum { READ_MIN = 4096, BOM_LEN = 3 };
static const char bom[] = "\xef\xbb\xbf";

static void wipe_and_free(char *bytes, size_t len)
{
	if (bytes)
		explicit_bzero(bytes, len);
	free(bytes);
}

/* From `text` to the next "\n", which it does not hold. */
static struct file_line cut_line(const char *text, size_t len)
{
	const char *newline = memchr(text, '\n', len);
	size_t n = newline ? (size_t)(newline - text) : len;
	struct file_line l = { .text = text, .end = newline != NULL };

	if (newline && n && text[n - 1] == '\r') {
		--n;
		l.end = 2;
	}
	l.len = (uint32_t)n;
	return l;
}

static bool cut_lines(struct config_file *f)
{
	size_t at = f->bom ? BOM_LEN : 0, with_cr = 0;

	while (at < f->len) {
		struct file_line l = cut_line(f->bytes + at, f->len - at);

		if (!rows_grow((void **)&f->lines, sizeof(l), f->line_count, &f->line_room))
			return false;
		line_scan(&l);
		at += l.len + l.end;
		with_cr += l.end == 2;
		f->lines[f->line_count++] = l;
	}
	f->crlf = with_cr > f->line_count / 2;
	return true;
}

/* One section, from its first line or the beginning; the one before it ends there. */
static bool open_section(struct config_file *f, enum keys_section kind, size_t first)
{
	if (!rows_grow((void **)&f->sections, sizeof(*f->sections), f->section_count,
		       &f->section_room))
		return false;
	f->sections[f->section_count++] = (struct file_section){ .kind = kind, .first = first };
	return true;
}

bool file_index(struct config_file *f)
{
	f->section_count = 0;
	if (!open_section(f, KEYS_NO_SECTION, 0))
		return false;
	for (size_t i = 0; i < f->line_count; ++i) {
		struct file_line *l = &f->lines[i];

		if (l->kind == FILE_SECTION) {
			f->sections[f->section_count - 1].end = i;
			if (!open_section(f, line_section(l), i))
				return false;
		}
		l->section = (uint32_t)f->section_count - 1;
	}
	f->sections[f->section_count - 1].end = f->line_count;
	return true;
}

/* Takes the bytes, also when it fails. */
static int parse_taken(struct config_file *f, const char *path, char *bytes, size_t len)
{
	*f = (struct config_file){ .bytes = bytes, .len = len };
	f->path = strdup(path);
	f->bom = len >= BOM_LEN && memcmp(bytes, bom, BOM_LEN) == 0;
	if (f->path && cut_lines(f) && file_index(f))
		return 0;
	file_done(f);
	return -ENOMEM;
}

int file_parse(struct config_file *f, const char *path, const char *bytes, size_t len)
{
	char *copy;

	*f = (struct config_file){ 0 };
	if (len > FILE_SIZE_MAX)
		return -EFBIG;
	copy = malloc(len + 1);
	if (!copy)
		return -ENOMEM;
	if (len)
		memcpy(copy, bytes, len);
	return parse_taken(f, path, copy, len);
}

/* Not realloc: it may leave a copy of a key behind. */
static bool make_room(char **bytes, size_t len, size_t *room)
{
	char *moved;

	if (len < *room)
		return true;
	moved = malloc(2 * *room);
	if (!moved)
		return false;
	memcpy(moved, *bytes, len);
	wipe_and_free(*bytes, *room);
	*bytes = moved;
	*room *= 2;
	return true;
}

/* All that fd has, room for one byte more than it seems: that is how the end shows. */
static int read_all(int fd, char **ret, size_t *ret_len)
{
	struct stat st;
	size_t room = READ_MIN, len = 0;
	char *bytes;
	ssize_t n;

	if (fstat(fd, &st) == 0 && st.st_size >= READ_MIN && st.st_size <= FILE_SIZE_MAX)
		room = (size_t)st.st_size + 1;
	bytes = malloc(room);
	if (!bytes)
		return -ENOMEM;
	do {
		n = -1;
		errno = len > FILE_SIZE_MAX ? EFBIG : ENOMEM;
		if (len > FILE_SIZE_MAX || !make_room(&bytes, len, &room))
			break;
		n = read(fd, bytes + len, room - len);
		len += n > 0 ? (size_t)n : 0;
	} while (n > 0 || (n < 0 && errno == EINTR));
	if (n < 0) {
		n = -errno;
		wipe_and_free(bytes, room);
		return (int)n;
	}
	*ret = bytes;
	*ret_len = len;
	return 0;
}

int file_load(struct config_file *f, const char *path)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	char *bytes = NULL;
	size_t len = 0;
	int error;

	*f = (struct config_file){ 0 };
	if (fd < 0)
		return -errno;
	error = read_all(fd, &bytes, &len);
	(void)close(fd); /* only read */
	return error ? error : parse_taken(f, path, bytes, len);
}

void file_done(struct config_file *f)
{
	for (size_t i = 0; i < f->text_count; ++i)
		wipe_and_free(f->texts[i], strlen(f->texts[i]));
	wipe_and_free(f->bytes, f->len);
	free(f->texts);
	free(f->lines);
	free(f->sections);
	free(f->path);
	*f = (struct config_file){ 0 };
}

void file_write(const struct config_file *f, struct buffer *b)
{
	static const char ends[] = "\r\n";

	if (f->bom)
		buffer_append(b, bom, BOM_LEN);
	for (size_t i = 0; i < f->line_count; ++i) {
		const struct file_line *l = &f->lines[i];

		buffer_append(b, l->text, l->len);
		buffer_append(b, ends + 2 - l->end, l->end);
	}
}

const char *file_value(const struct file_line *l, size_t *ret_len)
{
	*ret_len = l->value.len;
	return l->value.len ? l->text + l->value.at : NULL;
}

/* Up to a comment, or to a NUL, which ends a line for C. */
static size_t length_for_wg(const struct file_line *l)
{
	const char *hash = l->len ? memchr(l->text, '#', l->len) : NULL;
	const size_t len = hash ? (size_t)(hash - l->text) : l->len;

	return strnlen(l->text, len);
}

void file_stripped(const struct file_line *l, struct buffer *b)
{
	const size_t len = length_for_wg(l);
	size_t at = 0, end;

	while (at < len) {
		while (at < len && value_is_blank(l->text[at]))
			++at;
		for (end = at; end < len && !value_is_blank(l->text[end]); ++end)
			;
		buffer_append(b, l->text + at, end - at);
		at = end;
	}
}

struct span file_span(const struct config_file *f, const struct file_line *l,
		      const struct file_slice *s)
{
	assert(l >= f->lines && l < f->lines + f->line_count);
	return (struct span){ .line = (unsigned int)(l - f->lines) + 1,
			      .column = s ? s->at + 1 : 0,
			      .length = s ? s->len : 0 };
}

size_t file_find(const struct config_file *f, size_t section, enum keys_id id)
{
	const struct file_section *s = &f->sections[section];

	assert(section < f->section_count);
	for (size_t i = s->end; i > s->first; --i) {
		if (f->lines[i - 1].id == id && f->lines[i - 1].kind != FILE_SECTION)
			return i - 1;
	}
	return f->line_count;
}
