#include "config/strip.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/out.h"
#include "cli/quick.h"
#include "cli/tunnel_path.h"
#include "config/file.h"
#include "device/harden.h"

static int fail_switch(const struct tunnel_call *call, const struct tunnel_path *p,
		       const struct strip_wrong *wrong)
{
	fprintf(stderr, "%s: ", call->program);
	if (!call->quick)
		fprintf(stderr, "%s:%zu: SaveConfig: ", p->path, wrong->line);
	fprintf(stderr, "`%.*s' is neither true nor false\n", (int)wrong->len, wrong->value);
	return EXIT_FAILURE;
}

/* One line more than it needs, as wg-quick. */
static int print(const struct tunnel_call *call, const struct tunnel_path *p,
		 const struct config_file *f)
{
	struct strip_wrong wrong;
	struct out o;
	int code = EXIT_SUCCESS;

	out_init(&o, STDOUT_FILENO);
	switch (strip_bytes(f->bytes, f->len, &o.text, &wrong)) {
	case STRIP_DONE:
		out_text(&o, "\n");
		break;
	case STRIP_SAVE_CONFIG:
		buffer_done(&o.text);
		code = fail_switch(call, p, &wrong);
		break;
	case STRIP_MEMORY:
		buffer_done(&o.text);
		fprintf(stderr, "%s: out of memory\n", call->program);
		code = EXIT_FAILURE;
	}
	return out_end(&o, call->program, code);
}

int strip_run(const struct tunnel_call *call)
{
	struct tunnel_path p;
	struct config_file f;
	int error, code;

	harden_process(); /* keys pass through */
	code = tunnel_path_find(&p, call->word, call->program, call->quick);
	if (!code) {
		error = file_load(&f, p.path);
		if (error) {
			fprintf(stderr, "%s: %s: %s\n", call->program, p.path, strerror(-error));
			code = EXIT_FAILURE;
		} else {
			code = print(call, &p, &f);
			file_done(&f);
		}
	}
	tunnel_path_done(&p);
	return code;
}

static int run(int argc, char *argv[])
{
	const struct tunnel_call call = { .program = "warren", .word = argv[argc - 1] };

	if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
		printf("Usage: warren strip FILE|NAME\n"
		       "Prints the file as `wg setconf' takes it: without the keys of wg-quick.\n"
		       "NAME is /etc/wireguard/NAME.conf.\n");
		return EXIT_SUCCESS;
	}
	if (argc != 2 || argv[1][0] == '-') {
		fprintf(stderr, "Usage: warren strip FILE|NAME\n");
		return EXIT_USAGE;
	}
	return strip_run(&call);
}

const struct command command_strip = { .name = "strip",
				       .usage = "FILE|NAME",
				       .purpose = "the file as wg setconf takes it",
				       .run = run };
