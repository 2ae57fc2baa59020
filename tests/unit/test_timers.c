#include "wg/timers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "support.h"
#include "wg/message.h"

#define S NS_PER_S
#define MS NS_PER_MS
#define NEVER TIME_NEVER

enum event {
	END,
	DATA_SENT,
	DATA_RECEIVED,
	AUTH_SENT,
	AUTH_RECEIVED,
	WANTED,
	INITIATION,
	SESSION,
	COMPLETE,
	DUE,
	INTERVAL, /* argument: ns */
	STOP,
};

struct step {
	enum event event;
	uint64_t at;
	uint64_t argument; /* jitter, interval, or the actions that DUE must give */
};

static unsigned int happen(struct timers *t, enum event event, uint64_t now, uint64_t argument)
{
	switch (event) {
	case DATA_SENT:
		timers_data_sent(t, now, (uint32_t)argument);
		break;
	case DATA_RECEIVED:
		timers_data_received(t, now);
		break;
	case AUTH_SENT:
		timers_authenticated_sent(t, now);
		break;
	case AUTH_RECEIVED:
		timers_authenticated_received(t, now);
		break;
	case WANTED:
		timers_handshake_wanted(t);
		break;
	case INITIATION:
		timers_initiation_sent(t, now, (uint32_t)argument);
		break;
	case SESSION:
		timers_session_begun(t, now);
		break;
	case COMPLETE:
		timers_handshake_complete(t);
		break;
	case DUE:
		return timers_due(t, now);
	case INTERVAL:
		t->persistent_interval = argument;
		break;
	case STOP:
		timers_stop(t);
		break;
	case END:
		break;
	}
	return 0;
}

static void rules_of_each_timer(void **state)
{
	/* Each row: what happens, then the first deadline that must stand. */
	static const struct {
		const char *name;
		struct step steps[8];
		uint64_t deadline;
	} rows[] = {
		{ "nothing", { { END, 0, 0 } }, NEVER },
		{ "retransmit, no jitter", { { INITIATION, 100 * S, 0 } }, 105 * S },
		{ "retransmit, jitter", { { INITIATION, 100 * S, 7 } }, 105 * S + 7 },
		{ "retransmit, jitter below 1/3 s", { { INITIATION, 100 * S, S / 3 } }, 105 * S },
		{ "retransmit, most jitter",
		  { { INITIATION, 100 * S, S / 3 - 1 } },
		  105 * S + S / 3 - 1 },
		{ "retransmit, armed anew by each",
		  { { INITIATION, 100 * S, 0 }, { INITIATION, 103 * S, 0 } },
		  108 * S },
		{ "retransmit, not yet",
		  { { INITIATION, 100 * S, 0 }, { DUE, 105 * S - 1, 0 } },
		  105 * S },
		{ "retransmit, due",
		  { { INITIATION, 100 * S, 0 }, { DUE, 105 * S, TIMER_DO_RETRY } },
		  NEVER },
		{ "retransmit, ended by completion",
		  { { INITIATION, 100 * S, 0 }, { COMPLETE, 101 * S, 0 } },
		  NEVER },
		{ "no reply", { { DATA_SENT, 50 * S, 9 } }, 65 * S + 9 },
		{ "no reply, first data counts",
		  { { DATA_SENT, 50 * S, 0 }, { DATA_SENT, 55 * S, 0 } },
		  65 * S },
		{ "no reply, due",
		  { { DATA_SENT, 50 * S, 0 }, { DUE, 65 * S, TIMER_DO_HANDSHAKE } },
		  NEVER },
		{ "no reply, ended by anything authentic",
		  { { DATA_SENT, 50 * S, 0 }, { AUTH_RECEIVED, 51 * S, 0 } },
		  NEVER },
		{ "no reply, not ended by sending",
		  { { DATA_SENT, 50 * S, 0 }, { AUTH_SENT, 51 * S, 0 } },
		  65 * S },
		{ "keepalive", { { DATA_RECEIVED, 20 * S, 0 } }, 30 * S },
		{ "keepalive, due once",
		  { { DATA_RECEIVED, 20 * S, 0 }, { DUE, 30 * S, TIMER_DO_KEEPALIVE } },
		  NEVER },
		{ "keepalive, data while it runs",
		  { { DATA_RECEIVED, 20 * S, 0 },
		    { DATA_RECEIVED, 25 * S, 0 },
		    { DUE, 30 * S, TIMER_DO_KEEPALIVE } },
		  40 * S },
		{ "keepalive, and only one more",
		  { { DATA_RECEIVED, 20 * S, 0 },
		    { DATA_RECEIVED, 25 * S, 0 },
		    { DUE, 30 * S, TIMER_DO_KEEPALIVE },
		    { DUE, 40 * S, TIMER_DO_KEEPALIVE } },
		  NEVER },
		{ "keepalive, ended by sending",
		  { { DATA_RECEIVED, 20 * S, 0 }, { AUTH_SENT, 21 * S, 0 } },
		  NEVER },
		{ "keepalive, not ended by receiving",
		  { { DATA_RECEIVED, 20 * S, 0 }, { AUTH_RECEIVED, 21 * S, 0 } },
		  30 * S },
		{ "wipe", { { SESSION, 10 * S, 0 } }, 550 * S },
		{ "wipe, armed anew by each session",
		  { { SESSION, 10 * S, 0 }, { SESSION, 100 * S, 0 } },
		  640 * S },
		{ "wipe, due", { { SESSION, 10 * S, 0 }, { DUE, 550 * S, TIMER_DO_WIPE } }, NEVER },
		{ "wipe, not yet", { { SESSION, 10 * S, 0 }, { DUE, 550 * S - 1, 0 } }, 550 * S },
		{ "wipe, not moved by traffic",
		  { { SESSION, 10 * S, 0 },
		    { AUTH_SENT, 20 * S, 0 },
		    { AUTH_RECEIVED, 20 * S, 0 } },
		  550 * S },
		{ "persistent, sent",
		  { { INTERVAL, 0, 25 * S }, { AUTH_SENT, 10 * S, 0 } },
		  35 * S },
		{ "persistent, received",
		  { { INTERVAL, 0, 25 * S }, { AUTH_RECEIVED, 10 * S, 0 } },
		  35 * S },
		{ "persistent, moved by each",
		  { { INTERVAL, 0, 25 * S },
		    { AUTH_SENT, 10 * S, 0 },
		    { AUTH_RECEIVED, 30 * S, 0 } },
		  55 * S },
		{ "persistent, due",
		  { { INTERVAL, 0, 25 * S },
		    { AUTH_SENT, 10 * S, 0 },
		    { DUE, 35 * S, TIMER_DO_KEEPALIVE } },
		  NEVER },
		{ "persistent, off meanwhile",
		  { { INTERVAL, 0, 25 * S },
		    { AUTH_SENT, 10 * S, 0 },
		    { INTERVAL, 0, 0 },
		    { DUE, 35 * S, 0 } },
		  NEVER },
		{ "persistent, off", { { AUTH_SENT, 10 * S, 0 } }, NEVER },
		{ "persistent, not by mere data facts",
		  { { INTERVAL, 0, 25 * S }, { DATA_SENT, 10 * S, 0 } },
		  25 * S },
		{ "all at once",
		  { { INTERVAL, 0, 5 * S },
		    { SESSION, 1, 0 },
		    { INITIATION, 2, 0 },
		    { AUTH_SENT, 2, 0 },
		    { DATA_SENT, 3, 0 },
		    { DATA_RECEIVED, 4, 0 },
		    { DUE, 1000 * S,
		      TIMER_DO_RETRY | TIMER_DO_HANDSHAKE | TIMER_DO_KEEPALIVE | TIMER_DO_WIPE } },
		  NEVER },
		{ "stop",
		  { { INTERVAL, 0, 5 * S },
		    { SESSION, 1, 0 },
		    { INITIATION, 2, 0 },
		    { AUTH_SENT, 2, 0 },
		    { STOP, 0, 0 } },
		  NEVER },
		{ "the interval outlives a stop",
		  { { INTERVAL, 0, 5 * S }, { STOP, 0, 0 }, { AUTH_SENT, 1 * S, 0 } },
		  6 * S },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTS(rows); ++i) {
		struct timers t;

		timers_init(&t);
		for (const struct step *s = rows[i].steps; s->event != END; ++s) {
			const unsigned int got = happen(&t, s->event, s->at, s->argument);

			if (s->event == DUE && got != s->argument)
				fail_msg("%s: actions %u", rows[i].name, got);
		}
		if (timers_deadline(&t) != rows[i].deadline)
			fail_msg("%s: due at %llu ms", rows[i].name,
				 (unsigned long long)(timers_deadline(&t) / MS));
	}
}

/* The first initiation, 19 more, then the end. */
static void twenty_initiations_in_all(void **state)
{
	struct timers t;
	uint64_t now = S;
	int sent = 1;

	(void)state;
	timers_init(&t);
	timers_handshake_wanted(&t);
	timers_data_received(&t, now);
	for (timers_initiation_sent(&t, now, 5);; timers_initiation_sent(&t, now, 5), ++sent) {
		unsigned int actions;

		now += 5 * S + 5;
		assert_true(t.at[TIMER_RETRANSMIT] == now);
		t.at[TIMER_KEEPALIVE] = now + 1;
		actions = timers_due(&t, now);
		if (actions == TIMER_DO_GIVE_UP)
			break;
		assert_int_equal(actions, TIMER_DO_RETRY);
		assert_true(t.at[TIMER_KEEPALIVE] == now + 1);
	}
	assert_int_equal(sent, 20);
	assert_true(t.at[TIMER_KEEPALIVE] == NEVER);
	assert_true(t.at[TIMER_WIPE] == now + 540 * S);
	assert_true(timers_deadline(&t) == now + 540 * S);
	timers_initiation_sent(&t, now, 0);
	assert_int_equal(timers_due(&t, now + 5 * S), TIMER_DO_GIVE_UP);
	timers_handshake_wanted(&t);
	timers_initiation_sent(&t, now, 0);
	assert_int_equal(timers_due(&t, now + 5 * S), TIMER_DO_RETRY);
	assert_true(t.at[TIMER_WIPE] == now + 540 * S);
}

/* The same rules, written as naive as can be: a list of what runs. */
struct naive {
	bool runs[TIMER_COUNT];
	uint64_t left[TIMER_COUNT]; /* until it is due */
	uint64_t interval;
	unsigned int tries; /* since somebody asked */
	bool again;
};

static void naive_start(struct naive *n, enum timer which, uint64_t left)
{
	n->runs[which] = true;
	n->left[which] = left;
}

static void naive_traffic(struct naive *n)
{
	if (n->interval)
		naive_start(n, TIMER_PERSISTENT, n->interval);
}

static void naive_happen(struct naive *n, enum event event, uint64_t argument)
{
	switch (event) {
	case DATA_SENT:
		if (!n->runs[TIMER_NO_REPLY])
			naive_start(n, TIMER_NO_REPLY, 15 * S + argument % (S / 3));
		break;
	case DATA_RECEIVED:
		if (n->runs[TIMER_KEEPALIVE])
			n->again = true;
		else
			naive_start(n, TIMER_KEEPALIVE, 10 * S);
		break;
	case AUTH_SENT:
		n->runs[TIMER_KEEPALIVE] = false;
		naive_traffic(n);
		break;
	case AUTH_RECEIVED:
		n->runs[TIMER_NO_REPLY] = false;
		naive_traffic(n);
		break;
	case INITIATION:
		naive_start(n, TIMER_RETRANSMIT, 5 * S + argument % (S / 3));
		break;
	case SESSION:
		naive_start(n, TIMER_WIPE, 540 * S);
		break;
	case COMPLETE:
		n->runs[TIMER_RETRANSMIT] = false;
		n->tries = 0;
		break;
	case WANTED:
		n->tries = 0;
		break;
	case INTERVAL:
		n->interval = argument;
		break;
	case STOP:
		memset(n->runs, 0, sizeof(n->runs));
		n->tries = 0;
		n->again = false;
		break;
	case DUE:
	case END:
		break;
	}
}

static unsigned int naive_fire(struct naive *n, enum timer which)
{
	n->runs[which] = false;
	switch (which) {
	case TIMER_RETRANSMIT:
		if (n->tries < 19) {
			++n->tries;
			return TIMER_DO_RETRY;
		}
		n->runs[TIMER_KEEPALIVE] = false;
		if (!n->runs[TIMER_WIPE])
			naive_start(n, TIMER_WIPE, 540 * S);
		return TIMER_DO_GIVE_UP;
	case TIMER_NO_REPLY:
		return TIMER_DO_HANDSHAKE;
	case TIMER_KEEPALIVE:
		if (n->again)
			naive_start(n, TIMER_KEEPALIVE, 10 * S);
		n->again = false;
		return TIMER_DO_KEEPALIVE;
	case TIMER_WIPE:
		return TIMER_DO_WIPE;
	case TIMER_PERSISTENT:
		return n->interval ? TIMER_DO_KEEPALIVE : 0;
	case TIMER_COUNT:
		break;
	}
	return 0;
}

static unsigned int naive_pass(struct naive *n, uint64_t time)
{
	unsigned int actions = 0;

	for (int i = 0; i < TIMER_COUNT; ++i)
		n->left[i] -= n->left[i] < time ? n->left[i] : time;
	for (int i = 0; i < TIMER_COUNT; ++i)
		if (n->runs[i] && n->left[i] == 0)
			actions |= naive_fire(n, (enum timer)i);
	return actions;
}

static void check_same(const struct timers *t, const struct naive *n, uint64_t now)
{
	uint64_t first = NEVER;

	for (int i = 0; i < TIMER_COUNT; ++i) {
		assert_true(t->at[i] == (n->runs[i] ? now + n->left[i] : NEVER));
		if (n->runs[i] && now + n->left[i] < first)
			first = now + n->left[i];
	}
	assert_true(timers_deadline(t) == first);
}

static void random_events_match_naive(void **state)
{
	uint64_t seed = 5, now = S;
	struct naive n = { 0 };
	struct timers t;

	(void)state;
	timers_init(&t);
	for (int i = 0; i < 200000; ++i) {
		static const uint64_t steps[] = { 0, MS, S, 5 * S, 11 * S, 60 * S };
		const uint64_t top = steps[test_random_below(&seed, ELEMENTS(steps))];
		const uint64_t pass = test_random_below(&seed, 4)
					      ? test_random_below(&seed, top + 1)
					      : timers_deadline(&t) - now;
		enum event event = (enum event)(DATA_SENT + test_random_below(&seed, STOP));
		uint64_t argument = (uint32_t)test_random(&seed);

		if (pass < 1000 * S) {
			now += pass;
			assert_int_equal(timers_due(&t, now), naive_pass(&n, pass));
		}
		if (event == STOP && test_random_below(&seed, 8))
			event = INITIATION;
		if (event == INTERVAL)
			argument = test_random_below(&seed, 30) * S;
		if (event != DUE) {
			(void)happen(&t, event, now, argument);
			naive_happen(&n, event, argument);
		}
		check_same(&t, &n, now);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules_of_each_timer),
		cmocka_unit_test(twenty_initiations_in_all),
		cmocka_unit_test(random_events_match_naive),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
