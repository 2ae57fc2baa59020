#include "device/floor_guard.h"

bool floor_guard_allows(struct floor_guard *g, uint64_t floor, uint64_t kept, struct moment now)
{
	if (floor <= now.real + FLOOR_GUARD_AHEAD || floor <= kept)
		return true;
	if (floor - kept > FLOOR_GUARD_STEP)
		return false;
	if (g->stepped_at && now.boot < g->stepped_at + FLOOR_GUARD_PAUSE)
		return false;
	g->stepped_at = now.boot;
	return true;
}
