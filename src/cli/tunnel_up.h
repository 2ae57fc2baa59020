#ifndef CLI_TUNNEL_UP_H
#define CLI_TUNNEL_UP_H

#include "base/attr.h"
#include "cli/tunnel_case.h"

/* The verbs up and down, for warren, for wg-quick, and for keep. They give exit codes. */
MUST_CHECK int tunnel_up(const struct tunnel_options *o);
MUST_CHECK int tunnel_down(const struct tunnel_options *o);

#endif
