#ifndef NET_FOREIGN_H
#define NET_FOREIGN_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/buffer.h"
#include "model/diag.h"
#include "model/tunnel.h"
#include "net/item.h"

/*
 * Rules in chains of others. An accept in our table does not undo a drop in another: where a
 * foreign chain would drop what Forward or OpenPort promise (a policy, a REJECT at the end), a rule
 * with the comment "warren NAME ..." goes there: into DOCKER-USER or ufw's user chains where these
 * are asked in time, else to the head of the chain that drops. iptables puts it where iptables made
 * the chain, nft elsewhere. A firewalld that owns its table lets nobody in: then firewall-cmd binds
 * the tunnel to its zone "trusted" and opens ports, which says more than Forward (the peers reach
 * all of this host) and less (nobody begins a connection to them).
 *
 * Nothing is written to disk, so nothing stays after a reboot or a manager's reload, and nothing
 * must be undone there; keep puts back what a reload takes away. Managers come and go: whoever
 * repairs decides again, and takes back what is no longer wanted.
 *
 * An item's name is whose chain it is (docker, ufw, firewalld, iptables, nft), its text the
 * program, the chain and what is let through: "iptables-nft DOCKER-USER in", "nft inet filter input
 * 51820/udp", "firewall-cmd public 51820/udp".
 */

/* Looks at the host's rule sets, without what is there of ours, and adds an ITEM_FOREIGN for each
 * place that would drop. 0 or negative errno, with why: then what the others told is there. */
MUST_CHECK int foreign_decide(const struct tunnel *t, const char *link, struct items *ret,
			      struct diag *why);
MUST_CHECK int foreign_add(const struct item *i, struct diag *why);    /* also when it is there */
MUST_CHECK int foreign_remove(const struct item *i, struct diag *why); /* gone is fine */
/* 1, 0, -ENOENT: its chain is gone too, or another negative errno: it cannot be known. */
MUST_CHECK int foreign_is_there(const struct item *i);

/* The command that does it, for people. False: the text is none of ours. Pure. */
MUST_CHECK bool foreign_command(const struct item *i, bool remove, struct buffer *b);

#endif
