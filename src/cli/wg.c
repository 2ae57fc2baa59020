#include "cli/wg.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "device/harden.h"

/* The release whose behaviour this is: scripts compare the number. */
#define WG_VERSION "1.0.20260223"

static const struct wg_verb *const verbs[] = {
	&wg_show,     &wg_showconf, &wg_set,    &wg_setconf, &wg_addconf,
	&wg_syncconf, &wg_genkey,   &wg_genpsk, &wg_pubkey,
};

static const struct wg_verb *find(const char *name)
{
	for (size_t i = 0; i < ELEMENTS(verbs); ++i)
		if (strcmp(verbs[i]->name, name) == 0)
			return verbs[i];
	return NULL;
}

static void print_help(FILE *to, const char *program)
{
	fprintf(to, "Usage: %s <cmd> [<args>]\n\nAvailable subcommands:\n", program);
	for (size_t i = 0; i < ELEMENTS(verbs); ++i)
		fprintf(to, "  %s: %s\n", verbs[i]->name, verbs[i]->purpose);
	fprintf(to, "You may pass `--help' to any of these subcommands to view usage.\n");
}

static bool is_one_of(const char *word, const char *a, const char *b, const char *c)
{
	return strcmp(word, a) == 0 || strcmp(word, b) == 0 || strcmp(word, c) == 0;
}

static int end_of_output(const char *program)
{
	if (fflush(stdout) == 0)
		return 0;
	fprintf(stderr, "%s: cannot write to standard output: %s\n", program, strerror(errno));
	return EXIT_FAILURE;
}

/* Without a verb it is show; these words are only known when they stand alone. */
int wg_main(int argc, char *argv[])
{
	static char show[] = "show";
	char *only_show[] = { show, NULL };
	struct wg_call call = { .program = argv[0], .argc = 1, .argv = only_show };
	const struct wg_verb *verb = &wg_show;

	harden_process(); /* keys pass through */
	if (argc == 2 && is_one_of(argv[1], "-v", "--version", "version")) {
		printf("wireguard-tools v" WG_VERSION " - as spoken by warren " WARREN_VERSION
		       "\n");
		return end_of_output(argv[0]);
	}
	if (argc == 2 && is_one_of(argv[1], "-h", "--help", "help")) {
		print_help(stdout, argv[0]);
		return end_of_output(argv[0]);
	}
	if (argc >= 2) {
		call.argc = argc - 1;
		call.argv = argv + 1;
		verb = find(argv[1]);
	}
	if (verb)
		return verb->run(&call);
	fprintf(stderr, "Invalid subcommand: `%s'\n", argv[1]);
	print_help(stderr, argv[0]);
	return EXIT_FAILURE;
}

int wg_usage(const struct wg_call *call, const struct wg_verb *verb)
{
	const char *usage = call->is_warren && verb->more ? verb->more : verb->usage;

	fprintf(stderr, "Usage: %s %s%s%s\n", call->program, call->argv[0], usage[0] ? " " : "",
		usage);
	return EXIT_FAILURE;
}

int wg_failed(const char *context, int error)
{
	fprintf(stderr, "%s: %s\n", context, strerror(-error));
	return EXIT_FAILURE;
}

/* As a command of warren; a call for help is no wrong usage there. */
static int run_under_warren(int argc, char *argv[])
{
	const struct wg_call call = {
		.program = "warren", .is_warren = true, .argc = argc, .argv = argv
	};
	const struct wg_verb *verb = find(argv[0]);
	const char *usage;

	harden_process();
	assert(verb); /* each command of warren that comes here is one of ours */
	usage = verb->more ? verb->more : verb->usage;
	if (argc != 2 || (strcmp(argv[1], "--help") != 0 && strcmp(argv[1], "-h") != 0))
		return verb->run(&call);
	printf("Usage: warren %s%s%s\n%s.\n", verb->name, usage[0] ? " " : "", usage,
	       verb->purpose);
	return end_of_output("warren");
}

const struct command command_show = {
	.name = "show",
	.usage = "[NAME|all|interfaces] [FIELD]",
	.purpose = "devices and their peers; also --json, and NAME drops",
	.run = run_under_warren
};
const struct command command_showconf = { .name = "showconf",
					  .usage = "NAME",
					  .purpose = "the device as a file for setconf",
					  .run = run_under_warren };
const struct command command_set = { .name = "set",
				     .usage = "NAME SETTING...",
				     .purpose = "change a device or its peers",
				     .run = run_under_warren };
const struct command command_setconf = { .name = "setconf",
					 .usage = "NAME FILE",
					 .purpose = "make the device what the file says",
					 .run = run_under_warren };
const struct command command_addconf = { .name = "addconf",
					 .usage = "NAME FILE",
					 .purpose = "add what the file says",
					 .run = run_under_warren };
const struct command command_syncconf = { .name = "syncconf",
					  .usage = "NAME FILE",
					  .purpose = "as setconf, without touching peers that stay",
					  .run = run_under_warren };
const struct command command_genkey = { .name = "genkey",
					.usage = "[-o FILE]",
					.purpose = "a new private key",
					.run = run_under_warren };
const struct command command_genpsk = { .name = "genpsk",
					.usage = "[-o FILE]",
					.purpose = "a new preshared key",
					.run = run_under_warren };
const struct command command_pubkey = { .name = "pubkey",
					.usage = "",
					.purpose =
						"the public key of a private key on standard input",
					.run = run_under_warren };
