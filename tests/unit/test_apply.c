#include "net/apply.h"

#include <errno.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "net/apply_switch.h"

/*
 * The order of steps, journal and undo, with hands that only write down what they are asked for.
 * The items are links, as only they are the caller's: each has a name of one letter.
 */
static char top[64], run[96], state[96], log_text[512], fails[64];
static struct journal_place place;
static struct journal j;
static char engine[] = "kernel";
static int stop_after;

static int make_folders(void **ctx)
{
	(void)ctx;
	(void)snprintf(top, sizeof(top), "%s/warren-apply-XXXXXX",
		       access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	if (!mkdtemp(top))
		return -1;
	(void)snprintf(run, sizeof(run), "%s/run", top);
	(void)snprintf(state, sizeof(state), "%s/state", top);
	place = (struct journal_place){ run, state };
	log_text[0] = fails[0] = '\0';
	stop_after = -1;
	return journal_open(&j, &place, "wg0", false);
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st;
	(void)kind;
	(void)at;
	return remove(path);
}

static int remove_folders(void **ctx)
{
	(void)ctx;
	journal_done(&j);
	return nftw(top, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Hands */

static int note(const char *sign, const char *name)
{
	const size_t len = strlen(log_text);
	char what[32];

	(void)snprintf(what, sizeof(what), "%s%s", sign, name);
	(void)snprintf(log_text + len, sizeof(log_text) - len, "%s ", what);
	return strcmp(what, fails) == 0 ? -EIO : 0;
}

/* What is made is noted before, and what is removed still is. */
static void assert_noted(const struct item *i)
{
	struct journal now;

	assert_int_equal(journal_peek(&now, &place, "wg0"), 0);
	assert_non_null(items_find(&now.owned, i));
	journal_done(&now);
}

static int make_link(void *ctx, const struct item *i, struct diag *why)
{
	(void)ctx;
	(void)why;
	assert_noted(i);
	return note("+", i->link);
}

static int remove_link(void *ctx, const struct item *i, struct diag *why)
{
	(void)ctx;
	(void)why;
	assert_noted(i);
	return note("-", i->link);
}

static int hook(void *ctx, const struct step *s, struct diag *why)
{
	(void)ctx;
	(void)why;
	assert_int_equal(j.shared, -1); /* never across a hook */
	return note("", s->text);
}

static int device(void *ctx, const struct step *s, struct diag *why)
{
	(void)ctx;
	(void)why;
	assert_true(j.shared >= 0);
	return note("", s->kind == STEP_MARK ? "mark" : s->text);
}

static void undo(void *ctx, const struct step *s)
{
	(void)ctx;
	(void)note("~", s->text);
}

static void print(void *ctx, const struct step *s)
{
	(void)ctx;
	(void)s;
}

static void tell(void *ctx, const struct diag *why)
{
	(void)ctx;
	assert_int_not_equal(why->severity, DIAG_NONE);
	(void)note("", "told");
}

static bool is_stopped(void *ctx)
{
	(void)ctx;
	return stop_after >= 0 && stop_after-- == 0;
}

static const struct apply_hands hands = { .make_link = make_link,
					  .remove_link = remove_link,
					  .hook = hook,
					  .device = device,
					  .undo = undo,
					  .print = print,
					  .tell = tell,
					  .is_stopped = is_stopped };

/* A plan from words: "+a" adds, "-a" removes, ":x" is a hook, "=x" the device. */
static size_t make_steps(const char *words, struct step *steps)
{
	static char texts[16][2];
	size_t n = 0;

	for (const char *at = words; *at; at += at[2] ? 3 : 2) {
		struct step *s = &steps[n];

		*s = (struct step){ .kind = *at == '+'   ? STEP_ADD
					    : *at == '-' ? STEP_REMOVE
					    : *at == ':' ? STEP_HOOK
							 : STEP_DEVICE };
		texts[n][0] = at[1];
		s->text = texts[n];
		s->item = (struct item){ .kind = ITEM_LINK, .link = { at[1] }, .text = engine };
		++n;
	}
	return n;
}

static void plans(void **ctx)
{
	static const struct {
		enum journal_phase phase;
		const char *owned, *plan, *fails;
		int stop_after, status;
		const char *log, *left;
		bool found;
	} rows[] = {
		{ JOURNAL_UP, "", "+a =k :h +b", "", -1, 0, "+a k h +b ", "ab", true },
		{ JOURNAL_UP, "", "+a :h =k :h =k", "", -1, 0, "+a h k h k ", "a", true },
		/* what fails ends it, and all that is owned goes */
		{ JOURNAL_UP, "", "+a =k +b +c", "+b", -1, -EIO, "+a k +b -b -a ", "", false },
		{ JOURNAL_UP, "", "+a =k +b", "k", -1, -EIO, "+a k -a ", "", false },
		{ JOURNAL_UP, "", "+a :h +b", "h", -1, -EIO, "+a h -a ", "", false },
		{ JOURNAL_UP, "", "+a +b +c", "", 0, -EINTR, "", "", false },
		{ JOURNAL_UP, "", "+a +b +c", "", 2, -EINTR, "+a +b -b -a ", "", false },
		{ JOURNAL_UP, "", "+a :h", "", 2, -EINTR, "+a h -a ", "", false },
		/* what cannot be taken back stays in the journal, and is told */
		{ JOURNAL_UP, "", "+a +b", "-a", 1, -EINTR, "+a -a told ", "a", true },
		/* sync: step by step, the last first, and what was removed comes again */
		{ JOURNAL_SYNC, "x", "+a -x =k +b", "+b", -1, -EIO, "+a -x k +b -b ~k +x -a ", "x",
		  true },
		{ JOURNAL_SYNC, "x", "-x +a", "", 1, -EINTR, "-x +x ", "x", true },
		{ JOURNAL_SYNC, "x", "-x +a", "", 2, -EINTR, "-x +a -a +x ", "x", true },
		{ JOURNAL_SYNC, "x", "-x +a", "-x", -1, -EIO, "-x +x ", "x", true },
		{ JOURNAL_SYNC, "x", "+a -x", "", -1, 0, "+a -x ", "a", true },
		/* down: nobody stops it; the link and hooks do */
		{ JOURNAL_DOWN, "ab", ":h -b -a", "", 1, 0, "h -b -a ", "", true },
		{ JOURNAL_DOWN, "ab", "-b -a", "-b", -1, -EIO, "-b ", "ab", true },
		{ JOURNAL_DOWN, "ab", ":h -b", "h", -1, -EIO, "h ", "ab", true },
	};

	(void)ctx;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); ++i) {
		struct step steps[16];
		const struct plan p = { .rows = steps, .count = make_steps(rows[i].plan, steps) };
		struct diag why = { 0 };

		(void)snprintf(fails, sizeof(fails), "%s", rows[i].fails);
		stop_after = rows[i].stop_after;
		assert_int_equal(journal_begin(&j, rows[i].phase, NULL, NULL), 0);
		for (const char *at = rows[i].owned; *at; ++at) {
			const struct item item = { .kind = ITEM_LINK,
						   .link = { *at },
						   .text = engine };

			assert_int_equal(journal_own(&j, &item), 0);
		}
		log_text[0] = '\0';
		assert_int_equal(apply_plan(&p, &j, &hands, &why), rows[i].status);
		assert_string_equal(log_text, rows[i].log);
		assert_int_equal(j.shared, -1);
		assert_int_equal(j.found, rows[i].found);
		assert_int_equal(j.owned.count, strlen(rows[i].left));
		for (const char *at = rows[i].left; *at; ++at) {
			const struct item item = { .kind = ITEM_LINK,
						   .link = { *at },
						   .text = engine };

			assert_non_null(items_find(&j.owned, &item));
		}
		if (rows[i].found)
			assert_int_equal(journal_remove(&j), 0);
	}
}

static void recover_takes_all_and_ends_the_journal(void **ctx)
{
	const struct item a = { .kind = ITEM_LINK, .link = "a", .text = engine };
	struct diag why = { 0 };

	(void)ctx;
	assert_int_equal(journal_begin(&j, JOURNAL_UP, NULL, NULL), 0);
	assert_int_equal(journal_own(&j, &a), 0);
	(void)strcpy(fails, "-a");
	assert_int_equal(apply_recover(&j, &hands, &why), -EIO);
	assert_true(j.found);
	assert_int_equal(j.phase, JOURNAL_DOWN);
	assert_non_null(items_find(&j.owned, &a));
	fails[0] = '\0';
	assert_int_equal(apply_recover(&j, &hands, &why), 0);
	assert_false(j.found);
	assert_int_equal(journal_peek(&(struct journal){ 0 }, &place, "wg0"), -ENOENT);
}

static void what_went_with_the_link_is_lost(void **ctx)
{
	const struct item link = { .kind = ITEM_LINK, .link = "a", .text = engine };
	const struct item address = { .kind = ITEM_ADDRESS,
				      .link = "a",
				      .prefix = { { FAMILY_V4, { 10, 0, 0, 1 } }, 32 } };
	struct step s = { .kind = STEP_REMOVE, .item = link };
	const struct plan p = { .rows = &s, .count = 1 };
	struct diag why = { 0 };

	(void)ctx;
	assert_int_equal(journal_begin(&j, JOURNAL_DOWN, NULL, NULL), 0);
	assert_int_equal(journal_own(&j, &link), 0);
	assert_int_equal(journal_own(&j, &address), 0);
	assert_int_equal(apply_plan(&p, &j, &hands, &why), 0);
	assert_int_equal(j.owned.count, 0);
}

static void switches_stay_below_their_folder(void **ctx)
{
	static const char *const paths[] = {
		"",          "/etc/passwd",      "../../etc/passwd",
		"../uptime", "net/../../uptime", "no/such/switch",
		NULL,
	};
	uint32_t value;

	(void)ctx;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); ++i)
		assert_true(apply_switch_read(paths[i], &value) < 0);
	assert_int_equal(apply_switch_read("kernel/pid_max", &value), 0);
	assert_true(value > 0);
}

/* What has its value already is not written, so nobody needs to be allowed to. */
static void switch_that_is_right_is_not_written(void **ctx)
{
	static char path[] = "kernel/ngroups_max"; /* nobody can write it */
	struct item i = { .kind = ITEM_SWITCH, .text = path };
	struct diag why = { 0 };

	(void)ctx;
	assert_int_equal(apply_switch_read(path, &i.number), 0);
	assert_int_equal(apply_switch_set(&i, &why), 0);
	i.old = i.number + 1;
	++i.number;
	assert_int_equal(apply_switch_restore(&i, &why), 0); /* it is not ours any more */
	assert_int_equal(why.severity, DIAG_NONE);
	assert_true(apply_switch_set(&i, &why) < 0);
	assert_int_equal(why.severity, DIAG_WARNING);
	assert_non_null(strstr(why.text, "kernel.ngroups_max cannot be set to 65537"));
}

int main(void)
{
#define ROW(f) cmocka_unit_test_setup_teardown(f, make_folders, remove_folders)
	const struct CMUnitTest tests[] = {
		ROW(plans),
		ROW(recover_takes_all_and_ends_the_journal),
		ROW(what_went_with_the_link_is_lost),
		cmocka_unit_test(switches_stay_below_their_folder),
		cmocka_unit_test(switch_that_is_right_is_not_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
