/*
 * What receives brought, each behind two bytes that say how long it is: a dump of a device, read
 * into a model. What was understood must come back as we would write it. Each message is also taken
 * for the answer about the family, and for a link.
 */
#include "base/netlink.h"
#include "control/wg_message.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/bytes.h"
#include "control/uapi.h"

enum { ROOM = 1024, REQUESTS_MAX = 100000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void require(bool condition)
{
	if (!condition)
		__builtin_trap();
}

static int read_message(void *ctx, const struct nlmsghdr *message)
{
	char name[MODEL_NAME];
	uint16_t family = 0;

	(void)!wg_message_read_family(message, &family); /* it need only survive */
	wg_message_read_link(message, name);
	require(memchr(name, '\0', sizeof(name)));
	return wg_message_read(message, ctx);
}

static void require_same(const struct model *a, const struct model *b)
{
	struct buffer first, second;

	buffer_init(&first);
	buffer_init(&second);
	uapi_write_patch(&first, a);
	uapi_write_patch(&second, b);
	require(buffer_ok(&first) && buffer_ok(&second));
	require(first.len == second.len && !memcmp(first.bytes, second.bytes, first.len));
	buffer_done(&first);
	buffer_done(&second);
}

/* Written as a set and read as a dump: the attributes are the same ones. */
static void require_again(const struct model *m)
{
	_Alignas(8) uint8_t request[ROOM];
	struct wg_message_cursor c = { 0 };
	struct model again;
	size_t n = 0;

	model_init(&again);
	while (wg_message_write_set(&c, m, "wg0", 30, request, sizeof(request))) {
		const struct nlmsghdr *h = (const struct nlmsghdr *)(const void *)request;

		require(h->nlmsg_len <= sizeof(request) && ++n < REQUESTS_MAX);
		require(wg_message_read(h, &again) == 0);
	}
	require_same(m, &again);
	model_done(&again);
}

static int take(const uint8_t *bytes, size_t len, struct model *m)
{
	bool changed = false;
	uint8_t *copy = malloc(len ? len : 1);
	int status;

	require(copy);
	memcpy(copy, bytes, len);
	status = netlink_take(copy, len, 1, read_message, m, &changed);
	free(copy);
	return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct model m;
	int status = 1;

	model_init(&m);
	while (status == 1 && len >= 2) {
		size_t piece = load16_be(data);

		data += 2;
		len -= 2;
		piece = piece < len ? piece : len;
		status = take(data, piece, &m);
		data += piece;
		len -= piece;
	}
	if (status >= 0)
		require_again(&m);
	model_done(&m);
	return 0;
}
