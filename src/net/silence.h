#ifndef NET_SILENCE_H
#define NET_SILENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/time.h"
#include "model/model.h"

/*
 * Does a peer answer? Judged by what its device counted between two looks, SILENCE_WINDOW apart.
 * The protocol makes it certain: whoever gets data and has nothing to say sends an empty packet
 * within 10 s, and whoever sent data and heard nothing for 15 s asks for a new session every 5 s.
 * So where nothing came in through a whole window behind one in which something left, and a request
 * for a session left meanwhile, or where there is no session and two requests went unanswered, the
 * peer is not there. Pure.
 */
#define SILENCE_WINDOW (15 * NS_PER_S)
#define SILENCE_SESSION (180 * NS_PER_S) /* no session is older */
enum { SILENCE_REQUEST = 148 };          /* bytes of a request for a session */

enum silence_verdict {
	SILENCE_IDLE,   /* nothing left, so nothing can be known */
	SILENCE_HEARD,  /* something came in */
	SILENCE_UNSURE, /* look again in a window's time */
	SILENCE_SILENT,
};

struct silence {
	uint64_t rx;
	uint64_t tx;
	uint64_t handshake;
	bool waits; /* something left in the window before, and nothing came in */
};

/* A first look. */
void silence_begin(struct silence *s, const struct model_peer *p);
/* The next one. real: the wall clock, as the peer's handshake has it. */
MUST_CHECK enum silence_verdict silence_judge(struct silence *s, const struct model_peer *p,
					      uint64_t real);

#endif
