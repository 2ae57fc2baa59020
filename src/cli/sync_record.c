#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/rows.h"
#include "cli/conf_patch.h"
#include "cli/show_fields.h"
#include "cli/tunnel_sync.h"

/*
 * /run/warren/NAME.sync, 0600: "warren sync 1", then a line for each step of the plan and for each
 * thing that was owned before, then "device" and the device as showconf has it.
 */
#define FIRST "warren sync 1\n"
#define ADD "add "
#define REMOVE "remove "
#define OWN "own "
#define DEVICE "device\n"

enum { RECORD_MAX = 256 << 20, RECORD_NAME = JOURNAL_BASE + 16 };

static void record_name(const struct journal *j, const char *end, char ret[static RECORD_NAME])
{
	(void)snprintf(ret, RECORD_NAME, "%s.sync%s", j->base, end); /* fits */
}

static void put_item(struct buffer *b, const char *word, const struct item *i)
{
	buffer_append(b, word, strlen(word));
	if (!item_write(i, b))
		b->failed = true;
	buffer_append(b, "\n", 1);
}

static bool put_device(struct buffer *b, const struct sync *s)
{
	struct show_view view;
	struct out o;

	if (!show_view_init(&view, s->c->name, &s->running))
		return false;
	out_init(&o, -1);
	show_config(&o, &view);
	buffer_append(b, o.text.bytes, o.text.len);
	b->failed = b->failed || !buffer_ok(&o.text);
	return out_done(&o) == 0;
}

static bool put_all(struct buffer *b, const struct sync *s)
{
	buffer_append(b, FIRST, strlen(FIRST));
	for (size_t i = 0; i < s->plan.count; ++i) {
		const struct step *step = &s->plan.rows[i];

		if (step->kind == STEP_ADD || step->kind == STEP_UP)
			put_item(b, ADD, &step->item);
		if (step->kind == STEP_REMOVE)
			put_item(b, REMOVE, &step->item);
	}
	for (size_t i = 0; i < s->before.count; ++i)
		put_item(b, OWN, &s->before.rows[i]);
	buffer_append(b, DEVICE, strlen(DEVICE));
	return put_device(b, s) && buffer_ok(b);
}

static int write_all(int fd, const char *bytes, size_t len)
{
	while (len) {
		const ssize_t n = write(fd, bytes, len);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			bytes += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

/* Whole or not at all: it gets its name when it is written. */
static int put_file(const struct journal *j, const struct buffer *b)
{
	char name[RECORD_NAME], temporary[RECORD_NAME];
	int fd, status;

	record_name(j, "", name);
	record_name(j, ".tmp", temporary);
	(void)unlinkat(j->run, temporary, 0); /* of a killed one; we have the lock */
	fd = openat(j->run, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	status = write_all(fd, b->bytes, b->len);
	if (close(fd) < 0 && status == 0)
		status = -errno;
	if (status == 0 && renameat(j->run, temporary, j->run, name) < 0)
		status = -errno;
	if (status < 0)
		(void)unlinkat(j->run, temporary, 0); /* the failure before it counts */
	return status;
}

int sync_record_write(const struct sync *s)
{
	struct buffer b;
	int status;

	buffer_init(&b);
	status = put_all(&b, s) ? put_file(&s->c->j, &b) : -ENOMEM;
	buffer_done(&b);
	return status;
}

void sync_record_remove(const struct journal *j)
{
	static const char *const ends[] = { ".sync", ".sync.tmp", ".confirm" };
	char name[RECORD_NAME];

	for (size_t i = 0; i < ELEMENTS(ends); ++i) {
		(void)snprintf(name, sizeof(name), "%s%s", j->base, ends[i]); /* fits */
		(void)unlinkat(j->run, name, 0); /* without the journal's phase it means nothing */
	}
}

/* Reading */

struct text {
	const char *at;
	size_t len;
};

static bool take(struct text *t, const char *word)
{
	const size_t n = strlen(word);

	if (t->len < n || memcmp(t->at, word, n) != 0)
		return false;
	t->at += n;
	t->len -= n;
	return true;
}

static struct step *add_step(struct plan *p)
{
	void *rows = p->rows;

	if (!rows_grow(&rows, sizeof(*p->rows), p->count, &p->room))
		return NULL;
	p->rows = rows;
	p->rows[p->count] = (struct step){ 0 };
	return &p->rows[p->count++];
}

static int take_item(struct sync *s, struct text line)
{
	const bool is_own = take(&line, OWN);
	const bool is_add = !is_own && take(&line, ADD);
	struct item item = { 0 };
	struct step *step;
	int status = 0;

	if (!is_own && !is_add && !take(&line, REMOVE))
		return -EBADMSG;
	status = item_parse(line.at, line.len, &item);
	if (status < 0)
		return status == -ENOMEM ? status : -EBADMSG;
	if (is_own) {
		if (!items_copy(&s->before, &item))
			status = -ENOMEM;
		item_done(&item);
		return status;
	}
	step = add_step(&s->plan);
	if (!step) {
		item_done(&item);
		return -ENOMEM;
	}
	step->kind = is_add ? STEP_ADD : STEP_REMOVE;
	step->item = item;
	return 0;
}

static void say_nothing(void *ctx, size_t at, const char *words, const char *hint)
{
	(void)ctx;
	(void)at;
	(void)words;
	(void)hint;
}

static int take_device(struct sync *s, const struct text *rest)
{
	struct config_file f;
	struct conf_patch patch;
	int status = file_parse(&f, "", rest->at, rest->len);

	if (status < 0)
		return status;
	conf_patch_init(&patch, &f);
	patch.settings.say = say_nothing;
	patch.settings.resolver.retries = 0;
	if (conf_patch_read(&patch, false, &s->running) != CONF_READ)
		status = -EBADMSG;
	file_done(&f);
	return status;
}

static int parse(struct sync *s, struct text rest)
{
	int status = 0;

	if (!take(&rest, FIRST))
		return -EBADMSG;
	while (status == 0 && !take(&rest, DEVICE)) {
		const char *end = rest.len ? memchr(rest.at, '\n', rest.len) : NULL;
		const size_t len = end ? (size_t)(end - rest.at) : 0;

		if (!end)
			return -EBADMSG;
		status = take_item(s, (struct text){ rest.at, len });
		rest.at += len + 1;
		rest.len -= len + 1;
	}
	return status ? status : take_device(s, &rest);
}

static int read_all(int fd, struct buffer *b)
{
	char piece[65536];
	ssize_t n;

	while ((n = read(fd, piece, sizeof(piece))) != 0) {
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			buffer_append(b, piece, (size_t)n);
		if (b->len > RECORD_MAX)
			return -EFBIG;
	}
	explicit_bzero(piece, sizeof(piece));
	return buffer_ok(b) ? 0 : -ENOMEM;
}

/* Nobody but root may have written it. */
static bool is_ours(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() &&
	       !(st.st_mode & 077);
}

int sync_record_read(struct sync *s)
{
	char name[RECORD_NAME];
	struct buffer b;
	int fd, status;

	record_name(&s->c->j, "", name);
	fd = openat(s->c->j.run, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	buffer_init(&b);
	status = is_ours(fd) ? read_all(fd, &b) : -EPERM;
	(void)close(fd); /* only read */
	if (status == 0)
		status = parse(s, (struct text){ b.bytes, b.len });
	buffer_done(&b);
	return status;
}
