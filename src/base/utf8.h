#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF.
 */
enum { UTF8_WRONG = 0xffffffff };

/* The length in bytes of the character that begins at text, 1..4 of the len (at least 1) there are;
 * *ret is its code point, or UTF8_WRONG of a byte that begins none (length 1). */
size_t utf8_next(const char *text, size_t len, uint32_t *ret);
bool utf8_is_valid(const char *text, size_t len);
/* C0, DEL, C1, and the line breaks U+2028 and U+2029: what no text of one line may hold. */
bool utf8_is_control(uint32_t code);

#endif
