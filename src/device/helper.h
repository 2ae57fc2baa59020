#ifndef DEVICE_HELPER_H
#define DEVICE_HELPER_H

#include <pthread.h>
#include <stdbool.h>

#include "base/attr.h"
#include "wg/handshake.h"

/*
 * Threads that compute handshake jobs: Diffie-Hellman never holds up the brain's timers,
 * configuration and cookies. Jobs go in and results come out by a ring of HELPER_JOBS; one that is
 * full refuses, and work waits where it is cheap to keep (lanes.h). Any order may come out, any
 * number of jobs of one peer may be under way: handshake_commit sorts that out. One thread gives
 * and takes. Initiations of our own have HELPER_OWN places only: where thousands are wanted at once
 * (an engine that was started again) they would leave none to the responses, and be made again for
 * want of these, for ever. Jobs hold keys: none is left behind, neither when taken nor at the end.
 */
enum { HELPER_JOBS = 32, HELPER_THREADS_MAX = 4, HELPER_OWN = HELPER_JOBS / 4 };

struct helper {
	pthread_mutex_t lock;
	pthread_cond_t wanted; /* there is a job, or the end */
	struct handshake_job *jobs;
	struct handshake_job *results;
	size_t job_first, job_count;
	size_t result_first, result_count;
	size_t held; /* given and not yet taken back, by the giver alone */
	size_t own;  /* initiations of ours among them */
	bool is_over;
	pthread_t threads[HELPER_THREADS_MAX];
	unsigned int threads_wanted;
	unsigned int thread_count;
	void (*done)(void *ctx); /* a result can be taken; any thread */
	void *ctx;
};

MUST_CHECK int helper_init(struct helper *h, void (*done)(void *ctx), void *ctx); /* or -ENOMEM */
/* As many threads as there are processors to spare: at least one. 0 or negative errno. */
MUST_CHECK int helper_start(struct helper *h);
void helper_stop(struct helper *h); /* waits for them; what was not taken is wiped */
void helper_done(struct helper *h);

/* The job moves: *job is wiped. False: full, and nothing has moved. */
MUST_CHECK bool helper_put(struct helper *h, struct handshake_job *job);
MUST_CHECK bool helper_take(struct helper *h, struct handshake_job *ret); /* false: none yet */
size_t helper_room(const struct helper *h);     /* how many helper_put will take now */
size_t helper_room_own(const struct helper *h); /* likewise, of TASK_INITIATE; ask before */

#endif
