#ifndef CONFIG_LINE_H
#define CONFIG_LINE_H

#include "config/file.h"

/* What one line is. Pure; l->text and l->len are given, all but section, end and changed is set. */
void line_scan(struct file_line *l);
/* Of a FILE_SECTION. */
enum keys_section line_section(const struct file_line *l);

#endif
