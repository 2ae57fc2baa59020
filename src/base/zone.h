#ifndef BASE_ZONE_H
#define BASE_ZONE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

/*
 * Names of interfaces: they are the zones of link-local addresses, "fe80::1%eth0" (RFC 4007, 11).
 * The host is asked through a socket, of any kind. A process that may open none says once, before
 * it has threads, which of its own to take.
 */
enum { ZONE_NAME = 16 }; /* with the closing NUL */

void zone_ask_through(int fd); /* borrowed for good; -1, as it begins: a new one each time */
/* 0: there is no such interface. */
MUST_CHECK uint32_t zone_index(const char *name);
/* False: there is none of this index; ret is untouched. */
MUST_CHECK bool zone_name(uint32_t index, char ret[static ZONE_NAME]);

#endif
