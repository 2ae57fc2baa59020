#ifndef CLI_SHOW_FIELDS_H
#define CLI_SHOW_FIELDS_H

#include <stdbool.h>

#include "cli/show_view.h"

/*
 * What wg show prints for scripts: one field of a device, or all in a dump (behaviour.md A.3), and
 * showconf. Peers come as the device gives them; keys are printed. Pure.
 */

/* with_name: each line begins with the device's name. False: there is no such field. */
MUST_CHECK bool show_field(struct out *o, const struct show_view *v, const char *field,
			   bool with_name);
void show_config(struct out *o, const struct show_view *v);

#endif
