#include "model/page.h"

#include <string.h>
#include <strings.h>

#include "base/bytes.h"
#include "model/page_data.h"

enum { ID_MAX = 32 };

static const struct page_section *const sections[] = {
	&page_section_a, &page_section_b,     &page_section_c,     &page_section_d,
	&page_section_e, &page_section_f,     &page_section_g,     &page_section_h,
	&page_section_i, &page_section_lines, &page_section_files, &page_section_drops,
};

const struct page_section *page_section(size_t i)
{
	return i < ELEMENTS(sections) ? sections[i] : NULL;
}

const struct page *page_find(const char *id)
{
	for (size_t i = 0; i < ELEMENTS(sections); ++i)
		for (size_t k = 0; k < sections[i]->count; ++k)
			if (strcasecmp(sections[i]->pages[k].id, id) == 0)
				return &sections[i]->pages[k];
	return NULL;
}

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* How many letters must be changed, added or taken away (Levenshtein), case aside. */
static size_t distance(const char *a, const char *b)
{
	size_t row[ID_MAX + 1];
	const size_t len = strlen(b);

	for (size_t k = 0; k <= len; ++k)
		row[k] = k;
	for (size_t i = 0; a[i]; ++i) {
		size_t diagonal = row[0];

		row[0] = i + 1;
		for (size_t k = 0; k < len; ++k) {
			const char pair[2][2] = { { a[i] }, { b[k] } };
			const size_t change = diagonal + (strcasecmp(pair[0], pair[1]) != 0);

			diagonal = row[k + 1];
			row[k + 1] = smaller(change, smaller(row[k], row[k + 1]) + 1);
		}
	}
	return row[len];
}

/* Into a list sorted by distance, behind its equals, if it still has room there. */
static size_t insert(const struct page *ret[static PAGE_NEAREST], size_t far[static PAGE_NEAREST],
		     size_t count, const struct page *page, size_t d)
{
	size_t at = count;

	while (at > 0 && far[at - 1] > d)
		--at;
	if (at == PAGE_NEAREST)
		return count;
	count = smaller(count + 1, PAGE_NEAREST);
	for (size_t k = count - 1; k > at; --k) {
		ret[k] = ret[k - 1];
		far[k] = far[k - 1];
	}
	ret[at] = page;
	far[at] = d;
	return count;
}

size_t page_find_nearest(const char *id, const struct page *ret[static PAGE_NEAREST])
{
	size_t far[PAGE_NEAREST];
	size_t count = 0;

	if (strlen(id) > ID_MAX)
		return 0;
	for (size_t i = 0; i < ELEMENTS(sections); ++i)
		for (size_t k = 0; k < sections[i]->count; ++k) {
			const struct page *page = &sections[i]->pages[k];
			const size_t d = distance(id, page->id);
			const bool is_same_letter = strncasecmp(id, page->id, 1) == 0;

			if (d <= (strlen(page->id) + 1) / 2)
				count = insert(ret, far, count, page, 2 * d - is_same_letter);
		}
	return count;
}

bool page_mentions(const struct page *page, const char *text)
{
	const char *const fields[] = { page->id,   page->title, page->see,   page->cause,
				       page->tell, page->fix,   page->warren };

	for (size_t i = 0; i < ELEMENTS(fields); ++i)
		if (fields[i] && strcasestr(fields[i], text))
			return true;
	return false;
}
