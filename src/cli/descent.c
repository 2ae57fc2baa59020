#include "cli/descent.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { GENERATIONS = 64 }; /* processes may end, and their numbers come again, while we look */

/* 0: it cannot be known. */
static pid_t parent_of(pid_t process)
{
	char path[32], text[256];
	const char *end;
	int parent = 0;
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)process);
	f = fopen(path, "re");
	if (!f)
		return 0;
	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	(void)fclose(f);          /* only read */
	end = strrchr(text, ')'); /* of its name, which may hold anything */
	if (!end || sscanf(end, ") %*c %d", &parent) != 1) /* NOLINT(cert-err34-c) */
		return 0;
	return parent;
}

bool descends_from(pid_t process)
{
	pid_t at = getppid();

	for (int i = 0; at > 1 && at != process && i < GENERATIONS; ++i)
		at = parent_of(at);
	return at > 0 && at == process;
}
