#include "device/udp_filter.h"

#include <assert.h>
#include <errno.h>
#include <linux/filter.h>
#include <sys/socket.h>

#include "base/bytes.h"

/*
 * Classic BPF over a datagram's payload (a reuse-port filter sees nothing of the UDP header before
 * it). Words are read in network order, so the little-endian type stands in the upper byte. The
 * answer is the number of a socket by the order in which they were bound.
 */
enum {
	TYPE_INITIATION = 0x01000000,
	TYPE_RESPONSE = 0x02000000,
	TYPE_COOKIE = 0x03000000,
	TYPE_DATA = 0x04000000,
	MAC2_INITIATION = 132,
	MAC2_RESPONSE = 76,
	MAC2_WORDS = 4,
	LANE_PLAIN = 0, /* behind the workers */
	LANE_COOKIE = 1,
	LANE_KNOWN = 2,
	PROGRAM_MAX = 1152,
};

enum { WORD_BITS = 32, BUCKET_BITS = 13, HASH_SHIFT = 32 - BUCKET_BITS };
static_assert(UDP_STEERING_WORDS * WORD_BITS == 1 << BUCKET_BITS, "a bit for each");

/* Where the source address and the ports stand, from the network header on (no options). */
enum { V4_SOURCE = 12, V4_PORTS = 20, V6_SOURCE = 8, V6_PORTS = 40 };

static const uint32_t spread = 2654435761U; /* Knuth's constant */

struct program {
	struct sock_filter code[PROGRAM_MAX];
	unsigned short len;
};

static void append(struct program *p, struct sock_filter f)
{
	assert(p->len < PROGRAM_MAX);
	p->code[p->len++] = f;
}

static void add(struct program *p, unsigned int code, uint32_t k)
{
	append(p, (struct sock_filter){ .code = (uint16_t)code, .k = k });
}

static void jump(struct program *p, uint32_t over)
{
	add(p, BPF_JMP | BPF_JA, over);
}

static void load(struct program *p, uint32_t at)
{
	add(p, BPF_LD | BPF_W | BPF_ABS, at);
}

/* Pass over so many instructions where the word is k, or where it is not. */
static void branch(struct program *p, uint32_t k, uint8_t if_equal, uint8_t if_not)
{
	append(p, (struct sock_filter){ BPF_JMP | BPF_JEQ | BPF_K, if_equal, if_not, k });
}

static void answer(struct program *p, uint32_t socket)
{
	add(p, BPF_RET | BPF_K, socket);
}

/* A handshake message: the cookie's lane unless all of mac2 is zero. */
static void add_message(struct program *p, uint32_t type, uint32_t mac2, uint32_t lane)
{
	enum { PER_WORD = 3 };

	branch(p, type, 0, MAC2_WORDS * PER_WORD + 1);
	for (uint32_t i = 0; i < MAC2_WORDS; ++i) {
		load(p, mac2 + 4 * i);
		branch(p, 0, 1, 0);
		answer(p, lane + LANE_COOKIE);
	}
	answer(p, lane + LANE_PLAIN);
}

static void mix(struct program *p, uint32_t at)
{
	add(p, BPF_MISC | BPF_TAX, 0);
	load(p, (uint32_t)SKF_NET_OFF + at);
	add(p, BPF_ALU | BPF_ADD | BPF_X, 0);
}

/* A worker by address and port: the sum, spread by a multiplication. */
static void add_data(struct program *p, enum family family, unsigned int workers)
{
	if (workers > 1) {
		add(p, BPF_LD | BPF_IMM, 0);
		if (family == FAMILY_V4) {
			mix(p, V4_SOURCE);
			mix(p, V4_PORTS);
		} else {
			for (uint32_t i = 0; i < 4; ++i)
				mix(p, V6_SOURCE + 4 * i);
			mix(p, V6_PORTS);
		}
		add(p, BPF_ALU | BPF_MUL | BPF_K, spread);
		add(p, BPF_ALU | BPF_RSH | BPF_K, 16);
		add(p, BPF_ALU | BPF_MOD | BPF_K, workers);
		add(p, BPF_RET | BPF_A, 0);
	} else {
		answer(p, 0);
	}
}

static uint32_t bucket(const struct udp_steering *s, enum family family, uint64_t net)
{
	const uint32_t high = family == FAMILY_V6 ? (uint32_t)(net >> 32) * spread : 0;

	return ((high + (uint32_t)net) ^ s->key) * s->factor >> HASH_SHIFT;
}

/* The same of the datagram's source. */
static void add_bucket(struct program *p, enum family family, const struct udp_steering *s)
{
	if (family == FAMILY_V4) {
		load(p, (uint32_t)SKF_NET_OFF + V4_SOURCE);
	} else {
		load(p, (uint32_t)SKF_NET_OFF + V6_SOURCE);
		add(p, BPF_ALU | BPF_MUL | BPF_K, spread);
		mix(p, V6_SOURCE + 4);
	}
	add(p, BPF_ALU | BPF_XOR | BPF_K, s->key);
	add(p, BPF_ALU | BPF_MUL | BPF_K, s->factor);
	add(p, BPF_ALU | BPF_RSH | BPF_K, HASH_SHIFT);
}

/*
 * The word of that number, by halving: classic BPF has no table. Instructions of so many words: two
 * for each, and two for each place where the ways part.
 */
static uint32_t length_of(uint32_t words)
{
	return 4 * words - 2;
}

static void add_words(struct program *p, const struct udp_steering *s)
{
	const uint32_t end = p->len + length_of(UDP_STEERING_WORDS);

	for (uint32_t i = 0; i < UDP_STEERING_WORDS; ++i) {
		for (uint32_t n = UDP_STEERING_WORDS; n > 1; n /= 2) {
			if (i % n)
				continue;
			append(p,
			       (struct sock_filter){ BPF_JMP | BPF_JGE | BPF_K, 0, 1, i + n / 2 });
			jump(p, length_of(n / 2));
		}
		add(p, BPF_LD | BPF_IMM, s->words[i]);
		jump(p, end - p->len - 1);
	}
}

/* A handshake message of a source that is known. Others go on with what follows. */
static void add_known(struct program *p, enum family family, uint32_t lane,
		      const struct udp_steering *s)
{
	unsigned short begin, skip;

	load(p, 0);
	branch(p, TYPE_INITIATION, 3, 0);
	branch(p, TYPE_RESPONSE, 2, 0);
	branch(p, TYPE_COOKIE, 1, 0);
	skip = p->len;
	jump(p, 0);
	begin = p->len;
	add_bucket(p, family, s);
	add(p, BPF_MISC | BPF_TAX, 0);
	add(p, BPF_ALU | BPF_AND | BPF_K, WORD_BITS - 1);
	add(p, BPF_ST, 0);
	add(p, BPF_MISC | BPF_TXA, 0);
	add(p, BPF_ALU | BPF_RSH | BPF_K, 5);
	add_words(p, s);
	add(p, BPF_LDX | BPF_MEM, 0);
	add(p, BPF_ALU | BPF_RSH | BPF_X, 0);
	add(p, BPF_ALU | BPF_AND | BPF_K, 1);
	branch(p, 0, 1, 0);
	answer(p, lane + LANE_KNOWN);
	p->code[skip].k = (uint32_t)(p->len - begin);
}

bool udp_steering_init(struct udp_steering *s, const struct entropy *entropy)
{
	*s = (struct udp_steering){ 0 };
	if (!entropy_fill(entropy, &s->key, sizeof(s->key)) ||
	    !entropy_fill(entropy, &s->factor, sizeof(s->factor)))
		return false;
	s->factor |= 1;
	return true;
}

void udp_steering_add(struct udp_steering *s, enum family family, uint64_t net)
{
	const uint32_t b = bucket(s, family, net);

	s->words[b / WORD_BITS] |= UINT32_C(1) << b % WORD_BITS;
	s->any = true;
}

int udp_filter_attach(int fd, enum family family, unsigned int workers,
		      const struct udp_steering *known)
{
	const uint32_t lane = workers;
	struct program p = { 0 };
	struct sock_fprog wanted = { .filter = p.code };

	if (known && known->any)
		add_known(&p, family, lane, known);
	load(&p, 0);
	branch(&p, TYPE_COOKIE, 0, 1);
	answer(&p, lane + LANE_PLAIN);
	/* Each block leaves the word as it was where the type is another. */
	add_message(&p, TYPE_INITIATION, MAC2_INITIATION, lane);
	add_message(&p, TYPE_RESPONSE, MAC2_RESPONSE, lane);
	branch(&p, TYPE_DATA, 1, 0);
	answer(&p, 0);
	add_data(&p, family, workers);
	wanted.len = p.len;
	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &wanted, sizeof(wanted)) < 0)
		return -errno;
	return 0;
}
