#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "control/uapi.h"

enum { HEX = 2 * KEY_LEN };

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, KEY_LEN);
}

static bool is_among(const char *hex, const struct key_public *peers, size_t count)
{
	char text[TEXT_KEY_HEX] = { 0 };
	struct key_public key;

	memcpy(text, hex, HEX);
	return text_hex_to_bytes(text, key.bytes, KEY_LEN) &&
	       bsearch(&key, peers, count, sizeof(key), compare);
}

/* The value of a line of that name and of a key's length; else NULL. */
static char *value_of(char *line, size_t len, const char *name)
{
	const size_t n = strlen(name);

	return len == n + HEX && memcmp(line, name, n) == 0 ? line + n : NULL;
}

void uapi_wipe_psks(uint8_t *text, size_t len, const struct key_public *peers, size_t count)
{
	char *at = (char *)text;
	char *const end = at + len;
	bool is_wanted = false;

	while (at < end) {
		char *const newline = memchr(at, '\n', (size_t)(end - at));
		const size_t n = (size_t)((newline ? newline : end) - at);
		char *value = value_of(at, n, "public_key=");

		if (value)
			is_wanted = !peers || is_among(value, peers, count);
		value = value_of(at, n, "preshared_key=");
		if (value && is_wanted)
			memset(value, '0', HEX);
		at += n + 1;
	}
}
