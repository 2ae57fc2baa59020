#include "net/mend.h"

/* count: it is not among them. */
static size_t place_of(const struct endpoint *e, const struct endpoint *found, size_t count)
{
	size_t i = 0;

	while (i < count && !endpoint_equal(e, &found[i]))
		++i;
	return i;
}

static uint64_t doubled(uint64_t first, unsigned int times, uint64_t max)
{
	while (times-- && first < max)
		first *= 2;
	return first < max ? first : max;
}

enum mend_step mend_next(struct mend *m, const struct endpoint *used, const struct endpoint *found,
			 size_t count, bool may_rotate, struct endpoint *ret)
{
	const size_t at = place_of(used, found, count);

	m->failed = 0;
	if (count && at == count) {
		m->turns = 1; /* the one it takes now */
		*ret = found[0];
		return MEND_ENDPOINT;
	}
	if (!m->turns)
		m->turns = 1;
	if (m->turns < count) {
		++m->turns;
		*ret = found[(at + 1) % count];
		return MEND_ENDPOINT;
	}
	m->turns = 0;
	++m->rounds;
	return may_rotate ? MEND_PORT : MEND_NOTHING;
}

uint64_t mend_wait(const struct mend *m)
{
	return m->turns ? 0 : doubled(MEND_WAIT, m->rounds ? m->rounds - 1 : 0, MEND_WAIT_MAX);
}

uint64_t mend_failed(struct mend *m)
{
	if (m->failed < 31)
		++m->failed;
	return doubled(MEND_ASK, m->failed - 1, MEND_ASK_MAX);
}

void mend_done(struct mend *m)
{
	*m = (struct mend){ 0 };
}
