#ifndef NET_PLAN_H
#define NET_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buffer.h"
#include "model/host_facts.h"
#include "model/tunnel.h"
#include "net/item.h"

/*
 * From what a tunnel is and what the host looks like to the ordered steps that bring it up, make it
 * equal to its file, or take it down. Pure: nothing is asked or done here.
 *
 * Order of up: link, PreUp, device, rules and refusing routes of a default route and the tables of
 * nft before any address, so that no packet of the tunnel's addresses can leave in clear meanwhile;
 * then mtu and up, routes, addresses, switches, foreign rules, DNS, PostUp. Down is PreDown, the
 * reverse, PostDown: the link goes while its rules and refusing routes still stand.
 */
enum step_kind {
	STEP_ADD,    /* item; where the same is owned already (item_same), it becomes this one */
	STEP_REMOVE, /* item; also when it may be gone by itself */
	STEP_HOOK,   /* text: the command as in the file, %i replaced */
	STEP_DEVICE, /* peers and keys: the caller knows which; text: the verb of wg(8). The mark
		      * only where the file has one that is not 0: else it is the planner's */
	STEP_MARK,   /* number: the fwmark of the device */
	STEP_UP,     /* number: the mtu, and the link comes up; item: that mtu, owned from now on */
	STEP_NOTE,   /* text: a line for the user, without "[!] " */
};

struct step {
	enum step_kind kind;
	struct item item;
	enum tunnel_hook hook;
	uint32_t number;
	char *text; /* owned */
};

struct plan {
	struct step *rows;
	size_t count;
	size_t room;
};

/* What the planner is told beside the tunnel and the host. */
struct plan_choice {
	const char *link;             /* the name of the device */
	const char *engine;           /* "kernel", or the program to start */
	uint32_t mark;                /* that the device has; 0: none yet */
	uint32_t table;               /* what Table names, where it is a name (plan_table) */
	uint32_t mtu;                 /* smallest path MTU to the endpoints, 0: unknown (1500) */
	bool has_mark;                /* mark is known: of a running device */
	bool fail_closed;             /* refusing default routes behind those of the tunnel */
	const struct items *dns;      /* what net/dns decided */
	const struct items *firewall; /* what net/firewall and net/foreign decided */
	const struct items
		*others; /* owned by other tunnels: never removed, priorities kept apart */
};

void plan_init(struct plan *p);
void plan_done(struct plan *p);

/* A free mark and table: as wg-quick, the first from 51820 whose tables are empty. */
MUST_CHECK uint32_t plan_mark(const struct host_network *n);
/* Does the tunnel take a default route of its own by policy rules? */
MUST_CHECK bool plan_takes_default(const struct tunnel *t);
/* The mark that the device is to have, for firewall_items too: the file's, else, where a default
 * route or KillSwitch wants one, the device's own, else a free one. 0: none. */
MUST_CHECK uint32_t plan_mark_for(const struct tunnel *t, const struct host_network *n,
				  const struct plan_choice *c);
/* The number of a table by name, given what stands in /etc/iproute2/rt_tables and the files of
 * rt_tables.d, one after the other; ip knows default, main and local without them. */
MUST_CHECK bool plan_table(const char *name, const char *rt_tables, uint32_t *ret);

/* All that the tunnel wants on the host, in the order of up. False: out of memory. */
MUST_CHECK bool plan_items(const struct tunnel *t, const struct host_network *n,
			   const struct plan_choice *c, struct items *ret);
MUST_CHECK bool plan_up(const struct tunnel *t, const struct host_network *n,
			const struct plan_choice *c, struct plan *ret);
/* The order of owned does not matter. Without what goes with the link, if the link is owned: its
 * removal is theirs. t may be NULL: its file is gone, and so are its hooks. SaveConfig is the
 * caller's, behind the last PreDown. */
MUST_CHECK bool plan_down(const struct tunnel *t, const struct items *owned, struct plan *ret);
/* From what is owned and there to what is wanted: what leaves first where it would be in the way,
 * last where it protects. Nothing of what stays is touched, and no hook is run. */
MUST_CHECK bool plan_sync(const struct tunnel *t, const struct host_network *n,
			  const struct plan_choice *c, const struct items *owned, struct plan *ret);
/* What is owned and, of what a snapshot tells, gone: for keep. A link that is down comes up again.
 */
MUST_CHECK bool plan_repair(const struct items *owned, const struct host_network *n,
			    struct plan *ret);

/* The line "[#] …" or "[!] …" of a step, without its end. False: it has none. Out of memory: ask b.
 */
MUST_CHECK bool step_print(const struct step *s, const char *link, struct buffer *b);

#endif
