#include "device/backoff.h"

uint64_t backoff_died(struct backoff *b, uint64_t lived)
{
	if (lived >= BACKOFF_QUICK)
		b->quick = 0;
	else if (b->quick < BACKOFF_LAST)
		++b->quick;
	if (b->quick < BACKOFF_FREE)
		return 0;
	return b->quick < BACKOFF_LAST ? NS_PER_S << (b->quick - BACKOFF_FREE) : BACKOFF_MAX;
}
