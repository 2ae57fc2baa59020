#ifndef CLI_JSON_OUT_H
#define CLI_JSON_OUT_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/out.h"

/*
 * JSON as it is written, without a tree of it in memory: commas and quotes come by themselves. One
 * line without blanks for a value, so that what is long stays readable by programs at any length.
 */
struct json_out {
	struct out *out;
	bool needs_comma;
};

void json_out_open(struct json_out *j, char bracket); /* '{' or '[' */
void json_out_close(struct json_out *j, char bracket);
void json_out_name(struct json_out *j, const char *name); /* of the value that comes next */
void json_out_text(struct json_out *j,
		   const char *text); /* bytes that are no UTF-8 become U+FFFD */
void json_out_uint(struct json_out *j, uint64_t value);
void json_out_true(struct json_out *j);

#endif
