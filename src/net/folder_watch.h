#ifndef NET_FOLDER_WATCH_H
#define NET_FOLDER_WATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

/*
 * Hears of files that appear, go, or are written in some folders, by the beginnings of their names.
 * A folder rather than a file: editors put a new file in the place of the old one. A folder that is
 * not there is not watched.
 */
enum { FOLDER_WATCHES = 8 };

struct folder_watch {
	int fd; /* -1: not open */
	size_t count;
	struct {
		int id;
		char begins[64]; /* of the names that matter */
	} rows[FOLDER_WATCHES];
};

MUST_CHECK int folder_watch_open(struct folder_watch *w);
/* Its number, from 0 in the order of adding; negative errno, and then no number is used. */
MUST_CHECK int folder_watch_add(struct folder_watch *w, const char *folder, const char *begins);
/* Drains it: bit N of *ret_which is set where number N has news. 0 or negative errno. */
MUST_CHECK int folder_watch_read(struct folder_watch *w, unsigned int *ret_which);
void folder_watch_close(struct folder_watch *w);

#endif
