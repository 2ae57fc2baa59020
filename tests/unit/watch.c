#include "watch.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static void *take(void *ctx, size_t len)
{
	struct watch *w = ctx;
	void *block = memory_take(&w->counted.memory, len);

	if (!block)
		return NULL;
	if (w->used == w->room) {
		w->room = w->room ? 2 * w->room : 64;
		w->blocks = realloc(w->blocks, w->room * sizeof(*w->blocks));
		assert(w->blocks);
	}
	w->blocks[w->used++] = (struct watched){ .block = block, .len = len };
	return block;
}

static void forget(struct watch *w, const void *block)
{
	size_t i = 0;

	while (i < w->used && w->blocks[i].block != block)
		++i;
	assert(i < w->used);
	w->blocks[i] = w->blocks[--w->used];
}

static void give(void *ctx, void *block, size_t len)
{
	struct watch *w = ctx;

	if (!block)
		return;
	for (size_t i = 0; i < w->secret_count; ++i)
		if (memmem(block, len, w->secrets[i], WATCH_SECRET_LEN)) {
			++w->given_with_secret;
			break;
		}
	forget(w, block);
	memory_give(&w->counted.memory, block, len);
}

void watch_init(struct watch *w)
{
	memset(w, 0, sizeof(*w));
	test_memory_init(&w->counted);
	w->memory = (struct memory){ .take = take, .give = give, .ctx = w };
}

void watch_done(struct watch *w)
{
	assert(w->counted.outstanding == 0 && w->used == 0);
	assert(w->given_with_secret == 0);
	free(w->blocks);
	w->blocks = NULL;
}

void watch_secret(struct watch *w, const void *secret)
{
	static const uint8_t zero[WATCH_SECRET_LEN];

	if (memcmp(secret, zero, sizeof(zero)) == 0)
		return;
	for (size_t i = 0; i < w->secret_count; ++i)
		if (memcmp(w->secrets[i], secret, WATCH_SECRET_LEN) == 0)
			return;
	assert(w->secret_count < WATCH_SECRETS);
	memcpy(w->secrets[w->secret_count++], secret, WATCH_SECRET_LEN);
}

bool watch_holds(const struct watch *w, const void *secret)
{
	for (size_t i = 0; i < w->used; ++i)
		if (memmem(w->blocks[i].block, w->blocks[i].len, secret, WATCH_SECRET_LEN))
			return true;
	return false;
}

size_t watch_held(const struct watch *w)
{
	size_t n = 0;

	for (size_t i = 0; i < w->secret_count; ++i)
		n += watch_holds(w, w->secrets[i]);
	return n;
}
