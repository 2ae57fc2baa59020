#include "cli/keep_peers.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"
#include "control/devices.h"
#include "net/packet_watch.h"

static uint64_t real_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

void keep_peers_init(struct keep_peers *p, const char *link)
{
	*p = (struct keep_peers){ .bell = -1, .due = TIME_NEVER };
	(void)snprintf(p->link, sizeof(p->link), "%s", link);
	keep_names_init(&p->names);
}

static void free_rows(struct keep_peer *rows, size_t count)
{
	for (size_t i = 0; i < count; ++i) {
		free(rows[i].host);
		free(rows[i].service);
	}
	free(rows);
}

static void close_bell(struct keep_peers *p)
{
	if (p->bell >= 0)
		close(p->bell);
	p->bell = -1;
}

void keep_peers_done(struct keep_peers *p)
{
	keep_names_done(&p->names);
	close_bell(p);
	free_rows(p->rows, p->count);
	p->rows = NULL;
	p->count = 0;
	p->phase = KEEP_PHASE_OFF;
	p->due = TIME_NEVER;
}

/* The file */

static bool may_be_name(const char *host)
{
	return host[strspn(host, "0123456789.")] != '\0' && !strchr(host, ':');
}

static struct keep_peer *find(const struct keep_peers *p, const struct key_public *key)
{
	for (size_t i = 0; i < p->count; ++i)
		if (memcmp(&p->rows[i].key, key, sizeof(*key)) == 0)
			return &p->rows[i];
	return NULL;
}

/* What is known of it goes on, unless the file says something else now. */
static bool take_peer(const struct keep_peers *p, const struct tunnel *t, size_t at,
		      struct keep_peer *ret)
{
	const struct tunnel_peer *given = &t->peers[at];
	const struct keep_peer *old = find(p, &t->model.peers[at].public_key);
	char port[8];

	(void)snprintf(port, sizeof(port), "%u", given->endpoint_port);
	if (old && strcmp(old->host, given->endpoint_host) == 0)
		*ret = *old;
	else
		*ret = (struct keep_peer){ .key = t->model.peers[at].public_key };
	ret->host = strdup(given->endpoint_host);
	ret->service = strdup(given->endpoint_service ? given->endpoint_service : port);
	ret->is_name = may_be_name(given->endpoint_host);
	ret->has_keepalive = t->model.peers[at].keepalive != 0;
	ret->rest = 0;
	return ret->host && ret->service;
}

bool keep_peers_load(struct keep_peers *p, const struct tunnel *t)
{
	struct keep_peer *rows = calloc(t->model.peer_count + 1, sizeof(*rows));
	size_t count = 0;
	bool ok = rows != NULL;

	/* All that is known of the device is old. */
	p->keepalive = TIME_NEVER;
	p->may_rotate = !t->model.has_listen_port && !t->listen_service;
	for (size_t i = 0; ok && t->own.reresolve && i < t->model.peer_count; ++i)
		if (t->peers[i].endpoint_host &&
		    (p->may_rotate || may_be_name(t->peers[i].endpoint_host)))
			ok = take_peer(p, t, i, &rows[count++]);
	if (!ok) {
		free_rows(rows, rows ? count : 0);
		return false;
	}
	keep_names_done(&p->names); /* the numbers of its answers are old */
	close_bell(p);
	free_rows(p->rows, p->count);
	p->rows = rows;
	p->count = count;
	p->phase = KEEP_PHASE_OFF;
	p->due = TIME_NEVER;
	return true;
}

void keep_peers_begin(struct keep_peers *p, uint64_t now)
{
	p->phase = p->count ? KEEP_PHASE_CALM : KEEP_PHASE_OFF;
	p->due = p->count ? now : TIME_NEVER;
}

/* The device */

static int look(struct keep_peers *p)
{
	struct model_cursor cursor = { 0 };
	struct model m;
	struct device d;
	int status;

	device_init(&d, DEVICES_DIR, p->link);
	model_init(&m);
	status = d.backend.get(d.backend.ctx, &cursor, &m);
	for (size_t i = 0; i < p->count; ++i)
		p->rows[i].is_there = false;
	for (size_t i = 0; status == 0 && i < m.peer_count; ++i) {
		struct keep_peer *row = find(p, &m.peers[i].public_key);

		if (!row)
			continue;
		row->is_there = true;
		row->used = m.peers[i].endpoint;
		row->handshake = m.peers[i].handshake_real;
		if (row->was_seen)
			row->verdict = silence_judge(&row->silence, &m.peers[i], real_now());
		else
			silence_begin(&row->silence, &m.peers[i]);
		row->was_seen = true;
	}
	model_done(&m);
	return status;
}

static void explain(const struct keep_peers *p, const struct keep_peer *row, int status)
{
	if (status)
		log_line(LOG_WARN, "%s cannot be told about %s: %s", p->link, row->host,
			 strerror(status < 0 ? -status : status));
}

static void set_endpoint(const struct keep_peers *p, const struct keep_peer *row,
			 const struct endpoint *e)
{
	struct diag why = { 0 };
	struct model_peer *peer;
	struct model patch;
	struct device d;

	model_init(&patch);
	peer = model_add_peer(&patch);
	if (peer) {
		peer->public_key = row->key;
		peer->update_only = true;
		peer->has_endpoint = true;
		peer->endpoint = *e;
		device_init(&d, DEVICES_DIR, p->link);
		explain(p, row, d.backend.set(d.backend.ctx, &patch, &why));
	}
	model_done(&patch);
}

static void rotate(const struct keep_peers *p, const struct keep_peer *row)
{
	struct diag why = { 0 };
	struct model patch;
	struct device d;

	model_init(&patch);
	patch.has_listen_port = true; /* 0: another one */
	device_init(&d, DEVICES_DIR, p->link);
	explain(p, row, d.backend.set(d.backend.ctx, &patch, &why));
	model_done(&patch);
}

/* What is done about it */

static void mend(struct keep_peers *p, struct keep_peer *row, const struct endpoint *found,
		 size_t count, uint64_t now)
{
	char text[TEXT_ENDPOINT];
	struct endpoint next;

	switch (mend_next(&row->mend, &row->used, found, count, p->may_rotate, &next)) {
	case MEND_ENDPOINT:
		text_from_endpoint(&next, text);
		log_line(LOG_WARN, "%s %s; trying %s", row->host,
			 endpoint_is_set(&row->used) ? "does not answer" : "is known now", text);
		set_endpoint(p, row, &next);
		row->used = next;
		break;
	case MEND_PORT:
		if (row->mend.rounds <= 3)
			log_line(LOG_WARN, "%s does not answer; trying another source port",
				 row->host);
		rotate(p, row);
		break;
	case MEND_NOTHING:
		if (row->mend.rounds == 1)
			log_line(LOG_WARN, "%s does not answer at any address of its name",
				 row->host);
		break;
	}
	row->rest = now + mend_wait(&row->mend);
}

static bool needs(const struct keep_peer *row, uint64_t now)
{
	if (!row->is_there || now < row->rest)
		return false;
	return row->verdict == SILENCE_SILENT || (row->is_name && !endpoint_is_set(&row->used));
}

/* Asks for the names of these rows. */
static void ask(struct keep_peers *p, bool (*whose)(const struct keep_peer *row, uint64_t now),
		uint64_t now)
{
	struct keep_question *questions = calloc(p->count + 1, sizeof(*questions));
	size_t count = 0;

	for (size_t i = 0; questions && i < p->count; ++i)
		if (p->rows[i].is_name && whose(&p->rows[i], now))
			questions[count++] =
				(struct keep_question){ i, p->rows[i].host, p->rows[i].service };
	if (count && keep_names_ask(&p->names, questions, count) < 0)
		for (size_t i = 0; i < count; ++i) { /* no process, no descriptor: later */
			struct keep_peer *row = &p->rows[questions[i].number];

			row->rest = now + mend_failed(&row->mend);
		}
	free(questions);
}

static bool anybody(const struct keep_peer *row, uint64_t now)
{
	(void)row;
	(void)now;
	return true;
}

void keep_peers_foresee(struct keep_peers *p)
{
	ask(p, anybody, 0);
}

/* Whoever needs something gets it, or its name is asked for first. */
static void help(struct keep_peers *p, uint64_t now)
{
	if (p->names.fd >= 0)
		return; /* they have their turn when that is answered */
	for (size_t i = 0; i < p->count; ++i)
		if (!p->rows[i].is_name && needs(&p->rows[i], now))
			mend(p, &p->rows[i], NULL, 0, now);
	ask(p, needs, now);
}

/* Without an answer what is known from before is tried, and another port. */
static void take_answer(struct keep_peers *p, const struct keep_answer *a, uint64_t now)
{
	struct keep_peer *row = &p->rows[a->number];
	const unsigned int failed = row->mend.failed;
	uint64_t rest = now;

	if (a->count) {
		memcpy(row->found, a->found, sizeof(row->found));
		row->found_count = a->count;
	}
	if (!needs(row, now))
		return;
	if (!a->count)
		rest = now + mend_failed(&row->mend);
	if (!a->count && !failed)
		log_line(LOG_WARN,
			 "the name %s: %s; it is asked for again until there is an answer",
			 row->host, a->reason);
	if (row->found_count || endpoint_is_set(&row->used))
		mend(p, row, row->found, row->found_count, now);
	if (!a->count)
		row->mend.failed = failed + 1;
	row->rest = row->rest > rest ? row->rest : rest;
}

/* Phases */

static void begin_calm(struct keep_peers *p, uint64_t due)
{
	p->phase = KEEP_PHASE_CALM;
	p->due = due;
}

static void begin_listening(struct keep_peers *p)
{
	if (p->bell < 0)
		p->bell = packet_watch_open(p->link);
	p->phase = KEEP_PHASE_LISTEN;
	p->due = TIME_NEVER;
	if (p->bell >= 0)
		return;
	if (p->bell != -ENODEV && !p->is_deaf) {
		p->is_deaf = true;
		log_line(LOG_WARN,
			 "packets of %s cannot be heard of here (%s): names are asked "
			 "for again only when the network changes",
			 p->link, strerror(-p->bell));
	}
	p->bell = -1;
}

static void begin_window(struct keep_peers *p, uint64_t now)
{
	close_bell(p);
	p->phase = KEEP_PHASE_WINDOW;
	p->due = now + SILENCE_WINDOW;
}

/* Behind a calm whoever was heard is no reason for another one: a packet is. */
static void choose_phase(struct keep_peers *p, uint64_t now)
{
	const bool was_calm = p->phase == KEEP_PHASE_CALM;
	uint64_t rest = TIME_NEVER;
	bool heard = false, doubt = false;

	for (size_t i = 0; i < p->count; ++i) {
		const struct keep_peer *row = &p->rows[i];
		const bool silent = row->is_there && row->verdict == SILENCE_SILENT;

		heard |= row->is_there && row->verdict == SILENCE_HEARD;
		doubt |= row->is_there && row->verdict == SILENCE_UNSURE;
		doubt |= silent && row->rest <= now;
		if (silent && row->rest > now && row->rest < rest)
			rest = row->rest;
	}
	if (doubt)
		begin_window(p, now);
	else if (rest != TIME_NEVER)
		begin_calm(p, rest);
	else if (heard && !was_calm)
		begin_calm(p, now + KEEP_PEERS_CALM);
	else
		begin_listening(p);
}

static void note_health(struct keep_peers *p)
{
	for (size_t i = 0; i < p->count; ++i) {
		struct keep_peer *row = &p->rows[i];

		if (!row->is_there || row->verdict != SILENCE_HEARD)
			continue;
		if (row->mend.rounds || row->mend.turns)
			log_line(LOG_INFO, "%s answers", row->host);
		mend_done(&row->mend);
		row->rest = 0;
	}
}

/* When what a keepalive must have renewed is over: then it is looked at without a packet. */
static uint64_t keepalive_due(const struct keep_peer *row, uint64_t now)
{
	const uint64_t real = real_now();
	const uint64_t end = row->handshake + SILENCE_SESSION;

	if (!row->has_keepalive || !row->is_there || !endpoint_is_set(&row->used))
		return TIME_NEVER;
	if (row->handshake && end > real && end - real <= SILENCE_SESSION)
		return now + (end - real) + NS_PER_S;
	return row->rest > now ? row->rest : now;
}

static void plan_keepalive(struct keep_peers *p, uint64_t now)
{
	p->keepalive = TIME_NEVER;
	for (size_t i = 0; i < p->count; ++i) {
		const uint64_t due = keepalive_due(&p->rows[i], now);

		p->keepalive = due < p->keepalive ? due : p->keepalive;
	}
}

/* The end of a window or a calm. */
static void judge(struct keep_peers *p, uint64_t now)
{
	if (look(p) != 0) { /* no device: it comes back by another door */
		begin_listening(p);
		return;
	}
	note_health(p);
	help(p, now);
	choose_phase(p, now);
	plan_keepalive(p, now);
}

/* A session that a keepalive should have renewed may be over. */
static void check_keepalive(struct keep_peers *p, uint64_t now)
{
	if (look(p) != 0) {
		p->keepalive = TIME_NEVER;
		return;
	}
	plan_keepalive(p, now);
	if (p->keepalive <= now)
		begin_window(p, now);
}

static bool is_quiet(const struct keep_peers *p)
{
	return p->phase == KEEP_PHASE_LISTEN || p->phase == KEEP_PHASE_CALM;
}

/* Of a peer whose name had no address so far. */
static uint64_t unknown_due(const struct keep_peers *p)
{
	uint64_t due = TIME_NEVER;

	for (size_t i = 0; p->names.fd < 0 && i < p->count; ++i) {
		const struct keep_peer *row = &p->rows[i];

		if (row->is_there && row->is_name && !endpoint_is_set(&row->used) &&
		    row->rest < due)
			due = row->rest;
	}
	return due;
}

uint64_t keep_peers_due(const struct keep_peers *p)
{
	const uint64_t unknown = unknown_due(p);
	uint64_t due = p->due < unknown ? p->due : unknown;

	if (is_quiet(p) && p->keepalive < due)
		due = p->keepalive;
	return due;
}

void keep_peers_tick(struct keep_peers *p, uint64_t now)
{
	if (p->due <= now)
		judge(p, now);
	if (is_quiet(p) && p->keepalive <= now)
		check_keepalive(p, now);
	if (unknown_due(p) <= now)
		help(p, now);
}

void keep_peers_ring(struct keep_peers *p, uint64_t now)
{
	close_bell(p);
	if (look(p) == 0)
		begin_window(p, now);
	else
		begin_listening(p);
}

void keep_peers_hear(struct keep_peers *p, uint64_t now)
{
	struct keep_answer a;

	if (keep_names_read(&p->names, &a) == 1 && a.number < p->count)
		take_answer(p, &a, now);
}

void keep_peers_hope(struct keep_peers *p, uint64_t now)
{
	const uint64_t soon = now + NS_PER_S;
	bool rested = false;

	for (size_t i = 0; i < p->count; ++i) {
		struct keep_peer *row = &p->rows[i];

		if (row->rest <= soon)
			continue;
		row->rest = soon;
		rested |= row->verdict == SILENCE_SILENT;
	}
	if (rested && p->phase == KEEP_PHASE_CALM && p->due > soon)
		p->due = soon;
	if (p->phase == KEEP_PHASE_LISTEN && p->bell < 0)
		begin_calm(p, soon); /* the link may be another one now */
}
