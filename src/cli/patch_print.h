#ifndef CLI_PATCH_PRINT_H
#define CLI_PATCH_PRINT_H

#include <stdio.h>

#include "model/model.h"

/* The commands that would do what a patch does, a line "[#] wg set ..." each, without secrets. */
void patch_print(const struct model *patch, const char *link, FILE *to);

#endif
