#ifndef CONFIG_VALUE_H
#define CONFIG_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/key.h"
#include "base/prefix.h"

/*
 * The values of wg and wg-quick files as text, by the rules of upstream (behaviour.md A.6, D.1).
 * Pure: no name is resolved, nothing is printed. A text is a slice and needs no NUL; blanks in it
 * are wrong (value_strip removes those of a line of a file first). Outputs are untouched on
 * failure. The errors tell apart whatever wg has different words for.
 */
enum value_error {
	VALUE_OK,
	VALUE_EMPTY,            /* a port or an endpoint of no characters */
	VALUE_PORT_NAME,        /* not a number: getaddrinfo may know the service */
	VALUE_PORT_RANGE,       /* a number above 65535; glibc takes its low 16 bits */
	VALUE_FWMARK,           /* not off, decimal or 0xHEX of 32 bits */
	VALUE_KEY,              /* not 44 characters of canonical base64 */
	VALUE_KEEPALIVE,        /* not off or 0..65535 */
	VALUE_ENDPOINT_BRACKET, /* "[" without "]" */
	VALUE_ENDPOINT_PORT,    /* no ":port" behind the host */
	VALUE_IP,               /* the address of a prefix */
	VALUE_BITS,             /* what follows its slash */
	VALUE_MTU,              /* not 68..65535 */
	VALUE_TABLE,            /* not 1..4294967295 */
	VALUE_SWITCH,           /* not one of the words that are possible */
};

/* Copies text without blanks; false: more than room characters are left. */
MUST_CHECK bool value_strip(const char *text, size_t len, char *ret, size_t room, size_t *ret_len);
bool value_is_blank(char c); /* space \t \n \v \f \r, whatever the locale */

/* 0..65535 in decimal, leading zeros allowed. */
MUST_CHECK enum value_error value_port(const char *text, size_t len, uint16_t *ret);
MUST_CHECK enum value_error value_fwmark(const char *text, size_t len, uint32_t *ret);
/* Constant time in the characters of a key of the right length. */
MUST_CHECK enum value_error value_key(const char *text, size_t len, uint8_t ret[static KEY_LEN]);
/* Anywhere in it; or most of one, with its end cut off. */
MUST_CHECK bool value_holds_key(const char *text, size_t len);
MUST_CHECK enum value_error value_keepalive(const char *text, size_t len, uint16_t *ret);

/* Slices of the text. Without brackets the last colon splits: "::1:5" is host "::1", port "5". */
struct value_endpoint {
	const char *host; /* may be empty, which no resolver knows */
	size_t host_len;
	const char *port; /* never empty; value_port says what it is */
	size_t port_len;
	bool bracketed;
};
MUST_CHECK enum value_error value_endpoint(const char *text, size_t len,
					   struct value_endpoint *ret);

/*
 * One item of AllowedIPs. `sign` is '+', '-' or 0. Host bits stay as they are written (wg only
 * warns of them); without a slash the prefix is one address.
 */
struct value_allowed {
	struct prefix prefix;
	char sign;
	bool has_bits;
};
MUST_CHECK enum value_error value_allowed(const char *text, size_t len, struct value_allowed *ret);
/* Address of wg-quick, as ip(8) takes it: no sign, and "/255.255.255.0" too. */
MUST_CHECK enum value_error value_address(const char *text, size_t len, struct value_allowed *ret);
MUST_CHECK enum value_error value_ip(const char *text, size_t len, struct ip *ret);

/*
 * Walks a list: at commas, and with `blanks` at blanks too (the lists of wg-quick, where empty
 * items are nothing; in those of wg an empty item is an item). Items come without the blanks around
 * them. Begin with text and len of the whole list.
 */
struct value_list {
	const char *text; /* what is left */
	size_t len;
	bool blanks;
	bool ended;
};
MUST_CHECK bool value_next(struct value_list *list, const char **ret_item, size_t *ret_len);

MUST_CHECK enum value_error value_mtu(const char *text, size_t len, uint16_t *ret);
MUST_CHECK enum value_error value_table(const char *text, size_t len, uint32_t *ret);
/* Without regard to case. true false, as of SaveConfig; yes no, as of our own keys. */
MUST_CHECK enum value_error value_bool(const char *text, size_t len, bool *ret);
MUST_CHECK enum value_error value_yes(const char *text, size_t len, bool *ret);
MUST_CHECK bool value_equals(const char *text, size_t len, const char *word);

#endif
