#include "net/prefixes.h"

#include <stdlib.h>
#include <string.h>

#include "base/rows.h"
#include "base/text.h"

void prefixes_init(struct prefixes *p)
{
	*p = (struct prefixes){ 0 };
}

void prefixes_done(struct prefixes *p)
{
	free(p->rows);
	prefixes_init(p);
}

bool prefixes_add(struct prefixes *p, const struct prefix *prefix)
{
	void *rows = p->rows;

	if (!rows_grow(&rows, sizeof(*p->rows), p->count, &p->room))
		return false;
	p->rows = rows;
	p->rows[p->count++] = *prefix;
	return true;
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
static bool add_rest(struct prefixes *to, const struct prefix *p, const struct prefix *out)
{
	if (prefix_covers(out, p))
		return true;
	if (!prefix_covers(p, out))
		return prefixes_add(to, p);
	for (unsigned int bits = p->bits + 1U; bits <= out->bits; ++bits) {
		const struct prefix half = sibling(out, bits);

		if (!prefixes_add(to, &half))
			return false;
	}
	return true;
}

bool prefixes_take_away(struct prefixes *p, const struct prefix *out)
{
	struct prefixes rest;

	prefixes_init(&rest);
	for (size_t i = 0; i < p->count; ++i)
		if (!add_rest(&rest, &p->rows[i], out)) {
			prefixes_done(&rest);
			return false;
		}
	prefixes_done(p);
	*p = rest;
	return true;
}

struct sorted {
	struct prefix prefix;
	char text[TEXT_PREFIX];
};

static int compare(const void *a, const void *b)
{
	const struct sorted *x = a, *y = b;

	if (x->prefix.bits != y->prefix.bits)
		return x->prefix.bits < y->prefix.bits ? 1 : -1;
	return strcmp(y->text, x->text);
}

bool prefixes_sort(struct prefixes *p)
{
	struct sorted *rows = calloc(p->count + 1, sizeof(*rows));

	if (!rows)
		return false;
	for (size_t i = 0; i < p->count; ++i) {
		rows[i].prefix = p->rows[i];
		text_from_prefix(&p->rows[i], rows[i].text);
	}
	qsort(rows, p->count, sizeof(*rows), compare);
	for (size_t i = 0; i < p->count; ++i)
		p->rows[i] = rows[i].prefix;
	free(rows);
	return true;
}
