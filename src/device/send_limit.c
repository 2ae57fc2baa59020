#include "device/send_limit.h"

#include "base/time.h"

#define PAUSE_FIRST (10 * NS_PER_S)
#define PAUSE_MAX (600 * NS_PER_S)

/* Only authenticated peers have endpoints here: nobody gains by a collision. */
static size_t place(const struct endpoint *to)
{
	uint32_t sum = to->port;

	for (size_t i = 0; i < sizeof(to->ip.bytes); ++i)
		sum = sum * 31 + to->ip.bytes[i];
	return (sum ^ sum >> 16) % SEND_LIMITS;
}

bool send_limit_allows(const struct send_limits *l, const struct endpoint *to, size_t segment,
		       uint64_t now)
{
	const struct send_limit *row = &l->rows[place(to)];

	return !row->segment || segment < row->segment || now >= row->until ||
	       !endpoint_equal(&row->to, to);
}

void send_limit_refused(struct send_limits *l, const struct endpoint *to, size_t segment,
			bool by_size, uint64_t now)
{
	struct send_limit *row = &l->rows[place(to)];
	const bool is_known = row->segment && endpoint_equal(&row->to, to);
	const size_t limit = by_size ? segment : 1;
	uint64_t pause = PAUSE_FIRST;

	if (is_known)
		pause = row->pause * 2 < PAUSE_MAX ? row->pause * 2 : PAUSE_MAX;
	*row = (struct send_limit){
		.to = *to,
		.segment =
			is_known && row->segment < limit && now < row->until ? row->segment : limit,
		.until = now + pause,
		.pause = pause,
	};
}

void send_limit_passed(struct send_limits *l, const struct endpoint *to, size_t segment)
{
	struct send_limit *row = &l->rows[place(to)];

	if (row->segment && segment >= row->segment && endpoint_equal(&row->to, to))
		*row = (struct send_limit){ 0 };
}
