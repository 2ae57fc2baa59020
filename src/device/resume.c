#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/crypto.h"
#include "device/device_private.h"

enum { RESUME_FIRST = 64 };

/* What one engine has learned and the next must know, beside the configuration. */

static_assert(sizeof(struct device_stamp) == KEY_LEN + STAMP_LEN, "it is kept as bytes");

void device_resume(struct device *d, const struct key_public *peer)
{
	const size_t room = d->resume_room ? 2 * d->resume_room : RESUME_FIRST;

	if (d->resume_count == d->resume_room) {
		struct key_public *more = reallocarray(d->resume, room, sizeof(*more));

		if (!more)
			return;
		d->resume = more;
		d->resume_room = room;
	}
	d->resume[d->resume_count++] = *peer;
}

void device_resume_all(struct device *d)
{
	for (size_t i = 0; i < d->resume_count; ++i) {
		struct peer *p = core_find_peer(d->core, &d->resume[i]);

		if (p)
			core_resume_peer(d->core, device_now(), p);
	}
	free(d->resume);
	d->resume = NULL;
	d->resume_count = d->resume_room = 0;
}

static bool is_none(const uint8_t stamp[static STAMP_LEN])
{
	static const uint8_t none[STAMP_LEN];

	return memcmp(stamp, none, STAMP_LEN) == 0;
}

/* False: it has never initiated. */
static bool copy_stamp(struct device *d, const struct peer *p, struct device_stamp *ret,
		       struct model_cursor *cursor)
{
	struct peer_view view;

	pthread_mutex_lock(&d->lock);
	core_view_peer(p, &view);
	pthread_mutex_unlock(&d->lock);
	crypto_wipe(&view.psk, sizeof(view.psk));
	*cursor = (struct model_cursor){ .serial = view.serial, .key = view.public_key };
	ret->peer = view.public_key;
	memcpy(ret->stamp, view.stamp_seen, STAMP_LEN);
	return !is_none(ret->stamp);
}

size_t device_get_stamps(struct device *d, struct model_cursor *cursor, struct device_stamp *ret,
			 size_t room)
{
	struct peer *p = core_resume(d->core, cursor->serial, &cursor->key);
	size_t n = 0;

	for (; p && n < room; p = core_next_peer(d->core, p))
		n += copy_stamp(d, p, &ret[n], cursor);
	if (!p)
		*cursor = (struct model_cursor){ 0 };
	return n;
}

void device_set_stamp(struct device *d, const struct device_stamp *stamp)
{
	struct peer *p = core_find_peer(d->core, &stamp->peer);

	if (p)
		core_set_stamp_seen(p, stamp->stamp);
}

bool device_ends_key(const struct device *d, const struct key_private *key)
{
	const struct key_private *had = core_private_key(d->core);

	return had && !crypto_equal(had, key, KEY_LEN);
}

bool device_ends_psk(struct device *d, const struct key_public *peer, const struct key_shared *psk)
{
	const struct peer *p = core_find_peer(d->core, peer);
	struct peer_view view;
	bool ends;

	if (!p)
		return false;
	pthread_mutex_lock(&d->lock);
	core_view_peer(p, &view);
	pthread_mutex_unlock(&d->lock);
	ends = !crypto_is_zero(&view.psk, KEY_LEN) &&
	       (!psk || !crypto_equal(&view.psk, psk, KEY_LEN));
	crypto_wipe(&view.psk, sizeof(view.psk));
	return ends;
}
