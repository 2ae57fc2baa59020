#include "config/tunnel_read.h"

#include <assert.h>
#include <string.h>

#include "config/peer_name.h"
#include "config/reader.h"
#include "config/value.h"

static unsigned int line_number(const struct reader *r)
{
	return (unsigned int)(r->line - r->f->lines) + 1;
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool has_blank(const struct file_line *l, const struct file_slice *s)
{
	for (uint32_t i = s->at; i < s->at + s->len; ++i) {
		if (value_is_blank(l->text[i]))
			return true;
	}
	return false;
}

/* Which of our keys a text begins with; behind it comes "= value". */
static enum keys_id own_key_of(const char *text, size_t len, bool or_near)
{
	const char *equals = memchr(text, '=', len);
	size_t n = 0;

	while (n < len && is_letter(text[n]))
		++n;
	if (!equals || !n)
		return KEYS_UNKNOWN;
	return or_near ? keys_nearest(text, n, true) : keys_find(text, n, true);
}

/* "ListenPort = 1 #: KillSwitch = yes": a protection that would be dropped in silence. */
static void check_trailing(struct reader *r)
{
	const struct file_slice *c = &r->line->comment;
	const char *text = r->line->text + c->at;
	const struct span at = file_span(r->f, r->line, c);
	size_t i = 2;

	if (c->len < 3 || text[1] != ':')
		return;
	while (i < c->len && value_is_blank(text[i]))
		++i;
	if (own_key_of(text + i, c->len - i, true) != KEYS_UNKNOWN)
		diag_hint(reader_complain(r, COMPLAINT_OWN_PLACE, &at,
					  "a key of Warren behind something else"),
			  "give it a line of its own");
}

/* What may stand before a key by mistake. */
static bool is_slip(char c)
{
	return c == ':' || c == ';' || c == '.' || c == '!' || value_is_blank(c);
}

/* "# KillSwitch = yes", "#; KillSwitch = yes"; but not "##: KillSwitch", which is meant so. */
static void check_comment(struct reader *r)
{
	const struct file_slice *c = &r->line->comment;
	const char *text = r->line->text + c->at;
	const struct span at = file_span(r->f, r->line, c);
	enum keys_id id;
	size_t i = 1;

	while (i < c->len && is_slip(text[i]))
		++i;
	id = own_key_of(text + i, c->len - i, false);
	if (id == KEYS_UNKNOWN || keys_row(id)->section != KEYS_INTERFACE)
		return;
	diag_hint(reader_complain(r, COMPLAINT_OWN_SIGN, &at, "%s stands in a plain comment",
				  keys_row(id)->name),
		  "write #: %s to switch it on, ##: %s to say that it is meant to be off",
		  keys_row(id)->name, keys_row(id)->name);
}

static void close_peer(struct reader *r)
{
	const size_t peers = r->t->model.peer_count;

	if (r->section != KEYS_PEER || !peers || r->seen[KEYS_PUBLIC_KEY])
		return;
	diag_hint(reader_complain(r, COMPLAINT_NO_PUBLIC_KEY, &r->t->peers[peers - 1].at,
				  "this peer has no PublicKey"),
		  "add PublicKey = and the public key of the other end");
}

static void name_peer(struct reader *r, struct tunnel_peer *p)
{
	struct peer_name name;

	peer_name_find(r->f, r->line->section, &name);
	if (!name.text)
		return;
	p->name.at = (struct span){
		.line = (unsigned int)name.line + 1,
		.column = (unsigned int)(name.text - r->f->lines[name.line].text) + 1,
		.length = (unsigned int)name.len,
	};
	reader_check(r, tunnel_set_text(&p->name.text, name.text, name.len));
}

static void open_peer(struct reader *r, const struct span *at)
{
	if (!tunnel_add_peer(r->t)) {
		r->failed = true;
		return;
	}
	struct tunnel_peer *p = &r->t->peers[r->t->model.peer_count - 1];

	p->at = p->end = *at;
	r->t->model.peers[r->t->model.peer_count - 1].replace_allowed = true;
	for (enum keys_id id = 0; id < KEYS_COUNT; ++id) {
		if (keys_row(id)->section == KEYS_PEER)
			r->seen[id] = 0;
	}
	name_peer(r, p);
}

static void read_section(struct reader *r)
{
	const struct span at = file_span(r->f, r->line, &r->line->key);

	close_peer(r);
	r->header = r->line;
	r->told_blanks = false;
	r->section = r->f->sections[r->line->section].kind;
	if (r->section == KEYS_OTHER_SECTION) {
		r->section =
			keys_nearest_section(r->line->text + r->line->key.at, r->line->key.len);
		reader_unknown_section(r);
	}
	if (r->section == KEYS_PEER)
		open_peer(r, &at);
	else if (r->section == KEYS_INTERFACE && span_is_set(&r->t->interface))
		diag_hint(reader_complain(r, COMPLAINT_INTERFACE_TWICE, &at,
					  "a second [Interface]; the first is on line %u",
					  r->t->interface.line),
			  "put its lines into the first one, or into a file of its own");
	else if (r->section == KEYS_INTERFACE)
		r->t->interface = at;
	check_trailing(r);
}

/* Is the key at home here? Says so if not. */
static bool is_in_place(struct reader *r, const struct keys_row *row)
{
	const struct span at = file_span(r->f, r->line, &r->line->key);
	const bool own = r->line->kind == FILE_OWN;

	if (row->section == r->section)
		return true;
	if (own)
		diag_hint(reader_complain(r, COMPLAINT_OWN_PLACE, &at, "%s does not belong here",
					  row->name),
			  "it belongs into %s", keys_section_name(row->section));
	else if (r->section == KEYS_NO_SECTION)
		diag_hint(reader_complain(r, COMPLAINT_NO_SECTION, &at,
					  "%s stands before the first section", row->name),
			  "put it below %s", keys_section_name(row->section));
	else if (r->section != KEYS_OTHER_SECTION)
		diag_hint(reader_complain(r, COMPLAINT_WRONG_SECTION, &at,
					  "%s does not belong into %s", row->name,
					  keys_section_name(r->section)),
			  "it belongs into %s", keys_section_name(row->section));
	return false;
}

/* wg removes blanks everywhere, but wg-quick has to know its own words first. */
static void check_blanks(struct reader *r, const struct keys_row *row)
{
	const struct span key = file_span(r->f, r->line, &r->line->key);

	if (row->owner != KEYS_OF_QUICK)
		return;
	if (has_blank(r->line, &r->line->key))
		diag_hint(reader_complain(r, COMPLAINT_BLANKS, &key,
					  "wg-quick does not know %s with blanks inside",
					  row->name),
			  "write %s", row->name);
	assert(r->header); /* without one there is no section to be at home in */
	if (r->told_blanks || r->f->sections[r->header->section].kind != KEYS_INTERFACE)
		return;
	if (has_blank(r->header, &r->header->key) ||
	    r->header->text[r->header->key.at - 1] != '[' ||
	    r->header->text[r->header->key.at + r->header->key.len] != ']') {
		const struct span at = file_span(r->f, r->header, &r->header->key);

		diag_hint(reader_complain(r, COMPLAINT_BLANKS, &at,
					  "wg-quick does not know [Interface] with blanks inside"),
			  "write [Interface]");
		r->told_blanks = true;
	}
}

static void check_twice(struct reader *r, const struct keys_row *row)
{
	const struct span at = file_span(r->f, r->line, &r->line->key);
	unsigned int *seen = &r->seen[r->line->id];

	if (*seen && !(row->flags & KEYS_REPEATS))
		diag_hint(reader_complain(r, COMPLAINT_TWICE, &at,
					  "%s comes twice; the first is on line %u", row->name,
					  *seen),
			  "the last one counts: remove the other");
	*seen = line_number(r);
}

static void complain_empty(struct reader *r, const struct keys_row *row)
{
	const struct span at = file_span(r->f, r->line, &r->line->key);

	if (r->line->kind == FILE_OWN)
		diag_hint(
			reader_complain(r, COMPLAINT_OWN_VALUE, &at, "%s has no value", row->name),
			"write #: %s = value", row->name);
	else
		diag_hint(reader_complain(r,
					  row->owner == KEYS_OF_QUICK &&
							  r->line->id != KEYS_SAVE_CONFIG
						  ? COMPLAINT_EMPTY_QUICK
						  : COMPLAINT_EMPTY,
					  &at, "%s has no value", row->name),
			  "write a value, or remove the line");
}

static void read_value(struct reader *r, const struct keys_row *row)
{
	struct reader_value v = { .row = row };

	v.text = file_value(r->line, &v.len);
	if (!v.text)
		complain_empty(r, row);
	else if (row->owner == KEYS_OF_WG)
		reader_wg(r, r->line->id, &v);
	else if (row->owner == KEYS_OF_QUICK)
		reader_quick(r, r->line->id, &v);
	else
		reader_own(r, r->line->id, &v);
}

static void note_end(struct reader *r)
{
	if (r->section == KEYS_PEER)
		r->t->peers[r->t->model.peer_count - 1].end =
			(struct span){ .line = line_number(r) };
}

static void read_entry(struct reader *r)
{
	const struct keys_row *row = keys_row(r->line->id);

	note_end(r);
	if (r->line->id == KEYS_UNKNOWN) {
		/* in a section that nobody knows, that is what was said already */
		if (r->section != KEYS_OTHER_SECTION || r->line->kind == FILE_OWN)
			reader_unknown_key(r);
		return;
	}
	if (row->owner == KEYS_OF_OTHERS) {
		if (r->section != KEYS_OTHER_SECTION)
			reader_foreign_key(r);
		return;
	}
	if (is_in_place(r, row)) {
		check_blanks(r, row);
		check_twice(r, row);
		read_value(r, row);
	}
	check_trailing(r);
}

/* A CR that ends no line: files of old Macs, or a line that two systems have edited. */
static const char *lone_return(const struct file_line *l)
{
	const char *cr = memchr(l->text, '\r', l->len);

	for (const char *p = cr; p && p < l->text + l->len; ++p) {
		if (!value_is_blank(*p))
			return cr;
	}
	return NULL;
}

/* Bytes that no line of a configuration has; true, and said so: it is not read. */
static bool is_binary(struct reader *r)
{
	const struct file_line *l = r->line;
	const char *nul = l->len ? memchr(l->text, '\0', l->len) : NULL;
	const char *cr = l->len ? lone_return(l) : NULL;
	struct span at;

	if ((!nul && !cr) || l->kind == FILE_COMMENT)
		return false;
	at = reader_span(r, nul ? nul : cr, 1);
	if (nul)
		diag_hint(reader_complain(r, COMPLAINT_NUL, &at, "a NUL byte"),
			  "the file is damaged, or no text: make it anew");
	else
		diag_hint(reader_complain(r, COMPLAINT_RETURN, &at,
					  "a carriage return inside a line"),
			  "end lines with LF, or CR LF");
	return true;
}

static void read_line(struct reader *r)
{
	if (is_binary(r))
		return;
	switch ((enum file_kind)r->line->kind) {
	case FILE_BLANK:
		break;
	case FILE_COMMENT:
		check_comment(r);
		break;
	case FILE_SECTION:
		read_section(r);
		break;
	case FILE_OWN:
	case FILE_ENTRY:
		read_entry(r);
		break;
	case FILE_JUNK:
		note_end(r);
		if (r->section != KEYS_OTHER_SECTION)
			reader_junk(r);
		break;
	}
}

static bool is_utf16(const struct config_file *f)
{
	return f->len >= 2 &&
	       (memcmp(f->bytes, "\xff\xfe", 2) == 0 || memcmp(f->bytes, "\xfe\xff", 2) == 0);
}

static void note_encoding(struct reader *r)
{
	const struct config_file *f = r->f;
	const struct span first = {
		.line = 1,
		.column = 1,
		.length = f->line_count && f->lines[0].len,
	};
	size_t i = 0;

	r->t->bom = f->bom;
	if (f->bom)
		diag_hint(reader_complain(r, COMPLAINT_BOM, &first,
					  "the file begins with a byte order mark"),
			  "wg and wg-quick refuse it; Warren does not: save as UTF-8 without BOM");
	while (i < f->line_count && f->lines[i].end != 2)
		++i;
	r->t->crlf = i < f->line_count;
	if (r->t->crlf)
		diag_hint(reader_complain(r, COMPLAINT_CRLF,
					  &(struct span){ .line = (unsigned int)i + 1 },
					  "lines end with CR LF, as on Windows"),
			  "it does no harm: wg and wg-quick take it, too");
}

static void read_lines(struct reader *r)
{
	note_encoding(r);
	for (size_t i = 0; i < r->f->line_count && !r->failed; ++i) {
		r->line = &r->f->lines[i];
		read_line(r);
	}
	close_peer(r);
}

bool tunnel_read(const struct config_file *f, struct tunnel *ret, struct diags *d)
{
	struct reader r = { .f = f, .t = ret, .d = d };

	tunnel_init(ret);
	if (!tunnel_set_path(ret, f->path))
		return false;
	if (is_utf16(f))
		diag_hint(reader_complain(&r, COMPLAINT_UTF16, &(struct span){ .line = 1 },
					  "the file is UTF-16"),
			  "save it as UTF-8");
	else
		read_lines(&r);
	return !r.failed;
}
