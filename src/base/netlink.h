#ifndef BASE_NETLINK_H
#define BASE_NETLINK_H

#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

/*
 * One request to the kernel and all that it answers. netlink_take and the walk over attributes are
 * pure and trust no length; the rest is the socket. All return 0 or a negative errno unless told
 * otherwise.
 */
enum { NETLINK_PIECE = 32 * 1024 };

/* What a message or attribute of that length takes, but for the last one. */
static inline size_t netlink_align(size_t len)
{
	return (len + NLMSG_ALIGNTO - 1) / NLMSG_ALIGNTO * NLMSG_ALIGNTO;
}

/* One message of the answer, aligned to 4 bytes, nlmsg_len of them there. Negative ends it all. */
typedef int netlink_handler(void *ctx, const struct nlmsghdr *message);

/*
 * What one receive brought. 1: more is to come. 0: that was all. Else why there will be none: what
 * the kernel says, or -EPROTO. ret_changed becomes true if what is dumped changed meanwhile.
 */
MUST_CHECK int netlink_take(const void *bytes, size_t len, uint32_t seq, netlink_handler *handle,
			    void *ctx, bool *ret_changed);

/* In the caller's namespace; a descriptor, or a negative errno. */
MUST_CHECK int netlink_open(int protocol);
/*
 * Send it and hear the answer to its end, so that fd can be used again. -EINTR: all was heard, but
 * the dump changed meanwhile. Signals are waited out.
 */
MUST_CHECK int netlink_exchange(int fd, const struct nlmsghdr *request, netlink_handler *handle,
				void *ctx);

/*
 * What the kernel tells of by itself. netlink_listen gives a descriptor that does not block and has
 * joined these groups, with room for so many bytes where that may be had (0: as it is).
 */
MUST_CHECK int netlink_listen(int protocol, const int *groups, size_t count, int room);
/* Is this message news? */
typedef bool netlink_news(void *ctx, const struct nlmsghdr *message);
/* Pure: each message of what one receive brought. True: one was news, or is not understood, which
 * is as good as lost. */
MUST_CHECK bool netlink_any(const void *bytes, size_t len, netlink_news *is_news, void *ctx);
/* Drains it: 1 there was news, or some was lost; 0 nothing; negative errno. */
MUST_CHECK int netlink_drain(int fd, netlink_news *is_news, void *ctx);

/* Attributes, one after the other. */
struct netlink_walk {
	const uint8_t *at;
	size_t left;
	bool broken; /* an attribute did not fit: what came before is good for nothing either */
};

struct netlink_attribute {
	uint16_t type; /* without flags */
	size_t len;
	const uint8_t *bytes;
};

/* Behind the netlink header and one more of that length. */
void netlink_walk_message(struct netlink_walk *w, const struct nlmsghdr *message, size_t header);
void netlink_walk_nest(struct netlink_walk *w, const struct netlink_attribute *nest);
/* False at the end, and where the rest is broken. */
MUST_CHECK bool netlink_walk_next(struct netlink_walk *w, struct netlink_attribute *ret);

#endif
