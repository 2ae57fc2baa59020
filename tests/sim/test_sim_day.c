#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "simnet.h"

enum { DAY = 24 * 3600, STEP = 10, RECOVERY = 300 /* s */ };

struct day {
	struct sim *sim;
	uint64_t active_until; /* s: somebody has something to say */
	uint64_t cut_until;
	uint64_t good_since; /* nothing stands in the way of traffic */
	bool is_rough;
};

static uint64_t seconds(const struct sim *s)
{
	return (s->now - SIM_START) / NS_PER_S;
}

static void change_phase(struct day *d)
{
	struct sim *s = d->sim;
	const uint64_t now = seconds(s);

	if (now < d->active_until + 1500)
		return;
	/* Idle for 25 min, or gone on at once. */
	d->active_until = now + 60 + sim_below(s, 3600);
	d->good_since = now;
}

/* Node 0 may jump by a year: it never restarts, so no peer has to forgive it (wg/stamp.h). */
static void jump_clock(struct sim *s)
{
	struct sim_node *n = &s->nodes[sim_below(s, s->options.nodes)];
	const uint64_t most = (n->id == 0 ? 366 * DAY : DAY / 3) * NS_PER_S;

	n->clock_offset = (int64_t)sim_below(s, 2 * most) - (int64_t)most;
}

/* Node 0 has a fixed address, or two that have moved would never find each other again. */
static unsigned int one_that_moves(struct sim *s)
{
	return (unsigned int)(1 + sim_below(s, s->options.nodes - 1));
}

static void change_network(struct day *d)
{
	struct sim *s = d->sim;
	const uint64_t now = seconds(s);

	if (sim_chance(s, 3))
		sim_rebind(s, one_that_moves(s));
	if (sim_chance(s, 3))
		jump_clock(s);
	if (sim_chance(s, 1) && sim_chance(s, 300))
		sim_restart(s, one_that_moves(s));
	if (now >= d->cut_until && sim_chance(s, 1)) {
		d->cut_until = now + sim_below(s, 900);
		sim_cut(s, 0, one_that_moves(s), true);
	}
	if (now < d->cut_until)
		d->good_since = now;
	else
		for (unsigned int i = 1; i < s->options.nodes; ++i)
			sim_cut(s, 0, i, false);
	d->is_rough = d->is_rough ? !sim_chance(s, 20) : sim_chance(s, 5);
	s->weather.loss = d->is_rough ? 300 : 20;
}

/* Whoever may talk is heard within a bounded time. */
static void expect_liveness(const struct day *d)
{
	const struct sim *s = d->sim;
	const uint64_t now = seconds(s);

	if (now >= d->active_until || now - d->good_since < RECOVERY)
		return;
	for (unsigned int i = 1; i < s->options.nodes; ++i) {
		assert_true(s->now - s->delivered_at[0][i] < RECOVERY * NS_PER_S);
		assert_true(s->now - s->delivered_at[i][0] < RECOVERY * NS_PER_S);
	}
}

static void talk(struct day *d)
{
	struct sim *s = d->sim;
	unsigned int n = 0;

	if (seconds(s) < d->active_until)
		n = sim_chance(s, 20) ? 100 : (unsigned int)sim_below(s, 6);
	for (unsigned int i = 1; i < s->options.nodes && n; ++i) {
		(void)sim_send(s, 0, i);
		(void)sim_send(s, i, 0);
	}
	for (unsigned int i = 0; i < n; ++i) {
		const unsigned int from = (unsigned int)sim_below(s, s->options.nodes);
		const unsigned int to =
			(from + 1 + (unsigned int)sim_below(s, s->options.nodes - 1)) %
			s->options.nodes;

		/* Now and then somebody lies about who he is: that is never delivered. */
		(void)sim_send_as(s, from, sim_chance(s, 30) ? s->options.nodes - 1 : from, to);
		sim_run(s, sim_below(s, STEP * NS_PER_S / n));
	}
}

static void run_day(uint64_t seed)
{
	const struct sim_options o = {
		.seed = seed,
		.nodes = seed % 2 ? 3 : 2,
		.weather = { .delay = 15 * NS_PER_MS,
			     .jitter = 60 * NS_PER_MS,
			     .burst = 2,
			     .burst_len = 8,
			     .duplicate = 20,
			     .corrupt = 10 },
		.job_delay = 30 * NS_PER_MS,
		.hold = 3 * NS_PER_MS,
		.tick_late = 2 * NS_PER_MS,
		.keepalive = seed & 2 ? 25 : 0,
		.has_psk = seed & 4,
	};
	struct day d = { .sim = sim_new(&o) };

	while (seconds(d.sim) < DAY) {
		const uint64_t next = d.sim->now + STEP * NS_PER_S;

		change_phase(&d);
		change_network(&d);
		talk(&d);
		if (d.sim->now < next)
			sim_run(d.sim, next - d.sim->now);
		expect_liveness(&d);
	}
	assert_in_range(d.sim->delivered, 1000, d.sim->packet_count);
	sim_free(d.sim);
}

static void day_of_traffic_with_loss_reorder_and_clock_jumps(void **state)
{
	(void)state;
	for (unsigned int seed = 0; seed < sim_seeds(1); ++seed)
		run_day(seed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(day_of_traffic_with_loss_reorder_and_clock_jumps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
