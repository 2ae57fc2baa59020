#include "model/finding.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "support.h"

static const char one[] = "one.conf", two[] = "two.conf";
static const char *const files[] = { two, one }; /* the order that was asked for */

static void add(struct findings *f, const char *id, const char *file, unsigned int line,
		unsigned int column, const char *cause)
{
	struct finding *found =
		findings_add(f, id, DIAG_ERROR, (struct place){ file, line, column, 0 });

	finding_cause(found, "%s", cause);
	finding_fix(found, "fix %u", line);
}

static void sorts_by_file_and_place(void **state)
{
	static const struct {
		const char *id;
		const char *file;
		unsigned int line;
		unsigned int column;
	} sorted[] = {
		{ "C1", two, 0, 0 },  { "A1", two, 3, 0 }, { "A1", two, 3, 7 }, { "B1", two, 3, 7 },
		{ "A1", two, 20, 1 }, { "A1", one, 1, 9 }, { "A1", one, 2, 1 },
	};
	static const size_t added[] = { 6, 3, 0, 5, 2, 4, 1 };
	struct findings f;

	(void)state;
	findings_init(&f);
	for (size_t i = 0; i < ELEMENTS(added); ++i)
		add(&f, sorted[added[i]].id, sorted[added[i]].file, sorted[added[i]].line,
		    sorted[added[i]].column, "x");
	findings_sort(&f, files, ELEMENTS(files));
	assert_int_equal(f.count, ELEMENTS(sorted));
	for (size_t i = 0; i < f.count; ++i) {
		assert_string_equal(f.items[i].id, sorted[i].id);
		assert_ptr_equal(f.items[i].at.file, sorted[i].file);
		assert_int_equal(f.items[i].at.line, sorted[i].line);
		assert_int_equal(f.items[i].at.column, sorted[i].column);
	}
	assert_int_equal(findings_count(&f, DIAG_ERROR), ELEMENTS(sorted));
	assert_int_equal(findings_count(&f, DIAG_NOTE), 0);
	findings_done(&f);
}

static void says_the_same_once(void **state)
{
	struct findings f;

	(void)state;
	findings_init(&f);
	add(&f, "A1", one, 3, 1, "x");
	add(&f, "A1", one, 3, 1, "y");
	add(&f, "A1", one, 3, 1, "y");
	add(&f, "A2", one, 3, 1, "y");
	add(&f, "A1", two, 3, 1, "y");
	findings_sort(&f, files, ELEMENTS(files));
	assert_int_equal(f.count, 4);
	assert_string_equal(f.items[1].cause, "x");
	assert_string_equal(f.items[2].cause, "y");
	findings_done(&f);
}

static void keeps_its_texts(void **state)
{
	struct findings f;
	struct finding *found;

	(void)state;
	findings_init(&f);
	found = findings_add(&f, "A1", DIAG_NOTE, (struct place){ .file = one });
	finding_cause(found, "first");
	finding_cause(found, "%s %d", "second", 2);
	assert_string_equal(found->cause, "second 2");
	assert_int_equal(found->edit, EDIT_NONE);
	finding_replace(found, "10.0.0.0/%d", 8);
	assert_int_equal(found->edit, EDIT_REPLACE);
	assert_string_equal(found->text, "10.0.0.0/8");
	finding_cause(NULL, "no memory was left for it");
	finding_fix(NULL, "x");
	finding_replace(NULL, "x");
	findings_done(&f);
	assert_int_equal(f.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sorts_by_file_and_place),
		cmocka_unit_test(says_the_same_once),
		cmocka_unit_test(keeps_its_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
