#ifndef CLI_KEEP_LOOK_H
#define CLI_KEEP_LOOK_H

#include "base/attr.h"
#include "net/item.h"
#include "net/plan.h"

/* What of a tunnel is gone from the host. Looks, and changes nothing. */
enum keep_part { /* of what is asked for: the last two cost a program each */
		 KEEP_NETWORK = 1,
		 KEEP_FIREWALL = 2, /* tables of ours, rules in chains of others */
		 KEEP_DNS = 4,
		 KEEP_ALL = 7,
};

struct keep_gone {
	struct plan plan;    /* puts back links, addresses, routes, rules, switches, the device */
	struct items others; /* tables, rules in chains of others, DNS */
};

/* 0 or negative errno. Either way keep_gone_done is due. */
MUST_CHECK int keep_look(const struct items *owned, unsigned int parts, struct keep_gone *ret);
void keep_gone_done(struct keep_gone *g);
/* Bit N: things of kind N are gone. */
MUST_CHECK unsigned int keep_gone_kinds(const struct keep_gone *g);

#endif
