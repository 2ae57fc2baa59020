#include "base/text.h"

#include <arpa/inet.h>
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/zone.h"

/*
 * Masks are all ones for true, zero for false. Arithmetic instead of comparisons, because a
 * compiler may turn a comparison into a branch.
 */
static uint32_t mask_in(uint32_t c, uint32_t low, uint32_t high)
{
	return 0 - (((low - 1 - c) & (c - high - 1)) >> 31);
}

/* Volatile: clang sees a choice in what is done with this mask, and branches. */
static uint32_t mask_nonzero(uint32_t x)
{
	const volatile uint32_t mask = 0 - ((x | (0 - x)) >> 31);

	return mask;
}

/* 0..15; a byte that is no digit sets higher bits. */
static uint32_t hex_value(char digit)
{
	const uint32_t c = (unsigned char)digit;
	const uint32_t decimal = mask_in(c, '0', '9');
	const uint32_t lower = mask_in(c, 'a', 'f');
	const uint32_t upper = mask_in(c, 'A', 'F');

	return (decimal & (c - '0')) | (lower & (c - 'a' + 10)) | (upper & (c - 'A' + 10)) |
	       (~(decimal | lower | upper) & 0x100);
}

static char hex_digit(uint32_t value)
{
	return (char)(value + '0' + (mask_in(value, 10, 15) & ('a' - '0' - 10)));
}

/* 0..63; a byte outside the alphabet sets higher bits. */
static uint32_t base64_value(char digit)
{
	const uint32_t c = (unsigned char)digit;
	const uint32_t upper = mask_in(c, 'A', 'Z');
	const uint32_t lower = mask_in(c, 'a', 'z');
	const uint32_t decimal = mask_in(c, '0', '9');
	const uint32_t plus = mask_in(c, '+', '+');
	const uint32_t slash = mask_in(c, '/', '/');

	return (upper & (c - 'A')) | (lower & (c - 'a' + 26)) | (decimal & (c - '0' + 52)) |
	       (plus & 62) | (slash & 63) | (~(upper | lower | decimal | plus | slash) & 0x100);
}

static char base64_digit(uint32_t value)
{
	return (char)((mask_in(value, 0, 25) & (value + 'A')) |
		      (mask_in(value, 26, 51) & (value - 26 + 'a')) |
		      (mask_in(value, 52, 61) & (value - 52 + '0')) |
		      (mask_in(value, 62, 62) & '+') | (mask_in(value, 63, 63) & '/'));
}

/* Four digits to 24 bits; any wrong digit sets higher ones. */
static uint32_t base64_group(const char digits[static 4])
{
	uint32_t all = 0, group = 0;

	for (int i = 0; i < 4; ++i) {
		const uint32_t value = base64_value(digits[i]);

		all |= value;
		group = group << 6 | (value & 63);
	}
	return group | (all >> 8) << 24;
}

/* Keeping the old byte, rather than leaving early, keeps the place of a wrong digit secret too. */
static void replace_unless(uint32_t keep, uint8_t *place, uint32_t value)
{
	*place = (uint8_t)((*place & keep) | (value & ~keep));
}

bool text_hex_to_bytes(const char *text, uint8_t *ret, size_t len)
{
	uint32_t all = 0, wrong;

	if (strlen(text) != 2 * len)
		return false;
	for (size_t i = 0; i < 2 * len; ++i)
		all |= hex_value(text[i]);
	wrong = mask_nonzero(all >> 8);
	for (size_t i = 0; i < len; ++i)
		replace_unless(wrong, &ret[i],
			       hex_value(text[2 * i]) << 4 | hex_value(text[2 * i + 1]));
	return wrong == 0;
}

void text_hex_from_bytes(const uint8_t *bytes, size_t len, char *ret)
{
	for (size_t i = 0; i < len; ++i) {
		ret[2 * i] = hex_digit(bytes[i] >> 4);
		ret[2 * i + 1] = hex_digit(bytes[i] & 15);
	}
	ret[2 * len] = '\0';
}

bool text_base64_to_key(const char *text, uint8_t ret[static KEY_LEN])
{
	uint32_t groups[11], all = 0, wrong;
	char last[4] = { 0 };

	if (strlen(text) != TEXT_KEY_BASE64 - 1)
		return false;
	memcpy(last, text + 40, 3);
	last[3] = 'A';
	for (size_t i = 0; i < 10; ++i)
		groups[i] = base64_group(text + 4 * i);
	groups[10] = base64_group(last);
	for (size_t i = 0; i < ELEMENTS(groups); ++i)
		all |= groups[i];
	wrong = mask_nonzero(all >> 24 | (groups[10] & 0xff) | ((unsigned char)text[43] ^ '='));
	for (size_t i = 0; i < KEY_LEN; ++i)
		replace_unless(wrong, &ret[i], groups[i / 3] >> (16 - 8 * (i % 3)));
	explicit_bzero(groups, sizeof(groups));
	explicit_bzero(last, sizeof(last));
	return wrong == 0;
}

void text_base64_from_key(const uint8_t key[static KEY_LEN], char ret[static TEXT_KEY_BASE64])
{
	uint32_t group;

	for (size_t i = 0; i < 11; ++i) {
		group = (uint32_t)key[3 * i] << 16 | (uint32_t)key[3 * i + 1] << 8;
		if (i < 10)
			group |= key[3 * i + 2];
		for (size_t j = 0; j < 4; ++j)
			ret[4 * i + j] = base64_digit(group >> (18 - 6 * j) & 63);
	}
	ret[43] = '=';
	ret[44] = '\0';
}

bool text_to_uint(const char *text, uint64_t max, uint64_t *ret)
{
	uint64_t value = 0;

	if (text[0] == '\0' || (text[0] == '0' && text[1] != '\0'))
		return false;
	for (; *text != '\0'; ++text) {
		const uint64_t digit = (uint64_t)(unsigned char)*text - '0';

		if (digit > 9 || digit > max || value > (max - digit) / 10)
			return false;
		value = 10 * value + digit;
	}
	*ret = value;
	return true;
}

bool text_to_ip(const char *text, struct ip *ret)
{
	struct ip ip = { .family = strchr(text, ':') ? FAMILY_V6 : FAMILY_V4 };

	if (inet_pton(ip.family == FAMILY_V6 ? AF_INET6 : AF_INET, text, ip.bytes) != 1)
		return false;
	*ret = ip;
	return true;
}

void text_from_ip(const struct ip *ip, char ret[static TEXT_IP])
{
	const char *done;

	assert(ip->family == FAMILY_V4 || ip->family == FAMILY_V6);
	done = inet_ntop(ip->family == FAMILY_V6 ? AF_INET6 : AF_INET, ip->bytes, ret, TEXT_IP);
	assert(done);
	(void)done; /* without assertions nobody reads it */
}

/* The first len characters of text as a string of their own. */
static bool copy_part(const char *text, size_t len, char *ret, size_t size)
{
	if (len >= size)
		return false;
	memcpy(ret, text, len);
	ret[len] = '\0';
	return true;
}

bool text_to_prefix(const char *text, struct prefix *ret)
{
	const char *slash = strchr(text, '/');
	char address[TEXT_IP];
	struct ip ip;
	uint64_t bits;

	if (!slash || !copy_part(text, (size_t)(slash - text), address, sizeof(address)))
		return false;
	if (!text_to_ip(address, &ip) || !text_to_uint(slash + 1, ip_bits(&ip), &bits))
		return false;
	*ret = (struct prefix){ .ip = ip, .bits = (uint8_t)bits };
	return true;
}

void text_from_prefix(const struct prefix *p, char ret[static TEXT_PREFIX])
{
	size_t len;

	text_from_ip(&p->ip, ret);
	len = strlen(ret);
	(void)snprintf(ret + len, TEXT_PREFIX - len, "/%u", p->bits); /* always fits */
}

/* A name goes before a number, as in getaddrinfo(3): an interface may be called "7". */
static bool zone_to_scope(const char *zone, uint32_t *ret)
{
	const uint32_t idx = zone_index(zone);
	uint64_t number = idx;

	if (!idx && (!text_to_uint(zone, UINT32_MAX, &number) || !number))
		return false;
	*ret = (uint32_t)number;
	return true;
}

/* "v6" or "v6%zone" */
static bool text_to_scoped(const char *text, struct endpoint *ret)
{
	const char *percent = strchr(text, '%');
	char address[TEXT_IP];
	size_t len = percent ? (size_t)(percent - text) : strlen(text);

	if (!copy_part(text, len, address, sizeof(address)) || !text_to_ip(address, &ret->ip))
		return false;
	if (ret->ip.family != FAMILY_V6)
		return false;
	return !percent || (ip_is_link_local(&ret->ip) && zone_to_scope(percent + 1, &ret->scope));
}

bool text_to_endpoint(const char *text, struct endpoint *ret)
{
	const char *colon = strrchr(text, ':');
	struct endpoint e = { 0 };
	char host[TEXT_ENDPOINT];
	uint64_t port;
	size_t len;

	if (!colon || !text_to_uint(colon + 1, UINT16_MAX, &port) || port == 0)
		return false;
	len = (size_t)(colon - text);
	if (!copy_part(text, len, host, sizeof(host)))
		return false;
	if (host[0] != '[') {
		if (!text_to_ip(host, &e.ip) || e.ip.family != FAMILY_V4)
			return false;
	} else {
		if (host[len - 1] != ']')
			return false;
		host[len - 1] = '\0';
		if (!text_to_scoped(host + 1, &e))
			return false;
	}
	e.port = (uint16_t)port;
	*ret = e;
	return true;
}

void text_from_endpoint(const struct endpoint *e, char ret[static TEXT_ENDPOINT])
{
	char address[TEXT_IP], zone[ZONE_NAME + 1] = "";

	static_assert(TEXT_ENDPOINT >= TEXT_IP + ZONE_NAME + sizeof("[%]:65535") - 1,
		      "an endpoint's text has room for every part");
	text_from_ip(&e->ip, address);
	if (e->ip.family == FAMILY_V4) {
		(void)snprintf(ret, TEXT_ENDPOINT, "%s:%u", address, e->port); /* fits */
		return;
	}
	if (e->scope) {
		zone[0] = '%';
		/* as getnameinfo(3): elsewhere a name would not be understood */
		if (!ip_is_link_local(&e->ip) || !zone_name(e->scope, zone + 1))
			(void)snprintf(zone + 1, ZONE_NAME, "%" PRIu32, e->scope); /* fits */
	}
	(void)snprintf(ret, TEXT_ENDPOINT, "[%s%s]:%u", address, zone, e->port); /* fits */
}

static bool is_name_character(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c != '\0' && strchr("_=+.-", c));
}

bool text_is_interface_name(const char *text)
{
	size_t len = 0;

	while (is_name_character(text[len]))
		++len;
	return text[len] == '\0' && len >= 1 && len <= 15 && strcmp(text, ".") != 0 &&
	       strcmp(text, "..") != 0;
}
