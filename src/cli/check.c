#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/check_fix.h"
#include "cli/check_out.h"
#include "cli/check_run.h"
#include "cli/colour.h"
#include "cli/command.h"

/* warren check: every mistake in one file, or across files that belong together. */

enum form { FORM_TEXT, FORM_JSON, FORM_SARIF };

struct wish {
	enum form form;
	bool strict;
	bool fix;
	bool yes;
	bool host;
};

static const char check_usage[] =
	"Usage: warren check [--host] [--strict] [--json|--sarif] [--fix [--yes]] FILE...\n";

static void print_check_help(void)
{
	printf("%s\n"
	       "Say what is wrong in configuration files of wg and wg-quick, all at once. Files "
	       "that\n"
	       "belong together (both ends, all clients) are best given together: ends find each\n"
	       "other by their keys. No secret is ever printed, and nothing is changed but by "
	       "--fix.\n\n"
	       "      --host     judge the files for this host too: its networks, interfaces, "
	       "IPv6\n"
	       "      --strict   warnings count like errors\n"
	       "      --json     one JSON object\n"
	       "      --sarif    SARIF 2.1.0, for editors and code hosts\n"
	       "      --fix      show what has one safe answer as a diff, ask, and write it\n"
	       "  -y, --yes      do not ask\n"
	       "  -h, --help     this text\n\n"
	       "Exit status: 0 no errors, 1 errors (or a file that cannot be read), 2 wrong "
	       "usage.\n"
	       "`warren why ID' tells more of a finding.\n",
	       check_usage);
}

/* -1: go on; else the exit code. */
static int parse(int argc, char *argv[], struct wish *w)
{
	enum { OPTION_JSON = 256, OPTION_SARIF, OPTION_STRICT, OPTION_FIX, OPTION_HOST };
	static const struct option options[] = {
		{ "json", no_argument, NULL, OPTION_JSON },
		{ "sarif", no_argument, NULL, OPTION_SARIF },
		{ "strict", no_argument, NULL, OPTION_STRICT },
		{ "fix", no_argument, NULL, OPTION_FIX },
		{ "host", no_argument, NULL, OPTION_HOST },
		{ "yes", no_argument, NULL, 'y' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	static char name[] = "warren: check"; /* what getopt begins its own words with */
	int option;

	argv[0] = name;
	while ((option = getopt_long(argc, argv, "hy", options, NULL)) != -1)
		switch (option) {
		case OPTION_JSON:
			w->form = FORM_JSON;
			break;
		case OPTION_SARIF:
			w->form = FORM_SARIF;
			break;
		case OPTION_STRICT:
			w->strict = true;
			break;
		case OPTION_FIX:
			w->fix = true;
			break;
		case OPTION_HOST:
			w->host = true;
			break;
		case 'y':
			w->yes = true;
			break;
		case 'h':
			print_check_help();
			return 0;
		default:
			fputs(check_usage, stderr);
			return EXIT_USAGE;
		}
	if (optind == argc || (w->fix && w->form != FORM_TEXT)) {
		fputs(optind == argc
			      ? "warren: check: which file?\n"
			      : "warren: check: --fix goes with neither --json nor --sarif\n",
		      stderr);
		fputs(check_usage, stderr);
		return EXIT_USAGE;
	}
	return -1;
}

static int print(const struct check_run *r, const struct wish *w)
{
	struct out o;

	out_init(&o, STDOUT_FILENO);
	switch (w->form) {
	case FORM_TEXT:
		check_print_text(r, colour_is_wanted(stdout), &o);
		break;
	case FORM_JSON:
		check_print_json(r, &o);
		break;
	case FORM_SARIF:
		check_print_sarif(r, &o);
		break;
	}
	return out_end(&o, "warren: check", 0);
}

static bool has_failed(const struct check_run *r, const struct wish *w)
{
	return r->unread > 0 || r->left_out > 0 || findings_count(&r->findings, DIAG_ERROR) > 0 ||
	       (w->strict && findings_count(&r->findings, DIAG_WARNING) > 0);
}

static int say_no_memory(void)
{
	fprintf(stderr, "warren: check: out of memory\n");
	return 1;
}

/* A pipe can be read once only, and a device is not to be replaced by a file. */
static bool are_files(char *const paths[], size_t count)
{
	struct stat st;

	for (size_t i = 0; i < count; ++i)
		if (stat(paths[i], &st) == 0 && !S_ISREG(st.st_mode)) {
			fprintf(stderr,
				"warren: check: %s is no regular file: --fix cannot write it; "
				"check "
				"it without --fix\n",
				paths[i]);
			return false;
		}
	return true;
}

/* First what can be mended; what is left then is said like without --fix. */
static int fix_first(const struct wish *w, char *const paths[], size_t count, bool *ret_failed)
{
	struct check_run r;
	const bool read = check_run_read(&r, paths, count, w->host);

	*ret_failed = read && check_fix(&r, w->yes) == FIX_FAILED;
	check_run_done(&r);
	return read ? 0 : say_no_memory();
}

static int check_main(int argc, char *argv[])
{
	struct wish w = { .form = FORM_TEXT };
	int status = parse(argc, argv, &w);
	bool failed = false;
	struct check_run r;

	if (status >= 0)
		return status;
	if (w.fix && !are_files(argv + optind, (size_t)(argc - optind)))
		return 1;
	if (w.fix && fix_first(&w, argv + optind, (size_t)(argc - optind), &failed) != 0)
		return 1;
	if (!check_run_read(&r, argv + optind, (size_t)(argc - optind), w.host))
		status = say_no_memory();
	else if (print(&r, &w) != 0)
		status = 1;
	else
		status = failed || has_failed(&r, &w);
	check_run_done(&r);
	return status;
}

const struct command command_check = {
	.name = "check",
	.usage = "[--host] [--strict] [--json] [--fix] FILE...",
	.purpose = "say every mistake in files, and across files",
	.run = check_main,
};
