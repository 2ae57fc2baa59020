#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "control/uapi.h"
#include "device/change.h"
#include "device/slab.h"
#include "support.h"
#include "wg/core_private.h"

/*
 * Many peers at once, from the text of a set to a core: a hundred thousand where there is time
 * (test-full), else fewer.
 */
struct world {
	struct test_memory memory; /* counts */
	struct test_entropy entropy;
	pthread_mutex_t lock;
	struct core *core;
	uint64_t now;
};

static struct world w;

static unsigned int many(void)
{
	const char *tier = getenv("WARREN_TIER");

	return tier && strcmp(tier, "full") == 0 ? 100000 : 10000;
}

static struct moment at(void)
{
	return (struct moment){ .boot = w.now, .real = w.now };
}

static void start(void)
{
	const struct key_private key = { { 7 } };

	w = (struct world){ .lock = PTHREAD_MUTEX_INITIALIZER, .now = NS_PER_S };
	test_memory_init(&w.memory);
	test_entropy_init(&w.entropy, 1);
	w.core = core_new(&(struct core_config){ .memory = w.memory.memory,
						 .entropy = w.entropy.entropy,
						 .ratelimit_sets = 8,
						 .staged_budget = 1 << 20 });
	assert_non_null(w.core);
	assert_true(core_set_private_key(w.core, at(), &key, 0));
	core_up(w.core, at());
}

static void stop(void)
{
	core_free(w.core);
	assert_int_equal(w.memory.outstanding, 0);
}

/* What one client says: each peer with two allowed IPs, and every active-th one with a keepalive.
 */
static void feed(struct uapi_parser *p, unsigned int peers, unsigned int active)
{
	enum uapi_status status = UAPI_MORE;
	char text[512];
	size_t used;

	uapi_parser_init(p);
	status = uapi_parse(p, "set=1\nreplace_peers=true\n", 25, &used);
	for (unsigned int i = 0; i < peers; ++i) {
		const int len = snprintf(
			text, sizeof(text),
			"public_key=%064x\nendpoint=192.0.2.1:%u\nallowed_ip=10.%u.%u.%u/32\n"
			"allowed_ip=fd00::%x:%x/128\n%s",
			i + 2, i % 60000 + 1, i >> 16, i >> 8 & 255, i & 255, i >> 16, i & 0xffff,
			active && i % active == 0 ? "persistent_keepalive_interval=25\n" : "");

		assert_int_equal(status, UAPI_MORE);
		status = uapi_parse(p, text, (size_t)len, &used);
		assert_int_equal(used, len);
	}
	assert_int_equal(uapi_parse(p, "\n", 1, &used), UAPI_SET);
}

static void set(unsigned int peers, unsigned int active)
{
	struct uapi_parser parser;
	struct change ch;

	feed(&parser, peers, active);
	assert_true(change_reserve(&ch, w.core, &w.lock, &parser.patch));
	change_apply(&ch, at());
	uapi_parser_done(&parser);
	assert_int_equal(core_peer_count(w.core), peers);
}

static void fd13_idle_peer_costs_less_than_1_kb(void **state)
{
	const unsigned int n = many();
	size_t before, blocks;

	(void)state;
	start();
	before = w.memory.outstanding;
	blocks = w.memory.blocks;
	set(n, 0);
	/* A peer, two prefixes, two forks; the rest is shared. */
	assert_true(w.memory.blocks - blocks < 5 * (size_t)n + n / 10);
	assert_true((w.memory.outstanding - before) / n < 1000);
	/* The same after the whole of it was replaced. */
	set(n, 0);
	assert_true((w.memory.outstanding - before) / n < 1000);
	stop();
}

static void *set_in_a_small_stack(void *ctx)
{
	set(*(const unsigned int *)ctx, 0);
	return NULL;
}

static void fd14_many_peers_in_a_small_stack(void **state)
{
	unsigned int n = many();
	pthread_attr_t attributes;
	pthread_t thread;

	(void)state;
	start();
	pthread_attr_init(&attributes);
	assert_int_equal(pthread_attr_setstacksize(&attributes, 128 << 10), 0);
	assert_int_equal(pthread_create(&thread, &attributes, set_in_a_small_stack, &n), 0);
	pthread_join(thread, NULL);
	pthread_attr_destroy(&attributes);
	stop();
}

/* One in a hundred is active: an hour of its timers, and the others cost nothing. */
static void fl9_most_are_idle(void **state)
{
	const unsigned int n = many(), active = n / 100;
	unsigned long outputs = 0, ticks = 0;
	size_t before;

	(void)state;
	start();
	before = w.memory.outstanding;
	set(n, 100);
	while (w.now < 300 * NS_PER_S) {
		uint8_t packet[MESSAGE_MAX];
		struct output output = { .packet = packet };
		struct handshake_datagram datagram;
		enum output_kind kind;

		while ((kind = core_pull(w.core, at(), &output)) != OUTPUT_NONE) {
			assert_int_equal(kind, OUTPUT_JOB);
			output.job.ok =
				false; /* as if the DH had failed: it is not what is tested */
			assert_int_equal(handshake_commit(w.core, at(), &output.job, &datagram),
					 HANDSHAKE_DROPPED);
			++outputs;
		}
		assert_true(core_deadline(w.core) != TIME_NEVER);
		assert_true(w.core->schedule.used <= active);
		if (core_deadline(w.core) > w.now)
			w.now = core_deadline(w.core);
		core_tick(w.core, at());
		++ticks;
	}
	/* 20 tries of 5 s, then silence: never more often than once in 5 s. */
	assert_true(outputs >= 18UL * active);
	assert_true(outputs <= 61UL * active);
	assert_true((w.memory.outstanding - before) / n < 1000);
	stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fd13_idle_peer_costs_less_than_1_kb),
		cmocka_unit_test(fd14_many_peers_in_a_small_stack),
		cmocka_unit_test(fl9_most_are_idle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
