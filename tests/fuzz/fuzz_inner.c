#include "wg/inner.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

/* The first byte is the outer TOS, the next two the MTU, the rest a packet as it was decrypted. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static uint16_t sum_of(const uint8_t *packet)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < 4 * (size_t)(packet[0] & 15); i += 2)
		sum += load16_be(packet + i);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/* 0 and 0xffff are the same number in ones' complement, and the sum of a header is never 0. */
static bool same_sum(uint16_t a, uint16_t b)
{
	return a % 0xffff == b % 0xffff;
}

/* RFC 6040 4.2, by the inner mark and the outer one. What is not ECN capable stays as it is. */
static const uint8_t marked[4][4] = {
	[1] = { 1, 1, 1, 3 },
	[2] = { 2, 1, 2, 3 },
	[3] = { 3, 3, 3, 3 },
};

static void check_mark(uint8_t *packet, const struct inner *in, uint8_t outer_tos)
{
	const bool v4 = packet[0] >> 4 == 4;
	const uint16_t sum = v4 ? sum_of(packet) : 0;
	struct inner after;
	const uint8_t expect =
		(uint8_t)(in->tos - in->tos % 4 + marked[in->tos % 4][outer_tos % 4]);

	inner_ecn_decapsulate(packet, outer_tos);
	if (inner_parse(packet, in->len, &after) != INNER_OK || after.tos != expect)
		__builtin_trap();
	if (v4 && !same_sum(sum, sum_of(packet)))
		__builtin_trap();
	after.tos = in->tos;
	if (!ip_equal(&after.src, &in->src) || !ip_equal(&after.dst, &in->dst) ||
	    after.len != in->len)
		__builtin_trap();
}

static void check_padding(size_t len, size_t mtu)
{
	const size_t padded = inner_padded(len, mtu);

	if (padded < len || padded - len > 15)
		__builtin_trap();
	if (mtu && len <= mtu && padded > mtu)
		__builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct inner in;
	uint8_t *packet;

	if (len < 3)
		return 0;
	packet = malloc(len - 3);
	if (!packet)
		return 0;
	memcpy(packet, data + 3, len - 3);
	check_padding(len - 3, load16_be(data + 1));
	if (inner_parse(packet, len - 3, &in) == INNER_OK) {
		if (in.len > len - 3)
			__builtin_trap();
		check_mark(packet, &in, data[0]);
	}
	free(packet);
	return 0;
}
