#include "config/hook.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

struct reader {
	const char *text;
	size_t len;
	size_t at;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool is_end(char c)
{
	return c == ';' || c == '&' || c == '|' || c == '\n';
}

/* Behind the bracket or quote that closes the one at r->at, or at the end of the text. */
static void skip_quoted(struct reader *r)
{
	const char open = r->text[r->at++];
	const char close = open == '(' ? ')' : open;
	unsigned int depth = 1;

	for (; r->at < r->len && depth > 0; ++r->at) {
		const char c = r->text[r->at];

		if (c == '\\' && open != '\'' && r->at + 1 < r->len)
			++r->at;
		else if (c == close)
			--depth;
		else if (c == open) /* only brackets: a quote is closed by the same sign */
			++depth;
	}
}

static void skip_word(struct reader *r)
{
	while (r->at < r->len && !is_blank(r->text[r->at]) && !is_end(r->text[r->at])) {
		const char c = r->text[r->at];

		if (c == '\'' || c == '"' || c == '`' || c == '(')
			skip_quoted(r);
		else if (c == '\\' && r->at + 1 < r->len)
			r->at += 2;
		else
			++r->at;
	}
}

/* One command more than there are ends, and no more words than bytes. */
static bool make_room(struct hook *h, const char *text, size_t len)
{
	size_t ends = 0;

	for (size_t i = 0; i < len; ++i)
		ends += is_end(text[i]);
	h->copy = calloc(1, len + 1);
	h->words = calloc(len / 2 + 1, sizeof(*h->words));
	h->commands = calloc(ends + 1, sizeof(*h->commands));
	return h->copy && h->words && h->commands;
}

static void take_word(struct hook *h, struct reader *r)
{
	const size_t at = r->at;

	skip_word(r);
	h->words[h->word_count++] = (struct hook_word){ .text = h->copy + at, .at = at };
}

static void end_command(struct hook *h, size_t first)
{
	if (h->word_count == first)
		return;
	h->commands[h->command_count++] = (struct hook_command){
		.words = h->words + first,
		.count = h->word_count - first,
	};
}

bool hook_parse(const char *text, size_t len, struct hook *ret)
{
	struct reader r = { .text = text, .len = len };
	size_t first = 0;

	*ret = (struct hook){ 0 };
	if (!make_room(ret, text, len)) {
		hook_done(ret);
		return false;
	}
	memcpy(ret->copy, text, len);
	ret->len = len;
	while (r.at < len) {
		if (is_blank(text[r.at])) {
			ret->copy[r.at++] = '\0';
		} else if (is_end(text[r.at])) {
			ret->copy[r.at++] = '\0';
			end_command(ret, first);
			first = ret->word_count;
		} else if (text[r.at] == '#') {
			ret->copy[r.at] = '\0';
			break; /* a comment, to the shell: hooks are one line */
		} else {
			take_word(ret, &r);
		}
	}
	end_command(ret, first);
	return true;
}

void hook_done(struct hook *h)
{
	if (h->copy)
		explicit_bzero(h->copy, h->len); /* people write keys into hooks */
	free(h->copy);
	free(h->words);
	free(h->commands);
	*h = (struct hook){ 0 };
}

bool hook_is(const struct hook_word *word, const char *program)
{
	const char *slash = strrchr(word->text, '/');

	return strcmp(slash ? slash + 1 : word->text, program) == 0;
}

bool hook_is_iptables(const struct hook_command *c)
{
	static const char *const names[] = {
		"iptables",      "ip6tables",       "iptables-nft",
		"ip6tables-nft", "iptables-legacy", "ip6tables-legacy"
	};

	for (size_t i = 0; i < ELEMENTS(names); ++i)
		if (hook_is(&c->words[0], names[i]))
			return true;
	return false;
}

const struct hook_word *hook_option(const struct hook_command *c, const char *a, const char *b)
{
	for (size_t i = 0; i + 1 < c->count; ++i)
		if (strcmp(c->words[i].text, a) == 0 || (b && strcmp(c->words[i].text, b) == 0))
			return &c->words[i + 1];
	return NULL;
}

bool hook_has_word(const struct hook_command *c, const char *word)
{
	for (size_t i = 0; i < c->count; ++i)
		if (strcmp(c->words[i].text, word) == 0)
			return true;
	return false;
}
