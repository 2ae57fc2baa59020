#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "cli/colour.h"
#include "cli/command.h"
#include "config/check.h"
#include "model/page.h"
#include "model/page_text.h"

/* warren why: the page of an id, or the list of them, or those that mention something. */
enum mode { MODE_PAGES, MODE_SEARCH, MODE_MARKDOWN };

static const char why_usage[] = "Usage: warren why [ID...]\n"
				"       warren why --search TEXT...\n"
				"       warren why --markdown\n";

static void print_why_help(void)
{
	printf("%s\n"
	       "Print what is known about the trouble with this ID: what you see, why, how to "
	       "tell\n"
	       "it from what looks alike, and what to do. Without an ID, list them all.\n\n"
	       "  -s, --search     list the pages that mention every TEXT, such as an error "
	       "message\n"
	       "      --markdown   all pages as Markdown: this is docs/why.md\n"
	       "  -h, --help       this text\n\n"
	       "Exit status: 0 found, 1 no page mentions it, 2 wrong usage or no such ID.\n",
	       why_usage);
}

/* What check does about it, by its own table of rules; NULL: nothing. */
static const char *what_check_does(const char *id)
{
	static const char *const words[] = {
		[RULE_FILE] = "`warren check` looks for this in each file.",
		[RULE_SET] = "`warren check` looks for this in files that it is given together.",
		[RULE_HOST] = "`warren check --host` looks for this, on the host of the tunnel.",
	};
	struct rule rule;

	for (size_t i = 0; check_rule(i, &rule); ++i)
		if (strcmp(rule.id, id) == 0)
			return words[rule.needs];
	return NULL;
}

static int print_and_free(struct buffer *b, FILE *to)
{
	const bool is_whole =
		buffer_ok(b) && fwrite(b->bytes, 1, b->len, to) == b->len && fflush(to) == 0;

	buffer_done(b);
	if (!is_whole)
		fprintf(stderr, "warren: why: cannot write all of it\n");
	return is_whole ? 0 : 1;
}

static int list(void)
{
	const struct page_section *section;
	struct buffer b;

	buffer_init(&b);
	for (size_t i = 0; (section = page_section(i)); ++i) {
		if (i > 0)
			buffer_append(&b, "\n", 1);
		page_write_list(section, colour_is_wanted(stdout), &b);
	}
	buffer_printf(&b,
		      "\n`warren why ID' prints a page, `warren why --search TEXT' finds one.\n");
	return print_and_free(&b, stdout);
}

static void complain(const char *id)
{
	const struct page *nearest[PAGE_NEAREST];
	const size_t count = page_find_nearest(id, nearest);

	fprintf(stderr, "warren: why: there is no page `%.40s'", id);
	for (size_t i = 0; i < count; ++i)
		fprintf(stderr, "%s%s", i == 0 ? "; nearest: " : ", ", nearest[i]->id);
	fprintf(stderr, "\n`warren why' lists all, `warren why --search TEXT' looks for words.\n");
}

static int print_pages(int count, char *const ids[])
{
	struct buffer b;
	int status = 0;
	int written;

	buffer_init(&b);
	for (int i = 0; i < count; ++i) {
		const struct page *page = page_find(ids[i]);

		if (!page) {
			complain(ids[i]);
			status = EXIT_USAGE;
			continue;
		}
		if (b.len > 0)
			buffer_append(&b, "\n\n", 2);
		page_write_text(page, what_check_does(page->id), colour_is_wanted(stdout), &b);
	}
	written = print_and_free(&b, stdout);
	return status ? status : written;
}

static bool mentions_all(const struct page *page, int count, char *const texts[])
{
	for (int i = 0; i < count; ++i)
		if (!page_mentions(page, texts[i]))
			return false;
	return true;
}

static int search(int count, char *const texts[])
{
	const struct page_section *section;
	struct buffer b;

	buffer_init(&b);
	for (size_t i = 0; (section = page_section(i)); ++i)
		for (size_t k = 0; k < section->count; ++k)
			if (mentions_all(&section->pages[k], count, texts))
				buffer_printf(&b, "%-4s %s\n", section->pages[k].id,
					      section->pages[k].title);
	if (b.len == 0) {
		fprintf(stderr, "warren: why: no page mentions that; try fewer words\n");
		buffer_done(&b);
		return 1;
	}
	return print_and_free(&b, stdout);
}

static void write_markdown(const struct page *page, struct buffer *b)
{
	page_write_markdown(page, what_check_does(page->id), b);
}

static int print_markdown(void)
{
	const struct page_section *section;
	struct buffer b;

	buffer_init(&b);
	buffer_printf(&b,
		      "# Why it does not work\n\n"
		      "What goes wrong with WireGuard, page by page. `warren why ID` prints one. "
		      "This file is\n`warren why --markdown`.\n");
	for (size_t i = 0; (section = page_section(i)); ++i)
		page_write_index(section, &b);
	for (size_t i = 0; (section = page_section(i)); ++i) {
		buffer_printf(&b, "\n## %s\n", section->title);
		for (size_t k = 0; k < section->count; ++k)
			write_markdown(&section->pages[k], &b);
	}
	return print_and_free(&b, stdout);
}

static int run_why(int argc, char *argv[])
{
	static const struct option longs[] = {
		{ "search", no_argument, NULL, 's' },
		{ "markdown", no_argument, NULL, 'm' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	enum mode mode = MODE_PAGES;
	int option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, "sh", longs, NULL)) >= 0) {
		switch (option) {
		case 's':
			mode = MODE_SEARCH;
			break;
		case 'm':
			mode = MODE_MARKDOWN;
			break;
		case 'h':
			print_why_help();
			return 0;
		default:
			fprintf(stderr, "warren: why: wrong option `%s'\n%s", argv[optind - 1],
				why_usage);
			return EXIT_USAGE;
		}
	}
	argc -= optind;
	argv += optind;
	if ((mode == MODE_SEARCH && argc == 0) || (mode == MODE_MARKDOWN && argc > 0)) {
		fputs(why_usage, stderr);
		return EXIT_USAGE;
	}
	if (mode == MODE_MARKDOWN)
		return print_markdown();
	if (mode == MODE_SEARCH)
		return search(argc, argv);
	return argc == 0 ? list() : print_pages(argc, argv);
}

const struct command command_why = {
	.name = "why",
	.usage = "[ID...]",
	.purpose = "the page of an id: what goes wrong, and what to do",
	.run = run_why,
};
