#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include <stddef.h>

/*
 * One row per command: a file each. A command gets its own words (argv[0] is its name), prints, and
 * returns the exit code: 0 done, 1 failed, 2 wrong usage.
 */
struct command {
	const char *name;
	const char *usage;   /* what follows the name */
	const char *purpose; /* one line */
	int (*run)(int argc, char *argv[]);
};

enum { EXIT_USAGE = 2 };

extern const struct command command_run;
extern const struct command command_check;
extern const struct command command_save;
extern const struct command command_sync;
extern const struct command command_strip;
extern const struct command command_why;
extern const struct command command_up;
extern const struct command command_down;
extern const struct command command_keep;

/* The verbs of wg(8): cli/wg.h. Their codes are wg(8)'s, 0 and 1. */
extern const struct command command_show, command_showconf, command_set, command_setconf,
	command_addconf, command_syncconf, command_genkey, command_genpsk, command_pubkey;

#endif
