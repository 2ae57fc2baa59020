/*
 * Words of wg set, one a line. Either it is said what is wrong, or the patch is one that UAPI can
 * carry: written and parsed it is the same again. Key files and names are made up here.
 */
#include "cli/set_args.h"

#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "control/uapi.h"

enum { WORDS_MAX = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void require(bool condition)
{
	if (!condition)
		__builtin_trap();
}

static void say(void *ctx, size_t at, const char *words, const char *hint)
{
	size_t *said = ctx;

	(void)at;
	require(words[0] && (!hint || hint[0]));
	*said += strncmp(words, "Warning: ", 9) != 0;
}

static bool read_key(const struct settings *s, const char *path, uint8_t ret[static KEY_LEN])
{
	if (path[0] == '!') {
		settings_say(s, 0, NULL, "no");
		return false;
	}
	memset(ret, path[0], KEY_LEN);
	return true;
}

/* Numbers are left to the system, no name is known. */
static int lookup(const char *host, const char *service, const struct addrinfo *hints,
		  struct addrinfo **ret)
{
	struct addrinfo numeric = *hints;

	numeric.ai_flags |= AI_NUMERICHOST | AI_NUMERICSERV;
	return getaddrinfo(host, service, &numeric, ret);
}

static void never(void *ctx, unsigned int microseconds)
{
	(void)ctx;
	(void)microseconds;
}

/* What UAPI itself refuses or masks, wg sends as it is given. */
static bool is_plain(const struct model *m)
{
	for (size_t i = 0; i < m->peer_count; ++i) {
		const struct model_peer *p = &m->peers[i];

		if (p->has_endpoint && (!p->endpoint.port || p->endpoint.scope))
			return false;
		for (size_t k = 0; k < p->allowed_count; ++k)
			if (!prefix_has(&p->allowed[k].prefix, &p->allowed[k].prefix.ip))
				return false;
	}
	return true;
}

static void require_carried(const struct model *patch)
{
	struct buffer sent, again;
	struct uapi_parser p;
	size_t used;

	buffer_init(&sent);
	buffer_init(&again);
	uapi_parser_init(&p);
	uapi_write_patch(&sent, patch);
	require(buffer_ok(&sent));
	if (is_plain(patch)) {
		require(uapi_parse(&p, sent.bytes, sent.len, &used) == UAPI_SET);
		require(used == sent.len && p.patch.peer_count == patch->peer_count);
		uapi_write_patch(&again, &p.patch);
		require(again.len == sent.len && memcmp(again.bytes, sent.bytes, sent.len) == 0);
	}
	uapi_parser_done(&p);
	buffer_done(&again);
	buffer_done(&sent);
}

static void parse(int argc, char *const argv[])
{
	size_t said = 0;
	struct set_args args;
	struct model patch;
	bool ok;

	model_init(&patch);
	set_args_init(&args);
	args.read_key = read_key;
	args.settings.resolver.lookup = lookup;
	args.settings.resolver.wait = never;
	args.settings.say = say;
	args.settings.ctx = &said;
	ok = set_args_parse(&args, argc, argv, &patch);
	require(ok == !said);
	if (ok)
		require_carried(&patch);
	model_done(&patch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *text = malloc(len + 1), *argv[WORDS_MAX + 1], *rest = text;
	int argc = 0;

	require(text);
	if (len)
		memcpy(text, data, len);
	text[len] = '\0';
	while (rest && argc < WORDS_MAX)
		argv[argc++] = strsep(&rest, "\n");
	argv[argc] = NULL;
	parse(argc, argv);
	free(text);
	return 0;
}
