#ifndef NET_DNS_PRIVATE_H
#define NET_DNS_PRIVATE_H

#include "net/dns_host.h"

/* What the files of net/dns.h share. */
#define DNS_FILE_PATH "/etc/resolv.conf"
#define DNS_STATE_PATH "/var/lib/warren/dns"

const char *dns_back_end_name(enum dns_back_end b); /* of an item */

#endif
