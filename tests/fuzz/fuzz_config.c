/*
 * The input is a file. It must be written back byte for byte, whatever it is; places of diags lie
 * in it; and what it says, written canonically, must be read as the same. The first line's length
 * chooses an edit, after which the file must be read as what it is in memory.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config/tunnel_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void require(bool condition)
{
	if (!condition)
		__builtin_trap();
}

static void require_written(const struct config_file *f, const uint8_t *data, size_t len)
{
	struct buffer b;

	buffer_init(&b);
	file_write(f, &b);
	require(buffer_ok(&b) && b.len == len && (!len || memcmp(b.bytes, data, len) == 0));
	buffer_done(&b);
}

static void require_in_line(const struct file_line *l, const struct file_slice *s)
{
	require(s->at <= l->len && s->len <= l->len - s->at);
}

static void require_sections(const struct config_file *f)
{
	size_t line = 0;

	require(f->section_count > 0 && f->sections[0].kind == KEYS_NO_SECTION);
	for (size_t i = 0; i < f->section_count; ++i) {
		require(f->sections[i].first == line && f->sections[i].end >= line);
		require(i == 0 || f->lines[line].kind == FILE_SECTION);
		for (; line < f->sections[i].end; ++line)
			require(f->lines[line].section == i);
	}
	require(line == f->line_count);
}

static void require_lines(const struct config_file *f)
{
	for (size_t i = 0; i < f->line_count; ++i) {
		const struct file_line *l = &f->lines[i];

		require_in_line(l, &l->key);
		require_in_line(l, &l->value);
		require_in_line(l, &l->comment);
		require(l->id < KEYS_COUNT && l->kind <= FILE_JUNK);
		require(l->end || i + 1 == f->line_count);
	}
	require_sections(f);
}

static void require_places(const struct config_file *f, const struct diags *d)
{
	for (size_t i = 0; i < d->count; ++i) {
		const struct diag *row = &d->rows[i];

		require(row->id && row->text[0] && row->severity != DIAG_NONE);
		require(row->line >= 1 && (row->line <= f->line_count || f->line_count == 0));
		if (f->line_count && row->column)
			require(row->column - 1 + row->length <= f->lines[row->line - 1].len);
		for (const char *c = row->text; *c; ++c)
			require((unsigned char)*c >= 0x20 && *c != 0x7f);
	}
}

static void require_read_again(const struct tunnel *t)
{
	struct config_file f;
	struct tunnel again;
	struct diags d;
	struct buffer b;

	buffer_init(&b);
	require(tunnel_write(t, &b));
	require(file_parse(&f, t->path, b.bytes, b.len) == 0);
	diags_init(&d);
	require(tunnel_read(&f, &again, &d));
	require(tunnel_equal(t, &again));
	tunnel_done(&again);
	diags_done(&d);
	file_done(&f);
	buffer_done(&b);
}

static void require_same_lines(const struct config_file *a, const struct config_file *b)
{
	require(a->line_count == b->line_count && a->section_count == b->section_count);
	for (size_t i = 0; i < a->line_count; ++i) {
		const struct file_line *x = &a->lines[i], *y = &b->lines[i];

		require(x->kind == y->kind && x->id == y->id && x->section == y->section);
		require(x->len == y->len && memcmp(x->text, y->text, x->len) == 0);
	}
}

/* A piece of the file as a new value somewhere. */
static void edit(struct config_file *f, const uint8_t *data, size_t len)
{
	const size_t line = data[0] % f->line_count;
	const enum keys_id id = data[1] % KEYS_COUNT;
	const size_t n = data[2] % len;
	char text[256];
	int error;

	memcpy(text, data + len - n, n);
	text[n] = '\0';
	switch (data[3] % 6) {
	case 0:
		error = file_set_value(f, line, text);
		break;
	case 1:
		error = file_insert(f, line, id, text);
		break;
	case 2:
		error = file_add(f, data[0] % f->section_count, id, text);
		break;
	case 3:
		error = file_insert_comment(f, line, text);
		break;
	case 4:
		error = 0;
		file_remove(f, line);
		break;
	default:
		error = file_add_section(f, KEYS_PEER, &(size_t){ 0 });
	}
	(void)error; /* refused or not, the file is whole */
}

static void require_edited(struct config_file *f, const uint8_t *data, size_t len)
{
	struct config_file again;
	struct buffer b;

	if (len < 4 || !f->line_count)
		return;
	edit(f, data, len);
	require_lines(f);
	buffer_init(&b);
	file_write(f, &b);
	require(file_parse(&again, "", b.bytes, b.len) == 0);
	require_same_lines(f, &again);
	buffer_done(&b);
	file_done(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct config_file f;
	struct tunnel t;
	struct diags d;

	require(file_parse(&f, "/x/wg0.conf", (const char *)data, len) == 0);
	require_written(&f, data, len);
	require_lines(&f);
	diags_init(&d);
	require(tunnel_read(&f, &t, &d));
	require_places(&f, &d);
	require_read_again(&t);
	require_edited(&f, data, len);
	tunnel_done(&t);
	diags_done(&d);
	file_done(&f);
	return 0;
}
