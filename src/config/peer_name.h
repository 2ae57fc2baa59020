#ifndef CONFIG_PEER_NAME_H
#define CONFIG_PEER_NAME_H

#include "config/file.h"

/*
 * What people call a peer, from the comments of its section, as the usual tools write them. The
 * name is UTF-8 without control characters: good to print, and for nothing else.
 */
enum { PEER_NAME_MAX = 64 };

struct peer_name {
	const char *text; /* of the line; NULL: it has none */
	size_t len;
	size_t line; /* its index */
};

/* A comment that says where what belongs to a peer ends: "# END_PEER name", "### end name ###". */
MUST_CHECK bool peer_name_is_end(const struct file_line *comment);
void peer_name_find(const struct config_file *f, size_t section, struct peer_name *ret);

#endif
