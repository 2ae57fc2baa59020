#ifndef NET_DNS_H
#define NET_DNS_H

#include <stdbool.h>

#include "base/attr.h"
#include "model/diag.h"
#include "model/host_facts.h"
#include "model/tunnel.h"
#include "net/item.h"

/*
 * Servers and search domains of a tunnel, through what the host has, in this order:
 * systemd-resolved and NetworkManager (D-Bus), resolvconf (as wg-quick calls it), or a marked
 * /etc/resolv.conf. "~." only with a default route of the tunnel. A failure is told and leaves the
 * tunnel up; a file that something else would rewrite is refused with the reason.
 */

/* Decides by looking at the host; adds one ITEM_DNS, or none if the tunnel has no server. quick:
 * only resolvconf, as wg-quick. why: what cannot be done, if anything. 0 or negative errno. */
MUST_CHECK int dns_decide(const struct tunnel *t, const char *link, bool quick, struct items *ret,
			  struct diag *why);
/* An item to and from the host. Adding what is there and removing what is not are no errors. */
MUST_CHECK int dns_add(const struct item *i, struct diag *why);
MUST_CHECK int dns_remove(const struct item *i, struct diag *why);
/* 1: as it should be; 0: something took it away; negative errno: it cannot be known. */
MUST_CHECK int dns_is_there(const struct item *i);

#endif
