#ifndef NET_FOREIGN_H
#define NET_FOREIGN_H

#include <stdbool.h>

#include "base/attr.h"
#include "model/diag.h"
#include "model/tunnel.h"
#include "net/item.h"

/*
 * Rules in chains of others. An accept in our table does not undo a drop in another: where a
 * foreign chain would drop what Forward or OpenPort promise (Docker, ufw, firewalld, a policy, a
 * tail of REJECT), a rule tagged "warren NAME" goes there, through that manager's own way.
 */

/* Looks at the host's rule set and adds an ITEM_FOREIGN for each place that would drop. 0 or
 * negative errno, with why. */
MUST_CHECK int foreign_decide(const struct tunnel *t, const char *link, struct items *ret,
			      struct diag *why);
MUST_CHECK int foreign_add(const struct item *i, struct diag *why); /* also when it is there */
MUST_CHECK int foreign_remove(const struct item *i, struct diag *why);
MUST_CHECK int foreign_is_there(const struct item *i);

#endif
