#ifndef NET_DNS_LOOK_H
#define NET_DNS_LOOK_H

#include "net/dns_host.h"

/* Gathers what dns_host_choose judges. Changes nothing and needs no privilege; what cannot be read
 * is as if it were not there. */
void dns_look(const char *file, struct dns_host *ret);
/* Does the text of /etc/nsswitch.conf send host names to systemd-resolved? */
MUST_CHECK bool dns_look_nss(const char *bytes, size_t len);

#endif
