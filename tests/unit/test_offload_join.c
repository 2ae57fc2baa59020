#include "device/offload_join.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "device/offload_split.h"
#include "packets.h"
#include "support.h"

/*
 * A test is a line of packets and the line of writes that must come of it.
 *
 * A packet is a letter (its conversation: A-H TCPv4, a-h TCPv6, U-W UDPv4, u-w UDPv6), the bytes of
 * its payload, and letters that say what is special about it (special_...). It follows the packet
 * before it of its conversation. X, Y and y are others between the hosts of A and a, X on A's
 * ports. | flushes, and so does the end.
 *
 * A write is the letter, the payloads that it carries, joined by +, and c where it says ECN.
 */
enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16, URG = 32, ECE = 64, CWR = 128 };
enum { FRONT = 16, LETTERS = 128, ROUNDS = 3000, PACKETS = 60 };

struct flow {
	uint32_t seq;
	uint16_t id;
};

struct stage {
	struct offload_join join;
	struct flow flows[LETTERS];
	struct packet_list in;  /* as given */
	struct packet_list out; /* as written, super-packets split by the slow splitter */
	char log[65536];
	size_t log_len;
	uint8_t *memory; /* of the packets given */
	size_t used;
};

static struct stage stage;
static uint8_t memory[4 << 20], whole[PACKET_ROOM];

static void log_text(const char *text)
{
	stage.log_len += (size_t)snprintf(stage.log + stage.log_len,
					  sizeof(stage.log) - stage.log_len, "%s", text);
}

static bool is_v4(const uint8_t *p)
{
	return p[0] >> 4 == 4;
}

/* TCP or UDP, the way it may be joined. */
static bool is_clean(const uint8_t *p, size_t len)
{
	const uint8_t proto = is_v4(p) ? p[9] : p[6];

	if (is_v4(p) && (p[0] != 0x45 || load16_be(p + 6) & 0xbfff || load16_be(p + 2) != len))
		return false;
	if (!is_v4(p) && load16_be(p + 4) + 40u != len)
		return false;
	return (proto == 6 && len >= packet_start(p) + 20) ||
	       (proto == 17 && len >= packet_start(p) + 8);
}

static size_t payload_of(const uint8_t *p, size_t len)
{
	const size_t headers = is_clean(p, len) ? packet_headers(p) : packet_start(p);

	return len > headers ? len - headers : 0;
}

static void log_write(const uint8_t *header, const uint8_t *p, size_t from)
{
	char text[32];
	size_t len;

	(void)snprintf(text, sizeof(text), "%s%c", stage.log_len ? " " : "", p[is_v4(p) ? 15 : 23]);
	log_text(text);
	for (size_t i = from; i < stage.out.count; ++i) {
		const uint8_t *const one = packet_list_at(&stage.out, i, &len);

		(void)snprintf(text, sizeof(text), "%s%zu", i > from ? "+" : "",
			       payload_of(one, len));
		log_text(text);
	}
	if (header[1] & 0x80)
		log_text("c");
}

/* What the kernel believes of a super-packet must be true. */
static void check_super(const uint8_t *header, const uint8_t *p, size_t len)
{
	static uint8_t copy[PACKET_ROOM];
	uint8_t wanted[OFFLOAD_HEADER];
	struct offload_header h;

	memcpy(&h, header, sizeof(h));
	packet_header(p, h.size, wanted);
	assert_memory_equal(header, wanted, OFFLOAD_HEADER);
	assert_true(len <= OFFLOAD_MAX);
	memcpy(copy, p, len);
	packet_unfinish(copy, len);
	assert_memory_equal(copy, p, packet_headers(p));
	packet_finish(copy, len);
	assert_true(packet_is_right(copy, len));
}

static void take_write(void *ctx, const struct iovec *parts, int count, size_t packets)
{
	const size_t from = stage.out.count;
	size_t len = 0;

	assert_ptr_equal(ctx, &stage);
	assert_true(count >= 1 && count <= OFFLOAD_RUN_PARTS);
	for (int i = 0; i < count; ++i) {
		assert_true(len + parts[i].iov_len <= sizeof(whole));
		memcpy(whole + len, parts[i].iov_base, parts[i].iov_len);
		len += parts[i].iov_len;
	}
	assert_true(len >= OFFLOAD_HEADER);
	packet_list_split(&stage.out, whole, whole + OFFLOAD_HEADER, len - OFFLOAD_HEADER);
	assert_int_equal(stage.out.count - from, packets);
	if (packets > 1)
		check_super(whole, whole + OFFLOAD_HEADER, len - OFFLOAD_HEADER);
	log_write(whole, whole + OFFLOAD_HEADER, from);
}

static void begin(unsigned int kinds)
{
	const struct offload_sink sink = { take_write, &stage };

	memset(&stage.flows, 0, sizeof(stage.flows));
	stage.in.count = stage.in.used = stage.out.count = stage.out.used = 0;
	stage.log_len = 0;
	stage.log[0] = '\0';
	stage.used = 0;
	offload_join_init(&stage.join, &sink, kinds, true);
}

static void flush(void)
{
	log_text(stage.log_len ? " |" : "|");
	offload_join_flush(&stage.join);
}

static void give(const uint8_t *p, size_t len)
{
	uint8_t *const place = memory + stage.used + FRONT;

	assert_true(stage.used + FRONT + len <= sizeof(memory));
	packet_list_add(&stage.in, p, len);
	memset(place - FRONT, 0xa5, FRONT);
	memcpy(place, p, len);
	stage.used += FRONT + len;
	offload_join_add(&stage.join, place, len);
}

/* Which conversation a letter is. */
static struct packet_spec spec_of(char letter)
{
	const uint8_t host = (uint8_t)letter;

	switch (letter) {
	case 'X':
		return (struct packet_spec){ .kind = OFFLOAD_UDP4, .host = 'A', .port = 'A' };
	case 'Y':
		return (struct packet_spec){ .kind = OFFLOAD_TCP4, .host = 'A', .port = 999 };
	case 'y':
		return (struct packet_spec){ .kind = OFFLOAD_TCP6, .host = 'a', .port = 999 };
	}
	if (letter >= 'U' && letter <= 'W')
		return (struct packet_spec){ .kind = OFFLOAD_UDP4, .host = host, .port = host };
	if (letter >= 'u' && letter <= 'w')
		return (struct packet_spec){ .kind = OFFLOAD_UDP6, .host = host, .port = host };
	return (struct packet_spec){ .kind = letter <= 'H' ? OFFLOAD_TCP4 : OFFLOAD_TCP6,
				     .host = host,
				     .port = host };
}

/* Before the packet is built. */
static void special_spec(struct packet_spec *s, struct flow *f, char what)
{
	static const struct {
		char what;
		uint8_t flag;
	} flags[] = { { '!', PSH }, { 'c', CWR }, { 'e', ECE }, { 'f', FIN },
		      { 's', SYN }, { 'r', RST }, { 'u', URG } };

	for (size_t i = 0; i < ELEMENTS(flags); ++i)
		if (what == flags[i].what)
			s->flags |= flags[i].flag;
	if (what == '-') /* something is missing before it */
		s->seq += 1;
	if (what == '<') /* once more */
		s->seq -= (uint32_t)s->payload;
	if (what == '=') /* the ID stays */
		s->id = --f->id;
	if (what == 'i') /* or jumps */
		s->id = ++f->id;
	if (what == 'o')
		s->options = 12;
	if (what == 'O')
		s->between = 8;
}

/* Into the built packet; the checksums are made right afterwards. */
static void special_bytes(uint8_t *p, char what)
{
	const size_t start = packet_start(p);
	const bool v4 = is_v4(p);

	if (what == 't') /* TOS, class */
		p[1] ^= v4 ? 4 : 0x40;
	if (what == 'l') /* TTL, hop limit */
		p[v4 ? 8 : 7] ^= 1;
	if (what == 'd' && v4) /* DF clear */
		p[6] = 0;
	if (what == 'E' && v4) /* the reserved bit */
		p[6] |= 0x80;
	if (what == 'L' && !v4) /* flow label */
		p[3] ^= 1;
	if (what == 'F' && v4) /* first fragment */
		p[6] |= 0x20;
	if (what == 'G' && v4) /* later one */
		p[7] |= 1;
	if (what == 'k')
		p[start + 11] ^= 1;
	if (what == 'w')
		p[start + 15] ^= 1;
	if (what == 'p') /* urgent pointer */
		p[start + 19] ^= 1;
	if (what == 'R') /* a reserved bit of TCP */
		p[start + 12] |= 1;
	if (what == 'D') /* data offset: as far as it goes */
		p[start + 12] = 0xf0;
	if (what == 'g') /* within the header */
		p[start + 12] = 0x40;
	if (what == 'n') /* no ACK */
		p[start + 13] &= 0xef;
	if (what == 'x') /* an option */
		p[start + 31] ^= 2;
}

/* Afterwards: wrong, or not there. */
static void special_spoil(uint8_t *p, size_t *len, char what)
{
	if (what == 'b')
		p[*len - 1] ^= 1;
	if (what == 'h' && is_v4(p))
		p[11] ^= 1;
	if (what == 'z')
		store16_be(p + packet_field(p), 0);
	if (what == 'm') /* UDP length */
		p[packet_start(p) + 5] ^= 1;
	if (what == 'P') /* padding behind it */
		p[(*len)++] = 0;
	if (what == '?') { /* another protocol */
		p[is_v4(p) ? 9 : 6] = 99;
		p[10] = 0;
	}
	if (what == 'S') { /* no room for TCP's header */
		*len = packet_start(p) + 10;
		store16_be(p + (is_v4(p) ? 2 : 4), (uint16_t)(*len - (is_v4(p) ? 0 : 40)));
	}
}

static void give_token(char letter, size_t payload, const char *specials)
{
	static uint8_t p[PACKET_ROOM];
	struct flow *const f = &stage.flows[(uint8_t)letter];
	struct packet_spec s = spec_of(letter);
	size_t len;

	s.id = f->id;
	s.seq = f->seq;
	s.payload = payload;
	s.fill = (uint8_t)stage.in.count;
	for (const char *at = specials; *at; ++at)
		special_spec(&s, f, *at);
	len = packet_build(&s, p);
	for (const char *at = specials; *at; ++at)
		special_bytes(p, *at);
	packet_finish(p, len);
	for (const char *at = specials; *at; ++at)
		special_spoil(p, &len, *at);
	f->seq = s.seq + (uint32_t)payload;
	f->id++;
	give(p, len);
}

static void run_line(unsigned int kinds, const char *line)
{
	static char copy[4096];
	char *next = copy;

	begin(kinds);
	(void)snprintf(copy, sizeof(copy), "%s", line);
	for (char *token; (token = strsep(&next, " "));) {
		char *rest;
		unsigned long payload;

		if (token[0] == '|') {
			flush();
			continue;
		}
		payload = strtoul(token + 1, &rest, 10);
		give_token(token[0], payload, rest);
	}
	flush();
}

/* Every packet comes out once, in the order of its conversation, the same. */
static void check_nothing_lost(void)
{
	bool is_used[PACKETS] = { 0 };
	size_t len, out_len;

	assert_int_equal(stage.in.count, stage.out.count);
	for (size_t i = 0; i < stage.in.count; ++i) {
		const uint8_t *const p = packet_list_at(&stage.in, i, &len);
		size_t n;

		for (n = 0; n < stage.out.count; ++n) {
			const uint8_t *const out = packet_list_at(&stage.out, n, &out_len);

			if (!is_used[n] && len == out_len && memcmp(p, out, len) == 0)
				break;
		}
		if (n == stage.out.count)
			fail_msg("packet %zu is not among: %s", i, stage.log);
		is_used[n] = true;
	}
}

static const struct row {
	const char *in;
	const char *out;
	bool changes; /* an ID that comes out counting */
} rows[] = {
	/* what joins, and what ends a run */
	{ "A100", "| A100", 0 },
	{ "A100 A100", "| A100+100", 0 },
	{ "A100 A100 | A100", "| A100+100 | A100", 0 },
	{ "A100 A100 A50 A100", "A100+100+50 | A100", 0 },
	{ "A100 A101 A101", "A100 | A101+101", 0 },
	{ "A100 A100! A100", "A100+100 | A100", 0 },
	{ "A100! A100 A100", "A100 | A100+100", 0 },
	{ "A100 A50!", "A100+50 |", 0 },
	{ "A1 A1 A1", "| A1+1+1", 0 },
	{ "a100 a100 a50 a100!", "a100+100+50 a100 |", 0 },
	{ "U100 U100 U50 U100", "U100+100+50 | U100", 0 },
	{ "U100 U101 U101", "U100 | U101+101", 0 },
	{ "u100 u100 u1", "u100+100+1 |", 0 },

	/* conversations beside each other */
	{ "A100 B100 A100 B100 a100 U10 a100 U10", "| A100+100 B100+100 a100+100 U10+10", 0 },
	{ "B100 A100 B100 A50 B100", "A100+50 | B100+100+100", 0 },
	{ "A1 B1 C1 D1 E1 F1 G1 H1 A1 B1 H1", "| A1+1 B1+1 C1 D1 E1 F1 G1 H1+1", 0 },
	{ "A1 B1 C1 D1 E1 F1 G1 H1 A1 U1 B1 A1 U1", "A1+1 B1+1 | C1 D1 E1 F1 G1 H1 U1+1 A1", 0 },
	{ "A100 Y100 A100 Y100", "| A100+100 A100+100", 0 },
	{ "A100 X100 A100 X100", "| A100+100 A100+100", 0 },

	/* TCP: sequence, ACK number, window, urgent pointer, options, reserved bits */
	{ "A100 A100- A100", "A100 | A100+100", 0 },
	{ "A100 A100<", "A100 | A100", 0 },
	{ "A100 A100k A100k", "A100 | A100+100", 0 },
	{ "A100 A100w A100w", "A100 | A100+100", 0 },
	{ "A100 A100p A100p", "A100 | A100+100", 0 },
	{ "A100 A100o A100o", "A100 | A100+100", 0 },
	{ "A100o A100 A100", "A100 | A100+100", 0 },
	{ "A100o A100ox A100ox", "A100 | A100+100", 0 },
	{ "A100 A100R A100R", "A100 | A100+100", 0 },
	{ "A10D A10D", "A0 A0 |", 0 },
	{ "A39D A40D A41D A42D", "A0 A0 A1 | A2", 0 },
	{ "A100g A100g", "A104 A104 |", 0 },

	/* TCP flags */
	{ "A0 A0 A100 A0 A100", "A0 A0 A100 A0 | A100", 0 },
	{ "A0! A0!", "A0 A0 |", 0 },
	{ "A100 A100f", "A100 A100 |", 0 },
	{ "A100 A100s A100", "A100 A100 | A100", 0 },
	{ "A100 A100r", "A100 A100 |", 0 },
	{ "A100 A100u A100", "A100 A100 | A100", 0 },
	{ "A100n A100n", "A100 A100 |", 0 },
	{ "A100 A100n A100", "A100 A100 | A100", 0 },
	{ "A100c A100 A100", "| A100+100+100c", 0 },
	{ "A100 A100c A100", "A100 | A100+100c", 0 },
	{ "A100c A100c A100", "A100 | A100+100c", 0 },
	{ "a100c a100 a50", "a100+100+50c |", 0 },
	{ "A100e A100e A100", "A100+100 | A100", 0 },
	{ "A100 A100e A100e", "A100 | A100+100", 0 },
	{ "A100ce A100e A100e!", "A100+100+100c |", 0 },
	{ "A100c! A100", "A100 | A100", 0 },

	/* IPv4 */
	{ "A100 A100t A100t", "A100 | A100+100", 0 },
	{ "A100 A100l A100l", "A100 | A100+100", 0 },
	{ "A100 A100d A100d", "A100 | A100+100", 0 },
	{ "A100d A100 A100", "A100 | A100+100", 0 },
	{ "A100E A100E", "A120 A120 |", 0 },
	{ "A100 A100i A100", "A100 | A100+100", 0 },
	{ "A100 A100= A100=", "| A100+100+100", 1 },
	{ "A100 A100= A100 A100", "A100+100 | A100+100", 1 },
	{ "A100 A100 A100=", "A100+100 | A100", 0 },
	{ "A100d A100d= A100d", "A100 | A100+100", 0 },
	{ "U100 U100= U50=", "U100+100+50 |", 1 },
	{ "A100O A100O", "A120 A120 |", 0 },

	/* IPv6 */
	{ "a100 a100t a100t", "a100 | a100+100", 0 },
	{ "a100 a100l a100l", "a100 | a100+100", 0 },
	{ "a100 a100L a100L", "a100 | a100+100", 0 },
	{ "a100O a100O", "a120 a120 |", 0 },

	/* what has a wrong checksum passes as it is, in its place */
	{ "A100 A100b A100", "A100 A100 | A100", 0 },
	{ "A100b A100", "A100 | A100", 0 },
	{ "A100 A100h A100", "A100 A100 | A100", 0 },
	{ "a100 a100b a100", "a100 a100 | a100", 0 },
	{ "U100 U100b U100", "U100 U100 | U100", 0 },
	{ "u100 u100b u100", "u100 u100 | u100", 0 },
	{ "U100z U100z", "U100 U100 |", 0 },
	{ "u100z u100z", "u100 u100 |", 0 },
	{ "U100 U100m U100", "U100 U100 | U100", 0 },
	{ "U0 U0", "U0 U0 |", 0 },

	/* what may belong to a conversation without showing it ends all between its hosts */
	{ "A100 B100 A100F B100 A100", "A100 A120 | B100+100 A100", 0 },
	{ "A100 A100G A100", "A100 A120 | A100", 0 },
	{ "A100 Y100? A100", "A100 A120 | A100", 0 },
	{ "B100 A100 Y100 Y100?", "A100 A100 A120 | B100", 0 },
	{ "a100 y100? a100", "a100 a120 | a100", 0 },
	{ "a100 A100 y100O A100", "a100 a120 | A100+100", 0 },
	{ "A100 A100P A100", "A100 A121 | A100", 0 },
	{ "a100 a100P a100", "a100 a121 | a100", 0 },
	{ "A100 A100S A100", "A100 A10 | A100", 0 },
	{ "a100 a100S a100", "a100 a10 | a100", 0 },
};

static void rules(void **state)
{
	(void)state;
	for (size_t i = 0; i < ELEMENTS(rows); ++i) {
		run_line(OFFLOAD_ALL, rows[i].in);
		if (strcmp(stage.log, rows[i].out) != 0)
			fail_msg("%s\n gave %s\n not %s", rows[i].in, stage.log, rows[i].out);
		if (!rows[i].changes)
			check_nothing_lost();
	}
}

static void only_kinds_that_were_asked_for(void **state)
{
	static const struct {
		unsigned int kinds;
		const char *out;
	} kinds[] = {
		{ 0, "A1 a1 U1 u1 A1 a1 U1 u1 |" },
		{ OFFLOAD_TCP4, "a1 U1 u1 a1 U1 u1 | A1+1" },
		{ OFFLOAD_TCP6, "A1 U1 u1 A1 U1 u1 | a1+1" },
		{ OFFLOAD_UDP4, "A1 a1 u1 A1 a1 u1 | U1+1" },
		{ OFFLOAD_UDP6, "A1 a1 U1 A1 a1 U1 | u1+1" },
		{ OFFLOAD_TCP4 | OFFLOAD_UDP6, "a1 U1 a1 U1 | A1+1 u1+1" },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTS(kinds); ++i) {
		run_line(kinds[i].kinds, "A1 a1 U1 u1 A1 a1 U1 u1");
		assert_string_equal(stage.log, kinds[i].out);
		check_nothing_lost();
	}
}

/* How many packets go into one, and the bytes of the last run. */
static void check_limit(char letter, size_t payload, size_t most)
{
	begin(OFFLOAD_ALL);
	for (size_t i = 0; i < most; ++i)
		give_token(letter, payload, "");
	assert_int_equal(stage.out.count, 0);
	give_token(letter, payload, "");
	assert_int_equal(stage.out.count, most);
	assert_null(strchr(stage.log, ' '));
	flush();
	assert_int_equal(stage.out.count, most + 1);
	assert_int_equal(stage.in.count, most + 1);
	assert_memory_equal(stage.in.bytes, stage.out.bytes, stage.in.used);
}

static void limits(void **state)
{
	(void)state;
	check_limit('A', 1, OFFLOAD_RUN_PARTS);
	check_limit('a', 1, OFFLOAD_RUN_PARTS);
	check_limit('U', 1, OFFLOAD_UDP_SEGMENTS);
	check_limit('u', 1, OFFLOAD_UDP_SEGMENTS);
	check_limit('A', 1380, 47); /* 65535 - 40 = 47 * 1380 + 635 */
	check_limit('A', 13099, 5); /* 5 * 13099 = 65495: exactly all */
	check_limit('A', 13100, 4);
	check_limit('a', 13095, 5); /* 5 * 13095 = 65475 */
	check_limit('a', 13096, 4);
	check_limit('U', 21835, 3); /* 65505 of 65507 */
	check_limit('U', 21836, 2);
}

static void wraps(void **state)
{
	(void)state;
	begin(OFFLOAD_ALL);
	stage.flows['A'].id = 0xfffe;
	stage.flows['A'].seq = 0xffffff80;
	for (int i = 0; i < 5; ++i)
		give_token('A', 100, "");
	flush();
	assert_string_equal(stage.log, "| A100+100+100+100+100");
	check_nothing_lost();
}

/* A single packet is written from where it stands, behind a header of zeros. */
static const uint8_t *expected_base;
static size_t expected_len, writes;

static void take_single(void *ctx, const struct iovec *parts, int count, size_t packets)
{
	(void)ctx;
	assert_int_equal(count, 1);
	assert_int_equal(packets, 1);
	assert_ptr_equal(parts[0].iov_base, expected_base);
	assert_int_equal(parts[0].iov_len, expected_len);
	++writes;
}

static void without_a_header_packets_are_as_they_are(void **state)
{
	const struct offload_sink sink = { take_single, NULL };
	const struct packet_spec spec = { .kind = OFFLOAD_TCP4, .payload = 100 };
	uint8_t place[400], copy[400];
	struct offload_join j;
	const size_t len = packet_build(&spec, place + FRONT);

	(void)state;
	memset(place, 0xa5, FRONT);
	memcpy(copy, place, sizeof(copy));
	offload_join_init(&j, &sink, 0, false);
	expected_base = place + FRONT;
	expected_len = len;
	writes = 0;
	offload_join_add(&j, place + FRONT, len);
	assert_int_equal(writes, 1);
	assert_memory_equal(place, copy, sizeof(copy));
	offload_join_init(&j, &sink, OFFLOAD_ALL, true);
	expected_base -= OFFLOAD_HEADER;
	expected_len += OFFLOAD_HEADER;
	offload_join_add(&j, place + FRONT, len);
	offload_join_flush(&j);
	assert_int_equal(writes, 2);
	memset(copy + FRONT - OFFLOAD_HEADER, 0, OFFLOAD_HEADER);
	assert_memory_equal(place, copy, sizeof(copy));
}

/* UDP without a checksum, where the right one is 0xffff: the sum alone does not tell it. */
static void a_missing_udp_checksum_stays_missing(void **state)
{
	static const enum offload_kind kinds[] = { OFFLOAD_UDP4, OFFLOAD_UDP6 };
	uint8_t p[200];

	(void)state;
	for (size_t i = 0; i < ELEMENTS(kinds); ++i) {
		const struct packet_spec spec = { .kind = kinds[i], .payload = 100 };
		const size_t len = packet_build(&spec, p), field = packet_field(p);

		store16_be(p + len - 2, 0);
		packet_finish(p, len);
		memcpy(p + len - 2, p + field, 2);
		packet_finish(p, len);
		assert_int_equal(load16_be(p + field), 0xffff);
		store16_be(p + field, 0);
		begin(OFFLOAD_ALL);
		give(p, len);
		assert_int_equal(stage.out.count, 1);
		check_nothing_lost();
	}
}

/* No IP packet, of any length: alone, behind all that is open. */
static void what_is_no_packet_ends_everything(void **state)
{
	static const uint8_t firsts[] = { 0x45, 0x60, 0x00, 0x55, 0xff };
	uint8_t junk[64];

	(void)state;
	for (size_t i = 0; i < ELEMENTS(firsts); ++i)
		for (size_t len = 0; len < (firsts[i] == 0x60 ? 40 : 20); ++len) {
			memset(junk, 0, sizeof(junk));
			junk[0] = firsts[i];
			begin(OFFLOAD_ALL);
			give_token('A', 10, "");
			give_token('a', 10, "");
			give(junk, len);
			assert_int_equal(stage.out.count, 3);
			check_nothing_lost();
		}
}

/*
 * The slow joiner. Whether a packet may join is not told by rules about fields but by what joining
 * is for: the super-packet, split by the slow splitter, must give the same packets again.
 */
enum { MODEL_FLUSH = -1 };

struct model_run {
	int packets[OFFLOAD_RUN_PARTS];
	size_t count;
};

struct model {
	struct model_run runs[OFFLOAD_RUNS]; /* oldest first */
	size_t used;
	char log[65536];
	size_t log_len;
};

static struct model model;

static const uint8_t *given(int i, size_t *ret_len)
{
	return packet_list_at(&stage.in, (size_t)i, ret_len);
}

static void model_log(const int *packets, size_t count)
{
	size_t len;
	const uint8_t *p = given(packets[0], &len);
	const bool is_ecn = count > 1 && is_clean(p, len) && (is_v4(p) ? p[9] : p[6]) == 6 &&
			    p[packet_start(p) + 13] & CWR;

	model.log_len += (size_t)sprintf(model.log + model.log_len, "%s%c",
					 model.log_len ? " " : "", p[is_v4(p) ? 15 : 23]);
	for (size_t i = 0; i < count; ++i) {
		p = given(packets[i], &len);
		model.log_len += (size_t)sprintf(model.log + model.log_len, "%s%zu", i ? "+" : "",
						 payload_of(p, len));
	}
	model.log_len += (size_t)sprintf(model.log + model.log_len, "%s", is_ecn ? "c" : "");
}

static void model_end(size_t at)
{
	model_log(model.runs[at].packets, model.runs[at].count);
	memmove(&model.runs[at], &model.runs[at + 1], (--model.used - at) * sizeof(model.runs[0]));
}

/* With DF set an ID that stays the same comes out counting. */
static void count_ids(struct packet_list *l)
{
	size_t len;
	const uint8_t *const p = packet_list_at(l, 0, &len);
	const uint16_t id = load16_be(p + 4);

	if (!is_v4(p) || !(p[6] & 0x40))
		return;
	for (size_t i = 0; i < l->count; ++i)
		if (load16_be(l->bytes + l->rows[i].at + 4) != id)
			return;
	for (size_t i = 0; i < l->count; ++i) {
		store16_be(l->bytes + l->rows[i].at + 4, (uint16_t)(id + i));
		packet_finish(l->bytes + l->rows[i].at, l->rows[i].len);
	}
}

/* All packets as one, the way a joiner that checks nothing does it. Its length. */
static size_t join_blindly(const struct packet_list *l, uint8_t *ret)
{
	size_t len, n;
	const uint8_t *p = packet_list_at(l, 0, &n);
	const size_t headers = packet_headers(p), start = packet_start(p);

	memcpy(ret, p, n);
	len = n;
	for (size_t i = 1; i < l->count; ++i) {
		p = packet_list_at(l, i, &n);
		memcpy(ret + len, p + packet_headers(p), n - packet_headers(p));
		len += n - packet_headers(p);
		if ((is_v4(p) ? p[9] : p[6]) == 6)
			ret[start + 13] |= p[packet_start(p) + 13] & PSH;
	}
	assert_true(len > headers);
	return len;
}

static bool model_joins(const struct model_run *r, int next)
{
	static struct packet_list wanted, got;
	uint8_t header[OFFLOAD_HEADER];
	size_t len, first, total = 0;
	const uint8_t *p = given(r->packets[0], &first);
	const bool tcp = (is_v4(p) ? p[9] : p[6]) == 6;

	if (r->count == (tcp ? OFFLOAD_RUN_PARTS : OFFLOAD_UDP_SEGMENTS))
		return false;
	wanted.count = wanted.used = got.count = got.used = 0;
	for (size_t i = 0; i <= r->count; ++i) {
		p = given(i < r->count ? r->packets[i] : next, &len);
		packet_list_add(&wanted, p, len);
		total += i ? payload_of(p, len) : len;
	}
	if (total > OFFLOAD_MAX)
		return false;
	count_ids(&wanted);
	len = join_blindly(&wanted, whole);
	packet_header(whole, payload_of(p = packet_list_at(&wanted, 0, &first), first), header);
	packet_list_split(&got, header, whole, len);
	if (got.count != wanted.count)
		return false;
	for (size_t i = 0; i < got.count; ++i) {
		const uint8_t *const a = packet_list_at(&wanted, i, &len);
		size_t b_len;
		const uint8_t *const b = packet_list_at(&got, i, &b_len);

		if (!packet_is_same(a, len, b, b_len))
			return false;
	}
	return true;
}

static bool model_may_join(const uint8_t *p, size_t len)
{
	if (payload_of(p, len) == 0 || !packet_is_right(p, len))
		return false;
	return (is_v4(p) ? p[9] : p[6]) == 17 ||
	       (packet_headers(p) >= packet_start(p) + 20 &&
		(p[packet_start(p) + 13] & ~(PSH | ECE | CWR)) == ACK);
}

static bool is_between_same(const uint8_t *a, const uint8_t *b)
{
	const size_t at = is_v4(a) ? 12 : 8;

	return is_v4(a) == is_v4(b) && memcmp(a + at, b + at, is_v4(a) ? 8 : 32) == 0;
}

static bool is_same_conversation(const uint8_t *a, const uint8_t *b)
{
	return is_between_same(a, b) && (is_v4(a) ? a[9] == b[9] : a[6] == b[6]) &&
	       memcmp(a + packet_start(a), b + packet_start(b), 4) == 0;
}

static void model_end_all(const uint8_t *p, bool (*matches)(const uint8_t *, const uint8_t *))
{
	size_t len;

	for (size_t i = 0; i < model.used;)
		if (matches(given(model.runs[i].packets[0], &len), p))
			model_end(i);
		else
			++i;
}

static bool model_append(int i, const uint8_t *p, size_t len, bool is_last)
{
	size_t first_len;

	for (size_t n = 0; n < model.used; ++n) {
		struct model_run *const r = &model.runs[n];
		const uint8_t *const first = given(r->packets[0], &first_len);

		if (!is_same_conversation(first, p) || !model_joins(r, i))
			continue;
		r->packets[r->count++] = i;
		if (is_last || payload_of(p, len) < payload_of(first, first_len))
			model_end(n);
		return true;
	}
	return false;
}

static void model_add(int i)
{
	size_t len;
	const uint8_t *const p = given(i, &len);
	const bool may_join = is_clean(p, len) && model_may_join(p, len);
	const bool is_last =
		may_join && (is_v4(p) ? p[9] : p[6]) == 6 && p[packet_start(p) + 13] & PSH;

	if (may_join && model_append(i, p, len, is_last))
		return;
	model_end_all(p, is_clean(p, len) ? is_same_conversation : is_between_same);
	if (!may_join || is_last) {
		model_log(&i, 1);
		return;
	}
	if (model.used == OFFLOAD_RUNS)
		model_end(0);
	model.runs[model.used].packets[0] = i;
	model.runs[model.used++].count = 1;
}

static void run_model(const int *order, size_t count)
{
	model.used = model.log_len = 0;
	model.log[0] = '\0';
	for (size_t i = 0; i < count; ++i) {
		if (order[i] != MODEL_FLUSH) {
			model_add(order[i]);
			continue;
		}
		model.log_len +=
			(size_t)sprintf(model.log + model.log_len, "%s|", model.log_len ? " " : "");
		while (model.used)
			model_end(0);
	}
}

static void give_random(uint64_t *seed, const char *letters, const char *specials)
{
	const char letter[] = { letters[test_random_below(seed, strlen(letters))], '\0' };
	const bool is_tcp = strchr("UVWXuvw", letter[0]) == NULL;
	size_t payload = test_random_below(seed, 8) ? 100 : test_random_below(seed, 200);
	char special[4] = { 0 };
	size_t n = 0;

	if (test_random_below(seed, 3) == 0)
		special[n++] = specials[test_random_below(seed, strlen(specials))];
	if (test_random_below(seed, 9) == 0)
		special[n++] = specials[test_random_below(seed, strlen(specials))];
	for (char *at = special; *at; ++at) {
		if (!is_tcp && strchr("!cefsruopkwpRnx-<DgS", *at))
			*at = 't'; /* TCP's own */
		if (*at == 'x' || *at == 'D' || *at == 'S')
			payload += 40;
		if (is_tcp && (*at == 'm' || *at == 'z'))
			*at = '!';
	}
	give_token(letter[0], payload + (payload == 0), special);
}

static void as_the_slow_joiner(void **state)
{
	static const char *const letters[] = { "A", "AaUu", "ABCDEFGHabcUVWuvw", "AXYay", "U" };
	static const char *const specials[] = { "!",
						"!ce",
						"!cefsrutldk-<wopRn",
						"=i",
						"b",
						"bhzmP?FGO",
						"!cefsruobhtldELFGknwpRx-<=iOzmP?DgS" };
	int order[PACKETS + 8];
	uint64_t seed = 11;

	(void)state;
	for (int i = 0; i < ROUNDS; ++i) {
		const char *const from = letters[test_random_below(&seed, ELEMENTS(letters))];
		const char *const what = specials[test_random_below(&seed, ELEMENTS(specials))];
		const size_t packets = test_random_below(&seed, PACKETS);
		size_t n = 0;

		begin(OFFLOAD_ALL);
		for (size_t k = 0; k < packets; ++k) {
			order[n++] = (int)stage.in.count;
			give_random(&seed, from, what);
		}
		order[n++] = MODEL_FLUSH;
		flush();
		run_model(order, n);
		assert_string_equal(stage.log, model.log);
		if (!strchr(what, '='))
			check_nothing_lost();
	}
}

/* What was split comes together again. */
static void splitting_and_joining_give_the_same(void **state)
{
	static const uint8_t flags[] = { 0, PSH, CWR, CWR | ECE, ECE | PSH };
	static uint8_t packet[PACKET_ROOM], segment[PACKET_ROOM];
	uint8_t header[OFFLOAD_HEADER];
	uint64_t seed = 12;

	(void)state;
	for (int i = 0; i < ROUNDS; ++i) {
		const enum offload_kind kind =
			(enum offload_kind)(1 << test_random_below(&seed, 4));
		const bool tcp = kind == OFFLOAD_TCP4 || kind == OFFLOAD_TCP6;
		const struct packet_spec spec = {
			.kind = kind,
			.host = 'A',
			.id = (uint16_t)test_random(&seed),
			.seq = (uint32_t)test_random(&seed),
			.flags = flags[test_random_below(&seed, ELEMENTS(flags))],
			.options = 4 * test_random_below(&seed, 11),
			.payload = 101 + test_random_below(&seed, 6000),
			.fill = (uint8_t)test_random(&seed),
		};
		const size_t size = 100 + test_random_below(&seed, tcp ? 100 : 1300);
		size_t len = packet_build(&spec, packet);
		struct offload_split s;

		packet_unfinish(packet, len);
		packet_header(packet, size, header);
		assert_true(offload_split_begin(&s, header, packet, len));
		begin(OFFLOAD_ALL);
		for (size_t n = s.count; n > 0; --n)
			give(segment, offload_split_next(&s, segment));
		flush();
		assert_int_equal(stage.out.count, s.count);
		if (s.count == 1 || s.count > OFFLOAD_UDP_SEGMENTS)
			continue;
		assert_memory_equal(whole, header, OFFLOAD_HEADER);
		assert_memory_equal(whole + OFFLOAD_HEADER, packet, len);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules),
		cmocka_unit_test(only_kinds_that_were_asked_for),
		cmocka_unit_test(limits),
		cmocka_unit_test(wraps),
		cmocka_unit_test(without_a_header_packets_are_as_they_are),
		cmocka_unit_test(a_missing_udp_checksum_stays_missing),
		cmocka_unit_test(what_is_no_packet_ends_everything),
		cmocka_unit_test(as_the_slow_joiner),
		cmocka_unit_test(splitting_and_joining_give_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
