#ifndef CONFIG_HOOK_H
#define CONFIG_HOOK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

/*
 * A hook's text taken apart into commands and words, as far as a rule needs it. It is no shell:
 * quotes, $(…), <(…) and `…` are kept as they stand in their word, nothing is expanded and nothing
 * is run. Commands end at ; & | && || and line breaks. Owns a copy of the text.
 */
struct hook_word {
	const char *text; /* NUL-terminated */
	size_t at;        /* offset in the hook's text */
};

struct hook_command {
	const struct hook_word *words;
	size_t count; /* at least 1 */
};

struct hook {
	char *copy;
	size_t len;
	struct hook_word *words;
	size_t word_count;
	struct hook_command *commands;
	size_t command_count;
};

/* False: no memory; ret is empty then. */
MUST_CHECK bool hook_parse(const char *text, size_t len, struct hook *ret);
void hook_done(struct hook *h);

/* The word without its folders is this program: "/sbin/ip" is "ip". */
bool hook_is(const struct hook_word *word, const char *program);
/* iptables or ip6tables, whatever the back end. */
bool hook_is_iptables(const struct hook_command *c);
/* The word after the first one that is a or b; NULL: there is none. b may be NULL. */
const struct hook_word *hook_option(const struct hook_command *c, const char *a, const char *b);
bool hook_has_word(const struct hook_command *c, const char *word);

#endif
