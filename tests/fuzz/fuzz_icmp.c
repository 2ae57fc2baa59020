#include "device/icmp.h"

#include <string.h>

#include "base/bytes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static uint16_t sum(const uint8_t *p, size_t len, uint32_t seed)
{
	for (size_t i = 0; i < len; ++i)
		seed += i % 2 ? p[i] : (uint32_t)p[i] << 8;
	while (seed >> 16)
		seed = (seed >> 16) + (seed & 0xffff);
	return (uint16_t)seed;
}

static bool is_right(const uint8_t *packet, const uint8_t *answer, size_t len)
{
	if (packet[0] >> 4 == 4)
		return len <= 576 && load16_be(answer + 2) == len && sum(answer, 20, 0) == 0xffff &&
		       sum(answer + 20, len - 20, 0) == 0xffff &&
		       memcmp(answer + 28, packet, len - 28) == 0;
	return len <= 1280 && load16_be(answer + 4) == len - 40 &&
	       sum(answer + 40, len - 40, sum(answer + 8, 32, (uint32_t)len - 40 + 58)) == 0xffff &&
	       memcmp(answer + 48, packet, len - 48) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	uint8_t answer[ICMP_ROOM], second[ICMP_ROOM];
	const size_t got = icmp_unreachable(data, len, answer);

	if (got && !is_right(data, answer, got))
		__builtin_trap();
	/* never an answer to an answer */
	if (got && icmp_unreachable(answer, got, second) != 0)
		__builtin_trap();
	return 0;
}
