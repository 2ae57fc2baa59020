#ifndef NET_DNS_SAVED_H
#define NET_DNS_SAVED_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/buffer.h"
#include "model/host_facts.h"

/*
 * What outlives a crash of what we change in a place that tunnels share: the original, and for each
 * tunnel what it wants there, the newest last. A folder of files, 0700, each written beside, synced
 * and renamed; whoever has it open holds its lock. Nothing in it is secret.
 */
struct dns_saved {
	int folder;
};

enum dns_original_kind { DNS_ORIGINAL_NONE, DNS_ORIGINAL_FILE, DNS_ORIGINAL_LINK };

struct dns_original {
	enum dns_original_kind kind;
	mode_t mode;
	uid_t uid;
	gid_t gid;
	struct buffer bytes; /* of the file, or where the link leads */
};

/* path/name, made if make says so. -ENOENT: there is none. Waits for the lock. */
MUST_CHECK int dns_saved_open(const char *path, const char *name, bool make, struct dns_saved *ret);
void dns_saved_close(struct dns_saved *s);

MUST_CHECK int dns_saved_keep_original(const struct dns_saved *s, const struct dns_original *o);
/* -ENOENT: none was kept; -EINVAL: it is damaged. ret is to be freed by its bytes. */
MUST_CHECK int dns_saved_original(const struct dns_saved *s, struct dns_original *ret);

/* What link wants; it becomes the newest, unless it is there already and says the same. */
MUST_CHECK int dns_saved_put(const struct dns_saved *s, const char *link, const char *bytes,
			     size_t len);
/* 1 and its bytes, 0: none, or negative errno. */
MUST_CHECK int dns_saved_get(const struct dns_saved *s, const char *link, struct buffer *ret);
/* 1 and the newest but that of `but` (may be NULL), 0: there is none, or negative errno. */
MUST_CHECK int dns_saved_newest(const struct dns_saved *s, const char *but,
				char ret_link[static HOST_NAME], struct buffer *ret);
/* Of link; with the last of them goes the original. */
MUST_CHECK int dns_saved_drop(const struct dns_saved *s, const char *link);

/* A plain file of at most 1 MB; follow: through links. */
MUST_CHECK int dns_read_at(int folder, const char *name, bool follow, struct buffer *ret);

#endif
