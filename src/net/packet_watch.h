#ifndef NET_PACKET_WATCH_H
#define NET_PACKET_WATCH_H

#include "base/attr.h"

/*
 * A socket that becomes readable with the next packet that this host or one behind it gives to a
 * link. It costs the link's packets something only while it is open: close it when it has rung.
 */
MUST_CHECK int packet_watch_open(const char *link); /* a descriptor, or negative errno */

#endif
