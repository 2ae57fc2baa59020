#include "wg/inner.h"

#include <string.h>

#include "base/bytes.h"
#include "wg/message.h"

enum { V4_HEADER = 20, V6_HEADER = 40 };
enum { PROTOCOL_UDP = 17, UDP_PORTS = 4, V4_OFFSET_MASK = 0x1fff };
enum { ECN_MASK = 3, ECN_CAPABLE_1 = 1, ECN_CAPABLE_0 = 2, ECN_CONGESTED = 3 };

static void parse_udp(const uint8_t *packet, size_t header, struct inner *ret)
{
	if (ret->len < header + UDP_PORTS)
		return;
	ret->udp_src = load16_be(packet + header);
	ret->udp_dst = load16_be(packet + header + 2);
}

static enum inner_error parse_v4(const uint8_t *packet, size_t len, struct inner *ret)
{
	size_t header, total;

	if (len < V4_HEADER)
		return INNER_BAD_LENGTH;
	header = 4 * (size_t)(packet[0] & 0x0f);
	total = load16_be(packet + 2);
	if (header < V4_HEADER || total < header || total > len)
		return INNER_BAD_LENGTH;
	*ret = (struct inner){
		.src.family = FAMILY_V4, .dst.family = FAMILY_V4, .len = total, .tos = packet[1]
	};
	memcpy(ret->src.bytes, packet + 12, 4);
	memcpy(ret->dst.bytes, packet + 16, 4);
	if (packet[9] == PROTOCOL_UDP && (load16_be(packet + 6) & V4_OFFSET_MASK) == 0)
		parse_udp(packet, header, ret);
	return INNER_OK;
}

static enum inner_error parse_v6(const uint8_t *packet, size_t len, struct inner *ret)
{
	size_t total;

	if (len < V6_HEADER)
		return INNER_BAD_LENGTH;
	total = V6_HEADER + (size_t)load16_be(packet + 4);
	if (total > len)
		return INNER_BAD_LENGTH;
	*ret = (struct inner){ .src.family = FAMILY_V6,
			       .dst.family = FAMILY_V6,
			       .len = total,
			       .tos = (uint8_t)(load16_be(packet) >> 4) };
	memcpy(ret->src.bytes, packet + 8, 16);
	memcpy(ret->dst.bytes, packet + 24, 16);
	if (packet[6] == PROTOCOL_UDP)
		parse_udp(packet, V6_HEADER, ret);
	return INNER_OK;
}

enum inner_error inner_parse(const uint8_t *packet, size_t len, struct inner *ret)
{
	if (len == 0)
		return INNER_BAD_LENGTH;
	switch (packet[0] >> 4) {
	case 4:
		return parse_v4(packet, len, ret);
	case 6:
		return parse_v6(packet, len, ret);
	default:
		return INNER_BAD_VERSION;
	}
}

size_t inner_padded(size_t len, size_t mtu)
{
	size_t last = len, padded;

	if (mtu && last > mtu)
		last %= mtu;
	padded = (last + MESSAGE_PADDING - 1) / MESSAGE_PADDING * MESSAGE_PADDING;
	if (mtu && padded > mtu)
		padded = mtu;
	return len + (padded - last);
}

uint8_t inner_ecn_encapsulate(uint8_t inner_tos)
{
	const uint8_t ecn = inner_tos & ECN_MASK;

	return ecn == ECN_CONGESTED ? ECN_CAPABLE_0 : ecn;
}

/* RFC 1624, equation 3: the checksum after the first word of the header has changed. */
static void mend_checksum(uint8_t *packet, uint16_t before)
{
	uint32_t sum = (uint16_t)~load16_be(packet + 10);

	sum += (uint16_t)~before;
	sum += load16_be(packet);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	store16_be(packet + 10, (uint16_t)~sum);
}

static void set_v4(uint8_t *packet, uint8_t ecn)
{
	const uint16_t before = load16_be(packet);

	packet[1] = (uint8_t)((packet[1] & ~ECN_MASK) | ecn);
	mend_checksum(packet, before);
}

static void set_v6(uint8_t *packet, uint8_t ecn)
{
	packet[1] = (uint8_t)((packet[1] & ~(ECN_MASK << 4)) | ecn << 4);
}

/* The table of RFC 6040 4.2, where an outer mark changes an inner one. */
static bool is_changed(uint8_t inner, uint8_t outer)
{
	if (outer == ECN_CONGESTED)
		return inner == ECN_CAPABLE_0 || inner == ECN_CAPABLE_1;
	return outer == ECN_CAPABLE_1 && inner == ECN_CAPABLE_0;
}

void inner_ecn_decapsulate(uint8_t *packet, uint8_t outer_tos)
{
	const bool is_v4 = packet[0] >> 4 == 4;
	const uint8_t inner = (is_v4 ? packet[1] : packet[1] >> 4) & ECN_MASK;
	const uint8_t outer = outer_tos & ECN_MASK;

	if (!is_changed(inner, outer))
		return;
	if (is_v4)
		set_v4(packet, outer);
	else
		set_v6(packet, outer);
}
