#include <stdarg.h>
#include <stdio.h>

#include "base/text.h"
#include "net/firewall_private.h"

enum { RULE_ROOM = 512 };

void firewall_chain(struct buffer *b, const char *name)
{
	buffer_printf(b, "\tchain %s {\n", name);
}

void firewall_hook(struct buffer *b, const char *type, const char *hook, int priority)
{
	buffer_printf(b, "\t\ttype %s hook %s priority %d; policy accept;\n", type, hook, priority);
}

void firewall_rule(struct buffer *b, const char *format, ...)
{
	char rule[RULE_ROOM];
	va_list args;

	va_start(args, format);
	if (vsnprintf(rule, sizeof(rule), format, args) >= RULE_ROOM)
		b->failed =
			true; /* no rule of ours is so long: only sets are, and they go by rows */
	va_end(args);
	buffer_printf(b, "\t\t%s\n", rule);
}

void firewall_end(struct buffer *b)
{
	buffer_printf(b, "\t}\n");
}

void firewall_set_rule(struct buffer *b, const struct prefix_set *s, uint8_t family,
		       const char *end, const char *verdict)
{
	const char *ip = family == FAMILY_V4 ? "ip" : "ip6";
	const char *between = "";
	char text[TEXT_PREFIX];

	if (prefix_set_is_full(s, family)) {
		firewall_rule(b, "meta nfproto %s %s", family == FAMILY_V4 ? "ipv4" : "ipv6",
			      verdict);
		return;
	}
	if (!prefix_set_has_family(s, family))
		return;
	buffer_printf(b, "\t\t%s %s { ", ip, end);
	for (size_t i = 0; i < s->count; ++i) {
		if (s->rows[i].ip.family != family)
			continue;
		text_from_prefix(&s->rows[i], text);
		buffer_printf(b, "%s%s", between, text);
		between = ", ";
	}
	buffer_printf(b, " } %s\n", verdict);
}

/* What nft would not read in a name is written with a slash, which no link's has. */
static void write_name(struct buffer *b, const char *link)
{
	for (; *link; ++link)
		if (*link == '=')
			buffer_append(b, "/e", 2);
		else if (*link == '+')
			buffer_append(b, "/p", 2);
		else
			buffer_append(b, link, 1);
}

bool firewall_table(struct items *ret, const char *family, const char *prefix, const char *link,
		    struct buffer *b)
{
	struct buffer name;
	struct item *item;
	bool made = false;

	buffer_init(&name);
	buffer_printf(&name, "%s %s-", family, prefix);
	write_name(&name, link);
	buffer_append(&name, "", 1);
	buffer_append(b, "", 1);
	item = buffer_ok(b) && buffer_ok(&name) ? items_add(ret, ITEM_TABLE, link) : NULL;
	if (item)
		made = item_set_texts(item, name.bytes, b->bytes);
	buffer_done(&name);
	buffer_done(b);
	return made;
}
