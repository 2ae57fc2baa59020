#include "device/backoff.h"

bool backoff_died(struct backoff *b, uint64_t lived, uint64_t *ret_pause)
{
	if (lived >= BACKOFF_QUICK)
		b->quick = 0;
	else
		++b->quick;
	if (b->quick >= BACKOFF_DEATHS)
		return false;
	*ret_pause = b->quick < BACKOFF_FREE ? 0 : NS_PER_S << (b->quick - BACKOFF_FREE);
	return true;
}
