#include "vectors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/text.h"

#ifndef SHARED_VECTORS_DIR
#define SHARED_VECTORS_DIR "../shared/vectors"
#endif

json_t *vectors_load(const char *name)
{
	const char *ci = getenv("CI");
	json_error_t error;
	char path[4096];
	json_t *root;

	(void)snprintf(path, sizeof(path), "%s/%s", SHARED_VECTORS_DIR, name);
	if (access(path, F_OK) != 0) {
		print_message("%s is absent\n", path);
		if (ci && strcmp(ci, "true") == 0)
			fail();
		skip();
	}
	root = json_load_file(path, 0, &error);
	if (!root)
		fail_msg("%s:%d: %s", path, error.line, error.text);
	return root;
}

const char *vectors_text(const json_t *object, const char *field)
{
	const char *text = json_string_value(json_object_get(object, field));

	if (!text)
		fail_msg("no text in field %s", field);
	return text;
}

int vectors_number(const json_t *object, const char *field)
{
	const json_t *number = json_object_get(object, field);

	if (!json_is_integer(number))
		fail_msg("no number in field %s", field);
	return (int)json_integer_value(number);
}

size_t vectors_bytes(const json_t *object, const char *field, uint8_t ret[static VECTORS_MAX])
{
	const char *text = vectors_text(object, field);
	const size_t len = strlen(text) / 2;

	if (len > VECTORS_MAX || !text_hex_to_bytes(text, ret, len))
		fail_msg("field %s is too long or no hex: %s", field, text);
	return len;
}

void vectors_exactly(const json_t *object, const char *field, uint8_t *ret, size_t len)
{
	if (!text_hex_to_bytes(vectors_text(object, field), ret, len))
		fail_msg("field %s: want %zu bytes in hex", field, len);
}
