#ifndef CONTROL_UAPI_CLIENT_H
#define CONTROL_UAPI_CLIENT_H

#include "base/attr.h"
#include "model/diagnosis.h"
#include "model/model.h"

/*
 * Speaks UAPI (control/uapi.h) to a daemon: ours, wireguard-go or any other, none of them trusted.
 * One connection per request, as wg(8) has it. Waits as long as the daemon does; signals that do
 * not end the process are waited out; a daemon that hangs up raises no SIGPIPE. Requests are
 * written and answers read in pieces: what is held is the model and no text of it.
 *
 * All return 0 or a negative errno: -EPROTO if the answer makes no sense or ends early, else the
 * number that the daemon gave. A set may also return a positive number: a daemon said it (they must
 * be negative there), and wg(8) takes it for no errno (behaviour.md B.1).
 */

/*
 * Connect to DIR/NAME.sock. -EINVAL: no name of a file; -ENOENT; -EBADF: no socket; what connect
 * says, and with -ECONNREFUSED the dead socket has been removed.
 */
MUST_CHECK int uapi_client_connect(const char *dir, const char *name, int *ret_fd);

/* On a fresh connection; fd stays the caller's and is good for nothing but close then. */
MUST_CHECK int uapi_client_get(int fd, struct model *ret); /* inited, empty; empty on failure */
MUST_CHECK int uapi_client_set(int fd, const struct model *patch);
/* Our own engine only: others hang up, which is -EOPNOTSUPP. */
MUST_CHECK int uapi_client_diagnose(int fd, struct diagnosis *ret); /* as get */

#endif
