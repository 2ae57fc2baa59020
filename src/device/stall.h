#ifndef DEVICE_STALL_H
#define DEVICE_STALL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/time.h"

/*
 * A thread whose calls do nothing but fail, for a reason that may last (no memory, a descriptor
 * that is broken), would try again at once for ever. From the STALL_FREE-th failure in a row on it
 * sleeps before the next try, 1, 2, 4 .. 16 ms: too short for anybody to notice when it is over,
 * and next to no CPU until then. Pure; one thread.
 */
enum { STALL_FREE = 8, STALL_LAST = STALL_FREE + 4 };
#define STALL_MAX (16 * NS_PER_MS)
#define STALL_TELL (60 * NS_PER_S) /* not more often than this is it logged */

struct stall {
	unsigned int failures; /* in a row; zero it to begin */
	uint64_t told_at;      /* boot time; 0: never */
};

/* How long to sleep, ns. */
MUST_CHECK uint64_t stall_failed(struct stall *s);
void stall_passed(struct stall *s);
/* Is it time to log that it stalls? Then it is taken as logged. */
MUST_CHECK bool stall_tells(struct stall *s, uint64_t now);

/*
 * Who cannot do without such a call gives up where it has failed for so long. -EINTR is no failure
 * here: a thread that sleeps hears it once for each time that its process is stopped, or its host
 * put to sleep, and may hear nothing else for days. Zero *since to begin. error: 0 or -errno; now:
 * boot time, never 0.
 */
#define STALL_PATIENCE (10 * NS_PER_S)
MUST_CHECK bool stall_is_hopeless(uint64_t *since, int error, uint64_t now);

#endif
