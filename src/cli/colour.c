#include "cli/colour.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool colour_is_wanted(FILE *to)
{
	const char *never = getenv("NO_COLOR");
	const char *always = getenv("CLICOLOR_FORCE");

	if (never && never[0])
		return false;
	if (always && always[0] && strcmp(always, "0") != 0)
		return true;
	return isatty(fileno(to)) == 1;
}
