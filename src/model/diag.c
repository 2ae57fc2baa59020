#include "model/diag.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void diag_set(struct diag *d, enum diag_severity severity, const char *id, unsigned int line,
	      const char *format, ...)
{
	va_list args;

	if (d->severity == DIAG_ERROR)
		return;
	d->severity = severity;
	d->id = id;
	d->line = line;
	d->column = 0;
	d->length = 0;
	d->hint[0] = '\0'; /* it belonged to what is overwritten */
	va_start(args, format);
	(void)vsnprintf(d->text, sizeof(d->text), format, args); /* cut if too long */
	va_end(args);
}

void diags_init(struct diags *d)
{
	*d = (struct diags){ 0 };
}

void diags_done(struct diags *d)
{
	free(d->rows);
	diags_init(d);
}

/* NULL: no room, and counted. */
static struct diag *next_row(struct diags *d)
{
	const size_t room = d->room ? 2 * d->room : 8;

	if (d->count == d->room && d->count < DIAGS_MAX) {
		struct diag *rows = realloc(d->rows, room * sizeof(*rows));

		if (rows) {
			d->rows = rows;
			d->room = room;
		}
	}
	if (d->count == d->room || d->count == DIAGS_MAX) {
		++d->left_out;
		return NULL;
	}
	return &d->rows[d->count++];
}

struct diag *diags_add(struct diags *d, enum diag_severity severity, const char *id,
		       const char *file, const struct span *at, const char *format, ...)
{
	struct diag *row = next_row(d);
	va_list args;

	d->errors += severity == DIAG_ERROR;
	if (!row)
		return NULL;
	*row = (struct diag){ .severity = severity,
			      .id = id,
			      .file = file,
			      .line = at->line,
			      .column = at->column,
			      .length = at->length };
	va_start(args, format);
	(void)vsnprintf(row->text, sizeof(row->text), format, args); /* cut if too long */
	va_end(args);
	return row;
}

void diag_hint(struct diag *d, const char *format, ...)
{
	va_list args;

	if (!d)
		return;
	va_start(args, format);
	(void)vsnprintf(d->hint, sizeof(d->hint), format, args); /* cut if too long */
	va_end(args);
}
