#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/text.h"
#include "net/item.h"

/*
 * The kind, then "key=value" for each of its fields, a blank between, always in the same order. In
 * texts whatever is no visible ASCII, and '%', is "%" and two hex digits.
 */
enum form {
	FORM_LINK,
	FORM_PREFIX,
	FORM_ROUTE,
	FORM_FAMILY,
	FORM_FLAG,
	FORM_SUPPRESS,
	FORM_NUMBER,
	FORM_TEXT
};

struct field {
	const char *key;
	enum form form;
	size_t at;     /* in the item */
	bool optional; /* a text may be NULL, a number 0: then it has no field */
};

#define FIELD(key, form, member)                                \
	{                                                       \
		key, form, offsetof(struct item, member), false \
	}

enum { FIELDS_MAX = 7 };

/* All have a link before these. */
static const struct field link_field = FIELD("link", FORM_LINK, link);
static const struct {
	const char *word;
	struct field fields[FIELDS_MAX + 1]; /* up to the one without a key */
} kinds[ITEM_KINDS] = {
	[ITEM_LINK] = { "link",
			{ FIELD("by", FORM_TEXT, text),
			  { "mark", FORM_NUMBER, offsetof(struct item, number), true } } },
	[ITEM_ADDRESS] = { "address", { FIELD("prefix", FORM_PREFIX, prefix) } },
	[ITEM_LINK_MTU] = { "mtu", { FIELD("size", FORM_NUMBER, number) } },
	[ITEM_ROUTE] = { "route",
			 { FIELD("kind", FORM_ROUTE, route), FIELD("prefix", FORM_PREFIX, prefix),
			   FIELD("table", FORM_NUMBER, table),
			   FIELD("metric", FORM_NUMBER, metric) } },
	[ITEM_RULE] = { "rule",
			{ FIELD("family", FORM_FAMILY, rule.family),
			  FIELD("priority", FORM_NUMBER, rule.priority),
			  FIELD("not", FORM_FLAG, rule.invert),
			  FIELD("mark", FORM_NUMBER, rule.mark),
			  FIELD("mask", FORM_NUMBER, rule.mask),
			  FIELD("table", FORM_NUMBER, rule.table),
			  FIELD("suppress", FORM_SUPPRESS, rule.suppress) } },
	[ITEM_SWITCH] = { "switch",
			  { FIELD("path", FORM_TEXT, text), FIELD("value", FORM_NUMBER, number),
			    FIELD("old", FORM_NUMBER, old) } },
	[ITEM_TABLE] = { "table",
			 { FIELD("name", FORM_TEXT, name),
			   { "text", FORM_TEXT, offsetof(struct item, text), true } } },
	[ITEM_FOREIGN] = { "foreign",
			   { FIELD("name", FORM_TEXT, name),
			     { "text", FORM_TEXT, offsetof(struct item, text), true } } },
	[ITEM_DNS] = { "dns",
		       { FIELD("name", FORM_TEXT, name),
			 { "text", FORM_TEXT, offsetof(struct item, text), true } } },
};

static const char *const routes[] = { [HOST_UNICAST] = "unicast",
				      [HOST_UNREACHABLE] = "unreachable",
				      [HOST_BLACKHOLE] = "blackhole",
				      [HOST_PROHIBIT] = "prohibit",
				      [HOST_THROW] = "throw" };

static void put_text(const char *text, struct buffer *b)
{
	for (; *text; ++text)
		if (*text > ' ' && *text <= '~' && *text != '%')
			buffer_append(b, text, 1);
		else
			buffer_printf(b, "%%%02x", (unsigned char)*text);
}

static void put_value(enum form form, const void *at, struct buffer *b)
{
	char prefix[TEXT_PREFIX];

	switch (form) {
	case FORM_LINK:
		put_text(at, b);
		break;
	case FORM_PREFIX:
		text_from_prefix(at, prefix);
		put_text(prefix, b);
		break;
	case FORM_ROUTE:
		put_text(routes[*(const enum host_route_kind *)at], b);
		break;
	case FORM_FAMILY:
		buffer_printf(b, "%u", *(const uint8_t *)at);
		break;
	case FORM_FLAG:
		buffer_printf(b, "%u", *(const bool *)at);
		break;
	case FORM_SUPPRESS:
		buffer_printf(b, "%d", *(const int *)at);
		break;
	case FORM_NUMBER:
		buffer_printf(b, "%" PRIu32, *(const uint32_t *)at);
		break;
	case FORM_TEXT:
		put_text(*(char *const *)at, b);
		break;
	}
}

static bool is_left_out(const struct field *f, const void *at)
{
	if (f->form == FORM_TEXT)
		return !*(char *const *)at;
	return f->optional && *(const uint32_t *)at == 0;
}

static void put_field(const struct item *i, const struct field *f, struct buffer *b)
{
	const void *at = (const char *)i + f->at;

	if (is_left_out(f, at))
		return;
	buffer_printf(b, " %s=", f->key);
	put_value(f->form, at, b);
}

bool item_write(const struct item *i, struct buffer *b)
{
	buffer_printf(b, "%s", kinds[i->kind].word);
	put_field(i, &link_field, b);
	for (const struct field *f = kinds[i->kind].fields; f->key; ++f)
		put_field(i, f, b);
	return buffer_ok(b);
}

/* In place: what it stands for is never longer. */
static int take_back(char *text)
{
	char *to = text;

	for (; *text; ++text, ++to) {
		const char digits[] = { text[1], text[1] ? text[2] : '\0', '\0' };
		uint8_t byte = (uint8_t)*text;

		if (byte <= ' ' || byte > '~')
			return -EINVAL;
		if (byte == '%') {
			if (!text_hex_to_bytes(digits, &byte, 1) || byte == 0)
				return -EINVAL;
			text += 2;
		}
		*to = (char)byte;
	}
	*to = '\0';
	return 0;
}

static int take_text(char *value, char **ret)
{
	if (take_back(value) < 0)
		return -EINVAL;
	*ret = strdup(value);
	return *ret ? 0 : -ENOMEM;
}

static int take_link(char *value, char *ret)
{
	if (*value && !text_is_interface_name(value))
		return -EINVAL;
	memcpy(ret, value, strlen(value) + 1);
	return 0;
}

static int take_route(const char *value, enum host_route_kind *ret)
{
	for (size_t i = 0; i < ELEMENTS(routes); ++i)
		if (strcmp(value, routes[i]) == 0) {
			*ret = (enum host_route_kind)i;
			return 0;
		}
	return -EINVAL;
}

static int take_number(const char *value, uint32_t max, uint32_t *ret)
{
	uint64_t number;

	if (!text_to_uint(value, max, &number))
		return -EINVAL;
	*ret = (uint32_t)number;
	return 0;
}

static int take_value(enum form form, char *value, void *at)
{
	uint32_t number = 0;
	int rc = 0;

	switch (form) {
	case FORM_LINK:
		return take_link(value, at);
	case FORM_PREFIX:
		return text_to_prefix(value, at) ? 0 : -EINVAL;
	case FORM_ROUTE:
		return take_route(value, at);
	case FORM_FAMILY:
		rc = take_number(value, FAMILY_V6, &number);
		*(uint8_t *)at = (uint8_t)number;
		return number == FAMILY_V4 || number == FAMILY_V6 ? rc : -EINVAL;
	case FORM_FLAG:
		rc = take_number(value, 1, &number);
		*(bool *)at = number == 1;
		return rc;
	case FORM_SUPPRESS:
		if (strcmp(value, "-1") != 0)
			rc = take_number(value, 128, &number);
		*(int *)at = strcmp(value, "-1") == 0 ? -1 : (int)number;
		return rc;
	case FORM_NUMBER:
		return take_number(value, UINT32_MAX, at);
	case FORM_TEXT:
		return take_text(value, at);
	}
	return -EINVAL;
}

/* The next word, cut off and NUL-terminated; NULL: no more. */
static char *next_word(char **rest)
{
	return *rest ? strsep(rest, " ") : NULL;
}

static int take_field(const struct field *f, char **word, char **rest, struct item *i)
{
	const size_t len = strlen(f->key);
	int rc;

	if (!*word || strncmp(*word, f->key, len) != 0 || (*word)[len] != '=')
		return f->optional ? 0 : -EINVAL;
	rc = take_value(f->form, *word + len + 1, (char *)i + f->at);
	*word = next_word(rest);
	return rc;
}

static int take_fields(char *rest, struct item *i)
{
	char *word = next_word(&rest);
	int rc;

	rc = take_field(&link_field, &word, &rest, i);
	for (const struct field *f = kinds[i->kind].fields; rc == 0 && f->key; ++f)
		rc = take_field(f, &word, &rest, i);
	return rc == 0 && word ? -EINVAL : rc;
}

static int take_line(char *line, struct item *i)
{
	const char *word = next_word(&line);

	for (enum item_kind kind = 0; kind < ITEM_KINDS; ++kind)
		if (strcmp(word, kinds[kind].word) == 0) {
			i->kind = kind;
			return take_fields(line, i);
		}
	return -EINVAL;
}

int item_parse(const char *line, size_t len, struct item *ret)
{
	struct item item = { 0 };
	char *copy;
	int rc;

	if (memchr(line, '\0', len))
		return -EINVAL;
	copy = strndup(line, len);
	if (!copy)
		return -ENOMEM;
	rc = take_line(copy, &item);
	free(copy);
	if (rc < 0)
		item_done(&item);
	else
		*ret = item;
	return rc;
}
