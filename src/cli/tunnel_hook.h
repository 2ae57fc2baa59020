#ifndef CLI_TUNNEL_HOOK_H
#define CLI_TUNNEL_HOOK_H

#include "base/attr.h"
#include "model/diag.h"
#include "net/plan.h"

/*
 * A hook: the one thing that a shell sees, as it is written, in bash where there is one, as
 * wg-quick runs it (-e, pipefail), with our streams. It has a clean environment with INTERFACE and
 * CONFIG_FILE. The exit code, or negative errno; why tells which it was.
 */
MUST_CHECK int tunnel_hook_run(const struct step *s, const char *link, const char *file,
			       struct diag *why);
const char *tunnel_hook_name(enum tunnel_hook hook); /* "PostUp" */

#endif
