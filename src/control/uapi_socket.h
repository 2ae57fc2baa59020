#ifndef CONTROL_UAPI_SOCKET_H
#define CONTROL_UAPI_SOCKET_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/attr.h"
#include "model/diag.h"

/*
 * The file DIR/NAME.sock: bound so that exactly one of many starters wins and nobody ever sees it
 * refuse or open to others, watched, and removed only while it is ours. For uapi_server alone.
 */
enum { UAPI_SOCKET_FILE = 32 };

struct uapi_socket {
	int listener;
	int dir;   /* -1: adopted where the directory cannot be opened */
	int watch; /* inotify, readable when the file may be gone; -1: no watch */
	int dir_watch;
	dev_t dev; /* of the file */
	ino_t ino;
	bool gone;
	char file[UAPI_SOCKET_FILE]; /* within dir */
};

/* Both fill s on success only. */
MUST_CHECK int uapi_socket_bind(struct uapi_socket *s, const char *dir, const char *name,
				struct diag *why);
MUST_CHECK int uapi_socket_adopt(struct uapi_socket *s, int fd, const char *dir, const char *name,
				 struct diag *why);
void uapi_socket_done(struct uapi_socket *s); /* removes the file if it is ours */
void uapi_socket_disown(
	struct uapi_socket *s); /* neither closes the listener nor removes the file */
void uapi_socket_check(struct uapi_socket *s); /* empties the watch, updates gone */

#endif
