#include "model/diagnosis.h"

#include <assert.h>
#include <stdlib.h>

/* Zeroed rows at *ret; none are NULL. */
static bool take_rows(size_t n, size_t size, void **ret)
{
	*ret = n ? calloc(n, size) : NULL;
	return !n || *ret;
}

void diagnosis_init(struct diagnosis *d)
{
	*d = (struct diagnosis){ 0 };
}

void diagnosis_done(struct diagnosis *d)
{
	for (size_t i = 0; i < d->peer_count; ++i)
		free(d->peers[i].rejects);
	free(d->rejects);
	free(d->peers);
	free(d->knocks);
	free(d->icmp);
	free(d->counts);
	diagnosis_init(d);
}

bool diagnosis_take_rejects(struct reject **rejects, size_t *count, size_t n)
{
	void *rows;

	assert(!*rejects);
	if (!take_rows(n, sizeof(**rejects), &rows))
		return false;
	*rejects = rows;
	*count = n;
	return true;
}

bool diagnosis_take(struct diagnosis *d, size_t peers, size_t knocks, size_t icmp, size_t counts)
{
	void *p = NULL, *k = NULL, *i = NULL, *c = NULL;

	assert(!d->peers && !d->knocks && !d->icmp && !d->counts);
	if (!take_rows(peers, sizeof(*d->peers), &p) ||
	    !take_rows(knocks, sizeof(*d->knocks), &k) || !take_rows(icmp, sizeof(*d->icmp), &i) ||
	    !take_rows(counts, sizeof(*d->counts), &c)) {
		free(p);
		free(k);
		free(i);
		return false;
	}
	d->peers = p;
	d->peer_count = peers;
	d->knocks = k;
	d->knock_count = knocks;
	d->icmp = i;
	d->icmp_count = icmp;
	d->counts = c;
	d->count_count = counts;
	return true;
}
