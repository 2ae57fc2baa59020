#ifndef NET_JOURNAL_H
#define NET_JOURNAL_H

#include <stdbool.h>

#include "base/attr.h"
#include "net/item.h"

/*
 * What a tunnel owns, on disk, so that whoever comes next can finish or unwind what a kill, a crash
 * or a power cut left. A thing is written down before it is made and struck out after it is gone:
 * what is on the host is always in a journal, and undoing what was never done must be harmless.
 *
 * /run/warren/NAME.journal holds what ends with the boot (a journal of another boot is void), a
 * line each: the first says version and boot, then "phase up|upped|down|sync", "file PATH",
 * "own ITEM", "lost ITEM". /var/lib/warren/NAME.undo is the same for what outlives it (files, what
 * a firewall manager keeps), synced with its folder before the change. A last line without its end
 * was never begun. Both are 0600, root's, opened without following links.
 */
enum journal_phase { JOURNAL_UP, JOURNAL_UPPED, JOURNAL_DOWN, JOURNAL_SYNC };

struct journal {
	char name[HOST_NAME];
	char *file; /* the configuration's path, as given at up */
	enum journal_phase
		phase; /* anything but UPPED with nobody holding the lock: left half done */
	struct items owned;
	int fd;
	int disk_fd;
	int lock_fd;
};

/* The owner of this part writes the functions: open with lock, read, own, lose, phase, remove. */

#endif
