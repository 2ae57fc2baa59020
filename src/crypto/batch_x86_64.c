#include "crypto/batch_avx2.h"

/* libgcc looks at XCR0 too: the system must save the wide registers. */
static bool has_avx2(void)
{
	__builtin_cpu_init();
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2");
}

const struct batch batch_avx2 = {
	.name = "avx2",
	.is_here = has_avx2,
	.seal = batch_avx2_seal,
	.open = batch_avx2_open,
	.poly1305 = batch_avx2_poly1305,
};
