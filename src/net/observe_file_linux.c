#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "base/bytes.h"
#include "net/observe.h"

/*
 * A POSIX access list as the kernel hands it out: a version, then entries of tag, permissions and
 * id, little-endian (acl(5); the names of linux/posix_acl_xattr.h).
 */
enum { ACL_HEADER = 4, ACL_ENTRY = 8, ACL_ROOM = ACL_HEADER + 256 * ACL_ENTRY };
enum { ACL_USER = 0x02, ACL_GROUP_OBJ = 0x04, ACL_GROUP = 0x08, ACL_MASK = 0x10 };

struct acl_entry {
	uint16_t tag;
	uint8_t may;
	uint32_t id;
};

static struct acl_entry entry_at(const uint8_t *p)
{
	return (struct acl_entry){ (uint16_t)(p[0] | p[1] << 8), p[2] & 7, load32_le(p + 4) };
}

static uint8_t mask_of(const uint8_t *list, size_t len)
{
	for (size_t at = ACL_HEADER; at + ACL_ENTRY <= len; at += ACL_ENTRY)
		if (entry_at(list + at).tag == ACL_MASK)
			return entry_at(list + at).may;
	return 7;
}

static int add_grant(struct host_node *n, const struct acl_entry *e, uint8_t mask)
{
	struct host_grant *grant = host_add_grant(n);

	if (!grant)
		return -ENOMEM;
	*grant = (struct host_grant){ .who = e->tag == ACL_USER ? HOST_USER : HOST_GROUP,
				      .id = e->id,
				      .may = e->may & mask };
	return 0;
}

/* A file without a list of its own, or on a file system without lists, adds nothing. */
static int read_acl(struct host_node *n)
{
	uint8_t list[ACL_ROOM];
	const ssize_t got = getxattr(n->path, "system.posix_acl_access", list, sizeof(list));
	const size_t len = got > 0 ? (size_t)got : 0;
	const uint8_t mask = mask_of(list, len);

	for (size_t at = ACL_HEADER; at + ACL_ENTRY <= len; at += ACL_ENTRY) {
		const struct acl_entry e = entry_at(list + at);
		int status = 0;

		if (e.tag == ACL_GROUP_OBJ) /* st_mode shows the mask in its place */
			n->mode = (n->mode & ~070U) | (uint32_t)(e.may & mask) << 3;
		else if (e.tag == ACL_USER || e.tag == ACL_GROUP)
			status = add_grant(n, &e, mask);
		if (status < 0)
			return status;
	}
	return 0;
}

/* Many systems give each user a group of the same name with nobody else in it. */
static bool is_private_group(uint32_t uid, uint32_t gid)
{
	const struct passwd *user = getpwuid(uid);
	const struct group *group = getgrgid(gid);

	return user && group && user->pw_gid == gid && strcmp(user->pw_name, group->gr_name) == 0 &&
	       (!group->gr_mem[0] ||
		(strcmp(group->gr_mem[0], user->pw_name) == 0 && !group->gr_mem[1]));
}

/* Asking is slow, and files that are checked together mostly have one owner. */
static bool group_is_private(const struct host_facts *h, uint32_t uid, uint32_t gid)
{
	if (uid == 0 && gid == 0)
		return true;
	for (size_t i = h->file_count < 2 ? 0 : h->file_count - 2; i < h->file_count; ++i)
		for (size_t k = 0; k < h->files[i].node_count; ++k)
			if (h->files[i].nodes[k].uid == uid && h->files[i].nodes[k].gid == gid)
				return h->files[i].nodes[k].group_is_private;
	return is_private_group(uid, gid);
}

static int add_node(const struct host_facts *h, struct host_file *f, const char *path)
{
	bool private;
	struct host_node *node;
	struct stat st;

	if (stat(path, &st) < 0)
		return -errno;
	if (f->node_count == 0 && !S_ISREG(st.st_mode))
		return -EINVAL; /* a terminal, say: who may use it is not who may read a file */
	private = group_is_private(h, st.st_uid, st.st_gid);
	node = host_add_node(f);
	if (!node)
		return -ENOMEM;
	node->path = strdup(path);
	if (!node->path)
		return -ENOMEM;
	node->mode = st.st_mode;
	node->uid = st.st_uid;
	node->gid = st.st_gid;
	node->group_is_private = private;
	return read_acl(node);
}

/* path is cut at its last name again and again, until / has been seen. */
static int add_folders(const struct host_facts *h, struct host_file *f, char *path)
{
	int status = 0;

	while (status == 0 && path[1] != '\0') {
		char *slash = strrchr(path, '/');

		slash[slash == path] = '\0';
		status = add_node(h, f, path);
	}
	return status;
}

int observe_file(struct host_facts *h, const char *file)
{
	char *path = realpath(file, NULL);
	struct host_file *f;
	int status;

	if (!path)
		return errno == ENOMEM ? -ENOMEM : 0;
	f = host_add_file(h);
	if (!f) {
		free(path);
		return -ENOMEM;
	}
	f->file = file;
	status = add_node(h, f, path);
	if (status == 0)
		status = add_folders(h, f, path);
	free(path);
	if (status < 0 && status != -ENOMEM) { /* half a path proves nothing */
		host_file_clear(f);
		status = 0;
	}
	return status;
}
