#ifndef CLI_TUNNEL_HANDS_H
#define CLI_TUNNEL_HANDS_H

#include "net/apply.h"

struct tunnel_case;

/* What a plan needs beyond the host's network: the engine, the device, hooks, and words on standard
 * error, as wg-quick's. */
void tunnel_hands_init(struct apply_hands *h, struct tunnel_case *c);
/* The line of a step, to a stream. */
void tunnel_print_step(const struct step *s, const char *link, bool to_output);

#endif
