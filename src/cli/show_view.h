#ifndef CLI_SHOW_VIEW_H
#define CLI_SHOW_VIEW_H

#include <stdbool.h>
#include <stddef.h>

#include "cli/out.h"
#include "model/model.h"

/*
 * A device as show prints it: what was read, and what follows from it. Borrows name and model.
 */
struct show_view {
	const char *name;
	const struct model *model;
	bool has_public_key; /* follows from the private key */
	struct key_public public_key;
};

/* False: no public key could be computed. */
MUST_CHECK bool show_view_init(struct show_view *v, const char *name, const struct model *m);

/* The forms of single values that all of show has in common. */
void show_put_key(struct out *o, const uint8_t key[static KEY_LEN]);
void show_put_endpoint(struct out *o, const struct endpoint *e);
/* "1 day, 2 hours": what is zero is left out. before and after stand around each unit's name. */
void show_put_duration(struct out *o, uint64_t seconds, const char *before, const char *after);
bool show_has_preshared_key(const struct model_peer *p);

#endif
