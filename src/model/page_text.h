#ifndef MODEL_PAGE_TEXT_H
#define MODEL_PAGE_TEXT_H

#include <stdbool.h>

#include "base/buffer.h"
#include "model/page.h"

/*
 * A page as text of at most 80 columns, and as Markdown. more: a paragraph on what Warren does that
 * the table does not know; may be NULL.
 */
void page_write_text(const struct page *page, const char *more, bool in_colour, struct buffer *to);
void page_write_markdown(const struct page *page, const char *more, struct buffer *to);

/* Ids and titles, a line each: for a terminal, and as links to the pages. */
void page_write_list(const struct page_section *section, bool in_colour, struct buffer *to);
void page_write_index(const struct page_section *section, struct buffer *to);

#endif
