#ifndef CONTROL_UAPI_SERVER_H
#define CONTROL_UAPI_SERVER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "control/backend.h"

/*
 * Serves the UAPI of one device on /run/wireguard/NAME.sock. One thread; never blocks: slow, broken
 * and many clients cost bounded memory and nobody else's time. A get is rendered piece by piece as
 * the client reads, so a million peers are never held as text; what it says of peers that change
 * meanwhile is the business of the back end (control/backend.h). The socket is 0600 from birth; a
 * client that is neither root nor the uid that opened the socket is closed at once (SO_PEERCRED).
 */
struct uapi_server;

enum { UAPI_CLIENTS_MAX = 64 };

/*
 * Bind DIR/NAME.sock. A live socket there: -EADDRINUSE, untouched. A dead one is removed first, but
 * only where it is a socket of our own uid in a directory that only root or we can write (F-P15);
 * anything else: -EEXIST. why says it in words.
 */
MUST_CHECK int uapi_server_new(const char *dir, const char *name, const struct backend *backend,
			       struct diag *why, struct uapi_server **ret);
/*
 * Take over a listening socket that somebody else bound (WG_UAPI_FD): ours from success on. Where
 * DIR cannot be opened, nobody notices that the file goes.
 */
MUST_CHECK int uapi_server_adopt(int fd, const char *dir, const char *name,
				 const struct backend *backend, struct diag *why,
				 struct uapi_server **ret);
/* Serve a listening socket whose file is somebody else's business. Takes fd on success. */
MUST_CHECK int uapi_server_attach(int fd, const struct backend *backend, struct diag *why,
				  struct uapi_server **ret);
/* Removes the socket file if it is still ours; NULL is fine. */
struct uapi_server *uapi_server_free(struct uapi_server *s);

/* Readable when there is something to do: for an event loop. */
int uapi_server_fd(const struct uapi_server *s);
int uapi_server_listener(const struct uapi_server *s); /* to pass on (WG_UAPI_FD) */
void uapi_server_handle(struct uapi_server *s);        /* does what is due and returns */
/* Our socket file was deleted or replaced, as handle saw it: the sign to end (behaviour.md B.1). */
bool uapi_server_is_gone(const struct uapi_server *s);

#endif
