#include "model/page_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"

static const struct page page = {
	.id = "Z1",
	.title = "The title",
	.see = "One two three four five six seven eight nine ten eleven twelve thirteen fourteen "
	       "fifteen.\nSecond ``with `one' of them``.",
	.cause = "- an item that is long enough to need a second line, and that hangs behind its "
		 "dash\n- b",
	.fix = "Do:\n    command --with    blanks\n    second\nThen.",
	.related = "A1 B2",
};

static const char more[] = "`warren check` finds this in the files.";

static const char as_text[] =
	"Z1  The title\n"
	"\n"
	"What you see\n"
	"  One two three four five six seven eight nine ten eleven twelve thirteen\n"
	"  fourteen fifteen.\n"
	"  Second \"with `one' of them\".\n"
	"\n"
	"Why\n"
	"  - an item that is long enough to need a second line, and that hangs behind its\n"
	"    dash\n"
	"  - b\n"
	"\n"
	"What to do\n"
	"  Do:\n"
	"      command --with    blanks\n"
	"      second\n"
	"  Then.\n";

static const char as_markdown[] =
	"\n### <a id=\"Z1\"></a>Z1: The title\n"
	"\n"
	"**What you see**\n"
	"\n"
	"One two three four five six seven eight nine ten eleven twelve thirteen fourteen "
	"fifteen.\n"
	"\n"
	"Second ``with `one' of them``.\n"
	"\n"
	"**Why**\n"
	"\n"
	"- an item that is long enough to need a second line, and that hangs behind its dash\n"
	"- b\n"
	"\n"
	"**What to do**\n"
	"\n"
	"Do:\n"
	"\n"
	"    command --with    blanks\n"
	"    second\n"
	"\n"
	"Then.\n"
	"\n"
	"**What Warren does**\n"
	"\n"
	"`warren check` finds this in the files.\n";

static void assert_begins(const struct buffer *b, const char *expected)
{
	assert_true(buffer_ok(b));
	assert_true(b->len >= strlen(expected));
	assert_memory_equal(b->bytes, expected, strlen(expected));
}

static bool contains(const struct buffer *b, const char *text)
{
	return memmem(b->bytes, b->len, text, strlen(text)) != NULL;
}

static void writes_text(void **state)
{
	struct buffer b;

	(void)state;
	buffer_init(&b);
	page_write_text(&page, NULL, false, &b);
	assert_begins(&b, as_text);
	assert_true(contains(&b, "\nSee also\n  A1   "));
	assert_true(contains(&b, "\n  B2   "));
	assert_false(contains(&b, "Warren does"));
	assert_false(contains(&b, "\033"));
	buffer_done(&b);
	buffer_init(&b);
	page_write_text(&page, more, true, &b);
	assert_begins(&b, "\033[1mZ1\033[0m  \033[1mThe title\033[0m\n");
	assert_true(contains(&b, "\033[1mWhat Warren does\033[0m\n  `warren check` finds"));
	buffer_done(&b);
}

static void writes_markdown(void **state)
{
	struct buffer b;

	(void)state;
	buffer_init(&b);
	page_write_markdown(&page, more, &b);
	assert_begins(&b, as_markdown);
	assert_true(contains(&b, "\n**See also** [A1](#A1) "));
	assert_true(contains(&b, ", [B2](#B2) "));
	buffer_done(&b);
}

static void assert_80_columns(const struct buffer *b)
{
	size_t column = 0;

	for (size_t i = 0; i < b->len; ++i) {
		column = b->bytes[i] == '\n' ? 0 : column + 1;
		assert_true(column <= 80);
	}
	assert_int_equal(column, 0);
}

/* Of the whole table; and each page is short enough to be read. */
static void pages_fit_a_terminal(void **state)
{
	const struct page_section *section;
	struct buffer b;

	(void)state;
	for (size_t i = 0; (section = page_section(i)); ++i) {
		buffer_init(&b);
		page_write_list(section, false, &b);
		assert_80_columns(&b);
		buffer_done(&b);
		for (size_t k = 0; k < section->count; ++k) {
			size_t lines = 0;

			buffer_init(&b);
			page_write_text(&section->pages[k], more, false, &b);
			assert_true(buffer_ok(&b));
			assert_80_columns(&b);
			for (size_t n = 0; n < b.len; ++n)
				lines += b.bytes[n] == '\n';
			assert_true(lines >= 8 && lines <= 60);
			buffer_done(&b);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_text),
		cmocka_unit_test(writes_markdown),
		cmocka_unit_test(pages_fit_a_terminal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
