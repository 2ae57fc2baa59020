#ifndef DEVICE_REQUEST_H
#define DEVICE_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/key.h"
#include "device/udp.h"
#include "model/diag.h"

/*
 * What an engine may ask of its monitor: a closed list of messages of one size. The engine parses
 * what strangers send and may be subverted, so the monitor believes nothing beyond what
 * request_check lets pass: the exact length, a kind of the list, values in range, and zero in every
 * field that the kind does not use. Both ends are one program, so the bytes are the struct. Pure.
 */
enum request_kind {
	REQUEST_RUNNING = 1, /* traffic is carried */
	REQUEST_BIND,        /* port, mark: new sockets, held beside those in use */
	REQUEST_USE,         /* what was bound takes the place of what is in use */
	REQUEST_DROP,        /* what was bound is given back */
	REQUEST_MARK,        /* mark: of the sockets in use */
	REQUEST_READ_FLOOR,  /* key */
	REQUEST_WRITE_FLOOR, /* key, floor */
	REQUEST_LAST,
};

struct request {
	uint32_t kind;
	uint32_t port;
	uint32_t mark;
	uint32_t zero;
	uint64_t floor; /* ns since 1970 */
	struct key_public key;
};

/* False: no request that an engine of ours makes; ret is untouched. */
MUST_CHECK bool request_check(const void *bytes, size_t len, struct request *ret);

enum { UDP_FDS = 2 * UDP_SOCKETS };

/* The answer. With sockets: their descriptors come along, in the order of the bits. */
struct reply {
	int32_t error; /* 0 or negative errno; then the words below tell more, for the log */
	uint32_t port;
	uint64_t floor;
	uint32_t sockets; /* bit i: place i of udp_to_fds is filled */
	char text[DIAG_TEXT];
	uint32_t zero;
};

/* What a monitor tells its engine, unasked. */
enum news_kind { NEWS_LINK = 1, NEWS_END };

struct news {
	uint32_t kind;
	uint32_t mtu;
	uint8_t is_up;
	uint8_t is_moved;
	uint8_t is_gone;
	uint8_t zero;
};

#endif
