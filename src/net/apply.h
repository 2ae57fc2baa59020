#ifndef NET_APPLY_H
#define NET_APPLY_H

#include "base/attr.h"
#include "model/diag.h"
#include "net/item.h"
#include "net/journal.h"
#include "net/plan.h"

/*
 * Runs steps, each written into the journal before it begins, and takes them back in reverse order
 * when one fails. What lies beyond the host's network (the engine, the device, hooks, printing) is
 * the caller's, by these.
 */
struct apply_hands {
	int (*make_link)(void *ctx, const struct item *i, struct diag *why);
	int (*remove_link)(void *ctx, const struct item *i, struct diag *why);
	int (*hook)(void *ctx, const struct step *s, struct diag *why);
	int (*device)(void *ctx, const struct step *s, struct diag *why); /* DEVICE and MARK */
	void (*print)(void *ctx, const struct step *s);                   /* before it begins */
	void (*tell)(void *ctx, const struct diag *why); /* what failed and does not end it */
	void *ctx;
};

/* One item to and from the host, by kind. Removing what is not there is no error. */
MUST_CHECK int apply_item(const struct item *i, bool remove, const struct apply_hands *h,
			  struct diag *why);
/* 0, or what the failing step gave: then everything it had done is undone. */
MUST_CHECK int apply_plan(const struct plan *p, struct journal *j, const struct apply_hands *h,
			  struct diag *why);

#endif
