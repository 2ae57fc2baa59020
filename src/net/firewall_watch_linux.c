#include "net/firewall_watch.h"

#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/netlink.h"

int firewall_watch_open(struct firewall_watch *w)
{
	/* Without a number of its own it would be taken for the kernel, and told nothing. */
	const struct sockaddr_nl any = { .nl_family = AF_NETLINK };
	static const int group = NFNLGRP_NFTABLES;
	int status;

	*w = (struct firewall_watch){
		.fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER)
	};
	if (w->fd < 0)
		return -errno;
	if (bind(w->fd, (const struct sockaddr *)&any, sizeof(any)) == 0 &&
	    setsockopt(w->fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) == 0)
		return 0;
	status = -errno;
	firewall_watch_close(w);
	return status;
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

bool firewall_watch_take(struct firewall_watch *w, const void *bytes, size_t len)
{
	const uint8_t *at = bytes;
	bool changed = false;

	while (len >= sizeof(struct nlmsghdr)) {
		const struct nlmsghdr *message = (const void *)at;
		size_t step;

		if (message->nlmsg_len < sizeof(*message) || message->nlmsg_len > len)
			return true; /* not understood is as good as lost */
		changed = true;
		if (message->nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWGEN))
			take_generation(w, message);
		step = netlink_align(message->nlmsg_len);
		step = step < len ? step : len;
		at += step;
		len -= step;
	}
	return changed;
}

/* 1, 0, or a negative errno: -EAGAIN when it is empty. */
static int read_once(struct firewall_watch *w, uint8_t *piece)
{
	struct sockaddr_nl from = { 0 };
	socklen_t from_len = sizeof(from);
	const ssize_t len = recvfrom(w->fd, piece, NETLINK_PIECE, MSG_TRUNC,
				     (struct sockaddr *)&from, &from_len);

	if (len < 0)
		return errno == ENOBUFS ? 1 : errno == EINTR ? 0 : -errno;
	if (from.nl_pid != 0)
		return 0; /* not of the kernel */
	return len > NETLINK_PIECE || firewall_watch_take(w, piece, (size_t)len);
}

int firewall_watch_read(struct firewall_watch *w)
{
	uint8_t *const piece = malloc(NETLINK_PIECE);
	bool changed = false;
	int status = 0;

	if (!piece)
		return -ENOMEM;
	while (status >= 0) {
		status = read_once(w, piece);
		changed |= status == 1;
	}
	free(piece);
	return status == -EAGAIN ? changed : status;
}
