#ifndef NET_DNS_HOST_H
#define NET_DNS_HOST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "model/diag.h"
#include "net/dns_set.h"

/*
 * Who answers names on this host, and who is to be told of a tunnel's servers. What counts is whom
 * programs ask: whoever writes /etc/resolv.conf. A resolved or resolvconf that runs while programs
 * ask somebody else would say yes and change nothing (H7). Facts are gathered by dns_look, judged
 * here: pure.
 */
enum dns_owner {
	DNS_OWNER_NOBODY, /* a file, or none, that no program is known to write */
	DNS_OWNER_WARREN,
	DNS_OWNER_RESOLVED,
	DNS_OWNER_NETWORK_MANAGER,
	DNS_OWNER_OPENRESOLV,
	DNS_OWNER_DEBIAN, /* the package resolvconf of Debian */
	DNS_OWNER_OTHER,  /* see writer */
};

/* What a program named resolvconf is. */
enum dns_program { DNS_NO_PROGRAM, DNS_OPENRESOLV, DNS_DEBIAN, DNS_RESOLVECTL };

enum dns_back_end { DNS_REFUSED, DNS_RESOLVED, DNS_NETWORK_MANAGER, DNS_RESOLVCONF, DNS_FILE };

/* As an item has them; DNS_REFUSED has no name, and is what any other name gives. */
const char *dns_back_end_name(enum dns_back_end b);
enum dns_back_end dns_back_end_by_name(const char *name); /* may be NULL */

enum { DNS_WRITER = 32 };

struct dns_host {
	enum dns_owner owner;    /* of /etc/resolv.conf */
	char writer[DNS_WRITER]; /* the owner's name */
	bool lists_uplinks;      /* it is resolved's list of servers, not resolved itself */
	bool resolved;           /* on the bus, and of this network namespace */
	bool resolved_elsewhere; /* on the bus, of another one */
	bool network_manager;    /* on the bus, of this namespace, and manages DNS */
	bool nss_resolve;        /* programs ask resolved by its socket, whatever the file says */
	enum dns_program program;
	char prefix[DNS_PREFIX]; /* of a link's name at resolvconf */
};

/* target: where the file leads to, absolute, or NULL if it is no link; bytes: what it holds. */
void dns_host_judge(const char *target, const char *bytes, size_t len, struct dns_host *ret);
/* "#" and what the first line of a file of ours begins with. */
#define DNS_MARK "# Written by Warren for the tunnel "

/* all: the tunnel takes a default route. quick: resolvconf, whatever it is, as wg-quick.
 * DNS_REFUSED: why says so, and what to do. With any other, why may hold a warning about who will
 * ask elsewhere. */
enum dns_back_end dns_host_choose(const struct dns_host *h, bool all, bool quick, struct diag *why);

#endif
