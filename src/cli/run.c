#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/log.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/engine.h"
#include "cli/notify.h"
#include "cli/streams.h"
#include "control/uapi_socket.h"
#include "crypto/crypto.h"
#include "device/harden.h"
#include "device/keylog.h"
#include "device/monitor.h"
#include "device/offload_switch.h"
#include "device/sandbox.h"
#include "device/tun.h"
#include "device/udp.h"

/*
 * warren run: the userspace engine on one interface. Takes the place of wireguard-go: same
 * arguments, same environment (behaviour.md B.4), same socket; returns, without -f, when device and
 * socket are usable.
 */
#define UAPI_DIR "/var/run/wireguard"
#define STATE_DIR "/var/lib/warren"

struct options {
	const char *name;
	const char *key_log;
	const char *cipher_name;
	enum crypto_cipher cipher;
	unsigned int offloads; /* switches that are wanted */
	int workers;
	bool is_foreground;
};

struct run {
	int parent;       /* told when traffic is carried, where there is one; else -1 */
	bool is_detached; /* from the streams we were started with */
	int lock;         /* of whoever starts us, which ends when we run; -1: none */
	struct tun tun;
	struct keylog keylog;
	struct uapi_socket socket;
};

static const char run_usage[] =
	"Usage: warren run [-f] [--cipher NAME] [--key-log FILE] [--workers N] [--offload LIST]\n"
	"                  INTERFACE\n";

static void print_run_help(void)
{
	printf("%s\n"
	       "Create INTERFACE, a WireGuard device in user space, and serve it in the background "
	       "until it is told\n"
	       "to end: SIGTERM, the interface or its socket %s/INTERFACE.sock removed.\n"
	       "`wg' configures it, `ip' gives it addresses and sets it up.\n\n"
	       "  -f, --foreground   stay in the foreground and log to standard error\n"
	       "  --cipher NAME      code for packets: avx2, libcrypto, or auto, the faster one "
	       "that "
	       "this machine has\n"
	       "  --key-log FILE     append every handshake's keys to FILE for Wireshark. Who "
	       "reads FILE reads the\n"
	       "                     traffic: for debugging your own tunnel only\n"
	       "  --workers N        threads that carry packets, 1 to %d (else by the number of "
	       "cores)\n"
	       "  --offload LIST     all, none, or of tun-tso, tun-uso, join-tcp, join-udp, "
	       "udp-gso, udp-gro those\n"
	       "                     to use; with a - in front, those not to use\n"
	       "  -h, --help         this text\n\n"
	       "Environment: LOG_LEVEL (debug, info, warn, error, silent), WG_TUN_FD, WG_UAPI_FD, "
	       "WG_TUN_NAME_FILE,\n"
	       "WG_PROCESS_FOREGROUND=1, NOTIFY_SOCKET, WARREN_OFFLOAD.\n",
	       run_usage, UAPI_DIR, UDP_WORKERS_MAX);
}

/* The option wins over the environment; an empty variable says nothing. */
static bool parse_offloads(const char *option, unsigned int *ret)
{
	static const char variable[] = "WARREN_OFFLOAD";
	const char *const text = option ? option : getenv(variable);
	struct diag why = { 0 };

	if (!text || (!option && !text[0]) || offload_switch_parse(text, ret, &why))
		return true;
	fprintf(stderr, "warren: run: %s: %s\n", option ? "--offload" : variable, why.text);
	return false;
}

static bool parse_workers(const char *text, int *ret)
{
	uint64_t n;

	if (text_to_uint(text, UDP_WORKERS_MAX, &n) && n > 0) {
		*ret = (int)n;
		return true;
	}
	fprintf(stderr, "warren: run: --workers takes 1 to %d, not `%.20s'\n", UDP_WORKERS_MAX,
		text);
	return false;
}

/* One carries a tunnel on a small machine; more gain where there are many peers and idle cores. */
static int default_workers(void)
{
	const long cores = sysconf(_SC_NPROCESSORS_ONLN);

	return cores >= 8 ? 4 : cores >= 4 ? 2 : 1;
}

/* -1: go on; else the exit code. */
static int parse(int argc, char *argv[], struct options *ret)
{
	static const struct option longs[] = {
		{ "foreground", no_argument, NULL, 'f' },
		{ "cipher", required_argument, NULL, 'c' },
		{ "key-log", required_argument, NULL, 'k' },
		{ "offload", required_argument, NULL, 'o' },
		{ "workers", required_argument, NULL, 'w' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'v' },
		{ 0 },
	};
	const char *foreground = getenv("WG_PROCESS_FOREGROUND");
	const char *offloads = NULL;
	int option;

	opterr = 0;
	*ret = (struct options){ .cipher_name = "auto",
				 .offloads = OFFLOAD_SWITCHES_ALL,
				 .workers = default_workers(),
				 .is_foreground = foreground && strcmp(foreground, "1") == 0 };
	while ((option = getopt_long(argc, argv, "fhv", longs, NULL)) >= 0) {
		switch (option) {
		case 'f':
			ret->is_foreground = true;
			break;
		case 'c':
			ret->cipher_name = optarg;
			break;
		case 'k':
			ret->key_log = optarg;
			break;
		case 'o':
			offloads = optarg;
			break;
		case 'w':
			if (!parse_workers(optarg, &ret->workers))
				return EXIT_USAGE;
			break;
		case 'h':
			print_run_help();
			return 0;
		case 'v':
			printf("warren %s\n", WARREN_VERSION);
			return 0;
		default:
			fprintf(stderr, "warren: run: wrong option `%s'\n%s", argv[optind - 1],
				run_usage);
			return EXIT_USAGE;
		}
	}
	if (!parse_offloads(offloads, &ret->offloads))
		return EXIT_USAGE;
	if (argc - optind != 1) {
		fprintf(stderr, "warren: run wants the name of one interface\n%s", run_usage);
		return EXIT_USAGE;
	}
	if (!crypto_cipher_from_name(ret->cipher_name, &ret->cipher)) {
		fprintf(stderr, "warren: run: `--cipher %s' is none of auto, libcrypto, avx2\n%s",
			ret->cipher_name, run_usage);
		return EXIT_USAGE;
	}
	ret->name = argv[optind];
	if (!ret->name[0] && !getenv("WG_TUN_NAME_FILE") && !getenv("WG_TUN_FD")) {
		fprintf(stderr, "warren: the interface's name is empty; to let the kernel choose "
				"one, say where to write it: WG_TUN_NAME_FILE\n");
		return EXIT_USAGE;
	}
	return -1;
}

/* A descriptor number in the environment: -1 where there is none, -2 where it is no number. */
static int inherited_fd(const char *variable)
{
	const char *text = getenv(variable);
	uint64_t fd;

	if (!text || !text[0])
		return -1;
	if (!text_to_uint(text, INT32_MAX, &fd) || fcntl((int)fd, F_GETFD) < 0)
		return -2;
	return (int)fd;
}

static int inherited_or_explain(const char *variable, struct diag *why)
{
	const int fd = inherited_fd(variable);

	if (fd == -2)
		diag_set(why, DIAG_ERROR, "run-descriptor", 0,
			 "%s is not the number of an open descriptor", variable);
	return fd;
}

/* wireguard-go lets the kernel choose for an empty name or one with %d; such a name is checked once
 * it is chosen. */
static bool is_acceptable_name(const char *name)
{
	return name[0] == '\0' || strstr(name, "%d") != NULL || text_is_interface_name(name);
}

/* What comes out of the TUN, by the switches. */
static unsigned int tun_offloads(unsigned int switches)
{
	return (switches & OFFLOAD_TUN_TSO ? OFFLOAD_TCP4 | OFFLOAD_TCP6 : 0U) |
	       (switches & OFFLOAD_TUN_USO ? OFFLOAD_UDP4 | OFFLOAD_UDP6 : 0U);
}

static int open_tun(const struct options *o, struct diag *why, struct tun *ret)
{
	const char *const name = o->name;
	const int fd = inherited_or_explain("WG_TUN_FD", why);

	if (fd == -2)
		return -EBADF;
	if (fd >= 0)
		return tun_adopt(fd, tun_offloads(o->offloads), why, ret);
	if (!is_acceptable_name(name)) {
		diag_set(why, DIAG_ERROR, "run-name", 0,
			 "`%.20s' cannot name an interface: 1 to 15 of a-z A-Z 0-9 _ = + . -",
			 name);
		return -EINVAL;
	}
	return tun_open(&(struct tun_config){ .name = name,
					      .queues = o->workers,
					      .offloads = tun_offloads(o->offloads) },
			why, ret);
}

static int open_socket(struct run *r, struct diag *why)
{
	const int fd = inherited_or_explain("WG_UAPI_FD", why);

	if (fd == -2)
		return -EBADF;
	if (fd >= 0)
		return uapi_socket_adopt(&r->socket, fd, UAPI_DIR, r->tun.name, why);
	return uapi_socket_bind(&r->socket, UAPI_DIR, r->tun.name, why);
}

/* A name as it was typed may hold anything; the words may begin with it already. */
static int complain(const char *name, const struct diag *why, int err)
{
	const bool has_name =
		strncmp(why->text, name, strlen(name)) == 0 || !text_is_interface_name(name);

	fprintf(stderr, "warren: %s%s%s%s%s\n", has_name ? "" : name, has_name ? "" : ": ",
		why->severity ? why->text : strerror(-err), why->hint[0] ? "; " : "", why->hint);
	return 1;
}

/* Behind the TUN. */
static int open_rest(const struct options *o, struct run *r, struct diag *why)
{
	int err = 0;

	if (o->key_log)
		err = keylog_open(o->key_log, why, &r->keylog);
	if (err)
		return err;
	err = open_socket(r, why);
	if (err)
		keylog_close(&r->keylog);
	return err;
}

static int open_all(const struct options *o, struct run *r)
{
	struct diag why = { 0 };
	int err = open_tun(o, &why, &r->tun);

	if (err)
		return complain(o->name, &why, err);
	err = open_rest(o, r, &why);
	if (err) {
		tun_close(&r->tun);
		return complain(r->tun.name, &why, err);
	}
	return 0;
}

static void close_all(struct run *r)
{
	uapi_socket_done(&r->socket);
	keylog_close(&r->keylog);
	tun_close(&r->tun);
}

/* For callers that let the kernel choose the name. */
static int write_name_file(const char *name)
{
	const char *path = getenv("WG_TUN_NAME_FILE");
	int fd;
	bool ok;

	if (!path || !path[0])
		return 0;
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0400);
	ok = fd >= 0 && dprintf(fd, "%s\n", name) > 0;
	if (!ok)
		fprintf(stderr, "warren: cannot write WG_TUN_NAME_FILE %s: %s\n", path,
			strerror(errno));
	if (fd >= 0)
		ok = close(fd) == 0 && ok;
	return ok ? 0 : -1;
}

/* The parent waits until the child carries traffic, or has said on standard error why it can't. */
static int wait_for_child(int pipe_end)
{
	sigset_t none;
	char byte;

	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL); /* a person may lose patience */
	return read(pipe_end, &byte, 1) == 1 ? 0 : 1;
}

/* What was opened so far lives on in the child, which is the monitor. */
static int go_to_background(struct run *r)
{
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0 || (pid = fork()) < 0) {
		fprintf(stderr, "warren: cannot go to the background: %s\n", strerror(errno));
		return -1;
	}
	if (pid > 0) {
		close(ends[1]);
		_exit(wait_for_child(ends[0]));
	}
	close(ends[0]);
	r->parent = ends[1];
	setsid();
	(void)!chdir("/"); /* else the file system we were started in could not be unmounted */
	harden_process();  /* locked memory is not inherited */
	return 0;
}

static void say_running(void *ctx)
{
	struct run *r = ctx;
	int null;

	notify_manager("READY=1");
	log_line(LOG_INFO, "running");
	if (r->lock >= 0)
		close(r->lock);
	r->lock = -1;
	if (r->parent < 0)
		return;
	null = streams_open_null();
	streams_detach(null);
	streams_use_system_log();
	r->is_detached = true;
	if (null >= 0)
		close(null);
	(void)!write(r->parent, "", 1); /* it may have been killed: nobody to tell */
	close(r->parent);
	r->parent = -1;
}

static bool is_socket_gone(void *ctx)
{
	struct run *r = ctx;

	uapi_socket_check(&r->socket);
	return r->socket.gone;
}

static int exit_code(enum monitor_end end)
{
	switch (end) {
	case MONITOR_SIGNALLED:
		log_line(LOG_INFO, "ended by a signal");
		return 0;
	case MONITOR_TUN_GONE:
		log_line(LOG_INFO, "ended: the interface was removed");
		return 0;
	case MONITOR_GUEST_OVER:
		log_line(LOG_INFO, "ended: the control socket was removed");
		return 0;
	case MONITOR_FAILED:
		break;
	}
	return 1;
}

static struct offload_fault find_fault(void)
{
	struct utsname host;

	return uname(&host) == 0 ? offload_switch_kernel(host.release)
				 : (struct offload_fault){ 0 };
}

static int serve(const struct options *o, struct run *r)
{
	const struct offload_fault fault = find_fault();
	struct engine_setup setup = { .tun = r->tun,
				      .listener = r->socket.listener,
				      .keylog = r->keylog.fd,
				      .state_dir = STATE_DIR,
				      .offloads = o->offloads,
				      .fault = fault,
				      .cipher = o->cipher,
				      .cipher_name = o->cipher_name,
				      .is_background = r->parent >= 0,
				      .is_detached = &r->is_detached };
	const struct monitor_config config = {
		.tun = r->tun,
		.listener = r->socket.listener,
		.keylog = r->keylog.fd,
		.state_dir = STATE_DIR,
		.sockets = { .workers = (unsigned int)r->tun.queues,
			     .joins = o->offloads & ~fault.off & OFFLOAD_UDP_GRO },
		.guest = { .fd = r->socket.watch, .is_over = is_socket_gone, .ctx = r },
		.engine = engine_main,
		.engine_ctx = &setup,
		.is_running = say_running,
		.running_ctx = r,
	};
	const enum monitor_end end = monitor_run(&config);

	notify_manager("STOPPING=1");
	return exit_code(end);
}

/* Unset is fine; what is not known gives whatever it is told to. */
static bool is_log_level(const char *text)
{
	return !text || log_level_from_text(text, LOG_ERROR) == log_level_from_text(text, LOG_WARN);
}

/* What our caller has open is not ours to hold, but for what it hands over. */
static void close_inherited(int lock)
{
	const int keep[] = { inherited_fd("WG_TUN_FD"), inherited_fd("WG_UAPI_FD"), lock };

	sandbox_keep(keep, ELEMENTS(keep));
}

/* A limit on the size of files is one on the records, which are no file of anybody's. */
static void lift_file_limit(void)
{
	const struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };

	(void)setrlimit(RLIMIT_FSIZE, &all); /* root may */
	(void)signal(SIGXFSZ, SIG_IGN);      /* else: an error that is told, and no sudden death */
}

static int run_main(int argc, char *argv[])
{
	struct run r = { .parent = -1, .keylog.fd = -1, .lock = inherited_fd("WARREN_LOCK_FD") };
	struct options options;
	const enum log_level level = log_level_from_text(getenv("LOG_LEVEL"), LOG_WARN);
	int code = parse(argc, argv, &options);

	if (code >= 0)
		return code;
	close_inherited(r.lock);
	lift_file_limit();
	log_setup(level, NULL);
	if (!is_log_level(getenv("LOG_LEVEL")))
		log_line(LOG_WARN, "LOG_LEVEL knows debug, info, warn, error and silent");
	harden_process();
	monitor_hold_signals();
	code = open_all(&options, &r);
	if (code)
		return code;
	log_setup(level, r.tun.name);
	if (write_name_file(r.tun.name) || (!options.is_foreground && go_to_background(&r)))
		code = 1;
	else
		code = serve(&options, &r);
	close_all(&r);
	return code;
}

const struct command command_run = {
	.name = "run",
	.usage = "[OPTION]... INTERFACE",
	.purpose = "the userspace engine on one interface",
	.run = run_main,
};
