#ifndef NET_PREFIX_SET_H
#define NET_PREFIX_SET_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/prefix.h"

/*
 * The fewest networks that hold the same addresses: no two overlap, and halves are joined. What nft
 * takes as a set of intervals. Fill it, tidy it, then read its rows: IPv4 first, by address.
 */
struct prefix_set {
	struct prefix *rows;
	size_t count;
	size_t room;
};

void prefix_set_init(struct prefix_set *s);
void prefix_set_done(struct prefix_set *s);
MUST_CHECK bool prefix_set_add(struct prefix_set *s, const struct prefix *p); /* host bits go */
void prefix_set_tidy(struct prefix_set *s);

/* Of a tidy one. All addresses of the family? Any of them? */
MUST_CHECK bool prefix_set_is_full(const struct prefix_set *s, uint8_t family);
MUST_CHECK bool prefix_set_has_family(const struct prefix_set *s, uint8_t family);
/* Is all of p in it? */
MUST_CHECK bool prefix_set_covers(const struct prefix_set *s, const struct prefix *p);

#endif
