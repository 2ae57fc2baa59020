#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/text.h"
#include "net/plan.h"

enum { LINE_MAX_LEN = 512 };

static const char blanks[] = " \t\r";

/* Decimal, or 0x and hex digits. */
static bool read_number(const char *word, uint32_t *ret)
{
	uint8_t bytes[4] = { 0 };
	uint64_t number;
	char hex[9];

	if (strncmp(word, "0x", 2) == 0) {
		if (strlen(word) < 3 || strlen(word) > 10)
			return false;
		memset(hex, '0', 8);
		strcpy(hex + 8 - strlen(word + 2), word + 2);
		if (!text_hex_to_bytes(hex, bytes, sizeof(bytes)))
			return false;
		*ret = (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 |
		       (uint32_t)bytes[2] << 8 | bytes[3];
		return true;
	}
	if (!text_to_uint(word, UINT32_MAX, &number))
		return false;
	*ret = (uint32_t)number;
	return true;
}

/* "number name", blanks around and between, a comment behind. The line is cut to pieces. */
static bool line_names(char *line, const char *name, uint32_t *ret)
{
	const char *number, *word;

	line[strcspn(line, "#")] = '\0';
	line += strspn(line, blanks);
	number = strsep(&line, blanks);
	if (!line)
		return false;
	line += strspn(line, blanks);
	word = strsep(&line, blanks);
	return strcmp(word, name) == 0 && read_number(number, ret);
}

static bool is_known(const char *name, uint32_t *ret)
{
	static const struct {
		const char *name;
		uint32_t table;
	} known[] = { { "default", HOST_TABLE_DEFAULT },
		      { "main", HOST_TABLE_MAIN },
		      { "local", HOST_TABLE_LOCAL } };

	for (size_t i = 0; i < ELEMENTS(known); ++i)
		if (strcmp(known[i].name, name) == 0) {
			*ret = known[i].table;
			return true;
		}
	return false;
}

/* As ip does, which lets a later line win. */
bool plan_table(const char *name, const char *rt_tables, uint32_t *ret)
{
	bool found = is_known(name, ret);
	char line[LINE_MAX_LEN];
	size_t len;

	for (; *rt_tables; rt_tables += len + (rt_tables[len] == '\n')) {
		len = strcspn(rt_tables, "\n");
		if (len >= sizeof(line))
			continue;
		memcpy(line, rt_tables, len);
		line[len] = '\0';
		found |= line_names(line, name, ret);
	}
	return found;
}
