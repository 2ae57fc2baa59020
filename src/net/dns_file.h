#ifndef NET_DNS_FILE_H
#define NET_DNS_FILE_H

#include "base/attr.h"
#include "model/diag.h"
#include "net/dns_host.h"
#include "net/dns_set.h"

/*
 * /etc/resolv.conf in our own words, under a mark. What stood there (bytes, mode, owner, or where a
 * link led, or that there was nothing) is on disk before the change and comes back when the last
 * tunnel goes. The newest tunnel's servers count. A file that somebody else has written since is
 * theirs: removing leaves it alone, adding takes it for the new original.
 *
 * The file is replaced by a rename. One that is mounted, as containers have it, cannot be: its
 * bytes are written over in place, so that a kill leaves the old or the new ones, at most with
 * blank lines behind.
 */
struct dns_place {
	const char *file;  /* /etc/resolv.conf */
	const char *state; /* /var/lib/warren/dns */
};

/* Refused (-EBUSY) where somebody else would rewrite it. */
MUST_CHECK int dns_file_add(const struct dns_place *p, const char *link, const struct dns_set *set,
			    struct diag *why);
MUST_CHECK int dns_file_remove(const struct dns_place *p, const char *link, struct diag *why);
MUST_CHECK int dns_file_is_there(const struct dns_place *p, const char *link,
				 const struct dns_set *set);
/* Whose it is: owner, writer, lists_uplinks. Needs no privilege. */
MUST_CHECK int dns_file_look(const char *file, struct dns_host *ret);

#endif
