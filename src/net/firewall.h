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
 * Our own nft tables, an ITEM_TABLE each:
 *   "ip wg-quick-NAME", "ip6 wg-quick-NAME"  what wg-quick makes of a default route: nothing from
 *       outside reaches the tunnel's addresses, and its own datagrams find their way back. `nft
 *       list ruleset` is the same as after wg-quick.
 *   "inet warren-NAME"  KillSwitch, Masquerade and MssClamp. Forward and OpenPort need none: where
 *       nobody drops, nothing must be accepted; where somebody does, see net/foreign.h.
 *   "arp warren-NAME"  with KillSwitch: no other link's neighbours learn the tunnel's addresses by
 *       asking for them. Without it they do, as after wg-quick: arp_ignore would do the same, but
 *       to all addresses of the host.
 * In their names NAME has "/e" for '=' and "/p" for '+', which nft does not take.
 *
 * KillSwitch: what goes to AllowedIPs, to the tunnel's networks, or from its addresses leaves by
 * the tunnel or is rejected. ExcludedIPs, DHCP and neighbour discovery pass, and so does UDP with
 * the tunnel's mark. A tunnel that takes all of one family, and nothing of the other, guards both.
 * With `lan` private, link-local and multicast addresses pass, but not what AllowedIPs or Address
 * name inside of them, and no DNS where a tunnel for everything has servers of its own.
 *
 * Masquerade: UDP gets a source port from a range without ListenPort, or answers to it would be
 * taken for the engine's.
 */
/* Pure. mark: of the device, 0: none. n: what other links have of the tunnel's addresses. False:
 * out of memory. */
MUST_CHECK bool firewall_items(const struct tunnel *t, const char *link, uint32_t mark,
			       const struct host_network *n, struct items *ret);
/* The switches of Forward, in the order in which they are turned: accept_ra = 2 on a link with a
 * default route by router advertisement, which would be lost otherwise, then forwarding of each
 * family the tunnel has. Pure. */
MUST_CHECK bool firewall_switches(const struct tunnel *t, const struct host_network *n,
				  struct items *ret);

/* Does a tunnel without this table break a promise? That of the keys keeps one; wg-quick's only
 * make a default route safer, and the one for ARP a kill switch quieter: where there is no nft, as
 * in many a container, or a kernel knows no tables for ARP, the tunnel is there without them. Pure.
 */
MUST_CHECK bool firewall_must(const struct item *i);

/* One transaction: a table that is there is replaced, whole or not at all. Remove: gone is fine. */
MUST_CHECK int firewall_add(const struct item *i, struct diag *why);
MUST_CHECK int firewall_remove(const struct item *i, struct diag *why);
/* 1: with as many chains and rules as it was given; 0, or negative errno. */
MUST_CHECK int firewall_is_there(const struct item *i);

#endif
