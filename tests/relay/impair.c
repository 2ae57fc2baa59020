#include "impair.h"

#include "base/time.h"

/* What is asked about one datagram. The order is part of what a seed means. */
enum question {
	ASK_LOSS,
	ASK_BURST,
	ASK_DELAY,
	ASK_REORDER,
	ASK_DEPTH,
	ASK_DUPLICATE,
	ASK_CORRUPT,
	ASK_BIT,
	ASK_TRUNCATE,
	ASK_LENGTH,
	QUESTIONS = 16,
};

/* The finalizer of SplitMix64 (Steele, Lea, Flood 2014). */
static uint64_t mix(uint64_t x)
{
	x += UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

static uint64_t draw(const struct impair *impair, enum question question)
{
	return mix(mix(impair->seed) + impair->count * QUESTIONS + question);
}

static bool happens(const struct impair *impair, enum question question, uint32_t chance)
{
	return draw(impair, question) % RULES_WHOLE < chance;
}

/* The chain moves at every datagram, lost otherwise or not. */
static bool in_burst(struct impair *impair, const struct rules *rules)
{
	if (happens(impair, ASK_BURST, impair->is_bad ? rules->burst_end : rules->burst_begin))
		impair->is_bad = !impair->is_bad;
	impair->is_bad = impair->is_bad && rules->burst_begin;
	return impair->is_bad;
}

/* 0 to 2^16 - 1. */
static uint64_t spread(uint64_t drawn, enum rules_spread how)
{
	uint64_t a = drawn & 0xffff, sum = 0;

	switch (how) {
	case RULES_UNIFORM:
		return a;
	case RULES_NORMAL:
		for (int i = 0; i < 4; ++i)
			sum += drawn >> (16 * i) & 0xffff;
		return sum / 4;
	case RULES_TAIL:
		return a * a / 0xffff * a / 0xffff * a / 0xffff;
	}
	return a;
}

static uint64_t delay(const struct impair *impair, const struct rules *rules)
{
	uint64_t width = rules->delay_most - rules->delay_least;

	return rules->delay_least + width / 0xffff * spread(draw(impair, ASK_DELAY), rules->spread);
}

/* When its last bit has left at the rate, or UINT64_MAX where it would wait too long. */
static uint64_t through(struct impair *impair, const struct rules *rules, uint64_t now, size_t len)
{
	uint64_t begin = impair->idle_at > now ? impair->idle_at : now;

	if (!rules->rate)
		return now;
	if (begin - now > rules->queue)
		return UINT64_MAX;
	impair->idle_at = begin + len * 8 * NS_PER_S / rules->rate;
	return impair->idle_at;
}

static enum impair_fate fate(struct impair *impair, const struct rules *rules, size_t whole)
{
	bool is_burst = in_burst(impair, rules);

	if (rules->mtu && whole > rules->mtu)
		return IMPAIR_TOO_BIG;
	if (is_burst)
		return IMPAIR_BURST;
	return happens(impair, ASK_LOSS, rules->loss) ? IMPAIR_LOST : IMPAIR_PASSED;
}

static void spoil(const struct impair *impair, const struct rules *rules, struct verdict *v)
{
	if (v->len > 0 && happens(impair, ASK_TRUNCATE, rules->truncate))
		v->len = draw(impair, ASK_LENGTH) % v->len;
	if (v->len > 0 && happens(impair, ASK_CORRUPT, rules->corrupt)) {
		v->bits = rules->bits < 8 * v->len ? rules->bits : (uint32_t)(8 * v->len);
		v->first_bit = draw(impair, ASK_BIT) % (8 * v->len);
	}
}

unsigned int impair_type(const uint8_t *data, size_t len)
{
	return len >= 4 && data[0] < RULES_TYPES ? data[0] : 0;
}

struct verdict impair_decide(struct impair *impair, uint64_t now, unsigned int type, size_t len,
			     size_t header)
{
	const struct rules *rules = &impair->rules[type];
	struct verdict v = { .len = len };

	v.fate = fate(impair, rules, len + header);
	if (v.fate == IMPAIR_PASSED) {
		v.due = through(impair, rules, now, len + header);
		if (v.due == UINT64_MAX)
			v.fate = IMPAIR_QUEUE_FULL;
	}
	if (v.fate == IMPAIR_PASSED) {
		v.due += delay(impair, rules);
		if (happens(impair, ASK_REORDER, rules->reorder))
			v.behind = 1 + draw(impair, ASK_DEPTH) % rules->depth;
		if (happens(impair, ASK_DUPLICATE, rules->duplicate))
			v.copies = rules->copies;
		spoil(impair, rules, &v);
	}
	++impair->count;
	return v;
}

void impair_flip(const struct verdict *verdict, uint8_t *data)
{
	uint64_t total = 8 * verdict->len;

	for (uint32_t i = 0; i < verdict->bits; ++i) {
		uint64_t bit = (verdict->first_bit + i * (total / verdict->bits)) % total;

		data[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}
