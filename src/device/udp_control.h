#ifndef DEVICE_UDP_CONTROL_H
#define DEVICE_UDP_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/attr.h"
#include "device/udp.h"

/*
 * Control messages of UDP datagrams, to and from bytes. Pure. What is read may be cut off, repeated
 * or broken in any way: a message that is not whole is passed over, and a length that makes no
 * sense ends the list (F-D11).
 */
enum { UDP_CONTROL_ROOM = 128 };

/* What stands beside an arrival. What no message tells is zero. */
struct udp_extra {
	struct source to; /* our address, the interface */
	uint8_t tos;
	size_t segment; /* several datagrams of this size came in one (UDP_GRO) */
};
void udp_parse_control(const uint8_t *control, size_t len, struct udp_extra *ret);
/* One entry of an error queue: all but `to`. False: there is none in it. */
MUST_CHECK bool udp_parse_error(const uint8_t *control, size_t len, struct udp_error *ret);

/* For a message to that family; a source of the other is left out, a segment of 0 too. How many
 * bytes were written, 0 where none are needed. */
size_t udp_write_control(enum family family, const struct source *source, uint8_t tos,
			 uint16_t segment, uint8_t ret[static UDP_CONTROL_ROOM]);

/* False: no IP address that was given whole; ret is untouched. */
MUST_CHECK bool udp_parse_address(const struct sockaddr_storage *address, socklen_t len,
				  struct endpoint *ret);
socklen_t udp_write_address(const struct endpoint *e, struct sockaddr_storage *ret);

#endif
