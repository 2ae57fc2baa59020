#ifndef PLAN_CASE_H
#define PLAN_CASE_H

#include <stddef.h>

#include "base/buffer.h"
#include "config/file.h"
#include "config/tunnel_read.h"
#include "model/host_facts.h"
#include "net/plan.h"

/*
 * A host and what the planner is told of it, for tests of plans. It begins with lo and the rules
 * that every kernel has.
 */
struct plan_host {
	struct host_facts facts;
	struct plan_choice choice;
	struct items dns, firewall, others;
};

void plan_host_init(struct plan_host *h);
void plan_host_done(struct plan_host *h);
/* One line: "route PREFIX TABLE", "rule FAMILY PRIORITY TABLE", "mtu N", "mark N", "table N", "link
 * NAME", "engine PROGRAM", "ipv6 off", "ipv6 unknown", "src_valid_mark on", "fail open", "other
 * ITEM", "dns ITEM", "firewall ITEM". */
void plan_host_line(struct plan_host *h, const char *line, size_t len);
/* Where the kernel puts it. */
void plan_host_rule(struct host_network *n, const struct host_rule *rule);

/* A tunnel from the text of its file, in which nothing may be wrong. */
struct plan_file {
	struct config_file file;
	struct tunnel tunnel;
};

void plan_file_init(struct plan_file *f, const char *text, size_t len);
void plan_file_done(struct plan_file *f);

/* The lines of a plan. */
void plan_lines(const struct plan *p, const char *link, struct buffer *b);

#endif
