/*
 * The input is two files with a NUL between: what a tunnel's file says, and what runs. The first is
 * saved. Where it had no mistake the new one has none either, saving it again changes nothing, and
 * it has the peers that run. The first is also stripped, which must not read behind its end.
 */
#include <stdint.h>
#include <string.h>

#include "config/strip.h"
#include "config/tunnel_read.h"
#include "config/tunnel_save.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void require(bool condition)
{
	if (!condition)
		__builtin_trap();
}

struct read {
	struct config_file file;
	struct tunnel tunnel;
	struct diags diags;
};

static void read_init(struct read *r, const char *bytes, size_t len)
{
	require(file_parse(&r->file, "/x/wg0.conf", bytes, len) == 0);
	diags_init(&r->diags);
	require(tunnel_read(&r->file, &r->tunnel, &r->diags));
}

static void read_done(struct read *r)
{
	tunnel_done(&r->tunnel);
	diags_done(&r->diags);
	file_done(&r->file);
}

/* A device has each key once, and no peer asks it for anything. */
static bool can_run(const struct model *m)
{
	for (size_t i = 0; i < m->peer_count; ++i) {
		for (size_t k = 0; k < i; ++k)
			if (memcmp(&m->peers[i].public_key, &m->peers[k].public_key, KEY_LEN) == 0)
				return false;
		if (!m->peers[i].replace_allowed)
			return false;
	}
	return m->peer_count < 64;
}

static void require_saved(const struct read *file, const struct tunnel_running *r)
{
	struct buffer b, twice;
	struct read again;

	buffer_init(&b);
	buffer_init(&twice);
	require(tunnel_save(&file->file, &file->tunnel, r, &b));
	if (!file->diags.errors) {
		read_init(&again, b.bytes, b.len);
		require(!again.diags.errors);
		require(again.tunnel.model.peer_count >= r->device->peer_count);
		require(tunnel_save(&again.file, &again.tunnel, r, &twice));
		require(twice.len == b.len && (!b.len || memcmp(b.bytes, twice.bytes, b.len) == 0));
		read_done(&again);
	}
	buffer_done(&twice);
	buffer_done(&b);
}

static void strip(const char *bytes, size_t len)
{
	struct strip_wrong wrong = { 0 };
	struct buffer b;

	buffer_init(&b);
	if (strip_bytes(bytes, len, &b, &wrong) == STRIP_SAVE_CONFIG)
		require(wrong.line && wrong.value >= bytes &&
			wrong.value + wrong.len <= bytes + len);
	else
		require(b.len <= len + 1);
	buffer_done(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const uint8_t *middle = len ? memchr(data, 0, len) : NULL;
	const size_t first = middle ? (size_t)(middle - data) : len;
	struct tunnel_running r = { .has_addresses = true };
	struct prefix addresses[16];
	struct read file, runs;

	strip((const char *)data, len);
	read_init(&file, (const char *)data, first);
	read_init(&runs, (const char *)data + first, middle ? len - first : 0);
	r.device = &runs.tunnel.model;
	r.mtu = runs.tunnel.mtu;
	r.addresses = addresses;
	for (size_t i = 0; i < runs.tunnel.addresses.count && i < 16; ++i)
		addresses[r.address_count++] = runs.tunnel.addresses.rows[i].prefix;
	if (!runs.diags.errors && can_run(&runs.tunnel.model))
		require_saved(&file, &r);
	read_done(&file);
	read_done(&runs);
	return 0;
}
