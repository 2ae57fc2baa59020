#ifndef PACKETS_H
#define PACKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "device/offload.h"

/*
 * Inner packets for the tests of splitting and joining, and a slow splitter that shares nothing
 * with ours. Built whole and right; a test then spoils what it wants.
 */
enum { PACKET_ROOM = 65536 + 64 };

struct packet_spec {
	enum offload_kind kind;
	uint8_t host; /* last byte of both addresses */
	uint16_t port;
	uint16_t id; /* IPv4 */
	uint32_t seq;
	uint8_t flags;  /* TCP: besides ACK */
	size_t options; /* TCP: bytes, a multiple of 4 */
	size_t between; /* bytes of IPv4 options (of 4), or of IPv6 destination options (of 8) */
	size_t payload;
	uint8_t fill; /* the payload follows from it */
};

size_t packet_build(const struct packet_spec *s, uint8_t *ret);
size_t packet_start(const uint8_t *p);   /* where the TCP or UDP header is */
size_t packet_field(const uint8_t *p);   /* where its checksum is */
size_t packet_headers(const uint8_t *p); /* bytes of all headers */

/* RFC 1071 as it is told: 16-bit words, carries added back, one at a time. */
uint16_t packet_sum(uint16_t seed, const uint8_t *p, size_t len);
void packet_finish(uint8_t *p, size_t len);         /* put right checksums in */
void packet_unfinish(uint8_t *p, size_t len);       /* only the sum of the pseudo header */
bool packet_is_right(const uint8_t *p, size_t len); /* lengths and checksums */
/* The same bytes, 0 and 0xffff being the same checksum. */
bool packet_is_same(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len);

struct packet_list {
	size_t count;
	size_t used; /* bytes */
	struct {
		size_t at;
		size_t len;
	} rows[8192];
	uint8_t bytes[4 << 20];
};

void packet_list_add(struct packet_list *l, const uint8_t *p, size_t len);
const uint8_t *packet_list_at(const struct packet_list *l, size_t i, size_t *ret_len);
/* What the kernel would make of it, byte by byte; appended. */
void packet_list_split(struct packet_list *l, const uint8_t *header, const uint8_t *p, size_t len);
/* The virtio header that goes with an unfinished super-packet. */
void packet_header(const uint8_t *p, size_t size, uint8_t ret[static OFFLOAD_HEADER]);

#endif
