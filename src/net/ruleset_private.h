#ifndef NET_RULESET_PRIVATE_H
#define NET_RULESET_PRIVATE_H

#include "net/ruleset.h"

/* From rows as nft has them to a rule set; takes root, also when it fails. */
MUST_CHECK int ruleset_take(json_t *root, const json_t *list, struct ruleset *ret);

#endif
