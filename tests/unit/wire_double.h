#ifndef WIRE_DOUBLE_H
#define WIRE_DOUBLE_H

#include <sys/socket.h>
#include <sys/types.h>

#include "wire.h"

/* A wire in place of the host's sendmsg, for the one file of a program that includes this. */
static struct wire wire;

ssize_t sendmsg(int fd, const struct msghdr *m, int flags)
{
	(void)fd;
	(void)flags;
	return wire_sendmsg(&wire, m);
}

static int begin(void **state)
{
	(void)state;
	wire_begin(&wire);
	return 0;
}

static int end(void **state)
{
	(void)state;
	plane_done(&wire.plane);
	return 0;
}

#endif
