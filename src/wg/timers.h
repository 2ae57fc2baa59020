#ifndef WG_TIMERS_H
#define WG_TIMERS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/time.h"

/*
 * The five timers of a peer (paper 6; behaviour.md E.2). Callers tell facts as they happen;
 * timers_due answers what is to be done when time has passed. Pure arithmetic: no clock, no list,
 * no peer. All times are boot times in ns.
 *
 * retransmit   5 s and up to 1/3 s after an initiation: send another, 20 in all, then give up
 * no_reply     15 s and up to 1/3 s after data went out and nothing came back: start a handshake
 * keepalive    10 s after data came in and nothing went out: say that we are here
 * wipe         540 s after the last session began: forget all keys
 * persistent   n s after anything authentic went or came: keep a NAT open
 */
enum timer {
	TIMER_RETRANSMIT,
	TIMER_NO_REPLY,
	TIMER_KEEPALIVE,
	TIMER_WIPE,
	TIMER_PERSISTENT,
	TIMER_COUNT
};

enum timer_action {                       /* bits */
		    TIMER_DO_RETRY = 1,   /* forget the cached source and send another initiation */
		    TIMER_DO_GIVE_UP = 2, /* drop what is staged */
		    TIMER_DO_HANDSHAKE = 4, /* forget the cached source and begin a handshake */
		    TIMER_DO_KEEPALIVE = 8,
		    TIMER_DO_WIPE = 16,
};

struct timers {
	uint64_t at[TIMER_COUNT];     /* TIME_NEVER: off */
	uint64_t persistent_interval; /* ns, 0: off */
	unsigned int attempts; /* initiations sent again since somebody asked for a handshake */
	bool wants_another_keepalive; /* data came while the keepalive timer was already running */
};

void timers_init(struct timers *t);
void timers_stop(struct timers *t); /* all off; the interval stays */
uint64_t timers_deadline(const struct timers *t);
/* What is due at `now`; each due timer is off or armed anew afterwards. */
MUST_CHECK unsigned int timers_due(struct timers *t, uint64_t now);

/* Facts. jitter: a random number, any value */
void timers_data_sent(struct timers *t, uint64_t now, uint32_t jitter);
void timers_data_received(struct timers *t, uint64_t now);
void timers_authenticated_sent(struct timers *t, uint64_t now);
void timers_authenticated_received(struct timers *t, uint64_t now);
void timers_handshake_wanted(struct timers *t); /* for another reason than a retry */
void timers_initiation_sent(struct timers *t, uint64_t now, uint32_t jitter);
void timers_initiation_postponed(struct timers *t, uint64_t until); /* too early for one now */
void timers_session_begun(struct timers *t, uint64_t now);
void timers_handshake_complete(struct timers *t);

#endif
