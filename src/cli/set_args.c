#include "cli/set_args.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/text.h"
#include "cli/key_file.h"
#include "config/value.h"

/* The words, what follows them, and where they may stand: before the first peer or behind it. */
static const struct word {
	const char *name;
	enum keys_id id; /* KEYS_UNKNOWN: remove, which has no value */
	bool of_peer;
	bool is_file; /* the value is the path of a key */
} words[] = {
	{ "listen-port", KEYS_LISTEN_PORT, false, false },
	{ "fwmark", KEYS_FWMARK, false, false },
	{ "private-key", KEYS_PRIVATE_KEY, false, true },
	{ "remove", KEYS_UNKNOWN, true, false },
	{ "endpoint", KEYS_ENDPOINT, true, false },
	{ "allowed-ips", KEYS_ALLOWED_IPS, true, false },
	{ "persistent-keepalive", KEYS_KEEPALIVE, true, false },
	{ "preshared-key", KEYS_PRESHARED_KEY, true, true },
};

/* Who gives the key itself in the place of its file must not read it in a log. */
static const char *hint_of_path(const char *path)
{
	const size_t len = strlen(path), whole = TEXT_KEY_BASE64 - 1;

	return len <= whole && value_holds_key(path, len)
		       ? "a file that holds the key is wanted here, not the key"
		       : path;
}

static bool read_key(const struct settings *s, const char *path, uint8_t ret[static KEY_LEN])
{
	char trailing = '\0';

	switch (key_file_read(path, ret, &trailing)) {
	case KEY_FILE_OK:
		return true;
	case KEY_FILE_NO_OPEN:
		settings_say(s, 0, hint_of_path(path), "fopen: %s", strerror(errno));
		break;
	case KEY_FILE_LENGTH:
		settings_say(s, 0, path, "Invalid length key in key file");
		break;
	case KEY_FILE_TRAILING:
		settings_say(s, 0, path, "Found trailing character in key file: `%c'", trailing);
		break;
	case KEY_FILE_NO_READ:
		settings_say(s, 0, path, "getc: %s", strerror(errno));
		break;
	case KEY_FILE_FORMAT:
		settings_say(s, 0, path, "Key is not the correct length or format: `(hidden)'");
		break;
	}
	return false;
}

void set_args_init(struct set_args *s)
{
	*s = (struct set_args){ .read_key = read_key };
	resolver_init(&s->settings.resolver);
}

static bool set_from_file(const struct set_args *s, const struct word *w, const char *path,
			  struct model *m)
{
	struct model_peer *p = w->of_peer ? &m->peers[m->peer_count - 1] : NULL;

	if (!s->read_key(&s->settings, path, p ? p->preshared_key.bytes : m->private_key.bytes))
		return false;
	if (p)
		p->has_preshared_key = true;
	else
		m->has_private_key = true;
	return true;
}

/* Blanks between addresses are fine here; anywhere else they are wrong. */
static bool set_allowed(const struct set_args *s, struct model *m, const char *value)
{
	const size_t len = strlen(value);
	char *text = calloc(1, len + 1);
	bool ok = false;
	size_t kept;

	if (!text)
		settings_say(&s->settings, 0, NULL, "Out of memory");
	else if (value_strip(value, len, text, len, &kept))
		ok = settings_apply(&s->settings, m, KEYS_ALLOWED_IPS, text) == SETTINGS_DONE;
	free(text);
	return ok;
}

static bool set_value(const struct set_args *s, const struct word *w, const char *value,
		      struct model *m)
{
	if (w->is_file)
		return set_from_file(s, w, value, m);
	if (w->id == KEYS_ALLOWED_IPS)
		return set_allowed(s, m, value);
	return settings_apply(&s->settings, m, w->id, value) == SETTINGS_DONE;
}

static bool add_peer(const struct set_args *s, struct model *m, const char *key)
{
	if (model_add_peer(m))
		return settings_apply(&s->settings, m, KEYS_PUBLIC_KEY, key) == SETTINGS_DONE;
	settings_say(&s->settings, 0, NULL, "Out of memory");
	return false;
}

static const struct word *find(const char *name)
{
	for (size_t i = 0; i < ELEMENTS(words); ++i)
		if (strcmp(words[i].name, name) == 0)
			return &words[i];
	return NULL;
}

static bool wrong_word(const struct set_args *s, const char *word)
{
	const struct word *known = find(word);
	const char *hint = "wg set tells which words there are";

	if (known)
		hint = known->of_peer ? "it comes behind a peer, with its value"
				      : "it comes before the first peer, with its value";
	settings_say(&s->settings, 0, hint, "Invalid argument: %s", word);
	return false;
}

/* One word with its value; *at moves behind them. */
static bool take(struct set_args *s, int argc, char *const argv[], int *at, struct model *m)
{
	const char *name = argv[*at], *value = *at + 1 < argc ? argv[*at + 1] : NULL;
	const struct word *w = find(name);

	s->at = (size_t)*at;
	if (value && strcmp(name, "peer") == 0) {
		*at += 2;
		++s->at;
		return add_peer(s, m, value);
	}
	if (w && w->id == KEYS_UNKNOWN && m->peer_count) {
		m->peers[m->peer_count - 1].remove = true;
		*at += 1;
		return true;
	}
	if (!w || w->id == KEYS_UNKNOWN || !value || w->of_peer != (m->peer_count > 0))
		return wrong_word(s, name);
	*at += 2;
	++s->at;
	return set_value(s, w, value, m);
}

/* Who is removed has no use for anything else; and wg(8) sends nothing else of it. */
static void strip_removed(struct model *m)
{
	for (size_t i = 0; i < m->peer_count; ++i) {
		struct model_peer *p = &m->peers[i];

		if (!p->remove)
			continue;
		p->has_preshared_key = p->has_endpoint = p->has_keepalive = false;
		p->replace_allowed = false;
		p->allowed_count = 0;
	}
}

bool set_args_parse(struct set_args *s, int argc, char *const argv[], struct model *ret)
{
	int at = 0;

	while (at < argc)
		if (!take(s, argc, argv, &at, ret))
			return false;
	strip_removed(ret);
	return true;
}
