#ifndef PLAN_SIM_H
#define PLAN_SIM_H

#include <stdbool.h>
#include <stdint.h>

#include "model/host_facts.h"
#include "net/item.h"
#include "net/plan.h"

/*
 * A host that does what steps say, as far as Linux does: refuses what is there twice, drops with an
 * address or a link what goes with it, makes connected routes. Any number of tunnels stand on it.
 */
enum { SIM_SWITCHES = 2 };

struct sim {
	struct items there; /* but for switches */
	uint32_t switches[SIM_SWITCHES];
	bool promotes; /* a second address stays when the first one of its network goes */
};

/* A tunnel on it: what its journal says, and what its device has. */
struct sim_tunnel {
	struct items owned;
	uint32_t mark;
	bool up;
};

void sim_init(struct sim *s);
void sim_done(struct sim *s);
void sim_copy(struct sim *to, const struct sim *from);
void sim_tunnel_init(struct sim_tunnel *t);
void sim_tunnel_done(struct sim_tunnel *t);
void sim_tunnel_copy(struct sim_tunnel *to, const struct sim_tunnel *from);

/* One step, written down before and struck out after. t's file says what mark its device gets. 0 or
 * negative errno. `others`: what another tunnel owns, which keeps a switch turned. */
int sim_step(struct sim *s, struct sim_tunnel *t, const struct step *step,
	     const struct items *others);
/* What a snapshot shows. */
void sim_look(const struct sim *s, struct host_facts *ret);
/* The same things, whatever their order and the priorities of rules. */
bool sim_equal(const struct sim *a, const struct sim *b);
bool sim_has(const struct sim *s, const struct item *like);

#endif
