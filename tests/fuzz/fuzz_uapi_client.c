/*
 * A hostile daemon's answer. The first byte says to what (its low two bits) and how many of the
 * next ones are lengths of pieces. At once or in pieces it must mean the same; what was understood
 * of a state must be understood again as we write it.
 */
#include "control/uapi_answer.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void require(bool condition)
{
	if (!condition)
		__builtin_trap();
}

struct heard {
	struct uapi_answer answer;
	struct model model;
	struct diagnosis diagnosis;
	enum uapi_answer_status status;
};

static void heard_init(struct heard *h, enum uapi_status operation)
{
	model_init(&h->model);
	diagnosis_init(&h->diagnosis);
	uapi_answer_init(&h->answer, operation, &h->model, &h->diagnosis);
	h->status = UAPI_ANSWER_MORE;
}

static void heard_done(struct heard *h)
{
	uapi_answer_done(&h->answer);
	diagnosis_done(&h->diagnosis);
	model_done(&h->model);
}

/* From a heap block of the exact size, so that a sanitizer sees one byte too many. */
static void feed(struct heard *h, const uint8_t *bytes, size_t len)
{
	char *copy;

	if (h->status != UAPI_ANSWER_MORE || !len)
		return;
	copy = malloc(len);
	require(copy);
	memcpy(copy, bytes, len);
	h->status = uapi_answer_feed(&h->answer, copy, len);
	free(copy);
}

static void feed_pieces(struct heard *h, const uint8_t *bytes, size_t len, const uint8_t *pieces,
			size_t count)
{
	size_t at = 0;

	for (size_t i = 0; at < len; ++i) {
		size_t piece = count ? pieces[i % count] + 1U : 1;

		piece = piece < len - at ? piece : len - at;
		feed(h, bytes + at, piece);
		at += piece;
	}
}

static void write_all(struct buffer *b, const struct heard *h)
{
	buffer_init(b);
	uapi_write_model(b, &h->model);
	uapi_write_diagnosis(b, &h->diagnosis);
	require(buffer_ok(b));
}

static void require_same(const struct heard *a, const struct heard *b)
{
	struct buffer first, second;

	write_all(&first, a);
	write_all(&second, b);
	require(first.len == second.len &&
		(!first.len || !memcmp(first.bytes, second.bytes, first.len)));
	buffer_done(&first);
	buffer_done(&second);
}

static void require_again(const struct heard *h)
{
	struct heard again;
	struct buffer b;

	write_all(&b, h);
	uapi_write_errno(&b, h->answer.operation, 0);
	heard_init(&again, h->answer.operation);
	feed(&again, (const uint8_t *)b.bytes, b.len);
	require(again.status == UAPI_ANSWER_DONE && !again.answer.error);
	require_same(h, &again);
	heard_done(&again);
	buffer_done(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const enum uapi_status operations[] = { UAPI_GET, UAPI_GET, UAPI_SET,
						       UAPI_DIAGNOSE };
	struct heard whole, parts;
	enum uapi_status operation;
	size_t count;

	if (!len)
		return 0;
	operation = operations[data[0] % 4];
	count = data[0] / 4 % 8;
	if (count > len - 1)
		count = len - 1;
	heard_init(&whole, operation);
	heard_init(&parts, operation);
	feed(&whole, data + 1 + count, len - 1 - count);
	feed_pieces(&parts, data + 1 + count, len - 1 - count, data + 1, count);
	require(whole.status == parts.status && whole.answer.error == parts.answer.error);
	require_same(&whole, &parts);
	if (whole.status == UAPI_ANSWER_DONE && !whole.answer.error && operation != UAPI_SET)
		require_again(&whole);
	heard_done(&whole);
	heard_done(&parts);
	return 0;
}
