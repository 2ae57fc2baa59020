#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <linux/ip.h>
#include <linux/udp.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/text.h"
#include "base/time.h"
#include "crypto/crypto.h"
#include "wg/cookie.h"
#include "wg/noise.h"

/*
 * Many peers in one thread, or a flood, against a running engine: see usage below. A peer is the
 * handshake of src/wg and what the timers of the paper ask of an initiator: a try every 5 s and
 * some jitter, with a cookie where there is one.
 */
static const char usage[] =
	"usage: bench_handshakes --to ADDRESS:PORT --server-key KEY [options]       handshakes\n"
	"       bench_handshakes --to ADDRESS:PORT --server-key KEY --flood KIND    a flood\n"
	"       bench_handshakes --print-peers [--peers N] [--seed S]               configuration\n"
	"\n"
	"Handshakes: each response is checked and confirmed by a keepalive. Tells how many were "
	"done a\n"
	"second, and how long they took from the first initiation, tries that got no answer "
	"included.\n"
	"  --peers N        peers to be (default 1000); their keys come from the seed\n"
	"  --seed S         default 1\n"
	"  --seconds T      how long (default 5)\n"
	"  --window W       so many handshakes in flight at once (default 32), as fast as it goes\n"
	"  --rate R         or: R handshakes a second, whatever became of the others\n"
	"  --herd MS        or: each peer once, all of them within MS milliseconds; ends when all "
	"are\n"
	"                   up, or after --seconds\n"
	"  --sources NET    peer i speaks from the i-th address of this IPv4 network, which must "
	"be\n"
	"                   ours: ip route add local NET dev lo. Under load an engine limits each\n"
	"                   source, so without this the figure is that limit\n"
	"  --print-peers    write the peers as `wg addconf` takes them, and end\n"
	"\n"
	"Flood: KIND is valid-mac1 (initiations from nobody), bad-mac1, bad-mac2 (valid mac1 and a "
	"made\n"
	"up cookie), cookie (type 3), data (type 4) or random.\n"
	"  --pps N          datagrams a second (default 0: as fast as one core sends them)\n"
	"  --seconds T      how long (default 5)\n"
	"  --sources NET    from random addresses of this IPv4 network, all spoofed: needs "
	"CAP_NET_RAW\n"
	"\n"
	"  --json           one line of JSON instead of words\n"
	"Status 0: done; 1: it could not be done, or no handshake completed; 2: wrong usage.\n";

enum {
	PEERS_LIMIT = 1 << 20,
	ATTEMPTS_SHIFT = 20,
	BATCH = 64,
	ROOM = 256,
	TEMPLATES = 1024,
	HEADERS = sizeof(struct iphdr) + sizeof(struct udphdr),
	SAMPLES = 1 << 20,
};

enum kind {
	KIND_NONE,
	KIND_VALID_MAC1,
	KIND_BAD_MAC1,
	KIND_BAD_MAC2,
	KIND_COOKIE,
	KIND_DATA,
	KIND_RANDOM,
	KIND_LAST,
};

static const char *const kind_names[KIND_LAST] = {
	[KIND_NONE] = "none",         [KIND_VALID_MAC1] = "valid-mac1",
	[KIND_BAD_MAC1] = "bad-mac1", [KIND_BAD_MAC2] = "bad-mac2",
	[KIND_COOKIE] = "cookie",     [KIND_DATA] = "data",
	[KIND_RANDOM] = "random",
};

struct options {
	struct endpoint to;
	struct key_public server;
	uint64_t peers;
	uint64_t seed;
	uint64_t seconds;
	uint64_t window;
	uint64_t rate;
	uint64_t herd; /* ms */
	uint64_t pps;
	struct prefix sources;
	enum kind flood;
	bool has_to;
	bool has_server;
	bool has_sources;
	bool print_peers;
	bool json;
};

struct peer {
	struct noise_local local;
	struct key_shared static_static;
	struct cookie_maker cookie;
	struct noise_pending pending;
	uint64_t stamp;
	uint64_t began; /* first initiation of the handshake in flight; 0: none */
	uint64_t again; /* when the next try is due */
	uint64_t ready; /* not before: initiations of one peer are 20 ms apart */
	uint32_t index;
	uint32_t attempts;
	bool is_up;
};

struct run {
	struct options o;
	int fd;
	struct sockaddr_storage to;
	socklen_t to_len;
	struct peer *peers;
	uint64_t next; /* peer to begin with */
	uint64_t in_flight;
	uint64_t began, done, initiations, retries, cookies, rejected, send_failed;
	uint32_t *us; /* latencies */
	size_t samples;
	uint64_t begin, end, due;
};

static uint64_t clock_ns(clockid_t which)
{
	struct timespec t;

	clock_gettime(which, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static uint64_t now_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC) + 1;
}

static void fail(const char *what)
{
	fprintf(stderr, "bench_handshakes: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t random64(void)
{
	static uint64_t state;

	if (!state && !crypto_random(&state, sizeof(state)))
		fail("random bytes");
	state += UINT64_C(0x9e3779b97f4a7c15);
	uint64_t z = state;
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static void random_fill(void *ret, size_t len)
{
	uint8_t *bytes = ret;

	for (size_t i = 0; i < len; ++i)
		bytes[i] = (uint8_t)random64();
}

static struct key_private secret_of(const struct options *o, uint64_t i)
{
	struct key_private key;
	uint8_t from[16];

	store64_le(from, o->seed);
	store64_le(from + 8, i);
	crypto_blake2s(key.bytes, from, sizeof(from));
	return key;
}

static void print_peers(const struct options *o)
{
	for (uint64_t i = 0; i < o->peers; ++i) {
		const struct key_private secret = secret_of(o, i);
		const uint32_t inner = UINT32_C(0x64400000) + (uint32_t)i; /* 100.64.0.0/10 */
		struct noise_local local;
		char key[TEXT_KEY_BASE64];

		if (!noise_local_init(&local, &secret))
			fail("a key");
		text_base64_from_key(local.public.bytes, key);
		printf("[Peer]\nPublicKey = %s\nAllowedIPs = %u.%u.%u.%u/32\n", key, inner >> 24,
		       inner >> 16 & 255, inner >> 8 & 255, inner & 255);
	}
}

static uint32_t address_of(const struct options *o, uint64_t i)
{
	const uint64_t hosts = UINT64_C(1) << (32 - o->sources.bits);

	return load32_be(o->sources.ip.bytes) + (uint32_t)(i % hosts);
}

static void set_target(struct run *r)
{
	if (r->o.to.ip.family == FAMILY_V4) {
		struct sockaddr_in *a = (struct sockaddr_in *)&r->to;

		a->sin_family = AF_INET;
		a->sin_port = htons(r->o.to.port);
		memcpy(&a->sin_addr, r->o.to.ip.bytes, 4);
		r->to_len = sizeof(*a);
	} else {
		struct sockaddr_in6 *a = (struct sockaddr_in6 *)&r->to;

		a->sin6_family = AF_INET6;
		a->sin6_port = htons(r->o.to.port);
		memcpy(&a->sin6_addr, r->o.to.ip.bytes, 16);
		a->sin6_scope_id = r->o.to.scope;
		r->to_len = sizeof(*a);
	}
}

/* Handshakes */

static void send_from(struct run *r, uint64_t i, void *message, size_t len)
{
	union {
		struct cmsghdr align;
		uint8_t bytes[CMSG_SPACE(sizeof(struct in_pktinfo))];
	} control = { 0 };
	struct in_pktinfo info = { 0 };
	struct iovec part = { message, len };
	struct msghdr m = {
		.msg_name = &r->to, .msg_namelen = r->to_len, .msg_iov = &part, .msg_iovlen = 1
	};

	if (r->o.has_sources) {
		struct cmsghdr *c = &control.align;

		info.ipi_spec_dst.s_addr = htonl(address_of(&r->o, i));
		c->cmsg_level = IPPROTO_IP;
		c->cmsg_type = IP_PKTINFO;
		c->cmsg_len = CMSG_LEN(sizeof(info));
		memcpy(CMSG_DATA(c), &info, sizeof(info));
		m.msg_control = control.bytes;
		m.msg_controllen = sizeof(control.bytes);
	}
	r->send_failed += sendmsg(r->fd, &m, 0) < 0;
}

static void initiate(struct run *r, uint64_t i)
{
	struct peer *p = &r->peers[i];
	const uint64_t real = clock_ns(CLOCK_REALTIME) & ~(STAMP_GRAIN - 1);
	struct message_initiation message = { .type = { MESSAGE_INITIATION } };
	struct key_private ephemeral;
	uint8_t stamp[STAMP_LEN];
	uint64_t now;

	random_fill(&ephemeral, sizeof(ephemeral));
	crypto_clamp(&ephemeral);
	p->stamp = real > p->stamp ? real : p->stamp + STAMP_GRAIN;
	stamp_write(p->stamp, stamp);
	if (!noise_create_initiation(&p->local, &r->o.server, &p->static_static, &ephemeral, stamp,
				     &message, &p->pending))
		fail("an initiation");
	p->index = ++p->attempts << ATTEMPTS_SHIFT | (uint32_t)i;
	store32_le(message.sender, p->index);
	now = now_ns();
	cookie_make(&p->cookie, &r->o.server, &message, sizeof(message), now);
	if (!p->began) {
		p->began = now;
		++r->began;
		++r->in_flight;
	} else {
		++r->retries;
	}
	p->again = now + REKEY_TIMEOUT + random64() % REKEY_JITTER_MAX;
	p->ready = now + 2 * INITIATION_SPACING;
	++r->initiations;
	send_from(r, i, &message, sizeof(message));
}

static void confirm(struct run *r, uint64_t i, const struct noise_keys *keys,
		    const struct message_response *response)
{
	uint8_t message[MESSAGE_DATA_MIN] = { MESSAGE_DATA };

	memcpy(message + 4, response->sender, 4);
	if (crypto_seal(message + sizeof(struct message_data), "", 0, NULL, 0, 0, &keys->send))
		send_from(r, i, message, sizeof(message));
}

static void take_response(struct run *r, uint8_t *bytes, uint64_t now)
{
	static const struct key_shared no_psk;
	const struct message_response *message = (struct message_response *)bytes;
	const uint32_t index = load32_le(message->receiver);
	const uint64_t i = index & ((1U << ATTEMPTS_SHIFT) - 1);
	struct peer *p = i < r->o.peers ? &r->peers[i] : NULL;
	struct noise_keys keys;

	if (!p || !p->began || p->index != index) {
		++r->rejected;
		return;
	}
	if (!noise_consume_response(&p->local, &p->pending, &no_psk, message, &keys)) {
		++r->rejected;
		return;
	}
	confirm(r, i, &keys, message);
	if (r->samples < SAMPLES)
		r->us[r->samples++] = (uint32_t)((now - p->began) / 1000);
	++r->done;
	--r->in_flight;
	p->began = 0;
	p->is_up = true;
}

static void take_cookie(struct run *r, uint8_t *bytes, uint64_t now)
{
	const struct message_cookie *message = (struct message_cookie *)bytes;
	const uint64_t i = load32_le(message->receiver) & ((1U << ATTEMPTS_SHIFT) - 1);

	if (i < r->o.peers && cookie_take(&r->peers[i].cookie, &r->o.server, message, now))
		++r->cookies;
	else
		++r->rejected;
}

static void take(struct run *r, uint8_t *bytes, size_t len, uint64_t now)
{
	const uint32_t type = len >= 4 ? load32_le(bytes) : 0;

	if (type == MESSAGE_RESPONSE && len == sizeof(struct message_response))
		take_response(r, bytes, now);
	else if (type == MESSAGE_COOKIE && len == sizeof(struct message_cookie))
		take_cookie(r, bytes, now);
}

/* What came is timed together, before any of it is computed. */
static bool receive(struct run *r)
{
	static uint8_t room[BATCH][ROOM];
	struct mmsghdr messages[BATCH] = { 0 };
	struct iovec parts[BATCH];
	uint64_t now;
	int n;

	for (size_t i = 0; i < BATCH; ++i) {
		parts[i] = (struct iovec){ room[i], ROOM };
		messages[i].msg_hdr = (struct msghdr){ .msg_iov = &parts[i], .msg_iovlen = 1 };
	}
	n = recvmmsg(r->fd, messages, BATCH, MSG_DONTWAIT, NULL);
	now = now_ns();
	for (int i = 0; i < n; ++i)
		take(r, room[i], messages[i].msg_len, now);
	return n > 0;
}

static bool begin_next(struct run *r, uint64_t now)
{
	for (uint64_t tries = 0; tries < r->o.peers; ++tries) {
		const uint64_t i = r->next;
		struct peer *p = &r->peers[i];

		r->next = (r->next + 1) % r->o.peers;
		if (!p->began && p->ready <= now) {
			initiate(r, i);
			return true;
		}
	}
	return false;
}

/* As many as the clock or the window ask for now. */
static bool begin_due(struct run *r, uint64_t now)
{
	const uint64_t rate = r->o.herd ? r->o.peers * 1000 / r->o.herd + 1 : r->o.rate;
	const uint64_t most = r->o.herd ? r->o.peers : UINT64_MAX;
	bool any = false;

	for (int i = 0; i < BATCH / 8; ++i) {
		if (rate ? r->due > now || r->began >= most : r->in_flight >= r->o.window)
			break;
		r->due += rate ? NS_PER_S / rate : 0;
		if (!begin_next(r, now))
			break;
		any = true;
	}
	return any;
}

static void retry_due(struct run *r, uint64_t now)
{
	for (uint64_t i = 0; i < r->o.peers; ++i)
		if (r->peers[i].began && r->peers[i].again <= now)
			initiate(r, i);
}

static void make_peers(struct run *r)
{
	r->peers = calloc(r->o.peers, sizeof(*r->peers));
	r->us = calloc(SAMPLES, sizeof(*r->us));
	if (!r->peers || !r->us)
		fail("memory");
	for (uint64_t i = 0; i < r->o.peers; ++i) {
		struct peer *p = &r->peers[i];
		const struct key_private secret = secret_of(&r->o, i);

		if (!noise_local_init(&p->local, &secret) ||
		    !noise_static_static(&p->local, &r->o.server, &p->static_static))
			fail("a key");
		cookie_maker_init(&p->cookie);
	}
}

static int by_size(const void *a, const void *b)
{
	const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static double quantile(const struct run *r, double q)
{
	if (!r->samples)
		return 0;
	return r->us[(size_t)(q * (double)(r->samples - 1))] / 1e3;
}

static void report_handshakes(struct run *r)
{
	const double seconds = (double)(now_ns() - r->begin) / 1e9;
	uint64_t up = 0;

	for (uint64_t i = 0; i < r->o.peers; ++i)
		up += r->peers[i].is_up;
	qsort(r->us, r->samples, sizeof(*r->us), by_size);
	printf(r->o.json
		       ? "{\"version\": 1, \"peers\": %llu, \"up\": %llu, \"seconds\": %.3f, "
			 "\"begun\": %llu, \"handshakes\": %llu, \"per_second\": %.1f, "
			 "\"initiations\": %llu, \"retries\": %llu, \"cookies\": %llu, "
			 "\"rejected\": %llu, \"send_failed\": %llu, \"latency_ms\": {\"median\": "
			 "%.3f, \"p90\": %.3f, \"p99\": %.3f, \"max\": %.3f}}\n"
		       : "%llu peers, %llu up, in %.3f s: begun %llu, handshakes %llu (%.1f a "
			 "second), "
			 "initiations %llu (%llu of them retries), cookies taken %llu, refused "
			 "%llu, "
			 "send failed %llu\nlatency ms: median %.3f, p90 %.3f, p99 %.3f, max "
			 "%.3f\n",
	       (unsigned long long)r->o.peers, (unsigned long long)up, seconds,
	       (unsigned long long)r->began, (unsigned long long)r->done, (double)r->done / seconds,
	       (unsigned long long)r->initiations, (unsigned long long)r->retries,
	       (unsigned long long)r->cookies, (unsigned long long)r->rejected,
	       (unsigned long long)r->send_failed, quantile(r, 0.5), quantile(r, 0.9),
	       quantile(r, 0.99), quantile(r, 1));
}

static int run_handshakes(struct run *r)
{
	const int buffer = 4 << 20;
	uint64_t scanned = 0;

	make_peers(r);
	r->fd = socket(r->to.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (r->fd < 0)
		fail("socket");
	if (setsockopt(r->fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof(buffer)))
		(void)setsockopt(r->fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof(buffer));
	r->begin = r->due = now_ns();
	r->end = r->begin + r->o.seconds * NS_PER_S;
	for (uint64_t now = r->begin; now < r->end; now = now_ns()) {
		bool busy = receive(r);

		if (now > scanned + 10 * NS_PER_MS) {
			retry_due(r, now);
			scanned = now;
		}
		busy = begin_due(r, now) || busy;
		if (r->o.herd && r->done == r->o.peers)
			break;
		if (!busy)
			(void)poll(&(struct pollfd){ .fd = r->fd, .events = POLLIN }, 1, 1);
	}
	report_handshakes(r);
	return r->done ? 0 : 1;
}

/* Flood */

struct flood {
	uint8_t bytes[BATCH][HEADERS + ROOM];
	struct iovec parts[BATCH];
	struct mmsghdr messages[BATCH];
	uint8_t templates[TEMPLATES][ROOM];
	size_t len;
};

static void fill_template(const struct options *o, uint8_t *ret, size_t *ret_len)
{
	struct message_initiation message;
	struct cookie_maker maker;

	random_fill(ret, ROOM);
	*ret_len = sizeof(message);
	if (o->flood == KIND_RANDOM)
		return;
	if (o->flood == KIND_COOKIE || o->flood == KIND_DATA) {
		store32_le(ret, o->flood == KIND_COOKIE ? MESSAGE_COOKIE : MESSAGE_DATA);
		*ret_len = o->flood == KIND_COOKIE ? sizeof(struct message_cookie) : 128;
		return;
	}
	cookie_maker_init(&maker);
	memcpy(&message, ret, sizeof(message));
	store32_le(message.type, MESSAGE_INITIATION);
	cookie_make(&maker, &o->server, &message, sizeof(message), now_ns());
	if (o->flood == KIND_BAD_MAC1)
		message.macs.mac1[0] ^= 1;
	if (o->flood == KIND_BAD_MAC2)
		random_fill(message.macs.mac2, sizeof(message.macs.mac2));
	memcpy(ret, &message, sizeof(message));
}

static size_t header_len(const struct options *o)
{
	return o->has_sources ? HEADERS : 0;
}

/* From an address that is not ours. The host fills in lengths and sum of the outer header. */
static void spoof(const struct options *o, uint8_t *ret, size_t len)
{
	const uint64_t random = random64();
	struct iphdr ip = { .version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_UDP };
	struct udphdr udp = { .dest = htons(o->to.port) };

	ip.tot_len = htons((uint16_t)(HEADERS + len));
	ip.saddr = htonl(address_of(o, random >> 16));
	memcpy(&ip.daddr, o->to.ip.bytes, 4);
	udp.source = htons((uint16_t)(random | 1024));
	udp.len = htons((uint16_t)(sizeof(udp) + len));
	memcpy(ret, &ip, sizeof(ip));
	memcpy(ret + sizeof(ip), &udp, sizeof(udp));
}

static int open_flood(struct run *r)
{
	const int type = r->o.has_sources ? SOCK_RAW : SOCK_DGRAM;
	const int fd =
		socket(r->to.ss_family, type | SOCK_CLOEXEC, r->o.has_sources ? IPPROTO_RAW : 0);

	if (fd < 0)
		fail("socket");
	return fd;
}

static void prepare_flood(struct run *r, struct flood *f)
{
	for (size_t i = 0; i < TEMPLATES; ++i)
		fill_template(&r->o, f->templates[i], &f->len);
	for (size_t i = 0; i < BATCH; ++i) {
		f->parts[i] = (struct iovec){ f->bytes[i], header_len(&r->o) + f->len };
		f->messages[i].msg_hdr = (struct msghdr){ .msg_name = &r->to,
							  .msg_namelen = r->to_len,
							  .msg_iov = &f->parts[i],
							  .msg_iovlen = 1 };
	}
}

static uint64_t send_batch(struct run *r, struct flood *f, unsigned int n)
{
	unsigned int sent = 0;

	for (unsigned int i = 0; i < n; ++i) {
		if (r->o.has_sources)
			spoof(&r->o, f->bytes[i], f->len);
		memcpy(f->bytes[i] + header_len(&r->o), f->templates[r->next++ % TEMPLATES],
		       f->len);
	}
	while (sent < n) {
		const int now = sendmmsg(r->fd, f->messages + sent, n - sent, 0);

		if (now <= 0) { /* a refusal belongs to this one, or to an ICMP message */
			++r->send_failed;
			break;
		}
		sent += (unsigned int)now;
	}
	return sent;
}

static void sleep_until(uint64_t at)
{
	const struct timespec t = { .tv_sec = (time_t)((at - 1) / NS_PER_S),
				    .tv_nsec = (long)((at - 1) % NS_PER_S) };

	(void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

static int run_flood(struct run *r)
{
	struct flood *f = calloc(1, sizeof(*f));
	const uint64_t pps = r->o.pps;
	unsigned int batch = BATCH;
	uint64_t sent = 0;
	double seconds;

	if (!f)
		fail("memory");
	if (pps && pps / 1000 < BATCH)
		batch = (unsigned int)(pps / 1000) + 1;
	r->fd = open_flood(r);
	prepare_flood(r, f);
	r->begin = now_ns();
	r->end = r->begin + r->o.seconds * NS_PER_S;
	while (now_ns() < r->end) {
		if (pps)
			sleep_until(r->begin + sent * (NS_PER_S / pps));
		sent += send_batch(r, f, batch);
	}
	seconds = (double)(now_ns() - r->begin) / 1e9;
	printf(r->o.json ? "{\"version\": 1, \"flood\": \"%s\", \"seconds\": %.3f, \"sent\": %llu, "
			   "\"pps\": %.0f, \"send_failed\": %llu}\n"
			 : "flood %s, %.3f s: sent %llu (%.0f a second), send failed %llu\n",
	       kind_names[r->o.flood], seconds, (unsigned long long)sent, (double)sent / seconds,
	       (unsigned long long)r->send_failed);
	free(f);
	return sent ? 0 : 1;
}

/* Options */

static bool kind_from_text(const char *text, enum kind *ret)
{
	for (int i = KIND_VALID_MAC1; i < KIND_LAST; ++i)
		if (strcmp(text, kind_names[i]) == 0) {
			*ret = (enum kind)i;
			return true;
		}
	return false;
}

enum letter {
	LETTER_TO = 1000,
	LETTER_KEY,
	LETTER_PEERS,
	LETTER_SEED,
	LETTER_SECONDS,
	LETTER_WINDOW,
	LETTER_RATE,
	LETTER_HERD,
	LETTER_PPS,
	LETTER_SOURCES,
	LETTER_FLOOD,
	LETTER_PRINT,
	LETTER_JSON,
	LETTER_HELP,
};

static const struct option words[] = {
	{ "to", required_argument, NULL, LETTER_TO },
	{ "server-key", required_argument, NULL, LETTER_KEY },
	{ "peers", required_argument, NULL, LETTER_PEERS },
	{ "seed", required_argument, NULL, LETTER_SEED },
	{ "seconds", required_argument, NULL, LETTER_SECONDS },
	{ "window", required_argument, NULL, LETTER_WINDOW },
	{ "rate", required_argument, NULL, LETTER_RATE },
	{ "herd", required_argument, NULL, LETTER_HERD },
	{ "pps", required_argument, NULL, LETTER_PPS },
	{ "sources", required_argument, NULL, LETTER_SOURCES },
	{ "flood", required_argument, NULL, LETTER_FLOOD },
	{ "print-peers", no_argument, NULL, LETTER_PRINT },
	{ "json", no_argument, NULL, LETTER_JSON },
	{ "help", no_argument, NULL, LETTER_HELP },
	{ NULL, 0, NULL, 0 },
};

static bool take_sources(struct options *o)
{
	o->has_sources = text_to_prefix(optarg, &o->sources) && o->sources.ip.family == FAMILY_V4 &&
			 o->sources.bits > 0;
	if (o->has_sources)
		prefix_mask(&o->sources);
	return o->has_sources;
}

static bool take_option(struct options *o, int letter)
{
	switch (letter) {
	case LETTER_TO:
		return o->has_to = text_to_endpoint(optarg, &o->to);
	case LETTER_KEY:
		return o->has_server = text_base64_to_key(optarg, o->server.bytes);
	case LETTER_PEERS:
		return text_to_uint(optarg, PEERS_LIMIT, &o->peers) && o->peers > 0;
	case LETTER_SEED:
		return text_to_uint(optarg, UINT32_MAX, &o->seed);
	case LETTER_SECONDS:
		return text_to_uint(optarg, 86400, &o->seconds);
	case LETTER_WINDOW:
		return text_to_uint(optarg, PEERS_LIMIT, &o->window) && o->window > 0;
	case LETTER_RATE:
		return text_to_uint(optarg, NS_PER_S, &o->rate);
	case LETTER_HERD:
		return text_to_uint(optarg, 86400000, &o->herd);
	case LETTER_PPS:
		return text_to_uint(optarg, NS_PER_S, &o->pps);
	case LETTER_SOURCES:
		return take_sources(o);
	case LETTER_FLOOD:
		return kind_from_text(optarg, &o->flood);
	case LETTER_PRINT:
		return o->print_peers = true;
	case LETTER_JSON:
		return o->json = true;
	default:
		return false;
	}
}

int main(int argc, char **argv)
{
	struct run *r = calloc(1, sizeof(*r));
	int letter, status;

	if (!r)
		return 1;
	r->o = (struct options){ .peers = 1000, .seed = 1, .seconds = 5, .window = 32 };
	while ((letter = getopt_long(argc, argv, "", words, NULL)) >= 0) {
		if (letter == LETTER_HELP) {
			fputs(usage, stdout);
			return 0;
		}
		if (!take_option(&r->o, letter)) {
			fputs(usage, stderr);
			return 2;
		}
	}
	if (r->o.print_peers) {
		print_peers(&r->o);
		return 0;
	}
	if (optind < argc || !r->o.has_to || !r->o.has_server) {
		fputs(usage, stderr);
		return 2;
	}
	set_target(r);
	status = r->o.flood ? run_flood(r) : run_handshakes(r);
	free(r->us);
	free(r->peers);
	free(r);
	return status;
}
