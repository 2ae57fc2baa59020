#include <stddef.h>
#include <stdint.h>

#include "net/ruleset.h"

/* A rule set as somebody's programs tell it: '{' begins nft's, all else is iptables-legacy-save's.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void walk(const struct ruleset *r, const struct ruleset_packet *p)
{
	for (size_t i = 0; i < r->count; ++i) {
		const struct ruleset_chain *c = &r->chains[i];

		if (c->hook != RULESET_NO_HOOK && ruleset_drops(r, c, p, NULL))
			(void)ruleset_drops(r, c, p, ruleset_find(r, c, "DOCKER-USER"));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct ruleset_packet packets[] = {
		{ .family = 4, .in = "wg0", .link = "wg0", .tag = "warren wg0 " },
		{ .family = 6, .out = "wg0", .link = "wg0", .tag = "warren wg0 " },
		{ .family = 4, .link = "wg0", .protocol = "udp", .port = 51820, .tag = "warren " },
	};
	const char *text = (const char *)data;
	struct ruleset r;

	if ((size > 0 && data[0] == '{' ? ruleset_from_json(text, size, &r)
					: ruleset_from_save(text, size, "ip", &r)) != 0)
		return 0;
	for (size_t i = 0; i < sizeof(packets) / sizeof(packets[0]); ++i)
		walk(&r, &packets[i]);
	ruleset_done(&r);
	return 0;
}
