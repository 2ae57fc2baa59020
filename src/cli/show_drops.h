#ifndef CLI_SHOW_DROPS_H
#define CLI_SHOW_DROPS_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/json_out.h"
#include "model/diagnosis.h"

/*
 * Why packets were dropped, as Warren's engine counts it (model/diagnosis.h): for people in words,
 * or as JSON. Pure.
 */
void show_drops_text(struct out *o, const char *name, const struct diagnosis *d, uint64_t now);
void show_drops_json(struct json_out *j, const char *name, const struct diagnosis *d);
/* What a reason means, in one line; NULL: a reason of a newer engine. */
const char *show_drops_words(const char *reason);

#endif
