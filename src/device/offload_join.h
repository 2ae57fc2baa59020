#ifndef DEVICE_OFFLOAD_JOIN_H
#define DEVICE_OFFLOAD_JOIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "device/offload.h"

/*
 * Inner packets on their way into a TUN: those of one conversation that follow each other become
 * one super-packet, by the rules of the kernel's own GRO. Packets of one conversation never
 * overtake each other; nothing is joined over a difference that splitting would not bring back;
 * what has a wrong checksum passes alone and unchanged.
 *
 * Joins: TCP with ACK and payload, in sequence; ACK number, window, ECE, urgent pointer and options
 * equal; CWR only on the first; no larger than the first; PSH or a shorter one ends the run. UDP
 * with a checksum, of equal size, a shorter one ends it. IPv4 without options or fragments, same
 * TOS, TTL and DF, the ID counting up (or with DF set staying the same: it has no meaning then, RFC
 * 6864, and comes out counting); IPv6 without extension headers, same class, label and hop limit.
 *
 * Pure but for the sink. One thread. Packets are borrowed until the flush and may be written to:
 * their headers and the OFFLOAD_HEADER bytes in front of them.
 */
enum {
	OFFLOAD_RUNS = 8,        /* conversations that are open at once */
	OFFLOAD_RUN_PARTS = 128, /* packets of a run, and parts of a write */
};

struct offload_sink {
	/* One write: `parts` gathered is what the TUN gets, its virtio header first; it stands for
	 * `packets` inner packets. At most OFFLOAD_RUN_PARTS parts. */
	void (*write)(void *ctx, const struct iovec *parts, int count, size_t packets);
	void *ctx;
};

struct offload_run {
	enum offload_kind kind;
	uint8_t *first;   /* its first packet, not changed before the run is written */
	size_t headers;   /* bytes of all its headers */
	size_t size;      /* payload of the first: none is larger */
	size_t total;     /* bytes of the super-packet */
	size_t count;     /* packets, one part each */
	uint32_t next;    /* TCP: sequence number that follows */
	bool is_fixed_id; /* IPv4: the ID does not count */
	bool is_pushed;   /* PSH on the last */
	struct iovec parts[OFFLOAD_RUN_PARTS];
};

struct offload_join {
	struct offload_sink sink;
	unsigned int kinds;
	bool has_header;
	size_t used;
	uint8_t order[OFFLOAD_RUNS]; /* of runs: the used ones, oldest first, then the free ones */
	struct offload_run runs[OFFLOAD_RUNS];
};

/*
 * kinds: those that may be joined, 0 for none. has_header: the TUN wants a virtio header; without
 * one nothing can be joined, and kinds must be 0.
 */
void offload_join_init(struct offload_join *j, const struct offload_sink *sink, unsigned int kinds,
		       bool has_header);
/* One packet, len <= OFFLOAD_MAX, without padding. May write others, or it, at once. */
void offload_join_add(struct offload_join *j, uint8_t *packet, size_t len);
/* Write what is open, oldest first. */
void offload_join_flush(struct offload_join *j);

#endif
