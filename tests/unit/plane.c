#include "plane.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "namespace.h"

enum { BUFFER = 8 << 20, RING = 64 };

static void open_tun(struct plane *p, unsigned int i)
{
	const int size = BUFFER;
	int ends[2];

	assert_int_equal(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
	for (unsigned int k = 0; k < 2; ++k) {
		/* best effort: without privilege fewer records fit in */
		(void)setsockopt(ends[k], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
		(void)setsockopt(ends[k], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	}
	p->d[i].tun = (struct tun){ .fd = ends[0], .queues = 1, .header = OFFLOAD_HEADER };
	p->far[i] = ends[1];
}

static void open_device(struct plane *p, unsigned int i)
{
	struct device *d = &p->d[i];

	d->core = p->pair.host[i].core;
	d->offloads = OFFLOAD_SWITCHES_ALL;
	d->armed = TIME_NEVER;
	d->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	assert_true(d->wake >= 0);
	atomic_store(&d->mtu, PLANE_MTU);
	atomic_store(&d->join_kinds, OFFLOAD_ALL);
	atomic_store(&d->port, p->pair.host[i].endpoint.port);
	core_set_port(d->core, p->pair.host[i].endpoint.port);
	pthread_mutex_init(&d->lock, NULL);
	pthread_condattr_t monotonic;
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&d->settled, &monotonic);
	pthread_condattr_destroy(&monotonic);
	evidence_init(&d->evidence);
	assert_int_equal(ring_init(&d->ring, RING), 0);
	open_tun(p, i);
}

static void allow(struct plane *p, unsigned int i)
{
	const struct host *h = &p->pair.host[i];
	const uint8_t side = i == 0 ? 2 : 1; /* of the other one */
	const struct prefix prefixes[] = {
		{ .ip = { FAMILY_V4, { 10, 0, side } }, .bits = 24 },
		{ .ip = { FAMILY_V6, { 0xfd, side } }, .bits = 16 },
		{ .ip = p->pair.host[!i].endpoint.ip, .bits = 32 }, /* a loop */
	};

	assert_true(core_reserve(h->core, 0, ELEMENTS(prefixes)));
	for (size_t k = 0; k < ELEMENTS(prefixes); ++k)
		core_allow(h->core, h->peer, &prefixes[k]);
	core_release(h->core);
}

/* The handshakes are of the time before now: the data plane reads the real clock. */
static void start(struct plane *p)
{
	p->pair.now = device_now();
	pair_jump(&p->pair, -(4 * REKEY_TIMEOUT));
	for (unsigned int i = 0; i < 2; ++i) {
		assert_true(pair_start(&p->pair, i));
		allow(p, i);
		open_device(p, i);
	}
	assert_true(outbound_init(&p->out, &p->d[0], 0));
	assert_true(inbound_init(&p->in, &p->d[1], 0));
}

static void prepare(struct plane *p)
{
	memset(p->d, 0, sizeof(p->d));
	pair_prepare(&p->pair);
	for (unsigned int i = 0; i < 2; ++i) {
		for (unsigned int k = 0; k < UDP_SOCKETS; ++k) {
			atomic_store(&p->d[i].sockets[0][k], -1);
			atomic_store(&p->d[i].sockets[1][k], -1);
		}
	}
}

static void begin_session(struct plane *p)
{
	assert_int_equal(pair_send(&p->pair, 0, 100), TRANSPORT_STAGE);
	assert_int_equal(p->pair.host[1].delivered, 1);
	pair_jump(&p->pair, REKEY_TIMEOUT + REKEY_JITTER_MAX);
}

void plane_init_without_session(struct plane *p)
{
	prepare(p);
	start(p);
}

void plane_init(struct plane *p)
{
	plane_init_without_session(p);
	begin_session(p);
}

static void bind_sockets(struct plane *p, unsigned int i)
{
	const struct udp_config config = { .workers = 1, .joins = true };
	struct diag why = { 0 };
	struct udp u;

	assert_int_equal(udp_bind(&config, &why, &u), 0);
	for (unsigned int k = 0; k < UDP_SOCKETS; ++k) {
		atomic_store(&p->d[i].sockets[0][k], u.v4[k]);
		atomic_store(&p->d[i].sockets[1][k], u.v6[k]);
	}
	p->pair.host[i].endpoint =
		(struct endpoint){ .ip = { FAMILY_V4, { 127, 0, 0, 1 } }, .port = u.port };
}

void plane_init_with_sockets(struct plane *p)
{
	test_namespace_enter();
	prepare(p);
	for (unsigned int i = 0; i < 2; ++i)
		bind_sockets(p, i);
	start(p);
	begin_session(p);
}

static void close_device(struct device *d)
{
	for (unsigned int k = 0; k < 2 * UDP_SOCKETS; ++k) {
		const int fd = atomic_load(&d->sockets[k / UDP_SOCKETS][k % UDP_SOCKETS]);

		if (fd >= 0)
			close(fd);
	}
	ring_done(&d->ring);
	evidence_done(&d->evidence);
	pthread_cond_destroy(&d->settled);
	pthread_mutex_destroy(&d->lock);
	close(d->wake);
	tun_close(&d->tun);
}

void plane_done(struct plane *p)
{
	outbound_done(&p->out);
	inbound_done(&p->in);
	for (unsigned int i = 0; i < 2; ++i) {
		close_device(&p->d[i]);
		close(p->far[i]);
	}
	pair_check(&p->pair);
	pair_done(&p->pair);
}

void plane_rekey(struct plane *p)
{
	const struct session *before = plane_receiving(p);

	core_want_handshake(p->pair.host[0].core, p->pair.now, p->pair.host[0].peer);
	pair_run(&p->pair);
	(void)pair_send(&p->pair, 0, 100);
	assert_ptr_equal(p->pair.host[1].peer->previous, before);
}

const struct session *plane_receiving(const struct plane *p)
{
	return p->pair.host[1].peer->current;
}

void plane_feed(struct plane *p, const uint8_t *header, const uint8_t *packet, size_t len)
{
	static uint8_t record[PLANE_RECORD + 64];

	memset(record, 0, OFFLOAD_HEADER);
	if (header)
		memcpy(record, header, OFFLOAD_HEADER);
	assert_true(OFFLOAD_HEADER + len <= sizeof(record));
	memcpy(record + OFFLOAD_HEADER, packet, len);
	assert_int_equal(write(p->far[0], record, OFFLOAD_HEADER + len), OFFLOAD_HEADER + len);
}

ssize_t plane_take(struct plane *p, unsigned int i, uint8_t ret[static PLANE_RECORD])
{
	return read(p->far[i], ret, PLANE_RECORD);
}

uint64_t plane_count(const struct plane *p, unsigned int i, enum device_count which)
{
	return atomic_load(&p->d[i].counts[which]);
}

uint64_t plane_all_rejects(const struct plane *p, unsigned int i)
{
	uint64_t n = 0;

	for (unsigned int reason = 0; reason < REJECT_REASONS; ++reason)
		n += pair_rejects(&p->pair, i, (enum reject_reason)reason);
	return n;
}

void plane_compare(const struct packet_list *want, const struct packet_list *got)
{
	assert_int_equal(want->count, got->count);
	for (size_t i = 0; i < want->count; ++i) {
		size_t a_len, b_len;
		const uint8_t *const a = packet_list_at(want, i, &a_len);
		const uint8_t *const b = packet_list_at(got, i, &b_len);

		if (!packet_is_same(a, a_len, b, b_len))
			fail_msg("packet %zu of %zu differs", i, want->count);
	}
}
