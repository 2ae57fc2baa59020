#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "cli/command.h"
#include "cli/tunnel_sync.h"
#include "device/harden.h"

/* warren sync: a running tunnel becomes what its file says. */

enum { CONFIRM_MAX = 24 * 60 * 60 };

static const char usage[] = "Usage: warren sync [--dry-run] [--confirm SECONDS] FILE|NAME\n"
			    "       warren sync --confirm yes|no NAME\n";

static void print_help(void)
{
	printf("%s\n"
	       "Make a running tunnel equal its file: peers, allowed IPs, routes, addresses, MTU, "
	       "DNS and firewall.\n"
	       "A peer that did not change is not touched, and its session goes on. No hook is "
	       "run. What fails in the\n"
	       "middle is taken back. A tunnel that wg-quick brought up is taken over.\n\n"
	       "      --dry-run          print what differs and change nothing\n"
	       "      --confirm SECONDS  undo everything unless it is confirmed in time, by `yes' "
	       "on the terminal or\n"
	       "                         by another warren, also when this terminal is gone "
	       "meanwhile\n"
	       "      --confirm yes|no   say so to one that waits\n"
	       "  -h, --help             this text\n\n"
	       "Exit status: 0 done, 1 failed or not confirmed, and all is as before, 2 wrong "
	       "usage.\n"
	       "See warren-up(8).\n",
	       usage);
}

static bool parse_confirm(const char *word, struct sync_options *o)
{
	uint64_t seconds;

	if (strcmp(word, "yes") == 0 || strcmp(word, "no") == 0) {
		o->answer = word[0] == 'y' ? SYNC_ANSWER_YES : SYNC_ANSWER_NO;
		return true;
	}
	if (text_to_uint(word, CONFIRM_MAX, &seconds) && seconds > 0) {
		o->confirm = (unsigned int)seconds;
		return true;
	}
	fprintf(stderr, "warren: sync: --confirm takes 1 to %d seconds, yes or no, not `%.20s'\n",
		CONFIRM_MAX, word);
	return false;
}

/* -1: go on; else the exit code. */
static int parse(int argc, char *argv[], struct sync_options *o)
{
	enum { OPTION_DRY_RUN = 256, OPTION_CONFIRM };
	static const struct option options[] = {
		{ "dry-run", no_argument, NULL, OPTION_DRY_RUN },
		{ "confirm", required_argument, NULL, OPTION_CONFIRM },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	static char name[] = "warren: sync"; /* what getopt begins its own words with */
	int option;

	argv[0] = name;
	while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1)
		switch (option) {
		case OPTION_DRY_RUN:
			o->o.dry_run = true;
			break;
		case OPTION_CONFIRM:
			if (!parse_confirm(optarg, o))
				return EXIT_USAGE;
			break;
		case 'h':
			print_help();
			return 0;
		default:
			fputs(usage, stderr);
			return EXIT_USAGE;
		}
	if (argc - optind != 1) {
		fprintf(stderr, "warren: sync: %s\n%s",
			argc == optind ? "which tunnel?" : "one tunnel at a time", usage);
		return EXIT_USAGE;
	}
	o->o.word = argv[optind];
	return -1;
}

static int sync_main(int argc, char *argv[])
{
	struct sync_options o = { .o.program = "warren: sync" };
	const int code = parse(argc, argv, &o);

	if (code >= 0)
		return code;
	harden_process(); /* keys pass through */
	return tunnel_sync(&o);
}

const struct command command_sync = {
	.name = "sync",
	.usage = "[--dry-run] [--confirm SECONDS] FILE|NAME",
	.purpose = "make the running tunnel equal its file",
	.run = sync_main,
};
