#include "wg/known.h"

#include <assert.h>

#include "base/bytes.h"
#include "wg/net.h"

static struct known_place *set_of(const struct known *k, uint64_t net)
{
	uint8_t bytes[8];

	store64_le(bytes, net);
	return &k->places[(siphash(&k->key, bytes, sizeof(bytes)) & (k->sets - 1)) * KNOWN_WAYS];
}

static bool is_fresh(const struct known_place *p, uint64_t now)
{
	return p->seen && now < p->seen + KNOWN_AGE;
}

/* The place of this net, else the one that was noted least lately. */
static struct known_place *find(const struct known *k, uint64_t net)
{
	struct known_place *set = set_of(k, net), *oldest = set;

	for (unsigned int i = 0; i < KNOWN_WAYS; ++i) {
		if (set[i].seen && set[i].net == net)
			return &set[i];
		if (set[i].seen < oldest->seen)
			oldest = &set[i];
	}
	return oldest;
}

void known_init(struct known *k, struct known_place *places, size_t sets,
		const struct siphash_key *key)
{
	assert(sets > 0 && (sets & (sets - 1)) == 0);
	*k = (struct known){ .places = places, .sets = sets, .key = *key };
}

bool known_note(struct known *k, const struct ip *at, uint64_t now)
{
	const uint64_t net = net_of(at);
	struct known_place *p = find(k, net);
	const bool is_new = p->net != net || !is_fresh(p, now);

	*p = (struct known_place){ .net = net, .seen = now };
	return is_new;
}

bool known_has(const struct known *k, const struct ip *at, uint64_t now)
{
	const uint64_t net = net_of(at);
	const struct known_place *p = find(k, net);

	return p->net == net && is_fresh(p, now);
}

const struct known_place *known_next(const struct known *k, const struct known_place *at,
				     uint64_t now)
{
	const struct known_place *const end = k->places + k->sets * KNOWN_WAYS;

	for (at = at ? at + 1 : k->places; at < end; ++at)
		if (is_fresh(at, now))
			return at;
	return NULL;
}
