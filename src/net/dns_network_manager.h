#ifndef NET_DNS_NETWORK_MANAGER_H
#define NET_DNS_NETWORK_MANAGER_H

#include <stdbool.h>

#include "base/attr.h"
#include "model/diag.h"
#include "net/dns_bus.h"
#include "net/dns_set.h"

/*
 * NetworkManager, where it writes /etc/resolv.conf itself or feeds a dnsmasq of its own. The link
 * of a tunnel is none that it manages, and to make it so would let it change addresses and routes;
 * so the servers become its GlobalDnsConfiguration, which overrules those of all links, as
 * `resolvconf -x' does. NetworkManager keeps that over a reboot, and so does what is needed to take
 * it back. One that somebody else has set is left alone: refused (-EBUSY).
 */
#define DNS_NETWORK_MANAGER_NAME "org.freedesktop.NetworkManager"

/* Is it there, of our network namespace, and does it decide whom programs ask? */
MUST_CHECK bool dns_network_manager_rules(const struct dns_bus *b);

/* state: the folder of net/dns_file.h. */
MUST_CHECK int dns_network_manager_add(const char *state, const char *link,
				       const struct dns_set *set, struct diag *why);
MUST_CHECK int dns_network_manager_remove(const char *state, const char *link, struct diag *why);
MUST_CHECK int dns_network_manager_is_there(const char *state, const char *link,
					    const struct dns_set *set);

#endif
