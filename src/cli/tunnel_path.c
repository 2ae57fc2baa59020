#include "cli/tunnel_path.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"

#define FOLDER "/etc/wireguard"
#define END ".conf"

/* As wg-quick: "." and ".." look like names to it too, and then there is no such file. */
static bool looks_like_a_name(const char *word)
{
	return text_is_interface_name(word) || strcmp(word, ".") == 0 || strcmp(word, "..") == 0;
}

static char *path_of(const char *word)
{
	char *path;

	if (!looks_like_a_name(word))
		return strdup(word);
	return asprintf(&path, FOLDER "/%s" END, word) < 0 ? NULL : path;
}

/* The name that a path makes; false: none. */
static bool name_of(const char *path, char ret[static MODEL_NAME])
{
	const char *slash = strrchr(path, '/');
	const char *last = slash ? slash + 1 : path;
	const size_t len = strlen(last);

	if (len <= strlen(END) || len >= MODEL_NAME + strlen(END) ||
	    strcmp(last + len - strlen(END), END) != 0)
		return false;
	memcpy(ret, last, len - strlen(END));
	ret[len - strlen(END)] = '\0';
	return text_is_interface_name(ret);
}

/* Its folder's links are followed, its own is not. NULL: errno says why. */
static char *make_absolute(const char *given)
{
	const char *slash = strrchr(given, '/');
	char *folder = slash ? strndup(given, (size_t)(slash - given) + 1) : strdup(".");
	char *real = folder ? realpath(folder, NULL) : NULL, *path = NULL;

	if (real && asprintf(&path, "%s/%s", strcmp(real, "/") == 0 ? "" : real,
			     slash ? slash + 1 : given) < 0)
		path = NULL;
	free(real);
	free(folder);
	return path;
}

static int fail(const struct tunnel_path *p, const char *program, const char *words)
{
	fprintf(stderr, "%s: `%s' %s\n", program, p->given, words);
	return 1;
}

/* "wg0.conf" is a name, and ./wg0.conf is what was meant. */
static int fail_missing(const struct tunnel_path *p, const char *word, const char *program,
			bool quick)
{
	struct stat st;

	if (quick || !looks_like_a_name(word) || stat(word, &st) < 0)
		return fail(p, program, "does not exist");
	fprintf(stderr, "%s: `%s' does not exist; for the file here write ./%s\n", program,
		p->given, word);
	return 1;
}

/* The same bit for others on the file and on its folder. */
static void warn_of_others(const struct tunnel_path *p)
{
	const size_t folder = (size_t)(strrchr(p->path, '/') - p->path);
	struct stat file, above;
	char *parent = strndup(p->path, folder ? folder : 1);

	if (parent && stat(p->path, &file) == 0 && stat(parent, &above) == 0 &&
	    (file.st_mode & above.st_mode & 007))
		fprintf(stderr, "Warning: `%s' is world accessible\n", p->path);
	free(parent);
}

/* A pipe could hang whoever reads it; wg-quick reads what it is given. */
static bool is_strange(const char *path, bool quick)
{
	struct stat st;

	return !quick && stat(path, &st) == 0 && !S_ISREG(st.st_mode);
}

int tunnel_path_find(struct tunnel_path *p, const char *word, const char *program, bool quick)
{
	*p = (struct tunnel_path){ .given = path_of(word) };
	if (!p->given) {
		fprintf(stderr, "%s: out of memory\n", program);
		return 1;
	}
	if (access(p->given, F_OK) < 0 && (errno == ENOENT || errno == ENOTDIR))
		return fail_missing(p, word, program, quick);
	if (!name_of(p->given, p->name)) {
		fprintf(stderr,
			"%s: The config file must be a valid interface name, followed by .conf\n",
			program);
		return 1;
	}
	p->path = realpath(p->given, NULL);
	p->absolute = make_absolute(p->given);
	if (!p->path || !p->absolute)
		return fail(p, program, strerror(errno));
	if (is_strange(p->path, quick))
		return fail(p, program, "is no regular file");
	warn_of_others(p);
	return 0;
}

void tunnel_path_done(struct tunnel_path *p)
{
	free(p->given);
	free(p->absolute);
	free(p->path);
	*p = (struct tunnel_path){ 0 };
}
