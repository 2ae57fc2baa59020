#include "net/firewall_watch.h"

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>
#include <unistd.h>

#include "base/netlink.h"

int firewall_watch_open(struct firewall_watch *w)
{
	static const int group = NFNLGRP_NFTABLES;

	*w = (struct firewall_watch){ .fd = netlink_listen(NETLINK_NETFILTER, &group, 1, 0) };
	return w->fd < 0 ? w->fd : 0;
}

void firewall_watch_close(struct firewall_watch *w)
{
	if (w->fd >= 0)
		close(w->fd);
	w->fd = -1;
}

/* The end of a change says who made it. */
static void take_generation(struct firewall_watch *w, const struct nlmsghdr *message)
{
	struct netlink_attribute a;
	struct netlink_walk walk;
	size_t len;

	w->who[0] = '\0';
	netlink_walk_message(&walk, message, sizeof(struct nfgenmsg));
	while (netlink_walk_next(&walk, &a)) {
		if (a.type != NFTA_GEN_PROC_NAME)
			continue;
		len = strnlen((const char *)a.bytes, a.len);
		len = len < sizeof(w->who) - 1 ? len : sizeof(w->who) - 1;
		memcpy(w->who, a.bytes, len);
		w->who[len] = '\0';
	}
}

/* All that comes is: the group tells of nothing else. */
static bool take_news(void *ctx, const struct nlmsghdr *message)
{
	if (message->nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWGEN))
		take_generation(ctx, message);
	return true;
}

bool firewall_watch_take(struct firewall_watch *w, const void *bytes, size_t len)
{
	return netlink_any(bytes, len, take_news, w);
}

int firewall_watch_read(struct firewall_watch *w)
{
	return netlink_drain(w->fd, take_news, w);
}
