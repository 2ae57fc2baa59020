#include "wg/gate.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "crypto/crypto.h"

enum { KNOWN_SHARE = 4 };
static_assert(REJECT_REASONS <= 64, "a bit for each");

static enum gate_verdict drop(struct gate *g, enum reject_reason reason,
			      const struct endpoint *from)
{
	struct gate_tally *t = &g->tally[reason];

	++t->count;
	t->from = *from;
	g->has_tally |= UINT64_C(1) << reason;
	return GATE_DROP;
}

static bool is_well_formed(const uint8_t *bytes, size_t len)
{
	switch (len >= 4 ? load32_le(bytes) : 0) {
	case MESSAGE_INITIATION:
		return len == sizeof(struct message_initiation);
	case MESSAGE_RESPONSE:
		return len == sizeof(struct message_response);
	case MESSAGE_COOKIE:
		return len == sizeof(struct message_cookie);
	default:
		return false;
	}
}

/* Fewer are known than may be anywhere. */
static size_t known_sets(size_t sets)
{
	return sets < KNOWN_SHARE ? 1 : sets / KNOWN_SHARE;
}

bool gate_init(struct gate *g, const struct memory *memory, size_t ratelimit_sets,
	       const struct siphash_key *hash_key)
{
	memset(g, 0, sizeof(*g));
	if (!ratelimit_init(&g->ratelimit, memory, ratelimit_sets, hash_key))
		return false;
	if (ratelimit_init(&g->known_limit, memory, known_sets(ratelimit_sets), hash_key))
		return true;
	ratelimit_done(&g->ratelimit);
	return false;
}

void gate_done(struct gate *g)
{
	ratelimit_done(&g->ratelimit);
	ratelimit_done(&g->known_limit);
	cookie_checker_done(&g->checker);
}

void gate_note_load(struct gate *g, uint64_t now)
{
	g->loaded_until = now + UNDER_LOAD_HOLD;
	g->asked = 0;
}

bool gate_is_loaded(const struct gate *g, uint64_t now)
{
	return now < g->loaded_until;
}

static enum gate_verdict ask(struct gate *g, uint64_t now)
{
	if (++g->asked >= HANDSHAKE_UNDER_LOAD)
		gate_note_load(g, now);
	return GATE_ASK;
}

enum gate_verdict gate_check(struct gate *g, uint64_t now, const struct handshake_arrival *arrival)
{
	const uint8_t *bytes = arrival->bytes;
	const struct endpoint *from = &arrival->from;
	bool is_loaded, is_verified = false;

	if (!is_well_formed(bytes, arrival->len))
		return drop(g, REJECT_TYPE, from);
	if (!g->is_open)
		return drop(g, REJECT_DOWN, from);
	if (load32_le(bytes) == MESSAGE_COOKIE)
		return GATE_PASS;
	if (arrival->backlog >= HANDSHAKE_UNDER_LOAD)
		gate_note_load(g, now);
	is_loaded = gate_is_loaded(g, now);
	switch (cookie_check(&g->checker, bytes, arrival->len, from, now, is_loaded)) {
	case COOKIE_MAC1_BAD:
		return drop(g, REJECT_MAC1, from);
	case COOKIE_MAC1_OK:
		break;
	case COOKIE_MAC2_OK:
		if (ratelimit_allow(&g->ratelimit, &from->ip, now))
			return GATE_PASS_VERIFIED;
		is_verified = true; /* whoever owns many addresses can fill that table */
		break;
	}
	if (!is_loaded)
		return GATE_PASS;
	if (arrival->is_known && ratelimit_allow(&g->known_limit, &from->ip, now))
		return GATE_PASS_KNOWN;
	return is_verified ? drop(g, REJECT_RATE, from) : ask(g, now);
}

bool gate_reply(struct gate *g, uint64_t now, const struct handshake_arrival *arrival,
		const struct entropy *entropy, struct message_cookie *ret)
{
	const bool ok = cookie_reply(&g->checker, arrival->bytes, arrival->len, &arrival->from, now,
				     entropy, ret);

	(void)drop(g, ok ? REJECT_UNDER_LOAD : REJECT_NO_RANDOM, &arrival->from);
	return ok;
}

void gate_refuse(struct gate *g, const struct endpoint *from)
{
	(void)drop(g, REJECT_QUEUE_FULL, from);
}

void gate_fold(struct gate *g, struct rejects *rejects, struct moment now)
{
	for (unsigned int i = 0; g->has_tally; ++i) {
		struct gate_tally *t = &g->tally[i];

		if (!(g->has_tally >> i & 1))
			continue;
		reject_add(rejects, (enum reject_reason)i, t->count, now, &t->from);
		t->count = 0;
		g->has_tally &= ~(UINT64_C(1) << i);
	}
}
