#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "cli/command.h"
#include "cli/keep_loop.h"
#include "device/harden.h"

/* warren keep: a tunnel that stays as it is, whatever happens to the host. What the unit runs. */

static const char keep_usage[] = "Usage: warren keep FILE|NAME\n";

static void print_keep_help(void)
{
	printf("%s\n"
	       "Bring a tunnel up, unless it is, and stay in the foreground to keep it: what "
	       "others remove is put back\n"
	       "(routes, rules, firewall, DNS, the link, a dead engine); a file that changes is "
	       "applied live; where a\n"
	       "peer does not answer, its name is asked for again, all its addresses are tried, "
	       "and "
	       "then another\n"
	       "source port. SIGHUP applies the file, SIGTERM takes the tunnel down. Ends when "
	       "`warren down' takes it\n"
	       "down. warren@NAME.service runs it.\n\n"
	       "  -h, --help   this text\n\n"
	       "Exit status: 0 down, 1 failed, 2 wrong usage. See warren-up(8).\n",
	       keep_usage);
}

static int keep_main(int argc, char *argv[])
{
	static const struct option options[] = {
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	static char name[] = "warren: keep"; /* what getopt begins its own words with */
	struct tunnel_path at;
	int option, code;

	argv[0] = name;
	while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (option == 'h')
			print_keep_help();
		else
			fputs(keep_usage, stderr);
		return option == 'h' ? 0 : EXIT_USAGE;
	}
	if (argc - optind != 1) {
		fprintf(stderr, "warren: keep: %s\n%s",
			argc == optind ? "which tunnel?" : "one tunnel at a time", keep_usage);
		return EXIT_USAGE;
	}
	harden_process(); /* keys pass through */
	code = tunnel_path_find(&at, argv[optind], "warren: keep", false);
	if (!code) {
		log_setup(log_level_from_text(getenv("LOG_LEVEL"), LOG_INFO), at.name);
		code = keep_loop(&at);
	}
	tunnel_path_done(&at);
	return code;
}

const struct command command_keep = {
	.name = "keep",
	.usage = "FILE|NAME",
	.purpose = "bring a tunnel up, and repair it until told to end",
	.run = keep_main,
};
