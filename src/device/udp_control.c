#include "device/udp_control.h"

#include <arpa/inet.h>
#include <assert.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>

struct message {
	int level;
	int type;
	const uint8_t *data;
	size_t len;
};

/* Take the next message off the front. CMSG_NXTHDR would trust the lengths and want alignment. */
static bool take_message(const uint8_t **control, size_t *left, struct message *ret)
{
	struct cmsghdr h;
	size_t step;

	if (*left < sizeof(h))
		return false;
	memcpy(&h, *control, sizeof(h));
	if (h.cmsg_len < CMSG_LEN(0) || h.cmsg_len > *left)
		return false;
	*ret = (struct message){ h.cmsg_level, h.cmsg_type, *control + CMSG_LEN(0),
				 h.cmsg_len - CMSG_LEN(0) };
	step = CMSG_ALIGN(h.cmsg_len);
	if (step > *left)
		step = *left;
	*control += step;
	*left -= step;
	return true;
}

static bool is_message(const struct message *m, int level, int type, size_t len)
{
	return m->level == level && m->type == type && m->len >= len;
}

static void parse_source4(const struct message *m, struct source *ret)
{
	struct in_pktinfo info;

	memcpy(&info, m->data, sizeof(info));
	*ret = (struct source){ .ip.family = FAMILY_V4, .ifindex = (uint32_t)info.ipi_ifindex };
	memcpy(ret->ip.bytes, &info.ipi_spec_dst, sizeof(info.ipi_spec_dst));
}

static void parse_source6(const struct message *m, struct source *ret)
{
	struct in6_pktinfo info;

	memcpy(&info, m->data, sizeof(info));
	*ret = (struct source){ .ip.family = FAMILY_V6, .ifindex = (uint32_t)info.ipi6_ifindex };
	memcpy(ret->ip.bytes, &info.ipi6_addr, sizeof(info.ipi6_addr));
}

static int parse_int(const struct message *m)
{
	int value;

	memcpy(&value, m->data, sizeof(value));
	return value;
}

static size_t parse_segment(const struct message *m)
{
	const int segment = parse_int(m);

	return segment > 0 ? (size_t)segment : 0;
}

void udp_parse_control(const uint8_t *control, size_t len, struct udp_extra *ret)
{
	struct message m;

	*ret = (struct udp_extra){ 0 };
	while (take_message(&control, &len, &m)) {
		if (is_message(&m, IPPROTO_IP, IP_PKTINFO, sizeof(struct in_pktinfo)))
			parse_source4(&m, &ret->to);
		else if (is_message(&m, IPPROTO_IPV6, IPV6_PKTINFO, sizeof(struct in6_pktinfo)))
			parse_source6(&m, &ret->to);
		else if (is_message(&m, IPPROTO_IP, IP_TOS, 1))
			ret->tos = m.data[0];
		else if (is_message(&m, IPPROTO_IPV6, IPV6_TCLASS, sizeof(int)))
			ret->tos = (uint8_t)parse_int(&m);
		else if (is_message(&m, IPPROTO_UDP, UDP_GRO, sizeof(int)))
			ret->segment = parse_segment(&m);
	}
}

/* The address of who sent the ICMP message stands behind the fixed part. */
static struct ip parse_reporter(const struct message *m)
{
	const uint8_t *const at = m->data + sizeof(struct sock_extended_err);
	const size_t left = m->len - sizeof(struct sock_extended_err);
	struct sockaddr_storage address = { 0 };
	struct endpoint e = { 0 };

	memcpy(&address, at, left < sizeof(address) ? left : sizeof(address));
	if (!udp_parse_address(&address, (socklen_t)left, &e))
		return (struct ip){ 0 };
	return e.ip;
}

bool udp_parse_error(const uint8_t *control, size_t len, struct udp_error *ret)
{
	struct sock_extended_err e;
	struct message m;

	while (take_message(&control, &len, &m)) {
		if (!is_message(&m, IPPROTO_IP, IP_RECVERR, sizeof(e)) &&
		    !is_message(&m, IPPROTO_IPV6, IPV6_RECVERR, sizeof(e)))
			continue;
		memcpy(&e, m.data, sizeof(e));
		ret->error = (int)e.ee_errno;
		ret->type = e.ee_type;
		ret->code = e.ee_code;
		ret->reporter = (struct ip){ 0 };
		if (e.ee_origin == SO_EE_ORIGIN_ICMP || e.ee_origin == SO_EE_ORIGIN_ICMP6)
			ret->reporter = parse_reporter(&m);
		return true;
	}
	return false;
}

static size_t append(uint8_t *control, int level, int type, const void *data, size_t len)
{
	const struct cmsghdr h = { .cmsg_len = CMSG_LEN(len),
				   .cmsg_level = level,
				   .cmsg_type = type };

	memset(control, 0, CMSG_SPACE(len));
	memcpy(control, &h, sizeof(h));
	memcpy(control + CMSG_LEN(0), data, len);
	return CMSG_SPACE(len);
}

/* No interface: routing decides where it leaves, as it may have changed; only the address sticks.
 */
static size_t append_source4(uint8_t *control, const struct source *source)
{
	struct in_pktinfo info = { 0 };

	memcpy(&info.ipi_spec_dst, source->ip.bytes, sizeof(info.ipi_spec_dst));
	return append(control, IPPROTO_IP, IP_PKTINFO, &info, sizeof(info));
}

static size_t append_source6(uint8_t *control, const struct source *source)
{
	struct in6_pktinfo info = { 0 };

	memcpy(&info.ipi6_addr, source->ip.bytes, sizeof(info.ipi6_addr));
	if (IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr))
		info.ipi6_ifindex = source->ifindex;
	return append(control, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof(info));
}

/* IPv6 packet info is the longest; the other two messages hold no more than an int. */
static_assert(CMSG_SPACE(sizeof(struct in6_pktinfo)) + 2 * CMSG_SPACE(sizeof(int)) <=
	      UDP_CONTROL_ROOM);

size_t udp_write_control(enum family family, const struct source *source, uint8_t tos,
			 uint16_t segment, uint8_t ret[static UDP_CONTROL_ROOM])
{
	const bool is_v4 = family == FAMILY_V4;
	const int wide = tos;
	size_t len = 0;

	if (source->ip.family == family)
		len = is_v4 ? append_source4(ret, source) : append_source6(ret, source);
	if (tos)
		len += append(ret + len, is_v4 ? IPPROTO_IP : IPPROTO_IPV6,
			      is_v4 ? IP_TOS : IPV6_TCLASS, &wide, sizeof(wide));
	if (segment)
		len += append(ret + len, IPPROTO_UDP, UDP_SEGMENT, &segment, sizeof(segment));
	return len;
}

bool udp_parse_address(const struct sockaddr_storage *address, socklen_t len, struct endpoint *ret)
{
	struct sockaddr_in6 six;
	struct sockaddr_in four;
	struct endpoint e = { 0 };

	if (address->ss_family == AF_INET && len >= sizeof(four)) {
		memcpy(&four, address, sizeof(four));
		e.ip.family = FAMILY_V4;
		memcpy(e.ip.bytes, &four.sin_addr, sizeof(four.sin_addr));
		e.port = ntohs(four.sin_port);
	} else if (address->ss_family == AF_INET6 && len >= sizeof(six)) {
		memcpy(&six, address, sizeof(six));
		e.ip.family = FAMILY_V6;
		memcpy(e.ip.bytes, &six.sin6_addr, sizeof(six.sin6_addr));
		e.port = ntohs(six.sin6_port);
		e.scope = IN6_IS_ADDR_LINKLOCAL(&six.sin6_addr) ? six.sin6_scope_id : 0;
	} else {
		return false;
	}
	*ret = e;
	return true;
}

socklen_t udp_write_address(const struct endpoint *e, struct sockaddr_storage *ret)
{
	const struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = htons(e->port) };
	const struct sockaddr_in6 six = { .sin6_family = AF_INET6,
					  .sin6_port = htons(e->port),
					  .sin6_scope_id = e->scope };

	if (e->ip.family == FAMILY_V4) {
		memcpy(ret, &four, sizeof(four));
		memcpy((uint8_t *)ret + offsetof(struct sockaddr_in, sin_addr), e->ip.bytes, 4);
		return sizeof(four);
	}
	memcpy(ret, &six, sizeof(six));
	memcpy((uint8_t *)ret + offsetof(struct sockaddr_in6, sin6_addr), e->ip.bytes, 16);
	return sizeof(six);
}
