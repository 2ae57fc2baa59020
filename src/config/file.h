#ifndef CONFIG_FILE_H
#define CONFIG_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buffer.h"
#include "config/keys.h"
#include "model/span.h"

/*
 * A configuration file, lossless: its lines with what each is, and the bytes as they were read.
 * What is not changed is written back byte for byte, in whatever encoding, with its comments, line
 * ends, BOM and missing last line end. Any bytes make a config_file; what is wrong in them is the
 * business of tunnel_read. Owns a copy of the bytes and wipes it: they hold keys.
 *
 * Lines are numbered from 0 here, and from 1 in spans and diags.
 */
enum { FILE_SIZE_MAX = 256 << 20 };

enum file_kind {
	FILE_BLANK,
	FILE_COMMENT,
	FILE_OWN,     /* "#: Key = value" */
	FILE_SECTION, /* "[Name]" */
	FILE_ENTRY,   /* "Key = value" */
	FILE_JUNK,    /* none of these */
};

struct file_slice { /* of a line's text; len 0: it is not there, or empty */
	uint32_t at;
	uint32_t len;
};

struct file_line {
	const char *text; /* without its line end; no NUL behind it */
	uint32_t len;
	uint32_t section;          /* index of the section it stands in */
	struct file_slice key;     /* without blanks around it; of a FILE_SECTION the name in [] */
	struct file_slice value;   /* likewise; KEYS_TO_END: no comment follows */
	struct file_slice comment; /* from '#' on */
	uint8_t kind;              /* enum file_kind */
	uint8_t id;                /* enum keys_id */
	uint8_t end;               /* bytes of its line end: 0 none, 1 "\n", 2 "\r\n" */
	bool changed;              /* the text is not of file->bytes */
};

struct file_section {
	enum keys_section kind;
	size_t first; /* its "[Name]" line; section 0 is what stands before the first one */
	size_t end;   /* one behind its last line */
};

struct config_file {
	char *path; /* what diags name; "" if it has none */
	char *bytes;
	size_t len;
	struct file_line *lines;
	size_t line_count;
	size_t line_room;
	struct file_section *sections; /* always at least one */
	size_t section_count;
	size_t section_room;
	char **texts; /* of changed lines */
	size_t text_count;
	size_t text_room;
	bool bom;  /* EF BB BF stood before the first line */
	bool crlf; /* new lines end like most old ones: with CR LF */
};

/* Takes a copy of path and bytes. 0, -ENOMEM, or -EFBIG. The file is empty after a failure. */
MUST_CHECK int file_parse(struct config_file *f, const char *path, const char *bytes, size_t len);
/* Reads path, which may be a pipe. 0 or negative errno. */
MUST_CHECK int file_load(struct config_file *f, const char *path);
void file_done(struct config_file *f); /* wipes */
void file_write(const struct config_file *f, struct buffer *b);

/* The text of an entry's value, or NULL and 0 where it is empty. */
const char *file_value(const struct file_line *l, size_t *ret_len);
/* What upstream's wg sees of a line: up to '#' or NUL, all blanks gone. Appended to b. */
void file_stripped(const struct file_line *l, struct buffer *b);
struct span file_span(const struct config_file *f, const struct file_line *l,
		      const struct file_slice *s);
/* From the entry's key, in `section`: its last line, or line_count. */
size_t file_find(const struct config_file *f, size_t section, enum keys_id id);

/*
 * Edits. Each is 0, -ENOMEM, or -EINVAL for a text that could not be read back as what it is: with
 * a line break (CR, LF, U+0085, U+2028, U+2029) or another control character, with blanks around
 * it, or with '#' where a comment would begin. Nothing has changed after a failure. They move
 * lines: what earlier calls returned about later ones is void.
 */
MUST_CHECK int file_set_value(struct config_file *f, size_t line, const char *value);
/* "Key = value" behind the last entry of a section. */
MUST_CHECK int file_add(struct config_file *f, size_t section, enum keys_id id, const char *value);
/* "Key = value" before a line, or at the end: line_count. */
MUST_CHECK int file_insert(struct config_file *f, size_t line, enum keys_id id, const char *value);
/* "# text" before a line. */
MUST_CHECK int file_insert_comment(struct config_file *f, size_t line, const char *text);
/* A blank line and "[Peer]" at the end; *ret_section is its index. */
MUST_CHECK int file_add_section(struct config_file *f, enum keys_section kind, size_t *ret_section);
void file_remove(struct config_file *f, size_t line);
/* A section with all its lines. */
void file_remove_section(struct config_file *f, size_t section);
/* May it stand as a value of this key? */
MUST_CHECK bool file_text_is_safe(enum keys_id id, const char *text);

#endif
