#include "rules.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"

enum { VALUES = 3 };

/* The numbers of a word, and how many there are. */
struct values {
	double number[VALUES];
	int count;
};

struct key {
	const char *name;
	int least; /* numbers it must have */
	int most;
	bool (*set)(struct rules *rules, const struct values *v);
};

static bool chance(double percent, uint32_t *ret)
{
	if (!(percent >= 0 && percent <= 100))
		return false;
	*ret = (uint32_t)(percent * (RULES_WHOLE / 100) + 0.5);
	return true;
}

static bool whole(double number, uint32_t *ret)
{
	if (!(number >= 0 && number <= 1000000000))
		return false;
	*ret = (uint32_t)number;
	return true;
}

static bool milliseconds(double number, uint64_t *ret)
{
	if (!(number >= 0 && number <= 1000000))
		return false;
	*ret = (uint64_t)(number * NS_PER_MS);
	return true;
}

static bool set_loss(struct rules *r, const struct values *v)
{
	return chance(v->number[0], &r->loss);
}

static bool set_burst(struct rules *r, const struct values *v)
{
	return chance(v->number[0], &r->burst_begin) && chance(v->number[1], &r->burst_end);
}

static bool set_delay(struct rules *r, const struct values *v)
{
	double most = v->number[v->count > 1];

	r->spread = v->count > 2 ? (enum rules_spread)v->number[2] : RULES_UNIFORM;
	return milliseconds(v->number[0], &r->delay_least) && milliseconds(most, &r->delay_most) &&
	       r->delay_least <= r->delay_most;
}

static bool set_reorder(struct rules *r, const struct values *v)
{
	return chance(v->number[0], &r->reorder) && whole(v->number[1], &r->depth) && r->depth > 0;
}

static bool set_duplicate(struct rules *r, const struct values *v)
{
	r->copies = 1;
	return chance(v->number[0], &r->duplicate) &&
	       (v->count == 1 || whole(v->number[1], &r->copies));
}

static bool set_corrupt(struct rules *r, const struct values *v)
{
	return chance(v->number[0], &r->corrupt) && whole(v->number[1], &r->bits);
}

static bool set_truncate(struct rules *r, const struct values *v)
{
	return chance(v->number[0], &r->truncate);
}

static bool set_rate(struct rules *r, const struct values *v)
{
	if (!(v->number[0] >= 0 && v->number[0] <= 100000000))
		return false;
	r->rate = (uint64_t)(v->number[0] * 1000);
	return milliseconds(v->number[1], &r->queue);
}

static bool set_mtu(struct rules *r, const struct values *v)
{
	return whole(v->number[0], &r->mtu);
}

static bool set_icmp(struct rules *r, const struct values *v)
{
	r->icmp = v->number[0] == 1;
	return v->number[0] == 0 || v->number[0] == 1;
}

static const struct key keys[] = {
	{ "loss", 1, 1, set_loss },
	{ "burst", 2, 2, set_burst },
	{ "delay", 1, 3, set_delay },
	{ "reorder", 2, 2, set_reorder },
	{ "duplicate", 1, 2, set_duplicate },
	{ "corrupt", 2, 2, set_corrupt },
	{ "truncate", 1, 1, set_truncate },
	{ "rate", 2, 2, set_rate },
	{ "mtu", 1, 1, set_mtu },
	{ "icmp", 1, 1, set_icmp },
};

static bool parse_spread(const char *at, double *ret)
{
	static const char *const spreads[] = { "uniform", "normal", "tail" };

	for (int i = 0; i < 3; ++i) {
		if (strcmp(at, spreads[i]) == 0) {
			*ret = i;
			return true;
		}
	}
	return false;
}

/* Up to two numbers, then the name of a spread. */
static bool parse_values(const char *at, struct values *ret)
{
	for (;;) {
		char *end;

		ret->number[ret->count++] = strtod(at, &end);
		if (end == at)
			return false;
		if (!*end)
			return true;
		if (*end != ',')
			return false;
		at = end + 1;
		if (ret->count == VALUES - 1)
			return parse_spread(at, &ret->number[ret->count++]);
	}
}

bool rules_parse(struct rules *rules, const char *word)
{
	const char *equals = strchr(word, '=');
	size_t len = equals ? (size_t)(equals - word) : 0;
	struct values v = { 0 };

	if (!equals || !parse_values(equals + 1, &v))
		return false;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); ++i) {
		struct rules changed = *rules;

		if (strlen(keys[i].name) != len || strncmp(word, keys[i].name, len) != 0)
			continue;
		if (v.count < keys[i].least || v.count > keys[i].most || !keys[i].set(&changed, &v))
			return false;
		*rules = changed;
		return true;
	}
	return false;
}
