#ifndef NET_ITEM_H
#define NET_ITEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buffer.h"
#include "base/prefix.h"
#include "model/host_facts.h"

/*
 * One thing on the host that a tunnel owns: it can be added and removed, be there or not, be shown
 * as the command a person would type, and be written down in one line and read again. Up adds what
 * a tunnel wants, down removes what it owns, sync does the difference, keep puts back what is gone:
 * all of them speak items. Pure.
 */
enum item_kind {
	ITEM_LINK,     /* the device; text: what makes it, "kernel" or the program of the engine;
			* number: the mark it came up with */
	ITEM_ADDRESS,  /* prefix on link, host bits kept */
	ITEM_LINK_MTU, /* number, on link. Gone with the link */
	ITEM_ROUTE,    /* prefix, table, metric, route; link only for HOST_UNICAST */
	ITEM_RULE,     /* rule: priority and all */
	ITEM_SWITCH,   /* text: path below /proc/sys; number, and what it was before: old */
	ITEM_TABLE,    /* an nft table of ours. name: "inet warren-wg0"; text: what stands in it */
	ITEM_FOREIGN, /* a rule in a chain of somebody else's. name: whose (net/foreign.h); text: it
		       */
	ITEM_DNS,     /* name: the back end (net/dns.h); text: its arguments */
	ITEM_KINDS
};

struct item {
	enum item_kind kind;
	char link[HOST_NAME];
	struct prefix prefix;
	uint32_t table;  /* ROUTE */
	uint32_t metric; /* 0: the kernel's choice */
	enum host_route_kind route;
	struct host_rule rule;
	uint32_t number;
	uint32_t old;
	char *name; /* owned; NULL where the kind has none */
	char *text; /* owned */
};

struct items {
	struct item *rows; /* in the order in which they are added */
	size_t count;
	size_t room;
};

void items_init(struct items *i);
void items_done(struct items *i);
/* A zeroed one of this kind at the end. NULL: out of memory. Good until the next. */
MUST_CHECK struct item *items_add(struct items *i, enum item_kind kind, const char *link);
MUST_CHECK bool item_set_texts(struct item *i, const char *name, const char *text); /* copies */
MUST_CHECK bool items_copy(struct items *to, const struct item *from);
MUST_CHECK bool item_copy(struct item *to, const struct item *from); /* over a zeroed one */
void item_done(struct item *i);

/* The same thing on the host? Then adding b changes a into b. Of a switch: the same path, whatever
 * its value; of a table: the same name; of DNS: the same back end. */
MUST_CHECK bool item_same(const struct item *a, const struct item *b);
/* Of any two, for sorting: 0 is the same. */
MUST_CHECK int item_order(const struct item *a, const struct item *b);
/* Same, and nothing about it differs. */
MUST_CHECK bool item_equal(const struct item *a, const struct item *b);
/* It is gone as soon as the link is: addresses, the mtu, routes to the link. */
MUST_CHECK bool item_goes_with_link(const struct item *i);
/* It keeps packets from leaving beside the tunnel: tables of ours, rules, routes without a link. */
MUST_CHECK bool item_guards(const struct item *i);
const struct item *items_find(const struct items *i, const struct item *like); /* item_same */

/*
 * Is it there, as far as a snapshot of the network tells? 1, 0, or -1: it does not tell. Of TABLE,
 * FOREIGN and DNS it never does. The mtu of a link that is down is not there: STEP_UP gives both.
 */
MUST_CHECK int item_is_there(const struct item *i, const struct host_network *n);

/* The command of iproute2, nft or sysctl that does the same, as wg-quick prints it, but that taking
 * back a rule names its priority too. False: there is none worth a line. Out of memory: ask b. */
MUST_CHECK bool item_command(const struct item *i, bool remove, struct buffer *b);

/* One line without its end, and no line break inside whatever the texts hold; and back. -EINVAL:
 * it is none. False: out of memory. */
MUST_CHECK bool item_write(const struct item *i, struct buffer *b);
MUST_CHECK int item_parse(const char *line, size_t len, struct item *ret);

#endif
