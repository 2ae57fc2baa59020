#ifndef NET_ADOPT_H
#define NET_ADOPT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "net/item.h"

/*
 * What a tunnel has on a host where no journal tells, because stock wg-quick, a script or a person
 * brought it up: its link, the addresses on it, the routes to it in any table, and the rules that
 * wg-quick makes for its mark. Of the rules that ask main for what is narrower than a default
 * route, which all look alike, it is the one right below. Pure. Tables of nft and DNS are not in a
 * snapshot: the caller's.
 */

/* mark: of the device; engine: what may have made it. others: owned by other tunnels. False: out of
 * memory. */
MUST_CHECK bool adopt_items(const char *link, const char *engine, uint32_t mark,
			    const struct host_network *n, const struct items *others,
			    struct items *ret);

#endif
