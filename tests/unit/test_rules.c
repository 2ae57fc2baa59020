#include <dirent.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/text.h"
#include "config/check.h"
#include "config/tunnel_read.h"
#include "model/page.h"
#include "support.h"

/*
 * The files of tests/check: rules/ID/bad gives exactly the findings whose first lines stand in
 * bad.out, rules/ID/good has none worse than a note and not this one, and neither has healthy/SET.
 * tools/check-rules holds the program to the same, and to every byte that is printed.
 */
enum { PATHS = 128, PATH_ROOM = 512 };

static struct {
	char paths[PATHS][PATH_ROOM];
	size_t count;
} listed;

static int list_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	const size_t len = strlen(path);

	(void)st;
	(void)at;
	if (kind != FTW_F || len < 5 || strcmp(path + len - 5, ".conf") != 0)
		return 0;
	assert_true(listed.count < PATHS && len < PATH_ROOM);
	(void)snprintf(listed.paths[listed.count++], PATH_ROOM, "%s", path + 2); /* without "./" */
	return 0;
}

static int compare_paths(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void list_files(const char *folder)
{
	assert_int_equal(chdir(folder), 0);
	listed.count = 0;
	assert_int_equal(nftw(".", list_one, 8, FTW_PHYS), 0);
	assert_true(listed.count > 0);
	qsort(listed.paths, listed.count, sizeof(listed.paths[0]), compare_paths);
}

static const char *severity_name(const struct finding *f)
{
	return f->severity == DIAG_ERROR     ? "error"
	       : f->severity == DIAG_WARNING ? "warning"
					     : "note";
}

/* As the first line of what the program prints. */
static void print_finding(const struct finding *f, struct buffer *b)
{
	buffer_printf(b, "%s", f->at.file);
	if (f->at.line)
		buffer_printf(b, ":%u", f->at.line);
	if (f->at.line && f->at.column)
		buffer_printf(b, ":%u", f->at.column);
	buffer_printf(b, ": %s: %s [%s]\n", severity_name(f), f->cause, f->id);
}

static void add_diags(struct findings *to, const struct diags *from, const char *path)
{
	for (size_t i = 0; i < from->count; ++i) {
		const struct diag *d = &from->rows[i];
		struct finding *f =
			findings_add(to, d->id, d->severity,
				     (struct place){ path, d->line, d->column, d->length });

		finding_cause(f, "%s", d->text);
		finding_fix(f, "%s", d->hint);
	}
}

static void read_one(struct tunnel_set *set, const char *path, struct findings *found)
{
	struct tunnel *t = tunnel_set_add(set);
	struct config_file f;
	struct diags diags;

	assert_non_null(t);
	assert_int_equal(file_load(&f, path), 0);
	diags_init(&diags);
	assert_true(tunnel_read(&f, t, &diags));
	add_diags(found, &diags, t->path);
	diags_done(&diags);
	file_done(&f);
}

/* Files from..end of the list, read together. */
static void judge(size_t from, size_t end, struct tunnel_set *set, struct findings *found)
{
	const char *names[PATHS];

	tunnel_set_init(set);
	findings_init(found);
	for (size_t i = from; i < end; ++i)
		read_one(set, listed.paths[i], found);
	assert_true(check_run(set, NULL, found));
	for (size_t i = 0; i < set->count; ++i)
		names[i] = set->rows[i].path;
	findings_sort(found, names, set->count);
}

static void forget(struct tunnel_set *set, struct findings *found)
{
	findings_done(found);
	tunnel_set_done(set);
}

/* The first line of each finding in a golden file. */
static void golden_lines(const char *path, struct buffer *b)
{
	FILE *f = fopen(path, "r");
	char line[4096];

	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		const size_t len = strlen(line);

		if (line[0] != ' ' && len > 2 && strcmp(line + len - 2, "]\n") == 0)
			buffer_append(b, line, len);
	}
	assert_int_equal(fclose(f), 0);
	buffer_append(b, "", 1);
}

static void finds_the_fault(const char *folder, const char *id)
{
	char path[PATH_ROOM], marker[64];
	struct tunnel_set set;
	struct findings found;
	struct buffer said, golden;

	(void)snprintf(path, sizeof(path), "%s/bad", folder);
	list_files(path);
	judge(0, listed.count, &set, &found);
	buffer_init(&said);
	buffer_init(&golden);
	for (size_t i = 0; i < found.count; ++i)
		print_finding(&found.items[i], &said);
	buffer_append(&said, "", 1);
	(void)snprintf(path, sizeof(path), "%s/bad.out", folder);
	golden_lines(path, &golden);
	assert_true(buffer_ok(&said) && buffer_ok(&golden));
	assert_string_equal(said.bytes, golden.bytes);
	(void)snprintf(marker, sizeof(marker), "[%s]\n", id);
	assert_non_null(strstr(said.bytes, marker));
	buffer_done(&said);
	buffer_done(&golden);
	forget(&set, &found);
}

/* Nothing worse than a note, and nothing of this id; NULL: any. */
static void is_clean(size_t from, size_t end, const char *id)
{
	struct tunnel_set set;
	struct findings found;

	judge(from, end, &set, &found);
	for (size_t i = 0; i < found.count; ++i)
		if (found.items[i].severity > DIAG_NOTE ||
		    (id && strcmp(found.items[i].id, id) == 0))
			fail_msg("%s:%u: %s [%s]", found.items[i].at.file, found.items[i].at.line,
				 found.items[i].cause, found.items[i].id);
	forget(&set, &found);
}

static void each_folder(const char *group, void (*run)(const char *folder, const char *name))
{
	char path[PATH_ROOM];
	struct dirent *entry;
	size_t count = 0;
	DIR *d;

	(void)snprintf(path, sizeof(path), "%s/../check/%s", VECTORS_DIR, group);
	d = opendir(path);
	assert_non_null(d);
	while ((entry = readdir(d))) {
		if (entry->d_name[0] == '.')
			continue;
		(void)snprintf(path, sizeof(path), "%s/../check/%s/%s", VECTORS_DIR, group,
			       entry->d_name);
		run(path, entry->d_name);
		++count;
	}
	closedir(d);
	assert_true(count >= 30);
}

static void check_rule_folder(const char *folder, const char *id)
{
	char path[PATH_ROOM];

	finds_the_fault(folder, id);
	(void)snprintf(path, sizeof(path), "%s/good", folder);
	list_files(path);
	is_clean(0, listed.count, id);
}

static void finds_each_fault_and_nothing_beside_it(void **state)
{
	(void)state;
	each_folder("rules", check_rule_folder);
}

static void check_healthy_folder(const char *folder, const char *name)
{
	(void)name;
	list_files(folder);
	is_clean(0, listed.count, NULL);
	for (size_t i = 0; i < listed.count; ++i)
		is_clean(i, i + 1, NULL);
}

static void tells_no_key(const struct finding *f, const uint8_t key[static KEY_LEN])
{
	char text[TEXT_KEY_BASE64];

	text_base64_from_key(key, text);
	assert_null(strstr(f->cause, text));
	assert_null(strstr(f->fix, text));
}

static void tells_no_secret(const struct finding *f, const struct tunnel_set *set)
{
	for (size_t i = 0; i < set->count; ++i) {
		const struct model *m = &set->rows[i].model;

		if (m->has_private_key)
			tells_no_key(f, m->private_key.bytes);
		for (size_t k = 0; k < m->peer_count; ++k)
			if (m->peers[k].has_preshared_key)
				tells_no_key(f, m->peers[k].preshared_key.bytes);
	}
}

static void check_secrets(const char *folder, const char *id)
{
	char path[PATH_ROOM];
	struct tunnel_set set;
	struct findings found;

	(void)id;
	(void)snprintf(path, sizeof(path), "%s/bad", folder);
	list_files(path);
	judge(0, listed.count, &set, &found);
	for (size_t i = 0; i < found.count; ++i)
		tells_no_secret(&found.items[i], &set);
	forget(&set, &found);
}

static void fs10_findings_tell_no_secret(void **state)
{
	(void)state;
	each_folder("rules", check_secrets);
}

static void healthy_files_are_clean(void **state)
{
	(void)state;
	each_folder("healthy", check_healthy_folder);
}

static void all_healthy_files_together_are_clean(void **state)
{
	char path[PATH_ROOM];

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/../check/healthy", VECTORS_DIR);
	list_files(path);
	assert_true(listed.count >= 30);
	is_clean(0, listed.count, NULL);
}

static void every_id_has_a_page(void **state)
{
	struct rule rule;

	(void)state;
	for (size_t i = 0; check_rule(i, &rule); ++i)
		if (!page_find(rule.id))
			fail_msg("`warren why %s' has no page", rule.id);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_each_fault_and_nothing_beside_it),
		cmocka_unit_test(fs10_findings_tell_no_secret),
		cmocka_unit_test(healthy_files_are_clean),
		cmocka_unit_test(all_healthy_files_together_are_clean),
		cmocka_unit_test(every_id_has_a_page),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
