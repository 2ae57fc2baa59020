#ifndef DEVICE_BROKER_H
#define DEVICE_BROKER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/key.h"
#include "device/request.h"
#include "device/udp.h"
#include "model/diag.h"

/*
 * The engine's side of its monitor: what needs privilege or a file is asked for here (request.h).
 * A call waits for the answer; the brain's thread only. Where the monitor is gone all fail with
 * -EPIPE, and the engine is about to be ended too.
 */
struct broker {
	int requests;
	int news; /* readable: broker_news has something */
};

/* The new sockets are ours, and the monitor keeps copies: then _use or _drop. */
MUST_CHECK int broker_bind(const struct broker *b, uint16_t port, uint32_t mark, struct diag *why,
			   struct udp *ret);
void broker_use(const struct broker *b);
void broker_drop(const struct broker *b);
MUST_CHECK int broker_set_mark(const struct broker *b, uint32_t mark);
uint64_t broker_read_floor(const struct broker *b, const struct key_public *key); /* 0: none */
MUST_CHECK int broker_write_floor(const struct broker *b, const struct key_public *key,
				  uint64_t floor);
void broker_running(const struct broker *b);
/* False: nothing more for now. The end of the monitor is news of kind NEWS_END. */
MUST_CHECK bool broker_news(const struct broker *b, struct news *ret);

#endif
