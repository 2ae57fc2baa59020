#include "model/difference.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "support.h"

static struct prefix prefix_of(unsigned int n)
{
	return (struct prefix){ .ip = { .family = n & 1 ? FAMILY_V6 : FAMILY_V4,
					.bytes = { 10, (uint8_t)n } },
				.bits = 16 };
}

static struct model_peer *add_peer(struct model *m, unsigned int key)
{
	struct model_peer *p = model_add_peer(m);

	assert_non_null(p);
	p->public_key.bytes[5] = (uint8_t)key;
	return p;
}

static void allow(struct model_peer *p, unsigned int n)
{
	const struct prefix prefix = prefix_of(n);

	assert_true(model_add_allowed(p, &prefix, false));
}

/* A device, the slow way. What it has no peer for at a moment is counted. */

static struct model_peer *find(struct model *m, const struct key_public *key)
{
	for (size_t i = 0; i < m->peer_count; ++i)
		if (memcmp(&m->peers[i].public_key, key, sizeof(*key)) == 0)
			return &m->peers[i];
	return NULL;
}

static void take_away(struct model *m, const struct prefix *prefix)
{
	for (size_t i = 0; i < m->peer_count; ++i)
		for (size_t k = m->peers[i].allowed_count; k-- > 0;)
			if (prefix_equal(&m->peers[i].allowed[k].prefix, prefix))
				m->peers[i].allowed[k] =
					m->peers[i].allowed[--m->peers[i].allowed_count];
}

static void remove_peer(struct model *m, struct model_peer *p)
{
	free(p->allowed);
	*p = m->peers[--m->peer_count];
	m->peers[m->peer_count] = (struct model_peer){ 0 };
}

static void apply_peer(struct model *m, const struct model_peer *patch)
{
	struct model_peer *p = find(m, &patch->public_key);

	if (patch->remove) {
		if (p)
			remove_peer(m, p);
		else
			fail_msg("a peer goes that is not there");
		return;
	}
	if (!p) {
		p = model_add_peer(m);
		assert_non_null(p);
		p->public_key = patch->public_key;
	}
	if (patch->has_preshared_key)
		p->preshared_key = patch->preshared_key;
	if (patch->has_keepalive)
		p->keepalive = patch->keepalive;
	if (patch->has_endpoint) {
		p->has_endpoint = true;
		p->endpoint = patch->endpoint;
	}
	if (patch->replace_allowed)
		p->allowed_count = 0;
	for (size_t i = 0; i < patch->allowed_count; ++i) {
		take_away(m, &patch->allowed[i].prefix);
		assert_true(model_add_allowed(p, &patch->allowed[i].prefix, false));
	}
}

static void apply(struct model *m, const struct model *patch)
{
	if (patch->has_private_key)
		m->private_key = patch->private_key;
	if (patch->has_listen_port)
		m->listen_port = patch->listen_port;
	if (patch->has_fwmark)
		m->fwmark = patch->fwmark;
	for (size_t i = 0; i < patch->peer_count; ++i)
		apply_peer(m, &patch->peers[i]);
}

static bool has(const struct model_peer *p, const struct prefix *prefix)
{
	for (size_t i = 0; i < p->allowed_count; ++i)
		if (prefix_equal(&p->allowed[i].prefix, prefix))
			return true;
	return false;
}

static void assert_same_peer(const struct model_peer *a, const struct model_peer *wanted)
{
	if (!a)
		fail_msg("a peer is missing");
	if (!a)
		return;
	assert_memory_equal(&a->preshared_key, &wanted->preshared_key, sizeof(a->preshared_key));
	assert_int_equal(a->keepalive, wanted->keepalive);
	assert_int_equal(a->allowed_count, wanted->allowed_count);
	for (size_t i = 0; i < a->allowed_count; ++i)
		assert_true(has(wanted, &a->allowed[i].prefix));
	assert_true(!wanted->has_endpoint ||
		    (a->has_endpoint && endpoint_equal(&a->endpoint, &wanted->endpoint)));
}

static void assert_becomes(struct model *running, const struct model *wanted)
{
	assert_int_equal(running->peer_count, wanted->peer_count);
	for (size_t i = 0; i < wanted->peer_count; ++i)
		assert_same_peer(find(running, &wanted->peers[i].public_key), &wanted->peers[i]);
}

/* Random devices of few keys and prefixes, so that much is the same and much moves. */
static void random_device(uint64_t *seed, struct model *m)
{
	const uint64_t count = test_random_below(seed, 6);

	model_init(m);
	m->listen_port = (uint16_t)(1 + test_random_below(seed, 2));
	m->has_listen_port = true;
	m->fwmark = (uint32_t)test_random_below(seed, 2);
	m->has_fwmark = true;
	for (uint64_t i = 0; i < count; ++i) {
		const unsigned int key = (unsigned int)test_random_below(seed, 8);
		struct key_public wanted = { .bytes = { [5] = (uint8_t)key } };
		struct model_peer *p;

		if (find(m, &wanted))
			continue;
		p = add_peer(m, key);
		p->has_preshared_key = test_random_below(seed, 2);
		if (p->has_preshared_key)
			p->preshared_key.bytes[0] = (uint8_t)test_random_below(seed, 2);
		p->has_keepalive = true;
		p->keepalive = (uint16_t)test_random_below(seed, 2);
		p->has_endpoint = test_random_below(seed, 2);
		if (p->has_endpoint)
			p->endpoint =
				(struct endpoint){ .ip = prefix_of(0).ip,
						   .port = (uint16_t)test_random_below(seed, 2) };
		for (uint64_t k = test_random_below(seed, 4); k > 0; --k) {
			const struct prefix prefix =
				prefix_of((unsigned int)test_random_below(seed, 9));

			take_away(m, &prefix);
			assert_true(model_add_allowed(p, &prefix, false));
		}
	}
}

/* At no moment between the parts of a patch is a prefix nobody's that was and will be somebody's.
 */
static void assert_no_gap(struct model *m, const struct model *patch, const struct model *before,
			  const struct model *wanted)
{
	for (size_t i = 0; i < patch->peer_count; ++i) {
		apply_peer(m, &patch->peers[i]);
		for (unsigned int n = 0; n < 9; ++n) {
			const struct prefix prefix = prefix_of(n);
			bool was = false, is = false, will_be = false;

			for (size_t k = 0; k < before->peer_count; ++k)
				was = was || has(&before->peers[k], &prefix);
			for (size_t k = 0; k < m->peer_count; ++k)
				is = is || has(&m->peers[k], &prefix);
			for (size_t k = 0; k < wanted->peer_count; ++k)
				will_be = will_be || has(&wanted->peers[k], &prefix);
			assert_true(is || !was || !will_be);
		}
	}
}

static void random_devices(void **state)
{
	uint64_t seed = 3;

	(void)state;
	for (int i = 0; i < 4000; ++i) {
		struct model running, copy, wanted, patch, again;
		uint64_t before = seed;

		random_device(&seed, &running);
		random_device(&before, &copy);
		random_device(&seed, &wanted);
		model_init(&patch);
		model_init(&again);
		assert_true(model_difference(&wanted, &running, false, &patch));
		assert_no_gap(&copy, &patch, &running, &wanted);
		apply(&running, &patch);
		assert_becomes(&running, &wanted);
		assert_int_equal(running.listen_port, wanted.listen_port);
		assert_int_equal(running.fwmark, wanted.fwmark);
		assert_true(model_difference(&wanted, &running, false, &again));
		assert_true(model_is_empty(&again));
		model_done(&again);
		model_done(&patch);
		model_done(&wanted);
		model_done(&copy);
		model_done(&running);
	}
}

/* Each row: two peers 1 and 2 that run, what is wanted, and what the patch may touch. */
static void only_what_differs(void **state)
{
	struct model running, wanted, patch;
	struct model_peer *p;

	(void)state;
	model_init(&running);
	model_init(&wanted);
	model_init(&patch);
	p = add_peer(&running, 1);
	allow(p, 2);
	allow(p, 4);
	p->preshared_key.bytes[3] = 9;
	p->has_preshared_key = true;
	p->has_endpoint = true;
	p->endpoint.port = 7;
	p = add_peer(&running, 2);
	allow(p, 6);
	running.private_key = (struct key_private){ .bytes = { 0x08, [31] = 0x40 } };
	running.has_private_key = true;

	p = add_peer(&wanted, 2);
	allow(p, 6);
	allow(p, 4); /* moves */
	p = add_peer(&wanted, 1);
	allow(p, 2);
	p = add_peer(&wanted, 3);
	allow(p, 8);
	wanted.private_key = (struct key_private){ .bytes = { 0x0f, [31] = 0xc0 } };
	wanted.has_private_key = true;

	assert_true(model_difference(&wanted, &running, true, &patch));
	assert_false(patch.has_private_key || patch.has_listen_port || patch.has_fwmark);
	assert_int_equal(patch.peer_count, 2);
	assert_int_equal(patch.peers[0].public_key.bytes[5], 2);
	assert_int_equal(patch.peers[0].allowed_count, 1);
	assert_false(patch.peers[0].replace_allowed);
	assert_int_equal(patch.peers[1].public_key.bytes[5], 3);
	model_done(&patch);

	model_init(&patch); /* and now the preshared key of 1 goes */
	assert_true(model_difference(&wanted, &running, false, &patch));
	assert_int_equal(patch.peer_count, 3);
	p = find(&patch, &running.peers[0].public_key);
	if (!p)
		fail_msg("the peer is not in it");
	assert_true(p && p->has_preshared_key && p->preshared_key.bytes[3] == 0);
	assert_false(!p || p->has_endpoint || p->has_keepalive || p->allowed_count ||
		     p->replace_allowed);
	model_done(&patch);

	wanted.peers[0].allowed_count = 0; /* 6 and 4 are nobody's */
	model_init(&patch);
	assert_true(model_difference(&wanted, &running, true, &patch));
	for (size_t i = 0; i < 2; ++i) {
		p = find(&patch, &running.peers[i].public_key);
		assert_true(p && p->replace_allowed && p->allowed_count == (i == 0 ? 1 : 0));
	}
	model_done(&patch);
	model_done(&wanted);
	model_done(&running);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_what_differs),
		cmocka_unit_test(random_devices),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
