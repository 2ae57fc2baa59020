#ifndef NET_APPLY_H
#define NET_APPLY_H

#include <stdbool.h>

#include "base/attr.h"
#include "model/diag.h"
#include "net/item.h"
#include "net/journal.h"
#include "net/plan.h"

/*
 * Runs steps, each written into the journal before it begins, and takes them back when one fails.
 * What lies beyond the host's network (the engine, the device, hooks, printing) is the caller's, by
 * these.
 */
struct apply_hands {
	int (*make_link)(void *ctx, const struct item *i, struct diag *why);
	int (*remove_link)(void *ctx, const struct item *i, struct diag *why);
	/* Negative ends the plan, also on the way down: a hook that may fail gives 0. */
	int (*hook)(void *ctx, const struct step *s, struct diag *why);
	int (*device)(void *ctx, const struct step *s, struct diag *why); /* DEVICE and MARK */
	/* What device, hook, and a STEP_UP did, when a sync is taken back; NULL: nothing to do. */
	void (*undo)(void *ctx, const struct step *s);
	void (*print)(void *ctx,
		      const struct step *s); /* before it begins, and before undoing it */
	void (*tell)(void *ctx, const struct diag *why); /* what failed and does not end it */
	bool (*is_stopped)(void *ctx);                   /* around each step; NULL: never */
	bool dns_must;                                   /* as with wg-quick, its failure ends it */
	void *ctx;
};

/* One item to and from the host, by kind. Removing what is not there is no error. */
MUST_CHECK int apply_item(const struct item *i, bool remove, const struct apply_hands *h,
			  struct diag *why);
/* Of what no snapshot of the network tells, TABLE, FOREIGN and DNS: 1 there, 0 gone. Of all else,
 * and where it cannot be known: -1, or another negative number. */
MUST_CHECK int apply_is_there(const struct item *i);

/*
 * The steps of a plan, by the phase of the journal:
 * JOURNAL_UP: 0, or what the failing step gave: then all that is owned is off the host again.
 * JOURNAL_SYNC: the same, but what was done is taken back step by step, last first.
 * JOURNAL_DOWN: goes on behind what fails, but for the link and hooks, and gives the first error.
 * -EINTR: stopped. What does not end a tunnel (DNS, switches, rules in foreign chains) is only
 * told. The caller says when a phase is over. Takes the lock of what tunnels share, but across
 * hooks, and gives it back.
 */
MUST_CHECK int apply_plan(const struct plan *p, struct journal *j, const struct apply_hands *h,
			  struct diag *why);

/* Takes off the host what a journal still owns, without hooks, and ends it: what an earlier command
 * left half done. */
MUST_CHECK int apply_recover(struct journal *j, const struct apply_hands *h, struct diag *why);

#endif
