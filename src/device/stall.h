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

#endif
