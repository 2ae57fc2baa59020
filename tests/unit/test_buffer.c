#include "base/buffer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void append_grows_and_keeps(void **state)
{
	struct buffer b;

	(void)state;
	buffer_init(&b);
	for (unsigned int i = 0; i < 10000; ++i) {
		const char byte = (char)('a' + i % 26);

		buffer_append(&b, &byte, 1);
	}
	assert_true(buffer_ok(&b));
	assert_int_equal(b.len, 10000);
	for (unsigned int i = 0; i < 10000; ++i)
		assert_int_equal(b.bytes[i], 'a' + i % 26);
	assert_true(b.room < 4 * b.len);
	buffer_done(&b);
	assert_null(b.bytes);
	assert_int_equal(b.len, 0);
	assert_int_equal(b.room, 0);
}

static void growth_is_geometric(void **state)
{
	struct buffer b;
	unsigned int moves = 0;
	size_t room = 0;

	(void)state;
	buffer_init(&b);
	for (unsigned int i = 0; i < 1 << 20; ++i) {
		buffer_append(&b, "x", 1);
		moves += b.room != room;
		room = b.room;
	}
	assert_true(moves <= 20);
	buffer_done(&b);
}

static void reserved_room_is_there(void **state)
{
	struct buffer b;
	const char *bytes;

	(void)state;
	buffer_init(&b);
	assert_true(buffer_reserve(&b, 500));
	bytes = b.bytes;
	for (int i = 0; i < 500; ++i)
		buffer_append(&b, "x", 1);
	assert_ptr_equal(b.bytes, bytes);
	assert_false(buffer_reserve(&b, SIZE_MAX));
	assert_false(buffer_ok(&b));
	buffer_done(&b);
}

static void printf_appends(void **state)
{
	struct buffer b;

	(void)state;
	buffer_init(&b);
	buffer_printf(&b, "%s=%d", "errno", -22);
	buffer_printf(&b, "%s", "");
	buffer_append(&b, "", 0);
	buffer_printf(&b, "%0300d", 7);
	assert_true(buffer_ok(&b));
	assert_int_equal(b.len, 9 + 300);
	assert_memory_equal(b.bytes, "errno=-220", 10);
	assert_int_equal(b.bytes[308], '7');
	buffer_done(&b);
}

static void no_memory_is_remembered(void **state)
{
	struct buffer b;

	(void)state;
	buffer_init(&b);
	buffer_append(&b, "abc", 3);
	buffer_append(&b, "abc", SIZE_MAX - 1);
	assert_false(buffer_ok(&b));
	buffer_append(&b, "d", 1);
	buffer_printf(&b, "%d", 1);
	assert_false(buffer_ok(&b));
	assert_int_equal(b.len, 3);
	buffer_done(&b);
	assert_true(buffer_ok(&b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(append_grows_and_keeps),  cmocka_unit_test(growth_is_geometric),
		cmocka_unit_test(reserved_room_is_there),  cmocka_unit_test(printf_appends),
		cmocka_unit_test(no_memory_is_remembered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
