#ifndef PLANE_H
#define PLANE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "device/device_private.h"
#include "device/inbound.h"
#include "device/outbound.h"
#include "packets.h"
#include "pair.h"

/*
 * The data plane of two hosts that face each other (pair.h), built by hand and without threads:
 * host 0 sends from its TUN, host 1 receives. A TUN is one end of a SOCK_SEQPACKET pair: each
 * record is one read or one write, virtio header first. The hosts have packets (packets.h) of
 * 10.0.1.0/24 and fd01::/16 on one side, 10.0.2.0/24 and fd02::/16 on the other. Zero in between.
 */
enum { PLANE_RECORD = OFFLOAD_HEADER + 65536, PLANE_MTU = 1420 };

struct plane {
	struct pair pair;
	struct device d[2];
	int far[2]; /* the test's end of each TUN */
	struct outbound out;
	struct inbound in;
};

/* No sockets, all offloads on, a session. */
void plane_init(struct plane *p);
void plane_init_without_session(struct plane *p);
/* With sockets on 127.0.0.1, in a namespace of the test's own. */
void plane_init_with_sockets(struct plane *p);
void plane_done(struct plane *p);

/* A second session: the first becomes the previous one. */
void plane_rekey(struct plane *p);
/* The key and index with which host 1 receives in its session. */
const struct session *plane_receiving(const struct plane *p);

/* What the TUN of host 0 has to be read: a plain packet where header is NULL. */
void plane_feed(struct plane *p, const uint8_t *header, const uint8_t *packet, size_t len);
/* What host i wrote into its TUN; -1: nothing any more. */
ssize_t plane_take(struct plane *p, unsigned int i, uint8_t ret[static PLANE_RECORD]);
uint64_t plane_count(const struct plane *p, unsigned int i, enum device_count which);
/* All rejects of a host together. */
uint64_t plane_all_rejects(const struct plane *p, unsigned int i);
/* The packets are the same, one by one. */
void plane_compare(const struct packet_list *want, const struct packet_list *got);

#endif
