#ifndef MODEL_PAGE_H
#define MODEL_PAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

/*
 * The knowledge, a page for each id that anything here can name: what a user sees, why, how to tell
 * it from its look-alikes, and what to do. `warren why` prints a page, docs/why.md holds them all.
 * Everything is static and constant.
 *
 * Texts are paragraphs split by a line feed and wrapped when they are written. A line that begins
 * with four blanks is a command or a line of a file and stays as it is (at most 72 columns); one
 * that begins with "- " is an item of a list.
 */
struct page {
	const char *id;      /* a row of the catalogue, "A1"; or a word of ours, [a-z0-9-] */
	const char *title;   /* in the user's words, one line */
	const char *see;     /* what you see */
	const char *cause;   /* why */
	const char *tell;    /* how to tell it from what looks alike; may be NULL */
	const char *fix;     /* what to do; may be NULL */
	const char *warren;  /* what Warren does about it today; may be NULL */
	const char *related; /* ids, split by blanks; may be NULL */
};

struct page_section {
	const char *title;
	const struct page *pages;
	size_t count;
};

enum { PAGE_NEAREST = 4 };

const struct page_section *page_section(size_t i); /* NULL behind the last */

/* Case does not matter in an id. NULL: there is none. */
const struct page *page_find(const char *id);
/* The pages whose ids are spelt nearest to this one, nearest first; how many. */
size_t page_find_nearest(const char *id, const struct page *ret[static PAGE_NEAREST]);
/* Does text stand anywhere in the page? Case does not matter. */
bool page_mentions(const struct page *page, const char *text);

#endif
