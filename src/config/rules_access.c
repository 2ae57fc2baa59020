#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/bytes.h"
#include "config/check_private.h"
#include "config/rules.h"

/*
 * Who but its owner and root can read or change a file: its mode, its access list, and every folder
 * above, for a file behind a closed door is not exposed, and one in an open house can be replaced.
 */
enum { MAY_PASS = 1, MAY_WRITE = 2, MAY_READ = 4 };

enum who { WHO_EVERYBODY, WHO_GROUP, WHO_USER };

struct who_is {
	enum who who;
	uint32_t id; /* of the group or user */
};

static uint32_t may_by_grant(const struct host_node *n, enum host_who who, uint32_t id)
{
	for (size_t i = 0; i < n->grant_count; ++i)
		if (n->grants[i].who == who && n->grants[i].id == id)
			return n->grants[i].may | 8; /* found, whatever it allows */
	return 0;
}

/* What somebody who is nothing but this may do with a file or folder. */
static uint32_t may(const struct host_node *n, const struct who_is *is)
{
	uint32_t granted = 0;

	if (is->who == WHO_USER && n->uid == is->id)
		return n->mode >> 6 & 7;
	if (is->who == WHO_GROUP && n->gid == is->id)
		return n->mode >> 3 & 7;
	if (is->who != WHO_EVERYBODY)
		granted = may_by_grant(n, is->who == WHO_USER ? HOST_USER : HOST_GROUP, is->id);
	return granted ? granted & 7 : n->mode & 7;
}

/* He comes as far as nodes[from], through all the folders above it. */
static bool can_come_to(const struct host_file *f, size_t from, const struct who_is *is)
{
	for (size_t i = from + 1; i < f->node_count; ++i)
		if (!(may(&f->nodes[i], is) & MAY_PASS))
			return false;
	return true;
}

static bool can_read(const struct host_file *f, const struct who_is *is)
{
	return may(&f->nodes[0], is) & MAY_READ && can_come_to(f, 0, is);
}

/* The node whose write permission lets him put another file there; NULL: none. */
static const struct host_node *can_change(const struct host_file *f, const struct who_is *is)
{
	if (may(&f->nodes[0], is) & MAY_WRITE && can_come_to(f, 0, is))
		return &f->nodes[0];
	for (size_t i = 1; i < f->node_count; ++i)
		if (may(&f->nodes[i], is) & MAY_WRITE && may(&f->nodes[i], is) & MAY_PASS &&
		    !(f->nodes[i].mode & S_ISVTX) && can_come_to(f, i, is))
			return &f->nodes[i];
	return NULL;
}

/* Calls say for everybody who could be let in anywhere on the path, until it says true. */
static void ask_everybody(const struct host_file *f, void *ctx,
			  bool (*say)(void *ctx, const struct host_file *f,
				      const struct who_is *is))
{
	if (say(ctx, f, &(struct who_is){ .who = WHO_EVERYBODY }))
		return;
	for (size_t i = 0; i < f->node_count; ++i) {
		const struct host_node *n = &f->nodes[i];

		if (n->gid != 0 && !n->group_is_private &&
		    say(ctx, f, &(struct who_is){ WHO_GROUP, n->gid }))
			return;
		for (size_t k = 0; k < n->grant_count; ++k) {
			const struct host_grant *g = &n->grants[k];
			const struct who_is is = { g->who == HOST_USER ? WHO_USER : WHO_GROUP,
						   g->id };

			if (g->id != 0 && (is.who != WHO_USER || g->id != f->nodes[0].uid) &&
			    say(ctx, f, &is))
				return;
		}
	}
}

struct asked {
	struct check *c;
	const struct check_tunnel *t;
};

static void say_who(const struct who_is *is, char ret[static CHECK_NAME])
{
	switch (is->who) {
	case WHO_EVERYBODY:
		(void)snprintf(ret, CHECK_NAME, "every user of this host");
		break;
	case WHO_GROUP:
		(void)snprintf(ret, CHECK_NAME, "the group %u", is->id);
		break;
	case WHO_USER:
		(void)snprintf(ret, CHECK_NAME, "the user %u, by an access list,", is->id);
		break;
	}
}

static bool say_read(void *ctx, const struct host_file *f, const struct who_is *is)
{
	const struct asked *a = ctx;
	char who[CHECK_NAME];
	struct finding *found;

	if (!can_read(f, is))
		return false;
	say_who(is, who);
	found = check_say(a->c, "exposed", DIAG_WARNING, (struct place){ .file = a->t->t->path });
	finding_cause(found,
		      "%s can read the keys in this file: its mode is %04o, and every folder above "
		      "lets them through",
		      who, f->nodes[0].mode & 07777);
	finding_fix(found, "chmod 600 %s", f->nodes[0].path);
	if (found)
		found->edit = EDIT_PRIVATE_MODE;
	return true;
}

static bool say_change(void *ctx, const struct host_file *f, const struct who_is *is)
{
	const struct asked *a = ctx;
	const struct host_node *by = can_change(f, is);
	const bool is_file = by == &f->nodes[0];
	char who[CHECK_NAME];
	struct finding *found;

	if (!by)
		return false;
	say_who(is, who);
	found = check_say(a->c, "writable", is->who == WHO_EVERYBODY ? DIAG_ERROR : DIAG_WARNING,
			  (struct place){ .file = a->t->t->path });
	finding_cause(
		found, "%s can %s (mode %04o): whatever hooks are written into it run as root", who,
		is_file ? "change this file" : "put another file in its place", by->mode & 07777);
	finding_fix(found, "chmod %s %s", is_file ? "600" : "go-w", by->path);
	if (found && is_file)
		found->edit = EDIT_PRIVATE_MODE;
	return true;
}

static bool has_secret(const struct tunnel *t)
{
	for (size_t i = 0; i < t->model.peer_count; ++i)
		if (t->model.peers[i].has_preshared_key)
			return true;
	return t->model.has_private_key;
}

static const struct host_file *file_of(const struct check *c, const struct check_tunnel *t)
{
	for (size_t i = 0; i < c->host->file_count; ++i)
		if (c->host->files[i].file == t->t->path && c->host->files[i].node_count > 0)
			return &c->host->files[i];
	return NULL;
}

static void exposed(struct check *c, const struct check_tunnel *t)
{
	const struct host_file *f = file_of(c, t);
	struct asked asked = { c, t };

	if (f && has_secret(t->t))
		ask_everybody(f, &asked, say_read);
}

static void writable(struct check *c, const struct check_tunnel *t)
{
	const struct host_file *f = file_of(c, t);
	struct asked asked = { c, t };

	if (f)
		ask_everybody(f, &asked, say_change);
}

const struct rule rules_access[] = {
	{ "exposed", "keys that others can read", RULE_FILE, DIAG_WARNING, exposed },
	{ "writable", "a file that others can change", RULE_FILE, DIAG_ERROR, writable },
};
const size_t rules_access_count = ELEMENTS(rules_access);
