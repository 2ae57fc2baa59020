#include "control/wg_netlink.h"

#include <errno.h>
#include <linux/netlink.h>
#include <string.h>
#include <unistd.h>

#include "base/netlink.h"
#include "control/wg_message.h"

/* wg(8)'s: a page, but no more than that. */
static size_t request_room(void)
{
	const long page = sysconf(_SC_PAGESIZE);

	return page > 0 && page < WG_MESSAGE_ROOM_MAX ? (size_t)page : WG_MESSAGE_ROOM_MAX;
}

struct request {
	_Alignas(struct nlmsghdr) uint8_t bytes[WG_MESSAGE_ROOM_MAX];
};

static int take_nothing(void *ctx, const struct nlmsghdr *message)
{
	(void)ctx;
	(void)message;
	return 0;
}

static int take_family(void *ctx, const struct nlmsghdr *message)
{
	return wg_message_read_family(message, ctx);
}

static int take_piece(void *ctx, const struct nlmsghdr *message)
{
	return wg_message_read(message, ctx);
}

static int exchange(int fd, struct request *r, netlink_handler *handle, void *ctx)
{
	return netlink_exchange(fd, (struct nlmsghdr *)(void *)r->bytes, handle, ctx);
}

static int find_family(int fd, uint16_t *ret)
{
	uint16_t family = 0;
	struct request r;
	int error;

	wg_message_write_family(r.bytes, sizeof(r.bytes));
	error = exchange(fd, &r, take_family, &family);
	if (error == -ENOENT || (!error && !family))
		return -EPROTONOSUPPORT;
	if (!error)
		*ret = family;
	return error;
}

int wg_netlink_get_over(int fd, const char *name, struct model *ret)
{
	uint16_t family;
	struct request r;
	int error = find_family(fd, &family);

	while (!error) {
		wg_message_write_get(r.bytes, sizeof(r.bytes), family, name);
		error = exchange(fd, &r, take_piece, ret);
		if (!error)
			return 0;
		model_done(ret); /* and if it changed meanwhile, from the start */
		if (error == -EINTR)
			error = 0;
	}
	return error;
}

int wg_netlink_get(const char *name, struct model *ret)
{
	int fd, error;

	if (strlen(name) >= MODEL_NAME)
		return -ENAMETOOLONG;
	fd = netlink_open(NETLINK_GENERIC);
	if (fd < 0)
		return fd;
	error = wg_netlink_get_over(fd, name, ret);
	close(fd);
	return error;
}

int wg_netlink_set_over(int fd, const char *name, const struct model *patch, size_t *ret_peers)
{
	struct wg_message_cursor c = { 0 };
	char cut[MODEL_NAME] = "";
	uint16_t family;
	struct request r;
	int error;

	*ret_peers = 0;
	memcpy(cut, name, strnlen(name, sizeof(cut) - 1));
	error = find_family(fd, &family);
	while (!error && wg_message_write_set(&c, patch, cut, family, r.bytes, request_room())) {
		error = exchange(fd, &r, take_nothing, NULL);
		if (!error)
			*ret_peers = c.peer;
	}
	explicit_bzero(&r, sizeof(r));
	return error;
}

int wg_netlink_set(const char *name, const struct model *patch, size_t *ret_peers)
{
	const int fd = netlink_open(NETLINK_GENERIC);
	int error;

	*ret_peers = 0;
	if (fd < 0)
		return fd;
	error = wg_netlink_set_over(fd, name, patch, ret_peers);
	close(fd);
	return error;
}

struct lister {
	wg_netlink_found *found;
	void *ctx;
};

static int take_link(void *ctx, const struct nlmsghdr *message)
{
	const struct lister *l = ctx;
	char name[MODEL_NAME];

	wg_message_read_link(message, name);
	return name[0] ? l->found(l->ctx, name) : 0;
}

int wg_netlink_list_over(int fd, wg_netlink_found *found, void *ctx)
{
	struct lister l = { found, ctx };
	struct request r;
	int error;

	wg_message_write_links(r.bytes, sizeof(r.bytes));
	error = exchange(fd, &r, take_link, &l);
	return error == -EINTR ? 0 : error; /* links that came or went may be missing */
}

int wg_netlink_list(wg_netlink_found *found, void *ctx)
{
	const int fd = netlink_open(NETLINK_ROUTE);
	int error;

	if (fd < 0)
		return fd;
	error = wg_netlink_list_over(fd, found, ctx);
	close(fd);
	return error;
}
