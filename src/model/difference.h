#ifndef MODEL_DIFFERENCE_H
#define MODEL_DIFFERENCE_H

#include "base/attr.h"
#include "model/model.h"

/*
 * The smallest patch that makes a running device what is wanted: a peer that is as it should be is
 * not in it, so that nothing happens to its session, and neither are the prefixes that a peer has
 * already. A prefix that moves from one peer to another is only given to the new one: there is no
 * moment without it. Only a peer that loses a prefix to nobody gets its list anew.
 *
 * wanted is a whole device: a preshared key or a keepalive that it does not have goes. Its own
 * key, port and mark, and endpoints, are only changed to what wanted has.
 */

/* A wanted peer's preshared key may come from outside (a hook): then one that it lacks stays.
 * False: out of memory. ret is inited. */
MUST_CHECK bool model_difference(const struct model *wanted, const struct model *running,
				 bool keep_preshared, struct model *ret);
MUST_CHECK bool model_is_empty(const struct model *patch); /* it changes nothing */

#endif
