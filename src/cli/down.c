#include <getopt.h>
#include <stdio.h>

#include "cli/command.h"
#include "cli/tunnel_up.h"
#include "device/harden.h"

/* warren down: a tunnel goes without a trace. */

static const char down_usage[] = "Usage: warren down FILE|NAME\n";

static void print_down_help(void)
{
	printf("%s\n"
	       "Take a tunnel down: everything that it owns on this host, by its journal, with the "
	       "hooks of its\n"
	       "file around it. The file may be gone by then. What another tunnel needs stays.\n\n"
	       "  -h, --help   this text\n\n"
	       "Exit status: 0 down, 1 failed, 2 wrong usage. See warren-up(8).\n",
	       down_usage);
}

static int down_main(int argc, char *argv[])
{
	static const struct option options[] = {
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	static char name[] = "warren: down"; /* what getopt begins its own words with */
	struct tunnel_options o = { .program = "warren: down" };
	int option;

	argv[0] = name;
	while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (option == 'h')
			print_down_help();
		else
			fputs(down_usage, stderr);
		return option == 'h' ? 0 : EXIT_USAGE;
	}
	if (argc - optind != 1) {
		fprintf(stderr, "warren: down: %s\n%s",
			argc == optind ? "which tunnel?" : "one tunnel at a time", down_usage);
		return EXIT_USAGE;
	}
	o.word = argv[optind];
	harden_process(); /* keys pass through */
	return tunnel_down(&o);
}

const struct command command_down = {
	.name = "down",
	.usage = "FILE|NAME",
	.purpose = "take a tunnel down without a trace",
	.run = down_main,
};
