#include "control/devices.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/uapi_client.h"
#include "control/wg_netlink.h"

#define SUFFIX ".sock"

struct lister {
	struct device_list list;
	enum device_kind kind;
};

/* One who listens, or says why not: only a socket that nobody serves is none. */
static bool is_served(int error)
{
	return error != -EINVAL && error != -ENOENT && error != -EBADF && error != -ECONNREFUSED;
}

static int add(void *ctx, const char *name)
{
	struct lister *l = ctx;
	struct device_entry *items;

	items = reallocarray(l->list.items, l->list.count + 1, sizeof(*items));
	if (!items)
		return -ENOMEM;
	l->list.items = items;
	items[l->list.count] = (struct device_entry){ strdup(name), l->kind };
	if (!items[l->list.count].name)
		return -ENOMEM;
	++l->list.count;
	return 0;
}

static int probe(const char *dir, const char *name)
{
	int fd;
	const int error = uapi_client_connect(dir, name, &fd);

	if (!error)
		close(fd);
	return error;
}

static int add_socket(struct lister *l, const char *dir, char *file)
{
	const size_t len = strlen(file), tail = strlen(SUFFIX);

	if (len <= tail || strcmp(file + len - tail, SUFFIX) != 0)
		return 0;
	file[len - tail] = '\0';
	return is_served(probe(dir, file)) ? add(l, file) : 0;
}

static int list_sockets(struct lister *l, const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *e;
	int error = 0;

	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while (!error && (e = readdir(dir)))
		error = add_socket(l, path, e->d_name);
	(void)closedir(dir); /* only read */
	return error;
}

int devices_list(const char *dir, struct device_list *ret)
{
	struct lister l = { .kind = DEVICE_KERNEL };
	int error = wg_netlink_list(add, &l);

	l.kind = DEVICE_USERSPACE;
	if (!error)
		error = list_sockets(&l, dir);
	if (error)
		devices_done(&l.list);
	else
		*ret = l.list;
	return error;
}

void devices_done(struct device_list *l)
{
	for (size_t i = 0; i < l->count; ++i)
		free(l->items[i].name);
	free(l->items);
	*l = (struct device_list){ 0 };
}

static int get(void *ctx, struct model_cursor *cursor, struct model *ret)
{
	const struct device *d = ctx;
	int fd, error = uapi_client_connect(d->dir, d->name, &fd);

	*cursor = (struct model_cursor){ 0 };
	if (!is_served(error))
		return wg_netlink_get(d->name, ret);
	if (error)
		return error;
	error = uapi_client_get(fd, ret);
	close(fd);
	if (!error)
		(void)snprintf(ret->name, sizeof(ret->name), "%s", d->name); /* cut if too long */
	return error;
}

static bool removes_addresses(const struct model *patch)
{
	for (size_t i = 0; i < patch->peer_count; ++i)
		for (size_t j = 0; j < patch->peers[i].allowed_count; ++j)
			if (patch->peers[i].allowed[j].remove)
				return true;
	return false;
}

/* Can some of it be in force when the kernel refuses the rest? Not what it refuses at first sight.
 */
static bool may_be_half_done(int error, const struct model *patch)
{
	const int settings = patch->has_private_key + patch->has_listen_port + patch->has_fwmark +
			     patch->replace_peers;

	if (error == -ENODEV || error == -EOPNOTSUPP || error == -EPERM ||
	    error == -EPROTONOSUPPORT)
		return false;
	return patch->peer_count || settings > 1;
}

void devices_explain_kernel(int error, size_t settled, const struct model *patch, struct diag *why)
{
	if (settled)
		diag_set(why, DIAG_ERROR, "kernel-set", 0,
			 "%s; the first %zu of %zu peers were changed before that, and perhaps "
			 "some of what follows",
			 strerror(-error), settled, patch->peer_count);
	else if (may_be_half_done(error, patch))
		diag_set(why, DIAG_ERROR, "kernel-set", 0,
			 "%s; what comes before the part that was refused may have been changed",
			 strerror(-error));
	else
		diag_set(why, DIAG_ERROR, "kernel-set", 0, "%s", strerror(-error));
	if (error == -EINVAL && removes_addresses(patch))
		(void)snprintf(why->hint, sizeof(why->hint), "%s", /* fits */
			       "Linux before 6.16 takes no \"-\" before an allowed address");
}

static int set_kernel(const struct device *d, const struct model *patch, struct diag *why)
{
	size_t settled = 0;
	const int error = wg_netlink_set(d->name, patch, &settled);

	if (error)
		devices_explain_kernel(error, settled, patch, why);
	return error;
}

static int set(void *ctx, const struct model *patch, struct diag *why)
{
	const struct device *d = ctx;
	int fd, error = uapi_client_connect(d->dir, d->name, &fd);

	if (!is_served(error))
		return set_kernel(d, patch, why);
	if (!error) {
		error = uapi_client_set(fd, patch);
		close(fd);
	}
	if (error)
		diag_set(why, DIAG_ERROR, "uapi-set", 0, "%s", strerror(-error));
	return error;
}

static int diagnose(void *ctx, struct diagnosis *ret)
{
	const struct device *d = ctx;
	int fd, error = uapi_client_connect(d->dir, d->name, &fd);

	if (!is_served(error))
		return -EOPNOTSUPP;
	if (error)
		return error;
	error = uapi_client_diagnose(fd, ret);
	close(fd);
	return error;
}

void device_init(struct device *d, const char *dir, const char *name)
{
	*d = (struct device){ .backend = { get, set, diagnose, d }, .dir = dir, .name = name };
}

enum device_kind device_kind(const struct device *d)
{
	return is_served(probe(d->dir, d->name)) ? DEVICE_USERSPACE : DEVICE_KERNEL;
}
