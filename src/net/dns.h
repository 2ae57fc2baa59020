#ifndef NET_DNS_H
#define NET_DNS_H

#include <stdbool.h>

#include "base/attr.h"
#include "model/diag.h"
#include "model/host_facts.h"
#include "model/tunnel.h"
#include "net/item.h"

/*
 * Servers and search domains of a tunnel, through whoever answers names on this host: the one that
 * writes /etc/resolv.conf, which is systemd-resolved (dns_resolved.h), NetworkManager
 * (dns_network_manager.h) or a resolvconf (dns_resolvconf.h), or else that file itself
 * (dns_file.h). dns_host.h says how that is told. A failure is told and leaves the tunnel up: why
 * has what, why, and what would be right, as a warning with the id of its page.
 *
 * The name of an ITEM_DNS is "resolved", "network-manager", "resolvconf" or "file"; its text is
 * that of dns_set.h. Whoever has the item can take it back, also after a kill or a reboot.
 */

/* Decides by looking at the host; adds one ITEM_DNS, or none if the tunnel has no server or the
 * host refuses. quick: only resolvconf, as wg-quick, be it there or not. why: what cannot be done,
 * or who will ask elsewhere, if anything. 0 or negative errno. */
MUST_CHECK int dns_decide(const struct tunnel *t, const char *link, bool quick, struct items *ret,
			  struct diag *why);
/* An item to and from the host. Adding what is there and removing what is not are no errors; what
 * was there with other words is replaced. */
MUST_CHECK int dns_add(const struct item *i, struct diag *why);
MUST_CHECK int dns_remove(const struct item *i, struct diag *why);
/* 1: as it should be; 0: something took it away; negative errno: it cannot be known. */
MUST_CHECK int dns_is_there(const struct item *i);
/* Does it outlive a reboot if nobody removes it? Pure. */
MUST_CHECK bool dns_is_on_disk(const struct item *i);
/* What a person would type for the same, without "[#] ". False: the item is damaged. Pure. */
MUST_CHECK bool dns_command(const struct item *i, bool remove, struct buffer *b);

#endif
