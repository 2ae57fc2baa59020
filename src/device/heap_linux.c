#include "device/heap.h"

#include <malloc.h>

enum { LARGE = 128 * 1024 };

/* glibc's own values, but fixed: else each large block that is freed raises them, up to 64 MB. */
void heap_stay_small(void)
{
	(void)mallopt(M_MMAP_THRESHOLD, LARGE); /* best effort */
	(void)mallopt(M_TRIM_THRESHOLD, LARGE);
}
