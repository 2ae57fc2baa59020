#ifndef CLI_KEEPER_H
#define CLI_KEEPER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/siphash.h"
#include "control/backend.h"
#include "device/device.h"
#include "device/mask.h"
#include "device/records.h"

/*
 * Keeps a device's configuration where the next engine finds it: every accepted change as UAPI text
 * in a record, rewritten as a whole when most of it is superseded. Secrets in it are masked
 * (device/mask.h), and one that goes out of use is wiped at once (F-S4). Also where a peer was when
 * a handshake completed, and the stamp of its initiation, which the next engine must refuse
 * (F-H13). Brain's thread only.
 *
 *   RECORD_SET, RECORD_SESSION   a salt, then the text of a set request
 *   RECORD_STAMPS                struct device_stamp, any number
 */
enum { KEEPER_SESSIONS = 4096 };

struct keeper {
	struct device *device;
	struct records records;
	const struct key_shared *mask;      /* borrowed */
	uint8_t salt[MASK_SALT];            /* of the record that is being written */
	uint64_t rows;                      /* of peers, that it has so far */
	uint64_t sessions[KEEPER_SESSIONS]; /* hashes of what was recorded since the last rewrite */
	struct siphash_key key;             /* of that hash */
	bool has_complained;                /* a stamp could not be kept */
};

/* mask: borrowed. 0 or -errno */
MUST_CHECK int keeper_open(struct keeper *k, struct device *d, int records,
			   const struct key_shared *mask);
/* Set the device to what the records say. port, mark: of the sockets it has; 0: none. */
MUST_CHECK int keeper_replay(struct keeper *k, uint16_t port, uint32_t mark);
struct backend keeper_backend(struct keeper *k); /* the device, with every set kept */
/* struct device_config's session; ctx: the keeper. */
void keeper_note_session(void *ctx, const struct key_public *peer, const struct endpoint *at,
			 const uint8_t *stamp);

#endif
