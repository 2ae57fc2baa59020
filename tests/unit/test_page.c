#include "model/page.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "config/check.h"
#include "wg/reject.h"

enum { LINE_MAX_CHARS = 74 };

typedef void page_function(const struct page *page);

static void for_each_page(page_function *check)
{
	const struct page_section *section;

	for (size_t i = 0; (section = page_section(i)); ++i)
		for (size_t k = 0; k < section->count; ++k)
			check(&section->pages[k]);
}

/* Every row of the catalogue has its page, in order. */
static void catalogue_is_whole(void **state)
{
	static const size_t rows[] = { 22, 12, 14, 16, 16, 10, 10, 8, 6 };

	(void)state;
	for (size_t i = 0; i < ELEMENTS(rows); ++i) {
		const struct page_section *section = page_section(i);

		assert_non_null(section);
		assert_int_equal(section->title[0], 'A' + i);
		assert_int_equal(section->count, rows[i]);
		for (size_t k = 0; k < rows[i]; ++k) {
			char id[24];

			(void)snprintf(id, sizeof(id), "%c%zu", (char)('A' + i), k + 1);
			assert_string_equal(section->pages[k].id, id);
		}
	}
}

static void id_is_a_word_of_its_own(const struct page *page)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
	const size_t row = isupper((unsigned char)page->id[0]) ? 1 : 0;

	assert_true(strlen(page->id) > 1 && strlen(page->id) <= 32);
	assert_int_equal(row + strspn(page->id + row, letters), strlen(page->id));
	assert_ptr_equal(page_find(page->id), page); /* the first with this id */
}

static void ids_are_words_and_differ(void **state)
{
	(void)state;
	for_each_page(id_is_a_word_of_its_own);
}

/* ASCII only, no blank at an end, no empty line; commands fit 80 columns where they stand. */
static void check_text(const char *text)
{
	assert_true(text[0] && text[0] != '\n');
	while (text) {
		const char *end = strchr(text, '\n');
		const size_t len = end ? (size_t)(end - text) : strlen(text);

		assert_true(len > 0 && text[len - 1] != ' ');
		if (text[0] == ' ') {
			assert_int_equal(strncmp(text, "    ", 4), 0);
			assert_true(len <= 4 + LINE_MAX_CHARS);
		}
		for (size_t i = 0; i < len; ++i)
			assert_true(text[i] >= ' ' && text[i] <= '~');
		text = end ? end + 1 : NULL;
	}
}

static void texts_keep_the_rules(const struct page *page)
{
	const char *const texts[] = { page->title, page->see, page->cause,
				      page->tell,  page->fix, page->warren };

	assert_true(page->title && page->see && page->cause);
	assert_null(strchr(page->title, '\n'));
	for (size_t i = 0; i < ELEMENTS(texts); ++i)
		if (texts[i])
			check_text(texts[i]);
}

static void texts_are_plain(void **state)
{
	(void)state;
	for_each_page(texts_keep_the_rules);
}

static void related_are_others(const struct page *page)
{
	char list[128];

	if (!page->related)
		return;
	assert_true(strlen(page->related) < sizeof(list));
	strcpy(list, page->related);
	for (char *rest, *id = strtok_r(list, " ", &rest); id; id = strtok_r(NULL, " ", &rest)) {
		assert_non_null(page_find(id));
		assert_ptr_not_equal(page_find(id), page);
	}
}

static void related_pages_exist(void **state)
{
	(void)state;
	for_each_page(related_are_others);
}

/* Whatever `warren show NAME drops` can say has a page. */
static void reasons_have_pages(void **state)
{
	(void)state;
	for (int i = 0; i < REJECT_REASONS; ++i)
		assert_non_null(page_find(reject_name((enum reject_reason)i)));
}

/* Whatever `warren check` can find has a page. */
static void rules_have_pages(void **state)
{
	struct rule rule;

	(void)state;
	for (size_t i = 0; check_rule(i, &rule); ++i)
		assert_non_null(page_find(rule.id));
}

static void finds_by_id(void **state)
{
	static const struct {
		const char *id, *found;
	} rows[] = {
		{ "A1", "A1" },  { "a1", "A1" }, { "i6", "I6" },  { "A22", "A22" },
		{ "A23", NULL }, { "", NULL },   { "A", NULL },   { "A1 ", NULL },
		{ " A1", NULL }, { "J1", NULL }, { "A01", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTS(rows); ++i) {
		const struct page *page = page_find(rows[i].id);

		if (rows[i].found)
			assert_string_equal(page->id, rows[i].found);
		else
			assert_null(page);
	}
}

static void finds_the_nearest(void **state)
{
	static const struct {
		const char *id;
		size_t count;
		const char *first;
	} rows[] = {
		{ "A23", 4, "A2" },
		{ "a222", 4, "A22" },
		{ "I66", 4, "I6" },
		{ "B", 4, "B1" },
		{ "F11", 4, "F1" },
		{ "zzzzzz", 0, NULL },
		{ "a word that is far too long to be an id", 0, NULL },
	};
	const struct page *nearest[PAGE_NEAREST];

	(void)state;
	for (size_t i = 0; i < ELEMENTS(rows); ++i) {
		assert_int_equal(page_find_nearest(rows[i].id, nearest), rows[i].count);
		if (rows[i].count > 0)
			assert_string_equal(nearest[0]->id, rows[i].first);
		for (size_t k = 1; k < rows[i].count; ++k)
			for (size_t m = 0; m < k; ++m)
				assert_ptr_not_equal(nearest[k], nearest[m]);
	}
}

static void mentions_any_field(void **state)
{
	static const struct page page = {
		.id = "Z1",
		.title = "the title",
		.see = "what is seen",
		.cause = "the reason",
		.fix = "the cure",
		.related = "A1",
	};

	(void)state;
	assert_true(page_mentions(&page, "z1"));
	assert_true(page_mentions(&page, "THE TITLE"));
	assert_true(page_mentions(&page, "is seen"));
	assert_true(page_mentions(&page, "reason"));
	assert_true(page_mentions(&page, "cure"));
	assert_false(page_mentions(&page, "cured"));
	assert_false(page_mentions(&page, "A1"));
}

/* What users paste must lead somewhere. */
static void messages_are_found(void **state)
{
	static const struct {
		const char *text, *id;
	} rows[] = {
		{ "Required key not available", "C4" },
		{ "resolvconf: command not found", "A1" },
		{ "Address already in use", "A6" },
		{ "Line unrecognized", "A7" },
		{ "Key is not the correct length or format", "A9" },
		{ "AllowedIP has nonzero host part", "C6" },
		{ "allowed ips: (none)", "C1" },
		{ "Operation not supported", "A2" },
		{ "Read-only file system", "A3" },
		{ "File exists", "A15" },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTS(rows); ++i)
		assert_true(page_mentions(page_find(rows[i].id), rows[i].text));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(catalogue_is_whole), cmocka_unit_test(ids_are_words_and_differ),
		cmocka_unit_test(texts_are_plain),    cmocka_unit_test(related_pages_exist),
		cmocka_unit_test(reasons_have_pages), cmocka_unit_test(rules_have_pages),
		cmocka_unit_test(finds_by_id),        cmocka_unit_test(finds_the_nearest),
		cmocka_unit_test(mentions_any_field), cmocka_unit_test(messages_are_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
