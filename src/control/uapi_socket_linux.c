#include "control/uapi_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"

enum { LOCK_TRIES = 1000, LOCK_PAUSE_NS = 5000000 };

/* What a bind needs to know; all names are within the directory. */
struct place {
	int dir;
	const char *path; /* of the directory, as the user gave it */
	char file[UAPI_SOCKET_FILE];
	char birth[UAPI_SOCKET_FILE]; /* where the socket is until it listens */
	char lock[UAPI_SOCKET_FILE];
};

static void explain(struct diag *why, const char *id, const char *hint, const char *text)
{
	if (why->severity == DIAG_ERROR)
		return;
	diag_set(why, DIAG_ERROR, id, 0, "%s", text);
	(void)snprintf(why->hint, sizeof(why->hint), "%s", hint); /* cut if too long */
}

static int refuse(struct diag *why, const struct place *p, int error, const char *what,
		  const char *hint)
{
	char text[DIAG_TEXT];

	(void)snprintf(text, sizeof(text), "%s/%s: %s", p->path, p->file, what); /* cut */
	explain(why, "uapi-socket", hint, text);
	return error;
}

/* For failures of the system; error is negative. */
static int refuse_errno(struct diag *why, const struct place *p, int error, const char *hint)
{
	return refuse(why, p, error, strerror(-error), hint);
}

static bool is_same_file(int dir, const char *file, dev_t dev, ino_t ino)
{
	struct stat st;

	return fstatat(dir, file, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_dev == dev &&
	       st.st_ino == ino;
}

/*
 * One starter at a time. Not flock on the directory: whoever may read it could hold that for ever.
 * The file is removed by its holder, so check that the lock is on what others will find.
 */
static int lock_take(const struct place *p)
{
	const struct timespec pause = { .tv_nsec = LOCK_PAUSE_NS };
	struct stat st;

	for (int i = 0; i < LOCK_TRIES; ++i) {
		const int fd = openat(p->dir, p->lock,
				      O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);

		if (fd < 0)
			return -errno;
		if (flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &st) == 0 &&
		    is_same_file(p->dir, p->lock, st.st_dev, st.st_ino))
			return fd;
		close(fd);
		(void)nanosleep(&pause, NULL); /* a signal only makes it shorter */
	}
	return -EAGAIN;
}

static void lock_release(const struct place *p, int fd)
{
	(void)unlinkat(p->dir, p->lock, 0); /* a file left behind is harmless */
	close(fd);
}

/* False: too long. */
static bool address_of(const struct place *p, const char *file, struct sockaddr_un *ret)
{
	const int len = snprintf(ret->sun_path, sizeof(ret->sun_path), "%s/%s", p->path, file);

	ret->sun_family = AF_UNIX;
	return len > 0 && (size_t)len < sizeof(ret->sun_path);
}

/* 0: somebody listens there; else why not. */
static int probe(const struct place *p)
{
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct sockaddr_un address;
	int error = 0;

	if (fd < 0)
		return -errno;
	if (!address_of(p, p->file, &address))
		error = -ENAMETOOLONG;
	else if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		error = errno == EAGAIN ? 0 : -errno; /* EAGAIN: its queue is full */
	close(fd);
	return error;
}

static bool is_private(int dir)
{
	struct stat st;

	return fstat(dir, &st) == 0 && (st.st_uid == 0 || st.st_uid == geteuid()) &&
	       !(st.st_mode & (S_IWGRP | S_IWOTH));
}

static int remove_dead(const struct place *p, const struct stat *st, struct diag *why)
{
	if (st->st_uid != geteuid())
		return refuse(why, p, -EEXIST, "dead socket of another user",
			      "remove it if nothing needs it");
	if (!is_private(p->dir))
		return refuse(why, p, -EEXIST, "dead socket where others may write",
			      "make the directory writable for its owner alone");
	if (!is_same_file(p->dir, p->file, st->st_dev, st->st_ino))
		return refuse(why, p, -EADDRINUSE, "somebody just replaced it", "look who did");
	if (unlinkat(p->dir, p->file, 0) < 0 && errno != ENOENT)
		return refuse_errno(why, p, -errno, "remove the dead socket");
	return 0;
}

/* Nothing of that name stands there when it returns 0. */
static int clear_place(const struct place *p, struct diag *why)
{
	struct stat st;
	int error;

	if (fstatat(p->dir, p->file, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : refuse_errno(why, p, -errno, "look at it");
	if (!S_ISSOCK(st.st_mode))
		return refuse(why, p, -EEXIST, "exists and is no socket", "move it away");
	error = probe(p);
	switch (error) {
	case 0:
		return refuse(why, p, -EADDRINUSE, "an engine already serves this name",
			      "stop it first, or use another name");
	case -ENOENT:
		return 0;
	case -ECONNREFUSED:
		return remove_dead(p, &st, why);
	default:
		return refuse(why, p, -EEXIST, "a socket of another kind or user",
			      "move it away, or use another name");
	}
}

/* The mode of the unbound socket is the mode its file is born with; umask is of the whole process.
 */
static int bind_private(const struct place *p, int fd, struct stat *ret)
{
	struct sockaddr_un address;

	if (!address_of(p, p->birth, &address))
		return -ENAMETOOLONG;
	if (fchmod(fd, S_IRUSR | S_IWUSR) < 0 ||
	    bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
	    fstatat(p->dir, p->birth, ret, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (!S_ISSOCK(ret->st_mode) || (ret->st_mode & ALLPERMS & ~(mode_t)(S_IRUSR | S_IWUSR)))
		return -EPERM;
	return 0;
}

/*
 * Listening before the name exists: wg(8) deletes a socket that refuses it. A link, because unlike
 * a rename it never replaces what stands there.
 */
static int bind_listening(const struct place *p, struct diag *why, struct stat *ret)
{
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int error;

	if (fd < 0)
		return refuse_errno(why, p, -errno, "a socket for the UAPI");
	(void)unlinkat(p->dir, p->birth, 0); /* of a starter that was killed: we hold the lock */
	error = bind_private(p, fd, ret);
	if (!error && listen(fd, SOMAXCONN) < 0)
		error = -errno;
	if (!error && linkat(p->dir, p->birth, p->dir, p->file, 0) < 0)
		error = errno == EEXIST ? -EADDRINUSE : -errno;
	(void)unlinkat(p->dir, p->birth, 0); /* a second name is harmless */
	if (!error)
		return fd;
	close(fd);
	return refuse_errno(why, p, error, "a short path on a file system that can hold sockets");
}

static int place_open(struct place *p, const char *dir, bool create)
{
	const bool made = create && mkdir(dir, 0755) == 0;

	p->path = dir;
	p->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (p->dir < 0)
		return -errno;
	if (made)
		(void)fchmod(p->dir, 0755); /* whatever the umask; a tighter one works, too */
	return 0;
}

static void place_name(struct place *p, const char *name)
{
	(void)snprintf(p->file, sizeof(p->file), "%s.sock", name); /* fits: 15 characters */
	(void)snprintf(p->birth, sizeof(p->birth), ".%s.new", name);
	(void)snprintf(p->lock, sizeof(p->lock), ".%s.lock", name);
}

static int refuse_name(struct diag *why, const char *dir)
{
	char text[DIAG_TEXT];

	(void)snprintf(text, sizeof(text), "no socket in %s for such a name", dir); /* cut */
	explain(why, "uapi-name", "1 to 15 of a-z A-Z 0-9 _ = + . -", text);
	return -EINVAL;
}

/* Without a watch the tunnel works: it only does not end when its socket goes. */
static void watch_start(struct uapi_socket *s, const struct place *p)
{
	struct sockaddr_un address;

	s->watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	s->dir_watch = s->watch < 0 ? -1
				    : inotify_add_watch(s->watch, p->path,
							IN_DELETE | IN_MOVE | IN_DELETE_SELF |
								IN_MOVE_SELF | IN_ONLYDIR);
	if (s->dir_watch < 0)
		log_line(LOG_WARN, "%s/%s is not watched, the engine will not end with it: %s",
			 p->path, p->file, strerror(errno));
	/* The directory's watch tells of most; the file may be gone already, which the check sees.
	 */
	if (s->dir_watch >= 0 && address_of(p, p->file, &address))
		(void)inotify_add_watch(s->watch, address.sun_path,
					IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF | IN_DONT_FOLLOW);
	uapi_socket_check(s);
}

int uapi_socket_bind(struct uapi_socket *s, const char *dir, const char *name, struct diag *why)
{
	struct stat st = { 0 };
	struct place p;
	int lock, fd, error;

	if (!text_is_interface_name(name))
		return refuse_name(why, dir);
	place_name(&p, name);
	error = place_open(&p, dir, true);
	if (error)
		return refuse_errno(why, &p, error, "a directory that we may write");
	lock = lock_take(&p);
	if (lock < 0) {
		close(p.dir);
		return refuse_errno(why, &p, lock, "a directory we may write, one start at a time");
	}
	fd = clear_place(&p, why);
	if (!fd)
		fd = bind_listening(&p, why, &st);
	lock_release(&p, lock);
	if (fd < 0) {
		close(p.dir);
		return fd;
	}
	*s = (struct uapi_socket){ .listener = fd, .dir = p.dir, .watch = -1 };
	s->dev = st.st_dev;
	s->ino = st.st_ino;
	memcpy(s->file, p.file, sizeof(s->file));
	watch_start(s, &p);
	return 0;
}

static bool has_option(int fd, int option, int want)
{
	socklen_t len = sizeof(int);
	int value;

	return getsockopt(fd, SOL_SOCKET, option, &value, &len) == 0 && value == want;
}

/* Was this socket bound as our file? One bound elsewhere is not ours to watch or to remove. */
static bool is_bound_here(int fd, const struct place *p)
{
	struct sockaddr_un address = { 0 };
	socklen_t len = sizeof(address) - 1; /* the path stays terminated */
	struct stat here, there;
	char *slash;

	if (getsockname(fd, (struct sockaddr *)&address, &len) < 0)
		return false;
	slash = strrchr(address.sun_path, '/');
	if (!slash || (strcmp(slash + 1, p->file) != 0 && strcmp(slash + 1, p->birth) != 0))
		return false;
	*slash = '\0';
	return stat(address.sun_path, &there) == 0 && fstat(p->dir, &here) == 0 &&
	       here.st_dev == there.st_dev && here.st_ino == there.st_ino;
}

int uapi_socket_adopt(struct uapi_socket *s, int fd, const char *dir, const char *name,
		      struct diag *why)
{
	struct place p;
	struct stat st = { 0 };
	int flags;

	if (!text_is_interface_name(name))
		return refuse_name(why, dir);
	place_name(&p, name);
	p.path = dir;
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || !has_option(fd, SO_DOMAIN, AF_UNIX) ||
	    !has_option(fd, SO_TYPE, SOCK_STREAM) || !has_option(fd, SO_ACCEPTCONN, 1))
		return refuse(why, &p, -EINVAL, "the descriptor handed over is no such socket",
			      "a listening stream socket");
	if (fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return refuse_errno(why, &p, -errno, "a listening stream socket");
	*s = (struct uapi_socket){ .listener = fd, .dir = -1, .watch = -1 };
	memcpy(s->file, p.file, sizeof(s->file));
	if (place_open(&p, dir, false) < 0)
		return 0;
	if (!is_bound_here(fd, &p)) {
		close(p.dir);
		return 0;
	}
	s->dir = p.dir;
	s->gone = fstatat(p.dir, p.file, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISSOCK(st.st_mode);
	s->dev = st.st_dev;
	s->ino = st.st_ino;
	watch_start(s, &p);
	return 0;
}

void uapi_socket_disown(struct uapi_socket *s)
{
	if (s->dir >= 0)
		close(s->dir);
	if (s->watch >= 0)
		close(s->watch);
}

void uapi_socket_done(struct uapi_socket *s)
{
	/* before the listener closes: until then no starter takes the name over */
	if (s->dir >= 0 && !s->gone && is_same_file(s->dir, s->file, s->dev, s->ino))
		(void)unlinkat(s->dir, s->file, 0); /* not ours to remove without privilege */
	uapi_socket_disown(s);
	close(s->listener);
}

static void watch_empty(struct uapi_socket *s)
{
	_Alignas(struct inotify_event) char events[4096];
	ssize_t len;

	while ((len = read(s->watch, events, sizeof(events))) > 0) {
		const struct inotify_event *e;

		for (ssize_t at = 0; at < len; at += (ssize_t)(sizeof(*e) + e->len)) {
			e = (const struct inotify_event *)(const void *)(events + at);
			/* a directory that moved takes the file along: nobody finds it */
			if (e->wd == s->dir_watch && e->mask & IN_MOVE_SELF)
				s->gone = true;
		}
	}
}

void uapi_socket_check(struct uapi_socket *s)
{
	struct stat st;

	if (s->watch >= 0)
		watch_empty(s);
	if (s->dir < 0)
		return;
	if (fstatat(s->dir, s->file, &st, AT_SYMLINK_NOFOLLOW) < 0)
		s->gone = s->gone || errno == ENOENT; /* EACCES tells nothing */
	else if (st.st_dev != s->dev || st.st_ino != s->ino)
		s->gone = true;
}
