#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "cli/command.h"
#include "cli/tunnel_up.h"
#include "device/harden.h"

/* warren up: a file of wg-quick, brought up whole or not at all. */

static const char up_usage[] =
	"Usage: warren up [--dry-run] [--force] [--engine auto|kernel|user] FILE|NAME\n";

static void print_up_help(void)
{
	printf("%s\n"
	       "Bring a tunnel up: the interface, its keys, peers and addresses, routes, the rules "
	       "of a default\n"
	       "route, DNS, and what the keys behind #: ask for. What fails in the middle is taken "
	       "back. NAME is\n"
	       "/etc/wireguard/NAME.conf; a FILE is a path with a slash that ends in NAME.conf.\n\n"
	       "      --dry-run      print the steps and do nothing\n"
	       "      --force        go on although the file has errors, and remove a tunnel of "
	       "that name that is\n"
	       "                     not ours\n"
	       "      --engine WHAT  kernel: the driver; user: Warren's engine, or what\n"
	       "                     WG_QUICK_USERSPACE_IMPLEMENTATION names; auto: the driver "
	       "where it is there\n"
	       "  -h, --help         this text\n\n"
	       "Exit status: 0 up, 1 failed and nothing left behind, 2 wrong usage.\n"
	       "See warren-up(8).\n",
	       up_usage);
}

static bool parse_engine(const char *word, enum tunnel_engine *ret)
{
	static const char *const names[] = {
		[TUNNEL_ENGINE_AUTO] = "auto",
		[TUNNEL_ENGINE_IN_KERNEL] = "kernel",
		[TUNNEL_ENGINE_USER] = "user",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); ++i)
		if (strcmp(word, names[i]) == 0) {
			*ret = (enum tunnel_engine)i;
			return true;
		}
	fprintf(stderr, "warren: up: --engine takes auto, kernel or user, not `%.20s'\n", word);
	return false;
}

/* -1: go on; else the exit code. */
static int parse(int argc, char *argv[], struct tunnel_options *o)
{
	enum { OPTION_DRY_RUN = 256, OPTION_FORCE, OPTION_ENGINE };
	static const struct option options[] = {
		{ "dry-run", no_argument, NULL, OPTION_DRY_RUN },
		{ "force", no_argument, NULL, OPTION_FORCE },
		{ "engine", required_argument, NULL, OPTION_ENGINE },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	static char name[] = "warren: up"; /* what getopt begins its own words with */
	int option;

	argv[0] = name;
	while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1)
		switch (option) {
		case OPTION_DRY_RUN:
			o->dry_run = true;
			break;
		case OPTION_FORCE:
			o->force = true;
			break;
		case OPTION_ENGINE:
			if (!parse_engine(optarg, &o->engine))
				return EXIT_USAGE;
			break;
		case 'h':
			print_up_help();
			return 0;
		default:
			fputs(up_usage, stderr);
			return EXIT_USAGE;
		}
	if (argc - optind != 1) {
		fprintf(stderr, "warren: up: %s\n%s",
			argc == optind ? "which tunnel?" : "one tunnel at a time", up_usage);
		return EXIT_USAGE;
	}
	o->word = argv[optind];
	return -1;
}

static int up_main(int argc, char *argv[])
{
	struct tunnel_options o = { .program = "warren: up", .has_force = true };
	const int code = parse(argc, argv, &o);

	if (code >= 0)
		return code;
	harden_process(); /* keys pass through */
	return tunnel_up(&o);
}

const struct command command_up = {
	.name = "up",
	.usage = "[--dry-run] [--force] FILE|NAME",
	.purpose = "bring a tunnel up, whole or not at all",
	.run = up_main,
};
