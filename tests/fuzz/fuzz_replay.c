#include "wg/replay.h"

#include <stddef.h>

#include "base/bytes.h"

/*
 * Counters as the input has them, and small steps from the last: nothing is accepted twice, nothing
 * that is too old, and all that is new, as far as a list of the last ones tells.
 */
enum { REMEMBERED = 512 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

struct history {
	uint64_t accepted[REMEMBERED];
	size_t n;
	uint64_t next;
};

static bool expect(const struct history *h, uint64_t counter)
{
	if (counter == UINT64_MAX || (h->next > counter && h->next - counter > REPLAY_WINDOW))
		return false;
	for (size_t i = 0; i < h->n; ++i) {
		if (h->accepted[i] == counter)
			return false;
	}
	return true;
}

static void check(struct replay *r, struct history *h, uint64_t counter)
{
	const bool accepted = replay_accept(r, counter);

	if (accepted != expect(h, counter))
		__builtin_trap();
	if (!accepted)
		return;
	h->accepted[h->n++] = counter;
	if (counter >= h->next)
		h->next = counter + 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct replay r = { 0 };
	struct history h = { .n = 0 };
	uint64_t counter = 0;

	for (; len >= 9 && h.n < REMEMBERED; data += 9, len -= 9) {
		const uint64_t v = load64_le(data + 1);

		switch (data[0] % 4) {
		case 0:
			counter = v;
			break;
		case 1:
			counter += v % 256;
			break;
		case 2:
			counter -= v % (2 * UINT64_C(64) * REPLAY_WORDS);
			break;
		default:
			counter += v % (2 * UINT64_C(64) * REPLAY_WORDS);
		}
		check(&r, &h, counter);
	}
	return 0;
}
