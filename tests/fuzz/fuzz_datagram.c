/*
 * Any bytes as datagrams of a configured core, in buffers of exactly their length. First byte: from
 * where, and under which load; second: which live index to write where an index belongs.
 */
#include <string.h>

#include "base/bytes.h"
#include "support_world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void put_live_index(const struct world *w, uint8_t *bytes, size_t len, unsigned int choice)
{
	const size_t at = len == sizeof(struct message_response) ? 8 : 4;
	const struct peer *p = world_peer(w, choice & 1);

	if (!(choice & 2) || !p || len < at + 4)
		return;
	store32_le(bytes + at, p->handshake.index);
}

static void begin_handshakes(struct world *w)
{
	for (unsigned int i = 0; i < WORLD_PEERS; ++i)
		core_set_keepalive(w->core, w->now, world_peer(w, i), 25);
	world_settle(w);
	for (unsigned int i = 0; i < WORLD_LATE; ++i)
		world_run_job(w, i);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct world world;
	struct endpoint from;
	static uint8_t bytes[MESSAGE_MAX];

	if (!world.core) {
		world_start(&world);
		begin_handshakes(&world);
	}
	if (len < 2 || len - 2 > sizeof(bytes))
		return 0;
	from = world_address(data[0] >> 4);
	world.backlog = data[0] & 1 ? HANDSHAKE_UNDER_LOAD : 0;
	memcpy(bytes, data + 2, len - 2);
	put_live_index(&world, bytes, len - 2, data[1]);
	world_deliver(&world, bytes, len - 2, &from, data[0] & 3);
	for (unsigned int i = 0; i < WORLD_LATE; ++i) {
		world_run_job(&world, i);
		world_accept(&world, i);
	}
	world_settle(&world);
	return 0;
}
