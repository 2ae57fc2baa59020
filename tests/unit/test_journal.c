#include "net/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char top[64], run[96], state[96];
static struct journal_place place;

/* Folders of its own for each test. */

static int make_folders(void **ctx)
{
	(void)ctx;
	/* in memory, where syncing costs nothing */
	(void)snprintf(top, sizeof(top), "%s/warren-journal-XXXXXX",
		       access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	if (!mkdtemp(top))
		return -1;
	(void)snprintf(run, sizeof(run), "%s/run", top);
	(void)snprintf(state, sizeof(state), "%s/state", top);
	place = (struct journal_place){ run, state };
	return 0;
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
	return nftw(top, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Files */

static const char *path_of(const char *folder, const char *name)
{
	static char path[160];

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static void write_file(const char *folder, const char *name, const char *text, size_t len,
		       mode_t mode)
{
	int fd;

	(void)mkdir(folder, 0700);
	fd = open(path_of(folder, name), O_WRONLY | O_CREAT | O_TRUNC, mode);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), (ssize_t)len);
	assert_int_equal(fchmod(fd, mode), 0);
	assert_int_equal(close(fd), 0);
}

static size_t read_file(const char *folder, const char *name, char *ret, size_t room)
{
	const int fd = open(path_of(folder, name), O_RDONLY);
	ssize_t len;

	assert_true(fd >= 0);
	len = read(fd, ret, room - 1);
	assert_true(len >= 0);
	assert_int_equal(close(fd), 0);
	ret[len] = '\0';
	return (size_t)len;
}

static bool is_there(const char *folder, const char *name)
{
	struct stat st;

	return lstat(path_of(folder, name), &st) == 0;
}

/* Items */

static struct item address(uint8_t last)
{
	return (struct item){ .kind = ITEM_ADDRESS,
			      .link = "wg0",
			      .prefix = { { FAMILY_V4, { 10, 0, 0, last } }, 24 } };
}

static struct item dns(char *text)
{
	static char name[] = "file";

	return (struct item){ .kind = ITEM_DNS, .link = "wg0", .name = name, .text = text };
}

static struct item foreign(char *name, char *text)
{
	return (struct item){ .kind = ITEM_FOREIGN, .link = "wg0", .name = name, .text = text };
}

static void own_three(struct journal *j)
{
	static char text[] = "nameserver 10.0.0.1\nsearch a b\n";
	const struct item a = address(1), b = address(2), d = dns(text);

	assert_int_equal(journal_open(j, &place, "wg0", false), 0);
	assert_false(j->found);
	assert_int_equal(j->phase, JOURNAL_DOWN);
	assert_int_equal(journal_begin(j, JOURNAL_UP, "/etc/wireguard/a b%\n.conf", "warren run"),
			 0);
	assert_int_equal(journal_own(j, &a), 0);
	assert_int_equal(journal_own(j, &d), 0);
	assert_int_equal(journal_own(j, &b), 0);
}

static void what_is_written_is_read_again(void **ctx)
{
	const struct item a = address(1), b = address(2), c = address(3);
	struct journal j;

	(void)ctx;
	own_three(&j);
	assert_int_equal(journal_lose(&j, &a), 0);
	assert_int_equal(journal_lose(&j, &c), 0); /* which is not owned */
	assert_int_equal(journal_phase(&j, JOURNAL_UPPED), 0);
	assert_int_equal(j.owned.count, 2);
	journal_done(&j);

	for (int peek = 0; peek < 2; ++peek) {
		assert_int_equal(peek ? journal_peek(&j, &place, "wg0")
				      : journal_open(&j, &place, "wg0", false),
				 0);
		assert_true(j.found);
		assert_int_equal(j.phase, JOURNAL_UPPED);
		assert_string_equal(j.file, "/etc/wireguard/a b%\n.conf");
		assert_string_equal(j.engine, "warren run");
		assert_int_equal(j.owned.count, 2);
		assert_non_null(items_find(&j.owned, &b));
		assert_null(items_find(&j.owned, &a));
		journal_done(&j);
	}
}

static void remove_leaves_nothing(void **ctx)
{
	struct journal j;

	(void)ctx;
	own_three(&j);
	assert_true(is_there(run, "wg0.journal"));
	assert_true(is_there(run, "wg0.lock"));
	assert_true(is_there(state, "wg0.undo"));
	assert_int_equal(journal_remove(&j), 0);
	assert_int_equal(j.owned.count, 0);
	assert_false(j.found);
	journal_done(&j);
	assert_false(is_there(run, "wg0.journal"));
	assert_false(is_there(run, "wg0.lock"));
	assert_false(is_there(state, "wg0.undo"));
	assert_int_equal(journal_peek(&j, &place, "wg0"), -ENOENT);
	journal_done(&j);
}

static void only_what_lasts_is_in_the_second_file(void **ctx)
{
	static char nft[] = "nft inet filter forward", rule[] = "accept";
	const struct item f = foreign(nft, rule);
	char text[4096];
	struct stat st;
	struct journal j;

	(void)ctx;
	own_three(&j);
	assert_int_equal(journal_own(&j, &f), 0);
	journal_done(&j);
	(void)read_file(state, "wg0.undo", text, sizeof(text));
	assert_non_null(strstr(text, "own dns "));
	assert_non_null(strstr(text, "own foreign "));
	assert_null(strstr(text, "own address "));
	(void)read_file(run, "wg0.journal", text, sizeof(text));
	assert_null(strstr(text, "own dns "));
	assert_non_null(strstr(text, "own address "));
	assert_int_equal(lstat(path_of(run, "wg0.journal"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(lstat(path_of(state, "wg0.undo"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(lstat(run, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(lstat(state, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
}

/* Cut anywhere: what is read is what the whole lines say, and the next line is not spoilt. */
static void torn_anywhere(void **ctx)
{
	char whole[4096], part[4096];
	const struct item c = address(9);
	struct journal j;
	size_t len;

	(void)ctx;
	own_three(&j);
	journal_done(&j);
	len = read_file(run, "wg0.journal", whole, sizeof(whole));
	for (size_t cut = 0; cut <= len; ++cut) {
		size_t lines = 0, owned = 0, after;

		for (size_t i = 0; i < cut; ++i)
			lines += whole[i] == '\n';
		memcpy(part, whole, cut);
		part[cut] = '\0';
		for (const char *at = part; (at = strstr(at, "own address ")); ++at)
			owned += strchr(at, '\n') != NULL;
		write_file(run, "wg0.journal", whole, cut, 0600);
		assert_int_equal(journal_open(&j, &place, "wg0", false), 0);
		assert_int_equal(j.owned.count, owned + 1); /* DNS is in the other one */
		assert_int_equal(is_there(run, "wg0.journal"), lines > 0);
		assert_int_equal(j.phase, lines > 0 ? JOURNAL_UP : JOURNAL_DOWN);
		assert_int_equal(journal_own(&j, &c), 0);
		journal_done(&j);
		assert_int_equal(journal_open(&j, &place, "wg0", false), 0);
		after = j.owned.count;
		journal_done(&j);
		assert_int_equal(after, owned + 2);
	}
}

static void swap_boot(const char *folder, const char *name)
{
	char text[4096], *at;
	const size_t len = read_file(folder, name, text, sizeof(text));

	at = strchr(text, '\n') - 1;
	*at = *at == '0' ? '1' : '0';
	write_file(folder, name, text, len, 0600);
}

static void other_boot_voids_the_first_file_only(void **ctx)
{
	struct journal j;

	(void)ctx;
	own_three(&j);
	assert_int_equal(journal_phase(&j, JOURNAL_UPPED), 0);
	journal_done(&j);
	swap_boot(run, "wg0.journal");
	swap_boot(state, "wg0.undo");
	assert_int_equal(journal_peek(&j, &place, "wg0"), 0);
	assert_true(is_there(run, "wg0.journal")); /* a look changes nothing */
	journal_done(&j);
	assert_int_equal(journal_open(&j, &place, "wg0", false), 0);
	assert_true(j.found);
	assert_int_equal(j.phase, JOURNAL_DOWN); /* left over, to be undone */
	assert_null(j.file);
	assert_int_equal(j.owned.count, 1);
	assert_int_equal(j.owned.rows[0].kind, ITEM_DNS);
	assert_false(is_there(run, "wg0.journal"));
	journal_done(&j);
}

/* The file of a namespace: DNS in it, of this boot or of another one. */
static void leave_undo(const char *name, bool other_boot)
{
	char whole[4096];
	struct journal j;
	size_t len;

	own_three(&j);
	len = read_file(state, "wg0.undo", whole, sizeof(whole));
	assert_int_equal(journal_remove(&j), 0);
	journal_done(&j);
	write_file(state, name, whole, len, 0600);
	if (other_boot)
		swap_boot(state, name);
}

static void bring_up(void)
{
	struct journal j;

	assert_int_equal(journal_open(&j, &(struct journal_place){ run, top }, "wg0", false), 0);
	assert_int_equal(journal_begin(&j, JOURNAL_UPPED, NULL, NULL), 0);
	journal_done(&j);
}

static void what_a_namespace_of_another_boot_left(void **ctx)
{
	static const struct {
		const char *name;
		bool other_boot, is_up, taken;
	} rows[] = {
		{ "wg0@5.undo", true, false, true },   { "wg0@4026531840.undo", true, false, true },
		{ "wg0@5.undo", false, false, false }, /* it is up there */
		{ "wg0@5.undo", true, true, false },   /* later, when it is down here */
		{ "wg1@5.undo", true, false, false },  { "wg1.undo", true, false, false },
		{ "wg0.5.undo", true, false, false }, /* a name of a tunnel, too */
		{ "wg00@5.undo", true, false, false }, { "wg0@5x.undo", true, false, false },
		{ "wg0@5.undo2", true, false, false },
	};

	(void)ctx;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); ++i) {
		struct journal j;

		leave_undo(rows[i].name, rows[i].other_boot);
		if (rows[i].is_up)
			bring_up();
		assert_int_equal(journal_peek(&j, &place, "wg0"),
				 rows[i].taken || rows[i].is_up ? 0 : -ENOENT);
		assert_int_equal(j.owned.count, rows[i].taken);
		journal_done(&j);
		assert_true(is_there(state, rows[i].name)); /* a look changes nothing */
		assert_int_equal(journal_open(&j, &place, "wg0", false), 0);
		assert_int_equal(j.found, rows[i].taken || rows[i].is_up);
		assert_int_equal(j.phase, rows[i].is_up ? JOURNAL_UPPED : JOURNAL_DOWN);
		assert_int_equal(j.owned.count, rows[i].taken);
		assert_int_equal(is_there(state, rows[i].name), !rows[i].taken);
		assert_int_equal(is_there(state, "wg0.undo"), rows[i].taken);
		assert_int_equal(journal_remove(&j), 0);
		journal_done(&j);
		assert_false(is_there(state, "wg0.undo") || is_there(run, "wg0@5.lock"));
		(void)unlink(path_of(state, rows[i].name));
	}
}

/* Whoever has its lock is at it. */
static void what_is_left_is_taken_once(void **ctx)
{
	struct journal j;
	int fd;

	(void)ctx;
	leave_undo("wg0@5.undo", true);
	write_file(run, "wg0@5.lock", "", 0, 0600);
	fd = open(path_of(run, "wg0@5.lock"), O_RDWR);
	assert_true(fd >= 0);
	assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
	assert_int_equal(journal_open(&j, &place, "wg0", false), 0);
	assert_false(j.found);
	journal_done(&j);
	assert_true(is_there(state, "wg0@5.undo"));
	assert_int_equal(close(fd), 0);
	assert_int_equal(journal_open(&j, &place, "wg0", false), 0);
	assert_true(j.found);
	journal_done(&j);
	assert_false(is_there(state, "wg0@5.undo"));
}

static void lines_that_nobody_wrote(void **ctx)
{
	static const struct {
		const char *text;
		int status;
	} rows[] = {
		{ "warren journal 1 x\n", 0 },
		{ "warren journal 2 x\nwhatever comes\n", -EPROTONOSUPPORT },
		{ "warren journal 10 x\n", -EPROTONOSUPPORT },
		{ "warren journal\n", -EBADMSG },
		{ "\n", -EBADMSG },
		{ "own address\n", -EBADMSG },
		{ "warren journal 1 x\n\n", -EBADMSG },
		{ "warren journal 1 x\nown\n", -EBADMSG },
		{ "warren journal 1 x\nown \n", -EBADMSG },
		{ "warren journal 1 x\nown nothing\n", -EBADMSG },
		{ "warren journal 1 x\nlost x\n", -EBADMSG },
		{ "warren journal 1 x\nphase sideways\n", -EBADMSG },
		{ "warren journal 1 x\nphase u\n", -EBADMSG },
		{ "warren journal 1 x\nphase upp\n", -EBADMSG },
		{ "warren journal 1 x\nfile a%0\n", -EBADMSG },
		{ "warren journal 1 x\nfile a%00b\n", -EBADMSG },
		{ "warren journal 1 x\nfile a%zz\n", -EBADMSG },
		{ "warren journal 1 x\nfile a%0a\n", 0 },
		{ "warren journal 1 x\nfile \nphase sync\nengine %25\n", 0 },
	};

	(void)ctx;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); ++i) {
		struct journal j = { 0 };
		size_t used;
		bool other;

		assert_int_equal(
			journal_parse(&j, rows[i].text, strlen(rows[i].text), "x", &other, &used),
			rows[i].status);
		if (rows[i].status == 0) {
			assert_int_equal(used, strlen(rows[i].text));
			assert_false(other);
		}
		free(j.file);
		free(j.engine);
		items_done(&j.owned);
		items_done(&j.wanted);
	}
}

static void damaged_file_is_refused(void **ctx)
{
	struct journal j;

	(void)ctx;
	write_file(run, "wg0.journal", "what\n", 5, 0600);
	assert_int_equal(journal_open(&j, &place, "wg0", false), -EBADMSG);
	journal_done(&j);
	assert_true(is_there(run, "wg0.journal"));
	assert_int_equal(journal_peek(&j, &place, "wg0"), -EBADMSG);
	journal_done(&j);
}

static void others_may_not_write(void **ctx)
{
	struct journal j;

	(void)ctx;
	own_three(&j);
	journal_done(&j);
	assert_int_equal(chmod(path_of(run, "wg0.journal"), 0620), 0);
	assert_int_equal(journal_open(&j, &place, "wg0", false), -EPERM);
	journal_done(&j);
	assert_int_equal(chmod(path_of(run, "wg0.journal"), 0600), 0);
	assert_int_equal(chmod(state, 0702), 0);
	assert_int_equal(journal_open(&j, &place, "wg0", false), -EPERM);
	journal_done(&j);
	assert_int_equal(chmod(state, 0700), 0);
	assert_int_equal(chmod(run, 0770), 0);
	assert_int_equal(journal_open(&j, &place, "wg0", false), -EPERM);
	journal_done(&j);
	assert_int_equal(chmod(run, 0755), 0);
	assert_int_equal(journal_open(&j, &place, "wg0", false), 0);
	journal_done(&j);
	if (geteuid() == 0) {
		assert_int_equal(chown(path_of(state, "wg0.undo"), 12345, 0), 0);
		assert_int_equal(journal_open(&j, &place, "wg0", false), -EPERM);
		journal_done(&j);
	}
}

static void links_are_not_followed(void **ctx)
{
	struct journal j;

	(void)ctx;
	own_three(&j);
	journal_done(&j);
	for (int folder = 0; folder < 2; ++folder) {
		const char *at = folder ? state : run;
		const char *name = folder ? "wg0.undo" : "wg0.journal";
		char moved[200];

		(void)snprintf(moved, sizeof(moved), "%s/%s.moved", at, name);
		assert_int_equal(rename(path_of(at, name), moved), 0);
		assert_int_equal(symlink(moved, path_of(at, name)), 0);
		assert_int_equal(journal_open(&j, &place, "wg0", false), -EPERM);
		journal_done(&j);
		assert_int_equal(unlink(path_of(at, name)), 0);
		assert_int_equal(rename(moved, path_of(at, name)), 0);
	}
	/* a folder that is a link is none of ours either */
	assert_int_equal(rename(run, path_of(top, "moved")), 0);
	assert_int_equal(symlink(path_of(top, "moved"), run), 0);
	assert_int_equal(journal_open(&j, &place, "wg0", false), -EPERM);
	journal_done(&j);
}

static void names_that_are_none(void **ctx)
{
	static const char *const names[] = {
		"", ".", "..", "a/b", "../x", "sixteen-letters-", "a b"
	};
	struct journal j;

	(void)ctx;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); ++i) {
		assert_int_equal(journal_open(&j, &place, names[i], false), -EINVAL);
		journal_done(&j);
		assert_int_equal(journal_peek(&j, &place, names[i]), -EINVAL);
		journal_done(&j);
	}
}

static void lock_keeps_others_out(void **ctx)
{
	struct journal first, second, peeked;

	(void)ctx;
	own_three(&first);
	assert_int_equal(journal_open(&second, &place, "wg0", false), -EAGAIN);
	journal_done(&second);
	assert_true(is_there(run, "wg0.lock")); /* who did not get it does not take it away */
	assert_int_equal(journal_holder(&place, "wg0"), getpid());
	assert_int_equal(journal_peek(&peeked, &place, "wg0"), 0);
	assert_int_equal(peeked.owned.count, 3);
	journal_done(&peeked);
	assert_int_equal(journal_open(&second, &place, "wg1", false), 0); /* another tunnel's */
	journal_done(&second);
	journal_done(&first);
	assert_int_equal(journal_open(&second, &place, "wg0", false), 0);
	journal_done(&second);
	assert_int_equal(journal_holder(&place, "wg0"), 0);
}

/* Each adds a line to a file that only the lock protects. */
static void locks_of_many_processes(void **ctx)
{
	enum { PROCESSES = 8, ROUNDS = 60 };
	pid_t pids[PROCESSES];
	char text[32];
	struct journal j;

	(void)ctx;
	write_file(top, "count", "0", 1, 0600);
	for (int p = 0; p < PROCESSES; ++p) {
		pids[p] = fork();
		assert_true(pids[p] >= 0);
		if (pids[p] > 0)
			continue;
		for (int i = 0; i < ROUNDS; ++i) {
			if (journal_open(&j, &place, "wg0", true) < 0)
				_exit(1);
			(void)read_file(top, "count", text, sizeof(text));
			(void)snprintf(text, sizeof(text), "%d", atoi(text) + 1);
			(void)usleep(1); /* let another one in, if it can get in */
			write_file(top, "count", text, strlen(text), 0600);
			journal_done(&j);
		}
		_exit(0);
	}
	for (int p = 0; p < PROCESSES; ++p) {
		int how;

		assert_int_equal(waitpid(pids[p], &how, 0), pids[p]);
		assert_int_equal(how, 0);
	}
	(void)read_file(top, "count", text, sizeof(text));
	assert_int_equal(atoi(text), PROCESSES * ROUNDS);
	assert_false(is_there(run, "wg0.lock"));
}

/* Who asked leaves, and a child of it goes on. */
static void a_child_goes_on_with_it(void **ctx)
{
	struct journal j, other;
	int go[2], how;
	char byte;
	pid_t child;

	(void)ctx;
	assert_int_equal(pipe(go), 0);
	assert_int_equal(journal_open(&j, &place, "wg0", false), 0);
	assert_int_equal(journal_share(&j), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		close(go[1]);
		journal_inherit(&j);
		(void)!read(go[0], &byte, 1);
		journal_done(&j);
		_exit(0);
	}
	close(go[0]);
	while (journal_holder(&place, "wg0") != child)
		(void)usleep(1000);
	journal_leave(&j);
	assert_int_equal(journal_holder(&place, "wg0"), child);
	assert_int_equal(journal_open(&other, &place, "wg0", false), -EAGAIN);
	journal_done(&other);
	assert_true(is_there(run, "lock"));
	close(go[1]);
	assert_int_equal(waitpid(child, &how, 0), child);
	assert_int_equal(how, 0);
	assert_false(is_there(run, "wg0.lock") || is_there(run, "lock"));
	assert_int_equal(journal_open(&other, &place, "wg0", false), 0);
	journal_done(&other);
}

static void others_are_all_but_ours(void **ctx)
{
	static const char *const names[] = { "wg1", "wg1.journal", "a" };
	const struct item a = address(1), b = address(2);
	struct items others;
	struct journal j;

	(void)ctx;
	own_three(&j);
	journal_done(&j);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); ++i) {
		assert_int_equal(journal_open(&j, &place, names[i], false), 0);
		assert_int_equal(journal_begin(&j, JOURNAL_UP, NULL, NULL), 0);
		assert_int_equal(journal_own(&j, &a), 0);
		assert_int_equal(journal_want(&j, &b), 0);
		journal_done(&j);
	}
	write_file(run, "broken.journal", "what\n", 5, 0600); /* proves nothing */
	write_file(run, "x@123.journal", "warren journal 1 x\n", 19, 0600);
	assert_int_equal(journal_open(&j, &place, "wg1", false), 0);
	items_init(&others);
	assert_int_equal(journal_others(&j, &others), 0);
	assert_int_equal(others.count, 3 + 2 + 2);
	items_done(&others);
	journal_done(&j);
}

static void wanted_is_not_owned_until_it_is(void **ctx)
{
	const struct item a = address(1), b = address(2);
	struct journal j;

	(void)ctx;
	assert_int_equal(journal_open(&j, &place, "wg0", false), 0);
	assert_int_equal(journal_begin(&j, JOURNAL_UP, NULL, NULL), 0);
	assert_int_equal(journal_want(&j, &a), 0);
	assert_int_equal(journal_want(&j, &b), 0);
	assert_int_equal(journal_own(&j, &a), 0);
	for (int again = 0; again < 2; ++again) {
		assert_int_equal(j.owned.count, 1);
		assert_int_equal(j.wanted.count, 1);
		assert_non_null(items_find(&j.wanted, &b));
		journal_done(&j);
		assert_int_equal(journal_open(&j, &place, "wg0", false), 0);
	}
	journal_done(&j);
}

/* Random commands against a plain list, read again after each. */
static void random_against_a_list(void **ctx)
{
	enum { ITEMS = 12, STEPS = 400 };
	bool owned[ITEMS] = { false };
	unsigned int seed = 1;
	struct journal j;

	(void)ctx;
	assert_int_equal(journal_open(&j, &place, "wg0", false), 0);
	assert_int_equal(journal_begin(&j, JOURNAL_SYNC, NULL, NULL), 0);
	for (int step = 0; step < STEPS; ++step) {
		const uint8_t n = (uint8_t)(rand_r(&seed) % ITEMS);
		const struct item i = address(n);
		size_t count = 0;

		if (!owned[n] && rand_r(&seed) % 2) {
			assert_int_equal(journal_own(&j, &i), 0);
			owned[n] = true;
		} else {
			assert_int_equal(journal_lose(&j, &i), 0);
			owned[n] = false;
		}
		if (step % 10 == 0) {
			journal_done(&j);
			assert_int_equal(journal_open(&j, &place, "wg0", false), 0);
		}
		for (uint8_t k = 0; k < ITEMS; ++k) {
			const struct item other = address(k);

			assert_int_equal(items_find(&j.owned, &other) != NULL, owned[k]);
			count += owned[k];
		}
		assert_int_equal(j.owned.count, count);
	}
	journal_done(&j);
}

static void own_again_takes_the_place(void **ctx)
{
	static char one[] = "kernel", two[] = "warren run";
	const struct item a = { .kind = ITEM_LINK, .link = "wg0", .text = one };
	const struct item b = { .kind = ITEM_LINK, .link = "wg0", .text = two };
	struct journal j;

	(void)ctx;
	assert_int_equal(journal_open(&j, &place, "wg0", false), 0);
	assert_int_equal(journal_begin(&j, JOURNAL_UP, NULL, NULL), 0);
	assert_int_equal(journal_own(&j, &a), 0);
	assert_int_equal(journal_own(&j, &b), 0);
	for (int again = 0; again < 2; ++again) {
		assert_int_equal(j.owned.count, 1);
		assert_string_equal(j.owned.rows[0].text, "warren run");
		journal_done(&j);
		assert_int_equal(journal_open(&j, &place, "wg0", false), 0);
	}
	journal_done(&j);
}

static void share_is_one_at_a_time(void **ctx)
{
	struct journal a;
	int fd;

	(void)ctx;
	assert_int_equal(journal_open(&a, &place, "wg0", false), 0);
	assert_int_equal(journal_share(&a), 0);
	assert_int_equal(journal_share(&a), 0); /* it has it */
	fd = open(path_of(run, "lock"), O_RDWR);
	assert_true(fd >= 0);
	assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), -1);
	journal_unshare(&a);
	assert_false(is_there(run, "lock"));
	assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
	assert_int_equal(close(fd), 0);
	journal_done(&a);
}

int main(void)
{
#define ROW(f) cmocka_unit_test_setup_teardown(f, make_folders, remove_folders)
	const struct CMUnitTest tests[] = {
		ROW(what_is_written_is_read_again),
		ROW(remove_leaves_nothing),
		ROW(only_what_lasts_is_in_the_second_file),
		ROW(torn_anywhere),
		ROW(other_boot_voids_the_first_file_only),
		ROW(what_a_namespace_of_another_boot_left),
		ROW(what_is_left_is_taken_once),
		cmocka_unit_test(lines_that_nobody_wrote),
		ROW(damaged_file_is_refused),
		ROW(others_may_not_write),
		ROW(links_are_not_followed),
		ROW(names_that_are_none),
		ROW(lock_keeps_others_out),
		ROW(locks_of_many_processes),
		ROW(a_child_goes_on_with_it),
		ROW(others_are_all_but_ours),
		ROW(wanted_is_not_owned_until_it_is),
		ROW(random_against_a_list),
		ROW(own_again_takes_the_place),
		ROW(share_is_one_at_a_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
