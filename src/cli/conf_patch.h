#ifndef CLI_CONF_PATCH_H
#define CLI_CONF_PATCH_H

#include "cli/settings.h"
#include "config/file.h"

/*
 * A file of wg(8), made into a patch by wg(8)'s rules (behaviour.md A.7): blanks count nowhere,
 * keys of wg-quick are mistakes, and so is an empty value; the first mistake ends it.
 */
struct conf_patch {
	struct settings settings; /* say's place is what conf_patch_column wants */
	const struct config_file *file;
	size_t line;    /* that is being read, from 0 */
	size_t value;   /* where its value begins, blanks not counted */
	bool has_key;   /* the last peer has a public key */
	bool lacks_key; /* one before it had none */
};

enum conf_outcome {
	CONF_READ,
	CONF_LINE,    /* a line is wrong */
	CONF_INVALID, /* a peer has no public key */
	CONF_END,     /* wg(8) ends here without another word */
};

void conf_patch_init(struct conf_patch *c, const struct config_file *f);
/* append: change what it says and nothing else; otherwise the device is to be what it says. */
MUST_CHECK enum conf_outcome conf_patch_read(struct conf_patch *c, bool append, struct model *ret);
/* What wg(8) says at the end, on standard error, and its exit code. */
MUST_CHECK int conf_patch_tell(enum conf_outcome outcome);
/* The column, from 1, of the at-th character of the line that is being read, blanks not counted. */
size_t conf_patch_column(const struct conf_patch *c, size_t at);

#endif
