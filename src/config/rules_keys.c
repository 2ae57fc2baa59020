#include <string.h>

#include "base/bytes.h"
#include "base/text.h"
#include "config/check_private.h"
#include "config/rules.h"
#include "crypto/crypto.h"

/* Rules about keys that one file, or its being read beside others, can show. */

static void text_of(const struct key_public *key, char ret[static TEXT_KEY_BASE64])
{
	text_base64_from_key(key->bytes, ret);
}

/* B3: the kernel drops such a peer without a word. */
static void own_key_as_peer(struct check *c, const struct check_tunnel *t)
{
	const struct model *m = &t->t->model;

	for (size_t i = 0; t->has_key && i < m->peer_count; ++i) {
		struct finding *f;

		if (!t->t->peers[i].has_public_key ||
		    memcmp(&m->peers[i].public_key, &t->public_key, KEY_LEN) != 0)
			continue;
		f = check_say(c, "B3", DIAG_ERROR, check_peer_place(t, i));
		finding_cause(f, "this is the public key of this file's own PrivateKey: a device "
				 "cannot be its own peer, and it is ignored without a word");
		finding_fix(f, "write the public key of the other end; `wg show NAME public-key' "
			       "there prints it");
	}
}

/* A private key on two devices, as far as files can tell: see B5 in the catalogue. */
static bool share_address(const struct check_tunnel *a, const struct check_tunnel *b)
{
	for (size_t i = 0; i < a->t->addresses.count; ++i)
		for (size_t k = 0; k < b->t->addresses.count; ++k)
			if (ip_equal(&a->t->addresses.rows[i].prefix.ip,
				     &b->t->addresses.rows[k].prefix.ip))
				return true;
	return false;
}

/* Else they may be one device, in a file for IPv4 and one for IPv6. */
static bool share_family(const struct check_tunnel *a, const struct check_tunnel *b)
{
	for (size_t i = 0; i < a->t->addresses.count; ++i)
		for (size_t k = 0; k < b->t->addresses.count; ++k)
			if (a->t->addresses.rows[i].prefix.ip.family ==
			    b->t->addresses.rows[k].prefix.ip.family)
				return true;
	return false;
}

static bool one_key_two_devices(const struct check *c, const struct check_tunnel *a,
				const struct check_tunnel *b)
{
	return share_family(a, b) && !share_address(a, b) && check_share_peer(c, a, b);
}

static void same_private_key(struct check *c, const struct check_tunnel *t)
{
	size_t count = 0;
	const struct check_key *rows =
		t->has_key ? check_find(&c->own, &t->public_key, &count) : NULL;

	for (size_t i = 0; i < count; ++i) {
		const struct check_tunnel *other = &c->tunnels[rows[i].tunnel];
		struct finding *f;

		if (other->index >= t->index || !one_key_two_devices(c, other, t))
			continue;
		f = check_say(c, "B5", DIAG_ERROR, check_place(t, &t->t->private_key));
		if (f)
			f->related = check_place(other, &other->t->private_key);
		finding_cause(f,
			      "%s has the same PrivateKey, another Address and the same peer: two "
			      "devices with one key take the connection from each other",
			      other->t->path);
		finding_fix(f, "give each device its own key: make a new one with `wg genkey', and "
			       "tell the peer its public key");
		return; /* one row for each file is enough */
	}
}

static void peer_twice(struct check *c, const struct check_tunnel *t)
{
	const struct model *m = &t->t->model;

	for (size_t i = 0; i < m->peer_count; ++i) {
		const size_t last = t->t->peers[i].has_public_key
					    ? check_peer_of(c, t, &m->peers[i].public_key)
					    : i;
		struct finding *f;

		if (last == i)
			continue;
		f = check_say(c, "B5", DIAG_ERROR, check_peer_place(t, i));
		if (f)
			f->related = check_peer_place(t, last);
		finding_cause(
			f,
			"the peer of line %u has the same PublicKey: a device has one peer for "
			"a key, and the AllowedIPs of the last [Peer] replace these",
			t->t->peers[last].at.line);
		finding_fix(f, "if they are two devices, give each its own key; if it is one, keep "
			       "one [Peer] with all its AllowedIPs");
	}
}

static void one_key_twice(struct check *c, const struct check_tunnel *t)
{
	peer_twice(c, t);
	same_private_key(c, t);
}

/* The text of a peer's PublicKey is a PrivateKey of the set. Nothing of it is printed. */
static const struct check_tunnel *owner_of_secret(const struct check *c,
						  const struct key_public *shown)
{
	for (size_t i = 0; i < c->count; ++i)
		if (c->tunnels[i].has_key &&
		    memcmp(shown, &c->tunnels[i].t->model.private_key, KEY_LEN) == 0)
			return &c->tunnels[i];
	return NULL;
}

static void secret_as_public(struct check *c, const struct check_tunnel *t)
{
	const struct model *m = &t->t->model;
	char key[TEXT_KEY_BASE64];

	for (size_t i = 0; i < m->peer_count; ++i) {
		const struct check_tunnel *owner =
			t->t->peers[i].has_public_key ? owner_of_secret(c, &m->peers[i].public_key)
						      : NULL;
		struct finding *f;

		if (!owner)
			continue;
		text_of(&owner->public_key, key);
		f = check_say(c, "secret-as-public", DIAG_ERROR, check_peer_place(t, i));
		if (f)
			f->related = check_place(owner, &owner->t->private_key);
		finding_cause(f,
			      "this is not a public key but the PrivateKey of %s: the secret has "
			      "left its device, and the peer is never found by it",
			      owner->t->path);
		finding_fix(f,
			    "write its public key, %s; if this file has been given to others, make "
			    "a new key there first",
			    key);
	}
}

/* What a script does nobody here knows. */
static bool has_hooks(const struct check_tunnel *t)
{
	return t->t->hooks[TUNNEL_PRE_UP].count + t->t->hooks[TUNNEL_POST_UP].count > 0;
}

/* As a PrivateKey zeros mean "none"; as a PublicKey nobody can have them. */
static void zero_keys(struct check *c, const struct check_tunnel *t)
{
	const struct model *m = &t->t->model;
	struct finding *f;

	if (m->has_private_key && crypto_is_zero(&m->private_key, KEY_LEN) &&
	    !check_hooks_have(t, "wg", "private-key")) {
		f = check_say(c, "A9", DIAG_ERROR, check_place(t, &t->t->private_key));
		finding_cause(f, "PrivateKey: all zeros mean that there is no key: the device "
				 "cannot begin or answer a handshake");
		finding_fix(f, "put a key of `wg genkey' in its place");
	}
	for (size_t i = 0; i < m->peer_count; ++i) {
		if (!t->t->peers[i].has_public_key ||
		    !crypto_is_zero(&m->peers[i].public_key, KEY_LEN))
			continue;
		f = check_say(c, "A9", DIAG_ERROR, check_peer_place(t, i));
		finding_cause(f, "PublicKey: all zeros are nobody's key: no handshake with this "
				 "peer can begin");
		finding_fix(f, "write the public key of the other end; `wg show NAME public-key' "
			       "there prints it");
	}
}

/* A file that was never written, or the output of a command that failed. */
static void empty_file(struct check *c, const struct check_tunnel *t)
{
	struct finding *f;

	if (t->broken || span_is_set(&t->t->interface) || t->t->model.peer_count > 0)
		return;
	f = check_say(c, "empty-file", DIAG_ERROR, (struct place){ .file = t->t->path });
	finding_cause(f, "there is nothing in this file: no [Interface] and no [Peer]");
	finding_fix(f, "see whether this is the file that was meant, and how it was made");
}

static void no_private_key(struct check *c, const struct check_tunnel *t)
{
	struct finding *f;

	if (t->broken || span_is_set(&t->t->private_key) || !span_is_set(&t->t->interface) ||
	    check_hooks_set(t, "private-key"))
		return;
	f = check_say(c, "no-private-key", has_hooks(t) ? DIAG_WARNING : DIAG_ERROR,
		      check_place(t, &t->t->interface));
	finding_cause(f,
		      "there is no PrivateKey, and %s: the device cannot begin or answer a "
		      "handshake",
		      has_hooks(t) ? "unless a hook sets one" : "no hook sets one");
	finding_fix(f, "add `PrivateKey = ' with a key of `wg genkey'; or set it in a hook: "
		       "`PostUp = wg set %%i private-key FILE'");
}

static void no_allowed_ips(struct check *c, const struct check_tunnel *t)
{
	char name[CHECK_NAME];

	for (size_t i = 0; !t->broken && i < t->t->model.peer_count; ++i) {
		struct finding *f;

		if (t->t->model.peers[i].allowed_count > 0 || check_hooks_set(t, "allowed-ips") ||
		    !t->t->peers[i].has_public_key)
			continue;
		f = check_say(c, "no-allowed-ips", DIAG_WARNING, check_peer_place(t, i));
		finding_cause(f,
			      "%s has no AllowedIPs: it can connect, but nothing is sent to it and "
			      "everything from it is dropped",
			      check_peer_name(t, i, name));
		finding_fix(f,
			    "say which addresses are its own, such as `AllowedIPs = 10.0.0.2/32'; "
			    "on a client 0.0.0.0/0, ::/0 for everything");
	}
}

/* A18: a file that is the other end's, or half a file. */
static void nobody_can_begin(struct check *c, const struct check_tunnel *t)
{
	const struct tunnel *tunnel = t->t;
	struct finding *f;

	if (t->broken || span_is_set(&tunnel->listen_port) || tunnel->model.peer_count == 0 ||
	    !span_is_set(&tunnel->interface) || /* a piece for addconf */
	    check_hooks_have(t, "wg", NULL))
		return;
	for (size_t i = 0; i < tunnel->model.peer_count; ++i)
		if (span_is_set(&tunnel->peers[i].endpoint))
			return;
	f = check_say(c, "A18", DIAG_WARNING, check_place(t, &tunnel->interface));
	finding_cause(f,
		      "no peer has an Endpoint and there is no ListenPort: this end cannot begin, "
		      "and nobody can know the port it takes by chance");
	finding_fix(f, "on a client add `Endpoint = SERVER:PORT' to the [Peer]; on a server add "
		       "`ListenPort = 51820' to [Interface]");
}

const struct rule rules_keys[] = {
	{ "A18", "no Endpoint and no ListenPort: nobody can begin", RULE_FILE, DIAG_WARNING,
	  nobody_can_begin },
	{ "A9", "not a key", RULE_FILE, DIAG_ERROR, zero_keys },
	{ "B3", "the own public key as a peer", RULE_FILE, DIAG_ERROR, own_key_as_peer },
	{ "B5", "one key twice", RULE_SET, DIAG_ERROR, one_key_twice },
	{ "secret-as-public", "a private key where a public key belongs", RULE_SET, DIAG_ERROR,
	  secret_as_public },
	{ "empty-file", "a file with nothing in it", RULE_FILE, DIAG_ERROR, empty_file },
	{ "no-private-key", "[Interface] without a key", RULE_FILE, DIAG_ERROR, no_private_key },
	{ "no-allowed-ips", "a peer without AllowedIPs", RULE_FILE, DIAG_WARNING, no_allowed_ips },
};
const size_t rules_keys_count = ELEMENTS(rules_keys);
