#ifndef BASE_ENV_H
#define BASE_ENV_H

#include <stdbool.h>
#include <stddef.h>

/*
 * What a pure module may not fetch itself: memory and random bytes. The caller hands them in, so a
 * test can make either fail at will (faults.md F-P5, F-P19).
 */
struct memory {
	/* Zeroed, aligned for any type; NULL when there is none. */
	void *(*take)(void *ctx, size_t len);
	/* p may be NULL. The giver has wiped what was secret. */
	void (*give)(void *ctx, void *p, size_t len);
	void *ctx;
};

struct entropy {
	bool (*fill)(void *ctx, void *ret, size_t len); /* false: nothing random was written */
	void *ctx;
};

static inline void *memory_take(const struct memory *m, size_t len)
{
	return m->take(m->ctx, len);
}

static inline void memory_give(const struct memory *m, void *p, size_t len)
{
	m->give(m->ctx, p, len);
}

static inline bool entropy_fill(const struct entropy *e, void *ret, size_t len)
{
	return e->fill(e->ctx, ret, len);
}

#endif
