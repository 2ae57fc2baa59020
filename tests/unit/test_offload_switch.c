#include "device/offload_switch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"

static const struct {
	const char *text;
	unsigned int switches;
} good[] = {
	{ "all", OFFLOAD_SWITCHES_ALL },
	{ "none", 0 },
	{ "udp-gso", OFFLOAD_UDP_GSO },
	{ "udp-gso,udp-gro", OFFLOAD_UDP_GSO | OFFLOAD_UDP_GRO },
	{ "-tun-uso", OFFLOAD_SWITCHES_ALL & ~OFFLOAD_TUN_USO },
	{ "-tun-tso,-udp-gro", OFFLOAD_SWITCHES_ALL & ~(OFFLOAD_TUN_TSO | OFFLOAD_UDP_GRO) },
	{ "none,join-tcp", OFFLOAD_JOIN_TCP },
	{ "all,-join-udp", OFFLOAD_SWITCHES_ALL & ~OFFLOAD_JOIN_UDP },
	{ "-all", 0 },
	{ "join-tcp,none", 0 },
};

static const char *const bad[] = {
	"",         ",",        "al",        "alll",      "udp-gso,",
	",udp-gso", "udp_gso",  "--udp-gso", "-none",     "-",
	"UDP-GSO",  "all none", "udp-gs",    "tun-tso,x", "a-word-that-is-longer-than-any-of-them",
};

static void lists_are_understood_or_named(void **state)
{
	struct diag why = { 0 };
	unsigned int got;

	(void)state;
	for (size_t i = 0; i < ELEMENTS(good); ++i) {
		assert_true(offload_switch_parse(good[i].text, &got, &why));
		assert_int_equal(got, good[i].switches);
	}
	for (size_t i = 0; i < ELEMENTS(bad); ++i) {
		got = 99;
		why = (struct diag){ 0 };
		assert_false(offload_switch_parse(bad[i], &got, &why));
		assert_int_equal(got, 99);
		assert_non_null(strstr(why.text, "tun-tso"));
	}
	for (int i = 0; i < OFFLOAD_SWITCHES; ++i) {
		assert_true(offload_switch_parse(offload_switch_name(i), &got, &why));
		assert_int_equal(got, 1U << i);
	}
}

static const struct {
	const char *release;
	unsigned int off;
	bool equal_tail;
} kernels[] = {
	{ "4.4.0", OFFLOAD_UDP_GSO | OFFLOAD_UDP_GRO | OFFLOAD_JOIN_UDP, false },
	{ "4.17.19", OFFLOAD_UDP_GSO | OFFLOAD_UDP_GRO | OFFLOAD_JOIN_UDP, false },
	{ "4.18.0", OFFLOAD_UDP_GRO | OFFLOAD_JOIN_UDP, false },
	{ "4.19.0-26-amd64", OFFLOAD_UDP_GRO | OFFLOAD_JOIN_UDP, false },
	{ "5.11.22", OFFLOAD_UDP_GRO | OFFLOAD_JOIN_UDP, false },
	{ "5.12.0", OFFLOAD_JOIN_UDP, false },
	{ "6.1.0-56-amd64", OFFLOAD_JOIN_UDP, false },
	{ "6.8.4", OFFLOAD_JOIN_UDP, false },
	{ "6.8.5", 0, false },
	{ "6.18.3", 0, false },
	{ "6.999.9", 0, false },
	{ "7.0.0-rc1", 0, true },
	{ "7.1.4+", 0, true },
	{ "7.1.5", 0, false },
	{ "7.1", 0, true },
	{ "8.0", 0, false },
	{ "Linux", 0, false },
	{ "", 0, false },
	{ "6", 0, false },
};

static void known_bad_kernels_lose_what_they_spoil(void **state)
{
	(void)state;
	for (size_t i = 0; i < ELEMENTS(kernels); ++i) {
		const struct offload_fault fault = offload_switch_kernel(kernels[i].release);

		assert_int_equal(fault.off, kernels[i].off);
		assert_int_equal(fault.equal_tail, kernels[i].equal_tail);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_are_understood_or_named),
		cmocka_unit_test(known_bad_kernels_lose_what_they_spoil),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
