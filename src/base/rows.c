#include "base/rows.h"

#include <stdlib.h>

enum { ROWS_MIN = 4 };

bool rows_grow(void **rows, size_t size, size_t count, size_t *room)
{
	const size_t more = *room ? 2 * *room : ROWS_MIN;
	void *moved;

	if (count < *room)
		return true;
	moved = reallocarray(*rows, more, size);
	if (!moved)
		return false;
	*rows = moved;
	*room = more;
	return true;
}
