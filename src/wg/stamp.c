#include "wg/stamp.h"

#include <string.h>

#include "base/bytes.h"

/* TAI64 counts from 2^62, and TAI was 10 s ahead of UTC in 1970. */
#define TAI_EPOCH UINT64_C(0x400000000000000a)
/* Year 2262. Above it there is still room for more stamps than can ever be sent. */
#define REAL_MAX (UINT64_C(1) << 63)
#define FLOOR_MAX (REAL_MAX + REAL_MAX / 2)

static uint64_t round_down(uint64_t ns)
{
	return ns - ns % NS_PER_S % STAMP_GRAIN;
}

/* The next one up on the wire: the grains of a second are counted from its start. */
static uint64_t after(uint64_t stamp)
{
	const uint64_t grain = round_down(stamp) + STAMP_GRAIN;

	return grain / NS_PER_S == stamp / NS_PER_S ? grain : grain - grain % NS_PER_S;
}

/* What the wall clock should show now, had it run on from there. */
static uint64_t run_on(const struct moment *from, uint64_t boot)
{
	return from->real + (boot - from->boot);
}

static uint64_t distance(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

/* The highest reading of the wall clock that can be believed now. */
static uint64_t horizon(const struct stamp *s, uint64_t boot)
{
	if (s->reference.boot)
		return run_on(&s->reference, boot) + STAMP_JUMP;
	/* A floor from a clock that was never set tells nothing. */
	return s->floor < STAMP_CLOCK_SET ? UINT64_MAX : s->floor + STAMP_ABSENCE;
}

static void judge_clock(struct stamp *s, struct moment now)
{
	const uint64_t expected = run_on(&s->suspect, now.boot);

	if (now.real <= horizon(s, now.boot)) {
		s->suspect.boot = 0;
		/* Kept where the clock steps back: a step forward again is then no jump. */
		if (!s->reference.boot && now.real >= STAMP_CLOCK_SET)
			s->reference = now;
	} else if (!s->suspect.boot || distance(now.real, expected) > STAMP_JUMP) {
		s->suspect = now;
	} else if (now.boot - s->suspect.boot >= STAMP_JUMP) {
		s->reference = now;
		s->suspect.boot = 0;
	}
}

/*
 * The stamp is judged and not the clock: it may still stand where an absurd clock has put it, or be
 * the next one above a floor that is far ahead of the clock.
 */
static bool is_believed(const struct stamp *s, uint64_t stamp, uint64_t boot)
{
	return stamp <= horizon(s, boot) || stamp <= after(s->floor);
}

void stamp_init(struct stamp *s, uint64_t floor)
{
	*s = (struct stamp){ .floor = floor <= FLOOR_MAX ? floor : 0 };
}

uint64_t stamp_next(struct stamp *s, struct moment now, uint64_t *sent)
{
	uint64_t stamp;

	if (now.real > REAL_MAX)
		now.real = REAL_MAX;
	judge_clock(s, now);
	stamp = round_down(now.real);
	if (stamp < s->last)
		stamp = s->last;
	if (!s->last && stamp <= s->floor)
		stamp = after(s->floor);
	s->last = stamp;
	if (stamp <= *sent)
		stamp = after(*sent);
	*sent = stamp;
	if (stamp > s->floor && is_believed(s, stamp, now.boot))
		s->floor = stamp + (stamp > now.real ? STAMP_FLOOR_AHEAD_SHORT : STAMP_FLOOR_AHEAD);
	return stamp;
}

void stamp_forget(struct stamp *s, uint64_t sent)
{
	if (sent && sent >= s->last)
		s->last = after(sent);
}

void stamp_end(struct stamp *s)
{
	if (s->last && s->last < s->floor)
		s->floor = s->last;
}

void stamp_write(uint64_t stamp, uint8_t ret[static STAMP_LEN])
{
	store64_be(ret, TAI_EPOCH + stamp / NS_PER_S);
	store32_be(ret + 8, (uint32_t)(stamp % NS_PER_S));
}

bool stamp_is_later(const uint8_t a[static STAMP_LEN], const uint8_t b[static STAMP_LEN])
{
	return memcmp(a, b, STAMP_LEN) > 0;
}
