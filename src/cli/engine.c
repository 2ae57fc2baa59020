#include "cli/engine.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/zone.h"
#include "cli/keeper.h"
#include "cli/streams.h"
#include "control/uapi_server.h"
#include "crypto/crypto.h"
#include "device/device.h"
#include "device/harden.h"

struct engine {
	const struct engine_start *start;
	struct device *device;
	struct keeper keeper;
	struct uapi_server *server;
	int null; /* -1: stays with its streams */
};

/* On standard error also where the log is silent: the caller is still waiting for it. */
static int complain(const struct engine_setup *setup, const struct diag *why, int error)
{
	fprintf(stderr, "warren: %s: %s%s%s\n", setup->tun.name,
		why->severity ? why->text : strerror(-error), why->hint[0] ? "; " : "", why->hint);
	return EXIT_FAILURE;
}

static void say_running(void *ctx)
{
	struct engine *e = ctx;

	if (e->null >= 0) {
		streams_detach(e->null);
		close(e->null);
	}
	broker_running(&e->start->broker);
}

static void handle_uapi(void *ctx)
{
	const struct engine *e = ctx;

	uapi_server_handle(e->server);
}

static int open_device(struct engine *e, const struct engine_setup *setup, struct diag *why)
{
	const struct device_config config = {
		.tun = setup->tun,
		.keylog.fd = setup->keylog,
		.state_dir = setup->state_dir,
		.broker = e->start->broker,
		.sockets = e->start->sockets,
		.mark = e->start->mark,
		.link = e->start->link,
		.offloads = setup->offloads,
		.fault = setup->fault,
		.session = keeper_note_session,
		.session_ctx = &e->keeper,
	};

	return device_new(&config, why, &e->device);
}

/* All that opens something. */
static int open_engine(struct engine *e, const struct engine_setup *setup, struct diag *why)
{
	struct backend backend;
	int error = open_device(e, setup, why);

	if (error)
		return error;
	error = keeper_open(&e->keeper, e->device, e->start->records, &e->start->mask);
	if (error)
		return error;
	backend = keeper_backend(&e->keeper);
	if (setup->is_background)
		e->null = streams_open_null();
	return uapi_server_attach(setup->listener, &backend, why, &e->server);
}

static int serve(struct engine *e)
{
	const struct device_guest guest = { .fd = uapi_server_fd(e->server),
					    .handle = handle_uapi,
					    .is_running = say_running,
					    .ctx = e };
	const int error = keeper_replay(&e->keeper, e->start->sockets.port, e->start->mark);

	if (error) {
		log_line(LOG_ERROR, "the configuration cannot be set again: %s", strerror(-error));
		return EXIT_FAILURE;
	}
	return device_run(e->device, &guest) == DEVICE_FAILED ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int start_crypto(const struct engine_setup *o)
{
	enum crypto_choice choice;

	if (!crypto_self_test()) {
		fprintf(stderr, "warren: the cryptography of this machine gives wrong answers; not "
				"starting\n");
		return 1;
	}
	choice = crypto_choose_cipher(o->cipher);
	if (choice != CRYPTO_CHOSEN && o->cipher != CRYPTO_CIPHER_AUTO) {
		fprintf(stderr, "warren: --cipher %s: %s\n", o->cipher_name,
			choice == CRYPTO_NOT_HERE ? "this CPU or this build does not have it"
						  : "it gives wrong answers on this machine");
		return 1;
	}
	if (choice == CRYPTO_WRONG_ANSWERS)
		log_line(LOG_ERROR, "the fast cipher gives wrong answers on this machine; using %s",
			 crypto_cipher_name());
	log_line(LOG_DEBUG, "cipher %s", crypto_cipher_name());
	return 0;
}

int engine_main(void *ctx, const struct engine_start *start)
{
	const struct engine_setup *setup = ctx;
	struct engine e = { .start = start, .null = -1 };
	struct diag why = { 0 };
	int code;

	harden_process(); /* locked memory is not inherited */
	code = start_crypto(setup);
	if (code)
		return code;
	code = open_engine(&e, setup, &why);
	if (code)
		return complain(setup, &why, code);
	if (*setup->is_detached)
		streams_detach(e.null); /* a socket of the system log has no place in a sandbox */
	zone_ask_through(start->broker.requests); /* no other can be opened from here on */
	sandbox_enter(&start->user, start->monitor);
	code = serve(&e);
	uapi_server_free(e.server);
	device_free(e.device);
	return code;
}
