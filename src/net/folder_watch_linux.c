#include "net/folder_watch.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

/* Not IN_MODIFY: a file that is being written is not worth reading yet. */
enum { EVENTS = IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO };

int folder_watch_open(struct folder_watch *w)
{
	*w = (struct folder_watch){ .fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC) };
	return w->fd < 0 ? -errno : 0;
}

void folder_watch_close(struct folder_watch *w)
{
	if (w->fd >= 0)
		close(w->fd);
	w->fd = -1;
}

int folder_watch_add(struct folder_watch *w, const char *folder, const char *begins)
{
	const size_t n = w->count;

	if (n == FOLDER_WATCHES || strlen(begins) >= sizeof(w->rows[n].begins))
		return -E2BIG;
	w->rows[n].id = inotify_add_watch(w->fd, folder, EVENTS | IN_MASK_ADD | IN_ONLYDIR);
	if (w->rows[n].id < 0)
		return -errno;
	(void)snprintf(w->rows[n].begins, sizeof(w->rows[n].begins), "%s", begins);
	return (int)w->count++;
}

static unsigned int which(const struct folder_watch *w, const struct inotify_event *e,
			  const char *name)
{
	unsigned int found = 0;

	if (e->mask & IN_Q_OVERFLOW)
		return ~0U; /* something was lost: it may be any of them */
	for (size_t i = 0; i < w->count; ++i)
		if (w->rows[i].id == e->wd &&
		    strncmp(name, w->rows[i].begins, strlen(w->rows[i].begins)) == 0)
			found |= 1U << i;
	return found;
}

int folder_watch_read(struct folder_watch *w, unsigned int *ret_which)
{
	char bytes[4096];
	ssize_t len;

	*ret_which = 0;
	while ((len = read(w->fd, bytes, sizeof(bytes))) > 0)
		for (ssize_t at = 0; at < len;) {
			struct inotify_event e;

			memcpy(&e, bytes + at, sizeof(e));
			*ret_which |= which(w, &e, e.len ? bytes + at + sizeof(e) : "");
			at += (ssize_t)(sizeof(e) + e.len);
		}
	return len < 0 && errno != EAGAIN && errno != EINTR ? -errno : 0;
}
