#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/text.h"
#include "control/uapi.h"
#include "crypto/crypto.h"
#include "device/change.h"
#include "device/slab.h"

/*
 * bench_peers [--json] [COUNT..]: a set of 1 to 1,000,000 peers, two allowed IPs each, from its
 * text through the parser into a core, in this process: seconds, and bytes that a peer costs
 * (resident memory after it minus before, with all that is shared). Then, up to 5,000 of them,
 * after each had a session that expired; the same configuration set again over the running one,
 * with the longest time that the lock was held; and the text that a get writes.
 */
enum { SESSIONS_MAX = 5000, PIECE = 64 * 1024 };

struct row {
	size_t peers;
	double set_seconds;
	double set_cpu;
	double bytes;         /* a peer, idle */
	double bytes_expired; /* after a session; 0: not measured */
	double again_seconds;
	double hold_us; /* the longest of that */
};

struct bench {
	struct slab *slab;
	struct core *core;
	pthread_mutex_t lock;
	uint64_t now;
};

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Of this process: where others run too, less noisy than the clock on the wall. */
static double cpu_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double resident(void)
{
	long pages = 0, ignored;
	FILE *f = fopen("/proc/self/statm", "re");

	if (!f || fscanf(f, "%ld %ld", &ignored, &pages) != 2)
		abort();
	(void)fclose(f);
	return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static bool fill(void *ctx, void *ret, size_t len)
{
	(void)ctx;
	return crypto_random(ret, len);
}

static struct core *new_core(struct bench *b)
{
	const struct core_config config = { .memory = slab_memory(b->slab),
					    .entropy = { .fill = fill },
					    .ratelimit_sets = 8,
					    .staged_budget = 1 << 20 };
	struct core *c = core_new(&config);

	if (!c)
		abort();
	return c;
}

static struct moment at(const struct bench *b)
{
	return (struct moment){ .boot = b->now, .real = b->now };
}

/* Any 32 bytes are a public key; the same number is the same peer. */
static struct key_public key_of(size_t i)
{
	struct key_public key = { { 9 } };

	store64_le(key.bytes + 8, (i + 1) * UINT64_C(0x9e3779b97f4a7c15));
	return key;
}

static char *request(size_t peers, size_t *ret_len)
{
	const size_t room = 64 + peers * 320;
	char *text = malloc(room), hex[TEXT_KEY_HEX];
	size_t len;

	if (!text)
		abort();
	len = (size_t)snprintf(text, room, "set=1\nreplace_peers=true\n");
	for (size_t i = 0; i < peers; ++i) {
		const struct key_public key = key_of(i);
		const unsigned int n = (unsigned int)i;

		text_hex_from_bytes(key.bytes, KEY_LEN, hex);
		len += (size_t)snprintf(text + len, room - len,
					"public_key=%s\nendpoint=198.%u.%u.%u:51820\n"
					"replace_allowed_ips=true\nallowed_ip=10.%u.%u.%u/32\n"
					"allowed_ip=fd00::%x:%x/128\n",
					hex, 18 + (n >> 16 & 1), n >> 8 & 255, n & 255, n >> 16,
					n >> 8 & 255, n & 255, n >> 16, n & 0xffff);
	}
	len += (size_t)snprintf(text + len, room - len, "\n");
	*ret_len = len;
	return text;
}

static void set(struct bench *b, const char *text, size_t len, double *ret_hold)
{
	struct uapi_parser parser;
	enum uapi_status status = UAPI_MORE;
	struct change change;

	uapi_parser_init(&parser);
	for (size_t used = 0; used < len;) {
		const size_t piece = len - used < PIECE ? len - used : PIECE;
		size_t taken;

		status = uapi_parse(&parser, text + used, piece, &taken);
		used += taken;
	}
	if (status != UAPI_SET || !change_reserve(&change, b->core, &b->lock, &parser.patch))
		abort();
	change_apply(&change, at(b));
	*ret_hold = (double)change.longest / 1e3;
	uapi_parser_done(&parser);
}

static void set_identity(struct core *c, const struct bench *b, uint8_t of)
{
	const struct key_private key = { { of, 7, 7 } };

	if (!core_set_private_key(c, at(b), &key, 0))
		abort();
	core_up(c, at(b));
}

/* One handshake, begun by a core of one peer. */
static void shake(struct bench *b, struct core *other, struct peer *p)
{
	struct output output = { 0 };
	struct handshake_datagram first, second;
	struct handshake_job job;
	struct handshake_arrival arrival = { .from.ip.family = FAMILY_V4, .from.port = 1 };
	struct peer_view view;
	enum handshake_step step;

	core_view_peer(core_next_peer(other, NULL), &view);
	core_set_keepalive(other, at(b), core_next_peer(other, NULL), 0);
	core_set_keepalive(other, at(b), core_next_peer(other, NULL), 25);
	if (core_pull(other, at(b), &output) != OUTPUT_JOB)
		abort();
	handshake_compute(&output.job);
	if (handshake_commit(other, at(b), &output.job, &first) != HANDSHAKE_SEND)
		abort();
	arrival.bytes = first.bytes;
	arrival.len = first.len;
	step = handshake_receive(b->core, at(b), &arrival, &job, &second);
	while (step == HANDSHAKE_WORK) {
		handshake_compute(&job);
		step = handshake_commit(b->core, at(b), &job, &second);
	}
	if (step != HANDSHAKE_SEND || !p)
		abort();
}

/* Each peer begins a session, of which nothing may be left nine minutes later. */
static void let_sessions_expire(struct bench *b, size_t peers)
{
	for (size_t i = 0; i < peers; ++i) {
		struct core *other = new_core(b);
		struct noise_local ours, theirs;
		const struct endpoint somewhere = { .ip.family = FAMILY_V4, .port = 2 };
		const struct key_private key = { { 1, 7, 7 } };
		struct key_private its = { { 2 } };
		struct peer *p, *q;

		store64_le(its.bytes + 8, i + 1);
		if (!noise_local_init(&ours, &key) || !noise_local_init(&theirs, &its) ||
		    !core_reserve(b->core, 1, 0) || !core_reserve(other, 1, 0))
			abort();
		core_set_identity(other, at(b), &theirs, 0);
		core_up(other, at(b));
		p = core_add_peer(b->core, &theirs.public);
		q = core_add_peer(other, &ours.public);
		core_set_endpoint(q, &somewhere);
		shake(b, other, p);
		core_free(other);
	}
	b->now += 600 * NS_PER_S;
	while (core_deadline(b->core) <= b->now)
		core_tick(b->core, at(b));
}

static struct row measure(size_t peers)
{
	struct bench b = { .slab = slab_new(), .lock = PTHREAD_MUTEX_INITIALIZER, .now = NS_PER_S };
	struct row row = { .peers = peers };
	size_t len;
	char *text = request(peers, &len);
	double before, from, cpu;

	if (!b.slab)
		abort();
	before = resident();
	b.core = new_core(&b);
	set_identity(b.core, &b, 1);
	from = seconds();
	cpu = cpu_seconds();
	set(&b, text, len, &row.hold_us);
	row.set_seconds = seconds() - from;
	row.set_cpu = cpu_seconds() - cpu;
	row.bytes = (resident() - before) / (double)peers;
	from = seconds();
	set(&b, text, len, &row.hold_us);
	row.again_seconds = seconds() - from;
	core_free(b.core);
	slab_free(b.slab);
	free(text);
	return row;
}

static double measure_expired(size_t peers)
{
	struct bench b = { .slab = slab_new(), .lock = PTHREAD_MUTEX_INITIALIZER, .now = NS_PER_S };
	const size_t n = peers < SESSIONS_MAX ? peers : SESSIONS_MAX;
	double before;

	if (!b.slab)
		abort();
	before = resident();
	b.core = new_core(&b);
	set_identity(b.core, &b, 1);
	let_sessions_expire(&b, n);
	before = (resident() - before) / (double)n;
	core_free(b.core);
	slab_free(b.slab);
	return before;
}

static void print(const struct row *r, bool json, bool is_last)
{
	printf(json ? "  {\"peers\": %zu, \"set_s\": %.3f, \"set_cpu_s\": %.3f, "
		      "\"bytes_per_peer\": %.0f, "
		      "\"bytes_after_session\": %.0f, \"replace_s\": %.3f, "
		      "\"longest_hold_us\": %.1f}%s\n"
		    : "%9zu %9.3f %9.3f %12.0f %12.0f %9.3f %12.1f%s\n",
	       r->peers, r->set_seconds, r->set_cpu, r->bytes, r->bytes_expired, r->again_seconds,
	       r->hold_us, json && !is_last ? "," : "");
	(void)fflush(stdout);
}

int main(int argc, char **argv)
{
	static const size_t sizes[] = { 1, 1000, 100000, 1000000 };
	const bool json = argc > 1 && strcmp(argv[1], "--json") == 0;
	const int given = argc - 1 - json;

	printf(json ? "{\"peers\": [\n"
		    : "    peers     set s     CPU s   bytes/peer   .. expired replace s  longest "
		      "hold us\n");
	for (size_t i = 0; i < (given ? (size_t)given : ELEMENTS(sizes)); ++i) {
		const size_t n = given ? strtoul(argv[1 + json + (int)i], NULL, 10) : sizes[i];
		struct row row = measure(n);

		row.bytes_expired = measure_expired(n);
		print(&row, json, i + 1 == (given ? (size_t)given : ELEMENTS(sizes)));
	}
	if (json)
		printf("]}\n");
	return 0;
}
