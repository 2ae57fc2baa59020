#include "watch.h"

#include <assert.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "crypto/crypto.h"

/* What a late tick may cost. */
#define SLACK (100 * NS_PER_MS)

static char seed_text[64];

static void on_abort(int number)
{
	(void)number;
	(void)!write(STDERR_FILENO, seed_text, strlen(seed_text));
}

void watch_set_seed(uint64_t seed)
{
	(void)snprintf(seed_text, sizeof(seed_text), "# with seed %" PRIu64 "\n", seed);
	(void)signal(SIGABRT, on_abort);
}

void watch_fail(const char *file, int line, const char *text)
{
	fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, text);
	abort();
}

uint64_t watch_random(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

uint64_t watch_below(uint64_t *state, uint64_t n)
{
	return n ? watch_random(state) % n : 0;
}

void watch_random_fill(uint64_t *state, void *ret, size_t len)
{
	uint8_t *p = ret, block[8];

	for (size_t n; len; len -= n, p += n) {
		n = len < sizeof(block) ? len : sizeof(block);
		store64_le(block, watch_random(state));
		memcpy(p, block, n);
	}
}

/* Memory */

struct watch_block {
	struct watch_block *next;
	struct watch_block *prev;
	size_t len;
	max_align_t bytes[];
};

static void *take(void *ctx, size_t len)
{
	struct watch *w = ctx;
	struct watch_block *b;

	if (w->fail_memory && watch_below(&w->random, 1000) < w->fail_memory)
		return NULL;
	b = calloc(1, sizeof(*b) + len);
	WATCH(b);
	b->len = len;
	b->next = w->blocks;
	if (b->next)
		b->next->prev = b;
	w->blocks = b;
	++w->block_count;
	return b->bytes;
}

static bool holds(const void *bytes, size_t len, const struct key_shared *key)
{
	return memmem(bytes, len, key, KEY_LEN) != NULL;
}

static void give(void *ctx, void *p, size_t len)
{
	struct watch *w = ctx;
	struct watch_block *b;

	if (!p)
		return;
	b = (struct watch_block *)(void *)((uint8_t *)p - offsetof(struct watch_block, bytes));
	WATCH(b->len == len);
	for (size_t i = 0; i < w->session_count; ++i) {
		WATCH(!holds(p, len, &w->sessions[i].keys.send));
		WATCH(!holds(p, len, &w->sessions[i].keys.receive));
	}
	if (b->next)
		b->next->prev = b->prev;
	if (b->prev)
		b->prev->next = b->next;
	else
		w->blocks = b->next;
	--w->block_count;
	memset(p, 0xdd, len);
	free(b);
}

static bool fill(void *ctx, void *ret, size_t len)
{
	struct watch *w = ctx;

	if (w->fail_entropy && watch_below(&w->random, 1000) < w->fail_entropy)
		return false;
	watch_random_fill(&w->random, ret, len);
	return true;
}

void watch_init(struct watch *w, struct ledger *ledger, uint64_t seed)
{
	*w = (struct watch){ .memory = { .take = take, .give = give, .ctx = w },
			     .entropy = { .fill = fill, .ctx = w },
			     .random = seed,
			     .ledger = ledger };
}

void watch_done(struct watch *w)
{
	WATCH(w->block_count == 0);
}

/* Keys */

static struct ledger_key *find_key(const struct ledger *l, const struct key_shared *key)
{
	const uint64_t id[2] = { load64_le(key->bytes), load64_le(key->bytes + 8) };
	size_t at = id[0] & (l->size - 1);

	while ((l->keys[at].id[0] || l->keys[at].id[1]) &&
	       memcmp(l->keys[at].id, id, sizeof(id)) != 0)
		at = (at + 1) & (l->size - 1);
	return &l->keys[at];
}

static void grow_ledger(struct ledger *l)
{
	struct ledger old = *l;

	if (4 * (l->used + 1) <= 3 * l->size)
		return;
	l->size = l->size ? 2 * l->size : 256;
	l->keys = calloc(l->size, sizeof(*l->keys));
	WATCH(l->keys);
	for (size_t i = 0; i < old.size; ++i) {
		struct key_shared key = { 0 };

		if (!old.keys[i].id[0] && !old.keys[i].id[1])
			continue;
		store64_le(key.bytes, old.keys[i].id[0]);
		store64_le(key.bytes + 8, old.keys[i].id[1]);
		*find_key(l, &key) = old.keys[i];
	}
	free(old.keys);
}

static struct ledger_key *ledger_entry(struct ledger *l, const struct key_shared *key)
{
	struct ledger_key *k;

	grow_ledger(l);
	k = find_key(l, key);
	if (!k->id[0] && !k->id[1]) {
		k->id[0] = load64_le(key->bytes);
		k->id[1] = load64_le(key->bytes + 8);
		++l->used;
	}
	return k;
}

void ledger_done(struct ledger *l)
{
	free(l->keys);
	*l = (struct ledger){ 0 };
}

void watch_sending(struct watch *w, const struct sending *s, uint64_t n)
{
	struct ledger_key *k = ledger_entry(w->ledger, &s->key);

	WATCH(k->is_sent_with);
	WATCH(s->counter >= k->next);
	WATCH(s->counter < REJECT_AFTER_MESSAGES && n <= REJECT_AFTER_MESSAGES - s->counter);
	WATCH(endpoint_is_set(&s->to));
	k->next = s->counter + n;
}

/* A transcript is installed once in the whole world, by one initiator and one responder. */
static void note_install(struct watch *w, const struct noise_keys *keys)
{
	struct ledger_key *k = ledger_entry(w->ledger, &keys->send);

	WATCH(!k->is_sent_with);
	k->is_sent_with = true;
	k = ledger_entry(w->ledger, &keys->receive);
	WATCH(!k->is_received_with);
	k->is_received_with = true;
}

static void session_has_left(const struct watch *w, const struct watch_session *s)
{
	for (const struct watch_block *b = w->blocks; b; b = b->next) {
		WATCH(!holds(b->bytes, b->len, &s->keys.send));
		WATCH(!holds(b->bytes, b->len, &s->keys.receive));
	}
}

static struct watch_session *known_session(struct watch *w, const struct session *s)
{
	for (size_t i = 0; i < w->session_count; ++i)
		if (memcmp(&w->sessions[i].keys, &s->keys, sizeof(s->keys)) == 0)
			return &w->sessions[i];
	return NULL;
}

static void check_session(struct watch *w, const struct peer *p, const struct session *s)
{
	struct table_entry *entry = table_find(&w->core->table, s->local_index);
	struct watch_session *known = known_session(w, s);

	WATCH(s->local_index != 0);
	WATCH(entry && entry->peer == p && entry->session == s);
	if (!known) {
		WATCH(w->session_count < WATCH_SESSIONS);
		note_install(w, &s->keys);
		known = &w->sessions[w->session_count++];
		*known = (struct watch_session){
			.keys = s->keys, .peer = p, .born = s->born, .local_index = s->local_index
		};
	}
	WATCH(!known->is_seen);
	WATCH(known->peer == p && known->born == s->born);
	WATCH(known->local_index == s->local_index);
	WATCH(s->send_next >= known->send_next && s->replay.next >= known->replay_next);
	known->send_next = s->send_next;
	known->replay_next = s->replay.next;
	known->is_seen = true;
}

static void forget_gone_sessions(struct watch *w)
{
	size_t kept = 0;

	for (size_t i = 0; i < w->session_count; ++i) {
		const struct watch_session s = w->sessions[i];

		if (!s.is_seen) {
			session_has_left(w, &s);
			continue;
		}
		w->sessions[kept] = s;
		w->sessions[kept++].is_seen = false;
	}
	w->session_count = kept;
}

/* Peers */

static size_t check_sessions(struct watch *w, const struct peer *p, struct moment now)
{
	const struct session *const slots[] = { p->current, p->previous, p->next };
	uint64_t newest = 0;
	size_t n = 0;

	for (size_t i = 0; i < ELEMENTS(slots); ++i) {
		if (!slots[i])
			continue;
		check_session(w, p, slots[i]);
		WATCH(now.boot >= slots[i]->born);
		newest = slots[i]->born > newest ? slots[i]->born : newest;
		++n;
	}
	WATCH(!p->previous || !p->next);
	WATCH(!n || now.boot < newest + WIPE_AFTER_TIME + SLACK);
	return n;
}

static size_t check_handshake(const struct watch *w, const struct peer *p)
{
	const struct table_entry *entry;

	if (!p->handshake.index) {
		WATCH(!p->awake || crypto_is_zero(&p->awake->pending, sizeof(p->awake->pending)));
		return 0;
	}
	entry = table_find(&w->core->table, p->handshake.index);
	WATCH(entry && entry->peer == p && !entry->session);
	return 1;
}

static size_t check_staged(struct peer *p)
{
	struct list *node;
	size_t n = 0, bytes = 0;

	list_each (node, &p->staged) {
		const struct staged *s = list_entry(node, struct staged, of_peer);

		WATCH(s->peer == p);
		bytes += sizeof(*s) + s->len;
		++n;
	}
	WATCH(n == p->staged_count && n <= STAGED_PER_PEER);
	return bytes;
}

/* Nothing waits for ever: what is staged leaves, or a timer will give it up. */
static void check_progress(const struct core *c, const struct peer *p)
{
	WATCH(timers_deadline(&p->timers) >= p->due);
	WATCH(!p->flags == list_empty(&p->of_busy));
	if (!c->is_up)
		WATCH(!p->staged_count && !p->flags && p->due == TIME_NEVER);
	if (!p->staged_count || p->flags || !c->has_key || !endpoint_is_set(&p->endpoint))
		return;
	WATCH(p->timers.at[TIMER_RETRANSMIT] != TIME_NEVER);
}

void watch_check(struct watch *w, struct moment now)
{
	const struct core *c = w->core;
	size_t live = 0, staged = 0, peers = 0;

	for (struct peer *p = NULL; (p = core_next_peer(c, p)); ++peers) {
		live += check_sessions(w, p, now);
		live += check_handshake(w, p);
		staged += check_staged(p);
		check_progress(c, p);
	}
	WATCH(peers == c->peer_count);
	WATCH(live == c->table.used && live <= 4 * peers);
	WATCH(staged == c->staged_bytes && staged <= c->config.staged_budget);
	WATCH(c->is_up || !live);
	forget_gone_sessions(w);
}

void watch_accepted(const struct watch *w, const struct opening *o, struct moment now)
{
	const struct table_entry *entry = table_find(&w->core->table, o->local_index);

	WATCH(entry && entry->session);
	WATCH(memcmp(&entry->session->keys.receive, &o->key, KEY_LEN) == 0);
	WATCH(now.boot < entry->session->born + REJECT_AFTER_TIME);
	WATCH(entry->session != entry->peer->next);
}

void watch_is_at_rest(const struct watch *w)
{
	WATCH(core_deadline(w->core) == TIME_NEVER);
	WATCH(!core_has_output(w->core));
	WATCH(w->core->table.used == 0 && w->session_count == 0 && w->core->staged_bytes == 0);
}
