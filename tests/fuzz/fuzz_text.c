#include "base/text.h"

#include <stdlib.h>
#include <string.h>

/*
 * Parse, format, parse: the same value; format again: the same text. No parser takes what its
 * size constant has no room for, and every parser gets a block of the exact size.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check(bool holds)
{
	if (!holds)
		__builtin_trap();
}

static void check_hex(const char *text)
{
	const size_t len = strlen(text) / 2;
	uint8_t *bytes = malloc(len + 1);
	char *again = malloc(2 * len + 1);

	check(bytes && again);
	if (text_hex_to_bytes(text, bytes, len)) {
		text_hex_from_bytes(bytes, len, again);
		check(strlen(again) == 2 * len);
		for (size_t i = 0; i < 2 * len; ++i)
			check(again[i] == text[i] || again[i] == (text[i] | 0x20));
	}
	free(again);
	free(bytes);
}

static void check_key(const char *text)
{
	char again[TEXT_KEY_BASE64];
	uint8_t key[KEY_LEN];

	if (!text_base64_to_key(text, key))
		return;
	text_base64_from_key(key, again);
	check(strcmp(again, text) == 0);
}

static void check_uint(const char *text)
{
	uint64_t value, same;

	if (!text_to_uint(text, UINT64_MAX, &value))
		return;
	check(strtoull(text, NULL, 10) == value);
	check(text_to_uint(text, value, &same) && same == value);
	check(value == 0 || !text_to_uint(text, value - 1, &same));
}

static void check_ip(const char *text)
{
	char again[TEXT_IP], third[TEXT_IP];
	struct ip a, b;

	if (!text_to_ip(text, &a))
		return;
	text_from_ip(&a, again);
	check(strlen(text) < TEXT_IP && text_to_ip(again, &b) && ip_equal(&a, &b));
	text_from_ip(&b, third);
	check(strcmp(again, third) == 0);
}

static void check_prefix(const char *text)
{
	char again[TEXT_PREFIX];
	struct prefix a, b;

	if (!text_to_prefix(text, &a))
		return;
	check(a.bits <= ip_bits(&a.ip));
	text_from_prefix(&a, again);
	check(text_to_prefix(again, &b) && ip_equal(&a.ip, &b.ip) && a.bits == b.bits);
	prefix_mask(&a);
	check(prefix_has(&a, &b.ip));
}

static void check_endpoint(const char *text)
{
	char again[TEXT_ENDPOINT];
	struct endpoint a, b;

	if (!text_to_endpoint(text, &a))
		return;
	check(endpoint_is_set(&a) && a.port != 0);
	text_from_endpoint(&a, again);
	check(text_to_endpoint(again, &b) && endpoint_equal(&a, &b));
}

static void check_name(const char *text)
{
	if (!text_is_interface_name(text))
		return;
	check(strlen(text) >= 1 && strlen(text) <= 15 && !strpbrk(text, "/ \t\r\n%:"));
	check(strcmp(text, ".") != 0 && strcmp(text, "..") != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *text = malloc(len + 1);

	check(text);
	if (len > 0)
		memcpy(text, data, len);
	text[len] = '\0';
	check_hex(text);
	check_key(text);
	check_uint(text);
	check_ip(text);
	check_prefix(text);
	check_endpoint(text);
	check_name(text);
	free(text);
	return 0;
}
