#include <ctype.h>
#include <string.h>

#include "base/bytes.h"
#include "base/text.h"
#include "config/check_private.h"
#include "config/rules.h"

/*
 * Rules about hooks. They know iptables, ip and nft as people use them in these files; of a script
 * or anything else they conclude nothing.
 */

/* Where a hook's word stands in the file. */
static struct place word_place(const struct check_tunnel *t, size_t kind, size_t row,
			       const struct hook_word *word)
{
	struct span at = t->t->hooks[kind].rows[row].at;

	at.column += (unsigned int)word->at;
	at.length = (unsigned int)strlen(word->text);
	return check_place(t, &at);
}

static bool is_any(const char *word, const char *const list[], size_t count)
{
	for (size_t i = 0; i < count; ++i)
		if (strcmp(word, list[i]) == 0)
			return true;
	return false;
}

/* hook-undo */

enum verb { VERB_NONE, VERB_ADD, VERB_DELETE };

static enum verb verb_of(const char *word)
{
	static const char *const adds[] = { "-A", "-I", "--append", "--insert", "add" };
	static const char *const deletes[] = { "-D", "--delete", "del", "delete", "d" };

	if (is_any(word, adds, ELEMENTS(adds)))
		return VERB_ADD;
	return is_any(word, deletes, ELEMENTS(deletes)) ? VERB_DELETE : VERB_NONE;
}

static bool is_ip_rule(const struct hook_command *c)
{
	static const char *const objects[] = { "rule", "ru" };

	for (size_t i = 1; hook_is(&c->words[0], "ip") && i < c->count; ++i)
		if (is_any(c->words[i].text, objects, ELEMENTS(objects)))
			return true;
	return false;
}

/* The command adds something that stays when the interface goes. */
static const struct hook_word *adds_what_stays(const struct hook_command *c)
{
	if (!hook_is_iptables(c) && !is_ip_rule(c))
		return NULL;
	for (size_t i = 1; i < c->count; ++i)
		if (verb_of(c->words[i].text) == VERB_ADD)
			return &c->words[i];
	return NULL;
}

static bool is_number(const char *word)
{
	return word[0] != '\0' && word[strspn(word, "0123456789")] == '\0';
}

/* "2>/dev/null", ">", "2>" */
static bool redirects(const char *word)
{
	const char sign = word[strspn(word, "0123456789")];

	return sign == '>' || sign == '<';
}

static bool ends_open(const char *word)
{
	const size_t len = strlen(word);

	return len > 0 && (word[len - 1] == '>' || word[len - 1] == '<');
}

/* Words that are no part of what a rule is: the verb, its place in the chain, how long to wait. */
static bool is_beside_the_rule(const struct hook_command *c, size_t i)
{
	const char *word = c->words[i].text;

	return i == 0 || verb_of(word) != VERB_NONE || redirects(word) ||
	       (i >= 1 && redirects(c->words[i - 1].text) && ends_open(c->words[i - 1].text)) ||
	       strcmp(word, "-w") == 0 || strcmp(word, "--wait") == 0 ||
	       (i >= 2 && is_number(word) && verb_of(c->words[i - 2].text) == VERB_ADD);
}

static bool is_same_word(const char *a, const char *b, const char *name)
{
	if (strcmp(a, b) == 0)
		return true;
	return name[0] && ((strcmp(a, "%i") == 0 && strcmp(b, name) == 0) ||
			   (strcmp(b, "%i") == 0 && strcmp(a, name) == 0));
}

static size_t count_word(const struct hook_command *c, const char *word, const char *name)
{
	size_t count = 0;

	for (size_t i = 0; i < c->count; ++i)
		count += !is_beside_the_rule(c, i) && is_same_word(c->words[i].text, word, name);
	return count;
}

/* The same words, in whatever order the options stand. */
static bool has_same_words(const struct hook_command *a, const struct hook_command *b,
			   const char *name)
{
	for (size_t i = 0; i < a->count; ++i)
		if (!is_beside_the_rule(a, i) &&
		    count_word(a, a->words[i].text, name) != count_word(b, a->words[i].text, name))
			return false;
	return true;
}

static const char *base_name(const struct hook_word *word)
{
	const char *slash = strrchr(word->text, '/');

	return slash ? slash + 1 : word->text;
}

static const struct hook_word *word_behind_delete(const struct hook_command *c)
{
	for (size_t i = 1; i + 2 < c->count; ++i)
		if (verb_of(c->words[i].text) == VERB_DELETE)
			return &c->words[i + 2];
	return NULL;
}

/* A routing rule may be taken away by any part of it, one of a chain by its number. */
static bool undoes(const struct hook_command *add, const struct hook_command *del, const char *name)
{
	const struct hook_word *behind = word_behind_delete(del);

	if (is_ip_rule(add))
		return is_ip_rule(del);
	if (!hook_is_iptables(del))
		return false;
	return (behind && is_number(behind->text)) ||
	       (strcmp(base_name(&add->words[0]), base_name(&del->words[0])) == 0 &&
		has_same_words(add, del, name) && has_same_words(del, add, name));
}

/* What the way down does beside deleting rules one by one: then nothing can be concluded. */
static bool is_understood(const struct hook_command *c)
{
	static const char *const harmless[] = { "sysctl", "echo", "true", ":",    "logger",
						"sleep",  "wg",   "date", "ping", "resolvectl" };

	if (is_any(c->words[0].text, harmless, ELEMENTS(harmless)))
		return true;
	if (!hook_is_iptables(c) && !hook_is(&c->words[0], "ip"))
		return false;
	for (size_t i = 1; i < c->count; ++i)
		if (verb_of(c->words[i].text) != VERB_NONE)
			return true;
	return false;
}

static bool is_undone(const struct check_tunnel *t, const struct hook_command *add)
{
	for (size_t kind = TUNNEL_PRE_DOWN; kind <= TUNNEL_POST_DOWN; ++kind)
		for (size_t i = 0; i < t->t->hooks[kind].count; ++i) {
			const struct hook *hook = &t->hooks[kind][i];

			for (size_t k = 0; k < hook->command_count; ++k)
				if (!is_understood(&hook->commands[k]) ||
				    undoes(add, &hook->commands[k], t->t->name))
					return true;
		}
	return false;
}

static void say_not_undone(struct check *c, struct place at, const struct hook_command *add)
{
	struct finding *f = check_say(c, "hook-undo", DIAG_WARNING, at);

	finding_cause(f,
		      "no PreDown or PostDown takes this %s away: it stays after `down', and each "
		      "`up' adds one more",
		      hook_is_iptables(add) ? "rule of the firewall" : "routing rule");
	finding_fix(f, "repeat the command in PostDown with %s",
		    hook_is_iptables(add) ? "-D in the place of -A or -I"
					  : "`del' in the place of `add'");
}

static void hook_not_undone(struct check *c, const struct check_tunnel *t)
{
	for (size_t kind = TUNNEL_PRE_UP; kind <= TUNNEL_POST_UP; ++kind)
		for (size_t i = 0; i < t->t->hooks[kind].count; ++i) {
			const struct hook *hook = &t->hooks[kind][i];

			for (size_t k = 0; k < hook->command_count; ++k) {
				const struct hook_command *command = &hook->commands[k];

				if (adds_what_stays(command) && !is_undone(t, command))
					say_not_undone(c,
						       word_place(t, kind, i, &command->words[0]),
						       command);
			}
		}
}

/* hook-interface */

static bool is_wg_number(const char *word)
{
	return strncmp(word, "wg", 2) == 0 && is_number(word + 2);
}

static const struct hook_word *interface_word(const struct hook_command *command)
{
	static const char *const options[] = { "-i", "-o", "--in-interface", "--out-interface",
					       "dev" };

	for (size_t i = 0; i + 1 < command->count; ++i)
		if (is_any(command->words[i].text, options, ELEMENTS(options)) &&
		    is_wg_number(command->words[i + 1].text))
			return &command->words[i + 1];
	return NULL;
}

static const struct hook_word *first_interface(const struct hook *hook)
{
	const struct hook_word *word = NULL;

	for (size_t k = 0; !word && k < hook->command_count; ++k)
		word = interface_word(&hook->commands[k]);
	return word;
}

static void say_another(struct check *c, const struct check_tunnel *t, struct place at,
			const char *name)
{
	struct finding *f = check_say(c, "hook-interface", DIAG_WARNING, at);

	finding_cause(f,
		      "this file makes the interface %s, and its hooks name %s only: they do "
		      "nothing for this tunnel",
		      t->t->name, name);
	finding_fix(f, "write %%i, which is always the own interface");
}

static void hook_names_another(struct check *c, const struct check_tunnel *t)
{
	if (!is_wg_number(t->t->name) || check_hooks_name(t, t->t->name) ||
	    check_hooks_name(t, "%i"))
		return;
	for (size_t kind = 0; kind < TUNNEL_HOOKS; ++kind)
		for (size_t i = 0; i < t->t->hooks[kind].count; ++i) {
			const struct hook_word *word = first_interface(&t->hooks[kind][i]);

			if (!word)
				continue;
			say_another(c, t, word_place(t, kind, i, word), word->text);
			return; /* once is enough */
		}
}

/* D5 */

static bool appends_accept(const struct hook_command *command)
{
	const struct hook_word *chain = hook_option(command, "-A", "--append");
	const struct hook_word *target = hook_option(command, "-j", "--jump");

	return hook_is_iptables(command) && chain && target &&
	       (strcmp(chain->text, "FORWARD") == 0 || strcmp(chain->text, "INPUT") == 0) &&
	       strcmp(target->text, "ACCEPT") == 0;
}

static void accept_at_the_end(struct check *c, const struct check_tunnel *t)
{
	for (size_t i = 0; i < t->t->hooks[TUNNEL_POST_UP].count; ++i) {
		const struct hook *hook = &t->hooks[TUNNEL_POST_UP][i];

		for (size_t k = 0; k < hook->command_count; ++k) {
			const struct hook_command *command = &hook->commands[k];
			struct finding *f;

			if (!appends_accept(command))
				continue;
			f = check_say(c, "D5", DIAG_NOTE,
				      word_place(t, TUNNEL_POST_UP, i, &command->words[0]));
			finding_cause(f,
				      "-A puts the rule at the end of the chain: where a REJECT or "
				      "DROP rule stands before it, as on some cloud images, it is "
				      "never reached");
			finding_fix(f, "-I puts it first");
			return;
		}
	}
}

/* half-kill-switch */

static const struct hook_word *kill_switch_word(const struct hook_command *command)
{
	const struct hook_word *target = hook_option(command, "-j", "--jump");

	if (!hook_is(&command->words[0], "iptables") || !hook_has_word(command, "OUTPUT") ||
	    !hook_has_word(command, "!") || !hook_option(command, "-o", "--out-interface") ||
	    !target)
		return NULL;
	return strcmp(target->text, "REJECT") == 0 || strcmp(target->text, "DROP") == 0
		       ? &command->words[0]
		       : NULL;
}

static void kill_switch_v4_only(struct check *c, const struct check_tunnel *t)
{
	if (check_hooks_name(t, "ip6tables") || check_hooks_name(t, "nft") ||
	    check_hooks_name(t, "disable_ipv6"))
		return;
	for (size_t kind = TUNNEL_PRE_UP; kind <= TUNNEL_POST_UP; ++kind)
		for (size_t i = 0; i < t->t->hooks[kind].count; ++i) {
			const struct hook *hook = &t->hooks[kind][i];

			for (size_t k = 0; k < hook->command_count; ++k) {
				const struct hook_word *word = kill_switch_word(&hook->commands[k]);
				struct finding *f;

				if (!word || !is_understood(&hook->commands[k]))
					continue;
				f = check_say(c, "half-kill-switch", DIAG_WARNING,
					      word_place(t, kind, i, word));
				finding_cause(
					f, "this holds back IPv4 only: iptables never sees IPv6, "
					   "which leaves as if the rule were not there");
				finding_fix(f,
					    "add the same rule with ip6tables, and its undo to the "
					    "way down");
				return;
			}
		}
}

const struct rule rules_hooks[] = {
	{ "D5", "an ACCEPT at the end of a chain", RULE_FILE, DIAG_NOTE, accept_at_the_end },
	{ "hook-undo", "a hook that nothing undoes", RULE_FILE, DIAG_WARNING, hook_not_undone },
	{ "hook-interface", "hooks for another interface", RULE_FILE, DIAG_WARNING,
	  hook_names_another },
	{ "half-kill-switch", "a kill switch for IPv4 only", RULE_FILE, DIAG_WARNING,
	  kill_switch_v4_only },
};
const size_t rules_hooks_count = ELEMENTS(rules_hooks);
