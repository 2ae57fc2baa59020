#include "model/model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "model/diag.h"
#include "model/diagnosis.h"

static void peers_keep_their_values_while_more_come(void **state)
{
	struct model m;

	(void)state;
	model_init(&m);
	for (unsigned int i = 0; i < 1000; ++i) {
		struct model_peer *p = model_add_peer(&m);

		assert_non_null(p);
		assert_int_equal(p->keepalive, 0);
		assert_null(p->allowed);
		p->keepalive = (uint16_t)i;
		for (unsigned int j = 0; j < i % 7; ++j) {
			const struct prefix prefix = {
				.ip = { FAMILY_V4, { 10, 0, 0, (uint8_t)j } }, .bits = 32
			};

			assert_true(model_add_allowed(p, &prefix, j == 3));
		}
	}
	assert_int_equal(m.peer_count, 1000);
	for (unsigned int i = 0; i < 1000; ++i) {
		assert_int_equal(m.peers[i].keepalive, i);
		assert_int_equal(m.peers[i].allowed_count, i % 7);
		for (unsigned int j = 0; j < i % 7; ++j) {
			assert_int_equal(m.peers[i].allowed[j].prefix.ip.bytes[3], j);
			assert_int_equal(m.peers[i].allowed[j].remove, j == 3);
		}
	}
	model_done(&m);
	assert_null(m.peers);
	assert_int_equal(m.peer_count, 0);
}

static void growth_is_geometric(void **state)
{
	const struct prefix prefix = { .ip = { FAMILY_V4, { 10 } }, .bits = 8 };
	unsigned int moves = 0;
	struct model_peer *p;
	struct model m;
	size_t room = 0;

	(void)state;
	model_init(&m);
	p = model_add_peer(&m);
	assert_non_null(p);
	for (unsigned int i = 0; i < 100000; ++i) {
		assert_true(model_add_allowed(p, &prefix, false));
		moves += p->allowed_room != room;
		room = p->allowed_room;
	}
	assert_true(moves < 20);
	model_done(&m);
}

/* A slot that was used and given up must come back clean. */
static void a_new_peer_is_zero_where_an_old_one_was(void **state)
{
	static const struct key_shared none;
	struct model_peer *p;
	struct model m;

	(void)state;
	model_init(&m);
	p = model_add_peer(&m);
	assert_non_null(p);
	memset(&p->preshared_key, 0x55, sizeof(p->preshared_key));
	p->has_preshared_key = true;
	m.peer_count = 0;
	p = model_add_peer(&m);
	assert_non_null(p);
	assert_false(p->has_preshared_key);
	assert_memory_equal(&p->preshared_key, &none, sizeof(none));
	model_done(&m);
}

static void done_wipes_the_private_key(void **state)
{
	static const struct key_private none;
	struct model m;

	(void)state;
	model_init(&m);
	memset(&m.private_key, 0x55, sizeof(m.private_key));
	model_done(&m);
	assert_memory_equal(&m.private_key, &none, sizeof(none));
}

static void the_first_error_stays(void **state)
{
	struct diag d = { 0 };

	(void)state;
	diag_set(&d, DIAG_NOTE, "note", 1, "note");
	strcpy(d.hint, "of the note");
	diag_set(&d, DIAG_ERROR, "first", 2, "bad value of %s", "key");
	assert_int_equal(d.severity, DIAG_ERROR);
	assert_string_equal(d.id, "first");
	assert_int_equal(d.line, 2);
	assert_string_equal(d.text, "bad value of key");
	assert_string_equal(d.hint, "");
	diag_set(&d, DIAG_ERROR, "second", 3, "later");
	assert_string_equal(d.id, "first");
	assert_int_equal(d.line, 2);
	assert_string_equal(d.text, "bad value of key");
}

static void long_text_is_cut(void **state)
{
	struct diag d = { 0 };

	(void)state;
	diag_set(&d, DIAG_ERROR, "long", 1, "%0500d", 1);
	assert_int_equal(strlen(d.text), DIAG_TEXT - 1);
}

static void diagnosis_rows_are_zeroed_and_owned(void **state)
{
	struct diagnosis d;

	(void)state;
	diagnosis_init(&d);
	assert_true(diagnosis_take(&d, 2, 3, 0, 5));
	assert_true(diagnosis_take_rejects(&d.rejects, &d.reject_count, 4));
	assert_true(diagnosis_take_rejects(&d.peers[1].rejects, &d.peers[1].reject_count, 6));
	assert_int_equal(d.peer_count, 2);
	assert_int_equal(d.knock_count, 3);
	assert_int_equal(d.icmp_count, 0);
	assert_null(d.icmp);
	assert_int_equal(d.count_count, 5);
	assert_int_equal(d.reject_count, 4);
	assert_int_equal(d.peers[1].reject_count, 6);
	assert_int_equal(d.peers[1].rejects[5].count, 0);
	assert_null(d.counts[4].name);
	diagnosis_done(&d);
	assert_null(d.peers);
	assert_int_equal(d.reject_count, 0);
}

/* So that the sanitizer lets an impossible request fail, as the system does. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}

static void too_many_diagnosis_rows_are_refused_whole(void **state)
{
	struct diagnosis d;

	(void)state;
	diagnosis_init(&d);
	assert_false(diagnosis_take(&d, 1, 1, 1, SIZE_MAX / 2));
	assert_null(d.peers);
	assert_int_equal(d.peer_count, 0);
	assert_false(diagnosis_take_rejects(&d.rejects, &d.reject_count, SIZE_MAX / 2));
	assert_int_equal(d.reject_count, 0);
	diagnosis_done(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(peers_keep_their_values_while_more_come),
		cmocka_unit_test(growth_is_geometric),
		cmocka_unit_test(a_new_peer_is_zero_where_an_old_one_was),
		cmocka_unit_test(done_wipes_the_private_key),
		cmocka_unit_test(the_first_error_stays),
		cmocka_unit_test(long_text_is_cut),
		cmocka_unit_test(diagnosis_rows_are_zeroed_and_owned),
		cmocka_unit_test(too_many_diagnosis_rows_are_refused_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
