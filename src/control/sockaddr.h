#ifndef CONTROL_SOCKADDR_H
#define CONTROL_SOCKADDR_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#include "base/attr.h"
#include "base/endpoint.h"

/* Endpoints as the system's own structs, both ways. Any port goes, 0 too. */

/* False: of no family that we know, or cut short; ret is untouched. */
MUST_CHECK static inline bool sockaddr_to_endpoint(const void *address, size_t len,
						   struct endpoint *ret)
{
	struct endpoint e = { 0 };
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;

	if (len < sizeof(v4))
		return false;
	memcpy(&v4, address, sizeof(v4));
	if (v4.sin_family == AF_INET) {
		e.ip.family = FAMILY_V4;
		memcpy(e.ip.bytes, &v4.sin_addr, sizeof(v4.sin_addr));
		e.port = ntohs(v4.sin_port);
	} else if (v4.sin_family == AF_INET6 && len >= sizeof(v6)) {
		memcpy(&v6, address, sizeof(v6));
		e.ip.family = FAMILY_V6;
		memcpy(e.ip.bytes, &v6.sin6_addr, sizeof(v6.sin6_addr));
		e.port = ntohs(v6.sin6_port);
		e.scope = v6.sin6_scope_id;
	} else {
		return false;
	}
	*ret = e;
	return true;
}

/* The length of what ret then holds; e is set. */
static inline size_t sockaddr_from_endpoint(const struct endpoint *e, struct sockaddr_in6 *ret)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(e->port) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6,
				   .sin6_port = htons(e->port),
				   .sin6_scope_id = e->scope };

	memset(ret, 0, sizeof(*ret));
	if (e->ip.family == FAMILY_V4) {
		memcpy(&v4.sin_addr, e->ip.bytes, sizeof(v4.sin_addr));
		memcpy(ret, &v4, sizeof(v4));
		return sizeof(v4);
	}
	memcpy(&v6.sin6_addr, e->ip.bytes, sizeof(v6.sin6_addr));
	memcpy(ret, &v6, sizeof(v6));
	return sizeof(v6);
}

#endif
