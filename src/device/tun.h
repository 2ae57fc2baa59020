#ifndef DEVICE_TUN_H
#define DEVICE_TUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "base/attr.h"
#include "device/offload.h"
#include "model/diag.h"

/*
 * The inner side: a TUN device that carries IP packets, through one queue or several. Descriptors
 * are non-blocking. Before each packet stands a virtio header (offload.h), so that one read or
 * write may carry a super-packet; an adopted descriptor may have none. Any thread may read or
 * write: the kernel takes and gives each packet whole. Only who reads a queue alone keeps its
 * order.
 */
enum { TUN_NAME = 16, TUN_MTU_DEFAULT = 1420, TUN_QUEUES_MAX = 8 };

struct tun {
	int fd;                         /* of the first queue */
	int others[TUN_QUEUES_MAX - 1]; /* of the second and so on */
	int queues;
	unsigned int offloads; /* kinds of super-packet that a read may bring (enum offload_kind) */
	int header; /* length of the virtio header on these descriptors, 0 where they have none */
	char name[TUN_NAME]; /* as the kernel chose it */
};

struct tun_config {
	const char *name;      /* may be empty or hold "%d" */
	int queues;            /* 1 .. TUN_QUEUES_MAX; 0 counts as 1 */
	unsigned int offloads; /* wanted; what the kernel has not got is left out */
};

/*
 * Create the device: MTU 1420, no IPv6 link-local address of its own (addr_gen_mode none, as the
 * kernel driver). -EBUSY: the name is taken (by a TUN in use or any other link). why says it in
 * words.
 */
MUST_CHECK int tun_open(const struct tun_config *config, struct diag *why, struct tun *ret);
/*
 * Take over an open TUN descriptor (WG_TUN_FD): its real name wins, and there is one queue. Owns fd
 * on success. It must have been opened with IFF_NO_PI, which cannot be asked: TUNGETIFF sets that
 * bit as IFF_NOFILTER too.
 */
MUST_CHECK int tun_adopt(int fd, unsigned int offloads, struct diag *why, struct tun *ret);
void tun_close(struct tun *t);

static inline int tun_queue(const struct tun *t, int queue)
{
	return queue == 0 ? t->fd : t->others[queue - 1];
}

/*
 * One packet and its virtio header (zero where the descriptor has none). Its length, -EAGAIN when
 * there is none, -EMSGSIZE when it is longer than room (dropped), -EBADFD when the device is gone.
 */
MUST_CHECK ssize_t tun_read(const struct tun *t, int queue, uint8_t header[static OFFLOAD_HEADER],
			    uint8_t *buf, size_t room);
/*
 * Write what the parts gather: the virtio header first where t->header is not 0. 0, -EIO while the
 * link is down, -EINVAL for what is no IP packet or a super-packet the kernel does not take.
 */
MUST_CHECK int tun_write(const struct tun *t, int queue, const struct iovec *parts, int count);
/* One plain packet. */
MUST_CHECK int tun_write_packet(const struct tun *t, int queue, const uint8_t *packet, size_t len);

/*
 * Whether the link is up, as the device itself knows before anybody is told: it can be written to.
 * A kernel before 5.2 says yes at all times.
 */
MUST_CHECK bool tun_is_up(const struct tun *t);

/*
 * Which kinds of super-packet the kernel takes when they are written: one of each is, with sums
 * that IP throws away at once (the host counts a header error for each). -EIO while the link is
 * down: nobody knows.
 */
MUST_CHECK int tun_probe(const struct tun *t, unsigned int *ret_kinds);

#endif
