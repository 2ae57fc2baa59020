#include "wg/handshake.h"

#include <string.h>

#include "base/bytes.h"
#include "crypto/crypto.h"
#include "wg/core_private.h"

static enum handshake_step drop(struct core *c, struct peer *p, enum reject_reason reason,
				struct moment now, const struct endpoint *from)
{
	reject_count(&c->rejects, p ? &p->rejects : NULL, reason, now, from);
	return HANDSHAKE_DROPPED;
}

static enum handshake_step take_cookie(struct core *c, struct moment now, const uint8_t *bytes,
				       const struct endpoint *from)
{
	const struct message_cookie *message = (const struct message_cookie *)bytes;
	const struct table_entry *entry = table_find(&c->table, load32_le(message->receiver));

	if (!entry)
		return drop(c, NULL, REJECT_COOKIE, now, from);
	if (!entry->peer->awake ||
	    !cookie_take(&entry->peer->awake->cookie, &entry->peer->public_key, message, now.boot))
		return drop(c, entry->peer, REJECT_COOKIE, now, from);
	return HANDSHAKE_DONE;
}

static enum handshake_step start_identify(struct core *c, const uint8_t *bytes,
					  struct handshake_job *ret)
{
	ret->task = TASK_IDENTIFY;
	memcpy(&ret->initiation_message, bytes, sizeof(ret->initiation_message));
	ret->local = c->local;
	ret->identity_generation = c->identity_generation;
	return HANDSHAKE_WORK;
}

static enum handshake_step start_finish(struct core *c, struct moment now, const uint8_t *bytes,
					const struct endpoint *from, struct handshake_job *ret)
{
	const struct message_response *message = (const struct message_response *)bytes;
	const struct table_entry *entry = table_find(&c->table, load32_le(message->receiver));
	const struct peer *p;

	if (!entry || entry->session)
		return drop(c, entry ? entry->peer : NULL, REJECT_RESPONSE_STALE, now, from);
	p = entry->peer;
	ret->task = TASK_FINISH;
	memcpy(&ret->response_message, bytes, sizeof(ret->response_message));
	ret->local = c->local;
	ret->identity_generation = c->identity_generation;
	ret->pending = p->awake->pending;
	ret->peer_serial = p->serial;
	ret->handshake_generation = p->handshake.generation;
	ret->psk = p->psk;
	ret->psk_generation = p->psk_generation;
	return HANDSHAKE_WORK;
}

enum handshake_step handshake_admit(struct core *c, struct moment now,
				    const struct handshake_arrival *arrival,
				    struct handshake_job *ret)
{
	const uint32_t type = load32_le(arrival->bytes);
	const struct endpoint *from = &arrival->from;

	if (!c->is_up || !c->has_key)
		return drop(c, NULL, REJECT_DOWN, now, from);
	if (type == MESSAGE_COOKIE)
		return take_cookie(c, now, arrival->bytes, from);
	memset(ret, 0, sizeof(*ret));
	ret->from = *from;
	ret->to = arrival->to;
	if (type == MESSAGE_INITIATION)
		return start_identify(c, arrival->bytes, ret);
	return start_finish(c, now, arrival->bytes, from, ret);
}

static enum handshake_step send_cookie(struct core *c, struct moment now,
				       const struct handshake_arrival *arrival,
				       struct handshake_datagram *ret)
{
	struct message_cookie message;

	if (!gate_reply(&c->gate, now.boot, arrival, &c->config.entropy, &message))
		return HANDSHAKE_DROPPED;
	*ret = (struct handshake_datagram){ .len = sizeof(message),
					    .to = arrival->from,
					    .from = arrival->to };
	memcpy(ret->bytes, &message, sizeof(message));
	return HANDSHAKE_SEND;
}

enum handshake_step handshake_receive(struct core *c, struct moment now,
				      const struct handshake_arrival *arrival,
				      struct handshake_job *ret_job, struct handshake_datagram *ret)
{
	enum handshake_step step = HANDSHAKE_DROPPED;

	switch (gate_check(&c->gate, now.boot, arrival)) {
	case GATE_DROP:
		break;
	case GATE_ASK:
		step = send_cookie(c, now, arrival, ret);
		break;
	case GATE_PASS:
	case GATE_PASS_VERIFIED:
	case GATE_PASS_KNOWN:
		step = handshake_admit(c, now, arrival, ret_job);
		break;
	}
	handshake_fold(c, now);
	return step;
}

void handshake_fold(struct core *c, struct moment now)
{
	gate_fold(&c->gate, &c->rejects, now);
}

/* Whose job it is, and what is known of the two static keys. */
static void copy_pair(struct handshake_job *job, const struct peer *p)
{
	job->remote = p->public_key;
	job->peer_serial = p->serial;
	job->static_static = p->static_static;
	job->has_static_static = p->has_static_static;
}

bool handshake_initiate(struct core *c, struct moment now, struct peer *p,
			struct handshake_job *ret)
{
	if (!core_may_initiate(c, now, p))
		return false;
	memset(ret, 0, sizeof(*ret));
	p->handshake_sent = now.boot;
	/* Whatever becomes of the job, there is another try. */
	timers_initiation_sent(&p->timers, now.boot, core_jitter(c));
	core_schedule(c, p);
	if (!entropy_fill(&c->config.entropy, ret->ephemeral.bytes, KEY_LEN)) {
		(void)drop(c, p, REJECT_NO_RANDOM, now, &p->endpoint);
		return false;
	}
	crypto_clamp(&ret->ephemeral);
	ret->task = TASK_INITIATE;
	ret->local = c->local;
	ret->identity_generation = c->identity_generation;
	copy_pair(ret, p);
	ret->handshake_generation = p->handshake.generation;
	stamp_write(stamp_next(&c->stamp, now, &p->stamp_sent), ret->stamp);
	return true;
}

static bool compute_static_static(struct handshake_job *job)
{
	if (!job->has_static_static)
		job->has_static_static =
			noise_static_static(&job->local, &job->remote, &job->static_static);
	return job->has_static_static;
}

static bool compute_respond(struct handshake_job *job)
{
	if (!compute_static_static(job))
		return false;
	if (!noise_consume_stamp(&job->initiation, &job->static_static, &job->initiation_message,
				 job->stamp))
		return false;
	job->is_replayed = !stamp_is_later(job->stamp, job->stamp_seen);
	/* A replay has cost one DH and gets no more. */
	if (job->is_replayed)
		return true;
	return noise_create_response(&job->initiation, &job->psk, &job->ephemeral,
				     &job->response_message, &job->keys);
}

void handshake_compute(struct handshake_job *job)
{
	switch (job->task) {
	case TASK_INITIATE:
		job->ok = compute_static_static(job) &&
			  noise_create_initiation(&job->local, &job->remote, &job->static_static,
						  &job->ephemeral, job->stamp,
						  &job->initiation_message, &job->pending);
		break;
	case TASK_IDENTIFY:
		job->ok = noise_consume_static(&job->local, &job->initiation_message,
					       &job->initiation);
		break;
	case TASK_RESPOND:
		job->ok = compute_respond(job);
		break;
	case TASK_FINISH:
		job->ok = noise_consume_response(&job->local, &job->pending, &job->psk,
						 &job->response_message, &job->keys);
		break;
	}
}

static void log_keys(struct core *c, const struct key_public *remote,
		     const struct key_private *ephemeral, const struct key_shared *psk)
{
	if (c->config.key_log)
		c->config.key_log(c->config.key_log_ctx, &c->local.secret, remote, ephemeral, psk);
}

static void fill_datagram(struct handshake_datagram *ret, const struct peer *p, const void *message,
			  size_t len)
{
	*ret = (struct handshake_datagram){ .len = len, .to = p->endpoint, .from = p->source };
	memcpy(ret->bytes, message, len);
	ret->tos = TOS_HANDSHAKE;
	ret->has_peer = true;
	ret->peer = p->public_key;
}

static struct session *new_session(struct core *c, struct moment now, const struct noise_keys *keys,
				   bool is_initiator)
{
	struct session *s = memory_take(&c->config.memory, sizeof(*s));

	if (!s)
		return NULL;
	s->keys = *keys;
	s->born = now.boot;
	s->is_initiator = is_initiator;
	return s;
}

static void free_session(struct core *c, struct session *s)
{
	session_wipe(s);
	memory_give(&c->config.memory, s, sizeof(*s));
}

/* With all that a handshake of the peer takes; 0: no memory. */
static uint32_t new_index(struct core *c, struct peer *p, struct session *s)
{
	if (!peer_wake(p, &c->config.memory) || !table_reserve(&c->table, c->table.used + 1))
		return 0;
	return table_add(&c->table, p, s);
}

static void keep_static_static(struct peer *p, const struct handshake_job *job)
{
	if (p->has_static_static || !job->has_static_static)
		return;
	p->static_static = job->static_static;
	p->has_static_static = true;
}

static enum handshake_step commit_initiate(struct core *c, struct moment now,
					   struct handshake_job *job,
					   struct handshake_datagram *ret)
{
	struct peer *p = keytable_find(&c->keys, &job->remote);
	struct message_initiation *message = &job->initiation_message;
	uint32_t index;

	if (!p || job->peer_serial != p->serial ||
	    job->handshake_generation != p->handshake.generation)
		return drop(c, p, REJECT_CHANGED, now, NULL);
	keep_static_static(p, job);
	if (!job->ok)
		return drop(c, p, job->has_static_static ? REJECT_CRYPTO : REJECT_STAMP, now,
			    &p->endpoint);
	peer_drop_handshake(p, &c->table);
	index = new_index(c, p, NULL);
	if (!index)
		return drop(c, p, REJECT_NO_MEMORY, now, &p->endpoint);
	p->handshake.index = index;
	p->awake->pending = job->pending;
	store32_le(message->type, MESSAGE_INITIATION);
	store32_le(message->sender, index);
	cookie_make(&p->awake->cookie, &p->public_key, message, sizeof(*message), now.boot);
	p->handshake_sent = now.boot;
	timers_authenticated_sent(&p->timers, now.boot);
	timers_initiation_sent(&p->timers, now.boot, core_jitter(c));
	core_schedule(c, p);
	log_keys(c, &p->public_key, &job->ephemeral, &p->psk);
	fill_datagram(ret, p, message, sizeof(*message));
	return HANDSHAKE_SEND;
}

static bool is_flood(const struct peer *p, struct moment now)
{
	return p->initiation_seen && now.boot < p->initiation_seen + INITIATION_SPACING;
}

/* We know who it is: copy what the second half needs. */
static enum handshake_step commit_identify(struct core *c, struct moment now,
					   struct handshake_job *job)
{
	struct peer *p;

	if (!job->ok)
		return drop(c, NULL, REJECT_STATIC, now, &job->from);
	p = keytable_find(&c->keys, &job->initiation.remote_static);
	if (!p) {
		reject_knock(&c->rejects, &job->initiation.remote_static, now, &job->from);
		return drop(c, NULL, REJECT_UNKNOWN_KEY, now, &job->from);
	}
	if (is_flood(p, now))
		return drop(c, p, REJECT_FLOOD, now, &job->from);
	if (!entropy_fill(&c->config.entropy, job->ephemeral.bytes, KEY_LEN))
		return drop(c, p, REJECT_NO_RANDOM, now, &job->from);
	crypto_clamp(&job->ephemeral);
	job->task = TASK_RESPOND;
	copy_pair(job, p);
	job->psk = p->psk;
	job->psk_generation = p->psk_generation;
	memcpy(job->stamp_seen, p->stamp_seen, STAMP_LEN);
	return HANDSHAKE_WORK;
}

static enum handshake_step install_response(struct core *c, struct moment now,
					    struct handshake_job *job, struct peer *p,
					    struct handshake_datagram *ret)
{
	struct message_response *message = &job->response_message;
	struct session *s = new_session(c, now, &job->keys, false);

	if (!s)
		return drop(c, p, REJECT_NO_MEMORY, now, &job->from);
	s->local_index = new_index(c, p, s);
	if (!s->local_index) {
		free_session(c, s);
		return drop(c, p, REJECT_NO_MEMORY, now, &job->from);
	}
	s->remote_index = load32_le(job->initiation_message.sender);
	memcpy(p->stamp_seen, job->stamp, STAMP_LEN);
	p->initiation_seen = now.boot;
	p->handshake_sent = now.boot;
	p->rx_bytes += sizeof(job->initiation_message);
	core_moved(p, &job->from, &job->to);
	p->heard = now.boot;
	peer_begin_session(p, s, &c->table, &c->config.memory);
	store32_le(message->type, MESSAGE_RESPONSE);
	store32_le(message->sender, s->local_index);
	memcpy(message->receiver, job->initiation_message.sender, sizeof(message->receiver));
	cookie_make(&p->awake->cookie, &p->public_key, message, sizeof(*message), now.boot);
	timers_session_begun(&p->timers, now.boot);
	timers_authenticated_sent(&p->timers, now.boot);
	timers_authenticated_received(&p->timers, now.boot);
	core_schedule(c, p);
	log_keys(c, &p->public_key, &job->ephemeral, &job->psk);
	fill_datagram(ret, p, message, sizeof(*message));
	return HANDSHAKE_SEND;
}

static enum handshake_step commit_respond(struct core *c, struct moment now,
					  struct handshake_job *job, struct handshake_datagram *ret)
{
	struct peer *p = keytable_find(&c->keys, &job->remote);

	if (!p || job->peer_serial != p->serial || job->psk_generation != p->psk_generation)
		return drop(c, p, REJECT_CHANGED, now, &job->from);
	/* Good whatever the message says: a forger must not make us compute it again. */
	keep_static_static(p, job);
	if (!job->ok)
		return drop(c, p, REJECT_STAMP, now, &job->from);
	if (job->is_replayed || !stamp_is_later(job->stamp, p->stamp_seen))
		return drop(c, p, REJECT_STAMP_OLD, now, &job->from);
	if (is_flood(p, now))
		return drop(c, p, REJECT_FLOOD, now, &job->from);
	return install_response(c, now, job, p, ret);
}

static enum handshake_step commit_finish(struct core *c, struct moment now,
					 struct handshake_job *job)
{
	const uint32_t index = load32_le(job->response_message.receiver);
	struct table_entry *entry = table_find(&c->table, index);
	struct peer *p = entry ? entry->peer : NULL;
	struct session *s;

	/* Another copy of this response, or a newer initiation, may have come first (F-H1). */
	if (!p || job->peer_serial != p->serial || entry->session || p->handshake.index != index ||
	    p->handshake.generation != job->handshake_generation ||
	    p->psk_generation != job->psk_generation)
		return drop(c, p, REJECT_RESPONSE_STALE, now, &job->from);
	if (!job->ok)
		return drop(c, p, REJECT_RESPONSE, now, &job->from);
	s = new_session(c, now, &job->keys, true);
	if (!s)
		return drop(c, p, REJECT_NO_MEMORY, now, &job->from);
	s->local_index = index;
	s->remote_index = load32_le(job->response_message.sender);
	entry->session = s;
	p->handshake.index = 0; /* the index is the session's now */
	peer_drop_handshake(p, &c->table);
	peer_begin_session(p, s, &c->table, &c->config.memory);
	p->handshake_real = now.real;
	p->has_rekeyed_on_receive = false;
	p->rx_bytes += sizeof(job->response_message);
	core_moved(p, &job->from, &job->to);
	p->heard = now.boot;
	timers_session_begun(&p->timers, now.boot);
	timers_handshake_complete(&p->timers);
	timers_authenticated_received(&p->timers, now.boot);
	core_schedule(c, p);
	/* The peer may not send before it has heard from us under the new key. */
	core_want_keepalive(c, p);
	return HANDSHAKE_DONE;
}

enum handshake_step handshake_commit(struct core *c, struct moment now, struct handshake_job *job,
				     struct handshake_datagram *ret)
{
	enum handshake_step step = HANDSHAKE_DROPPED;

	if (!c->is_up || job->identity_generation != c->identity_generation) {
		(void)drop(c, NULL, REJECT_CHANGED, now, NULL);
	} else {
		switch (job->task) {
		case TASK_INITIATE:
			step = commit_initiate(c, now, job, ret);
			break;
		case TASK_IDENTIFY:
			step = commit_identify(c, now, job);
			break;
		case TASK_RESPOND:
			step = commit_respond(c, now, job, ret);
			break;
		case TASK_FINISH:
			step = commit_finish(c, now, job);
			break;
		}
	}
	if (step != HANDSHAKE_WORK)
		crypto_wipe(job, sizeof(*job));
	return step;
}

void handshake_sent(struct core *c, struct moment now, const struct handshake_datagram *d, bool ok,
		    bool source_is_gone)
{
	struct peer *p = d->has_peer ? keytable_find(&c->keys, &d->peer) : NULL;

	if (!ok)
		(void)drop(c, p, REJECT_SEND_FAILED, now, &d->to);
	if (!p)
		return;
	if (ok)
		p->tx_bytes += d->len;
	if (source_is_gone)
		p->source = (struct source){ 0 };
}
