#ifndef CLI_TUNNEL_SYNC_H
#define CLI_TUNNEL_SYNC_H

#include "base/attr.h"
#include "cli/tunnel_case.h"
#include "model/model.h"

/*
 * The verb sync: a running tunnel becomes what its file says, live. Peers, allowed IPs, routes,
 * addresses, MTU, DNS and firewall are one plan; what is as it should be is not touched, and no
 * hook is run. A tunnel that something else brought up is adopted: what it has on this host becomes
 * its journal's.
 *
 * Before anything is changed, /run/warren/NAME.sync says how it was. Whoever finds it with the
 * journal's phase "sync" and nobody at work puts that back.
 */
enum sync_answer { SYNC_NO_ANSWER, SYNC_ANSWER_YES, SYNC_ANSWER_NO };

struct sync_options {
	struct tunnel_options o;
	unsigned int confirm;    /* seconds; 0: it need not be confirmed */
	enum sync_answer answer; /* to one that waits to be confirmed */
};

struct sync {
	const struct sync_options *options;
	struct tunnel_case *c;
	struct model running; /* as it was before */
	struct items before;  /* what it owned */
	struct plan plan;
};

/* Gives an exit code. */
MUST_CHECK int tunnel_sync(const struct sync_options *o);

/* What another command left in the middle of a sync goes back to how it was before. 0, or the exit
 * code after having said why. Needs the lock, and a journal whose phase is JOURNAL_SYNC. */
MUST_CHECK int tunnel_sync_recover(struct tunnel_case *c);

/* The parts of it. */

/* What is about to be done and how it was, for whoever must take it back. 0 or negative errno. */
MUST_CHECK int sync_record_write(const struct sync *s);
/* Into plan, before and running, which are inited. -ENOENT: there is none; -EBADMSG: not whole. */
MUST_CHECK int sync_record_read(struct sync *s);
/* Takes all of the plan back, whatever of it was done, last first, and goes on behind what fails;
 * then the journal is that of a tunnel that is up. 0 or the first error, which was told. */
MUST_CHECK int sync_undo(struct sync *s);
/* The plan as written; failing, nothing has changed. Exit code. */
MUST_CHECK int sync_apply(struct sync *s);
MUST_CHECK int sync_finish(struct sync *s); /* and it stays */
/* The same, and back again unless somebody says in time that it may stay. Exit code; does not
 * return in the process that was asked to do it. */
MUST_CHECK int sync_apply_confirmed(struct sync *s);
/* Is there one that waits to be confirmed? */
MUST_CHECK bool sync_is_waiting(const struct journal *j);
/* Tells one that waits. Exit code. */
MUST_CHECK int sync_answer(const struct sync_options *o);
#endif
