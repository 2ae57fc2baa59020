#ifndef MODEL_DIAGNOSIS_H
#define MODEL_DIAGNOSIS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/endpoint.h"
#include "base/key.h"

/*
 * Why packets were refused, as an engine counted it: what `diagnose=1` carries and the doctor
 * reads. Owns its arrays. Names are stable words such as "replay" (one word, [a-z0-9-]): static
 * strings of the engine, or kept in words where they were read.
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
	char **words; /* owned; names point into it */
	size_t word_count;
};

enum { DIAGNOSIS_WORDS_MAX = 512 };

void diagnosis_init(struct diagnosis *d);
void diagnosis_done(struct diagnosis *d);
/* Each makes room for n zeroed rows at once. False: out of memory. */
MUST_CHECK bool diagnosis_take_rejects(struct reject **rejects, size_t *count, size_t n);
MUST_CHECK bool diagnosis_take(struct diagnosis *d, size_t peers, size_t knocks, size_t icmp,
			       size_t counts);
/* Each appends one zeroed row. NULL: out of memory. The pointer is good until the next append. */
MUST_CHECK struct reject *diagnosis_add_reject(struct reject **rejects, size_t *count);
MUST_CHECK struct peer_rejects *diagnosis_add_peer(struct diagnosis *d);
MUST_CHECK struct knock *diagnosis_add_knock(struct diagnosis *d);
MUST_CHECK struct icmp_report *diagnosis_add_icmp(struct diagnosis *d);
MUST_CHECK struct named_count *diagnosis_add_count(struct diagnosis *d);
/* An equal string that lives as long as d. NULL: out of memory, or too many different ones. */
MUST_CHECK const char *diagnosis_keep_word(struct diagnosis *d, const char *word);

#endif
