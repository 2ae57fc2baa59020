#ifndef NET_FIREWALL_H
#define NET_FIREWALL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "model/diag.h"
#include "model/host_facts.h"
#include "model/tunnel.h"
#include "net/item.h"

/*
 * Our own nft tables. firewall_items is pure: the tables that wg-quick makes of a default route
 * ("ip wg-quick-NAME", "ip6 wg-quick-NAME": the same bytes `nft list ruleset` shows after
 * wg-quick), and "inet warren-NAME" for KillSwitch, Forward, Masquerade, MssClamp and OpenPort.
 * Rules in chains of others are net/foreign.h's, switches the planner's.
 */
MUST_CHECK bool firewall_items(const struct tunnel *t, const char *link, uint32_t mark,
			       const struct host_network *n, struct items *ret);
/* One transaction: a table that is there is replaced, whole or not at all. Remove: gone is fine. */
MUST_CHECK int firewall_add(const struct item *i, struct diag *why);
MUST_CHECK int firewall_remove(const struct item *i, struct diag *why);
MUST_CHECK int firewall_is_there(const struct item *i); /* 1, 0 or negative errno */

#endif
