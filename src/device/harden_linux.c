#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "device/harden.h"

/*
 * MCL_FUTURE counts every mapping against RLIMIT_MEMLOCK by its whole size, thread stacks too;
 * under a limit, later allocations would fail. So it is all or nothing. MCL_ONFAULT locks what is
 * touched only: nothing grows.
 */
static void lock_memory(void)
{
	const struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };
	struct rlimit now;

	(void)setrlimit(RLIMIT_MEMLOCK, &all); /* root may; the result is looked at below */
	if (getrlimit(RLIMIT_MEMLOCK, &now) == 0 && now.rlim_cur == RLIM_INFINITY)
		(void)mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT);
}

void harden_process(void)
{
	const struct rlimit none = { 0, 0 };

	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	(void)setrlimit(RLIMIT_CORE, &none);
	lock_memory();
}
