#ifndef CONTROL_RESOLVE_H
#define CONTROL_RESOLVE_H

#include <netdb.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/endpoint.h"

/*
 * Names to numbers, the one place that asks DNS or /etc/services. With wg(8)'s patience
 * (behaviour.md A.6): failures that may pass are tried again, 15 times unless told otherwise, after
 * 1 s, then 1.2 times the last wait up to 20 s. Blocks.
 */
enum { RESOLVE_RETRIES = 15, RESOLVE_FOREVER = -1 };

struct resolver {
	int retries; /* per name; RESOLVE_FOREVER */
	/* Before each wait, if not NULL. */
	void (*again)(void *ctx, const char *reason, double seconds);
	void *ctx;
	/* Set by resolver_init; a test puts its own here. */
	int (*lookup)(const char *host, const char *service, const struct addrinfo *hints,
		      struct addrinfo **ret);
	void (*free)(struct addrinfo *found);
	void (*wait)(void *ctx, unsigned int microseconds);
};

void resolver_init(struct resolver *r);
/* What WG_ENDPOINT_RESOLUTION_RETRIES says: a number, "infinity", or NULL for the default. */
MUST_CHECK int resolve_retries(const char *text, int *ret);

/*
 * host and service as split by the config layer: a name or number each; the first answer is taken.
 * 0, or -1 and in *ret_reason a string to borrow, until the next call, for wg(8)'s message
 * "REASON: `VALUE'".
 */
MUST_CHECK int resolve_endpoint(const struct resolver *r, const char *host, const char *service,
				struct endpoint *ret, const char **ret_reason);
/* All addresses, each once, in the order they came, at most room of them. Asks once. */
MUST_CHECK int resolve_every(const struct resolver *r, const char *host, const char *service,
			     struct endpoint *ret, size_t room, size_t *ret_count,
			     const char **ret_reason);
/* A UDP port to listen on: a number or the name of a service; never tried again. "65536" is 0. */
MUST_CHECK int resolve_port(const struct resolver *r, const char *service, uint16_t *ret,
			    const char **ret_reason);

#endif
