#ifndef NET_DNS_SET_H
#define NET_DNS_SET_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/buffer.h"
#include "model/tunnel.h"

/*
 * What a tunnel wants of the resolver, and its form as the text of an ITEM_DNS: words with a blank
 * between them, "server=10.0.0.1", "search=corp.example", "prefix=tun.", "all", "quick". Pure.
 */
enum { DNS_PREFIX = 32 };

struct dns_set {
	char **servers; /* in the order of the file; never none */
	size_t server_count;
	char **search; /* "~corp.example": only names below it, where the host can do that */
	size_t search_count;
	char prefix[DNS_PREFIX]; /* of the name that resolvconf gets */
	bool all;                /* the tunnel takes a default route: every name is its business */
	bool quick;              /* as wg-quick: nobody looks whether it did anything */
	char *words;             /* owned; what the strings above point into */
};

/* Do the peers of a tunnel take all of a family, in one prefix or two halves? */
MUST_CHECK bool dns_set_takes_all(const struct tunnel *t);
/* Of a file: servers, domains and "all". False: out of memory. */
MUST_CHECK bool dns_set_write(const struct tunnel *t, const char *prefix, bool quick,
			      struct buffer *b);
/* 0, -EINVAL: no such text, or -ENOMEM. */
MUST_CHECK int dns_set_parse(const char *text, struct dns_set *ret);
void dns_set_done(struct dns_set *s);
/* Servers and search domains as words; what dns_set_lines leaves out is left out here too. */
void dns_set_words(const struct dns_set *s, struct buffer *b);

/* The lines that resolvconf reads and resolv.conf holds. all: domains with a "~" too, which mean
 * nothing to the resolver of the C library. */
void dns_set_lines(const struct dns_set *s, bool all, struct buffer *b);

#endif
