#include "cli/keeper.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/siphash.h"
#include "base/text.h"
#include "base/time.h"
#include "control/uapi.h"
#include "crypto/crypto.h"

enum { REWRITE_AT_ONCE = 1 << 20 };

/* A peer counts as having a session for so long: what WireGuard calls REJECT_AFTER_TIME. */
#define SESSION_LIFE (180 * NS_PER_S)

int keeper_open(struct keeper *k, struct device *d, int records)
{
	*k = (struct keeper){ .device = d };
	if (!crypto_random(&k->key, sizeof(k->key)))
		return -EIO;
	return records_open(&k->records, records);
}

/* --- writing --------------------------------------------------------------------------------- */

static int prepare(struct keeper *k, enum record_kind kind, const struct model *patch)
{
	struct buffer text;
	int error;

	buffer_init(&text);
	uapi_write_patch(&text, patch);
	error = buffer_ok(&text) ? records_prepare(&k->records, kind, text.bytes, text.len)
				 : -ENOMEM;
	buffer_done(&text);
	return error;
}

/* False: it was recorded before, and nothing since. */
static bool is_news(struct keeper *k, const struct key_public *peer, const struct endpoint *at)
{
	char text[KEY_LEN + TEXT_ENDPOINT] = { 0 };
	uint64_t *const place =
		&k->sessions[siphash(&k->key, peer, sizeof(*peer)) % KEEPER_SESSIONS];
	uint64_t hash;

	memcpy(text, peer, KEY_LEN);
	text_from_endpoint(at, text + KEY_LEN);
	hash = siphash(&k->key, text, sizeof(text));
	if (*place == hash)
		return false;
	*place = hash;
	return true;
}

static void record_session(struct keeper *k, const struct key_public *peer,
			   const struct endpoint *at)
{
	struct model_peer p = {
		.public_key = *peer, .update_only = true, .endpoint = *at, .has_endpoint = true
	};
	const struct model patch = { .peers = &p, .peer_count = 1 };

	if (!is_news(k, peer, at))
		return;
	if (prepare(k, RECORD_SESSION, &patch) == 0)
		records_commit(&k->records); /* else the next engine waits for a packet */
}

static uint64_t real_now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_REALTIME, &t); /* cannot fail */
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static void record_sessions(struct keeper *k, const struct model *m)
{
	const uint64_t now = real_now();
	size_t count = 0;

	for (size_t i = 0; i < m->peer_count && count < DEVICE_RESUME_MAX; ++i) {
		const struct model_peer *p = &m->peers[i];

		if (!p->has_endpoint || now - p->handshake_real > SESSION_LIFE)
			continue;
		record_session(k, &p->public_key, &p->endpoint);
		++count;
	}
}

/* One record of all there is takes the place of the others. */
static void rewrite(struct keeper *k)
{
	struct model_cursor cursor = { 0 };
	struct model m;
	int error;

	model_init(&m);
	do
		error = device_get(k->device, &cursor, &m);
	while (!error && cursor.serial);
	m.replace_peers = true;
	if (!error)
		error = prepare(k, RECORD_SET, &m);
	if (error) {
		log_line(LOG_WARN, "the records of the configuration cannot be tidied up: %s",
			 strerror(-error));
	} else {
		records_commit_rewrite(&k->records);
		memset(k->sessions, 0, sizeof(k->sessions));
		record_sessions(k, &m);
	}
	model_done(&m);
}

/* Does a secret in an older record go out of use? */
static bool ends_secret(const struct model *patch)
{
	if (patch->has_private_key || patch->replace_peers)
		return true;
	for (size_t i = 0; i < patch->peer_count; ++i)
		if (patch->peers[i].remove || patch->peers[i].has_preshared_key)
			return true;
	return false;
}

static int set(void *ctx, const struct model *patch, struct diag *why)
{
	struct keeper *k = ctx;
	const size_t before = (size_t)(k->records.end - k->records.begin);
	int error = prepare(k, RECORD_SET, patch);

	if (error) {
		diag_set(why, DIAG_ERROR, "engine-records", 0,
			 "no room to keep this configuration for the next engine: %s",
			 strerror(-error));
		return error;
	}
	error = device_set(k->device, patch, why);
	if (error) {
		records_cancel(&k->records);
		return error;
	}
	records_commit(&k->records);
	memset(k->sessions, 0, sizeof(k->sessions)); /* it may have set endpoints */
	if (records_want_rewrite(&k->records) ||
	    (before && before < REWRITE_AT_ONCE && ends_secret(patch)))
		rewrite(k);
	return 0;
}

static int get(void *ctx, struct model_cursor *cursor, struct model *ret)
{
	const struct keeper *k = ctx;

	return device_get(k->device, cursor, ret);
}

static int diagnose(void *ctx, struct diagnosis *ret)
{
	const struct keeper *k = ctx;

	return device_diagnose(k->device, ret);
}

struct backend keeper_backend(struct keeper *k)
{
	return (struct backend){ .get = get, .set = set, .diagnose = diagnose, .ctx = k };
}

void keeper_note_session(void *ctx, const struct key_public *peer, const struct endpoint *at)
{
	struct keeper *k = ctx;

	record_session(k, peer, at);
	if (records_want_rewrite(&k->records))
		rewrite(k);
}

/* --- reading --------------------------------------------------------------------------------- */

/*
 * The sockets live on, so that only the last port and mark of the records matter, and only where
 * the sockets have others: then an engine died between a bind and its commit.
 */
struct replay {
	struct keeper *keeper;
	struct model last; /* no peers */
};

static void take_sockets_out(struct model *patch, struct model *last)
{
	if (patch->has_listen_port) {
		last->has_listen_port = true;
		last->listen_port = patch->listen_port;
	}
	if (patch->has_fwmark) {
		last->has_fwmark = true;
		last->fwmark = patch->fwmark;
	}
	patch->has_listen_port = patch->has_fwmark = false;
}

static int apply(struct replay *r, const struct record *record, struct model *patch)
{
	struct device *d = r->keeper->device;
	struct diag why = { 0 };
	int error;

	take_sockets_out(patch, &r->last);
	error = device_set(d, patch, &why);
	if (error)
		log_line(LOG_ERROR, "%s", why.severity ? why.text : strerror(-error));
	if (!error && record->kind == RECORD_SESSION && patch->peer_count == 1)
		device_resume(d, &patch->peers[0].public_key);
	return error;
}

static int replay(void *ctx, const struct record *record)
{
	struct uapi_parser parser;
	size_t used;
	int error = -EBADMSG;

	uapi_parser_init(&parser);
	if (uapi_parse(&parser, (const char *)record->bytes, record->len, &used) == UAPI_SET)
		error = apply(ctx, record, &parser.patch);
	uapi_parser_done(&parser);
	return error;
}

static void set_sockets(struct replay *r, uint16_t port, uint32_t mark)
{
	struct model *last = &r->last;
	struct diag why = { 0 };
	int error;

	last->has_listen_port =
		last->has_listen_port && last->listen_port && last->listen_port != port;
	last->has_fwmark = last->has_fwmark && last->fwmark != mark;
	if (!last->has_listen_port && !last->has_fwmark)
		return;
	error = device_set(r->keeper->device, last, &why);
	if (error)
		log_line(LOG_ERROR, "the sockets stay as they are: %s",
			 why.severity ? why.text : strerror(-error));
}

int keeper_replay(struct keeper *k, uint16_t port, uint32_t mark)
{
	struct replay r = { .keeper = k };
	const int error = records_replay(&k->records, replay, &r);

	if (!error)
		set_sockets(&r, port, mark);
	return error;
}
