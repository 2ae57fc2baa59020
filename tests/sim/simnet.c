#include "simnet.h"

#include <stdlib.h>
#include <string.h>

#include "../unit/cipher_choice.h"
#include "base/bytes.h"
#include "crypto/crypto.h"
#include "simpacket.h"

enum event_kind { EVENT_ARRIVE, EVENT_TICK, EVENT_BRAIN, EVENT_JOB, EVENT_ACCEPT, EVENT_SEAL };

struct sim_message {
	struct sim_message *next;
	struct transport_arrival arrival;
	struct endpoint to;
	size_t len;
	uint8_t bytes[];
};

struct sim_event {
	uint64_t at;
	uint64_t order;
	enum event_kind kind;
	unsigned int node;
	unsigned int life;
	struct sim_message *message; /* ARRIVE, ACCEPT, SEAL */
	struct handshake_job job;
	struct opening opening;
	struct session_packet packet;
	struct sending sending;
	size_t len;        /* SEAL: of the inner packet at bytes + 16 */
	uint64_t deadline; /* TICK: what it was set up for */
};

enum { SPARE = 64 };

uint64_t sim_below(struct sim *s, uint64_t n)
{
	return watch_below(&s->random, n);
}

bool sim_chance(struct sim *s, unsigned int of_1000)
{
	return of_1000 && sim_below(s, 1000) < of_1000;
}

struct moment sim_moment(const struct sim_node *n)
{
	const uint64_t real = SIM_EPOCH + n->sim->now - SIM_START;

	return (struct moment){ .boot = n->sim->now, .real = real + (uint64_t)n->clock_offset };
}

/* Events: a heap by time, then by order of arrival */

static bool is_before(const struct sim_event *a, const struct sim_event *b)
{
	return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static struct sim_event *new_event(struct sim *s, enum event_kind kind, const struct sim_node *n,
				   uint64_t at)
{
	struct sim_event *e = calloc(1, sizeof(*e));

	WATCH(e);
	e->at = at;
	e->order = s->events++;
	e->kind = kind;
	e->node = n->id;
	e->life = n->life;
	return e;
}

static void push(struct sim *s, struct sim_event *e)
{
	size_t at = s->heap_len++;

	if (at == s->heap_room) {
		s->heap_room = s->heap_room ? 2 * s->heap_room : 64;
		s->heap = realloc(s->heap, s->heap_room * sizeof(struct sim_event *));
		WATCH(s->heap);
	}
	for (; at > 0 && is_before(e, s->heap[(at - 1) / 2]); at = (at - 1) / 2)
		s->heap[at] = s->heap[(at - 1) / 2];
	s->heap[at] = e;
}

static struct sim_event *pop(struct sim *s)
{
	struct sim_event *first = s->heap[0], *last = s->heap[--s->heap_len];
	size_t at = 0;

	for (size_t child = 1; child < s->heap_len; child = 2 * at + 1) {
		if (child + 1 < s->heap_len && is_before(s->heap[child + 1], s->heap[child]))
			++child;
		if (!is_before(s->heap[child], last))
			break;
		s->heap[at] = s->heap[child];
		at = child;
	}
	s->heap[at] = last;
	return first;
}

static void free_event(struct sim_event *e)
{
	free(e->message);
	free(e);
}

static struct sim_message *new_message(const void *bytes, size_t len)
{
	struct sim_message *m = calloc(1, sizeof(*m) + len + SPARE);

	WATCH(m);
	m->len = len;
	memcpy(m->bytes, bytes, len);
	return m;
}

/* The network */

static struct sim_node *node_at(struct sim *s, const struct endpoint *e)
{
	for (unsigned int i = 0; i < s->options.nodes; ++i)
		if (endpoint_equal(&s->nodes[i].address, e))
			return &s->nodes[i];
	return NULL;
}

static bool is_lost(struct sim *s)
{
	if (s->burst_left) {
		--s->burst_left;
		return true;
	}
	if (sim_chance(s, s->weather.burst))
		s->burst_left = s->weather.burst_len;
	return sim_chance(s, s->weather.loss);
}

static void transmit(struct sim *s, struct sim_node *to, const struct endpoint *from,
		     const void *bytes, size_t len, uint8_t tos)
{
	const uint64_t delay = s->weather.delay + sim_below(s, s->weather.jitter);
	struct sim_event *e = new_event(s, EVENT_ARRIVE, to, s->now + delay);

	e->message = new_message(bytes, len);
	e->message->arrival = (struct transport_arrival){
		.from = *from, .to = { .ip = to->address.ip, .ifindex = 2 }, .tos = tos
	};
	e->message->to = to->address;
	if (len && sim_chance(s, s->weather.corrupt))
		e->message->bytes[sim_below(s, len)] ^= (uint8_t)(1 + sim_below(s, 255));
	push(s, e);
}

static void node_send(struct sim_node *n, const struct endpoint *to, const void *bytes, size_t len,
		      uint8_t tos)
{
	struct sim *s = n->sim;
	struct sim_node *peer = node_at(s, to);

	WATCH(endpoint_is_set(to));
	++n->datagrams_sent;
	n->sent_at = s->now;
	if (!peer || peer == n || s->is_cut[n->id][peer->id] || is_lost(s))
		return;
	transmit(s, peer, &n->address, bytes, len, tos);
	if (sim_chance(s, s->weather.duplicate))
		transmit(s, peer, &n->address, bytes, len, tos);
}

void sim_inject(struct sim *s, const struct endpoint *from, unsigned int to, const void *bytes,
		size_t len)
{
	transmit(s, &s->nodes[to], from, bytes, len, 0);
}

void sim_cut(struct sim *s, unsigned int a, unsigned int b, bool is_cut)
{
	s->is_cut[a][b] = is_cut;
	s->is_cut[b][a] = is_cut;
}

void sim_rebind(struct sim *s, unsigned int id)
{
	struct endpoint *e = &s->nodes[id].address;

	e->port = (uint16_t)(1024 + sim_below(s, 60000));
	if (sim_chance(s, 500))
		e->ip.bytes[2] = (uint8_t)sim_below(s, 256);
}

/* The device of a node */

static void seal_and_send(struct sim_node *n, const struct sending *sending, uint8_t *bytes,
			  size_t len)
{
	struct session_packet packet = { .message = bytes,
					 .len = len,
					 .padded = inner_padded(len, SIM_PAYLOAD_MAX),
					 .counter = sending->counter };
	const size_t total = packet.padded + MESSAGE_OVERHEAD;

	WATCH(session_seal(&sending->key, sending->receiver, &packet, 1));
	WATCH((sending->tos & ~3) == 0);
	node_send(n, &sending->to, bytes, total, sending->tos);
	transport_sent(n->core, sim_moment(n), sending, total, true, false);
}

static void start_job(struct sim_node *n, const struct handshake_job *job)
{
	struct sim *s = n->sim;
	struct sim_event *e =
		new_event(s, EVENT_JOB, n, s->now + sim_below(s, s->options.job_delay));

	e->job = *job;
	push(s, e);
}

static void pull(struct sim_node *n)
{
	uint8_t *const message = n->buffer;
	struct output out = { .packet = message + sizeof(struct message_data) };
	unsigned int rounds = 0;

	for (;;) {
		WATCH(++rounds < 10000);
		switch (core_pull(n->core, sim_moment(n), &out)) {
		case OUTPUT_NONE:
			return;
		case OUTPUT_JOB:
			start_job(n, &out.job);
			break;
		case OUTPUT_PACKET:
			watch_sending(&n->watch, &out.sending, 1);
			seal_and_send(n, &out.sending, message, out.len);
			break;
		}
	}
}

static void schedule_tick(struct sim_node *n)
{
	struct sim *s = n->sim;
	const uint64_t deadline = core_deadline(n->core);
	struct sim_event *e;

	if (deadline >= n->tick_at)
		return;
	n->tick_at = deadline > s->now ? deadline : s->now;
	e = new_event(s, EVENT_TICK, n, n->tick_at + sim_below(s, s->options.tick_late));
	e->deadline = n->tick_at;
	push(s, e);
}

void sim_settle(struct sim_node *n)
{
	watch_check(&n->watch, sim_moment(n));
	pull(n);
	watch_check(&n->watch, sim_moment(n));
	schedule_tick(n);
}

void sim_forget_spacing(struct sim_node *n)
{
	memset(n->initiated_at, 0, sizeof(n->initiated_at));
}

static void note_initiation(struct sim_node *n, const struct handshake_datagram *d, uint64_t stamp)
{
	struct sim *s = n->sim;

	for (unsigned int i = 0; i < s->options.nodes; ++i) {
		if (memcmp(&s->nodes[i].public, &d->peer, KEY_LEN) != 0)
			continue;
		WATCH(stamp > n->stamp_sent[i]);
		n->stamp_sent[i] = stamp;
		++n->initiations[i];
		WATCH(!n->initiated_at[i] || s->now >= n->initiated_at[i] + REKEY_TIMEOUT);
		n->initiated_at[i] = s->now;
	}
	/* The promise of wg/stamp.h: on disk before it is sent. */
	n->floor = core_stamp_floor(n->core);
}

static void note_response(struct sim_node *n, const struct handshake_datagram *d)
{
	const uint32_t index = load32_le(((const struct message_response *)d->bytes)->receiver);

	for (unsigned int i = 0; i < n->sim->options.nodes; ++i) {
		if (memcmp(&n->sim->nodes[i].public, &d->peer, KEY_LEN) != 0)
			continue;
		WATCH(index != n->answered[i]);
		n->answered[i] = index;
	}
}

static uint64_t stamp_number(const uint8_t stamp[static STAMP_LEN])
{
	return load64_be(stamp) << 30 | load32_be(stamp + 8);
}

static void send_handshake(struct sim_node *n, const struct handshake_datagram *d)
{
	node_send(n, &d->to, d->bytes, d->len, d->tos);
	handshake_sent(n->core, sim_moment(n), d, true, false);
}

/* What came of a job came of keys that still hold. */
static void check_keys(const struct sim_node *n, const struct handshake_job *job)
{
	const struct peer *p = core_find_peer(n->core, &job->remote);

	WATCH(memcmp(&job->local, &n->core->local, sizeof(job->local)) == 0);
	WATCH(job->task != TASK_RESPOND || (p && memcmp(&job->psk, &p->psk, KEY_LEN) == 0));
}

static void commit(struct sim_node *n, struct handshake_job *job)
{
	const uint64_t stamp = stamp_number(job->stamp);
	const struct handshake_job before = *job;
	struct handshake_datagram d;
	enum handshake_step step;

	handshake_compute(job);
	step = handshake_commit(n->core, sim_moment(n), job, &d);
	if (step == HANDSHAKE_SEND || step == HANDSHAKE_DONE)
		check_keys(n, &before);
	switch (step) {
	case HANDSHAKE_WORK:
		start_job(n, job);
		break;
	case HANDSHAKE_SEND:
		if (d.bytes[0] == MESSAGE_INITIATION)
			note_initiation(n, &d, stamp);
		if (d.bytes[0] == MESSAGE_RESPONSE)
			note_response(n, &d);
		send_handshake(n, &d);
		break;
	case HANDSHAKE_DONE:
	case HANDSHAKE_DROPPED:
		break;
	}
}

static uint64_t take_handshake(struct sim_node *n, const struct sim_message *m)
{
	const struct sim_options *o = &n->sim->options;
	struct handshake_datagram d;
	struct handshake_job job;

	switch (handshake_receive(n->core, sim_moment(n),
				  &(struct handshake_arrival){ .bytes = m->bytes,
							       .len = m->len,
							       .from = m->arrival.from,
							       .to = m->arrival.to,
							       .backlog = n->queue_len },
				  &job, &d)) {
	case HANDSHAKE_WORK:
		start_job(n, &job);
		return o->job_cost;
	case HANDSHAKE_SEND:
		send_handshake(n, &d);
		break;
	case HANDSHAKE_DONE:
	case HANDSHAKE_DROPPED:
		break;
	}
	return o->message_cost;
}

static void wake_brain(struct sim_node *n)
{
	struct sim *s = n->sim;

	n->is_brain_awake = n->queue_len > 0;
	if (n->is_brain_awake)
		push(s, new_event(s, EVENT_BRAIN, n,
				  n->brain_free_at > s->now ? n->brain_free_at : s->now));
}

static void brain(struct sim_node *n)
{
	struct sim_message *m = n->queue_first;

	n->queue_first = m->next;
	--n->queue_len;
	n->brain_free_at = n->sim->now + take_handshake(n, m);
	free(m);
	wake_brain(n);
}

static void enqueue(struct sim_node *n, struct sim_message *m)
{
	if (n->queue_len >= HANDSHAKE_QUEUE) {
		core_count_reject(n->core, sim_moment(n), REJECT_QUEUE_FULL, &m->arrival.from);
		free(m);
		return;
	}
	m->next = NULL;
	if (n->queue_len++ == 0)
		n->queue_first = m;
	else
		n->queue_last->next = m;
	n->queue_last = m;
	if (!n->is_brain_awake)
		wake_brain(n);
}

static void take_data(struct sim_node *n, struct sim_event *e)
{
	struct sim *s = n->sim;
	struct sim_event *later;

	if (!transport_receive(n->core, sim_moment(n), e->message->bytes, 1, &e->message->arrival,
			       &e->opening))
		return;
	later = new_event(s, EVENT_ACCEPT, n, s->now + sim_below(s, s->options.hold));
	later->message = e->message;
	later->opening = e->opening;
	later->packet.message = e->message->bytes;
	later->packet.len = e->message->len;
	e->message = NULL;
	session_open(&later->opening.key, &later->packet, 1);
	push(s, later);
}

static void accept(struct sim_node *n, const struct sim_event *e)
{
	/* The same packet twice in one batch: the second is a replay. */
	const struct session_packet batch[] = { e->packet, e->packet };
	size_t len[2], count = sim_chance(n->sim, 100) ? 2 : 1;

	transport_accept(n->core, sim_moment(n), &e->opening, batch, count, &e->message->arrival,
			 len);
	WATCH(count == 1 || len[1] == 0);
	if (len[0] == 0)
		return;
	watch_accepted(&n->watch, &e->opening, sim_moment(n));
	sim_packet_deliver(n, batch[0].message + sizeof(struct message_data), len[0]);
}

static void arrive(struct sim_node *n, struct sim_event *e)
{
	struct sim_message *m = e->message;
	const uint32_t type = m->len >= 4 ? load32_le(m->bytes) : 0;

	if (!endpoint_equal(&m->to, &n->address))
		return; /* it has moved meanwhile */
	if (type == MESSAGE_DATA && m->len >= MESSAGE_DATA_MIN) {
		take_data(n, e);
	} else if (m->bytes[0] >= 1 && m->bytes[0] <= 3) {
		enqueue(n, m);
		e->message = NULL;
	} else {
		core_count_reject(n->core, sim_moment(n), REJECT_TYPE, &m->arrival.from);
	}
}

static void dispatch(struct sim_node *n, struct sim_event *e)
{
	if (e->life != n->life && e->kind != EVENT_ARRIVE)
		return;
	switch (e->kind) {
	case EVENT_ARRIVE:
		arrive(n, e);
		break;
	case EVENT_TICK:
		if (e->deadline != n->tick_at)
			return; /* an earlier one has come between */
		n->tick_at = TIME_NEVER;
		core_tick(n->core, sim_moment(n));
		break;
	case EVENT_BRAIN:
		brain(n);
		break;
	case EVENT_JOB:
		commit(n, &e->job);
		break;
	case EVENT_ACCEPT:
		accept(n, e);
		break;
	case EVENT_SEAL:
		seal_and_send(n, &e->sending, e->message->bytes, e->len);
		break;
	}
	sim_settle(n);
}

void sim_run(struct sim *s, uint64_t duration)
{
	const uint64_t until = s->now + duration;

	while (s->heap_len && s->heap[0]->at <= until) {
		struct sim_event *e = pop(s);

		s->now = e->at;
		dispatch(&s->nodes[e->node], e);
		free_event(e);
	}
	s->now = until;
}

static void seal_later(struct sim_node *n, const struct sending *sending, const uint8_t *inner,
		       size_t len)
{
	struct sim *s = n->sim;
	struct sim_event *e = new_event(s, EVENT_SEAL, n, s->now + sim_below(s, s->options.hold));

	memcpy(n->buffer + sizeof(struct message_data), inner, len);
	e->message = new_message(n->buffer, sizeof(struct message_data) + len);
	e->sending = *sending;
	e->len = len;
	push(s, e);
}

bool sim_send_as(struct sim *s, unsigned int from, unsigned int as, unsigned int to)
{
	struct sim_node *n = &s->nodes[from];
	const uint64_t number = sim_packet_new(s, from, as, to);
	uint8_t packet[SIM_PAYLOAD_MAX];
	struct sending sending;
	struct inner inner;
	enum transport_verdict verdict;

	sim_packet_write(&s->packets[number], as, number, packet);
	WATCH(inner_parse(packet, s->packets[number].len, &inner) == INNER_OK);
	verdict = transport_send(n->core, sim_moment(n), &inner, 1, &sending);
	if (verdict == TRANSPORT_SEAL) {
		watch_sending(&n->watch, &sending, 1);
		seal_later(n, &sending, packet, inner.len);
	} else if (verdict == TRANSPORT_STAGE || verdict == TRANSPORT_FLUSHING) {
		transport_stage(n->core, sim_moment(n), &inner, packet);
	}
	sim_settle(n);
	return verdict == TRANSPORT_SEAL || verdict == TRANSPORT_STAGE ||
	       verdict == TRANSPORT_FLUSHING;
}

bool sim_send(struct sim *s, unsigned int from, unsigned int to)
{
	return sim_send_as(s, from, from, to);
}

/* Setting up */

void sim_psk(struct sim *s, unsigned int a, unsigned int b, struct key_shared *ret)
{
	uint64_t seed = s->options.seed + (a < b ? a * 64 + b : b * 64 + a);

	watch_random_fill(&seed, ret->bytes, KEY_LEN);
}

struct peer *sim_peer(struct sim *s, unsigned int at, unsigned int of)
{
	return core_find_peer(s->nodes[at].core, &s->nodes[of].public);
}

void sim_add_peer(struct sim_node *n, unsigned int id)
{
	struct sim *s = n->sim;
	const struct prefix prefix = { .ip = { FAMILY_V4, { 10, 0, 0, (uint8_t)(id + 1) } },
				       .bits = 32 };
	struct key_shared psk;
	struct peer *p;

	WATCH(core_reserve(n->core, 1, 1));
	p = core_add_peer(n->core, &s->nodes[id].public);
	WATCH(p);
	if (s->options.has_psk) {
		sim_psk(s, n->id, id, &psk);
		core_set_psk(p, &psk);
	}
	core_allow(n->core, p, &prefix);
	if (!s->options.is_one_sided || n->id == 0)
		core_set_endpoint(p, &s->nodes[id].address);
	if (n->id == 0)
		core_set_keepalive(n->core, sim_moment(n), p, s->options.keepalive);
	core_peer_changed(n->core, sim_moment(n), p);
	core_release(n->core);
}

static void start_core(struct sim_node *n)
{
	struct sim *s = n->sim;
	struct core_config config;

	watch_init(&n->watch, &s->ledger, watch_random(&s->random));
	config = (struct core_config){ .memory = n->watch.memory,
				       .entropy = n->watch.entropy,
				       .ratelimit_sets = 4,
				       .staged_budget = 64 * 1024 };
	n->core = core_new(&config);
	WATCH(n->core);
	n->watch.core = n->core;
	n->tick_at = TIME_NEVER;
	WATCH(core_set_private_key(n->core, sim_moment(n), &n->secret, n->floor));
	for (unsigned int i = 0; i < s->options.nodes; ++i)
		if (i != n->id)
			sim_add_peer(n, i);
	core_up(n->core, sim_moment(n));
	sim_settle(n);
}

static void stop_core(struct sim_node *n)
{
	struct sim_message *m;

	n->core = core_free(n->core);
	watch_done(&n->watch);
	for (; n->queue_len; --n->queue_len) {
		m = n->queue_first;
		n->queue_first = m->next;
		free(m);
	}
	n->is_brain_awake = false;
	++n->life;
}

void sim_restart(struct sim *s, unsigned int id)
{
	struct sim_node *n = &s->nodes[id];

	stop_core(n);
	memset(n->stamp_sent, 0, sizeof(n->stamp_sent));
	sim_forget_spacing(n);
	start_core(n);
}

void sim_set_clock(struct sim *s, unsigned int id, uint64_t real)
{
	s->nodes[id].clock_offset = (int64_t)(real - (SIM_EPOCH + s->now - SIM_START));
}

static void make_node(struct sim *s, unsigned int id)
{
	struct sim_node *n = &s->nodes[id];

	n->sim = s;
	n->id = id;
	n->address = (struct endpoint){ .ip = { FAMILY_V4, { 192, 0, 2, (uint8_t)(id + 1) } },
					.port = 51820 };
	watch_random_fill(&s->random, n->secret.bytes, KEY_LEN);
	crypto_clamp(&n->secret);
	WATCH(crypto_public(&n->secret, &n->public));
}

struct sim *sim_new(const struct sim_options *options)
{
	struct sim *s = calloc(1, sizeof(*s));

	WATCH(s && options->nodes >= 2 && options->nodes <= SIM_NODES_MAX);
	watch_set_seed(options->seed);
	s->options = *options;
	s->weather = options->weather;
	s->random = options->seed;
	s->now = SIM_START;
	for (unsigned int i = 0; i < options->nodes; ++i)
		make_node(s, i);
	for (unsigned int i = 0; i < options->nodes; ++i)
		start_core(&s->nodes[i]);
	return s;
}

void sim_free(struct sim *s)
{
	for (unsigned int i = 0; i < s->options.nodes; ++i)
		stop_core(&s->nodes[i]);
	while (s->heap_len)
		free_event(pop(s));
	free(s->heap);
	free(s->packets);
	ledger_done(&s->ledger);
	free(s);
}

unsigned int sim_seeds(unsigned int in_check)
{
	const char *seeds = getenv("SIM_SEEDS"), *tier = getenv("WARREN_TIER");

	if (seeds)
		return (unsigned int)strtoul(seeds, NULL, 10);
	if (tier && strcmp(tier, "test") == 0)
		return 20;
	if (tier && strcmp(tier, "full") == 0)
		return 200;
	return in_check;
}
