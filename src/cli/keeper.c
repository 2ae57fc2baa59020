#include "cli/keeper.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/bytes.h"
#include "base/log.h"
#include "base/siphash.h"
#include "base/text.h"
#include "base/time.h"
#include "control/uapi.h"
#include "crypto/crypto.h"

enum { PIECE = 64 << 10, STAMPS_PIECE = 256 };

/* A peer counts as having a session for so long: what WireGuard calls REJECT_AFTER_TIME. */
#define SESSION_LIFE (180 * NS_PER_S)

int keeper_open(struct keeper *k, struct device *d, int records, const struct key_shared *mask)
{
	*k = (struct keeper){ .device = d, .mask = mask };
	if (!crypto_random(&k->key, sizeof(k->key)) || !crypto_random(k->salt, MASK_SALT))
		return -EIO;
	return records_open(&k->records, records);
}

/* --- writing --------------------------------------------------------------------------------- */

/* What was written so far goes to the record; the buffer is used again. */
static int move_text(struct keeper *k, struct buffer *text)
{
	int error = buffer_ok(text) ? 0 : -ENOMEM;

	if (!error)
		error = records_add(&k->records, text->bytes, text->len);
	text->len = 0;
	return error;
}

/* number: of its row in the record, from 1 on. A set may name one peer in two rows. */
static void mask_peer(const struct keeper *k, const uint8_t *salt, uint64_t number,
		      struct model_peer *p)
{
	if (p->has_preshared_key)
		mask_secret(k->mask, salt, number, p->preshared_key.bytes);
}

static void mask_device(const struct keeper *k, const uint8_t *salt, struct model *m)
{
	if (m->has_private_key)
		mask_secret(k->mask, salt, 0, m->private_key.bytes);
}

static void start_record(struct keeper *k, enum record_kind kind)
{
	store64_le(k->salt, load64_le(k->salt) + 1); /* it was random: no other engine has it */
	k->rows = 0;
	records_start(&k->records, kind);
}

static int add_device(struct keeper *k, struct buffer *text, const struct model *m)
{
	struct model masked = *m;

	mask_device(k, k->salt, &masked);
	uapi_write_patch_device(text, &masked);
	return records_add(&k->records, k->salt, MASK_SALT);
}

/* A patch may be of a million peers: its text is never in memory as a whole. */
static int add_peers(struct keeper *k, struct buffer *text, const struct model *m)
{
	int error = 0;

	for (size_t i = 0; i < m->peer_count && !error; ++i) {
		struct model_peer masked = m->peers[i];

		mask_peer(k, k->salt, ++k->rows, &masked);
		uapi_write_patch_peer(text, &masked);
		if (text->len >= PIECE)
			error = move_text(k, text);
	}
	return error;
}

static int finish(struct keeper *k, struct buffer *text)
{
	int error;

	uapi_write_patch_end(text);
	error = move_text(k, text);
	return error ? error : records_finish(&k->records);
}

static int prepare(struct keeper *k, enum record_kind kind, const struct model *patch)
{
	struct buffer text;
	int error;

	buffer_init(&text);
	start_record(k, kind);
	error = add_device(k, &text, patch);
	if (!error)
		error = add_peers(k, &text, patch);
	if (!error)
		error = finish(k, &text);
	buffer_done(&text);
	if (error)
		records_cancel(&k->records);
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

/* Each piece of the device's state in turn, as long as each is satisfied. */
static int walk(struct keeper *k, int (*each)(struct keeper *k, struct model *m, void *ctx),
		void *ctx)
{
	struct model_cursor cursor = { 0 };
	int error;

	do {
		struct model m;

		model_init(&m);
		error = device_get(k->device, &cursor, &m);
		if (!error)
			error = each(k, &m, ctx);
		model_done(&m);
	} while (!error && cursor.serial);
	return error;
}

struct whole {
	struct buffer text;
	bool has_begun;
};

/* Whoever has none, as most, needs no line that says so where all peers are replaced. */
static void leave_out_psks(struct model *m)
{
	for (size_t i = 0; i < m->peer_count; ++i)
		if (crypto_is_zero(&m->peers[i].preshared_key, KEY_LEN))
			m->peers[i].has_preshared_key = false;
}

static int add_piece(struct keeper *k, struct model *m, void *ctx)
{
	struct whole *w = ctx;
	struct model device = *m;
	int error = 0;

	device.replace_peers = true;
	if (!w->has_begun)
		error = add_device(k, &w->text, &device);
	crypto_wipe(&device, sizeof(device));
	w->has_begun = true;
	leave_out_psks(m);
	return error ? error : add_peers(k, &w->text, m);
}

static int prepare_whole(struct keeper *k)
{
	struct whole w = { 0 };
	int error;

	buffer_init(&w.text);
	start_record(k, RECORD_SET);
	error = walk(k, add_piece, &w);
	if (!error)
		error = finish(k, &w.text);
	buffer_done(&w.text);
	if (error)
		records_cancel(&k->records);
	return error;
}

static int add_sessions(struct keeper *k, struct model *m, void *ctx)
{
	const uint64_t *now = ctx;

	for (size_t i = 0; i < m->peer_count; ++i) {
		const struct model_peer *p = &m->peers[i];

		if (p->has_endpoint && *now - p->handshake_real <= SESSION_LIFE)
			record_session(k, &p->public_key, &p->endpoint);
	}
	return 0;
}

static int add_stamps(struct keeper *k)
{
	struct device_stamp stamps[STAMPS_PIECE];
	struct model_cursor cursor = { 0 };
	int error;

	do {
		const size_t n = device_get_stamps(k->device, &cursor, stamps, STAMPS_PIECE);

		error = records_add(&k->records, stamps, n * sizeof(stamps[0]));
	} while (!error && cursor.serial);
	return error ? error : records_finish(&k->records);
}

static int prepare_stamps(struct keeper *k)
{
	int error;

	records_start(&k->records, RECORD_STAMPS);
	error = add_stamps(k);
	if (error)
		records_cancel(&k->records);
	return error;
}

static int write_all(struct keeper *k)
{
	uint64_t now = real_now();
	int error = prepare_whole(k);

	if (error)
		return error;
	records_commit(&k->records);
	error = prepare_stamps(k);
	if (error)
		return error;
	records_commit(&k->records);
	memset(k->sessions, 0, sizeof(k->sessions));
	(void)walk(k, add_sessions, &now); /* who is left out is found by its next packet */
	return 0;
}

/* All there is once, in place of what has led to it. */
static void rewrite(struct keeper *k)
{
	int error;

	records_begin_rewrite(&k->records);
	error = write_all(k);
	if (error)
		log_line(LOG_WARN, "the records of the configuration cannot be tidied up: %s",
			 strerror(-error));
	else
		records_end_rewrite(&k->records);
}

/* What of older records goes out of use with a patch. */
struct ended {
	bool wants_rewrite;
	bool all_psks;
	struct key_public *peers; /* whose preshared keys do, or NULL */
	size_t count;
};

static void add_ended(struct ended *e, const struct model *patch, const struct key_public *peer)
{
	if (!e->peers)
		e->peers = calloc(patch->peer_count, sizeof(*e->peers));
	if (e->peers)
		e->peers[e->count++] = *peer;
	else
		e->wants_rewrite = true; /* which takes no memory to speak of */
}

static int compare_keys(const void *a, const void *b)
{
	return memcmp(a, b, KEY_LEN);
}

/*
 * Before the patch is made. A private key takes a rewrite, as a record under it would mean another
 * thing without it: a peer with our own key is ignored.
 */
static struct ended find_ended(struct keeper *k, const struct model *patch)
{
	struct ended e = { .all_psks = patch->replace_peers };

	e.wants_rewrite = patch->has_private_key && device_ends_key(k->device, &patch->private_key);
	for (size_t i = 0; i < patch->peer_count && !e.all_psks && !e.wants_rewrite; ++i) {
		const struct model_peer *row = &patch->peers[i];
		const struct key_shared *psk = row->remove ? NULL : &row->preshared_key;

		if ((row->remove || row->has_preshared_key) &&
		    device_ends_psk(k->device, &row->public_key, psk))
			add_ended(&e, patch, &row->public_key);
	}
	if (e.peers)
		qsort(e.peers, e.count, sizeof(*e.peers), compare_keys);
	return e;
}

static void wipe(void *ctx, enum record_kind kind, uint8_t *bytes, size_t len)
{
	const struct ended *e = ctx;

	if (kind == RECORD_SET && len > MASK_SALT)
		uapi_wipe_psks(bytes + MASK_SALT, len - MASK_SALT, e->peers, e->count);
}

static void end_secrets(struct keeper *k, struct ended *e, uint64_t until)
{
	int error = 0;

	if (!e->wants_rewrite && (e->all_psks || e->count))
		error = records_edit(&k->records, until, wipe, e);
	if (e->wants_rewrite || error || records_want_rewrite(&k->records))
		rewrite(k);
}

static int set(void *ctx, const struct model *patch, struct diag *why)
{
	struct keeper *k = ctx;
	const uint64_t before = k->records.end;
	int error = prepare(k, RECORD_SET, patch);
	struct ended ended;

	if (error) {
		diag_set(why, DIAG_ERROR, "engine-records", 0,
			 "no room to keep this configuration for the next engine: %s",
			 strerror(-error));
		return error;
	}
	ended = find_ended(k, patch);
	error = device_set(k->device, patch, why);
	if (error) {
		records_cancel(&k->records);
	} else {
		records_commit(&k->records);
		memset(k->sessions, 0, sizeof(k->sessions)); /* it may have set endpoints */
		end_secrets(k, &ended, before);
	}
	free(ended.peers);
	return error;
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

static void record_stamp(struct keeper *k, const struct key_public *peer, const uint8_t *stamp)
{
	struct device_stamp s = { .peer = *peer };
	int error;

	memcpy(s.stamp, stamp, STAMP_LEN);
	error = records_prepare(&k->records, RECORD_STAMPS, &s, sizeof(s));
	if (!error)
		records_commit(&k->records);
	else if (!k->has_complained)
		log_line(LOG_WARN,
			 "no room to keep the stamps of handshakes for the next engine, which may "
			 "take one again: %s",
			 strerror(-error));
	k->has_complained = error;
}

void keeper_note_session(void *ctx, const struct key_public *peer, const struct endpoint *at,
			 const uint8_t *stamp)
{
	struct keeper *k = ctx;

	if (stamp)
		record_stamp(k, peer, stamp);
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

static void unmask(const struct keeper *k, const uint8_t *salt, struct model *patch)
{
	mask_device(k, salt, patch);
	for (size_t i = 0; i < patch->peer_count; ++i)
		mask_peer(k, salt, i + 1, &patch->peers[i]);
}

static int apply(struct replay *r, const struct record *record, struct model *patch)
{
	struct device *d = r->keeper->device;
	struct diag why = { 0 };
	int error;

	unmask(r->keeper, record->bytes, patch);
	take_sockets_out(patch, &r->last);
	error = device_set(d, patch, &why);
	if (error)
		log_line(LOG_ERROR, "%s", why.severity ? why.text : strerror(-error));
	if (!error && record->kind == RECORD_SESSION && patch->peer_count == 1)
		device_resume(d, &patch->peers[0].public_key);
	return error;
}

static int replay_stamps(const struct replay *r, const struct record *record)
{
	struct device_stamp s;

	for (size_t at = 0; at < record->len; at += sizeof(s)) {
		if (record->len - at < sizeof(s))
			return -EBADMSG;
		memcpy(&s, record->bytes + at, sizeof(s));
		device_set_stamp(r->keeper->device, &s);
	}
	return 0;
}

static int replay_text(struct replay *r, const struct record *record)
{
	struct uapi_parser parser;
	size_t used;
	int error = -EBADMSG;

	if (record->len < MASK_SALT)
		return error;
	uapi_parser_init(&parser);
	if (uapi_parse(&parser, (const char *)record->bytes + MASK_SALT, record->len - MASK_SALT,
		       &used) == UAPI_SET)
		error = apply(r, record, &parser.patch);
	uapi_parser_done(&parser);
	return error;
}

static int replay(void *ctx, const struct record *record)
{
	return record->kind == RECORD_STAMPS ? replay_stamps(ctx, record)
					     : replay_text(ctx, record);
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
