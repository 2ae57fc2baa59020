#include "net/silence.h"

void silence_begin(struct silence *s, const struct model_peer *p)
{
	*s = (struct silence){ .rx = p->rx_bytes,
			       .tx = p->tx_bytes,
			       .handshake = p->handshake_real };
}

/* A clock that was set back makes a session look younger than none: it is taken for one. */
static bool has_session(const struct model_peer *p, uint64_t real)
{
	return p->handshake_real &&
	       (real < p->handshake_real || real - p->handshake_real < SILENCE_SESSION);
}

/*
 * Its own requests say that it is there, but not that it hears us: with a way that leads one way
 * only they are all that comes. Nothing else has these lengths.
 */
static bool is_heard(const struct silence *s, const struct model_peer *p)
{
	const uint64_t came = p->rx_bytes - s->rx;

	return p->handshake_real != s->handshake || came % SILENCE_REQUEST != 0 ||
	       came > 3 * SILENCE_REQUEST;
}

static enum silence_verdict judge(const struct silence *s, const struct model_peer *p,
				  uint64_t real)
{
	const uint64_t left = p->tx_bytes - s->tx;

	if (is_heard(s, p))
		return SILENCE_HEARD;
	if (p->tx_bytes <= s->tx)
		return SILENCE_IDLE;
	if (has_session(p, real))
		return s->waits && left >= SILENCE_REQUEST ? SILENCE_SILENT : SILENCE_UNSURE;
	return left >= 2 * SILENCE_REQUEST ? SILENCE_SILENT : SILENCE_UNSURE;
}

enum silence_verdict silence_judge(struct silence *s, const struct model_peer *p, uint64_t real)
{
	const enum silence_verdict verdict = judge(s, p, real);

	silence_begin(s, p);
	s->waits = verdict == SILENCE_UNSURE || verdict == SILENCE_SILENT;
	return verdict;
}
