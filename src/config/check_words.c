#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "config/check_private.h"

/* The small questions that many rules ask. */

struct place check_place(const struct check_tunnel *t, const struct span *span)
{
	return (struct place){ t->t->path, span->line, span->column, span->length };
}

struct place check_peer_place(const struct check_tunnel *t, size_t peer)
{
	const struct tunnel_peer *p = &t->t->peers[peer];

	return check_place(t, span_is_set(&p->public_key) ? &p->public_key : &p->at);
}

struct finding *check_say(struct check *c, const char *id, enum diag_severity severity,
			  struct place at)
{
	return findings_add(c->findings, id, severity, at);
}

const char *check_peer_name(const struct check_tunnel *t, size_t peer, char ret[static CHECK_NAME])
{
	const struct tunnel_peer *p = &t->t->peers[peer];
	const unsigned int line = p->at.line;

	if (p->name.text && strlen(p->name.text) < CHECK_NAME / 2)
		(void)snprintf(ret, CHECK_NAME, "the peer `%s' (line %u)", p->name.text, line);
	else
		(void)snprintf(ret, CHECK_NAME, "the peer of line %u", line);
	return ret;
}

static size_t folder_length(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? (size_t)(slash - path) : 0;
}

static bool ends_with(const char *text, size_t len, const char *end)
{
	const size_t end_len = strlen(end);

	return len >= end_len && memcmp(text + len - end_len, end, end_len) == 0;
}

bool check_same_host(const struct check_tunnel *a, const struct check_tunnel *b)
{
	const size_t len = folder_length(a->t->path);

	return len > 0 && len == folder_length(b->t->path) &&
	       memcmp(a->t->path, b->t->path, len) == 0 &&
	       ends_with(a->t->path, len, "etc/wireguard");
}

bool check_makes_routes(const struct check_tunnel *t)
{
	const struct tunnel *tunnel = t->t;

	return tunnel->table == TUNNEL_TABLE_AUTO ||
	       (tunnel->table == TUNNEL_TABLE_NUMBER && tunnel->table_number == 254) ||
	       (tunnel->table == TUNNEL_TABLE_NAME && strcmp(tunnel->table_name, "main") == 0);
}

bool check_hooks_have(const struct check_tunnel *t, const char *program, const char *word)
{
	for (size_t kind = 0; kind < TUNNEL_HOOKS; ++kind)
		for (size_t i = 0; i < t->t->hooks[kind].count; ++i) {
			const struct hook *hook = &t->hooks[kind][i];

			for (size_t k = 0; k < hook->command_count; ++k)
				if (hook_is(&hook->commands[k].words[0], program) &&
				    (!word || hook_has_word(&hook->commands[k], word)))
					return true;
		}
	return false;
}

bool check_hooks_set(const struct check_tunnel *t, const char *word)
{
	return check_hooks_have(t, "wg", word) || check_hooks_have(t, "wg", "addconf") ||
	       check_hooks_have(t, "wg", "setconf") || check_hooks_have(t, "wg", "syncconf");
}

bool check_hooks_name(const struct check_tunnel *t, const char *text)
{
	for (size_t kind = 0; kind < TUNNEL_HOOKS; ++kind)
		for (size_t i = 0; i < t->t->hooks[kind].count; ++i)
			if (strstr(t->t->hooks[kind].rows[i].text, text))
				return true;
	return false;
}

bool check_is_private(const struct ip *ip)
{
	static const struct prefix prefixes[] = {
		{ { FAMILY_V4, { 10 } }, 8 },        { { FAMILY_V4, { 172, 16 } }, 12 },
		{ { FAMILY_V4, { 192, 168 } }, 16 }, { { FAMILY_V4, { 100, 64 } }, 10 },
		{ { FAMILY_V6, { 0xfc } }, 7 },
	};

	for (size_t i = 0; i < ELEMENTS(prefixes); ++i)
		if (prefix_has(&prefixes[i], ip))
			return true;
	return false;
}
