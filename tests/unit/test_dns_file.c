#include "net/dns_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
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

#include "base/bytes.h"
#include "net/dns_saved.h"

enum { PATH = 64 };

static char folder[PATH / 2];
static char file[PATH], state_path[PATH];
static const struct dns_place place = { file, state_path };
static struct diag why;

static int make_folder(void **state)
{
	(void)state;
	/* Every step is synced, which a disk is slow at. */
	strcpy(folder, access("/dev/shm", W_OK) == 0 ? "/dev/shm/dns-XXXXXX" : "/tmp/dns-XXXXXX");
	why = (struct diag){ 0 };
	if (!mkdtemp(folder))
		return -1;
	(void)snprintf(file, sizeof(file), "%s/resolv.conf", folder);
	(void)snprintf(state_path, sizeof(state_path), "%s/lib/dns", folder);
	return 0;
}

static int remove_folder(void **state)
{
	static const char *const names[] = { "resolv.conf",
					     "elsewhere",
					     "lib/dns/file/original-resolv.conf",
					     "lib/dns/file/wg0",
					     "lib/dns/file/wg1",
					     "lib/dns/file",
					     "lib/dns",
					     "lib",
					     "" };
	char path[PATH * 2];

	(void)state;
	for (size_t i = 0; i < ELEMENTS(names); ++i) {
		(void)snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		if (remove(path) < 0 && errno != ENOENT)
			return -1; /* something else was left in it */
	}
	return 0;
}

static void write_file(const char *path, const char *bytes, mode_t mode)
{
	const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, strlen(bytes)), strlen(bytes));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static void holds(const char *bytes)
{
	struct buffer b;

	buffer_init(&b);
	assert_int_equal(dns_read_at(AT_FDCWD, file, true, &b), 0);
	buffer_append(&b, "", 1);
	assert_string_equal(b.bytes, bytes);
	buffer_done(&b);
}

static int add(const char *link, const char *text)
{
	struct dns_set set;
	int status;

	assert_int_equal(dns_set_parse(text, &set), 0);
	status = dns_file_add(&place, link, &set, &why);
	dns_set_done(&set);
	return status;
}

static int is_there(const char *link, const char *text)
{
	struct dns_set set;
	int status;

	assert_int_equal(dns_set_parse(text, &set), 0);
	status = dns_file_is_there(&place, link, &set);
	dns_set_done(&set);
	return status;
}

static int take(const char *link)
{
	return dns_file_remove(&place, link, &why);
}

#define MARKED(link) DNS_MARK link ". When it goes down, what was here comes back.\n"
#define ONE "server=10.0.0.1 search=a.example"
#define ONE_LINES "nameserver 10.0.0.1\nsearch a.example\n"
#define TWO "server=10.0.0.2"
#define TWO_LINES "nameserver 10.0.0.2\n"

/* What stands there before, and must stand there after. */

enum kind { ABSENT, PLAIN, LINK, DANGLING };
static const struct {
	enum kind kind;
	const char *bytes; /* of the file, or where the link leads */
	mode_t mode;
} places[] = {
	{ ABSENT, "", 0 },
	{ PLAIN, "", 0644 },
	{ PLAIN, "nameserver 192.0.2.1\n", 0644 },
	{ PLAIN, "nameserver 192.0.2.1\nno end of line", 0640 },
	{ PLAIN, "\n\n# 1 file 0644\n", 0600 },
	{ LINK, "elsewhere", 0 },
	{ DANGLING, "../tmp/there/is/no/such/file", 0 },
};

static void prepare(size_t row)
{
	char elsewhere[PATH * 2];

	(void)unlink(file);
	switch (places[row].kind) {
	case ABSENT:
		break;
	case PLAIN:
		write_file(file, places[row].bytes, places[row].mode);
		break;
	case LINK:
		(void)snprintf(elsewhere, sizeof(elsewhere), "%s/elsewhere", folder);
		write_file(elsewhere, "nameserver 192.0.2.9\n", 0644);
		assert_int_equal(symlink(places[row].bytes, file), 0);
		break;
	case DANGLING:
		assert_int_equal(symlink(places[row].bytes, file), 0);
		break;
	}
}

static void is_as_before(size_t row)
{
	char target[PATH_MAX];
	struct stat st;
	ssize_t len;

	if (places[row].kind == ABSENT) {
		assert_int_equal(lstat(file, &st), -1);
		assert_int_equal(errno, ENOENT);
		return;
	}
	assert_int_equal(lstat(file, &st), 0);
	if (places[row].kind == PLAIN) {
		assert_true(S_ISREG(st.st_mode));
		assert_int_equal(st.st_mode & 07777, places[row].mode);
		holds(places[row].bytes);
		return;
	}
	assert_true(S_ISLNK(st.st_mode));
	len = readlink(file, target, sizeof(target));
	assert_int_equal(len, strlen(places[row].bytes));
	assert_memory_equal(target, places[row].bytes, (size_t)len);
}

static void what_was_there_comes_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < ELEMENTS(places); ++i) {
		prepare(i);
		assert_int_equal(is_there("wg0", ONE), 0);
		assert_int_equal(add("wg0", ONE), 0);
		holds(MARKED("wg0") ONE_LINES);
		assert_int_equal(is_there("wg0", ONE), 1);
		assert_int_equal(is_there("wg0", TWO), 0);
		assert_int_equal(is_there("wg1", ONE), 0);
		assert_int_equal(take("wg0"), 0);
		is_as_before(i);
		assert_int_equal(take("wg0"), 0); /* once more */
		is_as_before(i);
	}
	assert_int_equal(why.severity, DIAG_NONE);
}

static void file_keeps_its_mode_and_a_new_one_can_be_read(void **state)
{
	struct stat st;

	(void)state;
	write_file(file, "nameserver 192.0.2.1\n", 0640);
	assert_int_equal(add("wg0", ONE), 0);
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(take("wg0"), 0);
	assert_int_equal(unlink(file), 0);
	assert_int_equal(add("wg0", ONE), 0);
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	assert_int_equal(take("wg0"), 0);
}

static void adding_twice_changes_nothing(void **state)
{
	struct stat before, after;

	(void)state;
	prepare(2);
	assert_int_equal(add("wg0", ONE), 0);
	assert_int_equal(stat(file, &before), 0);
	assert_int_equal(add("wg0", ONE), 0);
	assert_int_equal(stat(file, &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	assert_int_equal(add("wg0", TWO), 0); /* a sync: other words */
	holds(MARKED("wg0") TWO_LINES);
	assert_int_equal(take("wg0"), 0);
	is_as_before(2);
}

static void two_tunnels_end_in_the_original_in_any_order(void **state)
{
	(void)state;
	for (size_t i = 0; i < ELEMENTS(places); ++i)
		for (int order = 0; order < 2; ++order) {
			prepare(i);
			assert_int_equal(add("wg0", ONE), 0);
			assert_int_equal(add("wg1", TWO), 0);
			holds(MARKED("wg1") TWO_LINES);
			assert_int_equal(is_there("wg0", ONE), 1);
			assert_int_equal(is_there("wg1", TWO), 1);
			assert_int_equal(add("wg0", ONE), 0); /* it does not become the newest */
			holds(MARKED("wg1") TWO_LINES);
			assert_int_equal(take(order ? "wg1" : "wg0"), 0);
			if (order)
				holds(MARKED("wg0") ONE_LINES);
			else
				holds(MARKED("wg1") TWO_LINES);
			assert_int_equal(take(order ? "wg0" : "wg1"), 0);
			is_as_before(i);
		}
}

static void removing_what_was_never_added_is_harmless(void **state)
{
	(void)state;
	assert_int_equal(take("wg0"), 0);
	prepare(2);
	assert_int_equal(take("wg0"), 0);
	is_as_before(2);
	assert_int_equal(add("wg0", ONE), 0);
	assert_int_equal(take("wg1"), 0);
	holds(MARKED("wg0") ONE_LINES);
	assert_int_equal(take("wg0"), 0);
	is_as_before(2);
}

/* dhclient came and wrote its own: that is the truth now. */
static void file_that_somebody_wrote_since_is_theirs(void **state)
{
	(void)state;
	prepare(2);
	assert_int_equal(add("wg0", ONE), 0);
	write_file(file, "nameserver 198.51.100.1\n", 0644);
	assert_int_equal(is_there("wg0", ONE), 0);
	assert_int_equal(take("wg0"), 0);
	holds("nameserver 198.51.100.1\n");
	prepare(2);
	assert_int_equal(add("wg0", ONE), 0);
	write_file(file, "nameserver 198.51.100.1\n", 0644);
	assert_int_equal(add("wg0", ONE), 0); /* what keep does */
	holds(MARKED("wg0") ONE_LINES);
	assert_int_equal(take("wg0"), 0);
	holds("nameserver 198.51.100.1\n");
}

static const char *const of_others[] = {
	"# Generated by NetworkManager\nnameserver 192.0.2.1\n",
	"# Generated by resolvconf\nnameserver 192.0.2.1\n",
	"# Generated by dhcpcd from eth0.dhcp\nnameserver 192.0.2.1\n",
	"# This file is managed by man:systemd-resolved(8). Do not edit.\nnameserver 127.0.0.53\n",
	"; generated by /usr/sbin/dhclient-script\n",
};

static void h7_file_that_would_be_rewritten_is_refused(void **state)
{
	struct stat st;

	(void)state;
	for (size_t i = 0; i < ELEMENTS(of_others); ++i) {
		write_file(file, of_others[i], 0644);
		why = (struct diag){ 0 };
		assert_int_equal(add("wg0", ONE), -EBUSY);
		holds(of_others[i]);
		assert_string_equal(why.id, "H7");
		assert_true(why.hint[0]);
		assert_int_equal(stat(state_path, &st), -1); /* and nothing is kept */
	}
	assert_int_equal(unlink(file), 0);
	assert_int_equal(symlink("/run/systemd/resolve/stub-resolv.conf", file), 0);
	assert_int_equal(add("wg0", ONE), -EBUSY);
	assert_int_equal(unlink(file), 0);
	assert_int_equal(symlink("/nowhere/../run/NetworkManager/./resolv.conf", file), 0);
	assert_int_equal(add("wg0", ONE), -EBUSY);
}

static void file_of_ours_whose_original_is_lost_is_refused(void **state)
{
	(void)state;
	write_file(file, MARKED("wg0") ONE_LINES, 0644);
	assert_int_equal(take("wg0"), 0); /* there is nothing to put back, and nothing is lost */
	assert_int_equal(add("wg0", TWO), -ENODATA);
	assert_int_equal(take("wg0"), 0); /* now there is a folder, and still nothing in it */
	holds(MARKED("wg0") ONE_LINES);
	assert_non_null(strstr(why.hint, "write a file of your own"));
}

/* A kill leaves what it was writing; the next one begins anew. */
static void leftover_of_a_killed_one_is_in_nobodys_way(void **state)
{
	char left[PATH * 2];
	struct stat st;

	(void)state;
	prepare(2);
	(void)snprintf(left, sizeof(left), "%s/.resolv.conf.warren", folder);
	write_file(left, "half", 0600);
	assert_int_equal(add("wg0", ONE), 0);
	assert_int_equal(lstat(left, &st), -1);
	assert_int_equal(symlink("elsewhere", left), 0);
	assert_int_equal(take("wg0"), 0);
	assert_int_equal(lstat(left, &st), -1);
	is_as_before(2);
	assert_int_equal(add("wg0", ONE), 0);
	write_file(file, "theirs\n", 0644);
	write_file(left, "half", 0600);
	assert_int_equal(take("wg0"), 0);
	assert_int_equal(lstat(left, &st), -1);
}

/* A killed add that wrote down what it was going to do, and no more. */
static void remove_after_a_kill_before_the_change(void **state)
{
	const struct dns_original o = { .kind = DNS_ORIGINAL_FILE, .mode = 0644 };
	struct dns_saved s;
	struct stat st;

	(void)state;
	for (int entry = 0; entry < 2; ++entry) {
		prepare(2);
		assert_int_equal(dns_saved_open(state_path, "file", true, &s), 0);
		assert_int_equal(dns_saved_keep_original(&s, &o), 0);
		if (entry)
			assert_int_equal(dns_saved_put(&s, "wg0", ONE_LINES, strlen(ONE_LINES)), 0);
		dns_saved_close(&s);
		assert_int_equal(take("wg0"), 0);
		is_as_before(2);
		assert_int_equal(dns_saved_open(state_path, "file", false, &s), 0);
		assert_int_equal(fstatat(s.folder, "original-resolv.conf", &st, 0), -1);
		assert_int_equal(fstatat(s.folder, "wg0", &st, 0), -1);
		dns_saved_close(&s);
	}
}

static void damaged_notes_lose_no_file(void **state)
{
	char path[PATH * 2];

	(void)state;
	prepare(2);
	assert_int_equal(add("wg0", ONE), 0);
	(void)snprintf(path, sizeof(path), "%s/file/original-resolv.conf", state_path);
	write_file(path, "2 file 644 0 0\nnameserver 192.0.2.1\n", 0600);
	assert_int_equal(take("wg0"), -ENODATA);
	holds(MARKED("wg0") ONE_LINES);
}

static const char *const damaged[] = { "",
				       "1",
				       "1 file 644 0 0",
				       "1 file 644 0\n",
				       "1 file 644 0 0 0\n",
				       "2 file 644 0 0\n",
				       "1 pipe 644 0 0\n",
				       "1 file 648 0 0\n",
				       "1 file 10000 0 0\n",
				       "1 file 644 -1 0\n",
				       "1 file 644 0 4294967296\n",
				       "1 file x 0 0\n" };

static void damaged_original_is_not_believed(void **state)
{
	struct dns_saved s;
	struct dns_original o;
	char path[PATH * 2];

	(void)state;
	assert_int_equal(dns_saved_open(state_path, "file", true, &s), 0);
	(void)snprintf(path, sizeof(path), "%s/file/original-resolv.conf", state_path);
	for (size_t i = 0; i < ELEMENTS(damaged); ++i) {
		write_file(path, damaged[i], 0600);
		if (dns_saved_original(&s, &o) != -EINVAL)
			fail_msg("original %zu", i);
	}
	dns_saved_close(&s);
}

static void notes_are_roots_alone(void **state)
{
	char path[PATH * 2];
	struct stat st;

	(void)state;
	prepare(2);
	assert_int_equal(add("wg0", ONE), 0);
	(void)snprintf(path, sizeof(path), "%s/lib", folder);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	(void)snprintf(path, sizeof(path), "%s/file/wg0", state_path);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(take("wg0"), 0);
}

/* Random tunnels come and go, and somebody writes in between; the model is a list. */

enum { TUNNELS = 2, ROUNDS = 120 };

struct naive {
	int order[TUNNELS]; /* of those that are there, the newest last */
	int count;
	const char *original;
	bool marked;
};

static void model_drop(struct naive *m, int tunnel)
{
	int kept = 0;

	for (int i = 0; i < m->count; ++i)
		if (m->order[i] != tunnel)
			m->order[kept++] = m->order[i];
	m->count = kept;
}

static bool model_has(const struct naive *m, int tunnel)
{
	for (int i = 0; i < m->count; ++i)
		if (m->order[i] == tunnel)
			return true;
	return false;
}

static void model_is_true(const struct naive *m)
{
	static const char *const ours[] = { MARKED("wg0") ONE_LINES, MARKED("wg1") TWO_LINES };

	holds(m->marked ? ours[m->order[m->count - 1]] : m->original);
}

static void random_tunnels_match_a_list(void **state)
{
	static const char *const originals[] = { "a\n", "b\nc\n", "" };
	struct naive m = { .original = originals[0] };
	unsigned int seed = 7;

	(void)state;
	write_file(file, m.original, 0644);
	for (int i = 0; i < ROUNDS; ++i) {
		const int what = rand_r(&seed) % 5, tunnel = rand_r(&seed) % TUNNELS;

		if (what < 2) {
			assert_int_equal(add(tunnel ? "wg1" : "wg0", tunnel ? TWO : ONE), 0);
			if (!model_has(&m, tunnel))
				m.order[m.count++] = tunnel;
			m.marked = true;
		} else if (what < 4) {
			assert_int_equal(take(tunnel ? "wg1" : "wg0"), 0);
			model_drop(&m, tunnel);
			m.marked = m.marked && m.count > 0;
		} else {
			m.original = originals[rand_r(&seed) % 3];
			m.marked = false;
			write_file(file, m.original, 0644);
		}
		model_is_true(&m);
	}
	assert_int_equal(take("wg0"), 0);
	assert_int_equal(take("wg1"), 0);
	holds(m.original);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_was_there_comes_back),
		TEST(file_keeps_its_mode_and_a_new_one_can_be_read),
		TEST(adding_twice_changes_nothing),
		TEST(two_tunnels_end_in_the_original_in_any_order),
		TEST(removing_what_was_never_added_is_harmless),
		TEST(file_that_somebody_wrote_since_is_theirs),
		TEST(h7_file_that_would_be_rewritten_is_refused),
		TEST(file_of_ours_whose_original_is_lost_is_refused),
		TEST(leftover_of_a_killed_one_is_in_nobodys_way),
		TEST(remove_after_a_kill_before_the_change),
		TEST(damaged_notes_lose_no_file),
		TEST(damaged_original_is_not_believed),
		TEST(notes_are_roots_alone),
		TEST(random_tunnels_match_a_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
