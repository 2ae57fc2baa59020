#include "wg/table.h"

#include <assert.h>
#include <string.h>

#include "crypto/crypto.h"

#define NONE UINT32_MAX
#define SLOT_MASK ((UINT32_C(1) << TABLE_SLOT_BITS) - 1)
#define GENERATION_MASK ((UINT32_C(1) << (32 - TABLE_SLOT_BITS)) - 1)

enum { ROUNDS = 22, KEY_WORDS = 4, CHUNK_BITS = 6 /* of the first two */ };

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

/* The first chunk is for slots 0 to 63, each further one begins at a power of two. */
static unsigned int chunk_of(uint32_t slot)
{
	return slot >> CHUNK_BITS ? 32 - CHUNK_BITS - (unsigned int)__builtin_clz(slot) : 0;
}

static uint32_t chunk_start(unsigned int chunk)
{
	return chunk ? UINT32_C(1) << (chunk + CHUNK_BITS - 1) : 0;
}

static size_t chunk_size(unsigned int chunk)
{
	const size_t slots = chunk ? chunk_start(chunk) : UINT32_C(1) << CHUNK_BITS;

	return slots * sizeof(struct table_slot);
}

static struct table_slot *slot_at(const struct table *t, uint32_t slot)
{
	const unsigned int chunk = chunk_of(slot);

	return &t->chunks[chunk][slot - chunk_start(chunk)];
}

static uint32_t index_of(const struct table *t, uint32_t slot)
{
	return table_permute(t, slot_at(t, slot)->generation << TABLE_SLOT_BITS | slot);
}

static void renew(struct table_slot *s)
{
	s->generation = (s->generation + 1) & GENERATION_MASK;
}

static void append_free(struct table *t, uint32_t slot)
{
	slot_at(t, slot)->next_free = NONE;
	if (t->free_first == NONE)
		t->free_first = slot;
	else
		slot_at(t, t->free_last)->next_free = slot;
	t->free_last = slot;
}

static struct table_slot *live(const struct table *t, uint32_t index)
{
	const uint32_t v = permute_back(t, index);
	struct table_slot *s;

	if ((v & SLOT_MASK) >= t->size)
		return NULL;
	s = slot_at(t, v & SLOT_MASK);
	return s->entry.peer && s->generation == v >> TABLE_SLOT_BITS ? s : NULL;
}

void table_init(struct table *t, const struct memory *memory, const uint8_t key[static 8])
{
	*t = (struct table){ .free_first = NONE, .free_last = NONE, .memory = memory };
	expand(t->round_keys, key);
}

void table_done(struct table *t)
{
	for (unsigned int i = 0; i < TABLE_CHUNKS && t->chunks[i]; ++i)
		memory_give(t->memory, t->chunks[i], chunk_size(i));
	crypto_wipe(t, sizeof(*t));
}

bool table_reserve(struct table *t, size_t slots)
{
	if (slots > TABLE_SLOTS_MAX)
		return false;
	while (slots > t->size) {
		const unsigned int chunk = chunk_of(t->size);

		t->chunks[chunk] = memory_take(t->memory, chunk_size(chunk));
		if (!t->chunks[chunk])
			return false;
		t->size += (uint32_t)(chunk_size(chunk) / sizeof(struct table_slot));
	}
	return true;
}

/* Those that were never used first, so that an old index is dead for as long as can be. */
static uint32_t take_free(struct table *t)
{
	uint32_t slot = t->free_first;

	if (t->fresh < t->size)
		slot = t->fresh++;
	else if (slot != NONE)
		t->free_first = slot_at(t, slot)->next_free;
	return slot;
}

uint32_t table_add(struct table *t, struct peer *peer, struct session *session)
{
	const uint32_t slot = take_free(t);
	struct table_slot *s;

	assert(peer);
	if (slot == NONE)
		return 0;
	s = slot_at(t, slot);
	if (index_of(t, slot) == 0)
		renew(s);
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
	append_free(t, permute_back(t, index) & SLOT_MASK);
	--t->used;
}
