#ifndef DEVICE_OFFLOAD_H
#define DEVICE_OFFLOAD_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * What splitting (offload_split.h) and joining (offload_join.h) share: the virtio header that
 * stands before a packet of a TUN opened with IFF_VNET_HDR, legacy layout, in this machine's byte
 * order. The numbers are those of linux/virtio_net.h, told here so that both modules stay pure.
 */
enum {
	OFFLOAD_HEADER = 10,
	OFFLOAD_MAX = 65535,     /* bytes of a super-packet, its headers included */
	OFFLOAD_SEGMENTS = 8192, /* of one super-packet: 8 bytes is the kernel's smallest for TCP */
	OFFLOAD_UDP_SEGMENTS = 64 /* what every kernel with UDP_L4 takes */
};

/* Kinds of super-packet, as bits. */
enum offload_kind {
	OFFLOAD_PLAIN = 0, /* a packet of any protocol that is none */
	OFFLOAD_TCP4 = 1,
	OFFLOAD_TCP6 = 2,
	OFFLOAD_UDP4 = 4,
	OFFLOAD_UDP6 = 8,
	OFFLOAD_ALL = 15,
};

static inline bool offload_is_tcp(enum offload_kind kind)
{
	return kind == OFFLOAD_TCP4 || kind == OFFLOAD_TCP6;
}

static inline bool offload_is_v4(enum offload_kind kind)
{
	return kind == OFFLOAD_TCP4 || kind == OFFLOAD_UDP4;
}

enum {
	OFFLOAD_NEEDS_CSUM = 1, /* flags */

	OFFLOAD_GSO_NONE = 0, /* type */
	OFFLOAD_GSO_TCPV4 = 1,
	OFFLOAD_GSO_TCPV6 = 4,
	OFFLOAD_GSO_UDP_L4 = 5,
	OFFLOAD_GSO_ECN = 0x80, /* with a TCP type: CWR is set, and belongs to the first segment */
};

struct offload_header {
	uint8_t flags;
	uint8_t type;
	uint16_t header; /* bytes of all headers; a hint */
	uint16_t size;   /* payload bytes of every segment but the last */
	uint16_t start;  /* the checksum covers what begins here */
	uint16_t offset; /* and is stored so far behind start */
};

static_assert(sizeof(struct offload_header) == OFFLOAD_HEADER);

/* Numbers of the inner protocols that both modules read and write. */
enum {
	OFFLOAD_V4_HEADER = 20,
	OFFLOAD_V6_HEADER = 40,
	OFFLOAD_TCP_HEADER = 20,
	OFFLOAD_UDP_HEADER = 8,
	OFFLOAD_PROTO_TCP = 6,
	OFFLOAD_PROTO_UDP = 17,
	OFFLOAD_TCP_CHECKSUM = 16, /* offset in its header */
	OFFLOAD_UDP_CHECKSUM = 6,
	OFFLOAD_FIN = 0x01,
	OFFLOAD_PSH = 0x08,
	OFFLOAD_ACK = 0x10,
	OFFLOAD_ECE = 0x40,
	OFFLOAD_CWR = 0x80,
};

#endif
