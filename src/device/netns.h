#ifndef DEVICE_NETNS_H
#define DEVICE_NETNS_H

#include <stdbool.h>

#include "base/attr.h"

/*
 * Links of other network namespaces, asked and heard from ours by rtnetlink. A namespace has a
 * number in ours (nsid), which keeps no reference to it.
 */
struct netns_link {
	unsigned int ifindex;
	bool is_up;
	unsigned int mtu;
};

/* The number of the namespace, given to it where it had none. Or -errno. */
MUST_CHECK int netns_number(int namespace);
/* A link there by its name; -ENODEV: there is none. */
MUST_CHECK int netns_find_link(int nsid, const char *name, struct netns_link *ret);
/* From now on the events of all numbered namespaces come, each with a control message. */
MUST_CHECK int netns_hear_all(int netlink);

#endif
