#include "device/evidence.h"

#include <string.h>

void evidence_init(struct evidence *e)
{
	memset(e, 0, sizeof(*e));
	pthread_mutex_init(&e->lock, NULL);
}

void evidence_done(struct evidence *e)
{
	pthread_mutex_destroy(&e->lock);
}

static bool is_same_kind(const struct icmp_report *row, const struct udp_error *error)
{
	return endpoint_equal(&row->to, &error->to) && row->type == error->type &&
	       row->code == error->code && row->error == error->error;
}

static struct icmp_report *row_for(struct evidence *e, const struct udp_error *error)
{
	struct icmp_report *oldest = &e->rows[0];

	for (size_t i = 0; i < e->used; ++i) {
		if (is_same_kind(&e->rows[i], error))
			return &e->rows[i];
		if (oldest->last_real > e->rows[i].last_real)
			oldest = &e->rows[i];
	}
	if (e->used < EVIDENCE_ROWS)
		oldest = &e->rows[e->used++];
	*oldest = (struct icmp_report){
		.to = error->to, .type = error->type, .code = error->code, .error = error->error
	};
	return oldest;
}

void evidence_add(struct evidence *e, const struct udp_error *error, uint64_t real)
{
	struct icmp_report *row;

	pthread_mutex_lock(&e->lock);
	row = row_for(e, error);
	row->reporter = error->reporter;
	row->last_real = real;
	++row->count;
	pthread_mutex_unlock(&e->lock);
}

size_t evidence_read(struct evidence *e, struct icmp_report ret[static EVIDENCE_ROWS])
{
	size_t n;

	pthread_mutex_lock(&e->lock);
	n = e->used;
	memcpy(ret, e->rows, sizeof(e->rows));
	pthread_mutex_unlock(&e->lock);
	return n;
}
