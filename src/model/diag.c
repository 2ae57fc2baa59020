#include "model/diag.h"

#include <stdarg.h>
#include <stdio.h>

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
	d->hint[0] = '\0'; /* it belonged to what is overwritten */
	va_start(args, format);
	(void)vsnprintf(d->text, sizeof(d->text), format, args); /* cut if too long */
	va_end(args);
}
