#ifndef CLI_KEEP_LOOP_H
#define CLI_KEEP_LOOP_H

#include "base/attr.h"
#include "cli/tunnel_path.h"

/*
 * Keeps one tunnel: brings it up, waits for what happens to it, and puts it right. What takes long
 * or changes something is done by the verbs themselves (up, sync, down, keep_repair), each in a
 * process of its own, one at a time, so that the loop always hears. Ends when the tunnel is taken
 * down by somebody else, or takes it down when it is told to end. An exit code.
 */
MUST_CHECK int keep_loop(const struct tunnel_path *at);

#endif
