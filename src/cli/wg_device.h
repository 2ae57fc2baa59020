#ifndef CLI_WG_DEVICE_H
#define CLI_WG_DEVICE_H

#include "base/attr.h"
#include "model/diagnosis.h"
#include "model/model.h"

/* A device by its name, for the verbs of wg(8): 0 or a negative errno. */
MUST_CHECK int wg_device_get(const char *name, struct model *ret); /* inited, empty */
MUST_CHECK int wg_device_diagnose(const char *name, struct diagnosis *ret);
/* Says what went wrong, as wg(8) does and, under warren, how much of it is on the device. Gives the
 * exit code. */
MUST_CHECK int wg_device_set(const char *name, const struct model *patch, bool say_more);

#endif
