#include "side.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/checksum.h"
#include "base/text.h"

enum {
	HEADER_V4 = 28,
	HEADER_V6 = 48,
	ICMP_UNREACHABLE = 3,
	ICMP_FRAG_NEEDED = 4, /* its code */
	ICMP6_TOO_BIG = 2,
};

/* --- addresses and sockets ------------------------------------------------- */

static bool is_six(const struct side *side)
{
	return side->local.ss_family == AF_INET6;
}

static socklen_t address_len(const struct side *side)
{
	return is_six(side) ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
}

static bool parse_address(const char *text, struct sockaddr_storage *ret)
{
	struct sockaddr_in *four = (struct sockaddr_in *)ret;
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)ret;
	struct endpoint e;

	if (!text_to_endpoint(text, &e))
		return false;
	*ret = (struct sockaddr_storage){ 0 };
	if (e.ip.family == FAMILY_V4) {
		four->sin_family = AF_INET;
		four->sin_port = htons(e.port);
		memcpy(&four->sin_addr, e.ip.bytes, sizeof(four->sin_addr));
	} else {
		six->sin6_family = AF_INET6;
		six->sin6_port = htons(e.port);
		six->sin6_scope_id = e.scope;
		memcpy(&six->sin6_addr, e.ip.bytes, sizeof(six->sin6_addr));
	}
	return true;
}

/* The port stands at the same place in both families. */
static uint16_t *port_of(struct sockaddr_storage *address)
{
	return &((struct sockaddr_in *)address)->sin_port;
}

static bool bind_local(struct side *side)
{
	int on = 1, room = 16 << 20, family = side->local.ss_family;
	socklen_t len = sizeof(side->local);

	side->fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (side->fd < 0)
		return false;
	if (setsockopt(side->fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) ||
	    setsockopt(side->fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room)))
		perror("relay: buffer");
	if (is_six(side))
		setsockopt(side->fd, IPPROTO_IPV6, IPV6_RECVTCLASS, &on, sizeof(on));
	else
		setsockopt(side->fd, IPPROTO_IP, IP_RECVTOS, &on, sizeof(on));
	return bind(side->fd, (struct sockaddr *)&side->local, address_len(side)) == 0 &&
	       getsockname(side->fd, (struct sockaddr *)&side->local, &len) == 0;
}

bool side_open(struct side *side, const char *local, const char *remote)
{
	side->icmp = -1;
	return parse_address(local, &side->local) && parse_address(remote, &side->remote) &&
	       bind_local(side);
}

bool side_rebind(struct side *side)
{
	int old = side->fd;

	*port_of(&side->local) = 0;
	if (!bind_local(side))
		return false;
	close(old);
	return true;
}

unsigned int side_port(const struct side *side)
{
	struct sockaddr_storage local = side->local;

	return ntohs(*port_of(&local));
}

size_t side_header(const struct side *side)
{
	return is_six(side) ? HEADER_V6 : HEADER_V4;
}

void side_send(const struct side *side, const uint8_t *data, size_t len, uint8_t tos)
{
	_Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec part = { (void *)(uintptr_t)data, len };
	struct msghdr message = {
		.msg_name = (void *)(uintptr_t)&side->remote,
		.msg_namelen = address_len(side),
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *head = CMSG_FIRSTHDR(&message);
	int value = tos;

	head->cmsg_level = is_six(side) ? IPPROTO_IPV6 : IPPROTO_IP;
	head->cmsg_type = is_six(side) ? IPV6_TCLASS : IP_TOS;
	head->cmsg_len = CMSG_LEN(sizeof(value));
	memcpy(CMSG_DATA(head), &value, sizeof(value));
	/* An error about an earlier datagram is told instead of sending: once more. */
	if (sendmsg(side->fd, &message, 0) < 0 && sendmsg(side->fd, &message, 0) < 0)
		return;
}

static uint8_t tos_of(struct msghdr *message)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		if (c->cmsg_type == IP_TOS || c->cmsg_type == IPV6_TCLASS)
			return *CMSG_DATA(c); /* a byte, or an int that begins with it */
	}
	return 0;
}

ssize_t side_receive(struct side *side, uint8_t *ret, size_t room, uint8_t *ret_tos)
{
	_Alignas(struct cmsghdr) uint8_t control[64];
	struct iovec part = { ret, room };
	struct msghdr message = { &side->remote, sizeof(side->remote), &part, 1,
				  control,       sizeof(control),      0 };
	ssize_t len = recvmsg(side->fd, &message, 0);

	if (len < 0)
		return -errno;
	*ret_tos = tos_of(&message);
	return len;
}

/* --- "too big" to who sent it ---------------------------------------------- */

/* ICMP 3.4 with what the router would quote: the IP and UDP header that was too long. */
static size_t too_big_v4(const struct side *side, size_t len, uint32_t mtu, uint8_t ret[static 36])
{
	const struct sockaddr_in *from = (const struct sockaddr_in *)&side->remote;
	const struct sockaddr_in *to = (const struct sockaddr_in *)&side->local;
	uint8_t *ip = ret + 8, *udp = ip + 20;

	memset(ret, 0, 36);
	ret[0] = ICMP_UNREACHABLE;
	ret[1] = ICMP_FRAG_NEEDED;
	store16_be(ret + 6, (uint16_t)mtu);
	ip[0] = 0x45;
	store16_be(ip + 2, (uint16_t)(len + HEADER_V4));
	ip[8] = 64;
	ip[9] = IPPROTO_UDP;
	memcpy(ip + 12, &from->sin_addr, 4);
	memcpy(ip + 16, &to->sin_addr, 4);
	memcpy(udp, &from->sin_port, 2);
	memcpy(udp + 2, &to->sin_port, 2);
	store16_be(udp + 4, (uint16_t)(len + 8));
	store16_be(ip + 10, checksum_fold(checksum_add(0, ip, 20)));
	store16_be(ret + 2, checksum_fold(checksum_add(0, ret, 36)));
	return 36;
}

/* The kernel adds the checksum. */
static size_t too_big_v6(const struct side *side, size_t len, uint32_t mtu, uint8_t ret[static 56])
{
	const struct sockaddr_in6 *from = (const struct sockaddr_in6 *)&side->remote;
	const struct sockaddr_in6 *to = (const struct sockaddr_in6 *)&side->local;
	uint8_t *ip = ret + 8, *udp = ip + 40;

	memset(ret, 0, 56);
	ret[0] = ICMP6_TOO_BIG;
	store32_be(ret + 4, mtu);
	ip[0] = 0x60;
	store16_be(ip + 4, (uint16_t)(len + 8));
	ip[6] = IPPROTO_UDP;
	ip[7] = 64;
	memcpy(ip + 8, &from->sin6_addr, 16);
	memcpy(ip + 24, &to->sin6_addr, 16);
	memcpy(udp, &from->sin6_port, 2);
	memcpy(udp + 2, &to->sin6_port, 2);
	store16_be(udp + 4, (uint16_t)(len + 8));
	return 56;
}

void side_tell_too_big(struct side *side, size_t len, uint32_t mtu)
{
	struct sockaddr_storage to = side->remote;
	uint8_t packet[56];
	size_t size = is_six(side) ? too_big_v6(side, len, mtu, packet)
				   : too_big_v4(side, len, mtu, packet);

	if (side->icmp < 0)
		side->icmp = socket(side->local.ss_family, SOCK_RAW | SOCK_CLOEXEC,
				    is_six(side) ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
	*port_of(&to) = 0;
	if (sendto(side->icmp, packet, size, 0, (struct sockaddr *)&to, address_len(side)) < 0)
		perror("relay: icmp");
}
