#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "device/device_private.h"
#include "support.h"

/* A device of a core and peers with endpoints; peer i has the number i + 1 in its key. */
enum { PEERS = 3000 };

struct world {
	struct device *d;
	struct test_memory memory;
	struct test_entropy entropy;
};

static struct key_public key_of(unsigned int i)
{
	struct key_public key = { .bytes = { [9] = 1 } };

	store32_le(key.bytes, i + 1);
	return key;
}

static struct peer *peer_of(const struct world *w, unsigned int i)
{
	const struct key_public key = key_of(i);

	return core_find_peer(w->d->core, &key);
}

static void set_up(struct world *w)
{
	const struct endpoint e = { .ip = { FAMILY_V4, { 192, 0, 2, 1 } }, .port = 9 };
	struct key_private secret = { { 1, 2, 3 } };
	const struct moment now = device_now();

	test_memory_init(&w->memory);
	test_entropy_init(&w->entropy, 5);
	w->d = calloc(1, sizeof(*w->d));
	assert_non_null(w->d);
	pthread_mutex_init(&w->d->lock, NULL);
	w->d->core = core_new(&(struct core_config){
		.memory = w->memory.memory, .entropy = w->entropy.entropy, .ratelimit_sets = 16 });
	assert_non_null(w->d->core);
	crypto_clamp(&secret);
	assert_true(core_set_private_key(w->d->core, now, &secret, 0));
	assert_true(core_reserve(w->d->core, PEERS, 0));
	for (unsigned int i = 0; i < PEERS; ++i) {
		const struct key_public key = key_of(i);

		core_set_endpoint(core_add_peer(w->d->core, &key), &e);
	}
	core_up(w->d->core, now);
}

static void tear_down(struct world *w)
{
	core_free(w->d->core);
	pthread_mutex_destroy(&w->d->lock);
	free(w->d->resume);
	free(w->d);
	assert_int_equal(w->memory.outstanding, 0);
}

static size_t initiations(struct world *w)
{
	struct output output = { 0 };
	size_t n = 0;

	while (core_pull(w->d->core, device_now(), &output) == OUTPUT_JOB)
		++n;
	return n;
}

static void all_that_had_a_session_are_asked_for_one(void **state)
{
	static const unsigned int rows[] = { 0, 1, 64, 65, 1025, PEERS };
	struct world w;

	(void)state;
	for (size_t r = 0; r < ELEMENTS(rows); ++r) {
		set_up(&w);
		for (unsigned int i = 0; i < rows[r]; ++i) {
			const struct key_public key = key_of(i), nobody = key_of(PEERS + i);

			device_resume(w.d, &key);
			device_resume(w.d, &key); /* recorded twice */
			device_resume(w.d, &nobody);
		}
		device_resume_all(w.d);
		assert_int_equal(initiations(&w), rows[r]);
		device_resume_all(w.d);
		assert_int_equal(initiations(&w), 0);
		tear_down(&w);
	}
}

static struct device_stamp stamp_of(unsigned int i, uint64_t number)
{
	struct device_stamp s = { .peer = key_of(i) };

	store64_be(s.stamp, number);
	return s;
}

/* Every third has one; rooms of several sizes. */
static void stamps_are_told_and_taken(void **state)
{
	static const size_t rooms[] = { 1, 7, 256, PEERS + 1 };
	static struct device_stamp got[PEERS + 1];
	struct world w;

	(void)state;
	set_up(&w);
	for (unsigned int i = 0; i < PEERS; i += 3) {
		const struct device_stamp s = stamp_of(i, 100 + i), nobody = stamp_of(PEERS + i, 9);

		device_set_stamp(w.d, &s);
		device_set_stamp(w.d, &nobody);
	}
	for (size_t r = 0; r < ELEMENTS(rooms); ++r) {
		struct model_cursor cursor = { 0 };
		unsigned int n = 0;

		do {
			const size_t more = device_get_stamps(w.d, &cursor, got, rooms[r]);

			for (size_t i = 0; i < more; ++i, n += 3) {
				const struct device_stamp want = stamp_of(n, 100 + n);

				assert_memory_equal(&got[i], &want, sizeof(want));
			}
		} while (cursor.serial);
		assert_int_equal(n, PEERS);
	}
	tear_down(&w);
}

static void a_secret_in_use_is_told_from_others(void **state)
{
	const struct key_shared psk = { { 1 } }, other = { { 2 } }, none = { { 0 } };
	const struct key_public has = key_of(0), lacks = key_of(1), nobody = key_of(PEERS);
	const struct {
		const struct key_public *peer;
		const struct key_shared *set; /* NULL: removed */
		bool ends;
	} rows[] = {
		{ &has, &psk, false },   { &has, &other, true },   { &has, &none, true },
		{ &has, NULL, true },    { &lacks, &psk, false },  { &lacks, &none, false },
		{ &lacks, NULL, false }, { &nobody, &psk, false }, { &nobody, NULL, false },
	};
	struct key_private key;
	struct world w;

	(void)state;
	set_up(&w);
	core_set_psk(peer_of(&w, 0), &psk);
	for (size_t i = 0; i < ELEMENTS(rows); ++i)
		assert_int_equal(device_ends_psk(w.d, rows[i].peer, rows[i].set), rows[i].ends);
	key = *core_private_key(w.d->core);
	assert_false(device_ends_key(w.d, &key));
	key.bytes[31] ^= 0x40;
	assert_true(device_ends_key(w.d, &key));
	key = (struct key_private){ 0 };
	assert_true(core_set_private_key(w.d->core, device_now(), &key, 0));
	key.bytes[0] = 8;
	assert_false(device_ends_key(w.d, &key)); /* there is none to end */
	tear_down(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_that_had_a_session_are_asked_for_one),
		cmocka_unit_test(stamps_are_told_and_taken),
		cmocka_unit_test(a_secret_in_use_is_told_from_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
