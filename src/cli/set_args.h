#ifndef CLI_SET_ARGS_H
#define CLI_SET_ARGS_H

#include <stdbool.h>

#include "cli/settings.h"

/*
 * The words of wg set behind the name of the interface, made into a patch (behaviour.md A.5): all
 * of it is read, key files and names too, before anything is sent.
 */
struct set_args {
	struct settings settings;
	/* Reads a key file; gives 0, or 1 and said why. For tests: they have no files. */
	bool (*read_key)(const struct settings *s, const char *path, uint8_t ret[static KEY_LEN]);
	size_t at; /* the word that is being read, for say */
};

void set_args_init(struct set_args *s);
/* False: it was said why. */
MUST_CHECK bool set_args_parse(struct set_args *s, int argc, char *const argv[], struct model *ret);

#endif
