#ifndef CLI_SAVE_H
#define CLI_SAVE_H

#include "cli/quick.h"
#include "cli/tunnel_path.h"

/* What runs into its file, as `save` and a SaveConfig at `down` do it; says what goes wrong, and
 * then the file is as it was. Gives an exit code.
 * What was edited in the file since it became what runs stays as it was edited (A20). */
int save_tunnel(const struct tunnel_call *call, const struct tunnel_path *path);

#endif
