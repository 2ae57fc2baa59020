#ifndef DEVICE_TUN_H
#define DEVICE_TUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "model/diag.h"

/*
 * The inner side: a TUN device that carries IP packets. The descriptor is non-blocking. Packets
 * come and go without any virtio header as callers see them; the device itself is opened with one
 * (IFF_VNET_HDR), so that offloads can be switched on later. Any thread may read or write; one
 * reader and one writer at a time.
 */
enum { TUN_NAME = 16, TUN_MTU_DEFAULT = 1420 };

struct tun {
	int fd;
	int header; /* length of the virtio header on this descriptor, 0 where it has none */
	char name[TUN_NAME]; /* as the kernel chose it */
};

/*
 * Create the device: MTU 1420, no IPv6 link-local address of its own (addr_gen_mode none, as the
 * kernel driver). The name may be empty or hold "%d". -EBUSY: the name is taken (by a TUN in use or
 * any other link). why says it in words.
 */
MUST_CHECK int tun_open(const char *name, struct diag *why, struct tun *ret);
/*
 * Take over an open TUN descriptor (WG_TUN_FD): its real name wins, and offloads are switched off.
 * Owns fd on success. It must have been opened with IFF_NO_PI, which cannot be asked: TUNGETIFF
 * sets that bit as IFF_NOFILTER too.
 */
MUST_CHECK int tun_adopt(int fd, struct diag *why, struct tun *ret);
void tun_close(struct tun *t);

/*
 * One packet. Its length, -EAGAIN when there is none, -EMSGSIZE when it is longer than room
 * (dropped), -EBADFD when the device is gone. Writing: -EIO while the link is down, -EINVAL for
 * what is no IP packet.
 */
MUST_CHECK ssize_t tun_read(const struct tun *t, uint8_t *buf, size_t room);
MUST_CHECK int tun_write(const struct tun *t, const uint8_t *packet, size_t len);

#endif
