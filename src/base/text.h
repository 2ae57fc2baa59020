#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/endpoint.h"
#include "base/key.h"
#include "base/prefix.h"

/*
 * The text forms of the field's values, both ways. A parser takes the whole string or refuses it:
 * no leading or trailing blanks, signs, or second spellings (but hex digits in either case).
 * Outputs are untouched on failure. Keys are converted in constant time: no branch and no look-up
 * depends on their bytes. Names are never resolved here.
 */
enum {
	TEXT_KEY_HEX = 65, /* sizes include the closing NUL */
	TEXT_KEY_BASE64 = 45,
	TEXT_IP = 46,
	TEXT_PREFIX = 50,
	TEXT_ENDPOINT = 46 + 16 + 10,
};

MUST_CHECK bool text_hex_to_bytes(const char *text, uint8_t *ret,
				  size_t len);                         /* exactly 2 * len digits */
void text_hex_from_bytes(const uint8_t *bytes, size_t len, char *ret); /* 2 * len digits and NUL */

/* 44 characters, canonical: the last four bits of the 43rd are zero, the 44th is '=' (wg(8), F-C3).
 */
MUST_CHECK bool text_base64_to_key(const char *text, uint8_t ret[static KEY_LEN]);
void text_base64_from_key(const uint8_t key[static KEY_LEN], char ret[static TEXT_KEY_BASE64]);

/* Decimal digits only, at most max. */
MUST_CHECK bool text_to_uint(const char *text, uint64_t max, uint64_t *ret);

MUST_CHECK bool text_to_ip(const char *text, struct ip *ret);
void text_from_ip(const struct ip *ip, char ret[static TEXT_IP]);

/* "address/bits"; host bits may be set and are kept: prefix_mask is the caller's. */
MUST_CHECK bool text_to_prefix(const char *text, struct prefix *ret);
void text_from_prefix(const struct prefix *p, char ret[static TEXT_PREFIX]);

/* "1.2.3.4:5" or "[v6]:5" or "[v6%zone]:5", zone an interface index or name; port 1..65535. */
MUST_CHECK bool text_to_endpoint(const char *text, struct endpoint *ret);
void text_from_endpoint(const struct endpoint *e, char ret[static TEXT_ENDPOINT]);

/* [a-zA-Z0-9_=+.-]{1,15}, never "." or ".." (design.md 1). */
MUST_CHECK bool text_is_interface_name(const char *text);

#endif
