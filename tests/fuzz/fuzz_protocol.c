/*
 * A list of operations on a core by outsiders who know their keys: handshakes, cookies and data
 * that are authentic but wrong, late jobs, time, and changes of the configuration in between. What
 * must hold is checked after each (support_world.h).
 */
#include <string.h>

#include "base/bytes.h"
#include "crypto/crypto.h"
#include "support_world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

struct input {
	const uint8_t *at;
	size_t left;
};

static uint8_t next(struct input *in)
{
	if (!in->left)
		return 0;
	--in->left;
	return *in->at++;
}

static uint64_t next64(struct input *in)
{
	uint64_t v = 0;

	for (unsigned int i = 0; i < 8; ++i)
		v = v << 8 | next(in);
	return v;
}

/* Change one byte, or mostly none. */
static void mutate(struct input *in, void *bytes, size_t len)
{
	const uint8_t mask = next(in);
	uint8_t *p = bytes;

	if (mask)
		p[next(in) % len] ^= mask;
}

static void some_key(struct input *in, struct key_private *ret)
{
	memset(ret, 0x55, sizeof(*ret));
	ret->bytes[1] = next(in);
	crypto_clamp(ret);
}

static void send_initiation(struct world *w, struct input *in)
{
	const unsigned int who = next(in) % WORLD_OUTSIDERS;
	const struct noise_local *local = &w->outsiders[who];
	const struct endpoint from = world_address(next(in));
	struct message_initiation m = { .type = { MESSAGE_INITIATION } };
	struct key_shared static_static;
	struct key_private ephemeral;
	uint8_t stamp[STAMP_LEN];

	some_key(in, &ephemeral);
	w->stamp += next(in) * STAMP_GRAIN - 16 * STAMP_GRAIN;
	stamp_write(w->stamp, stamp);
	store32_le(m.sender, 0x1000 + who);
	if (!noise_static_static(local, &w->core->local.public, &static_static) ||
	    !noise_create_initiation(local, &w->core->local.public, &static_static, &ephemeral,
				     stamp, &m, &w->pending))
		return;
	w->pending_outsider = who;
	mutate(in, &m, sizeof(m) - sizeof(m.macs));
	cookie_make(&w->makers[who], &w->core->local.public, &m, sizeof(m), w->now.boot);
	world_deliver(w, &m, sizeof(m), &from, 0);
	if (next(in) & 1) /* twice */
		world_deliver(w, &m, sizeof(m), &from, 0);
}

/* To the core's last initiation. */
static void send_response(struct world *w, struct input *in)
{
	const unsigned int who = w->initiated_to;
	const struct noise_local *local = &w->outsiders[who];
	const struct endpoint from = world_address(next(in));
	struct message_response m = { .type = { MESSAGE_RESPONSE } };
	struct world_session s = { .outsider = who };
	struct noise_initiation initiation;
	struct key_shared static_static;
	struct key_private ephemeral;
	uint8_t stamp[STAMP_LEN];

	some_key(in, &ephemeral);
	if (!noise_consume_static(local, &w->initiation, &initiation) ||
	    !noise_static_static(local, &initiation.remote_static, &static_static) ||
	    !noise_consume_stamp(&initiation, &static_static, &w->initiation, stamp) ||
	    !noise_create_response(&initiation, &w->psk, &ephemeral, &m, &s.keys))
		return;
	store32_le(m.sender, 0x2000 + who);
	memcpy(m.receiver, w->initiation.sender, sizeof(m.receiver));
	s.index = load32_le(m.receiver);
	world_add_session(w, &s);
	mutate(in, &m, sizeof(m) - sizeof(m.macs));
	cookie_make(&w->makers[who], &w->core->local.public, &m, sizeof(m), w->now.boot);
	world_deliver(w, &m, sizeof(m), &from, 0);
	if (next(in) & 1)
		world_deliver(w, &m, sizeof(m), &from, 0);
}

/* An inner packet: a true one of that outsider, spoilt or cut short, or any bytes. */
static size_t make_inner(const struct world_session *s, struct input *in, uint8_t *ret)
{
	const size_t len = next(in) % 64;

	memset(ret, 0, len + 1);
	if (next(in) & 1) {
		for (size_t i = 0; i < len; ++i)
			ret[i] = next(in);
		return len;
	}
	memcpy(ret,
	       (uint8_t[20]){ 0x45, 0, 0, (uint8_t)len, [12] = 10, 0, (uint8_t)s->outsider, 1 },
	       len < 20 ? len : 20);
	mutate(in, ret, len + 1);
	return len;
}

static uint64_t pick_counter(struct world_session *s, struct input *in)
{
	switch (next(in) % 4) {
	case 0:
		return s->counter ? s->counter - 1 : 0;
	case 1:
		s->counter = next64(in);
		return s->counter;
	default:
		return s->counter++;
	}
}

static void send_data(struct world *w, struct input *in)
{
	struct world_session *s = &w->sessions[next(in) % WORLD_SESSIONS];
	const struct endpoint from = world_address(next(in));
	uint8_t message[MESSAGE_OVERHEAD + 128] = { MESSAGE_DATA };
	uint8_t *plain = message + sizeof(struct message_data);
	const uint64_t counter = pick_counter(s, in);
	const size_t len = make_inner(s, in, plain);
	const size_t padded = inner_padded(len, next(in) & 1 ? 1420 : 0);

	if (!s->is_live)
		return;
	memset(plain + len, 0, padded - len);
	store32_le(message + 4, s->index);
	store64_le(message + 8, counter);
	if (!crypto_seal(plain, plain, padded, NULL, 0, counter, &s->keys.send))
		return;
	mutate(in, message, padded + MESSAGE_OVERHEAD);
	world_deliver(w, message, padded + MESSAGE_OVERHEAD, &from, next(in) & 3);
}

/* In answer to the core's last initiation or response. */
static void send_cookie(struct world *w, struct input *in)
{
	const uint8_t choice = next(in);
	const unsigned int who = choice % WORLD_OUTSIDERS;
	const struct endpoint seen = world_address(99), from = world_address(next(in));
	const void *message = choice & 0x80 ? (const void *)&w->initiation : &w->response;
	const size_t len = choice & 0x80 ? sizeof(w->initiation) : sizeof(w->response);
	struct message_cookie m;

	if (!cookie_reply(&w->checkers[who], message, len, &seen, w->now.boot, &w->watch.entropy,
			  &m))
		return;
	mutate(in, &m, sizeof(m));
	world_deliver(w, &m, sizeof(m), &from, 0);
}

static void send_inner(struct world *w, struct input *in)
{
	uint8_t *packet = w->buffer + sizeof(struct message_data);
	const size_t len = 20 + next(in) % 44u;
	struct sending sending;
	struct inner inner;

	memset(packet, 0, len);
	memcpy(packet, (uint8_t[]){ 0x45, next(in), 0, (uint8_t)len }, 4);
	packet[16] = 10;
	packet[18] = next(in) % 4;
	WATCH(inner_parse(packet, len, &inner) == INNER_OK);
	switch (transport_send(w->core, w->now, &inner, 1, &sending)) {
	case TRANSPORT_SEAL:
		world_sent(w, &sending, len);
		break;
	case TRANSPORT_STAGE:
	case TRANSPORT_FLUSHING:
		transport_stage(w->core, w->now, &inner, packet);
		break;
	case TRANSPORT_NO_PEER:
	case TRANSPORT_NO_ENDPOINT:
	case TRANSPORT_DROP:
		break;
	}
}

static void pass_time(struct world *w, struct input *in)
{
	const uint8_t how = next(in);
	const uint64_t deadline = core_deadline(w->core);

	if (how < 64)
		w->now.boot += (uint64_t)1 << (how % 40);
	else if (how < 128 && deadline != TIME_NEVER && deadline > w->now.boot)
		w->now.boot = deadline;
	else if (how < 192)
		w->now.boot += (how - 127u) * NS_PER_S;
	else
		w->now.real += next64(in) >> (how % 64);
	/* As the device does: nothing is looked at before what was due. */
	core_tick(w->core, w->now);
}

static void change_peer(struct world *w, struct input *in)
{
	const uint8_t how = next(in), value = next(in);
	const unsigned int who = how / 16 % WORLD_OUTSIDERS;
	const struct prefix prefix = { .ip = { FAMILY_V4, { 10, 0, value % 4 } },
				       .bits = (uint8_t)(16 + value / 8 % 17) };
	const struct endpoint to = world_address(value);
	struct peer *p = world_peer(w, who);

	if (!p) {
		world_add_peer(w, who);
		return;
	}
	switch (how % 8) {
	case 0:
		core_remove_peer(w->core, w->now, p);
		return;
	case 1:
		core_set_psk(p, &(struct key_shared){ { value & 1 } });
		break;
	case 2:
		if (core_reserve(w->core, 0, 1))
			core_allow(w->core, p, &prefix);
		core_release(w->core);
		break;
	case 3:
		core_disallow(w->core, p, &prefix);
		break;
	case 4:
		core_disallow_all(w->core, p);
		break;
	case 5:
		core_set_endpoint(p, &to);
		break;
	default:
		core_set_keepalive(w->core, w->now, p, value % 32);
	}
	core_peer_changed(w->core, w->now, p);
}

static void change_device(struct world *w, struct input *in)
{
	struct key_private key = w->core->local.secret;
	const uint8_t how = next(in);

	switch (how % 8) {
	case 0:
		core_down(w->core, w->now);
		break;
	case 1:
		core_up(w->core, w->now);
		break;
	case 2:
		key.bytes[2] = how >> 4;
		(void)!core_set_private_key(w->core, w->now, &key, core_stamp_floor(w->core));
		break;
	case 3: /* one of a peer, who is removed by it, or none */
		key = how >> 7 ? (struct key_private){ 0 } : w->outsiders[how >> 6].secret;
		(void)!core_set_private_key(w->core, w->now, &key, 0);
		break;
	case 4:
		core_forget_sources(w->core);
		break;
	case 5:
		w->psk.bytes[0] = how >> 7;
		break;
	case 6:
		w->backlog = how >> 7 ? HANDSHAKE_UNDER_LOAD : 0;
		break;
	case 7:
		w->watch.fail_memory = how & 0x80 ? 300 : 0;
		w->watch.fail_entropy = how & 0x40 ? 100 : 0;
		break;
	}
}

static void run_late(struct world *w, struct input *in)
{
	const uint8_t which = next(in);

	if (which & 0x80)
		world_accept(w, which % WORLD_LATE);
	else
		world_run_job(w, which % WORLD_LATE);
}

static void finish_all(struct world *w, struct input *in)
{
	(void)in;
	for (unsigned int i = 0; i < 2 * WORLD_LATE; ++i)
		world_run_job(w, i % WORLD_LATE);
	for (unsigned int i = 0; i < WORLD_LATE; ++i)
		world_accept(w, i);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static void (*const operations[])(struct world *, struct input *) = {
		send_initiation, send_response, send_data,   send_cookie,   send_inner, send_data,
		pass_time,       run_late,      change_peer, change_device, finish_all, finish_all,
	};
	struct input in = { .at = data, .left = len < 512 ? len : 512 };
	static struct world world;

	world_start(&world);
	while (in.left) {
		operations[next(&in) % ELEMENTS(operations)](&world, &in);
		world_settle(&world);
	}
	world_stop(&world);
	return 0;
}
