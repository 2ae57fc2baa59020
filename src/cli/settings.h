#ifndef CLI_SETTINGS_H
#define CLI_SETTINGS_H

#include <stddef.h>

#include "base/attr.h"
#include "config/keys.h"
#include "control/resolve.h"
#include "model/model.h"

/*
 * The values of wg(8) as they come in a file or as an argument, put into a patch: names are
 * resolved here, and what is wrong is said in wg(8)'s own words (behaviour.md A.6) to whoever
 * asked. No words quote a secret, though wg(8)'s do.
 */
struct settings {
	struct resolver resolver;
	/*
	 * A mistake, or a warning: it is about the value from its at-th character on. hint, which
	 * may be NULL, says what would be right; wg(8) has none.
	 */
	void (*say)(void *ctx, size_t at, const char *words, const char *hint);
	void *ctx;
};

enum settings_outcome {
	SETTINGS_DONE,
	SETTINGS_WRONG, /* was said */
	SETTINGS_END,   /* was said, and wg(8) ends here without another word */
};

/* id is one of wg's: into m, or into its last peer. The value holds no blanks. */
MUST_CHECK enum settings_outcome settings_apply(const struct settings *s, struct model *m,
						enum keys_id id, const char *value);
/* For all to come in one place: printf's words to say. */
void settings_say(const struct settings *s, size_t at, const char *hint, const char *format, ...)
	PRINTF(4, 5);

#endif
