#ifndef MODEL_DIAGNOSIS_H
#define MODEL_DIAGNOSIS_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/endpoint.h"
#include "base/key.h"

/*
 * Why packets were refused, as an engine counted it: what `diagnose=1` carries and the doctor
 * reads. Owns its arrays. Names are static strings of the engine, stable words such as "replay"
 * (one word, [a-z0-9-]).
 */
struct reject {
	const char *reason;
	uint64_t count;
	uint64_t last_real;   /* ns since 1970 */
	struct endpoint from; /* outer source of the last one, or the inner one's address with port
				 0; may be unset */
};

struct peer_rejects {
	struct key_public public_key;
	struct reject *rejects;
	size_t reject_count;
};

struct knock { /* a well-formed initiation of somebody who is not a peer */
	struct key_public public_key;
	uint64_t count;
	uint64_t last_real;
	struct endpoint from;
};

struct icmp_report {        /* an error that the network returned for a datagram of ours */
	struct endpoint to; /* where that datagram went */
	struct ip reporter; /* who says so; may be unset */
	uint8_t type;       /* ICMP or ICMPv6 by to.ip.family */
	uint8_t code;
	int error; /* errno */
	uint64_t count;
	uint64_t last_real;
};

struct named_count {
	const char *name;
	uint64_t value;
};

struct diagnosis {
	struct reject *rejects; /* of the device, reasons with a count only */
	size_t reject_count;
	struct peer_rejects *peers; /* peers that rejected something */
	size_t peer_count;
	struct knock *knocks;
	size_t knock_count;
	struct icmp_report *icmp;
	size_t icmp_count;
	struct named_count *counts; /* packets, calls, offload: whatever the engine counts */
	size_t count_count;
};

void diagnosis_init(struct diagnosis *d);
void diagnosis_done(struct diagnosis *d);
/* Each makes room for n zeroed rows at once. False: out of memory. */
MUST_CHECK bool diagnosis_take_rejects(struct reject **rejects, size_t *count, size_t n);
MUST_CHECK bool diagnosis_take(struct diagnosis *d, size_t peers, size_t knocks, size_t icmp,
			       size_t counts);

#endif
