#ifndef DEVICE_LINK_H
#define DEVICE_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "device/tun.h"

/*
 * What the host does with our link: up or down, its MTU, deleted, or moved to another network
 * namespace. Follows rtnetlink events while the link is in our namespace. After a move none come:
 * link_refresh asks, through the TUN descriptor (TUNGETDEVNETNS), whenever its caller is awake
 * anyway, and keeps no reference to the foreign namespace, so that this one can die (F-P13).
 */
struct link_state {
	bool is_up;
	bool is_moved; /* lives in a namespace that is not ours: events no longer come */
	bool is_gone;  /* the device does not exist any more */
	unsigned int mtu;
};

struct link {
	int fd; /* netlink socket: readable when link_handle has something to do */
	const struct tun *tun;
	unsigned int ifindex;
	struct link_state state;
};

MUST_CHECK int link_open(const struct tun *t, struct link *ret); /* and a first refresh */
void link_close(struct link *l);
/* Read what came. True: link->state changed. */
bool link_handle(struct link *l);
/* Ask now, wherever the device lives. True: link->state changed. */
bool link_refresh(struct link *l);

#endif
