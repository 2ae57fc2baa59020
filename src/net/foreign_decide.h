#ifndef NET_FOREIGN_DECIDE_H
#define NET_FOREIGN_DECIDE_H

#include <stdbool.h>

#include "base/attr.h"
#include "model/tunnel.h"
#include "net/item.h"
#include "net/ruleset.h"

/* The pure part of net/foreign: which chains of a rule set want which rules. */
struct foreign_host {
	bool legacy;              /* the set is iptables-legacy's */
	bool has_iptables;        /* there are iptables-nft and ip6tables-nft */
	const char *const *zones; /* of a firewalld that owns its table; NULL at the end */
};

MUST_CHECK bool foreign_places(const struct tunnel *t, const char *link, const struct ruleset *r,
			       const struct foreign_host *h, struct items *ret);

#endif
