#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "pair.h"

/* An inner UDP packet of host 0 to the other host's endpoint. */
static size_t udp_to_endpoint(const struct pair *p, uint8_t *ret, uint16_t src, uint16_t dst)
{
	pair_packet(p, 0, ret, 60);
	ret[9] = 17;
	memcpy(ret + 16, p->host[0].peer->endpoint.ip.bytes, 4);
	store16_be(ret + 20, src);
	store16_be(ret + 22, dst);
	return 60;
}

static void fa8_own_datagrams_do_not_go_round(void **state)
{
	static struct pair p;
	uint8_t packet[PAIR_PACKET];
	uint16_t theirs;

	(void)state;
	pair_init(&p);
	theirs = p.host[0].peer->endpoint.port;
	core_set_port(p.host[0].core, 4000);
	assert_true(core_reserve(p.host[0].core, 0, 1));
	core_allow(p.host[0].core, p.host[0].peer,
		   &(struct prefix){ .ip = p.host[0].peer->endpoint.ip, .bits = 32 });
	assert_int_equal(pair_offer(&p, 0, packet, udp_to_endpoint(&p, packet, 4000, theirs)),
			 TRANSPORT_DROP);
	assert_int_equal(pair_rejects(&p, 0, REJECT_OUT_LOOP), 1);
	/* Somebody else's traffic to that host is nobody's loop. */
	assert_int_not_equal(pair_offer(&p, 0, packet, udp_to_endpoint(&p, packet, 4001, theirs)),
			     TRANSPORT_DROP);
	assert_int_not_equal(
		pair_offer(&p, 0, packet, udp_to_endpoint(&p, packet, 4000, theirs ^ 1)),
		TRANSPORT_DROP);
	/* Nor is a tunnel in the tunnel, of another host with the same ports. */
	p.host[0].peer->source.ip = (struct ip){ .family = FAMILY_V4, .bytes = { 192, 0, 2, 9 } };
	assert_int_not_equal(pair_offer(&p, 0, packet, udp_to_endpoint(&p, packet, 4000, theirs)),
			     TRANSPORT_DROP);
	memcpy(p.host[0].peer->source.ip.bytes, p.host[0].inner.bytes, 4);
	assert_int_equal(pair_offer(&p, 0, packet, udp_to_endpoint(&p, packet, 4000, theirs)),
			 TRANSPORT_DROP);
	pair_run(&p);
	pair_done(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fa8_own_datagrams_do_not_go_round),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
