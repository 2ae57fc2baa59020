#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/*
 * Preloaded, this makes chosen allocations fail. Which ones stands in the file MEMORY_FILE, one
 * struct that whoever tests may change at any time. A library of its own: a program that a
 * sanitizer watches has another malloc.
 */
struct plan {
	_Atomic uint32_t on;
	_Atomic uint32_t skip;  /* so many go well first */
	_Atomic uint32_t times; /* then so many fail */
	_Atomic uint32_t calls;
	_Atomic uint32_t failed;
};

static struct plan *plan;

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

__attribute__((constructor)) static void map_plan(void)
{
	const char *path = getenv("MEMORY_FILE");
	const int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *map;

	if (fd < 0)
		return;
	map = mmap(NULL, sizeof(struct plan), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	plan = map == MAP_FAILED ? NULL : map;
}

static bool fails(void)
{
	uint32_t n;

	if (!plan || !plan->on)
		return false;
	n = plan->calls++;
	if (n < plan->skip || n - plan->skip >= plan->times)
		return false;
	++plan->failed;
	errno = ENOMEM;
	return true;
}

void *malloc(size_t size)
{
	return fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	return fails() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
	return fails() ? NULL : __libc_realloc(old, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
	return fails() ? NULL : __libc_memalign(alignment, size);
}

int posix_memalign(void **ret, size_t alignment, size_t size)
{
	void *got = fails() ? NULL : __libc_memalign(alignment, size);

	if (!got)
		return ENOMEM;
	*ret = got;
	return 0;
}
