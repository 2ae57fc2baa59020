#include "wg/table.h"

#include <assert.h>
#include <string.h>

#include "crypto/crypto.h"

#define NONE UINT32_MAX
#define SLOT_MASK ((UINT32_C(1) << TABLE_SLOT_BITS) - 1)
#define GENERATION_MASK ((UINT32_C(1) << (32 - TABLE_SLOT_BITS)) - 1)

enum { ROUNDS = 22, KEY_WORDS = 4, SIZE_MIN = 64 };

struct table_slot {
	struct table_entry entry;
	uint32_t generation; /* of the next index that is given out, or of the live one */
	uint32_t next_free;
};

static uint16_t rotl(uint16_t x, unsigned int n)
{
	return (uint16_t)(x << n | x >> (16 - n));
}

static uint16_t rotr(uint16_t x, unsigned int n)
{
	return rotl(x, 16 - n);
}

static void expand(uint16_t round_keys[static ROUNDS], const uint8_t key[static 8])
{
	uint16_t l[KEY_WORDS - 1];
	uint16_t k = (uint16_t)(key[0] | key[1] << 8);

	for (unsigned int i = 0; i < ELEMENTS(l); ++i)
		l[i] = (uint16_t)(key[2 * i + 2] | key[2 * i + 3] << 8);
	for (unsigned int i = 0; i < ROUNDS; ++i) {
		uint16_t *const word = &l[i % ELEMENTS(l)];

		round_keys[i] = k;
		*word = (uint16_t)((k + rotr(*word, 7)) ^ i);
		k = rotl(k, 2) ^ *word;
	}
	crypto_wipe(l, sizeof(l));
	crypto_wipe(&k, sizeof(k));
}

uint32_t table_permute(const struct table *t, uint32_t v)
{
	uint16_t x = (uint16_t)(v >> 16), y = (uint16_t)v;

	for (unsigned int i = 0; i < ROUNDS; ++i) {
		x = (uint16_t)(rotr(x, 7) + y) ^ t->round_keys[i];
		y = rotl(y, 2) ^ x;
	}
	return (uint32_t)x << 16 | y;
}

static uint32_t permute_back(const struct table *t, uint32_t v)
{
	uint16_t x = (uint16_t)(v >> 16), y = (uint16_t)v;

	for (unsigned int i = ROUNDS; i-- > 0;) {
		y = rotr(y ^ x, 2);
		x = rotl((uint16_t)((x ^ t->round_keys[i]) - y), 7);
	}
	return (uint32_t)x << 16 | y;
}

static uint32_t index_of(const struct table *t, uint32_t slot)
{
	return table_permute(t, t->slots[slot].generation << TABLE_SLOT_BITS | slot);
}

static void renew(struct table_slot *s)
{
	s->generation = (s->generation + 1) & GENERATION_MASK;
}

static void append_free(struct table *t, uint32_t slot)
{
	t->slots[slot].next_free = NONE;
	if (t->free_first == NONE)
		t->free_first = slot;
	else
		t->slots[t->free_last].next_free = slot;
	t->free_last = slot;
}

static struct table_slot *live(const struct table *t, uint32_t index)
{
	const uint32_t v = permute_back(t, index);
	struct table_slot *s;

	if ((v & SLOT_MASK) >= t->size)
		return NULL;
	s = &t->slots[v & SLOT_MASK];
	return s->entry.peer && s->generation == v >> TABLE_SLOT_BITS ? s : NULL;
}

void table_init(struct table *t, const struct memory *memory, const uint8_t key[static 8])
{
	*t = (struct table){ .free_first = NONE, .free_last = NONE, .memory = memory };
	expand(t->round_keys, key);
}

void table_done(struct table *t)
{
	memory_give(t->memory, t->slots, t->size * sizeof(*t->slots));
	crypto_wipe(t, sizeof(*t));
}

bool table_reserve(struct table *t, size_t slots)
{
	const uint32_t before = t->size;
	struct table_slot *grown;
	uint32_t size = SIZE_MIN;

	if (slots <= before)
		return true;
	if (slots > TABLE_SLOTS_MAX)
		return false;
	while (size < slots)
		size *= 2;
	grown = memory_take(t->memory, size * sizeof(*grown));
	if (!grown)
		return false;
	if (before)
		memcpy(grown, t->slots, before * sizeof(*grown));
	memory_give(t->memory, t->slots, before * sizeof(*grown));
	t->slots = grown;
	t->size = size;
	for (uint32_t i = before; i < size; ++i)
		append_free(t, i);
	return true;
}

uint32_t table_add(struct table *t, struct peer *peer, struct session *session)
{
	const uint32_t slot = t->free_first;
	struct table_slot *s;

	assert(peer);
	if (slot == NONE)
		return 0;
	s = &t->slots[slot];
	if (index_of(t, slot) == 0)
		renew(s);
	t->free_first = s->next_free;
	s->entry = (struct table_entry){ .peer = peer, .session = session };
	++t->used;
	return index_of(t, slot);
}

struct table_entry *table_find(const struct table *t, uint32_t index)
{
	struct table_slot *s = live(t, index);

	return s ? &s->entry : NULL;
}

void table_remove(struct table *t, uint32_t index)
{
	struct table_slot *s = live(t, index);

	if (!s)
		return;
	s->entry = (struct table_entry){ 0 };
	renew(s);
	append_free(t, (uint32_t)(s - t->slots));
	--t->used;
}
