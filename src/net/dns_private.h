#ifndef NET_DNS_PRIVATE_H
#define NET_DNS_PRIVATE_H

/* What the files of net/dns.h share. */
#define DNS_FILE_PATH "/etc/resolv.conf"
#define DNS_STATE_PATH "/var/lib/warren/dns"

#endif
