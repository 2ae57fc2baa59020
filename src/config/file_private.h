#ifndef CONFIG_FILE_PRIVATE_H
#define CONFIG_FILE_PRIVATE_H

#include "config/file.h"

/* What file.c and file_edit.c share. */

/* Sets sections, and the section of each line, from the kinds of the lines. False: out of memory.
 */
MUST_CHECK bool file_index(struct config_file *f);

#endif
