#ifndef MODEL_SYNC_H
#define MODEL_SYNC_H

#include "base/attr.h"
#include "model/model.h"

/*
 * Turns what a device shall be into the smallest change that wg(8) syncconf makes of it
 * (behaviour.md A.7): wanted, a patch that would replace all peers, becomes one that removes those
 * which are not wanted and leaves alone what others have and wanted does not mention (an endpoint
 * that roamed). A preshared key or keepalive that is no longer wanted is zeroed. Removals come
 * first, in descending order of their keys. Where either has no peer, wanted stays as it is.
 * False: out of memory, and wanted is unchanged but for those zeroes.
 */
MUST_CHECK bool model_sync(struct model *wanted, const struct model *running);

#endif
