#ifndef CONFIG_CHECK_H
#define CONFIG_CHECK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "model/finding.h"
#include "model/host_facts.h"
#include "model/tunnel.h"

/*
 * What is wrong in files, judged all at once: rules are pure functions over tunnels that were read
 * together (both ends, all clients; ends find each other by public key), and over what is known of
 * the host. A rule says only what is true of wg and wg-quick as they are; where that cannot be
 * known from what it has, it is silent. A false alarm is a worse defect than a missed hint.
 */
enum rule_needs { RULE_FILE, RULE_SET, RULE_HOST };

struct check;
struct check_tunnel;

struct rule {
	const char *id; /* a row of the catalogue or a word of ours: `warren why` has its page */
	const char *summary; /* one line, for lists */
	enum rule_needs needs;
	enum diag_severity severity;                                /* the worst it says */
	void (*run)(struct check *c, const struct check_tunnel *t); /* NULL: another one says it */
};

/*
 * Every id that check can name, also those of the reader of files (complaint.h), each once: false
 * behind the last.
 */
MUST_CHECK bool check_rule(size_t i, struct rule *ret);

/*
 * host may be NULL; its files alone are enough for who can read them. False: out of memory, ret is
 * not complete. Findings borrow file names from the set.
 */
MUST_CHECK bool check_run(const struct tunnel_set *set, const struct host_facts *host,
			  struct findings *ret);

#endif
