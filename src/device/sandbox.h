#ifndef DEVICE_SANDBOX_H
#define DEVICE_SANDBOX_H

#include <stddef.h>
#include <sys/types.h>

/*
 * What an engine may not do: own uid and gid, no groups, no capability, no new privileges, an empty
 * root, few descriptors, a short list of system calls (filter.h), and death with its monitor. What
 * the host does not allow to give up is logged and kept: an engine in a container still runs.
 */
enum {
	SANDBOX_FDS = 256, /* UAPI_CLIENTS_MAX and the engine's own, with room to spare */
	/* Where there is no user `warren': one uid and gid for each name of an interface, from here
	 * to 24 bits further. Nobody else hands these out. */
	SANDBOX_UID = 0x70000000,
	SANDBOX_NOBODY = 65534,
};

struct sandbox_user {
	uid_t uid;
	gid_t gid;
};

/* For an engine on that interface. Reads /etc/passwd. */
struct sandbox_user sandbox_user(const char *interface);
/* Close every descriptor but the standard streams and these; -1 among them is fine. */
void sandbox_keep(const int *fds, size_t count);
/* This process dies with its parent, the monitor, and ends here if that is dead already. */
void sandbox_tie(pid_t monitor);
/* After all that opens something, before a thread. Ties again. */
void sandbox_enter(const struct sandbox_user *user, pid_t monitor);

#endif
