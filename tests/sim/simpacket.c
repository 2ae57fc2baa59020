#include "simpacket.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

enum { INNER_HEADER = 20, PAYLOAD_HEADER = 16 };
#define MAGIC UINT64_C(0x57617272656e5369)

void sim_packet_write(const struct sim_packet *packet, unsigned int as, uint64_t number,
		      uint8_t *ret)
{
	uint64_t random = number;

	memset(ret, 0, INNER_HEADER);
	ret[0] = 0x45;
	store16_be(ret + 2, packet->len);
	ret[8] = 64;
	memcpy(ret + 12, (uint8_t[]){ 10, 0, 0, (uint8_t)(as + 1) }, 4);
	memcpy(ret + 16, (uint8_t[]){ 10, 0, 0, (uint8_t)(packet->to + 1) }, 4);
	store64_le(ret + INNER_HEADER, MAGIC);
	store64_le(ret + INNER_HEADER + 8, number);
	watch_random_fill(&random, ret + INNER_HEADER + PAYLOAD_HEADER,
			  packet->len - (size_t)(INNER_HEADER + PAYLOAD_HEADER));
}

void sim_packet_deliver(struct sim_node *n, const uint8_t *packet, size_t len)
{
	struct sim *s = n->sim;
	uint8_t expected[SIM_PAYLOAD_MAX];
	struct sim_packet *known;
	uint64_t number;

	WATCH(len >= SIM_PAYLOAD_MIN && load64_le(packet + INNER_HEADER) == MAGIC);
	number = load64_le(packet + INNER_HEADER + 8);
	WATCH(number < s->packet_count);
	known = &s->packets[number];
	WATCH(known->to == n->id && known->len == len && !known->is_spoofed);
	WATCH(known->deliveries == 0);
	++known->deliveries;
	sim_packet_write(known, known->from, number, expected);
	WATCH(memcmp(expected, packet, len) == 0);
	++s->delivered;
	s->delivered_at[known->from][n->id] = s->now;
	s->latency[known->from][n->id] = s->now - known->sent_at;
}

uint64_t sim_packet_new(struct sim *s, unsigned int from, unsigned int as, unsigned int to)
{
	if (s->packet_count == s->packet_room) {
		s->packet_room = s->packet_room ? 2 * s->packet_room : 256;
		s->packets = realloc(s->packets, s->packet_room * sizeof(*s->packets));
		WATCH(s->packets);
	}
	s->packets[s->packet_count] = (struct sim_packet){
		.from = (uint8_t)from,
		.to = (uint8_t)to,
		.is_spoofed = from != as,
		.len = (uint16_t)(SIM_PAYLOAD_MIN +
				  sim_below(s, SIM_PAYLOAD_MAX - SIM_PAYLOAD_MIN)),
		.sent_at = s->now,
	};
	return s->packet_count++;
}
