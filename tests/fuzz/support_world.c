#include "support_world.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "crypto/crypto.h"

static const struct key_private core_secret = { { 0x40, 1, 2, 3, 4, [31] = 0x40 } };

struct endpoint world_address(unsigned int n)
{
	return (struct endpoint){ .ip = { FAMILY_V4, { 192, 0, 2, (uint8_t)(1 + n % 4) } },
				  .port = (uint16_t)(1000 + n) };
}

struct peer *world_peer(const struct world *w, unsigned int outsider)
{
	return core_find_peer(w->core, &w->outsiders[outsider].public);
}

void world_add_peer(struct world *w, unsigned int outsider)
{
	const struct prefix prefix = { .ip = { FAMILY_V4, { 10, 0, (uint8_t)outsider } },
				       .bits = 24 };
	const struct endpoint to = world_address(outsider);
	struct peer *p;

	if (world_peer(w, outsider) || !core_reserve(w->core, 1, 1))
		return;
	p = core_add_peer(w->core, &w->outsiders[outsider].public);
	if (p) { /* else it is the core's own key just now */
		core_allow(w->core, p, &prefix);
		core_set_endpoint(p, &to);
		core_peer_changed(w->core, w->now, p);
	}
	core_release(w->core);
}

/* Keys that are the same in all runs: a DH each is what makes a run slow. */
static const struct noise_local *fixed_outsider(unsigned int n)
{
	static struct noise_local outsiders[WORLD_OUTSIDERS];
	struct noise_local *o = &outsiders[n];

	if (crypto_is_zero(&o->public, sizeof(o->public))) {
		o->secret = (struct key_private){ { (uint8_t)(8 * (n + 2)), 7, [31] = 0x40 } };
		WATCH(crypto_public(&o->secret, &o->public));
	}
	return o;
}

void world_start(struct world *w)
{
	struct core_config config;

	memset(w, 0, sizeof(*w));
	w->now = (struct moment){ .boot = 1000 * NS_PER_S, .real = 1700000000 * NS_PER_S };
	w->stamp = w->now.real;
	watch_init(&w->watch, &w->ledger, 1);
	config = (struct core_config){ .memory = w->watch.memory,
				       .entropy = w->watch.entropy,
				       .ratelimit_sets = 1,
				       .staged_budget = 8192 };
	w->core = core_new(&config);
	WATCH(w->core);
	w->watch.core = w->core;
	WATCH(core_set_private_key(w->core, w->now, &core_secret, 0));
	for (unsigned int i = 0; i < WORLD_OUTSIDERS; ++i) {
		w->outsiders[i] = *fixed_outsider(i);
		cookie_maker_init(&w->makers[i]);
		cookie_checker_set_key(&w->checkers[i], &w->outsiders[i].public);
	}
	for (unsigned int i = 0; i < WORLD_PEERS; ++i)
		world_add_peer(w, i);
	core_up(w->core, w->now);
}

void world_stop(struct world *w)
{
	w->core = core_free(w->core);
	watch_done(&w->watch);
	ledger_done(&w->ledger);
	for (unsigned int i = 0; i < WORLD_LATE; ++i)
		free(w->opened[i].message);
}

void world_add_session(struct world *w, const struct world_session *s)
{
	w->sessions[w->next_session] = *s;
	w->sessions[w->next_session].is_live = true;
	w->next_session = (w->next_session + 1) % WORLD_SESSIONS;
}

/* The core's response to the outsider's initiation. */
static void take_response(struct world *w)
{
	const struct message_response *m = &w->response;
	struct world_session s = { .index = load32_le(m->sender), .outsider = w->pending_outsider };

	if (noise_consume_response(&w->outsiders[w->pending_outsider], &w->pending, &w->psk, m,
				   &s.keys))
		world_add_session(w, &s);
}

static void take_datagram(struct world *w, const struct handshake_datagram *d)
{
	WATCH(endpoint_is_set(&d->to));
	switch (d->bytes[0]) {
	case MESSAGE_INITIATION:
		WATCH(d->len == sizeof(w->initiation) && d->has_peer);
		memcpy(&w->initiation, d->bytes, sizeof(w->initiation));
		for (unsigned int i = 0; i < WORLD_PEERS; ++i)
			if (memcmp(&d->peer, &w->outsiders[i].public, KEY_LEN) == 0)
				w->initiated_to = i;
		break;
	case MESSAGE_RESPONSE:
		WATCH(d->len == sizeof(w->response) && d->has_peer);
		memcpy(&w->response, d->bytes, sizeof(w->response));
		take_response(w);
		break;
	case MESSAGE_COOKIE:
		WATCH(d->len == sizeof(struct message_cookie) && !d->has_peer);
		for (unsigned int i = 0; i < WORLD_OUTSIDERS; ++i)
			(void)!cookie_take(&w->makers[i], &w->core->local.public,
					   (const struct message_cookie *)d->bytes, w->now.boot);
		break;
	default:
		WATCH(false);
	}
	handshake_sent(w->core, w->now, d, w->now.boot % 7 != 0, w->now.boot % 5 == 0);
}

static void keep_job(struct world *w, const struct handshake_job *job)
{
	for (unsigned int i = 0; i < WORLD_LATE; ++i) {
		if (w->has_job[i])
			continue;
		w->jobs[i] = *job;
		w->has_job[i] = true;
		return;
	}
}

void world_run_job(struct world *w, unsigned int at)
{
	struct handshake_datagram d;
	enum handshake_step step;

	if (!w->has_job[at])
		return;
	handshake_compute(&w->jobs[at]);
	step = handshake_commit(w->core, w->now, &w->jobs[at], &d);
	w->has_job[at] = step == HANDSHAKE_WORK;
	WATCH(w->has_job[at] || crypto_is_zero(&w->jobs[at], sizeof(w->jobs[at])));
	if (step == HANDSHAKE_SEND)
		take_datagram(w, &d);
}

static void open_data(struct world *w, uint8_t *message, size_t len,
		      const struct transport_arrival *arrival)
{
	struct world_opened o = { .message = message, .arrival = *arrival };
	unsigned int at = 0;

	if (!transport_receive(w->core, w->now, message, 1, arrival, &o.opening)) {
		free(message);
		return;
	}
	o.packet = (struct session_packet){ .message = message, .len = len };
	session_open(&o.opening.key, &o.packet, 1);
	while (at < WORLD_LATE - 1 && w->opened[at].message)
		++at;
	if (w->opened[at].message)
		world_accept(w, at);
	w->opened[at] = o;
}

void world_accept(struct world *w, unsigned int at)
{
	struct world_opened *o = &w->opened[at];
	const struct table_entry *entry;
	struct allowed_owner *owner;
	struct inner inner;
	size_t len;

	if (!o->message)
		return;
	transport_accept(w->core, w->now, &o->opening, &o->packet, 1, &o->arrival, &len);
	if (len > 0) {
		WATCH(o->packet.ok && len <= o->packet.len);
		watch_accepted(&w->watch, &o->opening, w->now);
		entry = table_find(&w->core->table, o->opening.local_index);
		WATCH(inner_parse(o->message + sizeof(struct message_data), len, &inner) ==
		      INNER_OK);
		owner = allowedips_lookup(&w->core->allowed, &inner.src);
		WATCH(inner.len == len && owner == &entry->peer->allowed);
	}
	free(o->message);
	o->message = NULL;
}

/* In a buffer of exactly its length, so that a sanitizer sees one byte too many. */
void world_deliver(struct world *w, const void *bytes, size_t len, const struct endpoint *from,
		   uint8_t tos)
{
	const struct transport_arrival arrival = { .from = *from,
						   .to = { .ip = { FAMILY_V4, { 192, 0, 2, 99 } } },
						   .tos = tos };
	uint8_t *message = malloc(len ? len : 1);
	struct handshake_datagram d;
	struct handshake_job job;

	WATCH(message);
	memcpy(message, bytes, len);
	if (len >= MESSAGE_DATA_MIN && load32_le(message) == MESSAGE_DATA) {
		open_data(w, message, len, &arrival);
		return;
	}
	switch (handshake_receive(w->core, w->now,
				  &(struct handshake_arrival){ .bytes = message,
							       .len = len,
							       .from = *from,
							       .to = arrival.to,
							       .backlog = w->backlog },
				  &job, &d)) {
	case HANDSHAKE_WORK:
		keep_job(w, &job);
		break;
	case HANDSHAKE_SEND:
		take_datagram(w, &d);
		break;
	case HANDSHAKE_DONE:
	case HANDSHAKE_DROPPED:
		break;
	}
	free(message);
}

void world_sent(struct world *w, const struct sending *s, size_t len)
{
	struct session_packet packet = { .message = w->buffer,
					 .len = len,
					 .padded = inner_padded(len, 1420),
					 .counter = s->counter };
	const size_t total = packet.padded + MESSAGE_OVERHEAD;

	watch_sending(&w->watch, s, 1);
	WATCH(total <= sizeof(w->buffer));
	WATCH(session_seal(&s->key, s->receiver, &packet, 1));
	packet.len = total;
	for (unsigned int i = 0; i < WORLD_SESSIONS; ++i) {
		if (memcmp(&w->sessions[i].keys.receive, &s->key, KEY_LEN) != 0)
			continue;
		session_open(&s->key, &packet, 1);
		WATCH(packet.ok && packet.counter == s->counter);
		break;
	}
	transport_sent(w->core, w->now, s, total, true, w->now.boot % 5 == 0);
}

void world_settle(struct world *w)
{
	struct output out = { .packet = w->buffer + sizeof(struct message_data) };
	enum output_kind kind;
	unsigned int rounds = 0;

	watch_check(&w->watch, w->now);
	while ((kind = core_pull(w->core, w->now, &out)) != OUTPUT_NONE) {
		WATCH(++rounds < 10000);
		if (kind == OUTPUT_JOB)
			keep_job(w, &out.job);
		else
			world_sent(w, &out.sending, out.len);
	}
	WATCH(!core_has_output(w->core));
	watch_check(&w->watch, w->now);
}
