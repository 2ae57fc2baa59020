#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/text.h"
#include "base/time.h"

/*
 * Load whose every byte is known, and its judge.
 *
 * flow udp-send HOST PORT FLOW COUNT LEAST MOST RATE SEGMENTS
 *     COUNT datagrams of LEAST to MOST bytes in turn, RATE a second (0: no pause), SEGMENTS at a
 *     time by one send with UDP_SEGMENT; where the path refuses these, one by one. Prints how many
 *     were taken.
 * flow udp-receive HOST PORT IDLE_MS
 *     Until none has come for so long after the first; then one JSON object: what came of each
 * flow. reordered: after a later one; duplicated: once more; wrong: other bytes than were sent.
 * flow tcp-send HOST PORT SEED BYTES, flow tcp-receive HOST PORT SEED BYTES
 *     A stream in which each place has its own bytes. The receiver fails, and says where, at the
 *     first that differs or is missing.
 *
 * A datagram holds flow and number in its first bytes, and what a mix of both gives in the rest.
 */
enum {
	HEAD = 16,
	PAYLOAD = 65536,
	SEGMENTS = 64,
	FLOWS = 16,
	BATCH = 64,
	STREAM = 1 << 18,
	MANY = 1 << 24, /* datagrams of a flow */
};

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static uint64_t number(const char *text)
{
	uint64_t n;

	if (!text_to_uint(text, UINT64_MAX - 1, &n)) {
		fprintf(stderr, "flow: no number: %s\n", text);
		exit(2);
	}
	return n;
}

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

/* Bound where it receives, connected where it sends; listening where it receives a stream. */
static int open_socket(const char *host, const char *port, int type, bool receives)
{
	struct addrinfo want = { .ai_socktype = type, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV };
	struct addrinfo *at;
	int fd, room = 64 << 20, on = 1;

	if (getaddrinfo(host, port, &want, &at))
		fail("flow: address");
	fd = socket(at->ai_family, type | SOCK_CLOEXEC, 0);
	if (fd < 0)
		fail("flow: socket");
	if (type == SOCK_DGRAM)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	else
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (receives ? bind(fd, at->ai_addr, at->ai_addrlen)
		     : connect(fd, at->ai_addr, at->ai_addrlen))
		fail("flow: bind or connect");
	if (receives && type == SOCK_STREAM && listen(fd, 1))
		fail("flow: listen");
	freeaddrinfo(at);
	return fd;
}

/* What stands at place of a flow: 8 bytes that nothing else has. */
static uint64_t word_at(uint64_t flow, uint64_t place)
{
	uint64_t x = (place + 1) * UINT64_C(0x9e3779b97f4a7c15) ^ flow << 40;

	return (x ^ x >> 29) * UINT64_C(0xbf58476d1ce4e5b9);
}

/* --- datagrams ----------------------------------------------------------------------------- */

static void make_datagram(uint8_t *ret, size_t len, uint64_t flow, uint64_t n)
{
	uint8_t word[8];

	store64_le(ret, flow << 32 | (uint32_t)len);
	store64_le(ret + 8, n);
	for (size_t i = HEAD; i < len; i += 8) {
		store64_le(word, word_at(flow, (n << 13) + i));
		memcpy(ret + i, word, len - i < 8 ? len - i : 8);
	}
}

static void pause_until(uint64_t due)
{
	uint64_t t = now();
	struct timespec left;

	if (due <= t)
		return;
	left.tv_sec = (time_t)((due - t) / NS_PER_S);
	left.tv_nsec = (long)((due - t) % NS_PER_S);
	nanosleep(&left, NULL);
}

/* Send count datagrams of len bytes each; how many were taken. */
static uint64_t send_run(int fd, const uint8_t *data, size_t len, size_t count)
{
	static bool is_refused;
	int size = count > 1 && !is_refused ? (int)len : 0;
	uint64_t taken = 0;

	if (size) {
		if (setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof(size)) == 0 &&
		    send(fd, data, len * count, 0) >= 0)
			return count;
		is_refused = errno == EIO || errno == EINVAL || errno == EMSGSIZE;
		size = 0;
		setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof(size));
	}
	for (size_t i = 0; i < count; ++i)
		taken += send(fd, data + i * len, len, 0) >= 0;
	return taken;
}

static int udp_send(char **args)
{
	static uint8_t data[PAYLOAD];
	int fd = open_socket(args[0], args[1], SOCK_DGRAM, false);
	uint64_t flow = number(args[2]), count = number(args[3]);
	uint64_t least = number(args[4]), most = number(args[5]);
	uint64_t rate = number(args[6]), segments = number(args[7]);
	uint64_t begin = now(), taken = 0, last = begin, pause = 0;

	if (least < HEAD || most < least || segments < 1 || segments > SEGMENTS || count > MANY)
		return 2;
	for (uint64_t n = 0, turn = 0; n < count; ++turn) {
		size_t len = least + turn % (most - least + 1), run = 0;

		for (; run < segments && n < count && (run + 1) * len < PAYLOAD - 64; ++run)
			make_datagram(data + run * len, len, flow, n++);
		taken += send_run(fd, data, len, run);
		if (rate)
			pause_until(begin + n * NS_PER_S / rate);
		pause = now() - last > pause ? now() - last : pause;
		last = now();
	}
	printf("{\"taken\": %lu, \"longest_pause_ms\": %lu}\n", taken, pause / NS_PER_MS);
	return 0;
}

struct seen {
	uint64_t flow;
	uint64_t next; /* after the highest number so far */
	uint64_t received, reordered, duplicated, bytes;
	uint8_t *bits;
};

static struct seen *find_flow(struct seen *seen, uint64_t flow)
{
	for (int i = 0; i < FLOWS; ++i) {
		if (!seen[i].bits) {
			seen[i].flow = flow;
			seen[i].bits = calloc(MANY / 8, 1);
			if (!seen[i].bits)
				fail("flow: memory");
		}
		if (seen[i].flow == flow)
			return &seen[i];
	}
	return NULL;
}

/* False: not what was sent. */
static bool judge(struct seen *all, const uint8_t *data, size_t len)
{
	static uint8_t want[PAYLOAD];
	uint64_t flow, n;
	struct seen *seen;

	if (len < HEAD || (load64_le(data) & UINT32_MAX) != len)
		return false;
	flow = load64_le(data) >> 32;
	n = load64_le(data + 8);
	make_datagram(want, len, flow, n);
	seen = memcmp(want, data, len) == 0 && n < MANY ? find_flow(all, flow) : NULL;
	if (!seen)
		return false;
	++seen->received;
	seen->bytes += len;
	if (seen->bits[n / 8] & 1 << n % 8)
		++seen->duplicated;
	else if (n < seen->next)
		++seen->reordered;
	seen->bits[n / 8] |= (uint8_t)(1 << n % 8);
	if (n >= seen->next)
		seen->next = n + 1;
	return true;
}

static uint64_t receive_batch(int fd, struct seen *seen)
{
	static uint8_t data[BATCH][PAYLOAD];
	static struct mmsghdr messages[BATCH];
	static struct iovec parts[BATCH];
	uint64_t wrong = 0;
	int count;

	for (int i = 0; i < BATCH; ++i) {
		parts[i] = (struct iovec){ data[i], PAYLOAD };
		messages[i].msg_hdr = (struct msghdr){ .msg_iov = &parts[i], .msg_iovlen = 1 };
	}
	count = recvmmsg(fd, messages, BATCH, MSG_DONTWAIT, NULL);
	for (int i = 0; i < count; ++i)
		wrong += !judge(seen, data[i], messages[i].msg_len);
	return wrong;
}

static int udp_receive(char **args)
{
	static struct seen seen[FLOWS];
	struct pollfd wait[2] = { { open_socket(args[0], args[1], SOCK_DGRAM, true), POLLIN, 0 },
				  { STDIN_FILENO, POLLIN, 0 } };
	int idle = -1;
	uint64_t wrong = 0, last = 0, pause = 0;

	printf("ready\n");
	fflush(stdout);
	while (poll(wait, 2, idle) > 0) {
		if (wait[1].revents) {
			wait[1].fd = -1;
			idle = (int)number(args[2]);
		}
		if (!wait[0].revents)
			continue;
		pause = last && now() - last > pause ? now() - last : pause;
		wrong += receive_batch(wait[0].fd, seen);
		last = now();
	}
	printf("{\"wrong\": %lu, \"longest_pause_ms\": %lu, \"flows\": {", wrong,
	       pause / NS_PER_MS);
	for (int i = 0; i < FLOWS && seen[i].bits; ++i)
		printf("%s\"%lu\": {\"received\": %lu, \"bytes\": %lu, \"reordered\": %lu, "
		       "\"duplicated\": %lu, \"next\": %lu}",
		       i ? ", " : "", seen[i].flow, seen[i].received, seen[i].bytes,
		       seen[i].reordered, seen[i].duplicated, seen[i].next);
	printf("}}\n");
	return 0;
}

/* --- a stream ------------------------------------------------------------------------------ */

static size_t make_stream(uint8_t *ret, uint64_t seed, uint64_t at, uint64_t end)
{
	size_t len = end - at < STREAM ? (size_t)(end - at) : STREAM;

	for (size_t i = 0; i < len; i += 8)
		store64_le(ret + i, word_at(seed, at + i));
	return len;
}

static int tcp_send(char **args)
{
	static uint8_t data[STREAM + 8];
	int fd = open_socket(args[0], args[1], SOCK_STREAM, false);
	uint64_t seed = number(args[2]), end = number(args[3]);

	for (uint64_t at = 0; at < end;) {
		size_t len = make_stream(data, seed, at, end), sent = 0;

		while (sent < len) {
			ssize_t n = send(fd, data + sent, len - sent, MSG_NOSIGNAL);

			if (n < 0)
				fail("flow: send");
			sent += (size_t)n;
		}
		at += len;
	}
	return 0;
}

static int tcp_receive(char **args)
{
	static uint8_t data[STREAM + 8], want[STREAM + 8];
	int listener = open_socket(args[0], args[1], SOCK_STREAM, true), fd;
	uint64_t seed = number(args[2]), end = number(args[3]);

	printf("ready\n");
	fflush(stdout);
	fd = accept(listener, NULL, NULL);
	for (uint64_t at = 0; at < end;) {
		size_t len = make_stream(want, seed, at, end);
		ssize_t got = recv(fd, data, len, MSG_WAITALL);

		if (got != (ssize_t)len || memcmp(data, want, len) != 0) {
			printf("{\"wrong_at\": %lu, \"got\": %zd}\n", at, got);
			return 1;
		}
		at += len;
	}
	printf("{\"bytes\": %lu}\n", end);
	return 0;
}

int main(int argc, char *argv[])
{
	static const struct {
		const char *name;
		int args;
		int (*run)(char **args);
	} commands[] = {
		{ "udp-send", 8, udp_send },
		{ "udp-receive", 3, udp_receive },
		{ "tcp-send", 4, tcp_send },
		{ "tcp-receive", 4, tcp_receive },
	};

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); ++i) {
		if (argc == commands[i].args + 2 && strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(argv + 2);
	}
	fprintf(stderr, "Usage: flow udp-send|udp-receive|tcp-send|tcp-receive ...\n");
	return 2;
}
