#ifndef NET_JOURNAL_H
#define NET_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "net/item.h"

/*
 * What a tunnel owns, on disk, so that whoever comes next can finish or unwind what a kill, a crash
 * or a power cut left. A thing is written down before it is made and struck out after it is gone:
 * what is on the host is always in a journal, and undoing what was never done must be harmless.
 *
 * /run/warren/NAME.journal holds what ends with the boot (a journal of another boot is void), a
 * line each: the first says version and boot, then "phase up|upped|down|sync", "file PATH",
 * "engine TEXT", "own ITEM", "want ITEM", "lost ITEM". /var/lib/warren/NAME.undo is the same for
 * what outlives it (files, what a firewall manager keeps), synced with its folder before the
 * change. A last line without its end was never begun. Both are 0600, root's, opened without
 * following links. In a network namespace that is not process 1's, NAME is NAME@INODE for both. As
 * the inode ends with the boot, NAME@*.undo of another boot is taken over by the next one of NAME,
 * in whatever namespace, that has nothing of its own: it becomes that one's file.
 */
enum { JOURNAL_BASE = HOST_NAME + 24 };
enum journal_phase { JOURNAL_UP, JOURNAL_UPPED, JOURNAL_DOWN, JOURNAL_SYNC };

struct journal_place {
	const char *run;
	const char *state;
};
extern const struct journal_place journal_host; /* /run/warren and /var/lib/warren */

struct journal {
	char name[HOST_NAME];
	char *file;   /* the configuration's path, as given at up; NULL: not known */
	char *engine; /* "kernel", or the program; NULL: not known */
	enum journal_phase
		phase;       /* anything but UPPED with nobody holding the lock: left half done */
	bool found;          /* there was something; else phase is DOWN and owned is empty */
	struct items owned;  /* of both files, in the order of being owned */
	struct items wanted; /* reserved: others must keep off, but it may not be there */
	char base[JOURNAL_BASE]; /* the files' name without its end */
	int run;                 /* the folders; -1: not there */
	int state;
	int fd; /* the files; -1: not there */
	int state_fd;
	int lock; /* -1: not held: only to be looked at */
	int shared;
	const struct journal_place *place;
};

/*
 * Takes NAME's lock and reads what is there, making the folder for it (0700). wait: until whoever
 * holds it is done; else -EAGAIN. -EINTR: a signal came while waiting. -EPERM: a folder or file
 * that others may write. -EPROTONOSUPPORT: written by a newer version. -EBADMSG: it holds what no
 * version wrote. Either way journal_done is due.
 */
MUST_CHECK int journal_open(struct journal *j, const struct journal_place *p, const char *name,
			    bool wait);
/* The same without lock, to look at: what a command is writing meanwhile is in it or not. -ENOENT:
 * there is none. */
MUST_CHECK int journal_peek(struct journal *j, const struct journal_place *p, const char *name);
void journal_done(struct journal *j); /* unlocks */
/* After a fork, the one who goes on with it, and the one who does not: that one unlocks nothing. */
void journal_inherit(struct journal *j);
void journal_leave(struct journal *j);

/* Who holds the lock: a process id, or 0 if that cannot be known. */
MUST_CHECK int journal_holder(const struct journal_place *p, const char *name);

/* All below need the lock. 0 or a negative errno; then nothing is owned or lost. */

/* The first line of a new command, and its phase. file and engine may be NULL: as they are. */
MUST_CHECK int journal_begin(struct journal *j, enum journal_phase phase, const char *file,
			     const char *engine);
MUST_CHECK int journal_phase(struct journal *j, enum journal_phase phase);
MUST_CHECK int journal_own(struct journal *j, const struct item *i);
MUST_CHECK int journal_want(struct journal *j, const struct item *i);
/* The last one that is the same (item_same); what is not owned is no error. */
MUST_CHECK int journal_lose(struct journal *j, const struct item *i);
MUST_CHECK int journal_remove(struct journal *j); /* both files and the lock's; all is undone */

/* What all other tunnels of this host and network namespace own or want. */
MUST_CHECK int journal_others(const struct journal *j, struct items *ret);
/* The lock of what tunnels share: tables, priorities, switches. Waits. Never across a hook. */
MUST_CHECK int journal_share(struct journal *j);
void journal_unshare(struct journal *j);

/* Pure: the lines of a file into j. boot: of now. What is of another boot is left out, and
 * *ret_other_boot says so. *ret_used: where the last whole line ends. */
MUST_CHECK int journal_parse(struct journal *j, const char *text, size_t len, const char *boot,
			     bool *ret_other_boot, size_t *ret_used);

#endif
