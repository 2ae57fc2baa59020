#include "device/lanes.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "crypto/crypto.h"
#include "device/device_private.h"
#include "device/udp_control.h"
#include "namespace.h"
#include "pair.h"
#include "support.h"

/*
 * The lanes of a device that has nothing else: a core, sockets on lo, and senders. Each sender is a
 * socket of its own, so its address and port are really its own. The clock is the test's.
 */
enum { SENDERS = 2, HONEST = 0, ATTACKER = 1 };

struct world {
	struct device *d;
	struct lanes lanes;
	struct test_memory memory;
	struct test_entropy entropy;
	struct key_public ours;
	struct moment now;
	enum family family;
	uint16_t port;
	int senders[SENDERS];
	struct cookie_maker makers[SENDERS];
};

static void use_sockets(struct world *w, bool has_lanes)
{
	struct diag why = { 0 };
	struct udp u;

	assert_int_equal(udp_bind(&(struct udp_config){ .joins = true }, &why, &u), 0);
	assert_true(udp_has_lanes(&u));
	w->port = u.port;
	for (int i = 0; i < UDP_SOCKETS; ++i) {
		const bool used = has_lanes || i < UDP_LANE_PLAIN;

		atomic_init(&w->d->sockets[0][i], used ? u.v4[i] : -1);
		atomic_init(&w->d->sockets[1][i], used ? u.v6[i] : -1);
		if (!used) {
			close(u.v4[i]);
			close(u.v6[i]);
		}
	}
}

static void set_up(struct world *w, enum family family)
{
	struct key_private secret = { { 1, 2, 3 } };

	test_namespace_enter();
	*w = (struct world){ .now = { 1000 * NS_PER_S, 1 }, .family = family };
	test_memory_init(&w->memory);
	test_entropy_init(&w->entropy, 5);
	w->d = calloc(1, sizeof(*w->d));
	assert_non_null(w->d);
	pthread_mutex_init(&w->d->lock, NULL);
	evidence_init(&w->d->evidence);
	w->d->entropy = w->entropy.entropy;
	w->d->core = core_new(&(struct core_config){
		.memory = w->memory.memory, .entropy = w->entropy.entropy, .ratelimit_sets = 16 });
	assert_non_null(w->d->core);
	assert_int_equal(ring_init(&w->d->ring, HANDSHAKE_QUEUE), 0);
	assert_int_equal(lanes_init(&w->lanes, &w->d->entropy), 0);
	crypto_clamp(&secret);
	assert_true(crypto_public(&secret, &w->ours));
	assert_true(core_set_private_key(w->d->core, w->now, &secret, 0));
	core_up(w->d->core, w->now);
	use_sockets(w, true);
	for (int i = 0; i < SENDERS; ++i) {
		w->senders[i] = socket(family == FAMILY_V4 ? AF_INET : AF_INET6,
				       SOCK_DGRAM | SOCK_CLOEXEC, 0);
		assert_true(w->senders[i] >= 0);
		cookie_maker_init(&w->makers[i]);
	}
}

static void tear_down(struct world *w)
{
	for (int i = 0; i < SENDERS; ++i)
		close(w->senders[i]);
	for (int i = 0; i < UDP_SOCKETS; ++i)
		for (int family = 0; family < 2; ++family)
			if (atomic_load(&w->d->sockets[family][i]) >= 0)
				close(atomic_load(&w->d->sockets[family][i]));
	core_free(w->d->core);
	lanes_done(&w->lanes);
	ring_done(&w->d->ring);
	evidence_done(&w->d->evidence);
	pthread_mutex_destroy(&w->d->lock);
	free(w->d);
	assert_int_equal(w->memory.outstanding, 0);
}

static struct gate *gate(const struct world *w)
{
	return core_gate(w->d->core);
}

static void send_bytes(const struct world *w, int sender, const void *bytes, size_t len)
{
	const struct endpoint to = { .ip = w->family == FAMILY_V4
						   ? (struct ip){ FAMILY_V4, { 127, 0, 0, 1 } }
						   : (struct ip){ FAMILY_V6, { [15] = 1 } },
				     .port = w->port };
	struct sockaddr_storage address;
	const socklen_t address_len = udp_write_address(&to, &address);

	assert_int_equal(
		sendto(w->senders[sender], bytes, len, 0, (struct sockaddr *)&address, address_len),
		len);
}

/* An initiation with a good mac1, and a mac2 where there is a cookie. Its sender index is a number.
 */
static void send_initiation(struct world *w, int sender, uint32_t number, bool claims_cookie)
{
	struct message_initiation m;

	test_random_fill(&w->entropy.state, &m, sizeof(m));
	store32_le(m.type, MESSAGE_INITIATION);
	store32_le(m.sender, number);
	cookie_make(&w->makers[sender], &w->ours, &m, sizeof(m), w->now.boot);
	if (claims_cookie)
		m.macs.mac2[5] ^= 0x10;
	send_bytes(w, sender, &m, sizeof(m));
}

static bool turn(struct world *w)
{
	return lanes_turn(&w->lanes, w->d, w->now);
}

static void next_look(struct world *w)
{
	w->now.boot += LANES_PAUSE;
}

static uint32_t take(struct world *w)
{
	struct ring_entry e;

	return lanes_take(&w->lanes, &e) ? load32_le(e.bytes + 4) : 0;
}

/* How many cookies have come back; they are kept. */
static unsigned int replies(struct world *w, int sender)
{
	struct message_cookie reply;
	unsigned int n = 0;

	while (recv(w->senders[sender], &reply, sizeof(reply), MSG_DONTWAIT) == sizeof(reply)) {
		assert_int_equal(load32_le(reply.type), MESSAGE_COOKIE);
		(void)!cookie_take(&w->makers[sender], &w->ours, &reply, w->now.boot);
		++n;
	}
	return n;
}

static uint64_t rejects(struct world *w, enum reject_reason reason)
{
	handshake_fold(w->d->core, w->now);
	return core_rejects(w->d->core)->device.by_reason[reason].count;
}

static const enum family families[] = { FAMILY_V4, FAMILY_V6 };

/* One send of several, as the kernel would have joined them: the first tells their size. */
static void send_joined(const struct world *w, int sender, const void *bytes, size_t len,
			size_t segment)
{
	const int each = (int)segment, alone = 0;

	assert_int_equal(
		setsockopt(w->senders[sender], IPPROTO_UDP, UDP_SEGMENT, &each, sizeof(each)), 0);
	send_bytes(w, sender, bytes, len);
	assert_int_equal(
		setsockopt(w->senders[sender], IPPROTO_UDP, UDP_SEGMENT, &alone, sizeof(alone)), 0);
}

static void make_initiation(struct world *w, uint32_t number, struct message_initiation *ret)
{
	test_random_fill(&w->entropy.state, ret, sizeof(*ret));
	store32_le(ret->type, MESSAGE_INITIATION);
	store32_le(ret->sender, number);
	cookie_make(&w->makers[HONEST], &w->ours, ret, sizeof(*ret), w->now.boot);
}

/* They all come to the lane of the first, each is looked at; too many at once are a flood. */
static void joined_messages_are_judged_one_by_one(void **state)
{
	static const struct {
		uint32_t count;
		uint32_t judged;
	} rows[] = { { 1, 1 }, { 2, 2 }, { 4, 4 }, { 5, 0 }, { 40, 0 } };
	struct message_initiation m[40];
	struct world w;

	(void)state;
	for (size_t f = 0; f < ELEMENTS(families); ++f) {
		for (size_t r = 0; r < ELEMENTS(rows); ++r) {
			set_up(&w, families[f]);
			for (uint32_t i = 0; i < rows[r].count; ++i)
				make_initiation(&w, i + 1, &m[i]);
			send_joined(&w, HONEST, m, rows[r].count * sizeof(*m), sizeof(*m));
			assert_false(turn(&w));
			for (uint32_t i = 0; i < rows[r].judged; ++i)
				assert_int_equal(take(&w), i + 1);
			assert_int_equal(take(&w), 0);
			assert_int_equal(rejects(&w, REJECT_TYPE), !rows[r].judged);
			tear_down(&w);
		}
	}
}

/* And they count one by one against a turn. */
static void joined_messages_end_a_turn_too(void **state)
{
	struct message_initiation m[3];
	struct world w;

	(void)state;
	set_up(&w, FAMILY_V4);
	for (uint32_t i = 0; i < 150; ++i) {
		for (uint32_t k = 0; k < ELEMENTS(m); ++k)
			make_initiation(&w, i, &m[k]);
		send_joined(&w, HONEST, m, sizeof(m), sizeof(*m));
	}
	assert_true(turn(&w));
	assert_in_range(atomic_load(&w.d->counts[COUNT_HANDSHAKES_HANDLED]), LANES_TURN,
			LANES_TURN + UDP_SLOTS_MAX * ELEMENTS(m));
	tear_down(&w);
}

static struct pair pair;

/* A device with a session, whose packets for the TUN can be read from *ret. */
static struct core *lend_session(struct world *w, int *ret)
{
	struct core *const own = w->d->core;
	int ends[2];

	pair_prepare(&pair);
	pair.now = device_now(); /* the clock that data goes by */
	assert_true(pair_start(&pair, 0) && pair_start(&pair, 1));
	(void)pair_send(&pair, 0, 40);
	assert_int_equal(pair.host[1].delivered, 1);
	assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	*ret = ends[0];
	w->d->tun = (struct tun){ .fd = ends[1], .queues = 1 };
	w->d->core = pair.host[1].core;
	w->ours = pair.host[1].id.public;
	w->now = pair.now;
	return own;
}

/* The kernel may join a packet of a busy peer to the initiation before it. It is not lost. */
static void data_behind_a_message_is_delivered(void **state)
{
	uint8_t packet[60], got[200], both[sizeof(struct message_initiation) + 96];
	struct datagram data;
	struct core *own;
	struct world w;
	int out;

	(void)state;
	set_up(&w, FAMILY_V4);
	own = lend_session(&w, &out);
	pair_packet(&pair, 0, packet, sizeof(packet));
	assert_int_equal(pair_offer(&pair, 0, packet, sizeof(packet)), TRANSPORT_SEAL);
	assert_true(pair_take(&pair, &data));
	assert_int_equal(data.len, 96);
	make_initiation(&w, 7, (struct message_initiation *)both);
	memcpy(both + sizeof(struct message_initiation), data.bytes, 96);
	send_joined(&w, HONEST, both, sizeof(both), sizeof(struct message_initiation));
	assert_false(turn(&w));
	assert_int_equal(take(&w), 7);
	assert_int_equal(read(out, got, sizeof(got)), sizeof(packet));
	assert_memory_equal(got, packet, sizeof(packet));
	/* The same again is a replay, alone it is none of a lane's business. */
	send_joined(&w, HONEST, both, sizeof(both), sizeof(struct message_initiation));
	assert_false(turn(&w));
	assert_int_equal(pair_rejects(&pair, 1, REJECT_REPLAY), 1);
	assert_int_equal(pair_rejects(&pair, 1, REJECT_TYPE), 0);
	close(out);
	close(w.d->tun.fd);
	w.d->core = own;
	tear_down(&w);
	pair_done(&pair);
}

static void without_load_all_pass(void **state)
{
	struct world w;

	(void)state;
	for (size_t f = 0; f < ELEMENTS(families); ++f) {
		set_up(&w, families[f]);
		for (uint32_t i = 1; i <= 40; ++i)
			send_initiation(&w, HONEST, i, i % 2);
		assert_false(turn(&w));
		/* Without load a cookie is not looked at, though it took another way. */
		for (uint32_t i = 0, seen = 0; i < 40; ++i)
			assert_true((seen = take(&w)) >= 1 && seen <= 40);
		assert_int_equal(take(&w), 0);
		assert_int_equal(replies(&w, HONEST), 0);
		assert_int_equal(atomic_load(&w.d->counts[COUNT_HANDSHAKES_HANDLED]), 40);
		tear_down(&w);
	}
}

static void junk_is_counted_and_gone(void **state)
{
	uint8_t junk[600] = { 1 };
	struct world w;

	(void)state;
	set_up(&w, FAMILY_V4);
	send_bytes(&w, ATTACKER, junk, 148);
	send_bytes(&w, ATTACKER, junk, 147); /* too short for the filter: a worker finds it */
	send_bytes(&w, ATTACKER, junk, 600);
	junk[0] = 2;
	send_bytes(&w, ATTACKER, junk, 92);
	assert_false(turn(&w));
	assert_int_equal(rejects(&w, REJECT_MAC1), 2);
	assert_int_equal(rejects(&w, REJECT_TYPE), 1);
	assert_int_equal(take(&w), 0);
	tear_down(&w);
}

/* F-D3: a cookie comes by one lane, and the way in with it is another, before all who wait. */
static void fd3_cookie_leads_to_the_other_lane(void **state)
{
	struct world w;

	(void)state;
	for (size_t f = 0; f < ELEMENTS(families); ++f) {
		set_up(&w, families[f]);
		send_initiation(&w, ATTACKER, 7, false);
		assert_false(turn(&w));
		gate_note_load(gate(&w), w.now.boot);
		next_look(&w);
		send_initiation(&w, HONEST, 1, false);
		assert_false(turn(&w));
		assert_int_equal(replies(&w, HONEST), 1);
		assert_int_equal(rejects(&w, REJECT_UNDER_LOAD), 1);
		send_initiation(&w, HONEST, 2, false);
		next_look(&w);
		assert_false(turn(&w));
		assert_int_equal(take(&w), 2);
		assert_int_equal(take(&w), 7);
		assert_int_equal(take(&w), 0);
		tear_down(&w);
	}
}

/* F-D4, F-L3: a full plain lane costs a share of a turn and of the answers, and no more. */
static void fd4_plain_lane_takes_nothing_of_the_other(void **state)
{
	struct world w;

	(void)state;
	set_up(&w, FAMILY_V4);
	gate_note_load(gate(&w), w.now.boot);
	send_initiation(&w, HONEST, 1, false);
	assert_false(turn(&w));
	assert_int_equal(replies(&w, HONEST), 1);
	for (uint32_t i = 0; i < LANES_TURN + 30; ++i)
		send_initiation(&w, ATTACKER, 1000 + i, false);
	send_initiation(&w, HONEST, 2, false);
	next_look(&w);
	assert_true(turn(&w));
	assert_int_equal(take(&w), 2);
	assert_int_equal(take(&w), 0);
	assert_int_equal(replies(&w, ATTACKER), LANES_COOKIES);
	assert_int_equal(rejects(&w, REJECT_QUEUE_FULL), LANES_TURN - LANES_COOKIES);
	next_look(&w);
	assert_false(turn(&w));
	assert_int_equal(replies(&w, ATTACKER), 30);
	tear_down(&w);
}

/* F-D4: who only claims a cookie is answered from a budget of its own. */
static void fd4_false_cookies_take_nothing_of_the_plain_lane(void **state)
{
	struct world w;

	(void)state;
	set_up(&w, FAMILY_V4);
	gate_note_load(gate(&w), w.now.boot);
	for (uint32_t i = 0; i < LANES_TURN; ++i)
		send_initiation(&w, ATTACKER, 1000 + i, true);
	for (uint32_t i = 0; i < LANES_COOKIES; ++i)
		send_initiation(&w, HONEST, i, false);
	(void)turn(&w);
	assert_int_equal(replies(&w, ATTACKER), LANES_COOKIES / 3);
	assert_int_equal(replies(&w, HONEST), LANES_COOKIES);
	assert_int_equal(take(&w), 0);
	tear_down(&w);
}

/* The sender of that number speaks from an address of its own. */
static void move_sender(struct world *w, int sender, const char *ip, struct ip *ret)
{
	const bool is_v6 = w->family == FAMILY_V6;
	struct endpoint at = { .port = 0 };
	struct sockaddr_storage address;
	socklen_t len;

	*ret = (struct ip){ .family = (uint8_t)w->family };
	assert_int_equal(inet_pton(is_v6 ? AF_INET6 : AF_INET, ip, ret->bytes), 1);
	test_link_address("lo", ip, is_v6 ? 128 : 32, true);
	at.ip = *ret;
	len = udp_write_address(&at, &address);
	assert_int_equal(bind(w->senders[sender], (struct sockaddr *)&address, len), 0);
}

/* Does this socket of the device hold something? */
static bool is_filled(const struct world *w, int which)
{
	struct pollfd p = { .fd = device_socket(w->d, w->family, which), .events = POLLIN };

	return poll(&p, 1, 100) == 1;
}

static void forget_address(const char *ip, enum family family)
{
	test_link_address("lo", ip, family == FAMILY_V6 ? 128 : 32, false);
}

/* F-L3, F-D4: who is known comes through the fullest of floods at the first try, and is not asked.
 */
static void fl3_flood_is_not_in_the_way_of_the_known(void **state)
{
	static const char *const homes[] = { "10.3.0.1", "fd03::1" };
	struct world w;
	struct ip home;

	(void)state;
	for (size_t f = 0; f < ELEMENTS(families); ++f) {
		set_up(&w, families[f]);
		move_sender(&w, HONEST, homes[f], &home);
		steer_note(&w.lanes.steer, &home, w.now.boot);
		/* Without load there is nothing to steer. */
		send_initiation(&w, HONEST, 1, false);
		assert_false(turn(&w));
		assert_int_equal(ring_backlog(&w.lanes.waiting[WAITING_PLAIN]), 1);
		assert_int_equal(take(&w), 1);
		gate_note_load(gate(&w), w.now.boot);
		next_look(&w);
		assert_false(turn(&w));
		for (uint32_t i = 0; i < 8 * LANES_TURN; ++i)
			send_initiation(&w, ATTACKER, 1000 + i, i % 2);
		send_initiation(&w, HONEST, 2, false);
		assert_true(is_filled(&w, UDP_LANE_KNOWN));
		next_look(&w);
		assert_true(turn(&w));
		assert_int_equal(ring_backlog(&w.lanes.waiting[WAITING_KNOWN]), 1);
		assert_int_equal(take(&w), 2);
		assert_int_equal(take(&w), 0);
		assert_int_equal(replies(&w, HONEST), 0);
		forget_address(homes[f], families[f]);
		tear_down(&w);
	}
}

/* More than a few a second have to show a cookie, from a budget that is not the others'. */
static void fl4_flood_in_a_known_name_takes_nothing_of_the_others(void **state)
{
	struct world w;
	struct ip home;

	(void)state;
	set_up(&w, FAMILY_V4);
	move_sender(&w, ATTACKER, "10.3.0.1", &home);
	steer_note(&w.lanes.steer, &home, w.now.boot);
	gate_note_load(gate(&w), w.now.boot);
	assert_false(turn(&w));
	for (uint32_t i = 1; i <= LANES_TURN; ++i)
		send_initiation(&w, ATTACKER, i, false);
	for (uint32_t i = 0; i < LANES_COOKIES; ++i)
		send_initiation(&w, HONEST, 1000 + i, false);
	next_look(&w);
	assert_true(turn(&w));
	for (uint32_t i = 1; i <= RATELIMIT_BURST; ++i)
		assert_int_equal(take(&w), i);
	assert_int_equal(take(&w), 0);
	assert_int_equal(replies(&w, ATTACKER), LANES_COOKIES / 3);
	assert_int_equal(replies(&w, HONEST), LANES_COOKIES);
	forget_address("10.3.0.1", FAMILY_V4);
	tear_down(&w);
}

/* The kernel is told once a second at most, and again when there are other sockets. */
static void the_kernel_is_told_of_who_is_known(void **state)
{
	struct world w;
	struct ip home;

	(void)state;
	set_up(&w, FAMILY_V4);
	move_sender(&w, HONEST, "10.3.0.1", &home);
	gate_note_load(gate(&w), w.now.boot);
	(void)turn(&w);
	steer_note(&w.lanes.steer, &home, w.now.boot);
	w.now.boot += STEER_PAUSE - 1;
	for (int told = 0; told < 2; ++told) {
		gate_note_load(gate(&w), w.now.boot);
		(void)turn(&w);
		send_initiation(&w, HONEST, 1, false);
		assert_true(is_filled(&w, told ? UDP_LANE_KNOWN : UDP_LANE_PLAIN));
		next_look(&w);
		(void)turn(&w);
	}
	for (int i = 0; i < UDP_SOCKETS; ++i)
		for (int family = 0; family < 2; ++family)
			if (atomic_load(&w.d->sockets[family][i]) >= 0)
				close(atomic_load(&w.d->sockets[family][i]));
	use_sockets(&w, true);
	atomic_store(&w.d->port, w.port);
	next_look(&w);
	(void)turn(&w);
	send_initiation(&w, HONEST, 2, false);
	assert_true(is_filled(&w, UDP_LANE_KNOWN));
	forget_address("10.3.0.1", FAMILY_V4);
	tear_down(&w);
}

/* Whatever has come by in hours, memory is used for as many as ever waited together. */
static void a_ring_that_is_emptied_begins_anew(void **state)
{
	enum { ROOM = 100, WAIT = 7 };
	const uint8_t message[MESSAGE_HANDSHAKE_MAX] = { 1 };
	const struct endpoint from = { .port = 9 };
	const struct source to = { 0 };
	struct ring_entry e;
	struct ring r;

	(void)state;
	assert_int_equal(ring_init(&r, ROOM), 0);
	for (unsigned int i = 0; i < 3 * ROOM; ++i) {
		for (unsigned int k = 0; k < WAIT; ++k)
			assert_true(ring_push(&r, message, sizeof(message), &from, &to));
		for (unsigned int k = 0; k < WAIT; ++k)
			assert_true(ring_take(&r, &e));
	}
	for (unsigned int i = 0; i < ROOM; ++i)
		assert_int_equal(r.entries[i].len, i < WAIT ? sizeof(message) : 0);
	ring_done(&r);
}

/* Neither can shut out the other. */
static void cookies_and_the_known_go_by_turns(void **state)
{
	static const unsigned int order[] = { WAITING_PLAIN, WAITING_KNOWN, WAITING_COOKIE,
					      WAITING_KNOWN, WAITING_KNOWN, WAITING_COOKIE,
					      WAITING_KNOWN };
	const struct endpoint from = { .ip = { FAMILY_V4, { 127, 0, 0, 1 } }, .port = 9 };
	const struct source to = { 0 };
	struct world w;
	struct ring_entry e;

	(void)state;
	set_up(&w, FAMILY_V4);
	for (size_t i = 0; i < ELEMENTS(order); ++i) {
		const uint8_t message[MESSAGE_HANDSHAKE_MAX] = { [4] = (uint8_t)order[i] };

		assert_true(ring_push(&w.lanes.waiting[order[i]], message, sizeof(message), &from,
				      &to));
	}
	for (size_t i = 0; i < 4; ++i) {
		assert_int_equal(take(&w), i % 2 ? WAITING_KNOWN : WAITING_COOKIE);
	}
	assert_int_equal(take(&w), WAITING_KNOWN);
	assert_int_equal(take(&w), WAITING_KNOWN);
	assert_int_equal(take(&w), WAITING_PLAIN);
	assert_false(lanes_take(&w.lanes, &e));
	tear_down(&w);
}

/* F-L7: cookies for us carry no mac1; their number is what is bounded. */
static void fl7_made_up_cookies_are_bounded(void **state)
{
	struct message_cookie junk = { .type = { MESSAGE_COOKIE } };
	struct world w;

	(void)state;
	set_up(&w, FAMILY_V4);
	for (uint32_t i = 0; i < LANES_TYPE3 + 20; ++i) {
		test_random_fill(&w.entropy.state, junk.receiver, sizeof(junk) - 4);
		send_bytes(&w, ATTACKER, &junk, sizeof(junk));
	}
	send_initiation(&w, HONEST, 1, false);
	(void)turn(&w);
	assert_int_equal(ring_backlog(&w.lanes.waiting[WAITING_TYPE3]), LANES_TYPE3);
	assert_int_equal(rejects(&w, REJECT_QUEUE_FULL), 20);
	assert_false(gate_is_loaded(gate(&w), w.now.boot));
	assert_int_equal(take(&w), 1);
	tear_down(&w);
}

/* Under load the lanes are looked at by the clock, else at once. */
static void load_paces_the_looks(void **state)
{
	struct world w;

	(void)state;
	set_up(&w, FAMILY_V4);
	(void)turn(&w);
	send_initiation(&w, HONEST, 1, false);
	(void)turn(&w);
	assert_int_equal(take(&w), 1);
	gate_note_load(gate(&w), w.now.boot);
	send_initiation(&w, HONEST, 2, false);
	w.now.boot += LANES_PAUSE - 1;
	assert_false(turn(&w));
	assert_int_equal(replies(&w, HONEST), 0);
	++w.now.boot;
	assert_false(turn(&w));
	assert_int_equal(replies(&w, HONEST), 1);
	tear_down(&w);
}

/* F-D1: a flood of what is not for us, too. Those who get lost in it come back with a cookie. */
static void lane_that_is_never_empty_means_load(void **state)
{
	static const uint8_t junk[148] = { MESSAGE_INITIATION };
	struct world w;

	(void)state;
	set_up(&w, FAMILY_V4);
	for (unsigned int i = 0; i < 2 * LANES_FULL_TURNS; ++i) {
		const bool pauses = i == LANES_FULL_TURNS - 1;

		for (unsigned int k = 0; k < LANES_TURN + 1 && !pauses; ++k)
			send_bytes(&w, ATTACKER, junk, sizeof(junk));
		while (pauses && turn(&w)) /* all of what was left */
			;
		assert_int_equal(turn(&w), !pauses);
		assert_int_equal(gate_is_loaded(gate(&w), w.now.boot),
				 i == 2 * LANES_FULL_TURNS - 1);
	}
	tear_down(&w);
}

/* More than a helper does in half a second waits: from now on cookies are asked for. */
static void fd8_backlog_means_load(void **state)
{
	struct world w;
	uint32_t n = 0;

	(void)state;
	set_up(&w, FAMILY_V4);
	while (!gate_is_loaded(gate(&w), w.now.boot)) {
		for (unsigned int k = 0; k < 32; ++k)
			send_initiation(&w, HONEST, ++n, false);
		(void)turn(&w);
		assert_true(n <= 2 * HANDSHAKE_UNDER_LOAD);
	}
	assert_true(ring_backlog(&w.lanes.waiting[WAITING_PLAIN]) >= HANDSHAKE_UNDER_LOAD);
	assert_true(ring_backlog(&w.lanes.waiting[WAITING_PLAIN]) <=
		    HANDSHAKE_UNDER_LOAD + UDP_SLOTS_MAX);
	for (uint32_t i = 1; i <= HANDSHAKE_UNDER_LOAD; ++i)
		assert_int_equal(take(&w), i);
	tear_down(&w);
}

/* A host without the filter: what the workers found is treated alike. */
static void ring_is_a_lane_too(void **state)
{
	const struct endpoint from = { .ip = { FAMILY_V4, { 127, 0, 0, 1 } }, .port = 9 };
	const struct source to = { 0 };
	struct message_initiation m = { .type = { MESSAGE_INITIATION } };
	struct cookie_maker maker;
	struct world w;

	(void)state;
	set_up(&w, FAMILY_V4);
	cookie_maker_init(&maker);
	for (uint32_t i = 1; i <= LANES_TURN + 10; ++i) {
		store32_le(m.sender, i);
		cookie_make(&maker, &w.ours, &m, sizeof(m), w.now.boot);
		assert_true(ring_push(&w.d->ring, (uint8_t *)&m, sizeof(m), &from, &to));
	}
	assert_true(turn(&w));
	assert_int_equal(ring_backlog(&w.d->ring), 10);
	assert_false(turn(&w));
	for (uint32_t i = 1; i <= LANES_TURN + 10; ++i)
		assert_int_equal(take(&w), i);
	/* What waits there tells of load as well. */
	for (uint32_t i = 1; i <= HANDSHAKE_UNDER_LOAD + 1; ++i)
		assert_true(ring_push(&w.d->ring, (uint8_t *)&m, sizeof(m), &from, &to));
	assert_true(turn(&w));
	assert_true(gate_is_loaded(gate(&w), w.now.boot));
	tear_down(&w);
}

/* --- the doorman ---------------------------------------------------------------------------- */

/* The device's own lanes, with a thread that keeps them, and a TUN. */
static void start_doorman(struct world *w, bool is_link_up)
{
	struct device *d = w->d;
	struct diag why = { 0 };

	assert_int_equal(tun_open(&(struct tun_config){ .name = "t0" }, &why, &d->tun), 0);
	test_link_up("t0", is_link_up);
	core_down(d->core, w->now);
	d->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	d->lane_poll = epoll_create1(EPOLL_CLOEXEC);
	assert_true(d->wake >= 0 && d->lane_poll >= 0);
	assert_int_equal(device_watch(d->lane_poll, device_socket(d, w->family, UDP_LANE_PLAIN)),
			 0);
	assert_int_equal(lanes_init(&d->lanes, &d->entropy), 0);
	assert_int_equal(lanes_start(d), 0);
}

static void end_doorman(struct world *w)
{
	lanes_stop(w->d);
	lanes_done(&w->d->lanes);
	close(w->d->wake);
	close(w->d->lane_poll);
	tun_close(&w->d->tun);
	tear_down(w);
}

static void sleep_ms(long ms)
{
	(void)nanosleep(&(struct timespec){ .tv_nsec = ms * (long)NS_PER_MS }, NULL);
}

/* Whether it comes to wait, before somebody loses patience. */
static bool passes(struct world *w)
{
	struct ring_entry e;

	for (int i = 0; i < 500; ++i) {
		if (lanes_take(&w->d->lanes, &e))
			return true;
		sleep_ms(10);
	}
	return false;
}

static bool is_refused(struct world *w)
{
	uint64_t n = 0;

	for (int i = 0; i < 500 && !n; ++i) {
		sleep_ms(10);
		lanes_fold(w->d, w->now);
		pthread_mutex_lock(&w->d->lock);
		n = core_rejects(w->d->core)->device.by_reason[REJECT_DOWN].count;
		pthread_mutex_unlock(&w->d->lock);
	}
	return n;
}

/* The kernel says up, the brain has not heard of it: what comes now is not refused. */
static void a_message_just_behind_the_link_is_kept(void **state)
{
	struct world w;

	(void)state;
	set_up(&w, FAMILY_V4);
	start_doorman(&w, true);
	send_initiation(&w, HONEST, 7, false);
	lanes_knock(&w.d->lanes); /* something else happens meanwhile */
	sleep_ms(50);
	lanes_lock(&w.d->lanes);
	pthread_mutex_lock(&w.d->lock);
	core_up(w.d->core, w.now);
	pthread_mutex_unlock(&w.d->lock);
	lanes_unlock(&w.d->lanes);
	atomic_store(&w.d->is_up, true);
	lanes_knock(&w.d->lanes);
	assert_true(passes(&w));
	end_doorman(&w);
}

static void a_message_for_a_link_that_is_down_is_refused(void **state)
{
	struct world w;

	(void)state;
	set_up(&w, FAMILY_V4);
	start_doorman(&w, false);
	send_initiation(&w, HONEST, 7, false);
	assert_true(is_refused(&w));
	end_doorman(&w);
}

/* Whatever keeps the brain from following: it is told in the end. */
static void a_message_is_not_kept_for_ever(void **state)
{
	struct world w;

	(void)state;
	set_up(&w, FAMILY_V4);
	start_doorman(&w, true);
	send_initiation(&w, HONEST, 7, false);
	assert_true(is_refused(&w));
	end_doorman(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_load_all_pass),
		cmocka_unit_test(joined_messages_are_judged_one_by_one),
		cmocka_unit_test(joined_messages_end_a_turn_too),
		cmocka_unit_test(data_behind_a_message_is_delivered),
		cmocka_unit_test(junk_is_counted_and_gone),
		cmocka_unit_test(fd3_cookie_leads_to_the_other_lane),
		cmocka_unit_test(fd4_plain_lane_takes_nothing_of_the_other),
		cmocka_unit_test(fd4_false_cookies_take_nothing_of_the_plain_lane),
		cmocka_unit_test(fl3_flood_is_not_in_the_way_of_the_known),
		cmocka_unit_test(fl4_flood_in_a_known_name_takes_nothing_of_the_others),
		cmocka_unit_test(the_kernel_is_told_of_who_is_known),
		cmocka_unit_test(a_ring_that_is_emptied_begins_anew),
		cmocka_unit_test(cookies_and_the_known_go_by_turns),
		cmocka_unit_test(fl7_made_up_cookies_are_bounded),
		cmocka_unit_test(load_paces_the_looks),
		cmocka_unit_test(lane_that_is_never_empty_means_load),
		cmocka_unit_test(fd8_backlog_means_load),
		cmocka_unit_test(ring_is_a_lane_too),
		cmocka_unit_test(a_message_just_behind_the_link_is_kept),
		cmocka_unit_test(a_message_for_a_link_that_is_down_is_refused),
		cmocka_unit_test(a_message_is_not_kept_for_ever),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
