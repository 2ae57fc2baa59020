#ifndef CONTROL_UAPI_H
#define CONTROL_UAPI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buffer.h"
#include "model/diag.h"
#include "model/diagnosis.h"
#include "model/model.h"

/*
 * The text protocol of userspace WireGuard (wireguard.com/xplatform, behaviour.md B), both
 * directions, no sockets. The parser takes bytes as they come, in any pieces; it never resolves a
 * name and applies nothing.
 */
enum uapi_status {
	UAPI_MORE, /* the request is not complete */
	UAPI_GET,
	UAPI_SET,      /* parser->patch is complete and valid in itself */
	UAPI_DIAGNOSE, /* our extension: "diagnose=1" */
	UAPI_REFUSED,  /* parser->error is the errno to answer (negative); then close */
	UAPI_UNKNOWN,  /* no operation of ours: close without an answer */
};

enum { UAPI_LINE_MAX = 64 * 1024, UAPI_PEERS_MAX = 1 << 20 };

struct uapi_parser {
	enum uapi_status operation; /* UAPI_MORE until the first line came */
	struct model patch;
	struct diag
		why; /* UAPI_REFUSED: line, what, what would be right; never the value of a key */
	int error;
	unsigned int line; /* of this request, from 1 */
	bool in_peer;
	struct buffer partial; /* an incomplete line */
};

void uapi_parser_init(struct uapi_parser *p);
void uapi_parser_done(struct uapi_parser *p); /* wipes */
/*
 * Feed bytes; *ret_used of them belong to this request. After anything but UAPI_MORE the request is
 * over: init the parser anew for the next. Input that ends without the blank line is discarded by
 * uapi_parser_done.
 */
MUST_CHECK enum uapi_status uapi_parse(struct uapi_parser *p, const char *bytes, size_t len,
				       size_t *ret_used);

/* Rows of a get's answer: of one piece of the state. Zero and unset values are left out where
 * wireguard-go does so. */
void uapi_write_model(struct buffer *b, const struct model *m);
/* A whole set request from "set=1" to the blank line, in wg(8)'s order. */
void uapi_write_patch(struct buffer *b, const struct model *patch);
/* The same in pieces: what is the device's own, each peer, and the end. */
void uapi_write_patch_device(struct buffer *b, const struct model *patch);
void uapi_write_patch_peer(struct buffer *b, const struct model_peer *p);
void uapi_write_patch_end(struct buffer *b);
/*
 * In a set request: the preshared keys of these peers, which are in ascending order, become zeros
 * of the same length. peers NULL: of all peers.
 */
void uapi_wipe_psks(uint8_t *text, size_t len, const struct key_public *peers, size_t count);
/*
 * The rows of a diagnose's answer: one line per row, "key=" and columns split by one space, always
 * all of them. Numbers are decimal, keys 64 hex digits, the last time is seconds and nanoseconds
 * since 1970, FROM, TO and REPORTER are "1.2.3.4:5", "[v6]:5", an address alone (port 0: an inner
 * packet's), or "-" if unknown.
 *
 *   reject=REASON COUNT SEC NSEC FROM           of the device
 *   knock=KEY COUNT SEC NSEC FROM               an initiation of this key, which is no peer's
 *   icmp=TO TYPE CODE ERRNO COUNT SEC NSEC REPORTER
 *   count=NAME VALUE
 *   public_key=KEY                              from here on rejects are of this peer
 *   reject=REASON COUNT SEC NSEC FROM
 *
 * Then "errno=0" and the blank line, as in a get. New keys, and columns at the end of a row, may
 * come: skip them.
 */
void uapi_write_diagnosis(struct buffer *b, const struct diagnosis *d);
/* "errno=N" and the blank line. wg(8) wants a negative number after a set, a positive one else. */
void uapi_write_errno(struct buffer *b, enum uapi_status operation, int error);

#endif
