#include "model/sync.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/bytes.h"
#include "control/uapi.h"

/*
 * Peers in one letter each: the key is that letter 32 times. A digit behind it: p has a preshared
 * key, k a keepalive. Patches are compared as what UAPI says of them, shortened to such letters.
 */
static void add_peers(struct model *m, const char *text, bool is_patch)
{
	struct model_peer *p = NULL;

	for (; *text; ++text) {
		if (*text == 'p') {
			memset(&p->preshared_key, 0x11, sizeof(p->preshared_key));
			p->has_preshared_key = is_patch;
		} else if (*text == 'k') {
			p->keepalive = 25;
			p->has_keepalive = is_patch;
		} else {
			p = model_add_peer(m);
			assert_non_null(p);
			memset(&p->public_key, *text, sizeof(p->public_key));
			p->replace_allowed = is_patch;
		}
	}
	m->replace_peers = is_patch;
}

/* "-A" removes; "P0" and "K0" zero what was there. */
static void describe(const struct model *m, char *ret)
{
	if (m->replace_peers)
		*ret++ = '!';
	for (size_t i = 0; i < m->peer_count; ++i) {
		const struct model_peer *p = &m->peers[i];

		if (p->remove)
			*ret++ = '-';
		*ret++ = (char)p->public_key.bytes[0];
		assert_int_equal(p->replace_allowed, !p->remove);
		if (p->has_preshared_key)
			*ret++ = p->preshared_key.bytes[0] ? 'p' : 'P';
		if (p->has_keepalive)
			*ret++ = p->keepalive ? 'k' : 'K';
	}
	*ret = '\0';
}

static const struct {
	const char *wanted, *running, *patch;
} rows[] = {
	{ "", "", "!" },         { "", "ABC", "!" },
	{ "A", "", "!A" },       { "A", "A", "A" },
	{ "A", "B", "-BA" },     { "AB", "CDE", "-E-D-CAB" },
	{ "BA", "ABC", "-CBA" }, { "CA", "EDCBA", "-E-D-BCA" },
	{ "A", "Ap", "AP" },     { "A", "Ak", "AK" },
	{ "A", "Apk", "APK" },   { "Ap", "Apk", "ApK" },
	{ "Apk", "Apk", "Apk" }, { "Apk", "A", "Apk" },
	{ "AB", "Bpk", "ABPK" }, { "ABA", "Ap", "APBA" }, /* the first of two */
	{ "AA", "AB", "-BAA" },  { "B", "AA", "-A-AB" },
};

static void what_is_sent(void **state)
{
	(void)state;
	for (size_t i = 0; i < ELEMENTS(rows); ++i) {
		struct model wanted, running;
		char said[64];

		model_init(&wanted);
		model_init(&running);
		add_peers(&wanted, rows[i].wanted, true);
		add_peers(&running, rows[i].running, false);
		assert_true(model_sync(&wanted, &running));
		describe(&wanted, said);
		assert_string_equal(said, rows[i].patch);
		model_done(&running);
		model_done(&wanted);
	}
}

/* Who is a peer after a patch, by letters; a set of 26 of them. */
static unsigned int apply(const struct model *patch, unsigned int peers)
{
	if (patch->replace_peers)
		peers = 0;
	for (size_t i = 0; i < patch->peer_count; ++i) {
		const unsigned int bit = 1U << (patch->peers[i].public_key.bytes[0] - 'A');

		peers = patch->peers[i].remove ? peers & ~bit : peers | bit;
	}
	return peers;
}

static unsigned int random_peers(struct model *m, bool is_patch)
{
	char text[40] = "";
	unsigned int peers = 0;
	const int count = rand() % 9;

	for (int i = 0; i < count; ++i) {
		const int letter = rand() % 9;

		peers |= 1U << letter;
		text[i] = (char)('A' + letter);
	}
	add_peers(m, text, is_patch);
	return peers;
}

/* The device then has the wanted peers, and nobody who is wanted was removed meanwhile. */
static void random_devices_become_what_is_wanted(void **state)
{
	(void)state;
	srand(7);
	for (int i = 0; i < 2000; ++i) {
		struct model wanted, running;
		unsigned int want, have;

		model_init(&wanted);
		model_init(&running);
		want = random_peers(&wanted, true);
		have = random_peers(&running, false);
		assert_true(model_sync(&wanted, &running));
		assert_int_equal(apply(&wanted, have), want);
		for (size_t k = 0; k < wanted.peer_count; ++k)
			if (wanted.peers[k].remove)
				assert_false(want &
					     1U << (wanted.peers[k].public_key.bytes[0] - 'A'));
		assert_true(!(have && want) || !wanted.replace_peers);
		model_done(&running);
		model_done(&wanted);
	}
}

/* The lists of addresses move with their peers. */
static void addresses_stay_with_their_peer(void **state)
{
	const struct prefix prefix = { .ip = { FAMILY_V4, { 10 } }, .bits = 8 };
	struct model wanted, running;

	(void)state;
	model_init(&wanted);
	model_init(&running);
	add_peers(&wanted, "AB", true);
	assert_true(model_add_allowed(&wanted.peers[1], &prefix, false));
	add_peers(&running, "CA", false);
	assert_true(model_sync(&wanted, &running));
	assert_int_equal(wanted.peer_count, 3);
	assert_int_equal(wanted.peers[0].allowed_count, 0);
	assert_int_equal(wanted.peers[1].allowed_count, 0);
	assert_int_equal(wanted.peers[2].allowed_count, 1);
	assert_non_null(model_add_peer(&wanted));
	model_done(&running);
	model_done(&wanted);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_sent),
		cmocka_unit_test(random_devices_become_what_is_wanted),
		cmocka_unit_test(addresses_stay_with_their_peer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
