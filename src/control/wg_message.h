#ifndef CONTROL_WG_MESSAGE_H
#define CONTROL_WG_MESSAGE_H

#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "model/model.h"

/*
 * The kernel driver's netlink messages (behaviour.md C), bytes to model and back. Pure: sockets and
 * privileges are wg_netlink's. Reading trusts nothing: what does not fit is -EPROTO, what is
 * unknown is skipped.
 */
enum {
	WG_MESSAGE_ROOM_MIN = 512, /* holds any peer without its addresses */
	WG_MESSAGE_ROOM_MAX = 8192,
};

/* family: the number the kernel gave "wireguard". All write to the front of room bytes, aligned. */
void wg_message_write_get(void *buf, size_t room, uint16_t family, const char *name);

/* How far a patch has been written. Zeroed before the first request. */
struct wg_message_cursor {
	size_t peer;    /* of this one on */
	size_t allowed; /* and of it from this address on, */
	bool in_peer;   /* if some request has brought the rest of it already */
	bool begun;
};

/*
 * The next request of a set; false: the last one was it. Each asks for an acknowledgement. The
 * device's own settings, and the first peers, are in the first one. A peer whose addresses do not
 * fit is split after any of them; what goes on carries its key and the rest of them alone. The flag
 * attribute of an address, which kernels before 6.16 refuse, is there only where one is removed.
 */
MUST_CHECK bool wg_message_write_set(struct wg_message_cursor *c, const struct model *patch,
				     const char *name, uint16_t family, void *buf, size_t room);

/*
 * One message of a dump, appended to the model. A peer that goes on in the next message comes again
 * with its key and more addresses: it is joined with the one before. 0, -EPROTO or -ENOMEM.
 */
MUST_CHECK int wg_message_read(const struct nlmsghdr *message, struct model *m);

/* Which number the family has. */
void wg_message_write_family(void *buf, size_t room);
MUST_CHECK int wg_message_read_family(const struct nlmsghdr *message, uint16_t *ret);

/*
 * The dump of all links, and the name of one if its kind is "wireguard", else empty. The links of
 * others are not ours to judge: what is behind a broken attribute is not looked at.
 */
void wg_message_write_links(void *buf, size_t room);
void wg_message_read_link(const struct nlmsghdr *message, char ret[static MODEL_NAME]);

#endif
