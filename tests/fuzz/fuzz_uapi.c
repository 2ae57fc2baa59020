/*
 * The first byte says how many of the next ones are lengths of pieces; the rest is a stream of
 * requests. Fed at once or in those pieces it must mean the same, and what is accepted must be
 * accepted again as we write it.
 */
#include "control/uapi.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void require(bool condition)
{
	if (!condition)
		__builtin_trap();
}

/* From a heap block of the exact size, so that a sanitizer sees one byte too many. */
static enum uapi_status feed(struct uapi_parser *p, const char *bytes, size_t len, size_t *ret_used)
{
	char *copy = malloc(len);
	enum uapi_status status;

	require(copy);
	memcpy(copy, bytes, len);
	status = uapi_parse(p, copy, len, ret_used);
	free(copy);
	require(*ret_used <= len);
	require(status != UAPI_MORE || *ret_used == len);
	return status;
}

static enum uapi_status feed_pieces(struct uapi_parser *p, const char *bytes, size_t len,
				    const uint8_t *pieces, size_t count, size_t *ret_used)
{
	enum uapi_status status = UAPI_MORE;
	size_t used;

	*ret_used = 0;
	for (size_t i = 0; status == UAPI_MORE && *ret_used < len; ++i) {
		size_t piece = count ? pieces[i % count] + 1U : 1;

		if (piece > len - *ret_used)
			piece = len - *ret_used;
		status = feed(p, bytes + *ret_used, piece, &used);
		*ret_used += used;
	}
	return status;
}

static void require_same_patch(const struct model *a, const struct model *b)
{
	struct buffer first, second;

	buffer_init(&first);
	buffer_init(&second);
	uapi_write_patch(&first, a);
	uapi_write_patch(&second, b);
	require(buffer_ok(&first) && buffer_ok(&second));
	require(first.len == second.len && memcmp(first.bytes, second.bytes, first.len) == 0);
	buffer_done(&first);
	buffer_done(&second);
}

static void require_accepted_again(const struct model *patch)
{
	struct uapi_parser again;
	struct buffer written;
	size_t used;

	buffer_init(&written);
	uapi_parser_init(&again);
	uapi_write_patch(&written, patch);
	require(feed(&again, written.bytes, written.len, &used) == UAPI_SET);
	require(used == written.len);
	require_same_patch(patch, &again.patch);
	uapi_parser_done(&again);
	buffer_done(&written);
}

static void require_canonical(const struct model *patch)
{
	for (size_t i = 0; i < patch->peer_count; ++i) {
		const struct model_peer *p = &patch->peers[i];

		for (size_t j = 0; j < p->allowed_count; ++j) {
			struct prefix masked = p->allowed[j].prefix;

			prefix_mask(&masked);
			require(memcmp(&masked, &p->allowed[j].prefix, sizeof(masked)) == 0);
		}
	}
}

/* One request; how many bytes of the stream it took, or 0 if it was the last. */
static size_t check_request(const char *bytes, size_t len, const uint8_t *pieces, size_t count)
{
	struct uapi_parser whole, parts;
	size_t used, used_parts;
	enum uapi_status status;

	uapi_parser_init(&whole);
	uapi_parser_init(&parts);
	status = feed(&whole, bytes, len, &used);
	require(feed_pieces(&parts, bytes, len, pieces, count, &used_parts) == status);
	require(used == used_parts && whole.error == parts.error);
	require(whole.line == parts.line && whole.operation == parts.operation);
	require(memcmp(&whole.why, &parts.why, sizeof(whole.why)) == 0);
	require((status == UAPI_REFUSED) == (whole.error < 0));
	require((status == UAPI_REFUSED) == (whole.why.severity == DIAG_ERROR));
	require_same_patch(&whole.patch, &parts.patch);
	if (status == UAPI_SET) {
		require_canonical(&whole.patch);
		require_accepted_again(&whole.patch);
	}
	uapi_parser_done(&whole);
	uapi_parser_done(&parts);
	return status == UAPI_GET || status == UAPI_SET || status == UAPI_DIAGNOSE ? used : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const uint8_t *pieces = data + 1;
	size_t count, used = 1;

	if (!len)
		return 0;
	count = data[0] % 8;
	if (count > len - 1)
		count = len - 1;
	data += 1 + count;
	len -= 1 + count;
	for (; len && used; data += used, len -= used) {
		used = check_request((const char *)data, len, pieces, count);
		if (!used)
			break;
	}
	return 0;
}
