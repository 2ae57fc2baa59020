#ifndef CONFIG_READER_H
#define CONFIG_READER_H

#include "config/complaint.h"
#include "config/tunnel_read.h"

/*
 * What the parts of tunnel_read share: where in the file we are, and how to complain. The parts are
 * one table from keys to what reads their values.
 */
struct reader {
	const struct config_file *f;
	struct tunnel *t;
	struct diags *d;
	const struct file_line *line;
	const struct file_line *header; /* of the section; NULL: before the first one */
	enum keys_section section;      /* as it was meant */
	unsigned int seen[KEYS_COUNT];  /* the last line of each key in this section */
	bool told_blanks;               /* of the header */
	bool told_program;
	bool failed; /* out of memory */
};

/* A value without the blanks around it, and the row it belongs to. Never empty. */
struct reader_value {
	const char *text; /* in reader->line */
	size_t len;
	const struct keys_row *row;
};

enum { READER_QUOTE = 64 };

/* Adds a diag; its hint is the caller's to set. NULL: the list is full. */
struct diag *reader_complain(struct reader *r, enum complaint c, const struct span *at,
			     const char *format, ...) PRINTF(4, 5);
/* The place of a piece of the current line. */
struct span reader_span(const struct reader *r, const char *text, size_t len);
/*
 * The piece in quotes, if it is made of what addresses, names and numbers are made of and too short
 * for a key; else `instead`.
 */
const char *reader_quote(const char *text, size_t len, const char *instead,
			 char ret[static READER_QUOTE]);
/* Does the value read `out of memory`? */
void reader_check(struct reader *r, bool done);
/* Quotes around it, or a placeholder that nobody replaced: says so. */
MUST_CHECK bool reader_is_template(struct reader *r, enum complaint c,
				   const struct reader_value *v);

void reader_wg(struct reader *r, enum keys_id id, const struct reader_value *v);
void reader_quick(struct reader *r, enum keys_id id, const struct reader_value *v);
void reader_own(struct reader *r, enum keys_id id, const struct reader_value *v);
/* Lines that are nothing, and keys that nobody knows. */
void reader_junk(struct reader *r);
void reader_unknown_key(struct reader *r);
void reader_unknown_section(struct reader *r);
void reader_foreign_key(struct reader *r);

#endif
