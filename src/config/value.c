#include "config/value.h"

#include <string.h>
#include <strings.h>

#include "base/text.h"

bool value_is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

bool value_strip(const char *text, size_t len, char *ret, size_t room, size_t *ret_len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; ++i) {
		if (value_is_blank(text[i]))
			continue;
		if (n == room)
			return false;
		ret[n++] = text[i];
	}
	*ret_len = n;
	return true;
}

bool value_equals(const char *text, size_t len, const char *word)
{
	return strlen(word) == len && strncasecmp(text, word, len) == 0;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static uint32_t digit_value(char c)
{
	if (is_digit(c))
		return (uint32_t)(c - '0');
	if (c >= 'a' && c <= 'f')
		return (uint32_t)(c - 'a') + 10;
	if (c >= 'A' && c <= 'F')
		return (uint32_t)(c - 'A') + 10;
	return UINT32_MAX;
}

enum number { NUMBER_OK, NUMBER_NONE, NUMBER_TOO_BIG };

/* As strtoul, but digits only; leading zeros are allowed. */
static enum number to_number(const char *text, size_t len, uint32_t base, uint64_t max,
			     uint64_t *ret)
{
	enum number result = NUMBER_OK;
	uint64_t value = 0;

	if (!len)
		return NUMBER_NONE;
	for (size_t i = 0; i < len; ++i) {
		const uint32_t digit = digit_value(text[i]);

		if (digit >= base)
			return NUMBER_NONE;
		value = value * base + digit;
		if (value > max) {
			result = NUMBER_TOO_BIG; /* unless a wrong digit comes */
			value = max;
		}
	}
	if (result == NUMBER_OK)
		*ret = value;
	return result;
}

enum value_error value_port(const char *text, size_t len, uint16_t *ret)
{
	uint64_t port;

	if (!len)
		return VALUE_EMPTY;
	switch (to_number(text, len, 10, UINT16_MAX, &port)) {
	case NUMBER_NONE:
		return VALUE_PORT_NAME;
	case NUMBER_TOO_BIG:
		return VALUE_PORT_RANGE;
	case NUMBER_OK:
		break;
	}
	*ret = (uint16_t)port;
	return VALUE_OK;
}

enum value_error value_fwmark(const char *text, size_t len, uint32_t *ret)
{
	const bool hex = len > 2 && text[0] == '0' && text[1] == 'x';
	uint64_t mark = 0;

	if (value_equals(text, len, "off"))
		*ret = 0;
	else if (to_number(text + (hex ? 2 : 0), len - (hex ? 2 : 0), hex ? 16 : 10, UINT32_MAX,
			   &mark) != NUMBER_OK)
		return VALUE_FWMARK;
	*ret = (uint32_t)mark;
	return VALUE_OK;
}

enum value_error value_key(const char *text, size_t len, uint8_t ret[static KEY_LEN])
{
	char copy[TEXT_KEY_BASE64];
	bool good;

	if (len != sizeof(copy) - 1)
		return VALUE_KEY;
	memcpy(copy, text, len);
	copy[len] = '\0';
	good = text_base64_to_key(copy, ret);
	explicit_bzero(copy, sizeof(copy));
	return good ? VALUE_OK : VALUE_KEY;
}

bool value_holds_key(const char *text, size_t len)
{
	enum { SHORTEST = 40 }; /* some may be missing at its end */
	size_t run = 0;

	for (size_t i = 0; i < len && run < SHORTEST; ++i)
		run = is_digit(text[i]) || is_letter(text[i]) || text[i] == '+' || text[i] == '/'
			      ? run + 1
			      : 0;
	return run == SHORTEST;
}

enum value_error value_keepalive(const char *text, size_t len, uint16_t *ret)
{
	uint64_t seconds = 0;

	if (!value_equals(text, len, "off") &&
	    to_number(text, len, 10, UINT16_MAX, &seconds) != NUMBER_OK)
		return VALUE_KEEPALIVE;
	*ret = (uint16_t)seconds;
	return VALUE_OK;
}

static enum value_error split_bracketed(const char *text, size_t len, struct value_endpoint *ret)
{
	const char *close = memchr(text, ']', len);
	const char *end = text + len;

	if (!close)
		return VALUE_ENDPOINT_BRACKET;
	if (end - close < 3 || close[1] != ':')
		return VALUE_ENDPOINT_PORT;
	*ret = (struct value_endpoint){ .host = text + 1,
					.host_len = (size_t)(close - text) - 1,
					.port = close + 2,
					.port_len = (size_t)(end - close) - 2,
					.bracketed = true };
	return VALUE_OK;
}

enum value_error value_endpoint(const char *text, size_t len, struct value_endpoint *ret)
{
	const char *colon;

	if (!len)
		return VALUE_EMPTY;
	if (text[0] == '[')
		return split_bracketed(text, len, ret);
	colon = memrchr(text, ':', len);
	if (!colon || colon + 1 == text + len)
		return VALUE_ENDPOINT_PORT;
	*ret = (struct value_endpoint){ .host = text,
					.host_len = (size_t)(colon - text),
					.port = colon + 1,
					.port_len = len - (size_t)(colon - text) - 1 };
	return VALUE_OK;
}

enum value_error value_ip(const char *text, size_t len, struct ip *ret)
{
	char copy[TEXT_IP];

	if (len >= sizeof(copy) || memchr(text, '\0', len))
		return VALUE_IP;
	memcpy(copy, text, len);
	copy[len] = '\0';
	return text_to_ip(copy, ret) ? VALUE_OK : VALUE_IP;
}

static enum value_error parse_prefix(const char *text, size_t len, struct prefix *ret,
				     bool *ret_has_bits)
{
	const char *slash = memchr(text, '/', len);
	const size_t ip_len = slash ? (size_t)(slash - text) : len;
	struct prefix p;
	uint64_t bits;

	if (value_ip(text, ip_len, &p.ip) != VALUE_OK)
		return VALUE_IP;
	bits = ip_bits(&p.ip);
	if (slash && to_number(slash + 1, len - ip_len - 1, 10, bits, &bits) != NUMBER_OK)
		return VALUE_BITS;
	p.bits = (uint8_t)bits;
	*ret = p;
	*ret_has_bits = slash != NULL;
	return VALUE_OK;
}

enum value_error value_allowed(const char *text, size_t len, struct value_allowed *ret)
{
	const bool is_signed = len && (text[0] == '+' || text[0] == '-');
	struct value_allowed allowed = { .sign = is_signed ? text[0] : 0 };
	const enum value_error error =
		parse_prefix(text + is_signed, len - is_signed, &allowed.prefix, &allowed.has_bits);

	if (error == VALUE_OK)
		*ret = allowed;
	return error;
}

/* Ones, then zeros only. */
static bool mask_to_bits(const struct ip *mask, uint8_t *ret)
{
	struct prefix p = { .ip = *mask };

	for (size_t i = 0; i < 4; ++i)
		p.bits = (uint8_t)(p.bits + __builtin_popcount(mask->bytes[i]));
	memset(p.ip.bytes, 0xff, 4);
	prefix_mask(&p);
	*ret = p.bits;
	return ip_equal(&p.ip, mask);
}

enum value_error value_address(const char *text, size_t len, struct value_allowed *ret)
{
	const char *slash = memchr(text, '/', len);
	struct value_allowed a = { .has_bits = true };
	struct ip mask;

	if (!slash || value_ip(slash + 1, len - (size_t)(slash - text) - 1, &mask) != VALUE_OK)
		return parse_prefix(text, len, &ret->prefix, &ret->has_bits);
	if (value_ip(text, (size_t)(slash - text), &a.prefix.ip) != VALUE_OK)
		return VALUE_IP;
	if (a.prefix.ip.family != FAMILY_V4 || mask.family != FAMILY_V4 ||
	    !mask_to_bits(&mask, &a.prefix.bits))
		return VALUE_BITS;
	*ret = a;
	return VALUE_OK;
}

static void trim(const char **text, size_t *len)
{
	while (*len && value_is_blank(**text)) {
		++*text;
		--*len;
	}
	while (*len && value_is_blank((*text)[*len - 1]))
		--*len;
}

static size_t item_end(const struct value_list *list)
{
	size_t i = 0;

	while (i < list->len && list->text[i] != ',' &&
	       !(list->blanks && value_is_blank(list->text[i])))
		++i;
	return i;
}

bool value_next(struct value_list *list, const char **ret_item, size_t *ret_len)
{
	while (!list->ended) {
		const char *item = list->text;
		size_t len = item_end(list);

		list->ended = len == list->len;
		list->text += len + !list->ended;
		list->len -= len + !list->ended;
		trim(&item, &len);
		if (list->blanks && !len)
			continue;
		*ret_item = item;
		*ret_len = len;
		return true;
	}
	return false;
}

enum value_error value_mtu(const char *text, size_t len, uint16_t *ret)
{
	enum { MTU_MIN = 68 };
	uint64_t mtu;

	if (to_number(text, len, 10, UINT16_MAX, &mtu) != NUMBER_OK || mtu < MTU_MIN)
		return VALUE_MTU;
	*ret = (uint16_t)mtu;
	return VALUE_OK;
}

enum value_error value_table(const char *text, size_t len, uint32_t *ret)
{
	const bool hex = len > 2 && text[0] == '0' && text[1] == 'x';
	uint64_t table;

	if (to_number(text + (hex ? 2 : 0), len - (hex ? 2 : 0), hex ? 16 : 10, UINT32_MAX,
		      &table) != NUMBER_OK ||
	    table == 0)
		return VALUE_TABLE;
	*ret = (uint32_t)table;
	return VALUE_OK;
}

static enum value_error one_of(const char *text, size_t len, const char *yes, const char *no,
			       bool *ret)
{
	const bool is_yes = value_equals(text, len, yes);

	if (!is_yes && !value_equals(text, len, no))
		return VALUE_SWITCH;
	*ret = is_yes;
	return VALUE_OK;
}

enum value_error value_bool(const char *text, size_t len, bool *ret)
{
	return one_of(text, len, "true", "false", ret);
}

enum value_error value_yes(const char *text, size_t len, bool *ret)
{
	return one_of(text, len, "yes", "no", ret);
}
