#include "device/udp_control.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* What was read as a source and a TOS is read the same after it was written. */
static void check_round_trip(const struct source *source, uint8_t tos)
{
	const enum family family = source->ip.family == FAMILY_V4 ? FAMILY_V4 : FAMILY_V6;
	uint8_t control[UDP_CONTROL_ROOM];
	const size_t len = udp_write_control(family, source, tos, control);
	struct source again;
	uint8_t tos_again;

	if (len > sizeof(control))
		__builtin_trap();
	udp_parse_control(control, len, &again, &tos_again);
	if (!ip_equal(&again.ip, &source->ip) || tos_again != tos)
		__builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct udp_error e = { 0 };
	struct source source;
	uint8_t tos;

	udp_parse_control(data, len, &source, &tos);
	check_round_trip(&source, tos);
	if (udp_parse_error(data, len, &e) && e.reporter.family != FAMILY_NONE &&
	    e.reporter.family != FAMILY_V4 && e.reporter.family != FAMILY_V6)
		__builtin_trap();
	return 0;
}
