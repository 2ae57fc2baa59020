#ifndef CLI_WG_H
#define CLI_WG_H

#include <stdbool.h>

#include "cli/command.h"

/*
 * The verbs of wg(8), one file each. Started under the name wg they are that program: its
 * arguments, output, words and exit codes, which are 0 and 1 only (behaviour.md A). As commands of
 * warren they do and print the same and take more: --json, drops, -o FILE, and the place of an
 * error in a file.
 */
struct wg_call {
	const char *program; /* as it was typed: usage texts and some errors begin with it */
	bool is_warren;
	int argc;
	char **argv; /* argv[0] is the verb */
};

struct wg_verb {
	const char *name;
	const char *usage;   /* what follows the name, in wg(8)'s words */
	const char *more;    /* the same where warren takes more, or NULL */
	const char *purpose; /* in wg(8)'s words */
	int (*run)(const struct wg_call *call);
};

extern const struct wg_verb wg_show, wg_showconf, wg_set, wg_setconf, wg_addconf, wg_syncconf,
	wg_genkey, wg_genpsk, wg_pubkey;

int wg_main(int argc, char *argv[]);

/* What a verb does when its arguments make no sense: its usage on standard error. Gives 1. */
int wg_usage(const struct wg_call *call, const struct wg_verb *verb);
/* "CONTEXT: strerror" as perror(3) has it, of a negative errno. Gives 1. */
int wg_failed(const char *context, int error);

#endif
