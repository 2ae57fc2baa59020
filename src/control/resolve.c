#include "control/resolve.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control/sockaddr.h"

enum { WAIT_FIRST = 1000000, WAIT_MAX = 20000000 };

static void wait_really(void *ctx, unsigned int microseconds)
{
	(void)ctx;
	(void)usleep(microseconds); /* a signal makes it shorter */
}

void resolver_init(struct resolver *r)
{
	*r = (struct resolver){ .retries = RESOLVE_RETRIES,
				.lookup = getaddrinfo,
				.free = freeaddrinfo,
				.wait = wait_really };
}

int resolve_retries(const char *text, int *ret)
{
	unsigned long number;
	char *end;

	if (!text) {
		*ret = RESOLVE_RETRIES;
		return 0;
	}
	if (strcmp(text, "infinity") == 0) {
		*ret = RESOLVE_FOREVER;
		return 0;
	}
	number = strtoul(text, &end, 10); /* blanks, a sign, nothing at all: as wg(8) */
	if (*end || number > INT_MAX)
		return -EINVAL;
	*ret = (int)number;
	return 0;
}

/* Everything else may be better in a moment, EAI_SYSTEM too. */
static bool is_final(int error)
{
	return error == EAI_NONAME || error == EAI_FAIL || error == EAI_NODATA;
}

static const char *reason_of(int error)
{
	return error == EAI_SYSTEM ? strerror(errno) : gai_strerror(error);
}

/* The first answer. */
static int take_first(const struct resolver *r, struct addrinfo *found, struct endpoint *ret,
		      const char **ret_reason)
{
	const bool good = sockaddr_to_endpoint(found->ai_addr, found->ai_addrlen, ret);

	r->free(found);
	if (good)
		return 0;
	*ret_reason = "Neither IPv4 nor IPv6 address found";
	return -1;
}

int resolve_endpoint(const struct resolver *r, const char *host, const char *service,
		     struct endpoint *ret, const char **ret_reason)
{
	const struct addrinfo hints = { .ai_family = AF_UNSPEC,
					.ai_socktype = SOCK_DGRAM,
					.ai_protocol = IPPROTO_UDP };
	unsigned int wait = WAIT_FIRST;
	struct addrinfo *found;
	int error, retries = r->retries;

	while ((error = r->lookup(host, service, &hints, &found)) != 0) {
		*ret_reason = reason_of(error);
		if (is_final(error) || (retries >= 0 && !retries--))
			return -1;
		if (r->again)
			r->again(r->ctx, *ret_reason, wait / 1e6);
		r->wait(r->ctx, wait);
		wait = wait * 6 / 5 < WAIT_MAX ? wait * 6 / 5 : WAIT_MAX;
	}
	return take_first(r, found, ret, ret_reason);
}

static bool is_among(const struct endpoint *e, const struct endpoint *rows, size_t count)
{
	for (size_t i = 0; i < count; ++i)
		if (endpoint_equal(e, &rows[i]))
			return true;
	return false;
}

int resolve_every(const struct resolver *r, const char *host, const char *service,
		  struct endpoint *ret, size_t room, size_t *ret_count, const char **ret_reason)
{
	const struct addrinfo hints = { .ai_family = AF_UNSPEC,
					.ai_socktype = SOCK_DGRAM,
					.ai_protocol = IPPROTO_UDP };
	struct addrinfo *found;
	struct endpoint e;
	const int error = r->lookup(host, service, &hints, &found);

	*ret_count = 0;
	if (error) {
		*ret_reason = reason_of(error);
		return -1;
	}
	for (const struct addrinfo *i = found; i && *ret_count < room; i = i->ai_next)
		if (sockaddr_to_endpoint(i->ai_addr, i->ai_addrlen, &e) &&
		    !is_among(&e, ret, *ret_count))
			ret[(*ret_count)++] = e;
	r->free(found);
	return 0;
}

int resolve_port(const struct resolver *r, const char *service, uint16_t *ret,
		 const char **ret_reason)
{
	const struct addrinfo hints = { .ai_flags = AI_PASSIVE,
					.ai_family = AF_UNSPEC,
					.ai_socktype = SOCK_DGRAM,
					.ai_protocol = IPPROTO_UDP };
	struct endpoint any = { 0 };
	struct addrinfo *found;
	const int error = r->lookup(NULL, service, &hints, &found);

	if (error) {
		*ret_reason = reason_of(error);
		return -1;
	}
	if (take_first(r, found, &any, ret_reason) < 0)
		return -1;
	*ret = any.port;
	return 0;
}
