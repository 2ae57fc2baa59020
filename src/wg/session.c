#include "wg/session.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "crypto/crypto.h"

bool session_can_send(const struct session *s, uint64_t now)
{
	return !s->is_send_refused && !session_is_expired(s, now) &&
	       s->send_next < REJECT_AFTER_MESSAGES;
}

bool session_reserve(struct session *s, uint64_t n, uint64_t *ret_first)
{
	if (s->send_next >= REJECT_AFTER_MESSAGES || n > REJECT_AFTER_MESSAGES - s->send_next)
		return false;
	*ret_first = s->send_next;
	s->send_next += n;
	return true;
}

void session_wipe(struct session *s)
{
	crypto_wipe(s, sizeof(*s));
}

bool session_seal(const struct key_shared *key, uint32_t receiver, struct session_packet *packets,
		  size_t n)
{
	struct crypto_packet batch[SESSION_BATCH];

	assert(n <= SESSION_BATCH);
	for (size_t i = 0; i < n; ++i) {
		struct session_packet *p = &packets[i];
		struct message_data *header = (struct message_data *)p->message;
		uint8_t *packet = p->message + sizeof(*header);

		store32_le(header->type, MESSAGE_DATA);
		store32_le(header->receiver, receiver);
		store64_le(header->counter, p->counter);
		memset(packet + p->len, 0, p->padded - p->len);
		batch[i] = (struct crypto_packet){ .data = packet,
						   .len = p->padded,
						   .counter = p->counter };
	}
	return crypto_seal_batch(batch, n, key);
}

void session_open(const struct key_shared *key, struct session_packet *packets, size_t n)
{
	struct crypto_packet batch[SESSION_BATCH];

	assert(n <= SESSION_BATCH);
	for (size_t i = 0; i < n; ++i) {
		struct session_packet *p = &packets[i];
		const struct message_data *header = (const struct message_data *)p->message;

		p->counter = load64_le(header->counter);
		p->len -= MESSAGE_OVERHEAD;
		batch[i] = (struct crypto_packet){ .data = p->message + sizeof(*header),
						   .len = p->len,
						   .counter = p->counter };
	}
	crypto_open_batch(batch, n, key);
	for (size_t i = 0; i < n; ++i)
		packets[i].ok = batch[i].ok;
}
