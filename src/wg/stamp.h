#ifndef WG_STAMP_H
#define WG_STAMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/time.h"

/*
 * Handshake stamps (TAI64N, paper 5.1 and 5.4.2). A peer refuses a stamp that is not above the
 * last, so ours never goes back: not within a run, and not over a restart with a clock that starts
 * in the past (F-P9). For that a floor is kept on disk, one per private key, at most 30 s above the
 * last stamp sent, written before a stamp above it leaves.
 * A clock that jumps ahead by more than a day is followed but not kept until it has held for a day:
 * one absurd reading must not poison the key for ever (F-P10, CVE-2021-46873). A first reading has
 * nothing to be judged by but the floor; one before 2020 is of a clock that nobody has set yet.
 * Stamps are ns since 1970 with the nanoseconds of the second rounded down to 2^24, so that they
 * tell little of our clock, as in the kernel driver. Numbers and wire have the same order.
 */
enum { STAMP_LEN = 12 };
#define STAMP_GRAIN (UINT64_C(1) << 24)
#define STAMP_FLOOR_AHEAD (30 * NS_PER_S)
#define STAMP_FLOOR_AHEAD_SHORT NS_PER_S /* while stamps are ahead of the clock already */
#define STAMP_JUMP (86400 * NS_PER_S)    /* a day */
#define STAMP_ABSENCE (366 * STAMP_JUMP) /* for so long a machine may have been off */
#define STAMP_CLOCK_SET (1577836800 * NS_PER_S)

struct stamp {
	uint64_t last;  /* the latest that the clock has led to; 0: none */
	uint64_t floor; /* kept on disk: the first stamp of the next run is above it */
	/* Pairs of clock readings that belong together; boot 0: none */
	struct moment reference; /* believed */
	struct moment suspect;   /* first seen more than a day ahead */
};

/*
 * floor: as read back from disk for this private key, 0 where there is none. One that no run can
 * have written (beyond the year 2262) is taken as none.
 */
void stamp_init(struct stamp *s, uint64_t floor);
/*
 * The next stamp for one peer, which remembers its last in *sent (0: none): above that, and not
 * below what any peer got from the clock before, also where the clock stands still or goes back.
 * Raises s->floor where the stamp passes it and the clock is believed; then the caller puts the new
 * floor on disk before the stamp is sent. Two peers may get the same one: many handshakes a second
 * don't drive the stamps away from the clock.
 */
MUST_CHECK uint64_t stamp_next(struct stamp *s, struct moment now, uint64_t *sent);
/* A peer is forgotten; should it come again, it starts above what it was sent. */
void stamp_forget(struct stamp *s, uint64_t sent);

/*
 * The run ends in order: no stamp beyond `last` was sent, so the floor comes down to it. Else each
 * start would lead the stamps away from the clock.
 */
void stamp_end(struct stamp *s);

void stamp_write(uint64_t stamp, uint8_t ret[static STAMP_LEN]);
/* Is a later than b? All 12 bytes count, valid or not, as in the kernel driver. */
MUST_CHECK bool stamp_is_later(const uint8_t a[static STAMP_LEN],
			       const uint8_t b[static STAMP_LEN]);

#endif
