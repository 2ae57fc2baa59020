#include "control/wg_netlink.h"

#include <errno.h>

int wg_netlink_get(const char *name, struct model *ret)
{
	(void)name;
	(void)ret;
	return -EPROTONOSUPPORT;
}

int wg_netlink_set(const char *name, const struct model *patch, size_t *ret_peers)
{
	(void)name;
	(void)patch;
	*ret_peers = 0;
	return -EPROTONOSUPPORT;
}

int wg_netlink_list(wg_netlink_found *found, void *ctx)
{
	(void)found;
	(void)ctx;
	return 0;
}
