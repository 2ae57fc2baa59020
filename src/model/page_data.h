#ifndef MODEL_PAGE_DATA_H
#define MODEL_PAGE_DATA_H

#include "model/page.h"

/* The table of pages, a file each: for page.c only. */
extern const struct page_section page_section_a;
extern const struct page_section page_section_b;
extern const struct page_section page_section_c;
extern const struct page_section page_section_d;
extern const struct page_section page_section_e;
extern const struct page_section page_section_f;
extern const struct page_section page_section_g;
extern const struct page_section page_section_h;
extern const struct page_section page_section_i;
extern const struct page_section page_section_lines; /* ids of config/complaint.h */
extern const struct page_section page_section_files; /* ids of rules that have no row */
extern const struct page_section page_section_drops; /* reasons of wg/reject.h */

#endif
