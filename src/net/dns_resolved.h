#ifndef NET_DNS_RESOLVED_H
#define NET_DNS_RESOLVED_H

#include "base/attr.h"
#include "model/diag.h"
#include "net/dns_set.h"

/*
 * systemd-resolved, which has servers for each link. With a default route of the tunnel its link
 * gets "~." and the default: then no question goes to another link's servers, but for names below a
 * domain that such a link names itself. Without one and with search domains, only names below these
 * are asked through the tunnel; without those, its servers are asked beside the others'.
 * What it is told goes with RevertLink, and with the link itself: nothing is on disk, and when a
 * link is lost, other links' servers are asked again, unless a kill switch keeps that in.
 */
#define DNS_RESOLVED_NAME "org.freedesktop.resolve1"

MUST_CHECK int dns_resolved_add(const char *link, const struct dns_set *set, struct diag *why);
MUST_CHECK int dns_resolved_remove(const char *link, struct diag *why);
MUST_CHECK int dns_resolved_is_there(const char *link, const struct dns_set *set);

#endif
