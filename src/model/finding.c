#include "model/finding.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROOM_MIN = 16 };

void findings_init(struct findings *f)
{
	*f = (struct findings){ 0 };
}

static void finding_done(struct finding *f)
{
	free(f->cause);
	free(f->fix);
	free(f->text);
}

void findings_done(struct findings *f)
{
	for (size_t i = 0; i < f->count; ++i)
		finding_done(&f->items[i]);
	free(f->items);
	findings_init(f);
}

static bool make_room(struct findings *f)
{
	const size_t room = f->room ? 2 * f->room : ROOM_MIN;
	struct finding *items;

	if (f->count < f->room)
		return true;
	items = realloc(f->items, room * sizeof(*items));
	if (!items) {
		f->failed = true;
		return false;
	}
	f->items = items;
	f->room = room;
	return true;
}

struct finding *findings_add(struct findings *f, const char *id, enum diag_severity severity,
			     struct place at)
{
	if (!make_room(f))
		return NULL;
	f->items[f->count] = (struct finding){ .id = id, .severity = severity, .at = at };
	return &f->items[f->count++];
}

void findings_remove(struct findings *f, size_t i)
{
	finding_done(&f->items[i]);
	--f->count;
	memmove(f->items + i, f->items + i + 1, (f->count - i) * sizeof(*f->items));
}

static char *printed(const char *format, va_list args) PRINTF(1, 0);

static char *printed(const char *format, va_list args)
{
	char *text;

	return vasprintf(&text, format, args) < 0 ? NULL : text;
}

#define SET_TEXT(f, field, format)                  \
	do {                                        \
		va_list args;                       \
		if (!(f))                           \
			break;                      \
		va_start(args, format);             \
		free((f)->field);                   \
		(f)->field = printed(format, args); \
		va_end(args);                       \
	} while (0)

void finding_cause(struct finding *f, const char *format, ...)
{
	SET_TEXT(f, cause, format);
}

void finding_fix(struct finding *f, const char *format, ...)
{
	SET_TEXT(f, fix, format);
}

void finding_replace(struct finding *f, const char *format, ...)
{
	SET_TEXT(f, text, format);
	if (f && f->text)
		f->edit = EDIT_REPLACE;
}

/* qsort has no argument for it: the rank of a file goes with each finding. */
struct ranked {
	size_t rank;
	size_t order; /* of being found: keeps the sort stable */
	struct finding finding;
};

static size_t rank_of(const char *file, const char *const files[], size_t count)
{
	for (size_t i = 0; i < count; ++i)
		if (file == files[i])
			return i;
	return count;
}

static int compare(const void *left, const void *right)
{
	const struct ranked *a = left, *b = right;
	const struct place *p = &a->finding.at, *q = &b->finding.at;

	if (a->rank != b->rank)
		return a->rank < b->rank ? -1 : 1;
	if (p->line != q->line)
		return p->line < q->line ? -1 : 1;
	if (p->column != q->column)
		return p->column < q->column ? -1 : 1;
	if (strcmp(a->finding.id, b->finding.id) != 0)
		return strcmp(a->finding.id, b->finding.id);
	return a->order < b->order ? -1 : 1;
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same(const struct finding *a, const struct finding *b)
{
	return a->at.file == b->at.file && a->at.line == b->at.line &&
	       a->at.column == b->at.column && strcmp(a->id, b->id) == 0 &&
	       same_text(a->cause, b->cause);
}

static void put_back(struct findings *f, struct ranked *ranked)
{
	size_t kept = 0;

	for (size_t i = 0; i < f->count; ++i) {
		if (kept > 0 && same(&f->items[kept - 1], &ranked[i].finding))
			finding_done(&ranked[i].finding);
		else
			f->items[kept++] = ranked[i].finding;
	}
	f->count = kept;
}

void findings_sort(struct findings *f, const char *const files[], size_t file_count)
{
	struct ranked *ranked = calloc(f->count ? f->count : 1, sizeof(*ranked));
	const char *file = NULL;
	size_t rank = 0;

	if (!ranked) {
		f->failed = true;
		return;
	}
	for (size_t i = 0; i < f->count; ++i) {
		if (f->items[i].at.file != file) { /* they come in runs of one file */
			file = f->items[i].at.file;
			rank = rank_of(file, files, file_count);
		}
		ranked[i] = (struct ranked){ rank, i, f->items[i] };
	}
	qsort(ranked, f->count, sizeof(*ranked), compare);
	put_back(f, ranked);
	free(ranked);
}

size_t findings_count(const struct findings *f, enum diag_severity severity)
{
	size_t count = 0;

	for (size_t i = 0; i < f->count; ++i)
		count += f->items[i].severity == severity;
	return count;
}
