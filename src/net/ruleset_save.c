#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "net/ruleset_private.h"

/*
 * The lines of iptables-legacy-save as rows of nft's JSON: chains with policies, and of rules what
 * the walk can judge. Everything else a rule may match becomes a match that nobody knows.
 */
struct words {
	char *at;
};

/* The next word, without the quotes around it; NULL: the line is over. Cuts the text. */
static char *next_word(struct words *w)
{
	char *word, *to;
	bool quoted = false;

	while (*w->at == ' ')
		++w->at;
	if (!*w->at)
		return NULL;
	word = to = w->at;
	for (; *w->at && (quoted || *w->at != ' '); ++w->at) {
		if (*w->at == '"') {
			quoted = !quoted;
			continue;
		}
		if (quoted && *w->at == '\\' && w->at[1])
			++w->at;
		*to++ = *w->at;
	}
	if (*w->at)
		++w->at;
	*to = '\0';
	return word;
}

static json_t *make_match(const char *op, json_t *left, json_t *right)
{
	return json_pack("{s:{s:s, s:o, s:o}}", "match", "op", op, "left", left, "right", right);
}

static json_t *meta(const char *key)
{
	return json_pack("{s:{s:s}}", "meta", "key", key);
}

/* "ens+" is "ens*"; a number stays text where it is none. */
static json_t *link_name(const char *text)
{
	char name[32];
	size_t len = strlen(text);

	if (len == 0 || len >= sizeof(name))
		return json_null();
	memcpy(name, text, len + 1);
	if (name[len - 1] == '+')
		name[len - 1] = '*';
	return json_string(name);
}

static json_t *port_range(const char *text)
{
	char copy[16];
	char *colon;
	uint64_t low, high;

	if (strlen(text) >= sizeof(copy))
		return json_null();
	memcpy(copy, text, strlen(text) + 1);
	colon = strchr(copy, ':');
	if (colon)
		*colon = '\0';
	if (!text_to_uint(copy, UINT16_MAX, &low) ||
	    !text_to_uint(colon ? colon + 1 : copy, UINT16_MAX, &high))
		return json_null();
	return json_pack("{s:[i, i]}", "range", (int)low, (int)high);
}

static json_t *verdict(const char *target, bool go)
{
	if (strcmp(target, "ACCEPT") == 0)
		return json_pack("{s:n}", "accept");
	if (strcmp(target, "DROP") == 0 || strcmp(target, "REJECT") == 0)
		return json_pack("{s:n}", "drop");
	if (strcmp(target, "RETURN") == 0)
		return json_pack("{s:n}", "return");
	return json_pack("{s:{s:s}}", go ? "goto" : "jump", "target", target);
}

/* One option with its value; NULL: out of memory. */
static json_t *option(const char *name, const char *value, const char *op)
{
	if (strcmp(name, "-i") == 0)
		return make_match(op, meta("iifname"), link_name(value));
	if (strcmp(name, "-o") == 0)
		return make_match(op, meta("oifname"), link_name(value));
	if (strcmp(name, "-p") == 0)
		return make_match(op, meta("l4proto"), json_string(value));
	if (strcmp(name, "--dport") == 0)
		return make_match(op, json_pack("{s:{s:s}}", "payload", "field", "dport"),
				  port_range(value));
	return make_match(op, json_null(), json_null());
}

/* Modules whose options say all there is to know. */
static bool says_nothing(const char *name, const char *value)
{
	return strcmp(name, "-m") == 0 && (strcmp(value, "tcp") == 0 || strcmp(value, "udp") == 0 ||
					   strcmp(value, "comment") == 0);
}

static bool append(json_t *array, json_t *value)
{
	return json_array_append_new(array, value) == 0;
}

/* The words behind the chain's name. */
static bool read_rule(struct words *w, json_t *rule, json_t *expr)
{
	const char *op = "==";
	const char *name;

	while ((name = next_word(w))) {
		const char *value;

		if (strcmp(name, "!") == 0) {
			op = "!=";
			continue;
		}
		value = next_word(w);
		if (!value)
			value = "";
		if (strcmp(name, "-j") == 0 || strcmp(name, "-g") == 0)
			return append(expr, verdict(value, name[1] == 'g')); /* rest: of it */
		if (strcmp(name, "--comment") == 0) {
			/* one that is not UTF-8 is not ours */
			(void)json_object_set_new(rule, "comment", json_string(value));
		} else if (!says_nothing(name, value) && !append(expr, option(name, value, op))) {
			return false;
		}
		op = "==";
	}
	return true;
}

static bool add_rule(json_t *list, const char *family, struct words *w)
{
	const char *chain = next_word(w);
	json_t *expr = json_array();
	json_t *rule;

	if (!chain) {
		json_decref(expr);
		return true;
	}
	rule = json_pack("{s:s, s:s, s:s, s:o}", "family", family, "table", "filter", "chain",
			 chain, "expr", expr);
	if (!rule || !read_rule(w, rule, expr)) {
		json_decref(rule);
		return false;
	}
	return append(list, json_pack("{s:o}", "rule", rule));
}

static bool add_chain(json_t *list, const char *family, struct words *w)
{
	const char *name = next_word(w);
	const char *policy = next_word(w);

	if (!name || !policy)
		return true;
	return append(list,
		      json_pack("{s:{s:s, s:s, s:s, s:s, s:s, s:s}}", "chain", "family", family,
				"table", "filter", "name", name, "type", "filter", "hook",
				strcmp(name, "INPUT") == 0     ? "input"
				: strcmp(name, "FORWARD") == 0 ? "forward"
							       : "",
				"policy", strcmp(policy, "DROP") == 0 ? "drop" : "accept"));
}

static bool add_line(json_t *list, const char *family, char *line, bool *in_filter)
{
	struct words w = { line };

	if (line[0] == '*')
		*in_filter = strcmp(line, "*filter") == 0;
	if (!*in_filter)
		return true;
	if (line[0] == ':') {
		++w.at;
		return add_chain(list, family, &w);
	}
	if (strncmp(line, "-A ", 3) != 0)
		return true;
	w.at += 3;
	return add_rule(list, family, &w);
}

int ruleset_from_save(const char *text, size_t len, const char *family, struct ruleset *ret)
{
	char *copy = strndup(text, len);
	json_t *list = json_array();
	bool in_filter = false;
	bool good = copy && list;
	char *rest = NULL;

	for (char *line = good ? strtok_r(copy, "\n", &rest) : NULL; line && good;
	     line = strtok_r(NULL, "\n", &rest))
		good = add_line(list, family, line, &in_filter);
	free(copy);
	if (good)
		return ruleset_take(list, list, ret);
	json_decref(list);
	return -ENOMEM;
}
