#ifndef NET_PREFIXES_H
#define NET_PREFIXES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/prefix.h"

/* A growing list of networks, all canonical. Owns its rows. */
struct prefixes {
	struct prefix *rows;
	size_t count;
	size_t room;
};

void prefixes_init(struct prefixes *p);
void prefixes_done(struct prefixes *p);
/* Both false when out of memory; then nothing has changed. */
MUST_CHECK bool prefixes_add(struct prefixes *p, const struct prefix *prefix);
/* All addresses of `out` leave: who contains it becomes the largest networks around it. */
MUST_CHECK bool prefixes_take_away(struct prefixes *p, const struct prefix *out);
/* As `sort -nr -k 2 -t /` of their texts: the longest first, of equal ones by bytes, backwards.
 * False: out of memory. */
MUST_CHECK bool prefixes_sort(struct prefixes *p);

#endif
