#ifndef CONTROL_BACKEND_H
#define CONTROL_BACKEND_H

#include "base/attr.h"
#include "model/diag.h"
#include "model/diagnosis.h"
#include "model/model.h"

/*
 * A device that can be read and changed: the engine behind its own UAPI server, a foreign one
 * through UAPI, or the kernel driver. One call at a time. All return 0 or a negative errno.
 */
struct backend {
	/* One consistent version. ret is an inited, empty model. */
	int (*get)(void *ctx, struct model *ret);
	/* All of the patch or nothing of it. why, if it fails: what, for the log. */
	int (*set)(void *ctx, const struct model *patch, struct diag *why);
	int (*diagnose)(void *ctx, struct diagnosis *ret);
	void *ctx;
};

#endif
