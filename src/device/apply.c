#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "base/log.h"
#include "crypto/crypto.h"
#include "device/change.h"
#include "device/device_private.h"
#include "wg/allowedips.h"

/* Between the device and struct model: what the control back end reads and changes. */

enum { PIECE = 256 /* peers in one piece of a get */ };

static bool copy_peer(struct device *d, struct model *m, const struct peer *p,
		      struct model_cursor *cursor)
{
	struct model_peer *to = model_add_peer(m);
	const struct allowed_node *n = NULL;
	struct peer_view view;

	if (!to)
		return false;
	pthread_mutex_lock(&d->lock); /* peer by peer: nobody waits for a piece */
	core_view_peer(p, &view);
	pthread_mutex_unlock(&d->lock);
	to->public_key = view.public_key;
	to->preshared_key = view.psk;
	to->has_preshared_key = true;
	to->endpoint = view.endpoint;
	to->has_endpoint = endpoint_is_set(&view.endpoint);
	to->keepalive = view.keepalive;
	to->has_keepalive = true;
	to->rx_bytes = view.rx_bytes;
	to->tx_bytes = view.tx_bytes;
	to->handshake_real = view.handshake_real;
	crypto_wipe(&view.psk, sizeof(view.psk));
	*cursor = (struct model_cursor){ .serial = view.serial, .key = view.public_key };
	while ((n = allowedips_next(view.allowed, n))) {
		const struct prefix prefix = allowedips_prefix(n);

		if (!model_add_allowed(to, &prefix, false))
			return false;
	}
	return true;
}

static void copy_device(struct device *d, struct model *m)
{
	const struct key_private *key = core_private_key(d->core);

	memcpy(m->name, d->tun.name, sizeof(m->name));
	if (key) {
		m->private_key = *key;
		m->has_private_key = true;
	}
	m->listen_port = d->port;
	m->has_listen_port = true;
	m->fwmark = d->mark;
	m->has_fwmark = true;
}

int device_get(void *ctx, struct model_cursor *cursor, struct model *ret)
{
	struct device *d = ctx;
	struct peer *p = core_resume(d->core, cursor->serial, &cursor->key);

	if (!cursor->serial)
		copy_device(d, ret);
	for (int i = 0; p && i < PIECE; ++i) {
		if (!copy_peer(d, ret, p, cursor))
			return -ENOMEM;
		p = core_next_peer(d->core, p);
	}
	if (!p)
		*cursor = (struct model_cursor){ 0 };
	return 0;
}

/* What has to be ready before the change, so that the change itself can't fail. */
struct preparation {
	struct udp sockets;
	bool has_sockets;
	uint32_t mark;
	struct noise_local local;
	uint64_t floor;
	bool wakes;
};

static struct udp used_sockets(struct device *d)
{
	struct udp u = { .port = d->port };

	for (int i = 0; i < UDP_SOCKETS; ++i) {
		u.v4[i] = atomic_load(&d->sockets[0][i]);
		u.v6[i] = atomic_load(&d->sockets[1][i]);
	}
	return u;
}

static bool has_lost_family(const struct udp *had, const struct udp *have)
{
	for (int i = 0; i < UDP_SOCKETS; ++i) {
		if ((had->v4[i] >= 0 && have->v4[i] < 0) || (had->v6[i] >= 0 && have->v6[i] < 0))
			return true;
	}
	return false;
}

static int prepare_sockets(struct device *d, const struct model *patch, struct diag *why,
			   struct preparation *p)
{
	const struct udp used = used_sockets(d);
	int err;

	p->mark = patch->has_fwmark ? patch->fwmark : d->mark;
	if (!patch->has_listen_port || (d->port && patch->listen_port == d->port))
		return 0;
	err = broker_bind(&d->broker, patch->listen_port, p->mark, why, &p->sockets);
	if (!err && has_lost_family(&used, &p->sockets)) {
		diag_set(why, DIAG_ERROR, "engine-family", 0,
			 "port %u can be had in one address family only; the old port stays",
			 (unsigned int)p->sockets.port);
		udp_close(&p->sockets);
		broker_drop(&d->broker);
		err = -EADDRNOTAVAIL;
	}
	p->has_sockets = !err;
	return err;
}

/* The sockets that stay get the new mark. */
static int mark_sockets(struct device *d, uint32_t mark, struct diag *why)
{
	int err;

	if (mark == d->mark)
		return 0;
	err = broker_set_mark(&d->broker, mark);
	if (err)
		diag_set(why, DIAG_ERROR, "engine-fwmark", 0, "cannot set fwmark 0x%x: %s", mark,
			 strerror(-err));
	return err;
}

static bool is_other_key(struct device *d, const struct key_private *key)
{
	const struct key_private *had = core_private_key(d->core);

	return had && !crypto_equal(had, key, KEY_LEN);
}

/* What an identity costs, before the lock is taken: an X25519, and the floor is in a file. */
static int prepare_key(struct device *d, const struct model *patch, struct diag *why,
		       struct preparation *p)
{
	if (!patch->has_private_key)
		return 0;
	if (!noise_local_init(&p->local, &patch->private_key)) {
		diag_set(why, DIAG_ERROR, "engine-key", 0, "the private key cannot be used");
		return -EIO;
	}
	if (is_other_key(d, &p->local.secret))
		device_end_identity(d);
	if (!crypto_is_zero(p->local.secret.bytes, KEY_LEN))
		p->floor = broker_read_floor(&d->broker, &p->local.public);
	return 0;
}

/* Rows that only change or remove a peer add none. */
static size_t count_new(const struct device *d, const struct model *patch)
{
	size_t n = 0;

	for (size_t i = 0; i < patch->peer_count; ++i) {
		const struct model_peer *row = &patch->peers[i];

		if (!row->remove && !row->update_only)
			n += patch->replace_peers || !core_find_peer(d->core, &row->public_key);
	}
	return n;
}

static int check_size(struct device *d, const struct model *patch, struct diag *why)
{
	const size_t had = patch->replace_peers ? 0 : core_peer_count(d->core);

	if (count_new(d, patch) <= PEERS_MAX - had)
		return 0;
	diag_set(why, DIAG_ERROR, "engine-peers", 0, "more than %d peers on one device", PEERS_MAX);
	return -ENOMEM;
}

static void set_key(struct device *d, struct change *change, struct moment now,
		    const struct preparation *prepared)
{
	/* The same key goes on with the floor it has, which may not be on disk yet. */
	if (core_private_key(d->core) && !is_other_key(d, &prepared->local.secret))
		return;
	lanes_lock(&d->lanes); /* the key is the gate's too */
	change_identity(change, now, &prepared->local, prepared->floor);
	lanes_unlock(&d->lanes);
	d->floor_kept = prepared->floor;
}

static void set_sockets(struct device *d, struct change *change, struct preparation *prepared)
{
	const bool is_other = prepared->has_sockets || d->mark != prepared->mark;

	pthread_mutex_lock(&d->lock);
	if (prepared->has_sockets)
		device_use_sockets(d, &prepared->sockets, prepared->mark);
	d->mark = prepared->mark;
	pthread_mutex_unlock(&d->lock);
	if (is_other)
		change_sources(change);
}

/* Only what is not yet visible may fail, and it comes first. */
static int commit(struct device *d, const struct model *patch, struct diag *why,
		  struct preparation *prepared)
{
	const struct moment now = device_now();
	struct change change;
	int err = check_size(d, patch, why);

	if (err)
		return err;
	if (!change_reserve(&change, d->core, &d->lock, patch)) {
		diag_set(why, DIAG_ERROR, "engine-memory", 0, "no memory for this configuration");
		return -ENOMEM;
	}
	err = prepared->has_sockets ? 0 : mark_sockets(d, prepared->mark, why);
	if (err) {
		change_release(&change);
		return err;
	}
	if (patch->has_private_key)
		set_key(d, &change, now, prepared);
	set_sockets(d, &change, prepared);
	change_apply(&change, now);
	pthread_mutex_lock(&d->lock);
	prepared->wakes = device_needs_brain(d);
	pthread_mutex_unlock(&d->lock);
	return 0;
}

int device_set(void *ctx, const struct model *patch, struct diag *why)
{
	struct device *d = ctx;
	struct preparation prepared = { 0 };
	int err;

	err = prepare_key(d, patch, why, &prepared);
	if (!err)
		err = prepare_sockets(d, patch, why, &prepared);
	if (!err) {
		err = commit(d, patch, why, &prepared);
		if (err && prepared.has_sockets)
			udp_close(&prepared.sockets);
		if (prepared.has_sockets)
			err ? broker_drop(&d->broker) : broker_use(&d->broker);
	}
	crypto_wipe(&prepared.local, sizeof(prepared.local));
	if (prepared.wakes)
		device_wake_brain(d);
	if (!err)
		log_line(LOG_INFO, "configured: %zu peers, UDP port %u, fwmark 0x%x",
			 core_peer_count(d->core), (unsigned int)d->port, d->mark);
	return err;
}
