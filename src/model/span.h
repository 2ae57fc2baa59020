#ifndef MODEL_SPAN_H
#define MODEL_SPAN_H

#include <stdbool.h>

/* A piece of one line of a file. Columns count bytes, so that they are good in any encoding. */
struct span {
	unsigned int line;   /* from 1; 0: stands nowhere */
	unsigned int column; /* from 1; 0: the whole line */
	unsigned int length; /* in bytes; 0: to the end of the line */
};

static inline bool span_is_set(const struct span *s)
{
	return s->line != 0;
}

#endif
