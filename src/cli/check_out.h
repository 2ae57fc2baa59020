#ifndef CLI_CHECK_OUT_H
#define CLI_CHECK_OUT_H

#include "cli/check_run.h"
#include "cli/out.h"

/* A name of a file, or words with one in them: what a terminal would obey is a question mark. */
void check_print_plain(const char *text, struct out *o);

/* The three ways to say what was found. None ever shows a secret. */
void check_print_text(const struct check_run *r, bool colour, struct out *o);
void check_print_json(const struct check_run *r, struct out *o);
void check_print_sarif(const struct check_run *r, struct out *o); /* SARIF 2.1.0 */

#endif
