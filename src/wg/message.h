#ifndef WG_MESSAGE_H
#define WG_MESSAGE_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "base/time.h"

/*
 * The four messages and the constants of the protocol: WireGuard paper 5.4 and 6.1, with the values
 * of the kernel driver where the paper leaves them open (behaviour.md E.1). All wire structs are
 * byte arrays: no alignment, no order.
 */
enum message_type {
	MESSAGE_INITIATION = 1,
	MESSAGE_RESPONSE = 2,
	MESSAGE_COOKIE = 3,
	MESSAGE_DATA = 4,
};

struct message_macs {
	uint8_t mac1[16];
	uint8_t mac2[16];
};

struct message_initiation {
	uint8_t type[4];
	uint8_t sender[4];
	uint8_t ephemeral[32];
	uint8_t sealed_static[32 + 16];
	uint8_t sealed_stamp[12 + 16];
	struct message_macs macs;
};

struct message_response {
	uint8_t type[4];
	uint8_t sender[4];
	uint8_t receiver[4];
	uint8_t ephemeral[32];
	uint8_t sealed_nothing[16];
	struct message_macs macs;
};

struct message_cookie {
	uint8_t type[4];
	uint8_t receiver[4];
	uint8_t nonce[24];
	uint8_t sealed_cookie[16 + 16];
};

struct message_data {
	uint8_t type[4];
	uint8_t receiver[4];
	uint8_t counter[8];
	/* the sealed packet and its tag follow */
};

static_assert(sizeof(struct message_initiation) == 148, "wire size");
static_assert(sizeof(struct message_response) == 92, "wire size");
static_assert(sizeof(struct message_cookie) == 64, "wire size");
static_assert(sizeof(struct message_data) == 16, "wire size");

enum {
	MESSAGE_TAG = 16,
	MESSAGE_HANDSHAKE_MAX = 148,
	MESSAGE_DATA_MIN = 32, /* header and tag: a keepalive */
	MESSAGE_OVERHEAD = 32,
	MESSAGE_PADDING = 16,
	MESSAGE_MAX = 65535,
};

#define REKEY_AFTER_MESSAGES (UINT64_C(1) << 60)
#define REJECT_AFTER_MESSAGES (UINT64_MAX - 8128 - 1)
#define REKEY_AFTER_TIME (120 * NS_PER_S)
#define REJECT_AFTER_TIME (180 * NS_PER_S)
#define WIPE_AFTER_TIME (3 * REJECT_AFTER_TIME)
#define REKEY_TIMEOUT (5 * NS_PER_S)
#define REKEY_JITTER_MAX (NS_PER_S / 3)
#define KEEPALIVE_TIMEOUT (10 * NS_PER_S)
#define INITIATION_SPACING (20 * NS_PER_MS) /* between two that we accept from one peer */
#define COOKIE_SECRET_AGE (120 * NS_PER_S)
#define COOKIE_USE_AGE (115 * NS_PER_S) /* 5 s of latency allowed for */
#define UNDER_LOAD_HOLD (1 * NS_PER_S)

enum {
	HANDSHAKE_ATTEMPTS_MAX = 18, /* 20 initiations in all */
	HANDSHAKE_QUEUE = 4096,
	HANDSHAKE_UNDER_LOAD = HANDSHAKE_QUEUE / 8,
	STAGED_PER_PEER = 128,
	PEERS_MAX = 1 << 20,
	TOS_HANDSHAKE = 0x88, /* AF41, initiation and response */
};

#endif
