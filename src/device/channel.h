#ifndef DEVICE_CHANNEL_H
#define DEVICE_CHANNEL_H

#include <stddef.h>
#include <sys/types.h>

#include "base/attr.h"

/*
 * Messages with descriptors between monitor and engine: pairs of SOCK_SEQPACKET sockets. A message
 * arrives whole or not at all.
 */
enum { CHANNEL_FDS_MAX = 32 };

MUST_CHECK int channel_open(int ret[static 2]); /* 0 or -errno */
/* Never waits: -EAGAIN where the other end does not read. fds are sent along, and stay ours. */
MUST_CHECK int channel_send(int fd, const void *bytes, size_t len, const int *fds, size_t count);
/*
 * Waits for a message. Its length, which may be greater than room (the rest is lost); 0: the other
 * end is gone. Descriptors beyond room_fds, or that there is no place for, are closed: -EMFILE.
 */
MUST_CHECK ssize_t channel_receive(int fd, void *buf, size_t room, int *ret_fds, size_t room_fds,
				   size_t *ret_count);
/* Does not wait: -EAGAIN. Descriptors sent along are closed. */
MUST_CHECK ssize_t channel_take(int fd, void *buf, size_t room);

#endif
