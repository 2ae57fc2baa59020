#ifndef NET_ROUTE_WRITE_H
#define NET_ROUTE_WRITE_H

#include <linux/netlink.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/endpoint.h"
#include "net/item.h"

/* Requests to rtnetlink, written as `ip` writes them. Pure. */
enum { ROUTE_REQUEST = 512 };

struct route_request {
	_Alignas(struct nlmsghdr) uint8_t bytes[ROUTE_REQUEST];
};

/* type: RTM_GETLINK, RTM_GETADDR, RTM_GETROUTE or RTM_GETRULE. seq: another for each that goes over
 * one socket, so that what is left of one is no answer to the next. */
void route_write_dump(struct route_request *r, uint16_t type, uint8_t family, uint32_t seq);
void route_write_link_get(struct route_request *r, uint32_t index);
void route_write_link_add(struct route_request *r, const char *name, const char *kind);
void route_write_link_remove(struct route_request *r, const char *name);
/* mtu 0: as it is. up false: as it is. */
void route_write_link_change(struct route_request *r, const char *name, bool up, uint32_t mtu);
/* link: the index of its device, 0 where it has none. -EINVAL: no item of rtnetlink. */
MUST_CHECK int route_write_item(struct route_request *r, const struct item *i, uint32_t link,
				bool remove);
void route_write_path(struct route_request *r, const struct endpoint *to, uint32_t mark);

#endif
