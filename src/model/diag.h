#ifndef MODEL_DIAG_H
#define MODEL_DIAG_H

#include <stddef.h>

#include "base/attr.h"

/*
 * One thing that is wrong, in words a user can act on. Parsers, rules and back ends make them; only
 * cli prints them. Never holds a secret: a bad value is named by its key and place, not quoted,
 * where it could be one.
 */
enum diag_severity { DIAG_NONE, DIAG_NOTE, DIAG_WARNING, DIAG_ERROR };

enum { DIAG_TEXT = 160 };

struct diag {
	enum diag_severity severity;
	const char *id;       /* stable, static */
	const char *file;     /* borrowed, or NULL */
	unsigned int line;    /* from 1; 0: of no line */
	unsigned int column;  /* from 1; 0: the whole line */
	char text[DIAG_TEXT]; /* what is wrong */
	char hint[DIAG_TEXT]; /* what would be right; may be empty */
};

/* Set severity, id, line and text; an earlier error in d is kept (the first cause is the one to
 * tell). */
void diag_set(struct diag *d, enum diag_severity severity, const char *id, unsigned int line,
	      const char *format, ...) PRINTF(5, 6);

#endif
