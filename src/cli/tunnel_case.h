#ifndef CLI_TUNNEL_CASE_H
#define CLI_TUNNEL_CASE_H

#include <stdbool.h>

#include "base/attr.h"
#include "cli/check_run.h"
#include "cli/tunnel_path.h"
#include "model/host_facts.h"
#include "net/apply.h"
#include "net/journal.h"
#include "net/plan.h"

/*
 * What the verbs of tunnels share: one tunnel, its file, its journal, and the host it is on. They
 * say what is wrong themselves, behind "PROGRAM: ", and give exit codes.
 */
enum tunnel_engine { TUNNEL_ENGINE_AUTO, TUNNEL_ENGINE_IN_KERNEL, TUNNEL_ENGINE_USER };

struct tunnel_options {
	const char *program; /* "warren: up", or the name that stands for wg-quick */
	bool quick;          /* as wg-quick does it */
	const char *word;    /* FILE|NAME */
	bool has_force;      /* the verb knows --force */
	bool force;
	bool dry_run;
	enum tunnel_engine engine;
};

struct tunnel_case {
	const struct tunnel_options *o;
	char name[MODEL_NAME];
	struct tunnel_path at;
	struct check_run run; /* the file and what is wrong with it */
	struct tunnel *t;     /* of run; NULL: there is none, or it was not read */
	bool hooks_refused;   /* others can write the file */
	bool revived;         /* its device was gone, and is back */
	struct model patch;   /* for the device, names resolved */
	struct journal j;
	struct host_facts facts;
	struct items others; /* what other tunnels own */
	struct items dns;
	struct items firewall;
	struct plan_choice choice;
	struct apply_hands hands;
	char *engine;     /* of choice */
	int hook_code;    /* of the last hook that failed */
	int failures;     /* that did not end it */
	bool tells_patch; /* what the device gets is printed, peer by peer */
	bool adopts;      /* what another program brought up, to take it down: what cannot be
			     chosen is not told */
};

void tunnel_case_init(struct tunnel_case *c, const struct tunnel_options *o);
void tunnel_case_done(struct tunnel_case *c); /* unlocks */

/* All give 0, or the exit code after having said why. */

MUST_CHECK int tunnel_case_need_root(const struct tunnel_case *c);
/* Finds, reads and checks the file of o->word; host: for this host too. strict: errors are said and
 * end it, unless forced. */
MUST_CHECK int tunnel_case_load(struct tunnel_case *c, bool host, bool strict);
/* The lock of c->name, and its journal. Says whom it waits for. */
MUST_CHECK int tunnel_case_lock(struct tunnel_case *c);
/* What an earlier command left half done goes away; what a sync left goes back to what was up
 * before: then the journal's phase is JOURNAL_UPPED. */
MUST_CHECK int tunnel_case_recover(struct tunnel_case *c);
/* The patch for the device: names are asked for, wg-quick's way or ours. */
MUST_CHECK int tunnel_case_resolve(struct tunnel_case *c);
/* The lock of what is shared, and with it: what the host is like, and what is chosen. mark: of a
 * running device; has_mark false: none is known. */
MUST_CHECK int tunnel_case_decide(struct tunnel_case *c, bool has_mark, uint32_t mark);
/* After that, of a tunnel that something else brought up: what it has on this host becomes its
 * journal's, with a dry run only in memory. mark: its device's. */
MUST_CHECK int tunnel_case_adopt(struct tunnel_case *c, uint32_t mark);

/* The tunnel runs as its file says now: what is edited later can be told from that (cli/save.h). */
void tunnel_case_note_base(struct tunnel_case *c);

/* "PROGRAM: text", and the hint below it. */
void tunnel_case_say(const struct tunnel_case *c, const struct diag *why);
MUST_CHECK int tunnel_case_fail(const struct tunnel_case *c, const char *format, ...) PRINTF(2, 3);

#endif
