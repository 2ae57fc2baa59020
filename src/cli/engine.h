#ifndef CLI_ENGINE_H
#define CLI_ENGINE_H

#include <stdbool.h>

#include "crypto/crypto.h"
#include "device/monitor.h"
#include "device/offload_switch.h"
#include "device/tun.h"

/*
 * The unprivileged half of `warren run`: a device and its UAPI server in a sandbox of their own.
 * What a client sets is recorded (device/records.h) before it is answered, and what earlier engines
 * have recorded is set again first.
 */
struct engine_setup {
	struct tun tun;
	int listener;
	int keylog;
	const char *state_dir;
	unsigned int offloads; /* wanted */
	struct offload_fault fault;
	enum crypto_cipher cipher;
	const char *cipher_name; /* as it was typed */
	bool is_background;      /* leave the caller's streams once traffic is carried */
	const bool *is_detached; /* the monitor has left them: nobody waits for our words */
};

/* struct monitor_config's engine; setup is a struct engine_setup. */
int engine_main(void *setup, const struct engine_start *start);

#endif
