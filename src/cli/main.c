#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "cli/command.h"
#include "cli/quick.h"
#include "cli/wg.h"

/* The program by its name: `warren COMMAND …`; started as warrend the engine itself, as wg
 * wg(8), as wg-quick wg-quick(8).
 */
static const struct command *const commands[] = {
	&command_up,      &command_down,    &command_run,      &command_show,     &command_set,
	&command_setconf, &command_addconf, &command_syncconf, &command_showconf, &command_genkey,
	&command_genpsk,  &command_pubkey,  &command_check,    &command_why,      &command_save,
	&command_strip,   &command_keep,    &command_sync,
};

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static void print_help(FILE *to)
{
	fprintf(to, "Usage: warren COMMAND [ARGUMENT]...\n\nCommands:\n");
	for (size_t i = 0; i < ELEMENTS(commands); ++i)
		fprintf(to, "  %-8s %-34s %s\n", commands[i]->name, commands[i]->usage,
			commands[i]->purpose);
	fprintf(to, "\n`warren COMMAND --help` tells more of one; `warren --version` the version.\n"
		    "The manual page is warren(8).\n");
}

static const struct command *find(const char *name)
{
	for (size_t i = 0; i < ELEMENTS(commands); ++i)
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	return NULL;
}

static bool is_one_of(const char *word, const char *a, const char *b, const char *c)
{
	return strcmp(word, a) == 0 || strcmp(word, b) == 0 || strcmp(word, c) == 0;
}

/*
 * Whoever started us with one of them closed would find the TUN in its place. What is written to a
 * closed output fails, as it would without us: a key must not vanish and be called a success.
 */
static void fill_standard_streams(void)
{
	const bool has_output = fcntl(STDOUT_FILENO, F_GETFD) >= 0;
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd > STDERR_FILENO)
		close(fd);
	fd = has_output ? -1 : open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	(void)dup2(fd, STDOUT_FILENO); /* at worst it takes what it is given */
	close(fd);
}

int main(int argc, char *argv[])
{
	const struct command *command;
	const char *name = argc > 0 ? base_name(argv[0]) : "";

	fill_standard_streams();
	if (strcmp(name, "warrend") == 0)
		return command_run.run(argc, argv);
	if (strcmp(name, "wg") == 0)
		return wg_main(argc, argv);
	if (strcmp(name, "wg-quick") == 0)
		return quick_main(argc, argv);
	if (argc < 2) {
		print_help(stderr);
		return EXIT_USAGE;
	}
	if (is_one_of(argv[1], "--version", "-v", "version")) {
		printf("warren %s\n", WARREN_VERSION);
		return 0;
	}
	if (is_one_of(argv[1], "--help", "-h", "help")) {
		print_help(stdout);
		return 0;
	}
	command = find(argv[1]);
	if (!command) {
		fprintf(stderr, "warren: there is no command `%s'; `warren --help' lists them\n",
			argv[1]);
		return EXIT_USAGE;
	}
	return command->run(argc - 1, argv + 1);
}
