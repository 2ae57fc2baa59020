#ifndef DEVICE_KEYLOG_H
#define DEVICE_KEYLOG_H

#include "base/attr.h"
#include "base/key.h"
#include "model/diag.h"

/*
 * A key log that Wireshark reads (wg.keylog_file): for one's own debugging only, off unless asked
 * for. Opened for append, 0600, only by root, only in a directory that nobody else can write; a
 * file that others can read is refused. keylog_handshake may be called by any thread.
 */
struct keylog {
	int fd; /* -1: off */
};

MUST_CHECK int keylog_open(const char *path, struct diag *why, struct keylog *ret);
void keylog_close(struct keylog *k);
void keylog_handshake(const struct keylog *k, const struct key_private *local,
		      const struct key_public *remote, const struct key_private *ephemeral,
		      const struct key_shared *psk);

#endif
