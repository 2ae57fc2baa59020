#include <string.h>

#include "base/endpoint.h"
#include "net/ruleset.h"

/* A rule set may be large and jump to the same chain again and again: then nothing is known. */
enum { STEPS_MAX = 200000, DEPTH_MAX = 20, CHAINS_A_STEP = 16 };

enum truth { NO, MAYBE, YES };
enum fate { GOES_ON, ACCEPTED, DROPPED };

struct walk {
	const struct ruleset *set;
	const struct ruleset_packet *packet;
	const struct ruleset_chain *accept_at;
	size_t steps;
	unsigned int depth;
};

static enum truth not_of(enum truth t)
{
	return t == MAYBE ? MAYBE : t == YES ? NO : YES;
}

static enum truth is_text(const char *is, const char *pattern)
{
	const size_t len = strlen(pattern);

	if (len > 0 && pattern[len - 1] == '*')
		return strncmp(is, pattern, len - 1) == 0 ? YES : NO;
	return strcmp(is, pattern) == 0 ? YES : NO;
}

/* A link of which only is known that it is neither lo nor the tunnel's. */
static enum truth is_link(const char *is, const char *link, const char *pattern)
{
	if (is)
		return is_text(is, pattern);
	if (strcmp(pattern, "lo") == 0 || strcmp(pattern, link) == 0)
		return NO;
	return MAYBE;
}

static enum truth is_port(uint16_t port, const json_t *right)
{
	const json_t *range = json_object_get(right, "range");

	if (port == 0)
		return MAYBE;
	if (json_is_integer(right))
		return json_integer_value(right) == port ? YES : NO;
	if (json_array_size(range) != 2 || !json_is_integer(json_array_get(range, 0)) ||
	    !json_is_integer(json_array_get(range, 1)))
		return MAYBE;
	return json_integer_value(json_array_get(range, 0)) <= port &&
			       json_integer_value(json_array_get(range, 1)) >= port
		       ? YES
		       : NO;
}

enum key { KEY_OTHER, KEY_IN, KEY_OUT, KEY_PROTOCOL, KEY_FAMILY, KEY_STATE, KEY_PORT };

static enum truth is_one(const struct ruleset_packet *p, enum key key, const json_t *right)
{
	const char *text = json_string_value(right);

	if (key == KEY_PORT)
		return is_port(p->port, right);
	if (!text || text[0] == '@')
		return MAYBE;
	switch (key) {
	case KEY_IN:
		return is_link(p->in, p->link, text);
	case KEY_OUT:
		return is_link(p->out, p->link, text);
	case KEY_PROTOCOL:
		return p->protocol ? is_text(p->protocol, text) : MAYBE;
	case KEY_FAMILY:
		return is_text(p->family == FAMILY_V4 ? "ipv4" : "ipv6", text);
	case KEY_STATE:
		return is_text("new", text);
	case KEY_PORT:
	case KEY_OTHER:
		break;
	}
	return MAYBE;
}

/* One value, or any of a set or list. */
static enum truth is_any(const struct ruleset_packet *p, enum key key, const json_t *right)
{
	const json_t *set = json_is_array(right) ? right : json_object_get(right, "set");
	enum truth any = NO;

	if (!json_is_array(set))
		return is_one(p, key, right);
	for (size_t i = 0; i < json_array_size(set) && any != YES; ++i) {
		const enum truth t = is_one(p, key, json_array_get(set, i));

		any = t > any ? t : any;
	}
	return any;
}

static const char *member(const json_t *object, const char *outer, const char *inner)
{
	const char *text =
		json_string_value(json_object_get(json_object_get(object, outer), inner));

	return text ? text : "";
}

static enum key key_of(const json_t *left)
{
	const char *meta = member(left, "meta", "key");
	const char *field = member(left, "payload", "field");

	if (strcmp(meta, "iifname") == 0 || strcmp(meta, "iif") == 0)
		return KEY_IN;
	if (strcmp(meta, "oifname") == 0 || strcmp(meta, "oif") == 0)
		return KEY_OUT;
	if (strcmp(meta, "l4proto") == 0 || strcmp(field, "protocol") == 0 ||
	    strcmp(field, "nexthdr") == 0)
		return KEY_PROTOCOL;
	if (strcmp(meta, "nfproto") == 0)
		return KEY_FAMILY;
	if (strcmp(member(left, "ct", "key"), "state") == 0)
		return KEY_STATE;
	return strcmp(field, "dport") == 0 ? KEY_PORT : KEY_OTHER;
}

/* What a field of a header says of the packet: it has that header. */
static enum truth has_header(const struct ruleset_packet *p, const json_t *left)
{
	const char *protocol = member(left, "payload", "protocol");

	if (strcmp(protocol, "ip") == 0 || strcmp(protocol, "ip6") == 0)
		return (strcmp(protocol, "ip") == 0) == (p->family == FAMILY_V4) ? YES : NO;
	if (strcmp(protocol, "udp") == 0 || strcmp(protocol, "tcp") == 0 ||
	    strncmp(protocol, "icmp", 4) == 0)
		return !p->protocol ? MAYBE : strcmp(p->protocol, protocol) == 0 ? YES : NO;
	return YES;
}

static enum truth match(const struct ruleset_packet *p, const json_t *m)
{
	const json_t *left = json_object_get(m, "left");
	const char *op = json_string_value(json_object_get(m, "op"));
	const enum truth header = has_header(p, left);
	enum truth value;

	if (!op || (strcmp(op, "==") != 0 && strcmp(op, "!=") != 0 && strcmp(op, "in") != 0))
		return header == NO ? NO : MAYBE;
	value = is_any(p, key_of(left), json_object_get(m, "right"));
	if (strcmp(op, "!=") == 0)
		value = not_of(value);
	return header < value ? header : value;
}

/* Of one statement of a rule: what it matches, or YES for one that decides nothing. */
static enum truth statement(const struct ruleset_packet *p, const json_t *s)
{
	const json_t *xt = json_object_get(s, "xt");

	if (json_object_get(s, "match"))
		return match(p, json_object_get(s, "match"));
	if (json_object_get(s, "limit") || json_object_get(s, "vmap") ||
	    json_object_get(s, "quota"))
		return MAYBE;
	if (xt && strcmp(member(s, "xt", "type"), "match") == 0)
		return strcmp(member(s, "xt", "name"), "comment") == 0 ? YES : MAYBE;
	return YES;
}

/* What iptables wrote shows that there is a comment, and not which: an accept with one may be ours,
 * and at worst stands there twice. */
static bool is_ours(const struct ruleset_packet *p, const json_t *rule, const json_t *expr)
{
	const char *comment = json_string_value(json_object_get(rule, "comment"));
	bool hidden = false, accepts = false;

	for (size_t i = 0; i < json_array_size(expr); ++i) {
		const json_t *s = json_array_get(expr, i);

		hidden = hidden || strcmp(member(s, "xt", "name"), "comment") == 0;
		accepts = accepts || json_object_get(s, "accept");
	}
	return (hidden && accepts) || (comment && strncmp(comment, p->tag, strlen(p->tag)) == 0);
}

static enum fate walk_chain(struct walk *w, const struct ruleset_chain *c);

static enum fate walk_to(struct walk *w, const struct ruleset_chain *from, const char *target)
{
	const struct ruleset_chain *to = ruleset_find(w->set, from, target);
	enum fate fate = GOES_ON;

	w->steps += w->set->count / CHAINS_A_STEP; /* of looking for it */
	if (to && w->depth < DEPTH_MAX) {
		++w->depth;
		fate = walk_chain(w, to);
		--w->depth;
	}
	return fate;
}

/* A rule that may return: in ufw's chains what follows is for those who have not. */
static bool may_return(const json_t *expr)
{
	for (size_t i = 0; i < json_array_size(expr); ++i) {
		if (json_object_get(json_array_get(expr, i), "return"))
			return true;
	}
	return false;
}

/* What a statement that is reached for sure does. *ret_left: the chain ends here. */
static enum fate act(struct walk *w, const struct ruleset_chain *c, const json_t *s, bool *ret_left)
{
	const char *target = member(s, "xt", "name");

	if (json_object_get(s, "accept"))
		return ACCEPTED;
	if (json_object_get(s, "drop") || json_object_get(s, "reject") ||
	    strcmp(target, "REJECT") == 0 || strcmp(target, "DROP") == 0)
		return DROPPED;
	if (json_object_get(s, "jump"))
		return walk_to(w, c, member(s, "jump", "target"));
	*ret_left = json_object_get(s, "goto") || json_object_get(s, "return");
	if (json_object_get(s, "goto"))
		return walk_to(w, c, member(s, "goto", "target"));
	return GOES_ON;
}

static enum fate walk_rule(struct walk *w, const struct ruleset_chain *c, const json_t *rule,
			   bool *ret_left, bool *ret_may_leave)
{
	const json_t *expr = json_object_get(rule, "expr");
	enum fate fate = GOES_ON;

	if (is_ours(w->packet, rule, expr))
		return GOES_ON;
	for (size_t i = 0; i < json_array_size(expr) && fate == GOES_ON && !*ret_left; ++i) {
		const json_t *s = json_array_get(expr, i);

		const enum truth t = statement(w->packet, s);

		if (t == MAYBE && w->accept_at && may_return(expr))
			*ret_may_leave = true;
		if (t != YES)
			return GOES_ON;
		fate = act(w, c, s, ret_left);
	}
	return fate;
}

static enum fate walk_chain(struct walk *w, const struct ruleset_chain *c)
{
	bool left = false, may_leave = false;
	enum fate fate = c == w->accept_at ? ACCEPTED : GOES_ON;

	for (size_t i = 0; i < c->count && fate == GOES_ON && !left; ++i) {
		if (++w->steps > STEPS_MAX)
			return ACCEPTED;
		fate = walk_rule(w, c, c->rules[i], &left, &may_leave);
	}
	return fate == DROPPED && may_leave ? GOES_ON : fate;
}

bool ruleset_drops(const struct ruleset *r, const struct ruleset_chain *base,
		   const struct ruleset_packet *p, const struct ruleset_chain *accept_at)
{
	struct walk w = { .set = r, .packet = p, .accept_at = accept_at };
	const enum fate fate = walk_chain(&w, base);

	return fate == DROPPED || (fate == GOES_ON && base->drops);
}
