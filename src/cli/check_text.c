#include <string.h>

#include "base/bytes.h"
#include "cli/check_out.h"

/* What people read: place, severity, cause, the line with a caret, fix. */

enum { SHOWN = 110 }; /* bytes of a long line around the caret */

static const char *tint(bool colour, const struct finding *f)
{
	if (!colour)
		return "";
	switch (f->severity) {
	case DIAG_ERROR:
		return "\33[1;31m";
	case DIAG_WARNING:
		return "\33[1;33m";
	case DIAG_NOTE:
	case DIAG_NONE:
		break;
	}
	return "\33[1;36m";
}

static const char *plain(bool colour)
{
	return colour ? "\33[0m" : "";
}

/* Names of files come from whoever named them, and stand in the words of findings too. */
void check_print_plain(const char *name, struct out *o)
{
	struct buffer b;

	buffer_init(&b);
	buffer_append(&b, name, strlen(name) + 1);
	if (buffer_ok(&b)) {
		check_disarm(b.bytes, b.len - 1);
		out_text(o, b.bytes);
	}
	buffer_done(&b);
}

static void print_place(const struct place *at, struct out *o)
{
	check_print_plain(at->file, o);
	if (at->line)
		out_printf(o, ":%u", at->line);
	if (at->line && at->column)
		out_printf(o, ":%u", at->column);
}

static bool continues(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80; /* in the middle of a character of UTF-8 */
}

static void print_caret(const char *text, size_t before, size_t len, struct out *o)
{
	for (size_t i = 0; i < before; ++i)
		if (!continues(text[i]))
			out_text(o, text[i] == '\t' ? "\t" : " ");
	out_text(o, "^");
	for (size_t i = 1; i < len; ++i)
		if (!continues(text[before + i]))
			out_text(o, "~");
}

/* Shorter than SHOWN, or the piece that begins a little before the caret. */
static void print_source(const struct check_run *r, const struct finding *f, bool colour,
			 struct out *o)
{
	const struct file_line *l = check_run_line(r, &f->at);
	size_t from = 0, len, before, marked;
	struct buffer b;

	if (!l)
		return;
	buffer_init(&b);
	check_masked(l, &b);
	before = f->at.column && f->at.column <= b.len ? f->at.column - 1 : 0;
	while (!f->at.column && before < b.len &&
	       (b.bytes[before] == ' ' || b.bytes[before] == '\t'))
		++before;
	if (before > SHOWN / 2)
		from = before - SHOWN / 2;
	while (from < before && continues(b.bytes[from]))
		++from;
	len = b.len - from < SHOWN ? b.len - from : SHOWN;
	for (size_t i = 0; i < 3 && from + len < b.len && continues(b.bytes[from + len]); ++i)
		++len;
	marked = f->at.column && f->at.length ? f->at.length : b.len - before;
	if (marked > from + len - before)
		marked = from + len - before;
	if (buffer_ok(&b) && b.len > 0) {
		out_printf(o, "%5u | %s%.*s%s\n      | %s", f->at.line, from ? "..." : "", (int)len,
			   b.bytes + from, from + len < b.len ? "..." : "", from ? "   " : "");
		out_text(o, tint(colour, f));
		print_caret(b.bytes + from, before - from, marked ? marked : 1, o);
		out_printf(o, "%s\n", plain(colour));
	}
	buffer_done(&b);
}

static void print_finding(const struct check_run *r, const struct finding *f, bool colour,
			  struct out *o)
{
	out_text(o, colour ? "\33[1m" : "");
	print_place(&f->at, o);
	out_printf(o, ":%s %s%s:%s ", plain(colour), tint(colour, f), check_severity_name(f),
		   plain(colour));
	check_print_plain(f->cause ? f->cause : "", o);
	out_printf(o, " [%s]\n", f->id);
	print_source(r, f, colour, o);
	if (f->related.file) {
		out_text(o, "      = see ");
		print_place(&f->related, o);
		out_text(o, "\n");
	}
	if (f->fix && f->fix[0]) {
		out_text(o, "      = fix: ");
		check_print_plain(f->fix, o);
		out_text(o, "\n");
	}
}

static void print_count(size_t count, const char *what, struct out *o)
{
	out_printf(o, "%zu %s%s", count, what, count == 1 ? "" : "s");
}

void check_print_text(const struct check_run *r, bool colour, struct out *o)
{
	const struct findings *f = &r->findings;

	for (size_t i = 0; i < f->count; ++i)
		print_finding(r, &f->items[i], colour, o);
	print_count(findings_count(f, DIAG_ERROR), "error", o);
	out_text(o, ", ");
	print_count(findings_count(f, DIAG_WARNING), "warning", o);
	out_text(o, ", ");
	print_count(findings_count(f, DIAG_NOTE), "note", o);
	out_text(o, " in ");
	print_count(r->set.count, "file", o);
	if (r->left_out)
		out_printf(o, ", and %zu more that are not shown", r->left_out);
	out_text(o, f->count ? "; `warren why ID' tells more\n" : "\n");
}
