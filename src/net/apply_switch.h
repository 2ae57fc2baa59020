#ifndef NET_APPLY_SWITCH_H
#define NET_APPLY_SWITCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "model/diag.h"
#include "net/item.h"

/* A switch under /proc/sys. All give 0 or a negative errno. */
MUST_CHECK int apply_switch_read(const char *path, uint32_t *ret); /* net/ipv4/ip_forward */
/* number onto the host; what has it already is not written, so that it may be read only (A3). */
MUST_CHECK int apply_switch_set(const struct item *i, struct diag *why);
/* old onto the host, if it still has our number. */
MUST_CHECK int apply_switch_restore(const struct item *i, struct diag *why);

#endif
