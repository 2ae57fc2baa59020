#ifndef DEVICE_SLAB_H
#define DEVICE_SLAB_H

#include "base/attr.h"
#include "base/env.h"

/*
 * The memory of a core (struct memory): a million peers of a few sizes, at what they are long and
 * little more. Blocks of one size share a piece of 64 KiB, pieces a region of 2 MiB; a piece that
 * is empty again goes back to the system and stays there, so that sessions that have ended cost
 * nothing. Large arrays are mappings of their own. Any thread may take and give.
 */
struct slab;

MUST_CHECK struct slab *slab_new(void); /* NULL: no memory */
/* All that was taken is gone with it. NULL is fine. */
struct slab *slab_free(struct slab *s);
struct memory slab_memory(struct slab *s);
/* Bytes that may be there: of pieces in use, and of whole regions where huge pages are welcome.
 * Without large blocks. */
size_t slab_resident(struct slab *s);

#endif
