#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"
#include "net/dns.h"
#include "net/journal_private.h"

/* The files of a journal: locks, reading, appending. */

const struct journal_place journal_host = { "/run/warren", "/var/lib/warren" };

#define RUN_END ".journal"
#define STATE_END ".undo"
#define LOCK_END ".lock"
#define SHARED "lock"

enum {
	FILE_NAME = JOURNAL_BASE + 16,
	BOOT = 40,
	FILE_MAX = 64 << 20,
	WAIT_MS = 20,
	DEAD_MS = 10000
};

/* Where and when we are */

static void read_boot(char ret[static BOOT])
{
	const int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t len = fd < 0 ? 0 : read(fd, ret, BOOT - 1);

	if (fd >= 0)
		close(fd);
	len = len < 0 ? 0 : len;
	ret[len] = '\0';
	ret[strcspn(ret, " \n")] = '\0';
}

/* Two tunnels of one name in two namespaces share the folders, but nothing of what the journal is
 * about. */
static void base_name(const char *name, char ret[static JOURNAL_BASE])
{
	struct stat own, first;

	if (stat("/proc/self/ns/net", &own) == 0 && stat("/proc/1/ns/net", &first) == 0 &&
	    (own.st_ino != first.st_ino || own.st_dev != first.st_dev))
		(void)snprintf(ret, JOURNAL_BASE, "%s@%llu", name, (unsigned long long)own.st_ino);
	else
		(void)snprintf(ret, JOURNAL_BASE, "%s", name);
}

static void file_name(const struct journal *j, const char *end, char ret[static FILE_NAME])
{
	(void)snprintf(ret, FILE_NAME, "%s%s", j->base, end);
}

/* Folders and files that nobody else may write */

static int check_own(int fd, mode_t kind)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	return (st.st_mode & S_IFMT) == kind && st.st_uid == geteuid() && !(st.st_mode & 022)
		       ? 0
		       : -EPERM;
}

static int open_checked(int folder, const char *name, int flags, mode_t kind)
{
	const int fd = openat(folder, name, flags | O_NOFOLLOW | O_CLOEXEC, 0600);
	int status;

	if (fd < 0)
		return errno == ELOOP || errno == ENOTDIR ? -EPERM : -errno;
	status = check_own(fd, kind);
	if (status < 0)
		close(fd);
	return status < 0 ? status : fd;
}

/* The folders above must be there: they are the system's. */
static int open_folder(const char *path, bool make, bool *ret_made)
{
	*ret_made = make && mkdir(path, 0700) == 0;
	if (make && !*ret_made && errno != EEXIST)
		return -errno;
	return open_checked(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, S_IFDIR);
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* Locks */

static bool is_still_there(int fd, int folder, const char *name)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 && fstatat(folder, name, &b, AT_SYMLINK_NOFOLLOW) == 0 &&
	       a.st_ino == b.st_ino && a.st_dev == b.st_dev;
}

/* Whoever is done takes the file away while it holds the lock; who waited for it begins again. */
static int take_lock(int folder, const char *name, bool wait)
{
	for (;;) {
		const int fd = open_checked(folder, name, O_RDWR | O_CREAT, S_IFREG);

		if (fd < 0)
			return fd;
		if (flock(fd, LOCK_EX | (wait ? 0 : LOCK_NB)) < 0) {
			const int error = errno;

			close(fd);
			return error == EWOULDBLOCK ? -EAGAIN : -error;
		}
		if (is_still_there(fd, folder, name))
			return fd;
		close(fd);
	}
}

static void sign_lock(int fd)
{
	char text[24];
	const int len = snprintf(text, sizeof(text), "%d\n", (int)getpid());

	/* Only for whoever has to wait. */
	if (ftruncate(fd, 0) == 0)
		(void)!pwrite(fd, text, (size_t)len, 0);
}

static pid_t read_holder(int folder, const char *name)
{
	const int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	char text[24];
	const ssize_t len = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	text[len < 0 ? 0 : len] = '\0';
	return atoi(text);
}

int journal_holder(const struct journal_place *p, const char *name)
{
	char base[JOURNAL_BASE], file[FILE_NAME];
	const int folder = open(p->run, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	pid_t holder = 0;

	base_name(name, base);
	(void)snprintf(file, sizeof(file), "%s%s", base, LOCK_END);
	if (folder >= 0) {
		holder = read_holder(folder, file);
		close(folder);
	}
	return holder;
}

/*
 * The programs of a command that was killed have its lock too, and may be busy with what it began.
 * But what such a program left running, a hook's daemon, must not keep us out for ever.
 */
static int wait_for_lock(int folder, const char *name)
{
	const struct timespec pause = { .tv_nsec = WAIT_MS * 1000000L };
	int dead = 0, fd;

	while ((fd = take_lock(folder, name, false)) == -EAGAIN) {
		pid_t holder;

		if (nanosleep(&pause, NULL) < 0)
			return -errno;
		/* Asked after the pause: another one who waits may have just taken its place. */
		holder = read_holder(folder, name);
		dead = holder > 0 && kill(holder, 0) < 0 && errno == ESRCH ? dead + WAIT_MS : 0;
		if (dead > DEAD_MS && unlinkat(folder, name, 0) < 0 && errno != ENOENT)
			return -errno;
	}
	return fd;
}

int journal_share(struct journal *j)
{
	const int fd = j->shared >= 0 ? j->shared : take_lock(j->run, SHARED, true);

	if (fd < 0)
		return fd;
	j->shared = fd;
	return 0;
}

void journal_unshare(struct journal *j)
{
	if (j->shared >= 0)
		(void)unlinkat(j->run, SHARED, 0); /* one that stays harms nobody */
	close_fd(&j->shared);
}

/* Reading */

static int read_whole(int fd, struct buffer *b)
{
	char piece[16 * 1024];
	ssize_t n;

	while ((n = read(fd, piece, sizeof(piece))) != 0) {
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			buffer_append(b, piece, (size_t)n);
		if (!buffer_ok(b))
			return -ENOMEM;
		if (b->len > FILE_MAX)
			return -EFBIG;
	}
	return 0;
}

/* What a file is good for. */
enum worth { NOTHING, OTHER_BOOT, THIS_BOOT };

static int read_file(struct journal *j, int fd, enum worth *ret)
{
	struct buffer text;
	char boot[BOOT];
	bool other_boot;
	size_t used;
	int status;

	read_boot(boot);
	buffer_init(&text);
	status = read_whole(fd, &text);
	if (status < 0)
		goto out;
	status = journal_parse(j, text.bytes, text.len, boot, &other_boot, &used);
	*ret = !used ? NOTHING : other_boot ? OTHER_BOOT : THIS_BOOT;
	if (status == 0 && j->lock >= 0 && used < text.len && ftruncate(fd, (off_t)used) < 0)
		status = -errno;
out:
	buffer_done(&text);
	return status;
}

static void forget(struct journal *j)
{
	free(j->file);
	free(j->engine);
	j->file = j->engine = NULL;
	items_done(&j->owned);
	items_done(&j->wanted);
	j->phase = JOURNAL_DOWN;
	j->found = false;
}

/* -1 and status 0: there is none. */
static int open_journal(const struct journal *j, int folder, const char *name, int *ret)
{
	int fd;

	*ret = -1;
	if (folder < 0)
		return 0;
	fd = open_checked(folder, name, (j->lock >= 0 ? O_RDWR | O_APPEND : O_RDONLY) | O_NONBLOCK,
			  S_IFREG);
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	*ret = fd;
	return 0;
}

static int unlink_journal(const struct journal *j, int folder, const char *end)
{
	char name[FILE_NAME];

	file_name(j, end, name);
	return unlinkat(folder, name, 0) < 0 && errno != ENOENT ? -errno : 0;
}

static int drop(struct journal *j, int *fd, int folder, const char *end)
{
	close_fd(fd);
	return j->lock >= 0 ? unlink_journal(j, folder, end) : 0;
}

static int read_run(struct journal *j)
{
	enum worth worth = THIS_BOOT;
	char name[FILE_NAME];
	int status;

	file_name(j, RUN_END, name);
	status = open_journal(j, j->run, name, &j->fd);
	if (status < 0 || j->fd < 0)
		return status;
	j->phase = JOURNAL_UP; /* a command that was killed at once has not said it */
	j->found = true;
	status = read_file(j, j->fd, &worth);
	if (status < 0 || worth == THIS_BOOT)
		return status;
	forget(j);
	return drop(j, &j->fd, j->run, RUN_END);
}

static int read_state(struct journal *j, const char *name)
{
	enum worth worth = THIS_BOOT;
	int status = open_journal(j, j->state, name, &j->state_fd);

	if (status < 0 || j->state_fd < 0)
		return status;
	status = read_file(j, j->state_fd, &worth);
	j->found = j->found || worth != NOTHING;
	return status < 0 || worth != NOTHING ? status : drop(j, &j->state_fd, j->state, STATE_END);
}

/* The files of a folder; NULL, with errno: it cannot be read. */
static DIR *list(int at)
{
	const int fd = openat(at, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *folder = fd < 0 ? NULL : fdopendir(fd);

	if (!folder && fd >= 0)
		close(fd);
	return folder;
}

/* What is left of another boot. The namespace it was of is gone, and no other one has its number
 * but by chance: it is of anybody of that name. */

/* "wg0@5.undo" for us who are "wg0". */
static bool is_of_namespace(const struct journal *j, const char *file)
{
	const size_t name = strlen(j->name), len = strlen(file);

	return len > name && len < FILE_NAME && memcmp(file, j->name, name) == 0 &&
	       file[name] == '@' &&
	       strcmp(file + name + 1 + strspn(file + name + 1, "0123456789"), STATE_END) == 0;
}

/* Not if that cannot be known. */
static bool is_of_other_boot(int folder, const char *file)
{
	const int fd = open_checked(folder, file, O_RDONLY | O_NONBLOCK, S_IFREG);
	struct journal none = { 0 };
	char boot[BOOT], text[128];
	const ssize_t len = fd < 0 ? 0 : read(fd, text, sizeof(text));
	const char *end = len > 0 ? memchr(text, '\n', (size_t)len) : NULL;
	bool other = false;
	size_t used;

	if (fd >= 0)
		close(fd);
	read_boot(boot);
	return end && *boot &&
	       journal_parse(&none, text, (size_t)(end + 1 - text), boot, &other, &used) == 0 &&
	       other;
}

/* Its lock keeps out whoever takes it over, too, or has its number by chance. */
static bool claim(const struct journal *j, const char *file, char ret[static FILE_NAME])
{
	char lock[FILE_NAME];
	bool claimed;
	int fd;

	(void)snprintf(lock, sizeof(lock), "%.*s%s", (int)(strlen(file) - strlen(STATE_END)), file,
		       LOCK_END);
	fd = take_lock(j->run, lock, false);
	if (fd < 0)
		return false;
	file_name(j, STATE_END, ret);
	claimed = is_of_other_boot(j->state, file) && renameat(j->state, file, j->state, ret) == 0;
	(void)unlinkat(j->run, lock, 0); /* one that stays harms nobody */
	close(fd);
	return claimed;
}

/* One at a time. Who only looks leaves its name as it is. */
static bool find_left(const struct journal *j, char ret[static FILE_NAME])
{
	DIR *folder = j->state < 0 ? NULL : list(j->state);
	const struct dirent *entry;
	bool found = false;

	while (folder && !found && (entry = readdir(folder))) {
		const char *file = entry->d_name;

		if (!is_of_namespace(j, file) || !is_of_other_boot(j->state, file))
			continue;
		(void)snprintf(ret, FILE_NAME, "%s", file);
		found = j->lock < 0 || claim(j, file, ret);
	}
	if (folder)
		closedir(folder);
	return found;
}

static int read_all(struct journal *j)
{
	char name[FILE_NAME];
	int status = read_run(j);

	file_name(j, STATE_END, name);
	if (status == 0)
		status = read_state(j, name);
	/* Not beside what is up: what it adds is of this boot. */
	if (status == 0 && !j->found && find_left(j, name))
		status = read_state(j, name);
	return status;
}

static bool begin(struct journal *j, const struct journal_place *p, const char *name)
{
	*j = (struct journal){
		.phase = JOURNAL_DOWN,
		.run = -1,
		.state = -1,
		.fd = -1,
		.state_fd = -1,
		.lock = -1,
		.shared = -1,
		.place = p,
	};
	if (!text_is_interface_name(name))
		return false;
	memcpy(j->name, name, strlen(name) + 1);
	base_name(name, j->base);
	return true;
}

static int open_folders(struct journal *j, bool make)
{
	bool made;

	j->run = open_folder(j->place->run, make, &made);
	j->state = open_folder(j->place->state, false, &made);
	if (j->run < 0 && (make || j->run != -ENOENT))
		return j->run;
	return j->state < 0 && j->state != -ENOENT && j->state != -EACCES ? j->state : 0;
}

int journal_open(struct journal *j, const struct journal_place *p, const char *name, bool wait)
{
	char lock[FILE_NAME];
	int status;

	if (!begin(j, p, name))
		return -EINVAL;
	status = open_folders(j, true);
	if (status < 0)
		return status;
	file_name(j, LOCK_END, lock);
	j->lock = wait ? wait_for_lock(j->run, lock) : take_lock(j->run, lock, false);
	if (j->lock < 0)
		return j->lock;
	sign_lock(j->lock);
	return read_all(j);
}

int journal_peek(struct journal *j, const struct journal_place *p, const char *name)
{
	int status;

	if (!begin(j, p, name))
		return -EINVAL;
	status = open_folders(j, false);
	if (status == 0)
		status = read_all(j);
	return status == 0 && !j->found ? -ENOENT : status;
}

void journal_done(struct journal *j)
{
	char lock[FILE_NAME];

	forget(j);
	close_fd(&j->fd);
	close_fd(&j->state_fd);
	journal_unshare(j);
	if (j->lock >= 0) {
		file_name(j, LOCK_END, lock);
		(void)unlinkat(j->run, lock, 0); /* one that stays harms nobody */
	}
	close_fd(&j->lock);
	close_fd(&j->run);
	close_fd(&j->state);
}

/* Whoever waits looks whether the one who signed still lives. */
void journal_inherit(struct journal *j)
{
	if (j->lock >= 0)
		sign_lock(j->lock);
}

/* The names of the locks stay: the other one has them. */
void journal_leave(struct journal *j)
{
	close_fd(&j->shared);
	close_fd(&j->lock);
	journal_done(j);
}

/* Writing */

/* All of it or nothing. */
static int append(int fd, const struct buffer *b)
{
	struct stat st;
	ssize_t n;

	if (!buffer_ok(b))
		return -ENOMEM;
	if (fstat(fd, &st) < 0)
		return -errno;
	do
		n = write(fd, b->bytes, b->len);
	while (n < 0 && errno == EINTR);
	if (n == (ssize_t)b->len)
		return 0;
	if (n > 0 && ftruncate(fd, st.st_size) < 0)
		return -errno;
	return n < 0 ? -errno : -ENOSPC;
}

/* A new file with its first line, and more if b has more. */
static int create(const struct journal *j, int folder, const char *end, const struct buffer *more,
		  int *ret)
{
	char boot[BOOT], name[FILE_NAME];
	struct buffer b;
	int fd, status;

	file_name(j, end, name);
	fd = open_checked(folder, name, O_RDWR | O_APPEND | O_CREAT | O_EXCL, S_IFREG);
	if (fd < 0)
		return fd;
	read_boot(boot);
	buffer_init(&b);
	journal_write_first(&b, boot);
	if (more)
		buffer_append(&b, more->bytes, more->len);
	status = append(fd, &b);
	buffer_done(&b);
	if (status == 0) {
		*ret = fd;
		return 0;
	}
	close(fd);
	(void)unlinkat(folder, name, 0); /* an empty one says nothing */
	return status;
}

/* Folder and file are on the disk before what is written into it is done. */
static int open_state(struct journal *j)
{
	int above, status;
	bool made = false;

	if (j->state < 0)
		j->state = open_folder(j->place->state, true, &made);
	if (j->state < 0)
		return j->state;
	if (made) {
		above = openat(j->state, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (above < 0 || fsync(above) < 0)
			status = -errno;
		else
			status = 0;
		close_fd(&above);
		if (status < 0)
			return status;
	}
	status = create(j, j->state, STATE_END, NULL, &j->state_fd);
	return status == 0 && fsync(j->state) < 0 ? -errno : status;
}

static bool is_lasting(const struct item *i)
{
	return i->kind == ITEM_FOREIGN || (i->kind == ITEM_DNS && dns_is_on_disk(i));
}

static int append_line(struct journal *j, bool lasting, const struct buffer *b)
{
	int status = 0;

	if (!lasting)
		return j->fd < 0 ? create(j, j->run, RUN_END, b, &j->fd) : append(j->fd, b);
	if (j->state_fd < 0)
		status = open_state(j);
	if (status == 0)
		status = append(j->state_fd, b);
	return status == 0 && fdatasync(j->state_fd) < 0 ? -errno : status;
}

static int append_item(struct journal *j, enum journal_line kind, const struct item *i)
{
	struct buffer b;
	int status = -ENOMEM;

	buffer_init(&b);
	buffer_printf(&b, "%s", journal_word(kind));
	if (item_write(i, &b)) {
		buffer_append(&b, "\n", 1);
		status = append_line(j, kind != JOURNAL_WANT && is_lasting(i), &b);
	}
	buffer_done(&b);
	if (status == 0)
		j->found = true;
	return status;
}

static void write_words(struct buffer *b, enum journal_line kind, const char *text)
{
	buffer_printf(b, "%s", journal_word(kind));
	journal_write_text(b, text);
	buffer_append(b, "\n", 1);
}

static int set_text(char **place, const char *text)
{
	char *copy = text ? strdup(text) : NULL;

	if (!text)
		return 0;
	if (!copy)
		return -ENOMEM;
	free(*place);
	*place = copy;
	return 0;
}

int journal_begin(struct journal *j, enum journal_phase phase, const char *file, const char *engine)
{
	struct buffer b;
	int status;

	buffer_init(&b);
	write_words(&b, JOURNAL_PHASE, journal_phase_name(phase));
	if (file)
		write_words(&b, JOURNAL_FILE, file);
	if (engine)
		write_words(&b, JOURNAL_ENGINE, engine);
	status = append_line(j, false, &b);
	buffer_done(&b);
	if (status < 0)
		return status;
	j->phase = phase;
	j->found = true;
	status = set_text(&j->file, file);
	return status < 0 ? status : set_text(&j->engine, engine);
}

int journal_phase(struct journal *j, enum journal_phase phase)
{
	return journal_begin(j, phase, NULL, NULL);
}

int journal_own(struct journal *j, const struct item *i)
{
	const int status = append_item(j, JOURNAL_OWN, i);

	if (status < 0)
		return status;
	return journal_take_own(j, i) ? 0 : -ENOMEM;
}

int journal_want(struct journal *j, const struct item *i)
{
	const int status = append_item(j, JOURNAL_WANT, i);

	if (status < 0)
		return status;
	return items_copy(&j->wanted, i) ? 0 : -ENOMEM;
}

int journal_lose(struct journal *j, const struct item *i)
{
	int status;

	if (!journal_last(&j->owned, i))
		return 0;
	status = append_item(j, JOURNAL_LOST, i);
	if (status == 0)
		journal_strike(&j->owned, i);
	return status;
}

int journal_remove(struct journal *j)
{
	int status = 0;

	if (j->state_fd >= 0) {
		status = unlink_journal(j, j->state, STATE_END);
		if (status == 0 && fsync(j->state) < 0)
			status = -errno;
	}
	if (status == 0 && j->fd >= 0)
		status = unlink_journal(j, j->run, RUN_END);
	if (status < 0)
		return status;
	close_fd(&j->fd);
	close_fd(&j->state_fd);
	forget(j);
	return 0;
}

/* Other tunnels */

/* "wg1.journal" for us who are "wg0", "wg1@5.journal" for "wg0@5". */
static bool other_name(const struct journal *j, const char *file, char ret[static HOST_NAME])
{
	const char *where = strchr(j->base, '@');
	char end[FILE_NAME];
	size_t len = strlen(file);

	(void)snprintf(end, sizeof(end), "%s%s", where ? where : "", RUN_END);
	if (len <= strlen(end) || strcmp(file + len - strlen(end), end) != 0)
		return false;
	len -= strlen(end);
	if (len >= HOST_NAME)
		return false;
	memcpy(ret, file, len);
	ret[len] = '\0';
	return text_is_interface_name(ret) && strcmp(ret, j->name) != 0;
}

static int add_all(struct items *to, const struct items *from)
{
	for (size_t i = 0; i < from->count; ++i)
		if (!items_copy(to, &from->rows[i]))
			return -ENOMEM;
	return 0;
}

/* A journal that cannot be read proves nothing. */
static int add_other(const struct journal *j, const char *name, struct items *ret)
{
	struct journal other;
	int status = journal_peek(&other, j->place, name);

	if (status < 0)
		status = status == -ENOMEM ? status : 0;
	else if (add_all(ret, &other.owned) < 0 || add_all(ret, &other.wanted) < 0)
		status = -ENOMEM;
	journal_done(&other);
	return status;
}

int journal_others(const struct journal *j, struct items *ret)
{
	DIR *folder = list(j->run);
	const struct dirent *entry;
	char name[HOST_NAME];
	int status = 0;

	if (!folder)
		return -errno;
	while (status == 0 && (entry = readdir(folder)))
		if (other_name(j, entry->d_name, name))
			status = add_other(j, name, ret);
	closedir(folder);
	return status;
}
