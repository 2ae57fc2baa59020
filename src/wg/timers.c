#include "wg/timers.h"

#include "wg/message.h"

static uint64_t jittered(uint64_t after, uint32_t jitter)
{
	return after + jitter % REKEY_JITTER_MAX;
}

static bool is_running(const struct timers *t, enum timer which)
{
	return t->at[which] != TIME_NEVER;
}

void timers_stop(struct timers *t)
{
	for (int i = 0; i < TIMER_COUNT; ++i)
		t->at[i] = TIME_NEVER;
	t->attempts = 0;
	t->wants_another_keepalive = false;
}

void timers_init(struct timers *t)
{
	t->persistent_interval = 0;
	timers_stop(t);
}

uint64_t timers_deadline(const struct timers *t)
{
	uint64_t first = TIME_NEVER;

	for (int i = 0; i < TIMER_COUNT; ++i)
		if (t->at[i] < first)
			first = t->at[i];
	return first;
}

static unsigned int retransmit_due(struct timers *t, uint64_t now)
{
	if (t->attempts <= HANDSHAKE_ATTEMPTS_MAX) {
		++t->attempts;
		return TIMER_DO_RETRY;
	}
	t->at[TIMER_KEEPALIVE] = TIME_NEVER;
	if (!is_running(t, TIMER_WIPE))
		t->at[TIMER_WIPE] = now + WIPE_AFTER_TIME;
	return TIMER_DO_GIVE_UP;
}

static unsigned int keepalive_due(struct timers *t, uint64_t now)
{
	if (t->wants_another_keepalive) {
		t->wants_another_keepalive = false;
		t->at[TIMER_KEEPALIVE] = now + KEEPALIVE_TIMEOUT;
	}
	return TIMER_DO_KEEPALIVE;
}

static unsigned int fire(struct timers *t, enum timer which, uint64_t now)
{
	t->at[which] = TIME_NEVER;
	switch (which) {
	case TIMER_RETRANSMIT:
		return retransmit_due(t, now);
	case TIMER_NO_REPLY:
		return TIMER_DO_HANDSHAKE;
	case TIMER_KEEPALIVE:
		return keepalive_due(t, now);
	case TIMER_WIPE:
		return TIMER_DO_WIPE;
	case TIMER_PERSISTENT:
		return t->persistent_interval ? TIMER_DO_KEEPALIVE : 0;
	case TIMER_COUNT:
		break;
	}
	return 0;
}

unsigned int timers_due(struct timers *t, uint64_t now)
{
	unsigned int actions = 0;

	for (int i = 0; i < TIMER_COUNT; ++i)
		if (now >= t->at[i])
			actions |= fire(t, (enum timer)i, now);
	return actions;
}

void timers_data_sent(struct timers *t, uint64_t now, uint32_t jitter)
{
	if (!is_running(t, TIMER_NO_REPLY))
		t->at[TIMER_NO_REPLY] = now + jittered(KEEPALIVE_TIMEOUT + REKEY_TIMEOUT, jitter);
}

void timers_data_received(struct timers *t, uint64_t now)
{
	if (is_running(t, TIMER_KEEPALIVE))
		t->wants_another_keepalive = true;
	else
		t->at[TIMER_KEEPALIVE] = now + KEEPALIVE_TIMEOUT;
}

static void authenticated_traversal(struct timers *t, uint64_t now)
{
	if (t->persistent_interval)
		t->at[TIMER_PERSISTENT] = now + t->persistent_interval;
}

void timers_authenticated_sent(struct timers *t, uint64_t now)
{
	t->at[TIMER_KEEPALIVE] = TIME_NEVER;
	authenticated_traversal(t, now);
}

void timers_authenticated_received(struct timers *t, uint64_t now)
{
	t->at[TIMER_NO_REPLY] = TIME_NEVER;
	authenticated_traversal(t, now);
}

void timers_handshake_wanted(struct timers *t)
{
	t->attempts = 0;
}

void timers_initiation_sent(struct timers *t, uint64_t now, uint32_t jitter)
{
	t->at[TIMER_RETRANSMIT] = now + jittered(REKEY_TIMEOUT, jitter);
}

void timers_initiation_postponed(struct timers *t, uint64_t until)
{
	if (!is_running(t, TIMER_RETRANSMIT))
		t->at[TIMER_RETRANSMIT] = until;
}

void timers_session_begun(struct timers *t, uint64_t now)
{
	t->at[TIMER_WIPE] = now + WIPE_AFTER_TIME;
}

void timers_handshake_complete(struct timers *t)
{
	t->at[TIMER_RETRANSMIT] = TIME_NEVER;
	t->attempts = 0;
}
