#include <inttypes.h>

#include "net/plan.h"

static bool put_item(const struct step *s, struct buffer *b)
{
	const size_t len = b->len;

	buffer_printf(b, "[#] ");
	if (item_command(&s->item, s->kind == STEP_REMOVE, b))
		return true;
	b->len = len;
	return false;
}

bool step_print(const struct step *s, const char *link, struct buffer *b)
{
	switch (s->kind) {
	case STEP_ADD:
	case STEP_REMOVE:
		return put_item(s, b);
	case STEP_HOOK:
		buffer_printf(b, "[#] %s", s->text);
		return true;
	case STEP_DEVICE:
		buffer_printf(b, "[#] wg %s %s /dev/fd/63", s->text, link);
		return true;
	case STEP_MARK:
		buffer_printf(b, "[#] wg set %s fwmark %" PRIu32, link, s->number);
		return true;
	case STEP_UP:
		buffer_printf(b, "[#] ip link set mtu %" PRIu32 " up dev %s", s->number, link);
		return true;
	case STEP_NOTE:
		buffer_printf(b, "[!] %s", s->text);
		return true;
	}
	return false;
}
