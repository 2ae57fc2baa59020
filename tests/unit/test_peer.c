#include "wg/peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "support.h"

static struct test_memory memory;
static struct table table;
static struct peer peer;
static struct session *made['z' + 1]; /* by name */

static int set_up(void **state)
{
	const struct key_public key = { { 1 } };
	const uint8_t table_key[8] = { 2 };

	(void)state;
	test_memory_init(&memory);
	table_init(&table, &memory.memory, table_key);
	if (!table_reserve(&table, 64))
		return -1;
	peer_init(&peer, &key);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	peer_drop_sessions(&peer, &table, &memory.memory);
	peer_drop_handshake(&peer, &table);
	if (table.used != 0)
		return -1;
	table_done(&table);
	return memory.outstanding == 0 ? 0 : -1;
}

static struct session *make(char name, bool is_initiator)
{
	struct session *s = memory_take(&memory.memory, sizeof(*s));

	assert_non_null(s);
	s->keys.send.bytes[0] = (uint8_t)name;
	s->is_initiator = is_initiator;
	s->local_index = table_add(&table, &peer, s);
	made[(unsigned char)name] = s;
	return s;
}

static char name_of(const struct session *s)
{
	return s ? (char)s->keys.send.bytes[0] : '-';
}

static void begin(char name, bool is_initiator)
{
	peer_begin_session(&peer, make(name, is_initiator), &table, &memory.memory);
}

/* previous, current, next */
static void check_slots(size_t row, const char *expect)
{
	const char slots[] = { name_of(peer.previous), name_of(peer.current), name_of(peer.next),
			       '\0' };
	uint32_t used = 0;

	if (strcmp(slots, expect) != 0)
		fail_msg("row %zu: %s, not %s", row, slots, expect);
	for (size_t i = 0; i < 3; ++i)
		used += slots[i] != '-';
	assert_int_equal(table.used, used);
}

/* i: we began it; r: we answered; c: a packet came under it. behaviour.md E.3 */
static void slots_follow_the_rules(void **state)
{
	static const struct {
		const char *events; /* a letter, then its session */
		const char *slots;
	} rows[] = {
		{ "", "---" },         { "ia", "-a-" },       { "iaib", "ab-" },
		{ "iaibic", "bc-" },   { "ra", "--a" },       { "raca", "-a-" },
		{ "racarb", "-ab" },   { "racarbcb", "ab-" }, { "rarb", "--b" },
		{ "iarb", "-ab" },     { "iarbic", "bc-" },   { "iaibrc", "-bc" },
		{ "iaibrccc", "bc-" }, { "iaca", "-a-" },     { "iaibca", "ab-" },
		{ "raib", "ab-" },     { "raibca", "ab-" },   { "racarbcbrc", "-bc" },
	};

	for (size_t i = 0; i < ELEMENTS(rows); ++i) {
		assert_int_equal(set_up(state), 0);
		for (const char *e = rows[i].events; *e; e += 2) {
			if (*e == 'c')
				(void)peer_confirm_session(&peer, made[(unsigned char)e[1]], &table,
							   &memory.memory);
			else
				begin(e[1], *e == 'i');
		}
		check_slots(i, rows[i].slots);
		assert_int_equal(tear_down(state), 0);
	}
}

static void only_the_first_packet_confirms(void **state)
{
	(void)state;
	begin('a', false);
	begin('b', true);
	assert_false(peer_confirm_session(&peer, made['a'], &table, &memory.memory));
	begin('c', false);
	assert_false(peer_confirm_session(&peer, made['b'], &table, &memory.memory));
	assert_true(peer_confirm_session(&peer, made['c'], &table, &memory.memory));
	assert_false(peer_confirm_session(&peer, made['c'], &table, &memory.memory));
}

static void handshake_is_dropped_whole(void **state)
{
	static const struct noise_pending zero;
	const uint64_t generation = peer.handshake.generation;

	(void)state;
	assert_true(peer_wake(&peer, &memory.memory));
	peer.handshake.index = table_add(&table, &peer, NULL);
	memset(&peer.awake->pending, 1, sizeof(peer.awake->pending));
	peer_drop_handshake(&peer, &table);
	assert_int_equal(table.used, 0);
	assert_int_equal(peer.handshake.index, 0);
	assert_int_not_equal(peer.handshake.generation, generation);
	assert_memory_equal(&peer.awake->pending, &zero, sizeof(zero));
	peer_drop_handshake(&peer, &table);
	assert_int_equal(table.used, 0);
	peer_sleep(&peer, &memory.memory);
}

/* What a peer without keys costs, beside its configuration: nothing. */
static void sleeps_without_its_handshake(void **state)
{
	const size_t blocks = memory.blocks;
	struct peer_awake *awake;

	(void)state;
	test_memory_fail(&memory, 1, true);
	assert_false(peer_wake(&peer, &memory.memory));
	test_memory_heal(&memory);
	assert_true(peer_wake(&peer, &memory.memory));
	awake = peer.awake;
	assert_true(peer_wake(&peer, &memory.memory));
	assert_ptr_equal(peer.awake, awake);
	assert_int_equal(memory.blocks, blocks + 1);
	peer_sleep(&peer, &memory.memory);
	assert_null(peer.awake);
	assert_int_equal(memory.blocks, blocks);
	peer_sleep(&peer, &memory.memory);
	assert_true(sizeof(struct peer) <= 480);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slots_follow_the_rules),
		cmocka_unit_test(sleeps_without_its_handshake),
		cmocka_unit_test_setup_teardown(only_the_first_packet_confirms, set_up, tear_down),
		cmocka_unit_test_setup_teardown(handshake_is_dropped_whole, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
