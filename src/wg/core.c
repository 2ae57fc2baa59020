#include "wg/core.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "crypto/crypto.h"
#include "wg/core_private.h"

enum { TICK_PEERS = 256 };

struct core *core_new(const struct core_config *config)
{
	struct core *c = memory_take(&config->memory, sizeof(*c));
	struct {
		uint8_t table[8];
		struct siphash_key keys;
		struct siphash_key ratelimit;
		struct siphash_key jitter;
	} random;

	if (!c)
		return NULL;
	c->config = *config;
	list_init(&c->peers);
	list_init(&c->spare_peers);
	list_init(&c->former);
	list_init(&c->retired);
	list_init(&c->buried);
	list_init(&c->busy);
	list_init(&c->staged);
	if (!entropy_fill(&c->config.entropy, &random, sizeof(random)) ||
	    !gate_init(&c->gate, &c->config.memory, config->ratelimit_sets, &random.ratelimit)) {
		memory_give(&config->memory, c, sizeof(*c));
		return NULL;
	}
	allowedips_init(&c->allowed, &c->config.memory);
	allowedips_init(&c->aside, &c->config.memory);
	c->edited = &c->allowed;
	table_init(&c->table, &c->config.memory, random.table);
	keytable_init(&c->keys, &c->config.memory, &random.keys);
	schedule_init(&c->schedule, &c->config.memory);
	reject_init(&c->rejects, &c->config.memory);
	stamp_init(&c->stamp, 0);
	c->jitter_key = random.jitter;
	crypto_wipe(&random, sizeof(random));
	return c;
}

/* Unpredictable is enough here: no random bytes of the host are asked for on the packet path. */
uint32_t core_jitter(struct core *c)
{
	++c->jitters;
	return (uint32_t)siphash(&c->jitter_key, &c->jitters, sizeof(c->jitters));
}

void core_schedule(struct core *c, struct peer *p)
{
	schedule_by(&c->schedule, p, timers_deadline(&p->timers));
}

void core_set_flags(struct core *c, struct peer *p, unsigned int flags)
{
	if (flags && !p->flags)
		list_append(&c->busy, &p->of_busy);
	p->flags |= flags;
}

/* An empty packet, unless others wait to go. */
void core_want_keepalive(struct core *c, struct peer *p)
{
	core_set_flags(c, p, PEER_WANTS_KEEPALIVE | (p->staged_count ? PEER_WANTS_FLUSH : 0U));
}

static void clear_flags(struct peer *p, unsigned int flags)
{
	p->flags &= ~flags;
	if (!p->flags)
		list_remove(&p->of_busy);
}

static bool can_initiate(const struct core *c, const struct peer *p)
{
	return c->is_up && c->has_key && endpoint_is_set(&p->endpoint);
}

bool core_may_initiate(const struct core *c, struct moment now, const struct peer *p)
{
	return can_initiate(c, p) &&
	       (!p->handshake_sent || now.boot >= p->handshake_sent + REKEY_TIMEOUT);
}

/* Too early is not never: what answers the last message may be lost, and what waits must not wait
 * for the next packet. */
static void initiate_soon(struct core *c, struct moment now, struct peer *p)
{
	if (core_may_initiate(c, now, p)) {
		core_set_flags(c, p, PEER_WANTS_INITIATION);
	} else if (can_initiate(c, p)) {
		timers_initiation_postponed(&p->timers, p->handshake_sent + REKEY_TIMEOUT);
		core_schedule(c, p);
	}
}

void core_want_handshake(struct core *c, struct moment now, struct peer *p)
{
	timers_handshake_wanted(&p->timers);
	initiate_soon(c, now, p);
}

void core_moved(struct peer *p, const struct endpoint *from, const struct source *to)
{
	p->endpoint = *from;
	p->source = *to;
}

void core_free_staged(struct core *c, struct staged *s)
{
	const size_t size = sizeof(*s) + s->len;

	list_remove(&s->of_peer);
	list_remove(&s->of_core);
	--s->peer->staged_count;
	c->staged_bytes -= size;
	crypto_wipe(s, size);
	memory_give(&c->config.memory, s, size);
}

void core_drop_staged(struct core *c, struct moment now, struct peer *p, enum reject_reason reason)
{
	while (!list_empty(&p->staged)) {
		reject_count(&c->rejects, &p->rejects, reason, now, &p->endpoint);
		core_free_staged(c, list_entry(p->staged.next, struct staged, of_peer));
	}
}

/* Back to the state of a peer that was just configured: no keys, no timers, nothing waits. */
static void silence(struct core *c, struct moment now, struct peer *p)
{
	core_drop_staged(c, now, p, REJECT_OUT_CLEARED);
	timers_stop(&p->timers);
	schedule_remove(&c->schedule, p);
	peer_drop_handshake(p, &c->table);
	peer_drop_sessions(p, &c->table, &c->config.memory);
	peer_sleep(p, &c->config.memory);
	p->handshake_sent = 0;
	clear_flags(p, p->flags);
}

static void free_peer(struct core *c, struct peer *p)
{
	peer_sleep(p, &c->config.memory);
	crypto_wipe(p, sizeof(*p));
	memory_give(&c->config.memory, p, sizeof(*p));
}

/* No longer configured: what the brain knows it by. */
static void forget_peer(struct core *c, struct peer *p)
{
	allowedips_remove_owner(c->edited, &p->allowed);
	keytable_remove(&c->keys, &p->public_key);
	list_remove(&p->of_core);
	--c->peer_count;
}

/* Nothing leads to it afterwards. */
static void end_peer(struct core *c, struct moment now, struct peer *p)
{
	silence(c, now, p);
	stamp_forget(&c->stamp, p->stamp_sent);
	reject_forget(&c->rejects, &p->rejects);
}

void core_remove_peer(struct core *c, struct moment now, struct peer *p)
{
	assert(c->edited == &c->allowed);
	end_peer(c, now, p);
	forget_peer(c, p);
	free_peer(c, p);
}

void core_retire_peer(struct core *c, struct peer *p)
{
	assert(c->edited == &c->aside);
	forget_peer(c, p);
	list_append(&c->retired, &p->of_core);
}

static void append_peer(struct core *c, struct peer *p)
{
	list_append(&c->peers, &p->of_core);
	p->order = ++c->peers_ever;
	++c->peer_count;
}

/* Their prefixes go with the trie they stand in, as a whole. */
static void set_aside_all(struct core *c)
{
	while (!list_empty(&c->peers)) {
		struct peer *p = list_entry(c->peers.next, struct peer, of_core);

		p->is_former = true;
		list_remove(&p->of_core);
		list_append(&c->former, &p->of_core);
		allowedips_owner_init(&p->allowed);
	}
	c->peer_count = 0;
}

void core_begin_aside(struct core *c, bool keeps)
{
	c->edited = &c->aside;
	if (keeps)
		allowedips_copy(&c->aside, &c->allowed);
	else
		set_aside_all(c);
}

bool core_is_former(const struct peer *p)
{
	return p->is_former;
}

void core_keep_peer(struct core *c, struct peer *p)
{
	assert(p->is_former);
	p->is_former = false;
	list_remove(&p->of_core);
	append_peer(c, p);
}

static void retire_former(struct core *c)
{
	while (!list_empty(&c->former)) {
		struct peer *p = list_entry(c->former.next, struct peer, of_core);

		p->is_former = false;
		keytable_remove(&c->keys, &p->public_key);
		list_remove(&p->of_core);
		list_append(&c->retired, &p->of_core);
	}
}

void core_prepare(struct core *c)
{
	retire_former(c);
	allowedips_release(&c->aside);
	allowedips_build(&c->aside);
}

void core_publish(struct core *c)
{
	const struct allowedips old = c->allowed;

	c->allowed = c->aside;
	c->aside = old;
	c->edited = &c->allowed;
}

bool core_bury(struct core *c, struct moment now, size_t n)
{
	for (; n > 0 && !list_empty(&c->retired); --n) {
		struct peer *p = list_entry(c->retired.next, struct peer, of_core);

		end_peer(c, now, p);
		list_remove(&p->of_core);
		list_append(&c->buried, &p->of_core);
	}
	return !list_empty(&c->retired);
}

void core_clean(struct core *c)
{
	assert(c->edited == &c->allowed);
	while (!list_empty(&c->buried)) {
		struct peer *p = list_entry(c->buried.next, struct peer, of_core);

		list_remove(&p->of_core);
		free_peer(c, p);
	}
	allowedips_done(&c->aside);
}

bool core_is_worn(const struct core *c)
{
	return allowedips_is_worn(&c->allowed);
}

struct core *core_free(struct core *c)
{
	const struct moment never = { .boot = 1 };
	struct memory memory;
	struct peer *p;

	if (!c)
		return NULL;
	while ((p = core_next_peer(c, NULL)))
		core_remove_peer(c, never, p);
	core_release(c);
	allowedips_done(&c->allowed);
	allowedips_done(&c->aside);
	table_done(&c->table);
	keytable_done(&c->keys);
	schedule_done(&c->schedule);
	gate_done(&c->gate);
	memory = c->config.memory;
	crypto_wipe(c, sizeof(*c));
	memory_give(&memory, c, sizeof(*c));
	return NULL;
}

bool core_is_up(const struct core *c)
{
	return c->is_up;
}

static void open_gate(struct core *c)
{
	c->gate.is_open = c->is_up && c->has_key;
}

struct gate *core_gate(struct core *c)
{
	return &c->gate;
}

void core_up(struct core *c, struct moment now)
{
	struct peer *p = NULL;

	if (c->is_up)
		return;
	c->is_up = true;
	open_gate(c);
	while ((p = core_next_peer(c, p)))
		if (p->keepalive)
			core_want_keepalive(c, p);
	(void)now;
}

void core_down(struct core *c, struct moment now)
{
	struct peer *p = NULL;

	c->is_up = false;
	open_gate(c);
	while ((p = core_next_peer(c, p)))
		silence(c, now, p);
}

void core_peer_changed(struct core *c, struct moment now, struct peer *p)
{
	if (!c->is_up)
		return;
	if (p->staged_count)
		core_set_flags(c, p, PEER_WANTS_FLUSH);
	/* A keepalive that had no endpoint or key to go to so far. */
	if (p->keepalive && p->timers.at[TIMER_PERSISTENT] == TIME_NEVER &&
	    endpoint_is_set(&p->endpoint))
		core_want_keepalive(c, p);
	(void)now;
}

void core_set_stamp_seen(struct peer *p, const uint8_t stamp[static STAMP_LEN])
{
	if (stamp_is_later(stamp, p->stamp_seen))
		memcpy(p->stamp_seen, stamp, STAMP_LEN);
}

void core_resume_peer(struct core *c, struct moment now, struct peer *p)
{
	if (c->is_up && endpoint_is_set(&p->endpoint))
		core_want_handshake(c, now, p);
}

/* What is being computed now is refused when it is committed. */
static void drop_jobs(struct core *c)
{
	++c->identity_generation;
}

/* Another identity: what was agreed under the old one may still be read, but nothing is sent with
 * it. */
static void end_identity(struct core *c, struct peer *p)
{
	peer_drop_handshake(p, &c->table);
	p->handshake_sent = 0;
	p->stamp_sent = 0;
	crypto_wipe(&p->static_static, sizeof(p->static_static));
	p->has_static_static = false;
	if (p->current)
		p->current->is_send_refused = true;
	if (p->next)
		p->next->is_send_refused = true;
}

bool core_begin_identity(struct core *c, struct moment now, const struct noise_local *local,
			 uint64_t floor)
{
	const bool has_key = !crypto_is_zero(local->secret.bytes, KEY_LEN);
	struct peer *p;

	if (has_key == c->has_key && crypto_equal(&local->secret, &c->local.secret, KEY_LEN))
		return false;
	c->local = *local;
	c->has_key = has_key;
	drop_jobs(c);
	cookie_checker_set_key(&c->gate.checker, &c->local.public);
	open_gate(c);
	p = has_key ? core_find_peer(c, &c->local.public) : NULL;
	if (p)
		core_remove_peer(c, now, p);
	stamp_init(&c->stamp, floor);
	return true;
}

bool core_sweep_identity(struct core *c, struct moment now, struct peer **at, size_t n)
{
	while (n-- > 0 && (*at = core_next_peer(c, *at))) {
		end_identity(c, *at);
		core_peer_changed(c, now, *at);
	}
	return *at;
}

void core_set_identity(struct core *c, struct moment now, const struct noise_local *local,
		       uint64_t floor)
{
	struct peer *at = NULL;

	if (core_begin_identity(c, now, local, floor))
		(void)core_sweep_identity(c, now, &at, SIZE_MAX); /* all at once */
}

bool core_set_private_key(struct core *c, struct moment now, const struct key_private *key,
			  uint64_t floor)
{
	struct noise_local local;
	const bool ok = noise_local_init(&local, key);

	if (ok)
		core_set_identity(c, now, &local, floor);
	crypto_wipe(&local, sizeof(local));
	return ok;
}

const struct key_private *core_private_key(const struct core *c)
{
	return c->has_key ? &c->local.secret : NULL;
}

uint64_t core_stamp_floor(const struct core *c)
{
	return c->stamp.floor;
}

uint64_t core_stamp_end(struct core *c)
{
	struct peer *p = NULL;

	/* A job that is still computed is dropped: its stamp is not among these, and was not sent.
	 */
	drop_jobs(c);
	while ((p = core_next_peer(c, p)))
		stamp_forget(&c->stamp, p->stamp_sent);
	stamp_end(&c->stamp);
	return c->stamp.floor;
}

static bool reserve_peers(struct core *c, size_t n)
{
	while (c->spare_count < n) {
		struct peer *p = memory_take(&c->config.memory, sizeof(*p));

		if (!p)
			return false;
		list_init(&p->of_core);
		list_append(&c->spare_peers, &p->of_core);
		++c->spare_count;
	}
	return true;
}

static void trim_peers(struct core *c, size_t n)
{
	while (c->spare_count > n) {
		struct peer *p = list_entry(c->spare_peers.prev, struct peer, of_core);

		list_remove(&p->of_core);
		memory_give(&c->config.memory, p, sizeof(*p));
		--c->spare_count;
	}
}

static bool reserve(struct core *c, size_t peers, struct allowedips *trie, size_t prefixes)
{
	const size_t total = c->peer_count + peers, before = c->spare_count;

	if (!keytable_reserve(&c->keys, total) || !schedule_reserve(&c->schedule, total) ||
	    !reserve_peers(c, peers) || !allowedips_reserve(trie, prefixes)) {
		trim_peers(c, before);
		return false;
	}
	return true;
}

bool core_reserve(struct core *c, size_t peers, size_t prefixes)
{
	return reserve(c, peers, &c->allowed, prefixes);
}

bool core_reserve_aside(struct core *c, size_t peers, size_t prefixes, bool keeps)
{
	return reserve(c, peers, &c->aside, prefixes + (keeps ? c->allowed.prefixes : 0));
}

void core_release(struct core *c)
{
	trim_peers(c, 0);
	allowedips_release(&c->allowed);
	allowedips_release(&c->aside);
}

size_t core_peer_count(const struct core *c)
{
	return c->peer_count;
}

struct peer *core_find_peer(const struct core *c, const struct key_public *key)
{
	return keytable_find(&c->keys, key);
}

struct peer *core_add_peer(struct core *c, const struct key_public *key)
{
	struct peer *p;

	if (c->has_key && memcmp(key->bytes, c->local.public.bytes, KEY_LEN) == 0)
		return NULL;
	assert(c->spare_count > 0);
	p = list_entry(c->spare_peers.next, struct peer, of_core);
	list_remove(&p->of_core);
	--c->spare_count;
	peer_init(p, key);
	p->serial = ++c->peers_ever;
	keytable_add(&c->keys, &p->public_key, p);
	append_peer(c, p);
	return p;
}

void core_set_psk(struct peer *p, const struct key_shared *psk)
{
	if (crypto_equal(&p->psk, psk, KEY_LEN))
		return;
	p->psk = *psk;
	++p->psk_generation;
}

void core_set_endpoint(struct peer *p, const struct endpoint *e)
{
	if (endpoint_equal(&p->endpoint, e))
		return;
	p->endpoint = *e;
	p->source = (struct source){ 0 };
}

void core_set_keepalive(struct core *c, struct moment now, struct peer *p, uint16_t seconds)
{
	const bool begins = seconds && !p->keepalive;

	p->keepalive = seconds;
	p->timers.persistent_interval = seconds * NS_PER_S;
	if (!seconds)
		p->timers.at[TIMER_PERSISTENT] = TIME_NEVER;
	if (begins && c->is_up)
		core_want_keepalive(c, p);
	(void)now;
}

void core_allow(struct core *c, struct peer *p, const struct prefix *prefix)
{
	allowedips_insert(c->edited, prefix, &p->allowed);
}

void core_disallow(struct core *c, struct peer *p, const struct prefix *prefix)
{
	(void)allowedips_remove(c->edited, prefix, &p->allowed);
}

void core_disallow_all(struct core *c, struct peer *p)
{
	allowedips_remove_owner(c->edited, &p->allowed);
}

size_t core_allowed_count(const struct peer *p)
{
	return p->allowed.count;
}

void core_set_port(struct core *c, uint16_t port)
{
	c->listen_port = port;
}

bool core_sweep_sources(struct core *c, struct peer **at, size_t n)
{
	while (n-- > 0 && (*at = core_next_peer(c, *at)))
		(*at)->source = (struct source){ 0 };
	return *at;
}

void core_forget_sources(struct core *c)
{
	struct peer *at = NULL;

	(void)core_sweep_sources(c, &at, SIZE_MAX);
}

struct peer *core_next_peer(const struct core *c, const struct peer *at)
{
	struct list *next = at ? at->of_core.next : c->peers.next;

	return next == &c->peers ? NULL : list_entry(next, struct peer, of_core);
}

struct peer *core_resume(const struct core *c, uint64_t serial, const struct key_public *key)
{
	struct peer *p = serial ? core_find_peer(c, key) : NULL;

	if (p && p->order == serial)
		return core_next_peer(c, p);
	for (p = core_next_peer(c, NULL); p && p->order <= serial;)
		p = core_next_peer(c, p);
	return p;
}

void core_view_peer(const struct peer *p, struct peer_view *ret)
{
	*ret = (struct peer_view){
		.serial = p->order,
		.public_key = p->public_key,
		.psk = p->psk,
		.endpoint = p->endpoint,
		.keepalive = p->keepalive,
		.handshake_real = p->handshake_real,
		.rx_bytes = p->rx_bytes,
		.tx_bytes = p->tx_bytes,
		.allowed = &p->allowed,
		.rejects = p->rejects,
	};
	memcpy(ret->stamp_seen, p->stamp_seen, STAMP_LEN);
}

const struct rejects *core_rejects(const struct core *c)
{
	return &c->rejects;
}

void core_count_reject(struct core *c, struct moment now, enum reject_reason reason,
		       const struct endpoint *from)
{
	reject_count(&c->rejects, NULL, reason, now, from);
}

uint64_t core_deadline(const struct core *c)
{
	return schedule_first(&c->schedule);
}

bool core_has_output(const struct core *c)
{
	return !list_empty(&c->busy);
}

static void act(struct core *c, struct moment now, struct peer *p, unsigned int actions)
{
	if (actions & (TIMER_DO_RETRY | TIMER_DO_HANDSHAKE))
		p->source = (struct source){ 0 };
	if (actions & TIMER_DO_GIVE_UP)
		core_drop_staged(c, now, p, REJECT_OUT_GAVE_UP);
	if (actions & TIMER_DO_WIPE) {
		peer_drop_handshake(p, &c->table);
		peer_drop_sessions(p, &c->table, &c->config.memory);
		peer_sleep(p, &c->config.memory);
	}
	if (actions & TIMER_DO_RETRY)
		initiate_soon(c, now, p);
	if (actions & TIMER_DO_HANDSHAKE)
		core_want_handshake(c, now, p);
	if (actions & TIMER_DO_KEEPALIVE)
		core_want_keepalive(c, p);
}

void core_tick(struct core *c, struct moment now)
{
	struct peer *p;

	for (int i = 0; i < TICK_PEERS && (p = schedule_take(&c->schedule, now.boot)); ++i) {
		act(c, now, p, timers_due(&p->timers, now.boot));
		core_schedule(c, p);
	}
}

/* The next packet of a peer that flushes. False: there is none, or no session to send it with. */
static bool flush_one(struct core *c, struct moment now, struct peer *p, struct output *ret)
{
	struct staged *s =
		p->staged_count ? list_entry(p->staged.next, struct staged, of_peer) : NULL;

	if (!s && !(p->flags & PEER_WANTS_KEEPALIVE)) {
		clear_flags(p, PEER_WANTS_FLUSH);
		return false;
	}
	if (!transport_reserve(c, now, p, 1, s ? s->tos : 0, &ret->sending)) {
		clear_flags(p, PEER_WANTS_FLUSH | PEER_WANTS_KEEPALIVE);
		core_want_handshake(c, now, p);
		return false;
	}
	clear_flags(p, PEER_WANTS_KEEPALIVE);
	ret->len = s ? s->len : 0;
	ret->sending.is_keepalive = !s;
	if (s) {
		memcpy(ret->packet, s->packet, s->len);
		core_free_staged(c, s);
	}
	return true;
}

/* Each in turn: one peer with much to send does not keep the others waiting. */
static void rotate(struct core *c, struct peer *p)
{
	if (p->flags == 0)
		return;
	list_remove(&p->of_busy);
	list_append(&c->busy, &p->of_busy);
}

enum output_kind core_pull(struct core *c, struct moment now, struct output *ret)
{
	while (!list_empty(&c->busy)) {
		struct peer *p = list_entry(c->busy.next, struct peer, of_busy);

		if (p->flags & PEER_WANTS_INITIATION) {
			clear_flags(p, PEER_WANTS_INITIATION);
			if (handshake_initiate(c, now, p, &ret->job)) {
				rotate(c, p);
				return OUTPUT_JOB;
			}
		}
		if ((p->flags & (PEER_WANTS_FLUSH | PEER_WANTS_KEEPALIVE)) &&
		    flush_one(c, now, p, ret)) {
			rotate(c, p);
			return OUTPUT_PACKET;
		}
	}
	return OUTPUT_NONE;
}
