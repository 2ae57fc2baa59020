#ifndef DEVICE_STEER_H
#define DEVICE_STEER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/env.h"
#include "base/time.h"
#include "wg/known.h"

/*
 * Those who are known first: where peers are (wg/known.h), and the kernel told of it, so that under
 * load their handshake messages come by a lane of their own (UDP_LANE_KNOWN) that a flood under
 * made up addresses hardly finds. The lock is its own and held for moments only.
 */
struct device;

enum { STEER_SETS = 1024 };
#define STEER_PAUSE NS_PER_S /* a new program costs a millisecond */

struct steer {
	pthread_mutex_t lock; /* of known and has_grown */
	struct known known;
	bool has_grown;
	/* The doorman's */
	uint64_t again; /* boot time */
	uint16_t port;  /* of the sockets that were told */
	const struct entropy *entropy;
};

MUST_CHECK int steer_init(struct steer *s, const struct entropy *entropy); /* 0 or -errno */
void steer_done(struct steer *s);
/* A handshake message of ours goes to this address. Any thread */
void steer_note(struct steer *s, const struct ip *at, uint64_t now);
MUST_CHECK bool steer_knows(struct steer *s, const struct ip *at, uint64_t now);
/* Tell the kernel, where it does not know yet and was not told just now. The doorman, under load */
void steer_kernel(struct steer *s, const struct device *d, uint64_t now);

#endif
