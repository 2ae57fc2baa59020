#ifndef DEVICE_OFFLOAD_SWITCH_H
#define DEVICE_OFFLOAD_SWITCH_H

#include <stdbool.h>

#include "base/attr.h"
#include "model/diag.h"

/*
 * The offloads of the data plane, each with a switch of its own: what a user wants, what this
 * kernel can be trusted with, what a probe found. An offload is on where all three agree. Pure.
 */
enum offload_switch {                       /* bits */
		      OFFLOAD_TUN_TSO = 1,  /* TCP super-packets come out of the TUN */
		      OFFLOAD_TUN_USO = 2,  /* UDP ones */
		      OFFLOAD_JOIN_TCP = 4, /* and go into it, joined here */
		      OFFLOAD_JOIN_UDP = 8,
		      OFFLOAD_UDP_GSO = 16, /* many datagrams in one send */
		      OFFLOAD_UDP_GRO = 32, /* and in one receive */
		      OFFLOAD_SWITCHES_ALL = 63,
};

enum { OFFLOAD_SWITCHES = 6 };

/* tun-tso, tun-uso, join-tcp, join-udp, udp-gso, udp-gro: the word for bit 1 << i. */
const char *offload_switch_name(int i);

/*
 * "all", "none", or names to add and "-names" to take away from all, separated by commas:
 * "-tun-uso,-udp-gso". False: why names the word that is not known.
 */
MUST_CHECK bool offload_switch_parse(const char *text, unsigned int *ret, struct diag *why);

struct offload_fault {    /* a kernel that gets an offload wrong */
	unsigned int off; /* switches that it may not have */
	bool equal_tail;  /* a batch's last datagram must not be as long as the others */
};

/* What is known of a kernel by its release ("6.1.0-56-amd64"); nothing where it cannot be read. */
struct offload_fault offload_switch_kernel(const char *release);

#endif
