#include "model/diagnosis.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Zeroed rows at *ret; none are NULL. */
static bool take_rows(size_t n, size_t size, void **ret)
{
	*ret = n ? calloc(n, size) : NULL;
	return !n || *ret;
}

/* rows with room for one more, zeroed, or NULL and rows as they were. */
static void *append_row(void *rows, size_t size, size_t *count)
{
	char *moved = realloc(rows, (*count + 1) * size);

	if (moved)
		memset(moved + (*count)++ * size, 0, size);
	return moved;
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
	for (size_t i = 0; i < d->word_count; ++i)
		free(d->words[i]);
	free(d->words);
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

struct reject *diagnosis_add_reject(struct reject **rejects, size_t *count)
{
	struct reject *rows = append_row(*rejects, sizeof(*rows), count);

	if (!rows)
		return NULL;
	*rejects = rows;
	return &rows[*count - 1];
}

struct peer_rejects *diagnosis_add_peer(struct diagnosis *d)
{
	struct peer_rejects *rows = append_row(d->peers, sizeof(*rows), &d->peer_count);

	if (!rows)
		return NULL;
	d->peers = rows;
	return &rows[d->peer_count - 1];
}

struct knock *diagnosis_add_knock(struct diagnosis *d)
{
	struct knock *rows = append_row(d->knocks, sizeof(*rows), &d->knock_count);

	if (!rows)
		return NULL;
	d->knocks = rows;
	return &rows[d->knock_count - 1];
}

struct icmp_report *diagnosis_add_icmp(struct diagnosis *d)
{
	struct icmp_report *rows = append_row(d->icmp, sizeof(*rows), &d->icmp_count);

	if (!rows)
		return NULL;
	d->icmp = rows;
	return &rows[d->icmp_count - 1];
}

struct named_count *diagnosis_add_count(struct diagnosis *d)
{
	struct named_count *rows = append_row(d->counts, sizeof(*rows), &d->count_count);

	if (!rows)
		return NULL;
	d->counts = rows;
	return &rows[d->count_count - 1];
}

const char *diagnosis_keep_word(struct diagnosis *d, const char *word)
{
	char **words, *copy;

	for (size_t i = 0; i < d->word_count; ++i)
		if (strcmp(d->words[i], word) == 0)
			return d->words[i];
	if (d->word_count >= DIAGNOSIS_WORDS_MAX)
		return NULL;
	copy = strdup(word);
	words = copy ? append_row(d->words, sizeof(*words), &d->word_count) : NULL;
	if (!words) {
		free(copy);
		return NULL;
	}
	d->words = words;
	words[d->word_count - 1] = copy;
	return copy;
}
