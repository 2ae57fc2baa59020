#include "wg/noise.h"

#include <string.h>

#include "crypto/crypto.h"

static const char construction[] = "Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s";
static const char identifier[] = "WireGuard v1 zx2c4 Jason@zx2c4.com";

/* e: the ephemeral goes into both the hash and the chaining key (psk modifier, Noise 9.2). */
static void mix_ephemeral(struct symmetric *s, const uint8_t ephemeral[static 32])
{
	symmetric_mix_hash(s, ephemeral, 32);
	symmetric_mix_chain(s, ephemeral, 32);
}

static void start(struct symmetric *s, const struct key_public *responder)
{
	symmetric_init(s, construction, sizeof(construction) - 1);
	symmetric_mix_hash(s, identifier, sizeof(identifier) - 1);
	symmetric_mix_hash(s, responder->bytes, KEY_LEN);
}

bool noise_local_init(struct noise_local *ret, const struct key_private *key)
{
	*ret = (struct noise_local){ .secret = *key };
	if (crypto_is_zero(key->bytes, KEY_LEN))
		return true;
	crypto_clamp(&ret->secret);
	if (crypto_public(&ret->secret, &ret->public))
		return true;
	crypto_wipe(ret, sizeof(*ret));
	return false;
}

bool noise_static_static(const struct noise_local *local, const struct key_public *remote,
			 struct key_shared *ret)
{
	return crypto_dh(&local->secret, remote, ret);
}

bool noise_create_initiation(const struct noise_local *local, const struct key_public *remote,
			     const struct key_shared *static_static,
			     const struct key_private *ephemeral,
			     const uint8_t stamp[static STAMP_LEN], struct message_initiation *ret,
			     struct noise_pending *ret_pending)
{
	struct symmetric s;
	struct key_public public;
	struct key_shared key;
	bool ok = false;

	start(&s, remote);
	/* e */
	if (!crypto_public(ephemeral, &public))
		goto out;
	memcpy(ret->ephemeral, public.bytes, sizeof(ret->ephemeral));
	mix_ephemeral(&s, ret->ephemeral);
	/* es */
	if (!symmetric_mix_dh(&s, ephemeral, remote, &key))
		goto out;
	/* s */
	if (!symmetric_seal(&s, ret->sealed_static, local->public.bytes, KEY_LEN, &key))
		goto out;
	/* ss */
	symmetric_mix_key(&s, static_static, &key);
	/* {t} */
	if (!symmetric_seal(&s, ret->sealed_stamp, stamp, STAMP_LEN, &key))
		goto out;
	ret_pending->state = s;
	ret_pending->ephemeral = *ephemeral;
	ok = true;
out:
	if (!ok) {
		crypto_wipe(ret, sizeof(*ret));
		crypto_wipe(ret_pending, sizeof(*ret_pending));
	}
	crypto_wipe(&key, sizeof(key));
	crypto_wipe(&s, sizeof(s));
	return ok;
}

bool noise_consume_static(const struct noise_local *local, const struct message_initiation *message,
			  struct noise_initiation *ret)
{
	struct noise_initiation n = { 0 };
	struct key_shared key;
	bool ok = false;

	start(&n.state, &local->public);
	/* e */
	memcpy(n.remote_ephemeral.bytes, message->ephemeral, KEY_LEN);
	mix_ephemeral(&n.state, message->ephemeral);
	/* es */
	if (!symmetric_mix_dh(&n.state, &local->secret, &n.remote_ephemeral, &key))
		goto out;
	/* s */
	if (!symmetric_open(&n.state, n.remote_static.bytes, message->sealed_static,
			    sizeof(message->sealed_static), &key))
		goto out;
	*ret = n;
	ok = true;
out:
	if (!ok)
		crypto_wipe(ret, sizeof(*ret));
	crypto_wipe(&key, sizeof(key));
	crypto_wipe(&n, sizeof(n));
	return ok;
}

bool noise_consume_stamp(struct noise_initiation *initiation,
			 const struct key_shared *static_static,
			 const struct message_initiation *message, uint8_t ret[static STAMP_LEN])
{
	struct key_shared key;
	bool ok;

	/* ss */
	symmetric_mix_key(&initiation->state, static_static, &key);
	/* {t} */
	ok = symmetric_open(&initiation->state, ret, message->sealed_stamp,
			    sizeof(message->sealed_stamp), &key);
	crypto_wipe(&key, sizeof(key));
	return ok;
}

bool noise_create_response(const struct noise_initiation *initiation, const struct key_shared *psk,
			   const struct key_private *ephemeral, struct message_response *ret,
			   struct noise_keys *ret_keys)
{
	struct symmetric s = initiation->state;
	struct key_public public;
	struct key_shared key;
	bool ok = false;

	/* e */
	if (!crypto_public(ephemeral, &public))
		goto out;
	memcpy(ret->ephemeral, public.bytes, sizeof(ret->ephemeral));
	mix_ephemeral(&s, ret->ephemeral);
	/* ee */
	if (!symmetric_mix_dh(&s, ephemeral, &initiation->remote_ephemeral, &key))
		goto out;
	/* se */
	if (!symmetric_mix_dh(&s, ephemeral, &initiation->remote_static, &key))
		goto out;
	/* psk */
	symmetric_mix_psk(&s, psk, &key);
	/* {} */
	if (!symmetric_seal(&s, ret->sealed_nothing, NULL, 0, &key))
		goto out;
	symmetric_split(&s, &ret_keys->receive, &ret_keys->send);
	ok = true;
out:
	if (!ok) {
		crypto_wipe(ret, sizeof(*ret));
		crypto_wipe(ret_keys, sizeof(*ret_keys));
	}
	crypto_wipe(&key, sizeof(key));
	crypto_wipe(&s, sizeof(s));
	return ok;
}

bool noise_consume_response(const struct noise_local *local, const struct noise_pending *pending,
			    const struct key_shared *psk, const struct message_response *message,
			    struct noise_keys *ret_keys)
{
	struct symmetric s = pending->state;
	struct key_public remote_ephemeral;
	struct key_shared key;
	uint8_t nothing[CRYPTO_TAG];
	bool ok = false;

	/* e */
	memcpy(remote_ephemeral.bytes, message->ephemeral, KEY_LEN);
	mix_ephemeral(&s, message->ephemeral);
	/* ee */
	if (!symmetric_mix_dh(&s, &pending->ephemeral, &remote_ephemeral, &key))
		goto out;
	/* se */
	if (!symmetric_mix_dh(&s, &local->secret, &remote_ephemeral, &key))
		goto out;
	/* psk */
	symmetric_mix_psk(&s, psk, &key);
	/* {} */
	if (!symmetric_open(&s, nothing, message->sealed_nothing, sizeof(message->sealed_nothing),
			    &key))
		goto out;
	symmetric_split(&s, &ret_keys->send, &ret_keys->receive);
	ok = true;
out:
	if (!ok)
		crypto_wipe(ret_keys, sizeof(*ret_keys));
	crypto_wipe(&key, sizeof(key));
	crypto_wipe(&s, sizeof(s));
	return ok;
}
