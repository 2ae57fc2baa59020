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
	PIECES = REGION / PIECE,
	PAGE = 4096,
	MAPPED = 1 << 20,
};

struct block {
	struct block *next;
};

struct piece {
	struct list of_class; /* while it has room; or of the empty ones */
	struct block *free;
	uint32_t size;  /* of a block */
	uint32_t used;  /* blocks */
	uint32_t fresh; /* offset of the part that was never taken */
};

/* At its own start, REGION aligned: a piece that is empty leaves no page behind but this one. */
struct region {
	struct list of_slab;
	uint32_t used; /* pieces of a class */
	bool is_huge;
	struct piece pieces[PIECES];
};

static_assert(sizeof(struct region) <= PAGE);

struct slab {
	pthread_mutex_t lock;
	struct list partial[CLASSES]; /* pieces with room */
	struct list empty;            /* pieces of no class: nothing of them is there */
	size_t in_waiting;            /* so many */
	struct list regions;
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

static struct region *region_of(const void *inside)
{
	return (struct region *)((uintptr_t)inside & ~(uintptr_t)(REGION - 1));
}

static struct piece *piece_of(const void *block)
{
	return &region_of(block)->pieces[(uintptr_t)block % REGION / PIECE];
}

static char *start_of(const struct piece *p)
{
	struct region *r = region_of(p);

	return (char *)r + (size_t)(p - r->pieces) * PIECE;
}

/* Of the offset where its blocks begin: the region stands in the first piece. */
static uint32_t first_of(const struct piece *p)
{
	const size_t taken = p == region_of(p)->pieces ? sizeof(struct region) : 0;

	return (uint32_t)((taken + GRAIN - 1) / GRAIN * GRAIN);
}

/*
 * Huge pages are faster where there are any, but only for what is wholly in use: elsewhere the
 * kernel would sooner or later make one of the few pages that are left, and the memory that was
 * given back would be ours again. Some hosts have them wherever nobody says no.
 */
static void set_huge(struct region *r, bool is_huge)
{
	(void)madvise(r, REGION, is_huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	r->is_huge = is_huge; /* behind the call: the first page must not come before it */
}

static struct region *map_region(void)
{
	char *mapping = map(2 * (size_t)REGION), *r;

	if (!mapping)
		return NULL;
	r = mapping + (-(uintptr_t)mapping & (REGION - 1));
	if (r > mapping)
		(void)munmap(mapping, (size_t)(r - mapping));
	(void)munmap(r + REGION, REGION - (size_t)(r - mapping));
	return (struct region *)(void *)r;
}

/* The first one has small pages: an engine with one peer is to stay small. */
static bool add_region(struct slab *s)
{
	struct region *r = map_region();

	if (!r)
		return false;
	set_huge(r, !list_empty(&s->regions));
	list_append(&s->regions, &r->of_slab);
	for (int i = 0; i < PIECES; ++i)
		list_append(&s->empty, &r->pieces[i].of_class);
	s->in_waiting += PIECES;
	return true;
}

static void free_region(struct slab *s, struct region *r)
{
	for (int i = 0; i < PIECES; ++i)
		list_remove(&r->pieces[i].of_class);
	s->in_waiting -= PIECES;
	list_remove(&r->of_slab);
	(void)munmap(r, REGION);
}

static struct piece *take_piece(struct slab *s)
{
	struct piece *p;
	struct region *r;

	if (list_empty(&s->empty) && !add_region(s))
		return NULL;
	p = list_entry(s->empty.next, struct piece, of_class);
	list_remove(&p->of_class);
	--s->in_waiting;
	r = region_of(p);
	if (++r->used == PIECES && !r->is_huge)
		set_huge(r, true);
	return p;
}

/* Memory that is locked (harden.h) wants the other word, which kernels before 5.18 don't know. */
static void give_to_system(void *p, size_t len)
{
	if (madvise(p, len, MADV_DONTNEED) < 0)
		(void)madvise(p, len, MADV_DONTNEED_LOCKED); /* else it stays ours */
}

/* An empty region goes too, unless no other has room. */
static void give_piece(struct slab *s, struct piece *p)
{
	struct region *r = region_of(p);
	const size_t kept = p == r->pieces ? PAGE : 0;

	list_append(&s->empty, &p->of_class);
	++s->in_waiting;
	if (!--r->used && s->in_waiting > PIECES) {
		free_region(s, r);
		return;
	}
	if (r->is_huge)
		set_huge(r, false);
	give_to_system(start_of(p) + kept, PIECE - kept);
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
	*p = (struct piece){ .size = size, .fresh = first_of(p) };
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
		block = start_of(p) + p->fresh;
		p->fresh += p->size;
	}
	++p->used;
	if (is_full(p))
		list_remove(&p->of_class);
	unpoison(block, size);
	return block;
}

static void give_small(struct slab *s, void *block)
{
	struct piece *p = piece_of(block);
	struct block *b = block;

	if (is_full(p))
		list_append(class_of(s, p->size), &p->of_class);
	b->next = p->free;
	p->free = b;
	poison(b + 1, p->size - sizeof(*b));
	if (--p->used)
		return;
	unpoison(start_of(p), PIECE);
	list_remove(&p->of_class);
	give_piece(s, p);
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
	list_init(&s->regions);
	for (int i = 0; i < CLASSES; ++i)
		list_init(&s->partial[i]);
	return s;
}

struct slab *slab_free(struct slab *s)
{
	if (!s)
		return NULL;
	while (!list_empty(&s->regions)) {
		struct region *r = list_entry(s->regions.next, struct region, of_slab);

		list_remove(&r->of_slab);
		unpoison(r, REGION);
		(void)munmap(r, REGION);
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
	struct list *i;
	size_t bytes = 0;

	pthread_mutex_lock(&s->lock);
	list_each (i, &s->regions) {
		const struct region *r = list_entry(i, struct region, of_slab);

		bytes += r->is_huge ? REGION : PAGE + r->used * (size_t)PIECE;
	}
	pthread_mutex_unlock(&s->lock);
	return bytes;
}
