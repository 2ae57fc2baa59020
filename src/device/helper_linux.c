#include "device/helper.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "crypto/crypto.h"

/* Those who carry packets come first: a flood of initiations takes what they leave over. */
enum { NICE = 5 };

static void move(struct handshake_job *to, struct handshake_job *from)
{
	*to = *from;
	crypto_wipe(from, sizeof(*from));
}

static bool next_job(struct helper *h, struct handshake_job *ret)
{
	bool any;

	pthread_mutex_lock(&h->lock);
	while (!h->job_count && !h->is_over)
		pthread_cond_wait(&h->wanted, &h->lock);
	any = !h->is_over;
	if (any) {
		move(ret, &h->jobs[h->job_first]);
		h->job_first = (h->job_first + 1) % HELPER_JOBS;
		--h->job_count;
	}
	pthread_mutex_unlock(&h->lock);
	return any;
}

/* There is room: no more are held than fit. */
static void give_back(struct helper *h, struct handshake_job *job)
{
	pthread_mutex_lock(&h->lock);
	move(&h->results[(h->result_first + h->result_count++) % HELPER_JOBS], job);
	pthread_mutex_unlock(&h->lock);
	h->done(h->ctx);
}

static void *work(void *ctx)
{
	struct helper *h = ctx;
	struct handshake_job job;

	(void)setpriority(PRIO_PROCESS, 0, NICE); /* this thread; else we are merely less polite */
	while (next_job(h, &job)) {
		handshake_compute(&job);
		give_back(h, &job);
	}
	return NULL;
}

static unsigned int threads_wanted(void)
{
	const long spare = sysconf(_SC_NPROCESSORS_ONLN) - 1;

	if (spare < 1)
		return 1;
	return spare < HELPER_THREADS_MAX ? (unsigned int)spare : HELPER_THREADS_MAX;
}

int helper_init(struct helper *h, void (*done)(void *ctx), void *ctx)
{
	*h = (struct helper){ .done = done, .ctx = ctx };
	h->threads_wanted = threads_wanted(); /* that is in a file */
	h->jobs = calloc(HELPER_JOBS, sizeof(*h->jobs));
	h->results = calloc(HELPER_JOBS, sizeof(*h->results));
	if (!h->jobs || !h->results) {
		free(h->jobs);
		free(h->results);
		h->jobs = h->results = NULL;
		return -ENOMEM;
	}
	pthread_mutex_init(&h->lock, NULL);
	pthread_cond_init(&h->wanted, NULL);
	return 0;
}

int helper_start(struct helper *h)
{
	h->is_over = false;
	while (h->thread_count < h->threads_wanted) {
		const int err = pthread_create(&h->threads[h->thread_count], NULL, work, h);

		if (err && !h->thread_count)
			return -err;
		if (err)
			break; /* fewer will do */
		++h->thread_count;
	}
	return 0;
}

void helper_stop(struct helper *h)
{
	pthread_mutex_lock(&h->lock);
	h->is_over = true;
	pthread_cond_broadcast(&h->wanted);
	pthread_mutex_unlock(&h->lock);
	for (unsigned int i = 0; i < h->thread_count; ++i)
		pthread_join(h->threads[i], NULL);
	h->thread_count = 0;
	crypto_wipe(h->jobs, HELPER_JOBS * sizeof(*h->jobs));
	crypto_wipe(h->results, HELPER_JOBS * sizeof(*h->results));
	h->job_count = h->result_count = h->held = h->own = 0;
}

void helper_done(struct helper *h)
{
	if (!h->jobs)
		return;
	free(h->jobs);
	free(h->results);
	pthread_cond_destroy(&h->wanted);
	pthread_mutex_destroy(&h->lock);
	h->jobs = h->results = NULL;
}

bool helper_put(struct helper *h, struct handshake_job *job)
{
	if (!helper_room(h))
		return false;
	++h->held;
	h->own += job->task == TASK_INITIATE;
	pthread_mutex_lock(&h->lock);
	move(&h->jobs[(h->job_first + h->job_count++) % HELPER_JOBS], job);
	pthread_cond_signal(&h->wanted);
	pthread_mutex_unlock(&h->lock);
	return true;
}

bool helper_take(struct helper *h, struct handshake_job *ret)
{
	bool any;

	pthread_mutex_lock(&h->lock);
	any = h->result_count > 0;
	if (any) {
		move(ret, &h->results[h->result_first]);
		h->result_first = (h->result_first + 1) % HELPER_JOBS;
		--h->result_count;
		--h->held;
		h->own -= ret->task == TASK_INITIATE;
	}
	pthread_mutex_unlock(&h->lock);
	return any;
}

size_t helper_room(const struct helper *h)
{
	return HELPER_JOBS - h->held;
}

size_t helper_room_own(const struct helper *h)
{
	const size_t room = helper_room(h);
	const size_t own = h->own < HELPER_OWN ? HELPER_OWN - h->own : 0;

	return own < room ? own : room;
}
