#include "wg/transport.h"

#include <string.h>

#include "base/bytes.h"
#include "crypto/crypto.h"
#include "wg/core_private.h"

static struct peer *owner_peer(struct allowed_owner *o)
{
	return o ? list_entry(o, struct peer, allowed) : NULL;
}

static struct endpoint inner_endpoint(const struct ip *ip)
{
	return (struct endpoint){ .ip = *ip };
}

static void reject_out(struct core *c, struct moment now, struct peer *p, enum reject_reason reason,
		       const struct inner *inner, size_t n)
{
	const struct endpoint from = inner_endpoint(&inner->src);

	reject_count_many(&c->rejects, p ? &p->rejects : NULL, reason, n, now, &from);
}

bool transport_reserve(struct core *c, struct moment now, struct peer *p, size_t n,
		       uint8_t inner_tos, struct sending *ret)
{
	struct session *s = p->current;
	uint64_t first;

	if (!c->is_up || !s || !endpoint_is_set(&p->endpoint))
		return false;
	if (!session_can_send(s, now.boot) || !session_reserve(s, n, &first))
		return false;
	*ret = (struct sending){
		.key = s->keys.send,
		.counter = first,
		.receiver = s->remote_index,
		.local_index = s->local_index,
		.to = p->endpoint,
		.from = p->source,
		.tos = inner_ecn_encapsulate(inner_tos),
		.reserved = now.boot,
	};
	/* Now, and not when it has left: the answer may be here before its sender is heard. */
	timers_authenticated_sent(&p->timers, now.boot);
	core_schedule(c, p);
	return true;
}

/* Our own datagram to this peer comes out of the TUN: sealed again, it would go round for ever
 * (F-A8). */
static bool is_loop(const struct core *c, const struct peer *p, const struct inner *inner)
{
	if (p->source.ip.family != FAMILY_NONE && !ip_equal(&inner->src, &p->source.ip))
		return false; /* a tunnel in the tunnel, of another host with the same ports */
	return c->listen_port && inner->udp_src == c->listen_port &&
	       inner->udp_dst == p->endpoint.port && ip_equal(&inner->dst, &p->endpoint.ip);
}

enum transport_verdict transport_send(struct core *c, struct moment now, const struct inner *inner,
				      size_t n, struct sending *ret)
{
	struct peer *p = owner_peer(allowedips_lookup(&c->allowed, &inner->dst));

	if (!c->is_up) {
		reject_out(c, now, NULL, REJECT_DOWN, inner, n);
		return TRANSPORT_DROP;
	}
	if (!p) {
		reject_out(c, now, NULL, REJECT_OUT_NO_PEER, inner, n);
		return TRANSPORT_NO_PEER;
	}
	if (!endpoint_is_set(&p->endpoint)) {
		reject_out(c, now, p, REJECT_OUT_NO_ENDPOINT, inner, n);
		return TRANSPORT_NO_ENDPOINT;
	}
	if (is_loop(c, p, inner)) {
		reject_out(c, now, p, REJECT_OUT_LOOP, inner, n);
		return TRANSPORT_DROP;
	}
	if (p->flags & PEER_WANTS_FLUSH)
		return TRANSPORT_FLUSHING;
	if (p->staged_count || !transport_reserve(c, now, p, n, inner->tos, ret))
		return TRANSPORT_STAGE;
	return TRANSPORT_SEAL;
}

/* What has to go to make place: counted under its own source, not the newcomer's. */
static void drop_oldest(struct core *c, struct moment now, struct staged *s)
{
	struct inner inner = { 0 };

	(void)inner_parse(s->packet, s->len, &inner); /* it was parsed when it was staged */
	reject_out(c, now, s->peer, REJECT_OUT_STAGED_FULL, &inner, 1);
	core_free_staged(c, s);
}

void transport_stage(struct core *c, struct moment now, const struct inner *inner,
		     const uint8_t *packet)
{
	struct peer *p = owner_peer(allowedips_lookup(&c->allowed, &inner->dst));
	const size_t size = sizeof(struct staged) + inner->len;
	struct staged *s;

	if (!p || !c->is_up)
		return;
	if (size > c->config.staged_budget) {
		reject_out(c, now, p, REJECT_OUT_STAGED_FULL, inner, 1);
		return;
	}
	while (p->staged_count >= STAGED_PER_PEER) {
		drop_oldest(c, now, list_entry(p->staged.next, struct staged, of_peer));
	}
	while (!list_empty(&c->staged) && c->staged_bytes + size > c->config.staged_budget) {
		drop_oldest(c, now, list_entry(c->staged.next, struct staged, of_core));
	}
	s = memory_take(&c->config.memory, size);
	if (!s) {
		reject_out(c, now, p, REJECT_NO_MEMORY, inner, 1);
		return;
	}
	s->peer = p;
	s->len = inner->len;
	s->tos = inner->tos;
	memcpy(s->packet, packet, inner->len);
	list_append(&p->staged, &s->of_peer);
	list_append(&c->staged, &s->of_core);
	++p->staged_count;
	c->staged_bytes += size;
	/* A flush sends it, or finds that there is no session and asks for a handshake. */
	if (p->current && session_can_send(p->current, now.boot))
		core_set_flags(c, p, PEER_WANTS_FLUSH);
	else
		core_want_handshake(c, now, p);
}

static void rekey_on_send(struct core *c, struct moment now, struct peer *p)
{
	const struct session *s = p->current;

	if (!s || s->is_send_refused)
		return;
	if (s->send_next > REKEY_AFTER_MESSAGES ||
	    (s->is_initiator && now.boot >= s->born + REKEY_AFTER_TIME))
		core_want_handshake(c, now, p);
}

void transport_sent(struct core *c, struct moment now, const struct sending *s, size_t bytes,
		    bool ok, bool source_is_gone)
{
	const struct table_entry *entry = table_find(&c->table, s->local_index);
	struct peer *p;

	if (!entry)
		return;
	p = entry->peer;
	p->tx_bytes += bytes;
	if (source_is_gone)
		p->source = (struct source){ 0 };
	if (!ok)
		reject_count(&c->rejects, &p->rejects, REJECT_SEND_FAILED, now, &s->to);
	if (bytes > 0 && !s->is_keepalive && p->heard <= s->reserved &&
	    p->timers.at[TIMER_NO_REPLY] == TIME_NEVER)
		timers_data_sent(&p->timers, now.boot, core_jitter(c));
	rekey_on_send(c, now, p);
	core_schedule(c, p);
}

bool transport_receive(struct core *c, struct moment now, const uint8_t *message, size_t n,
		       const struct transport_arrival *arrival, struct opening *ret)
{
	const struct message_data *header = (const struct message_data *)message;
	const uint32_t index = load32_le(header->receiver);
	const struct table_entry *entry = table_find(&c->table, index);

	if (!entry || !entry->session) {
		reject_add(&c->rejects, REJECT_INDEX, n, now, &arrival->from);
		return false;
	}
	if (session_is_expired(entry->session, now.boot)) {
		reject_count_many(&c->rejects, &entry->peer->rejects, REJECT_EXPIRED, n, now,
				  &arrival->from);
		return false;
	}
	ret->key = entry->session->keys.receive;
	ret->local_index = index;
	return true;
}

static void rekey_on_receive(struct core *c, struct moment now, struct peer *p)
{
	const struct session *s = p->current;

	if (p->has_rekeyed_on_receive || !s || s->is_send_refused || !s->is_initiator)
		return;
	if (now.boot < s->born + REJECT_AFTER_TIME - KEEPALIVE_TIMEOUT - REKEY_TIMEOUT)
		return;
	p->has_rekeyed_on_receive = true;
	core_want_handshake(c, now, p);
}

/* First use of the next key: the peer has it, so the handshake is complete. */
static void confirm(struct core *c, struct moment now, struct peer *p, struct session *s)
{
	if (!peer_confirm_session(p, s, &c->table, &c->config.memory))
		return;
	timers_handshake_complete(&p->timers);
	peer_drop_handshake(p, &c->table); /* ours, if one was under way, has lost its purpose */
	p->has_rekeyed_on_receive = false;
	p->handshake_real = now.real;
	if (p->staged_count)
		core_set_flags(c, p, PEER_WANTS_FLUSH);
}

static bool is_fresh(struct core *c, struct moment now, struct peer *p, struct session *s,
		     const struct session_packet *packet, const struct endpoint *from)
{
	enum reject_reason reason;

	if (!packet->ok)
		reason = REJECT_TAG;
	else if (session_is_expired(s, now.boot))
		reason = REJECT_EXPIRED;
	else if (packet->counter >= REJECT_AFTER_MESSAGES)
		reason = REJECT_LIMIT;
	else if (!replay_accept(&s->replay, packet->counter))
		reason = REJECT_REPLAY;
	else
		return true;
	reject_count(&c->rejects, &p->rejects, reason, now, from);
	return false;
}

enum { SOURCES = 16 };

/* Inner sources of a batch, looked up together: packets of a flow come one after the other, and
 * count once. */
struct sources {
	size_t first; /* of the packets they belong to */
	size_t count;
	struct ip ips[SOURCES];
	uint8_t place[SESSION_BATCH]; /* of a packet's source */
};

static uint8_t place_of(struct sources *s, const struct ip *src)
{
	if (!s->count || !ip_equal(src, &s->ips[s->count - 1]))
		s->ips[s->count++] = *src;
	return (uint8_t)(s->count - 1);
}

/* How long an authentic packet is, and whose it says it is. 0: it lies about its length. */
static size_t parse(struct core *c, struct moment now, struct peer *p,
		    const struct session_packet *packet, const struct endpoint *from,
		    struct sources *sources, uint8_t *ret_place)
{
	struct inner inner;

	switch (inner_parse(packet->message + sizeof(struct message_data), packet->len, &inner)) {
	case INNER_OK:
		*ret_place = place_of(sources, &inner.src);
		return inner.len;
	case INNER_BAD_VERSION:
		reject_count(&c->rejects, &p->rejects, REJECT_INNER_VERSION, now, from);
		break;
	case INNER_BAD_LENGTH:
		reject_count(&c->rejects, &p->rejects, REJECT_INNER_LENGTH, now, from);
		break;
	}
	return 0;
}

/* What was parsed, up to here, may be delivered if its source is this peer's. */
static void deliver(struct core *c, struct moment now, struct peer *p,
		    const struct session_packet *packets, size_t end, uint8_t outer_tos,
		    struct sources *s, size_t *len)
{
	struct allowed_owner *owners[SOURCES];

	allowedips_lookup_many(&c->allowed, s->ips, s->count, owners);
	for (size_t i = s->first; i < end; ++i) {
		const uint8_t place = s->place[i];

		if (!len[i])
			continue;
		if (owner_peer(owners[place]) != p) {
			const struct endpoint claimed = inner_endpoint(&s->ips[place]);

			reject_count(&c->rejects, &p->rejects, REJECT_INNER_SOURCE, now, &claimed);
			len[i] = 0;
			continue;
		}
		inner_ecn_decapsulate(packets[i].message + sizeof(struct message_data), outer_tos);
		p->rx_bytes += packets[i].len + MESSAGE_OVERHEAD;
	}
	s->first = end;
	s->count = 0;
}

void transport_accept(struct core *c, struct moment now, const struct opening *o,
		      const struct session_packet *packets, size_t n,
		      const struct transport_arrival *arrival, size_t *ret_len)
{
	const struct table_entry *entry = table_find(&c->table, o->local_index);
	struct sources sources = { 0 };
	bool any = false, any_data = false;
	struct session *s;
	struct peer *p;

	memset(ret_len, 0, n * sizeof(*ret_len));
	if (!entry || !entry->session) { /* it went while they were being opened */
		reject_add(&c->rejects, REJECT_INDEX, n, now, &arrival->from);
		return;
	}
	s = entry->session;
	p = entry->peer;
	for (size_t i = 0; i < n; ++i) {
		if (!is_fresh(c, now, p, s, &packets[i], &arrival->from))
			continue;
		if (!any) {
			core_moved(p, &arrival->from, &arrival->to);
			confirm(c, now, p, s);
		}
		any = true;
		if (packets[i].len == 0) {
			p->rx_bytes += MESSAGE_OVERHEAD;
			continue;
		}
		any_data = true;
		if (sources.count == SOURCES)
			deliver(c, now, p, packets, i, arrival->tos, &sources, ret_len);
		ret_len[i] =
			parse(c, now, p, &packets[i], &arrival->from, &sources, &sources.place[i]);
	}
	if (!any)
		return;
	deliver(c, now, p, packets, n, arrival->tos, &sources, ret_len);
	p->heard = now.boot;
	rekey_on_receive(c, now, p);
	timers_authenticated_received(&p->timers, now.boot);
	if (any_data)
		timers_data_received(&p->timers, now.boot);
	core_schedule(c, p);
}
