#include "config/file.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "support.h"

#define KEY_A "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk="

static void parse(struct config_file *f, const char *text)
{
	assert_int_equal(file_parse(f, "x.conf", text, strlen(text)), 0);
}

static void assert_writes(const struct config_file *f, const char *text, size_t len)
{
	struct buffer b;

	buffer_init(&b);
	file_write(f, &b);
	assert_true(buffer_ok(&b));
	if (b.len != len || (len && memcmp(b.bytes, text, len) != 0))
		fail_msg("wrote\n%.*s\nnot\n%.*s", (int)b.len, b.bytes, (int)len, text);
	buffer_done(&b);
}

static char kind_letter(const struct file_line *l)
{
	return ".#:[=?"[l->kind];
}

static void kinds_of_lines(void **state)
{
	static const struct {
		const char *line;
		char kind;
		enum keys_id id;
		const char *key;
		const char *value;
		const char *comment;
	} rows[] = {
		{ " \t\r", '.', 0, "", "", "" },
		{ "# x", '#', 0, "", "", "# x" },
		{ "  # x = y ", '#', 0, "", "", "# x = y" },
		{ "[Peer]", '[', 0, "Peer", "", "" },
		{ " [ Peer ] # x", '[', 0, "Peer", "", "# x" },
		{ "[Peer", '[', 0, "[Peer", "", "" },
		{ "[Peer]x", '[', 0, "[Peer]x", "", "" },
		{ "[", '[', 0, "[", "", "" },
		{ "[]", '[', 0, "", "", "" },
		{ "[#]", '[', 0, "[", "", "#]" },
		{ "MTU=1", '=', KEYS_MTU, "MTU", "1", "" },
		{ " m t u  =  1 2 # 3 ", '=', KEYS_MTU, "m t u", "1 2", "# 3" },
		{ "MTU", '?', KEYS_MTU, "MTU", "", "" },
		{ "MTU # = 1", '?', KEYS_MTU, "MTU", "", "# = 1" },
		{ "= 1", '?', 0, "", "1", "" },
		{ "=", '?', 0, "", "", "" },
		{ "x==", '=', 0, "x", "=", "" },
		{ "PostUp = a # b", '=', KEYS_POST_UP, "PostUp", "a # b", "" },
		{ "PostUp =", '=', KEYS_POST_UP, "PostUp", "", "" },
		{ "#: KillSwitch = yes # x", ':', KEYS_OWN_KILL_SWITCH, "KillSwitch", "yes",
		  "# x" },
		{ "#:Name=a#b", ':', KEYS_OWN_NAME, "Name", "a#b", "" },
		{ " #: nothing = x", ':', 0, "nothing", "x", "" },
		{ "#: KillSwitch", ':', KEYS_OWN_KILL_SWITCH, "KillSwitch", "", "" },
		{ "#: remark", '#', 0, "", "", "#: remark" },
		{ "#: 1 = x", '#', 0, "", "", "#: 1 = x" },
		{ "#:", '#', 0, "", "", "#:" },
		{ "#", '#', 0, "", "", "#" },
		{ "## : KillSwitch = yes", '#', 0, "", "", "## : KillSwitch = yes" },
		{ "KillSwitch = yes", '=', 0, "KillSwitch", "yes", "" },
		{ "#: MTU = 1", ':', 0, "MTU", "1", "" },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTS(rows); ++i) {
		struct config_file f;
		const struct file_line *l;

		parse(&f, rows[i].line);
		assert_int_equal(f.line_count, 1);
		l = &f.lines[0];
		if (kind_letter(l) != rows[i].kind || l->id != rows[i].id ||
		    l->key.len != strlen(rows[i].key) || l->value.len != strlen(rows[i].value) ||
		    l->comment.len != strlen(rows[i].comment) ||
		    memcmp(l->text + l->key.at, rows[i].key, l->key.len) != 0 ||
		    memcmp(l->text + l->value.at, rows[i].value, l->value.len) != 0 ||
		    memcmp(l->text + l->comment.at, rows[i].comment, l->comment.len) != 0)
			fail_msg("%s: %c %d", rows[i].line, kind_letter(l), l->id);
		file_done(&f);
	}
}

static void sections_of_lines(void **state)
{
	static const char text[] = "a\n[Interface]\nb\n\n[Peer]\n[ p E e r ]\nc\n[Other]\n[Peer\n";
	static const struct file_section expected[] = {
		{ KEYS_NO_SECTION, 0, 1 },    { KEYS_INTERFACE, 1, 4 },
		{ KEYS_PEER, 4, 5 },          { KEYS_PEER, 5, 7 },
		{ KEYS_OTHER_SECTION, 7, 8 }, { KEYS_OTHER_SECTION, 8, 9 },
	};
	struct config_file f;

	(void)state;
	parse(&f, text);
	assert_int_equal(f.section_count, ELEMENTS(expected));
	for (size_t i = 0; i < ELEMENTS(expected); ++i) {
		assert_int_equal(f.sections[i].kind, expected[i].kind);
		assert_int_equal(f.sections[i].first, expected[i].first);
		assert_int_equal(f.sections[i].end, expected[i].end);
		for (size_t j = f.sections[i].first; j < f.sections[i].end; ++j)
			assert_int_equal(f.lines[j].section, i);
	}
	file_done(&f);
	parse(&f, "");
	assert_int_equal(f.section_count, 1);
	assert_int_equal(f.sections[0].end, 0);
	file_done(&f);
}

static void line_ends(void **state)
{
	static const struct {
		const char *text;
		size_t lines;
		bool crlf;
		bool bom;
	} rows[] = {
		{ "", 0, false, false },
		{ "\n", 1, false, false },
		{ "a", 1, false, false },
		{ "a\nb", 2, false, false },
		{ "a\r\nb\r\n", 2, true, false },
		{ "a\r\nb\nc\r\n", 3, true, false },
		{ "a\r\nb\n", 2, false, false },
		{ "a\r\nb\nc\n", 3, false, false },
		{ "a\r", 1, false, false },
		{ "\r\n", 1, true, false },
		{ "\r\r\n", 1, true, false },
		{ "\xef\xbb\xbf", 0, false, true },
		{ "\xef\xbb\xbf"
		  "a\n",
		  1, false, true },
		{ "\xef\xbb"
		  "a\n",
		  1, false, false },
		{ "a\n\xef\xbb\xbf"
		  "b",
		  2, false, false },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTS(rows); ++i) {
		struct config_file f;

		parse(&f, rows[i].text);
		assert_int_equal(f.line_count, rows[i].lines);
		assert_int_equal(f.crlf, rows[i].crlf);
		assert_int_equal(f.bom, rows[i].bom);
		assert_writes(&f, rows[i].text, strlen(rows[i].text));
		file_done(&f);
	}
}

/* Pieces that matter, in any order. */
static size_t random_text(uint64_t *seed, char *ret, size_t room)
{
	static const char *const pieces[] = {
		"[Interface]", "[Peer]",    "\n",         "\r\n",   "\r",         " ",
		"\t",          "#",         "#:",         "# x",    "=",          " = ",
		"PrivateKey",  "PublicKey", "AllowedIPs", "PostUp", "KillSwitch", "Name",
		"yes",         KEY_A,       "10.0.0.0/8", ",",      "::/0",       "\xef\xbb\xbf",
		"\xff",        "\x01",      "[",          "]",      "Endpoint",   "a:1",
	};
	const size_t count = (size_t)test_random_below(seed, 60);
	size_t len = 0;

	for (size_t i = 0; i < count; ++i) {
		const char *piece = pieces[test_random_below(seed, ELEMENTS(pieces))];
		const size_t n = strlen(piece);

		if (len + n > room)
			break;
		memcpy(ret + len, piece, n);
		len += n;
		if (test_random_below(seed, 50) == 0 && len < room)
			ret[len++] = '\0';
	}
	return len;
}

static void what_is_read_is_written(void **state)
{
	uint64_t seed = 6;
	char text[2000];

	(void)state;
	for (int run = 0; run < 20000; ++run) {
		const size_t len = random_text(&seed, text, sizeof(text));
		struct config_file f;
		size_t lines = len > 0 && text[len - 1] != '\n';

		assert_int_equal(file_parse(&f, "", text, len), 0);
		assert_writes(&f, text, len);
		for (size_t i = 0; i < len; ++i)
			lines += text[i] == '\n';
		if (f.bom && len == 3)
			lines = 0;
		assert_int_equal(f.line_count, lines);
		file_done(&f);
	}
}

static void stripped_as_wg_does(void **state)
{
	static const struct {
		const char *text;
		size_t len;
		const char *stripped;
	} rows[] = {
		{ " [ P e e r ] # x", 16, "[Peer]" },
		{ "Private Key = a b\r", 18, "PrivateKey=ab" },
		{ "PostUp = a # b", 14, "PostUp=a" },
		{ "a\0b", 3, "a" },
		{ "#: Name = x", 11, "" },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTS(rows); ++i) {
		struct config_file f;
		struct buffer b;

		assert_int_equal(file_parse(&f, "", rows[i].text, rows[i].len), 0);
		buffer_init(&b);
		file_stripped(&f.lines[0], &b);
		buffer_append(&b, "", 1);
		assert_string_equal(b.bytes, rows[i].stripped);
		buffer_done(&b);
		file_done(&f);
	}
}

static void finds_the_last_line_of_a_key(void **state)
{
	struct config_file f;

	(void)state;
	parse(&f, "MTU=0\n[Interface]\nMTU=1\nMTU=2\n#\n[Interface]\nMTU=3\n");
	assert_int_equal(file_find(&f, 0, KEYS_MTU), 0);
	assert_int_equal(file_find(&f, 1, KEYS_MTU), 3);
	assert_int_equal(file_find(&f, 2, KEYS_MTU), 6);
	assert_int_equal(file_find(&f, 1, KEYS_DNS), f.line_count);
	file_done(&f);
}

static void values_are_set_in_place(void **state)
{
	static const struct {
		const char *before;
		const char *value;
		const char *after; /* NULL: refused */
	} rows[] = {
		{ "MTU = 1 # x\n", "1400", "MTU = 1400 # x\n" },
		{ "\tm t u=1", "2", "\tm t u=2" },
		{ "MTU = 1\r\nDNS = ::1\r\n", "2", "MTU = 2\r\nDNS = ::1\r\n" },
		{ "MTU =\n", "2", "MTU =2\n" },
		{ "MTU = # x\n", "2", "MTU =2 # x\n" },
		{ "\xef\xbb\xbfMTU = 1\n", "2", "\xef\xbb\xbfMTU = 2\n" },
		{ "PostUp = a # b\n", "c # d\te", "PostUp = c # d\te\n" },
		{ "#: KillSwitch = yes # x\n", "no", "#: KillSwitch = no # x\n" },
		{ "caf\xe9 = x\n", "caf\xe9", "caf\xe9 = caf\xe9\n" },
		{ "MTU = 1\n", "", NULL },
		{ "MTU = 1\n", "1 # x", NULL },
		{ "MTU = 1\n", " 1", NULL },
		{ "MTU = 1\n", "1 ", NULL },
		{ "MTU = 1\n", "1\nPostUp = reboot", NULL },
		{ "MTU = 1\n", "1\r", NULL },
		{ "MTU = 1\n", "1\rPostUp = reboot", NULL },
		{ "MTU = 1\n", "1\t2", NULL },
		{ "PostUp = a\n", "a\x1b", NULL },
		{ "PostUp = a\n", "a\x7f", NULL },
		{ "PostUp = a\n",
		  "a\xc2\x85"
		  "b",
		  NULL },
		{ "PostUp = a\n",
		  "a\xe2\x80\xa8"
		  "b",
		  NULL },
		{ "PostUp = a\n",
		  "a\xe2\x80\xa9"
		  "b",
		  NULL },
		{ "PostUp = a\n", "a\vb", NULL },
		{ "# x\n", "y", NULL },
		{ "[Peer]\n", "y", NULL },
		{ "junk\n", "y", NULL },
		{ "\n", "y", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTS(rows); ++i) {
		const char *after = rows[i].after ? rows[i].after : rows[i].before;
		struct config_file f;

		parse(&f, rows[i].before);
		if (file_set_value(&f, 0, rows[i].value) != (rows[i].after ? 0 : -EINVAL))
			fail_msg("row %zu", i);
		assert_writes(&f, after, strlen(after));
		assert_int_equal(f.lines[0].changed, rows[i].after != NULL);
		file_done(&f);
	}
}

static void lines_come_and_go(void **state)
{
	struct config_file f;
	size_t section;

	(void)state;
	parse(&f, "[Interface]\nMTU = 1\n\n# Bob\n[Peer]\nPublicKey = x");
	assert_int_equal(file_add(&f, 1, KEYS_DNS, "::1"), 0);
	assert_int_equal(file_add(&f, 1, KEYS_OWN_KILL_SWITCH, "yes"), 0);
	assert_int_equal(file_add(&f, 2, KEYS_ALLOWED_IPS, "::/0"), 0);
	assert_int_equal(file_insert_comment(&f, 0, "ours"), 0);
	assert_int_equal(file_add_section(&f, KEYS_PEER, &section), 0);
	assert_int_equal(section, 3);
	assert_int_equal(file_add(&f, section, KEYS_OWN_NAME, "Al #1"), 0);
	assert_int_equal(file_insert(&f, f.line_count, KEYS_KEEPALIVE, "25"), 0);
	static const char grown[] =
		"# ours\n[Interface]\nMTU = 1\nDNS = ::1\n#: KillSwitch = yes\n\n# Bob\n[Peer]\n"
		"PublicKey = x\nAllowedIPs = ::/0\n\n[Peer]\n#: Name = Al #1\n"
		"PersistentKeepalive = 25\n";
	assert_writes(&f, grown, sizeof(grown) - 1);
	assert_int_equal(f.lines[f.line_count - 1].section, 3);
	file_remove_section(&f, 2);
	file_remove(&f, 0);
	static const char shrunk[] =
		"[Interface]\nMTU = 1\nDNS = ::1\n#: KillSwitch = yes\n\n# Bob\n"
		"[Peer]\n#: Name = Al #1\nPersistentKeepalive = 25\n";
	assert_writes(&f, shrunk, sizeof(shrunk) - 1);
	assert_int_equal(f.section_count, 3);
	file_done(&f);
}

static void edits_that_are_refused(void **state)
{
	static const char text[] = "[Interface]\r\nMTU = 1\r\n[Other]\r\n";
	struct config_file f;

	(void)state;
	parse(&f, text);
	assert_int_equal(file_add(&f, 0, KEYS_MTU, "1"), -EINVAL);
	assert_int_equal(file_add(&f, 1, KEYS_ENDPOINT, "a:1"), -EINVAL);
	assert_int_equal(file_add(&f, 2, KEYS_MTU, "1"), -EINVAL);
	assert_int_equal(file_add(&f, 1, KEYS_MTU, "1\n"), -EINVAL);
	assert_int_equal(file_insert(&f, 1, KEYS_UNKNOWN, "1"), -EINVAL);
	assert_int_equal(file_insert_comment(&f, 0, "a\nPostUp = reboot"), -EINVAL);
	assert_int_equal(file_insert_comment(&f, 0, "a\rPostUp = reboot"), -EINVAL);
	assert_int_equal(file_insert_comment(&f, 0, ""), -EINVAL);
	assert_writes(&f, text, sizeof(text) - 1);
	assert_int_equal(file_insert_comment(&f, 0, "fine"), 0);
	assert_int_equal(f.lines[0].end, 2);
	file_done(&f);
}

static void safe_texts(void **state)
{
	(void)state;
	assert_false(file_text_is_safe(KEYS_DNS, "a#b"));
	assert_true(file_text_is_safe(KEYS_OWN_NAME, "a#b"));
	assert_false(file_text_is_safe(KEYS_OWN_NAME, "a\tb"));
	assert_true(file_text_is_safe(KEYS_POST_UP, "a\tb#"));
}

/* A comment that would be read as a key of ours is none. */
static void comment_stays_a_comment(void **state)
{
	struct config_file f;

	(void)state;
	parse(&f, "");
	assert_int_equal(file_insert_comment(&f, 0, ": KillSwitch = no"), 0);
	assert_int_equal(f.lines[0].kind, FILE_COMMENT);
	file_done(&f);
}

/*
 * Whatever is put into a file is read back as that, and never as anything more (a name that brings
 * a hook with it): the lines are as many as were added, of the keys that were given.
 */
static void fc1_no_key_comes_along(void **state)
{
	static const enum keys_id ids[] = { KEYS_ENDPOINT, KEYS_ALLOWED_IPS, KEYS_OWN_NAME,
					    KEYS_POST_UP, KEYS_DNS };
	uint64_t seed = 7;
	char text[2000];
	int added = 0;

	(void)state;
	for (int run = 0; run < 20000; ++run) {
		const enum keys_id id = ids[run % (int)ELEMENTS(ids)];
		size_t len = random_text(&seed, text, 60);
		struct config_file f, again;
		struct buffer b;
		size_t before;

		parse(&f, "[Interface]\nMTU = 1\n[Peer]\nPublicKey = x");
		before = f.line_count;
		text[len] = '\0'; /* at the first NUL the text ends */
		len = strlen(text);
		if (file_add(&f, keys_row(id)->section == KEYS_PEER ? 2 : 1, id, text) == 0) {
			++added;
			assert_int_equal(f.line_count, before + 1);
		}
		if (file_insert_comment(&f, 0, text) == 0)
			++before;
		buffer_init(&b);
		file_write(&f, &b);
		assert_int_equal(file_parse(&again, "", b.bytes, b.len), 0);
		assert_int_equal(again.line_count, f.line_count);
		for (size_t i = 0; i < f.line_count; ++i) {
			const struct file_line *x = &f.lines[i], *y = &again.lines[i];

			assert_int_equal(x->kind, y->kind);
			assert_int_equal(x->id, y->id);
			assert_int_equal(x->section, y->section);
			assert_int_equal(x->len, y->len);
			assert_memory_equal(x->text, y->text, x->len);
			assert_true(x->id == KEYS_UNKNOWN || x->id == KEYS_MTU ||
				    x->id == KEYS_PUBLIC_KEY || x->id == id);
		}
		buffer_done(&b);
		file_done(&again);
		file_done(&f);
	}
	assert_in_range(added, 1000, 20000);
}

/* More than one read gives. */
static void loads_a_pipe_of_many_lines(void **state)
{
	enum { LARGE = 20000 };
	char *text = malloc(LARGE);
	struct config_file f;
	char path[32];
	int fds[2];

	(void)state;
	assert_non_null(text);
	memset(text, '\n', LARGE);
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(write(fds[1], text, LARGE), LARGE);
	close(fds[1]);
	(void)snprintf(path, sizeof(path), "/dev/fd/%d", fds[0]);
	assert_int_equal(file_load(&f, path), 0);
	assert_int_equal(f.line_count, LARGE);
	assert_writes(&f, text, LARGE);
	file_done(&f);
	close(fds[0]);
	free(text);
}

static void loads_files_and_pipes(void **state)
{
	static const char text[] = "[Interface]\nMTU = 1400\n";
	char path[] = "/tmp/test_file.XXXXXX";
	struct config_file f;
	int fds[2];

	(void)state;
	close(mkstemp(path));
	assert_int_equal(file_load(&f, path), 0);
	assert_int_equal(f.line_count, 0);
	file_done(&f);
	FILE *out = fopen(path, "w");
	assert_non_null(out);
	assert_int_equal(fputs(text, out) < 0, 0);
	assert_int_equal(fclose(out), 0);
	assert_int_equal(file_load(&f, path), 0);
	assert_string_equal(f.path, path);
	assert_writes(&f, text, sizeof(text) - 1);
	file_done(&f);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(file_load(&f, path), -ENOENT);
	assert_int_equal(file_load(&f, "/tmp"), -EISDIR);
	assert_null(f.bytes);
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(write(fds[1], text, sizeof(text) - 1), sizeof(text) - 1);
	close(fds[1]);
	(void)snprintf(path, sizeof(path), "/dev/fd/%d", fds[0]);
	assert_int_equal(file_load(&f, path), 0);
	assert_writes(&f, text, sizeof(text) - 1);
	file_done(&f);
	close(fds[0]);
}

/* F-C4: no size of a line or a file is too much for any buffer. */
static void fc4_long_lines_and_large_files(void **state)
{
	enum { LARGE = 10 << 20 };
	static const char fills[] = { 'a', ' ', '#', '=', ',', '[', '\n', '\0', '\xff', '\r' };
	char *text = malloc(LARGE);

	(void)state;
	assert_non_null(text);
	for (size_t i = 0; i < ELEMENTS(fills); ++i) {
		struct config_file f;

		memset(text, fills[i], LARGE);
		memcpy(text, "[Peer]\nEndpoint = ", 18);
		assert_int_equal(file_parse(&f, "", text, LARGE), 0);
		assert_writes(&f, text, LARGE);
		file_done(&f);
	}
	free(text);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(kinds_of_lines),
		cmocka_unit_test(sections_of_lines),
		cmocka_unit_test(line_ends),
		cmocka_unit_test(what_is_read_is_written),
		cmocka_unit_test(stripped_as_wg_does),
		cmocka_unit_test(finds_the_last_line_of_a_key),
		cmocka_unit_test(values_are_set_in_place),
		cmocka_unit_test(lines_come_and_go),
		cmocka_unit_test(edits_that_are_refused),
		cmocka_unit_test(safe_texts),
		cmocka_unit_test(comment_stays_a_comment),
		cmocka_unit_test(fc1_no_key_comes_along),
		cmocka_unit_test(loads_files_and_pipes),
		cmocka_unit_test(loads_a_pipe_of_many_lines),
		cmocka_unit_test(fc4_long_lines_and_large_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
