#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "batch_compare.h"

/* As the seeded thousands of tests/unit/test_batch.c, but ten millions. */
static void ten_million_packets(void **state)
{
	(void)state;
	if (!batch_avx2.is_here())
		skip();
	compare_batches(&batch_avx2, 10000, 10 * 1000 * 1000);
}

static void a_million_packets_by_libcrypto(void **state)
{
	(void)state;
	compare_batches(&batch_libcrypto, 10001, 1000 * 1000);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(ten_million_packets),
		cmocka_unit_test(a_million_packets_by_libcrypto),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
