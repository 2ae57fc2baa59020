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
	/*
	 * A piece of the state, into an inited, empty model: with the first piece comes what is the
	 * device's own, with each some peers. cursor is zero before the first and after the last. A
	 * piece is one consistent version. Over pieces each peer comes once, in order; one that
	 * comes, goes or changes meanwhile may be in it or not.
	 */
	int (*get)(void *ctx, struct model_cursor *cursor, struct model *ret);
	/* All of the patch or nothing of it. why, if it fails: what, for the log. */
	int (*set)(void *ctx, const struct model *patch, struct diag *why);
	int (*diagnose)(void *ctx, struct diagnosis *ret);
	void *ctx;
};

#endif
