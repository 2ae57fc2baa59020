#include "guarded.h"

#include <assert.h>
#include <sys/mman.h>
#include <unistd.h>

uint8_t *test_guarded(size_t len)
{
	static uint8_t *end;

	assert(len <= GUARDED_MAX);
	if (!end) {
		const size_t page = (size_t)sysconf(_SC_PAGESIZE);
		uint8_t *const at = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
					 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		assert(at != MAP_FAILED && page >= GUARDED_MAX);
		assert(mprotect(at + page, page, PROT_NONE) == 0);
		end = at + page;
	}
	return end - len;
}
