#ifndef VECTORS_H
#define VECTORS_H

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/attr.h"

/*
 * Vectors of foreign origin stand outside of the repository, in SHARED_VECTORS_DIR. Where one is
 * absent the test is skipped, and failed when CI=true. All else that is wrong fails the test.
 */
enum { VECTORS_MAX = 8192 };

/* The caller's; json_decref when done. */
json_t *vectors_load(const char *name);

/* The bytes of the hex text in a field, as many as there are. */
size_t vectors_bytes(const json_t *object, const char *field, uint8_t ret[static VECTORS_MAX]);

/* Exactly len of them. */
void vectors_exactly(const json_t *object, const char *field, uint8_t *ret, size_t len);

const char *vectors_text(const json_t *object, const char *field);
int vectors_number(const json_t *object, const char *field);

#endif
