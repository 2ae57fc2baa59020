#include "pair.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "crypto/crypto.h"

static uint64_t serial;

static struct prefix host_prefix(const struct ip *ip)
{
	return (struct prefix){ .ip = *ip, .bits = 32 };
}

void pair_prepare(struct pair *p)
{
	memset(p, 0, offsetof(struct pair, queue));
	p->now = (struct moment){ .boot = 1000 * NS_PER_S, .real = 1700000000 * NS_PER_S };
	for (unsigned int i = 0; i < 2; ++i) {
		struct host *h = &p->host[i];
		uint64_t seed = 77 + i;

		watch_init(&h->memory);
		test_entropy_init(&h->entropy, ++serial * UINT64_C(0x100000001b3));
		test_random_fill(&seed, &h->id.secret, sizeof(h->id.secret));
		crypto_clamp(&h->id.secret);
		if (!crypto_public(&h->id.secret, &h->id.public))
			abort();
		h->endpoint =
			(struct endpoint){ .ip = { FAMILY_V4, { 192, 0, 2, (uint8_t)(i + 1) } },
					   .port = 51820 };
		h->inner = (struct ip){ FAMILY_V4, { 10, 0, 0, (uint8_t)(i + 1) } };
	}
}

static bool draw(void *ctx, void *ret, size_t len)
{
	struct host *h = ctx;

	return ++h->draws != h->draw_fails && entropy_fill(&h->entropy.entropy, ret, len);
}

bool pair_start(struct pair *p, unsigned int i)
{
	struct host *h = &p->host[i];
	const struct host *other = &p->host[!i];
	const struct prefix prefix = host_prefix(&other->inner);
	const struct core_config config = {
		.memory = h->memory.memory,
		.entropy = { .fill = draw, .ctx = h },
		.ratelimit_sets = 1,
		.staged_budget = PAIR_BUDGET,
	};

	h->core = core_new(&config);
	if (!h->core)
		return false;
	if (!core_set_private_key(h->core, p->now, &h->id.secret, 0) ||
	    !core_reserve(h->core, 1, 1)) {
		h->core = core_free(h->core);
		return false;
	}
	h->peer = core_add_peer(h->core, &other->id.public);
	core_set_endpoint(h->peer, &other->endpoint);
	core_allow(h->core, h->peer, &prefix);
	core_release(h->core);
	core_up(h->core, p->now);
	return true;
}

void pair_init(struct pair *p)
{
	pair_prepare(p);
	for (unsigned int i = 0; i < 2; ++i)
		if (!pair_start(p, i))
			abort();
}

void pair_done(struct pair *p)
{
	for (unsigned int i = 0; i < 2; ++i) {
		p->host[i].core = core_free(p->host[i].core);
		watch_done(&p->host[i].memory);
	}
}

/* As much of a handshake as shows which of them belong together. */
static void fast_keys(const void *first, const void *second, const struct key_shared *psk,
		      struct key_shared *ret_initiator, struct key_shared *ret_responder,
		      uint8_t ret_tag[static 16])
{
	uint64_t seed = load64_le(first) ^ load64_le(psk->bytes);

	seed = test_random(&seed) + load64_le(second);
	test_random_fill(&seed, ret_initiator->bytes, KEY_LEN);
	test_random_fill(&seed, ret_responder->bytes, KEY_LEN);
	test_random_fill(&seed, ret_tag, 16);
}

static void fast_respond(struct handshake_job *job)
{
	memcpy(job->stamp, job->initiation_message.sealed_stamp, STAMP_LEN);
	job->is_replayed = !stamp_is_later(job->stamp, job->stamp_seen);
	job->ok = true;
	if (job->is_replayed)
		return;
	memcpy(job->response_message.ephemeral, job->ephemeral.bytes, KEY_LEN);
	fast_keys(&job->initiation.remote_ephemeral, &job->ephemeral, &job->psk, &job->keys.receive,
		  &job->keys.send, job->response_message.sealed_nothing);
}

static void fast_finish(struct handshake_job *job)
{
	uint8_t tag[16];

	fast_keys(&job->pending.ephemeral, job->response_message.ephemeral, &job->psk,
		  &job->keys.send, &job->keys.receive, tag);
	job->ok = memcmp(tag, job->response_message.sealed_nothing, sizeof(tag)) == 0;
}

static void fast_compute(struct handshake_job *job)
{
	struct message_initiation *m = &job->initiation_message;

	switch (job->task) {
	case TASK_INITIATE:
		memcpy(m->ephemeral, job->ephemeral.bytes, KEY_LEN);
		memcpy(m->sealed_static, job->local.public.bytes, KEY_LEN);
		memcpy(m->sealed_stamp, job->stamp, STAMP_LEN);
		job->pending.ephemeral = job->ephemeral;
		job->ok = true;
		break;
	case TASK_IDENTIFY:
		memcpy(&job->initiation.remote_static, m->sealed_static, KEY_LEN);
		memcpy(&job->initiation.remote_ephemeral, m->ephemeral, KEY_LEN);
		job->ok = true;
		break;
	case TASK_RESPOND:
		fast_respond(job);
		break;
	case TASK_FINISH:
		fast_finish(job);
		break;
	}
}

void pair_compute(const struct pair *p, struct handshake_job *job)
{
	if (p->fast)
		fast_compute(job);
	else
		handshake_compute(job);
}

static void put(struct pair *p, unsigned int i, const void *bytes, size_t len,
		const struct endpoint *to, uint8_t tos)
{
	struct datagram *d = &p->queue[(p->first + p->used) % PAIR_QUEUE];

	assert(p->used < PAIR_QUEUE && len <= sizeof(d->bytes));
	d->to = !i;
	d->from = p->host[i].endpoint;
	d->addressed = *to;
	d->tos = tos;
	d->len = len;
	memcpy(d->bytes, bytes, len);
	++p->host[i].sent[d->bytes[0]];
	p->host[i].sent_keepalives += d->bytes[0] == MESSAGE_DATA && len == MESSAGE_DATA_MIN;
	if (!p->pass || p->pass(p, d))
		++p->used;
}

void pair_put(struct pair *p, unsigned int i, const struct handshake_datagram *d)
{
	put(p, i, d->bytes, d->len, &d->to, d->tos);
	handshake_sent(p->host[i].core, p->now, d, true, false);
}

enum handshake_step pair_finish_job(struct pair *p, unsigned int i, struct handshake_job *job)
{
	struct handshake_datagram reply;
	enum handshake_step step;

	do {
		pair_compute(p, job);
		step = handshake_commit(p->host[i].core, p->now, job, &reply);
	} while (step == HANDSHAKE_WORK);
	if (step == HANDSHAKE_SEND)
		pair_put(p, i, &reply);
	return step;
}

void pair_seal(struct pair *p, unsigned int i, struct sending *s, const uint8_t *packet, size_t len)
{
	const size_t padded = inner_padded(len, PAIR_PACKET);
	/* Exactly as long as it may be, so that ASan sees a byte too many. */
	uint8_t *message = calloc(1, padded + MESSAGE_OVERHEAD);
	struct session_packet sealed = {
		.message = message, .len = len, .padded = padded, .counter = s->counter
	};

	assert(message);
	memcpy(message + sizeof(struct message_data), packet, len);
	if (!session_seal(&s->key, s->receiver, &sealed, 1))
		abort();
	crypto_wipe(&s->key, sizeof(s->key));
	put(p, i, message, padded + MESSAGE_OVERHEAD, &s->to, s->tos);
	transport_sent(p->host[i].core, p->now, s, padded + MESSAGE_OVERHEAD, true, false);
	free(message);
}

void pair_work(struct pair *p, unsigned int i)
{
	static uint8_t buffer[MESSAGE_MAX];
	struct output out;

	core_tick(p->host[i].core, p->now);
	for (;;) {
		out.packet = buffer;
		switch (core_pull(p->host[i].core, p->now, &out)) {
		case OUTPUT_NONE:
			return;
		case OUTPUT_JOB:
			(void)pair_finish_job(p, i, &out.job);
			break;
		case OUTPUT_PACKET:
			pair_seal(p, i, &out.sending, buffer, out.len);
			break;
		}
	}
}

static void receive_data(struct pair *p, unsigned int i, const struct datagram *d)
{
	struct host *h = &p->host[i];
	const struct transport_arrival arrival = { .from = d->from, .tos = d->tos };
	uint8_t *message = malloc(d->len);
	struct session_packet packet = { .message = message, .len = d->len };
	struct opening o;
	size_t len = 0;

	assert(message && d->len >= MESSAGE_DATA_MIN);
	memcpy(message, d->bytes, d->len);
	if (transport_receive(h->core, p->now, message, 1, &arrival, &o)) {
		session_open(&o.key, &packet, 1);
		crypto_wipe(&o.key, sizeof(o.key));
		transport_accept(h->core, p->now, &o, &packet, 1, &arrival, &len);
	}
	if (len) {
		++h->delivered;
		h->last_len = len;
		memcpy(h->last, message + sizeof(struct message_data), len);
	}
	free(message);
}

void pair_receive(struct pair *p, unsigned int i, const struct datagram *d)
{
	const struct source to = { .ip = p->host[i].endpoint.ip };
	struct handshake_datagram reply;
	struct handshake_job job;

	if (d->len >= MESSAGE_DATA_MIN && d->bytes[0] == MESSAGE_DATA) {
		receive_data(p, i, d);
		return;
	}
	switch (handshake_receive(p->host[i].core, p->now,
				  &(struct handshake_arrival){ .bytes = d->bytes,
							       .len = d->len,
							       .from = d->from,
							       .to = to,
							       .backlog = p->backlog },
				  &job, &reply)) {
	case HANDSHAKE_WORK:
		(void)pair_finish_job(p, i, &job);
		break;
	case HANDSHAKE_SEND:
		pair_put(p, i, &reply);
		break;
	case HANDSHAKE_DROPPED:
	case HANDSHAKE_DONE:
		break;
	}
}

bool pair_take(struct pair *p, struct datagram *ret)
{
	const struct datagram *d = &p->queue[p->first];

	if (p->used == 0)
		return false;
	memcpy(ret, d, offsetof(struct datagram, bytes) + d->len);
	p->first = (p->first + 1) % PAIR_QUEUE;
	--p->used;
	return true;
}

void pair_run(struct pair *p)
{
	static struct datagram d;

	do {
		while (pair_take(p, &d))
			pair_receive(p, d.to, &d);
		pair_work(p, 0);
		pair_work(p, 1);
	} while (p->used);
}

void pair_jump(struct pair *p, uint64_t ns)
{
	p->now.boot += ns;
	p->now.real += ns;
}

static uint64_t next_deadline(const struct pair *p)
{
	const uint64_t a = core_deadline(p->host[0].core), b = core_deadline(p->host[1].core);

	return a < b ? a : b;
}

void pair_advance(struct pair *p, uint64_t ns)
{
	const uint64_t end = p->now.boot + ns;
	uint64_t next;

	while ((next = next_deadline(p)) <= end) {
		if (next > p->now.boot)
			pair_jump(p, next - p->now.boot);
		pair_run(p);
		assert(next_deadline(p) > p->now.boot);
	}
	pair_jump(p, end - p->now.boot);
	pair_run(p);
}

void pair_packet(const struct pair *p, unsigned int from, uint8_t *ret, size_t len)
{
	assert(len >= 20 && len <= PAIR_PACKET);
	memset(ret, 0, len);
	ret[0] = 0x45;
	store16_be(ret + 2, (uint16_t)len);
	memcpy(ret + 12, p->host[from].inner.bytes, 4);
	memcpy(ret + 16, p->host[!from].inner.bytes, 4);
	for (size_t i = 20; i < len; ++i)
		ret[i] = (uint8_t)i;
}

enum transport_verdict pair_offer(struct pair *p, unsigned int from, const uint8_t *packet,
				  size_t len)
{
	struct core *c = p->host[from].core;
	enum transport_verdict verdict;
	struct inner inner;
	struct sending s;

	if (inner_parse(packet, len, &inner) != INNER_OK)
		abort();
	verdict = transport_send(c, p->now, &inner, 1, &s);
	if (verdict == TRANSPORT_SEAL)
		pair_seal(p, from, &s, packet, len);
	if (verdict == TRANSPORT_STAGE || verdict == TRANSPORT_FLUSHING)
		transport_stage(c, p->now, &inner, packet);
	return verdict;
}

enum transport_verdict pair_send(struct pair *p, unsigned int from, size_t len)
{
	uint8_t packet[PAIR_PACKET];
	enum transport_verdict verdict;

	pair_packet(p, from, packet, len);
	verdict = pair_offer(p, from, packet, len);
	pair_run(p);
	return verdict;
}

uint64_t pair_rejects(const struct pair *p, unsigned int i, enum reject_reason reason)
{
	return core_rejects(p->host[i].core)->device.by_reason[reason].count;
}

/* Each session ever seen, by its receiving key: a hash table that is never emptied. */
struct installed {
	uint64_t key;
	const struct session *session;
	uint64_t send_next;
	uint32_t index;
};

static void check_installed(const struct session *s)
{
	static struct installed seen[1 << 20];
	const uint64_t key = load64_le(s->keys.receive.bytes);
	struct installed *at = &seen[key % ELEMENTS(seen)];

	while (at->session && at->key != key)
		at = at == &seen[ELEMENTS(seen) - 1] ? seen : at + 1;
	if (at->session) {
		assert(at->session == s && at->index == s->local_index);
		assert(at->send_next <= s->send_next);
	}
	*at = (struct installed){ key, s, s->send_next, s->local_index };
}

static uint32_t check_index(const struct core *c, const struct peer *p, uint32_t index,
			    const struct session *s)
{
	const struct table_entry *e = table_find(&c->table, index);

	assert(index && e && e->peer == p && e->session == s);
	return 1;
}

static uint32_t check_session(const struct core *c, const struct peer *p, const struct session *s)
{
	if (!s)
		return 0;
	check_installed(s);
	return check_index(c, p, s->local_index, s);
}

void pair_check(const struct pair *p)
{
	for (unsigned int i = 0; i < 2; ++i) {
		const struct core *c = p->host[i].core;
		uint32_t used = 0;

		for (const struct peer *at = NULL; (at = core_next_peer(c, at));) {
			used += check_session(c, at, at->current);
			used += check_session(c, at, at->previous);
			used += check_session(c, at, at->next);
			if (at->handshake.index)
				used += check_index(c, at, at->handshake.index, NULL);
		}
		assert(used == c->table.used);
	}
}
