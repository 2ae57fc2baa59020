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
	PROGRAM_MAX = 64,
};

/* Where the source address and the ports stand, from the network header on (no options). */
enum { V4_SOURCE = 12, V4_PORTS = 20, V6_SOURCE = 8, V6_PORTS = 40 };

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
		answer(p, lane + 1);
	}
	answer(p, lane);
}

static void mix(struct program *p, uint32_t at)
{
	add(p, BPF_MISC | BPF_TAX, 0);
	load(p, (uint32_t)SKF_NET_OFF + at);
	add(p, BPF_ALU | BPF_ADD | BPF_X, 0);
}

/* A worker by address and port: the sum, spread by a multiplication (Knuth's constant). */
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
		add(p, BPF_ALU | BPF_MUL | BPF_K, 2654435761U);
		add(p, BPF_ALU | BPF_RSH | BPF_K, 16);
		add(p, BPF_ALU | BPF_MOD | BPF_K, workers);
		add(p, BPF_RET | BPF_A, 0);
	} else {
		answer(p, 0);
	}
}

int udp_filter_attach(int fd, enum family family, unsigned int workers)
{
	const uint32_t lane = workers;
	struct program p = { 0 };
	struct sock_fprog wanted = { .filter = p.code };

	load(&p, 0);
	branch(&p, TYPE_COOKIE, 0, 1);
	answer(&p, lane);
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
