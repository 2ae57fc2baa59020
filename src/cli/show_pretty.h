#ifndef CLI_SHOW_PRETTY_H
#define CLI_SHOW_PRETTY_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/show_view.h"

/*
 * What wg show prints for people (behaviour.md A.3), to the byte. Pure but for memory.
 */
struct show_style {
	bool colour;
	bool keys;    /* print private and preshared keys rather than (hidden) */
	uint64_t now; /* seconds since 1970, for ages */
};

/* The newest handshake first. False: out of memory, and nothing was printed. */
MUST_CHECK bool show_pretty(struct out *o, const struct show_view *v, const struct show_style *s);

#endif
