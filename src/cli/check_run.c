#include "cli/check_run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "config/check.h"
#include "config/tunnel_read.h"
#include "net/observe.h"

static void add_diags(struct findings *to, const struct diags *from, const struct tunnel *t)
{
	for (size_t i = 0; i < from->count; ++i) {
		const struct diag *d = &from->rows[i];
		struct finding *f =
			findings_add(to, d->id, d->severity,
				     (struct place){ t->path, d->line, d->column, d->length });

		finding_cause(f, "%s", d->text);
		finding_fix(f, "%s", d->hint);
		if (f && t->bom && strstr(d->text, "byte order mark"))
			f->edit = EDIT_DROP_BOM;
	}
}

/* False: out of memory. A file that cannot be read is told of and left out. */
static bool read_one(struct check_run *r, const char *path)
{
	struct config_file *f = &r->files[r->set.count];
	struct diags diags;
	struct tunnel *t;
	bool read;
	const int status = file_load(f, path);

	if (status < 0) {
		fprintf(stderr, "warren: check: %s: %s\n", path, strerror(-status));
		++r->unread;
		return status != -ENOMEM;
	}
	t = tunnel_set_add(&r->set);
	if (!t) {
		file_done(f);
		return false;
	}
	diags_init(&diags);
	read = tunnel_read(f, t, &diags);
	if (read)
		add_diags(&r->findings, &diags, t);
	if (diags.left_out) {
		fprintf(stderr, "warren: check: %s: %zu more findings, not told\n", path,
			diags.left_out);
		r->left_out += diags.left_out;
	}
	diags_done(&diags);
	return read;
}

static bool observe(struct check_run *r, bool host, struct host_facts *ret)
{
	int status;

	for (size_t i = 0; i < r->set.count; ++i)
		if (observe_file(ret, r->set.rows[i].path) < 0)
			return false;
	if (!host)
		return true;
	status = observe_network(&ret->network);
	ret->looked = status == 0;
	if (status < 0 && status != -ENOMEM) {
		fprintf(stderr, "warren: check: cannot look at this host: %s\n", strerror(-status));
		++r->unread;
		return true;
	}
	return ret->looked;
}

static void sort(struct check_run *r)
{
	const char **names = calloc(r->set.count + 1, sizeof(*names));

	for (size_t i = 0; names && i < r->set.count; ++i)
		names[i] = r->set.rows[i].path;
	if (names)
		findings_sort(&r->findings, names, r->set.count);
	else
		r->findings.failed = true;
	free(names);
}

bool check_run_read(struct check_run *r, char *const paths[], size_t count, bool host)
{
	struct host_facts facts;
	bool done = true;

	*r = (struct check_run){ .files = calloc(count + 1, sizeof(*r->files)) };
	tunnel_set_init(&r->set);
	findings_init(&r->findings);
	if (!r->files)
		return false;
	for (size_t i = 0; i < count && done; ++i)
		done = read_one(r, paths[i]);
	host_facts_init(&facts);
	done = done && observe(r, host, &facts) && check_run(&r->set, &facts, &r->findings);
	host_facts_done(&facts);
	if (done)
		sort(r);
	return done && !r->findings.failed;
}

void check_run_done(struct check_run *r)
{
	findings_done(&r->findings);
	for (size_t i = 0; r->files && i < r->set.count; ++i)
		file_done(&r->files[i]);
	free(r->files);
	r->files = NULL;
	tunnel_set_done(&r->set);
}

const struct config_file *check_run_file(const struct check_run *r, const struct place *at)
{
	for (size_t i = 0; i < r->set.count; ++i)
		if (r->set.rows[i].path == at->file)
			return &r->files[i];
	return NULL;
}

const struct file_line *check_run_line(const struct check_run *r, const struct place *at)
{
	const struct config_file *f = at->line ? check_run_file(r, at) : NULL;

	return f && at->line <= f->line_count ? &f->lines[at->line - 1] : NULL;
}

/* What could be shown */

enum { SECRET_RUN = 40 }; /* a key has 43 characters; one may have been lost in a paste */

static bool is_base64(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
	       c == '+' || c == '/' || c == '-' || c == '_';
}

static void mask(char *text, size_t len)
{
	for (size_t i = 0; i < len; ++i)
		if (text[i] != ' ' && text[i] != '\t')
			text[i] = '*';
}

static void mask_runs(char *text, size_t len)
{
	for (size_t at = 0; at < len; ++at) {
		size_t run = 0;

		while (at + run < len && is_base64(text[at + run]))
			++run;
		if (run >= SECRET_RUN)
			mask(text + at, run);
		at += run;
	}
}

static bool is_entry(const struct file_line *l)
{
	return l->kind == FILE_ENTRY || l->kind == FILE_OWN;
}

static bool hides_value(const struct file_line *l)
{
	return is_entry(l) &&
	       (l->id == KEYS_UNKNOWN || keys_row((enum keys_id)l->id)->flags & KEYS_SECRET);
}

/* A key that nobody knows may be the rest of one that was broken over two lines. */
static bool hides_key(const struct file_line *l)
{
	enum { WORD_MAX = 24 };

	if (!is_entry(l) || l->id != KEYS_UNKNOWN)
		return false;
	for (size_t i = 0; i < l->key.len; ++i) {
		const char c = l->text[l->key.at + i];

		if (c == '+' || c == '/' || (c >= '0' && c <= '9'))
			return true;
	}
	return l->key.len > WORD_MAX;
}

void check_disarm(char *text, size_t len)
{
	uint32_t code;

	for (size_t i = 0, n; i < len; i += n) {
		n = utf8_next(text + i, len - i, &code);
		if (code == '\t' ||
		    (code == UTF8_WRONG ? (text[i] & 0xe0) != 0x80 : !utf8_is_control(code)))
			continue;
		memset(text + i, '?', n);
	}
}

void check_masked(const struct file_line *l, struct buffer *b)
{
	const size_t start = b->len;
	char *text;

	buffer_append(b, l->text, l->len);
	if (!buffer_ok(b))
		return;
	text = b->bytes + start;
	if (hides_value(l))
		mask(text + l->value.at, l->len - l->value.at);
	if (hides_key(l))
		mask(text + l->key.at, l->key.len);
	if (l->kind == FILE_JUNK) /* what it means nobody knows */
		mask(text, l->len);
	mask_runs(text, l->len);
	check_disarm(text, l->len);
}

const char *check_severity_name(const struct finding *f)
{
	switch (f->severity) {
	case DIAG_ERROR:
		return "error";
	case DIAG_WARNING:
		return "warning";
	case DIAG_NOTE:
	case DIAG_NONE:
		break;
	}
	return "note";
}
