#ifndef NET_PREFIX_SET_H
#define NET_PREFIX_SET_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/prefix.h"

/*
 * Networks, in the order in which they came until it is tidied or sorted. Tidy, they are the fewest
 * that hold the same addresses, as nft takes them for a set of intervals; sorted, they stand as
 * wg-quick adds its routes. Owns its rows.
 */
struct prefix_set {
	struct prefix *rows;
	size_t count;
	size_t room;
};

void prefix_set_init(struct prefix_set *s);
void prefix_set_done(struct prefix_set *s);
/* These three are false when out of memory; then nothing has changed. */
MUST_CHECK bool prefix_set_add(struct prefix_set *s, const struct prefix *p); /* host bits go */
/* All addresses of `out`, whose host bits are none, leave: who contains it becomes the largest
 * networks around it. */
MUST_CHECK bool prefix_set_take_away(struct prefix_set *s, const struct prefix *out);
/* As `sort -nr -k 2 -t /` of their texts: the longest first, of equal ones by bytes, backwards. */
MUST_CHECK bool prefix_set_sort(struct prefix_set *s);
/* No two overlap, and halves are joined: IPv4 first, by address. */
void prefix_set_tidy(struct prefix_set *s);

/* Of a tidy one. All addresses of the family? Any of them? */
MUST_CHECK bool prefix_set_is_full(const struct prefix_set *s, uint8_t family);
MUST_CHECK bool prefix_set_has_family(const struct prefix_set *s, uint8_t family);
/* Is all of p in it? */
MUST_CHECK bool prefix_set_covers(const struct prefix_set *s, const struct prefix *p);

#endif
