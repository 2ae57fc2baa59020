#ifndef CLI_KEEP_REPAIR_H
#define CLI_KEEP_REPAIR_H

#include "base/attr.h"
#include "cli/keep_look.h"
#include "cli/keep_peers.h"
#include "cli/tunnel_case.h"

/*
 * Puts back what a tunnel owns and is gone from the host, of these kinds (bit N: kind N), with the
 * lock of the tunnel; with a link that is gone all that stands on it, a new engine where it had
 * one, and its device set by the file again. Peers are called where they were known last. Runs no
 * hook. An exit code, after having said why.
 */
MUST_CHECK int keep_repair(const char *name, unsigned int kinds, const struct keep_peers *known);
/*
 * The same for `up`, which holds the lock, has read the file and looked: all that is gone. What
 * guards the tunnel stays where it is, so that nothing leaves in clear meanwhile.
 */
MUST_CHECK int keep_revive(struct tunnel_case *c, const struct keep_gone *g);

#endif
