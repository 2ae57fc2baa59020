#include <errno.h>

#include "net/foreign.h"

/* Until net/foreign.h has its functions: nothing is decided, and so nothing is owned. */

int foreign_decide(const struct tunnel *t, const char *link, struct items *ret, struct diag *why)
{
	(void)link;
	(void)ret;
	if (!t->own.forward && !t->own.open.count)
		return 0;
	diag_set(why, DIAG_WARNING, "D3", 0,
		 "what other firewalls drop is not looked for yet: rules of theirs may stop "
		 "Forward and OpenPort");
	return -ENOSYS;
}

int foreign_add(const struct item *i, struct diag *why)
{
	(void)i;
	(void)why;
	return -ENOSYS;
}

int foreign_remove(const struct item *i, struct diag *why)
{
	(void)i;
	(void)why;
	return -ENOSYS;
}

int foreign_is_there(const struct item *i)
{
	(void)i;
	return -ENOSYS;
}
