#include "wg/reject.h"

#include <string.h>

const char *reject_name(enum reject_reason reason)
{
	static const char *const names[REJECT_REASONS] = {
		[REJECT_TYPE] = "no-wireguard-message",
		[REJECT_DOWN] = "device-down",
		[REJECT_QUEUE_FULL] = "handshake-queue-full",
		[REJECT_MAC1] = "bad-mac1",
		[REJECT_RATE] = "rate-limited",
		[REJECT_UNDER_LOAD] = "under-load",
		[REJECT_STATIC] = "bad-static-key",
		[REJECT_UNKNOWN_KEY] = "unknown-public-key",
		[REJECT_STAMP] = "bad-initiation",
		[REJECT_STAMP_OLD] = "old-timestamp",
		[REJECT_FLOOD] = "initiation-flood",
		[REJECT_CHANGED] = "changed-meanwhile",
		[REJECT_RESPONSE_STALE] = "stale-response",
		[REJECT_RESPONSE] = "bad-response",
		[REJECT_COOKIE] = "bad-cookie-reply",
		[REJECT_INDEX] = "unknown-index",
		[REJECT_EXPIRED] = "expired-key",
		[REJECT_LIMIT] = "message-limit",
		[REJECT_TAG] = "bad-tag",
		[REJECT_REPLAY] = "replay",
		[REJECT_INNER_VERSION] = "inner-version",
		[REJECT_INNER_LENGTH] = "inner-length",
		[REJECT_INNER_SOURCE] = "inner-source",
		[REJECT_OUT_INVALID] = "out-no-ip-packet",
		[REJECT_OUT_NO_PEER] = "out-no-peer",
		[REJECT_OUT_NO_ENDPOINT] = "out-no-endpoint",
		[REJECT_OUT_LOOP] = "out-loop",
		[REJECT_OUT_STAGED_FULL] = "out-queue-full",
		[REJECT_OUT_GAVE_UP] = "out-no-answer",
		[REJECT_OUT_CLEARED] = "out-cleared",
		[REJECT_SEND_FAILED] = "send-failed",
		[REJECT_DELIVER_FAILED] = "deliver-failed",
		[REJECT_NO_MEMORY] = "no-memory",
		[REJECT_NO_RANDOM] = "no-random",
		[REJECT_CRYPTO] = "crypto-failed",
	};

	return names[reason];
}

void reject_init(struct rejects *r, const struct memory *memory)
{
	memset(r, 0, sizeof(*r));
	r->memory = memory;
}

static void note(struct reject_counter *c, uint64_t count, struct moment now,
		 const struct endpoint *from)
{
	c->count += count;
	c->last_real = now.real;
	if (from)
		c->from = *from;
}

void reject_count_many(struct rejects *r, struct reject_set **set, enum reject_reason reason,
		       uint64_t count, struct moment now, const struct endpoint *from)
{
	note(&r->device.by_reason[reason], count, now, from);
	if (!set)
		return;
	if (!*set && r->peer_sets < REJECT_PEERS_MAX) {
		*set = memory_take(r->memory, sizeof(**set));
		r->peer_sets += *set != NULL;
	}
	if (*set)
		note(&(*set)->by_reason[reason], count, now, from);
}

void reject_count(struct rejects *r, struct reject_set **set, enum reject_reason reason,
		  struct moment now, const struct endpoint *from)
{
	reject_count_many(r, set, reason, 1, now, from);
}

void reject_add(struct rejects *r, enum reject_reason reason, uint64_t count, struct moment now,
		const struct endpoint *from)
{
	reject_count_many(r, NULL, reason, count, now, from);
}

void reject_knock(struct rejects *r, const struct key_public *key, struct moment now,
		  const struct endpoint *from)
{
	struct reject_knock *oldest = &r->knocks[0];

	for (size_t i = 0; i < REJECT_KNOCKS; ++i) {
		struct reject_knock *k = &r->knocks[i];

		if (k->seen.count && memcmp(k->key.bytes, key->bytes, KEY_LEN) == 0) {
			note(&k->seen, 1, now, from);
			return;
		}
		if (!k->seen.count ||
		    (oldest->seen.count && oldest->seen.last_real > k->seen.last_real))
			oldest = k;
	}
	*oldest = (struct reject_knock){ .key = *key };
	note(&oldest->seen, 1, now, from);
}

void reject_forget(struct rejects *r, struct reject_set **set)
{
	if (!*set)
		return;
	memory_give(r->memory, *set, sizeof(**set));
	*set = NULL;
	--r->peer_sets;
}
