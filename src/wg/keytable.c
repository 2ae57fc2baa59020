#include "wg/keytable.h"

#include <assert.h>
#include <string.h>

#include "crypto/crypto.h"

enum { SIZE_MIN = 16 };

static size_t room(size_t size)
{
	return size - size / 4;
}

static size_t home(const struct keytable *t, const struct key_public *key)
{
	return (size_t)siphash(&t->hash_key, key->bytes, KEY_LEN) & (t->size - 1);
}

static size_t after(const struct keytable *t, size_t at)
{
	return (at + 1) & (t->size - 1);
}

/* Where the key stands, or the free slot where it would. There is always a free one. */
static size_t seek(const struct keytable *t, const struct key_public *key)
{
	size_t at = home(t, key);

	while (t->slots[at].key && memcmp(t->slots[at].key->bytes, key->bytes, KEY_LEN) != 0)
		at = after(t, at);
	return at;
}

void keytable_init(struct keytable *t, const struct memory *memory,
		   const struct siphash_key *hash_key)
{
	*t = (struct keytable){ .hash_key = *hash_key, .memory = memory };
}

void keytable_done(struct keytable *t)
{
	memory_give(t->memory, t->slots, t->size * sizeof(*t->slots));
	crypto_wipe(t, sizeof(*t));
}

bool keytable_reserve(struct keytable *t, size_t n)
{
	struct keytable grown = *t;

	if (n <= room(t->size))
		return true;
	if (n > SIZE_MAX / (4 * sizeof(*t->slots)))
		return false;
	for (grown.size = SIZE_MIN; room(grown.size) < n;)
		grown.size *= 2;
	grown.slots = memory_take(t->memory, grown.size * sizeof(*grown.slots));
	if (!grown.slots)
		return false;
	for (size_t i = 0; i < t->size; ++i) {
		if (t->slots[i].key)
			grown.slots[seek(&grown, t->slots[i].key)] = t->slots[i];
	}
	memory_give(t->memory, t->slots, t->size * sizeof(*t->slots));
	*t = grown;
	return true;
}

void keytable_add(struct keytable *t, const struct key_public *key, struct peer *peer)
{
	struct keytable_slot *slot;

	assert(t->used < room(t->size));
	slot = &t->slots[seek(t, key)];
	assert(!slot->key);
	*slot = (struct keytable_slot){ .key = key, .peer = peer };
	++t->used;
}

struct peer *keytable_find(const struct keytable *t, const struct key_public *key)
{
	return t->size ? t->slots[seek(t, key)].peer : NULL;
}

/* Move up those behind that would not be found across the hole. */
static void close_hole(struct keytable *t, size_t hole)
{
	const size_t mask = t->size - 1;

	for (size_t at = after(t, hole); t->slots[at].key; at = after(t, at)) {
		const size_t walked = (at - home(t, t->slots[at].key)) & mask;

		if (walked < ((at - hole) & mask))
			continue;
		t->slots[hole] = t->slots[at];
		hole = at;
	}
	t->slots[hole] = (struct keytable_slot){ 0 };
}

void keytable_remove(struct keytable *t, const struct key_public *key)
{
	size_t at;

	if (!t->size)
		return;
	at = seek(t, key);
	if (!t->slots[at].key)
		return;
	close_hole(t, at);
	--t->used;
}
