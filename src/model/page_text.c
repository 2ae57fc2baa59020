#include "model/page_text.h"

#include <string.h>

/* `warren why` writes for a terminal of 80 columns, whatever it stands in: a page that is pasted
 * into a mail or an issue keeps its shape. */
enum { COLUMNS = 80, INDENT = 2, ITEM_INDENT = 2, VERBATIM_INDENT = 4 };

static const char bold[] = "\033[1m";
static const char plain[] = "\033[0m";

struct part {
	const char *heading;
	const char *text; /* either may be NULL */
	const char *more;
};

enum { PARTS = 5 };

static void list_parts(const struct page *page, const char *more, struct part ret[static PARTS])
{
	ret[0] = (struct part){ "What you see", page->see, NULL };
	ret[1] = (struct part){ "Why", page->cause, NULL };
	ret[2] = (struct part){ "How to tell", page->tell, NULL };
	ret[3] = (struct part){ "What to do", page->fix, NULL };
	ret[4] = (struct part){ "What Warren does", page->warren, more };
}

static void write_blanks(size_t count, struct buffer *to)
{
	for (size_t i = 0; i < count; ++i)
		buffer_append(to, " ", 1);
}

/* What Markdown needs two backticks for, since it holds one, stands in quotes. Returns the columns.
 */
static size_t write_word(const char *word, size_t len, struct buffer *to)
{
	size_t columns = 0;

	for (size_t i = 0; i < len; ++i, ++columns) {
		const bool is_pair = i + 1 < len && word[i] == '`' && word[i + 1] == '`';

		buffer_append(to, is_pair ? "\"" : word + i, 1);
		i += is_pair;
	}
	return columns;
}

/* One paragraph in lines; all but the first begin so many columns further in. */
static void wrap(const char *text, size_t len, size_t indent, size_t hanging, struct buffer *to)
{
	size_t column = 0;

	for (size_t i = 0; i < len;) {
		const char *end = memchr(text + i, ' ', len - i);
		const size_t word = end ? (size_t)(end - text) - i : len - i;

		if (column > 0 && column + 1 + word > COLUMNS) {
			buffer_append(to, "\n", 1);
			column = 0;
			indent += hanging;
			hanging = 0;
		}
		if (column == 0) {
			write_blanks(indent, to);
			column = indent;
		} else {
			buffer_append(to, " ", 1);
			++column;
		}
		column += write_word(text + i, word, to);
		i += word + 1;
	}
	buffer_append(to, "\n", 1);
}

static bool is_verbatim(const char *line)
{
	return strncmp(line, "    ", VERBATIM_INDENT) == 0;
}

static bool is_item(const char *line)
{
	return strncmp(line, "- ", 2) == 0;
}

static const char *next_line(const char *line, size_t *ret_len)
{
	const char *end = strchr(line, '\n');

	*ret_len = end ? (size_t)(end - line) : strlen(line);
	return end ? end + 1 : NULL;
}

static void write_body(const char *text, struct buffer *to)
{
	const char *next;
	size_t len;

	for (const char *line = text; line; line = next) {
		next = next_line(line, &len);
		if (is_verbatim(line))
			buffer_printf(to, "  %.*s\n", (int)len, line);
		else
			wrap(line, len, INDENT, is_item(line) ? ITEM_INDENT : 0, to);
	}
}

static void write_bold(const char *text, bool in_colour, struct buffer *to)
{
	buffer_printf(to, "%s%s%s", in_colour ? bold : "", text, in_colour ? plain : "");
}

static void write_part(const struct part *part, bool in_colour, struct buffer *to)
{
	if (!part->text && !part->more)
		return;
	buffer_append(to, "\n", 1);
	write_bold(part->heading, in_colour, to);
	buffer_append(to, "\n", 1);
	write_body(part->text, to);
	write_body(part->more, to);
}

/* The ids of a list, one by one: true and the next, or false behind the last. */
static bool next_related(const char **list, const struct page **ret)
{
	char id[32] = { 0 };
	size_t len;

	*list += strspn(*list, " ");
	len = strcspn(*list, " ");
	if (len == 0 || len >= sizeof(id))
		return false;
	memcpy(id, *list, len);
	*list += len;
	*ret = page_find(id);
	return *ret != NULL;
}

static void write_related_text(const struct page *page, bool in_colour, struct buffer *to)
{
	const char *list = page->related ? page->related : "";
	const struct page *other;

	if (!list[0])
		return;
	buffer_append(to, "\n", 1);
	write_bold("See also", in_colour, to);
	buffer_append(to, "\n", 1);
	while (next_related(&list, &other))
		buffer_printf(to, "  %-4s %s\n", other->id, other->title);
}

void page_write_text(const struct page *page, const char *more, bool in_colour, struct buffer *to)
{
	struct part parts[PARTS];

	list_parts(page, more, parts);
	write_bold(page->id, in_colour, to);
	buffer_append(to, "  ", 2);
	write_bold(page->title, in_colour, to);
	buffer_append(to, "\n", 1);
	for (size_t i = 0; i < PARTS; ++i)
		write_part(&parts[i], in_colour, to);
	write_related_text(page, in_colour, to);
}

/* Items and commands are blocks of their own, with an empty line before and behind. */
static void write_markdown_body(const char *text, struct buffer *to)
{
	enum { TEXT, ITEM, VERBATIM } last = TEXT;
	const char *next;
	size_t len;

	for (const char *line = text; line; line = next) {
		const int kind = is_verbatim(line) ? VERBATIM : is_item(line) ? ITEM : TEXT;

		next = next_line(line, &len);
		if (line == text || kind != (int)last || kind == TEXT)
			buffer_append(to, "\n", 1);
		buffer_printf(to, "%.*s\n", (int)len, line);
		last = kind;
	}
}

static void write_markdown_part(const struct part *part, struct buffer *to)
{
	if (!part->text && !part->more)
		return;
	buffer_printf(to, "\n**%s**\n", part->heading);
	write_markdown_body(part->text, to);
	write_markdown_body(part->more, to);
}

static void write_related_markdown(const struct page *page, struct buffer *to)
{
	const char *list = page->related ? page->related : "";
	const struct page *other;
	const char *comma = "";

	if (!list[0])
		return;
	buffer_printf(to, "\n**See also** ");
	for (; next_related(&list, &other); comma = ", ")
		buffer_printf(to, "%s[%s](#%s) %s", comma, other->id, other->id, other->title);
	buffer_append(to, "\n", 1);
}

void page_write_markdown(const struct page *page, const char *more, struct buffer *to)
{
	struct part parts[PARTS];

	list_parts(page, more, parts);
	buffer_printf(to, "\n### <a id=\"%s\"></a>%s: %s\n", page->id, page->id, page->title);
	for (size_t i = 0; i < PARTS; ++i)
		write_markdown_part(&parts[i], to);
	write_related_markdown(page, to);
}

void page_write_index(const struct page_section *section, struct buffer *to)
{
	buffer_printf(to, "\n%s\n\n", section->title);
	for (size_t i = 0; i < section->count; ++i)
		buffer_printf(to, "- [%s](#%s) %s\n", section->pages[i].id, section->pages[i].id,
			      section->pages[i].title);
}

void page_write_list(const struct page_section *section, bool in_colour, struct buffer *to)
{
	size_t width = 4;

	for (size_t i = 0; i < section->count; ++i)
		if (strlen(section->pages[i].id) > width)
			width = strlen(section->pages[i].id);
	write_bold(section->title, in_colour, to);
	buffer_append(to, "\n", 1);
	for (size_t i = 0; i < section->count; ++i)
		buffer_printf(to, "  %-*s %s\n", (int)width, section->pages[i].id,
			      section->pages[i].title);
}
