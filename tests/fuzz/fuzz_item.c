/* A line of a journal: either it is none, or it is an item that can be written, read again as the
 * same, and shown. */
#include "net/item.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void require(bool condition)
{
	if (!condition)
		__builtin_trap();
}

static void show(const struct item *i, bool remove)
{
	struct buffer b;

	buffer_init(&b);
	if (item_command(i, remove, &b))
		require(buffer_ok(&b) && b.len > 0);
	else
		require(b.len == 0);
	buffer_done(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct item item = { 0 }, again = { 0 };
	char *line = malloc(len + 1);
	struct buffer b;

	require(line);
	if (len > 0)
		memcpy(line, data, len);
	buffer_init(&b);
	if (item_parse(line, len, &item) == 0) {
		require(item_write(&item, &b));
		for (size_t i = 0; i < b.len; ++i)
			require(b.bytes[i] >= ' ' && b.bytes[i] <= '~');
		require(item_parse(b.bytes, b.len, &again) == 0 && item_equal(&item, &again));
		show(&item, false);
		show(&item, true);
	}
	item_done(&item);
	item_done(&again);
	buffer_done(&b);
	free(line);
	return 0;
}
