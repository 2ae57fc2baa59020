#include "cli/check_fix.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/out.h"
#include "cli/replace_file.h"

/* The edits of one file, in the order of the findings: by place, never two at one. */
struct fix {
	const struct check_run *run;
	const struct config_file *file;
	const char *path;
	bool text; /* bytes change */
	bool mode; /* access changes */
};

static bool is_text_edit(const struct finding *f)
{
	return f->edit == EDIT_REPLACE || f->edit == EDIT_DROP_BOM;
}

static const struct finding *finding_of(const struct fix *x, size_t i)
{
	const struct finding *f = &x->run->findings.items[i];

	return f->at.file == x->path && f->edit != EDIT_NONE ? f : NULL;
}

static void look(struct fix *x)
{
	for (size_t i = 0; i < x->run->findings.count; ++i) {
		const struct finding *f = finding_of(x, i);

		x->text = x->text || (f && is_text_edit(f));
		x->mode = x->mode || (f && f->edit == EDIT_PRIVATE_MODE);
	}
}

static bool has_edit(const struct fix *x, unsigned int line)
{
	for (size_t i = 0; i < x->run->findings.count; ++i) {
		const struct finding *f = finding_of(x, i);

		if (f && ((f->edit == EDIT_REPLACE && f->at.line == line) ||
			  (f->edit == EDIT_DROP_BOM && line == 1)))
			return true;
	}
	return false;
}

/* The line of number `line` (from 1) as it will be, without its end. */
static void append_fixed(const struct fix *x, unsigned int line, const char *text, size_t len,
			 struct buffer *b)
{
	size_t at = 0;

	for (size_t i = 0; i < x->run->findings.count; ++i) {
		const struct finding *f = finding_of(x, i);

		if (!f || f->edit != EDIT_REPLACE || f->at.line != line || f->at.column - 1 < at ||
		    f->at.column - 1 + f->at.length > len)
			continue;
		buffer_append(b, text + at, f->at.column - 1 - at);
		buffer_append(b, f->text, strlen(f->text));
		at = f->at.column - 1 + f->at.length;
	}
	buffer_append(b, text + at, len - at);
}

static void append_end(const struct file_line *l, struct buffer *b)
{
	buffer_append(b, l->end == 2 ? "\r\n" : "\n", l->end);
}

static void fixed_bytes(const struct fix *x, struct buffer *b)
{
	const struct config_file *f = x->file;
	bool keeps_bom = f->bom;

	for (size_t i = 0; i < x->run->findings.count; ++i) {
		const struct finding *found = finding_of(x, i);

		keeps_bom = keeps_bom && !(found && found->edit == EDIT_DROP_BOM);
	}
	if (keeps_bom)
		buffer_append(b, "\xef\xbb\xbf", 3);
	for (size_t i = 0; i < f->line_count; ++i) {
		append_fixed(x, (unsigned int)i + 1, f->lines[i].text, f->lines[i].len, b);
		append_end(&f->lines[i], b);
	}
}

/* The diff. No line is added or taken away, so both sides count alike. */

enum { CONTEXT = 3 };

static void print_line(const struct fix *x, size_t i, char sign, bool fixed, struct out *o)
{
	const struct file_line *l = &x->file->lines[i];
	struct buffer b;

	buffer_init(&b);
	if (fixed) /* only values that are no secret are ever edited */
		append_fixed(x, (unsigned int)i + 1, l->text, l->len, &b);
	else
		check_masked(l, &b);
	if (buffer_ok(&b))
		out_printf(o, "%c%s%.*s\n", sign,
			   sign == '-' && i == 0 && x->file->bom ? "<BOM>" : "", (int)b.len,
			   b.len ? b.bytes : "");
	buffer_done(&b);
}

static size_t hunk_end(const struct fix *x, size_t first)
{
	size_t last = first;

	for (size_t i = first; i < x->file->line_count && i <= last + 2 * CONTEXT; ++i)
		if (has_edit(x, (unsigned int)i + 1))
			last = i;
	return last + 1 + CONTEXT < x->file->line_count ? last + 1 + CONTEXT : x->file->line_count;
}

static void print_hunk(const struct fix *x, size_t from, size_t end, struct out *o)
{
	out_printf(o, "@@ -%zu,%zu +%zu,%zu @@\n", from + 1, end - from, from + 1, end - from);
	for (size_t i = from; i < end; ++i) {
		if (!has_edit(x, (unsigned int)i + 1)) {
			print_line(x, i, ' ', false, o);
			continue;
		}
		print_line(x, i, '-', false, o);
		print_line(x, i, '+', x->file->lines[i].kind == FILE_ENTRY, o);
	}
}

static void print_diff(const struct fix *x, struct out *o)
{
	if (x->text)
		out_printf(o, "--- %s\n+++ %s\n", x->path, x->path);
	for (size_t i = 0; x->text && i < x->file->line_count; ++i)
		if (has_edit(x, (unsigned int)i + 1)) {
			const size_t end = hunk_end(x, i);

			print_hunk(x, i < CONTEXT ? 0 : i - CONTEXT, end, o);
			i = end - 1;
		}
	if (x->mode)
		out_printf(o, "chmod 600 %s\n", x->path);
}

/* Writing */

static int write_one(const struct fix *x)
{
	struct buffer b;
	int status;

	if (!x->text)
		return replace_mode(x->path);
	buffer_init(&b);
	fixed_bytes(x, &b);
	status = buffer_ok(&b) ? replace_file(x->path, x->file->bytes, x->file->len, b.bytes, b.len,
					      x->mode)
			       : -ENOMEM;
	buffer_done(&b);
	return status;
}

static bool is_agreed(void)
{
	char answer[16];

	if (!isatty(STDIN_FILENO)) {
		fprintf(stderr, "warren: check: nobody to ask: --yes writes these changes\n");
		return false;
	}
	fprintf(stderr, "Write these changes? [y/N] ");
	return fgets(answer, sizeof(answer), stdin) &&
	       (strcmp(answer, "y\n") == 0 || strcmp(answer, "yes\n") == 0);
}

static struct fix fix_of(const struct check_run *r, size_t i)
{
	struct fix x = { .run = r, .file = &r->files[i], .path = r->set.rows[i].path };

	look(&x);
	return x;
}

static enum fix_result write_all(const struct check_run *r)
{
	enum fix_result result = FIX_DONE;

	for (size_t i = 0; i < r->set.count; ++i) {
		const struct fix x = fix_of(r, i);
		const int status = x.text || x.mode ? write_one(&x) : 0;

		if (status < 0) {
			fprintf(stderr, "warren: check: %s is as it was: %s\n", x.path,
				status == -ESTALE ? "somebody changed it meanwhile"
						  : strerror(-status));
			result = FIX_FAILED;
		}
	}
	return result;
}

enum fix_result check_fix(const struct check_run *r, bool yes)
{
	bool any = false;
	struct out o;

	out_init(&o, STDOUT_FILENO);
	for (size_t i = 0; i < r->set.count; ++i) {
		const struct fix x = fix_of(r, i);

		any = any || x.text || x.mode;
		print_diff(&x, &o);
	}
	if (out_done(&o) < 0)
		return FIX_FAILED;
	if (!any)
		return FIX_NOTHING;
	return yes || is_agreed() ? write_all(r) : FIX_REFUSED;
}
