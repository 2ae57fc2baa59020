#include "device/udp_control.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* What was read as a source and a TOS is read the same after it was written. */
static void check_round_trip(const struct source *source, uint8_t tos)
{
	const enum family family = source->ip.family == FAMILY_V4 ? FAMILY_V4 : FAMILY_V6;
	uint8_t control[UDP_CONTROL_ROOM];
	const size_t len = udp_write_control(family, source, tos, 1452, control);
	struct udp_extra again;

	if (len > sizeof(control))
		__builtin_trap();
	udp_parse_control(control, len, &again);
	if (!ip_equal(&again.to.ip, &source->ip) || again.tos != tos || again.segment)
		__builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct udp_error e = { 0 };
	struct udp_extra extra;

	udp_parse_control(data, len, &extra);
	check_round_trip(&extra.to, extra.tos);
	if (udp_parse_error(data, len, &e) && e.reporter.family != FAMILY_NONE &&
	    e.reporter.family != FAMILY_V4 && e.reporter.family != FAMILY_V6)
		__builtin_trap();
	return 0;
}
