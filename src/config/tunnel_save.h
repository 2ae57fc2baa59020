#ifndef CONFIG_TUNNEL_SAVE_H
#define CONFIG_TUNNEL_SAVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buffer.h"
#include "config/file.h"
#include "model/tunnel.h"

/*
 * From a file and what runs to the file that would make what runs: the old one, and in it only what
 * differs. Comments, order, names, spelling and everything that the device does not tell (DNS,
 * hooks, Table, our own keys) stay byte for byte. Pure.
 *
 * A host name in Endpoint stays; an address there becomes the one in use. New peers come at the
 * end, peers that are gone leave with the comments above and inside them. A key that a hook sets is
 * not written down, and neither is what the host chose: a port or a mark that the file does not
 * have.
 *
 * Where it is known what the file said when it became what runs, what somebody edited since stays
 * as it was edited (A20): a key that differs, a peer that differs, came or went. What runs is only
 * written over what the edits left alone.
 */
struct tunnel_running {
	const struct model *device;     /* a state */
	const struct prefix *addresses; /* of the link, host bits kept */
	size_t address_count;
	bool has_addresses;  /* false: unknown, those of the file stay */
	bool no_ipv6;        /* the host has none: addresses of it stay in the file */
	bool port_is_chosen; /* a listen port that the file does not have came from the host */
	bool mark_is_chosen; /* likewise the mark */
	uint32_t mtu;        /* 0: unknown */
	const struct tunnel *base; /* what the file said then; NULL: unknown */
};

/*
 * The new bytes. t is what tunnel_read made of f. Two sections of one peer become one where the
 * peer has changed. False: out of memory; b then holds a part of it.
 */
MUST_CHECK bool tunnel_save(const struct config_file *f, const struct tunnel *t,
			    const struct tunnel_running *r, struct buffer *b);

#endif
