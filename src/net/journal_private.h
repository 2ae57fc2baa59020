#ifndef NET_JOURNAL_PRIVATE_H
#define NET_JOURNAL_PRIVATE_H

#include "base/buffer.h"
#include "net/journal.h"

/* What the two halves of the journal share: its lines, and its files. */
enum journal_line {
	JOURNAL_PHASE,
	JOURNAL_FILE,
	JOURNAL_ENGINE,
	JOURNAL_OWN,
	JOURNAL_WANT,
	JOURNAL_LOST,
};

const char *journal_word(enum journal_line kind); /* "own " */
const char *journal_phase_name(enum journal_phase phase);
void journal_write_first(struct buffer *b, const char *boot);
void journal_write_text(struct buffer *b, const char *text);
/* The last one that is the same, if any: whoever undoes begins there. */
MUST_CHECK struct item *journal_last(const struct items *in, const struct item *like);
void journal_strike(struct items *from, const struct item *like);
/* Into what is owned, in the place of what is the same. Of addresses and routes there may be many,
 * and they differ in nothing but what makes them the same: no place is looked for. */
MUST_CHECK bool journal_take_own(struct journal *j, const struct item *i);

#endif
