#ifndef DEVICE_EVIDENCE_H
#define DEVICE_EVIDENCE_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include "device/udp.h"
#include "model/diagnosis.h"

/*
 * What the network said about datagrams of ours: the last kinds of ICMP error by destination, a
 * bounded list. Evidence for a person only: nothing in the protocol acts on it, since anybody on
 * the path can forge it. Any thread may add.
 */
enum { EVIDENCE_ROWS = 32 };

struct evidence {
	pthread_mutex_t lock;
	struct icmp_report rows[EVIDENCE_ROWS]; /* the oldest is replaced */
	size_t used;
};

void evidence_init(struct evidence *e);
void evidence_done(struct evidence *e);
/* real: ns since 1970 */
void evidence_add(struct evidence *e, const struct udp_error *error, uint64_t real);
/* Copy up to EVIDENCE_ROWS rows out; returns how many. */
size_t evidence_read(struct evidence *e, struct icmp_report ret[static EVIDENCE_ROWS]);

#endif
