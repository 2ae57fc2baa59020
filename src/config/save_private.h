#ifndef CONFIG_SAVE_PRIVATE_H
#define CONFIG_SAVE_PRIVATE_H

#include "config/tunnel_save.h"

/*
 * What tunnel_save.c and save_peers.c share: the changes of a file as a list, which is written out
 * in one go, so that ten thousand peers cost no more than their lines. Running out of memory is
 * remembered.
 */
enum save_kind { SAVE_INSERT, SAVE_VALUE, SAVE_DROP };

struct save_edit {
	enum save_kind kind;
	size_t line; /* INSERT: before it */
	size_t end;  /* DROP: one behind the last */
	size_t number;
	enum keys_id id; /* INSERT */
	char *text;      /* INSERT, VALUE; owned, wiped */
};

struct save {
	const struct config_file *f;
	const struct tunnel *t;
	const struct tunnel_running *r;
	struct save_edit *edits;
	size_t edit_count;
	size_t edit_room;
	bool *is_new; /* of each peer of the device: the file does not have it */
	bool failed;
};

void save_value(struct save *s, size_t line, const char *text);
void save_drop(struct save *s, size_t first, size_t end);
void save_insert(struct save *s, size_t line, enum keys_id id, const char *text);
/* A key of a section: its last line gets this value, or it comes behind the last entry. NULL: no
 * line of it is left. */
void save_set(struct save *s, size_t section, enum keys_id id, const char *text);

/*
 * A list over lines (rows of the file, in order): those not kept leave, and more come to its end:
 * on the last line of it or, where each has its own, on lines behind it.
 */
struct save_list {
	enum keys_id id;
	size_t section; /* where it goes if there is no line of it */
	const struct tunnel_prefixes *rows;
	const bool *keep;
	const struct prefix *more;
	size_t more_count;
	bool line_each;
};
void save_list(struct save *s, const struct save_list *list);

/* Changes to the peers; sets is_new. */
void save_peers(struct save *s);

/* The text of a prefix, "a, b" of several, into b. */
void save_prefixes(const struct prefix *rows, size_t count, struct buffer *b);
MUST_CHECK bool save_has_key(const struct key_shared *key); /* not all zero */
/* Do hooks that bring the tunnel up say this word? */
MUST_CHECK bool save_hooks_have(const struct tunnel *t, const char *word);

#endif
