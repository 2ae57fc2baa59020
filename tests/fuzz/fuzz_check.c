#include "config/check.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "config/tunnel_read.h"
#include "crypto/crypto.h"

/*
 * Any files, read together: the bytes between 0xff are a file each. Every finding stands in its
 * file, has words, and tells no secret that stands in any of them.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { FILES = 4 };

static void hold(bool holds)
{
	if (!holds)
		__builtin_trap();
}

static void read_one(struct tunnel_set *set, struct config_file *f, const uint8_t *data, size_t len)
{
	static const char *const names[FILES] = { "etc/wireguard/wg0.conf",
						  "etc/wireguard/wg1.conf", "phone.conf",
						  "a name that is too long.conf" };
	struct tunnel *t;
	struct diags diags;

	hold(file_parse(f, names[set->count], (const char *)data, len) == 0);
	t = tunnel_set_add(set);
	hold(t != NULL);
	diags_init(&diags);
	hold(tunnel_read(f, t, &diags));
	diags_done(&diags);
}

static void stands_in_its_file(const struct place *at, const struct tunnel_set *set,
			       const struct config_file *files)
{
	for (size_t i = 0; i < set->count; ++i) {
		const struct file_line *l;

		if (set->rows[i].path != at->file)
			continue;
		hold(at->line <= files[i].line_count);
		if (at->line == 0)
			return;
		l = &files[i].lines[at->line - 1];
		hold(at->column == 0 || at->column - 1 + at->length <= l->len);
		return;
	}
	hold(at->file == NULL);
}

static bool is_public_key(const struct tunnel_set *set, const uint8_t key[static KEY_LEN])
{
	struct key_public public;

	for (size_t i = 0; i < set->count; ++i)
		if (crypto_public(&set->rows[i].model.private_key, &public) &&
		    memcmp(&public, key, KEY_LEN) == 0)
			return true;
	return false;
}

/* A preshared key that is somebody's public key is no secret. */
static void tells_no_key(const struct finding *f, const struct tunnel_set *set,
			 const uint8_t key[static KEY_LEN])
{
	char text[TEXT_KEY_BASE64];

	if (crypto_is_zero(key, KEY_LEN))
		return;
	text_base64_from_key(key, text);
	hold((!strstr(f->cause, text) && !strstr(f->fix, text) &&
	      (!f->text || !strstr(f->text, text))) ||
	     is_public_key(set, key));
}

static void tells_no_secret(const struct finding *f, const struct tunnel_set *set)
{
	for (size_t i = 0; i < set->count; ++i) {
		const struct model *m = &set->rows[i].model;

		tells_no_key(f, set, m->private_key.bytes);
		for (size_t k = 0; k < m->peer_count; ++k)
			tells_no_key(f, set, m->peers[k].preshared_key.bytes);
	}
}

static void check(const struct tunnel_set *set, const struct config_file *files)
{
	struct findings found;

	findings_init(&found);
	hold(check_run(set, NULL, &found));
	for (size_t i = 0; i < found.count; ++i) {
		hold(found.items[i].cause && found.items[i].fix);
		stands_in_its_file(&found.items[i].at, set, files);
		stands_in_its_file(&found.items[i].related, set, files);
		tells_no_secret(&found.items[i], set);
	}
	findings_done(&found);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct config_file files[FILES];
	struct tunnel_set set;

	tunnel_set_init(&set);
	for (size_t at = 0; at < len && set.count < FILES;) {
		const uint8_t *end = memchr(data + at, 0xff, len - at);
		const size_t size = end ? (size_t)(end - data) - at : len - at;

		read_one(&set, &files[set.count], data + at, size);
		at += size + 1;
	}
	check(&set, files);
	for (size_t i = 0; i < set.count; ++i)
		file_done(&files[i]);
	tunnel_set_done(&set);
	return 0;
}
