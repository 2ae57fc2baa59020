#include "wg/ratelimit.h"

#include <assert.h>

#include "base/bytes.h"
#include "base/time.h"
#include "wg/net.h"

#define COST (NS_PER_S / RATELIMIT_PER_SECOND)
#define CREDIT_MAX (RATELIMIT_BURST * COST)
#define IDLE NS_PER_S

static struct ratelimit_entry *set_of(const struct ratelimit *r, uint64_t net)
{
	uint8_t bytes[8];

	store64_le(bytes, net);
	return &r->entries[(siphash(&r->hash_key, bytes, sizeof(bytes)) & (r->sets - 1)) *
			   RATELIMIT_WAYS];
}

static uint64_t age(const struct ratelimit_entry *e, uint64_t now)
{
	return now > e->last ? now - e->last : 0;
}

/* The entry of this source, else one that nobody needs, else NULL. */
static struct ratelimit_entry *find(const struct ratelimit *r, uint64_t net, uint64_t now)
{
	struct ratelimit_entry *set = set_of(r, net);
	struct ratelimit_entry *unused = NULL;

	for (unsigned int i = 0; i < RATELIMIT_WAYS; ++i) {
		if (set[i].last && set[i].net == net)
			return &set[i];
		if (!set[i].last || age(&set[i], now) >= IDLE)
			unused = &set[i];
	}
	if (unused)
		*unused = (struct ratelimit_entry){ .net = net, .last = now, .tokens = CREDIT_MAX };
	return unused;
}

bool ratelimit_init(struct ratelimit *r, const struct memory *memory, size_t sets,
		    const struct siphash_key *hash_key)
{
	const size_t set_len = RATELIMIT_WAYS * sizeof(struct ratelimit_entry);

	assert(sets > 0 && (sets & (sets - 1)) == 0);
	*r = (struct ratelimit){ .hash_key = *hash_key, .memory = memory };
	if (sets > SIZE_MAX / set_len)
		return false;
	r->entries = memory_take(memory, sets * set_len);
	if (!r->entries)
		return false;
	r->sets = sets;
	return true;
}

void ratelimit_done(struct ratelimit *r)
{
	memory_give(r->memory, r->entries, r->sets * RATELIMIT_WAYS * sizeof(*r->entries));
	*r = (struct ratelimit){ .memory = r->memory };
}

bool ratelimit_allow(struct ratelimit *r, const struct ip *src, uint64_t now)
{
	struct ratelimit_entry *e = find(r, net_of(src), now);

	if (!e)
		return false;
	e->tokens += age(e, now);
	if (e->tokens > CREDIT_MAX)
		e->tokens = CREDIT_MAX;
	if (now > e->last)
		e->last = now;
	if (e->tokens < COST)
		return false;
	e->tokens -= COST;
	return true;
}
