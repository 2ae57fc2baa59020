#ifndef NET_DNS_RESOLVCONF_H
#define NET_DNS_RESOLVCONF_H

#include "base/attr.h"
#include "model/diag.h"
#include "net/dns_host.h"
#include "net/dns_set.h"

/*
 * A program named resolvconf, called exactly as wg-quick calls it: openresolv, Debian's resolvconf,
 * or what systemd-resolved brings under that name. Unless it is for wg-quick, it is looked whether
 * the servers are really asked afterwards; if not, they are taken back and why says so (H7).
 */
MUST_CHECK int dns_resolvconf_add(const char *file, const char *link, const struct dns_set *set,
				  struct diag *why);
MUST_CHECK int dns_resolvconf_remove(const char *link, const struct dns_set *set, struct diag *why);
MUST_CHECK int dns_resolvconf_is_there(const char *file, const char *link,
				       const struct dns_set *set);

/* Which one this host has, and what it wants before a link's name: pure but for looking. */
enum dns_program dns_resolvconf_look(char ret_prefix[static DNS_PREFIX]);
/* The prefix by the text of /etc/resolvconf/interface-order: its first line "word*" makes "word.",
 * else "". */
void dns_resolvconf_prefix(const char *order, size_t len, char ret[static DNS_PREFIX]);
/* Does a resolv.conf send questions to one of the servers, or to a resolver of this host, which
 * was told of them? */
MUST_CHECK bool dns_resolvconf_asks(const char *bytes, size_t len, const struct dns_set *set);

#endif
