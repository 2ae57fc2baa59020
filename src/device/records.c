#include "device/records.h"

#include <assert.h>
#include <string.h>

#include "device/records_private.h"

static_assert(sizeof(struct records_header) <= RECORDS_FIRST);

size_t records_begin(const uint8_t *file, size_t len)
{
	struct records_header h;

	if (len < sizeof(h))
		return RECORDS_FIRST;
	memcpy(&h, file, sizeof(h));
	return h.begin < RECORDS_FIRST || h.begin > len ? RECORDS_FIRST : (size_t)h.begin;
}

bool records_next(const uint8_t *file, size_t len, size_t *at, struct record *ret)
{
	struct record_header h;

	if (*at > len || len - *at < sizeof(h))
		return false;
	memcpy(&h, file + *at, sizeof(h));
	if (h.commit != RECORD_COMMITTED || h.kind < RECORD_SET || h.kind >= RECORD_LAST)
		return false;
	if (h.len > len - *at - sizeof(h))
		return false;
	*ret = (struct record){ .kind = (enum record_kind)h.kind,
				.bytes = file + *at + sizeof(h),
				.len = (size_t)h.len };
	*at += sizeof(h) + (size_t)h.len;
	*at += record_padding(*at) < len - *at ? record_padding(*at) : len - *at;
	return true;
}
