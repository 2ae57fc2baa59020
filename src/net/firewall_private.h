#ifndef NET_FIREWALL_PRIVATE_H
#define NET_FIREWALL_PRIVATE_H

#include "base/buffer.h"
#include "net/firewall.h"
#include "net/prefix_set.h"

/* What the parts of net/firewall write their tables with. A table's text is one line for each
 * chain's beginning, its hook, each rule and its end: firewall_is_there counts them. */
void firewall_chain(struct buffer *b, const char *name);
void firewall_hook(struct buffer *b, const char *type, const char *hook, int priority);
void firewall_rule(struct buffer *b, const char *format, ...) PRINTF(2, 3);
void firewall_end(struct buffer *b);
/* A rule "match { networks of the family } verdict", or none where there are none. */
void firewall_set_rule(struct buffer *b, const struct prefix_set *s, uint8_t family,
		       const char *end, const char *verdict);

/* An ITEM_TABLE "family PREFIX-link"; takes what b holds, and ends it. */
MUST_CHECK bool firewall_table(struct items *ret, const char *family, const char *prefix,
			       const char *link, struct buffer *b);

/* Addresses of the tunnel that no other link has: host bits kept, whole addresses. */
MUST_CHECK bool firewall_own_addresses(const struct tunnel *t, const char *link,
				       const struct host_network *n, struct prefix_set *ret);
/* AllowedIPs of all peers. */
MUST_CHECK bool firewall_allowed(const struct tunnel *t, struct prefix_set *ret);

MUST_CHECK bool firewall_quick(const struct tunnel *t, const char *link, uint32_t mark,
			       struct items *ret);
/* Chains of KillSwitch. False: out of memory. */
MUST_CHECK bool firewall_kill(const struct tunnel *t, const char *link, uint32_t mark,
			      const struct prefix_set *own, struct buffer *b);
/* The table for ARP. */
MUST_CHECK bool firewall_arp(const char *link, const struct prefix_set *own, struct items *ret);
/* Chains of Masquerade and MssClamp. */
MUST_CHECK bool firewall_masquerade(const struct tunnel *t, const char *link, struct buffer *b);
void firewall_mss(const struct tunnel *t, const char *link, struct buffer *b);

#endif
