#ifndef NET_PLAN_PRIVATE_H
#define NET_PLAN_PRIVATE_H

#include "net/plan.h"
#include "net/prefix_set.h"

/* What the files of the planner share. False is always: out of memory. */

/* A tunnel on a host, and what it owns there already: NULL or nothing at up. */
struct plan_case {
	const struct tunnel *t;
	const struct host_network *n;
	const struct plan_choice *c;
	const struct items *owned;
};

MUST_CHECK bool plan_takes(const struct tunnel *t, uint8_t family); /* a default route of it */
MUST_CHECK uint32_t plan_case_mark(const struct plan_case *p);
MUST_CHECK uint32_t plan_owned_mark(const struct items *owned); /* of a rule, else of the link */
MUST_CHECK bool plan_wanted(const struct plan_case *p, struct items *ret);
/* New links have no IPv6 here, and no hook of the tunnel changes that. */
MUST_CHECK bool plan_lacks_ipv6(const struct plan_case *p);

/* Who is allowed what in the end, each network once: of two that claim it the last one has it. */
MUST_CHECK bool plan_allowed(const struct model *m, struct prefix_set *ret);
/* The networks that are routed to the link, in the order of wg-quick, without those which
 * ExcludedIPs takes out and those which the routes of the addresses cover. Default routes that go
 * by policy rules are among them. table: where the others go. */
MUST_CHECK bool plan_routed(const struct tunnel *t, uint32_t table, struct prefix_set *ret);

/* The route that the kernel makes of an address, in the main table. False: it makes none, as of a
 * single IPv4 address and of those in 0.0.0.0/8. */
MUST_CHECK bool plan_connected(const struct prefix *address, struct prefix *ret);

/* Somebody took it down. False where it is not there at all. */
bool plan_link_is_down(const struct host_network *n, const char *link);

/* Steps at the end of a plan; what they get is copied. */
MUST_CHECK struct step *plan_add(struct plan *p, enum step_kind kind); /* NULL: no memory */
MUST_CHECK bool plan_add_item(struct plan *p, enum step_kind kind, const struct item *item);
MUST_CHECK bool plan_add_text(struct plan *p, enum step_kind kind, const char *text);
MUST_CHECK bool plan_add_number(struct plan *p, enum step_kind kind, uint32_t number);
/* What the tunnel asks of IPv6 and does not get. */
MUST_CHECK bool plan_add_notes(struct plan *p, const struct plan_case *of);
/* Unless the device has it, or gets it with the rest from its file. */
MUST_CHECK bool plan_add_mark(struct plan *p, const struct plan_case *of);

/* The parts of up, in their order. */
enum plan_stage {
	STAGE_LINK,
	STAGE_GUARD,
	STAGE_MTU,
	STAGE_ADDRESS,
	STAGE_ROUTE,
	STAGE_SWITCH,
	STAGE_FOREIGN,
	STAGE_DNS,
	STAGES
};
MUST_CHECK enum plan_stage plan_stage_of(const struct item *i);

#endif
