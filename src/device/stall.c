#include "device/stall.h"

#include <errno.h>

uint64_t stall_failed(struct stall *s)
{
	if (s->failures < STALL_LAST)
		++s->failures;
	return s->failures < STALL_FREE ? 0 : NS_PER_MS << (s->failures - STALL_FREE);
}

void stall_passed(struct stall *s)
{
	s->failures = 0;
}

bool stall_tells(struct stall *s, uint64_t now)
{
	if (s->told_at && now < s->told_at + STALL_TELL)
		return false;
	s->told_at = now;
	return true;
}

bool stall_is_hopeless(uint64_t *since, int error, uint64_t now)
{
	if (!error || error == -EINTR)
		*since = 0;
	else if (!*since)
		*since = now;
	return *since && now > *since + STALL_PATIENCE;
}
