#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include <unistd.h>

#include "base/log.h"
#include "device/records.h"
#include "device/records_private.h"

enum { REWRITE_MIN = 64 << 10 };

static int write_at(int fd, uint64_t at, const void *bytes, size_t len)
{
	const uint8_t *from = bytes;

	while (len) {
		const ssize_t n = pwrite(fd, from, len, (off_t)at);

		if (n <= 0 && errno != EINTR)
			return n < 0 ? -errno : -EIO;
		if (n <= 0)
			continue;
		from += n;
		at += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

/* A hole reads as zeros, and its memory is given back. */
static int punch(int fd, uint64_t from, uint64_t to)
{
	if (from >= to)
		return 0;
	return fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)from,
			 (off_t)(to - from)) < 0
		       ? -errno
		       : 0;
}

/* What is beyond was never committed, and zeros must follow: old bytes could look like a record. */
static int cut(struct records *r, uint64_t to)
{
	r->prepared = 0;
	return punch(r->fd, r->end, to);
}

static int walk(struct records *r, const uint8_t *file, size_t len,
		int (*told)(void *ctx, const struct record *record), void *ctx)
{
	size_t at = records_begin(file, len);
	struct record record;
	int error = 0;

	r->begin = at;
	while (!error && records_next(file, len, &at, &record))
		error = told(ctx, &record);
	r->end = at + record_padding(at); /* the file may end before */
	return error;
}

int records_open(struct records *r, int fd)
{
	const off_t size = lseek(fd, 0, SEEK_END);

	if (size < 0)
		return -errno;
	*r = (struct records){
		.fd = fd, .size = (size_t)size, .begin = RECORDS_FIRST, .end = RECORDS_FIRST
	};
	return 0;
}

int records_replay(struct records *r, int (*told)(void *ctx, const struct record *record),
		   void *ctx)
{
	void *file;
	int error;

	if (r->size > RECORDS_FIRST) {
		file = mmap(NULL, r->size, PROT_READ, MAP_SHARED, r->fd, 0);
		if (file == MAP_FAILED)
			return -errno;
		error = walk(r, file, r->size, told, ctx);
		(void)munmap(file, r->size); /* can't fail: it is there */
		if (error)
			return error;
	}
	r->live = r->end - r->begin;
	error = punch(r->fd, RECORDS_FIRST, r->begin); /* an engine died within a rewrite */
	return error ? error : cut(r, r->size);
}

static int give_up(struct records *r, uint64_t to, int error)
{
	(void)cut(r, to); /* the first error is the one to tell */
	return error;
}

void records_start(struct records *r, enum record_kind kind)
{
	r->kind = kind;
	r->prepared = r->end + sizeof(struct record_header);
}

int records_add(struct records *r, const void *bytes, size_t len)
{
	const int error = write_at(r->fd, r->prepared, bytes, len);

	if (error)
		return give_up(r, r->prepared + len, error);
	r->prepared += len;
	return 0;
}

int records_finish(struct records *r)
{
	const struct record_header h = { .kind = r->kind, .len = r->prepared - r->end - sizeof(h) };
	const int error = write_at(r->fd, r->end, &h, sizeof(h));

	if (error)
		return give_up(r, r->prepared, error);
	r->prepared += record_padding(r->prepared);
	return 0;
}

int records_prepare(struct records *r, enum record_kind kind, const void *bytes, size_t len)
{
	int error;

	records_start(r, kind);
	error = records_add(r, bytes, len);
	return error ? error : records_finish(r);
}

void records_commit(struct records *r)
{
	const uint32_t word = RECORD_COMMITTED;
	/* Can't fail: its place is there. */
	const int error = write_at(r->fd, r->end, &word, sizeof(word));

	if (error)
		log_line(LOG_ERROR, "a change is not kept for the next engine: %s",
			 strerrordesc_np(-error));
	r->end = r->prepared;
	r->prepared = 0;
}

void records_cancel(struct records *r)
{
	(void)cut(r, r->prepared); /* what has no commit word does not count, and is written over */
}

int records_edit(struct records *r, uint64_t until,
		 void (*edit)(void *ctx, enum record_kind kind, uint8_t *bytes, size_t len),
		 void *ctx)
{
	const uint64_t from = r->begin - r->begin % (uint64_t)sysconf(_SC_PAGESIZE);
	const size_t len = (size_t)(until - from);
	size_t at = (size_t)(r->begin - from);
	struct record record;
	uint8_t *file;

	if (until <= r->begin)
		return 0;
	file = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, (off_t)from);
	if (file == MAP_FAILED)
		return -errno;
	while (records_next(file, len, &at, &record))
		edit(ctx, record.kind, file + (record.bytes - file), record.len);
	(void)munmap(file, len); /* can't fail: it is there */
	return 0;
}

bool records_want_rewrite(const struct records *r)
{
	return r->end - r->begin > 2 * r->live + REWRITE_MIN;
}

void records_begin_rewrite(struct records *r)
{
	r->rewritten = r->end;
}

void records_end_rewrite(struct records *r)
{
	const struct records_header h = { .begin = r->rewritten };
	const uint64_t old = r->begin;
	int error = write_at(r->fd, 0, &h, sizeof(h));

	if (!error)
		error = punch(r->fd, old, h.begin);
	if (error)
		log_line(LOG_ERROR, "old records are not wiped: %s", strerrordesc_np(-error));
	r->begin = h.begin;
	r->live = r->end - r->begin;
}
