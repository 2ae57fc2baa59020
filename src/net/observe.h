#ifndef NET_OBSERVE_H
#define NET_OBSERVE_H

#include "base/attr.h"
#include "model/host_facts.h"

/*
 * Looks at the host and changes nothing; needs no privilege. What cannot be read is left out: a
 * fact that is missing proves nothing, and no rule may conclude from it. 0 or negative errno: of
 * links, addresses, routes and rules then nothing may be concluded at all.
 */
MUST_CHECK int observe_network(struct host_network *ret);
/* Those four, by an rtnetlink socket, as a test may give one. */
MUST_CHECK int observe_network_over(int fd, struct host_network *ret);
/* Modes, owners and access lists of a file and of every folder above it. file is borrowed. */
MUST_CHECK int observe_file(struct host_facts *h, const char *file);

#endif
