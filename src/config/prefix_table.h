#ifndef CONFIG_PREFIX_TABLE_H
#define CONFIG_PREFIX_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/prefix.h"

/*
 * Who owns which prefix, for rules: fill it, sort it once, then ask. Of equal prefixes the one with
 * the highest order is the owner, as on a device, where the last one configured takes it.
 */
struct prefix_row {
	struct prefix prefix; /* canonical */
	size_t order;         /* of being added */
	size_t peer;
	size_t item; /* which of the peer's allowed IPs */
};

struct prefix_table {
	struct prefix_row *rows; /* by family, address, bits, order: a prefix stands before what is
				    inside it */
	size_t count;
	size_t room;
};

void prefix_table_init(struct prefix_table *t);
void prefix_table_done(struct prefix_table *t);
MUST_CHECK bool prefix_table_add(struct prefix_table *t, const struct prefix *prefix, size_t peer,
				 size_t item);
void prefix_table_sort(struct prefix_table *t);
/* The owner of exactly this prefix; NULL: nobody. */
const struct prefix_row *prefix_table_exact(const struct prefix_table *t, const struct prefix *p);
/* The owner by longest prefix, among those of at least min_bits; NULL: nobody. */
const struct prefix_row *prefix_table_find(const struct prefix_table *t, const struct ip *ip,
					   uint8_t min_bits);
/* Every address of the family is in some prefix of at least min_bits. */
bool prefix_table_covers_all(const struct prefix_table *t, uint8_t family, uint8_t min_bits);
/* In the order of the rows. */
int prefix_compare(const struct prefix *a, const struct prefix *b);

#endif
