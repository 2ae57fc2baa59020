#include "device/icmp.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checksum.h"

enum {
	V4_HEADER = 20,
	V6_HEADER = 40,
	ICMP_HEADER = 8,
	V4_ANSWER = 576, /* what every IPv4 host takes (RFC 1812 4.3.2.3) */
	V6_ANSWER = 1280,
	HOPS = 64,
	PRECEDENCE = 0xc0, /* internetwork control, as RFC 1812 4.3.2.5 has it */

	PROTO_ICMP = 1,
	PROTO_ICMP6 = 58,
	ICMP_HOST_UNREACHABLE = 3 << 8 | 1,
	ICMP6_ADDRESS_UNREACHABLE = 1 << 8 | 3,
	ICMP6_REDIRECT = 137,

	EXT_HOP_BY_HOP = 0,
	EXT_ROUTING = 43,
	EXT_FRAGMENT = 44,
	EXT_AUTHENTICATION = 51,
	EXT_DESTINATION = 60,
};

static_assert((int)ICMP_ROOM >= (int)V4_ANSWER && (int)ICMP_ROOM >= (int)V6_ANSWER);

/* RFC 1122 3.2.2: one host, and not loopback; our answer also comes from such an address. */
static bool v4_is_host(const uint8_t *ip)
{
	return ip[0] != 0 && ip[0] != 127 && ip[0] < 224;
}

static bool v6_is_host(const uint8_t *ip)
{
	static const uint8_t zero[15];

	return ip[0] != 0xff && (memcmp(ip, zero, sizeof(zero)) != 0 || ip[15] > 1);
}

static bool icmp_is_error(uint8_t type)
{
	switch (type) {
	case 3:  /* destination unreachable */
	case 4:  /* source quench */
	case 5:  /* redirect */
	case 11: /* time exceeded */
	case 12: /* parameter problem */
		return true;
	default:
		return false;
	}
}

static bool v4_may_be_answered(const uint8_t *packet, size_t len)
{
	const size_t header = (size_t)(packet[0] & 0xf) * 4;

	if (header < V4_HEADER || header > len)
		return false;
	if (load16_be(packet + 6) & 0x1fff)
		return false;
	if (!v4_is_host(packet + 12) || !v4_is_host(packet + 16))
		return false;
	if (packet[9] == PROTO_ICMP)
		return header < len && !icmp_is_error(packet[header]);
	return true;
}

static size_t v4_answer(const uint8_t *packet, size_t len, uint8_t *ret)
{
	uint8_t *const icmp = ret + V4_HEADER;
	const size_t room = V4_ANSWER - V4_HEADER - ICMP_HEADER;
	const size_t quote = len < room ? len : room;
	const size_t total = V4_HEADER + ICMP_HEADER + quote;

	memset(ret, 0, V4_HEADER + ICMP_HEADER);
	ret[0] = 0x45;
	ret[1] = PRECEDENCE;
	store16_be(ret + 2, (uint16_t)total);
	ret[6] = 0x40; /* DF: the identification stays 0 (RFC 6864) */
	ret[8] = HOPS;
	ret[9] = PROTO_ICMP;
	memcpy(ret + 12, packet + 16, 4);
	memcpy(ret + 16, packet + 12, 4);
	store16_be(ret + 10, checksum_fold(checksum_add(0, ret, V4_HEADER)));
	store16_be(icmp, ICMP_HOST_UNREACHABLE);
	memcpy(icmp + ICMP_HEADER, packet, quote);
	store16_be(icmp + 2, checksum_fold(checksum_add(0, icmp, ICMP_HEADER + quote)));
	return total;
}

static bool is_extension(uint8_t proto)
{
	switch (proto) {
	case EXT_HOP_BY_HOP:
	case EXT_ROUTING:
	case EXT_FRAGMENT:
	case EXT_AUTHENTICATION:
	case EXT_DESTINATION:
		return true;
	default:
		return false;
	}
}

static size_t extension_len(uint8_t proto, const uint8_t *p)
{
	if (proto == EXT_FRAGMENT)
		return 8;
	if (proto == EXT_AUTHENTICATION)
		return ((size_t)p[1] + 2) * 4;
	return ((size_t)p[1] + 1) * 8;
}

static bool v6_may_be_answered(const uint8_t *packet, size_t len)
{
	uint8_t proto = packet[6];
	size_t at = V6_HEADER;

	if (!v6_is_host(packet + 8) || !v6_is_host(packet + 24))
		return false;
	while (is_extension(proto)) {
		const uint8_t *const p = packet + at;

		if (at + 8 > len)
			return false;
		if (proto == EXT_FRAGMENT && load16_be(p + 2) & 0xfff8)
			return false;
		at += extension_len(proto, p);
		proto = p[0];
	}
	if (at > len)
		return false;
	if (proto == PROTO_ICMP6)
		return at < len && packet[at] >= 128 && packet[at] != ICMP6_REDIRECT;
	return true;
}

static size_t v6_answer(const uint8_t *packet, size_t len, uint8_t *ret)
{
	uint8_t *const icmp = ret + V6_HEADER;
	const size_t room = V6_ANSWER - V6_HEADER - ICMP_HEADER;
	const size_t quote = len < room ? len : room;
	const size_t body = ICMP_HEADER + quote;

	memset(ret, 0, V6_HEADER + ICMP_HEADER);
	ret[0] = 0x60;
	store16_be(ret + 4, (uint16_t)body);
	ret[6] = PROTO_ICMP6;
	ret[7] = HOPS;
	memcpy(ret + 8, packet + 24, 16);
	memcpy(ret + 24, packet + 8, 16);
	store16_be(icmp, ICMP6_ADDRESS_UNREACHABLE);
	memcpy(icmp + ICMP_HEADER, packet, quote);
	store16_be(icmp + 2,
		   checksum_fold(checksum_add(
			   checksum_add((uint32_t)body + PROTO_ICMP6, ret + 8, 32), icmp, body)));
	return V6_HEADER + body;
}

size_t icmp_unreachable(const uint8_t *packet, size_t len, uint8_t ret[static ICMP_ROOM])
{
	size_t total;

	if (len >= V4_HEADER && packet[0] >> 4 == 4) {
		total = load16_be(packet + 2);
		if (total <= len && v4_may_be_answered(packet, total))
			return v4_answer(packet, total, ret);
	} else if (len >= V6_HEADER && packet[0] >> 4 == 6) {
		total = V6_HEADER + (size_t)load16_be(packet + 4);
		if (total <= len && v6_may_be_answered(packet, total))
			return v6_answer(packet, total, ret);
	}
	return 0;
}
