#include "device/worker.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "base/bytes.h"
#include "base/log.h"
#include "device/inbound.h"
#include "device/outbound.h"

struct worker {
	struct device *d;
	int number;
	struct outbound out;
	struct inbound in;
	struct {
		struct stall wait;
		struct stall udp;
		struct stall tun;
	} stalls;
};

static void handle_udp(struct worker *w, const struct epoll_event *event)
{
	if (event->events & EPOLLERR)
		(void)udp_drain_errors(
			event->data.fd,
			&(struct udp_listener){ .error = device_note_error, .ctx = w->d });
	inbound_drain(&w->in, event->data.fd);
	device_pace(w->d, &w->stalls.udp, "receive datagrams", w->in.error);
}

/* False: the TUN is gone. */
static bool handle_tun(struct worker *w)
{
	const bool is_there = outbound_drain(&w->out);

	if (is_there)
		device_pace(w->d, &w->stalls.tun, "read packets", w->out.error);
	return is_there;
}

static void work(struct worker *w)
{
	struct device *d = w->d;
	const int tun = tun_queue(&d->tun, w->number);
	struct epoll_event events[4];

	for (;;) {
		const int n = epoll_wait(d->worker_poll[w->number], events, ELEMENTS(events), -1);

		device_pace(d, &w->stalls.wait, "wait for packets", n < 0 ? -errno : 0);
		for (int i = 0; i < n; ++i) {
			if (events[i].data.fd == d->stop)
				return;
			if (events[i].data.fd != tun) {
				handle_udp(w, &events[i]);
			} else if (!handle_tun(w)) {
				/* A TUN that is gone stays readable for ever. */
				atomic_store(&d->tun_is_gone, true);
				device_wake_brain(d);
				return;
			}
		}
	}
}

static struct worker *new_worker(struct device *d, int number)
{
	struct worker *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->d = d;
	w->number = number;
	if (outbound_init(&w->out, d, number) && inbound_init(&w->in, d, number))
		return w;
	outbound_done(&w->out);
	inbound_done(&w->in);
	free(w);
	return NULL;
}

static void *run(void *ctx)
{
	struct worker *w = ctx;

	work(w);
	outbound_done(&w->out);
	inbound_done(&w->in);
	free(w);
	return NULL;
}

static int start_one(struct device *d, int number)
{
	const int poll = d->worker_poll[number];
	struct worker *w = new_worker(d, number);
	int err;

	if (!w)
		return -ENOMEM;
	err = device_watch(poll, d->stop);
	if (!err)
		err = device_watch(poll, tun_queue(&d->tun, number));
	if (!err)
		err = -pthread_create(&d->workers[number], NULL, run, w);
	if (err) {
		outbound_done(&w->out);
		inbound_done(&w->in);
		free(w);
	}
	return err;
}

static void join(struct device *d, int started)
{
	eventfd_write(d->stop, 1);
	for (int i = 0; i < started; ++i)
		pthread_join(d->workers[i], NULL);
}

int worker_start(struct device *d)
{
	for (int i = 0; i < d->tun.queues; ++i) {
		const int err = start_one(d, i);

		if (err) {
			join(d, i);
			return err;
		}
	}
	return 0;
}

void worker_stop(struct device *d)
{
	join(d, d->tun.queues);
}
