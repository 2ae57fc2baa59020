#include "base/utf8.h"

size_t utf8_next(const char *text, size_t len, uint32_t *ret)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char first = (unsigned char)text[0];
	const size_t n = first < 0x80   ? 1
			 : first < 0xc2 ? 0
			 : first < 0xe0 ? 2
			 : first < 0xf0 ? 3
					: 4;
	uint32_t code = n < 2 ? first : first & (0x7fU >> n);

	*ret = UTF8_WRONG;
	if (n == 0 || n > len)
		return 1;
	for (size_t i = 1; i < n; ++i) {
		const unsigned char c = (unsigned char)text[i];

		if ((c & 0xc0) != 0x80)
			return 1;
		code = code << 6 | (c & 0x3f);
	}
	if (code < least[n] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
		return 1;
	*ret = code;
	return n;
}

bool utf8_is_valid(const char *text, size_t len)
{
	uint32_t code;

	for (size_t i = 0; i < len;) {
		i += utf8_next(text + i, len - i, &code);
		if (code == UTF8_WRONG)
			return false;
	}
	return true;
}

bool utf8_is_control(uint32_t code)
{
	return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x2028 || code == 0x2029;
}
