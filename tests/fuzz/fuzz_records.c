#include "device/records.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* Records stand within what was given, one behind another, and there is an end. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct record r;
	size_t at = 0;
	size_t before = 0;

	if (records_begin(data, len) < RECORDS_FIRST)
		__builtin_trap();
	while (records_next(data, len, &at, &r)) {
		if (r.bytes < data || (size_t)(r.bytes - data) + r.len > len || at <= before ||
		    at > len)
			__builtin_trap();
		before = at;
	}
	return 0;
}
