#ifndef CONFIG_RULES_H
#define CONFIG_RULES_H

#include "config/check.h"

/* The rows of each file of rules; check.c puts them together. */
extern const struct rule rules_keys[], rules_pairs[], rules_allowed[], rules_routes[],
	rules_interface[], rules_hooks[], rules_host[], rules_access[];
extern const size_t rules_keys_count, rules_pairs_count, rules_allowed_count, rules_routes_count,
	rules_interface_count, rules_hooks_count, rules_host_count, rules_access_count;

static const struct {
	const struct rule *rules;
	const size_t *count;
} rule_groups[] = {
	{ rules_keys, &rules_keys_count },           { rules_pairs, &rules_pairs_count },
	{ rules_allowed, &rules_allowed_count },     { rules_routes, &rules_routes_count },
	{ rules_interface, &rules_interface_count }, { rules_hooks, &rules_hooks_count },
	{ rules_host, &rules_host_count },           { rules_access, &rules_access_count },
};

#endif
