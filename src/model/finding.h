#ifndef MODEL_FINDING_H
#define MODEL_FINDING_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "model/diag.h"

/*
 * What a rule has found: which page tells of it (id), where it stands, why it is wrong and what
 * would be right, in words a user can act on. No text of a finding ever holds a secret. File names
 * and ids are borrowed, texts are owned.
 */
struct place {
	const char *file;    /* NULL: nowhere */
	unsigned int line;   /* from 1; 0: the file as a whole */
	unsigned int column; /* from 1; 0: the whole line */
	unsigned int length; /* in bytes; 0: one */
};

/* The one safe answer, where there is one: what `check --fix` does. */
enum edit_kind {
	EDIT_NONE,
	EDIT_REPLACE,     /* the bytes at the place become text */
	EDIT_DROP_BOM,    /* the first three bytes of the file go */
	EDIT_PRIVATE_MODE /* nobody but the owner may read or write the file */
};

struct finding {
	const char *id;
	enum diag_severity severity;
	struct place at;
	struct place related; /* where the other half of it stands */
	char *cause;
	char *fix; /* may be empty */
	enum edit_kind edit;
	char *text; /* of EDIT_REPLACE */
};

struct findings {
	struct finding *items;
	size_t count;
	size_t room;
	bool failed; /* out of memory: something is missing */
};

void findings_init(struct findings *f);
void findings_done(struct findings *f);
/* The new one, good until the next is added; NULL, and failed is set, when there is no memory. */
struct finding *findings_add(struct findings *f, const char *id, enum diag_severity severity,
			     struct place at);
void findings_remove(struct findings *f, size_t i); /* the others keep their order */
/* Set the texts of a new finding. Either may be NULL, so that a failed add needs no care. */
void finding_cause(struct finding *f, const char *format, ...) PRINTF(2, 3);
void finding_fix(struct finding *f, const char *format, ...) PRINTF(2, 3);
void finding_replace(struct finding *f, const char *format, ...) PRINTF(2, 3);
/* By file in the order of files, then line, column, id. Equal ones are kept once. */
void findings_sort(struct findings *f, const char *const files[], size_t file_count);
size_t findings_count(const struct findings *f, enum diag_severity severity);

#endif
