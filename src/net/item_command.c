#include <inttypes.h>
#include <string.h>

#include "base/text.h"
#include "net/dns.h"
#include "net/foreign.h"
#include "net/item.h"

static char family_digit(uint8_t family)
{
	return family == FAMILY_V6 ? '6' : '4';
}

static void put_link(const struct item *i, bool remove, struct buffer *b)
{
	if (remove)
		buffer_printf(b, "ip link delete dev %s", i->link);
	else if (!i->text || strcmp(i->text, "kernel") == 0)
		buffer_printf(b, "ip link add dev %s type wireguard", i->link);
	else
		buffer_printf(b, "%s %s", i->text, i->link);
}

static void put_address(const struct item *i, const char *verb, struct buffer *b)
{
	char text[TEXT_PREFIX];

	text_from_prefix(&i->prefix, text);
	buffer_printf(b, "ip -%c address %s %s dev %s", family_digit(i->prefix.ip.family), verb,
		      text, i->link);
}

static const char *route_word(enum host_route_kind kind)
{
	switch (kind) {
	case HOST_UNREACHABLE:
		return "unreachable ";
	case HOST_BLACKHOLE:
		return "blackhole ";
	case HOST_PROHIBIT:
		return "prohibit ";
	case HOST_THROW:
		return "throw ";
	case HOST_UNICAST:
		break;
	}
	return "";
}

static void put_route(const struct item *i, const char *verb, struct buffer *b)
{
	char text[TEXT_PREFIX];

	text_from_prefix(&i->prefix, text);
	buffer_printf(b, "ip -%c route %s %s%s", family_digit(i->prefix.ip.family), verb,
		      route_word(i->route), text);
	if (i->route == HOST_UNICAST)
		buffer_printf(b, " dev %s", i->link);
	if (i->metric)
		buffer_printf(b, " metric %" PRIu32, i->metric);
	if (i->table != HOST_TABLE_MAIN)
		buffer_printf(b, " table %" PRIu32, i->table);
}

static void put_mark(const struct host_rule *r, struct buffer *b)
{
	buffer_printf(b, "%s fwmark %" PRIu32, r->invert ? " not" : "", r->mark);
	if (r->mask != UINT32_MAX)
		buffer_printf(b, "/0x%" PRIx32, r->mask);
}

/* Two tunnels may have the same rule at two priorities: only with it is the right one taken back.
 */
static void put_rule(const struct host_rule *r, bool remove, struct buffer *b)
{
	buffer_printf(b, "ip -%c rule %s", family_digit(r->family), remove ? "delete" : "add");
	if (r->mask)
		put_mark(r, b);
	if (r->table == HOST_TABLE_MAIN)
		buffer_printf(b, " table main");
	else if (r->table)
		buffer_printf(b, " table %" PRIu32, r->table);
	if (r->suppress >= 0)
		buffer_printf(b, " suppress_prefixlength %d", r->suppress);
	if (remove)
		buffer_printf(b, " priority %" PRIu32, r->priority);
}

/* As sysctl(8) spells it: dots for slashes, and a dot within a name becomes a slash. */
static void put_switch(const struct item *i, uint32_t value, struct buffer *b)
{
	buffer_printf(b, "sysctl -q ");
	for (const char *c = i->text; *c; ++c)
		buffer_printf(b, "%c", *c == '/' ? '.' : *c == '.' ? '/' : *c);
	buffer_printf(b, "=%" PRIu32, value);
}

static void put_table(const struct item *i, bool remove, struct buffer *b)
{
	buffer_printf(b, remove ? "nft delete table %s" : "nft -f - # table %s", i->name);
}

/* The first line of what a manager or a back end is told, and who. */
static void put_others(const struct item *i, bool remove, struct buffer *b)
{
	const char *text = i->text ? i->text : "";

	buffer_printf(b, "%s:%s %.*s", i->name, remove ? " undo" : "", (int)strcspn(text, "\r\n"),
		      text);
}

bool item_command(const struct item *i, bool remove, struct buffer *b)
{
	const char *verb = remove ? "delete" : "add";

	switch (i->kind) {
	case ITEM_LINK:
		put_link(i, remove, b);
		return true;
	case ITEM_LINK_MTU:
		if (!remove)
			buffer_printf(b, "ip link set mtu %" PRIu32 " dev %s", i->number, i->link);
		return !remove;
	case ITEM_ADDRESS:
		put_address(i, verb, b);
		return true;
	case ITEM_ROUTE:
		put_route(i, verb, b);
		return true;
	case ITEM_RULE:
		put_rule(&i->rule, remove, b);
		return true;
	case ITEM_SWITCH:
		put_switch(i, remove ? i->old : i->number, b);
		return true;
	case ITEM_TABLE:
		put_table(i, remove, b);
		return true;
	case ITEM_DNS:
		if (!dns_command(i, remove, b))
			put_others(i, remove, b);
		return true;
	case ITEM_FOREIGN:
		if (!foreign_command(i, remove, b))
			put_others(i, remove, b);
		return true;
	case ITEM_KINDS:
		break;
	}
	return false;
}
