#include "device/slab.h"

#include <assert.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/list.h"

enum {
	GRAIN = 16,
	SIZE_MAX_SMALL = 2048, /* larger ones are rare: malloc, or a mapping */
	CLASSES = SIZE_MAX_SMALL / GRAIN,
	PIECE = 64 * 1024,
	REGION = 2 << 20, /* pieces are cut from it: one huge page */
	PAGE = 4096,
	MAPPED = 1 << 20,
};

struct block {
	struct block *next;
};

struct piece { /* at its own start, PIECE aligned */
	struct list of_class;
	struct block *free;
	uint32_t size; /* of a block */
	uint32_t used;
	uint32_t fresh; /* offset of the part that was never taken */
};

struct region {
	struct region *next;
	void *mapping;
	size_t len;
};

struct slab {
	pthread_mutex_t lock;
	struct list partial[CLASSES]; /* pieces with room */
	struct list empty;            /* pieces of no class; all but the first page is not there */
	struct region *regions;
	size_t in_use;     /* pieces of a class */
	size_t in_waiting; /* empty ones */
	char *cut;         /* the rest of the newest region */
	char *cut_end;
};

/* There under the address sanitizer only: what was given back is not to be touched. */
extern void __asan_poison_memory_region(const volatile void *p, size_t len) __attribute__((weak));
extern void __asan_unpoison_memory_region(const volatile void *p, size_t len) __attribute__((weak));

static void poison(void *p, size_t len)
{
	if (__asan_poison_memory_region)
		__asan_poison_memory_region(p, len);
}

static void unpoison(void *p, size_t len)
{
	if (__asan_unpoison_memory_region)
		__asan_unpoison_memory_region(p, len);
}

static void *map(size_t len)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static void *map_large(size_t len)
{
	void *p = map(len);

	if (p && len > REGION)
		(void)madvise(p, len, MADV_HUGEPAGE);
	return p;
}

static char *align(char *p, size_t to)
{
	return p + (-(uintptr_t)p & (to - 1));
}

/* Huge pages are faster where there are any, but an engine with one peer is to stay small. */
static bool add_region(struct slab *s)
{
	struct region *r = malloc(sizeof(*r));

	if (!r)
		return false;
	r->len = 2 * (size_t)REGION;
	r->mapping = map(r->len);
	if (!r->mapping) {
		free(r);
		return false;
	}
	r->next = s->regions;
	s->cut = align(r->mapping, REGION);
	s->cut_end = s->cut + REGION;
	if (s->regions)
		(void)madvise(s->cut, REGION, MADV_HUGEPAGE);
	s->regions = r;
	return true;
}

static struct piece *take_piece(struct slab *s)
{
	struct piece *p;

	if (!list_empty(&s->empty)) {
		p = list_entry(s->empty.next, struct piece, of_class);
		list_remove(&p->of_class);
		--s->in_waiting;
		return p;
	}
	if (s->cut == s->cut_end && !add_region(s))
		return NULL;
	p = (struct piece *)(void *)s->cut;
	s->cut += PIECE;
	return p;
}

static uint32_t size_of(size_t len)
{
	return (uint32_t)((len + GRAIN - 1) / GRAIN * GRAIN);
}

static struct list *class_of(struct slab *s, uint32_t size)
{
	return &s->partial[size / GRAIN - 1];
}

static struct piece *piece_with_room(struct slab *s, uint32_t size)
{
	struct list *class = class_of(s, size);
	struct piece *p;

	if (!list_empty(class))
		return list_entry(class->next, struct piece, of_class);
	p = take_piece(s);
	if (!p)
		return NULL;
	++s->in_use;
	*p = (struct piece){ .size = size, .fresh = (sizeof(*p) + GRAIN - 1) / GRAIN * GRAIN };
	list_append(class, &p->of_class);
	return p;
}

static bool is_full(const struct piece *p)
{
	return !p->free && p->fresh + p->size > PIECE;
}

static void *take_small(struct slab *s, uint32_t size)
{
	struct piece *p = piece_with_room(s, size);
	void *block;

	if (!p)
		return NULL;
	if (p->free) {
		block = p->free;
		p->free = p->free->next;
	} else {
		block = (char *)p + p->fresh;
		p->fresh += p->size;
	}
	++p->used;
	if (is_full(p))
		list_remove(&p->of_class);
	unpoison(block, size);
	return block;
}

/* Memory that is locked (harden.h) wants the other word, which kernels before 5.18 don't know. */
static void give_to_system(void *p, size_t len)
{
	if (madvise(p, len, MADV_DONTNEED) < 0)
		(void)madvise(p, len, MADV_DONTNEED_LOCKED); /* else it stays ours */
}

static void give_small(struct slab *s, void *block)
{
	struct piece *p = (struct piece *)((uintptr_t)block & ~(uintptr_t)(PIECE - 1));
	struct block *b = block;

	if (is_full(p))
		list_append(class_of(s, p->size), &p->of_class);
	b->next = p->free;
	p->free = b;
	poison(b + 1, p->size - sizeof(*b));
	if (--p->used)
		return;
	unpoison(p, PIECE);
	list_remove(&p->of_class);
	list_append(&s->empty, &p->of_class);
	--s->in_use;
	++s->in_waiting;
	give_to_system((char *)p + PAGE, PIECE - PAGE);
}

static void *take(void *ctx, size_t len)
{
	struct slab *s = ctx;
	void *p;

	if (!len || len > SIZE_MAX_SMALL)
		return len >= MAPPED ? map_large(len) : calloc(1, len ? len : 1);
	pthread_mutex_lock(&s->lock);
	p = take_small(s, size_of(len));
	pthread_mutex_unlock(&s->lock);
	if (p)
		memset(p, 0, len);
	return p;
}

static void give(void *ctx, void *p, size_t len)
{
	struct slab *s = ctx;

	if (!p)
		return;
	if (len >= MAPPED) {
		(void)munmap(p, len); /* what was mapped can be unmapped */
	} else if (!len || len > SIZE_MAX_SMALL) {
		free(p);
	} else {
		pthread_mutex_lock(&s->lock);
		give_small(s, p);
		pthread_mutex_unlock(&s->lock);
	}
}

struct slab *slab_new(void)
{
	struct slab *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	pthread_mutex_init(&s->lock, NULL);
	list_init(&s->empty);
	for (int i = 0; i < CLASSES; ++i)
		list_init(&s->partial[i]);
	return s;
}

struct slab *slab_free(struct slab *s)
{
	if (!s)
		return NULL;
	while (s->regions) {
		struct region *r = s->regions;

		s->regions = r->next;
		unpoison(r->mapping, r->len);
		(void)munmap(r->mapping, r->len);
		free(r);
	}
	pthread_mutex_destroy(&s->lock);
	free(s);
	return NULL;
}

struct memory slab_memory(struct slab *s)
{
	return (struct memory){ .take = take, .give = give, .ctx = s };
}

size_t slab_resident(struct slab *s)
{
	size_t bytes;

	pthread_mutex_lock(&s->lock);
	bytes = s->in_use * PIECE + s->in_waiting * PAGE;
	pthread_mutex_unlock(&s->lock);
	return bytes;
}
