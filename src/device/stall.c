#include "device/stall.h"

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
