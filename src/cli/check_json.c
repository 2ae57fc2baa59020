#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "cli/check_out.h"
#include "cli/json_out.h"
#include "config/check.h"

/* What programs read: our own JSON, and SARIF for editors and code hosts. */

static void put_text(struct json_out *j, const char *name, const char *text)
{
	json_out_name(j, name);
	json_out_text(j, text);
}

static void put_uint(struct json_out *j, const char *name, uint64_t value)
{
	json_out_name(j, name);
	json_out_uint(j, value);
}

static void put_place(struct json_out *j, const struct place *at)
{
	put_text(j, "file", at->file);
	if (at->line == 0)
		return;
	put_uint(j, "line", at->line);
	if (at->column == 0)
		return;
	put_uint(j, "column", at->column);
	put_uint(j, "length", at->length);
}

static void put_finding(struct json_out *j, const struct finding *f)
{
	json_out_open(j, '{');
	put_text(j, "id", f->id);
	put_text(j, "severity", check_severity_name(f));
	put_place(j, &f->at);
	put_text(j, "cause", f->cause ? f->cause : "");
	put_text(j, "fix", f->fix ? f->fix : "");
	if (f->related.file) {
		json_out_name(j, "related");
		json_out_open(j, '{');
		put_place(j, &f->related);
		json_out_close(j, '}');
	}
	if (f->edit != EDIT_NONE) {
		json_out_name(j, "fixable");
		json_out_true(j);
	}
	json_out_close(j, '}');
}

void check_print_json(const struct check_run *r, struct out *o)
{
	struct json_out j = { .out = o };

	json_out_open(&j, '{');
	put_uint(&j, "version", 1);
	put_uint(&j, "files", r->set.count);
	put_uint(&j, "errors", findings_count(&r->findings, DIAG_ERROR));
	put_uint(&j, "warnings", findings_count(&r->findings, DIAG_WARNING));
	put_uint(&j, "notes", findings_count(&r->findings, DIAG_NOTE));
	json_out_name(&j, "findings");
	json_out_open(&j, '[');
	for (size_t i = 0; i < r->findings.count; ++i)
		put_finding(&j, &r->findings.items[i]);
	json_out_close(&j, ']');
	json_out_close(&j, '}');
	out_text(o, "\n");
}

/* SARIF */

static void put_message(struct json_out *j, const char *name, const char *text)
{
	json_out_name(j, name);
	json_out_open(j, '{');
	put_text(j, "text", text);
	json_out_close(j, '}');
}

static const char *level_of(enum diag_severity severity)
{
	return severity == DIAG_ERROR ? "error" : severity == DIAG_WARNING ? "warning" : "note";
}

enum { RULES_MAX = 256 };

struct rule_ids { /* asked once: check_rule counts from the beginning */
	const char *ids[RULES_MAX];
	size_t count;
};

static void fill_ids(struct rule_ids *ret)
{
	struct rule rule;

	for (ret->count = 0; ret->count < RULES_MAX && check_rule(ret->count, &rule); ++ret->count)
		ret->ids[ret->count] = rule.id;
}

static size_t index_of(const struct rule_ids *ids, const char *id)
{
	for (size_t i = 0; i < ids->count; ++i)
		if (strcmp(ids->ids[i], id) == 0)
			return i;
	return SIZE_MAX;
}

static void put_rules(struct json_out *j)
{
	struct rule rule;

	json_out_name(j, "rules");
	json_out_open(j, '[');
	for (size_t i = 0; check_rule(i, &rule); ++i) {
		char help[64];

		json_out_open(j, '{');
		put_text(j, "id", rule.id);
		put_message(j, "shortDescription", rule.summary);
		(void)snprintf(help, sizeof(help), "`warren why %s' tells more.", rule.id);
		put_message(j, "help", help);
		json_out_name(j, "defaultConfiguration");
		json_out_open(j, '{');
		put_text(j, "level", level_of(rule.severity));
		json_out_close(j, '}');
		json_out_close(j, '}');
	}
	json_out_close(j, ']');
}

/* A relative or absolute path as the URI reference that names it. */
static void put_uri(struct json_out *j, const char *path)
{
	static const char hex[] = "0123456789ABCDEF";
	struct buffer b;

	buffer_init(&b);
	for (; *path; ++path) {
		const unsigned char c = (unsigned char)*path;

		if (strchr("/-._~", c) || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
		    (c >= 'a' && c <= 'z'))
			buffer_append(&b, path, 1);
		else
			buffer_printf(&b, "%%%c%c", hex[c >> 4], hex[c & 15]);
	}
	buffer_append(&b, "", 1);
	put_text(j, "uri", buffer_ok(&b) ? b.bytes : "");
	buffer_done(&b);
}

/* Our columns count bytes, SARIF's characters. */
static uint64_t characters(const struct file_line *l, size_t bytes)
{
	uint64_t count = 0;

	for (size_t i = 0; i < bytes && l && i < l->len; ++i)
		count += ((unsigned char)l->text[i] & 0xc0) != 0x80;
	return count;
}

static void put_region(struct json_out *j, const struct check_run *r, const struct place *at)
{
	const struct file_line *l = check_run_line(r, at);

	json_out_name(j, "region");
	json_out_open(j, '{');
	put_uint(j, "startLine", at->line);
	if (at->column) {
		put_uint(j, "startColumn", characters(l, at->column - 1) + 1);
		if (at->length)
			put_uint(j, "endColumn", characters(l, at->column - 1 + at->length) + 1);
	}
	json_out_close(j, '}');
}

static void put_locations(struct json_out *j, const struct check_run *r, const char *name,
			  const struct place *at)
{
	json_out_name(j, name);
	json_out_open(j, '[');
	json_out_open(j, '{');
	json_out_name(j, "physicalLocation");
	json_out_open(j, '{');
	json_out_name(j, "artifactLocation");
	json_out_open(j, '{');
	put_uri(j, at->file);
	json_out_close(j, '}');
	if (at->line)
		put_region(j, r, at);
	json_out_close(j, '}');
	json_out_close(j, '}');
	json_out_close(j, ']');
}

static void put_result(struct json_out *j, const struct check_run *r, const struct finding *f,
		       const struct rule_ids *ids)
{
	const size_t index = index_of(ids, f->id);
	struct buffer b;

	buffer_init(&b);
	buffer_printf(&b, "%s%s%s", f->cause ? f->cause : "", f->fix && f->fix[0] ? ". Fix: " : "",
		      f->fix ? f->fix : "");
	buffer_append(&b, "", 1);
	json_out_open(j, '{');
	put_text(j, "ruleId", f->id);
	if (index != SIZE_MAX)
		put_uint(j, "ruleIndex", index);
	put_text(j, "level", level_of(f->severity));
	put_message(j, "message", buffer_ok(&b) ? b.bytes : "");
	put_locations(j, r, "locations", &f->at);
	if (f->related.file)
		put_locations(j, r, "relatedLocations", &f->related);
	json_out_close(j, '}');
	buffer_done(&b);
}

static void put_driver(struct json_out *j)
{
	json_out_name(j, "tool");
	json_out_open(j, '{');
	json_out_name(j, "driver");
	json_out_open(j, '{');
	put_text(j, "name", "warren check");
	put_text(j, "version", WARREN_VERSION);
	put_rules(j);
	json_out_close(j, '}');
	json_out_close(j, '}');
}

void check_print_sarif(const struct check_run *r, struct out *o)
{
	struct json_out j = { .out = o };
	struct rule_ids ids;

	json_out_open(&j, '{');
	put_text(&j, "$schema", "https://json.schemastore.org/sarif-2.1.0.json");
	put_text(&j, "version", "2.1.0");
	json_out_name(&j, "runs");
	json_out_open(&j, '[');
	json_out_open(&j, '{');
	put_driver(&j);
	put_text(&j, "columnKind", "unicodeCodePoints");
	fill_ids(&ids);
	json_out_name(&j, "results");
	json_out_open(&j, '[');
	for (size_t i = 0; i < r->findings.count; ++i)
		put_result(&j, r, &r->findings.items[i], &ids);
	json_out_close(&j, ']');
	json_out_close(&j, '}');
	json_out_close(&j, ']');
	json_out_close(&j, '}');
	out_text(o, "\n");
}
