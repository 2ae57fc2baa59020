#include "cli/conf_patch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buffer.h"
#include "base/bytes.h"
#include "config/value.h"

void conf_patch_init(struct conf_patch *c, const struct config_file *f)
{
	*c = (struct conf_patch){ .file = f };
	resolver_init(&c->settings.resolver);
}

size_t conf_patch_column(const struct conf_patch *c, size_t at)
{
	const struct file_line *l = &c->file->lines[c->line];
	size_t column = 0;

	at += c->value;
	while (column < l->len && (value_is_blank(l->text[column]) || at--))
		++column;
	return column + 1;
}

static bool is_secret(enum keys_id id)
{
	return keys_row(id)->flags & KEYS_SECRET;
}

/* Which part of a line may be a key, which must not be shown. */
enum secret { SECRET_NONE, SECRET_VALUE, SECRET_LINE };

/* A private key whose '=' was left out, or is a colon: all of it stands where a name should. */
static bool name_holds_key(const char *name, size_t len)
{
	static const enum keys_id ids[] = { KEYS_PRIVATE_KEY, KEYS_PRESHARED_KEY };

	for (size_t i = 0; i < ELEMENTS(ids); ++i) {
		const char *word = keys_row(ids[i])->name;

		if (len > strlen(word) && strncasecmp(name, word, strlen(word)) == 0)
			return true;
	}
	return value_holds_key(name, len);
}

/* A key ends with '=' itself: what stands before one may be more than a name. */
static enum secret find_secret(const char *name, size_t len, const char *value)
{
	if (name_holds_key(name, len))
		return SECRET_LINE;
	if (value[0] &&
	    (is_secret(keys_find(name, len, false)) || is_secret(keys_nearest(name, len, false)) ||
	     value_holds_key(value, strlen(value))))
		return SECRET_VALUE;
	return SECRET_NONE;
}

static void say_unrecognized(const struct conf_patch *c, const char *line, size_t len,
			     const char *hint)
{
	const char *value = line[len] ? line + len + 1 : "";

	switch (find_secret(line, len, value)) {
	case SECRET_NONE:
		settings_say(&c->settings, 0, hint, "Line unrecognized: `%s'", line);
		break;
	case SECRET_VALUE:
		settings_say(&c->settings, 0, hint, "Line unrecognized: `%.*s=(hidden)'", (int)len,
			     line);
		break;
	case SECRET_LINE:
		settings_say(&c->settings, 0, hint, "Line unrecognized: `(hidden)'");
		break;
	}
}

/* What is wrong with a line of a known key, for people; NULL: the key is not known. */
static const char *place_hint(const struct keys_row *row, const char *value, char *ret, size_t size)
{
	if (row->owner == KEYS_OF_NOBODY)
		return NULL;
	if (row->owner == KEYS_OF_WG && !value[0])
		return "a value, or no such line: it then is unset";
	if (row->owner == KEYS_OF_WG) {
		(void)snprintf(ret, size, "%s belongs to %s", row->name,
			       keys_section_name(row->section)); /* fits */
		return ret;
	}
	(void)snprintf(ret, size, "%s is not wg's: `wg-quick strip' leaves it out", row->name);
	return ret;
}

static enum conf_outcome unrecognized(struct conf_patch *c, const char *line)
{
	const char *equals = strchr(line, '=');
	const size_t len = equals ? (size_t)(equals - line) : strlen(line);
	const enum keys_id near = keys_nearest(line, len, false);
	const char *hint;
	char text[96];

	hint = equals ? place_hint(keys_row(keys_find(line, len, false)), equals + 1, text,
				   sizeof(text))
		      : "[Interface], [Peer], KEY = VALUE, or # and a comment";
	if (!hint && near != KEYS_UNKNOWN) {
		(void)snprintf(text, sizeof(text), "perhaps %s", keys_row(near)->name); /* fits */
		hint = text;
	}
	c->value = 0;
	say_unrecognized(c, line, len, hint);
	return CONF_LINE;
}

/* Begins a section; every [Peer] is another one. */
static enum conf_outcome begin_section(struct conf_patch *c, enum keys_section section,
				       struct model *m)
{
	struct model_peer *p;

	if (section != KEYS_PEER)
		return CONF_READ;
	c->lacks_key |= m->peer_count && !c->has_key;
	c->has_key = false;
	p = model_add_peer(m);
	if (!p) {
		settings_say(&c->settings, 0, NULL, "Out of memory");
		return CONF_LINE;
	}
	p->replace_allowed = true;
	return CONF_READ;
}

static enum keys_section section_of(const char *line)
{
	if (value_equals(line, strlen(line), "[Interface]"))
		return KEYS_INTERFACE;
	return value_equals(line, strlen(line), "[Peer]") ? KEYS_PEER : KEYS_NO_SECTION;
}

/* A line as wg sees it: no blanks, no comment, not empty. */
static enum conf_outcome read_line(struct conf_patch *c, enum keys_section *section,
				   const char *line, struct model *m)
{
	const enum keys_section begins = section_of(line);
	const char *equals = strchr(line, '=');
	const struct keys_row *row;
	enum keys_id id;

	c->value = 0;
	if (begins != KEYS_NO_SECTION) {
		*section = begins;
		return begin_section(c, begins, m);
	}
	if (!equals)
		return unrecognized(c, line);
	id = keys_find(line, (size_t)(equals - line), false);
	row = keys_row(id);
	if (row->owner != KEYS_OF_WG || row->section != *section || !equals[1])
		return unrecognized(c, line);
	c->value = (size_t)(equals + 1 - line);
	switch (settings_apply(&c->settings, m, id, equals + 1)) {
	case SETTINGS_DONE:
		c->has_key |= id == KEYS_PUBLIC_KEY;
		return CONF_READ;
	case SETTINGS_WRONG:
		return CONF_LINE;
	case SETTINGS_END:
		break;
	}
	return CONF_END;
}

static enum conf_outcome read_lines(struct conf_patch *c, struct buffer *line, struct model *m)
{
	enum keys_section section = KEYS_NO_SECTION;
	enum conf_outcome outcome = CONF_READ;

	for (c->line = 0; c->line < c->file->line_count; ++c->line) {
		line->len = 0;
		file_stripped(&c->file->lines[c->line], line);
		if (!line->len)
			continue;
		buffer_append(line, "", 1);
		if (!buffer_ok(line)) {
			settings_say(&c->settings, 0, NULL, "Out of memory");
			return CONF_LINE;
		}
		outcome = read_line(c, &section, line->bytes, m);
		if (outcome != CONF_READ)
			break;
	}
	return outcome;
}

enum conf_outcome conf_patch_read(struct conf_patch *c, bool append, struct model *ret)
{
	struct buffer line;
	enum conf_outcome outcome;

	if (!append)
		ret->replace_peers = ret->has_private_key = ret->has_listen_port = ret->has_fwmark =
			true;
	buffer_init(&line);
	outcome = read_lines(c, &line, ret);
	buffer_done(&line);
	if (outcome == CONF_READ && (c->lacks_key || (ret->peer_count && !c->has_key)))
		return CONF_INVALID;
	return outcome;
}

int conf_patch_tell(enum conf_outcome outcome)
{
	switch (outcome) {
	case CONF_READ:
		return 0;
	case CONF_LINE:
		fputs("Configuration parsing error\n", stderr);
		break;
	case CONF_INVALID:
		fputs("A peer is missing a public key\nInvalid configuration\n", stderr);
		break;
	case CONF_END:
		break;
	}
	return EXIT_FAILURE;
}
