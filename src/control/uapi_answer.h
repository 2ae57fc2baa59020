#ifndef CONTROL_UAPI_ANSWER_H
#define CONTROL_UAPI_ANSWER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/buffer.h"
#include "control/uapi.h"
#include "model/diagnosis.h"
#include "model/model.h"

/*
 * What a daemon answers to a get, set or diagnose, taken as hostile: bytes in any pieces, every
 * line and everything that grows bounded, no name ever looked up. Unknown keys are skipped, as are
 * keys of the device behind the first peer. What it says of a peer is kept as it is: host bits in
 * an allowed address too.
 */
enum uapi_answer_status {
	UAPI_ANSWER_MORE,
	UAPI_ANSWER_DONE,   /* answer->error is the daemon's word */
	UAPI_ANSWER_BROKEN, /* answer->error is why it can't be used; close */
};

enum { UAPI_ANSWER_ROWS_MAX = 1 << 24 };

struct uapi_answer {
	enum uapi_status operation; /* UAPI_GET, UAPI_SET or UAPI_DIAGNOSE */
	struct model *model;        /* of a get */
	struct diagnosis *diagnosis;
	size_t rows; /* that grew something: addresses of a get, rows of a diagnose */
	int error;
	struct buffer partial; /* an incomplete line */
};

/* Borrows what it fills, inited and empty: model of a get, diagnosis of a diagnose, else NULL. */
void uapi_answer_init(struct uapi_answer *a, enum uapi_status operation, struct model *model,
		      struct diagnosis *diagnosis);
void uapi_answer_done(struct uapi_answer *a); /* wipes; what was filled is the borrower's */
/*
 * Feed bytes; they are overwritten. What follows the end of the answer is ignored.
 *
 * error is 0 or a negative errno, with wg(8)'s trap (behaviour.md B.1): the number of a get must
 * not be negative, else -EPROTO; that of a set should be, and one that is positive comes as it is.
 */
MUST_CHECK enum uapi_answer_status uapi_answer_feed(struct uapi_answer *a, char *bytes, size_t len);

#endif
