#include "device/request.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* What passes is of one length, says what it was made of, and passes again. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct request r, again;

	if (!request_check(data, len, &r))
		return 0;
	if (len != sizeof(r) || memcmp(&r, data, len) != 0)
		__builtin_trap();
	if (r.kind < REQUEST_RUNNING || r.kind >= REQUEST_LAST || r.port > UINT16_MAX || r.zero)
		__builtin_trap();
	if (!request_check(&r, sizeof(r), &again) || memcmp(&r, &again, sizeof(r)) != 0)
		__builtin_trap();
	return 0;
}
