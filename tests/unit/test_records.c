#include "device/records.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "device/records_private.h"
#include "support.h"

enum { MANY = 64, LONGEST = 3000, ROOM = 1 << 20 };

/* What a reader saw, or what a naive writer remembers: texts one behind another. */
struct seen {
	size_t count;
	enum record_kind kinds[MANY];
	size_t lens[MANY];
	uint8_t bytes[MANY][LONGEST];
};

static int fd;
static struct records records;

static int note(void *ctx, const struct record *r)
{
	struct seen *s = ctx;

	assert_true(s->count < MANY);
	assert_true(r->len <= LONGEST);
	s->kinds[s->count] = r->kind;
	s->lens[s->count] = r->len;
	memcpy(s->bytes[s->count++], r->bytes, r->len);
	return 0;
}

static void add(struct seen *s, enum record_kind kind, const void *bytes, size_t len)
{
	(void)note(s, &(struct record){ .kind = kind, .bytes = bytes, .len = len });
}

static void reopen(struct seen *ret)
{
	memset(ret, 0, sizeof(*ret));
	assert_int_equal(records_open(&records, fd), 0);
	assert_int_equal(records_replay(&records, note, ret), 0);
}

static void expect(const struct seen *want)
{
	static struct seen got;

	reopen(&got);
	assert_int_equal(got.count, want->count);
	for (size_t i = 0; i < want->count; ++i) {
		assert_int_equal(got.kinds[i], want->kinds[i]);
		assert_int_equal(got.lens[i], want->lens[i]);
		assert_memory_equal(got.bytes[i], want->bytes[i], want->lens[i]);
	}
}

static int set_up(void **state)
{
	static struct seen got;

	(void)state;
	fd = memfd_create("records", MFD_CLOEXEC);
	assert_true(fd >= 0);
	reopen(&got);
	assert_int_equal(got.count, 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	close(fd);
	return 0;
}

static void append(enum record_kind kind, const char *text)
{
	assert_int_equal(records_prepare(&records, kind, text, strlen(text)), 0);
	records_commit(&records);
}

static void what_was_committed_is_read_again(void **state)
{
	static struct seen want;

	(void)state;
	memset(&want, 0, sizeof(want));
	append(RECORD_SET, "one");
	append(RECORD_SESSION, "");
	append(RECORD_SET, "twelve bytes");
	add(&want, RECORD_SET, "one", 3);
	add(&want, RECORD_SESSION, "", 0);
	add(&want, RECORD_SET, "twelve bytes", 12);
	expect(&want);
	append(RECORD_SET, "after");
	add(&want, RECORD_SET, "after", 5);
	expect(&want);
}

static void what_was_not_committed_does_not_count(void **state)
{
	static struct seen want;

	(void)state;
	memset(&want, 0, sizeof(want));
	append(RECORD_SET, "kept");
	add(&want, RECORD_SET, "kept", 4);
	assert_int_equal(records_prepare(&records, RECORD_SET, "lost", 4), 0);
	expect(&want); /* the engine died here */
	assert_int_equal(records_prepare(&records, RECORD_SET, "cancelled", 9), 0);
	records_cancel(&records);
	expect(&want);
	append(RECORD_SET, "next");
	add(&want, RECORD_SET, "next", 4);
	expect(&want);
}

static bool holds(const char *text)
{
	static uint8_t file[ROOM];
	const ssize_t len = pread(fd, file, sizeof(file), 0);

	return len > 0 && memmem(file, (size_t)len, text, strlen(text));
}

/* A shorter record over the rest of a longer one: what looks like a record behind it is none. */
static void old_bytes_never_look_like_a_record(void **state)
{
	static struct seen want;
	const struct record_header fake = { .commit = RECORD_COMMITTED, .kind = RECORD_SET };
	uint8_t bait[256];

	(void)state;
	memset(&want, 0, sizeof(want));
	for (size_t at = 0; at + sizeof(fake) <= sizeof(bait); at += sizeof(fake))
		memcpy(bait + at, &fake, sizeof(fake));
	assert_int_equal(records_prepare(&records, RECORD_SET, bait, sizeof(bait)), 0);
	expect(&want);
	append(RECORD_SET, "sixteen letters.");
	add(&want, RECORD_SET, "sixteen letters.", 16);
	expect(&want);
	assert_int_equal(records_prepare(&records, RECORD_SET, bait, sizeof(bait)), 0);
	records_cancel(&records);
	append(RECORD_SET, "sixteen letters.");
	add(&want, RECORD_SET, "sixteen letters.", 16);
	expect(&want);
}

static void a_rewrite_replaces_and_wipes(void **state)
{
	static struct seen want;

	(void)state;
	memset(&want, 0, sizeof(want));
	append(RECORD_SET, "SECRETSECRET");
	assert_true(holds("SECRETSECRET"));
	records_begin_rewrite(&records);
	append(RECORD_SET, "all");
	append(RECORD_STAMPS, "of it");
	assert_true(holds("SECRETSECRET"));
	records_end_rewrite(&records);
	assert_false(holds("SECRETSECRET")); /* before a replay, which wipes too */
	add(&want, RECORD_SET, "all", 3);
	add(&want, RECORD_STAMPS, "of it", 5);
	expect(&want);
	assert_int_equal(records_prepare(&records, RECORD_SET, "LOSTSECRET", 10), 0);
	records_cancel(&records);
	assert_false(holds("LOSTSECRET"));
	append(RECORD_SET, "more");
	add(&want, RECORD_SET, "more", 4);
	expect(&want);
}

struct edited {
	unsigned int sets;
	unsigned int others;
};

static void cross_out(void *ctx, enum record_kind kind, uint8_t *bytes, size_t len)
{
	struct edited *e = ctx;

	e->sets += kind == RECORD_SET;
	e->others += kind != RECORD_SET;
	if (kind == RECORD_SET)
		memset(bytes, 'x', len);
}

/* Also where they do not begin with a page any more. */
static void what_stands_before_a_place_can_be_changed(void **state)
{
	static struct seen want;
	uint64_t until;

	(void)state;
	for (int round = 0; round < 3; ++round) {
		struct edited e = { 0 };

		memset(&want, 0, sizeof(want));
		records_begin_rewrite(&records);
		append(RECORD_SET, "first");
		append(RECORD_STAMPS, "kept");
		append(RECORD_SET, "second");
		records_end_rewrite(&records);
		until = records.end;
		append(RECORD_SET, "behind");
		assert_int_equal(records_prepare(&records, RECORD_SET, "half", 4), 0);
		assert_int_equal(records_edit(&records, until, cross_out, &e), 0);
		assert_int_equal(e.sets, 2);
		assert_int_equal(e.others, 1);
		records_commit(&records);
		add(&want, RECORD_SET, "xxxxx", 5);
		add(&want, RECORD_STAMPS, "kept", 4);
		add(&want, RECORD_SET, "xxxxxx", 6);
		add(&want, RECORD_SET, "behind", 6);
		add(&want, RECORD_SET, "half", 4);
		expect(&want);
	}
}

static void there_may_be_nothing_to_change(void **state)
{
	struct edited e = { 0 };

	(void)state;
	assert_int_equal(records_edit(&records, records.end, cross_out, &e), 0);
	append(RECORD_SET, "alone");
	assert_int_equal(records_edit(&records, records.begin, cross_out, &e), 0);
	assert_int_equal(e.sets, 0);
}

/* The engine died within it, or had no room: all that is committed counts, old and new. */
static void a_rewrite_without_an_end_adds(void **state)
{
	static struct seen want;

	(void)state;
	memset(&want, 0, sizeof(want));
	append(RECORD_SET, "old");
	records_begin_rewrite(&records);
	append(RECORD_SET, "all");
	assert_int_equal(records_prepare(&records, RECORD_STAMPS, "half", 4), 0);
	add(&want, RECORD_SET, "old", 3);
	add(&want, RECORD_SET, "all", 3);
	expect(&want);
}

/* The engine died behind its new header, with the old records still there. */
static void a_rewrite_that_was_cut_short_is_finished(void **state)
{
	static struct seen want;
	uint8_t begin[8];

	(void)state;
	memset(&want, 0, sizeof(want));
	append(RECORD_SET, "SECRETSECRET");
	store64_le(begin, records.end);
	append(RECORD_SET, "all");
	assert_int_equal(pwrite(fd, begin, sizeof(begin), 0), sizeof(begin));
	add(&want, RECORD_SET, "all", 3);
	expect(&want);
	assert_false(holds("SECRETSECRET"));
	expect(&want);
}

static void a_rewrite_is_wanted_when_most_is_old(void **state)
{
	static const char text[LONGEST] = { 0 };
	unsigned int before, after;

	(void)state;
	for (before = 0; !records_want_rewrite(&records); ++before) {
		assert_int_equal(records_prepare(&records, RECORD_SET, text, LONGEST), 0);
		records_commit(&records);
	}
	assert_in_range(before, 20, 24);
	records_begin_rewrite(&records);
	assert_int_equal(records_prepare(&records, RECORD_SET, text, LONGEST), 0);
	records_commit(&records);
	records_end_rewrite(&records);
	assert_false(records_want_rewrite(&records));
	for (after = 0; !records_want_rewrite(&records); ++after) {
		assert_int_equal(records_prepare(&records, RECORD_SET, text, LONGEST), 0);
		records_commit(&records);
	}
	assert_in_range(after, before, before + 2);
}

static int refuse(void *ctx, const struct record *r)
{
	(void)ctx;
	(void)r;
	return -5;
}

static void a_reader_may_refuse(void **state)
{
	(void)state;
	append(RECORD_SET, "one");
	assert_int_equal(records_open(&records, fd), 0);
	assert_int_equal(records_replay(&records, refuse, NULL), -5);
}

/* Cut the file anywhere and put anything in its place: what is read was written, or nothing is. */
static void whatever_stands_there_is_read_within_bounds(void **state)
{
	static uint8_t file[RECORDS_FIRST + 4096];
	uint64_t seed = 7;
	size_t len;

	(void)state;
	for (int i = 0; i < 30; ++i)
		append(i % 3 ? RECORD_SET : RECORD_SESSION, "some text that is a record");
	len = (size_t)pread(fd, file, sizeof(file), 0);
	for (int i = 0; i < 20000; ++i) {
		static uint8_t copy[sizeof(file)];
		struct record r;
		size_t at, cut = (size_t)test_random_below(&seed, len + 1);
		uint8_t *exact = malloc(cut ? cut : 1);

		memcpy(copy, file, len);
		for (int k = 0; k < 3; ++k)
			copy[RECORDS_FIRST + test_random_below(&seed, len - RECORDS_FIRST)] =
				(uint8_t)test_random(&seed);
		store64_le(copy, test_random_below(&seed, 2 * len));
		memcpy(exact, copy, cut);
		at = records_begin(exact, cut);
		while (records_next(exact, cut, &at, &r)) {
			assert_true(r.bytes >= exact && r.bytes + r.len <= exact + cut);
			assert_true(r.kind >= RECORD_SET && r.kind < RECORD_LAST);
			assert_true(at <= cut);
		}
		free(exact);
	}
}

static const struct {
	const char *what;
	struct record_header h;
	size_t follows;
	bool ok;
} headers[] = {
	{ "whole", { RECORD_COMMITTED, RECORD_SET, 8 }, 8, true },
	{ "empty", { RECORD_COMMITTED, RECORD_SESSION, 0 }, 0, true },
	{ "not committed", { 0, RECORD_SET, 8 }, 8, false },
	{ "another word", { RECORD_COMMITTED + 1, RECORD_SET, 8 }, 8, false },
	{ "of no kind", { RECORD_COMMITTED, 0, 8 }, 8, false },
	{ "of a kind to come", { RECORD_COMMITTED, RECORD_LAST, 8 }, 8, false },
	{ "cut", { RECORD_COMMITTED, RECORD_SET, 8 }, 7, false },
	{ "endless", { RECORD_COMMITTED, RECORD_SET, UINT64_MAX }, 8, false },
	{ "wraps", { RECORD_COMMITTED, RECORD_SET, UINT64_MAX - 15 }, 8, false },
};

static void headers_are_checked(void **state)
{
	(void)state;
	for (size_t i = 0; i < ELEMENTS(headers); ++i) {
		const size_t len = sizeof(struct record_header) + headers[i].follows;
		uint8_t *file = calloc(1, len);
		struct record r;
		size_t at = 0;

		memcpy(file, &headers[i].h, sizeof(headers[i].h));
		if (records_next(file, len, &at, &r) != headers[i].ok)
			fail_msg("%s", headers[i].what);
		free(file);
	}
}

static void a_begin_outside_is_not_believed(void **state)
{
	static const uint64_t rows[][2] = { { RECORDS_FIRST, RECORDS_FIRST },
					    { RECORDS_FIRST + 8, RECORDS_FIRST + 8 },
					    { RECORDS_FIRST + 16, RECORDS_FIRST + 16 },
					    { RECORDS_FIRST + 17, RECORDS_FIRST },
					    { RECORDS_FIRST - 8, RECORDS_FIRST },
					    { 0, RECORDS_FIRST },
					    { UINT64_MAX, RECORDS_FIRST } };
	static uint8_t file[RECORDS_FIRST + 16];

	(void)state;
	for (size_t i = 0; i < ELEMENTS(rows); ++i) {
		store64_le(file, rows[i][0]);
		assert_int_equal(records_begin(file, sizeof(file)), rows[i][1]);
	}
	assert_int_equal(records_begin(file, 7), RECORDS_FIRST);
	assert_int_equal(records_begin(file, 0), RECORDS_FIRST);
}

static void a_header_that_is_cut_is_none(void **state)
{
	const struct record_header h = { RECORD_COMMITTED, RECORD_SET, 0 };
	struct record r;
	size_t at;

	(void)state;
	for (size_t len = 0; len <= sizeof(h); ++len) {
		uint8_t *file = malloc(len ? len : 1);

		memcpy(file, &h, len);
		at = 0;
		assert_int_equal(records_next(file, len, &at, &r), len == sizeof(h));
		at = len + 1;
		assert_false(records_next(file, len, &at, &r));
		free(file);
	}
}

#define RECORDS_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RECORDS_TEST(what_was_committed_is_read_again),
		RECORDS_TEST(what_was_not_committed_does_not_count),
		RECORDS_TEST(old_bytes_never_look_like_a_record),
		RECORDS_TEST(a_rewrite_replaces_and_wipes),
		RECORDS_TEST(a_rewrite_without_an_end_adds),
		RECORDS_TEST(what_stands_before_a_place_can_be_changed),
		RECORDS_TEST(there_may_be_nothing_to_change),
		RECORDS_TEST(a_rewrite_that_was_cut_short_is_finished),
		RECORDS_TEST(a_rewrite_is_wanted_when_most_is_old),
		RECORDS_TEST(a_reader_may_refuse),
		RECORDS_TEST(whatever_stands_there_is_read_within_bounds),
		cmocka_unit_test(headers_are_checked),
		cmocka_unit_test(a_begin_outside_is_not_believed),
		cmocka_unit_test(a_header_that_is_cut_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
