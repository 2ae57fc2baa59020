#include "config/tunnel_save.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rows.h"
#include "base/text.h"
#include "config/save_private.h"
#include "config/value.h"

static void free_text(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
}

static void add_edit(struct save *s, struct save_edit e, const char *text)
{
	e.number = s->edit_count;
	e.text = text ? strdup(text) : NULL;
	if ((text && !e.text) ||
	    !rows_grow((void **)&s->edits, sizeof(e), s->edit_count, &s->edit_room)) {
		free_text(e.text);
		s->failed = true;
		return;
	}
	s->edits[s->edit_count++] = e;
}

void save_value(struct save *s, size_t line, const char *text)
{
	add_edit(s, (struct save_edit){ .kind = SAVE_VALUE, .line = line }, text);
}

void save_drop(struct save *s, size_t first, size_t end)
{
	add_edit(s, (struct save_edit){ .kind = SAVE_DROP, .line = first, .end = end }, NULL);
}

void save_insert(struct save *s, size_t line, enum keys_id id, const char *text)
{
	add_edit(s, (struct save_edit){ .kind = SAVE_INSERT, .line = line, .id = id }, text);
}

static bool is_entry(const struct config_file *f, size_t line, enum keys_id id)
{
	return f->lines[line].kind == FILE_ENTRY && f->lines[line].id == id;
}

/* Behind the last entry of a section, before the comments and blank lines that end it. */
static size_t end_of_entries(const struct config_file *f, size_t section)
{
	const struct file_section *part = &f->sections[section];
	size_t at = part->end;

	while (at > part->first + 1 &&
	       (f->lines[at - 1].kind == FILE_BLANK || f->lines[at - 1].kind == FILE_COMMENT))
		--at;
	return at;
}

void save_set(struct save *s, size_t section, enum keys_id id, const char *text)
{
	const struct file_section *part = &s->f->sections[section];
	bool has_line = false;

	for (size_t i = part->end; i > part->first; --i) {
		if (!is_entry(s->f, i - 1, id))
			continue;
		if (text && !has_line)
			save_value(s, i - 1, text);
		else if (!text)
			save_drop(s, i - 1, i);
		has_line = true;
	}
	if (text && !has_line)
		save_insert(s, end_of_entries(s->f, section), id, text);
}

void save_prefixes(const struct prefix *rows, size_t count, struct buffer *b)
{
	char text[TEXT_PREFIX];

	for (size_t i = 0; i < count; ++i) {
		text_from_prefix(&rows[i], text);
		buffer_printf(b, "%s%s", b->len ? ", " : "", text);
	}
}

/* Lists over lines. */

static void insert_more(struct save *s, const struct save_list *list, size_t line)
{
	const size_t step = list->line_each ? 1 : list->more_count;

	for (size_t i = 0; i < list->more_count; i += step) {
		struct buffer b;

		buffer_init(&b);
		save_prefixes(list->more + i, step, &b);
		buffer_append(&b, "", 1);
		if (buffer_ok(&b))
			save_insert(s, line, list->id, b.bytes);
		s->failed = s->failed || !buffer_ok(&b);
		buffer_done(&b);
	}
}

/* Rows [first, end) stand on one line. */
static void edit_line(struct save *s, const struct save_list *list, size_t first, size_t end)
{
	const bool is_last = end == list->rows->count;
	const size_t more = is_last && !list->line_each ? list->more_count : 0;
	const size_t line = list->rows->rows[first].at.line - 1;
	size_t kept = 0;
	struct buffer b;

	buffer_init(&b);
	for (size_t i = first; i < end; ++i) {
		const struct span *at = &list->rows->rows[i].at;

		if (!list->keep[i])
			continue;
		buffer_printf(&b, "%s", kept++ ? ", " : "");
		buffer_append(&b, s->f->lines[line].text + at->column - 1, at->length);
	}
	save_prefixes(list->more, more, &b);
	if (kept + more == 0) {
		save_drop(s, line, line + 1);
	} else if (kept < end - first || more) {
		buffer_append(&b, "", 1);
		if (buffer_ok(&b))
			save_value(s, line, b.bytes);
	}
	s->failed = s->failed || !buffer_ok(&b);
	buffer_done(&b);
}

void save_list(struct save *s, const struct save_list *list)
{
	const struct tunnel_prefix *rows = list->rows->rows;
	size_t end;

	for (size_t i = 0; i < list->rows->count; i = end) {
		for (end = i + 1; end < list->rows->count && rows[end].at.line == rows[i].at.line;)
			++end;
		edit_line(s, list, i, end);
	}
	if (!list->rows->count)
		insert_more(s, list, end_of_entries(s->f, list->section));
	else if (list->line_each)
		insert_more(s, list, rows[list->rows->count - 1].at.line);
}

/* [Interface]. */

bool save_hooks_have(const struct tunnel *t, const char *word)
{
	static const enum tunnel_hook up[] = { TUNNEL_PRE_UP, TUNNEL_POST_UP };

	for (size_t i = 0; i < sizeof(up) / sizeof(up[0]); ++i)
		for (size_t k = 0; k < t->hooks[up[i]].count; ++k)
			if (strstr(t->hooks[up[i]].rows[k].text, word))
				return true;
	return false;
}

/* The last [Interface] that has the key, else the first one; 0: there is none. */
static size_t interface_of(const struct save *s, enum keys_id id)
{
	const struct config_file *f = s->f;
	size_t found = 0;

	for (size_t i = 1; i < f->section_count; ++i)
		if (f->sections[i].kind == KEYS_INTERFACE &&
		    (!found || file_find(f, i, id) < f->line_count))
			found = i;
	return found;
}

static void set_interface(struct save *s, enum keys_id id, const char *text)
{
	const size_t section = interface_of(s, id);

	if (section && text)
		save_set(s, section, id, text);
	for (size_t i = 1; i < s->f->section_count && !text; ++i)
		if (s->f->sections[i].kind == KEYS_INTERFACE)
			save_set(s, i, id, NULL);
}

/* A device shows its key clamped, however it was given. */
static bool same_key(const struct key_private *a, const struct key_private *b)
{
	return memcmp(a->bytes + 1, b->bytes + 1, KEY_LEN - 2) == 0 &&
	       (a->bytes[0] & 0xf8) == (b->bytes[0] & 0xf8) &&
	       (a->bytes[KEY_LEN - 1] | 0xc0) == (b->bytes[KEY_LEN - 1] | 0xc0);
}

static bool is_key_edited(const struct tunnel *base, const struct tunnel *now)
{
	return base && (base->model.has_private_key != now->model.has_private_key ||
			memcmp(&base->model.private_key, &now->model.private_key,
			       sizeof(now->model.private_key)) != 0);
}

static void set_key(struct save *s)
{
	const struct model *file = &s->t->model, *device = s->r->device;
	char text[TEXT_KEY_BASE64];

	if (!device->has_private_key || is_key_edited(s->r->base, s->t) ||
	    (file->has_private_key && same_key(&file->private_key, &device->private_key)) ||
	    (!file->has_private_key && save_hooks_have(s->t, "private-key")))
		return;
	text_base64_from_key(device->private_key.bytes, text);
	set_interface(s, KEYS_PRIVATE_KEY, text);
	explicit_bzero(text, sizeof(text));
}

static uint16_t port_of(const struct tunnel *t)
{
	return t->model.has_listen_port ? t->model.listen_port : 0;
}

static void set_port(struct save *s)
{
	const struct model *file = &s->t->model;
	const uint16_t port = s->r->device->listen_port;
	const bool has = file->has_listen_port && file->listen_port;
	char text[16];

	if (!port || s->t->listen_service || (has && port == file->listen_port) ||
	    (s->r->base && port_of(s->r->base) != port_of(s->t)) || (!has && s->r->port_is_chosen))
		return;
	(void)snprintf(text, sizeof(text), "%u", port); /* fits */
	set_interface(s, KEYS_LISTEN_PORT, text);
}

static uint32_t mark_of(const struct tunnel *t)
{
	return t->model.has_fwmark ? t->model.fwmark : 0;
}

static void set_mark(struct save *s)
{
	const uint32_t file = mark_of(s->t);
	const uint32_t mark = s->r->device->fwmark;
	char text[16];

	if (mark == file || (!file && s->r->mark_is_chosen) ||
	    (s->r->base && mark_of(s->r->base) != file))
		return;
	(void)snprintf(text, sizeof(text), "0x%" PRIx32, mark); /* fits */
	set_interface(s, KEYS_FWMARK, mark ? text : NULL);
}

static void set_mtu(struct save *s)
{
	char text[16];

	if (!s->t->mtu || !s->r->mtu || s->r->mtu == s->t->mtu)
		return;
	if (s->r->base && s->r->base->mtu != s->t->mtu)
		return;
	(void)snprintf(text, sizeof(text), "%" PRIu32, s->r->mtu); /* fits */
	set_interface(s, KEYS_MTU, text);
}

static bool is_in_file(const struct tunnel *t, const struct prefix *p)
{
	for (size_t i = 0; i < t->addresses.count; ++i)
		if (prefix_equal(&t->addresses.rows[i].prefix, p))
			return true;
	return false;
}

static bool is_on_link(const struct save *s, const struct prefix *p)
{
	if (s->r->no_ipv6 && p->ip.family == FAMILY_V6)
		return true;
	if (s->r->base && !is_in_file(s->r->base, p))
		return true; /* an edit */
	for (size_t i = 0; i < s->r->address_count; ++i)
		if (prefix_equal(&s->r->addresses[i], p))
			return true;
	return false;
}

static void set_addresses(struct save *s)
{
	const struct tunnel_prefixes *rows = &s->t->addresses;
	bool *keep = calloc(rows->count + 1, sizeof(*keep));
	struct prefix *more = calloc(s->r->address_count + 1, sizeof(*more));
	struct save_list list = { .id = KEYS_ADDRESS,
				  .section = interface_of(s, KEYS_ADDRESS),
				  .rows = rows,
				  .keep = keep,
				  .more = more,
				  .line_each = true };

	s->failed = s->failed || !keep || !more;
	if (keep && more && list.section) {
		for (size_t i = 0; i < rows->count; ++i)
			keep[i] = is_on_link(s, &rows->rows[i].prefix);
		for (size_t i = 0; i < s->r->address_count; ++i)
			if (!is_in_file(s->t, &s->r->addresses[i]) &&
			    !(s->r->base && is_in_file(s->r->base, &s->r->addresses[i])))
				more[list.more_count++] = s->r->addresses[i];
		save_list(s, &list);
	}
	free(keep);
	free(more);
}

/* The new file. */

static int compare_edits(const void *a, const void *b)
{
	const struct save_edit *x = a, *y = b;

	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	return (x->number > y->number) - (x->number < y->number);
}

struct writer {
	const struct save *s;
	struct buffer *b;
	size_t edit; /* the next one */
	bool lost_end;
};

static void end_line(struct writer *w)
{
	const char *end = w->s->f->crlf ? "\r\n" : "\n";

	buffer_append(w->b, end, strlen(end));
}

/* The last line of a file may have no end. */
static void end_last_line(struct writer *w)
{
	if (w->b->len > (w->s->f->bom ? 3 : 0) && w->b->bytes[w->b->len - 1] != '\n')
		end_line(w);
}

static void write_entry(struct writer *w, enum keys_id id, const char *value)
{
	end_last_line(w);
	buffer_printf(w->b, "%s = ", keys_row(id)->name);
	buffer_append(w->b, value, strlen(value)); /* may be longer than printf likes */
	end_line(w);
}

static void write_line(struct writer *w, const struct file_line *l, const char *value)
{
	static const char ends[] = "\r\n";
	const size_t behind = l->value.at + l->value.len;

	if (value) {
		buffer_append(w->b, l->text, l->value.at);
		buffer_append(w->b, value, strlen(value));
		buffer_append(w->b, l->text + behind, l->len - behind);
	} else {
		buffer_append(w->b, l->text, l->len);
	}
	buffer_append(w->b, ends + 2 - l->end, l->end);
}

/* Gives the line that comes next. */
static size_t write_from(struct writer *w, size_t line)
{
	const char *value = NULL;
	size_t next = line + 1;
	bool drop = false;

	for (; w->edit < w->s->edit_count && w->s->edits[w->edit].line <= line; ++w->edit) {
		const struct save_edit *e = &w->s->edits[w->edit];

		if (e->kind == SAVE_INSERT)
			write_entry(w, e->id, e->text);
		else if (e->kind == SAVE_VALUE)
			value = e->text;
		else
			drop = true;
		if (e->kind == SAVE_DROP && e->end > next)
			next = e->end;
	}
	if (line < w->s->f->line_count && !drop)
		write_line(w, &w->s->f->lines[line], value);
	w->lost_end = w->lost_end || (drop && next >= w->s->f->line_count);
	return next;
}

/* A peer that left the end of the file leaves no blank lines there. */
static void trim_end(struct writer *w)
{
	const size_t line = w->s->f->crlf ? 2 : 1;

	while (w->b->len >= 2 * line && w->b->bytes[w->b->len - 1] == '\n' &&
	       w->b->bytes[w->b->len - 1 - line] == '\n')
		w->b->len -= line;
}

static void write_peer(struct writer *w, const struct model_peer *p)
{
	char key[TEXT_KEY_BASE64], endpoint[TEXT_ENDPOINT], seconds[16];
	struct buffer list;

	end_last_line(w);
	if (w->b->len > (w->s->f->bom ? 3 : 0))
		end_line(w);
	buffer_append(w->b, "[Peer]", 6);
	end_line(w);
	text_base64_from_key(p->public_key.bytes, key);
	write_entry(w, KEYS_PUBLIC_KEY, key);
	text_base64_from_key(p->preshared_key.bytes, key);
	if (save_has_key(&p->preshared_key))
		write_entry(w, KEYS_PRESHARED_KEY, key);
	explicit_bzero(key, sizeof(key));
	buffer_init(&list);
	for (size_t i = 0; i < p->allowed_count; ++i)
		save_prefixes(&p->allowed[i].prefix, 1, &list);
	buffer_append(&list, "", 1);
	if (p->allowed_count && buffer_ok(&list))
		write_entry(w, KEYS_ALLOWED_IPS, list.bytes);
	w->b->failed = w->b->failed || !buffer_ok(&list);
	buffer_done(&list);
	if (p->has_endpoint) {
		text_from_endpoint(&p->endpoint, endpoint);
		write_entry(w, KEYS_ENDPOINT, endpoint);
	}
	(void)snprintf(seconds, sizeof(seconds), "%u", p->keepalive); /* fits */
	if (p->keepalive)
		write_entry(w, KEYS_KEEPALIVE, seconds);
}

static void write_file(struct save *s, struct buffer *b)
{
	struct writer w = { .s = s, .b = b };

	if (s->edit_count)
		qsort(s->edits, s->edit_count, sizeof(*s->edits), compare_edits);
	if (s->f->bom)
		buffer_append(b, "\xef\xbb\xbf", 3);
	for (size_t i = 0; i <= s->f->line_count;)
		i = write_from(&w, i);
	if (w.lost_end)
		trim_end(&w);
	for (size_t i = 0; i < s->r->device->peer_count; ++i)
		if (s->is_new[i])
			write_peer(&w, &s->r->device->peers[i]);
}

bool tunnel_save(const struct config_file *f, const struct tunnel *t,
		 const struct tunnel_running *r, struct buffer *b)
{
	struct save s = { .f = f, .t = t, .r = r };

	s.is_new = calloc(r->device->peer_count + 1, sizeof(*s.is_new));
	s.failed = !s.is_new;
	if (s.is_new) {
		set_key(&s);
		set_port(&s);
		set_mark(&s);
		set_mtu(&s);
		if (r->has_addresses)
			set_addresses(&s);
		save_peers(&s);
	}
	if (!s.failed)
		write_file(&s, b);
	for (size_t i = 0; i < s.edit_count; ++i)
		free_text(s.edits[i].text);
	free(s.edits);
	free(s.is_new);
	return !s.failed && buffer_ok(b);
}
