#ifndef DEVICE_WORKER_H
#define DEVICE_WORKER_H

#include "base/attr.h"

struct device;

/*
 * The workers carry packets, each its own TUN queue and UDP sockets, both ways on one thread: no
 * hand-over, so no packet of a flow overtakes another, and on a small machine no core waits for
 * another. They do all cryptography of packets themselves.
 */
MUST_CHECK int worker_start(struct device *d); /* all of them; 0 or -errno, and none runs */
void worker_stop(struct device *d);

#endif
