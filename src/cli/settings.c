#include "cli/settings.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/text.h"
#include "config/value.h"

#define RETRIES "WG_ENDPOINT_RESOLUTION_RETRIES"

static const char *const want_port = "a number up to 65535, or the name of a UDP service";
static const char *const want_endpoint = "HOST:PORT, or [2001:db8::1]:PORT";
static const char *const want_prefix = "addresses as 10.0.0.0/8 or fd00::/8, with commas between";

void settings_say(const struct settings *s, size_t at, const char *hint, const char *format, ...)
{
	char *words = NULL;
	va_list args;
	int len;

	va_start(args, format);
	len = vasprintf(&words, format, args);
	va_end(args);
	if (len >= 0)
		s->say(s->ctx, at, words, hint);
	else
		s->say(s->ctx, at, "Out of memory", NULL);
	if (len >= 0)
		free(words);
}

static enum settings_outcome out_of_memory(const struct settings *s)
{
	settings_say(s, 0, NULL, "Out of memory");
	return SETTINGS_WRONG;
}

static enum settings_outcome set_port(const struct settings *s, struct model *m, const char *value)
{
	const char *reason;
	uint16_t port;

	if (!value[0]) {
		settings_say(s, 0, want_port, "Unable to parse empty port");
		return SETTINGS_WRONG;
	}
	if (value_port(value, strlen(value), &port) != VALUE_OK &&
	    resolve_port(&s->resolver, value, &port, &reason) < 0) {
		settings_say(s, 0, want_port, "%s: `%s'", reason, value);
		return SETTINGS_WRONG;
	}
	m->listen_port = port;
	m->has_listen_port = true;
	return SETTINGS_DONE;
}

static enum settings_outcome set_fwmark(const struct settings *s, struct model *m,
					const char *value)
{
	if (value_fwmark(value, strlen(value), &m->fwmark) != VALUE_OK) {
		settings_say(s, 0, "a number below 2^32, decimal or 0x with hex digits, or off",
			     "Fwmark is neither 0/off nor 0-0xffffffff: `%s'", value);
		return SETTINGS_WRONG;
	}
	m->has_fwmark = true;
	return SETTINGS_DONE;
}

static enum settings_outcome set_key(const struct settings *s, uint8_t ret[static KEY_LEN],
				     bool is_secret, const char *value)
{
	if (value_key(value, strlen(value), ret) == VALUE_OK)
		return SETTINGS_DONE;
	settings_say(s, 0, "44 characters as genkey or pubkey prints them, = at the end",
		     "Key is not the correct length or format: `%s'",
		     is_secret && value[0] ? "(hidden)" : value);
	return SETTINGS_WRONG;
}

static enum settings_outcome set_keepalive(const struct settings *s, struct model_peer *p,
					   const char *value)
{
	if (value_keepalive(value, strlen(value), &p->keepalive) != VALUE_OK) {
		settings_say(s, 0, "seconds up to 65535, or off",
			     "Persistent keepalive interval is neither 0/off nor 1-65535: `%s'",
			     value);
		return SETTINGS_WRONG;
	}
	p->has_keepalive = true;
	return SETTINGS_DONE;
}

/* What is being resolved, for the words before each wait. */
struct attempt {
	const struct settings *settings;
	const char *value;
};

static void say_again(void *ctx, const char *reason, double seconds)
{
	const struct attempt *a = ctx;

	settings_say(a->settings, 0, NULL, "%s: `%s'. Trying again in %.2f seconds...", reason,
		     a->value, seconds);
}

static enum settings_outcome resolve(const struct settings *s, struct model_peer *p,
				     const char *value, const char *host, const char *port)
{
	struct attempt attempt = { s, value };
	struct resolver r = s->resolver;
	const char *reason;

	r.again = say_again;
	r.ctx = &attempt;
	if (resolve_endpoint(&r, host, port, &p->endpoint, &reason) < 0) {
		settings_say(s, 0, "a name or address that this host can resolve", "%s: `%s'",
			     reason, value);
		return SETTINGS_WRONG;
	}
	p->has_endpoint = true;
	return SETTINGS_DONE;
}

static enum settings_outcome endpoint_wrong(const struct settings *s, enum value_error error,
					    const char *value)
{
	if (error == VALUE_EMPTY)
		settings_say(s, 0, want_endpoint, "Unable to parse empty endpoint");
	else if (error == VALUE_ENDPOINT_BRACKET)
		settings_say(s, 0, want_endpoint, "Unable to find matching brace of endpoint: `%s'",
			     value);
	else
		settings_say(s, 0, want_endpoint, "Unable to find port of endpoint: `%s'", value);
	return SETTINGS_WRONG;
}

/* The variable is looked at wherever an endpoint is, even a numeric one, and before that. */
static enum settings_outcome set_endpoint(const struct settings *given, struct model_peer *p,
					  const char *value)
{
	const char *retries = getenv(RETRIES);
	struct settings s = *given;
	struct value_endpoint parts;
	enum settings_outcome outcome = SETTINGS_WRONG;
	enum value_error error;
	char *host, *port;

	if (resolve_retries(retries, &s.resolver.retries) < 0) {
		settings_say(&s, 0, "a number, or infinity", "Unable to parse " RETRIES ": `%s'",
			     retries);
		return SETTINGS_END;
	}
	error = value_endpoint(value, strlen(value), &parts);
	if (error != VALUE_OK)
		return endpoint_wrong(&s, error, value);
	host = strndup(parts.host, parts.host_len);
	port = strndup(parts.port, parts.port_len);
	if (host && port)
		outcome = resolve(&s, p, value, host, port);
	else
		(void)out_of_memory(&s);
	free(port);
	free(host);
	return outcome;
}

/* With the address as it was written, as wg(8) shows it. */
static void warn_of_host_bits(const struct settings *s, size_t at, const char *item, size_t len,
			      const struct value_allowed *allowed)
{
	const struct prefix *prefix = &allowed->prefix;
	const size_t sign = allowed->sign != 0;
	struct prefix masked = *prefix;
	char right[TEXT_PREFIX], hint[TEXT_PREFIX + 16];

	prefix_mask(&masked);
	if (ip_equal(&masked.ip, &prefix->ip))
		return;
	text_from_prefix(&masked, right);
	(void)snprintf(hint, sizeof(hint), "that is %s", right); /* fits */
	settings_say(s, at, hint, "Warning: AllowedIP has nonzero host part: %.*s",
		     (int)(len - sign), item + sign);
}

/* An item of the list that is wrong: the address, or what follows its slash. */
static void say_wrong_item(const struct settings *s, size_t at, enum value_error error,
			   const char *item, size_t len)
{
	const size_t sign = len && (item[0] == '+' || item[0] == '-');
	const char *slash = memchr(item, '/', len);

	if (error == VALUE_BITS) {
		settings_say(s, at, want_prefix, "AllowedIP is not in the correct format: `%.*s'",
			     (int)len, item);
		return;
	}
	len = (slash ? (size_t)(slash - item) : len) - sign;
	settings_say(s, at + sign, want_prefix, "Unable to parse IP address: `%.*s'", (int)len,
		     item + sign);
}

static enum settings_outcome add_allowed(const struct settings *s, struct model_peer *p, size_t at,
					 const char *item, size_t len)
{
	struct value_allowed allowed;
	const enum value_error error = value_allowed(item, len, &allowed);

	if (error != VALUE_OK) {
		say_wrong_item(s, at, error, item, len);
		return SETTINGS_WRONG;
	}
	if (allowed.sign)
		p->replace_allowed = false;
	warn_of_host_bits(s, at, item, len, &allowed);
	return model_add_allowed(p, &allowed.prefix, allowed.sign == '-') ? SETTINGS_DONE
									  : out_of_memory(s);
}

/* Each list asks for all others to go; a single sign in it takes that back (behaviour.md A.5). */
static enum settings_outcome set_allowed(const struct settings *s, struct model_peer *p,
					 const char *value)
{
	struct value_list list = { .text = value, .len = strlen(value) };
	enum settings_outcome outcome = SETTINGS_DONE;
	const char *item;
	size_t len;

	p->replace_allowed = true;
	if (!value[0])
		return SETTINGS_DONE;
	while (outcome == SETTINGS_DONE && value_next(&list, &item, &len))
		outcome = add_allowed(s, p, (size_t)(item - value), item, len);
	return outcome;
}

enum settings_outcome settings_apply(const struct settings *s, struct model *m, enum keys_id id,
				     const char *value)
{
	struct model_peer *p = m->peer_count ? &m->peers[m->peer_count - 1] : NULL;
	enum settings_outcome outcome = SETTINGS_WRONG;

	if (id == KEYS_LISTEN_PORT)
		return set_port(s, m, value);
	if (id == KEYS_FWMARK)
		return set_fwmark(s, m, value);
	if (id == KEYS_PRIVATE_KEY) {
		outcome = set_key(s, m->private_key.bytes, true, value);
		m->has_private_key |= outcome == SETTINGS_DONE;
	} else if (p && id == KEYS_PUBLIC_KEY) {
		outcome = set_key(s, p->public_key.bytes, false, value);
	} else if (p && id == KEYS_PRESHARED_KEY) {
		outcome = set_key(s, p->preshared_key.bytes, true, value);
		p->has_preshared_key |= outcome == SETTINGS_DONE;
	} else if (p && id == KEYS_ENDPOINT) {
		outcome = set_endpoint(s, p, value);
	} else if (p && id == KEYS_ALLOWED_IPS) {
		outcome = set_allowed(s, p, value);
	} else if (p && id == KEYS_KEEPALIVE) {
		outcome = set_keepalive(s, p, value);
	}
	return outcome;
}
