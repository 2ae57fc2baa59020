#ifndef MODEL_DIAG_H
#define MODEL_DIAG_H

#include <stddef.h>

#include "base/attr.h"
#include "model/span.h"

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
	unsigned int column;  /* from 1, in bytes; 0: the whole line */
	unsigned int length;  /* in bytes from there; 0: to the end of the line */
	char text[DIAG_TEXT]; /* what is wrong */
	char hint[DIAG_TEXT]; /* what would be right; may be empty */
};

/* Set severity, id, line and text; an earlier error in d is kept (the first cause is the one to
 * tell). */
void diag_set(struct diag *d, enum diag_severity severity, const char *id, unsigned int line,
	      const char *format, ...) PRINTF(5, 6);

/*
 * A growing list of them, in the order they were found. Adding never fails the caller: out of
 * memory, and whatever comes after DIAGS_MAX, is counted in left_out.
 */
enum { DIAGS_MAX = 10000 };

struct diags {
	struct diag *rows;
	size_t count;
	size_t room;
	size_t left_out;
	size_t errors; /* how many have the severity DIAG_ERROR, counted or left out */
};

void diags_init(struct diags *d);
void diags_done(struct diags *d);
/* A new row for the place; `file` is borrowed. Give it a hint with diag_hint. */
struct diag *diags_add(struct diags *d, enum diag_severity severity, const char *id,
		       const char *file, const struct span *at, const char *format, ...)
	PRINTF(6, 7);
/* What would be right. d may be NULL, as diags_add may return it. */
void diag_hint(struct diag *d, const char *format, ...) PRINTF(2, 3);

#endif
