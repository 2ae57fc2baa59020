#ifndef DEVICE_UDP_FILTER_H
#define DEVICE_UDP_FILTER_H

#include "base/attr.h"
#include "base/endpoint.h"

/*
 * The filter that spreads a port's datagrams over its sockets (udp.h): sockets 0 .. workers-1 are
 * for data, the next two are the lanes. Needs no privilege. What is too short for the bytes it
 * looks at goes to socket 0. 0 or -errno.
 */
MUST_CHECK int udp_filter_attach(int fd, enum family family, unsigned int workers);

#endif
