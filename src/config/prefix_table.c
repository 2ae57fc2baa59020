#include "config/prefix_table.h"

#include <stdlib.h>
#include <string.h>

#include "base/rows.h"

void prefix_table_init(struct prefix_table *t)
{
	*t = (struct prefix_table){ 0 };
}

void prefix_table_done(struct prefix_table *t)
{
	free(t->rows);
	prefix_table_init(t);
}

bool prefix_table_add(struct prefix_table *t, const struct prefix *prefix, size_t peer, size_t item)
{
	if (!rows_grow((void **)&t->rows, sizeof(*t->rows), t->count, &t->room))
		return false;
	t->rows[t->count] = (struct prefix_row){ *prefix, t->count, peer, item };
	prefix_mask(&t->rows[t->count++].prefix);
	return true;
}

int prefix_compare(const struct prefix *a, const struct prefix *b)
{
	const int address = memcmp(a->ip.bytes, b->ip.bytes, sizeof(a->ip.bytes));

	if (a->ip.family != b->ip.family)
		return a->ip.family < b->ip.family ? -1 : 1;
	if (address != 0)
		return address;
	return a->bits < b->bits ? -1 : a->bits > b->bits;
}

static int compare_rows(const void *left, const void *right)
{
	const struct prefix_row *a = left, *b = right;
	const int prefix = prefix_compare(&a->prefix, &b->prefix);

	if (prefix != 0)
		return prefix;
	return a->order < b->order ? -1 : a->order > b->order;
}

void prefix_table_sort(struct prefix_table *t)
{
	if (t->count > 1)
		qsort(t->rows, t->count, sizeof(*t->rows), compare_rows);
}

/* How many rows are before p or equal to it. */
static size_t rows_up_to(const struct prefix_table *t, const struct prefix *p)
{
	size_t low = 0, high = t->count;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;

		if (prefix_compare(&t->rows[middle].prefix, p) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct prefix_row *prefix_table_exact(const struct prefix_table *t, const struct prefix *p)
{
	const size_t count = rows_up_to(t, p);

	if (count == 0 || prefix_compare(&t->rows[count - 1].prefix, p) != 0)
		return NULL;
	return &t->rows[count - 1];
}

const struct prefix_row *prefix_table_find(const struct prefix_table *t, const struct ip *ip,
					   uint8_t min_bits)
{
	for (unsigned int bits = ip_bits(ip) + 1; bits-- > min_bits;) {
		struct prefix p = { .ip = *ip, .bits = (uint8_t)bits };
		const struct prefix_row *row;

		prefix_mask(&p);
		row = prefix_table_exact(t, &p);
		if (row)
			return row;
	}
	return NULL;
}

/* The first address behind p. False: p reaches to the last one. */
static bool address_behind(const struct prefix *p, struct ip *ret)
{
	const unsigned int bytes = ip_bits(&p->ip) / 8;
	unsigned int bit = p->bits;

	*ret = p->ip;
	while (bit > 0 && ret->bytes[(bit - 1) / 8] & 0x80 >> (bit - 1) % 8) {
		ret->bytes[(bit - 1) / 8] &= (uint8_t) ~(0x80 >> (bit - 1) % 8);
		--bit;
	}
	if (bit == 0 || bytes == 0)
		return false;
	ret->bytes[(bit - 1) / 8] |= (uint8_t)(0x80 >> (bit - 1) % 8);
	return true;
}

bool prefix_table_covers_all(const struct prefix_table *t, uint8_t family, uint8_t min_bits)
{
	struct ip next = { .family = family };

	for (size_t i = 0; i < t->count; ++i) {
		const struct prefix *p = &t->rows[i].prefix;

		if (p->ip.family != family || p->bits < min_bits)
			continue;
		if (memcmp(p->ip.bytes, next.bytes, sizeof(next.bytes)) > 0)
			return false; /* a hole */
		if (prefix_has(p, &next) && !address_behind(p, &next))
			return true;
	}
	return false;
}
