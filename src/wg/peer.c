#include "wg/peer.h"

#include <string.h>

#include "crypto/crypto.h"

void peer_init(struct peer *p, const struct key_public *public_key)
{
	memset(p, 0, sizeof(*p));
	list_init(&p->of_core);
	list_init(&p->of_busy);
	list_init(&p->staged);
	allowedips_owner_init(&p->allowed);
	timers_init(&p->timers);
	p->due = TIME_NEVER;
	p->public_key = *public_key;
}

bool peer_wake(struct peer *p, const struct memory *memory)
{
	if (!p->awake) {
		p->awake = memory_take(memory, sizeof(*p->awake));
		if (p->awake)
			cookie_maker_init(&p->awake->cookie);
	}
	return p->awake;
}

void peer_sleep(struct peer *p, const struct memory *memory)
{
	if (!p->awake)
		return;
	crypto_wipe(p->awake, sizeof(*p->awake));
	memory_give(memory, p->awake, sizeof(*p->awake));
	p->awake = NULL;
}

static void drop_session(struct session **slot, struct table *t, const struct memory *memory)
{
	struct session *s = *slot;

	*slot = NULL;
	if (!s)
		return;
	table_remove(t, s->local_index);
	session_wipe(s);
	memory_give(memory, s, sizeof(*s));
}

void peer_begin_session(struct peer *p, struct session *s, struct table *t,
			const struct memory *memory)
{
	drop_session(&p->previous, t, memory);
	if (!s->is_initiator) {
		drop_session(&p->next, t, memory);
		p->next = s;
		return;
	}
	/* A key that the peer may already be sending with stays readable for a while. */
	if (p->next) {
		drop_session(&p->current, t, memory);
		p->previous = p->next;
		p->next = NULL;
	} else {
		p->previous = p->current;
	}
	p->current = s;
}

bool peer_confirm_session(struct peer *p, struct session *s, struct table *t,
			  const struct memory *memory)
{
	if (s != p->next)
		return false;
	drop_session(&p->previous, t, memory);
	p->previous = p->current;
	p->current = p->next;
	p->next = NULL;
	return true;
}

void peer_drop_sessions(struct peer *p, struct table *t, const struct memory *memory)
{
	drop_session(&p->previous, t, memory);
	drop_session(&p->current, t, memory);
	drop_session(&p->next, t, memory);
}

void peer_drop_handshake(struct peer *p, struct table *t)
{
	table_remove(t, p->handshake.index);
	p->handshake.index = 0;
	++p->handshake.generation;
	if (p->awake)
		crypto_wipe(&p->awake->pending, sizeof(p->awake->pending));
}
