#ifndef SIMPACKET_H
#define SIMPACKET_H

#include "simnet.h"

/*
 * The inner packets of a simulated world. All bytes of one follow from its number, so whoever gets
 * it can tell whether it is whole, meant for him, from whom it says, and here for the first time.
 */
uint64_t sim_packet_new(struct sim *s, unsigned int from, unsigned int as, unsigned int to);
void sim_packet_write(const struct sim_packet *packet, unsigned int as, uint64_t number,
		      uint8_t *ret);
void sim_packet_deliver(struct sim_node *n, const uint8_t *packet, size_t len);

#endif
