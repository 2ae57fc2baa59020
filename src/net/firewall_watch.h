#ifndef NET_FIREWALL_WATCH_H
#define NET_FIREWALL_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

/*
 * A socket that hears of every change to nftables in the caller's namespace; readable when there is
 * news. Our own changes are news too.
 */
enum { FIREWALL_WATCH_WHO = 32 };

struct firewall_watch {
	int fd;                       /* -1: not open */
	char who[FIREWALL_WATCH_WHO]; /* the program of the last change, "" if it is not known */
};

MUST_CHECK int firewall_watch_open(struct firewall_watch *w);
/* Drains it: 1 something changed (or was lost), 0 nothing, negative errno. */
MUST_CHECK int firewall_watch_read(struct firewall_watch *w);
void firewall_watch_close(struct firewall_watch *w);

/* Pure: what one receive brought. True: something changed. */
MUST_CHECK bool firewall_watch_take(struct firewall_watch *w, const void *bytes, size_t len);

#endif
