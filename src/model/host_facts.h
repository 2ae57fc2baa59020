#ifndef MODEL_HOST_FACTS_H
#define MODEL_HOST_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/prefix.h"

/*
 * What a rule may know of the host: a snapshot, taken once by net/observe and judged by pure
 * functions. Owns its arrays. Everything here may be told to anybody who helps: no secret.
 */
enum { HOST_NAME = 16 };

struct host_link {
	uint32_t index;
	uint32_t mtu;
	char name[HOST_NAME];
	bool up;
	bool loopback;
	bool wireguard; /* a kernel link of that kind */
};

struct host_address {
	uint32_t link;        /* index of its link */
	struct prefix prefix; /* as given: host bits are the address */
};

enum host_route_kind { HOST_UNICAST, HOST_UNREACHABLE, HOST_BLACKHOLE, HOST_PROHIBIT, HOST_THROW };
enum { HOST_TABLE_DEFAULT = 253, HOST_TABLE_MAIN = 254, HOST_TABLE_LOCAL = 255 };

struct host_route { /* of every table but local; a route of several hops is one row for each */
	struct prefix dst;
	uint32_t link; /* index; 0: none (the kinds that refuse) */
	struct ip via; /* FAMILY_NONE: on link */
	uint32_t table;
	uint32_t metric; /* as the kernel tells it: an IPv6 route added with 0 has 1024 */
	uint32_t mtu;    /* of the route; 0: its link's */
	enum host_route_kind kind;
	uint8_t protocol; /* RTPROT_*: who made it */
	bool gateway;     /* it has one, also of the other family */
	bool dead;        /* its link is down */
};

/* A policy rule, as far as tunnels make such. */
struct host_rule {
	uint8_t family;
	uint32_t priority;
	uint32_t table; /* 0: no lookup */
	uint32_t mark;
	uint32_t mask; /* of the mark; 0: the mark does not matter */
	int suppress;  /* suppress_prefixlength; -1: none */
	bool invert;   /* not */
	bool other;    /* it says more than this struct can */
};

/* A switch under /proc/sys, as the planner wants it. */
enum host_switch_state { HOST_UNKNOWN, HOST_OFF, HOST_ON };
struct host_switches {
	enum host_switch_state src_valid_mark; /* net.ipv4.conf.all */
	enum host_switch_state ip_forward;     /* net.ipv4 */
	enum host_switch_state ip6_forward;    /* net.ipv6.conf.all.forwarding */
	enum host_switch_state rp_filter;      /* net.ipv4.conf.all is 1, strict */
};

struct host_network {
	struct host_link *links;
	size_t link_count;
	struct host_address *addresses;
	size_t address_count;
	struct host_route *routes;
	size_t route_count;
	struct host_rule *rules; /* in their order */
	size_t rule_count;
	struct host_switches switches;
	bool ipv6_off;       /* net.ipv6.conf.default.disable_ipv6: a new link has no IPv6 */
	bool has_resolvconf; /* the program that wg-quick gives DNS to */
};

/* Somebody an access list names. */
enum host_who { HOST_USER, HOST_GROUP };
struct host_grant {
	enum host_who who;
	uint32_t id;
	uint8_t may; /* rwx in the low three bits, the mask applied */
};

/* One step of a path: the file itself, or a folder above it. */
struct host_node {
	char *path;
	uint32_t mode; /* st_mode: permission and sticky bits; with an access list the group's bits
			  are the group's own, not the list's mask */
	uint32_t uid;
	uint32_t gid;
	bool group_is_private; /* the group is the owner's own, as many systems give each user one
				*/
	struct host_grant *grants;
	size_t grant_count;
};

struct host_file {
	const char *file;        /* borrowed: the name as the tunnel has it */
	struct host_node *nodes; /* the file first, then each folder up to / */
	size_t node_count;
};

struct host_facts {
	bool looked; /* network is filled in */
	struct host_network network;
	struct host_file *files;
	size_t file_count;
};

void host_facts_init(struct host_facts *h);
void host_facts_done(struct host_facts *h);
/* Append one zeroed. NULL: out of memory. Good until the next append. */
MUST_CHECK struct host_link *host_add_link(struct host_network *n);
MUST_CHECK struct host_address *host_add_address(struct host_network *n);
MUST_CHECK struct host_route *host_add_route(struct host_network *n);
MUST_CHECK struct host_rule *host_add_rule(struct host_network *n);
MUST_CHECK struct host_file *host_add_file(struct host_facts *h);
MUST_CHECK struct host_node *host_add_node(struct host_file *f);
MUST_CHECK struct host_grant *host_add_grant(struct host_node *n);
void host_file_clear(struct host_file *f); /* forget its nodes */

/* NULL: there is none. */
const struct host_link *host_link_by_name(const struct host_network *n, const char *name);
const struct host_link *host_link_by_index(const struct host_network *n, uint32_t index);
/* The link of the main table's default route of this family, the one of the smallest metric; NULL:
 * there is none. */
const struct host_link *host_default_link(const struct host_network *n, uint8_t family);

#endif
