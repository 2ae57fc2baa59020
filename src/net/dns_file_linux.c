#include "net/dns_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/siphash.h"
#include "base/write_all.h"
#include "net/dns_saved.h"

#define LABEL "security.selinux"
#define TEMPORARY ".resolv.conf.warren"

/* The file as it is now. */
struct now {
	char *path;       /* owned: its folder; the name stands behind its NUL */
	const char *name; /* in the folder */
	int folder;
	bool mounted;
	struct dns_original is;
	char target[PATH_MAX]; /* where a link leads, absolute; "" if it is none */
	char key[32];          /* of the folder that keeps what was here */
	struct dns_host whose; /* owner and writer */
};

/* Where it is mounted */

/* "\040" is a blank: mountinfo writes the bytes that would break its lines so. */
static void unescape(char *text)
{
	char *to = text;

	for (; *text; ++text)
		if (text[0] == '\\' && text[1] && text[2] && text[3]) {
			*to++ = (char)((text[1] - '0') << 6 | (text[2] - '0') << 3 |
				       (text[3] - '0'));
			text += 3;
		} else {
			*to++ = *text;
		}
	*to = '\0';
}

/* 1: it is the root of a mount, and root is what is mounted, as its file system names it. 0: it is
 * none. Without /proc nobody knows, and a rename will tell. */
static int find_mount(const char *path, char root[static PATH_MAX])
{
	FILE *const f = fopen("/proc/self/mountinfo", "re");
	char *line = NULL, *rest;
	size_t room = 0;
	int found = 0;

	if (!f)
		return errno == ENOENT ? 0 : -errno;
	while (getline(&line, &room, f) > 0) {
		char *words[5] = { strtok_r(line, " ", &rest) };

		for (size_t i = 1; i < 5 && words[i - 1]; ++i)
			words[i] = strtok_r(NULL, " ", &rest);
		if (!words[4])
			continue;
		unescape(words[3]);
		unescape(words[4]);
		if (strcmp(words[4], path) != 0 || strlen(words[3]) >= PATH_MAX)
			continue;
		memcpy(root, words[3], strlen(words[3]) + 1); /* the last one lies on top */
		found = 1;
	}
	if (ferror(f))
		found = -EIO;
	free(line);
	(void)fclose(f); /* only read */
	return found;
}

/* Files that are mounted over one path in different namespaces are kept apart. */
static void set_key(struct now *n, const char *root) /* NULL: not mounted */
{
	static const struct siphash_key key = { 0 };

	if (root)
		(void)snprintf(n->key, sizeof(n->key), "mount-%016" PRIx64,
			       siphash(&key, root, strlen(root)));
	else
		(void)snprintf(n->key, sizeof(n->key), "file");
}

/* What it is */

/* "/etc" and "../run/x" give "/run/x". False: too long. */
static bool join(const char *folder, const char *target, char ret[static PATH_MAX])
{
	char path[2 * PATH_MAX], *rest, *word;
	size_t len = 0;

	(void)snprintf(path, sizeof(path), "%s/%s", target[0] == '/' ? "" : folder, target);
	ret[0] = '\0';
	for (word = strtok_r(path, "/", &rest); word; word = strtok_r(NULL, "/", &rest)) {
		if (strcmp(word, ".") == 0)
			continue;
		if (strcmp(word, "..") == 0) {
			while (len > 0 && ret[--len] != '/')
				continue;
			ret[len] = '\0';
			continue;
		}
		if (len + 1 + strlen(word) >= PATH_MAX)
			return false;
		ret[len++] = '/';
		memcpy(ret + len, word, strlen(word) + 1);
		len += strlen(word);
	}
	return true;
}

static int open_place(struct now *n, const char *file)
{
	char *slash;

	n->path = strdup(file);
	if (!n->path)
		return -ENOMEM;
	slash = strrchr(n->path, '/');
	*slash = '\0';
	n->name = slash + 1;
	n->folder = open(n->path[0] ? n->path : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return n->folder < 0 ? -errno : 0;
}

static int read_link(struct now *n)
{
	char target[PATH_MAX];
	const ssize_t len = readlinkat(n->folder, n->name, target, sizeof(target));

	if (len < 0)
		return -errno;
	if ((size_t)len == sizeof(target))
		return -ENAMETOOLONG;
	target[len] = '\0';
	buffer_append(&n->is.bytes, target, (size_t)len);
	return join(n->path, target, n->target) ? 0 : -ENAMETOOLONG;
}

static int read_kind(struct now *n)
{
	struct stat st;

	if (fstatat(n->folder, n->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	n->is.mode = st.st_mode & 07777;
	n->is.uid = st.st_uid;
	n->is.gid = st.st_gid;
	if (S_ISLNK(st.st_mode)) {
		n->is.kind = DNS_ORIGINAL_LINK;
		return read_link(n);
	}
	n->is.kind = DNS_ORIGINAL_FILE;
	return S_ISREG(st.st_mode) ? dns_read_at(n->folder, n->name, false, &n->is.bytes) : -EINVAL;
}

static bool leads_nowhere(int error)
{
	return error == ENOENT || error == ENOTDIR || error == ELOOP;
}

/* What programs read there, through any link. One that leads nowhere holds nothing. */
static int judge_link(struct now *n, const char *real)
{
	struct buffer b;
	int status;

	buffer_init(&b);
	status = dns_read_at(n->folder, n->name, true, &b);
	dns_host_judge(n->target, b.bytes, b.len, &n->whose);
	if (n->whose.owner == DNS_OWNER_NOBODY && real)
		dns_host_judge(real, b.bytes, b.len, &n->whose);
	buffer_done(&b);
	return status < 0 && !leads_nowhere(-status) ? status : 0;
}

static void now_done(struct now *n)
{
	if (n->folder >= 0)
		close(n->folder);
	free(n->path);
	buffer_done(&n->is.bytes);
}

static int look_behind(const char *file, const char *real, struct now *ret)
{
	char root[PATH_MAX];
	int status = real ? find_mount(real, root) : 0;

	if (status < 0)
		return status;
	ret->mounted = status > 0;
	set_key(ret, ret->mounted ? root : NULL);
	/* A mount at the end of a link is the file: whoever would rewrite it cannot see it. */
	status = open_place(ret, ret->mounted ? real : file);
	if (status == 0)
		status = read_kind(ret);
	if (status == 0 && ret->is.kind == DNS_ORIGINAL_LINK)
		return judge_link(ret, real);
	dns_host_judge(NULL, ret->is.bytes.bytes, ret->is.bytes.len, &ret->whose);
	return status;
}

static int look(const char *file, struct now *ret)
{
	char *const real = realpath(file, NULL);
	int status;

	*ret = (struct now){ .folder = -1 };
	buffer_init(&ret->is.bytes);
	status = real || leads_nowhere(errno) ? look_behind(file, real, ret) : -errno;
	free(real);
	return status;
}

int dns_file_look(const char *file, struct dns_host *ret)
{
	struct now n;
	const int status = look(file, &n);

	ret->owner = n.whose.owner;
	memcpy(ret->writer, n.whose.writer, sizeof(ret->writer));
	ret->lists_uplinks = n.whose.lists_uplinks;
	now_done(&n);
	return status;
}

/* Its change */

/* As one write, and blank lines where the old one was longer, so that a kill in between leaves
 * nothing of it. */
static int write_in_place(const struct now *n, const struct buffer *bytes)
{
	const int fd = openat(n->folder, n->name, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
	struct buffer b;
	int status;

	if (fd < 0)
		return -errno;
	buffer_init(&b);
	buffer_append(&b, bytes->bytes, bytes->len);
	while (b.len < n->is.bytes.len && buffer_ok(&b))
		buffer_append(&b, "\n", 1);
	status = buffer_ok(&b) ? write_all(fd, b.bytes, b.len) : -ENOMEM;
	if (status == 0 && ftruncate(fd, (off_t)bytes->len) < 0)
		status = -errno;
	if (status == 0 && fsync(fd) < 0)
		status = -errno;
	if (close(fd) < 0 && status == 0)
		status = -errno;
	buffer_done(&b);
	return status;
}

/* A security module tells programs apart by it: the new file gets that of the old. */
static void take_label(const struct now *n, int fd)
{
	const int old = openat(n->folder, n->name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	char label[256];
	ssize_t len;

	if (old < 0)
		return;
	len = fgetxattr(old, LABEL, label, sizeof(label));
	if (len > 0)
		(void)fsetxattr(fd, LABEL, label, (size_t)len, 0); /* it has that of its folder */
	close(old);
}

static int write_beside(const struct now *n, const struct dns_original *o)
{
	const int fd = openat(n->folder, TEMPORARY,
			      O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int status;

	if (fd < 0)
		return -errno;
	status = write_all(fd, o->bytes.bytes, o->bytes.len);
	take_label(n, fd);
	if (status == 0 && (fchown(fd, o->uid, o->gid) < 0 || fchmod(fd, o->mode) < 0))
		status = -errno;
	if (status == 0 && fsync(fd) < 0)
		status = -errno;
	if (close(fd) < 0 && status == 0)
		status = -errno;
	return status;
}

static int link_beside(const struct now *n, const struct dns_original *o)
{
	char *const target = strndup(o->bytes.bytes ? o->bytes.bytes : "", o->bytes.len);
	int status = 0;

	if (!target)
		return -ENOMEM;
	if (symlinkat(target, n->folder, TEMPORARY) < 0 ||
	    fchownat(n->folder, TEMPORARY, o->uid, o->gid, AT_SYMLINK_NOFOLLOW) < 0)
		status = -errno;
	free(target);
	return status;
}

static int make_beside(const struct now *n, const struct dns_original *o)
{
	return o->kind == DNS_ORIGINAL_LINK ? link_beside(n, o) : write_beside(n, o);
}

/* The place becomes what o says: a file, a link, or empty. */
static int replace(const struct now *n, const struct dns_original *o)
{
	int status;

	if (n->mounted)
		return write_in_place(n, &o->bytes);
	if (unlinkat(n->folder, TEMPORARY, 0) < 0 && errno != ENOENT) /* a killed one's */
		return -errno;
	if (o->kind == DNS_ORIGINAL_NONE) {
		status = unlinkat(n->folder, n->name, 0) < 0 && errno != ENOENT ? -errno : 0;
	} else {
		status = make_beside(n, o);
		if (status == 0 && renameat(n->folder, TEMPORARY, n->folder, n->name) < 0)
			status = -errno;
		if (status < 0)
			(void)unlinkat(n->folder, TEMPORARY, 0); /* the failure before it counts */
	}
	if (status == 0)
		(void)fsync(n->folder); /* old or new, it is whole; some file systems refuse */
	return status;
}

/* What we write */

static void render(const char *link, const struct buffer *lines, struct buffer *ret)
{
	buffer_printf(ret, DNS_MARK "%s. When it goes down, what was here comes back.\n", link);
	buffer_append(ret, lines->bytes, lines->len);
}

/* The lines of the newest, whoever that is; 0: there is none. */
static int render_newest(const struct dns_saved *s, const char *but, struct buffer *ret)
{
	char link[HOST_NAME];
	struct buffer lines;
	int status;

	buffer_init(&lines);
	status = dns_saved_newest(s, but, link, &lines);
	if (status > 0)
		render(link, &lines, ret);
	buffer_done(&lines);
	return buffer_ok(ret) ? status : -ENOMEM;
}

static bool is_ours(const struct now *n)
{
	return n->is.kind == DNS_ORIGINAL_FILE && n->whose.owner == DNS_OWNER_WARREN;
}

static bool holds(const struct now *n, const struct buffer *b)
{
	return is_ours(n) && n->is.bytes.len == b->len &&
	       memcmp(n->is.bytes.bytes, b->bytes, b->len) == 0;
}

static int write_ours(const struct now *n, const struct buffer *bytes)
{
	const bool was_file = n->is.kind == DNS_ORIGINAL_FILE;
	const struct dns_original ours = { .kind = DNS_ORIGINAL_FILE,
					   .mode = was_file ? n->is.mode : 0644,
					   .uid = was_file ? n->is.uid : 0,
					   .gid = was_file ? n->is.gid : 0,
					   .bytes = *bytes };

	return holds(n, bytes) ? 0 : replace(n, &ours);
}

/* In and out */

/* The original with blank lines behind: a kill came before the last step of putting it back. */
static bool is_unfinished(const struct now *n, const struct dns_saved *s)
{
	const struct buffer *const is = &n->is.bytes;
	struct dns_original o;
	bool is_it;
	size_t at;

	if (!n->mounted || dns_saved_original(s, &o) < 0)
		return false;
	at = o.bytes.len;
	is_it = is->len > at && (at == 0 || memcmp(is->bytes, o.bytes.bytes, at) == 0);
	while (is_it && at < is->len)
		is_it = is->bytes[at++] == '\n';
	buffer_done(&o.bytes);
	return is_it;
}

/* What comes back when the last one goes. A file of ours without it was here before this state. */
static int keep_original(const struct now *n, const struct dns_saved *s)
{
	struct dns_original o;
	int status;

	if (!is_ours(n) && !is_unfinished(n, s))
		return dns_saved_keep_original(s, &n->is);
	status = dns_saved_original(s, &o);
	if (status == 0)
		buffer_done(&o.bytes);
	return status;
}

static int put(const struct now *n, const struct dns_saved *s, const char *link,
	       const struct dns_set *set)
{
	struct buffer lines, bytes;
	int status = keep_original(n, s);

	buffer_init(&lines);
	buffer_init(&bytes);
	dns_set_lines(set, false, &lines);
	if (status == 0 && !buffer_ok(&lines))
		status = -ENOMEM;
	if (status == 0)
		status = dns_saved_put(s, link, lines.bytes, lines.len);
	if (status == 0)
		status = render_newest(s, NULL, &bytes);
	if (status == 0)
		status = -EIO; /* there was one a moment ago */
	else if (status > 0)
		status = write_ours(n, &bytes);
	buffer_done(&lines);
	buffer_done(&bytes);
	return status;
}

/* The others' servers, or the original. */
static int take(const struct now *n, const struct dns_saved *s, const char *link)
{
	struct dns_original o;
	struct buffer bytes;
	int status;

	buffer_init(&bytes);
	status = render_newest(s, link, &bytes);
	if (status > 0) {
		status = write_ours(n, &bytes);
	} else if (status == 0) {
		status = dns_saved_original(s, &o);
		if (status == 0) {
			status = replace(n, &o);
			buffer_done(&o.bytes);
		}
	}
	buffer_done(&bytes);
	return status;
}

static int failed(const struct dns_place *p, int status, struct diag *why)
{
	diag_set(why, DIAG_WARNING, "H7", 0, "%s was not changed: %s", p->file, strerror(-status));
	if (status == -EROFS)
		diag_hint(why, "it is on a read-only file system: give this host its servers from "
			       "outside (docker run --dns 10.0.0.1)");
	else if (status == -EPERM)
		diag_hint(why, "where `lsattr %s' shows an i, `chattr -i %s' lets it be changed",
			  p->file, p->file);
	return status;
}

static int lost_original(const struct dns_place *p, struct diag *why)
{
	diag_set(why, DIAG_WARNING, "H7", 0,
		 "%s is one that Warren wrote, and what was there before is not in %s", p->file,
		 p->state);
	diag_hint(why, "write a file of your own to %s", p->file);
	return -ENODATA;
}

static int refused(const struct now *n, const struct dns_place *p, struct diag *why)
{
	diag_set(why, DIAG_WARNING, "H7", 0,
		 "%s was not changed: it is written by %s, which would undo it", p->file,
		 n->whose.writer);
	diag_hint(why, "set the servers there, or let %s leave the file alone", n->whose.writer);
	return -EBUSY;
}

static bool is_free(const struct now *n)
{
	return n->whose.owner == DNS_OWNER_NOBODY || n->whose.owner == DNS_OWNER_WARREN;
}

/* Takes the lock, and looks once more behind it. Either way now_done is due. */
static int enter(const struct dns_place *p, bool make, struct now *n, struct dns_saved *s)
{
	char key[sizeof(n->key)];
	int status = look(p->file, n);

	if (status == 0 && make && !is_free(n))
		return -EBUSY;
	if (status == 0)
		status = dns_saved_open(p->state, n->key, make, s);
	if (status < 0)
		return status;
	memcpy(key, n->key, sizeof(key));
	now_done(n);
	status = look(p->file, n);
	if (status == 0 && strcmp(key, n->key) != 0)
		status = -EAGAIN; /* somebody mounts here, just now */
	if (status == 0 && make && !is_free(n))
		status = -EBUSY;
	if (status < 0)
		dns_saved_close(s);
	return status;
}

int dns_file_add(const struct dns_place *p, const char *link, const struct dns_set *set,
		 struct diag *why)
{
	struct dns_saved s;
	struct now n;
	int status = enter(p, true, &n, &s);

	if (status == -EBUSY) {
		status = refused(&n, p, why);
	} else if (status < 0) {
		status = failed(p, status, why);
	} else {
		status = put(&n, &s, link, set);
		dns_saved_close(&s);
		if (status == -ENOENT || status == -EINVAL)
			status = lost_original(p, why);
		else if (status < 0)
			status = failed(p, status, why);
	}
	now_done(&n);
	return status;
}

/* A killed one's. Where nothing of it is there, a folder that cannot be written is no matter. */
static void clean(const struct now *n)
{
	if (!n->mounted)
		(void)unlinkat(n->folder, TEMPORARY, 0);
}

static int leave(const struct now *n, const struct dns_saved *s, const char *link)
{
	struct buffer lines;
	int status, had;

	buffer_init(&lines);
	had = dns_saved_get(s, link, &lines);
	buffer_done(&lines);
	clean(n);
	status = is_ours(n) || is_unfinished(n, s) ? take(n, s, link) : 0;
	if (status < 0 && status != -ENOENT && status != -EINVAL)
		return status; /* what is kept is still wanted */
	if (had == 0 && status < 0)
		return 0; /* neither it nor anything to put back */
	had = dns_saved_drop(s, link);
	return status < 0 ? status : had;
}

int dns_file_remove(const struct dns_place *p, const char *link, struct diag *why)
{
	struct dns_saved s;
	struct now n;
	int status = enter(p, false, &n, &s);

	if (status == 0) {
		status = leave(&n, &s, link);
		dns_saved_close(&s);
		if (status == -ENOENT || status == -EINVAL)
			status = lost_original(p, why);
		else if (status < 0)
			status = failed(p, status, why);
	} else if (status == -ENOENT) {
		status = 0; /* nothing was ever kept */
	} else {
		status = failed(p, status, why);
	}
	now_done(&n);
	return status;
}

static bool is_kept(const struct dns_saved *s, const char *link, const struct dns_set *set)
{
	struct buffer lines, kept;
	bool same;

	buffer_init(&lines);
	buffer_init(&kept);
	dns_set_lines(set, false, &lines);
	same = dns_saved_get(s, link, &kept) > 0 && buffer_ok(&lines) && kept.len == lines.len &&
	       memcmp(kept.bytes, lines.bytes, lines.len) == 0;
	buffer_done(&lines);
	buffer_done(&kept);
	return same;
}

int dns_file_is_there(const struct dns_place *p, const char *link, const struct dns_set *set)
{
	struct dns_saved s;
	struct buffer bytes;
	struct now n;
	int status = enter(p, false, &n, &s);

	buffer_init(&bytes);
	if (status == 0) {
		status = is_kept(&s, link, set) ? render_newest(&s, NULL, &bytes) : 0;
		if (status > 0)
			status = holds(&n, &bytes);
		dns_saved_close(&s);
	} else if (status == -ENOENT) {
		status = 0;
	}
	buffer_done(&bytes);
	now_done(&n);
	return status;
}
