#ifndef CLI_QUICK_H
#define CLI_QUICK_H

#include <stdbool.h>

#include "base/attr.h"

/*
 * wg-quick: started under that name this program is it (behaviour.md D): its arguments, messages
 * and exit codes, and sudo where it is not root. The verbs are those of warren, in its words.
 */
int quick_main(int argc, char *argv[]);

/* How a verb of tunnels was called. */
struct tunnel_call {
	const char *program; /* "warren", or the name that stands for wg-quick: errors begin so */
	bool quick;          /* as wg-quick does it, nothing more */
	const char *word;    /* FILE|NAME */
};

/* Exit codes. */
int up_run(const struct tunnel_call *call);
int down_run(const struct tunnel_call *call);
int save_run(const struct tunnel_call *call);
int strip_run(const struct tunnel_call *call);

#endif
