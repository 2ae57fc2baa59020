#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>

#include "base/attr.h"

/*
 * The log sink: lines to standard error, "<N>" first when a journal reads them, never a secret.
 * A full pipe or a slow reader never blocks: the line is dropped and counted, and the count is
 * logged later. Any thread may call it. It is the only global state of the program.
 */
enum log_level { LOG_SILENT, LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* name stands in every line, "warren: NAME: text"; kept by reference; NULL: none. */
void log_setup(enum log_level level, const char *name);
/* From now on standard error is a socket of the system log's. Undone by log_setup. */
void log_to_system(void);
enum log_level log_level_from_text(const char *text,
				   enum log_level otherwise); /* LOG_LEVEL's values */
bool log_wants(enum log_level level);
void log_line(enum log_level level, const char *format, ...) PRINTF(2, 3);

#endif
