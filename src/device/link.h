#ifndef DEVICE_LINK_H
#define DEVICE_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "device/tun.h"

/*
 * What the host does with our link: up or down, its MTU, deleted, or moved to another network
 * namespace. It is followed everywhere by rtnetlink events: another namespace is given a number in
 * ours (netns.h), and our socket hears the events of all that have one. A number is no reference,
 * so that the namespace can die (F-P13). Where the kernel or a lack of privilege forbids that, a
 * link that lives elsewhere counts as up with the MTU it had, and its coming back is noticed.
 */
struct link_state {
	bool is_up;
	bool is_moved; /* lives in a namespace that is not ours */
	bool is_gone;  /* the device does not exist any more */
	unsigned int mtu;
};

struct link {
	int fd; /* netlink socket: readable when link_handle has something to do */
	const struct tun *tun;
	int nsid;             /* of the namespace it lives in; -1: ours, or one without number */
	unsigned int ifindex; /* there */
	struct link_state state;
};

MUST_CHECK int link_open(const struct tun *t, struct link *ret); /* and a first refresh */
void link_close(struct link *l);
/* Read what came. True: link->state changed. */
bool link_handle(struct link *l);
/* Ask now, wherever the device lives. True: link->state changed. */
bool link_refresh(struct link *l);

#endif
