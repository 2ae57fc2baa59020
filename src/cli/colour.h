#ifndef CLI_COLOUR_H
#define CLI_COLOUR_H

#include <stdbool.h>
#include <stdio.h>

/*
 * Are colours wanted on this stream? For Warren's own commands: NO_COLOR, then CLICOLOR_FORCE, then
 * whether it is a terminal. The verbs of `wg` have WG_COLOR_MODE instead.
 */
bool colour_is_wanted(FILE *to);

#endif
