#ifndef CLI_TUNNEL_ENGINE_H
#define CLI_TUNNEL_ENGINE_H

#include "base/attr.h"
#include "model/diag.h"

/*
 * Programs that are a device in user space: ours, "warren run", or one that
 * WG_QUICK_USERSPACE_IMPLEMENTATION names.
 */
#define TUNNEL_ENGINE_OWN "warren run"
#define TUNNEL_ENGINE_KERNEL "kernel"

const char *tunnel_engine_program(void);
/* Comes back when the device is usable. 0 or negative errno, with why. */
MUST_CHECK int tunnel_engine_start(const char *program, const char *link, struct diag *why);
/*
 * Removes the link, whatever it is, and waits for the end of an engine behind it; where that does
 * not end by itself, as its link was renamed or moved, removes its socket. Gone is fine.
 * -ETIMEDOUT: nothing is left to remove, but the engine, stopped perhaps, has not ended.
 */
MUST_CHECK int tunnel_engine_end(const char *link, struct diag *why);

#endif
