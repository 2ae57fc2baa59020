#include "cli/check_fix.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/check_out.h"
#include "cli/out.h"
#include "cli/replace_file.h"
#include "config/line.h"

/* The edits of one file, in the order of the findings: by place, never two at one. */
struct fix {
	const struct check_run *run;
	const struct config_file *file;
	const char *path;
	size_t first; /* its findings */
	size_t end;
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

	return f->edit != EDIT_NONE ? f : NULL;
}

static void look(struct fix *x)
{
	const struct findings *all = &x->run->findings;

	while (x->first < all->count && all->items[x->first].at.file != x->path)
		++x->first;
	for (x->end = x->first; x->end < all->count && all->items[x->end].at.file == x->path;)
		++x->end;
	for (size_t i = x->first; i < x->end; ++i) {
		const struct finding *f = finding_of(x, i);

		x->text = x->text || (f && is_text_edit(f));
		x->mode = x->mode || (f && f->edit == EDIT_PRIVATE_MODE);
	}
}

/* Findings are sorted by file and line: where those of this line, or behind it, begin. */
static size_t first_of(const struct fix *x, unsigned int line)
{
	size_t low = x->first, high = x->end;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;

		if (x->run->findings.items[middle].at.line < line)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool is_of_line(const struct fix *x, size_t i, unsigned int line)
{
	return i < x->end && x->run->findings.items[i].at.line == line;
}

static bool has_edit(const struct fix *x, unsigned int line)
{
	for (size_t i = first_of(x, line); is_of_line(x, i, line); ++i) {
		const struct finding *f = finding_of(x, i);

		if (f && is_text_edit(f)) /* a BOM is on line 1 */
			return true;
	}
	return false;
}

/* The line of number `line` (from 1) as it will be, without its end. */
static void append_fixed(const struct fix *x, unsigned int line, const char *text, size_t len,
			 struct buffer *b)
{
	size_t at = 0;

	for (size_t i = first_of(x, line); is_of_line(x, i, line); ++i) {
		const struct finding *f = finding_of(x, i);

		if (!f || f->edit != EDIT_REPLACE || f->at.column - 1 < at ||
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

	for (size_t i = x->first; i < x->end; ++i) {
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

/* What is edited is no secret, but what stands beside it may be. */
static void print_line(const struct fix *x, size_t i, char sign, struct out *o)
{
	const struct file_line *l = &x->file->lines[i];
	struct file_line fixed = { 0 };
	struct buffer bytes, shown;

	buffer_init(&bytes);
	buffer_init(&shown);
	append_fixed(x, (unsigned int)i + 1, l->text, l->len, &bytes);
	buffer_append(&bytes, "", 1);
	if (buffer_ok(&bytes)) {
		fixed.text = bytes.bytes;
		fixed.len = (uint32_t)bytes.len - 1;
		line_scan(&fixed);
		check_masked(sign == '+' ? &fixed : l, &shown);
	}
	buffer_append(&shown, "\n",
		      2); /* with the NUL; lines may be longer than out_printf likes */
	if (buffer_ok(&shown)) {
		out_text(o, sign == '-' ? "-" : sign == '+' ? "+" : " ");
		out_text(o, sign == '-' && i == 0 && x->file->bom ? "<BOM>" : "");
		out_text(o, shown.bytes);
	}
	buffer_done(&bytes);
	buffer_done(&shown);
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
			print_line(x, i, ' ', o);
			continue;
		}
		print_line(x, i, '-', o);
		print_line(x, i, '+', o);
	}
}

static void print_path(const char *before, const char *path, struct out *o)
{
	out_text(o, before);
	check_print_plain(path, o);
	out_text(o, "\n");
}

static void print_diff(const struct fix *x, struct out *o)
{
	if (x->text) {
		print_path("--- ", x->path, o);
		print_path("+++ ", x->path, o);
	}
	for (size_t i = 0; x->text && i < x->file->line_count; ++i)
		if (has_edit(x, (unsigned int)i + 1)) {
			const size_t end = hunk_end(x, i);

			print_hunk(x, i < CONTEXT ? 0 : i - CONTEXT, end, o);
			i = end - 1;
		}
	if (x->mode)
		print_path("chmod 600 ", x->path, o);
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
