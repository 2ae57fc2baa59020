#ifndef CLI_PORT_OWNER_H
#define CLI_PORT_OWNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

/*
 * Who has a UDP port of this network namespace (A6): "openvpn, process 123", or "the tunnel wg1".
 * False: it cannot be told.
 */
MUST_CHECK bool port_owner(uint16_t port, char *ret, size_t room);

#endif
