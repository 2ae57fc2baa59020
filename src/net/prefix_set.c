#include "net/prefix_set.h"

#include <stdlib.h>
#include <string.h>

#include "base/rows.h"
#include "base/text.h"

static int compare(const void *left, const void *right)
{
	const struct prefix *a = left;
	const struct prefix *b = right;
	int bytes;

	if (a->ip.family != b->ip.family)
		return a->ip.family < b->ip.family ? -1 : 1;
	bytes = memcmp(a->ip.bytes, b->ip.bytes, sizeof(a->ip.bytes));
	return bytes ? bytes : (int)a->bits - b->bits;
}

/* Two halves of one network: then a becomes it. */
static bool join(struct prefix *a, const struct prefix *b)
{
	struct prefix whole = *a;

	if (a->bits != b->bits || a->bits == 0 || ip_equal(&a->ip, &b->ip))
		return false;
	--whole.bits;
	prefix_mask(&whole);
	if (!prefix_has(&whole, &b->ip))
		return false;
	*a = whole;
	return true;
}

void prefix_set_init(struct prefix_set *s)
{
	*s = (struct prefix_set){ 0 };
}

void prefix_set_done(struct prefix_set *s)
{
	free(s->rows);
	prefix_set_init(s);
}

bool prefix_set_add(struct prefix_set *s, const struct prefix *p)
{
	if (!rows_grow((void **)&s->rows, sizeof(*s->rows), s->count, &s->room))
		return false;
	s->rows[s->count] = *p;
	prefix_mask(&s->rows[s->count++]);
	return true;
}

/* In their order a network stands before what it covers, and a half before its other half. */
void prefix_set_tidy(struct prefix_set *s)
{
	size_t kept = 0;

	if (s->count == 0)
		return;
	qsort(s->rows, s->count, sizeof(*s->rows), compare);
	for (size_t i = 0; i < s->count; ++i) {
		if (kept > 0 && prefix_covers(&s->rows[kept - 1], &s->rows[i]))
			continue;
		s->rows[kept++] = s->rows[i];
		while (kept > 1 && join(&s->rows[kept - 2], &s->rows[kept - 1]))
			--kept;
	}
	s->count = kept;
}

bool prefix_set_is_full(const struct prefix_set *s, uint8_t family)
{
	for (size_t i = 0; i < s->count; ++i) {
		if (s->rows[i].ip.family == family && s->rows[i].bits == 0)
			return true;
	}
	return false;
}

bool prefix_set_has_family(const struct prefix_set *s, uint8_t family)
{
	for (size_t i = 0; i < s->count; ++i) {
		if (s->rows[i].ip.family == family)
			return true;
	}
	return false;
}

bool prefix_set_covers(const struct prefix_set *s, const struct prefix *p)
{
	for (size_t i = 0; i < s->count; ++i) {
		if (prefix_covers(&s->rows[i], p))
			return true;
	}
	return false;
}

/* The other half of the network that is one bit wider. */
static struct prefix sibling(const struct prefix *of, unsigned int bits)
{
	struct prefix p = { of->ip, (uint8_t)bits };

	prefix_mask(&p);
	p.ip.bytes[(bits - 1) / 8] ^= (uint8_t)(0x80U >> (bits - 1) % 8);
	return p;
}

/* What of p is not in out. */
static bool add_rest(struct prefix_set *to, const struct prefix *p, const struct prefix *out)
{
	if (prefix_covers(out, p))
		return true;
	if (!prefix_covers(p, out))
		return prefix_set_add(to, p);
	for (unsigned int bits = p->bits + 1U; bits <= out->bits; ++bits) {
		const struct prefix half = sibling(out, bits);

		if (!prefix_set_add(to, &half))
			return false;
	}
	return true;
}

bool prefix_set_take_away(struct prefix_set *s, const struct prefix *out)
{
	struct prefix_set rest;

	prefix_set_init(&rest);
	for (size_t i = 0; i < s->count; ++i)
		if (!add_rest(&rest, &s->rows[i], out)) {
			prefix_set_done(&rest);
			return false;
		}
	prefix_set_done(s);
	*s = rest;
	return true;
}

struct sorted {
	struct prefix prefix;
	char text[TEXT_PREFIX];
};

static int compare_texts(const void *a, const void *b)
{
	const struct sorted *x = a, *y = b;

	if (x->prefix.bits != y->prefix.bits)
		return x->prefix.bits < y->prefix.bits ? 1 : -1;
	return strcmp(y->text, x->text);
}

bool prefix_set_sort(struct prefix_set *s)
{
	struct sorted *rows = calloc(s->count + 1, sizeof(*rows));

	if (!rows)
		return false;
	for (size_t i = 0; i < s->count; ++i) {
		rows[i].prefix = s->rows[i];
		text_from_prefix(&s->rows[i], rows[i].text);
	}
	qsort(rows, s->count, sizeof(*rows), compare_texts);
	for (size_t i = 0; i < s->count; ++i)
		s->rows[i] = rows[i].prefix;
	free(rows);
	return true;
}
