#ifndef CONTROL_UAPI_REPORT_H
#define CONTROL_UAPI_REPORT_H

#include "base/attr.h"
#include "model/diagnosis.h"

/*
 * The rows of a diagnose's answer (control/uapi.h), read back. Unknown keys and columns at the end
 * of a row are skipped, so that an older program understands a newer engine; what a known row says
 * is not trusted, and the number of rows is for uapi_answer, whose part this is, to bound.
 */
enum { UAPI_REPORT_ROWS_MAX = 1 << 20 };

/* One row, of which value is overwritten. 0, -EPROTO or -ENOMEM. */
MUST_CHECK int uapi_report_row(struct diagnosis *d, const char *key, char *value);

#endif
