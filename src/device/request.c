#include "device/request.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"

static_assert(sizeof(struct request) == 24 + KEY_LEN, "no padding");

/* What a kind uses; the rest of its message is zero. */
enum {
	USES_PORT = 1 << 0,
	USES_MARK = 1 << 1,
	USES_FLOOR = 1 << 2,
	USES_KEY = 1 << 3,
};

static const unsigned int uses[REQUEST_LAST] = {
	[REQUEST_BIND] = USES_PORT | USES_MARK,
	[REQUEST_MARK] = USES_MARK,
	[REQUEST_READ_FLOOR] = USES_KEY,
	[REQUEST_WRITE_FLOOR] = USES_KEY | USES_FLOOR,
};

static bool is_zero_key(const struct key_public *key)
{
	const struct key_public zero = { 0 };

	return memcmp(key, &zero, sizeof(zero)) == 0;
}

static bool is_zero_beyond(const struct request *r, unsigned int used)
{
	return r->zero == 0 && (used & USES_PORT || r->port == 0) &&
	       (used & USES_MARK || r->mark == 0) && (used & USES_FLOOR || r->floor == 0) &&
	       (used & USES_KEY || is_zero_key(&r->key));
}

static bool is_in_range(const struct request *r, unsigned int used)
{
	if (used & USES_KEY && is_zero_key(&r->key))
		return false;
	return r->port <= UINT16_MAX && r->floor <= INT64_MAX;
}

bool request_check(const void *bytes, size_t len, struct request *ret)
{
	struct request r;

	if (len != sizeof(r))
		return false;
	memcpy(&r, bytes, sizeof(r));
	if (r.kind < REQUEST_RUNNING || r.kind >= REQUEST_LAST)
		return false;
	if (!is_zero_beyond(&r, uses[r.kind]) || !is_in_range(&r, uses[r.kind]))
		return false;
	*ret = r;
	return true;
}
