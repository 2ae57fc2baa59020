#include "cli/quick.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "device/harden.h"

enum { EXIT_NO_SUDO = 127 }; /* what a shell makes of it */

static const struct verb {
	const char *name;
	int (*run)(const struct tunnel_call *call);
} verbs[] = {
	{ "up", up_run },
	{ "down", down_run },
	{ "save", save_run },
	{ "strip", strip_run },
};

static const struct verb *find(const char *name)
{
	for (size_t i = 0; i < ELEMENTS(verbs); ++i)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	return NULL;
}

static void print_usage(const char *program)
{
	fprintf(stderr,
		"Usage: %s [ up | down | save | strip ] [ CONFIG_FILE | INTERFACE ]\n"
		"\n"
		"  CONFIG_FILE is a path that ends in INTERFACE.conf; INTERFACE alone means\n"
		"  /etc/wireguard/INTERFACE.conf. It holds what `wg setconf' takes and, in its\n"
		"  [Interface] section, these keys, which %s handles:\n"
		"\n"
		"  - Address: addresses of the interface, with or without a mask.\n"
		"  - DNS: servers, and domains to search in, while the interface is up.\n"
		"  - MTU: of the interface; found out if it is not given.\n"
		"  - Table: the routing table for the routes; `auto' is usual, `off' none.\n"
		"  - PreUp, PostUp, PreDown, PostDown: commands for bash(1); `%%i' is INTERFACE.\n"
		"  - SaveConfig: `true' saves what runs into the file when it goes down.\n"
		"\n"
		"See wg-quick(8) and warren-up(8).\n",
		program, program);
}

/* The path of the program under the name by which it was called, for sudo. NULL: unknown. */
static char *find_self(const char *name)
{
	const char *slash = strrchr(name, '/');
	char *folder, *given = NULL, *path = NULL;

	if (!slash) { /* in some folder of PATH: sudo would look in others */
		const char *list = getenv("PATH");

		for (size_t len = 0; list && *list && !path; list += len + (list[len] == ':')) {
			len = strcspn(list, ":");
			if (asprintf(&path, "%.*s/%s", (int)len, list, name) < 0)
				return NULL;
			if (len == 0 || access(path, X_OK) < 0) {
				free(path);
				path = NULL;
			}
		}
		return path;
	}
	given = strndup(name, (size_t)(slash - name) + 1);
	folder = given ? realpath(given, NULL) : NULL;
	if (folder && asprintf(&path, "%s%s", folder, slash) < 0)
		path = NULL;
	free(given);
	free(folder);
	return path;
}

static int become_root(const char *program, char *argv[])
{
	char *self = find_self(argv[0]), *prompt;
	char *words[] = { (char[]){ "sudo" },
			  (char[]){ "-p" },
			  NULL,
			  (char[]){ "--" },
			  self,
			  argv[1],
			  argv[2],
			  NULL };

	if (!self || asprintf(&prompt,
			      "%s must be run as root. Please enter the password for %%u to "
			      "continue: ",
			      program) < 0) {
		fprintf(stderr, "%s: must be run as root\n", program);
		free(self);
		return EXIT_FAILURE;
	}
	words[2] = prompt;
	(void)execvp(words[0], words); /* it returned: errno tells */
	fprintf(stderr, "%s: must be run as root; sudo: %s\n", program, strerror(errno));
	free(prompt);
	free(self);
	return EXIT_NO_SUDO;
}

int quick_main(int argc, char *argv[])
{
	const char *slash = strrchr(argv[0], '/');
	struct tunnel_call call = { .program = slash ? slash + 1 : argv[0], .quick = true };
	const struct verb *verb = argc == 3 ? find(argv[1]) : NULL;

	if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
			  strcmp(argv[1], "help") == 0)) {
		print_usage(call.program);
		return EXIT_SUCCESS;
	}
	if (!verb) {
		print_usage(call.program);
		return EXIT_FAILURE;
	}
	if (getuid() != 0)
		return become_root(call.program, argv);
	call.word = argv[2];
	harden_process(); /* keys pass through */
	return verb->run(&call);
}
